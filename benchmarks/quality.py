"""Quality against the number of evaluations, measured and drawn.

What is measured, and why in this setting, says ``python -m diffviz quality --help``; this draws the
chart of docs/measurements.md of it, too.

Usage: python benchmarks/quality.py [--svg docs/quality.svg]
           [--json diffviz/studies/figures/quality.json]
           [--data grid25] [--schedule rectified_flow] [--spacing quadratic] [--exact-only]
           [--samples 4000] [--seeds 3]

The last line of what is printed is one JSON object.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diffviz.core.samplers import SAMPLERS
from diffviz.data.points import INFO
from diffviz.measures.quality import Row
from diffviz.scenes.configs import SCHEDULE_TEXT, SPACING_TEXT
from diffviz.studies.command import Command
from diffviz.studies.sweeps import SHOWN, add_options, sweep
from diffviz.ui.screens.arena.chart import sampler_colors, spread
from diffviz.ui.shell.theme import LIGHT

# The chart --------------------------------------------------------------------------------------

WIDTH, PLOT_HEIGHT, LEFT, RIGHT, TOP, BOTTOM, BETWEEN = 980, 400, 64, 214, 66, 60, 40
FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"
TICKS = (1, 2, 5, 10, 20, 50, 100)


class Axes:
    """Two log axes in a box of pixels."""

    def __init__(
        self, left: float, width: float, x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        self.left, self.width = left, width
        self.x_ends = math.log10(x[0]), math.log10(x[1])
        self.y_ends = math.log10(y[0]), math.log10(y[1])

    def x(self, value: float) -> float:
        """Where a number of evaluations is."""
        low, high = self.x_ends
        return self.left + self.width * (math.log10(value) - low) / (high - low)

    def y(self, value: float) -> float:
        """Where a distance is; those beyond an end are drawn there."""
        low, high = self.y_ends
        share = (min(max(math.log10(max(value, 1e-9)), low), high) - low) / (high - low)
        return TOP + PLOT_HEIGHT * (1 - share)


def text(x: float, y: float, words: str, color: str, anchor: str = "start", **more: object) -> str:
    """A piece of text."""
    rest = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    size = "" if "font_size" in more else ' font-size="14"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}"{size}{rest}>'
        f"{escape(words)}</text>"
    )


def segment(x: float, y: float, x2: float, y2: float, color: str, more: str = "") -> str:
    """A straight line."""
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" {more}/>'


def frame(axes: Axes, title: str, first: bool) -> list[str]:
    """Grid, ticks and title of a panel."""
    parts = [text(axes.left, TOP - 14, title, LIGHT.text, font_size=16, font_weight=600)]
    bottom, right = TOP + PLOT_HEIGHT, axes.left + axes.width
    for tick in TICKS:
        x = axes.x(tick)
        parts.append(segment(x, TOP, x, bottom, LIGHT.grid))
        parts.append(text(x, bottom + 20, f"{tick}", LIGHT.muted, "middle"))
    low, high = (10**end for end in axes.y_ends)
    for tick in (m * 10.0**e for e in range(-4, 2) for m in (1, 2, 5)):
        if low <= tick <= high:
            parts.append(segment(axes.left, axes.y(tick), right, axes.y(tick), LIGHT.grid))
            if first:
                parts.append(text(axes.left - 8, axes.y(tick) + 5, f"{tick:g}", LIGHT.muted, "end"))
    parts.append(segment(axes.left, bottom, right, bottom, LIGHT.muted))
    parts.append(segment(axes.left, TOP, axes.left, bottom, LIGHT.muted))
    middle = axes.left + axes.width / 2
    parts.append(
        text(
            middle,
            bottom + 44,
            "Evaluations of the denoiser (NFE), log scale",
            LIGHT.text,
            "middle",
        )
    )
    return parts


def line(axes: Axes, rows: Sequence[Row], color: str, metric: str, strong: bool) -> list[str]:
    """A sampler's line with its error bars; hollow dots where it adds noise."""
    width = 2.6 if strong else 1.3
    points = [(axes.x(row.evaluations), row) for row in rows]
    path = " ".join(f"{x:.1f},{axes.y(row.mean[metric]):.1f}" for x, row in points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>']
    fill = LIGHT.background if SAMPLERS[rows[0].sampler]().stochastic else color
    for x, row in points:
        mean, error = row.mean[metric], row.error[metric]
        parts.append(segment(x, axes.y(mean - error), x, axes.y(mean + error), color))
        parts.append(
            f'<circle cx="{x:.1f}" cy="{axes.y(mean):.1f}" r="{3.6 if strong else 2.6}" '
            f'fill="{fill}" stroke="{color}" stroke-width="1.3"/>'
        )
    return parts


def labels(axes: Axes, lines: dict[str, list[Row]], metric: str) -> list[str]:
    """Every line's name right of it; lines that agree everywhere share a name."""
    tints = sampler_colors(LIGHT)
    groups: list[list[str]] = []
    for name, rows in lines.items():
        means = [row.mean[metric] for row in rows]
        for group in groups:
            other = [row.mean[metric] for row in lines[group[0]]]
            if len(other) == len(means) and all(
                abs(a - b) <= 0.01 * a for a, b in zip(means, other, strict=True)
            ):
                group.append(name)
                break
        else:
            groups.append([name])
    wanted = [-axes.y(lines[group[0]][-1].mean[metric]) for group in groups]
    places = spread(wanted, 21, -(TOP + PLOT_HEIGHT), -TOP)
    parts = []
    for group, height, place in zip(groups, wanted, places, strict=True):
        tint, end = tints[group[0]], lines[group[0]][-1]
        x, right = axes.x(end.evaluations), axes.left + axes.width
        parts.append(segment(x + 5, -height, right + 14, -place, tint, 'stroke-opacity="0.6"'))
        names = ", ".join(SAMPLERS[name].short for name in group)
        weight = 700 if any(name in SHOWN for name in group) else 400
        parts.append(text(right + 18, -place + 5, names, tint, font_weight=weight))
    return parts


def chart(rows: Sequence[Row], metric: str, title: str, note: str) -> str:
    """The chart as SVG on a light card, so that it reads on any page."""
    kinds = list(dict.fromkeys(row.denoiser for row in rows if row.sampler))
    floor = next(row.mean[metric] for row in rows if not row.sampler)
    values = [row.mean[metric] for row in rows if row.sampler]
    y = min(floor, *values) * 0.85, min(max(values), 1.5) * 1.05
    x = 0.9, max(row.evaluations for row in rows) * 1.08
    room = (WIDTH - LEFT - RIGHT - BETWEEN * (len(kinds) - 1)) / len(kinds)
    tints, parts = sampler_colors(LIGHT), []
    for k, kind in enumerate(kinds):
        axes = Axes(LEFT + k * (room + BETWEEN), room, x, y)
        parts += frame(axes, f"{kind.capitalize()} denoiser", k == 0)
        parts.append(
            segment(
                axes.left, axes.y(floor), axes.left + room, axes.y(floor), LIGHT.data,
                'stroke-width="1.8" stroke-dasharray="7 5"',
            )
        )  # fmt: skip
        parts.append(text(axes.left + 6, axes.y(floor) - 6, "fresh data (the floor)", LIGHT.data))
        lines: dict[str, list[Row]] = {}
        for row in sorted(rows, key=lambda row: row.evaluations):
            if row.denoiser == kind and row.sampler and metric in row.mean:
                lines.setdefault(row.sampler, []).append(row)
        for name in sorted(lines, key=lambda name: name in SHOWN):
            parts += line(axes, lines[name], tints[name], metric, name in SHOWN)
        if k == len(kinds) - 1:
            parts += labels(axes, lines, metric)
    height = TOP + PLOT_HEIGHT + BOTTOM + 26
    parts.append(text(LEFT - 46, 26, title, LIGHT.text, font_size=18, font_weight=600))
    parts.append(text(LEFT - 46, height - 14, note, LIGHT.muted, font_size=13))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="{FONT}" role="img" aria-label="{escape(title)}">\n'
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="{LIGHT.background}"/>\n'
        f"{body}\n</svg>\n"
    )


def main() -> None:
    """Measure, print, and write what is asked for."""
    parser = Command(description=__doc__)
    add_options(parser)
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the chart there")
    given = parser.parse_args()
    found = sweep(given)
    how = (
        f"{INFO[given.data].title}, {SCHEDULE_TEXT[given.schedule].title.lower()} path, "
        f"{SPACING_TEXT[given.spacing].title.lower()} stops; {given.samples:,} samples, mean of "
        f"{given.seeds} runs, bars: standard error; hollow: adds noise."
    )
    print(how)
    if given.svg is not None:
        title = "Sliced Wasserstein-2 to fresh data, by cost"
        given.svg.write_text(chart(found.rows, "sliced_wasserstein", title, how), encoding="utf-8")
    found.tell()


if __name__ == "__main__":
    main()
