"""The Refine page's runs, words and figures: what they promise of the levels holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from diffviz.scenes.buffer import decode
from diffviz.scenes.refine import RefineRun, shown, strip
from diffviz.studies.refine import LEVELS, STEPS, Curve, Floor, Kind, Stored
from diffviz.ui.screens.refine import controls as refine_controls
from diffviz.ui.screens.refine.figures import FIGURES
from diffviz.ui.screens.refine.words import (
    about,
    answer,
    not_measured,
    strip_html,
    what_is_measured,
)
from diffviz.ui.shell.theme import DARK, LIGHT

RUN = RefineRun("mnist", "vae", 0.24, seed=3, count=4)


def made_up(**changed: Any) -> Stored:
    figures = {
        "levels": (0.0, 0.4, 0.8, 1.0),
        "calls": (0, 10, 20, 25),
        "frechet": (3.0, 2.0, 1.25, 0.95),
        "precision": (0.4, 0.5, 0.55, 0.6),
        "recall": (0.9, 0.91, 0.92, 0.93),
        "confidence": (0.6, 0.7, 0.8, 0.9),
        "stayed": (1.0, 0.8, 0.3, 0.1),
        "moved": (0.0, 0.2, 0.5, 0.6),
        "moved_features": (0.0, 0.4, 0.8, 1.0),
        "best": 1.0,
    }
    return Stored(1000, Floor(0.13, 0.86, 0.85, 0.99), Curve(**figures | changed))


def test_level_nought_shows_the_samples_as_they_are() -> None:
    run = replace(RUN, level=0.0)
    made = shown(run)
    assert (made.calls, made.frames) == (0, 1)
    np.testing.assert_array_equal(made.x, made.before)
    np.testing.assert_array_equal(made.seen, made.seen_before)
    assert "come back as they were" in about(run, made)


def test_the_player_has_a_frame_for_each_step_with_the_samples_beside() -> None:
    made = shown(RUN)
    assert (made.calls, made.frames, RUN.steps) == (6, 7, 6)
    header, arrays = decode(made.buffer)
    titles = [panel["title"] for panel in header["panels"]]
    assert titles == ["Samples of the VAE", "Refined at level 24%"]
    assert arrays["p1.x_t"].shape == (7, 4, 1, 28, 28)
    before = arrays["p0.x_t"]
    np.testing.assert_array_equal(before, np.broadcast_to(before[:1], before.shape))
    alpha, sigma = made.start
    assert alpha**2 + sigma**2 == pytest.approx(1)
    words = about(RUN, made)
    assert f"signal {alpha:.2f} and noise {sigma:.2f}" in words
    assert "6 calls" in words
    assert "without a class" in words


def test_the_strip_has_every_level_and_ends_on_samples_that_owe_nothing_to_the_first() -> None:
    found = strip(replace(RUN, level=0.0))
    assert found.levels == LEVELS
    assert found.x.shape == (len(LEVELS), 4, 1, 28, 28)
    made = shown(RUN)
    np.testing.assert_array_equal(found.x[0], made.before)
    np.testing.assert_allclose(found.x[LEVELS.index(0.24)], made.x, atol=1e-4)
    assert found.moved[0] == 0
    assert found.moved[1] < found.moved[4] < found.moved[-1]
    assert found.stayed[0] == 4
    whole = shown(replace(RUN, level=1.0))
    assert whole.calls == STEPS
    assert "fresh ones" in about(replace(RUN, level=1.0), whole)
    np.testing.assert_allclose(found.x[-1], whole.x, atol=1e-4)
    table = strip_html(RUN, found, made_up())
    assert table.count("<img") == len(LEVELS)
    assert table.count("dv-on") == 1
    assert table.index("dv-on") < table.index("24%") < table.index("32%")
    assert "100% ★" in table
    assert "40% ○" in table
    assert "★" not in strip_html(RUN, found, None)


def test_other_samples_for_another_seed() -> None:
    assert not np.array_equal(shown(RUN).before, shown(replace(RUN, seed=4)).before)


@pytest.mark.parametrize(
    ("changed", "opening", "also"),
    [
        ({}, "**Yes: at level 40% the VAE's", "to 0.95 at level 100%, where nothing"),
        ({"frechet": (3.0, 2.0, 1.25, 1.5), "best": 0.8}, "**Yes: at level 40%", "only 30.0% keep"),
        ({"frechet": (3.0, 1.0, 1.25, 1.5), "best": 0.4}, "**Yes: at level 40%", "No other level"),
        ({"stayed": (1.0, 0.6, 0.3, 0.1)}, "**Only by making others", "from 3"),
        ({"frechet": (0.5, 0.6, 0.7, 0.8), "best": 0.0}, "**No: no level", "0.6 at least"),
    ],
)
def test_the_answer_follows_from_the_figures(
    changed: dict[str, Any], opening: str, also: str
) -> None:
    words = answer("vae", made_up(**changed))
    assert words.startswith(opening)
    assert also.removeprefix("from ") in words
    assert "as many real pictures 0.13" in words
    assert words.endswith("which the bill and the three generators show.")
    assert "Distances of 1,000 samples are larger" in words


def test_a_gan_is_also_asked_for_its_class() -> None:
    words = answer("gan", made_up(agreement=(0.91, 0.95, 0.97, 0.99)))
    assert "the class asked for in 91.0% before and 95.0% after" in words
    assert "the class asked for" not in answer("vae", made_up())


def test_what_is_said_of_the_measurement() -> None:
    assert "1,000 samples" in what_is_measured(made_up())
    assert "python -m diffviz refine fashion --kinds gan --write" in not_measured("fashion", "gan")


def points(figure: go.Figure, symbol: str) -> list[tuple[float, float]]:
    return [
        (trace.x[0], trace.y[0])
        for trace in figure.data
        if trace.mode == "markers" and trace.marker.symbol == symbol
    ]


@pytest.mark.parametrize("colors", [LIGHT, DARK])
@pytest.mark.parametrize("name", list(FIGURES))
def test_every_chart_marks_the_best_level_and_the_one_on_show(name: str, colors: Any) -> None:
    found = made_up(agreement=(0.9, 0.95, 0.97, 0.99))
    first = {"frechet": "frechet", "moved": "moved", "confidence": "confidence"}
    values = getattr(found.curve, first.get(name, "precision"))
    figure = FIGURES[name].draw(found, 0.56, colors)
    assert points(figure, "star") == [(1.0, values[3])]
    assert points(figure, "circle") == [(0.4, values[1])]
    assert figure.layout.shapes[0].x0 == 0.56
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert all(tuple(trace.x) == found.curve.levels for trace in lines)
    assert tuple(lines[0].y) == values
    floors = [trace.y[0] for trace in figure.data if trace.mode == "lines"]
    expected = {"frechet": [0.13], "moved": [], "confidence": [0.99], "overlap": [0.86, 0.85]}
    assert floors == expected[name]
    low, high = figure.layout.yaxis.range
    ends = [value for trace in lines for value in trace.y] + floors
    shown_ends = np.log10(ends) if name == "frechet" else np.array(ends)
    assert low <= shown_ends.min()
    assert shown_ends.max() <= high


def test_the_page_starts_at_the_best_faithful_level(monkeypatch: pytest.MonkeyPatch) -> None:
    for kept, level in (
        (made_up(), 0.4),
        (made_up(frechet=(0.5, 0.6, 0.7, 0.8), best=0.0), 0.4),
        (made_up(stayed=(1.0, 0.9, 0.8, 0.1), moved=(0.0, 0.2, 0.3, 0.6)), 0.8),
        (None, 0.4),
    ):
        monkeypatch.setattr(refine_controls, "stored", lambda *_, kept=kept: kept)
        assert refine_controls.usual_level("mnist", "vae") == level


@pytest.mark.parametrize("kind", ["vae", "gan"])
def test_a_model_that_is_missing_is_said(
    kind: Kind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    real = refine_controls.source_pictures
    monkeypatch.setattr(
        refine_controls, "source_pictures", lambda *given: real(*given, folder=tmp_path)
    )
    monkeypatch.setattr(refine_controls.st, "warning", lambda body, icon: said.append(body))
    assert not refine_controls.is_here("mnist", kind)
    assert "python \\-m" in said[0] or "python -m" in said[0]
