"""A panel of two vector fields over each other, a learned one and the exact one, and their gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffviz.scenes.buffer.format import Buffer
from diffviz.scenes.buffer.points import FIELD_QUANTILE

BLANK = 255  # the level of a cell in which there is nothing to compare


@dataclass(frozen=True, eq=False)
class Fields:
    """Exact and learned arrows on one grid, over a heat map of the error between them.

    Arrows stand at ``linspace(lo, hi, G)`` along both axes of ``limits``, errors in the R x R cells
    that fill ``limits``; the first index runs along the second coordinate (row 0 at the bottom).
    Both fields are drawn in units of the exact one's 90th percentile of lengths in each frame,
    longer arrows cut to that.

    Attributes:
        title: the panel's name.
        exact: (F, G, G, 2), or (1, G, G, 2) where it is the same in all frames.
        learned: (F, G, G, 2).
        error: (F, R, R), at least 0; NaN where there is nothing to compare, which is left blank.
        peak: the error at the far end of the colours, the same in all frames.
        limits: ``(lo, hi)`` of both axes.
        error_label: what the heat map is.
        field_label: what the arrows are, such as "score".
        note: a sentence below the panel.
        x_label: name of the first axis.
        y_label: name of the second axis.

    Raises:
        ValueError: when frame counts or shapes disagree, or limits or peak are empty.
    """

    title: str
    exact: ArrayLike
    learned: ArrayLike
    error: ArrayLike
    peak: float = 1.0
    limits: tuple[float, float] = (-3.0, 3.0)
    error_label: str = "Error"
    field_label: str = "score"
    note: str | None = None
    x_label: str = "x₁"
    y_label: str = "x₂"

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        shape = np.shape(self.learned)
        if len(shape) != 4 or shape[3] != 2 or 0 in shape or min(shape[1:3]) < 2:
            raise ValueError(f"learned has shape {shape}; a field needs (frames, rows, columns, 2)")
        if np.shape(self.exact) not in {shape, (1, *shape[1:])}:
            raise ValueError(f"exact has shape {np.shape(self.exact)} but learned has {shape}")
        error = np.shape(self.error)
        if len(error) != 3 or error[0] != shape[0] or 0 in error:
            raise ValueError(f"error has shape {error}; it needs ({shape[0]}, rows, columns)")
        lo, hi = self.limits
        if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
            raise ValueError(f"limits are {self.limits}; the upper one must exceed the lower one")
        if not (np.isfinite(self.peak) and self.peak > 0):
            raise ValueError(f"the peak of the error must be above 0, not {self.peak}")

    @property
    def frames(self) -> int:
        """The number of frames F."""
        return int(np.shape(self.learned)[0])

    def pack(self, buffer: Buffer, prefix: str) -> dict[str, Any]:
        """Add the panel's arrays to a buffer and return its header entry."""
        exact = np.asarray(self.exact, dtype=np.float64)
        length = np.linalg.norm(exact, axis=-1).reshape(len(exact), -1)
        unit = np.quantile(length, FIELD_QUANTILE, axis=1)
        unit = np.where(unit > 0, unit, 1.0)[:, None, None, None]
        error = np.asarray(self.error, dtype=np.float64)
        level = np.clip(error / self.peak, 0, 1) * (BLANK - 1)
        return {
            "kind": "fields",
            "title": self.title,
            "badges": ["exact", "learned"],
            "limits": [[float(end)] * 2 for end in self.limits],
            "peak": float(self.peak),
            "error_label": self.error_label,
            "field_label": self.field_label,
            "note": self.note,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "arrays": {
                "exact": buffer.add(f"{prefix}.exact", _cut(exact / unit), "u16", -1.0, 1.0),
                "learned": buffer.add(
                    f"{prefix}.learned",
                    _cut(np.asarray(self.learned, dtype=np.float64) / unit),
                    "u16",
                    -1.0,
                    1.0,
                ),
                "error": buffer.add(
                    f"{prefix}.error", np.where(np.isnan(error), BLANK, level), "u8", 0.0, BLANK
                ),
            },
        }


def _cut(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """The field with arrows longer than 1 cut to that."""
    length = np.linalg.norm(field, axis=-1, keepdims=True)
    return np.asarray(field / np.maximum(length, 1.0))
