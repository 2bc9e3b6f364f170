"""Timestep grids: where samplers stop."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.grids import FILE, SPACINGS, make_grid, nearest_steps
from diffviz.core.schedules import (
    EDM,
    SCHEDULES,
    VE,
    VP,
    Linear,
    RectifiedFlow,
    Schedule,
    Sigmoid,
    zero_terminal_snr,
)
from tests.peers import diffusers

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


@pytest.mark.fact(5)
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("T", [50, 1000])
def test_whole_stops_are_those_of_diffusers(spacing: str, T: int) -> None:
    """Also where an even spacing falls between two timesteps; its one step of linspace is no run.

    Rounding lets the peer's trailing now and then take a stop too many, the last.
    """
    schedule, peer = (
        Linear(T=T),
        diffusers().DDIMScheduler(num_train_timesteps=T, timestep_spacing=spacing),
    )
    for steps in range(2 if spacing == "linspace" else 1, T + 1):
        peer.set_timesteps(steps)
        ours = make_grid(schedule, steps, spacing)[:-1] * T
        assert_close(ours, peer.timesteps[:steps].double() + 1, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("spacing", "steps", "stops"),
    [
        ("leading", 3, [7, 4, 1]),  # a stride of 10 // 3
        ("trailing", 4, [10, 8, 5, 2]),  # 10, 7.5, 5 and 2.5: halves go to the even number
        ("linspace", 3, [10, 5, 1]),  # timesteps 9, 4.5 and 0, each noised once more
        ("linspace", 1, [10]),
    ],
)
def test_where_whole_stops_fall_by_hand(spacing: str, steps: int, stops: list[int]) -> None:
    assert (make_grid(Linear(T=10), steps, spacing) * 10).round().tolist() == [*stops, 0]


def test_a_path_without_timesteps_counts_as_a_thousand_noisings() -> None:
    assert_close(make_grid(VP(), 4, "leading"), tenths(7.51, 5.01, 2.51, 0.01, 0))
    assert_close(make_grid(VP(), 3, "trailing"), tenths(10, 20 / 3, 10 / 3, 0))
    assert_close(make_grid(VP(), 4, "linspace"), tenths(10, 6.67, 3.34, 0.01, 0))
    assert_close(make_grid(VP(), 2000, "leading")[-2], torch.tensor(1 / 2000, dtype=float64))


def tenths(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=float64) / 10


FEW_PATHS = [Linear(), VP(), EDM(), VE(), RectifiedFlow(), zero_terminal_snr(Linear())]


@pytest.mark.parametrize("schedule", FEW_PATHS)
@pytest.mark.parametrize("spacing", ["log_snr", "karras", "quadratic"])
def test_few_steps_are_as_many_real_steps(schedule: Schedule, spacing: str) -> None:
    """The stops of one step more without the one at t_min, pure noise in the first one's place."""
    for steps in (1, 2, 3):
        grid = make_grid(schedule, steps, spacing)
        levels = schedule.log_snr(grid).tolist()
        assert all(b > a + 1.5 for a, b in pairwise(levels))  # SNR grows fivefold and more
        assert schedule.at(grid[-2].item())[1] > 4 * schedule.at(schedule.t_min)[1]
    four = make_grid(schedule, 4, spacing)
    assert_close(four[-2].item(), schedule.t_min, rtol=1e-9, atol=0)
    assert_close(make_grid(schedule, 3, spacing)[:-1], four[:-2])


def test_two_steps_by_hand() -> None:
    """The middle stop: log-SNR and sigma^(1/7) half way between 80 and 0.002; sqrt(t) likewise."""
    schedule = EDM()
    middle = {name: make_grid(schedule, 2, name)[1].item() for name in SPACINGS}
    assert middle["log_snr"] * 80 == pytest.approx((80 * 0.002) ** 0.5)
    assert middle["karras"] * 80 == pytest.approx(((80 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7)
    assert middle["quadratic"] == pytest.approx(((1 + (0.002 / 80) ** 0.5) / 2) ** 2)


def test_pure_noise_is_a_stop_before_the_noisiest_finite_level() -> None:
    schedule = zero_terminal_snr(Linear())
    for spacing in ("log_snr", "karras"):
        assert_close(make_grid(schedule, 12, spacing)[:2].tolist(), [1.0, 0.999])
        assert_close(make_grid(schedule, 5, spacing)[1].item(), 0.999)
        assert make_grid(schedule, 4, spacing)[1] < 0.998  # few: it takes the first one's place
    assert_close(make_grid(RectifiedFlow(), 12, "karras")[:2].tolist(), [1.0, 0.999])
    for T, second in ((20, 0.999), (5000, 0.9998)):  # within the last noising, however long
        stops = make_grid(zero_terminal_snr(Linear(T=T)), 12, "karras")
        assert_close(stops[:2].tolist(), [1.0, second])


@pytest.mark.parametrize("schedule", [VP(), EDM(), VE(), Sigmoid()])
def test_log_snr_spacing_is_even_in_log_snr(schedule: VP) -> None:
    grid = make_grid(schedule, 20, "log_snr")
    assert grid[0] == 1
    assert grid[-2].item() == pytest.approx(schedule.t_min, rel=1e-9)
    levels = schedule.log_snr(grid[:-1]).diff()
    assert_close(levels, levels.mean().expand(19), rtol=1e-6, atol=0)


def test_karras_is_the_published_formula() -> None:
    grid = make_grid(EDM(), 18, "karras")
    i = torch.arange(18, dtype=float64) / 17
    expected = (80 ** (1 / 7) + i * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert_close(grid[:-1] * 80, expected, rtol=1e-9, atol=0)


def test_quadratic_is_even_in_the_root() -> None:
    roots = make_grid(VP(), 12, "quadratic")[:-1].sqrt()
    assert_close(roots, torch.linspace(1, 0.001**0.5, 12, dtype=float64))


def test_the_nearest_steps_are_fewer_or_up_to_two_more() -> None:
    schedule = VP()

    def seven_only(steps: int) -> torch.Tensor:
        if steps != 7:
            raise ValueError("seven or nothing")
        return torch.linspace(1, 0, 8)

    schedule.own_stops = seven_only
    assert [nearest_steps(schedule, steps) for steps in (4, 5, 6, 7, 40)] == [4, 7, 7, 7, 7]
    assert len(make_grid(schedule, 7, FILE)) == 8
    with pytest.raises(ValueError, match="came from no file"):
        make_grid(VP(), 7, FILE)


def test_what_cannot_be_made_is_told_in_words() -> None:
    with pytest.raises(ValueError, match="at most 20 steps"):
        make_grid(Linear(T=20), 21, "leading")
    with pytest.raises(ValueError, match="at least 1 step"):
        make_grid(VP(), 0)
    with pytest.raises(ValueError, match="choose one of leading"):
        make_grid(VP(), 5, "even")
    assert len(make_grid(Linear(T=20), 40, "karras")) == 41
