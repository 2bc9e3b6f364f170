"""The Three generators page: a VAE, a GAN and a diffusion model draw the same classes."""

from __future__ import annotations

import streamlit as st

from diffviz.models.checkpoints import CheckpointError
from diffviz.scenes.generators import Trio, present, together
from diffviz.scenes.generators_trained import about_training, replay
from diffviz.ui.choices import controls
from diffviz.ui.parts.player import player
from diffviz.ui.screens.generators import controls as generators_controls
from diffviz.ui.screens.generators.words import about, verdict_badge, verdicts
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls
from diffviz.ui.stage.place import placed
from diffviz.ui.stage.preview import Preview

skeleton.begin("generators")


@st.fragment
def race(name: str, classes: tuple[int, ...]) -> None:
    """Draw the same classes with all three generators, and below them the other controls."""
    notes, picture = st.container(), theme.picture()
    walk, words = st.container(), st.container()
    with walk, controls.bar("walk"):
        run = generators_controls.choose_run(name, classes)
    kinds, missing = present(name)
    for told in missing:
        notes.warning(links.plain(told), icon=":material/warning:")
    with picture:
        preview, bar = Preview("generators"), st.empty()
    trio = Trio(run, kinds)
    made = wait_for(
        lambda watch: together(trio, watch, preview.take),
        f"{run.sampler.steps} steps of diffusion",
        bar,
        preview.draw,
    )
    with preview.place():
        placed(made.buffer, page="generators")
    columns = words.columns(len(made.drawn), gap="large")
    for column, drawn in zip(columns, made.drawn, strict=True):
        column.markdown(about(run, made, drawn))
    links.sync()


def claims(name: str) -> None:
    """Say what holds of five claims, in measured figures, each with the page that shows it."""
    st.header("What holds", anchor=False)
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
    st.header("How they were trained", anchor=False)
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
    )
    generators_controls.keep_frame(result.step)
    st.markdown(about_training(kind, made))
    links.sync()


generators_controls.expect()
if not picture_controls.missing():
    with controls.bar("generators_what"):
        of = picture_controls.choose_set()
        chosen = picture_controls.choose_classes(of)
    race(of, chosen)
    claims(of)
    trainings(of)

skeleton.end("generators")
