"""The Why it works page: the exact denoiser memorises, the network does not."""

from __future__ import annotations

import streamlit as st

from diffviz.sources import SourceError
from diffviz.ui import controls, generate_controls, links, theme
from diffviz.ui.generate_run import GenerateRun
from diffviz.ui.preview import played
from diffviz.ui.waiting import wait_for
from diffviz.ui.why_run import compared
from diffviz.ui.why_words import about, no_pictures, pairs_html

theme.header(
    "Why it works",
    "The exact denoiser of a training set gives its pictures back. A network makes new ones.",
)
_COUNT = 10
_HEIGHT = 480


@st.fragment
def show(name: str, classes: tuple[int, ...], guidance: float) -> None:
    """Draw both runs, and below them the other controls; they rerun only this."""
    notes, picture = st.container(), st.container(key="why_picture")
    walk, words = st.container(), st.container()
    with walk, generate_controls.row():
        schedule, sampler = generate_controls.choose_walk()
    run = GenerateRun(name, schedule, sampler, classes, guidance, _COUNT)
    with notes:
        run = generate_controls.afford(run)
    bar = picture.empty()
    left, right = words.columns(2, gap="large")
    try:
        made = wait_for(lambda watch: compared(run, watch), "Two runs", bar)
    except SourceError as error:
        notes.info(no_pictures(run, error), icon=":material/download:")
        links.sync()
        return
    played(picture, made.buffer, made.frames, run.count, "why", _HEIGHT)
    left.markdown(about(run, made, "exact"))
    left.html(pairs_html(made, "exact"))
    right.markdown(about(run, made, "learned"))
    right.html(pairs_html(made, "learned"))
    links.sync()


if not generate_controls.missing():
    with controls.bar("images_what"), controls.line("images_asked"):
        of = generate_controls.choose_set()
        chosen = generate_controls.choose_classes(of)
        scale = generate_controls.choose_guidance()
    show(of, chosen, scale)

theme.questions(
    [
        ("Eights only: are they new?", "why", {"classes": "8"}),
        ("Four steps: does the exact denoiser still give its pictures back?", "why", {"steps": 4}),
        (
            "In the plane: how many points are enough?",
            "training",
            {"mode": "memorise"},
        ),
    ]
)
