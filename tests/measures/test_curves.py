"""The quantities of a schedule against closed forms and against the schedule's own."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.schedules import (
    EDM,
    SCHEDULES,
    VP,
    Custom,
    DiscreteVP,
    Linear,
    RectifiedFlow,
    Schedule,
    zero_terminal_snr,
)
from diffviz.measures.curves import CONTINUOUS_STEPS, QUANTITIES, chain, curve

EVERY = [pytest.param(kind(), id=name) for name, kind in SCHEDULES.items()]


@pytest.mark.parametrize("schedule", EVERY)
def test_columns_belong_together(schedule: Schedule) -> None:
    table = chain(schedule)
    n = schedule.T if isinstance(schedule, DiscreteVP) else CONTINUOUS_STEPS
    assert table.t.shape == (n,)
    assert table.t[-1] == 1
    alpha, sigma = schedule(table.t)
    assert_close(table.alpha, alpha)
    assert_close(table.sigma, sigma)
    assert_close(table.alpha_bar, alpha**2)
    assert_close(table.snr, alpha**2 / sigma**2)
    assert_close(table.log_snr, schedule.log_snr(table.t))
    assert bool((table.beta > 0).all())
    assert table.posterior_variance[0] == 0


@pytest.mark.parametrize("schedule", EVERY)
def test_one_noising_after_the_other_gives_the_path(schedule: Schedule) -> None:
    """sigma_k^2 = r_k^2 sigma_{k-1}^2 + beta_k with r_k = alpha_k / alpha_{k-1}."""
    table = chain(schedule)
    variance = torch.zeros((), dtype=torch.float64)
    before = torch.ones((), dtype=torch.float64)
    for alpha, beta in zip(table.alpha, table.beta, strict=True):
        variance = (alpha / before) ** 2 * variance + beta
        before = alpha
    assert_close(variance, table.sigma[-1] ** 2)


@pytest.mark.parametrize(
    "kind", [name for name, k in SCHEDULES.items() if issubclass(k, DiscreteVP)]
)
def test_a_chain_keeps_its_own_betas(kind: str) -> None:
    schedule = SCHEDULES[kind](T=50)
    assert isinstance(schedule, DiscreteVP)
    table = chain(schedule)
    assert_close(table.beta, schedule.betas)
    assert_close(table.posterior_variance, schedule.posterior_variance)
    ratio = table.alpha_bar[1:] / table.alpha_bar[:-1]
    assert_close(table.beta[1:], 1 - ratio, atol=1e-9, rtol=0)


def test_posterior_variance_is_the_conditional_of_the_joint_gaussian() -> None:
    """Var[x_s | x_t, x_0] = sigma_s^2 - Cov^2 / sigma_t^2 with Cov = r sigma_s^2."""
    for schedule in (VP(), EDM(), RectifiedFlow(), Custom()):
        table = chain(schedule)
        s, t = table.sigma[:-1], table.sigma[1:]
        ratio = table.alpha[1:] / table.alpha[:-1]
        expected = s**2 - (ratio * s**2) ** 2 / t**2
        assert_close(table.posterior_variance[1:], expected, atol=1e-9, rtol=1e-6)


def test_the_steps_of_vp_come_from_its_rate() -> None:
    """beta_k = beta(t) / N to first order (Song et al. 2021, eq. 11)."""
    schedule = VP()
    table = chain(schedule)
    _, g2 = schedule.drift_diffusion(table.t - 0.5 / len(table.t))
    assert_close(table.beta, g2 / len(table.t), rtol=2e-2, atol=0)


@pytest.mark.parametrize("name", list(QUANTITIES))
@pytest.mark.parametrize("schedule", EVERY)
def test_lines_are_finite_and_in_order(schedule: Schedule, name: str) -> None:
    t, columns = curve(schedule, name)
    assert len(columns) == len(QUANTITIES[name].parts)
    assert bool((t.diff() > 0).all())
    assert t[0] >= 0
    assert t[-1] <= 1
    assert 100 < len(t) < 600
    for column in columns:
        assert column.shape == t.shape
        assert bool(column.isfinite().all())


def test_short_chains_show_every_step() -> None:
    for T in (2, 3, 20):
        t, (beta,) = curve(Linear(T), "beta")
        assert_close(t, torch.arange(1, T + 1, dtype=torch.float64) / T)
        assert_close(beta, Linear(T).betas)
        t, _ = curve(Linear(T), "alpha_bar")
        steps = torch.arange(1, T + 1, dtype=torch.float64) / T
        assert (t[:, None] == steps).any(0).all()


def test_pure_noise_leaves_the_log_snr() -> None:
    t, (log_snr,) = curve(zero_terminal_snr(Linear()), "log_snr")
    assert t[-1] < 1
    assert log_snr.isfinite().all()
    t, (alpha_bar,) = curve(zero_terminal_snr(Linear()), "alpha_bar")
    assert t[-1] == 1
    assert alpha_bar[-1] == 0


def test_an_unknown_quantity_is_named() -> None:
    with pytest.raises(ValueError, match="unknown quantity 'gamma'"):
        curve(Linear(), "gamma")


def tenth(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_continuous_path_is_cut_into_a_thousand() -> None:
    assert CONTINUOUS_STEPS == 1000
    t = chain(RectifiedFlow()).t
    assert_close(t, torch.arange(1, 1001, dtype=torch.float64) / 1000, rtol=1e-15, atol=0)


def test_the_noise_of_a_step_on_the_straight_line_by_hand() -> None:
    """From (1 - s, s) to (1 - t, t): beta = t^2 - (1 - t)^2 / (1 - s)^2 s^2."""
    table = chain(RectifiedFlow())
    s, t = 0.4, 0.401
    beta = t**2 - (1 - t) ** 2 / (1 - s) ** 2 * s**2
    assert table.beta[400].item() == pytest.approx(beta, rel=1e-9)
    assert table.posterior_variance[400].item() == pytest.approx(beta * s**2 / t**2, rel=1e-9)


def test_rounding_makes_no_negative_variance() -> None:
    """Where a path of one's own is all but flat, a step adds less than can be told from none."""
    flat = Custom(((0, 1), (0.1, 0.5), (0.9, 0.5 - 1e-13), (1, 0)))
    table = chain(flat)
    assert table.beta.min() >= 0
    assert (table.beta == 0).any()


