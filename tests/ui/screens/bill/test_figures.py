"""The bill on screen: labels that keep clear of each other, and sentences that follow figures."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from diffviz.studies.bill import SetBill, measured, read_bill
from diffviz.ui.screens.bill.figures import (
    COSTS,
    SHORT,
    Box,
    Plot,
    by_key,
    class_chart,
    cost_chart,
    placed,
)
from diffviz.ui.screens.bill.words import (
    about_classes,
    about_costs,
    about_joined,
    front,
    table_html,
)
from diffviz.ui.shell.theme import DARK, LIGHT

SETS = read_bill(
    json.loads((Path(__file__).parents[3] / "bill_sample.json").read_text("utf-8"))
).sets
MNIST = SETS["mnist"]
DIGITS = tuple("0123456789")


def with_row(found: SetBill, key: str, **changes: object) -> SetBill:
    rows = tuple(replace(row, **changes) if row.key == key else row for row in found.rows)
    return replace(found, rows=rows)


def test_labels_cover_neither_each_other_nor_marks_nor_what_is_taken() -> None:
    draw = random.Random(0)
    for _ in range(20):
        points = tuple((draw.uniform(60, 440), draw.uniform(40, 260)) for _ in range(6))
        taken = (Box(0, 290, 500, 310),)
        plot = Plot(500, 320, points, taken)
        sizes = tuple((draw.uniform(30, 90), 18.0) for _ in points)
        labels = [plot.label(k, at, sizes[k]) for k, at in enumerate(placed((plot,), sizes))]
        assert not any(a.meets(b) for a, b in combinations(labels, 2))
        for k, label in enumerate(labels):
            assert plot.clashes(k, label) == 0
            x, y = points[k]
            assert abs((label.left + label.right) / 2 - x) <= 26.01 + sizes[k][0] / 2
            assert abs((label.top + label.bottom) / 2 - y) < 50


def test_labels_suit_all_widths_at_once() -> None:
    narrow, wide = (Plot(w, 200, ((0.5 * w, 100), (0.5 * w + w / 8, 100))) for w in (240, 640))
    sizes = ((60.0, 18.0),) * 2
    places = placed((narrow, wide), sizes)
    for plot in (narrow, wide):
        a, b = (plot.label(k, place, sizes[k]) for k, place in enumerate(places))
        assert not a.meets(b)
        assert plot.clashes(0, a) == plot.clashes(1, b) == 0


def test_where_there_is_no_room_every_label_still_has_a_place() -> None:
    plot = Plot(60, 30, ((30, 15),) * 5)
    assert len(placed((plot,), ((50.0, 18.0),) * 5)) == 5


@pytest.mark.parametrize("key", COSTS)
@pytest.mark.parametrize("kept", ["mnist", "fashion", "made up"])
@pytest.mark.parametrize("size", [(297, 370), (407, 402), (571, 373), (673, 481)])
def test_no_two_names_meet_on_any_screen(key: str, kept: str, size: tuple[int, int]) -> None:
    """The plot's inside at 390 x 844, 1024 x 768, 1280 x 720 and 1440 x 900."""
    found = MNIST if kept == "made up" else measured(kept)
    assert found is not None
    figure = cost_chart(found, COSTS[key], LIGHT)
    spans = figure.layout.xaxis.range, figure.layout.yaxis.range
    boxes = []
    for note in figure.layout.annotations[1:]:
        x, y = (
            (at - low) / (high - low) * pixels
            for at, (low, high), pixels in zip((note.x, note.y), spans, size, strict=True)
        )
        boxes.append(Box.around(x + note.xshift, y + note.yshift, 6.4 * len(note.text), 16))
    assert len(boxes) == len(found.rows)
    assert not any(a.meets(b) for a, b in combinations(boxes, 2))


