"""Figures of the bill: quality against cost, and which classes are made.  Pure: data to figure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import plotly.graph_objects as go

from diffviz.studies.bill import Row, SetBill, amount, duration
from diffviz.ui.shell.theme import Palette

SHORT: dict[str, str] = {
    "vae2": "VAE 2",
    "vae2_latent": "VAE 2 + prior",
    "vae": "VAE 16",
    "vae_latent": "VAE 16 + prior",
    "gan": "GAN",
    "diffusion": "diffusion",
    "vae_refined": "VAE refined",
    "gan_refined": "GAN refined",
}
"""What the chart calls each row."""

_FROM = {
    "vae2_latent": "vae2",
    "vae_latent": "vae",
    "vae_refined": "vae",
    "gan_refined": "gan",
}
_SYMBOLS = {"vae": "circle", "gan": "square", "diffusion": "diamond"}
_GLYPHS = {"vae": "●", "gan": "■", "diffusion": "◆"}
_OPEN_GLYPHS = {"vae": "○", "gan": "□", "diffusion": "◇"}
_FREQUENT = 0.1  # the share of each of ten classes that are asked for evenly

# The plot's inner sizes that labels are placed for: 390 x 844, 1024 x 768, 1280 x 720, 1440 x 900.
_SIZES = ((297, 370), (407, 402), (571, 373), (673, 481))
_LETTER, _CAPITAL, _LINE = 6.4, 2.6, 18  # of a label, in pixels; capitals are wider
_STRIDE = 8  # between two places of a line that labels keep clear of
_MARK = 8  # half a mark
_PAD = 0.14  # of the range, at either end
_SWEEPS = 8  # rounds in which every label may move
_OUTSIDE = 5  # what a label that leaves the plot, and so prints on the axis, counts


@dataclass(frozen=True)
class Cost:
    """Something that a picture costs.

    Attributes:
        title: what the chooser calls it.
        axis: what the axis is, with its unit.
        of: a row's.
        words: a value in words.
        ticks: where the axis may have a number.
    """

    title: str
    axis: str
    of: Callable[[Row], float]
    words: Callable[[float], str]
    ticks: tuple[float, ...]


def _decades(first: int, last: int, steps: Sequence[int] = (1, 3)) -> tuple[float, ...]:
    return tuple(step * 10.0**p for p in range(first, last) for step in steps)


COSTS: dict[str, Cost] = {
    "time": Cost(
        "Time",
        "Time for a picture, log scale",
        lambda row: row.seconds_per_sample,
        duration,
        _decades(-6, 3),
    ),
    "calls": Cost(
        "Network calls",
        "Network calls for a picture, log scale",
        lambda row: row.nfe,
        lambda value: f"{value:,.0f}",
        _decades(0, 4, (1, 2, 5)),
    ),
    "macs": Cost(
        "Multiply-adds",
        "Multiply-adds for a picture, log scale",
        lambda row: row.macs_per_sample,
        amount,
        _decades(4, 14),
    ),
    "training": Cost(
        "Training time",
        "Time to train all that takes part, log scale",
        lambda row: row.train_seconds,
        duration,
        (1, 3, 10, 30, 60, 180, 600, 1800, 3600, 3 * 3600, 10 * 3600, 30 * 3600, 100 * 3600),
    ),
}
"""What the chart's horizontal axis can be, by the word in the address."""


def kind_colors(colors: Palette) -> dict[str, str]:
    """The colour of each kind of generator; diffusion has that of learned denoisers."""
    return {"vae": colors.classes[7], "gan": colors.classes[6], "diffusion": colors.learned}


def kind_mark(row: Row) -> str:
    """The sign of a row: a shape for its kind, open where diffusion was joined to it."""
    return (_OPEN_GLYPHS if row.key in _FROM else _GLYPHS)[row.kind]


# Quality against cost ---------------------------------------------------------------------------


def cost_chart(found: SetBill, cost: Cost, colors: Palette) -> go.Figure:
    """Frechet distance against a cost, both on log axes, every row with its name.

    Args:
        found: the figures of a set.
        cost: the horizontal axis.
        colors: the palette.
    """
    rows, figure, tints = found.rows, go.Figure(), kind_colors(colors)
    xs = _range([cost.of(row) for row in rows], _PAD)
    ys = _range([row.frechet for row in rows] + [found.floor.frechet], _PAD * 0.8)
    for row in rows:
        base = found.row(_FROM.get(row.key, ""))
        if base is not None:
            _join(figure, (cost.of(base), base.frechet), (cost.of(row), row.frechet), colors)
    for row in rows:
        joined = row.key in _FROM
        figure.add_scatter(
            x=[cost.of(row)],
            y=[row.frechet],
            mode="markers",
            marker={
                "symbol": _SYMBOLS[row.kind],
                "size": 13,
                "color": colors.background if joined else tints[row.kind],
                "line": {"color": tints[row.kind], "width": 2.5},
            },
            name=row.title,
            hovertemplate=f"{row.title}<br>{cost.words(cost.of(row))}, Fréchet distance "
            f"{row.frechet:.3g}<extra></extra>",
        )
    figure.add_hline(found.floor.frechet, line={"color": colors.data, "dash": "dash", "width": 2})
    figure.add_annotation(
        xref="paper",
        x=1,
        y=math.log10(found.floor.frechet),
        text=_floor_words(found),
        showarrow=False,
        xanchor="right",
        yanchor="top",
        font={"color": colors.data, "size": 14},
    )
    plots = tuple(_plot(found, rows, cost, xs, ys, *size) for size in _SIZES)
    sizes = tuple((_width(SHORT[row.key]), _LINE) for row in rows)
    for row, (dx, dy) in zip(rows, placed(plots, sizes), strict=True):
        figure.add_annotation(
            x=math.log10(cost.of(row)),
            y=math.log10(row.frechet),
            text=SHORT[row.key],
            showarrow=False,
            xshift=dx,
            yshift=-dy,
            font={"color": tints[row.kind], "size": 14.5},
        )
    _axes(figure, cost, xs, ys)
    return figure


