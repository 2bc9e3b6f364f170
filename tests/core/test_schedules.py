"""Schedules: the path, its slopes, and what follows from them."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from scipy.interpolate import PchipInterpolator
from torch.testing import assert_close

from diffviz.core.schedules import (
    EDM,
    SCHEDULES,
    VE,
    VP,
    Cosine,
    Custom,
    DiscreteVP,
    Linear,
    RectifiedFlow,
    ScaledLinear,
    Schedule,
    Sigmoid,
    SubVP,
    chain_of,
    shifted_snr,
    zero_terminal_snr,
)

INNER = torch.linspace(0.003, 0.997, 211, dtype=torch.float64)
VARIANCE_PRESERVING = ("linear", "scaled_linear", "cosine", "sigmoid", "vp", "custom")
DISCRETE = ("linear", "scaled_linear", "cosine", "sigmoid")


@pytest.fixture(params=SCHEDULES)
def schedule(request: pytest.FixtureRequest) -> Schedule:
    return SCHEDULES[request.param]()


def test_starts_at_data_and_ends_in_noise(schedule: Schedule) -> None:
    assert schedule.at(0.0) == (1.0, 0.0)
    alpha, sigma = schedule.at(1.0)
    assert sigma / max(alpha, 1e-12) > 14


def test_log_snr_falls_strictly(schedule: Schedule) -> None:
    t = torch.linspace(0, 1, 2001, dtype=torch.float64)
    log_snr = schedule.log_snr(t)
    assert log_snr[0] == math.inf
    assert bool((log_snr.diff() < 0).all())


@pytest.mark.fact(8)
def test_slopes_agree_with_autograd(schedule: Schedule) -> None:
    t = INNER.clone().requires_grad_()
    alpha, sigma = schedule(t)
    d_alpha, d_sigma = schedule.derivatives(t.detach())
    if alpha.requires_grad:
        assert_close(torch.autograd.grad(alpha.sum(), t, retain_graph=True)[0], d_alpha)
    else:
        assert_close(d_alpha, torch.zeros_like(t))
    assert_close(torch.autograd.grad(sigma.sum(), t)[0], d_sigma)


@pytest.mark.fact(8)
@pytest.mark.parametrize("name", VARIANCE_PRESERVING)
def test_variance_is_preserved_to_rounding(name: str) -> None:
    alpha, sigma = SCHEDULES[name]()(torch.linspace(0, 1, 997, dtype=torch.float64))
    assert_close(alpha**2 + sigma**2, torch.ones_like(alpha), rtol=0, atol=4e-16)


@pytest.mark.parametrize("name", DISCRETE)
@pytest.mark.parametrize("T", [2, 3, 10, 1000])
def test_a_chain_is_exact_at_its_own_times(name: str, T: int) -> None:
    schedule = SCHEDULES[name](T=T)  # type: ignore[call-arg]
    assert isinstance(schedule, DiscreteVP)
    product, exact = 1.0, []
    for beta in schedule.betas.tolist():
        product *= 1 - beta
        exact.append(product)
    t = torch.arange(1, T + 1, dtype=torch.float64) / T
    assert_close(schedule(t)[0] ** 2, torch.tensor(exact, dtype=torch.float64), rtol=1e-12, atol=0)


def test_drift_and_diffusion_reproduce_the_path(schedule: Schedule) -> None:
    """The mean's and the variance's differential equations: alpha' = f alpha, v' = 2 f v + g^2."""
    alpha, sigma = schedule(INNER)
    d_alpha, d_sigma = schedule.derivatives(INNER)
    f, g2 = schedule.drift_diffusion(INNER)
    assert_close(f * alpha, d_alpha)
    assert_close(2 * f * sigma**2 + g2, 2 * sigma * d_sigma, rtol=1e-6, atol=1e-9)
    assert bool((g2 > 0).all())


def test_time_is_found_from_the_noise_level(schedule: Schedule) -> None:
    assert_close(schedule.t_at_log_snr(schedule.log_snr(INNER)), INNER, rtol=1e-9, atol=1e-12)
    ends = schedule.t_at_log_snr(torch.tensor([1e9, -1e9], dtype=torch.float64))
    assert ends[0] < 1e-7
    assert ends[1] == 1


def test_a_copy_or_a_pickle_answers_for_itself(schedule: Schedule) -> None:
    level = schedule.at(0.5)  # remembered from here on
    twin, again = copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))
    assert again.at(0.5) == twin.at(0.5) == copy.copy(schedule).at(0.5) == level


def test_a_changed_schedule_forgets_its_old_levels() -> None:
    schedule = VP()
    old = schedule.at(1.0)
    twin = copy.deepcopy(schedule)
    twin.beta_max = 2.0
    assert twin.at(1.0) == VP(beta_max=2.0).at(1.0) != old
    twin.beta_max = 20.0
    assert twin.at(1.0) == schedule.at(1.0) == old


def test_t_min_is_the_first_noising_or_the_least_noise_level() -> None:
    assert (VP().t_min, RectifiedFlow().t_min, Custom().t_min) == (0.001, 0.001, 0.001)
    assert [Linear(T=T).t_min for T in (20, 1000)] == [1 / 20, 1 / 1000]
    assert EDM(80.0, 0.002).t_min == 0.002 / 80
    assert VE(0.01, 50.0).at(VE(0.01, 50.0).t_min)[1] == pytest.approx(0.01)
    assert VE(1.0, 1.1).t_min == 0.5  # where sigma_min is never reached


@pytest.mark.parametrize(
    ("schedule", "t", "std"),
    [
        (Linear(), 0.3, 1.0),
        (RectifiedFlow(), 0.25, (0.75**2 + 0.25**2) ** 0.5),
        (EDM(80.0), 0.01, (1 + 0.8**2) ** 0.5),
        (EDM(0.5), 1.0, 1.25**0.5),
    ],
)
def test_prior_std_counts_the_signal_too(schedule: Schedule, t: float, std: float) -> None:
    assert schedule.prior_std(t) == pytest.approx(std, rel=1e-12)
    assert schedule.prior_std() == schedule.prior_std(1.0)


def test_known_values() -> None:
    linear = Linear()
    assert_close(linear.betas[[0, -1]], torch.tensor([1e-4, 0.02], dtype=torch.float64))
    assert linear.alphas_bar[-1].item() == pytest.approx(4.0358e-5, rel=1e-4)  # Ho et al. 2020
    roots = ScaledLinear().betas.sqrt()
    assert_close(roots.diff(), roots.diff()[:1].expand(999), rtol=1e-9, atol=0)
    t = torch.tensor(0.5, dtype=torch.float64)
    expected = (math.cos(0.508 / 1.008 * math.pi / 2) / math.cos(0.008 / 1.008 * math.pi / 2)) ** 2
    assert Cosine().at(0.5)[0] ** 2 == pytest.approx(expected, rel=1e-9)
    assert Sigmoid().at(0.5)[0] ** 2 == pytest.approx(0.5)
    assert VP().at(1.0)[0] == pytest.approx(math.exp(-19.9 / 4 - 0.05))
    assert VE().at(0.5)[1] ** 2 == pytest.approx(0.01 * 50 - 0.01**2)
    assert EDM().at(0.25) == (1.0, 20.0)
    assert_close(torch.stack(RectifiedFlow()(t)), torch.tensor([0.5, 0.5], dtype=torch.float64))


def test_posterior_variance_is_that_of_two_gaussian_factors() -> None:
    """1 / var = (1 - beta) / beta + 1 / (1 - alpha_bar_{k-1}), by multiplying the densities."""
    schedule = Linear(T=40)
    beta = schedule.betas[1:]
    precision = (1 - beta) / beta + 1 / (1 - schedule.alphas_bar[:-1])
    assert schedule.posterior_variance[0] == 0
    assert_close(schedule.posterior_variance[1:], 1 / precision)


@pytest.mark.parametrize("sigma_max", [0.5, 80.0, 1e4])
def test_edm_finds_it_in_closed_form(sigma_max: float) -> None:
    schedule = EDM(sigma_max)
    assert float(schedule.t_at_log_snr(0.0)) == pytest.approx(min(1 / sigma_max, 1), rel=1e-15)
    log_snr = torch.linspace(-25, 25, 101, dtype=torch.float64)
    searched = Schedule.t_at_log_snr(schedule, log_snr)
    assert_close(schedule.t_at_log_snr(log_snr), searched, rtol=1e-9, atol=1e-15)
    assert schedule.t_at_log_snr(torch.zeros(2, 3)).dtype == torch.float64


def test_zero_terminal_snr_moves_only_the_end() -> None:
    before, after = ScaledLinear(), zero_terminal_snr(ScaledLinear())
    assert after.at(1.0) == (0.0, 1.0)
    assert after.log_snr(1.0) == -math.inf
    assert_close(after.alphas_bar[0], before.alphas_bar[0])
    assert bool((after.alphas_bar.diff() < 0).all())
    first, last = before.alphas[0], before.alphas[-1]
    stretched = (before.alphas - last) * (first / (first - last))
    assert_close(after.alphas, stretched, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [0.25, 1.0, 16.0])
def test_a_shifted_snr_is_divided_at_every_noising(scale: float) -> None:
    before = Linear(T=30)
    after = shifted_snr(before, scale)
    snr, shifted = (s.alphas_bar / (1 - s.alphas_bar) for s in (before, after))
    assert_close(shifted, snr / scale)
    assert after.T == 30


def test_a_chain_of_shares_has_those_shares() -> None:
    alphas_bar = torch.tensor([0.9, 0.45, 0.0], dtype=torch.float64)
    chain = chain_of(alphas_bar)
    assert_close(chain.betas, torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64))
    assert_close(chain.alphas_bar, alphas_bar)
    assert_close(chain_of(alphas_bar.float()).betas.sum().item(), 1.6, rtol=1e-7, atol=0)


def test_custom_passes_through_its_points_and_never_turns() -> None:
    points = ((0.0, 1.0), (0.1, 0.99), (0.11, 0.3), (0.9, 0.29), (1.0, 0.0))
    schedule = Custom(points)
    for t, alpha_bar in points:
        assert schedule.at(t)[0] ** 2 == pytest.approx(alpha_bar, abs=1e-12)
    assert bool((schedule(torch.linspace(0, 1, 5001, dtype=torch.float64))[0].diff() < 0).all())


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (
            ((0, 1), (0.6, 0.5), (0.4, 0.3), (1, 0)),
            r"point 3 \(t = 0.4\).*right of point 2 \(t = 0.6",
        ),
        (((0, 1), (0.6, 0.5), (0.6, 0.3), (1, 0)), "left to right"),
        (((0, 1), (0.4, 0.3), (0.6, 0.5), (1, 0)), r"point 3 \(0.5\) is not below point 2 \(0.3"),
        (((0, 1), (0.4, 0.3), (0.6, 0.3), (1, 0)), "must fall"),
        (((0, 0.9), (1, 0)), "first control point"),
        (((0.1, 1), (1, 0)), "first control point"),
        (((0, 1), (0.9, 0)), "lie at t = 1"),
        (((0, 1), (1, -0.1)), "at least 0"),
        (((0, 1),), "at least two"),
        (((0, 1), (math.nan, 0.5), (1, 0)), "finite"),
        (((0, 1), (0.5, math.inf), (1, 0)), "finite"),
    ],
)
def test_bad_control_points_are_told_in_words(
    points: tuple[tuple[float, float], ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Custom(points)


def test_bad_arguments_are_told_in_words() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Linear(T=1)
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        Linear(beta_end=1.5)
    for low, high in ((3, 2), (0, 2), (-1, 2), (2, 2), (1, math.inf)):
        with pytest.raises(ValueError, match="beta_min < beta_max"):
            VP(beta_min=low, beta_max=high)
    for start, end, tau in ((2, 1, 1), (1, 1, 1), (-3, 3, 0), (-3, 3, -1)):
        with pytest.raises(ValueError, match="start < end"):
            Sigmoid(start=start, end=end, tau=tau)
    with pytest.raises(ValueError, match="so flat"):
        Sigmoid(tau=0.01)
    for betas in ([[0.1, 0.2]], [0.1], []):
        with pytest.raises(ValueError, match="at least 2 betas"):
            DiscreteVP(betas)  # type: ignore[arg-type]
    for betas in ([0.0, 0.1], [0.1, 1.1], [0.1, math.nan]):
        with pytest.raises(ValueError, match=r"\(0, 1\]"):
            DiscreteVP(betas)
    with pytest.raises(ValueError, match="sigma_min < sigma_max"):
        EDM(sigma_max=0)
    for t in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="0 is data"):
            Linear()(t)


def test_answers_in_the_dtype_and_shape_of_the_times(schedule: Schedule) -> None:
    t = torch.rand(3, 2)
    for value in (*schedule(t), *schedule.derivatives(t), schedule.log_snr(t)):
        assert value.dtype == torch.float32
        assert value.shape == (3, 2)


def test_whole_times_are_answered_in_double_precision() -> None:
    alpha, sigma = RectifiedFlow()(torch.tensor([0, 1]))
    assert alpha.dtype == sigma.dtype == torch.float64
    assert alpha.tolist() == [1, 0]


def test_defaults_are_those_of_the_papers() -> None:
    """Ho et al., Rombach et al., Nichol and Dhariwal, Chen, Song et al. and Karras et al."""
    linear, scaled, cosine, sigmoid = Linear(), ScaledLinear(), Cosine(), Sigmoid()
    assert [chain.T for chain in (linear, scaled, cosine, sigmoid)] == [1000] * 4
    assert (linear.beta_start, linear.beta_end) == (1e-4, 0.02)
    assert (scaled.beta_start, scaled.beta_end) == (0.00085, 0.012)
    assert scaled.betas[[0, -1]].tolist() == pytest.approx([0.00085, 0.012])
    assert (cosine.s, sigmoid.start, sigmoid.end, sigmoid.tau) == (0.008, -3, 3, 1)
    assert (VP().beta_min, VP().beta_max) == (SubVP().beta_min, SubVP().beta_max) == (0.1, 20)
    assert (VE().sigma_min, VE().sigma_max) == (0.01, 50)
    assert (EDM().sigma_min, EDM().sigma_max) == (0.002, 80)


@pytest.mark.parametrize("s", [0.008, 0.2])
def test_cosine_is_nichol_and_dhariwals_equation_17(s: float) -> None:
    """alpha_bar_k = f(k / T) / f(0), f(u) = cos^2(pi / 2 (u + s) / (1 + s)), until beta = 0.999."""

    def f(u: float) -> float:
        return math.cos((u + s) / (1 + s) * math.pi / 2) ** 2

    schedule = Cosine(50, s)
    expected = torch.tensor([f(k / 50) / f(0) for k in range(1, 50)], dtype=torch.float64)
    assert_close(schedule.alphas_bar[:-1], expected, rtol=1e-9, atol=0)
    assert schedule.betas[-1] == 0.999
    assert schedule.s == s


@pytest.mark.parametrize(("start", "end", "tau"), [(-3, 3, 1.0), (0, 3, 0.7), (-2, 1, 0.3)])
def test_sigmoid_is_chens_algorithm_1(start: float, end: float, tau: float) -> None:
    """The share of the way that the sigmoid at -u / tau has still to fall."""

    def at(u: float) -> float:
        return 1 / (1 + math.exp(u / tau))

    schedule = Sigmoid(40, start, end, tau)
    falls = [at(start + (end - start) * k / 40) - at(end) for k in range(41)]
    expected = torch.tensor(falls[1:-1], dtype=torch.float64) / falls[0]
    assert_close(schedule.alphas_bar[:-1], expected, rtol=1e-9, atol=0)
    assert (schedule.start, schedule.end, schedule.tau) == (start, end, tau)


def test_sub_vp_has_the_square_of_the_variance() -> None:
    """Song et al. 2021, eq. 29: 1 - alpha^2 as standard deviation; VP's is its root."""
    vp, sub = VP(0.3, 7.0)(INNER), SubVP(0.3, 7.0)(INNER)
    assert_close(sub[0], vp[0])
    assert_close(sub[1], vp[1] ** 2)


