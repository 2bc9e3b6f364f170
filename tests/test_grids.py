"""Timestep grids: where samplers stop."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from diffviz.grids import SPACINGS, make_grid
from diffviz.schedules import EDM, SCHEDULES, VE, VP, Linear, Sigmoid, zero_terminal_snr

float64 = torch.float64


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7, 50, 1000])
def test_every_grid_falls_to_zero(name: str, spacing: str, steps: int) -> None:
    grid = make_grid(SCHEDULES[name](), steps, spacing)
    assert grid.shape == (steps + 1,)
    assert grid[-1] == 0
    assert bool((grid.diff() < 0).all())
    assert grid[0] <= 1


@pytest.mark.parametrize("spacing", SPACINGS)
def test_zero_terminal_snr_starts_at_pure_noise(spacing: str) -> None:
    schedule = zero_terminal_snr(Linear())
    for steps in (1, 2, 20):
        grid = make_grid(schedule, steps, spacing)
        assert bool(grid.isfinite().all())
        assert bool((grid.diff() < 0).all())
        assert (grid[0] == 1) == (spacing != "leading")


@pytest.mark.fact(5)
def test_leading_never_sees_pure_noise_and_trailing_starts_there() -> None:
    schedule = Linear()
    leading, trailing = (make_grid(schedule, 10, s) for s in ("leading", "trailing"))
    assert_close(leading[:-1], torch.arange(901, 0, -100, dtype=float64) / 1000)
    assert_close(trailing[:-1], torch.arange(1000, 0, -100, dtype=float64) / 1000)
    assert schedule.at(leading[0].item())[0] > schedule.at(1.0)[0]


@pytest.mark.fact(5)
def test_stops_need_not_divide_the_chain() -> None:
    """With 7 of 1,000, t - T // 7 would miss the next stop; the grid knows it."""
    grid = make_grid(Linear(), 7, "trailing") * 1000
    assert_close(grid, torch.tensor([1000, 857, 714, 571, 429, 286, 143, 0], dtype=float64))
    assert len(set(grid.diff().tolist())) > 1


def test_linspace_holds_both_ends() -> None:
    grid = make_grid(Linear(), 28, "linspace")
    assert grid[0] == 1
    assert grid[-2] == pytest.approx(0.001)
    assert_close(grid[:-1].diff(), torch.full((27,), -0.037, dtype=float64))


@pytest.mark.parametrize("schedule", [VP(), EDM(), VE(), Sigmoid()])
def test_log_snr_spacing_is_even_in_log_snr(schedule: VP) -> None:
    levels = schedule.log_snr(make_grid(schedule, 20, "log_snr")[:-1]).diff()
    assert_close(levels, levels.mean().expand(19), rtol=1e-6, atol=0)


def test_karras_is_the_published_formula() -> None:
    grid = make_grid(EDM(), 18, "karras")
    i = torch.arange(18, dtype=float64) / 17
    expected = (80 ** (1 / 7) + i * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert_close(grid[:-1] * 80, expected, rtol=1e-9, atol=0)


def test_quadratic_is_even_in_the_root() -> None:
    roots = make_grid(VP(), 12, "quadratic")[:-1].sqrt().diff()
    assert_close(roots, roots.mean().expand(11))


def test_what_cannot_be_made_is_told_in_words() -> None:
    with pytest.raises(ValueError, match="at most 20 steps"):
        make_grid(Linear(T=20), 21, "leading")
    with pytest.raises(ValueError, match="at least 1 step"):
        make_grid(VP(), 0)
    with pytest.raises(ValueError, match="choose one of leading"):
        make_grid(VP(), 5, "even")
    assert len(make_grid(Linear(T=20), 40, "karras")) == 41