def _plot(
    found: SetBill,
    rows: Sequence[Row],
    cost: Cost,
    xs: tuple[float, float],
    ys: tuple[float, float],
    width: float,
    height: float,
) -> Plot:
    """Where the marks and all else that labels keep clear of lie in a plot of that size."""

    def place(row: Row) -> tuple[float, float]:
        return _share(cost.of(row), xs) * width, (1 - _share(row.frechet, ys)) * height

    floor = (1 - _share(found.floor.frechet, ys)) * height
    words = _width(_floor_words(found))
    taken = [Box(width - words, floor, width, floor + _LINE), Box(0, floor - 2, width, floor + 2)]
    for row in rows:
        base = found.row(_FROM.get(row.key, ""))
        if base is not None:
            (x, y), (u, v) = place(base), place(row)
            parts = max(int(math.hypot(u - x, v - y) / _STRIDE), 1)
            shares = [k / parts for k in range(1, parts)]
            taken += [Box.around(x + s * (u - x), y + s * (v - y), 3, 3) for s in shares]
    return Plot(width, height, tuple(place(row) for row in rows), tuple(taken))


def _width(label: str) -> float:
    """About how wide a label is, in pixels."""
    return _LETTER * len(label) + _CAPITAL * sum(c.isupper() for c in label)


def _floor_words(found: SetBill) -> str:
    return f"real pictures: {found.floor.frechet:.2g}"


def _join(
    figure: go.Figure, base: tuple[float, float], end: tuple[float, float], colors: Palette
) -> None:
    """A thin line from a generator to what diffusion makes of it."""
    figure.add_scatter(
        x=[base[0], end[0]],
        y=[base[1], end[1]],
        mode="lines",
        line={"color": colors.noise, "width": 1.4, "dash": "dot"},
        hoverinfo="skip",
    )


def _axes(figure: go.Figure, cost: Cost, xs: tuple[float, float], ys: tuple[float, float]) -> None:
    ticks = _few([tick for tick in cost.ticks if xs[0] <= math.log10(tick) <= xs[1]])
    figure.update_xaxes(
        type="log",
        title=cost.axis,
        range=list(xs),
        tickvals=ticks,
        ticktext=[cost.words(tick).replace(".0 ", " ") for tick in ticks],
    )
    levels = [v for v in _decades(-3, 5, (1, 2, 5)) if ys[0] <= math.log10(v) <= ys[1]]
    figure.update_yaxes(
        type="log",
        title="Fréchet distance, log scale (less is better)",
        range=list(ys),
        tickvals=levels,
        ticktext=[f"{level:g}" for level in levels],
    )
    figure.update_layout(showlegend=False, hovermode="closest")


