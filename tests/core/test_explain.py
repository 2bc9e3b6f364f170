"""The terms of a step add up to the step: for every sampler, on every kind of path."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import GaussianMixture
from diffviz.core.explain import Steps, explain, explain_jumps
from diffviz.core.grids import make_grid
from diffviz.core.parametrizations import to_eps
from diffviz.core.samplers import (
    DDIM,
    DDPM,
    SAMPLERS,
    AnnealedLangevin,
    EDMStochastic,
    Euler,
    EulerAncestral,
    Heun,
    History,
    InRatio,
    InTime,
    PredictorCorrector,
    Sampler,
    Step,
)
from diffviz.core.schedules import SCHEDULES, Cosine, Schedule, zero_terminal_snr
from diffviz.core.trajectory import Trajectory, changes
from tests.newcomer import ThreeSteps

PATHS: dict[str, Schedule] = {
    "linear": SCHEDULES["linear"](),
    "ve": SCHEDULES["ve"](),
    "rectified_flow": SCHEDULES["rectified_flow"](),
    "zero_snr": zero_terminal_snr(Cosine(T=50)),
}
REST = {"heun", "edm", "predictor_corrector", "langevin"}
ONE_LINE = sorted(set(SAMPLERS) - REST)


def mixture() -> GaussianMixture:
    means = torch.tensor([[-1.0, 0.3], [1.1, -0.4]], dtype=torch.float64)
    weights = torch.tensor([0.4, 0.6], dtype=torch.float64)
    return GaussianMixture(weights, means, torch.tensor([0.3, 0.2], dtype=torch.float64))


def run(sampler: Sampler, path: Schedule, steps: int) -> tuple[Trajectory, Denoiser, Tensor]:
    grid = make_grid(path, steps, "trailing")
    denoiser = Exact(mixture(), path)
    generator = torch.Generator().manual_seed(3)
    x_1 = torch.randn(7, 2, generator=generator, dtype=torch.float64)
    x_1 *= path.prior_std(grid[0].item())
    return Trajectory.stack(sampler.iterate(denoiser, path, grid, x_1, generator)), denoiser, grid


def quantity(trajectory: Trajectory, name: str) -> Tensor:
    """(steps, N, D): what the trajectory records."""
    if name == "change":
        return changes(trajectory.x_0)
    return trajectory.z[1:] if name == "z" else getattr(trajectory, name)[:-1]


def total(steps: Steps, trajectory: Trajectory) -> Tensor:
    """(steps, N, D): the sum of all terms that the trajectory records."""
    parts = [
        term.coefficients[:, None, None] * quantity(trajectory, term.quantity)
        for term in steps.terms
        if term.quantity != "rest"
    ]
    return torch.stack(parts).sum(0)


def rest(steps: Steps, trajectory: Trajectory) -> Tensor:
    """(steps, N, D): what is left over, in units of its coefficient (0 where that is 0)."""
    left = trajectory.x_t[1:] - total(steps, trajectory)
    weight = sum(term.coefficients for term in steps.terms if term.quantity == "rest")
    weight = torch.as_tensor(weight)[:, None, None]
    return torch.where(weight == 0, left, left / weight)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("steps", [1, 2, 12])
@pytest.mark.parametrize("name", ONE_LINE)
def test_recorded_terms_add_up_to_the_step(name: str, steps: int, path: str) -> None:
    sampler = SAMPLERS[name]()
    trajectory, _, grid = run(sampler, PATHS[path], steps)
    formula = explain(sampler, PATHS[path], grid)
    assert all(term.quantity != "rest" for term in formula.terms)
    torch.testing.assert_close(total(formula, trajectory), trajectory.x_t[1:])


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("kind", [DDIM, EulerAncestral])
def test_eta_splits_the_noise(kind: type[DDIM], eta: float) -> None:
    sampler, path = kind(eta=eta), PATHS["linear"]
    trajectory, _, grid = run(sampler, path, 9)
    formula = explain(sampler, path, grid)
    torch.testing.assert_close(total(formula, trajectory), trajectory.x_t[1:])
    noise = torch.stack([term.coefficients for term in formula.terms[1:]])
    sigma_s = path(grid[1:])[1]
    torch.testing.assert_close(noise.square().sum(0), sigma_s**2)


@pytest.mark.parametrize("variable", [InRatio(), InTime()])
@pytest.mark.parametrize("path", PATHS)
def test_euler_in_either_variable(path: str, variable: InRatio | InTime) -> None:
    sampler = Euler(variable)
    trajectory, _, grid = run(sampler, PATHS[path], 8)
    torch.testing.assert_close(
        total(explain(sampler, PATHS[path], grid), trajectory), trajectory.x_t[1:]
    )


@pytest.mark.parametrize("path", PATHS)
def test_heun_is_euler_plus_half_the_change_of_slope(path: str) -> None:
    sampler, schedule = Heun(), PATHS[path]
    trajectory, denoiser, grid = run(sampler, schedule, 8)
    formula = explain(sampler, schedule, grid)
    change = rest(formula, trajectory)
    straight = total(formula, trajectory)
    in_time = path == "rectified_flow"
    assert formula.sentence.endswith("over the time t." if in_time else "over sigma / alpha.")
    for k, (t, s) in enumerate(zip(grid[:-2].tolist(), grid[1:-1].tolist(), strict=True)):
        x_0 = denoiser(straight[k], s)
        slope_s = to_eps(straight[k], x_0, *schedule.at(s))
        slope_t = trajectory.eps[k]
        if in_time:
            (a_t, s_t), (a_s, s_s) = schedule.derivatives(t), schedule.derivatives(s)
            slope_s = a_s * x_0 + s_s * slope_s
            slope_t = a_t * trajectory.x_0[k] + s_t * slope_t
        if path == "zero_snr" and k == 0:  # from alpha = 0 only Euler's step is defined
            torch.testing.assert_close(straight[0], trajectory.x_t[1])
            continue
        torch.testing.assert_close(change[k], slope_s - slope_t, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(straight[-1], trajectory.x_t[-1])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("churn", [0.0, 15.0])
def test_edm_leaves_only_heuns_correction(churn: float, path: str) -> None:
    """From one raised level to the next: Heun's step, and the noise that the next churn adds."""
    sampler, schedule = EDMStochastic(churn=churn), PATHS[path]
    trajectory, denoiser, grid = run(sampler, schedule, 8)
    formula = explain(sampler, schedule, grid)
    assert ("z" in [term.quantity for term in formula.terms]) == (churn > 0)
    recorded = total(formula, trajectory)
    torch.testing.assert_close(recorded[-1], trajectory.x_t[-1])
    t, s = trajectory.t[2].item(), grid[3].item()
    (a, b), (a_s, b_s), (a_up, b_up) = map(schedule.at, (t, s, trajectory.t[3].item()))
    straight = a_s * trajectory.x_0[2] + b_s * trajectory.eps[2]
    turn = to_eps(straight, denoiser(straight, s), a_s, b_s) - trajectory.eps[2]
    heun = straight + (b_s - a_s * b / a) / 2 * turn
    added = math.sqrt(max(b_up**2 - (a_up / a_s * b_s) ** 2, 0.0))
    torch.testing.assert_close(
        trajectory.x_t[3], a_up / a_s * heun + added * trajectory.z[3], rtol=1e-6, atol=1e-8
    )
    left = a_up / a_s * (b_s - a_s * b / a) / 2
    coefficient = next(term.coefficients for term in formula.terms if term.quantity == "rest")
    assert coefficient[2].item() == pytest.approx(left, rel=1e-9)
    torch.testing.assert_close(rest(formula, trajectory)[2], turn, rtol=1e-6, atol=1e-8)


