"""The figure of the experiment on memorisation.  Pure: data in, a ``go.Figure`` out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from diffviz.studies.memorise import SIZES, Figures
from diffviz.ui.shell.theme import Palette

_UPPER, _LOWER = [0.56, 1.0], [0.0, 0.46]
_DISTANCES = (0.02, 2.0)
_FAR_LEFT = 200  # a size below which there is room for words at its right


def over_sizes(
    found: Mapping[int, Figures],
    chance: Mapping[int, float],
    here: Sequence[int],
    n: int,
    colors: Palette,
) -> go.Figure:
    """Copies, and the distance to the true distribution, against the number of training points.

    Args:
        found: what was measured, by size.
        chance: share of copies among fresh draws, by size.
        here: the sizes that were measured by the reader or others, not stored ones.
        n: the size on show.
        colors: the reader's palette.
    """
    figure = go.Figure()
    filling = [colors.learned if size in here else colors.background for size in found]
    exact, network = (
        {size: f.copies_exact for size, f in found.items()},
        {size: f.copies for size, f in found.items()},
    )
    _line(figure, "chance", chance, colors.noise, "dash", "y")
    _line(figure, "exact denoiser", exact, colors.exact, "dot", "y")
    _line(figure, "network", network, colors.learned, "solid", "y", filling)
    floor, exact, network = (
        {size: f.distance_fresh for size, f in found.items()},
        {size: f.distance_exact for size, f in found.items()},
        {size: f.distance for size, f in found.items()},
    )
    _line(figure, "fresh draws", floor, colors.noise, "dash", "y2")
    _line(figure, "exact denoiser", exact, colors.exact, "dot", "y2")
    _line(figure, "network", network, colors.learned, "solid", "y2", filling)
    _words(figure, found, chance, colors)
    _axes(figure, n, colors)
    return figure


def _line(
    figure: go.Figure,
    words: str,
    values: Mapping[int, float],
    color: str,
    dash: str,
    axis: str,
    filling: list[str] | None = None,
) -> None:
    figure.add_scatter(
        x=list(values),
        y=list(values.values()),
        yaxis=axis,
        mode="lines" if filling is None else "lines+markers",
        line={"color": color, "width": 2 if filling is None else 2.5, "dash": dash},
        marker={"size": 8, "color": filling, "line": {"color": color, "width": 2}},
        name=words,
        hovertemplate="%{x:,} points: %{y:.3g}",
    )


def _words(
    figure: go.Figure, found: Mapping[int, Figures], chance: Mapping[int, float], colors: Palette
) -> None:
    """What each line is, beside it."""
    last = SIZES[-1]
    _label(figure, last, chance[last] + 0.03, "chance", colors.noise, "y")
    if not found:
        _label(figure, 1000, 0.55, "train to fill this in", colors.muted, "y")
        return
    end = max(found)
    _label(figure, end, 1.0, "exact denoiser", colors.exact, "y", below=True)
    _label(figure, end, found[end].distance_fresh, "fresh draws", colors.noise, "y2", below=True)
    steep = min(found.values(), key=lambda f: abs(f.copies - 0.6))
    _label(figure, steep.n, min(steep.copies, 0.8), "network", colors.learned, "y", after=True)


def _label(
    figure: go.Figure,
    x: float,
    y: float,
    words: str,
    color: str,
    axis: str,
    *,
    below: bool = False,
    after: bool = False,
) -> None:
    """Write words over or under the end of a line, or after it where it ends far to the left."""
    after = after or x < _FAR_LEFT
    figure.add_annotation(
        x=math.log10(x),
        y=math.log10(y) if axis == "y2" else y,
        yref=axis,
        text=words,
        showarrow=False,
        xanchor="left" if after else "right",
        yanchor="middle" if after else "top" if below else "bottom",
        xshift=10 if after else 0,
        yshift=0 if after else -3 if below else 2,
        font={"color": color, "size": 14},
    )


def _axes(figure: go.Figure, n: int, colors: Palette) -> None:
    figure.add_vline(x=n, line={"color": colors.text, "width": 1, "dash": "dot"}, layer="below")
    ends = [math.log10(SIZES[0] / 1.3), math.log10(SIZES[-1] * 1.3)]
    figure.update_layout(
        showlegend=False,
        xaxis={
            "title": "training points n (log)",
            "type": "log",
            "range": ends,
            "tickvals": [4, 16, 64, 256, 1000, 4000],
            "ticktext": ["4", "16", "64", "256", "1k", "4k"],
            "anchor": "y2",
        },
        yaxis={
            "title": "samples that are copies",
            "domain": _UPPER,
            "range": [-0.05, 1.08],
            "tickformat": ".0%",
            "dtick": 0.25,
        },
        yaxis2={
            "title": "SW₂ to the truth (log)",
            "domain": _LOWER,
            "type": "log",
            "range": [math.log10(end) for end in _DISTANCES],
            "tickvals": [0.03, 0.1, 0.3, 1],
        },
    )
