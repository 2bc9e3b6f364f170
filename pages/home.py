"""The Home page: what this is, moving, and where to go from here."""

from __future__ import annotations

import streamlit as st

from diffviz.ui.parts.player import player
from diffviz.ui.screens.home import run as home_run
from diffviz.ui.shell import skeleton, theme
from diffviz.ui.shell.skeleton import PAGES
from diffviz.ui.shell.waiting import wait_for

skeleton.begin("home")
left, right = st.columns([0.58, 0.42], gap="medium")
with left:
    place, bar = theme.picture(), st.empty()
    buffer = wait_for(lambda _: home_run.there_and_back(), "Noising a word", bar)
    with place:
        player(buffer, key="home", loop=True, link=None)
    st.markdown(
        r"Nothing here is faked: 2,000 points go into noise by "
        r"$x_t = \alpha_t x_0 + \sigma_t \varepsilon$, and an exact denoiser brings them back."
    )
    with st.container(key="home_compare", border=True, gap="xsmall"):
        st.markdown("Beside VAEs and GANs: what holds of what is said about diffusion models?")
        with st.container(horizontal=True, gap="medium", key="home_compared"):
            for key in (key for key, page in PAGES.items() if page.group == "Compare"):
                st.page_link(
                    f"pages/{key}.py",
                    label=PAGES[key].name,
                    icon=":material/arrow_forward:",
                    width="content",
                )
with right, st.container(key="home_cards"):
    for key, picture in home_run.PICTURES.items():
        with st.container(border=True, gap="xsmall"):
            st.html(picture(theme.palette()))
            label = PAGES[key].name
            st.page_link(f"pages/{key}.py", label=label, icon=":material/arrow_forward:")
            st.markdown(PAGES[key].card)

skeleton.end("home")
