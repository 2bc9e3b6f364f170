"""What scenes work out is kept for all sessions, bounded in number and in bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


def shared_by_all(
    function: Callable[..., Any], max_entries: int, max_size: str
) -> Callable[..., Any]:
    """Keep a function's results; everybody gets a copy, so nobody changes what another sees.

    Results of all functions together are bounded too, by ``server.maxCacheDataSize`` in
    ``.streamlit/config.toml``.
    """
    keeper: Callable[[Callable[..., Any]], Callable[..., Any]] = st.cache_data(
        ttl=None, max_entries=max_entries, max_size=max_size, show_spinner=False
    )
    return keeper(function)
