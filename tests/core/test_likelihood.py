"""Likelihood by the probability-flow ODE against densities in closed form."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Conditioned, Denoiser, Exact, Network, OnPath
from diffviz.core.distributions import Empirical, GaussianMixture
from diffviz.core.likelihood import likelihood
from diffviz.core.schedules import EDM, SCHEDULES, Cosine, RectifiedFlow
from diffviz.networks.mlp import NetworkConfig, PointNetwork

float64 = torch.float64


class Constant(Denoiser):
    """A denoiser that autograd finds nothing in."""

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        return torch.zeros(x_t.shape, dtype=x_t.dtype)


def mixture(means: list[list[float]], stds: list[float]) -> GaussianMixture:
    return GaussianMixture(
        torch.ones(len(means), dtype=float64),
        torch.tensor(means, dtype=float64),
        torch.tensor(stds, dtype=float64),
    )


def drawn(distribution: GaussianMixture, n: int = 100) -> Tensor:
    return distribution.sample(n, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("path", SCHEDULES)
@pytest.mark.parametrize("mean", [[0.0], [0.2, -0.1]])
def test_nll_of_a_gaussian_agrees_with_the_closed_form(path: str, mean: list[float]) -> None:
    gaussian, schedule = mixture([mean], [0.5]), SCHEDULES[path]()
    half = drawn(gaussian, 25)
    x_0 = torch.cat([half, 2 * gaussian.means - half])  # some paths keep a trace of the mean
    nats = likelihood(Exact(gaussian, schedule), schedule, x_0, steps=20).nats
    assert_close(nats.mean(), -gaussian.log_prob(x_0).mean(), rtol=0, atol=1e-3)


def test_each_point_agrees_where_the_path_ends_in_pure_noise() -> None:
    gaussian, schedule = mixture([[0.5, -0.3]], [0.3]), RectifiedFlow()
    x_0 = drawn(gaussian)
    nats = likelihood(Exact(gaussian, schedule), schedule, x_0).nats
    assert_close(nats, -gaussian.log_prob(x_0), rtol=0, atol=1e-4)


def test_a_mixture_agrees_too() -> None:
    three, schedule = mixture([[1.0, -1.0], [-1.0, 0.0], [1.0, 1.0]], [0.1, 0.2, 0.3]), Cosine()
    x_0 = drawn(three)
    nats = likelihood(Exact(three, schedule), schedule, x_0).nats
    assert_close(nats, -three.log_prob(x_0), rtol=0, atol=2e-3)


def test_the_step_is_of_fourth_order() -> None:
    gaussian, schedule = mixture([[0.0, 0.0]], [0.2]), RectifiedFlow()
    x_0 = drawn(gaussian)
    exact = -gaussian.log_prob(x_0)
    errors = [
        (likelihood(Exact(gaussian, schedule), schedule, x_0, steps=n).nats - exact).abs().max()
        for n in (12, 24)
    ]
    assert math.log2(errors[0] / errors[1]) > 3.5


def test_bits_count_each_coordinate() -> None:
    gaussian, schedule = mixture([[0.0, 0.0]], [0.5]), Cosine()
    answer = likelihood(Exact(gaussian, schedule), schedule, drawn(gaussian, 4), steps=4)
    assert_close(answer.bits_per_dim, answer.nats / (2 * math.log(2)))


def test_data_turns_into_standard_noise() -> None:
    gaussian, schedule = mixture([[0.0, 0.0]], [0.25]), Cosine()
    x_0 = drawn(gaussian)
    noise = likelihood(Exact(gaussian, schedule), schedule, x_0).noise
    assert_close(noise, x_0 / 0.25, rtol=0, atol=1e-3)


def test_a_condition_reaches_the_denoiser() -> None:
    two, schedule = mixture([[-1.0], [1.0]], [0.3, 0.3]), Cosine()
    x_0 = torch.tensor([[1.0], [0.9]], dtype=float64)
    told = likelihood(Exact(two, schedule), schedule, x_0, label=1).nats
    assert_close(told, -mixture([[1.0]], [0.3]).log_prob(x_0), rtol=0, atol=1e-3)


def test_an_untrained_network_answers_for_a_standard_gaussian_under_no_grad() -> None:
    schedule = RectifiedFlow()
    module = PointNetwork(NetworkConfig(width=16, depth=1), schedule, "velocity")
    learned = Network(module.requires_grad_(False), schedule, "velocity")
    normal = mixture([[0.0, 0.0]], [1.0])
    x_0 = drawn(normal, 20)
    with torch.no_grad():
        nats = likelihood(learned, schedule, x_0.float(), steps=16).nats
    assert nats.dtype == torch.float32
    assert not nats.requires_grad
    assert_close(nats, -normal.log_prob(x_0).float(), rtol=0, atol=1e-4)


def test_what_cannot_be_answered_is_refused_in_words() -> None:
    gaussian, schedule = mixture([[0.0, 0.0]], [1.0]), Cosine()
    exact = Exact(gaussian, schedule)
    with pytest.raises(ValueError, match="points"):
        likelihood(exact, schedule, torch.zeros(2, dtype=float64))
    with pytest.raises(ValueError, match="at least 1 step"):
        likelihood(exact, schedule, torch.zeros(1, 2, dtype=float64), steps=0)
    for points in (Empirical(torch.zeros(3, 2, dtype=float64)), mixture([[0.0, 0.0]], [0.0])):
        inside = Exact(points, schedule)  # type: ignore[arg-type]
        for denoiser in (inside, OnPath(Conditioned(inside), schedule, schedule)):
            with pytest.raises(ValueError, match="no density"):
                likelihood(denoiser, schedule, torch.zeros(1, 2, dtype=float64), steps=1)
    with pytest.raises(ValueError, match="differentiated"):
        likelihood(Constant(), schedule, torch.zeros(1, 2, dtype=float64), steps=1)


def test_the_stretch_before_the_first_stop_is_one_trapezium_by_hand() -> None:
    """For N(0, s^2), v = c z with c = (1 - s^2) sin cos / w^2, w^2 = s^2 cos^2 + sin^2; v = 0 at 0.

    So z -> z (1 + u + u^2), u = c phi / 2, and the volume grows by e^(2 u) in two dimensions; from
    there on everything grows by the ratio of w.
    """
    s, schedule = 0.5, EDM(80.0, sigma_min=0.2)
    gaussian, x_0 = mixture([[0.0, 0.0]], [s]), torch.tensor([[0.4, -1.0]], dtype=float64)
    found = likelihood(Exact(gaussian, schedule), schedule, x_0, steps=300)
    first, last = math.atan(0.2), math.atan(80.0)
    w, w_last = (math.hypot(s * math.cos(phi), math.sin(phi)) for phi in (first, last))
    u = (1 - s**2) * math.sin(first) * math.cos(first) / w**2 * first / 2
    noise = x_0 * (1 + u + u**2) * w_last / w
    assert_close(found.noise, noise, rtol=1e-8, atol=0)
    log_prior = -(noise**2).sum(1) / 2 - math.log(2 * math.pi)
    assert_close(found.nats, -(log_prior + 2 * u + 2 * math.log(w_last / w)), rtol=1e-8, atol=0)