def test_the_custom_path_at_first_is_the_one_in_its_menu() -> None:
    for t, alpha_bar in ((0.25, 0.85), (0.5, 0.45), (0.75, 0.1), (1.0, 1e-4)):
        assert Custom().at(t)[0] ** 2 == pytest.approx(alpha_bar, rel=1e-12)
    assert len(Custom().points) == 5


CURVES = [
    ((0, 1), (1, 0)),
    ((0, 1), (0.5, 0.4), (1, 0.1)),
    ((0, 1), (0.1, 0.99), (0.11, 0.3), (0.9, 0.29), (1, 0)),
    ((0, 1), (0.3, 0.999), (0.35, 0.2), (0.8, 0.19), (1, 1e-6)),  # its ends would turn
    ((0, 1), (0.2, 0.3), (0.21, 0.299), (0.7, 0.1), (1, 0.01)),
]


@pytest.mark.parametrize("points", CURVES, ids=len)
def test_between_its_points_alpha_is_scipys_pchip(points: tuple[tuple[float, float], ...]) -> None:
    """Fritsch and Butland 1984, by another hand."""
    x, y = zip(*points, strict=True)
    peer = PchipInterpolator(x, [a**0.5 for a in y])
    t = torch.cat([torch.linspace(0, 1, 301, dtype=torch.float64), torch.tensor(x).double()])
    schedule = Custom(points)
    assert_close(schedule(t)[0], torch.from_numpy(peer(t)), rtol=1e-11, atol=1e-13)
    slope = torch.from_numpy(peer(t, 1))
    assert_close(schedule.derivatives(t)[0], slope, rtol=1e-9, atol=1e-11)


