"""The rail: small charts and numbers beside the panels that follow the frame being shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffviz.scenes.buffer.format import Buffer

MAX_BINS = 500
_BLANK = 255  # the level of a cell without a number
ROLES = ("x_t", "x_0", "eps", "z", "start", "noise")


@dataclass(frozen=True, eq=False)
class Histogram:
    """The distribution of one coordinate (or of all pixel values) of x_t against N(0, std^2).

    It reads x_t of one panel as it is drawn, that is with the panel's drawing scale; give the
    reference in the same units.  Of images, it counts the pixels of as many as can be counted at
    full speed (400,000 values), from the first.

    Attributes:
        std: standard deviation of the reference, one number or (F,) one for each frame.
        limits: ends of the horizontal axis; values outside are not counted in any bar.
        bins: number of bars.
        coordinate: the coordinate shown first.
        panel: index of the panel that is read.
        label: what is counted; None chooses it from the panel.
    """

    std: ArrayLike = 1.0
    limits: tuple[float, float] = (-4.0, 4.0)
    bins: int = 48
    coordinate: int = 0
    panel: int = 0
    label: str | None = None

    def __post_init__(self) -> None:
        """Check the bars and the reference."""
        lo, hi = self.limits
        if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
            raise ValueError(f"limits are {self.limits}; the upper one must exceed the lower one")
        if not 2 <= self.bins <= MAX_BINS:
            raise ValueError(f"bins is {self.bins}; a histogram has 2 to {MAX_BINS} bars")
        if not (_vector("std", np.atleast_1d(np.asarray(self.std))) > 0).all():
            raise ValueError("std holds values that are not positive")


@dataclass(frozen=True, eq=False)
class Curve:
    """A number for every frame, drawn as a curve with a dot at the frame being shown.

    Attributes:
        values: (F,) finite numbers; the axis is logarithmic where they span over two decades.
        label: what the number is, with its unit if it has one.
        floor: the value that cannot be beaten, drawn as a dashed line.
        floor_label: what the floor is.
    """

    values: ArrayLike
    label: str
    floor: float | None = None
    floor_label: str = ""

    def __post_init__(self) -> None:
        """Check that every number can be drawn."""
        _vector(self.label, self.values)
        if self.floor is not None and not np.isfinite(self.floor):
            raise ValueError(f"the floor of {self.label} is not finite")


@dataclass(frozen=True, eq=False)
class Levels:
    """A number for every frame and every row, such as a noise level, drawn as a heat map.

    Attributes:
        values: (F, B) numbers, from the lowest row up; NaN where there is none.  What is drawn at
            a frame is drawn back to the frame before it.  Or (F, B, N): those of each item; the
            followed one's are drawn.
        label: what the number is.
        limits: the ends of the colours.
        ticks: (place, word) along the vertical axis: 0 at its lower end, 1 at its upper end.
        axis: what the vertical axis is.
        names: (B,) what the rows are; the greatest number of the frame is then told with its name.

    Raises:
        ValueError: for another shape, or limits that are empty.
    """

    values: ArrayLike
    label: str
    limits: tuple[float, float] = (0.0, 1.0)
    ticks: Sequence[tuple[float, str]] = ()
    axis: str = ""
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check that the map can be drawn."""
        shape = np.shape(self.values)
        if len(shape) not in (2, 3) or 0 in shape:
            raise ValueError(
                f"the levels have shape {shape}; they need (frames, levels) or (frames, levels, "
                "items)"
            )
        if self.names and len(self.names) != shape[1]:
            raise ValueError(f"there are {len(self.names)} names for {shape[1]} levels")
        if not self.limits[0] < self.limits[1]:
            raise ValueError(f"limits are {self.limits}; the upper one must exceed the lower one")


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a step, coefficient times quantity.

    Attributes:
        symbol: the quantity; ``_`` starts a subscript and ``^`` after a letter puts a hat on it:
            ``"x^_0"``, ``"eps^"``, ``"z"``.  Greek letters may be spelt: ``eps``, ``alpha``.
        coefficients: (F,) for steps that give the frame itself, or (F - 1,) for steps from one
            frame to the next.
        values: where the followed item's value comes from: ``"x_t"``, ``"x_0"``, ``"eps"`` or
            ``"z"`` read it from the panel (eps and z are worked out where the panel lacks them),
            ``"start"`` and ``"noise"`` from what x_t is made of; an array (F or F - 1, N, D)
            brings it along, None leaves the symbol in place.
        words: the quantity in everyday words.
    """

    symbol: str
    coefficients: ArrayLike
    values: str | ArrayLike | None = None
    words: str = ""

    def __post_init__(self) -> None:
        """Check that the values fit the coefficients."""
        steps = len(_vector(f"the coefficients of {self.symbol}", self.coefficients))
        if isinstance(self.values, str):
            if self.values not in ROLES:
                raise ValueError(f"values is {self.values!r}; use one of {', '.join(ROLES)}")
        elif self.values is not None:
            shape = np.shape(self.values)
            if len(shape) != 3 or shape[0] < steps or 0 in shape:
                raise ValueError(
                    f"the values of {self.symbol} have shape {shape}; they need ({steps}, N, D)"
                )


@dataclass(frozen=True, eq=False)
class StepFormula:
    """The line "This step": left = sum of coefficient times quantity, with its numbers.

    Attributes:
        left: symbol of what the step gives, written as in ``Term.symbol``.
        terms: the terms in the order in which they are written.
        words: what the step gives, in everyday words.
        panel: index of the panel whose followed item is put in.
    """

    left: str
    terms: Sequence[Term]
    words: str = ""
    panel: int = 0

    def __post_init__(self) -> None:
        """Check that all terms have as many coefficients."""
        lengths = sorted({int(np.size(term.coefficients)) for term in self.terms})
        if len(lengths) != 1:
            raise ValueError(f"a step needs terms with as many coefficients each, not {lengths}")

    @property
    def steps(self) -> int:
        """The number of steps that the coefficients are given for."""
        return int(np.size(self.terms[0].coefficients))


@dataclass(frozen=True, eq=False)
class Rail:
    """What stands beside the panels; every part may be left out.

    Attributes:
        histogram: the distribution of one coordinate.
        numbers: whether t, alpha, sigma, SNR and the like are shown.
        beta: (F,) the noise variance that each single noising adds, for schedules that have one.
        distance: a curve over the frames.
        levels: heat maps over the frames.
        curves: more curves over the frames.
        step: the formula of the step being shown, with the followed point's numbers.
    """

    histogram: Histogram | None = None
    numbers: bool = True
    beta: ArrayLike | None = None
    distance: Curve | None = None
    step: StepFormula | None = None
    levels: Sequence[Levels] = ()
    curves: Sequence[Curve] = ()

    def __post_init__(self) -> None:
        """Check that the parts speak of the same number of frames."""
        if self.beta is not None:
            _vector("beta", self.beta)
        lengths = self._lengths()
        if len(set(lengths.values())) > 1:
            words = ", ".join(f"{name} has {n}" for name, n in lengths.items())
            raise ValueError(f"the parts of the rail differ in their number of frames: {words}")
        steps = self.step.steps if self.step is not None else None
        frames = self.frames
        if steps is not None and frames is not None and steps not in {frames, frames - 1}:
            raise ValueError(
                f"the step's coefficients have length {steps}; {frames} frames need {frames} "
                f"or {frames - 1}"
            )

    @property
    def frames(self) -> int | None:
        """The number of frames F that the rail's arrays are for; None when any will do."""
        return next(iter(self._lengths().values()), None)

    def _lengths(self) -> dict[str, int]:
        lengths = {}
        if self.histogram is not None and np.size(self.histogram.std) > 1:
            lengths["the histogram's std"] = int(np.size(self.histogram.std))
        if self.beta is not None:
            lengths["beta"] = int(np.size(self.beta))
        if self.distance is not None:
            lengths[self.distance.label] = int(np.size(self.distance.values))
        for levels in self.levels:
            lengths[levels.label] = int(np.shape(levels.values)[0])
        for curve in self.curves:
            lengths[curve.label] = int(np.size(curve.values))
        return lengths

    def pack(self, buffer: Buffer, prefix: str) -> dict[str, Any]:
        """Add the rail's arrays to a buffer and return its header entry."""
        header: dict[str, Any] = {"numbers": bool(self.numbers)}
        if self.histogram is not None:
            header["histogram"] = _pack_histogram(self.histogram, buffer, f"{prefix}.histogram")
        if self.beta is not None:
            header["beta"] = buffer.add(f"{prefix}.beta", self.beta, "f32")
        if self.distance is not None:
            header["distance"] = _pack_curve(self.distance, buffer, f"{prefix}.distance")
        if self.levels:
            header["levels"] = [
                _pack_levels(m, buffer, f"{prefix}.levels{i}") for i, m in enumerate(self.levels)
            ]
        if self.curves:
            header["curves"] = [
                _pack_curve(c, buffer, f"{prefix}.curve{i}") for i, c in enumerate(self.curves)
            ]
        if self.step is not None:
            header["step"] = _pack_step(self.step, buffer, f"{prefix}.step")
        return header


