"""Denoisers, and denoisers that wrap denoisers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from diffviz.denoisers import Clipped, Conditioned, Denoiser, Exact, Guided, Network, Thresholded
from diffviz.distributions import Empirical, GaussianMixture
from diffviz.grids import make_grid
from diffviz.parametrizations import PARAMETRIZATIONS, to_eps
from diffviz.samplers import DDIM
from diffviz.schedules import Linear, zero_terminal_snr

float64 = torch.float64


class Constant(Denoiser):
    """Always predicts one x_0."""

    def __init__(self, x_0: Tensor) -> None:
        self.x_0 = x_0

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        return self.x_0


@pytest.fixture
def mixture() -> GaussianMixture:
    return GaussianMixture(
        torch.ones(2, dtype=float64),
        torch.tensor([[-1.0, 0.0], [1.0, 0.0]], dtype=float64),
        torch.tensor([0.3, 0.3], dtype=float64),
    )


@pytest.mark.parametrize("predicts", PARAMETRIZATIONS)
def test_a_network_answers_in_x_0_whatever_it_predicts(
    predicts: str, mixture: GaussianMixture
) -> None:
    schedule = Linear()
    exact = Exact(mixture, schedule)

    class Perfect(nn.Module):
        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            assert t.shape == (len(x_t),)
            return PARAMETRIZATIONS[predicts][1](x_t, exact(x_t, t), schedule, t)

    x_t = torch.randn(5, 2, dtype=float64)
    learned = Network(Perfect(), schedule, predicts)
    for t in (0.4, torch.tensor(0.4), torch.linspace(0.1, 0.9, 5, dtype=float64)):
        assert_close(learned(x_t, t), exact(x_t, t))
    assert exact.exact
    assert not learned.exact


@pytest.mark.fact(6)
def test_eps_networks_refuse_zero_terminal_snr_and_v_networks_do_not() -> None:
    schedule = zero_terminal_snr(Linear())
    x_t = torch.randn(3, 2)

    class Zero(nn.Module):
        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            return torch.zeros_like(x_t)

    with pytest.raises(ValueError, match="predicts x_0 or v"):
        Network(Zero(), schedule, "eps")(x_t, 1.0)
    for predicts in ("x_0", "v"):
        assert_close(Network(Zero(), schedule, predicts)(x_t, 1.0), torch.zeros(3, 2))
    with pytest.raises(ValueError, match="one of eps"):
        Network(Zero(), schedule, "noise")


@pytest.mark.fact(10)
def test_guidance_is_uncond_plus_w_times_the_difference(mixture: GaussianMixture) -> None:
    exact = Exact(mixture, Linear())
    x_t, t = torch.randn(6, 2, dtype=float64), 0.5
    uncond, cond = exact(x_t, t), exact(x_t, t, label=1)
    assert_close(Guided(exact, 3.0)(x_t, t, label=1), uncond + 3 * (cond - uncond))
    assert_close(Guided(exact, 1.0)(x_t, t, label=1), cond)
    assert_close(Guided(exact, 0.0)(x_t, t, label=1), uncond)
    assert_close(Guided(exact, 3.0)(x_t, t), uncond)
    assert [Guided(exact, w).evaluations for w in (0.0, 1.0, 3.0)] == [1, 1, 2]
    assert not Guided(exact, 3.0).exact


@pytest.mark.fact(7)
def test_eps_follows_a_clipped_x_0_and_points_are_not_clipped(mixture: GaussianMixture) -> None:
    schedule = Linear()
    far = Constant(torch.full((4, 2), 3.0, dtype=float64))
    x_1 = torch.randn(4, 2, dtype=float64)
    grid = make_grid(schedule, 3)
    for state in list(DDIM().iterate(Clipped(far), schedule, grid, x_1))[:-1]:
        assert_close(state.x_0, torch.ones(4, 2, dtype=float64))
        assert_close(state.eps, to_eps(state.x_t, state.x_0, state.alpha, state.sigma))
        assert_close(state.alpha * state.x_0 + state.sigma * state.eps, state.x_t)
    unclipped = next(iter(DDIM().iterate(far, schedule, grid, x_1)))
    assert_close(unclipped.x_0, far.x_0)


def test_dynamic_thresholding_is_per_sample() -> None:
    x_0 = torch.zeros(2, 100)
    x_0[0, :10] = 4.0
    x_0[1, :10] = 0.5
    out = Thresholded(Constant(x_0), quantile=0.95)(x_0, 0.5)
    assert_close(out[0, :10], torch.ones(10))  # clipped to s = 4 and divided by it
    assert_close(out[1], x_0[1])  # s is at least 1
    with pytest.raises(ValueError, match="quantile"):
        Thresholded(Constant(x_0), quantile=0)
    with pytest.raises(ValueError, match="low < high"):
        Clipped(Constant(x_0), 1, -1)


def test_the_exact_denoiser_of_points_ends_on_points() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(200, 2, generator=generator, dtype=float64)
    schedule = Linear()
    x_1 = torch.randn(300, 2, generator=generator, dtype=float64)
    denoiser = Exact(Empirical(points), schedule)
    x = DDIM().sample(denoiser, schedule, make_grid(schedule, 50, "log_snr"), x_1)
    distance = torch.cdist(x, points).amin(1)
    assert distance.median() < 1e-12
    assert distance.mean() < 1e-3  # a few stop between two points closer than the last noise


def test_a_condition_that_is_always_asked_for(mixture: GaussianMixture) -> None:
    exact, x_t = Exact(mixture, Linear()), torch.zeros(3, 2, dtype=float64)
    assert Conditioned(exact, label=1).exact
    asked = Conditioned(exact, label=1)(x_t, 0.5)
    assert_close(asked, exact(x_t, 0.5, label=1))
    assert not torch.equal(asked, exact(x_t, 0.5))
    assert_close(Conditioned(exact, label=1)(x_t, 0.5, label=0), exact(x_t, 0.5, label=0))
