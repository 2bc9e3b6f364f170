"""The app: its pages and its data route; everything else is in ``pages/`` and ``diffviz/``."""

from __future__ import annotations

import streamlit as st

from diffviz.ui.shell import links, route, serve, theme
from diffviz.ui.shell.skeleton import PAGES


def draw() -> None:
    """Draw a reader's page: its settings, the navigation and itself."""
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
    st.navigation(groups, expanded=True).run()
    links.sync()


if __name__ == "__main__":  # Streamlit runs this file for every reader
    draw()
else:  # and imports it once, to serve it
    serve.check()
    app = st.App(__file__, routes=route.ROUTES)
