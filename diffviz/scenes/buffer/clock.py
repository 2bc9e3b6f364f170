"""The one clock that every panel of a player follows.

A run has F frames.  Frame k shows time ``t[k]`` of the path x_t = alpha_t x_0 + sigma_t eps; a
forward run goes from data (t = 0) to noise (t = 1), a reverse run the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from diffviz.scenes.buffer.format import Buffer

DIRECTIONS = ("forward", "reverse")


@dataclass(frozen=True, eq=False)
class Track:
    """What is drawn behind the scrubber where the frames are not stops of a schedule.

    Attributes:
        u: (M,) places along the track, from 0 (left) to 1 (right), not falling.
        values: (M,) finite numbers there, above 0 where ``log``.
        label: what the curve is.
        limits: the ends of its vertical axis.
        log: whether that is logarithmic.
        floor: a value that is drawn as a dashed line, or None.
        floor_label: what it is.

    Raises:
        ValueError: when lengths disagree, places fall or leave [0, 1], or a value cannot be drawn.
    """

    u: ArrayLike
    values: ArrayLike
    label: str
    limits: tuple[float, float]
    log: bool = False
    floor: float | None = None
    floor_label: str = ""

    def __post_init__(self) -> None:
        """Check that the curve can be drawn."""
        u, values = (np.asarray(v, dtype=np.float64) for v in (self.u, self.values))
        if u.ndim != 1 or u.shape != values.shape or not u.size:
            raise ValueError(f"u has shape {u.shape} but values has {values.shape}")
        if not (np.isfinite(values).all() and u.min() >= 0 and u.max() <= 1):
            raise ValueError("a track needs finite values at places from 0 to 1")
        if (np.diff(u) < 0).any():
            raise ValueError("the places of a track must not fall")
        if not self.limits[0] < self.limits[1] or (self.log and min(self.limits[0], *values) <= 0):
            raise ValueError(f"the limits {self.limits} do not fit the axis of the track")

    def pack(self, buffer: Buffer, prefix: str) -> dict[str, Any]:
        """Add the curve to a buffer and return its header entry."""
        return {
            "label": self.label,
            "limits": [float(end) for end in self.limits],
            "log": self.log,
            "floor": None if self.floor is None else float(self.floor),
            "floor_label": self.floor_label,
            "u": buffer.add(f"{prefix}.u", self.u, "f32"),
            "values": buffer.add(f"{prefix}.values", self.values, "f32"),
        }


@dataclass(frozen=True)
class Lane:
    """A row of dots behind the scrubber: where one of several runs on a common clock makes a stop.

    Attributes:
        name: one or two letters, drawn at its left end.
        stops: the frames at which it stops, rising.
    """

    name: str
    stops: Sequence[int]


@dataclass(frozen=True, eq=False)
class Clock:
    """The times of a run, and the schedule's curve drawn behind the scrubber.

    Attributes:
        t: (F,) time of each frame, from 0 (data) to 1 (noise).
        alpha: (F,) how much of the data is left at each frame.
        sigma: (F,) how much noise is in it.
        curve_t: (M,) times of the schedule's curve, increasing.
        curve_log_snr: (M,) log(alpha^2 / sigma^2) there; infinities are allowed.
        direction: ``forward`` (data to noise) or ``reverse`` (noise to data).
        evaluations: (F,) how often the denoiser had been asked by each frame, or None.
        seconds: what the run took to compute, or None.
        start: the word at the scrubber's left end; default "data" or "noise" by direction.
        end: the word at its right end.
        unit: what one frame is called in words ("step").
        track: a curve to draw behind the scrubber instead of the schedule's.
        names: (F,) what each frame is called, instead of its number and unit.
        notes: (F,) what is said of each frame, instead of its time and log-SNR.
        lanes: rows of dots to draw behind the scrubber instead of a curve, from top to bottom.

    Raises:
        ValueError: when lengths disagree, a time is outside [0, 1], or a value is NaN.
    """

    t: ArrayLike
    alpha: ArrayLike
    sigma: ArrayLike
    curve_t: ArrayLike
    curve_log_snr: ArrayLike
    direction: Literal["forward", "reverse"] = "reverse"
    evaluations: ArrayLike | None = None
    seconds: float | None = None
    start: str | None = None
    end: str | None = None
    unit: str = "step"
    track: Track | None = None
    names: Sequence[str] | None = None
    notes: Sequence[str] | None = None
    lanes: Sequence[Lane] | None = None

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        if self.direction not in DIRECTIONS:
            raise ValueError(f"direction is {self.direction!r}; use 'forward' or 'reverse'")
        frames = np.shape(self.t)
        if len(frames) != 1 or frames[0] < 1:
            raise ValueError(f"t has shape {frames}; a clock needs one time per frame")
        for name in ("alpha", "sigma", "evaluations"):
            value = getattr(self, name)
            if value is not None and np.shape(value) != frames:
                raise ValueError(f"{name} has shape {np.shape(value)} but t has {frames[0]} frames")
        for name in ("names", "notes"):
            words = getattr(self, name)
            if words is not None and len(words) != frames[0]:
                raise ValueError(f"{name} has {len(words)} entries but t has {frames[0]} frames")
        for lane in self.lanes or ():
            if any(not 0 <= stop < frames[0] for stop in lane.stops):
                raise ValueError(f"lane {lane.name} stops outside the {frames[0]} frames")
        if np.ndim(self.curve_t) != 1 or np.shape(self.curve_t) != np.shape(self.curve_log_snr):
            raise ValueError(
                f"curve_t has shape {np.shape(self.curve_t)} but "
                f"curve_log_snr has {np.shape(self.curve_log_snr)}"
            )
        for name in ("t", "alpha", "sigma", "curve_t", "curve_log_snr"):
            if np.isnan(np.asarray(getattr(self, name), dtype=np.float64)).any():
                raise ValueError(f"{name} contains NaN")
        t = np.asarray(self.t, dtype=np.float64)
        if t.min() < 0 or t.max() > 1:
            raise ValueError(f"t goes from {t.min():g} to {t.max():g}; it must stay in [0, 1]")

    @property
    def frames(self) -> int:
        """The number of frames F."""
        return int(np.shape(self.t)[0])

    def pack(self, buffer: Buffer, prefix: str = "clock") -> dict[str, Any]:
        """Add the clock's arrays to a buffer and return its header entry."""
        words = ("data", "noise") if self.direction == "forward" else ("noise", "data")
        entry: dict[str, Any] = {
            "frames": self.frames,
            "direction": self.direction,
            "seconds": self.seconds,
            "start": self.start or words[0],
            "end": self.end or words[1],
            "unit": self.unit,
            "track": None if self.track is None else self.track.pack(buffer, f"{prefix}.track"),
            "names": None if self.names is None else list(self.names),
            "notes": None if self.notes is None else list(self.notes),
            "lanes": [{"name": lane.name, "stops": list(lane.stops)} for lane in self.lanes or ()],
            "arrays": {},
        }
        for role in ("t", "alpha", "sigma", "curve_t", "curve_log_snr", "evaluations"):
            value = getattr(self, role)
            if value is not None:
                entry["arrays"][role] = buffer.add(f"{prefix}.{role}", value, "f32")
        return entry
