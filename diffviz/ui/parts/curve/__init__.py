"""The plot of the Schedules page: lines over time, one of which can be pulled into shape.

Plotly draws what stands still; this follows the hand.  The custom schedule's control points are
dragged in the plot itself, its line, its values in the present view and its strip of images change
at once in the browser, and Python hears of it when the hand lets go.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.schedules import Schedule
from diffviz.ui.parts.curve_figures import Axis, Line
from diffviz.ui.shell.scripts import component
from diffviz.ui.shell.theme import DARK, LIGHT

STRIP_TIMES: tuple[float, ...] = tuple(k / 10 for k in range(11))
"""The times at which the image is shown: those of the ticks of the time axis."""

HERE = Path(__file__).parent
_EPS_SCALE = 4096

Points = Sequence[tuple[float, float]]


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
class Strip:
    """One image and one noise, to be mixed as every schedule says.

    Attributes:
        x_0: (C, H, W) image in [-1, 1]; one channel or three.
        eps: (C, H, W) standard normal noise.
        schedules: the schedule of each line, in the order of the lines.
    """

    x_0: Tensor
    eps: Tensor
    schedules: tuple[Schedule, ...]

    def pack(self) -> dict[str, Any]:
        """The image in 8 bits and the noise in 16, for the browser to mix."""
        pixels = np.rint((self.x_0.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8)
        noise = np.rint(self.eps.numpy() * _EPS_SCALE).clip(-32768, 32767).astype("<i2")
        x_0, eps = _text(pixels), _text(noise)
        return {
            "key": hashlib.sha1((x_0 + eps).encode(), usedforsecurity=False).hexdigest(),
            "shape": list(self.x_0.shape),
            "times": list(STRIP_TIMES),
            "x_0": x_0,
            "eps": eps,
            "eps_scale": _EPS_SCALE,
        }


@dataclass(frozen=True)
class _Packed:
    """What is kept of a schedule for its strip."""

    levels: list[list[float]] = field(default_factory=list)
    rescaled: bool = False


def payload(
    view: str,
    axis: Axis,
    lines: Sequence[Line],
    *,
    points: Points | None = None,
    stops: Sequence[Stops] = (),
    strip: Strip | None = None,
) -> dict[str, Any]:
    """What the browser is sent, pure; see ``curve`` for the arguments.

    Raises:
        ValueError: the strip has another number of schedules than there are lines.
    """
    if strip is not None and len(strip.schedules) != len(lines):
        raise ValueError(f"{len(lines)} lines, but a strip of {len(strip.schedules)} schedules")
    mixes = [_levels(schedule) for schedule in strip.schedules] if strip else []
    mixes += [_Packed()] * (len(lines) - len(mixes))
    return {
        "view": {"name": view, "title": axis.title, "log": axis.log}
        | {"low": axis.low, "high": axis.high},
        "lines": [_line(line, mix) for line, mix in zip(lines, mixes, strict=True)],
        "points": [list(point) for point in points] if points is not None else None,
        "stops": [vars(row) | {"t": list(row.t)} for row in stops],
        "strip": strip.pack() if strip is not None else None,
    }


def curve(
    view: str,
    axis: Axis,
    lines: Sequence[Line],
    *,
    key: str,
    points: Points | None = None,
    stops: Sequence[Stops] = (),
    strip: Strip | None = None,
    on_points: Callable[[Any], None] | None = None,
) -> None:
    """Mount the plot.

    Args:
        view: a key of ``QUANTITIES``.
        axis: the vertical axis.
        lines: what is drawn; the one named "custom" follows the points.
        key: one name per plot on a page.
        points: control points (t, alpha-bar) of the custom schedule, or None without one.
        stops: rows of a sampler's stops.
        strip: the image shown under every schedule, or None.
        on_points: called with the new points, unchecked as the browser sent them, when the hand
            has let go of one; the script runs again after it.
    """

    def report() -> None:
        told = (st.session_state.get(key) or {}).get("points")
        if told is not None and on_points is not None:
            on_points(told)

    component("curve")(
        key=key,
        data=payload(view, axis, lines, points=points, stops=stops, strip=strip),
        on_points_change=report,
    )


def _line(line: Line, mix: _Packed) -> dict[str, Any]:
    return {
        "name": line.name,
        "label": line.label,
        "colors": [line.look.light, line.look.dark],
        "inks": [LIGHT.ink(line.look.light), DARK.ink(line.look.dark)],
        "dash": line.look.dash,
        "custom": line.name == "custom",
        "t": line.t,
        "columns": line.columns,
        "dotted": line.dotted,
        "before": line.before,
        "levels": mix.levels,
        "rescaled": mix.rescaled,
    }


def _levels(schedule: Schedule) -> _Packed:
    """(alpha, sigma) at the strip's times, and whether they outgrow the picture's range."""
    levels = [list(schedule.at(t)) for t in STRIP_TIMES]
    return _Packed(levels, max(alpha**2 + sigma**2 for alpha, sigma in levels) > 1 + 1e-6)


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
