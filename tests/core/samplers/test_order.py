"""Convergence orders by slope, on a Gaussian whose flow is known exactly.

For x_0 ~ N(m, s^2) every marginal is N(alpha m, v^2) with v^2 = alpha^2 s^2 + sigma^2, and the
probability-flow ODE keeps each sample at its quantile: x_t = alpha_t m + v_t u for one u.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from diffviz.core.denoisers import Exact
from diffviz.core.distributions import GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.samplers import (
    DDIM,
    DPMpp2M,
    EDMStochastic,
    Euler,
    Heun,
    InRatio,
    InTime,
    Sampler,
)
from diffviz.core.schedules import EDM, VP, Cosine, Linear, RectifiedFlow, Schedule
from tests.newcomer import ThreeSteps

M, S = 0.7, 0.5
U = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]


def on_the_flow(schedule: Schedule, t: float) -> Tensor:
    alpha, sigma = schedule.at(t)
    return alpha * M + math.sqrt((alpha * S) ** 2 + sigma**2) * U


def errors(sampler: Sampler, schedule: Schedule, high: float, low: float) -> list[float]:
    """Errors at time ``low`` from exact states at ``high``, for doubling numbers of steps.

    A last stop at 0 is added and left out again: its step is first order by design, and its size
    does not shrink with the others.
    """
    exact = Exact(
        GaussianMixture(
            torch.ones(1, dtype=torch.float64),
            torch.tensor([[M]], dtype=torch.float64),
            torch.tensor([S], dtype=torch.float64),
        ),
        schedule,
    )
    answers = []
    ends = schedule.log_snr(torch.tensor([high, low], dtype=torch.float64))
    for steps in (40, 80, 160):
        levels = torch.linspace(ends[0].item(), ends[1].item(), steps + 1, dtype=torch.float64)
        inner = schedule.t_at_log_snr(levels)
        grid = torch.cat([inner, torch.zeros(1, dtype=torch.float64)])
        x_1 = on_the_flow(schedule, inner[0].item())
        states = list(sampler.iterate(exact, schedule, grid, x_1))
        assert states[-2].t == inner[-1]
        answers.append((states[-2].x_t - on_the_flow(schedule, states[-2].t)).abs().max().item())
    return answers


def slope(values: list[float]) -> float:
    return math.log2(values[0] / values[-1]) / (len(values) - 1)


SMOOTH: dict[str, Schedule] = {"vp": VP(), "rectified_flow": RectifiedFlow(), "edm": EDM(20.0)}


@pytest.mark.fact(1)
@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize(
    ("sampler", "order"),
    [
        (Euler(InRatio()), 1),
        (Euler(InTime()), 1),
        (DDIM(), 1),
        (Heun(InRatio()), 2),
        (Heun(InTime()), 2),
        (EDMStochastic(churn=0.0), 2),
        (DPMpp2M(), 2),
        (ThreeSteps(), 3),
    ],
    ids=["euler-ratio", "euler-time", "ddim", "heun-ratio", "heun-time", "edm", "dpmpp_2m", "new"],
)
def test_order_of_convergence(name: str, sampler: Sampler, order: int) -> None:
    assert sampler.order == order
    measured = slope(errors(sampler, SMOOTH[name], high=0.95, low=0.02))
    assert measured == pytest.approx(order, abs=0.25 if order < 3 else 0.45)


@pytest.mark.fact(1)
@pytest.mark.parametrize("schedule", [Linear(), Cosine()])
def test_second_order_survives_a_chain_of_noisings(schedule: Schedule) -> None:
    """Between its own times a chain's path is smooth enough for the second order to show."""
    for sampler in (Heun(), DPMpp2M()):
        assert slope(errors(sampler, schedule, high=0.9, low=0.05)) > 1.6


@pytest.mark.fact(1)
def test_a_wrong_sigma_costs_the_order() -> None:
    """The test can fail: Heun with one stale noise level is no longer second order."""

    class Stale(InRatio):
        def length(self, t: float, s: float, history: object) -> float:
            return 0.9 * super().length(t, s, history)  # type: ignore[arg-type]

    assert slope(errors(Heun(Stale()), VP(), high=0.95, low=0.02)) < 1.5


@pytest.mark.fact(1)
@pytest.mark.parametrize("name", ["vp", "rectified_flow"])
def test_whole_runs_approach_the_exact_flow(name: str) -> None:
    """With the last step to 0 included, more steps bring every solver to the known end."""
    schedule = SMOOTH[name]
    exact = Exact(
        GaussianMixture(
            torch.ones(1, dtype=torch.float64),
            torch.tensor([[M]], dtype=torch.float64),
            torch.tensor([S], dtype=torch.float64),
        ),
        schedule,
    )
    for sampler in (DDIM(), Heun(), DPMpp2M()):
        off = []
        for steps in (8, 32, 128):
            grid = make_grid(schedule, steps, "log_snr")
            x = sampler.sample(exact, schedule, grid, on_the_flow(schedule, grid[0].item()))
            off.append((x - on_the_flow(schedule, 0.0)).abs().max().item())
        assert off[0] > off[1] > off[2]
        assert off[2] < (0.03 if isinstance(sampler, DDIM) else 1e-3)
