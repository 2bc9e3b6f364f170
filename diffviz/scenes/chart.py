"""A map of codes of two numbers, and the picture that each stands for, as a browser is sent it.

The decoder's pictures of a grid of codes go as one sheet; what lies between them is mixed where
they are looked at, from the nearest four.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

_MOST_SIDE = 100
_FINEST = 65_535


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

    def pack(self) -> dict[str, Any]:
        """Return what the browser is sent."""
        low, high = self.limits
        codes = np.asarray(self.codes, dtype=np.float64)
        place = np.rint((np.clip(codes, low, high) - low) / (high - low) * _FINEST).astype("<u2")
        pictures = np.asarray(self.pictures, dtype=np.float32)
        side, _, height, width = pictures.shape
        levels = np.rint((np.clip(pictures, -1, 1) + 1) * 127.5).astype(np.uint8)
        sheet = levels.transpose(0, 2, 1, 3).reshape(side * height, side * width)
        density = np.asarray(self.density, dtype=np.float64)
        floor = float(density.max()) * 1e-12 or 1e-300
        packed = {
            "limits": [float(low), float(high)],
            "count": len(codes),
            "beyond": int(((codes < low) | (codes > high)).any(1).sum()),
            "codes": _text(place),
            "labels": _text(np.asarray(self.labels).astype(np.uint8)),
            "names": list(self.names),
            "side": side,
            "size": [height, width],
            "sheet": _png(sheet),
            "cells": len(density),
            "log_density": _text(np.log(np.maximum(density, floor)).astype("<f4")),
            "levels": [float(np.log(max(level, floor))) for level in self.levels],
            "shares": [float(share) for share in self.shares],
        }
        words = "".join(packed[name] for name in ("codes", "labels", "sheet", "log_density"))
        return packed | {"key": hashlib.sha1(words.encode(), usedforsecurity=False).hexdigest()}


def _png(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
