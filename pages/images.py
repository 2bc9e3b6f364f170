"""The Images page: a trained network draws pictures from noise."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.ui import (
    controls,
    generate_back,
    generate_controls,
    generate_more,
    generate_yours,
    links,
    theme,
    widgets,
)
from diffviz.ui.generate_run import GenerateRun, pictures
from diffviz.ui.generate_words import about_classes, about_run
from diffviz.ui.preview import Preview, played
from diffviz.ui.waiting import wait_for

badge = theme.header(
    "Generate", "A network draws from noise: the coarse shape first, then what is fine.", "learned"
)
_HEIGHT = 520


def run_once(run: GenerateRun, picture: DeltaGenerator, words: DeltaGenerator) -> None:
    """Show one run in the player, and what it says about itself."""
    with picture:
        preview, bar = Preview("images", _HEIGHT), st.empty()
    left, right = words.columns(2, gap="large")
    made = wait_for(
        lambda watch: pictures(run, watch, preview.take),
        f"{run.sampler.steps:,} steps",
        bar,
        preview.draw,
    )
    played(preview.place(), made.buffer, made.frames, run.count, "images", _HEIGHT)
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
    notes, picture, walk, words = (st.container() for _ in range(4))
    with walk, generate_controls.row():
        schedule, sampler = generate_controls.choose_walk()
        count, clipped = generate_controls.choose_count()
    asked = GenerateRun(name, schedule, sampler, classes, guidance, count, clipped)
    with notes:
        run = generate_controls.afford(asked)
    _SHOWS[what][1](run, picture, words)
    links.sync()


def show_shipped(name: str) -> None:
    """Draw the choices for a network that ships, and what they ask for."""
    with controls.line("images_asked"):
        chosen = generate_controls.choose_classes(name)
        scale = generate_controls.choose_guidance()
    show(name, chosen, scale, view)


if not generate_controls.missing():
    with controls.bar("images_what"), controls.line("images_set"):
        of = generate_controls.choose_set(yours=True)
        if of != generate_controls.YOURS:
            titles = {key: title for key, (title, _) in _SHOWS.items()}
            view = widgets.segments("Show", links.choice("show", "run", _SHOWS), titles, quiet=True)
            controls.complain("show")
    if of != generate_controls.YOURS:
        show_shipped(of)
    else:
        brought = generate_yours.choose()
        if brought is not None:
            theme.mark(badge, "learned" if brought[0] == "pipeline" else "exact")
            generate_yours.show(*brought)

theme.questions(
    [
        ("No class told: when does noise become a digit?", "images", {"guidance": 0, "steps": 50}),
        ("How few steps are enough?", "images", {"show": "ladder"}),
        ("What if the class counts too much?", "images", {"guidance": 8, "classes": "3"}),
    ]
)
