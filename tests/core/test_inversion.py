"""From a picture to its noise and back, and noise between two noises."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Exact, OnPath
from diffviz.core.distributions import GaussianMixture
from diffviz.core.inversion import PATH, SOLVERS, decode, encode, follow, round_trip, slerp
from diffviz.core.samplers import Heun, InRatio
from diffviz.core.schedules import RectifiedFlow
from diffviz.core.trajectory import Trajectory

float64 = torch.float64
M, S = 0.7, 0.5
ORDERS = {"euler": 1, "heun": 2}
ROUND_TRIP_ORDERS = {"euler": 1, "heun": 3}


def mixture() -> GaussianMixture:
    return GaussianMixture(
        torch.ones(2, dtype=float64),
        torch.tensor([[-1.0, 0.5], [1.0, -0.5]], dtype=float64),
        torch.tensor([0.4, 0.6], dtype=float64),
    )


def gaussian() -> GaussianMixture:
    return GaussianMixture(
        torch.ones(1, dtype=float64),
        torch.full((1, 2), M, dtype=float64),
        torch.tensor([S], dtype=float64),
    )


def points(n: int = 16) -> Tensor:
    return mixture().sample(n, torch.Generator().manual_seed(0))


def noises(n: int, D: int) -> Tensor:
    return torch.randn(n, D, generator=torch.Generator().manual_seed(0), dtype=float64)


def slope(values: list[float]) -> float:
    return math.log2(values[0] / values[-1]) / (len(values) - 1)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_round_trip_closes_at_its_order(solver: str) -> None:
    """Heun's leading error changes its sign with the direction, and so falls out."""
    denoiser = Exact(mixture(), PATH)
    off = [round_trip(denoiser, points(), steps, solver).mean().item() for steps in (64, 128, 256)]
    assert slope(off) == pytest.approx(ROUND_TRIP_ORDERS[solver], abs=0.25)
    assert off[-1] < 0.1


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("way", ["up", "down"])
def test_each_way_follows_the_exact_flow_at_the_solvers_order(solver: str, way: str) -> None:
    """A Gaussian's flow keeps u at its quantile: (u - m) / sqrt(s^2 + k^2) is constant."""
    denoiser = Exact(gaussian(), PATH)
    k_min, k_max = 0.002, 80.0
    low, high = M + math.hypot(S, k_min) * noises(8, 2), M + math.hypot(S, k_max) * noises(8, 2)
    run, begin, end = (encode, low, high) if way == "up" else (decode, high, low)
    off = []
    for steps in (64, 128, 256):
        *_, last = run(denoiser, begin, steps, solver)
        off.append(((last.x_t - end).norm() / end.norm()).item())
    assert slope(off) == pytest.approx(ORDERS[solver], abs=0.25)
    assert off[-1] < 0.05


def test_heun_takes_fewer_evaluations_for_the_same_error() -> None:
    denoiser = Exact(mixture(), PATH)
    heun = round_trip(denoiser, points(), 50, "heun")
    assert heun.shape == (16,)
    assert heun.mean() < 0.1 * round_trip(denoiser, points(), 100, "euler").mean()


@pytest.mark.parametrize(("solver", "each"), [("euler", 1), ("heun", 2)])
def test_the_states_are_those_of_a_run(solver: str, each: int) -> None:
    denoiser, x_0 = Exact(mixture(), PATH), points()
    up = list(encode(denoiser, x_0, 10, solver))
    down = list(decode(denoiser, up[-1].x_t, 10, solver))
    assert torch.equal(up[0].x_t, x_0)
    assert [state.sigma for state in up] == [state.sigma for state in down[::-1]]
    assert up[-1].sigma == PATH.sigma_max
    assert up[0].sigma == pytest.approx(0.002)
    roots = torch.tensor([state.sigma for state in up], dtype=float64) ** (1 / 7)
    even = (roots[-1] - roots[0]).expand(10) / 10
    assert_close(roots.diff(), even, rtol=1e-12, atol=0)
    for states in (up, down):
        assert [state.index for state in states] == list(range(11))
        assert [state.evaluations for state in states] == [each * k for k in range(11)]
        for state in states:
            assert_close(state.x_0, denoiser(state.x_t, state.t))
            assert_close(state.alpha * state.x_0 + state.sigma * state.eps, state.x_t)
            assert_close(state.score * state.sigma, -state.eps)
    assert Trajectory.stack(up).x_t.shape == (11, 16, 2)


def test_one_step_goes_all_the_way() -> None:
    up, down = (list(run(Exact(mixture(), PATH), points(), 1)) for run in (encode, decode))
    assert_close([state.sigma for state in up], [0.002, 80.0])
    assert_close([state.sigma for state in down], [80.0, 0.002])


def test_decoding_steps_are_the_samplers() -> None:
    """Down the path, ``follow`` is Heun's run without its last step to 0."""
    denoiser, x_1 = Exact(mixture(), PATH), PATH.prior_std() * noises(8, 2)
    down = list(decode(denoiser, x_1, 10))
    grid = torch.tensor([state.t for state in down] + [0.0], dtype=float64)
    states = list(Heun(InRatio()).iterate(denoiser, PATH, grid, x_1))
    assert_close(down[-1].x_t, states[-2].x_t, rtol=0, atol=0)


def test_encoded_data_are_gaussian_noise() -> None:
    denoiser = Exact(mixture(), PATH)
    *_, last = encode(denoiser, points(4000), 40)
    z = last.x_t / PATH.prior_std()
    assert_close(z.mean(0), torch.zeros(2, dtype=float64), rtol=0, atol=0.06)
    assert_close(torch.cov(z.T), torch.eye(2, dtype=float64), rtol=0, atol=0.08)


