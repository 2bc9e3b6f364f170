"""A panel of points in the plane: a cloud that moves, and what acts on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffviz.scenes.buffer.format import Buffer
from diffviz.scenes.buffer.noising import Noised

Badge: TypeAlias = Literal["exact", "learned", "data"]
Layer: TypeAlias = Literal[
    "points", "trails", "x_0", "data", "field", "density", "contours", "mesh"
]
Limits: TypeAlias = tuple[float | Sequence[float], float | Sequence[float]]

BADGES = ("exact", "learned", "data")
MARGIN = 1e-6
FIELD_QUANTILE = 0.9
_FINER = 2.55  # a root of 1 is sent as 100: finer levels are not seen and weigh twice


@dataclass(frozen=True, eq=False)
class Points:
    """N points in the plane over F frames, with the layers that can be laid over them.

    Attributes:
        title: the panel's name.
        x_t: (F, N, 2) positions as drawn: multiplied by ``scale`` where one is given; or what the
            browser works them out from, before that.
        limits: ``(lo, hi)``, each a number or one per axis: the part of the plane that every
            frame shows.  Points outside are clipped.  The grids below cover exactly this box.
        badge: ``exact``, ``learned`` or ``data``, or None.
        x_0: (F, N, 2) the predicted clean points, in data units.
        labels: (N,) integers, one colour each (modulo 10).
        data: (K, 2) the data points, in data units.
        field: (F, G, G, 2) vectors at ``linspace(lo, hi, G)`` along both axes of ``limits``; the
            first index runs along the second coordinate (row 0 at the bottom).  Each frame is
            drawn in units of its own 90th percentile of lengths, longer arrows cut to that.
        density: (F, R, R) values of p_t at the centres of R x R cells that fill ``limits``, rows
            as in ``field``; only their size relative to the frame's largest value is drawn.
        mesh: (F, M, M, 2) a grid carried along by the map, as drawn.
        scale: (F,) factor that ``x_t`` and ``mesh`` were multiplied by for drawing.
        field_label: what the arrows are.
        density_label: what the heat map is.
        points_label: what the points are.
        pulls: whether following a point shows how strongly each data point pulls on it, the exact
            posterior weights; needs ``data`` and the badge ``exact``.  Turn it off where the exact
            denoiser knows something else than these points, such as a Gaussian mixture.
        movable: whether a starting position may be dragged while the first frame shows.
        note: a sentence below the panel, for example on the drawing scale.
        picked: how many of the points, from the first, can be followed: those that another panel
            shows too; None for all.
        status: (F,) a few words on each frame, in the corner of the panel.
        x_label: name of the first axis.
        y_label: name of the second axis.
        on: the layers shown at first; default: the points, and data and density where given.

    Raises:
        ValueError: when frame counts or shapes disagree, limits are empty, or a badge or layer is
            unknown.
    """

    title: str
    x_t: ArrayLike | Noised
    limits: Limits = (-3.0, 3.0)
    badge: Badge | None = None
    x_0: ArrayLike | None = None
    labels: ArrayLike | None = None
    data: ArrayLike | None = None
    field: ArrayLike | None = None
    density: ArrayLike | None = None
    mesh: ArrayLike | None = None
    scale: ArrayLike | None = None
    field_label: str = "Velocity"
    density_label: str = "Density"
    points_label: str = "Points xₜ"
    pulls: bool = True
    movable: bool = False
    note: str | None = None
    status: Sequence[str] | None = None
    x_label: str = "x₁"
    y_label: str = "x₂"
    on: Sequence[Layer] | None = None
    picked: int | None = None

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        shape = self.shape
        if len(shape) != 3 or shape[2] != 2 or 0 in shape:
            raise ValueError(f"x_t has shape {shape}; points need (frames, points, 2)")
        frames, count, _ = shape
        self._check("x_0", (frames, count, 2))
        self._check("labels", (count,))
        self._check("data", (None, 2))
        self._check("field", (frames, None, None, 2))
        self._check("density", (frames, None, None))
        self._check("mesh", (frames, None, None, 2))
        self._check("scale", (frames,))
        if self.status is not None and len(self.status) != frames:
            raise ValueError(f"status has {len(self.status)} entries for {frames} frames")
        lo, hi = self.box
        if not (np.isfinite(lo).all() and np.isfinite(hi).all() and (lo < hi).all()):
            raise ValueError(f"limits are {self.limits}; each upper one must exceed its lower one")
        if self.badge is not None and self.badge not in BADGES:
            raise ValueError(f"badge is {self.badge!r}; use one of {', '.join(BADGES)} or None")
        known = Layer.__args__  # type: ignore[attr-defined]
        for layer in self.on or ():
            if layer not in known:
                raise ValueError(f"unknown layer {layer!r}; use some of {', '.join(known)}")

    @property
    def frames(self) -> int:
        """The number of frames F."""
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """(F, N, 2)."""
        return self.x_t.shape if isinstance(self.x_t, Noised) else np.shape(self.x_t)

    @property
    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The limits as two arrays of shape (2,)."""
        lo, hi = (np.broadcast_to(np.asarray(v, dtype=np.float64), (2,)) for v in self.limits)
        return lo, hi

    def pack(self, buffer: Buffer, prefix: str) -> dict[str, Any]:
        """Add the panel's arrays to a buffer and return its header entry."""
        lo, hi = self.box
        entry: dict[str, Any] = {
            "kind": "points",
            "title": self.title,
            "badge": self.badge,
            "count": self.shape[1],
            "limits": [lo.tolist(), hi.tolist()],
            "field_label": self.field_label,
            "density_label": self.density_label,
            "points_label": self.points_label,
            "pulls": self.pulls and self.data is not None and self.badge == "exact",
            "movable": self.movable,
            "picked": self.picked,
            "note": self.note,
            "status": list(self.status) if self.status is not None else None,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "on": list(self.on) if self.on is not None else None,
            "arrays": {},
        }
        names: dict[str, str] = entry["arrays"]
        positions = {"x_0": self.x_0, "mesh": self.mesh, "data": self.data}
        if isinstance(self.x_t, Noised):
            entry["walk"] = self.x_t.walk
            names |= self.x_t.pack(buffer, prefix, _add_positions)
            if self.data is self.x_t.x_0:
                names["data"], positions["data"] = names["start"], None
        else:
            positions["x_t"] = self.x_t
        for role, value in positions.items():
            if value is not None and np.size(value):
                names[role] = _add_positions(buffer, f"{prefix}.{role}", value)
        if self.labels is not None:
            classes = np.asarray(self.labels) % 10
            names["labels"] = buffer.add(f"{prefix}.labels", classes, "u8", 0, 255)
        if self.scale is not None:
            names["scale"] = buffer.add(f"{prefix}.scale", self.scale, "f32")
        if self.field is not None:
            names.update(_add_field(buffer, prefix, self.field))
        if self.density is not None:
            names.update(_add_density(buffer, prefix, self.density))
        return entry

    def _check(self, name: str, wanted: tuple[int | None, ...]) -> None:
        value = getattr(self, name)
        if value is None:
            return
        shape = np.shape(value)
        if name in ("field", "density", "mesh", "scale", "x_0") and shape[:1] != wanted[:1]:
            raise ValueError(
                f"{name} has {shape[0] if shape else 0} frames but x_t has {wanted[0]}"
            )
        fits = len(shape) == len(wanted) and all(
            w is None or s == w for s, w in zip(shape, wanted, strict=True)
        )
        if not fits:
            words = ", ".join("any" if w is None else str(w) for w in wanted)
            raise ValueError(f"{name} has shape {shape}; here it needs ({words})")


