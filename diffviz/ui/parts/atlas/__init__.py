"""The atlas: a map of codes of two numbers, and under the hand the picture that each stands for.

The decoder's pictures of a grid of codes go to the browser once, as one sheet; what lies between
them is mixed there from the nearest four, so that the picture follows the mouse, a finger or the
arrow keys without a message to the server.  Python hears only of a code that is pinned.

Example:
    >>> packed = Chart(codes, labels, names, (-4, 4), pictures, density, levels).pack()
    >>> pin = atlas(packed, key="map", pin=(0.5, -1.0))
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import streamlit as st

from diffviz.ui.parts import wishes
from diffviz.ui.shell import theme
from diffviz.ui.shell.scripts import component

HERE = Path(__file__).parent

DIGITS = 2
"""Digits after the point of a pinned code."""

_WORD = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,6})?,-?[0-9]{1,3}(\.[0-9]{1,6})?")

Pin = tuple[float, float]


def _colors(palette: theme.Palette) -> dict[str, Any]:
    names = ("data", "noise", "path", "text", "muted", "grid", "background")
    return {name: getattr(palette, name) for name in names} | {"classes": list(palette.classes)}


_COLORS = {"light": _colors(theme.LIGHT), "dark": _colors(theme.DARK)}


def atlas(packed: Mapping[str, Any], *, key: str, pin: Pin | None = None) -> Pin | None:
    """Mount the map and return the code that is pinned.

    ``pin`` is a wish: it counts when the map first appears and whenever another code is passed than
    before, so a page may keep the pinned code in its address and pass it on every run.

    Args:
        packed: made by ``scenes.chart.Chart.pack``.
        key: one name per map on a page.
        pin: the code to pin, within the limits; None for none.

    Returns:
        The pinned code, rounded to ``DIGITS``; None when none is.
    """
    store = f"_{key}_wish"
    asked = pin_word(pin)
    report = _report(st.session_state.get(key), packed["limits"])
    wish = wishes.settle(st.session_state.get(store), asked, report)
    value = component("atlas")(
        key=key,
        data={
            "id": key,
            "chart": {**packed, "colors": _COLORS},
            "pin": wish.word or "",
            "revision": wish.revision,
        },
        on_pin_change=wishes.ignore,
    )
    word = wishes.current(wish, _report(value, packed["limits"]))
    st.session_state[store] = wishes.told(wish, word, time.monotonic())
    return pin_of(word or "")


def pin_word(pin: Pin | None) -> str:
    """A pinned code as a short word for the address, "" for none."""
    return "" if pin is None else ",".join(f"{v + 0.0:.{DIGITS}f}" for v in pin)


def pin_of(word: str) -> Pin | None:
    """The code of a word that ``pin_word`` or the browser wrote, None for "".

    Raises:
        ValueError: the word is not one of those.
    """
    if not word:
        return None
    if not _WORD.fullmatch(word):
        raise ValueError("is not two numbers with a comma between them")
    first, second = map(float, word.split(","))
    return first, second


def _report(state: object, limits: Sequence[float]) -> wishes.Report | None:
    """The report in the component's state; None where there is none that makes sense."""
    entry = state.get("pin") if isinstance(state, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    word, after = entry.get("word"), entry.get("after")
    if not isinstance(word, str) or not isinstance(after, int | float) or not isfinite(after):
        return None
    try:
        pin = pin_of(word)
    except ValueError:
        return None
    if pin is not None and not all(limits[0] <= v <= limits[1] for v in pin):
        return None
    return wishes.Report(word, int(after))
