"""Five names for one quantity: every conversion and its inverse."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.distributions import GaussianMixture
from diffviz.core.parametrizations import (
    PARAMETRIZATIONS,
    from_eps,
    from_score,
    to_eps,
    to_score,
    to_v,
    to_velocity,
)
from diffviz.core.schedules import SCHEDULES, Linear, Schedule, zero_terminal_snr


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("kind", PARAMETRIZATIONS)
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("shape", [(6, 2), (6, 1, 4, 4)])
def test_each_conversion_undoes_its_inverse(
    kind: str, name: str, shape: tuple[int, ...], generator: torch.Generator
) -> None:
    schedule = SCHEDULES[name]()
    x_t, x_0 = torch.randn((2, *shape), generator=generator, dtype=torch.float64)
    decode, encode = PARAMETRIZATIONS[kind]
    times = torch.linspace(0.05, 0.9, 6, dtype=torch.float64)
    for t in (0.3, times):
        assert_close(decode(x_t, encode(x_t, x_0, schedule, t), schedule, t), x_0)


def test_they_describe_one_noising(generator: torch.Generator) -> None:
    x_0, eps = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    schedule: Schedule = Linear()
    alpha, sigma = schedule.at(0.37)
    x_t = alpha * x_0 + sigma * eps
    assert_close(to_eps(x_t, x_0, alpha, sigma), eps)
    assert_close(from_eps(x_t, eps, alpha, sigma), x_0)
    assert_close(to_v(x_t, x_0, alpha, sigma), alpha * eps - sigma * x_0)
    assert_close(to_score(x_t, x_0, alpha, sigma), -eps / sigma)
    h = 1e-6  # the velocity is the slope of x_t along t
    (a_1, s_1), (a_2, s_2) = schedule.at(0.37 - h), schedule.at(0.37 + h)
    slope = (a_2 * x_0 + s_2 * eps - a_1 * x_0 - s_1 * eps) / (2 * h)
    d_alpha, d_sigma = (d.item() for d in schedule.derivatives(0.37))
    assert_close(to_velocity(x_t, x_0, alpha, sigma, d_alpha, d_sigma), slope, rtol=1e-6, atol=1e-6)


def test_tweedie_the_score_of_the_marginal_comes_from_the_posterior_mean(
    generator: torch.Generator,
) -> None:
    mixture = GaussianMixture(
        torch.tensor([0.2, 0.8], dtype=torch.float64),
        torch.tensor([[-1.0, 0.3], [0.5, 1.0]], dtype=torch.float64),
        torch.tensor([0.3, 0.1], dtype=torch.float64),
    )
    alpha, sigma = 0.8, 0.6
    x = torch.randn(7, 2, generator=generator, dtype=torch.float64).requires_grad_()
    marginal = mixture.marginal(alpha, sigma)
    (score,) = torch.autograd.grad(marginal.log_prob(x).sum(), x)
    x = x.detach()
    x_0 = mixture.posterior_mean(x, alpha, sigma)
    assert_close(to_score(x, x_0, alpha, sigma), score)
    assert_close(marginal.score(x), score)


@pytest.mark.fact(6)
def test_eps_and_score_are_singular_at_zero_terminal_snr_and_v_is_not() -> None:
    schedule = zero_terminal_snr(Linear())
    x_t, x_0 = torch.randn(2, 4, 2, dtype=torch.float64)
    for convert in (from_eps, from_score):
        with pytest.raises(ValueError, match="x_0 or v"):
            convert(x_t, x_0, *schedule.at(1.0))
    with pytest.raises(ValueError, match="alpha = 0"):
        from_eps(x_t, x_0, torch.tensor([[0.5], [0.0], [0.5], [0.5]]), 1.0)
    decode, encode = PARAMETRIZATIONS["v"]
    assert_close(decode(x_t, encode(x_t, x_0, schedule, 1.0), schedule, 1.0), x_0)
