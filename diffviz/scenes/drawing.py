"""What is on the sheet before anybody draws, and what a drawing is to a run."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from diffviz.scenes.configs import Picture

SIDE = 28
"""Of the sheet, in pixels."""


def drawing(levels: NDArray[np.uint8]) -> Picture:
    """(28, 28) levels from 0 to 255 as a picture that a run may start from."""
    return Picture((SIDE, SIDE, 1), np.ascontiguousarray(levels, dtype=np.uint8).tobytes())


def seven() -> Picture:
    """A 7 in two straight strokes: what is on the sheet before anybody draws."""
    return drawing(seven_levels())


@lru_cache(maxsize=1)
def seven_levels() -> NDArray[np.uint8]:
    """The same as (28, 28) levels from 0 to 255, in steps of 17."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    bar = _stroke(rows, columns, (7, 8), (7, 19))
    leg = _stroke(rows, columns, (7, 19), (21, 11))
    levels = np.clip(1.9 - np.minimum(bar, leg), 0, 1) * 255
    return (np.rint(levels / 17) * 17).astype(np.uint8)


def _stroke(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    start: tuple[float, float],
    end: tuple[float, float],
) -> NDArray[np.float64]:
    """How far each pixel is from a straight stroke."""
    across = np.array(end) - np.array(start)
    away = np.stack([rows - start[0], columns - start[1]], -1)
    share = np.clip(away @ across / (across @ across), 0, 1)
    distance: NDArray[np.float64] = np.linalg.norm(away - share[..., None] * across, axis=-1)
    return distance
