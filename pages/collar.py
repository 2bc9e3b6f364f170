"""The A dog with a collar page: one attribute is switched on and off, and the dog stays."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.scenes.collar import (
    CollarRun,
    GivenRun,
    affordable,
    affordable_steps,
    changed,
    collars,
)
from diffviz.scenes.plays import Play
from diffviz.studies.collar_rates import kept_figures
from diffviz.ui.choices import controls
from diffviz.ui.screens.collar import controls as collar_controls
from diffviz.ui.screens.collar import words as collar_words
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls
from diffviz.ui.stage.place import placed

KNOBS = {"guidance": ("guidance",)}

skeleton.begin("collar")


@st.fragment
def from_noise(guidance: float) -> None:
    """Draw the three rows of dogs, and below them the other controls; they rerun only this."""
    notes, picture = st.container(), theme.picture()
    words, walk = st.container(), st.container()
    with walk, controls.bar("walk"):
        schedule, sampler = picture_controls.choose_walk()
    run = CollarRun(schedule, sampler, guidance)
    with notes:
        run = replace(run, sampler=controls.shorten(sampler, affordable_steps(run)))
        count = affordable(run)
        controls.say_fewer(run.count, count, "Fewer steps")
    run = replace(run, count=count)
    bar = picture.empty()
    made = wait_for(lambda watch: collars(run, watch), "Three runs", bar)
    with picture:
        placed(made.buffer, page="collar", play=Play("collar", run), knobs=KNOBS)
    left, right = words.columns([1.15, 1], gap="large")
    left.html(collar_words.rows_html(made, theme.palette()))
    right.markdown(collar_words.about_rows(run, made))
    right.markdown(collar_words.about_measured(kept_figures()))
    links.sync()


@st.fragment
def given(guidance: float) -> None:
    """Draw the reader's dog and its controls, its trip to noise and back, and what changed."""
    with controls.bar("collar_dog"):
        dog, steps = collar_controls.choose_dog()
    run = GivenRun(dog, guidance, steps)
    trip, bar = theme.picture(), st.empty()
    left, right = st.columns([1.75, 1], gap="medium")
    strip = left.empty()
    strip.html(collar_words.dog_html(dog))
    made = wait_for(lambda watch: changed(run, watch), f"{steps} steps up and twice down", bar)
    strip.html(collar_words.given_html(run, made, theme.palette()))
    right.markdown(collar_words.about_given(run, made))
    with trip:
        placed(made.buffer, page="collar_given")
    st.markdown(collar_words.about_trip(run, made))
    st.markdown(collar_words.about_given_measured(kept_figures()))
    links.sync()


if not collar_controls.missing():
    with controls.bar("collar_what"):
        kind = collar_controls.choose_kind()
        scale = collar_controls.choose_guidance()
    (from_noise if kind == "noise" else given)(scale)

skeleton.end("collar")
