"""The app: page settings and navigation; everything else is in ``pages/`` and ``diffviz/``."""

from __future__ import annotations

import streamlit as st

from diffviz.ui.shell import links, theme
from diffviz.ui.shell.skeleton import PAGES

st.set_page_config(
    page_title="diffviz", page_icon=theme.icon(), layout="wide", initial_sidebar_state=220
)
theme.brand()

groups: dict[str, list[st.Page]] = {}
for key, said in PAGES.items():
    first = not groups
    groups.setdefault(said.group, []).append(
        st.Page(
            f"pages/{key}.py",
            title=said.name,
            icon=said.icon,
            url_path=None if first else key,
            default=first,
        )
    )
page = st.navigation(groups, expanded=True)
page.run()
links.sync()
