"""What every sampler keeps to, and what tells them apart."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import Empirical, GaussianMixture
from diffviz.core.grids import SPACINGS, make_grid
from diffviz.core.samplers import (
    DDIM,
    DDPM,
    SAMPLERS,
    AnnealedLangevin,
    DPMpp2M,
    DPMpp2MSDE,
    EDMStochastic,
    Euler,
    EulerAncestral,
    EulerMaruyama,
    Heun,
    History,
    InRatio,
    InTime,
    PredictorCorrector,
    Sampler,
)
from diffviz.core.schedules import (
    EDM,
    SCHEDULES,
    VE,
    Cosine,
    Linear,
    RectifiedFlow,
    Schedule,
    zero_terminal_snr,
)
from diffviz.core.trajectory import Trajectory

float64 = torch.float64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def triangle(std: float = 0.2) -> GaussianMixture:
    means = torch.tensor([[0.0, 1.0], [1.0, -0.5], [-1.0, -0.5]], dtype=float64)
    return GaussianMixture(
        torch.ones(3, dtype=float64), means, torch.full((3,), std, dtype=float64)
    )


def start(schedule: Schedule, grid: Tensor, n: int = 200, D: int = 2) -> Tensor:
    return schedule.prior_std(grid[0].item()) * torch.randn(
        n, D, generator=seeded(9), dtype=float64
    )


@pytest.fixture(params=SAMPLERS)
def sampler(request: pytest.FixtureRequest) -> Sampler:
    return SAMPLERS[request.param]()


@pytest.mark.fact(3)
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("name", SCHEDULES)
def test_one_and_two_steps_work(sampler: Sampler, name: str, steps: int) -> None:
    schedule = SCHEDULES[name]()
    for spacing in SPACINGS:
        grid = make_grid(schedule, steps, spacing)
        run = Trajectory.stack(
            sampler.iterate(
                Exact(triangle(), schedule), schedule, grid, start(schedule, grid, 5), seeded()
            )
        )
        assert len(run) == steps + 1
        for values in (run.x_t, run.x_0, run.eps, run.score, run.z):
            assert bool(values.isfinite().all())


@pytest.mark.fact(6)
@pytest.mark.parametrize("steps", [1, 2, 20])
def test_pure_noise_is_a_fine_start(sampler: Sampler, steps: int) -> None:
    for schedule in (zero_terminal_snr(Linear()), RectifiedFlow()):
        for spacing in SPACINGS:
            grid = make_grid(schedule, steps, spacing)
            x = sampler.sample(
                Exact(triangle(), schedule), schedule, grid, start(schedule, grid, 5), seeded()
            )
            assert bool(x.isfinite().all())


def test_a_thousand_steps_reach_the_data(sampler: Sampler) -> None:
    """Mean, spread and modes of the mixture, from its own denoiser."""
    schedule, mixture = Linear(), triangle()
    grid = make_grid(schedule, 1000, "trailing")
    tolerance = 0.1
    if isinstance(sampler, AnnealedLangevin):  # it lags behind its level, the more so the fewer
        sampler, tolerance = AnnealedLangevin(inner=1, step_size=0.1), 0.3  # its steps at each
    x = sampler.sample(
        Exact(mixture, schedule), schedule, grid, start(schedule, grid, 600), seeded()
    )
    nearest = torch.cdist(x, mixture.means)
    share = torch.bincount(nearest.argmin(1), minlength=3) / len(x)
    assert_close(share, torch.full((3,), 1 / 3), rtol=0, atol=0.07)
    off = x - mixture.means[nearest.argmin(1)]
    assert off.std().item() == pytest.approx(0.2, rel=tolerance)
    assert off.mean(0).abs().max() < 0.03


def test_recording_changes_nothing(sampler: Sampler) -> None:
    schedule = Linear()
    grid = make_grid(schedule, 12)
    arguments = (Exact(triangle(), schedule), schedule, grid, start(schedule, grid))
    run = Trajectory.stack(sampler.iterate(*arguments, seeded()))
    assert_close(run.x_t[-1], sampler.sample(*arguments, seeded()), rtol=0, atol=0)
    assert_close(run.t, sampler.times(schedule, grid))
    assert torch.equal(run.t, grid) != isinstance(sampler, EDMStochastic)
    assert_close(run.score[:-1] * run.sigma[:-1, None, None], -run.eps[:-1])
    again = sampler.sample(*arguments, seeded(1))
    assert torch.equal(again, run.x_t[-1]) != sampler.stochastic


@pytest.mark.fact(3)
def test_the_last_step_returns_the_mean_without_noise(sampler: Sampler) -> None:
    if isinstance(sampler, AnnealedLangevin):
        pytest.skip("mixes at the last level first, then denoises; see its own test")
    schedule = Cosine()
    grid = make_grid(schedule, 30)
    states = list(
        sampler.iterate(
            Exact(triangle(), schedule), schedule, grid, start(schedule, grid), seeded()
        )
    )
    assert_close(states[-1].z, torch.zeros_like(states[-1].z))
    gap = (states[-1].x_t - states[-2].x_0).abs().max()
    assert gap < (0.05 if isinstance(sampler, EulerMaruyama) else 1e-12)


@pytest.mark.fact(3)
def test_heun_falls_back_to_euler_in_the_last_step() -> None:
    schedule = Linear()
    exact = Exact(triangle(), schedule)
    for variable in (InRatio(), InTime()):
        grid = torch.tensor([0.3, 0.0], dtype=float64)
        x = start(schedule, grid)
        euler, heun = (
            s.sample(exact, schedule, grid, x) for s in (Euler(variable), Heun(variable))
        )
        assert_close(heun, euler)
    counts = [s.evaluations for s in Heun().iterate(exact, schedule, make_grid(schedule, 5), x)]
    assert counts[-1] == 2 * 5 - 1


@pytest.mark.fact(2)
def test_ddim_eta_scales_the_standard_deviation_linearly() -> None:
    schedule = Linear()
    exact = Exact(triangle(), schedule)
    grid = torch.tensor([0.6, 0.5, 0.0], dtype=float64)
    x = start(schedule, grid, 1)
    steps = {}
    for eta in (0.25, 0.5, 1.0):
        draws = []
        for seed in range(2):
            run = DDIM(eta).iterate(exact, schedule, grid, x, seeded(seed))
            states = [next(run), next(run)]
            draws.append((states[1].x_t, states[1].z))
        (x_a, z_a), (x_b, z_b) = draws
        steps[eta] = ((x_a - x_b) / (z_a - z_b)).mean().item()
    (a_t, s_t), (a_s, s_s) = schedule.at(0.6), schedule.at(0.5)
    eq_16 = math.sqrt((1 - a_s**2) / (1 - a_t**2)) * math.sqrt(1 - a_t**2 / a_s**2)
    for eta, std in steps.items():
        assert std == pytest.approx(eta * eq_16, rel=1e-9)
    assert s_s**2 + a_s**2 == pytest.approx(1)
    assert s_t > s_s


@pytest.mark.fact(2)
@pytest.mark.parametrize("name", ["linear", "cosine", "vp", "ve", "edm", "rectified_flow", "subvp"])
def test_ddim_is_the_flow_at_eta_0_and_ddpm_at_eta_1(name: str) -> None:
    schedule = SCHEDULES[name]()
    exact = Exact(triangle(), schedule)
    grid = make_grid(schedule, 15, "log_snr")
    x = start(schedule, grid)

    def end(sampler: Sampler) -> Tensor:
        return sampler.sample(exact, schedule, grid, x, seeded(4))

    assert_close(end(DDIM(0.0)), end(Euler(InRatio())))
    assert_close(end(DDIM(1.0)), end(DDPM()))
    assert_close(end(EulerAncestral()), end(DDPM()))


@pytest.mark.fact(14)
def test_euler_depends_on_its_variable_and_the_default_is_the_ratio() -> None:
    schedule = Cosine()
    exact = Exact(triangle(), schedule)
    grid = make_grid(schedule, 10)
    x = start(schedule, grid)
    default, ratio, time = (
        s.sample(exact, schedule, grid, x) for s in (Euler(), Euler(InRatio()), Euler(InTime()))
    )
    assert_close(default, ratio, rtol=0, atol=0)
    assert (time - ratio).abs().max() > 0.01


@pytest.mark.fact(14)
def test_rectified_flow_in_time_is_the_flow_matching_step() -> None:
    """x_s = x_t + (s - t) u with u = eps - x_0; the default, as alpha = 0 at t = 1."""
    schedule = RectifiedFlow()
    exact = Exact(triangle(), schedule)
    grid = make_grid(schedule, 8)
    x = start(schedule, grid)
    expected = x
    for t, s in zip(grid[:-1].tolist(), grid[1:].tolist(), strict=True):
        x_0 = exact(expected, t)
        expected = expected + (s - t) * ((expected - (1 - t) * x_0) / t - x_0)
    assert_close(Euler().sample(exact, schedule, grid, x), expected)
    assert_close(Euler(InTime()).sample(exact, schedule, grid, x), expected)


def test_ancestral_step_in_exploding_variables_is_sigma_down_and_sigma_up() -> None:
    schedule = EDM()
    exact = Exact(triangle(), schedule)
    grid = make_grid(schedule, 6, "karras")
    x = start(schedule, grid)
    run = Trajectory.stack(EulerAncestral(0.7).iterate(exact, schedule, grid, x, seeded()))
    for k in range(5):
        s_t, s_s = run.sigma[k].item(), run.sigma[k + 1].item()
        up = min(s_s, 0.7 * math.sqrt(s_s**2 * (s_t**2 - s_s**2) / s_t**2))
        down = math.sqrt(s_s**2 - up**2)
        expected = run.x_t[k] + run.eps[k] * (down - s_t) + up * run.z[k + 1]
        assert_close(run.x_t[k + 1], expected)


@pytest.mark.fact(4)
def test_dpm_solver_starts_and_ends_at_first_order() -> None:
    schedule = Linear()
    exact = Exact(triangle(), schedule)
    grid = make_grid(schedule, 6)
    x = start(schedule, grid)
    run = Trajectory.stack(DPMpp2M().iterate(exact, schedule, grid, x))
    line = run.alpha[1:, None, None] * run.x_0[:-1] + run.sigma[1:, None, None] * run.eps[:-1]
    off = (run.x_t[1:] - line).abs().amax((1, 2))
    assert off[0] < 1e-12
    assert off[-1] < 1e-12
    assert bool((off[1:-1] > 1e-3).all())


@pytest.mark.fact(4)
@pytest.mark.parametrize("kind", [DPMpp2M, DPMpp2MSDE])
def test_dpm_solver_survives_a_log_snr_of_minus_infinity(kind: type[Sampler]) -> None:
    schedule = zero_terminal_snr(Linear())
    assert schedule.log_snr(1.0) == -math.inf
    exact = Exact(triangle(), schedule)
    grid = make_grid(schedule, 40)
    x = kind().sample(exact, schedule, grid, start(schedule, grid, 600), seeded())
    assert torch.cdist(x, triangle().means).amin(1).mean() < 0.4


@pytest.mark.fact(13)
def test_nothing_divides_by_alpha(sampler: Sampler) -> None:
    """An alpha too small to divide by, 1e-200, at the start of every run."""

    class Faint(Linear):
        def _path(self, t: Tensor) -> tuple[Tensor, Tensor]:
            alpha, sigma = super()._path(t)
            return torch.where(t == 1, torch.full_like(alpha, 1e-200), alpha), sigma

    schedule = Faint()
    grid = make_grid(Linear(), 10)
    first = next(
        iter(DDIM().iterate(Exact(triangle(), schedule), schedule, grid, start(schedule, grid, 50)))
    )
    assert bool(first.x_0.isfinite().all())
    if isinstance(sampler, Heun | EDMStochastic | EulerMaruyama):
        pytest.skip("its second-order or drift term needs alpha; from alpha = 0 it has a fallback")
    x = sampler.sample(
        Exact(triangle(), schedule), schedule, grid, start(schedule, grid, 50), seeded()
    )
    assert x.abs().max() < 10


@pytest.mark.fact(9)
@pytest.mark.parametrize("D", [2, 64])
def test_a_corrected_path_does_not_change_with_its_batch(
    D: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sample with the same noise, alone and beside wildly different ones."""
    noise = torch.randn(200, 8, D, generator=seeded(2), dtype=float64)
    points = Empirical(torch.randn(30, D, generator=seeded(3), dtype=float64))
    schedule = Linear()
    grid = make_grid(schedule, 20)
    x = torch.randn(8, D, generator=seeded(4), dtype=float64)
    x[1:] *= torch.logspace(-2, 2, 7, dtype=float64)[:, None]

    def end(x_1: Tensor) -> Tensor:
        draws = iter(noise)

        monkeypatch.setattr(History, "fresh", lambda _, x: next(draws)[: len(x)])
        return PredictorCorrector(corrections=2).sample(
            Exact(points, schedule), schedule, grid, x_1
        )

    assert_close(end(x)[:1], end(x[:1]), rtol=1e-9, atol=1e-9)


