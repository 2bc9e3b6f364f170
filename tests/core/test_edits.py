"""Editing with a denoiser: start late, inpaint, resample, restore."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import Empirical
from diffviz.core.edits import (
    Degradation,
    Finished,
    Inpainted,
    Resampled,
    Restored,
    sdedit,
    start_at,
)
from diffviz.core.grids import make_grid
from diffviz.core.parametrizations import levels
from diffviz.core.samplers import DDIM, DDPM, SAMPLERS, DPMpp2M, Heun, History, Sampler, Step
from diffviz.core.schedules import EDM, Linear, RectifiedFlow, Schedule
from diffviz.core.trajectory import State

float64 = torch.float64
PATHS: dict[str, Schedule] = {"linear": Linear(), "edm": EDM(), "flow": RectifiedFlow()}
M, S = 0.4, 0.6  # mean and standard deviation of a pixel


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=float64)


class Pixels(Denoiser):
    """The exact denoiser of pixels that are N(mean, std^2), each for itself."""

    exact = True

    def __init__(self, schedule: Schedule, mean: Tensor | float = M, std: float = S) -> None:
        self.schedule, self.mean, self.std = schedule, mean, std

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        alpha, sigma = levels(self.schedule, t, x_t)
        gain = alpha * self.std**2 / (alpha**2 * self.std**2 + sigma**2)
        return self.mean + gain * (x_t - alpha * self.mean)


class OnTheFlow(Sampler):
    """The exact probability-flow step for ``Pixels``: every x_t keeps its quantile."""

    def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
        x_0, eps = history.predict(x_t, t)
        (alpha_t, v_t), (alpha_s, v_s) = (
            (alpha, math.hypot(alpha * S, sigma)) for alpha, sigma in map(history.level, (t, s))
        )
        return Step(alpha_s * M + v_s / v_t * (x_t - alpha_t * M), x_0, eps)


@pytest.fixture(params=PATHS)
def schedule(request: pytest.FixtureRequest) -> Schedule:
    return PATHS[request.param]


def start(schedule: Schedule, grid: Tensor, *shape: int) -> Tensor:
    return schedule.prior_std(grid[0].item()) * normal(*shape, seed=9)


def equal_states(one: list[State], other: list[State]) -> bool:
    names = ("x_t", "x_0", "eps", "score", "z")
    return len(one) == len(other) and all(
        torch.equal(getattr(a, name), getattr(b, name)) and a.evaluations == b.evaluations
        for a, b in zip(one, other, strict=True)
        for name in names
    )


# Starting late


def test_level_0_is_the_picture_itself(schedule: Schedule) -> None:
    grid, x_0 = make_grid(schedule, 10), normal(2, 1, 4, 4)
    x_t, rest = start_at(schedule, grid, 0, x_0, seeded())
    assert torch.equal(x_t, x_0)
    assert rest.tolist() == [0]
    states = list(sdedit(DDPM(), Pixels(schedule), schedule, grid, 0.04, x_0, seeded()))
    assert [(state.index, state.t, state.evaluations) for state in states] == [(0, 0.0, 0)]
    assert torch.equal(states[0].x_t, x_0)
    assert torch.equal(states[0].x_0, x_0)


def test_level_1_is_an_ordinary_run_whatever_the_picture(schedule: Schedule) -> None:
    grid, denoiser, generator = make_grid(schedule, 10), Pixels(schedule), seeded(3)
    x_1 = schedule.prior_std(grid[0].item()) * torch.randn(
        2, 1, 4, 4, generator=generator, dtype=float64
    )
    plain = list(DDPM().iterate(denoiser, schedule, grid, x_1, generator))
    for x_0 in (normal(2, 1, 4, 4), torch.full((2, 1, 4, 4), 1e3, dtype=float64)):
        assert equal_states(
            list(sdedit(DDPM(), denoiser, schedule, grid, 1, x_0, seeded(3))), plain
        )


@pytest.mark.parametrize("level", [0.1, 0.3, 0.74, 0.9])
def test_between_them_a_run_starts_from_the_noised_picture(
    schedule: Schedule, level: float
) -> None:
    grid, x_0 = make_grid(schedule, 10), normal(3, 1, 2, 2)
    x_t, rest = start_at(schedule, grid, level, x_0, seeded(1))
    left = round(10 * level)
    assert_close(rest, grid[10 - left :])
    alpha, sigma = schedule.at(rest[0].item())
    assert_close((x_t - alpha * x_0) / sigma, normal(3, 1, 2, 2, seed=1))
    states = list(sdedit(DDIM(), Pixels(schedule), schedule, grid, level, x_0, seeded(1)))
    assert [state.t for state in states] == rest.tolist()
    assert torch.equal(states[0].x_t, x_t)


def test_an_edit_keeps_as_much_of_the_picture_as_the_noise_left() -> None:
    """On the exact flow the end is the picture with the correlation alpha S / v_t."""
    schedule = RectifiedFlow()
    grid, x_0 = make_grid(schedule, 10, "linspace"), M + S * normal(20000, 1, 1, 1)
    for level in (0.3, 0.6, 0.9):
        *_, last = sdedit(OnTheFlow(), Pixels(schedule), schedule, grid, level, x_0, seeded(1))
        alpha, sigma = schedule.at(grid[10 - round(10 * level)].item())
        kept = torch.corrcoef(torch.stack([x_0.flatten(), last.x_t.flatten()]))[0, 1].item()
        assert kept == pytest.approx(alpha * S / math.hypot(alpha * S, sigma), abs=0.02)
        assert last.x_t.mean().item() == pytest.approx(M, abs=0.02)
        assert last.x_t.std().item() == pytest.approx(S, abs=0.02)


def test_a_level_is_a_share() -> None:
    grid, x_0 = make_grid(Linear(), 5), normal(1, 1, 2, 2)
    for level in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"in \[0, 1\]"):
            sdedit(DDIM(), Pixels(Linear()), Linear(), grid, level, x_0)
    with pytest.raises(ValueError, match="at least 1 step"):
        start_at(Linear(), grid[-1:], 0.5, x_0)
    assert len(start_at(Linear(), grid[-2:], 0.6, x_0)[1]) == 2  # one step is enough


# Inpainting


def hole(size: int = 4) -> tuple[Tensor, Tensor]:
    """Known pixels, not a number where they are not known, and their mask."""
    mask = torch.ones(size, size)
    mask[1:3, 1:] = 0
    known = normal(1, 1, size, size, seed=5)
    return torch.where(mask.bool(), known, torch.nan), mask


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 7])
def test_known_pixels_are_known_to_the_bit(schedule: Schedule, name: str, steps: int) -> None:
    known, mask = hole()
    denoiser = Inpainted(Pixels(schedule), known, mask)
    grid = make_grid(schedule, steps)
    x_1 = start(schedule, grid, 5, 1, 4, 4)
    sampler = Finished(SAMPLERS[name](), denoiser.finish)
    assert sampler.stochastic == SAMPLERS[name]().stochastic
    *_, last = sampler.iterate(denoiser, schedule, grid, x_1, seeded())
    at = mask.bool().expand(5, 1, 4, 4)
    bits = known.expand(5, 1, 4, 4)[at].view(torch.int64)
    assert torch.equal(last.x_t[at].view(torch.int64), bits)
    assert torch.equal(last.x_t, sampler.sample(denoiser, schedule, grid, x_1, seeded()))
    assert bool(last.x_t.isfinite().all())
    if steps > 1:  # one step from pure noise ends on the mean
        assert not torch.equal(last.x_t[0], last.x_t[1])


def test_which_samplers_do_not_end_on_the_prediction() -> None:
    """The ones that ``Finished`` is for."""
    known, mask = hole()
    off = {}
    for path, schedule in PATHS.items():
        denoiser, grid = Inpainted(Pixels(schedule), known, mask), make_grid(schedule, 7)
        x_1 = start(schedule, grid, 5, 1, 4, 4)
        off[path] = {
            name
            for name, sampler in SAMPLERS.items()
            if not torch.equal(
                (x := sampler().sample(denoiser, schedule, grid, x_1, seeded())),
                denoiser.finish(x),
            )
        }
    assert off["linear"] == off["edm"] == {"euler_maruyama"}
    assert {"euler_maruyama"} <= off["flow"] <= {"euler_maruyama", "euler", "heun"}


def test_the_prediction_elsewhere_is_the_denoisers() -> None:
    known, mask = hole()
    plain = Pixels(Linear())
    denoiser = Inpainted(plain, known, mask)
    x_t, t = normal(3, 1, 4, 4), torch.tensor([0.1, 0.5, 0.9], dtype=float64)
    for times in (0.3, t):
        assert_close(denoiser(x_t, times), torch.where(mask.bool(), known, plain(x_t, times)))
    assert not denoiser.exact
    assert denoiser(x_t.float(), 0.3).dtype == torch.float32
    assert Inpainted(Finer(), known, mask).evaluations == 2


class Finer(Denoiser):
    def cost(self, **cond: Any) -> int:
        return 2

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        return x_t


def test_a_mask_is_0_or_1_and_fits() -> None:
    known, mask = hole()
    with pytest.raises(ValueError, match="nothing between"):
        Inpainted(Finer(), known, 0.5 * mask)
    for shape in ((1, 1, 5, 5), (1, 4, 4)):
        with pytest.raises(ValueError, match="do not fit"):
            Inpainted(Finer(), known, mask)(torch.zeros(shape, dtype=float64), 0.5)


# Resampling


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_repeat_is_the_plain_sampler(schedule: Schedule, name: str) -> None:
    grid, denoiser = make_grid(schedule, 7), Pixels(schedule)
    x_1, sampler = start(schedule, grid, 4, 1, 2, 2), SAMPLERS[name]
    plain = list(sampler().iterate(denoiser, schedule, grid, x_1, seeded()))
    once = Resampled(sampler(), 1)
    assert equal_states(list(once.iterate(denoiser, schedule, grid, x_1, seeded())), plain)
    assert once.stochastic == sampler().stochastic
    assert Resampled(sampler(), 2).stochastic


@pytest.mark.parametrize(("sampler", "each"), [(DDIM(), 1), (Heun(), 2)])
def test_repeats_are_counted(sampler: Sampler, each: int) -> None:
    """Every step but the last is made three times; Heun's last step is one evaluation."""
    schedule = Linear()
    grid = make_grid(schedule, 5)
    x_1 = start(schedule, grid, 2, 1, 2, 2)
    states = list(Resampled(sampler, 3).iterate(Pixels(schedule), schedule, grid, x_1, seeded()))
    spent = [3 * each * k for k in range(5)] + [12 * each + 1]
    assert [state.evaluations for state in states] == spent
    for state in states[:-1]:  # a state holds what was predicted at its own x_t
        assert_close(state.x_0, Pixels(schedule)(state.x_t, state.t))
        assert_close(state.alpha * state.x_0 + state.sigma * state.eps, state.x_t)
    assert all(bool((state.z != 0).any()) for state in states[1:-1])
    assert not bool(states[-1].z.any())


