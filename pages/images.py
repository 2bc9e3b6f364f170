"""The Images page: a trained network draws pictures from noise."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.scenes.picture_run import GenerateRun, pictures
from diffviz.scenes.plays import Play
from diffviz.ui.choices import controls, widgets
from diffviz.ui.screens.images import back as generate_back
from diffviz.ui.screens.images import more as generate_more
from diffviz.ui.screens.images import yours as generate_yours
from diffviz.ui.screens.images.words import about_classes, about_run
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls
from diffviz.ui.stage.place import placed
from diffviz.ui.stage.preview import Preview

KNOBS = {"guidance": ("guidance",), "count": ("count",)}

badge = skeleton.begin("images")


def run_once(run: GenerateRun, picture: DeltaGenerator, words: DeltaGenerator) -> None:
    """Show one run in the player, and what it says about itself."""
    with picture:
        preview, bar = Preview("images"), st.empty()
    left, right = words.columns(2, gap="large")
    made = wait_for(
        lambda watch: pictures(run, watch, preview.take),
        f"{run.sampler.steps:,} steps",
        bar,
        preview.draw,
    )
    with preview.place():
        placed(made.buffer, page="images", play=Play("images", run), knobs=KNOBS)
    left.markdown(about_run(run, made))
    right.markdown(about_classes(run, made))


_SHOWS = {
    "run": ("A run", run_once),
    "ladder": ("Few steps to many", generate_more.ladder),
    "between": ("Between two noises", generate_more.between),
    "back": ("To noise and back", generate_back.there_and_back),
}


@st.fragment
def show(name: str, classes: tuple[int, ...], guidance: float, what: str) -> None:
    """Draw what is asked for, and below it the other controls; they rerun only this."""
    notes, picture = st.container(), theme.picture()
    walk, words = st.container(), st.container()
    with walk, controls.bar("walk"):
        schedule, sampler = picture_controls.choose_walk()
        count, clipped = picture_controls.choose_count()
    asked = GenerateRun(name, schedule, sampler, classes, guidance, count, clipped)
    with notes:
        run = picture_controls.afford(asked)
    _SHOWS[what][1](run, picture, words)
    links.sync()


if not picture_controls.missing():
    with controls.bar("images_what"):
        of = picture_controls.choose_set(yours=True)
        if of != picture_controls.YOURS:
            titles = {key: title for key, (title, _) in _SHOWS.items()}
            view = widgets.menu("Show", links.choice("show", "run", _SHOWS), titles)
            chosen = picture_controls.choose_classes(of)
            scale = picture_controls.choose_guidance()
    if of != picture_controls.YOURS:
        show(of, chosen, scale, view)
    else:
        brought = generate_yours.choose()
        if brought is not None:
            theme.mark(badge, "learned" if brought[0] == "pipeline" else "exact")
            generate_yours.show(*brought)

skeleton.end("images")
