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
from diffviz.core.knobs import knobs_of
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
    Step,
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
        (lambda: DDIM(-0.1), "eta"),
        (lambda: EDMStochastic(-1), "churn"),
        (lambda: EDMStochastic(s_min=-1), "s_min"),
        (lambda: EDMStochastic(s_noise=-1), "s_noise"),
        (lambda: EDMStochastic(s_min=2, s_max=1), "s_max"),
        (lambda: PredictorCorrector(-0.1), "snr"),
        (lambda: PredictorCorrector(corrections=-1), "corrections"),
        (lambda: AnnealedLangevin(0), "inner"),
        (lambda: AnnealedLangevin(step_size=0), "step_size"),
        (lambda: AnnealedLangevin(step_size=1), "step_size"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    schedule = Linear()
    for grid in ([1.0, -0.1], [0.5, 0.7, 0.0], [0.0], [1.0, 1.0, 0.0]):
        with pytest.raises(ValueError, match="fall strictly"):
            DDIM().sample(
                Exact(triangle(), schedule), schedule, torch.tensor(grid), torch.zeros(1, 2)
            )


def test_numbers_at_the_ends_of_what_is_allowed_are_taken() -> None:
    assert [DDIM(eta).stochastic for eta in (0, 0.01, 1)] == [False, True, True]
    nothing = EDMStochastic(0, s_min=0, s_max=0, s_noise=0)
    assert (nothing.stochastic, nothing.churns) == (False, False)
    assert EDMStochastic(0.5, s_min=2, s_max=2).churns
    assert PredictorCorrector(0, 0).evaluations_a_step == 1
    assert AnnealedLangevin(1).evaluations_a_step == 1


@pytest.mark.parametrize(
    ("kind", "knobs"),
    [
        (DDIM, [("eta", 0, 0, 1, 0.1, 2)]),
        (EulerAncestral, [("eta", 1, 0, 1, 0.1, 2)]),
        (EDMStochastic, [("churn", 10, 0, 200, 5, 1)]),
        (PredictorCorrector, [("snr", 0.16, 0, 1, 0.02, 2), ("corrections", 1, 0, 10, 1, 0)]),
        (AnnealedLangevin, [("inner", 5, 1, 50, 1, 0), ("step_size", 0.15, 0.01, 0.99, 0.05, 2)]),
    ],
)
def test_what_a_reader_may_set_is_within_what_is_allowed(
    kind: type[Sampler], knobs: list[tuple[str, float, float, float, float, int]]
) -> None:
    """Name, default, least, most, step and decimals; both ends make a sampler."""
    found = knobs_of(kind)
    assert [(k.name, k.default, k.low, k.high, k.step, k.decimals) for k in found] == knobs
    for knob in found:
        for value in (knob.low, knob.high):
            assert getattr(kind(**{knob.name: value}), knob.name) == value


def test_what_a_sampler_is() -> None:
    """Order, fresh noise, evaluations a step, visits it looks back on, and whether it churns."""
    facts = {
        name: (s.order, s.stochastic, s.evaluations_a_step, s.memory, s.churns)
        for name, s in ((name, kind()) for name, kind in SAMPLERS.items())
    }
    assert facts == {
        "ddim": (1, False, 1, 0, False),
        "ddpm": (1, True, 1, 0, False),
        "euler": (1, False, 1, 0, False),
        "heun": (2, False, 2, 0, False),
        "edm": (2, True, 2, 0, True),
        "dpmpp_2m": (2, False, 1, 1, False),
        "dpmpp_2m_sde": (2, True, 1, 1, False),
        "euler_ancestral": (1, True, 1, 0, False),
        "euler_maruyama": (1, True, 1, 0, False),
        "predictor_corrector": (1, True, 2, 0, False),
        "langevin": (1, True, 5, 0, False),
    }


def test_a_sampler_is_called_by_its_title_or_else_by_its_class() -> None:
    class Plain(DDIM):
        """The first line.

        And another.
        """

    class Titled(DDIM):
        title, sentence = "Long (and longer)", "A sentence."

    assert (Plain.title, Plain.short, Plain.sentence) == ("Plain", "Plain", "The first line.")
    assert (Titled.title, Titled.short, Titled.sentence) == (
        "Long (and longer)", "Long", "A sentence.",
    )  # fmt: skip
    assert (DPMpp2M.short, Heun.short) == ("DPM-Solver++ (2M)", "Heun")


def known(t: float = 0.6, s: float = 0.2) -> History:
    """A run with (alpha, sigma) = (0.3, 0.4) at t, (0.9, 0.2) at s and (1, 0) at 0."""
    history = History(None, Linear(), [t, s, 0.0])
    history.level = {t: (0.3, 0.4), s: (0.9, 0.2), 0.0: (1.0, 0.0)}.__getitem__
    return history


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_line_by_hand(eta: float) -> None:
    """sqrt(SNR_t / SNR_s) is 0.3 0.2 / (0.4 0.9) = 1/6."""
    history = known()
    fresh = eta * 0.2 * math.sqrt(1 - 1 / 36)
    line = DDIM(eta).coefficients(0.6, 0.2, history)
    assert line[:4] == pytest.approx((0, 0.9, math.sqrt(0.04 - fresh**2), fresh))
    assert DDIM(eta).coefficients(0.6, 0.0, history)[:4] == (0, 1, 0, 0)
    assert line.change == line.rest == ()


def test_what_else_a_step_adds_up_to_by_hand() -> None:
    history = known()
    line = DDPM().coefficients(0.6, 0.2, history)
    for corrections, rest in ((0, (0,)), (1, (1,)), (3, (1,))):
        corrected = PredictorCorrector(corrections=corrections)
        assert corrected.coefficients(0.6, 0.2, history) == line._replace(rest=rest)
        assert corrected.coefficients(0.2, 0.0, history).rest == (0,)
    langevin = AnnealedLangevin(inner=3, step_size=0.2)  # e = 0.2 sigma^2, three times
    steps = langevin.coefficients(0.6, 0.2, history)
    assert steps[:4] == pytest.approx((1, 0, 0, math.sqrt(1.2) * 0.4))
    assert steps.rest == pytest.approx((-0.6 * 0.4,))
    assert langevin.coefficients(0.2, 0.0, history) == (0, 0, 0, 0, (), (0, 1))


def test_a_step_that_says_nothing_is_the_line_and_the_rest() -> None:
    class Still(Sampler):
        def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
            raise NotImplementedError

    history = known()
    assert Still().coefficients(0.6, 0.2, history) == (0, 0.9, 0.2, 0, (), (1,))
    assert Still().churned(0.6, history) == (0.6, 1, 0)
    assert Still().said(history) == Still.sentence == "Still"


def test_churn_raises_the_noise_level_by_hand() -> None:
    """sigma 20 -> 20 (1 + 1 / 4) with noise of the variance 25^2 - 20^2, times s_noise^2."""
    history = History(None, EDM(80.0), [1.0, 0.25, 0.125, 0.05, 0.0])
    sampler = EDMStochastic(1.0, s_min=19.0, s_max=21.0, s_noise=1.1)
    raised, keep, fresh = sampler.churned(0.25, history)
    assert raised == pytest.approx(25 / 80)
    assert (keep, fresh) == pytest.approx((1, 1.1 * 15))
    for t in (1.0, 0.125, 0.05):  # 80 is above s_max, 10 and 4 are below s_min
        assert sampler.churned(t, history) == (t, 1, 0)


@pytest.mark.parametrize("kind", [DDIM, DDPM, Heun, DPMpp2M])
def test_a_run_may_end_above_the_data(kind: type[Sampler]) -> None:
    """The last prediction is kept, and the noise is what it leaves of where the run ends."""
    schedule, grid = Linear(), torch.tensor([0.9, 0.6, 0.3], dtype=float64)
    exact, x_1 = Exact(triangle(), schedule), start(schedule, grid, 5)
    states = list(kind().iterate(exact, schedule, grid, x_1, seeded()))
    down = list(
        kind().iterate(exact, schedule, torch.cat([grid, grid.new_zeros(1)]), x_1, seeded())
    )
    last = states[-1]
    assert (last.index, last.t, (last.alpha, last.sigma)) == (2, 0.3, schedule.at(0.3))
    assert torch.equal(last.x_t, down[2].x_t)
    assert torch.equal(last.z, down[2].z)
    assert last.evaluations == down[2].evaluations
    assert torch.equal(last.x_0, states[1].x_0)
    assert_close(last.alpha * last.x_0 + last.sigma * last.eps, last.x_t)
