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
