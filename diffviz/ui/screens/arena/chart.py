"""The chart of quality against evaluations: a line for every sampler, on two log axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np
import plotly.graph_objects as go

from diffviz.core.samplers import SAMPLERS
from diffviz.measures.quality import METRICS, Row
from diffviz.ui.shell.theme import Palette

HEIGHT = 470
"""Of the chart, in CSS pixels; labels are spread for it."""

Mark = tuple[str, int, float]
"""A contestant on the chart: letter, evaluations, value."""

_ROOM = 0.79  # of the width is the plot's, the rest is for the labels
_PLOT_PIXELS = HEIGHT - 62  # from the lowest to the highest value
_LABEL_PIXELS = 19
_TOP = 1.6  # values above are cut off
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200)
_AGREE = 0.01


def sampler_colors(colors: Palette) -> dict[str, str]:
    """A colour for every sampler: one of the classes' each, and the muted one for all beyond."""
    return dict(zip_longest(SAMPLERS, colors.classes[: len(SAMPLERS)], fillvalue=colors.muted))


def quality_figure(
    rows: Sequence[Row],
    metric: str,
    colors: Palette,
    bold: Sequence[str] = (),
    marks: Sequence[Mark] = (),
) -> go.Figure:
    """Draw a distance against the number of evaluations.

    Args:
        rows: what was measured, the floor among them.
        metric: a key of ``METRICS``.
        colors: the palette.
        bold: samplers whose lines are drawn stronger.
        marks: contestants, each a letter at its place.
    """
    figure = go.Figure()
    lines = _lines(rows, metric)
    low, high = _limits(rows, metric, marks)
    last = max([100, *(row.evaluations for row in rows)])
    tints = sampler_colors(colors)
    for (denoiser, name), line in lines.items():
        figure.add_trace(_trace(denoiser, name, line, metric, tints[name], name in bold))
    _label_lines(figure, lines, metric, tints, bold, (low, high), math.log10(last))
    _draw_floor(figure, rows, metric, colors, last)
    for letter, evaluations, value in marks:
        figure.add_annotation(
            x=math.log10(max(evaluations, 1)),
            y=math.log10(min(max(value, low), high)),
            text=f"<b>{letter}</b>",
            showarrow=False,
            font={"size": 13, "color": colors.background},
            bgcolor=colors.text,
            borderpad=2,
        )
    figure.update_xaxes(
        type="log",
        title="Evaluations of the denoiser (NFE), log scale",
        range=[-0.05, math.log10(last) + 0.04],
        domain=[0, _ROOM],
        tickvals=[tick for tick in _TICKS if tick <= last],
    )
    figure.update_yaxes(
        type="log",
        title=f"{METRICS[metric]}, log scale",
        range=[math.log10(low), math.log10(high)],
        tickvals=_decades(low, high),
        ticktext=[f"{tick:g}" for tick in _decades(low, high)],
    )
    figure.update_layout(showlegend=False, hovermode="closest")
    return figure


def _lines(rows: Sequence[Row], metric: str) -> dict[tuple[str, str], list[Row]]:
    """The rows of every line, from few evaluations to many, by denoiser and sampler."""
    lines: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.sampler and row.mean.get(metric, 0) > 0:
            lines.setdefault((row.denoiser, row.sampler), []).append(row)
    return {key: sorted(line, key=lambda row: row.evaluations) for key, line in lines.items()}


def _limits(rows: Sequence[Row], metric: str, marks: Sequence[Mark]) -> tuple[float, float]:
    values = [row.mean[metric] for row in rows if row.mean.get(metric, 0) > 0]
    values += [value for _, _, value in marks if value > 0]
    if not values:
        return 0.01, 1.0
    high = min(max(values), _TOP) * 1.15
    return min(min(values) * 0.8, high / 2), high


def _trace(
    denoiser: str, name: str, line: Sequence[Row], metric: str, color: str, bold: bool
) -> go.Scatter:
    learned = denoiser == "learned"
    mean = [row.mean[metric] for row in line]
    return go.Scatter(
        x=[row.evaluations for row in line],
        y=mean,
        error_y={
            "type": "data",
            "array": [row.error[metric] for row in line],
            "thickness": 1,
            "width": 2,
        },
        mode="lines+markers",
        name=f"{SAMPLERS[name].title}, {denoiser}",
        opacity=1.0 if bold else 0.62,
        line={
            "color": color,
            "width": 2.6 if bold else 1.4,
            "dash": "dash" if learned else "solid",
        },
        marker={
            "color": color,
            "size": 7 if bold else 5.5,
            "symbol": "circle-open" if SAMPLERS[name]().stochastic else "circle",
        },
        customdata=np.array([[row.steps, row.runs, row.error[metric]] for row in line]),
        hovertemplate=(
            "%{fullData.name}<br>%{x} evaluations (%{customdata[0]} steps)<br>"
            "%{y:.3g} ± %{customdata[2]:.1g}, %{customdata[1]} runs<extra></extra>"
        ),
    )


