"""A sheet of pixels: draw a small picture on it, or paint a region of a given picture.

Ink is laid in the browser, with a mouse, a pen, a finger or the keyboard; Python hears of it when
the hand lets go. What counts, the page's wish or the reader's report, is settled as on the sheet of
points (``diffviz.ui.parts.wishes``). Between the browser and Python a sheet is base64 of one byte a
pixel; the words in ``codec`` are shorter and meant for links.

Example:
    >>> mask = paint_mask(key="region", picture=picture)
    >>> if mask is not None and mask.any():
    ...     st.query_params["region"] = encode_mask(mask)
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Literal

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike, NDArray

from diffviz.ui.parts import wishes
from diffviz.ui.parts.sheet.codec import (
    LEVELS,
    MAX_SIDE,
    MIN_SIDE,
    decode_mask,
    decode_picture,
    encode_mask,
    encode_picture,
    to_levels,
    to_mask,
)
from diffviz.ui.shell.scripts import component

__all__ = [
    "LEVELS",
    "MAX_SIDE",
    "MIN_SIDE",
    "decode_mask",
    "decode_picture",
    "draw_picture",
    "encode_mask",
    "encode_picture",
    "paint_mask",
]

HERE = Path(__file__).parent

Kind = Literal["picture", "mask"]
Shape = tuple[int, int]


def draw_picture(
    *, key: str, picture: ArrayLike | None = None, size: int = 28, height: int = 300
) -> NDArray[np.uint8] | None:
    """Draw a black sheet for white ink and return the picture on it.

    ``picture`` is a wish: it counts when the sheet first appears and whenever another picture is
    passed than before. Handing back what this returned changes nothing, so a page may keep the
    picture in its address and pass it on every run. To empty the sheet, pass zeros.

    Args:
        key: one name per sheet on a page.
        picture: what to start from, (size, size) grey levels 0 (black) to 255 (white); None for an
            empty sheet.
        size: pixels a side, 4 to 64.
        height: the side of the sheet on the screen in pixels, moved so that each pixel of the sheet
            takes a whole number of the screen's; narrower where there is less room.

    Returns:
        (size, size) grey levels 0, 17, ..., 255, or exactly what was passed while that is on the
        sheet; all zeros when the reader has cleared it; None when nothing has been drawn or passed.

    Raises:
        ValueError: ``picture`` is not such a picture, or ``size`` is out of range.
    """
    if not MIN_SIDE <= size <= MAX_SIDE:
        raise ValueError(f"A sheet has {MIN_SIDE} to {MAX_SIDE} pixels a side, not {size}.")
    shape = (size, size)
    asked = None if picture is None else _word(_fitting(to_levels(picture), shape))
    word = _show(key, "picture", shape, asked, height)
    if word is None:
        return None
    if picture is not None and word == asked:  # exactly what was passed, not its rounding
        return np.rint(np.asarray(picture, dtype=np.float64)).astype(np.uint8)
    return _pixels(word, shape)


def paint_mask(
    *, key: str, picture: ArrayLike, mask: ArrayLike | None = None, height: int = 300
) -> NDArray[np.bool_] | None:
    """Show a picture whose pixels can be painted over, and return the region that is painted.

    ``mask`` is a wish as in ``draw_picture``. A region stays when another picture of the same shape
    is passed; a picture of another shape has its own region.

    Args:
        key: one name per sheet on a page.
        picture: the background, grey (H, W) or red, green and blue (H, W, 3), levels 0 to 255,
            sides 4 to 64.
        mask: the region to start from, (H, W), true where painted; None for no region.
        height: the longer side of the sheet on the screen in pixels, as in ``draw_picture``.

    Returns:
        (H, W), true where painted; all false when the reader has cleared it; None when nothing has
        been painted or passed.

    Raises:
        ValueError: ``picture`` is not such a picture, or ``mask`` does not fit it.
    """
    backdrop = _backdrop(picture)
    shape = backdrop.shape[0], backdrop.shape[1]
    asked = None if mask is None else _word(_fitting(to_mask(mask).astype(np.uint8), shape))
    word = _show(key, "mask", shape, asked, height, _word(backdrop))
    return None if word is None else _pixels(word, shape).astype(np.bool_)


def _backdrop(picture: ArrayLike) -> NDArray[np.uint8]:
    """The picture behind a region as (H, W, 3)."""
    array = np.asarray(picture)
    colored = array.ndim == 3 and array.shape[2] == 3
    sides = array.shape[:2]
    if not (array.ndim == 2 or colored) or not all(MIN_SIDE <= n <= MAX_SIDE for n in sides):
        raise ValueError(
            "The picture to paint on is (H, W) or (H, W, 3) with sides of "
            f"{MIN_SIDE} to {MAX_SIDE} pixels, not an array of {array.shape}."
        )
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 255:
        raise ValueError("The levels of the picture to paint on must lie between 0 and 255.")
    rounded = np.rint(array).astype(np.uint8)
    return rounded if colored else np.repeat(rounded[:, :, None], 3, axis=2)


def _fitting(pixels: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    if pixels.shape != shape:
        raise ValueError(f"A sheet of {shape} pixels cannot show an array of {pixels.shape}.")
    return pixels


def _show(
    key: str, kind: Kind, shape: Shape, asked: str | None, height: int, backdrop: str | None = None
) -> str | None:
    """Mount the component and return the word of what is on the sheet, None for nothing yet."""
    rows, columns = shape
    store = f"_{key}_wish_{kind}_{rows}x{columns}"  # a sheet of another shape has its own wishes
    wish = wishes.settle(
        st.session_state.get(store), asked, _report(st.session_state.get(key), kind, shape)
    )
    value = component("sheet")(
        key=key,
        data={
            "id": key,
            "kind": kind,
            "rows": rows,
            "columns": columns,
            "ink": wish.word,
            "revision": wish.revision,
            "backdrop": backdrop,
            "height": height,
        },
        on_ink_change=wishes.ignore,
    )
    word = wishes.current(wish, _report(value, kind, shape))
    st.session_state[store] = wishes.told(wish, word, time.monotonic())
    return word


def _report(state: object, kind: Kind, shape: Shape) -> wishes.Report | None:
    """The report in the component's state; None where there is none that fits this sheet."""
    entry = state.get("ink") if isinstance(state, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    if (entry.get("kind"), entry.get("rows"), entry.get("columns")) != (kind, *shape):
        return None
    word, after = entry.get("word"), entry.get("after")
    if not isinstance(word, str) or not isinstance(after, int | float) or not isfinite(after):
        return None
    if len(word) != 4 * ((shape[0] * shape[1] + 2) // 3):
        return None
    try:
        pixels = _pixels(word, shape)
    except ValueError:
        return None
    kept = to_levels(pixels) if kind == "picture" else (pixels > 0).astype(np.uint8)
    return wishes.Report(_word(kept), int(after))


def _word(pixels: NDArray[np.uint8]) -> str:
    return base64.b64encode(pixels.tobytes()).decode()


def _pixels(word: str, shape: Shape) -> NDArray[np.uint8]:
    data = base64.b64decode(word, validate=True)
    return np.frombuffer(data, dtype=np.uint8).reshape(shape).copy()