def test_what_spans_decades_is_drawn_so_and_what_belongs_to_a_step_is_known() -> None:
    def named(which: str) -> set[str]:
        return {name for name, quantity in QUANTITIES.items() if getattr(quantity, which)}

    assert named("log") == {"snr", "beta", "posterior_variance"}
    assert named("per_step") == {"beta", "posterior_variance"}
    assert all(name == quantity.name for name, quantity in QUANTITIES.items())


def test_long_chains_are_thinned_but_for_eight_steps_at_both_ends() -> None:
    schedule, edge = Linear(), [1, 2, 3, 4, 5, 6, 7, 8]
    for name, points, after in (("beta", 256, [9, 13]), ("posterior_variance", 100, [11, 21])):
        t, (values,) = curve(schedule, name, points)
        k = (t * 1000).round().long()
        assert_close(t, k.double() / 1000, rtol=1e-15, atol=0)
        assert_close(values, getattr(chain(schedule), name)[k - 1], rtol=0, atol=0)
        assert k[:10].tolist() == edge + after
        assert (1001 - k.flip(0))[:10].tolist() == edge + after
        assert k.diff().max() == after[1] - after[0] + (points == 100)
    assert_close(curve(schedule, "beta")[0], curve(schedule, "beta", 256)[0])


def test_which_steps_of_twenty_are_kept_for_eight_points_by_hand() -> None:
    """A quarter, five, at both ends; and 19 / 7 apart, to the nearest: 3, 5, 8, 11, 14 and 16."""
    t, _ = curve(Linear(20), "beta", 8)
    kept = [0, 1, 2, 3, 4, 5, 8, 11, 14, 15, 16, 17, 18, 19]
    assert_close(t, (tenth(*kept) + 1) / 20)
    assert len(curve(Linear(8), "beta", 8)[0]) == 8


def test_the_times_of_a_path_are_even_and_closer_at_both_ends_by_hand() -> None:
    """Sixteen points: two edges of two, at 1e-5 and 1e-2, and elevenths between."""
    t, (alpha, sigma) = curve(RectifiedFlow(), "alpha_sigma", 16)
    even = torch.arange(12, dtype=torch.float64) / 11
    edge = tenth(1e-5, 1e-2)
    assert_close(t, torch.cat([even, edge, 1 - edge]).sort().values, rtol=1e-12, atol=1e-15)
    assert_close(alpha, 1 - t)
    assert_close(sigma, t)
    for name in ("alpha_bar", "alpha_sigma"):
        assert len(curve(VP(), name)[0]) == 256


def test_a_quantity_on_the_path_is_what_its_name_says() -> None:
    for schedule in (RectifiedFlow(), Linear(30)):
        for name, quantity in QUANTITIES.items():
            if quantity.per_step:
                continue
            t, columns = curve(schedule, name, 40)
            alpha, sigma = schedule(t)
            named = {
                "alpha": alpha,
                "sigma": sigma,
                "alpha_bar": alpha**2,
                "snr": alpha**2 / sigma**2,
                "log_snr": schedule.log_snr(t),
            }
            for part, column in zip(quantity.parts, columns, strict=True):
                assert_close(column, named[part])


@pytest.mark.parametrize("T", [15, 16, 17])
def test_a_chain_has_all_its_own_times_where_there_is_room(T: int) -> None:
    own = torch.arange(1, T + 1, dtype=torch.float64) / T
    for name, first in (("alpha_bar", 0.0), ("log_snr", 1 / T), ("snr", 1 / T)):
        t, _ = curve(Linear(T), name, 16)
        assert bool((t[:, None] == own).any(0).all()) == (T <= 16)
        assert (t[0].item() == first) or T > 16
        assert t[0] >= first  # between the data and the first noising is no SNR
        assert t[-1] == 1
