"""The Guidance page: ask for a class, and push."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.ui import controls, guidance_controls, guidance_words, links, reverse_controls, theme
from diffviz.ui.configs import DataConfig
from diffviz.ui.guidance_figures import distance_chart, share_chart, two_densities
from diffviz.ui.guidance_run import SCALES, SETS, Measures, Setting, ladder, measured, shown
from diffviz.ui.player import player
from diffviz.ui.waiting import wait_for

theme.header(
    "Guidance",
    "Ask for a class and push: samples flee the other classes, and mostly miss what was promised.",
)

_CSS = """
<style>
@media (max-width: 1180px) {
  .st-key-guidance_charts [data-testid="stHorizontalBlock"] {flex-wrap: wrap;}
  .st-key-guidance_charts [data-testid="stColumn"] {flex: 1 1 320px !important;}
}
</style>
"""
st.html(_CSS)

data = controls.choose_data(["2-D"], default="pinwheel", n=1000, only=SETS)


@st.fragment
def show(data: DataConfig) -> None:
    """Draw the other controls, the runs and the charts; a change of them reruns only this."""
    with (
        controls.bar(),
        st.container(horizontal=True, vertical_alignment="top", gap="medium"),
    ):
        scale = guidance_controls.choose_scale()
        label = guidance_controls.choose_class(data)
        model = guidance_controls.choose_model(data)
    notes, picture, bar, words = st.container(), st.container(), st.empty(), st.container()
    charts = st.container(key="guidance_charts")
    under = st.container()
    walk, arrows = guidance_controls.choose_walk(data)
    with notes:
        setting = guidance_controls.afford(replace(walk, label=label, model=model))
    made = wait_for(lambda watch: shown(setting, scale, arrows, watch), "Three runs", bar)
    with notes:
        place = reverse_controls.find_place(made.frames, setting.samples, "guidance")
    with picture:
        result = player(
            made.buffer, key=place.key, step=place.step, follow=place.follow, height=440
        )
    reverse_controls.keep_place(result, made.frames, setting.samples, "guidance")
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

theme.questions(
    [
        (
            "Every sample its own class: what happens to the middle?",
            "guidance",
            {"data": "pinwheel", "class": "each", "w": 3},
        ),
        (
            "The same field with fresh noise at every step: does Langevin keep the promise?",
            "guidance",
            {"data": "eight_gaussians", "class": 1, "sampler": "langevin", "steps": 100},
        ),
        (
            "Does the network do what the exact denoisers do?",
            "guidance",
            {"data": "moons", "class": 0, "denoiser": "learned"},
        ),
    ]
)
