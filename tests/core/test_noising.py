"""The forward process: a jump and a walk arrive at one distribution."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.noising import jump, transition, walk
from diffviz.core.schedules import SCHEDULES, Linear


@pytest.mark.parametrize("name", SCHEDULES)
def test_transitions_compose_to_the_closed_form(name: str) -> None:
    """Means multiply and variances add up, noising by noising, to alpha_t and sigma_t^2."""
    schedule = SCHEDULES[name]()
    times = [0.0, 0.1, 0.25, 0.6, 0.95]
    mean, variance = 1.0, 0.0
    for s, t in pairwise(times):
        alpha, sigma = transition(schedule, s, t)
        mean, variance = mean * alpha, variance * alpha**2 + sigma**2
        assert mean == pytest.approx(schedule.at(t)[0])
        assert variance == pytest.approx(schedule.at(t)[1] ** 2)


def test_one_noising_of_the_chain_is_that_of_the_paper() -> None:
    schedule = Linear(T=50)
    alpha, sigma = transition(schedule, 20 / 50, 21 / 50)
    beta = schedule.betas[20].item()
    assert alpha == pytest.approx((1 - beta) ** 0.5)
    assert sigma == pytest.approx(beta**0.5)


def test_walk_and_jump_have_the_same_moments() -> None:
    generator = torch.Generator().manual_seed(1)
    schedule = Linear()
    x_0 = torch.full((40_000, 1), 0.7, dtype=torch.float64)
    times = torch.linspace(0, 0.5, 11, dtype=torch.float64)
    walked = list(walk(schedule, x_0, times, generator))
    assert_close(walked[0], x_0)
    alpha, sigma = schedule.at(0.5)
    eps = torch.randn(x_0.shape, generator=generator, dtype=torch.float64)
    for x in (walked[-1], jump(schedule, x_0, 0.5, eps)):
        assert x.mean().item() == pytest.approx(0.7 * alpha, abs=5 * sigma / 200)
        assert x.std().item() == pytest.approx(sigma, rel=0.02)


def test_jump_takes_one_time_a_sample() -> None:
    x_0, eps = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64)
    t = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    together = jump(Linear(), x_0, t, eps)
    for k in range(3):
        assert_close(together[k], jump(Linear(), x_0[k], t[k], eps[k]))


def test_going_back_is_told_in_words() -> None:
    with pytest.raises(ValueError, match="goes forward"):
        transition(Linear(), 0.5, 0.5)
    with pytest.raises(ValueError, match="rise strictly"):
        list(walk(Linear(), torch.zeros(1, 1), torch.tensor([0.0, 0.5, 0.4])))