def _few(ticks: list[float], most: int = 7) -> list[float]:
    """At most so many of them, the same distance apart."""
    return ticks[:: -(-len(ticks) // most)] if ticks else ticks


def _range(values: Sequence[float], pad: float) -> tuple[float, float]:
    """The ends of a log axis that holds positive values and some room."""
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(high - low, 0.6) * pad + 0.05
    return low - room, high + room


def _share(value: float, ends: tuple[float, float]) -> float:
    return (math.log10(value) - ends[0]) / (ends[1] - ends[0])


# Labels -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether both share some area."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        """The rectangle of that size with its middle at (x, y)."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


@dataclass(frozen=True)
class Plot:
    """A plot in pixels, from its upper left corner, y downwards.

    Attributes:
        width: of its inside.
        height: of its inside.
        points: (x, y) of the marks.
        taken: what labels must not cover besides the marks.
    """

    width: float
    height: float
    points: tuple[tuple[float, float], ...]
    taken: tuple[Box, ...] = ()

    def label(self, k: int, place: tuple[float, float], size: tuple[float, float]) -> Box:
        """The label of a mark whose middle is that far from it."""
        x, y = self.points[k]
        return Box.around(x + place[0], y + place[1], *size)

    def clashes(self, k: int, own: Box) -> int:
        """How much the label of a mark meets: other marks, what is taken; the edge most."""
        marks = [
            Box.around(x, y, 2 * _MARK, 2 * _MARK) for j, (x, y) in enumerate(self.points) if j != k
        ]
        inside = own.left >= 0 <= own.top and own.right <= self.width and own.bottom <= self.height
        return _OUTSIDE * (not inside) + sum(own.meets(box) for box in (*marks, *self.taken))


@lru_cache(maxsize=32)
def placed(
    plots: tuple[Plot, ...], sizes: tuple[tuple[float, float], ...]
) -> tuple[tuple[float, float], ...]:
    """Where the middles of labels go, from their marks, so that nothing is covered.

    Every label in turn takes the place that meets the least, the nearest of those first, and again
    while that changes anything (iterated conditional modes); of several orders of the turns the
    one with the fewest meetings is taken.

    Args:
        plots: the same marks in plots of several sizes; the places suit all of them.
        sizes: (width, height) of the labels, in pixels.
    """
    every = range(len(sizes))
    places = [list(_places(width)) for width, _ in sizes]
    boxes = [
        [[plot.label(k, place, sizes[k]) for plot in plots] for place in places[k]] for k in every
    ]
    fixed = [
        [
            sum(plot.clashes(k, box) for plot, box in zip(plots, own, strict=True))
            for own in boxes[k]
        ]
        for k in every
    ]

    def meetings(k: int, n: int, chosen: Mapping[int, int]) -> int:
        others = [boxes[j][m] for j, m in chosen.items() if j != k]
        return fixed[k][n] + sum(
            own.meets(other[size]) for other in others for size, own in enumerate(boxes[k][n])
        )

    def arranged(order: Sequence[int]) -> tuple[int, dict[int, int]]:
        chosen: dict[int, int] = {}
        for _ in range(_SWEEPS):
            before = dict(chosen)
            for k in order:
                chosen[k] = min(range(len(places[k])), key=lambda n: (meetings(k, n, chosen), n))
            if chosen == before:
                break
        return sum(meetings(k, n, chosen) for k, n in chosen.items()), chosen

    orders = [[*every[start:], *every[:start]][::step] for start in every for step in (1, -1)]
    _, best = min((arranged(order) for order in orders), key=lambda found: found[0])
    return tuple(places[k][best[k]] for k in every)


def _places(width: float) -> Iterator[tuple[float, float]]:
    """Offsets of a label's middle from its point, the best first."""
    beside, over = _MARK + 4 + width / 2, _MARK + _LINE / 2 + 1
    yield from ((beside, 0.0), (-beside, 0.0), (0.0, -over), (0.0, over))
    for out in (-6, 6, 14):
        yield from itertools.product((beside + out, -beside - out), (-over, over))
    for dy in (-over - _LINE / 2, over + _LINE / 2, -over - _LINE, over + _LINE):
        yield from ((dx, dy) for dx in (0.0, beside - 6, 6 - beside, beside + 6, -beside - 6))


# Which classes are made -------------------------------------------------------------------------


def class_chart(rows: Sequence[Row], names: Sequence[str], colors: Palette) -> go.Figure:
    """Shares of the ten classes among the pictures of some rows, one above the other.

    Args:
        rows: one to four.
        names: of the classes, short.
        colors: the palette.
    """
    figure, tints = go.Figure(), kind_colors(colors)
    top = max(0.16, 1.1 * max(max(row.histogram) for row in rows))
    height = 1 / len(rows)
    for k, row in enumerate(rows):
        number = "" if k == 0 else str(k + 1)
        high = 1 - k * height
        figure.add_bar(
            x=list(range(len(names))),
            y=list(row.histogram),
            yaxis=f"y{number}",
            marker={"color": tints[row.kind]},
            name=row.title,
            customdata=list(names),
            hovertemplate="%{customdata}: %{y:.1%}<extra></extra>",
        )
        figure.update_layout(
            {
                f"yaxis{number}": {
                    "domain": [high - height + 0.03, high - 0.08],
                    "range": [0, top],
                    "tickvals": [0, _FREQUENT],
                    "tickformat": ".0%",
                }
            }
        )
        figure.add_shape(
            type="line",
            xref="paper",
            x0=0,
            x1=1,
            yref=f"y{number}",
            y0=_FREQUENT,
            y1=_FREQUENT,
            line={"color": colors.data, "dash": "dash", "width": 1.6},
        )
        figure.add_annotation(
            text=f"{row.title}: recall {row.recall:.2f}",
            xref="paper",
            yref="paper",
            x=0,
            y=high,
            xanchor="left",
            yanchor="top",
            showarrow=False,
            font={"size": 15},
        )
    figure.update_xaxes(
        showgrid=False,
        tickvals=list(range(len(names))),
        ticktext=list(names),
        tickangle=0 if max(map(len, names)) < 3 else -45,
        anchor=f"y{len(rows)}" if len(rows) > 1 else "y",
    )
    figure.update_layout(showlegend=False, bargap=0.25)
    return figure


def by_key(found: SetBill, keys: Sequence[str]) -> list[Row]:
    """The rows of those keys that were measured."""
    known: Mapping[str, Row] = {row.key: row for row in found.rows}
    return [known[key] for key in keys if key in known]