@pytest.mark.parametrize("repeats", [2, 5])
def test_going_back_keeps_the_law_of_the_path(schedule: Schedule, repeats: int) -> None:
    """With exact steps of the flow, a wrong amount of noise going back is all that could show."""
    grid = make_grid(schedule, 6, "log_snr")
    alpha, sigma = schedule.at(grid[0].item())
    x_1 = alpha * M + math.hypot(alpha * S, sigma) * normal(20000, 1, 1, 1)
    states = list(
        Resampled(OnTheFlow(), repeats).iterate(Pixels(schedule), schedule, grid, x_1, seeded(1))
    )
    for state in states:
        std = math.hypot(state.alpha * S, state.sigma)
        u = (state.x_t - state.alpha * M) / std
        assert u.mean().item() == pytest.approx(0, abs=4 / math.sqrt(20000))
        assert u.std().item() == pytest.approx(1, abs=4 / math.sqrt(40000))
    # and they did move: the fresh noise is not the start's
    assert torch.corrcoef(torch.stack([x_1.flatten(), states[-1].x_t.flatten()]))[0, 1] < 0.9


@pytest.mark.parametrize("sampler", [DDIM(), DDPM(), DPMpp2M()])
def test_resampled_runs_end_on_the_data(sampler: Sampler) -> None:
    schedule = Linear()
    grid = make_grid(schedule, 100, "log_snr")
    x_1 = start(schedule, grid, 20000, 1, 1, 1)
    x = Resampled(sampler, 3).sample(Pixels(schedule), schedule, grid, x_1, seeded(1))
    assert x.mean().item() == pytest.approx(M, abs=4 * S / math.sqrt(20000))
    assert x.std().item() == pytest.approx(S, rel=0.05)  # a hundred steps are not all of them