def test_langevin_keeps_the_level_it_mixes_at() -> None:
    """Many steps at one level leave its own marginal unchanged, up to the step's bias."""
    schedule, mixture = Linear(), triangle()
    t = 0.3
    x = mixture.marginal(*schedule.at(t)).sample(4000, seeded(1))
    sampler = AnnealedLangevin(inner=40, step_size=0.05)
    history = History(Exact(mixture, schedule), schedule, [t, 0.2, 0.0], generator=seeded(2))
    mixed = sampler.step(x, t, 0.2, history).x_s
    assert_close(mixed.mean(0), x.mean(0), rtol=0, atol=0.05)
    assert_close(mixed.std(0), x.std(0), rtol=0.05, atol=0)
    assert history.evaluations == 40


def test_churn_zero_is_heun_and_churn_never_leaves_the_path() -> None:
    for schedule in (EDM(), Linear(), VE()):
        exact = Exact(triangle(), schedule)
        grid = make_grid(schedule, 12, "karras")
        x = start(schedule, grid)
        assert_close(
            EDMStochastic(0.0).sample(exact, schedule, grid, x),
            Heun().sample(exact, schedule, grid, x),
        )
        seen: list[float] = []

        class Watch(Denoiser):
            def __call__(
                self,
                x_t: Tensor,
                t: Tensor | float,
                exact: Denoiser = exact,
                seen: list[float] = seen,
                **cond: Any,
            ) -> Tensor:
                seen.append(float(t))
                return exact(x_t, t)

        EDMStochastic(30.0).sample(Watch(), schedule, grid, x, seeded())
        assert max(seen) <= 1
        times = grid.tolist()
        assert sum(any(abs(t - s) < 1e-12 for s in times) for t in seen) < len(seen)


