"""Lines hold the numbers of the schedules, axes stay put, a turned number turns what it should."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from diffviz.core.grids import make_grid
from diffviz.core.schedules import EDM, SCHEDULES, Cosine, Linear, zero_terminal_snr
from diffviz.measures.curves import QUANTITIES, curve
from diffviz.scenes.configs import ScheduleConfig
from diffviz.scenes.overlay import AXES, Overlay, Turned, axis_of, drawn, line_of
from diffviz.scenes.plays import Play, play_of

LINEAR = ScheduleConfig("linear")
SOME = Overlay((LINEAR, ScheduleConfig("cosine"), ScheduleConfig("edm")))


@pytest.mark.parametrize("name", list(QUANTITIES))
def test_a_line_is_the_curve(name: str) -> None:
    for key, kind in SCHEDULES.items():
        line = line_of(key, key, kind(), name)
        t, columns = curve(kind(), name)
        np.testing.assert_allclose(line.t, t.numpy(), rtol=1e-5)
        assert len(line.columns) == len(columns)
        for mine, theirs in zip(line.columns, columns, strict=True):
            np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-5)


def test_what_was_before_is_kept_apart() -> None:
    after = zero_terminal_snr(Linear(10))
    line = line_of("linear", "Linear", after, "alpha_bar", before=Linear(10))
    assert line.before is not None
    times, (alpha_bar,) = line.before
    assert times[-1] == 1
    assert line.columns[0][-1] == 0
    assert alpha_bar[-1] == pytest.approx(Linear(10).alphas_bar[-1].item(), rel=1e-5)


def test_only_single_noisings_are_dotted() -> None:
    assert line_of("linear", "", Linear(), "beta").dotted
    assert not line_of("linear", "", Linear(), "alpha_bar").dotted
    assert not line_of("edm", "", EDM(), "beta").dotted


def test_axes_stay_put_until_values_outgrow_them() -> None:
    small = [line_of("linear", "", Linear(), "alpha_sigma")]
    large = [*small, line_of("edm", "", EDM(), "alpha_sigma")]
    assert (axis_of("alpha_sigma", small).log, axis_of("alpha_sigma", large).log) == (False, True)
    assert axis_of("alpha_sigma", large).high == 100
    assert axis_of("alpha_sigma", large, "linear").high == 100
    assert axis_of("alpha_bar", small).high == axis_of("alpha_bar", []).high == 1
    assert axis_of("beta", [line_of("cosine", "", Cosine(), "beta")], "linear").high == 1


@pytest.mark.parametrize("kind", AXES)
@pytest.mark.parametrize("name", list(QUANTITIES))
def test_every_axis_can_be_drawn(name: str, kind: str) -> None:
    for lines in ([], [line_of(key, "", make(), name) for key, make in SCHEDULES.items()]):
        made = axis_of(name, lines, kind)
        assert made.low < made.high < math.inf
        assert made.low > 0 or not made.log
        assert made.log == (kind == "log") or kind == "auto" or name == "log_snr"


def test_a_drawing_is_of_its_overlay() -> None:
    made = drawn(Overlay(SOME.schedules, True, "beta", "linear", ("trailing", "karras"), 7, 2))
    assert [line.label for line in made.lines] == ["Linear", "Cosine", "EDM"]
    assert [line.before is not None for line in made.lines] == [True, True, False]
    assert made.axis.high == 15, "the axis grows for EDM, whose noise ends at 80"
    expected = make_grid(EDM(), 7, "karras")[:-1].tolist()
    assert made.stops[1].t == pytest.approx(expected, abs=1e-6)
    assert {row.on for row in made.stops} == {"EDM"}
    assert drawn(Overlay()).lines == ()


@pytest.mark.parametrize("view", QUANTITIES)
@pytest.mark.parametrize("zero", [False, True])
def test_what_is_sent_is_json(view: str, zero: bool) -> None:
    every = Overlay(tuple(ScheduleConfig(name) for name in SCHEDULES), zero, view)
    play = Play("overlay", every)
    assert play_of(play.word) == play
    sent = json.loads(play.buffer())
    assert [line["name"] for line in sent["lines"]] == list(SCHEDULES)
    assert sent["view"]["low"] < sent["view"]["high"]


def test_a_number_is_turned_through_values_that_make_schedules() -> None:
    path = ("schedules", "0", "T")
    asked = Turned(Overlay(SOME.schedules, view="beta", spacings=("karras",)), path, (5.0, 2.5, 9))
    play = Play("lines", asked)
    assert play_of(play.word).word == play.word
    parts = dict(json.loads(play.buffer()))
    assert set(parts) == {5, 9}
    for T, part in parts.items():
        (line,) = part["lines"]
        assert line["t"] == pytest.approx(np.arange(1, T + 1) / T, abs=1e-6)
        assert line["columns"][0] == pytest.approx(Linear(int(T)).betas.tolist(), rel=1e-5)
        assert part["view"]["name"] == "beta"


@pytest.mark.parametrize(
    ("turned", "why"),
    [
        (Turned(SOME, ("schedules", "9", "T"), (5,)), "no number"),
        (Turned(SOME, ("zero",), (1,)), "no number"),
        (Turned(SOME, ("steps",), ()), "1 to 200 values"),
        (Turned(SOME, ("steps",), (5,) * 201), "1 to 200 values"),
        (Turned(Overlay((LINEAR,), spacings=("karras",)), ("steps",), (1000,) * 150), "so many"),
        (Turned(Overlay((LINEAR,), spacings=("karras",), on=1), ("steps",), (5,)), "line 1 of 1"),
        (Turned(Overlay((LINEAR,), spacings=("odd",)), ("steps",), (5,)), "no spacing odd"),
    ],
)
def test_what_cannot_be_turned_is_said(turned: Turned, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        play_of(Play("lines", turned).word)
