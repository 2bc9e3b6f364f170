"""Line by line: samplers beside the algorithms that they are named after, and what states keep."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import Empirical, GaussianMixture
from diffviz.core.explain import explain
from diffviz.core.grids import make_grid
from diffviz.core.samplers import (
    DDIM,
    SAMPLERS,
    AnnealedLangevin,
    EDMStochastic,
    Euler,
    EulerMaruyama,
    Heun,
    InRatio,
    InTime,
    PredictorCorrector,
    Sampler,
)
from diffviz.core.schedules import (
    EDM,
    SCHEDULES,
    VP,
    Custom,
    Linear,
    RectifiedFlow,
    ScaledLinear,
    Schedule,
    zero_terminal_snr,
)
from diffviz.core.trajectory import Trajectory
from diffviz.data.points import DATASETS
from diffviz.measures.metrics import sliced_wasserstein
from tests.newcomer import ThreeSteps

float64 = torch.float64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair() -> GaussianMixture:
    means = torch.tensor([[-1.0, 0.3], [1.1, -0.4]], dtype=float64)
    weights = torch.tensor([0.4, 0.6], dtype=float64)
    return GaussianMixture(weights, means, torch.tensor([0.3, 0.2], dtype=float64))


def record(
    sampler: Sampler, schedule: Schedule, grid: Tensor, n: int = 6
) -> tuple[Trajectory, Denoiser]:
    denoiser = Exact(pair(), schedule)
    x_1 = schedule.prior_std(grid[0].item()) * torch.randn(n, 2, generator=seeded(1), dtype=float64)
    return Trajectory.stack(sampler.iterate(denoiser, schedule, grid, x_1, seeded(2))), denoiser


def algorithm_2(
    D: Denoiser, sigmas: list[float], x: Tensor, s: EDMStochastic, steps: int
) -> list[Tensor]:
    """Karras et al. 2022, algorithm 2, as printed; for sigma_max = 80 and sigma = 80 t."""
    noise, xs = seeded(2), []
    for t, after in pairwise(sigmas):
        gamma = min(s.churn / steps, math.sqrt(2) - 1) if s.s_min <= t <= s.s_max else 0.0
        t_hat = t + gamma * t
        x_hat = x
        if gamma > 0 and t < 80:  # beyond the path's end there is nothing to ask
            eps = s.s_noise * torch.randn(x.shape, generator=noise, dtype=float64)
            x_hat = x + math.sqrt(t_hat**2 - t**2) * eps
        else:
            t_hat = t
        xs.append(x_hat)
        d = (x_hat - D(x_hat, t_hat / 80)) / t_hat
        x = x_hat + (after - t_hat) * d
        if after != 0:
            d_after = (x - D(x, after / 80)) / after
            x = x_hat + (after - t_hat) * (d / 2 + d_after / 2)
    return [*xs, x]


@pytest.mark.fact(16)
@pytest.mark.parametrize(
    "sampler",
    [
        EDMStochastic(0.5),
        EDMStochastic(3.0),  # the cap: 3 / 5 is above sqrt(2) - 1
        EDMStochastic(1.0, s_min=1.0),
        EDMStochastic(1.0, s_max=5.0),
        EDMStochastic(1.0, s_noise=1.3),
    ],
    ids=["churn", "cap", "s_min", "s_max", "s_noise"],
)
def test_churn_is_that_of_algorithm_2(sampler: EDMStochastic) -> None:
    schedule = EDM(80.0)
    sigmas = [80.0, 20.0, 5.0, 1.0, 0.2, 0.0]
    run, denoiser = record(sampler, schedule, torch.tensor(sigmas, dtype=float64) / 80)
    published = algorithm_2(denoiser, sigmas, run.x_t[0], sampler, steps=5)
    assert_close(run.x_t, torch.stack(published), rtol=1e-8, atol=1e-8)
    assert (run.t[1:-1] > torch.tensor(sigmas[1:-1]) / 80 + 1e-9).any()


@pytest.mark.fact(15)
@pytest.mark.parametrize("steps", [1, 2, 9])
@pytest.mark.parametrize("path", ["linear", "ve", "rectified_flow", "subvp", "zero_snr"])
@pytest.mark.parametrize("name", [*SAMPLERS, "third order"])
def test_every_state_is_on_its_path(name: str, path: str, steps: int) -> None:
    """x_t = alpha x_0 + sigma eps, x_0 the answer at that very place, and NFE as it was spent."""
    schedule = zero_terminal_snr(Linear()) if path == "zero_snr" else SCHEDULES[path]()
    sampler = ThreeSteps() if name == "third order" else SAMPLERS[name]()
    for spacing in ("trailing", "log_snr"):
        run, denoiser = record(sampler, schedule, make_grid(schedule, steps, spacing))
        alpha, sigma = (v[:, None, None] for v in (run.alpha, run.sigma))
        off = (run.x_t - alpha * run.x_0 - sigma * run.eps).abs().amax((1, 2))
        assert bool((off <= 1e-12 * run.x_t.abs().amax((1, 2)).clamp(min=1)).all())
        levels = torch.stack(schedule(run.t))
        assert_close(torch.stack([run.alpha, run.sigma]), levels)
        for x_t, t, x_0 in zip(run.x_t[:-1], run.t[:-1].tolist(), run.x_0, strict=False):
            assert_close(denoiser(x_t, t), x_0)
        assert_close(run.score * sigma, -run.eps)
        spent = run.evaluations.diff()
        assert run.evaluations[0] == 0
        assert bool((spent[1:-1] == sampler.evaluations_a_step).all())
        assert len(run) == steps + 1


@pytest.mark.parametrize(
    ("sampler", "evaluations"),
    [
        (DDIM(), [0, 1, 2, 3]),
        (Heun(), [0, 2, 4, 5]),
        (PredictorCorrector(corrections=2), [0, 3, 6, 7]),
        (AnnealedLangevin(inner=4), [0, 4, 8, 13]),
        (EDMStochastic(), [0, 2, 4, 5]),
    ],
)
def test_a_state_counts_what_was_spent_to_get_there(
    sampler: Sampler, evaluations: list[int]
) -> None:
    run, _ = record(sampler, VP(), make_grid(VP(), 3))
    assert run.evaluations.tolist() == evaluations


def test_langevin_is_the_published_loop_and_ends_in_a_denoising() -> None:
    """x <- x + e score + sqrt(2 e) z with e = step_size sigma^2; after the last level D(x)."""
    schedule, inner, size = VP(), 3, 0.2
    grid = torch.tensor([0.5, 0.2, 0.0], dtype=float64)
    run, denoiser = record(AnnealedLangevin(inner, size), schedule, grid)
    noise, x = seeded(2), run.x_t[0]
    for t in (0.5, 0.2):
        alpha, sigma = schedule.at(t)
        e, total = size * sigma**2, torch.zeros_like(x)
        for _ in range(inner):
            score = (alpha * denoiser(x, t) - x) / sigma**2
            z = torch.randn(x.shape, generator=noise, dtype=float64)
            x, total = x + e * score + math.sqrt(2 * e) * z, total + z
        k = 1 if t == 0.5 else 2
        assert_close(run.z[k], total / math.sqrt(inner))
        if k == 1:
            assert_close(run.x_t[1], x)
    assert_close(run.x_t[2], denoiser(x, 0.2))


def test_a_corrector_is_the_published_step_at_the_level_it_reached() -> None:
    """Song et al. 2021, algorithm 5, with e = (r sigma)^2: x <- x + e score + sqrt(2 e) z."""
    schedule, r = VP(), 0.3
    grid = torch.tensor([0.5, 0.2, 0.0], dtype=float64)
    run, denoiser = record(PredictorCorrector(r, corrections=2), schedule, grid)
    noise = seeded(2)
    z = torch.randn(6, 2, generator=noise, dtype=float64)
    (a_t, b_t), (alpha, sigma) = schedule.at(0.5), schedule.at(0.2)
    std = sigma * math.sqrt(1 - (a_t * sigma / (b_t * alpha)) ** 2)
    x = alpha * run.x_0[0] + math.sqrt(sigma**2 - std**2) * run.eps[0] + std * z
    assert_close(run.z[1], z)
    for _ in range(2):
        score = (alpha * denoiser(x, 0.2) - x) / sigma**2
        e = (r * sigma) ** 2
        x = x + e * score + math.sqrt(2 * e) * torch.randn(6, 2, generator=noise, dtype=float64)
    assert_close(run.x_t[1], x)


def test_euler_maruyama_is_the_published_step() -> None:
    schedule = VP()
    grid = torch.tensor([0.5, 0.2, 0.0], dtype=float64)
    run, _ = record(EulerMaruyama(), schedule, grid)
    z = torch.randn(6, 2, generator=seeded(2), dtype=float64)
    for k, (t, s) in enumerate(((0.5, 0.2), (0.2, 0.0))):
        f, g2 = (v.item() for v in schedule.drift_diffusion(t))
        mean = run.x_t[k] - (t - s) * (f * run.x_t[k] - g2 * run.score[k])
        fresh = math.sqrt(g2 * (t - s)) * z if s > 0 else 0
        assert_close(run.x_t[k + 1], mean + fresh)


@pytest.mark.parametrize("schedule", [VP(), Linear(), RectifiedFlow()])
def test_heun_over_time_is_the_textbook_step(schedule: Schedule) -> None:
    """x + h / 2 (f(x, t) + f(x + h f(x, t), s)) with f = alpha' x_0 + sigma' eps."""
    t, s = 0.6, 0.4
    run, denoiser = record(Heun(InTime()), schedule, torch.tensor([t, s, 0.0], dtype=float64))

    def f(x: Tensor, at: float) -> Tensor:
        x_0, (alpha, sigma) = denoiser(x, at), schedule.at(at)
        d_alpha, d_sigma = schedule.derivatives(at)
        return d_alpha * x_0 + d_sigma * (x - alpha * x_0) / sigma

    x = run.x_t[0]
    mean = (f(x, t) + f(x + (s - t) * f(x, t), s)) / 2
    assert_close(run.x_t[1], x + (s - t) * mean)


@pytest.mark.fact(14)
def test_from_pure_noise_a_chain_is_integrated_in_the_ratio() -> None:
    """Euler is DDIM there and Heun near the data; in time both overshoot."""
    schedule = zero_terminal_snr(ScaledLinear())
    data = DATASETS["moons"](500, 0).double()
    denoiser = Exact(Empirical(data), schedule)
    noise = torch.randn(500, 2, generator=seeded(3), dtype=float64)
    far = data.abs().max()
    for steps in (1, 2, 5, 10):
        grid = make_grid(schedule, steps, "karras")
        ends = {
            kind: sampler.sample(denoiser, schedule, grid, noise)
            for kind, sampler in {
                "ddim": DDIM(), "euler": Euler(), "heun": Heun(), "ratio": Heun(InRatio()),
            }.items()
        }  # fmt: skip
        assert_close(ends["euler"], ends["ddim"])
        assert_close(ends["heun"], ends["ratio"], rtol=0, atol=0)
        assert ends["heun"].abs().max() <= far
    assert sliced_wasserstein(ends["heun"], data) < 0.3
    assert Heun(InTime()).sample(denoiser, schedule, grid, noise).abs().max() > 2 * far


@pytest.mark.fact(14)
@pytest.mark.parametrize(
    ("schedule", "first", "over"),
    [
        (RectifiedFlow(), 1.0, "the time t"),
        (RectifiedFlow(), 0.9, "sigma / alpha"),
        (zero_terminal_snr(Linear()), 1.0, "sigma / alpha"),
        (Custom(), 1.0, "sigma / alpha"),
        (Linear(), 1.0, "sigma / alpha"),
        (EDM(), 1.0, "sigma / alpha"),
    ],
)
def test_the_variable_is_said(schedule: Schedule, first: float, over: str) -> None:
    grid = torch.tensor([first, 0.5, 0.0], dtype=float64)
    for sampler in (Euler(), Heun()):
        assert explain(sampler, schedule, grid).sentence.endswith(f"Here over {over}.")
    assert explain(Heun(InTime()), schedule, grid).sentence.endswith("Here over the time t.")