def test_resampling_lets_known_and_new_pixels_agree() -> None:
    """Two pixels that are always equal, one of them known: the other follows every time."""
    schedule = Linear()
    pairs = torch.tensor([-1.0, 1.0], dtype=float64)[:, None, None, None].expand(2, 1, 1, 2)
    known = torch.ones(1, 1, 1, 2, dtype=float64)
    denoiser = Inpainted(Exact(Empirical(pairs), schedule), known, torch.tensor([1, 0]))
    grid = make_grid(schedule, 20)
    x_1 = start(schedule, grid, 2000, 1, 1, 2)
    agree = [
        (Resampled(DDPM(), k).sample(denoiser, schedule, grid, x_1, seeded())[..., 1] > 0)
        .double()
        .mean()
        .item()
        for k in (1, 5)
    ]
    assert agree[0] < 0.97
    assert agree[1] > 0.99


def test_multistep_methods_forget_the_path_they_left(schedule: Schedule) -> None:
    """Without a step before, DPM-Solver++(2M) is DDIM."""
    grid, denoiser = make_grid(schedule, 8), Pixels(schedule)
    x_1 = start(schedule, grid, 4, 1, 2, 2)
    ends = [
        Resampled(sampler, 2).sample(denoiser, schedule, grid, x_1, seeded())
        for sampler in (DPMpp2M(), DDIM())
    ]
    assert torch.equal(*ends)


