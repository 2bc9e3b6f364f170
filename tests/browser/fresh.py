"""Starts Streamlit as ``streamlit`` does, with one more page: there, a session forgets all.

Every script has the data route, from which players fetch their runs, be it an ``st.App`` or not.

    python tests/browser/fresh.py run app.py --server.port 8501

A tab that comes from ``/fresh?fresh=1`` knows as little as a new one, and is spared what every new
document costs: Streamlit's own scripts.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state import get_session_state
from streamlit.web import cli
from streamlit.web.server.starlette import starlette_app

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from diffviz.ui.shell import route
from diffviz.ui.shell.jobs import Job

_routes: Callable[..., list[Any]] = starlette_app.create_streamlit_routes
_navigation: Callable[..., Any] = st.navigation
_set_page_config: Callable[..., None] = st.set_page_config


def forget() -> None:
    """Let go of all that the session knows, its jobs too, and show nothing else."""
    for value in st.session_state.values():
        if isinstance(value, Job):
            value.stop()
    st.session_state.clear()
    # What a control said last may still be on its way: it is no longer asked for.
    get_session_state()._state._new_widget_state.widget_metadata.clear()
    with st.container(key="fresh"):
        st.text("fresh")
    st.stop()


def navigation(pages: Sequence[Any] | Mapping[str, Sequence[Any]], **options: Any) -> Any:
    """As Streamlit's, with a page at ``/fresh`` that nothing leads to."""
    page = st.Page(forget, title="Fresh", url_path="fresh", visibility="hidden")
    if not isinstance(pages, Mapping):
        return _navigation([*pages, page], **options)
    first = next(iter(pages))
    return _navigation({**pages, first: [*pages[first], page]}, **options)


def set_page_config(**options: Any) -> None:
    """As Streamlit's; in an app without pages, nothing comes after it where the address asks so."""
    _set_page_config(**options)
    context = get_script_run_ctx()
    assert context is not None
    paged = "st.navigation(" in Path(context.main_script_path).read_text("utf-8")
    if "fresh" in st.query_params and not paged:
        forget()


starlette_app.create_streamlit_routes = lambda runtime: [*route.ROUTES, *_routes(runtime)]
st.navigation = navigation
st.set_page_config = set_page_config

if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)  # a journey that fails asks what every thread is at
    cli.main(prog_name="streamlit")
