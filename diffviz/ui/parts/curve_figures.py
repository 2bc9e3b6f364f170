"""Figures of noise schedules: what a line looks like, and every view at once.

Pure: data in, a description or a ``go.Figure`` out.  All numbers come from ``curves``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from diffviz.core.schedules import Schedule
from diffviz.measures.curves import QUANTITIES, Quantity
from diffviz.scenes.overlay import Axis, Line, axis_of, line_of
from diffviz.ui.shell.theme import DARK, LIGHT, Palette, style

# Each schedule keeps its color (an entry of ``Palette.classes``) and its dash (strokes and gaps in
# pixels) in every plot. The custom one is solid like the linear one, and has points to tell it.
_LOOKS: dict[str, tuple[int, str]] = {
    "linear": (0, ""),
    "scaled_linear": (4, "9 4"),
    "cosine": (2, "2 3"),
    "sigmoid": (1, "12 4 2 4"),
    "vp": (6, "16 5"),
    "subvp": (8, "5 3"),
    "ve": (3, "10 3 2 3 2 3"),
    "edm": (7, "4 6"),
    "rectified_flow": (9, "14 3 5 3"),
    "custom": (5, ""),
}
_LOADED_DASH = "1 3"

_COLUMNS = 3
_HEADROOM = 0.94  # what the legend leaves of the height
_GUTTER = (0.045, 0.11)  # between the small plots, of the width and of the height


@dataclass(frozen=True)
class Look:
    """How a schedule is drawn.

    Attributes:
        light: its color on a light page.
        dark: its color on a dark page.
        dash: lengths of strokes and gaps in pixels, "9 4"; empty for a solid line.
    """

    light: str
    dark: str
    dash: str

    def color(self, colors: Palette) -> str:
        """Its color in a palette."""
        return self.dark if colors.dark else self.light


def look(name: str) -> Look:
    """The color and dash of a schedule; a name that is no key of ``SCHEDULES`` is a loaded one."""
    if name not in _LOOKS:
        return Look(LIGHT.text, DARK.text, _LOADED_DASH)
    shade, dash = _LOOKS[name]
    return Look(LIGHT.classes[shade], DARK.classes[shade], dash)


def schedule_views(
    schedules: Sequence[tuple[str, str, Schedule]],
    colors: Palette,
    *,
    points: int = 128,
    height: int = 560,
) -> go.Figure:
    """Every quantity of some schedules, one small plot each, in the style of the app.

    Args:
        schedules: (name, label, schedule) of each.
        colors: of the reader's theme.
        points: about how many points each line has.
        height: in CSS pixels.
    """
    base = style(go.Figure(), colors, height=height).to_plotly_json()["layout"]
    x_axis, y_axis = base.pop("xaxis"), base.pop("yaxis")
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = base | {"uirevision": "views", "hovermode": "x unified"}
    layout["annotations"] = []
    for k, view in enumerate(QUANTITIES.values()):
        number = str(k + 1) if k else ""
        lines = [line_of(*each, view.name, points=points) for each in schedules]
        axis = axis_of(view.name, lines)
        across, down = _cell(k)
        bottom = k // _COLUMNS == _rows() - 1
        x_title = {"text": "time t" if bottom else ""}
        layout[f"xaxis{number}"] = x_axis | {"domain": across, "range": [0, 1.02]}
        layout[f"xaxis{number}"] |= {"anchor": f"y{number}", "title": x_axis["title"] | x_title}
        layout[f"yaxis{number}"] = y_axis | {"domain": down, "anchor": f"x{number}"} | _scale(axis)
        layout["annotations"].append(_heading(view, axis, across, down, colors))
        for line in lines:
            for part in range(len(line.columns)):
                trace = _trace(line, part, view, colors, legend=k == 0)
                traces.append(trace | {"xaxis": f"x{number}", "yaxis": f"y{number}"})
    return go.Figure({"data": traces, "layout": layout})


def _rows() -> int:
    return -(-len(QUANTITIES) // _COLUMNS)


def _cell(k: int) -> tuple[list[float], list[float]]:
    """Where plot number k stands: its shares of the width and of the height."""
    row, column = divmod(k, _COLUMNS)
    wide, tall = 1 / _COLUMNS, _HEADROOM / _rows()
    left, top = column * wide, _HEADROOM - row * tall
    return [left, left + wide - _GUTTER[0]], [top - tall + _GUTTER[1], top]


def _scale(axis: Axis) -> dict[str, Any]:
    ends = [axis.low, axis.high]
    if not axis.log:
        return {"type": "linear", "range": ends, "nticks": 6}
    log = [math.log10(end) for end in ends]
    return {"type": "log", "range": log, "exponentformat": "power", "nticks": 6}


def _heading(
    view: Quantity, axis: Axis, across: list[float], down: list[float], colors: Palette
) -> dict[str, Any]:
    return {
        "text": view.label + (" (log axis)" if axis.log else ""),
        "x": sum(across) / 2,
        "y": down[1],
        "xref": "paper",
        "yref": "paper",
        "xanchor": "center",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 15, "color": colors.text},
    }


def _trace(
    line: Line, part: int, view: Quantity, colors: Palette, *, legend: bool
) -> dict[str, Any]:
    single = legend or len(view.parts) == 1
    return {
        "type": "scatter",
        "mode": "lines",
        "x": np.asarray(line.t),
        "y": np.asarray(line.columns[part]),
        "name": line.label if single else f"{line.label}, {view.parts[part]}",
        "line": {
            "color": look(line.name).color(colors),
            "dash": ",".join(f"{n}px" for n in look(line.name).dash.split()) or "solid",
            "width": 2.5 if part == 0 else 1.25,
        },
        "legendgroup": line.name,
        "showlegend": legend and part == 0,
        "hovertemplate": "%{y:.4g}",
    }