def test_a_step_is_made_at_least_once() -> None:
    with pytest.raises(ValueError, match="at least once"):
        Resampled(DDIM(), 0)


# Restoration

DEGRADATIONS: dict[str, Callable[[int, int], Degradation]] = {
    "identity": lambda size, channels: Degradation.identity(size, channels),
    "blur": lambda size, channels: Degradation.blur(size, 0.8, channels),
    "downsample": lambda size, channels: Degradation.downsample(size, 2, channels),
}


@pytest.fixture(params=DEGRADATIONS)
def degradation(request: pytest.FixtureRequest) -> Degradation:
    return DEGRADATIONS[request.param](4, 1)


def dense(degradation: Degradation) -> Tensor:
    """A of one channel, column by column."""
    D = math.prod(degradation.shape)
    return (
        degradation.apply(torch.eye(D, dtype=float64).reshape(D, *degradation.shape)).flatten(1).T
    )


def test_the_parts_are_the_svd_of_the_whole(degradation: Degradation) -> None:
    A = dense(degradation)
    values = torch.linalg.svdvals(A)
    assert_close(degradation.singular_values.flatten().sort(descending=True)[0], values)
    y = normal(3, *degradation.measured_shape)
    by_whole = (y.flatten(1) @ torch.linalg.pinv(A, rtol=1e-4).T).reshape(3, *degradation.shape)
    assert_close(degradation.pinv(y), by_whole)