@pytest.mark.parametrize("key", COSTS)
@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_on_a_phone_no_label_prints_on_an_axis(key: str, name: str) -> None:
    found, width = measured(name), 293.0  # of the plot on a screen of 390
    assert found is not None
    figure = cost_chart(found, COSTS[key], LIGHT)
    low, high = figure.layout.xaxis.range
    for note in figure.layout.annotations[1:]:
        x = (note.x - low) / (high - low) * width + note.xshift
        assert x - 3.3 * len(note.text) >= 0
        assert x + 3.3 * len(note.text) <= width


@pytest.mark.parametrize("key", COSTS)
@pytest.mark.parametrize("name", SETS)
def test_the_chart_shows_every_row_at_its_cost(key: str, name: str) -> None:
    found, cost = SETS[name], COSTS[key]
    figure = cost_chart(found, cost, LIGHT)
    marks = {
        trace.name: (trace.x[0], trace.y[0]) for trace in figure.data if trace.mode == "markers"
    }
    assert marks == {row.title: (cost.of(row), row.frechet) for row in found.rows}
    texts = [note.text for note in figure.layout.annotations]
    assert sorted(texts[1:]) == sorted(SHORT[row.key] for row in found.rows)
    assert texts[0].startswith("real pictures")
    low, high = (10**end for end in figure.layout.xaxis.range)
    assert all(low < cost.of(row) < high for row in found.rows)
    assert all(low <= tick <= high for tick in figure.layout.xaxis.tickvals)
    joins = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(joins) == (4 if name == "mnist" else 0)


def test_bars_are_the_shares_that_were_measured() -> None:
    rows = by_key(MNIST, ("vae", "gan", "nothing"))
    figure = class_chart(rows, DIGITS, DARK)
    assert [tuple(bar.y) for bar in figure.data] == [row.histogram for row in rows]
    assert all(tuple(bar.customdata) == DIGITS for bar in figure.data)


def test_the_table_has_every_row_and_marks_the_best() -> None:
    text = table_html(MNIST, LIGHT)
    assert text.count("<tr") == 1 + 1 + len(MNIST.rows)
    assert "<b>2.2</b>" in text
    assert "<b>0.41 ms</b>" in text
    assert "GAN, refined by diffusion, t = 0.35" in text


def test_the_front_is_what_nothing_beats() -> None:
    kept = front(MNIST.rows)
    assert [row.key for row in kept] == ["vae2", "vae", "gan", "gan_refined", "diffusion"]
    for row in MNIST.rows:
        beaten = any(
            other.seconds_per_sample <= row.seconds_per_sample and other.frechet < row.frechet
            for other in MNIST.rows
        )
        assert (row in kept) == (not beaten)


def test_sentences_follow_the_figures() -> None:
    said = about_costs(MNIST)
    assert "**Diffusion comes nearest to the data**: Fréchet distance 2.2" in said
    assert "63 times as long, for a distance that is 28 times smaller" in said
    best = with_row(MNIST, "vae2", frechet=1.0)
    assert "It is the fastest, too" in about_costs(best)
    assert "Refining the GAN's samples pays: from 5.2 to 2.9 for 10 ms more" in about_joined(MNIST)
    worse = with_row(MNIST, "gan_refined", frechet=6.0)
    assert "Refining the GAN's samples does harm: from 5.2 to 6" in about_joined(worse)
    same = with_row(MNIST, "gan_refined", frechet=5.1)
    assert "Refining the GAN's samples changes little" in about_joined(same)
    assert about_joined(SETS["fashion"]) == ""


def test_a_class_that_is_hardly_made_is_named() -> None:
    assert "covers all ten classes**: the rarest is 5 with 9.0%" in about_classes(MNIST, DIGITS)
    shares = (0.11, 0.11, 0.11, 0.11, 0.11, 0.01, 0.11, 0.11, 0.11, 0.11)
    lost = with_row(MNIST, "gan", histogram=shares)
    assert "hardly makes some classes** (5)" in about_classes(lost, DIGITS)