def test_between_its_own_times_a_chain_is_scipys_pchip_too() -> None:
    schedule = DiscreteVP([0.5, 0.01, 0.3, 0.9, 1.0])
    peer = PchipInterpolator(torch.arange(6) / 5, [1.0, *schedule.alphas.tolist()])
    t = torch.linspace(0, 1, 301, dtype=torch.float64)
    assert_close(schedule(t)[0], torch.from_numpy(peer(t)), rtol=1e-6, atol=1e-6)


def test_how_little_of_the_data_may_be_left() -> None:
    """300 equal noisings down to 1.5e-290 are a path; one that passes 1e-290 is named."""
    enough = DiscreteVP([1 - 1.5e-290 ** (1 / 150)] * 300)
    assert enough.alphas[-1].item() == pytest.approx(1.5e-290, rel=1e-6)
    for last in (1 - 1e-2, 1.0):
        with pytest.raises(ValueError, match="after 291 of the 293 noisings"):
            DiscreteVP([0.99] * 292 + [last])
    assert DiscreteVP([0.99] * 200 + [1.0]).at(1.0) == (0, 1)


def test_a_schedule_is_written_as_it_is_made() -> None:
    assert repr(VP()) == "VP(beta_min=0.1, beta_max=20.0)"
    assert repr(Custom(((0, 1), (1, 0)))) == "Custom(points=((0.0, 1.0), (1.0, 0.0)))"
    assert repr(RectifiedFlow()) == "RectifiedFlow()"
