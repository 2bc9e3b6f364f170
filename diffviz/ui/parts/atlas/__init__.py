"""The atlas: a map of codes of two numbers, and under the hand the picture that each stands for.

The decoder's pictures of a grid of codes go to the browser once, as one sheet; what lies between
them is mixed there from the nearest four, so that the picture follows the mouse, a finger or the
arrow keys without a message to the server.  Python hears only of a code that is pinned.

Example:
    >>> chart = Chart(codes, labels, names, (-4, 4), pictures, density, levels)
    >>> pin = atlas(payload(chart), key="map", pin=(0.5, -1.0))
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from diffviz.ui.parts import wishes
from diffviz.ui.parts.scripts import joined, styled
from diffviz.ui.shell import theme

HERE = Path(__file__).parent

DIGITS = 2
"""Digits after the point of a pinned code."""

_WORD = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,6})?,-?[0-9]{1,3}(\.[0-9]{1,6})?")
_MOST_SIDE = 100
_FINEST = 65_535

Pin = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Chart:
    """What is on a map.

    Attributes:
        codes: (N, 2) where the encoder puts pictures.
        labels: (N,) their classes, 0 to 9.
        names: of the classes.
        limits: the ends of both axes.
        pictures: (R, R, H, W) in [-1, 1], decoded at ``linspace(*limits, R)`` along both axes; the
            first axis is the second coordinate, from low to high.
        density: (D, D) of the codes at ``linspace(*limits, D)``, rows as in ``pictures``.
        levels: densities of the contours that are drawn.
        shares: what they hold of all codes, and what the circles of the prior hold of it.

    Raises:
        ValueError: when shapes disagree, limits are empty, or a value is no finite number.
    """

    codes: ArrayLike
    labels: ArrayLike
    names: Sequence[str]
    limits: tuple[float, float]
    pictures: ArrayLike
    density: ArrayLike
    levels: Sequence[float]
    shares: Sequence[float] = ()

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        codes, labels = np.asarray(self.codes), np.asarray(self.labels)
        low, high = self.limits
        if codes.ndim != 2 or codes.shape[1] != 2 or labels.shape != codes.shape[:1]:
            raise ValueError(
                f"a map needs codes (N, 2) and a class of each, not {codes.shape} and "
                f"{labels.shape}"
            )
        if not (isfinite(low) and isfinite(high) and low < high):
            raise ValueError(f"limits are {self.limits}; the upper one must exceed the lower one")
        sides = np.shape(self.pictures)
        if len(sides) != 4 or sides[0] != sides[1] or not 2 <= sides[0] <= _MOST_SIDE:
            raise ValueError(f"the pictures of a map are (R, R, H, W), not {sides}")
        cells = np.shape(self.density)
        if len(cells) != 2 or cells[0] != cells[1] or cells[0] < 2:
            raise ValueError(f"the density of a map is (D, D), not {cells}")
        for name in ("codes", "pictures", "density"):
            if not np.isfinite(np.asarray(getattr(self, name), dtype=np.float64)).all():
                raise ValueError(f"{name} holds values that are NaN or infinite")
        if labels.size and not 0 <= labels.min() <= labels.max() < len(self.names):
            raise ValueError(f"a class is not one of the {len(self.names)} that have names")


def payload(chart: Chart) -> dict[str, Any]:
    """What the browser is sent; pure, so that pages can cache it."""
    low, high = chart.limits
    codes = np.asarray(chart.codes, dtype=np.float64)
    place = np.rint((np.clip(codes, low, high) - low) / (high - low) * _FINEST).astype("<u2")
    pictures = np.asarray(chart.pictures, dtype=np.float32)
    side, _, height, width = pictures.shape
    levels = np.rint((np.clip(pictures, -1, 1) + 1) * 127.5).astype(np.uint8)
    sheet = levels.transpose(0, 2, 1, 3).reshape(side * height, side * width)
    density = np.asarray(chart.density, dtype=np.float64)
    floor = float(density.max()) * 1e-12 or 1e-300
    packed = {
        "limits": [float(low), float(high)],
        "count": len(codes),
        "beyond": int(((codes < low) | (codes > high)).any(1).sum()),
        "codes": _text(place),
        "labels": _text(np.asarray(chart.labels).astype(np.uint8)),
        "names": list(chart.names),
        "side": side,
        "size": [height, width],
        "sheet": _png(sheet),
        "cells": len(density),
        "log_density": _text(np.log(np.maximum(density, floor)).astype("<f4")),
        "levels": [float(np.log(max(level, floor))) for level in chart.levels],
        "shares": [float(share) for share in chart.shares],
        "colors": {"light": _colors(theme.LIGHT), "dark": _colors(theme.DARK)},
    }
    words = "".join(packed[name] for name in ("codes", "labels", "sheet", "log_density"))
    return packed | {"key": hashlib.sha1(words.encode(), usedforsecurity=False).hexdigest()}


def atlas(packed: Mapping[str, Any], *, key: str, pin: Pin | None = None) -> Pin | None:
    """Mount the map and return the code that is pinned.

    ``pin`` is a wish: it counts when the map first appears and whenever another code is passed than
    before, so a page may keep the pinned code in its address and pass it on every run.

    Args:
        packed: made by ``payload``.
        key: one name per map on a page.
        pin: the code to pin, within the limits; None for none.

    Returns:
        The pinned code, rounded to ``DIGITS``; None when none is.
    """
    store = f"_{key}_wish"
    asked = pin_word(pin)
    report = _report(st.session_state.get(key), packed["limits"])
    wish = wishes.settle(st.session_state.get(store), asked, report)
    value = _component()(
        key=key,
        data={
            "id": key,
            "chart": dict(packed),
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


def _colors(palette: theme.Palette) -> dict[str, Any]:
    names = ("data", "noise", "path", "text", "muted", "grid", "background")
    return {name: getattr(palette, name) for name in names} | {"classes": list(palette.classes)}


def _png(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


@cache
def _component() -> Callable[..., Mapping[str, Any]]:
    return st.components.v2.component(
        "diffviz_atlas",
        css=styled(HERE / "atlas.css"),
        js=joined(HERE / "atlas.js"),
    )
