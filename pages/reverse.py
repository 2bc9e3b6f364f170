"""The Reverse page: from noise to data with a sampler and a denoiser, exact or learned."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.ui import controls, links, reverse_controls, reverse_words, theme
from diffviz.ui.configs import DataConfig
from diffviz.ui.export_menu import export_menu
from diffviz.ui.player import player
from diffviz.ui.reverse_controls import Acting
from diffviz.ui.reverse_run import RunConfig, Shown, affordable, ends, shown
from diffviz.ui.waiting import wait_for

badge = theme.header(
    "Reverse",
    "Noise becomes data: each step asks what the clean sample would be, and goes a little there.",
)

_SHOWN = "_reverse_shown"  # the run that is on the page now
_CSS = """
<style>
/* The data and what denoises share one row that wraps. */
.st-key-reverse_row > [data-testid="stLayoutWrapper"]:first-child,
.st-key-reverse_row > [data-testid="stLayoutWrapper"]:first-child > div {display: contents;}
@media (max-width: 640px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-reverse_data),
  [data-testid="stLayoutWrapper"]:has(> .st-key-controls) {order: 1;}
  [data-testid="stLayoutWrapper"]:has(> .st-key-page_questions) {order: 2;}
}
</style>
"""
st.html(_CSS)

with controls.bar("reverse_data"), controls.line("reverse_row"):
    data = controls.choose_data(n=500)
    acting = reverse_controls.choose_denoiser(data)
theme.mark(badge, "exact" if acting.model is None else "learned")


@st.fragment
def show(data: DataConfig, acting: Acting) -> None:
    """Draw the other controls and the run; a change of them, or in the player, reruns only this."""
    with controls.bar(), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        schedule = controls.choose_schedule()
        sampler = controls.choose_sampler(schedule)
        asked = RunConfig(data, schedule, sampler, acting.points, model=acting.model)
        asked = reverse_controls.choose_options(asked)
    notes, picture, bar, move = st.container(), st.container(), st.empty(), st.container()
    left, right = st.columns(2, gap="large")
    with notes:
        run = reverse_controls.afford(asked)
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
    left.markdown(reverse_words.about_run(run, made, acting.about))
    st.session_state[_SHOWN] = run
    if run.data.kind == "image":
        left.html(reverse_words.pairs_html(run, made))
    if run.model is None:
        right.markdown(reverse_words.about_ends(run, made))
    else:
        with right:
            tell_learned(run, made)
    links.sync()


def tell_learned(run: RunConfig, made: Shown) -> None:
    """Say where a network's run ends beside that of the exact denoiser from the same noise."""
    exact = replace(run, model=None, arrows="flow")
    exact = replace(exact, samples=affordable(exact))
    words, bar = st.empty(), st.empty()
    there = wait_for(lambda watch: ends(exact, watch), "The exact denoiser, to compare", bar)
    words.markdown(reverse_words.about_learned(run, made.ends, there))


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


@st.fragment
def export() -> None:
    """Offer what is shown as files; apart, so that a new picture need not wait for it."""
    run: RunConfig = st.session_state[_SHOWN]
    title = f"{run.data.title} from noise by {run.sampler.title}"
    export_menu(lambda: shown(run).buffer, title, run)


show(data, acting)
export()

theme.questions(
    [
        (
            "Learned: do runs still end on data points?",
            "reverse",
            {"denoiser": "learned", "spacing": "log_snr"},
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
