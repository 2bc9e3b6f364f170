"""The Three generators page: a VAE, a GAN and a diffusion model draw the same classes."""

from __future__ import annotations

import streamlit as st

from diffviz.checkpoints import CheckpointError
from diffviz.ui import controls, generate_controls, generators_controls, links, theme
from diffviz.ui.generators_history import about_training, replay
from diffviz.ui.generators_run import Trio, present, together
from diffviz.ui.generators_words import about, verdict_badge, verdicts
from diffviz.ui.player import player
from diffviz.ui.preview import Preview, played
from diffviz.ui.waiting import wait_for

theme.header(
    "Three generators",
    "The same classes, three ways from noise to pictures: two answer at once, one walks.",
    "learned",
)
_HEIGHT = 500


@st.fragment
def race(name: str, classes: tuple[int, ...]) -> None:
    """Draw the same classes with all three generators, and below them the other controls."""
    notes, picture, walk, words = (st.container() for _ in range(4))
    with walk, generate_controls.row():
        run = generators_controls.choose_run(name, classes)
    kinds, missing = present(name)
    for told in missing:
        notes.warning(links.plain(told), icon=":material/warning:")
    with picture:
        preview, bar = Preview("generators", _HEIGHT), st.empty()
    trio = Trio(run, kinds)
    made = wait_for(
        lambda watch: together(trio, watch, preview.take),
        f"{run.sampler.steps} steps of diffusion",
        bar,
        preview.draw,
    )
    played(preview.place(), made.buffer, made.frames, run.count, "generators", _HEIGHT)
    columns = words.columns(len(made.drawn), gap="large")
    for column, drawn in zip(columns, made.drawn, strict=True):
        column.markdown(about(run, made, drawn))
    links.sync()


def claims(name: str) -> None:
    """Say what holds of five claims, in measured figures, each with the page that shows it."""
    st.subheader("What holds", anchor=False)
    found, bound, why = generators_controls.figures(name)
    if why:
        st.info(links.plain(why), icon=":material/info:")
    for k, (claim, verdict) in enumerate(verdicts(found, bound)):
        with st.container(border=True, key=f"claim_{k}"):
            left, right = st.columns([0.3, 0.7], gap="medium")
            left.markdown(f"**{claim.words}**  \n{verdict_badge(verdict.holds)}")
            with right.container(gap="xsmall"):
                st.markdown(verdict.words)
                theme.link(claim.link, claim.page, {})


@st.fragment
def trainings(name: str) -> None:
    """Play a recorded training again."""
    st.subheader("How they were trained", anchor=False)
    kind = generators_controls.choose_trained()
    try:
        made = replay(name, kind)
    except CheckpointError as error:
        st.warning(links.plain(str(error)), icon=":material/warning:")
        links.sync()
        return
    step = generators_controls.frame_of(made.frames)
    result = player(
        made.buffer,
        key=f"training_of_{name}_{kind}",
        step=step,
        autoplay=False,
        link=None,
        height=470,
    )
    generators_controls.keep_frame(result.step)
    st.markdown(about_training(kind, made))
    links.sync()


generators_controls.expect()
if not generate_controls.missing():
    with controls.bar("generators_what"), controls.line("generators_set"):
        of = generate_controls.choose_set()
        chosen = generate_controls.choose_classes(of)
    race(of, chosen)
    claims(of)
    trainings(of)

theme.questions(
    [
        ("Eight steps only: who wins then?", "generators", {"steps": 8}),
        ("Ten sevens: how different are they from each other?", "generators", {"classes": "7"}),
        (
            "Do the losses of the GAN fall while its clothes get better?",
            "generators",
            {"pictures": "fashion", "trained": "gan"},
        ),
    ]
)