def _add_positions(buffer: Buffer, name: str, value: ArrayLike) -> str:
    """Quantise positions over the box that holds them all, a hair wider."""
    if buffer.leaves_out(name):
        return name
    array = np.asarray(value, dtype=np.float64)
    axes = tuple(range(array.ndim - 1))
    lo, hi = array.min(axis=axes), array.max(axis=axes)
    margin = MARGIN * np.maximum(hi - lo, 1e-3)
    return buffer.add(name, array, "u16", lo - margin, hi + margin)


def _add_field(buffer: Buffer, prefix: str, value: ArrayLike) -> dict[str, str]:
    """Send directions and relative lengths: each frame in units of a high quantile of lengths."""
    field = np.asarray(value, dtype=np.float64)
    length = np.linalg.norm(field, axis=-1, keepdims=True)
    unit = np.quantile(length.reshape(len(field), -1), FIELD_QUANTILE, axis=1)
    unit = np.where(unit > 0, unit, 1.0)
    relative = field / unit[:, None, None, None]
    relative /= np.maximum(length / unit[:, None, None, None], 1.0)
    return {
        "field": buffer.add(f"{prefix}.field", relative, "u16", -1.0, 1.0),
        "field_unit": buffer.add(f"{prefix}.field_unit", unit, "f32"),
    }


def _add_density(buffer: Buffer, prefix: str, value: ArrayLike) -> dict[str, str]:
    """Send the square root of each frame's density relative to its own maximum, and those maxima.

    The root gives the faint flanks, where the outer contours run, their share of the levels.
    """
    density = np.asarray(value, dtype=np.float64)
    peak = density.max(axis=(1, 2))
    peak = np.where(peak > 0, peak, 1.0)
    root = np.sqrt(np.maximum(density / peak[:, None, None], 0.0))
    return {
        "density": buffer.add(f"{prefix}.density", root, "u8", 0.0, _FINER, changes=True),
        "density_max": buffer.add(f"{prefix}.density_max", peak, "f32"),
    }
