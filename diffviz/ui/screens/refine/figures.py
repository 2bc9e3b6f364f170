"""Figures of the Refine page: what refining does, over the level.  Pure: data in, figure out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from diffviz.studies.refine import Stored
from diffviz.ui.shell.theme import Palette


class _Line(NamedTuple):
    """One figure over the levels, and how it is drawn."""

    name: str
    values: Sequence[float]
    color: str
    dash: str = "solid"
    symbol: str = "circle"
    floor: float | None = None


class Drawing(NamedTuple):
    """A chart of the page.

    Attributes:
        title: what stands above it.
        draw: makes it of what was measured, the level on show and the palette.
        alt: what it shows, for those who cannot see it.
    """

    title: str
    draw: Callable[[Stored, float, Palette], go.Figure]
    alt: str


def frechet_chart(found: Stored, level: float, colors: Palette) -> go.Figure:
    """Frechet distance over the level, above that of as many real pictures (log axis)."""
    values, floor = found.curve.frechet, found.floor.frechet
    figure = _over_levels()
    _add(figure, found, _Line("refined", values, colors.learned, floor=floor), colors, ".3g")
    low, high = (math.log10(max(end(*values, floor), 1e-4)) for end in (min, max))
    room = 0.15 * max(high - low, 0.3)
    ticks = [m * 10.0**k for k in range(-3, 5) for m in (1, 2, 5)]
    figure.update_yaxes(
        type="log",
        range=[low - 1.5 * room, high + 2 * room],
        tickvals=ticks,
        ticktext=[f"{tick:,g}" for tick in ticks],
    )
    words = {"text": "as many real pictures", "yanchor": "bottom", "yshift": 1}
    _words(figure, 0.0, floor, colors.noise, xanchor="left", **words)
    _marks(figure, found, level, values, colors)
    part = found.curve
    if part.faithful not in (0, part.best):
        words = {"text": f"faithful: {part.faithful:.0%}", "yanchor": "bottom", "yshift": 8}
        at = values[part.at(part.faithful)]
        _words(figure, part.faithful, at, colors.text, xanchor="left", **words)
    words = {"text": f"best: {part.best:.0%}", "yanchor": "top", "yshift": -9}
    anchor = "right" if part.best > 0.8 else "center" if part.best > 0.2 else "left"
    _words(figure, part.best, values[part.at(part.best)], colors.text, xanchor=anchor, **words)
    return figure


def confidence_chart(found: Stored, level: float, colors: Palette) -> go.Figure:
    """How sure the classifier is, and for how many samples it says what it said before."""
    part = found.curve
    lines = [
        _Line("confidence", part.confidence, colors.learned, floor=found.floor.confidence),
        _Line("class stayed", part.stayed, colors.path, "dot", "diamond"),
    ]
    if part.agreement is not None:
        lines.append(_Line("as asked", part.agreement, colors.data, "dash", "square"))
    return _shares(found, lines, level, colors)


def overlap_chart(found: Stored, level: float, colors: Palette) -> go.Figure:
    """Precision and recall over the level, with those of as many real pictures."""
    part, floor = found.curve, found.floor
    lines = [
        _Line("precision", part.precision, colors.learned, floor=floor.precision),
        _Line("recall", part.recall, colors.path, "dot", "diamond", floor.recall),
    ]
    return _shares(found, lines, level, colors)


def moved_chart(found: Stored, level: float, colors: Palette) -> go.Figure:
    """How far samples move, in pixels and in features."""
    part = found.curve
    lines = [
        _Line("pixels", part.moved, colors.learned),
        _Line("features", part.moved_features, colors.path, "dot", "diamond"),
    ]
    top = 1.25 * max(*part.moved, *part.moved_features, 0.1)
    return _lines(found, lines, level, (0, top), colors, ".2f")


FIGURES = {
    "frechet": Drawing(
        "Fréchet distance (log; lower is better)",
        frechet_chart,
        "Frechet distance to the test set over the noise level",
    ),
    "moved": Drawing(
        "Distance moved (0 is the sample itself)",
        moved_chart,
        "Distance that samples move over the noise level",
    ),
    "confidence": Drawing(
        "What the classifier says",
        confidence_chart,
        "Confidence of the classifier and share of samples that keep their class over the level",
    ),
    "overlap": Drawing(
        "Precision and recall",
        overlap_chart,
        "Precision and recall over the noise level",
    ),
}
"""The charts in the order in which they are shown."""


def _shares(found: Stored, lines: Sequence[_Line], level: float, colors: Palette) -> go.Figure:
    """Lines of shares: the axis starts at a round number below all of them."""
    every = [value for line in lines for value in line.values]
    every += [line.floor for line in lines if line.floor is not None]
    low = math.floor(5 * (min(every) - 0.02)) / 5
    ends = (max(low, 0.0), 1 + 0.15 * (1 - max(low, 0.0)))
    figure = _lines(found, lines, level, ends, colors, ".0%")
    figure.update_yaxes(tickformat=".0%", tickmode="linear", tick0=0, dtick=0.2)
    return figure


def _lines(
    found: Stored,
    lines: Sequence[_Line],
    level: float,
    ends: tuple[float, float],
    colors: Palette,
    form: str,
) -> go.Figure:
    figure = _over_levels()
    for line in lines:
        _add(figure, found, line, colors, form)
    figure.update_yaxes(range=list(ends))
    figure.update_layout(showlegend=True)
    _marks(figure, found, level, lines[0].values, colors)
    return figure


def _over_levels() -> go.Figure:
    figure = go.Figure()
    figure.update_layout(showlegend=False, hovermode="x unified")
    figure.update_xaxes(title="noise level t", range=[-0.04, 1.06], tickformat=".0%", dtick=0.2)
    return figure


def _add(figure: go.Figure, found: Stored, line: _Line, colors: Palette, form: str) -> None:
    if line.floor is not None:
        figure.add_scatter(
            x=[0, 1],
            y=[line.floor] * 2,
            mode="lines",
            line={"color": colors.noise, "dash": "dash", "width": 1.5},
            name="real pictures",
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_scatter(
        x=found.curve.levels,
        y=line.values,
        mode="lines+markers",
        line={"color": line.color, "dash": line.dash, "width": 2.5},
        marker={"symbol": line.symbol, "size": 7, "color": line.color},
        name=line.name,
        hovertemplate=f"%{{y:{form}}}",
    )


def _marks(
    figure: go.Figure, found: Stored, level: float, values: Sequence[float], colors: Palette
) -> None:
    """A star at the best level, a ring at the best faithful one, a line at the one on show."""
    part = found.curve
    figure.add_shape(
        type="line",
        x0=level,
        x1=level,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": colors.text, "width": 1, "dash": "dot"},
        layer="below",
    )
    marks = {part.faithful: ("circle", 13, "faithful")} if part.faithful else {}
    marks[part.best] = ("star", 16, "best")
    for at, (symbol, size, word) in marks.items():
        figure.add_scatter(
            x=[at],
            y=[values[part.at(at)]],
            mode="markers",
            marker={
                "symbol": symbol,
                "size": size,
                "color": colors.background,
                "line": {"color": colors.text, "width": 2},
            },
            name=f"{word}: {at:.0%}",
            cliponaxis=False,
            hoverinfo="skip",
            showlegend=False,
        )


def _words(figure: go.Figure, x: float, y: float, color: str, **how: Any) -> None:
    """Write words at a place of the chart whose axis is logarithmic."""
    figure.add_annotation(
        x=x,
        y=math.log10(max(y, 1e-4)),
        showarrow=False,
        font={"color": color, "size": 14},
        **how,
    )
