"""The Arena page: samplers race from the same noise on one clock, and are measured."""

from __future__ import annotations

import streamlit as st

from diffviz.ui import arena_controls, arena_words, controls, links, reverse_controls, theme
from diffviz.ui.arena_panel import show_chart
from diffviz.ui.arena_run import RaceConfig, measured, race
from diffviz.ui.configs import DataConfig
from diffviz.ui.player import player
from diffviz.ui.waiting import wait_for

theme.header(
    "Arena",
    "Samplers race from the same noise: who is nearest to the data for the fewest network calls?",
)

_CSS = """
<style>
.st-key-arena_table table {width: 100%;}
.st-key-arena_table :is(th, td) {padding-top: 0.28rem; padding-bottom: 0.28rem;}
.st-key-arena_table :is(th, td):nth-child(n + 3) {font-variant-numeric: tabular-nums;}
.st-key-arena_table tr:last-child td {border-top-width: 2px;}
.st-key-arena_table td:nth-child(4) {white-space: nowrap;}
@media (max-width: 640px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-page_header) {order: -2;}
  [data-testid="stLayoutWrapper"]:has(> .st-key-arena_picture) {order: -1;}
}
</style>
"""
st.html(_CSS)

data = controls.choose_data(["2-D"], default="grid25")


@st.fragment
def show(data: DataConfig) -> None:
    """Draw the contestants and their race; a change of them reruns only this."""
    with controls.bar(), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        entrants, told = arena_controls.choose_contestants(data)
        align = arena_controls.choose_align()
        samples, seed = arena_controls.choose_run()
    notes, picture, bar = st.container(), st.container(key="arena_picture"), st.empty()
    under = st.container()
    with notes:
        for note in told:
            st.info(note, icon=":material/info:")
        config = arena_controls.afford(RaceConfig(data, entrants, align, samples, seed))
    made = wait_for(lambda watch: race(config, watch), f"{len(entrants)} runs", bar)
    with notes:
        place = reverse_controls.find_place(made.frames, made.shown, "arena")
    with picture:
        chosen = player(
            made.buffer, key=place.key, step=place.step, follow=place.follow, height=430
        )
    reverse_controls.keep_place(chosen, made.frames, made.shown, "arena")
    result = wait_for(lambda watch: measured(config, watch), "Measuring", bar)
    with under, st.container(key="arena_table", gap="small"):
        st.markdown(arena_words.table(result))
        st.caption(arena_words.about_race(config, made))
    st.subheader("Quality against evaluations", anchor=False)
    show_chart(config, result)
    links.sync()


show(data)

theme.questions(
    [
        (
            "A trained network: how much of the error is the model's, how much the steps'?",
            "arena",
            {
                "data": "moons",
                "a": "ddim,10,quadratic,rectified_flow,exact",
                "b": "ddim,10,quadratic,rectified_flow,learned",
                "c": "dpmpp_2m,50,quadratic,rectified_flow,learned",
                "d": "none",
            },
        ),
        (
            "One sampler, four spacings: where should ten steps stop?",
            "arena",
            {
                "a": "dpmpp_2m,10,trailing,cosine,exact",
                "b": "dpmpp_2m,10,log_snr,cosine,exact",
                "c": "dpmpp_2m,10,karras,cosine,exact",
                "d": "dpmpp_2m,10,quadratic,cosine,exact",
            },
        ),
        (
            "How many steps does DDPM need to match DPM-Solver++ with ten?",
            "arena",
            {
                "a": "ddpm,20,quadratic,rectified_flow,exact",
                "align": "calls",
                "b": "ddpm,50,quadratic,rectified_flow,exact",
                "c": "ddpm,150,quadratic,rectified_flow,exact",
            },
        ),
    ]
)
