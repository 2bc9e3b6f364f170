"""The Reverse page: from noise to data with a sampler and an exact denoiser."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.ui import controls, links, reverse_controls, reverse_words, theme
from diffviz.ui.configs import DataConfig
from diffviz.ui.player import player
from diffviz.ui.reverse_run import RunConfig, Shown, shown
from diffviz.ui.waiting import wait_for

theme.header(
    "Reverse",
    "Noise becomes data: each step asks what the clean sample would be, and goes a little there.",
    "exact",
)

_CSS = """
<style>
@media (max-width: 640px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-reverse_data),
  [data-testid="stLayoutWrapper"]:has(> .st-key-controls) {order: 1;}
  [data-testid="stLayoutWrapper"]:has(> .st-key-page_questions) {order: 2;}
}
</style>
"""
st.html(_CSS)

with st.container(key="reverse_data"):
    data = controls.choose_data(n=500)


@st.fragment
def show(data: DataConfig) -> None:
    """Draw the other controls and the run; a change of them, or in the player, reruns only this."""
    with controls.bar(), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        schedule = controls.choose_schedule()
        sampler = controls.choose_sampler(schedule)
        asked = reverse_controls.choose_options(RunConfig(data, schedule, sampler))
    notes, picture, bar, move = st.container(), st.container(), st.empty(), st.container()
    left, right = st.columns(2, gap="large")
    with left:
        cost = st.container()
        points = reverse_controls.choose_exact_for(asked.data)
    with notes:
        run = reverse_controls.afford(replace(asked, points=points))
        if run.data.kind == "2-D":
            run = replace(run, moved=links.value(reverse_controls.moved_start(run)))
            links.complaints("moved")
    made = wait_for(lambda watch: shown(run, watch), f"{run.sampler.steps:,} steps", bar)
    with notes:
        place = reverse_controls.find_place(made.frames, run.samples)
    with picture:
        result = player(
            made.buffer,
            key=place.key,
            step=place.step,
            follow=place.follow,
            height=520 if run.data.kind == "image" else 560,
        )
    reverse_controls.keep_place(result, made.frames, run.samples)
    if reverse_controls.take_moved(run, result):
        st.rerun(scope="fragment")
    if run.moved is not None:
        still = replace(run, moved=None)
        own = wait_for(lambda watch: shown(still, watch), "The run without the moved point", bar)
        with move:
            tell_moved(run, made, own)
    cost.markdown(reverse_words.about_run(run, made))
    if run.data.kind == "image":
        left.html(reverse_words.pairs_html(run, made))
    right.markdown(reverse_words.about_ends(run, made))
    links.sync()


def tell_moved(run: RunConfig, made: Shown, own: Shown) -> None:
    """Say where the start chosen by hand leads, and offer to put it back."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(reverse_words.about_moved(run, made, own))
        st.button(
            "Put it back",
            icon=":material/undo:",
            on_click=links.keep,
            args=(reverse_controls.moved_start(run), None),
        )


show(data)

theme.questions(
    [
        (
            "True density: do runs still copy points?",
            "reverse",
            {"data": "eight_gaussians", "exact_for": "density"},
        ),
        (
            "Ten steps: which sampler finds the data?",
            "reverse",
            {"data": "spiral", "sampler": "dpmpp_2m", "steps": 10, "spacing": "log_snr"},
        ),
        (
            "Digits: is any picture that comes out new?",
            "reverse",
            {"data": "digits", "sampler": "ddim"},
        ),
    ]
)
