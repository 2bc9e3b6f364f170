"""The A dog with a collar page: one attribute is switched on and off, and the dog stays."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.dogs_report import kept_figures
from diffviz.ui import collar_controls, collar_words, controls, generate_controls, links, theme
from diffviz.ui.collar_run import CollarRun, GivenRun, affordable, changed, collars
from diffviz.ui.preview import played
from diffviz.ui.waiting import wait_for

theme.header(
    "A dog with a collar",
    "From the same noise, asked for a collar or for none: the collar changes, the dog stays.",
    "learned",
)
_HEIGHT, _TRIP_HEIGHT = 515, 450


@st.fragment
def from_noise(guidance: float) -> None:
    """Draw the three rows of dogs, and below them the other controls; they rerun only this."""
    notes, picture = st.container(), st.container(key="collar_picture")
    words, walk = st.container(), st.container()
    with walk, generate_controls.row():
        schedule, sampler = generate_controls.choose_walk()
    run = CollarRun(schedule, sampler, guidance)
    count = affordable(run)
    with notes:
        controls.say_fewer(run.count, count, "Fewer steps")
    run = replace(run, count=count)
    bar = picture.empty()
    made = wait_for(lambda watch: collars(run, watch), "Three runs", bar)
    played(picture, made.buffer, made.frames, run.count, "collar", _HEIGHT)
    left, right = words.columns([1.15, 1], gap="large")
    left.html(collar_words.rows_html(made, theme.palette()))
    right.markdown(collar_words.about_rows(run, made))
    right.markdown(collar_words.about_measured(kept_figures()))
    links.sync()


@st.fragment
def given(guidance: float) -> None:
    """Draw the reader's dog and its controls, its trip to noise and back, and what changed."""
    with controls.bar("collar_dog"), controls.line("collar_looks"):
        dog, steps = collar_controls.choose_dog()
    run = GivenRun(dog, guidance, steps)
    left, right = st.columns([1.75, 1], gap="medium")
    strip, bar, trip = left.empty(), st.empty(), st.container(key="collar_trip")
    strip.html(collar_words.dog_html(dog))
    made = wait_for(lambda watch: changed(run, watch), f"{steps} steps up and twice down", bar)
    strip.html(collar_words.given_html(run, made, theme.palette()))
    right.markdown(collar_words.about_given(run, made))
    played(trip, made.buffer, made.frames, 1, "collar_given", _TRIP_HEIGHT)
    st.markdown(collar_words.about_trip(run, made))
    st.markdown(collar_words.about_given_measured(kept_figures()))
    links.sync()


if not collar_controls.missing():
    with controls.bar("collar_what"), controls.line("collar_asked"):
        kind = collar_controls.choose_kind()
        scale = collar_controls.choose_guidance()
    (from_noise if kind == "noise" else given)(scale)

theme.questions(
    [
        ("Nothing asked (w = 0): how many dogs find a collar?", "collar", {"guidance": 0}),
        ("What if the collar counts too much?", "collar", {"guidance": 8}),
        (
            "Take the collar off a sitting dog",
            "collar",
            {"dogs": "given", "pose": "sits", "wears": 1},
        ),
    ]
)
