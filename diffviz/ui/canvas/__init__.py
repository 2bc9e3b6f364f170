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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from diffviz.ui.canvas.codec import MAX_POINTS, decode_points, encode_points

__all__ = ["MAX_POINTS", "decode_points", "draw_points", "encode_points"]

HERE = Path(__file__).parent
_LATE = 5.0  # seconds within which a page may hand back what it was told before


@dataclass(frozen=True)
class Wish:
    """What the page last asked the sheet to show.

    Attributes:
        asked: what the page passed in its last run, a drawing's word or None.
        word: the drawing it really wished for: what was asked, unless the page only handed back
            what the reader had drawn.
        revision: goes up with each wish; the browser names it in its reports.
        reported: whether there was a report of the reader's at the last run.
        returned: what the page was told in its latest runs, each with the time: a page that keeps
            the drawing in its address may hand it back late, when strokes follow quickly.
    """

    asked: str | None
    word: str | None
    revision: int = 0
    reported: bool = False
    returned: tuple[tuple[str, float], ...] = ()


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
    wish = _wish(st.session_state.get(store), asked, report)
    value = _component()(
        key=key,
        data={"id": key, "word": wish.word, "revision": wish.revision, "height": height},
        on_drawing_change=_ignore,
    )
    word = _current(wish, _report(value))
    st.session_state[store] = _told(wish, word, time.monotonic())
    if word is None:
        return None
    if points is not None and word == asked:  # exactly what was passed, not its rounding
        return tuple((float(x), float(y)) for x, y in np.asarray(points).reshape(-1, 2))
    return decode_points(word)


@dataclass(frozen=True)
class Report:
    """A drawing the reader made: its word, and the revision of the wish it came after."""

    word: str
    after: int


def _report(state: object) -> Report | None:
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
    return Report(word, int(after))


def _current(wish: Wish, report: Report | None) -> str | None:
    """What is on the sheet: the report if it came after the last wish, else the wish."""
    return wish.word if report is None or report.after < wish.revision else report.word


def _wish(before: Wish | None, asked: str | None, report: Report | None) -> Wish:
    """Tell a page's new wish from its handing back what the reader drew."""
    reported = report is not None
    if before is None:
        return Wish(asked, asked, reported=reported)
    forgotten = before.reported and not reported  # the reader was on another page meanwhile
    late = [word for word, _ in before.returned]
    if forgotten or asked not in (None, before.asked, _current(before, report), *late):
        return Wish(asked, asked, before.revision + 1, reported)
    return Wish(asked, before.word, before.revision, reported, before.returned)


def _told(wish: Wish, word: str | None, now: float) -> Wish:
    """Note what the page is told, and forget what it can no longer hand back by lateness alone.

    What it was told last is kept however long ago that was: nothing newer can have replaced it.
    """
    latest = () if word is None else ((word, now),)
    earlier = tuple(each for each in wish.returned if now - each[1] < _LATE and each[0] != word)
    return replace(wish, returned=(*earlier, *latest))


def _ignore() -> None:
    """Stand in for a callback: a state is reported only when it has one."""


@cache
def _component() -> Callable[..., Mapping[str, Any]]:
    return st.components.v2.component(
        "diffviz_canvas",
        css=(HERE / "canvas.css").read_text(encoding="utf-8"),
        js=(HERE / "canvas.js").read_text(encoding="utf-8"),
    )
