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
from diffviz.core.trajectory import Trajectory


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
