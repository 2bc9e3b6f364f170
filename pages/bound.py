"""The page The bound: a diffusion model as a VAE, its bound term by term."""

from __future__ import annotations

import streamlit as st

from diffviz.bill import measured
from diffviz.ui import bound_controls, bound_words, controls, generate_controls, links, theme
from diffviz.ui.bound_figures import growth_chart, terms_chart
from diffviz.ui.bound_run import climb, growth, split
from diffviz.ui.picture_sets import PICTURE_SETS
from diffviz.ui.waiting import wait_for

theme.header(
    "The bound",
    "A diffusion model is a VAE with T fixed encoders: what its T + 2 terms cost adds up to a "
    "bound.",
    "learned",
)
_HEIGHT = 370
st.html(
    "<style>@media (max-width: 1180px) {.st-key-bound_charts [data-testid=stHorizontalBlock],"
    " .st-key-bound_under [data-testid=stHorizontalBlock] {flex-wrap: wrap;}"
    " :is(.st-key-bound_charts, .st-key-bound_under) [data-testid=stColumn]"
    " {flex: 1 1 600px !important;}}</style>"
)


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
    with st.container(key="bound_charts"):
        left, right = st.columns([1.5, 1], gap="medium")
    with left:
        theme.chart(
            terms_chart(found, over, colors),
            key="bound_terms",
            alt=f"The {run.steps + 2:,} terms of the bound, from data to noise, and their sum",
            height=_HEIGHT,
        )
        st.markdown(bound_words.about(run, found))
    with right:
        totals = found.bound.total, found.limit.total
        theme.chart(
            growth_chart(lines, run.steps, *totals, colors),
            key="bound_growth",
            alt="The bound of several schedules against the number of steps",
            height=_HEIGHT,
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


if not generate_controls.missing():
    show()

theme.questions(
    [
        (
            "Steps even in t on EDM's path: why does a thousand of them not suffice?",
            "bound",
            {"schedule": "edm", "spacing": "linspace", "steps": 1000},
        ),
        (
            "Every step the same share of log-SNR: at which noise are the bits paid?",
            "bound",
            {"spacing": "log_snr", "steps": 100, "over": "log_snr"},
        ),
        (
            "Stop the chain earlier, where more noise is left: who pays?",
            "bound",
            {"last": 8, "schedule": "rectified_flow"},
        ),
    ]
)
