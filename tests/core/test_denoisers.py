"""Denoisers, and denoisers that wrap denoisers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from diffviz.core.denoisers import (
    Clipped,
    Conditioned,
    Denoiser,
    Exact,
    Guided,
    Network,
    OnPath,
    Thresholded,
)
from diffviz.core.distributions import Empirical, GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.parametrizations import PARAMETRIZATIONS, to_eps
from diffviz.core.samplers import DDIM
from diffviz.core.schedules import (
    EDM,
    VE,
    Cosine,
    Linear,
    RectifiedFlow,
    Schedule,
    zero_terminal_snr,
)

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
    assert [Guided(exact, w).exact for w in (0.0, 1.0, 3.0)] == [True, True, False]


class Calls(Denoiser):
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        self.asked += 1
        return x_t


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("label", [None, 1])
def test_what_is_counted_is_what_is_called(scale: float, label: int | None) -> None:
    """Guidance asks twice only where there is a condition, whatever is wrapped around it."""
    calls, path, x = Calls(), Linear(), torch.zeros(2, 3)
    guided = Thresholded(Clipped(OnPath(Guided(calls, scale), path, path)))
    denoiser = guided if label is None else Conditioned(guided, label=label)
    states = list(DDIM().iterate(denoiser, path, make_grid(path, 5), x))
    assert [state.evaluations for state in states][-1] == calls.asked
    assert calls.asked == 5 * (2 if scale == 3 and label is not None else 1)
    twice = Guided(Guided(calls, 3.0), 5.0)  # the condition is what the inner one asks twice for
    assert [twice.cost(label=1), twice.cost(), Guided(twice, 1.0).cost(label=1)] == [3, 1, 3]
    assert [Guided(twice, 0.0).cost(label=1), Guided(calls, 1.0).cost()] == [1, 1]
    cond = {} if label is None else {"label": label}
    assert guided.cost(**cond) == denoiser.evaluations


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


def test_what_is_clipped_lies_between_minus_one_and_one_or_where_asked() -> None:
    x_0 = torch.tensor([[-3.0, -0.5, 0.5, 3.0]])
    assert Clipped(Constant(x_0))(x_0, 0.5).tolist() == [[-1, -0.5, 0.5, 1]]
    assert Clipped(Constant(x_0), -2, 0.25)(x_0, 0.5).tolist() == [[-2, -0.5, 0.25, 0.25]]


def test_dynamic_thresholding_is_per_sample() -> None:
    x_0 = torch.zeros(2, 100)
    x_0[0, :10] = 4.0
    x_0[1, :10] = 0.5
    out = Thresholded(Constant(x_0), quantile=0.95)(x_0, 0.5)
    assert_close(out[0, :10], torch.ones(10))  # clipped to s = 4 and divided by it
    assert_close(out[1], x_0[1])  # s is at least 1
    below = Thresholded(Constant(-x_0), quantile=0.95)(x_0, 0.5)
    assert_close(below, -out)  # the length counts, not the sign
    most = Thresholded(Constant(x_0), quantile=0.95, most=2.0)(x_0, 0.5)
    assert_close(most, out)  # 4 is cut to 2 and divided by it
    picture = x_0.reshape(2, 1, 10, 10)
    assert_close(Thresholded(Constant(picture), 0.95)(picture, 0.5), out.reshape(2, 1, 10, 10))
    for quantile in (0, -0.1, 1.01):
        with pytest.raises(ValueError, match="quantile"):
            Thresholded(Constant(x_0), quantile=quantile)
    assert_close(Thresholded(Constant(x_0), quantile=1)(x_0, 0.5), out)
    with pytest.raises(ValueError, match="low < high"):
        Clipped(Constant(x_0), 1, -1)
    with pytest.raises(ValueError, match="low < high"):
        Clipped(Constant(x_0), 1, 1)


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


OTHER_PATHS: dict[str, Schedule] = {
    "cosine": Cosine(),
    "ve": VE(),
    "rectified_flow": RectifiedFlow(),
    "zero_snr": zero_terminal_snr(Linear()),
}


@pytest.fixture(params=OTHER_PATHS)
def other(request: pytest.FixtureRequest) -> Schedule:
    return OTHER_PATHS[request.param]


def noised(schedule: Schedule, t: Tensor | float, points: Tensor, seed: int = 0) -> Tensor:
    """x_t of points at one time or at a time each."""
    eps = torch.randn(points.shape, generator=torch.Generator().manual_seed(seed), dtype=float64)
    alpha, sigma = (torch.as_tensor(v).reshape(-1, 1) for v in schedule(t))
    return alpha * points + sigma * eps


@pytest.mark.parametrize("own", [EDM(), RectifiedFlow()], ids=["edm", "flow"])
def test_a_denoiser_made_for_one_path_answers_on_another(
    own: Schedule, other: Schedule, mixture: GaussianMixture
) -> None:
    asked, exact = OnPath(Exact(mixture, own), own, other), Exact(mixture, other)
    points = mixture.sample(40, torch.Generator().manual_seed(1))
    ends = own.log_snr(torch.tensor([1.0, own.t_min], dtype=float64))
    t_last, t_first = other.t_at_log_snr(ends).tolist()  # where both paths have the noise level
    inner = torch.linspace(t_first + 1e-6, t_last - 1e-6, 40, dtype=float64)
    for t in (*inner[::8].tolist(), inner[5], inner):
        x_t = noised(other, t, points)
        assert_close(asked(x_t, t), exact(x_t, t), rtol=1e-9, atol=1e-9)
    assert asked.evaluations == exact.evaluations == 1


@pytest.mark.parametrize("own", [EDM(), EDM(2.0), RectifiedFlow(), VE()], ids=repr)
def test_what_is_called_exact_on_another_path_is_exact_at_all_times(
    own: Schedule, other: Schedule, mixture: GaussianMixture
) -> None:
    """Beyond its own noisiest level it is not: sigma of 2 in place of pure noise is far off."""
    asked, exact = OnPath(Exact(mixture, own), own, other), Exact(mixture, other)
    points = mixture.sample(40, torch.Generator().manual_seed(1))
    t = torch.tensor([0.0, 1e-9, 1e-4, 0.5, 0.999, 1.0], dtype=float64)
    off = max(
        (asked(noised(other, at, points), at) - exact(noised(other, at, points), at)).abs().max()
        for at in t.tolist()
    )
    assert asked.exact == bool(own.log_snr(1.0) <= other.log_snr(1.0)) == bool(off < 1e-6)


@pytest.mark.parametrize("own", [EDM(), RectifiedFlow(), VE(), Linear(), Cosine()], ids=repr)
def test_what_was_learned_is_not_asked_below_its_t_min(own: Schedule) -> None:
    asked = []

    class Watch(Constant):
        def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
            asked.append(float(t))
            return self.x_0

    for t in (0.0, 1e-9, 1.0):
        OnPath(Watch(torch.zeros(1, 2)), own, RectifiedFlow())(torch.ones(1, 2), t)
    assert asked == pytest.approx([own.t_min, own.t_min, 1.0], rel=1e-12)


def test_beyond_its_own_path_a_denoiser_answers_as_at_the_end(
    other: Schedule, mixture: GaussianMixture
) -> None:
    own = EDM()
    asked, exact = OnPath(Exact(mixture, own), own, other), Exact(mixture, other)
    points = mixture.sample(40, torch.Generator().manual_seed(1))
    assert_close(asked(points, 0.0), points)
    x_1 = noised(other, 1.0, points)
    assert_close(asked(x_1, 1.0), exact(x_1, 1.0), rtol=0, atol=5 / own.sigma_max)
    ends = torch.tensor([0.0, 1.0] * 20, dtype=float64)
    x_t = noised(other, ends, points)
    by_itself = [asked(x_t[k : k + 1], t) for k, t in enumerate(ends.tolist())]
    assert_close(asked(x_t, ends), torch.cat(by_itself))


def test_sampling_on_another_path_ends_on_the_same_points(other: Schedule) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(50, 2, generator=generator, dtype=float64)
    own, data = EDM(), Empirical(points)
    grid = make_grid(other, 20, "log_snr")
    x_1 = other.prior_std(grid[0].item()) * torch.randn(60, 2, generator=generator, dtype=float64)
    ends = [
        DDIM().sample(denoiser, other, grid, x_1)
        for denoiser in (OnPath(Exact(data, own), own, other), Exact(data, other))
    ]
    assert_close(*ends, rtol=0, atol=1e-3)
    assert torch.cdist(ends[0], points).amin(1).max() < 1e-3


def test_labels_pass_through_to_the_denoiser_of_another_path(mixture: GaussianMixture) -> None:
    own, other = EDM(), RectifiedFlow()
    x_t = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=float64)
    asked = OnPath(Exact(mixture, own), own, other)(x_t, 0.6, label=1)
    assert_close(asked, Exact(mixture, other)(x_t, 0.6, label=1))


def test_the_threshold_by_hand() -> None:
    """The quantile 0.995 of 0, 1, ..., 200 is 199; what lies above is cut to it."""
    x_0 = torch.arange(201, dtype=float64)[None]
    out = Thresholded(Constant(x_0))(x_0, 0.5)
    assert_close(out, x_0.clamp(max=199) / 199)
    assert_close(Thresholded(Constant(x_0), 0.995, 50.0)(x_0, 0.5), x_0.clamp(max=50) / 50)


def test_a_condition_reaches_the_module_of_a_network() -> None:
    class Labelled(nn.Module):
        def forward(self, x_t: Tensor, t: Tensor, label: int = 0) -> Tensor:
            return torch.full_like(x_t, float(label))

    x_t = torch.zeros(2, 3)
    learned = Network(Labelled(), Linear(), "x_0")
    assert learned(x_t, 0.5, label=7).unique().tolist() == [7]
    assert learned(x_t, 0.5).unique().tolist() == [0]


class Asked(nn.Module):
    """A network of pictures that counts its calls: it predicts the label, 10 for none."""

    null_label = 10

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def forward(self, x_t: Tensor, t: Tensor, label: Tensor | int | None = None) -> Tensor:
        self.batches.append(len(x_t))
        asked = torch.as_tensor(self.null_label if label is None else label).expand(len(x_t))
        return asked[:, None, None, None] + t[:, None, None, None] + 0 * x_t


@pytest.mark.parametrize("t", [0.25, torch.tensor(0.25), torch.tensor([0.25, 0.5, 0.75])])
@pytest.mark.parametrize("label", [3, torch.tensor([3, 4, 5])])
def test_pictures_with_and_without_a_label_are_one_batch(
    t: float | Tensor, label: int | Tensor
) -> None:
    module, x_t = Asked(), torch.zeros(3, 1, 2, 2)
    guided = Guided(Network(module, Cosine(), "x_0"), 2.5)
    out = guided(x_t, t, label=label)
    times, labels = torch.as_tensor(t).expand(3), torch.as_tensor(label).expand(3)
    assert_close(out[:, 0, 0, 0], times + 10 + 2.5 * (labels - 10))
    assert module.batches == [6]
    assert guided.cost(label=label) == 2
    guided(x_t, t)
    Guided(guided.denoiser, 1.0)(x_t, t, label=label)
    assert module.batches == [6, 3, 3]
