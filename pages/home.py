"""The Home page: what this is, moving, and where to go from here."""

from __future__ import annotations

import streamlit as st

from diffviz.ui import home_run, theme
from diffviz.ui.player import player
from diffviz.ui.waiting import wait_for

_CSS = """
<style>
.st-key-home_cards img {
  display: block; width: 100%; max-height: 5.6rem; object-fit: contain; object-position: left;}
.st-key-home_cards p {font-size: 0.98rem; line-height: 1.4;}
.st-key-home_cards [data-testid="stPageLink"] p {font-size: 1.1rem; font-weight: 600;}
</style>
"""
CARDS = (
    (
        "Forward: take data apart",
        "forward",
        "One noising at a time or in a single jump. Is what is left really Gaussian?",
        home_run.forward_picture,
    ),
    (
        "Schedules: how fast",
        "schedules",
        "Ten noise schedules side by side, and one that you bend with your own hand.",
        home_run.schedules_picture,
    ),
    (
        "Reverse: the way back",
        "reverse",
        "Eleven samplers lead noise back to data, with a denoiser that makes no error.",
        home_run.reverse_picture,
    ),
)

theme.header(
    "See diffusion happen",
    "Data fall apart into noise, and come back.",
    "exact",
)
st.html(_CSS)
left, right = st.columns([0.62, 0.38], gap="medium")
with left:
    place, bar = st.container(), st.empty()
    buffer = wait_for(lambda _: home_run.there_and_back(), "Noising a word", bar)
    with place:
        player(buffer, key="home", loop=True, link=None)
    st.markdown(
        r"Nothing here is faked: 2,000 points go into noise by "
        r"$x_t = \alpha_t x_0 + \sigma_t \varepsilon$, and an exact denoiser brings them back."
    )
with right, st.container(key="home_cards"):
    for title, page, sentence, picture in CARDS:
        with st.container(border=True, gap="xsmall"):
            st.html(picture(theme.palette()))
            st.page_link(f"pages/{page}.py", label=title, icon=":material/arrow_forward:")
            st.markdown(sentence)

theme.questions(
    [
        ("Is pure noise ever reached? Watch 1,000 noisings of two moons", "forward", {}),
        ("Which schedule keeps a picture recognisable the longest?", "schedules", {}),
        ("What does an exact denoiser make of handwritten digits?", "reverse", {"data": "digits"}),
    ]
)
