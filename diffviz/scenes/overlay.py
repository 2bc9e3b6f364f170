"""Schedules on one plot: lines, their axis, a sampler's stops, and what a picture is mixed of.

An ``Overlay`` says what is on the plot and ``drawn`` works it out.  ``Turned`` is the same with one
of its numbers turned through some values, which is what lets the plot follow a knob: for each value
it holds what changes with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from torch import Tensor

from diffviz.core.grids import FILE, make_grid
from diffviz.core.schedules import DiscreteVP, Schedule, zero_terminal_snr
from diffviz.measures.curves import QUANTITIES, Quantity, curve
from diffviz.scenes.canonical import among, within
from diffviz.scenes.configs import (
    FILE_TEXT,
    LOADED,
    MAX_T,
    SCHEDULE_TEXT,
    SPACING_TEXT,
    ScheduleConfig,
)

__all__ = [
    "AXES",
    "STRIP_TIMES",
    "Axis",
    "AxisKind",
    "Drawing",
    "Line",
    "Overlay",
    "Shown",
    "Stops",
    "axis_of",
    "drawn",
    "label_of",
    "line_of",
    "shown",
    "spacings_for",
]

AxisKind = Literal["auto", "linear", "log"]
AXES: tuple[AxisKind, ...] = ("auto", "linear", "log")

STRIP_TIMES: tuple[float, ...] = tuple(k / 10 for k in range(11))
"""The times at which a picture is shown under every schedule: those of the time axis's ticks."""

# What each axis spans before any schedule asks for more, so that it stays put while lines come and
# go: (lowest, highest) on a linear axis and on a logarithmic one.
_SPANS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "alpha_bar": ((0, 1), (1e-5, 1)),
    "alpha_sigma": ((0, 1), (1e-3, 1)),
    "snr": ((0, 20), (1e-6, 1e6)),
    "log_snr": ((-12, 12), (-12, 12)),
    "beta": ((0, 0.05), (1e-5, 1)),
    "posterior_variance": ((0, 0.05), (1e-5, 1)),
}
_FOLLOWS_DATA = ("alpha_sigma", "beta", "posterior_variance")
_ALWAYS_LINEAR = ("log_snr",)
_CROWDED = 2.0  # above this, amplitudes need a logarithmic axis
_VALUES = 200  # that a number is turned through
_NUMBERS = 100_000  # stops that are worked out for all of them


@dataclass(frozen=True)
class Overlay:
    """What is on the plot.

    Attributes:
        schedules: each is one line.
        zero: whether chains are rescaled to zero terminal SNR (Lin et al. 2023).
        view: the quantity, a key of ``QUANTITIES``.
        axis: the kind of the vertical axis.
        spacings: the rows of a sampler's stops.
        steps: of that sampler.
        on: the place of the schedule on whose line they are.
    """

    schedules: tuple[ScheduleConfig, ...] = ()
    zero: bool = False
    view: str = among("alpha_bar", QUANTITIES)
    axis: str = among("auto", AXES)
    spacings: tuple[str, ...] = ()
    steps: int = within(10, 1, MAX_T)
    on: int = within(0, 0, 20)

    def check(self) -> None:
        """Raise ``ValueError`` for spacings that there are not, or stops on no line."""
        unknown = set(self.spacings) - {*SPACING_TEXT, FILE}
        if unknown:
            raise ValueError(f"there is no spacing {min(unknown)[:40]}")
        if self.spacings and self.on >= len(self.schedules):
            raise ValueError(f"stops are on line {self.on} of {len(self.schedules)}")


@dataclass(frozen=True)
class Turned:
    """An overlay with one of its numbers turned through some values.

    Attributes:
        of: one of them.
        path: the names that lead to the number, see ``plays.Play.turned``; the schedules are
            numbered.
        at: the values.
    """

    of: Overlay
    path: tuple[str, ...]
    at: tuple[float, ...]

    @property
    def line(self) -> int | None:
        """The place of the schedule that is turned, None where all stay."""
        return int(self.path[1]) if self.path[0] == "schedules" else None

    def check(self) -> None:
        """Raise ``ValueError`` where that is no number of the overlay, or too much."""
        known: list[tuple[str, ...]] = [("steps",)]
        for k, config in enumerate(self.of.schedules):
            known += [("schedules", str(k), *path) for path in config.numbers.values()]
        if self.path not in known:
            raise ValueError("path leads to no number of these schedules")
        if not 1 <= len(self.at) <= _VALUES:
            raise ValueError(f"a number is turned through 1 to {_VALUES} values")
        steps = max(self.at) if self.path == ("steps",) else self.of.steps
        if len(self.at) * steps * len(self.of.spacings) > _NUMBERS:
            raise ValueError("so many stops are not worked out for all values")