@pytest.mark.fact(1)
def test_the_stochastic_samplers_converge_in_distribution() -> None:
    """On N(m, s^2) the mean and the spread that come out approach m and s as steps grow."""
    schedule = Linear()
    normal = GaussianMixture(
        torch.ones(1, dtype=float64),
        torch.tensor([[0.5]], dtype=float64),
        torch.tensor([0.4], dtype=float64),
    )
    exact = Exact(normal, schedule)
    for kind in (DDPM, EulerMaruyama, DPMpp2MSDE, PredictorCorrector):
        errors = []
        for steps in (10, 40, 160):
            grid = make_grid(schedule, steps, "trailing")
            x_1 = normal.marginal(*schedule.at(1.0)).sample(20_000, seeded(3))
            x = kind().sample(exact, schedule, grid, x_1, seeded(5))
            errors.append(abs(x.std().item() - 0.4) + abs(x.mean().item() - 0.5))
        assert errors[-1] < 0.03, kind
        assert errors[-1] < errors[0], kind


def test_bad_arguments_are_told_in_words() -> None:
    for call, words in (
        (lambda: DDIM(1.5), "eta"),
        (lambda: EDMStochastic(-1), "churn"),
        (lambda: PredictorCorrector(-0.1), "snr"),
        (lambda: AnnealedLangevin(0), "inner"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    schedule = Linear()
    for grid in ([1.0, -0.1], [0.5, 0.7, 0.0], [0.0], [1.0, 1.0, 0.0]):
        with pytest.raises(ValueError, match="fall strictly"):
            DDIM().sample(
                Exact(triangle(), schedule), schedule, torch.tensor(grid), torch.zeros(1, 2)
            )
