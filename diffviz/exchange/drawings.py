"""A drawing as a short word that fits into a link: base64url of one byte a coordinate.

A coordinate from -1 to 1 becomes a whole number from 0 to 255, so a point is known to 1/255 and 400
points take 1,067 letters. The browser writes and reads the same words (``pad.js``).
"""

from __future__ import annotations

import base64
import re

import numpy as np
from numpy.typing import ArrayLike

MAX_POINTS = 400
"""The most points a drawing keeps."""

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode_points(points: ArrayLike) -> str:
    """Points (K, 2) in [-1, 1] as a word; no points are the empty word.

    Raises:
        ValueError: not pairs, not between -1 and 1, or more than ``MAX_POINTS``.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return ""
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"A drawing is a list of (x, y) pairs, not an array of {array.shape}.")
    if not np.isfinite(array).all() or np.abs(array).max() > 1:
        raise ValueError("The points of a drawing must lie between -1 and 1 on both axes.")
    if len(array) > MAX_POINTS:
        raise ValueError(f"A drawing keeps at most {MAX_POINTS} points, not {len(array)}.")
    levels = np.rint((array + 1) / 2 * 255).astype(np.uint8)
    return base64.urlsafe_b64encode(levels.tobytes()).decode().rstrip("=")


def decode_points(word: str) -> tuple[tuple[float, float], ...]:
    """The points of a word that ``encode_points`` wrote, (x, y) in [-1, 1].

    Raises:
        ValueError: the word is not one of those.
    """
    if not _ALPHABET.fullmatch(word):
        raise ValueError("This is not a drawing: it has signs that no drawing has.")
    if len(word) > (2 * MAX_POINTS * 8 + 5) // 6:
        raise ValueError(f"This is not a drawing: it is longer than {MAX_POINTS} points can be.")
    padded = word + "=" * (-len(word) % 4)
    try:
        data = base64.urlsafe_b64decode(padded)
    except ValueError as error:
        raise ValueError("This is not a drawing: a part of it is missing.") from error
    whole = base64.urlsafe_b64encode(data).decode() == padded
    if len(data) % 2 or not whole:
        raise ValueError("This is not a drawing: a part of it is missing.")
    levels = np.frombuffer(data, dtype=np.uint8).reshape(-1, 2)
    return tuple((float(x), float(y)) for x, y in levels / 255 * 2 - 1)