def test_a_denoiser_of_another_path_takes_the_same_way() -> None:
    own = RectifiedFlow()
    *_, wanted = encode(Exact(mixture(), PATH), points(), 20)
    *_, last = encode(OnPath(Exact(mixture(), own), own, PATH), points(), 20)
    # its own path ends at sigma / alpha = 0.001, and so below k_min
    assert_close(last.x_t, wanted.x_t, rtol=1e-6, atol=1e-6)


def test_following_part_of_the_way_and_back() -> None:
    denoiser, u = Exact(mixture(), PATH), points()
    stops = torch.linspace(0.1, 2, 200, dtype=float64).tolist()
    *_, there = follow(denoiser, u, stops)
    *_, back = follow(denoiser, there.x_t, stops[::-1])
    assert_close(back.x_t, u, rtol=0, atol=1e-4)


def test_refused_runs() -> None:
    denoiser, u = Exact(mixture(), PATH), points()
    with pytest.raises(ValueError, match="choose one of euler, heun"):
        encode(denoiser, u, 5, "rk4")
    with pytest.raises(ValueError, match="at least 1 step"):
        decode(denoiser, u, 0)
    for stops in ([1.0], [1.0, 1.0], [1.0, 2.0, 1.5]):
        with pytest.raises(ValueError, match="at least 2 noise levels"):
            follow(denoiser, u, stops)
    for stops in ([0.0, 1.0], [81.0, 1.0]):
        with pytest.raises(ValueError, match="above 0 and up to 80"):
            follow(denoiser, u, stops)


def test_slerp_starts_and_ends_at_its_inputs() -> None:
    a, b = noises(2, 12).reshape(2, 3, 2, 2)
    shares = torch.tensor([0.0, 0.5, 1.0], dtype=float64)
    way = slerp(a, b, shares)
    assert way.shape == (3, 3, 2, 2)
    assert_close(way[0], a)
    assert_close(way[-1], b)
    assert_close(way[1], slerp(a, b, 0.5))
    assert_close(slerp(a, b, 0.3), slerp(b, a, 0.7))
    assert slerp(a.float(), b.float(), 0.5).dtype == torch.float32


def test_slerp_turns_evenly_and_keeps_the_length_of_noise() -> None:
    a, b = noises(2, 784)
    way = slerp(a, b, torch.linspace(0, 1, 9, dtype=float64))
    lengths = way.norm(dim=1)
    assert_close(lengths, torch.linspace(a.norm().item(), b.norm().item(), 9, dtype=float64))
    units = way / lengths[:, None]
    angles = (units[1:] * units[:-1]).sum(1).acos()
    assert_close(angles, angles.mean().expand(8), rtol=1e-6, atol=0)
    assert ((a + b) / 2).norm() < 0.8 * lengths.min()  # a straight line would not keep it


def test_slerp_by_shoemakes_formula() -> None:
    a = torch.tensor([3.0, 0.0], dtype=float64)
    b = 3 * torch.tensor([math.cos(2.0), math.sin(2.0)], dtype=float64)
    for s in (0.1, 0.5, 0.8):
        formula = (math.sin((1 - s) * 2) * a + math.sin(s * 2) * b) / math.sin(2)
        assert_close(slerp(a, b, s), formula)


@pytest.mark.parametrize("nearly", [0.0, 1e-14, 1e-9, 1e-6])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("D", [2, 50])
def test_slerp_between_parallel_and_opposite_noises(sign: int, nearly: float, D: int) -> None:
    a = noises(1, D)[0]
    b = sign * (2 * a + nearly * noises(2, D)[1])
    shares = torch.linspace(0, 1, 5, dtype=float64)
    way = slerp(a, b, shares)
    assert_close(way[0], a)
    assert_close(way[-1], b, rtol=0, atol=1e-7)
    assert_close(way.norm(dim=1), a.norm() + shares * (b.norm() - a.norm()))


def test_slerp_refuses_what_has_no_direction() -> None:
    a = noises(1, 4)[0]
    for other in (a[:3], noises(2, 4)):
        with pytest.raises(ValueError, match="one shape"):
            slerp(a, other, 0.5)
    with pytest.raises(ValueError, match="at least 2 numbers"):
        slerp(a[:1], a[:1], 0.5)
    with pytest.raises(ValueError, match="no direction"):
        slerp(a, torch.zeros_like(a), 0.5)


@pytest.mark.parametrize("length", [0.5, 2.0])
@pytest.mark.parametrize("off", [1.5e-8, 1e-3])
def test_the_arc_to_nearly_opposite_noise_still_goes_to_its_side(length: float, off: float) -> None:
    """Only a sine below 1e-8 counts as half a turn, where no side can be told."""
    a = torch.tensor([3.0, 0.0, 0.0], dtype=float64)
    b = torch.tensor([-length, 0.0, -length * off], dtype=float64)
    half = slerp(a, b, 0.5)
    side = torch.tensor([off / 2, 0.0, -1.0], dtype=float64)
    assert_close(half / half.norm(), side, rtol=0, atol=1e-6)
    assert_close(slerp(a, b, 1.0), b, rtol=1e-14, atol=1e-14)


def test_the_arc_to_opposite_noise_leaves_by_the_axis_it_has_least_of() -> None:
    a = torch.tensor([0.6, 0.0, 0.8], dtype=float64)
    assert_close(slerp(a, -a, 0.5), torch.tensor([0.0, 1.0, 0.0], dtype=float64))
    b = torch.tensor([3.0, -2.0, 1.0], dtype=float64)
    half = slerp(b, -b, 0.5)
    across = torch.tensor([-3.0, 2.0, 13.0], dtype=float64)  # 14 e_3 without its part along b
    assert_close(half / half.norm(), across / across.norm())
