"""What a run leaves behind."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.denoisers import Exact
from diffviz.core.distributions import GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.samplers import DDPM, Heun
from diffviz.core.schedules import Linear
from diffviz.core.trajectory import Diverged, State, Trajectory, changes


@pytest.fixture
def run() -> Trajectory:
    mixture = GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1))
    schedule = Linear()
    states = Heun().iterate(
        Exact(mixture, schedule), schedule, make_grid(schedule, 4), torch.randn(3, 2)
    )
    return Trajectory.stack(states)


def test_a_run_has_a_state_more_than_steps(run: Trajectory) -> None:
    assert len(run) == 5
    assert run.x_t.shape == run.x_0.shape == run.eps.shape == run.z.shape == (5, 3, 2)
    assert run.evaluations.tolist() == [0, 2, 4, 6, 7]
    assert run.t[-1] == 0
    assert_close(run.x_0[-1], run.x_t[-1])


@pytest.mark.fact(12)
def test_predicted_noise_is_kept_apart_from_injected_noise() -> None:
    mixture = GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1))
    schedule = Linear()
    grid = make_grid(schedule, 10)
    x_1 = torch.randn(64, 2, generator=torch.Generator().manual_seed(5))
    draws = torch.Generator().manual_seed(6)
    run = Trajectory.stack(
        DDPM().iterate(Exact(mixture, schedule), schedule, grid, x_1, generator=draws)
    )
    replay = torch.Generator().manual_seed(6)
    assert_close(run.z[0], torch.zeros(64, 2))
    for z in run.z[1:-1]:
        assert_close(z, torch.randn(64, 2, generator=replay))
    assert_close(run.z[-1], torch.zeros(64, 2))  # the last step returns the mean
    assert not torch.allclose(run.eps[1:-1], run.z[1:-1], atol=0.5)


def test_states_and_trajectories_are_frozen(run: Trajectory) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.t = run.alpha  # type: ignore[misc]
    with pytest.raises(ValueError, match="at least one state"):
        Trajectory.stack([])


def state(index: int, sigma: float, *shape: int) -> State:
    """A state of ones and an eps of twos."""
    ones = torch.ones(shape, dtype=torch.float64)
    return State(index, 1 - index / 2, 0.5, sigma, ones, ones, 2 * ones, 0 * ones, 3 * index)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (4, 1, 2, 2)])
def test_the_score_is_minus_eps_over_sigma_and_0_where_no_noise_is(shape: tuple[int, ...]) -> None:
    states = [state(k, sigma, *shape) for k, sigma in enumerate((4.0, 0.5, 0.0))]
    ones = torch.ones(shape, dtype=torch.float64)
    wanted = [-0.5 * ones, -4 * ones, 0 * ones]
    for one, score in zip(states, wanted, strict=True):
        assert_close(one.score, score)
    assert_close(Trajectory.stack(states).score, torch.stack(wanted))


def test_numbers_of_a_run_are_held_in_double_precision_and_counts_whole() -> None:
    run = Trajectory.stack([state(0, 0.1, 2)])  # a single state is a run too
    assert run.sigma.tolist() == [0.1]
    assert run.t.dtype == run.alpha.dtype == run.sigma.dtype == torch.float64
    assert run.evaluations.dtype == torch.int64


def test_only_where_a_run_ends_says_whether_it_diverged() -> None:
    states = [state(k, sigma, 2) for k, sigma in enumerate((4.0, 2.0, 0.5, 0.0))]
    lost = torch.full((2,), torch.inf, dtype=torch.float64)
    for k in (1, 2):
        through = [dataclasses.replace(s, x_t=lost) if s.index == k else s for s in states]
        assert len(Trajectory.stack(through)) == 4
    with pytest.raises(Diverged, match="More steps"):
        Trajectory.stack([*states[:-1], dataclasses.replace(states[-1], x_t=lost)])


@pytest.mark.parametrize(
    ("ago", "wanted"),
    [(0, [0, 3, 5, 7]), (1, [0, 0, 3, 5]), (2, [0, 0, 0, 3]), (3, [0] * 4), (9, [0] * 4)],
)
def test_a_change_stands_at_the_step_after_it_and_so_many_later(
    ago: int, wanted: list[int]
) -> None:
    """Squares change by odd numbers; what the last stop changes, no step is left to know."""
    x_0 = torch.tensor([1.0, 4.0, 9.0, 16.0, 25.0])[:, None, None].expand(5, 3, 2)
    expected = torch.tensor(wanted, dtype=torch.float32)[:, None, None].expand(4, 3, 2)
    assert_close(changes(x_0, ago), expected)
    assert changes(x_0[:1], ago).shape == (0, 3, 2)


def test_a_change_is_that_since_the_step_before_where_nothing_else_is_said() -> None:
    x_0 = torch.tensor([1.0, 4.0, 9.0, 16.0])
    assert torch.equal(changes(x_0), changes(x_0, 0))
