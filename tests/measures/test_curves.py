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
