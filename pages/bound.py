"""The page The bound: a diffusion model as a VAE, its bound term by term."""

from __future__ import annotations

import streamlit as st

from diffviz.scenes.bound import climb, growth, split
from diffviz.scenes.picture_sets import PICTURE_SETS
from diffviz.studies.bill import measured
from diffviz.ui.choices import controls
from diffviz.ui.screens.bound import controls as bound_controls
from diffviz.ui.screens.bound import words as bound_words
from diffviz.ui.screens.bound.figures import growth_chart, terms_chart
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls

skeleton.begin("bound")


@st.fragment
def show() -> None:
    """Draw the controls, the terms and the ladder; a change of them reruns only this."""
    with controls.bar():
        run, over = bound_controls.choose_run()
    try:
        found, lines = split(run), growth(run)
    except ValueError as error:
        st.warning(links.plain(str(error)), icon=":material/warning:")
        links.sync()
        return
    colors = theme.palette()
    st.html(bound_words.sum_html(run, found, colors))
    with theme.picture(), st.container(key="bound_charts"):
        left, right = st.columns([1.5, 1], gap="medium")
    with left:
        theme.chart(
            terms_chart(found, over, colors),
            key="bound_terms",
            alt=f"The {run.steps + 2:,} terms of the bound, from data to noise, and their sum",
            height=None,
        )
        st.markdown(bound_words.about(run, found))
    with right:
        totals = found.bound.total, found.limit.total
        theme.chart(
            growth_chart(lines, run.steps, *totals, colors),
            key="bound_growth",
            alt="The bound of several schedules against the number of steps",
            height=None,
        )
        st.markdown(bound_words.about_lines(run, found))
    with st.container(key="bound_under"):
        ladder, beside = st.columns([1.5, 1], gap="medium")
    bar = ladder.empty()
    climbed = wait_for(lambda watch: climb(run, watch), "The ladder", bar)
    ladder.html(bound_words.ladder_html(climbed, PICTURE_SETS[run.pictures].one, colors))
    beside.html(bound_words.compared_html(run, found))
    beside.markdown(bound_words.vae_sentence(run, measured(run.pictures), found.bound.total))
    links.sync()


if not picture_controls.missing():
    show()

skeleton.end("bound")
