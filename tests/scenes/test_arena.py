"""The Arena page without a browser: the common clock, contestants in words, table, chart, job."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from diffviz.core.grids import SPACINGS
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.data.points import INFO
from diffviz.measures.quality import METRICS, Quality, Row, SweepConfig
from diffviz.scenes import models
from diffviz.scenes.arena import (
    MAX_FRAMES,
    Contestant,
    RaceConfig,
    Result,
    affordable,
    common_stops,
    fresh_data,
    lap,
    measured,
    race,
)
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import DataConfig, SamplerConfig, ScheduleConfig
from diffviz.scenes.point_run import RunConfig, made
from diffviz.scenes.script import python_script
from diffviz.ui.screens.arena import measure as arena_measure
from diffviz.ui.screens.arena.chart import quality_figure, sampler_colors, spread
from diffviz.ui.screens.arena.controls import (
    LETTERS,
    Pick,
    model_titles,
    parse_pick,
    resolve,
    show_pick,
)
from diffviz.ui.screens.arena.measure import ChartConfig, Measuring, shipped
from diffviz.ui.screens.arena.words import about_race, table
from diffviz.ui.shell.links import Refused
from diffviz.ui.shell.theme import DARK, LIGHT

GRID = DataConfig("grid25", 200)
FOUR = (
    ("A", Contestant("ddpm", 4)),
    ("B", Contestant("ddim", 4, "log_snr", "linear")),
    ("C", Contestant("heun", 2, schedule="ve", spacing="karras")),
    ("D", Contestant("dpmpp_2m", 3, points=True)),
)


def config(**changes: Any) -> RaceConfig:
    return replace(RaceConfig(GRID, FOUR, samples=100), **changes)


# The common clock -------------------------------------------------------------------------------


def test_every_frame_is_a_stop_of_someone_and_nobody_is_ahead_of_it() -> None:
    one, other = np.array([-math.inf, -2.0, 1.0, math.inf]), np.array([-5.0, 1.0, math.inf])
    frames, (a, b) = common_stops([one, other])
    np.testing.assert_array_equal(frames, [-math.inf, -5, -2, 1, math.inf])
    np.testing.assert_array_equal(a, [0, 0, 1, 2, 3])
    np.testing.assert_array_equal(b, [0, 0, 0, 1, 2])  # at its start until the others are there


def test_nearly_equal_levels_are_one_frame() -> None:
    frames, (a, b) = common_stops([np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0 + 1e-9, 2.0])])
    assert len(frames) == 3
    np.testing.assert_array_equal(a, b)


def test_many_stops_are_thinned_with_both_ends() -> None:
    frames, (a,) = common_stops([np.arange(1000.0)], most=101)
    assert (len(frames), frames[0], frames[-1]) == (101, 0, 999)
    np.testing.assert_array_equal(a, frames)


@pytest.mark.parametrize("align", ["noise", "calls"])
def test_a_race_packs_a_panel_for_each_on_one_clock(align: Any) -> None:
    made = race(config(align=align))
    header, arrays = decode(made.buffer)
    assert [panel["title"][0] for panel in header["panels"]] == list(LETTERS)
    assert {lane["name"]: lane["stops"][-1] for lane in header["clock"]["lanes"]} == {
        letter: made.frames - 1 if align == "noise" else stop
        for letter, stop in zip(LETTERS, (4, 4, 3, 3), strict=True)
    }
    first, last = ([p["status"][k] for p in header["panels"]] for k in (0, -1))
    assert all(words.startswith("start · NFE 0") for words in first)
    assert all(words.startswith("done") for words in last)
    assert header["clock"]["notes"][-1] == ("log-SNR ∞" if align == "noise" else "4 evaluations")
    assert arrays["p0.x_t"].shape == (made.frames, 100, 2)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_plan_makes_the_same_bytes_on_reverse_in_the_race_and_in_a_script(
    name: str,
) -> None:
    raced = lap(Contestant(name, 4), GRID, 101, 3)
    run = RunConfig(
        GRID,
        ScheduleConfig("rectified_flow"),
        SamplerConfig(name, 4, "quadratic", seed=3),
        points=False,
        samples=101,
    )
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(python_script(run), "script", "exec"), names)
    reverse = made(run)
    assert names["run"].x_t.numpy().tobytes() == reverse.x_t.numpy().tobytes()
    assert raced.ends.tobytes() == reverse.x_t[-1].numpy().tobytes()
    assert raced.x_0.tobytes() == reverse.x_0.numpy().tobytes()


def test_between_its_stops_a_contestant_stays_where_it_was() -> None:
    made = race(config())
    header, arrays = decode(made.buffer)
    stops = header["clock"]["lanes"][2]["stops"]  # Heun, two steps
    x = arrays["p2.x_t"]
    assert len(stops) == 3
    for k in range(1, made.frames):
        assert np.array_equal(x[k], x[k - 1]) == (k not in stops)


def test_all_start_from_the_same_noise_in_their_own_units() -> None:
    starts = []
    for _, who in FOUR:
        run = lap(who, GRID, 100, 0)
        starts.append(run.x_t[0] / (run.scale[0] * SCHEDULES[who.schedule]().prior_std()))
    for start in starts[1:]:
        np.testing.assert_allclose(start, starts[0], atol=1e-5)
    assert not np.allclose(lap(FOUR[0][1], GRID, 100, 1).x_t[0], starts[0])


def test_a_long_run_is_thinned() -> None:
    made = race(config(entrants=(FOUR[0], ("B", Contestant("ddim", 150)))))
    assert made.frames == MAX_FRAMES


def test_the_table_tells_cost_floor_and_the_best() -> None:
    result = measured(config())
    assert [q.evaluations for _, _, q in result.finishes] == [4, 4, 3, 3]
    assert [q.end_point is None for _, _, q in result.finishes] == [True, False, False, False]
    told = table(result).splitlines()
    assert len(told) == 2 + 4 + 1
    assert "DDPM, 4 steps · Quadratic · Rectified flow" in told[2]
    assert told[-1].startswith("| Fresh data (the floor)")
    best = min(result.finishes, key=lambda f: f[2].distances["sliced_wasserstein"])
    row = told[2 + list(LETTERS).index(best[0])]
    assert f"**{best[2].distances['sliced_wasserstein']:.3g}**" in row
    assert "100 samples each, from the same noise" in about_race(config(), race(config()))


def test_a_diverged_run_is_called_so() -> None:
    bad = Quality(3, 0.1, {"sliced_wasserstein": 1e6, "energy_distance": 1e6, "mmd": 1.0})
    told = table(Result((("A", FOUR[0][1], bad), ("B", FOUR[1][1], bad)), bad))
    assert "diverged" in told


def test_a_learned_contestant_has_its_badge() -> None:
    data = DataConfig("moons", 200)
    who, why = resolve(Pick("ddim", 3, model="learned"), data)
    assert why is None
    made = race(RaceConfig(data, (("A", who), ("B", replace(who, model=None))), samples=100))
    assert [p["badge"] for p in decode(made.buffer)[0]["panels"]] == ["learned", "exact"]


def test_costly_races_are_cut_short() -> None:
    cheap = config(samples=2000)
    assert affordable(cheap) == 2000
    dear = config(
        data=DataConfig("moons", 20_000), samples=2000, entrants=(("A", Contestant("heun", 200)),)
    )
    assert 100 <= affordable(dear) < 2000


def test_fresh_data_differ_by_seed_and_come_in_no_order() -> None:
    one, other = fresh_data(DataConfig("moons"), 500, 1), fresh_data(DataConfig("moons"), 500, 2)
    assert one.shape == (500, 2)
    assert not np.allclose(one, other)
    assert abs(float(one[:250].mean() - one[250:].mean())) < 0.2


# Contestants in words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pick",
    [
        *(Pick(name) for name in SAMPLERS),
        *(Pick(spacing=name) for name in SPACINGS),
        *(Pick(schedule=name) for name in SCHEDULES),
        *(Pick(model=name) for name in ("exact", "points", "learned", "own-0a1b2c")),
        Pick(steps=200),
        None,
    ],
)
def test_a_contestant_travels_in_the_address(pick: Pick | None) -> None:
    assert parse_pick(show_pick(pick), Pick()) == pick


@pytest.mark.parametrize(
    ("word", "instead", "said"),
    [
        ("ddmp,10,log_snr,cosine,exact", Pick("heun", 10, "log_snr", "cosine"), "perhaps `ddpm`"),
        ("ddpm,ten,log_snr,cosine,exact", Pick("ddpm", 5, "log_snr", "cosine"), "whole number"),
        ("ddpm,900,log_snr,cosine,exact", Pick("ddpm", 200, "log_snr", "cosine"), "above 200"),
        ("ddpm,3,log_snr,cosine,oracle", Pick("ddpm", 3, "log_snr", "cosine"), "not one of exact"),
        ("x,0,y,z,w", Pick("heun", 1), "sampler `x` is unknown; steps"),
        ("ddpm,10", Pick("heun", 5), "is not a contestant such as"),
        ("", Pick("heun", 5), "is not a contestant such as"),
    ],
)
def test_what_cannot_race_is_said_and_the_rest_counts(word: str, instead: Pick, said: str) -> None:
    with pytest.raises(Refused, match=r"contestant|cannot race") as caught:
        parse_pick(word, Pick("heun", 5))
    assert caught.value.instead == instead
    assert said in str(caught.value)


def test_a_denoiser_that_is_not_there_is_said_and_the_exact_one_acts() -> None:
    who, why = resolve(Pick(model="learned"), DataConfig("text", text="hi"))
    assert who.model is None
    assert why == "No trained network ships for Text."
    who, why = resolve(Pick(model="own-123"), GRID)
    assert who.model is None
    assert why is not None
    assert "not in this session" in why


def test_a_short_chain_takes_the_steps_it_has() -> None:
    assert resolve(Pick(steps=200, schedule="linear"), GRID)[0].steps == 200
    assert resolve(Pick("ddim", 200, "trailing", "edm"), GRID)[0].steps == 200


def test_menus_offer_the_denoisers_that_exist() -> None:
    assert list(model_titles(GRID)) == ["exact", "points", "learned"]
    assert list(model_titles(DataConfig("drawing"))) == ["exact"]
    assert model_titles(DataConfig("moons"))["exact"] == "Exact: these points"


# The chart --------------------------------------------------------------------------------------


def row(sampler: str, evaluations: int, value: float, denoiser: str = "exact") -> Row:
    mean = dict.fromkeys(METRICS, value)
    return Row(denoiser, sampler, evaluations, evaluations, 2, 0.1, mean, dict.fromkeys(mean, 0.01))


ROWS = [
    *(row(name, n, 1 / n) for name in ("ddpm", "euler_ancestral") for n in (2, 10, 100)),
    *(row("ddim", n, 0.5 / n) for n in (2, 10, 100)),
    *(row("ddim", n, 0.6 / n, "learned") for n in (2, 10, 100)),
    row("", 0, 0.02, "floor"),
]


@pytest.mark.parametrize("colors", [LIGHT, DARK])
def test_the_chart_has_a_line_for_each_and_names_equal_ones_once(colors: Any) -> None:
    figure = quality_figure(ROWS, "mmd", colors, ["ddim"], [("A", 10, 0.1)])
    assert len(figure.data) == 4 + 1
    dashes = {trace.name: trace.line.dash for trace in figure.data}
    assert dashes["DDIM, exact"] == "solid"
    assert dashes["DDIM, learned"] == "dash"
    assert dashes["Fresh data"] == "dot"
    words = [note.text for note in figure.layout.annotations]
    assert "DDPM, Euler ancestral" in words
    assert "<b>DDIM</b>" in words
    assert "<b>A</b>" in words
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert len(set(sampler_colors(colors).values())) == len(SAMPLERS)


def test_a_chart_of_nothing_is_empty() -> None:
    assert len(quality_figure([], "mmd", LIGHT).data) == 0


@pytest.mark.parametrize(
    "heights", [[], [5.0], [1.0, 1.0, 1.0], [9.0, 0.0, 4.0, 4.1], [0.0] * 30, [50.0, 99.0, 98.0]]
)
def test_labels_keep_their_order_and_their_distance(heights: list[float]) -> None:
    placed = spread(heights, 10, 0, 100)
    assert len(placed) == len(heights)
    gaps = np.diff(np.sort(placed))
    assert (gaps >= min(10, 100 / max(len(heights) - 1, 1)) - 1e-9).all()
    assert all(-1e-9 <= place <= 100 + 1e-9 for place in placed)
    order = np.argsort(heights, kind="stable")
    assert (np.diff(np.array(placed)[order]) >= 0).all()


def test_a_label_with_room_stays_where_its_line_ends() -> None:
    assert spread([10.0, 50.0], 10, 0, 100) == [10.0, 50.0]


# What is measured -------------------------------------------------------------------------------


def test_what_ships_is_a_whole_measurement() -> None:
    ships = shipped()
    assert ships is not None
    assert ships.data in INFO
    measured_samplers = {row.sampler for row in ships.rows if row.sampler}
    assert measured_samplers == set(SAMPLERS)
    assert sum(not row.sampler for row in ships.rows) == 1
    at_ten = {
        row.sampler: row.mean["sliced_wasserstein"]
        for row in ships.rows
        if row.denoiser == "exact" and row.evaluations in (9, 10)
    }
    assert max(at_ten["dpmpp_2m"], at_ten["heun"]) < at_ten["ddim"] < at_ten["ddpm"]


def test_a_damaged_file_is_no_measurement(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(arena_measure, "SHIPPED", tmp_path / "none.json")
    shipped.cache_clear()
    try:
        assert shipped() is None
    finally:
        shipped.cache_clear()


def test_the_work_of_the_job_goes_on_with_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        ChartConfig,
        "sweep",
        lambda self: SweepConfig(
            ("ddim", "heun"), (2, 3), self.denoisers, samples=self.samples, seeds=self.seeds
        ),
    )
    asked = ChartConfig(
        DataConfig("moons", 100), ("exact", "learned"), models.shipped(DataConfig("moons")),
        samples=50, seeds=1,
    )  # fmt: skip
    work = Measuring(asked, {}, {})
    list(islice(work, 3))
    again = Measuring(asked, work.sweep.results, work.sweep.floors)
    assert again.sweep.missing == work.sweep.missing
    assert list(again)[-1] == 1.0
    assert {cell.denoiser for cell in again.sweep.results} == {"exact", "learned"}
    assert replace(asked, seeds=5).family == asked.family
    assert replace(asked, spacing="karras").family != asked.family