def _pack_histogram(histogram: Histogram, buffer: Buffer, prefix: str) -> dict[str, Any]:
    std = np.atleast_1d(np.asarray(histogram.std, dtype=np.float64))
    return {
        "std": buffer.add(f"{prefix}.std", std, "f32"),
        "limits": [float(end) for end in histogram.limits],
        "bins": int(histogram.bins),
        "coordinate": int(histogram.coordinate),
        "panel": int(histogram.panel),
        "label": histogram.label,
    }


def _pack_curve(curve: Curve, buffer: Buffer, prefix: str) -> dict[str, Any]:
    return {
        "values": buffer.add(f"{prefix}.values", curve.values, "f32"),
        "label": curve.label,
        "floor": None if curve.floor is None else float(curve.floor),
        "floor_label": curve.floor_label,
    }


def _pack_levels(levels: Levels, buffer: Buffer, prefix: str) -> dict[str, Any]:
    low, high = levels.limits
    values = np.asarray(levels.values, dtype=np.float64)
    values = values[..., None] if values.ndim == 2 else values
    level = np.clip((values - low) / (high - low), 0, 1) * (_BLANK - 1)
    return {
        "values": buffer.add(
            f"{prefix}.values", np.where(np.isnan(values), _BLANK, level), "u8", 0.0, _BLANK
        ),
        "label": levels.label,
        "bar": [f"{low:g}", f"{high:g}"],
        "ticks": [[float(place), word] for place, word in levels.ticks],
        "axis": levels.axis,
        "names": list(levels.names),
        "limits": [float(low), float(high)],
    }


def _pack_step(step: StepFormula, buffer: Buffer, prefix: str) -> dict[str, Any]:
    return {
        "left": step.left,
        "words": step.words,
        "panel": int(step.panel),
        "steps": step.steps,
        "terms": [_pack_term(t, buffer, f"{prefix}.{i}") for i, t in enumerate(step.terms)],
    }


def _pack_term(term: Term, buffer: Buffer, prefix: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "symbol": term.symbol,
        "words": term.words,
        "coefficients": buffer.add(f"{prefix}.coefficients", term.coefficients, "f32"),
        "role": term.values if isinstance(term.values, str) else None,
        "values": None,
    }
    if term.values is not None and not isinstance(term.values, str):
        values = np.asarray(term.values, dtype=np.float64)
        entry["values"] = buffer.add(f"{prefix}.values", values)
    return entry


def _vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; it needs one number for each frame")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are NaN or infinite")
    return array
