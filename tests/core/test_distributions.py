"""Distributions whose noised version is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from diffviz.core.distributions import Empirical, GaussianMixture, Smoothed

float64 = torch.float64


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.fixture
def mixture() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([1.0, 2.0, 3.0], dtype=float64),
        torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.0, -1.0]], dtype=float64),
        torch.tensor([0.2, 0.4, 0.05], dtype=float64),
    )


def test_posterior_mean_is_the_ratio_of_integrals(mixture: GaussianMixture) -> None:
    """E[x_0 | x_t] by brute force on a fine grid of x_0."""
    alpha, sigma = 0.8, 0.35
    axis = torch.linspace(-3.5, 3.5, 701, dtype=float64)
    y = torch.cartesian_prod(axis, axis)
    for x in torch.tensor([[0.1, -0.2], [-0.9, 0.3], [1.5, 1.5]], dtype=float64):
        weight = (mixture.log_prob(y) - ((x - alpha * y) ** 2).sum(1) / (2 * sigma**2)).softmax(0)
        assert_close(
            mixture.posterior_mean(x[None], alpha, sigma)[0], weight @ y, rtol=1e-6, atol=1e-6
        )


def test_marginal_density_integrates_to_one_and_matches_the_grid(mixture: GaussianMixture) -> None:
    marginal = mixture.marginal(0.6, 0.8)
    axis = torch.linspace(-6, 6, 241, dtype=float64)
    grid = marginal.density_on_grid(axis, axis)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    direct = marginal.log_prob(torch.stack([x.flatten(), y.flatten()], 1)).exp().reshape(241, 241)
    assert_close(grid, direct)
    assert grid.sum().item() * 0.05**2 == pytest.approx(1, rel=1e-9)


def test_density_on_a_line(mixture: GaussianMixture) -> None:
    line = GaussianMixture(mixture.weights, mixture.means[:, :1], mixture.stds)
    axis = torch.linspace(-3, 3, 50, dtype=float64)
    assert_close(line.density_on_grid(axis), line.log_prob(axis[:, None]).exp())
    with pytest.raises(ValueError, match="1 dimensions"):
        line.density_on_grid(axis, axis)


def test_samples_have_the_mixture_s_moments(
    mixture: GaussianMixture, generator: torch.Generator
) -> None:
    x = mixture.sample(50_000, generator)
    mean = mixture.weights @ mixture.means
    second = mixture.weights @ (mixture.means**2 + mixture.stds[:, None] ** 2)
    assert_close(x.mean(0), mean, rtol=0, atol=0.02)
    assert_close((x**2).mean(0), second, rtol=0, atol=0.02)


def test_limits_of_the_posterior_mean(mixture: GaussianMixture) -> None:
    x = torch.randn(5, 2, dtype=float64)
    assert_close(mixture.posterior_mean(x, 1.0, 0.0), x)
    prior_mean = (mixture.weights @ mixture.means).expand(5, 2)
    assert_close(mixture.posterior_mean(x, 0.0, 1.0), prior_mean)


def test_empirical_is_a_mixture_without_spread(generator: torch.Generator) -> None:
    points = torch.randn(40, 2, generator=generator, dtype=float64)
    x = torch.randn(300, 2, generator=generator, dtype=float64)
    spread = GaussianMixture(torch.ones(40, dtype=float64), points, torch.zeros(40, dtype=float64))
    for alpha, sigma in ((0.9, 0.4), (0.2, 0.98), (1.0, 30.0)):
        expected = spread.posterior_mean(x, alpha, sigma)
        assert_close(Empirical(points).posterior_mean(x, alpha, sigma), expected)


@pytest.mark.fact(11)
@pytest.mark.parametrize("dtype", [torch.float32, float64])
@pytest.mark.parametrize("D", [1, 2, 64])
def test_empirical_stays_finite_and_returns_the_nearest_point(
    D: int, dtype: torch.dtype, generator: torch.Generator
) -> None:
    points = torch.randn(500, D, generator=generator, dtype=dtype)
    x = torch.randn(64, D, generator=generator, dtype=dtype)
    nearest = points[torch.cdist(x.double(), points.double()).argmin(1)]
    for sigma in (1e-3, 1e-10, 1e-30, 0.0):
        answer = Empirical(points).posterior_mean(x, 1.0, sigma)
        assert bool(answer.isfinite().all())
        if sigma <= 1e-10:
            assert_close(answer, nearest)


@pytest.mark.fact(11)
def test_direct_differences_survive_far_from_the_origin() -> None:
    """Expanding |x - y|^2 in float32 would lose these differences of 1e-3 around 1,000."""
    points = torch.tensor([[1000.0, 0.0], [1000.004, 0.0]])
    x = torch.tensor([[1000.003, 0.0]])
    assert Empirical(points).posterior_mean(x, 1.0, 1e-4)[0, 0] == points[1, 0]


def test_weights_say_who_pulls(generator: torch.Generator) -> None:
    data = Empirical(torch.randn(30, 2, generator=generator, dtype=float64))
    x = torch.randn(8, 2, generator=generator, dtype=float64)
    weights = data.posterior_weights(x, 0.7, 0.7)
    assert_close(weights.sum(1), torch.ones(8, dtype=float64))
    assert_close(weights @ data.points, data.posterior_mean(x, 0.7, 0.7))


def test_every_row_may_have_its_own_level(generator: torch.Generator) -> None:
    images = torch.rand(20, 1, 4, 4, generator=generator, dtype=float64)
    x = torch.rand(3, 1, 4, 4, generator=generator, dtype=float64)
    alpha = torch.tensor([0.9, 0.5, 0.1], dtype=float64).reshape(3, 1, 1, 1)
    sigma = (1 - alpha**2).sqrt()
    data = Empirical(images)
    together = data.posterior_mean(x, alpha, sigma)
    for k in range(3):
        single = data.posterior_mean(x[k : k + 1], alpha[k].item(), sigma[k].item())
        assert_close(together[k : k + 1], single)


def test_conditioning_keeps_to_the_class(
    mixture: GaussianMixture, generator: torch.Generator
) -> None:
    x = torch.randn(6, 2, generator=generator, dtype=float64)
    for k in range(3):
        alone = GaussianMixture(torch.ones(1, dtype=float64), mixture.means[[k]], mixture.stds[[k]])
        assert_close(
            mixture.posterior_mean(x, 0.8, 0.6, label=k), alone.posterior_mean(x, 0.8, 0.6)
        )
    points, labels = torch.randn(50, 2, dtype=float64), torch.arange(50) % 5
    per_row = torch.tensor([0, 1, 2, 3, 4, 0])
    together = Empirical(points, labels).posterior_mean(x, 0.8, 0.6, label=per_row)
    for row, k in enumerate(per_row.tolist()):
        alone_k = Empirical(points[labels == k])
        assert_close(together[row : row + 1], alone_k.posterior_mean(x[row : row + 1], 0.8, 0.6))


def test_chunks_do_not_change_the_answer(
    monkeypatch: pytest.MonkeyPatch, generator: torch.Generator
) -> None:
    data = Empirical(torch.randn(100, 2, generator=generator, dtype=float64))
    x = torch.randn(77, 2, generator=generator, dtype=float64)
    whole = data.posterior_mean(x, 0.9, 0.3)
    monkeypatch.setattr("diffviz.core.distributions._CHUNK_ELEMENTS", 700)
    assert_close(data.posterior_mean(x, 0.9, 0.3), whole)


def test_what_makes_no_distribution_is_told_in_words() -> None:
    ones = torch.ones(2)
    with pytest.raises(ValueError, match="weights"):
        GaussianMixture(torch.ones(3), torch.zeros(2, 2), ones)
    with pytest.raises(ValueError, match="positive"):
        GaussianMixture(torch.tensor([1.0, -1.0]), torch.zeros(2, 2), ones)
    with pytest.raises(ValueError, match="at least one point"):
        Empirical(torch.zeros(0, 2))
    with pytest.raises(ValueError, match="labels"):
        Empirical(torch.zeros(3, 2), torch.zeros(2))
    with pytest.raises(ValueError, match="no classes"):
        Empirical(torch.zeros(3, 2)).posterior_mean(torch.zeros(1, 2), 1.0, 1.0, label=0)
    with pytest.raises(ValueError, match="no point has the label"):
        Empirical(torch.zeros(3, 2), torch.arange(3)).posterior_mean(
            torch.zeros(1, 2), 1.0, 1.0, label=7
        )
    with pytest.raises(ValueError, match="no density"):
        Empirical(torch.zeros(3, 2)).log_prob(torch.zeros(1, 2))


def test_log_prob_is_the_textbook_formula() -> None:
    normal = GaussianMixture(torch.ones(1), torch.zeros(1, 3), torch.tensor([2.0]))
    x = torch.tensor([[1.0, -2.0, 0.5]])
    expected = -1.5 * math.log(2 * math.pi * 4) - float(np.square([1, -2, 0.5]).sum()) / 8
    assert normal.log_prob(x).item() == pytest.approx(expected)


def test_smoothed_points_are_a_mixture_with_a_bell_at_each(generator: torch.Generator) -> None:
    points = torch.randn(40, 2, generator=generator, dtype=float64)
    labels = torch.arange(40) % 3
    smoothed = Smoothed(points, 0.2, labels)
    ones = torch.ones(40, dtype=float64)
    mixture = GaussianMixture(ones, points, 0.2 * ones, labels)
    x = torch.randn(9, 2, generator=generator, dtype=float64)
    assert_close(smoothed.log_prob(x), mixture.log_prob(x))
    for alpha, sigma in ((0.8, 0.6), (1.0, 1e-3), (0.0, 1.0)):
        for label in (None, 1, torch.tensor([0, 1, 2] * 3)):
            assert_close(
                smoothed.posterior_mean(x, alpha, sigma, label),
                mixture.posterior_mean(x, alpha, sigma, label),
            )
        assert_close(smoothed.marginal(alpha, sigma).stds, mixture.marginal(alpha, sigma).stds)
    assert_close(smoothed.posterior_mean(x, 0.5, 0.0), x / 0.5)
    with pytest.raises(ValueError, match="no point has the label"):
        smoothed.posterior_mean(x, 0.5, 0.5, 7)
    drawn = smoothed.sample(20_000, generator)
    assert_close(drawn.mean(0), points.mean(0), rtol=0, atol=0.03)
    with pytest.raises(ValueError, match="above 0"):
        Smoothed(points, 0.0)


def test_the_score_is_the_slope_of_the_log_density(mixture: GaussianMixture) -> None:
    places = torch.tensor([[0.1, -0.2], [-0.9, 0.3], [0.4, 0.4], [0.0, -0.9]], dtype=float64)
    for rows in (1, 2, 4):
        x = places[:rows].clone().requires_grad_()
        (slope,) = torch.autograd.grad(mixture.log_prob(x).sum(), x)
        assert_close(mixture.score(x.detach()), slope)


def test_the_score_of_one_bell_points_to_its_middle() -> None:
    bell = GaussianMixture(
        torch.ones(1, dtype=float64),
        torch.tensor([[1.0, 2.0, 3.0]], dtype=float64),
        torch.tensor([0.5], dtype=float64),
    )
    x = torch.tensor([[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]], dtype=float64)
    assert_close(bell.score(x), torch.tensor([[-4.0, 0, 4], [4, 8, 12]], dtype=float64))


def test_a_sample_is_the_generators(mixture: GaussianMixture) -> None:
    points = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=float64)
    for law in (mixture, Empirical(points), Smoothed(points, 0.3)):
        first, again = (law.sample(20, torch.Generator().manual_seed(4)) for _ in "ab")
        assert torch.equal(first, again)
        assert first.dtype == float64
        assert not torch.equal(first, law.sample(20, torch.Generator().manual_seed(5)))


def test_a_smoothed_sample_is_a_point_and_then_noise_as_wide_as_its_bell() -> None:
    points = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=float64)
    draws = torch.Generator().manual_seed(4)
    point = Empirical(points).sample(20, draws)
    z = torch.randn(20, 2, generator=draws, dtype=float64)
    assert_close(
        Smoothed(points, 0.3).sample(20, torch.Generator().manual_seed(4)), point + 0.3 * z
    )
