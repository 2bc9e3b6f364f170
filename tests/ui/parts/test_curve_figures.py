"""Figures hold the numbers of the schedules, tell lines apart twice, and mark their axes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import plotly.graph_objects as go
import pytest

from diffviz.core.schedules import SCHEDULES, Linear, RectifiedFlow
from diffviz.measures.curves import QUANTITIES, chain
from diffviz.ui.parts.curve_figures import look, schedule_views
from diffviz.ui.shell.theme import DARK, LIGHT

SOME = [("linear", "Linear", Linear()), ("rectified_flow", "Rectified flow", RectifiedFlow())]


def traces(figure: go.Figure, number: int) -> list[go.Scatter]:
    axis = f"y{number}" if number > 1 else "y"
    return [trace for trace in figure.data if (trace.yaxis or "y") == axis]


def axis(figure: go.Figure, number: int) -> go.layout.YAxis:
    return figure.layout[f"yaxis{number}" if number > 1 else "yaxis"]


def test_every_schedule_has_a_look_of_its_own() -> None:
    looks = {name: look(name) for name in (*SCHEDULES, "loaded")}
    for (a, mine), (b, yours) in combinations(looks.items(), 2):
        assert mine.light != yours.light, (a, b)
        assert mine.dark != yours.dark, (a, b)
        if {a, b} != {"linear", "custom"}:  # the custom one has points as its second cue
            assert mine.dash != yours.dash, (a, b)
    assert looks["linear"].color(LIGHT) == looks["linear"].light
    assert looks["linear"].color(DARK) == looks["linear"].dark


def test_all_views_draw_the_numbers_of_the_schedules() -> None:
    figure = schedule_views(SOME, LIGHT)
    assert len(figure.data) == 7 * len(SOME)  # alpha and sigma are two lines
    beta = traces(figure, 1 + list(QUANTITIES).index("beta"))
    assert [trace.name for trace in beta] == ["Linear", "Rectified flow"]
    table = chain(Linear())
    for x, y in zip(beta[0].x, beta[0].y, strict=True):
        assert y == pytest.approx(table.beta[round(x * 1000) - 1].item(), rel=1e-5)


def test_all_views_name_their_axes_and_mark_logarithms() -> None:
    figure = schedule_views(SOME, LIGHT)
    headings = [note.text for note in figure.layout.annotations]
    for number, (view, heading) in enumerate(zip(QUANTITIES.values(), headings, strict=True), 1):
        assert heading.startswith(view.label)
        assert ("log axis" in heading) == (axis(figure, number).type == "log")
    assert figure.layout.xaxis5.title.text == "time t"
    assert figure.layout.uirevision == "views"


def test_overlaying_adds_lines_and_one_legend_entry_each() -> None:
    names = list(SCHEDULES)
    for count in (0, 1, len(names)):
        chosen = [(name, name, SCHEDULES[name]()) for name in names[:count]]
        figure = schedule_views(chosen, DARK)
        assert len(figure.data) == 7 * count
        assert sum(bool(trace.showlegend) for trace in figure.data) == count


def test_themes_differ_in_color_only() -> None:
    light, dark = schedule_views(SOME, LIGHT), schedule_views(SOME, DARK)
    for mine, yours in zip(light.data, dark.data, strict=True):
        assert mine.line.color != yours.line.color
        assert mine.line.dash == yours.line.dash
        np.testing.assert_array_equal(mine.y, yours.y)