def test_without_corrections_the_predictor_says_it_all() -> None:
    sampler, path = PredictorCorrector(corrections=0), PATHS["linear"]
    trajectory, _, grid = run(sampler, path, 6)
    formula = explain(sampler, path, grid)
    assert all(term.quantity != "rest" for term in formula.terms)
    torch.testing.assert_close(total(formula, trajectory), trajectory.x_t[1:])
    corrected = explain(PredictorCorrector(), path, grid)
    assert corrected.terms[-1].coefficients.tolist() == [1, 1, 1, 1, 1, 0]


def test_one_langevin_step_a_level_goes_along_the_predicted_noise() -> None:
    sampler, path = AnnealedLangevin(inner=1), PATHS["ve"]
    trajectory, _, grid = run(sampler, path, 6)
    mean_eps = rest(explain(sampler, path, grid), trajectory)
    torch.testing.assert_close(mean_eps[:-1], trajectory.eps[:-2])
    torch.testing.assert_close(mean_eps[-1], trajectory.x_t[-1])


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("path", PATHS)
def test_at_most_one_thing_is_left_over_at_each_step(name: str, path: str) -> None:
    grid = make_grid(PATHS[path], 7, "trailing")
    formula = explain(SAMPLERS[name](), PATHS[path], grid)
    unknown = torch.stack(
        [term.coefficients != 0 for term in formula.terms if term.quantity == "rest"]
        or [torch.zeros(7, dtype=torch.bool)]
    )
    assert unknown.sum(0).max() <= 1
    assert formula.sentence
    for term in formula.terms:
        assert term.coefficients.shape == (7,)
        assert torch.isfinite(term.coefficients).all()


