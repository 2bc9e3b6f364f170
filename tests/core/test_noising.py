"""The forward process: a jump and a walk arrive at one distribution."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.noising import Noise, combine, jump, noise_like, transition, walk
from diffviz.core.schedules import SCHEDULES, VP, Linear


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
    alpha, sigma = (level.reshape(3, 1, 1, 1) for level in Linear()(t))
    assert_close(together, alpha * x_0 + sigma * eps)
    for k in range(3):
        assert_close(together[k], jump(Linear(), x_0[k], t[k], eps[k]))


def test_going_back_is_told_in_words() -> None:
    with pytest.raises(ValueError, match="goes forward"):
        transition(Linear(), 0.5, 0.5)
    for times in ([0.0, 0.5, 0.4], [0.5, 0.5], [0.5, 0.0]):
        with pytest.raises(ValueError, match="rise strictly"):
            list(walk(Linear(), torch.zeros(1, 1), torch.tensor(times)))


def test_each_noising_is_the_transition_with_the_next_noise() -> None:
    """Also from a first time above 0, and in the precision of the data."""
    schedule, x = VP(), torch.tensor([[0.7, -0.2]], dtype=torch.float64)
    draws = torch.Generator().manual_seed(2)
    steps = walk(
        schedule,
        x,
        torch.tensor([0.3, 0.8], dtype=torch.float64),
        torch.Generator().manual_seed(2),
    )
    for (s, t), walked in zip(pairwise((0.0, 0.3, 0.8)), steps, strict=True):
        alpha, sigma = transition(schedule, s, t)
        x = alpha * x + sigma * torch.randn(1, 2, generator=draws, dtype=torch.float64)
        assert torch.equal(walked, x)


def test_a_sum_leaves_out_what_counts_nothing() -> None:
    x, y, z = torch.tensor([[1.0, 2.0], [3.0, 5.0], [math.nan, 0.0]])
    assert_close(combine((2.0, x), (0.0, z), (-3.0, y)), torch.tensor([-7.0, -11.0]))
    assert_close(combine((0.0, x), (0.5, y)), torch.tensor([1.5, 2.5]))
    assert_close(combine((0.0, x)), torch.zeros(2))
    assert x.tolist() == [1, 2]  # what is added up stays as it was


def test_noise_is_like_what_it_is_for() -> None:
    x = torch.empty(3, 2, dtype=torch.float64)
    own = torch.randn(3, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    assert torch.equal(noise_like(x, torch.Generator().manual_seed(4)), own)
    assert torch.equal(noise_like(x, Noise(4)), Noise(4).like(x))


# All noise of a run


def test_draw_k_of_seed_s_is_torchs_own_of_s_and_k_times_a_constant() -> None:
    noise = Noise(7)
    for k in range(3):
        own = torch.Generator().manual_seed(7 + 2_654_435_769 * k)
        assert torch.equal(noise.like(torch.empty(8, 2)), torch.randn(8, 2, generator=own))


def test_a_draw_may_be_left_out() -> None:
    whole, rest = Noise(7), Noise(7, draws=1)
    whole.like(torch.empty(5))
    assert torch.equal(whole.like(torch.empty(5)), rest.like(torch.empty(5)))


@pytest.mark.parametrize("shape", [(1,), (2,), (3,), (1, 5, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sample_gets_the_same_noise_however_many_there_are(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    many = Noise(3).like(torch.empty(100, *shape, dtype=dtype))
    assert many.dtype == dtype
    for n in (1, 2, 7, 33, 99):
        assert torch.equal(Noise(3).like(torch.empty(n, *shape, dtype=dtype)), many[:n])


def test_draws_and_seeds_differ_and_are_standard_normal() -> None:
    like = torch.empty(4000)
    noise = {seed: Noise(seed) for seed in range(4)}
    drawn = torch.stack([noise[seed].like(like) for seed in noise for _ in range(5)])
    assert drawn.mean(1).abs().max() < 0.06
    assert (drawn.var(1) - 1).abs().max() < 0.1
    apart = torch.corrcoef(drawn) - torch.eye(len(drawn))
    assert apart.abs().max() < 0.07