def test_channels_are_treated_alike() -> None:
    for make in DEGRADATIONS.values():
        one, three = make(4, 1), make(4, 3)
        x = normal(2, 3, 4, 4)
        each = [one.apply(x[:, c : c + 1]) for c in range(3)]
        assert_close(three.apply(x), torch.cat(each, 1))
        assert_close(three.apply(x[0]), three.apply(x)[0])
        assert three.apply(x.float()).dtype == torch.float32


def test_blur_and_downsampling_are_what_they_say() -> None:
    x = normal(2, 1, 8, 8)
    assert_close(Degradation.downsample(8, 4).apply(x), functional.avg_pool2d(x, 4))
    assert_close(Degradation.identity(8).apply(x), x)
    flat = torch.full((1, 1, 8, 8), 0.7, dtype=float64)
    for std in (0.1, 1.0, 8.0):
        blur = Degradation.blur(8, std)
        assert_close(blur.apply(flat), flat)
        assert_close(blur.apply(x).mean(), x.mean())  # a mirror loses no light
    assert_close(Degradation.blur(8, 0.1).apply(x), x)
    point = torch.zeros(1, 1, 21, 21, dtype=float64)
    point[..., 10, 10] = 1
    spread = Degradation.blur(21, 1.5).apply(point)[0, 0]
    off = torch.arange(21, dtype=float64) - 10
    bell = (-(off**2) / (2 * 1.5**2)).exp()
    bell = torch.outer(bell, bell) / bell.sum() ** 2
    assert_close(spread, bell, rtol=0, atol=1e-4)  # singular values that count as 0


def test_singular_values_that_rounding_hides_count_as_0() -> None:
    strong = Degradation.blur(28, 2.0)
    zero = strong.singular_values == 0
    assert bool(zero.any())
    assert strong.singular_values[~zero].min() > 1e-4 * strong.singular_values.max()
    x = normal(1, 1, 28, 28)
    y = strong.apply(x)
    assert_close(strong.apply(strong.pinv(y)), y)
    assert not torch.allclose(strong.pinv(y), x, atol=0.1)
    assert strong.pinv(x).norm() < 1e4 * x.norm()  # noise is raised by 1 / s at most


def test_degradations_refuse_what_they_cannot_do() -> None:
    for make in (
        lambda: Degradation.identity(65),
        lambda: Degradation.blur(64, 1.0, channels=3),
        lambda: Degradation.downsample(100, 2),
    ):
        with pytest.raises(ValueError, match="at most 4,096 numbers"):
            make()
    with pytest.raises(ValueError, match="0 pixels a side"):
        Degradation.identity(0)
    for std in (0.0, 9.0, math.nan):
        with pytest.raises(ValueError, match="above 0 and at most 8"):
            Degradation.blur(8, std)
    for factor in (0, 3):
        with pytest.raises(ValueError, match="taken together"):
            Degradation.downsample(8, factor)
    with pytest.raises(ValueError, match="as many rows as columns"):
        Degradation(torch.ones(3, 2))
    with pytest.raises(ValueError, match="a picture has the shape"):
        Degradation.identity(8).apply(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="a measurement has the shape"):
        Degradation.downsample(8, 2).pinv(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="at least 0"):
        Restored(Finer(), EDM(), Degradation.identity(8), torch.zeros(1, 8, 8), -0.1)
    for noise_std in (math.inf, math.nan):
        with pytest.raises(ValueError, match="at least 0"):
            Restored(Finer(), EDM(), Degradation.identity(8), torch.zeros(1, 8, 8), noise_std)
    for side in (torch.ones(0, 3), torch.ones(4), torch.ones(1, 2, 2)):
        with pytest.raises(ValueError, match="as many rows as columns"):
            Degradation(side)
    for channels in (0, -1):
        with pytest.raises(ValueError, match=f"{channels} channels"):
            Degradation.identity(2, channels)


