"""Small widgets that follow the address: one of a few, one of many, a number among stops.

Each draws a Streamlit widget for a parameter of the address (see ``links.py``) and returns its
value.  What the address asks for and cannot be had is said by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import streamlit as st

from diffviz.ui import links
from diffviz.ui.configs import Text

__all__ = ["menu", "segments", "stops", "titles"]

T = TypeVar("T")
N = TypeVar("N", bound=float)

_MENU_WIDTH, _STOPS_WIDTH = 235, 220


def titles(text: Mapping[str, Text]) -> dict[str, str]:
    """The titles alone, by name."""
    return {name: words.title for name, words in text.items()}


def segments(
    label: str,
    parameter: links.Parameter[T],
    words: Mapping[T, str],
    *,
    quiet: bool = False,
    help: str | None = None,
) -> T:
    """Draw one of a few, side by side.

    Args:
        label: what is chosen.
        parameter: the value in the address.
        words: what is offered, by value; a remembered value that is not among them gives way to
            the default.
        quiet: leave the label to those who cannot see.
        help: what the question mark says.
    """

    def draw(key: str) -> T | None:
        if st.session_state[key] not in words:
            st.session_state[key] = parameter.default
        return st.segmented_control(
            label,
            list(words),
            format_func=words.__getitem__,
            required=True,
            key=key,
            help=help,
            label_visibility="collapsed" if quiet else "visible",
        )

    return links.bound(parameter, draw)


def menu(label: str, parameter: links.Parameter[str], words: Mapping[str, str]) -> str:
    """Draw one of many, folded away.

    Args:
        label: what is chosen.
        parameter: the value in the address.
        words: what is offered, by value.
    """
    return links.bound(
        parameter,
        lambda key: st.selectbox(
            label, list(words), format_func=words.__getitem__, key=key, width=_MENU_WIDTH
        ),
    )


def stops(
    label: str,
    parameter: links.Parameter[N],
    values: Sequence[N],
    *,
    form: str = "{:,}",
    width: int = _STOPS_WIDTH,
) -> N:
    """Draw a slider over chosen values; one from the address that is none of them joins them.

    Args:
        label: what is chosen.
        parameter: the value in the address.
        values: the stops.
        form: how a value is written.
        width: in CSS pixels.
    """
    options: list[N] = sorted({*values, parameter.default, links.peek(parameter)})

    def draw(key: str) -> N | None:
        chosen: N = st.select_slider(label, options, format_func=form.format, key=key, width=width)
        return chosen

    return links.bound(parameter, draw)