def _label_lines(
    figure: go.Figure,
    lines: Mapping[tuple[str, str], Sequence[Row]],
    metric: str,
    tints: Mapping[str, str],
    bold: Sequence[str],
    limits: tuple[float, float],
    right: float,
) -> None:
    """Write each line's name at its right end; lines that agree everywhere share one."""
    several = len({denoiser for denoiser, _ in lines}) > 1
    groups = _groups(lines, metric)
    shown = [group for group in groups if group[0][0] == "exact"] if several else groups
    low, high = (math.log10(end) for end in limits)
    scale = _PLOT_PIXELS / (high - low)
    ends = [lines[group[0]][-1] for group in shown]
    heights = [scale * (min(max(math.log10(e.mean[metric]), low), high) - low) for e in ends]
    places = spread(heights, _LABEL_PIXELS, 0, _PLOT_PIXELS)
    for group, height, place in zip(shown, heights, places, strict=True):
        names = [name for _, name in group]
        strong = any(name in bold for name in names)
        text = ", ".join(SAMPLERS[name].short for name in names)
        figure.add_annotation(
            x=right,
            y=height / scale + low,
            ax=26,
            ay=height - place,
            text=f"<b>{text}</b>" if strong else text,
            xanchor="left",
            align="left",
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=tints[names[0]],
            font={"size": 14, "color": tints[names[0]]},
        )


def _groups(
    lines: Mapping[tuple[str, str], Sequence[Row]], metric: str
) -> list[list[tuple[str, str]]]:
    groups: list[list[tuple[str, str]]] = []
    for key, line in lines.items():
        for group in groups:
            if group[0][0] == key[0] and _agree(lines[group[0]], line, metric):
                group.append(key)
                break
        else:
            groups.append([key])
    return groups


def _agree(one: Sequence[Row], other: Sequence[Row], metric: str) -> bool:
    return len(one) == len(other) and all(
        a.evaluations == b.evaluations
        and abs(a.mean[metric] - b.mean[metric]) <= _AGREE * a.mean[metric]
        for a, b in zip(one, other, strict=True)
    )


def spread(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart, as little as keeps their order: at least ``gap`` between neighbours.

    Args:
        heights: where they should be.
        gap: between two neighbours; less where there is no room.
        low: none goes below.
        high: none goes above.
    """
    if not heights:
        return []
    order = np.argsort(heights, kind="stable")
    gap = min(gap, (high - low) / max(len(heights) - 1, 1))
    # Without the gaps the order is all that is asked: the nearest such places are block means.
    wanted = [heights[k] - gap * rank for rank, k in enumerate(order)]
    blocks: list[list[float]] = []
    for height in wanted:
        blocks.append([height])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    flat = [float(np.mean(block)) for block in blocks for _ in block]
    top = high - gap * (len(flat) - 1)
    placed = [min(max(height, low), top) + gap * rank for rank, height in enumerate(flat)]
    result = [0.0] * len(placed)
    for place, k in zip(placed, order, strict=True):
        result[int(k)] = place
    return result


def _draw_floor(
    figure: go.Figure, rows: Sequence[Row], metric: str, colors: Palette, last: int
) -> None:
    floors = [row.mean[metric] for row in rows if not row.sampler and row.mean.get(metric, 0) > 0]
    if not floors:
        return
    figure.add_trace(
        go.Scatter(
            x=[0.9, last * 1.09],
            y=[floors[0]] * 2,
            mode="lines",
            name="Fresh data",
            line={"color": colors.data, "width": 1.6, "dash": "dot"},
            hovertemplate=f"Fresh data against fresh data: {floors[0]:.3g}<extra></extra>",
        )
    )
    figure.add_annotation(
        x=0.0,
        y=math.log10(floors[0]),
        text="fresh data (the floor)",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        font={"size": 14, "color": colors.data},
    )


def _decades(low: float, high: float) -> list[float]:
    ticks = [m * 10.0**e for e in range(-6, 3) for m in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]
