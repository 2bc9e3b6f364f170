"""Quality against evaluations: the textbook order, and sweeps that can be left and gone on with."""

from __future__ import annotations

import csv
import io
import json
import math
from itertools import islice

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import GaussianMixture
from diffviz.core.grids import SPACINGS, make_grid
from diffviz.core.run import Plan
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.data.points import DATASETS, MIXTURES
from diffviz.measures.quality import (
    MEASURES,
    METRICS,
    Cell,
    Comparison,
    Quality,
    Row,
    Sweep,
    SweepConfig,
    count_evaluations,
    end_point_error,
    floor_rows,
    ode_ends,
    steps_for,
    summarise,
    to_csv,
)

QUICK = SweepConfig(("ddpm", "ddim", "heun"), (1, 3), samples=64, seeds=2)


def exact(name: str, schedule: str) -> Exact:
    mixture = GaussianMixture(*(part.float() for part in MIXTURES[name]()))
    return Exact(mixture, SCHEDULES[schedule]())


def sweep(config: SweepConfig, name: str = "grid25") -> Sweep:
    denoisers: dict[str, Denoiser] = dict.fromkeys(config.denoisers, exact(name, config.schedule))
    return Sweep(config, denoisers, DATASETS[name])


# The textbook order -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "spacing"), [("rectified_flow", "quadratic"), ("linear", "trailing")]
)
def test_at_ten_evaluations_second_order_beats_ddim_and_ddim_beats_ddpm(
    schedule: str, spacing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the exact denoiser of 25 Gaussians, by every distance."""
    monkeypatch.setattr("diffviz.measures.quality._PAIRED", 1000)
    monkeypatch.setattr("diffviz.measures.quality._FLOOR_DRAWS", 1)
    config = SweepConfig(
        ("ddpm", "ddim", "heun", "dpmpp_2m"),
        (10,),
        schedule=schedule,
        spacing=spacing,
        samples=2000,
        seeds=2,
    )
    work = sweep(config)
    assert len(list(work)) == 8
    rows = {row.sampler: row for row in work.rows()}
    assert {name: (row.steps, row.evaluations) for name, row in rows.items()} == {
        "ddpm": (10, 10),
        "ddim": (10, 10),
        "heun": (5, 9),
        "dpmpp_2m": (10, 10),
    }
    for metric in ("sliced_wasserstein", "energy_distance", "mmd"):
        ddpm, ddim, heun, dpm = (rows[name].mean[metric] for name in config.samplers)
        assert dpm < 0.85 * ddim, metric
        assert heun < 0.85 * ddim, metric
        assert ddim < 0.85 * ddpm, metric
    ends = {name: rows[name].mean["end_point"] for name in ("ddim", "heun", "dpmpp_2m")}
    assert max(ends["heun"], ends["dpmpp_2m"]) < 0.97 * ends["ddim"]
    assert "end_point" not in rows["ddpm"].mean


# The ODE's end points ---------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["rectified_flow", "linear", "cosine", "edm"])
def test_ode_ends_are_where_a_gaussian_sends_them(schedule: str) -> None:
    """On N(m, s^2) the ODE keeps (x_t - alpha m) / sqrt(alpha^2 s^2 + sigma^2)."""
    path, std = SCHEDULES[schedule](), 0.5
    mean = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    denoiser = Exact(GaussianMixture(one, mean, std * one), path)
    x_1 = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_1 = x_1 * path.prior_std()
    alpha, sigma = path.at(1.0)
    expected = mean + std * (x_1 - alpha * mean) / math.hypot(alpha * std, sigma)
    assert_close(ode_ends(denoiser, path, x_1), expected, atol=3e-3, rtol=0)


def test_the_end_point_error_is_a_root_mean_square() -> None:
    ends = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert end_point_error(ends, torch.zeros(2, 2)) == pytest.approx(5 / math.sqrt(2))
    assert end_point_error(ends, ends) == 0
    assert math.isfinite(end_point_error(torch.tensor([[math.nan, math.inf]]), ends[:1]))


# Cost -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["rectified_flow", "linear", "cosine", "ve"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_budget_is_used_up_but_never_overdrawn(name: str, schedule: str) -> None:
    sampler, path = SAMPLERS[name](), SCHEDULES[schedule]()
    for budget in (1, 2, 9, 10, 31):
        steps = steps_for(sampler, path, budget, "trailing")
        if steps:
            grid = make_grid(path, steps, "trailing")
            assert count_evaluations(sampler, path, grid) <= budget
        more = make_grid(path, steps + 1, "trailing")
        assert count_evaluations(sampler, path, more) > budget


def test_a_short_chain_bounds_the_steps() -> None:
    path = SCHEDULES["linear"](T=4)
    assert steps_for(SAMPLERS["ddim"](), path, 100, "trailing") == 4


# Sweeps -----------------------------------------------------------------------------------------


def test_cells_come_seed_by_seed_and_from_few_evaluations_to_many() -> None:
    assert QUICK.cells() == tuple(
        Cell("exact", name, steps, seed)
        for seed in (0, 1)
        for name, steps in [
            ("ddpm", 1), ("ddim", 1), ("heun", 1), ("ddpm", 3), ("ddim", 3), ("heun", 2)
        ]
    )  # fmt: skip
    expensive = SweepConfig(("langevin", "ddim"), (2,), seeds=1)
    assert [cell.sampler for cell in expensive.cells()] == ["ddim"]


def test_a_sweep_goes_on_with_what_is_missing() -> None:
    work = sweep(QUICK)
    first = list(islice(work, 5))
    assert set(work.results) == {cell for cell, _ in first}
    assert work.missing == list(work.cells[5:])
    before = work.results
    rest = list(work)
    assert [cell for cell, _ in first + rest] == list(work.cells)
    assert len(before) == 5  # replaced, never changed
    assert work.share == 1
    assert list(work) == []
    again = Sweep(QUICK, work.denoisers, DATASETS["grid25"], before)
    assert again.missing == list(work.cells[5:])


def test_slices_do_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffviz.measures.quality._SLICE_SECONDS", 0.0)
    work, other = sweep(QUICK), sweep(QUICK)
    shares = list(islice(work.slices(), 4))  # left in the middle of a run
    shares += list(work.slices())
    assert all(0 <= share <= 1 for share in shares)
    assert shares[-1] == 1
    for cell, quality in other:
        assert work.results[cell]._replace(seconds=0) == quality._replace(seconds=0)


def test_runs_of_one_seed_share_their_noise_and_their_data() -> None:
    """With one step and alpha = 0 every sampler answers the mean, whatever the noise."""
    work = sweep(SweepConfig(("ddpm", "ddim", "heun"), (1,), samples=64, seeds=1))
    values = {quality.distances["sliced_wasserstein"] for _, quality in work}
    assert max(values) - min(values) < 1e-5


def test_a_sweep_refuses_what_it_cannot_measure() -> None:
    with pytest.raises(ValueError, match="learned"):
        Sweep(SweepConfig(denoisers=("exact", "learned")), {}, DATASETS["grid25"])
    with pytest.raises(ValueError, match="no sampler takes a step"):
        sweep(SweepConfig(("langevin",), (2,)))


def test_the_floor_is_fresh_data_against_fresh_data() -> None:
    comparison = Comparison.draw(DATASETS["grid25"], 500, 0)
    floor = comparison.floor()
    assert floor.evaluations == 0
    away = comparison.of(comparison.fresh + 1).distances
    assert floor.distances["sliced_wasserstein"] < 0.3 * away["sliced_wasserstein"]
    assert comparison.of(comparison.fresh).distances["sliced_wasserstein"] == 0
    drawn = [comparison.of(other).distances["mmd"] for other in comparison.others]
    assert floor.distances["mmd"] == pytest.approx(sum(drawn) / len(drawn))


def test_the_floor_is_that_of_independent_points() -> None:
    """Moons are drawn evenly along their arcs, which no sampler does."""
    comparison = Comparison.draw(DATASETS["moons"], 1000, 0)
    even = comparison.of(DATASETS["moons"](1000, 5)).distances["sliced_wasserstein"]
    assert comparison.floor().distances["sliced_wasserstein"] > 2 * even


def test_a_run_that_diverges_has_finite_figures() -> None:
    comparison = Comparison.draw(DATASETS["moons"], 50, 0)
    far = torch.full((50, 2), math.nan)
    far[0] = math.inf
    assert all(math.isfinite(value) for value in comparison.of(far).distances.values())


# What was found ---------------------------------------------------------------------------------


def test_rows_hold_the_mean_and_its_standard_error() -> None:
    def quality(value: float) -> Quality:
        return Quality(10, 2 * value, dict.fromkeys(MEASURES, value))

    results = {Cell("exact", "ddpm", 10, seed): quality(value) for seed, value in enumerate((1, 3))}
    (row,) = summarise(results)
    assert (row.evaluations, row.runs, row.seconds) == (10, 2, 4)
    assert row.mean["mmd"] == 2
    assert row.error["mmd"] == pytest.approx(1)  # stdev sqrt(2) over sqrt(2)
    assert "end_point" not in row.mean
    (single,) = summarise(dict(list(results.items())[:1]))
    assert single.error["mmd"] == 0


def test_rows_travel_as_json() -> None:
    work = sweep(QUICK)
    list(work)
    for row in work.rows() + floor_rows(work.floors):
        there = json.loads(json.dumps(row.as_json(), allow_nan=False))
        assert Row.from_json(there).as_json() == row.as_json()
    assert floor_rows({}) == []


def test_csv_has_a_line_for_every_run() -> None:
    work = sweep(QUICK)
    list(islice(work, 7))
    lines = list(csv.DictReader(io.StringIO(to_csv(work.results, work.floors))))
    assert len(lines) == 7 + 2
    assert [line["denoiser"] for line in lines[-2:]] == ["floor", "floor"]
    assert lines[0]["sampler"] == "ddpm"
    assert lines[0]["end_point"] == ""
    assert float(lines[1]["end_point"]) > 0
    assert set(METRICS) <= set(lines[0])


@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_spacing_can_be_swept(spacing: str) -> None:
    work = sweep(SweepConfig(("ddim",), (4,), spacing=spacing, samples=32, seeds=1))
    assert all(math.isfinite(quality.distances["sliced_wasserstein"]) for _, quality in work)


# What is measured, by hand


def test_a_sweep_is_the_field_s_usual_budgets_where_nothing_else_is_said() -> None:
    config = SweepConfig()
    assert config.samplers == tuple(SAMPLERS)
    assert config.budgets == (2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
    assert config.denoisers == ("exact",)
    assert (config.schedule, config.spacing) == ("rectified_flow", "quadratic")
    assert (config.samples, config.seeds) == (2000, 3)


def test_fresh_data_have_seeds_of_their_own() -> None:
    """A million and two above those of runs; four draws of ten times as many for the floor."""
    asked: list[tuple[int, int]] = []

    def draw(n: int, seed: int) -> torch.Tensor:
        asked.append((n, seed))
        return torch.arange(float(n))[:, None] + seed

    comparison = Comparison.draw(draw, 30, 5)
    assert asked == [(30, 1_000_005), *((300, 2_000_020 + k) for k in range(4))]
    assert torch.equal(comparison.fresh, torch.arange(30.0)[:, None] + 1_000_005)
    for k, other in enumerate(comparison.others):
        picked = (other - 2_000_020 - k).flatten()
        assert len(picked.unique()) == 30
        assert picked.max() > 150  # of all that were drawn, and not the first of them


def test_the_kernel_is_as_wide_as_fresh_points_are_apart() -> None:
    far = torch.tensor([[0.0], [3.0], [3.0]])  # 3, 3 and 0 apart
    assert Comparison(far, ()).width == 3
    for alone in (far[:1], far[1:]):
        assert Comparison(alone, ()).width == 1
    many = torch.cat([torch.arange(1000.0), torch.full((3000,), 1e6)])[:, None]
    assert Comparison(many, ()).width == pytest.approx(torch.pdist(many[:1000]).median().item())


def test_the_dear_distances_are_of_the_first_two_thousand() -> None:
    fresh = torch.randn(2010, 1, generator=torch.Generator().manual_seed(0))
    x = fresh.clone()
    x[2000:] = 100
    far = Comparison(fresh, ()).of(x).distances
    assert far["energy_distance"] == pytest.approx(0, abs=1e-6)
    assert far["mmd"] == pytest.approx(0, abs=1e-3)
    assert far["sliced_wasserstein"] > 1
    x[1999] = 100
    assert Comparison(fresh, ()).of(x).distances["energy_distance"] > 1e-5


def test_what_is_far_out_counts_as_a_million() -> None:
    lost = torch.tensor([[math.nan, -math.inf], [math.inf, 2e6]])
    there = torch.tensor([[1e6, -1e6], [1e6, 1e6]])
    assert end_point_error(lost, torch.zeros(2, 2)) == pytest.approx(1e6 * math.sqrt(2))
    fresh = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    assert Comparison(fresh, ()).of(lost) == Comparison(fresh, ()).of(there)
    assert (
        Comparison(fresh, ()).of(fresh).seconds == Comparison(fresh, ()).of(fresh).evaluations == 0
    )


def test_a_metric_is_found_by_its_name() -> None:
    quality = Quality(3, 0.5, {"mmd": 0.25}, 0.125)
    assert [quality.value(name) for name in ("mmd", "end_point", "energy_distance")] == [
        0.25, 0.125, None,
    ]  # fmt: skip


def test_the_share_that_is_done_counts_evaluations_and_what_measuring_costs() -> None:
    """Each run costs its evaluations and 15 more; Heun's of two steps are 3."""
    work = sweep(SweepConfig(("ddim", "heun"), (1, 3), samples=16, seeds=1))
    costs = [1 + 15, 1 + 15, 3 + 15, 3 + 15]
    assert [(cell.sampler, cell.steps) for cell in work.cells] == [
        ("ddim", 1), ("heun", 1), ("ddim", 3), ("heun", 2)
    ]  # fmt: skip
    shares = [work.share] + [work.share for _ in work]
    assert shares == pytest.approx([sum(costs[:k]) / sum(costs) for k in range(5)])


def test_a_slice_is_some_tenth_of_a_second_and_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a limit: every stop of every run, and where its ends are compared."""
    work = sweep(SweepConfig(("ddim", "ddpm"), (2,), samples=16, seeds=1))
    clock = iter(range(10**6, 2 * 10**6))  # milliseconds since long ago
    monkeypatch.setattr("diffviz.measures.quality.time.perf_counter", lambda: next(clock) / 1e3)
    shares = list(work.slices())
    assert len(shares) <= 2  # some 30 ms by this clock
    again = sweep(work.config)
    monkeypatch.setattr("diffviz.measures.quality._SLICE_SECONDS", 0.0)
    shares = list(again.slices())
    half = [0, 0.2, 0.4]  # eight tenths of a run are its stops; each run is half of the work
    assert shares == pytest.approx([*half, 0.45, *(0.5 + share for share in half), 1])


def test_the_cost_of_a_sampler_is_extrapolated_from_its_first_steps() -> None:
    """DDIM asks once a step and Heun twice, but for its last step."""
    path = SCHEDULES["vp"]()
    for budget in range(7):
        assert steps_for(SAMPLERS["ddim"](), path, budget, "trailing") == budget
        assert steps_for(SAMPLERS["heun"](), path, budget, "trailing") == (budget + 1) // 2
    assert steps_for(SAMPLERS["heun"](), SCHEDULES["linear"](T=2), 100, "trailing") == 2
    assert steps_for(SAMPLERS["ddim"](), path, 5000, "trailing") == 5000


def test_the_end_points_are_those_of_the_steps_that_are_asked_for() -> None:
    """Heun on stops even in log-SNR from the start, those after it; 300 of them unless said."""
    denoiser, path = exact("grid25", "vp"), SCHEDULES["vp"]()
    x_1 = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    for start, steps in ((1.0, 300), (1.0, 7), (0.5, 7)):
        stops = [t for t in make_grid(path, steps, "log_snr").tolist() if t < start]
        grid = torch.tensor([start, *stops], dtype=torch.float64)
        wanted = SAMPLERS["heun"]().sample(denoiser, path, grid, x_1)
        assert_close(ode_ends(denoiser, path, x_1, start, steps), wanted, rtol=0, atol=0)
    wanted = ode_ends(denoiser, path, x_1, 1.0, 300)
    assert_close(ode_ends(denoiser, path, x_1), wanted, rtol=0, atol=0)


def test_figures_travel_to_five_digits_and_times_to_three() -> None:
    row = Row("exact", "ddim", 3, 3, 2, 0.0123456, {"mmd": 1.2345678}, {"mmd": 0.00012345678})
    plain = row.as_json()
    assert (plain["mean"], plain["error"]) == ({"mmd": 1.2346}, {"mmd": 0.00012346})
    assert plain["seconds"] == 0.0123


def test_csv_by_hand() -> None:
    results = {Cell("exact", "ddim", 3, 1): Quality(3, 0.25, {"mmd": 1 / 3}, 0.5)}
    floors = {1: Quality(0, 0.0, dict.fromkeys(MEASURES, 0.125))}
    assert to_csv(results, floors) == (
        "denoiser,sampler,steps,seed,evaluations,seconds,"
        "sliced_wasserstein,energy_distance,mmd,end_point\n"
        "exact,ddim,3,1,3,0.25,,,0.333333,0.5\n"
        "floor,,,1,0,0,0.125,0.125,0.125,\n"
    )


def test_rows_are_over_the_seeds_of_one_kind() -> None:
    results = {
        Cell("exact", sampler, steps, seed): Quality(steps, 1.0, {}, float(steps + seed))
        for seed in (0, 1, 2)
        for sampler, steps in (("heun", 4), ("ddim", 4), ("ddim", 8))
    }
    rows = summarise(results)
    assert [(row.sampler, row.steps, row.runs) for row in rows] == [
        ("heun", 4, 3), ("ddim", 4, 3), ("ddim", 8, 3)
    ]  # fmt: skip
    assert rows[2].mean == {"end_point": 9}
    assert rows[2].error["end_point"] == pytest.approx(1 / math.sqrt(3))
    (floor,) = floor_rows({0: Quality(0, 0.0, {"mmd": 2.0}), 1: Quality(0, 0.0, {"mmd": 4.0})})
    assert (floor.denoiser, floor.sampler, floor.steps, floor.runs) == ("floor", "", 0, 2)
    assert (floor.mean["mmd"], floor.error["mmd"]) == (3, pytest.approx(1))


def test_the_end_points_of_the_first_256_samples_are_compared() -> None:
    work = sweep(SweepConfig(("ddim",), (3,), samples=300, seeds=1))
    ((_, quality),) = list(work)
    denoiser, path, ddim = (
        work.denoisers["exact"],
        SCHEDULES["rectified_flow"](),
        SAMPLERS["ddim"](),
    )
    grid = make_grid(path, 3, "quadratic")
    x_1 = Plan(denoiser, path, ddim, grid, (2,), 300).start()
    ends = ddim.sample(denoiser, path, grid, x_1)[:256]
    wanted = end_point_error(ends, ode_ends(denoiser, path, x_1[:256]))
    assert quality.end_point == pytest.approx(wanted, rel=1e-5)
