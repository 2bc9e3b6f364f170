"""The tilted density that guidance promises, and the classifier behind it."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.denoisers import Exact, Guided
from diffviz.core.distributions import GaussianMixture
from diffviz.core.guidance import class_probabilities, draw_from_grid, joint_on_grid, tilted
from diffviz.core.schedules import SCHEDULES
from diffviz.data.points import INFO, MIXTURE_LABELS, MIXTURES, labelled

float64 = torch.float64
AXIS = torch.linspace(-5, 5, 201, dtype=float64)


@pytest.fixture
def mixture() -> GaussianMixture:
    """Three components in two classes that overlap."""
    return GaussianMixture(
        torch.tensor([1.0, 1.0, 2.0], dtype=float64),
        torch.tensor([[-1.0, 0.0], [0.5, 1.0], [0.8, -0.4]], dtype=float64),
        torch.tensor([0.5, 0.4, 0.6], dtype=float64),
        torch.tensor([0, 0, 1]),
    )


def places() -> torch.Tensor:
    y, x = torch.meshgrid(AXIS, AXIS, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)


def test_the_joint_density_sums_to_the_density_and_gives_the_classifier(
    mixture: GaussianMixture,
) -> None:
    joint = joint_on_grid(mixture, AXIS, AXIS)
    assert_close(joint.sum(0), mixture.density_on_grid(AXIS, AXIS))
    assert_close(joint.sum((1, 2)) * 0.05**2, torch.tensor([0.5, 0.5], dtype=float64))
    bayes = (joint / joint.sum(0)).flatten(1).T
    assert_close(class_probabilities(mixture, places()), bayes)
    assert class_probabilities(mixture, torch.full((1, 2), 80.0, dtype=float64)).isfinite().all()


def test_scale_0_is_the_whole_density_and_scale_1_that_of_the_class(
    mixture: GaussianMixture,
) -> None:
    joint = joint_on_grid(mixture, AXIS, AXIS)
    assert_close(tilted(joint, 1, 0), joint.sum(0))
    assert_close(tilted(joint, 1, 1), joint[1])
    nowhere = torch.zeros(2, 3, 3, dtype=float64)
    assert not tilted(nowhere, 0, 4).any()


def test_the_guided_score_is_the_slope_of_the_tilted_density(mixture: GaussianMixture) -> None:
    schedule, t, w = SCHEDULES["cosine"](), 0.4, 3.0
    alpha, sigma = schedule.at(t)
    guided = Guided(Exact(mixture, schedule), w)
    x = torch.tensor([[0.2, -0.3], [-0.9, 0.4], [1.1, 0.1]], dtype=float64)
    score = (alpha * guided(x, t, label=0) - x) / sigma**2
    step = 1e-4

    def log_tilted(at: torch.Tensor) -> torch.Tensor:
        noised = mixture.marginal(alpha, sigma)
        return noised.log_prob(at) + w * class_probabilities(noised, at)[:, 0].log()

    for d in range(2):
        move = torch.zeros(2, dtype=float64)
        move[d] = step
        slope = (log_tilted(x + move) - log_tilted(x - move)) / (2 * step)
        assert_close(score[:, d], slope, rtol=1e-6, atol=1e-6)


def test_between_two_equal_gaussians_guidance_adds_a_push_along_the_line_between_them() -> None:
    """The conditional mean, and (w - 1) p(other | x_t) (m_c - m_other) of the noise's share."""
    means, std, w = torch.tensor([[-1.0, 0.5], [1.0, -0.5]], dtype=float64), 0.6, 5.0
    two = GaussianMixture(torch.ones(2, dtype=float64), means, torch.full((2,), std, dtype=float64))
    schedule, t = SCHEDULES["rectified_flow"](), 0.55
    alpha, sigma = schedule.at(t)
    exact = Exact(two, schedule)
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=float64)
    other = class_probabilities(two.marginal(alpha, sigma), x)[:, :1]
    noise_share = sigma**2 / (alpha**2 * std**2 + sigma**2)
    push = (w - 1) * other * noise_share * (means[1] - means[0])
    assert_close(Guided(exact, w)(x, t, label=1), exact(x, t, label=1) + push)
    assert_close(Guided(exact, 1)(x, t, label=1), exact(x, t, label=1))
    assert_close(Guided(exact, 0)(x, t, label=1), exact(x, t))


