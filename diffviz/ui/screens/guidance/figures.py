"""Figures of the Guidance page.  Pure: data in, a ``go.Figure`` out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from diffviz.scenes import scene
from diffviz.scenes.guidance import Measures
from diffviz.ui.shell.theme import Palette

_GAP = 0.06
_STOPS = 16
_ROOM = 0.25  # above this there is room for words below a line


def two_densities(
    should: NDArray[np.floating[Any]], came: NDArray[np.floating[Any]], colors: Palette
) -> go.Figure:
    """The density that was promised beside the one that came out, (R, R) each."""
    figure = go.Figure()
    cells = len(should)
    low, high = scene.LIMITS
    axis = low + (high - low) * (np.arange(cells) + 0.5) / cells
    for k, (words, density) in enumerate((("promised", should), ("came out", came))):
        number = str(k + 1) if k else ""
        figure.add_heatmap(
            x=axis,
            y=axis,
            z=np.sqrt(density / max(density.max(), np.finfo(density.dtype).tiny)),
            xaxis=f"x{number}",
            yaxis=f"y{number}",
            colorscale=_scale(colors),
            showscale=False,
            hoverinfo="skip",
            zsmooth="best",
        )
        left = k * (0.5 + _GAP / 2)
        figure.update_layout(
            {
                f"xaxis{number}": {
                    "domain": [left, left + 0.5 - _GAP / 2],
                    "anchor": f"y{number}",
                    "constrain": "domain",
                    "range": [low, high],
                    "title": {"text": words},
                    "dtick": 2,
                },
                f"yaxis{number}": {
                    "anchor": f"x{number}",
                    "constrain": "domain",
                    "scaleanchor": f"x{number}",
                    "range": [low, high],
                    "dtick": 2,
                    "showticklabels": k == 0,
                },
            }
        )
    return figure


def distance_chart(
    found: Sequence[Measures], now: Measures, colors: Palette, *, learned: bool
) -> go.Figure:
    """Distance to the promised density against the scale, beside that of exact draws."""
    figure = _over_scales(max(found[-1].scale, now.scale))
    color = colors.learned if learned else colors.exact
    w = [m.scale for m in found]
    floor = [m.floor for m in found]
    figure.add_scatter(
        x=w,
        y=floor,
        mode="lines",
        line={"color": colors.noise, "dash": "dash", "width": 2},
        name="exact draws",
        hovertemplate="%{y:.3f}",
    )
    figure.add_scatter(
        x=w,
        y=[m.distance for m in found],
        mode="lines+markers",
        line={"color": color, "width": 2.5},
        name="samples",
        hovertemplate="%{y:.3f}",
    )
    top = 1.15 * max([m.distance for m in found] + [now.distance])
    _mark(figure, now.scale, now.distance, top, colors)
    figure.update_yaxes(range=[0, top], title="SW₂ to the promise")
    near = found[-1].distance < floor[-1] + 0.15 * top
    height = max(floor[-1], found[-1].distance) if near else floor[-1]
    _label(figure, w[-1], height, "exact draws", colors.noise)
    return figure


def share_chart(found: Sequence[Measures], now: Measures, colors: Palette) -> go.Figure:
    """What the exact classifier says, and how wide the samples lie, against the scale."""
    figure = _over_scales(max(found[-1].scale, now.scale))
    w = [m.scale for m in found]
    lines = (
        ("width of the samples", [m.spread for m in found], colors.path, "dot"),
        ("share p(c | x₀)", [m.share for m in found], colors.data, "solid"),
    )
    lowest = min(values[-1] for _, values, _, _ in lines)
    for name, values, color, dash in lines:
        figure.add_scatter(
            x=w,
            y=values,
            mode="lines+markers",
            line={"color": color, "width": 2.5, "dash": dash},
            name=name,
            hovertemplate="%{y:.2f}",
        )
        _label(figure, w[-1], values[-1], name, color, below=_ROOM < values[-1] == lowest)
    _mark(figure, now.scale, now.spread, 1.3, colors)
    figure.update_yaxes(range=[0, 1.3], title="relative to the class", dtick=0.5)
    return figure


def _scale(colors: Palette) -> list[tuple[float, str]]:
    """The palette's scale, which fades into the page where there is nothing."""
    stops = [k / (_STOPS - 1) for k in range(_STOPS)]
    shades = sample_colorscale(colors.sequential, stops if colors.dark else stops[::-1])
    opacity = [min(3 * stop, 1.0) for stop in stops]
    return [
        (stop, shade.replace("rgb(", "rgba(").replace(")", f", {alpha:.2f})"))
        for stop, shade, alpha in zip(stops, shades, opacity, strict=True)
    ]


def _over_scales(last: float) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(showlegend=False, hovermode="x unified")
    figure.update_xaxes(title="guidance scale w", range=[0, last * 1.02], dtick=2)
    return figure


def _mark(figure: go.Figure, w: float, value: float, top: float, colors: Palette) -> None:
    """A thin line at the chosen scale."""
    figure.add_shape(
        type="line",
        x0=w,
        x1=w,
        y0=0,
        y1=top,
        line={"color": colors.text, "width": 1, "dash": "dot"},
        layer="below",
    )
    figure.add_scatter(
        x=[w],
        y=[value],
        mode="markers",
        marker={"size": 11, "color": colors.background, "line": {"color": colors.text, "width": 2}},
        hoverinfo="skip",
    )


def _label(
    figure: go.Figure, x: float, y: float, words: str, color: str, *, below: bool = False
) -> None:
    figure.add_annotation(
        x=x,
        y=y,
        text=words,
        showarrow=False,
        xanchor="right",
        yanchor="top" if below else "bottom",
        yshift=-3 if below else 3,
        font={"color": color, "size": 14},
    )
