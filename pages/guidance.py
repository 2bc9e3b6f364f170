"""The Guidance page: ask for a class, and push."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.scenes.configs import DataConfig
from diffviz.scenes.guidance import (
    OFFERED,
    SCALES,
    GuidedRun,
    Measures,
    Setting,
    ladder,
    measured,
    shown,
)
from diffviz.scenes.plays import Play
from diffviz.ui.choices import controls
from diffviz.ui.screens.guidance import controls as guidance_controls
from diffviz.ui.screens.guidance import words as guidance_words
from diffviz.ui.screens.guidance.figures import distance_chart, share_chart, two_densities
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage.place import placed

skeleton.begin("guidance")

KNOBS = {"w": ("scale",)}


with controls.bar("guidance_data"):
    data = controls.choose_data(["2-D"], default="pinwheel", n=1000, only=OFFERED, labelled=True)
    data = guidance_controls.with_classes(data)


@st.fragment
def show(data: DataConfig) -> None:
    """Draw the other controls, the runs and the charts; a change of them reruns only this."""
    with controls.bar():
        scale = guidance_controls.choose_scale()
        label = guidance_controls.choose_class(data)
        model = guidance_controls.choose_model(data)
        walk, arrows = guidance_controls.choose_walk(data)
    notes, picture, bar, words = st.container(), theme.picture(), st.empty(), st.container()
    charts = st.container(key="guidance_charts")
    under = st.container()
    with notes:
        setting = guidance_controls.afford(replace(walk, label=label, model=model))
    run = GuidedRun(setting, scale, arrows)
    made = wait_for(lambda watch: shown(setting, scale, arrows, watch), "Three runs", bar)
    with picture:
        placed(made.buffer, page="guidance", play=Play("guidance", run), knobs=KNOBS)
    links.sync()
    now = wait_for(lambda watch: measured(setting, scale, watch), "Measuring", bar)
    plain = wait_for(lambda watch: measured(setting, 1.0, watch), "Measuring", bar)
    words.markdown(guidance_words.about_run(setting, made, now, plain))
    under.markdown(guidance_words.about_target(setting))
    with charts:
        left, *others = st.columns([1.5, 1.1, 1.1], gap="medium")
        with left:
            theme.chart(
                two_densities(made.should, made.came, theme.palette()),
                key="guidance_ends",
                alt="The density that guidance promises beside that of the samples",
                height=270,
            )
        waiting = others[0].empty()
        found = wait_for(
            lambda watch: ladder(setting, watch), f"Runs at {len(SCALES)} scales", waiting
        )
        draw_scales(setting, found, now, others)


def draw_scales(
    setting: Setting, found: list[Measures], now: Measures, places: list[DeltaGenerator]
) -> None:
    """Draw what comes out against the scale."""
    colors = theme.palette()
    with places[0]:
        theme.chart(
            distance_chart(found, now, colors, learned=setting.model is not None),
            key="guidance_distance",
            alt="Distance of the samples to the promised density against the guidance scale",
            height=270,
        )
    with places[1]:
        theme.chart(
            share_chart(found, now, colors),
            key="guidance_share",
            alt="Share that the exact classifier gives to the class, and width, against the scale",
            height=270,
        )


show(data)

skeleton.end("guidance")
