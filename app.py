"""The app: page settings and navigation; everything else is in ``pages/`` and ``diffviz/``."""

from __future__ import annotations

import streamlit as st

from diffviz.ui import links, theme

st.set_page_config(
    page_title="diffviz", page_icon=theme.icon(), layout="wide", initial_sidebar_state=220
)
theme.brand()

page = st.navigation(
    {
        "Explore": [
            st.Page("pages/home.py", title="Home", icon=":material/home:", default=True),
            st.Page(
                "pages/forward.py", title="Forward", icon=":material/grain:", url_path="forward"
            ),
            st.Page(
                "pages/schedules.py",
                title="Schedules",
                icon=":material/show_chart:",
                url_path="schedules",
            ),
            st.Page(
                "pages/reverse.py", title="Reverse", icon=":material/blur_off:", url_path="reverse"
            ),
        ],
        "Learn": [
            st.Page(
                "pages/training.py",
                title="Training",
                icon=":material/model_training:",
                url_path="training",
            ),
            st.Page(
                "pages/guidance.py",
                title="Guidance",
                icon=":material/explore:",
                url_path="guidance",
            ),
            st.Page(
                "pages/arena.py", title="Arena", icon=":material/sports_score:", url_path="arena"
            ),
        ],
        "Images": [
            st.Page(
                "pages/images.py", title="Generate", icon=":material/image:", url_path="images"
            ),
            st.Page("pages/edit.py", title="Edit", icon=":material/brush:", url_path="edit"),
            st.Page("pages/why.py", title="Why it works", icon=":material/help:", url_path="why"),
        ],
        "Compare": [
            st.Page(
                "pages/generators.py",
                title="Three generators",
                icon=":material/compare:",
                url_path="generators",
            ),
            st.Page(
                "pages/latent.py", title="Latent space", icon=":material/map:", url_path="latent"
            ),
            st.Page(
                "pages/refine.py",
                title="Refine",
                icon=":material/auto_fix_high:",
                url_path="refine",
            ),
            st.Page(
                "pages/bound.py",
                title="The bound",
                icon=":material/stacked_bar_chart:",
                url_path="bound",
            ),
            st.Page(
                "pages/collar.py",
                title="A dog with a collar",
                icon=":material/pets:",
                url_path="collar",
            ),
            st.Page(
                "pages/bill.py", title="The bill", icon=":material/receipt_long:", url_path="bill"
            ),
        ],
    },
    expanded=True,
)
page.run()
links.sync()
