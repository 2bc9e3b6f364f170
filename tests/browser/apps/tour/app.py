"""Two pages that share controls and link to each other, for the tests of links."""

from __future__ import annotations

import streamlit as st

from diffviz.ui.shell import links, theme

st.set_page_config(page_title="tour", layout="wide", initial_sidebar_state=220)
theme.brand()
page = st.navigation(
    {
        "Explore": [
            st.Page("pages/one.py", title="One", default=True),
            st.Page("pages/two.py", title="Two", url_path="two"),
        ]
    }
)
page.run()
links.sync()