def test_frames_far_apart_are_a_jump_and_the_rest() -> None:
    path = PATHS["linear"]
    trajectory, _, _ = run(DDIM(), path, 40)
    kept = torch.arange(0, 41, 10)
    formula = explain_jumps(path, trajectory.t[kept])
    x_0, eps, between = formula.terms
    alpha, sigma = path(trajectory.t[kept][1:])
    torch.testing.assert_close(x_0.coefficients, alpha)
    torch.testing.assert_close(eps.coefficients, sigma)
    assert between.quantity == "rest"
    assert math.prod(between.coefficients.tolist()) == 1


def test_a_sampler_that_says_no_coefficients_is_a_line_and_what_else_it_adds() -> None:
    class Shaken(Sampler):
        """A step of DDIM that is moved by 1."""

        def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
            x_0, eps = history.predict(x_t, t)
            alpha, sigma = history.level(s)
            return Step(alpha * x_0 + sigma * eps + 1, x_0, eps)

    trajectory, _, grid = run(Shaken(), PATHS["linear"], 5)
    formula = explain(Shaken(), PATHS["linear"], grid)
    torch.testing.assert_close(rest(formula, trajectory), torch.ones(5, 7, 2, dtype=torch.float64))
    assert formula.sentence == Shaken.__doc__
    assert Shaken.title == "Shaken"


def test_a_term_is_said_in_symbols_and_words() -> None:
    said = {
        term.symbol: (term.words, term.quantity, term.ago)
        for sampler in (ThreeSteps(), DDPM(), PredictorCorrector())
        for term in explain(sampler, PATHS["linear"], make_grid(PATHS["linear"], 6)).terms
    }
    assert said == {
        "x^_0": ("predicted clean sample", "x_0", 0),
        "eps^": ("predicted noise", "eps", 0),
        "z": ("fresh noise", "z", 0),
        "Δx^_0": ("change of the prediction since the step before", "change", 0),
        "Δ\u2032x^_0": ("change of the prediction one step before that", "change", 1),
        "c": ("what the Langevin corrections move", "rest", 0),
    }


@pytest.mark.parametrize("path", PATHS)
def test_changes_of_several_steps_ago_add_up_too(path: str) -> None:
    trajectory, _, grid = run(ThreeSteps(), PATHS[path], 9)
    formula = explain(ThreeSteps(), PATHS[path], grid)
    parts = [
        term.coefficients[:, None, None] * changes(trajectory.x_0, term.ago)
        if term.quantity == "change"
        else term.coefficients[:, None, None] * quantity(trajectory, term.quantity)
        for term in formula.terms
    ]
    torch.testing.assert_close(torch.stack(parts).sum(0), trajectory.x_t[1:])


def test_what_a_churned_stop_keeps_belongs_to_the_step_before_it() -> None:
    """EDM, by hand: levels are raised by 1 + 3 / 8; the first is the path's last, and the end 0."""
    schedule, factor = SCHEDULES["edm"](), 1 + 3 / 8
    grid = make_grid(schedule, 8, "karras")
    z = next(t for t in explain(EDMStochastic(3.0), schedule, grid).terms if t.quantity == "z")
    sigma = schedule(grid)[1][1:-1]
    torch.testing.assert_close(z.coefficients[:-1], sigma * math.sqrt(factor**2 - 1))
    assert z.coefficients[-1] == 0