def test_draws_from_a_grid_have_its_moments(mixture: GaussianMixture) -> None:
    density = mixture.density_on_grid(AXIS, AXIS)
    drawn = draw_from_grid(density, (AXIS, AXIS), 200_000, torch.Generator().manual_seed(1))
    mean = mixture.weights @ mixture.means
    second = mixture.weights @ (mixture.means**2 + mixture.stds[:, None] ** 2)
    assert_close(drawn.mean(0), mean, rtol=0, atol=0.01)
    assert_close((drawn**2).mean(0), second, rtol=0.01, atol=0.01)
    with pytest.raises(ValueError, match="whole grid"):
        draw_from_grid(torch.zeros_like(density), (AXIS, AXIS), 3)


@pytest.mark.parametrize("name", MIXTURES)
def test_components_have_the_classes_of_the_points_around_them(name: str) -> None:
    weights, means, stds = MIXTURES[name]()
    exact = GaussianMixture(weights, means, stds, MIXTURE_LABELS[name])
    points, labels = labelled(name, 500, 3)
    assert class_probabilities(exact, points.double()).shape == (500, INFO[name].classes)
    agree = (class_probabilities(exact, points.double()).argmax(1) == labels).double().mean()
    assert agree > 0.97


def test_a_class_weighs_what_its_components_weigh_together() -> None:
    """Bayes by hand, for shares 0.1 + 0.3 and 0.6 of one bell each."""
    weights, means = torch.tensor([1.0, 3.0, 6.0]).double(), torch.tensor([[-1.0], [0.0], [2.0]])
    mixture = GaussianMixture(
        weights, means.double(), torch.ones(3, dtype=float64), torch.tensor([0, 0, 1])
    )
    x = torch.tensor([[0.4], [1.5]], dtype=float64)
    bells = torch.exp(-((x - means.T) ** 2) / 2) / math.sqrt(2 * math.pi) * weights / 10
    joint = torch.stack([bells[:, 0] + bells[:, 1], bells[:, 2]], 1)
    assert_close(class_probabilities(mixture, x), joint / joint.sum(1, keepdim=True))
    axis = torch.tensor([0.4, 1.5], dtype=float64)
    assert_close(joint_on_grid(mixture, axis), joint.T)
    wanted = joint.sum(1) * (joint[:, 1] / joint.sum(1)) ** 2.5
    assert_close(tilted(joint.T, 1, 2.5), wanted)


def test_draws_lie_in_the_cells_that_have_weight() -> None:
    """The pitch is half: a cell at (x, y) reaches a quarter to each side, rows along y."""
    axes = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([10.0, 10.5])
    density = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    drawn = draw_from_grid(density, axes, 2000, torch.Generator().manual_seed(0))
    low, high = drawn.amin(0), drawn.amax(0)
    assert_close(low, torch.tensor([0.75, 10.25]), rtol=0, atol=0.01)
    assert_close(high, torch.tensor([1.25, 10.75]), rtol=0, atol=0.01)


def test_a_draw_is_the_generators_and_as_fine_as_the_density() -> None:
    """A place in a cell has the 53 bits of a float64, not the 24 of a float32."""
    axis = torch.arange(3, dtype=float64)
    density = torch.ones(3, 3, dtype=float64)
    first, again = (
        draw_from_grid(density, (axis, axis), 50, torch.Generator().manual_seed(2)) for _ in "ab"
    )
    assert torch.equal(first, again)
    assert first.dtype == float64
    places = (first + 0.5) * 2**24
    assert bool((places != places.round()).all())