@dataclass(frozen=True)
class Shown:
    """A schedule on the plot.

    Attributes:
        name: a key of ``SCHEDULES``, or ``LOADED``.
        label: its short name.
        schedule: what is drawn.
        before: the same without zero terminal SNR, where that changed it.
    """

    name: str
    label: str
    schedule: Schedule
    before: Schedule | None = None


@dataclass(frozen=True)
class Line:
    """A schedule in one view.

    Attributes:
        name: what tells it from the others: a key of ``SCHEDULES``, or "loaded".
        label: what stands at its end.
        t: (M,) times.
        columns: one or two columns of M values, as in ``Quantity.parts``.
        levels: (alpha, sigma) at ``STRIP_TIMES``.
        rescaled: whether these outgrow the range of a picture.
        dotted: whether the values are those of single noisings.
        before: times and columns of what it was before a change, drawn faintly.
    """

    name: str
    label: str
    t: tuple[float, ...]
    columns: tuple[tuple[float, ...], ...]
    levels: tuple[tuple[float, float], ...]
    rescaled: bool
    dotted: bool = False
    before: tuple[tuple[float, ...], tuple[tuple[float, ...], ...]] | None = None


@dataclass(frozen=True)
class Axis:
    """A vertical axis.

    Attributes:
        title: name and meaning.
        log: whether it is logarithmic.
        low: its lowest value.
        high: its highest value.
    """

    title: str
    log: bool
    low: float
    high: float


@dataclass(frozen=True)
class Stops:
    """Where a sampler stops.

    Attributes:
        label: the spacing.
        name: the line that they are shown on.
        on: the label of that line.
        t: the times, without the last, which is 0.
    """

    label: str
    name: str
    on: str
    t: tuple[float, ...]


@dataclass(frozen=True)
class Drawing:
    """An overlay, worked out.

    Attributes:
        name: of the quantity.
        axis: its axis.
        lines: of the schedules, in their order.
        stops: a row for each spacing that can be had.
        troubles: why others cannot, in words for the reader.
    """

    name: str
    axis: Axis
    lines: tuple[Line, ...]
    stops: tuple[Stops, ...] = ()
    troubles: tuple[str, ...] = ()

    def parts(self, lines: Iterable[Line]) -> dict[str, Any]:
        """The axis, some of the lines and the stops, as JSON has them."""
        return {
            "view": {"name": self.name} | asdict(self.axis),
            "lines": [asdict(line) for line in lines],
            "stops": [asdict(row) for row in self.stops],
        }


def label_of(name: str) -> str:
    """The short name of a schedule: what stands before the bracket."""
    return SCHEDULE_TEXT[name].title.split(" (")[0] if name in SCHEDULE_TEXT else name


@lru_cache(maxsize=256)
def shown(config: ScheduleConfig, *, zero: bool = False) -> Shown:
    """A schedule as it is drawn, zero terminal SNR applied.

    Raises:
        ValueError: parameters that make no schedule, in words for the reader.
    """
    label = config.title if config.name == LOADED else label_of(config.name)
    schedule = config.build()
    if not zero or not isinstance(schedule, DiscreteVP) or schedule.alphas_bar[-1] == 0:
        return Shown(config.name, label, schedule)
    return Shown(config.name, label, zero_terminal_snr(schedule), schedule)


def spacings_for(names: Iterable[str]) -> Mapping[str, str]:
    """The titles of the spacings that there are with schedules of these names."""
    text = SPACING_TEXT | ({FILE: FILE_TEXT} if LOADED in names else {})
    return {name: words.title for name, words in text.items()}


def drawn(overlay: Overlay) -> Drawing:
    """Work an overlay out.

    Raises:
        ValueError: parameters that make no schedule, in words for the reader.
    """
    lines = tuple(_line(config, overlay.zero, overlay.view) for config in overlay.schedules)
    axis = axis_of(overlay.view, lines, overlay.axis)
    if not lines or not overlay.spacings:
        return Drawing(overlay.view, axis, lines)
    return Drawing(overlay.view, axis, lines, *_stops(overlay))


