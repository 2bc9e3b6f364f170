"""The Reverse page: from noise to data with a sampler and a denoiser, exact or learned."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.scenes.configs import DataConfig
from diffviz.scenes.plays import Play
from diffviz.scenes.point_run import RunConfig, Shown, affordable, ends, shown
from diffviz.ui.choices import controls
from diffviz.ui.screens.reverse import controls as reverse_controls
from diffviz.ui.screens.reverse import words as reverse_words
from diffviz.ui.screens.reverse.controls import Acting
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage.export_menu import export_menu
from diffviz.ui.stage.place import placed

badge = skeleton.begin("reverse")

_SHOWN = "_reverse_shown"  # the run that is on the page now

with controls.bar("reverse_data"):
    data = controls.choose_data(n=500)
    acting = reverse_controls.choose_denoiser(data)
theme.mark(badge, "exact" if acting.model is None else "learned")


@st.fragment
def show(data: DataConfig, acting: Acting) -> None:
    """Draw the other controls and the run; a change of them, or in the player, reruns only this."""
    with controls.bar():
        schedule = controls.choose_schedule(folded=True)
        sampler = controls.choose_sampler(schedule)
        asked = RunConfig(data, schedule, sampler, acting.points, model=acting.model)
        asked = reverse_controls.choose_options(asked)
    notes, picture, bar, move = st.container(), theme.picture(), st.empty(), st.container()
    left, right = st.columns(2, gap="large")
    with notes:
        run = reverse_controls.afford(asked)
        if run.data.kind == "2-D":
            run = replace(run, moved=links.value(reverse_controls.moved_start(run)))
            links.complaints("moved")
    made = wait_for(lambda watch: shown(run, watch), f"{run.sampler.steps:,} steps", bar)
    with picture:
        result = placed(made.buffer, page="reverse", play=Play("reverse", run))
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
    export_menu(lambda: shown(run).buffer, title, Play("reverse", run), ["steps"], run)


show(data, acting)
export()

skeleton.end("reverse")
