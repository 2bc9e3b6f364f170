"""The page The bound: what it shows is the bound, and what it says is true of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffviz.scenes import bound as bound_run
from diffviz.scenes.bound import (
    COMPARED,
    GROWTH,
    RUNGS,
    BoundRun,
    climb,
    curve_of,
    growth,
    split,
)
from diffviz.scenes.configs import ScheduleConfig
from diffviz.studies import bound
from diffviz.studies.bill import Bits, Floor, SetBill
from diffviz.ui.screens.bound.controls import OVER
from diffviz.ui.screens.bound.figures import growth_chart, terms_chart
from diffviz.ui.screens.bound.words import (
    about,
    about_lines,
    compared_html,
    ladder_html,
    sum_html,
    vae_sentence,
)
from diffviz.ui.shell.theme import DARK, LIGHT

RUN = BoundRun()
FLOW = replace(RUN, schedule=ScheduleConfig("rectified_flow"))


@pytest.mark.parametrize("pictures", ["mnist", "fashion"])
@pytest.mark.parametrize("told", bound.CONDITIONS)
def test_every_shipped_curve_gives_a_bound_above_its_limit(pictures: str, told: str) -> None:
    found = split(replace(RUN, pictures=pictures, told=told))
    assert len(found.bound.steps) == RUN.steps
    assert found.bound.total > found.limit.total > 1
    assert found.limit.total < 4 < 8
    parts = found.bound.prior + float(found.bound.steps.sum()) + found.bound.reconstruction
    assert found.bound.total == pytest.approx(parts)
    assert found.bytes_a_picture == pytest.approx(98 * found.bound.total)


def test_schedules_that_end_in_noise_meet_and_one_that_does_not_pays_for_it() -> None:
    lines = growth(replace(RUN, steps=1000))
    assert [line.config.name for line in lines] == [
        *(name for name in COMPARED if name != "cosine"),
        "cosine",
    ]
    for line in lines:
        assert list(line.totals) == sorted(line.totals, reverse=True)
    ends = [split(replace(RUN, schedule=line.config)).limit.total for line in lines]
    assert max(ends) - min(ends) < 1e-3
    short = ScheduleConfig("edm", params=(("sigma_max", 1.0),))
    found = split(replace(RUN, schedule=short))
    assert found.bound.prior > 0.05
    assert "before all is noise" in about_lines(replace(RUN, schedule=short), found)


def test_stops_even_in_log_snr_leave_no_choice_of_schedule() -> None:
    one, two = (
        split(replace(RUN, schedule=ScheduleConfig(name), spacing="log_snr")).bound.total
        for name in ("linear", "cosine")
    )
    assert one == pytest.approx(two, rel=1e-3)
    assert "fall together" in about_lines(replace(RUN, spacing="log_snr"), split(RUN))


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("run", [RUN, replace(RUN, steps=1), replace(FLOW, steps=300)])
def test_the_chart_holds_every_term_once_and_their_sum(run: BoundRun, over: str) -> None:
    found = split(run)
    figure = terms_chart(found, over, LIGHT)  # type: ignore[arg-type]
    steps, last, prior, paid = figure.data
    np.testing.assert_allclose(steps.y, found.bound.steps.numpy())
    assert last.y[0] == found.bound.reconstruction
    assert prior.y[0] == found.bound.prior
    assert paid.y[-1] == pytest.approx(sum(steps.y) + last.y[0] + prior.y[0])
    assert all(b >= a for a, b in zip(paid.y, paid.y[1:], strict=False))
    places = [last.x[0], *steps.x[::-1], prior.x[0]]  # data first
    assert places == sorted(places, reverse=over == "log_snr")
    ends = figure.layout.xaxis.range
    assert all(min(ends) < x < max(ends) for x in places)
    assert all(math.isfinite(x) for x in (*places, *paid.x))


def test_bars_touch_each_other() -> None:
    steps = terms_chart(split(replace(RUN, steps=200)), "t", DARK).data[0]
    left, right = steps.x - steps.width / 2, steps.x + steps.width / 2
    np.testing.assert_allclose(left[:-1], right[1:], atol=1e-12)
    assert right[0] == 1


def test_the_other_chart_marks_what_is_shown() -> None:
    found = split(RUN)
    figure = growth_chart(growth(RUN), RUN.steps, found.bound.total, found.limit.total, LIGHT)
    *lines, marked = figure.data
    assert (marked.x[0], marked.y[0]) == (RUN.steps, found.bound.total)
    assert lines[-1].y[GROWTH.index(RUN.steps)] == pytest.approx(found.bound.total)
    assert lines[-1].line.width > lines[0].line.width


def test_the_ladder_starts_at_the_picture_and_ends_in_noise() -> None:
    found = climb(replace(FLOW, pictures="fashion"))
    assert found.real
    assert len(found.t) == RUNGS
    assert found.t[-1] == 1
    assert np.abs(found.x_t[0] - found.x_0[0]).max() < 0.05
    assert abs(np.corrcoef(found.x_t[-1].ravel(), found.x_0[0].ravel())[0, 1]) < 0.15
    html = ladder_html(found, "piece", DARK)
    assert html.count("<figure") == 2 * RUNGS
    assert "a real piece" in html
    gaps = [float(np.square(x - found.x_0[0]).mean()) for x in found.x_0]
    assert gaps[0] <= gaps[2] < gaps[4] < gaps[6]


def test_the_words_give_the_numbers_of_the_bound() -> None:
    found = split(RUN)
    words = about(RUN, found)
    assert f"{found.limit.total:.2f} ± " in words
    assert "500 test pictures" in words
    share = float(found.bound.steps.max()) / found.bound.total
    assert f"takes {share:.0%} of it all" in words
    html = sum_html(RUN, found, LIGHT)
    for value in (found.bound.total, float(found.bound.steps.sum()), found.bound.reconstruction):
        assert f">{value:.2f}<" in html
    assert "50 learned steps" in html
    assert "51, each as large" in compared_html(RUN, found)
    long = replace(RUN, steps=1000, spacing="log_snr", schedule=ScheduleConfig("ve"))
    assert "is enough" not in words
    assert "higher" in about(long, split(long))
    one = replace(RUN, steps=1)
    assert "dearest" not in about(one, split(one))
    assert "asked once" in compared_html(one, split(one))


def test_a_class_that_is_told_is_said() -> None:
    run = replace(RUN, told="class")
    assert "is told their class" in about(run, split(run))
    assert curve_of(run) != curve_of(RUN)


def test_a_schedule_without_noise_is_refused_in_words() -> None:
    params = (("beta_start", 1e-6), ("beta_end", 2e-6))
    clean = replace(RUN, schedule=ScheduleConfig("linear", 2, params))
    with pytest.raises(ValueError, match="never has as much noise"):
        split(replace(clean, last=6.0))


def test_missing_curves_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = json.loads(bound.KEPT.read_text())
    place = tmp_path / "bound.json"
    place.write_text(json.dumps({"fashion": kept["fashion"]}))
    monkeypatch.setattr(bound_run, "_curves", lambda: bound.read_curves(place))
    with pytest.raises(ValueError, match="Nothing has been measured for mnist"):
        split(RUN)
    place.unlink()
    with pytest.raises(ValueError, match="missing or damaged"):
        split(RUN)


def test_no_sentence_about_vaes_that_were_not_measured() -> None:
    assert vae_sentence(RUN, None, 2.0) == ""
    assert vae_sentence(RUN, SetBill(10, Floor(1.0, 1.0, 1.0), (), {}), 2.0) == ""


def test_measured_vaes_stand_beside_the_bound() -> None:
    bits = {2: Bits(5.5, 5.4, 0.1), 16: Bits(4.25, 4.0, 0.25)}
    words = vae_sentence(RUN, SetBill(10, Floor(1.0, 1.0, 1.0), (), bits), 2.79)
    assert "with 16 latent numbers comes to 4.25" in words
    assert "chain of 50 has 2.79" in words


def test_the_picture_on_the_ladder_is_within_the_pixels_range() -> None:
    found = climb(replace(RUN, pictures="mnist"))
    assert not found.real
    assert np.abs(found.x_0).max() <= 1
    assert torch.isfinite(torch.from_numpy(found.x_t)).all()
