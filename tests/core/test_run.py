"""A run is a value: the same plan makes the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Exact
from diffviz.core.distributions import GaussianMixture
from diffviz.core.edits import Resampled
from diffviz.core.grids import make_grid
from diffviz.core.noising import Noise
from diffviz.core.run import Plan, frames, kept, part_of, simulate
from diffviz.core.samplers import DDIM, DDPM, SAMPLERS, EDMStochastic, Sampler
from diffviz.core.schedules import EDM, SCHEDULES, Linear
from diffviz.core.trajectory import Diverged


def two() -> GaussianMixture:
    weights, means = torch.tensor([0.4, 0.6]), torch.tensor([[-1.0, 0.3], [0.8, -0.5]])
    return GaussianMixture(weights, means, torch.tensor([0.2, 0.3]))


def plan(sampler: Sampler | None = None, samples: int = 20, seed: int = 0, steps: int = 6) -> Plan:
    schedule = Linear()
    grid = make_grid(schedule, steps)
    return Plan(Exact(two(), schedule), schedule, sampler or DDPM(), grid, (2,), samples, seed)


def stochastic() -> Iterator[Sampler]:
    yield from (kind() for kind in SAMPLERS.values() if kind().stochastic)
    yield DDIM(0.5)
    yield EDMStochastic(20.0)
    yield Resampled(DDPM(), 2)


# Plans -------------------------------------------------------------------------------------------


def test_a_run_starts_with_noise_of_the_size_of_its_path() -> None:
    schedule = EDM(sigma_max=50.0)
    run = replace(plan(), schedule=schedule, grid=make_grid(schedule, 4))
    assert_close(run.start(), 2501**0.5 * Noise(0).like(torch.empty(20, 2)))  # data of variance 1
    assert torch.equal(simulate(run).x_t[0], run.start())
    assert run.steps == 4


def test_fresh_noise_is_draws_1_2_and_so_on_of_the_seed() -> None:
    run, noise = simulate(plan(seed=5)), Noise(5, draws=1)
    for z in run.z[1:-1]:
        assert torch.equal(z, noise.like(z))
    assert not run.z[0].any()
    assert not run.z[-1].any()  # the last step returns the mean


def test_the_same_plan_makes_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = simulate(plan()), simulate(plan()), simulate(plan(seed=1))
    assert torch.equal(first.x_t, again.x_t)
    assert torch.equal(first.z, again.z)
    assert not torch.equal(first.x_t[0], other.x_t[0])
    said = plan()  # with seed 0
    unsaid = Plan(said.denoiser, said.schedule, said.sampler, said.grid, said.shape, said.samples)
    assert torch.equal(simulate(unsaid).z, first.z)
    assert not torch.equal(first.z[1], other.z[1])


def test_the_seed_leaves_torchs_own_generator_alone() -> None:
    before = torch.get_rng_state()
    simulate(plan())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("sampler", list(stochastic()), ids=lambda s: type(s).__name__)
def test_a_plan_for_more_samples_begins_with_those_of_a_plan_for_fewer(sampler: Sampler) -> None:
    few, many = (simulate(plan(sampler, n)) for n in (7, 40))
    assert_close(few.x_t, many.x_t[:, :7], rtol=0, atol=1e-5)
    assert torch.equal(few.z, many.z[:, :7])
    assert few.z.any()


def test_a_run_may_start_elsewhere_and_gets_the_same_fresh_noise() -> None:
    run = plan()
    moved = run.start()
    moved[3] = 0.5
    plain, other = simulate(run), simulate(run, x_1=moved)
    assert torch.equal(other.x_t[0], moved)
    assert torch.equal(other.z, plain.z)
    rest = torch.arange(20) != 3
    assert torch.equal(other.x_t[:, rest], plain.x_t[:, rest])
    assert not torch.equal(other.x_t[-1, 3], plain.x_t[-1, 3])


def test_a_run_that_starts_in_double_precision_goes_on_in_it() -> None:
    run, mixture = plan(), two()
    exact = GaussianMixture(*(v.double() for v in (mixture.weights, mixture.means, mixture.stds)))
    double = replace(run, denoiser=Exact(exact, run.schedule))
    assert simulate(double, x_1=run.start().double()).z.dtype == torch.float64


# What is kept ------------------------------------------------------------------------------------


def test_which_stops_are_kept() -> None:
    assert kept(4) == [0, 1, 2, 3, 4]
    assert kept(4, 1) == [4]
    assert kept(4, 2) == [0, 4]
    assert kept(10, 3) == [0, 5, 10]
    assert kept(10, 4) == [0, 3, 7, 10]  # thirds, to the nearest stop
    assert kept(4, 100) == [0, 1, 2, 3, 4]
    assert kept(0, 5) == [0]
    assert len(set(kept(1000, 101))) == 101


def test_kept_states_are_those_of_the_whole_run() -> None:
    whole, some, last = (simulate(plan(), keep) for keep in (None, 3, 1))
    assert len(whole) == 7
    assert torch.equal(some.x_t, whole.x_t[[0, 3, 6]])
    assert torch.equal(some.evaluations, whole.evaluations[[0, 3, 6]])
    assert torch.equal(last.x_t, whole.x_t[-1:])
    assert last.evaluations.tolist() == [6]


def test_it_ends_where_the_sampler_ends() -> None:
    run = plan()
    ends = run.sampler.sample(run.denoiser, run.schedule, run.grid, run.start(), Noise(0, draws=1))
    assert torch.equal(simulate(run, 1).x_t[-1], ends)


def test_a_run_that_ends_on_no_numbers_is_said_to_have_diverged() -> None:
    with pytest.raises(Diverged):
        simulate(plan(), x_1=torch.full((20, 2), torch.nan))


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_path_has_a_plan(name: str) -> None:
    schedule = SCHEDULES[name]()
    run = replace(plan(), denoiser=Exact(two(), schedule), schedule=schedule)
    assert simulate(replace(run, grid=make_grid(schedule, 5))).x_t.isfinite().all()


# Watching ----------------------------------------------------------------------------------------


def test_a_watch_is_told_the_share_that_is_done() -> None:
    told: list[float] = []
    simulate(plan(steps=4), 2, told.append)
    assert told == [0, 0.25, 0.5, 0.75, 1]
    told.clear()
    simulate(plan(steps=1), watch=told.append)
    assert told == [0, 1]


def test_a_run_without_a_step_is_all_done() -> None:
    told: list[float] = []
    state = next(plan().states())
    assert list(frames([state], 0, watch=told.append)) == [state]
    assert told == [0]


def test_one_of_several_pieces_of_work_is_watched_as_its_share() -> None:
    told: list[float] = []
    for k in range(4):
        for share in (0.0, 0.5, 1.0):
            part_of(told.append, k, 4)(share)
    assert told == [0, 1 / 8, 1 / 4, 1 / 4, 3 / 8, 1 / 2, 1 / 2, 5 / 8, 3 / 4, 3 / 4, 7 / 8, 1]


def test_a_watch_can_stop_a_run() -> None:
    class Enough(Exception):
        pass

    asked: list[float] = []

    class Counted(Exact):
        def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
            asked.append(float(t))
            return super().__call__(x_t, t)

    def stop(share: float) -> None:
        if share >= 0.5:
            raise Enough

    run = plan(steps=4)
    with pytest.raises(Enough):
        simulate(replace(run, denoiser=Counted(two(), run.schedule)), watch=stop)
    assert len(asked) == 3  # of the three stops that were told; not of the fourth


def test_states_made_otherwise_are_kept_and_watched_alike() -> None:
    told: list[float] = []
    run = plan(steps=4)
    found = list(frames(run.states(), run.steps, 2, told.append))
    assert [state.index for state in found] == [0, 4]
    assert told[-1] == 1
