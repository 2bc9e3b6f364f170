"""The 1-D panel: sample paths over the density of p_t(x), time on the horizontal axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffviz.scenes.buffer.format import Buffer
from diffviz.scenes.buffer.noising import Noised
from diffviz.scenes.buffer.points import BADGES, Badge


@dataclass(frozen=True, eq=False)
class Lines:
    """Sample paths in one dimension over the heat map of their density.

    The horizontal axis is time in the clock's direction: a forward run reads from data to noise,
    a reverse run from noise to data.  F is the clock's number of frames, N the number of samples.

    Attributes:
        title: the panel's name.
        x_t: (F, N) the samples at every frame, as drawn: multiplied by ``scale`` where one is
            given; or what the browser works them out from, before that.
        density: (M, R) p_t(x) per unit of x, at the times ``density_t`` and at R evenly spaced x
            that cover ``limits`` from end to end.  The heat map draws each time against its own
            peak; the curve beside it draws the values themselves.
        density_t: (M,) times in [0, 1], strictly increasing or strictly decreasing.
        limits: ``(lo, hi)``, the ends of the x axis, the same for all frames.
        badge: ``exact``, ``learned`` or ``data``, or None.
        x_0: (F, N) the predicted x_0 at every frame, or (1, N) where it is the same for all.
        data: (K,) data points, drawn as a rug at the end where t = 0.
        scale: (F,) factor that ``x_t`` was multiplied by for drawing.
        axis: what the vertical axis shows: a symbol such as ``x_t``, or words.
        note: a sentence below the panel, for example on the drawing scale.

    Raises:
        ValueError: when frame counts or shapes disagree, limits are empty, times are out of order,
            or a value is not finite.
    """

    title: str
    x_t: ArrayLike | Noised
    density: ArrayLike
    density_t: ArrayLike
    limits: tuple[float, float] = (-3.0, 3.0)
    badge: Badge | None = None
    x_0: ArrayLike | None = None
    data: ArrayLike | None = None
    scale: ArrayLike | None = None
    axis: str = "x_t"
    note: str | None = None

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        if not isinstance(self.x_t, Noised):
            _finite("x_t", self.x_t, 2)
        frames, count = self.shape
        if self.x_0 is not None:
            shape = _finite("x_0", self.x_0, 2).shape
            if shape not in {(frames, count), (1, count)}:
                raise ValueError(
                    f"x_0 has shape {shape}; here it needs {(frames, count)} or {(1, count)}"
                )
        if self.data is not None:
            _finite("data", self.data, 1)
        if self.scale is not None and _finite("scale", self.scale, 1).shape != (frames,):
            raise ValueError(f"scale has {np.size(self.scale)} frames but x_t has {frames}")
        self._check_density()
        lo, hi = self.limits
        if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
            raise ValueError(f"limits are {self.limits}; the upper one must exceed the lower one")
        if self.badge is not None and self.badge not in BADGES:
            raise ValueError(f"badge is {self.badge!r}; use one of {', '.join(BADGES)} or None")

    @property
    def frames(self) -> int:
        """The number of frames F."""
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """(F, N)."""
        return self.x_t.shape if isinstance(self.x_t, Noised) else np.shape(self.x_t)

    def pack(self, buffer: Buffer, prefix: str) -> dict[str, Any]:
        """Add the panel's arrays to a buffer and return its header entry."""
        names: dict[str, str] = {}
        values = {"x_0": self.x_0, "data": self.data}
        if isinstance(self.x_t, Noised):
            names |= self.x_t.pack(buffer, prefix, Buffer.add)
        else:
            values["x_t"] = self.x_t
        for role, value in values.items():
            if value is not None:
                names[role] = buffer.add(f"{prefix}.{role}", np.asarray(value, dtype=np.float64))
        if self.scale is not None:
            names["scale"] = buffer.add(f"{prefix}.scale", self.scale, "f32")
        return {
            "kind": "lines",
            "title": self.title,
            "badge": self.badge,
            "note": self.note,
            "axis": self.axis,
            "limits": [float(end) for end in self.limits],
            "count": self.shape[1],
            "walk": isinstance(self.x_t, Noised) and self.x_t.walk,
            "arrays": names | self._pack_density(buffer, prefix),
        }

    def _check_density(self) -> None:
        density = _finite("density", self.density, 2)
        times = _finite("density_t", self.density_t, 1)
        if min(density.shape) < 2 or density.shape[0] != times.shape[0]:
            raise ValueError(
                f"density has shape {density.shape} and density_t {times.shape}; they need "
                "(M, R) and (M,) with M and R at least 2"
            )
        if (density < 0).any():
            raise ValueError("density holds negative values")
        steps = np.diff(times)
        if not ((steps > 0).all() or (steps < 0).all()):
            raise ValueError("density_t must be strictly increasing or strictly decreasing")

    def _pack_density(self, buffer: Buffer, prefix: str) -> dict[str, str]:
        """Send each time's density relative to its own peak, and those peaks, times increasing."""
        times = np.asarray(self.density_t, dtype=np.float64)
        density = np.asarray(self.density, dtype=np.float64)
        if times[0] > times[-1]:
            times, density = times[::-1], density[::-1]
        peak = density.max(axis=1)
        unit = np.where(peak > 0, peak, 1.0)
        return {
            "density": buffer.add(f"{prefix}.density", density / unit[:, None], "u16", 0.0, 1.0),
            "density_t": buffer.add(f"{prefix}.density_t", times, "f32"),
            "density_peak": buffer.add(f"{prefix}.density_peak", peak, "f32"),
        }


def _finite(name: str, values: ArrayLike, ndim: int) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; it needs {ndim} axes, none empty")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are NaN or infinite")
    return array
