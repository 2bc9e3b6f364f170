"""Grids at the ends of every knob: each falls strictly, or is refused in words."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from diffviz.core.denoisers import Exact
from diffviz.core.distributions import Empirical
from diffviz.core.grids import SPACINGS, make_grid
from diffviz.core.knobs import knobs_of
from diffviz.core.noising import walk
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES, Custom, DiscreteVP, Schedule, zero_terminal_snr
from diffviz.core.trajectory import Diverged, Trajectory
from diffviz.data.points import DATASETS
from diffviz.scenes.configs import SCHEDULE_KNOBS

LENGTHS = (2, 3, 10, 100, 1000)
COUNTS = (1, 2, 3, 8, 50, 1000)
EVEN = ("leading", "trailing", "linspace")


def ends(name: str) -> Iterator[Schedule]:
    """A schedule at all the ends and defaults of its knobs that make one."""
    knobs = SCHEDULE_KNOBS.get(name, ())
    discrete = issubclass(SCHEDULES[name], DiscreteVP)
    for values in itertools.product(*(sorted({k.low, k.default, k.high}) for k in knobs)):
        given: dict[str, Any] = dict(zip((k.name for k in knobs), values, strict=True))
        for T in LENGTHS if discrete else (None,):
            arguments = given if T is None else given | {"T": T}
            try:
                schedule = SCHEDULES[name](**arguments)
            except ValueError:
                continue  # refused in words, see below
            yield schedule
            if isinstance(schedule, DiscreteVP):
                yield zero_terminal_snr(schedule)


@pytest.mark.parametrize("name", SCHEDULES)
def test_grids_fall_strictly_at_the_ends_of_all_knobs(name: str) -> None:
    rng = random.Random(name)
    every = list(ends(name))
    for schedule in rng.sample(every, min(len(every), 12)):
        most = schedule.T if isinstance(schedule, DiscreteVP) else max(COUNTS)
        for spacing in SPACINGS:
            steps = rng.choice((*COUNTS, rng.randint(1, 1000)))
            falls(schedule, min(steps, most) if spacing in EVEN else steps, spacing)


def falls(schedule: Schedule, steps: int, spacing: str) -> None:
    grid = make_grid(schedule, steps, spacing)
    assert grid.shape == (steps + 1,)
    assert 1 >= grid[0] > 0 == grid[-1]
    assert bool((grid.diff() < 0).all()), (schedule, spacing, steps)


@pytest.mark.parametrize("spacing", ["log_snr", "karras"])
def test_grids_that_once_stood_still(spacing: str) -> None:
    short = zero_terminal_snr(SCHEDULES["cosine"](T=2))  # type: ignore[arg-type,call-arg]
    narrow = SCHEDULES["ve"](sigma_min=1.0, sigma_max=1.1)  # type: ignore[call-arg]
    steep = SCHEDULES["linear"](beta_end=0.999)  # type: ignore[call-arg]
    for schedule in (short, narrow, steep):
        for steps in (5, 8, 50):
            falls(schedule, steps, spacing)


def test_noise_levels_that_no_different_times_have_are_refused() -> None:
    jump = Custom(((0, 1), (0.5, 1e-300), (1, 0)))
    with pytest.raises(ValueError, match="50 steps at this spacing fall on the same time"):
        make_grid(jump, 50, "log_snr")
    assert len(make_grid(jump, 50, "trailing")) == 51


def test_what_cannot_be_told_from_nothing_is_no_schedule() -> None:
    with pytest.raises(ValueError, match="after 194 of the 1000 noisings"):
        SCHEDULES["linear"](T=1000, beta_start=0.999, beta_end=0.999)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="some noisings add nothing"):
        SCHEDULES["sigmoid"](T=1000, start=-20, end=20, tau=0.05)  # type: ignore[call-arg]


@pytest.mark.parametrize("end", ["beta_start", "beta_end"])
def test_the_chain_walks_where_almost_nothing_is_left(end: str) -> None:
    schedule = SCHEDULES["linear"](**{end: 0.999})  # type: ignore[arg-type]
    x_0 = torch.ones(500, 2, dtype=torch.float64)
    times = torch.linspace(0, 1, 1001, dtype=torch.float64)
    *_, last = walk(schedule, x_0, times, torch.Generator().manual_seed(0))
    assert abs(float(last.std()) - 1) < 0.1
    assert abs(float(last.mean())) < 0.1


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_walk_the_ends_or_say_that_they_diverged(name: str) -> None:
    rng = random.Random(name)
    points = Empirical(DATASETS["moons"](30, 0))
    schedules = [s for each in SCHEDULES for s in ends(each)]
    knobs = knobs_of(SAMPLERS[name])
    for schedule in rng.sample(schedules, 40):
        steps = rng.choice((1, 2, 8))
        if isinstance(schedule, DiscreteVP):
            steps = min(steps, schedule.T)
        grid = make_grid(schedule, steps, rng.choice(list(SPACINGS)))
        noise = torch.randn(8, 2, generator=torch.Generator().manual_seed(1))
        values = {k.name: rng.choice((k.low, k.high)) for k in knobs}
        sampler = SAMPLERS[name](
            **{k.name: int(values[k.name]) if k.decimals == 0 else values[k.name] for k in knobs}
        )
        x_1 = noise * schedule.prior_std(grid[0].item())
        try:
            with torch.inference_mode():
                run = Trajectory.stack(
                    sampler.iterate(Exact(points, schedule), schedule, grid, x_1)
                )
        except Diverged:
            continue
        assert bool(run.x_t.isfinite().all()), (schedule, sampler, grid)
