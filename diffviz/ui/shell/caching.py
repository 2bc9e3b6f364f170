"""One way to cache what pages compute: shared by all sessions, bounded in number and in bytes.

The key of a cached call is its arguments, so functions take small frozen config values (see
``controls.py``) rather than tensors; the body builds what it needs from them. Many readers who ask
for the same defaults then compute them once. What is returned is a copy, so nobody changes what
another reader sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import streamlit as st

P = ParamSpec("P")
R = TypeVar("R")


def cached(
    *, max_entries: int = 32, max_size: str = "64MB"
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Cache a function's results, the least recently used leaving first.

    Results of all functions together are bounded too, by ``server.maxCacheDataSize`` in
    ``.streamlit/config.toml``.

    Args:
        max_entries: how many results are kept.
        max_size: how many bytes they may take together, as a number with a unit.

    Returns:
        A decorator. Arguments whose names start with an underscore do not count for the key.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        keeper: Callable[[Callable[P, R]], Callable[P, R]] = st.cache_data(
            ttl=None, max_entries=max_entries, max_size=max_size, show_spinner=False
        )
        return keeper(function)

    return decorate