def test_a_degradation_takes_4096_numbers() -> None:
    assert Degradation.identity(64).shape == (1, 64, 64)
    assert Degradation.identity(1, 4096).measured_shape == (4096, 1, 1)
    with pytest.raises(ValueError, match="4097 x 1 x 1"):
        Degradation.identity(1, 4097)


def test_singular_values_at_most_the_tolerance_count_as_0_by_hand() -> None:
    """Of diag(1, a) taken twice they are 1, a, a and a^2."""
    for a, tolerance, kept in ((0.011, 1e-4, 4), (0.0098, 1e-4, 3), (0.5, 0.25, 3), (0.5, 0.2, 4)):
        side = torch.diag(torch.tensor([1.0, a], dtype=float64))
        made = [Degradation(side, 1, tolerance)] + [Degradation(side)] * (tolerance == 1e-4)
        for degradation in made:
            assert int((degradation.singular_values > 0).sum()) == kept
            x = torch.ones(1, 2, 2, dtype=float64)
            last = a**2 if kept == 4 else 0
            assert_close(degradation.apply(x)[0], torch.tensor([[1, a], [a, last]]).double())
            back = degradation.pinv(torch.ones(1, 2, 2, dtype=float64))[0]
            assert_close(back, torch.tensor([[1, 1 / a], [1 / a, last and 1 / last]]).double())


@pytest.mark.parametrize(("std", "off"), [(0.5, 1e-9), (0.8, 1e-9), (2.0, 3e-4), (4.0, 3e-4)])
def test_blur_is_the_sum_over_all_mirror_images(std: float, off: float) -> None:
    """Pixel j stands at j + 8 k and at -1 - j + 8 k in the mirrors of four pixels."""
    bells = [
        [
            sum(
                math.exp(-((i - image) ** 2) / (2 * std**2))
                for k in range(-30, 31)
                for image in (j + 8 * k, -1 - j + 8 * k)
            )
            for j in range(4)
        ]
        for i in range(4)
    ]
    side = torch.tensor(bells, dtype=float64)
    side /= side.sum(1, keepdim=True)
    x = normal(1, 4, 4)
    assert_close(Degradation.blur(4, std).apply(x)[0], side @ x[0] @ side.T, rtol=0, atol=off)


def test_one_pixel_or_all_may_be_taken_together() -> None:
    x = normal(2, 1, 6, 6)
    assert_close(Degradation.downsample(6, 1).apply(x), x)
    assert_close(Degradation.downsample(6, 6).apply(x)[:, 0, 0, 0], x.mean((1, 2, 3)))


