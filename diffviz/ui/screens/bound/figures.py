"""Figures of the page The bound.  Pure: data in, a ``go.Figure`` out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from diffviz.scenes.bound import GROWTH, Growth, Split
from diffviz.ui.parts.curve_figures import look
from diffviz.ui.screens.bound.controls import Over
from diffviz.ui.shell.theme import Palette

_NOISIEST = -10.0  # log-SNR at which an axis ends where a path goes on to minus infinity
_FEW = 80  # bars that stand apart
_HIGHEST = 3000.0  # bits per dimension: beyond it a line leaves the picture

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Bars:
    """Where the bars of the steps lie, data at the left.

    Attributes:
        clean: (T,) the end of each towards the data, on the axis.
        noisy: (T,) the end towards the noise.
        title: of the axis.
        ticks: places on the axis and what stands there.
    """

    clean: Numbers
    noisy: Numbers
    title: str
    ticks: dict[float, str]

    @property
    def ends(self) -> tuple[float, float]:
        """The place of the data and that of the noise."""
        return float(self.clean[-1]), float(self.noisy[0])

    @property
    def room(self) -> float:
        """How wide the first and the last term are drawn; below 0 where the axis runs down."""
        data, noise = self.ends
        return 0.035 * (noise - data)


def terms_chart(found: Split, over: Over, colors: Palette) -> go.Figure:
    """The terms of a bound, data at the left and noise at the right, and what they add up to.

    Args:
        found: the terms.
        over: what they are drawn over.
        colors: the reader's palette.
    """
    bars, bound = _bars(found, over), found.bound
    figure = go.Figure()
    _steps(figure, found, bars, colors)
    data, noise = bars.ends
    for name, x, bits, color, shape in (
        ("last decoder", data - bars.room, bound.reconstruction, colors.data, "/"),
        ("prior", noise + bars.room, bound.prior, colors.noise, "x"),
    ):
        figure.add_bar(
            x=[x],
            y=[bits],
            width=abs(bars.room),
            marker={"color": color, "line": {"width": 0}, "pattern": _pattern(shape, colors)},
            hovertemplate=f"{name}: %{{y:.4f}} bits<extra></extra>",
        )
    _cumulative(figure, found, bars, colors)
    _axes(figure, found, bars)
    return figure


def _bars(found: Split, over: Over) -> _Bars:
    if over == "t":
        root = np.sqrt(found.times)
        ticks = {math.sqrt(t): f"{t:g}" for t in (0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)}
        return _Bars(root[1:], root[:-1], "time t, from data to noise (square-root axis)", ticks)
    if over == "log_snr":
        levels = np.maximum(found.log_snrs, min(_NOISIEST, float(found.log_snrs[1]) - 1))
        title = "log-SNR, from data to noise"
        return _Bars(levels[1:], levels[:-1], title, _whole(levels[0], levels[-1]))
    count = len(found.bound.steps)
    place = np.arange(count, 0, -1, dtype=np.float64)
    title = "step, from data to noise"
    return _Bars(place - 0.5, place + 0.5, title, _whole(1, count))


def _whole(low: float, high: float) -> dict[float, str]:
    """Some round numbers from low to high, apart from the ends."""
    width = (high - low) / 6
    unit = next((m * 10**k for k in range(4) for m in (1, 2, 5) if m * 10**k >= width), 1000)
    first, last = math.ceil((low + 0.04 * (high - low)) / unit), (high - 0.04 * (high - low)) / unit
    return {float(k * unit): f"{k * unit:,}" for k in range(first, math.floor(last) + 1)}


def _steps(figure: go.Figure, found: Split, bars: _Bars, colors: Palette) -> None:
    steps = found.bound.steps.numpy()
    count = len(steps)
    gap = 0.1 if count <= _FEW else 0.0
    each = (np.arange(count, 0, -1), found.times[:-1], found.times[1:], found.log_snrs[1:])
    figure.add_bar(
        x=(bars.clean + bars.noisy) / 2,
        y=steps,
        width=np.abs(bars.noisy - bars.clean) * (1 - gap),
        marker={"color": colors.learned, "line": {"width": 0}},
        customdata=np.stack(each, axis=1),
        hovertemplate=(
            "decoder %{customdata[0]:.0f}, t = %{customdata[1]:.4f} → %{customdata[2]:.4f}, to "
            "log-SNR %{customdata[3]:.1f}<br>%{y:.4f} bits per dimension<extra></extra>"
        ),
    )


def _pattern(shape: str, colors: Palette) -> dict[str, object]:
    """A second cue beside the color."""
    line = {"fgcolor": colors.background, "size": 6, "solidity": 0.2}
    return {"shape": shape, "fillmode": "overlay", **line}


def _cumulative(figure: go.Figure, found: Split, bars: _Bars, colors: Palette) -> None:
    """What has been paid on the way from noise to data, on the right axis."""
    bound, (data, noise) = found.bound, bars.ends
    paid = bound.prior + np.concatenate([[0.0], np.cumsum(bound.steps.numpy())])
    figure.add_scatter(
        x=[noise + bars.room, noise, *bars.clean, data - bars.room],
        y=[bound.prior, *paid, bound.total],
        yaxis="y2",
        mode="lines",
        line={"color": colors.text, "width": 2, "dash": "dot"},
        hovertemplate="paid so far: %{y:.3f} bits<extra></extra>",
    )
    figure.add_annotation(
        x=data - bars.room,
        y=bound.total,
        yref="y2",
        text=f"sum {_bits(bound.total)}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        xshift=-8,
        font={"color": colors.text, "size": 15},
    )


def _axes(figure: go.Figure, found: Split, bars: _Bars) -> None:
    bound, (data, noise) = found.bound, bars.ends
    ticks = {data - bars.room: "last<br>decoder", **bars.ticks, noise + bars.room: "prior"}
    top = 1.15 * max(float(bound.steps.max()), bound.reconstruction, bound.prior)
    figure.update_layout(
        showlegend=False,
        barmode="overlay",
        bargap=0,
        xaxis={
            "title": bars.title,
            "range": [data - 2 * bars.room, noise + 2 * bars.room],
            "tickvals": list(ticks),
            "ticktext": list(ticks.values()),
            "tickangle": 0,
        },
        yaxis={"title": "bits per dimension of each term", "range": [0, top]},
        yaxis2={
            "title": "added up, from noise to data",
            "overlaying": "y",
            "side": "right",
            "range": [0, 1.15 * bound.total],
            "tickmode": "auto",
            "nticks": 6,
            "showgrid": False,
        },
    )


def growth_chart(
    lines: Sequence[Growth], steps: int, total: float, end: float, colors: Palette
) -> go.Figure:
    """The bound of some schedules against the number of steps.

    Args:
        lines: the schedules, the chosen one last.
        steps: T on show.
        total: the bound there.
        end: what the chosen one tends to.
        colors: the reader's palette.
    """
    figure = go.Figure()
    figure.add_hline(y=end, line={"color": colors.muted, "width": 1.5, "dash": "dash"})
    for line in lines:
        shown, chosen = look(line.config.name), line is lines[-1]
        figure.add_scatter(
            x=list(GROWTH),
            y=list(line.totals),
            mode="lines",
            name=line.config.title.split(" (")[0],
            line={
                "color": shown.color(colors),
                "width": 4 if chosen else 2,
                "dash": ",".join(f"{n}px" for n in shown.dash.split()) or "solid",
            },
            hovertemplate="T = %{x:,}: %{y:.4g} bits",
        )
    figure.add_scatter(
        x=[steps],
        y=[total],
        mode="markers",
        marker={"size": 12, "color": colors.path, "line": {"color": colors.background, "width": 2}},
        showlegend=False,
        hovertemplate="shown: T = %{x:,}, %{y:.4g} bits<extra></extra>",
    )
    figure.add_annotation(
        x=0,
        y=math.log10(end),
        text=f"T → ∞: {_bits(end)}",
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        yshift=1,
        font={"color": colors.muted, "size": 14},
    )
    most = min(max(max(line.totals) for line in lines), _HIGHEST)
    powers = {1: "1", 2: "2", 5: "5", 10: "10", 30: "30", 100: "100", 300: "300", 1000: "1,000"}
    figure.update_layout(
        xaxis={
            "title": "T (log axis)",
            "type": "log",
            "range": [-0.05, 3.1],
            "tickvals": [1, 3, 10, 30, 100, 300, 1000],
            "ticktext": ["1", "3", "10", "30", "100", "300", "1,000"],
        },
        yaxis={
            "title": "bound, bits per dimension (log axis)",
            "type": "log",
            "range": [math.log10(end) - 0.12, math.log10(most) + 0.1],
            "tickvals": list(powers),
            "ticktext": list(powers.values()),
        },
    )
    return figure


def _bits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"
