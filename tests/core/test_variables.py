"""What an ODE solver integrates in: slopes and steps, by hand."""

from __future__ import annotations

import math

import pytest

from diffviz.core.history import History
from diffviz.core.schedules import EDM, VP, Linear, RectifiedFlow, Schedule, zero_terminal_snr
from diffviz.core.variables import VARIABLES, InRatio, InTime, usual


def known(levels: dict[float, tuple[float, float]]) -> History:
    """A run whose levels are these."""
    history = History(None, VP(), list(levels))
    history.level = levels.__getitem__
    return history


def test_the_ratio_moves_by_the_change_of_sigma_over_alpha() -> None:
    """x_s / alpha_s moves by sigma_s / alpha_s - sigma_t / alpha_t for a slope of 1."""
    history = known({0.9: (0.5, 2.0), 0.4: (0.8, 0.6)})
    assert InRatio().slope(0.9, history) == (0, 1)
    assert InRatio().length(0.9, 0.4, history) == pytest.approx(0.8 * (0.6 / 0.8 - 2.0 / 0.5))
    assert InRatio().euler(0.9, 0.4, history) == (0, 0.8, 0.6)


@pytest.mark.parametrize("sigma", [1.0, 100.0])
@pytest.mark.parametrize(("share", "noise"), [(0.0, True), (5e-13, True), (1.5e-12, False)])
def test_from_pure_noise_the_ratio_has_no_length(share: float, noise: bool, sigma: float) -> None:
    """What is left of x_0 at alpha / sigma = 1e-12 are four digits of sixteen, and none below."""
    history = known({1.0: (share * sigma, sigma), 0.5: (0.8, 0.6)})
    length = InRatio().length(1.0, 0.5, history)
    assert length == (0 if noise else pytest.approx(0.6 - 0.8 / share))


def test_time_moves_along_the_slope_of_the_path() -> None:
    """VP: alpha' = -alpha beta / 2 and sigma' = alpha^2 beta / (2 sigma), beta linear in t."""
    history, t, s = History(None, VP(), [0.6, 0.4, 0.0]), 0.6, 0.4
    alpha, sigma = VP().at(t)
    beta = 0.1 + 19.9 * t
    slope = -alpha * beta / 2, alpha**2 * beta / (2 * sigma)
    assert InTime().slope(t, history) == pytest.approx(slope)
    assert InTime().length(t, s, history) == pytest.approx(-0.2)
    moved = InTime().euler(t, s, history)
    assert moved == pytest.approx((1, -0.2 * slope[0], -0.2 * slope[1]))


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=list(VARIABLES))
@pytest.mark.parametrize("schedule", [VP(), RectifiedFlow(), EDM(3.0)], ids=repr)
def test_a_short_step_stays_on_the_path(variable: InRatio | InTime, schedule: Schedule) -> None:
    """From x_t = alpha_t x_0 + sigma_t eps to alpha_s x_0 + sigma_s eps, but for its square."""
    t, h = 0.5, 1e-4
    history = History(None, schedule, [t, t - h, 0.0])
    (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule.at(t), schedule.at(t - h)
    x_t, x_0, eps = variable.euler(t, t - h, history)
    assert x_t * alpha_t + x_0 == pytest.approx(alpha_s, abs=1e-6)
    assert x_t * sigma_t + eps == pytest.approx(sigma_s, abs=1e-6)


@pytest.mark.parametrize(
    ("schedule", "first", "name"),
    [
        (RectifiedFlow(), 1.0, "time"),
        (RectifiedFlow(), 0.9, "ratio"),  # not from pure noise
        (zero_terminal_snr(Linear()), 1.0, "ratio"),  # sigma' is infinite at the data
        (EDM(), 1.0, "ratio"),
        (EDM(1.0), 1.0, "ratio"),
        (VP(), 1.0, "ratio"),
    ],
)
def test_time_is_usual_for_a_flow_from_pure_noise_alone(
    schedule: Schedule, first: float, name: str
) -> None:
    assert usual(History(None, schedule, [first, 0.5, 0.0])) is VARIABLES[name]
    slope = schedule.derivatives(0.0)[1].item()
    flows = schedule.at(first)[0] == 0 and math.isfinite(slope)
    assert flows == (name == "time")