def given_both(
    A: Tensor, y: Tensor, noise_std: float, x_t: Tensor, alpha: float, sigma: float, mean: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean and covariance of x_0 ~ N(mean, I) given x_t and y, by the normal equations."""
    D = len(mean)
    precision = torch.eye(D, dtype=float64) * (1 + (alpha / sigma) ** 2) + A.T @ A / noise_std**2
    pull = mean + alpha / sigma**2 * x_t + A.T @ y / noise_std**2
    cov = torch.linalg.inv(precision)
    return cov @ pull, cov


@pytest.mark.parametrize("noise_std", [0.05, 0.5])
def test_for_a_unit_gaussian_the_answer_is_the_exact_posterior_mean(
    schedule: Schedule, degradation: Degradation, noise_std: float
) -> None:
    mean, A = normal(1, 4, 4, seed=2), dense(degradation)
    y = degradation.apply(normal(1, 4, 4, seed=3))
    restored = Restored(Pixels(schedule, mean, 1.0), schedule, degradation, y, noise_std)
    x_t, times = normal(3, 1, 4, 4), torch.tensor([0.05, 0.4, 0.95], dtype=float64)
    both = [
        given_both(A, y.flatten(), noise_std, x.flatten(), *schedule.at(t), mean.flatten())[
            0
        ].reshape(1, 4, 4)
        for x, t in zip(x_t, times.tolist(), strict=True)
    ]
    assert_close(restored(x_t, times), torch.stack(both))
    for k, t in enumerate(times.tolist()):
        assert_close(restored(x_t[k : k + 1], t)[0], both[k])
    assert_close(restored(x_t, 0.0), x_t)  # no noise: x_t says it all


def test_runs_draw_from_the_exact_posterior_of_a_unit_gaussian() -> None:
    """Mean and spread of x_0 given y; without the measurement they would be M and 1."""
    schedule, degradation, noise_std = EDM(), Degradation.blur(3, 0.7), 0.3
    mean, y = torch.full((1, 3, 3), M, dtype=float64), normal(1, 3, 3, seed=3)
    restored = Restored(Pixels(schedule, mean, 1.0), schedule, degradation, y, noise_std)
    grid = make_grid(schedule, 30, "karras")
    x = Heun().sample(restored, schedule, grid, start(schedule, grid, 10000, 1, 3, 3))
    # at sigma -> infinity x_t says nothing
    wanted, cov = given_both(
        dense(degradation), y.flatten(), noise_std, torch.zeros(9), 1, 1e9, mean.flatten()
    )
    assert_close(x.flatten(1).mean(0), wanted, rtol=0, atol=0.06)
    assert_close(torch.cov(x.flatten(1).T), cov, rtol=0, atol=0.06)


@pytest.mark.parametrize("name", SAMPLERS)
def test_without_noise_runs_end_where_the_measurement_says(
    schedule: Schedule, degradation: Degradation, name: str
) -> None:
    y = degradation.apply(normal(2, 1, 4, 4, seed=3))
    denoiser = Restored(Pixels(schedule), schedule, degradation, y)
    grid = make_grid(schedule, 6)
    sampler = Finished(SAMPLERS[name](), denoiser.finish)
    x = sampler.sample(denoiser, schedule, grid, start(schedule, grid, 2, 1, 4, 4), seeded())
    assert_close(degradation.apply(x), y, rtol=0, atol=1e-12)
    at = torch.tensor([0.2, 0.8], dtype=float64)
    assert_close(degradation.apply(denoiser(x, at)), y, rtol=0, atol=1e-12)


def test_what_is_not_measured_is_the_denoisers() -> None:
    """The answer differs from the denoiser's only where A sees it (DDNM's null space)."""
    schedule, degradation = Linear(), Degradation.downsample(4, 2)
    y, x_t = normal(1, 2, 2, seed=3), normal(2, 1, 4, 4)
    plain = Pixels(schedule)
    for noise_std in (0.0, 0.2):
        moved = Restored(plain, schedule, degradation, y, noise_std)(x_t, 0.5) - plain(x_t, 0.5)
        assert_close(degradation.pinv(degradation.apply(moved)), moved)
        assert moved.abs().max() > 0.01


def test_more_noise_means_less_trust_in_the_measurement() -> None:
    schedule, degradation = Linear(), Degradation.blur(4, 0.8)
    y, x_t, plain = normal(1, 4, 4, seed=3), normal(2, 1, 4, 4), Pixels(schedule)
    off = [
        (degradation.apply(Restored(plain, schedule, degradation, y, std)(x_t, 0.5)) - y).norm()
        for std in (0.0, 0.01, 0.1, 1.0)
    ]
    assert off[0] < off[1] < off[2] < off[3]
    assert off[1] < 0.05 * off[3]
    finish = Restored(plain, schedule, degradation, y, 0.1).finish
    assert torch.equal(finish(x_t), x_t)


def test_single_precision_is_enough_for_pictures() -> None:
    degradation = Degradation.blur(28, 1.0)
    y = degradation.apply(normal(1, 1, 28, 28).float())
    x = Restored(Finer(), Linear(), degradation, y)(normal(2, 1, 28, 28, seed=1).float(), 0.5)
    assert x.dtype == torch.float32
    assert_close(degradation.apply(x), y.expand(2, 1, 28, 28), rtol=0, atol=2e-6)