def packed(overlay: Overlay) -> bytes:
    """The same as JSON, without what the page says itself."""
    drawing = drawn(overlay)
    return _json(drawing.parts(drawing.lines))


def packed_turns(turned: Turned, at: Callable[[float], Overlay]) -> bytes:
    """What changes with each value, as JSON: a list of values and parts; some make no schedule.

    Args:
        turned: what is turned.
        at: the overlay with a value.
    """
    found = []
    for value in turned.at:
        try:
            drawing = drawn(at(value))
        except ValueError:
            continue
        lines = [] if turned.line is None else [drawing.lines[turned.line]]
        found.append([value, drawing.parts(lines)])
    return _json(found)


def _json(found: Any) -> bytes:
    return json.dumps(found, separators=(",", ":"), allow_nan=False).encode()


@lru_cache(maxsize=256)
def _line(config: ScheduleConfig, zero: bool, quantity: str) -> Line:
    each = shown(config, zero=zero)
    return line_of(each.name, each.label, each.schedule, quantity, before=each.before)


def line_of(
    name: str,
    label: str,
    schedule: Schedule,
    quantity: str,
    *,
    before: Schedule | None = None,
    points: int = 256,
) -> Line:
    """A schedule as a line in one view.

    Args:
        name: a key of ``SCHEDULES``, or "loaded".
        label: what stands at its end.
        schedule: what is drawn.
        quantity: a key of ``QUANTITIES``.
        before: what it was before a change, to be drawn faintly.
        points: about how many points the line has.
    """
    t, columns = curve(schedule, quantity, points)
    dotted = QUANTITIES[quantity].per_step and isinstance(schedule, DiscreteVP)
    levels = tuple(schedule.at(time) for time in STRIP_TIMES)
    rescaled = max(alpha**2 + sigma**2 for alpha, sigma in levels) > 1 + 1e-6
    line = Line(name, label, _numbers(t), _columns(columns), levels, rescaled, dotted)
    if before is None:
        return line
    t, columns = curve(before, quantity, points)
    return replace(line, before=(_numbers(t), _columns(columns)))


def axis_of(quantity: str, lines: Iterable[Line], kind: str = "auto") -> Axis:
    """The vertical axis of a view.

    Args:
        quantity: a key of ``QUANTITIES``.
        lines: what is drawn; the axis grows for them only where values have no natural limit.
        kind: one of ``AXES``: linear, logarithmic, or what suits the quantity and the lines.
    """
    view = QUANTITIES[quantity]
    values = [v for line in lines for column in line.columns for v in column]
    most = max((v for v in values if math.isfinite(v)), default=0.0)
    log = _is_log(view, kind, most)
    low, high = _SPANS[quantity][log]
    if quantity in _FOLLOWS_DATA and most > high:
        high = 10 ** math.ceil(math.log10(most) - 1e-9) if log else _rounded_up(most)
    return Axis(view.axis, log, low, high)


def _stops(overlay: Overlay) -> tuple[tuple[Stops, ...], tuple[str, ...]]:
    on = shown(overlay.schedules[overlay.on], zero=overlay.zero)
    rows, troubles = [], set()
    for name, title in spacings_for(each.name for each in overlay.schedules).items():
        if name not in overlay.spacings:
            continue
        try:
            grid = make_grid(on.schedule, overlay.steps, name)
        except ValueError as error:
            troubles.add(str(error))
            continue
        times = tuple(round(t, 6) for t in grid[:-1].tolist())
        rows.append(Stops(title, on.name, on.label, times))
    return tuple(rows), tuple(sorted(troubles))


def _is_log(view: Quantity, kind: str, most: float) -> bool:
    if view.name in _ALWAYS_LINEAR:
        return False
    if kind == "auto":
        return view.log or (view.name == "alpha_sigma" and most > _CROWDED)
    return kind == "log"


def _rounded_up(value: float) -> float:
    base: float = 10 ** math.floor(math.log10(value))
    return next(m * base for m in (1, 1.5, 2, 3, 5, 10) if m * base >= value * (1 - 1e-9))


def _numbers(values: Tensor) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values.tolist())


def _columns(columns: Iterable[Tensor]) -> tuple[tuple[float, ...], ...]:
    return tuple(_numbers(column) for column in columns)
