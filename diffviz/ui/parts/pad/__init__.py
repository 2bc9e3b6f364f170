"""A sheet to draw points on, with a mouse, a pen, a finger or the keyboard.

Ink is drawn in the browser; Python hears of a drawing when the hand lets go. Strokes are resampled
evenly along their length, so a slow hand leaves no more points than a quick one.

Example:
    >>> points = draw_points(key="drawing")
    >>> if points:
    ...     cloud = from_drawing(points, n=2000, seed=0)
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from diffviz.exchange.drawings import MAX_POINTS, decode_points, encode_points
from diffviz.ui.parts import wishes
from diffviz.ui.shell.scripts import component

__all__ = ["MAX_POINTS", "decode_points", "draw_points", "encode_points"]

HERE = Path(__file__).parent


def draw_points(
    *, key: str, points: ArrayLike | None = None, height: int = 320
) -> tuple[tuple[float, float], ...] | None:
    """Draw the sheet and return the points on it.

    ``points`` is a wish: it counts when the sheet first appears and whenever another drawing is
    passed than before. Handing back what this returned changes nothing, so a page may keep the
    drawing in its address and pass it on every run. To empty the sheet, pass ``[]``.

    Args:
        key: one name per sheet on a page.
        points: a drawing to start from, (K, 2) in [-1, 1], y pointing up; None for an empty sheet.
        height: the side of the square sheet in pixels; narrower where there is less room.

    Returns:
        At most ``MAX_POINTS`` pairs (x, y) in [-1, 1]; () when the reader has cleared the sheet;
        None when nothing has been drawn or passed.

    Raises:
        ValueError: ``points`` is not a drawing.
    """
    asked = None if points is None else encode_points(points)
    report = _report(st.session_state.get(key))
    store = f"_{key}_wish"
    wish = wishes.settle(st.session_state.get(store), asked, report)
    value = component("pad")(
        key=key,
        data={"id": key, "word": wish.word, "revision": wish.revision, "height": height},
        on_drawing_change=wishes.ignore,
    )
    word = wishes.current(wish, _report(value))
    st.session_state[store] = wishes.told(wish, word, time.monotonic())
    if word is None:
        return None
    if points is not None and word == asked:  # exactly what was passed, not its rounding
        return tuple((float(x), float(y)) for x, y in np.asarray(points).reshape(-1, 2))
    return decode_points(word)


def _report(state: object) -> wishes.Report | None:
    """The report in the component's state; None where there is none that makes sense."""
    entry = state.get("drawing") if isinstance(state, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    word, after = entry.get("word"), entry.get("after")
    if not isinstance(word, str) or not isinstance(after, int | float):
        return None
    try:
        decode_points(word)
    except ValueError:
        return None
    return wishes.Report(word, int(after))
