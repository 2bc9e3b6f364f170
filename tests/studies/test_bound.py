"""The variational bound: its terms against closed forms and against the densities themselves."""

from __future__ import annotations

import json
import math
import statistics
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Clipped, Denoiser, Exact, Network
from diffviz.core.distributions import Empirical, GaussianMixture
from diffviz.core.likelihood import likelihood
from diffviz.core.schedules import EDM, SCHEDULES, VE, Cosine, DiscreteVP, RectifiedFlow, Schedule
from diffviz.data.full_sets import SOURCES, Split
from diffviz.data.pictures import labelled_images
from diffviz.models.pretrained import image_model
from diffviz.networks.unet import UNetConfig
from diffviz.studies import bound
from diffviz.studies.bound import (
    CHAIN_SPACINGS,
    CONDITIONS,
    LAST,
    LOG_SNRS,
    Curve,
    Pixels,
    Points,
    chain,
    denoising_curve,
    direct_bound,
    limit,
    path_bound,
    read_curves,
    table,
    terms,
)

float64 = torch.float64
STD, MEAN = 0.5, 0.3
BITS = math.log(2)


def gaussian(mean: float = MEAN, std: float = STD, dim: int = 1) -> GaussianMixture:
    one = torch.ones(1, dtype=float64)
    return GaussianMixture(one, mean * torch.ones(1, dim, dtype=float64), std * one)


def entropy_bits(variance: float) -> float:
    return math.log2(2 * math.pi * math.e * variance) / 2


def exact_curve(log_snrs: Tensor, mean: float = MEAN, std: float = STD) -> Curve:
    """Of the exact denoiser of N(mean, std^2): its error is the posterior variance."""
    mse = std**2 / (1 + std**2 * log_snrs.exp())
    left = (math.log(2 * math.pi * math.e) - log_snrs) / (2 * BITS)
    return Curve(
        tuple(log_snrs.tolist()), tuple(mse.tolist()), tuple(left.tolist()), mean**2 + std**2
    )


FINE = torch.linspace(-30, 12, 2101, dtype=float64)


class Affine(Denoiser):
    """x_0_hat = a + b x_t of a Gaussian that the data do not come from: a model with an error."""

    def __init__(self, schedule: Schedule, mean: float, std: float) -> None:
        self.exact_of = Exact(gaussian(mean, std), schedule)

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        return self.exact_of(x_t, t)

    def mse(self, schedule: Schedule, t: float) -> float:
        """E(x_0 - a - b x_t)^2 for x_0 ~ N(MEAN, STD^2), by hand."""
        alpha, sigma = schedule.at(t)
        a, ab = self(torch.tensor([[0.0], [1.0]], dtype=float64), t).flatten().tolist()
        b = ab - a
        left = 1 - b * alpha
        return (left * MEAN - a) ** 2 + (left * STD) ** 2 + (b * sigma) ** 2


def sigma_points(schedule: Schedule, times: Tensor) -> list[Tensor]:
    """Paths whose average of any quadratic function is its expectation over q(x_0, ..., x_1)."""
    rising = times.flip(0)
    n = len(times) + 1
    z = math.sqrt(n) * torch.cat([torch.eye(n, dtype=float64), -torch.eye(n, dtype=float64)])
    x_0 = MEAN + STD * z[:, :1]
    path, alpha, sigma = [x_0], *schedule.at(rising[0].item())
    path.append(alpha * x_0 + sigma * z[:, 1:2])
    for k, (s, t) in enumerate(pairwise(rising.tolist())):
        (alpha_s, sigma_s), (alpha_t, sigma_t) = schedule.at(s), schedule.at(t)
        ratio = alpha_t / alpha_s
        fresh = math.sqrt(sigma_t**2 - (ratio * sigma_s) ** 2)
        path.append(ratio * path[-1] + fresh * z[:, k + 2 : k + 3])
    return path


# The terms --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("model", [(MEAN, STD), (-0.4, 0.9)])
def test_the_terms_add_up_to_the_bound_computed_directly(
    name: str, steps: int, model: tuple[float, float]
) -> None:
    schedule = SCHEDULES[name]()
    times = chain(schedule, steps, "quadratic", 5.0)
    denoiser = Affine(schedule, *model)
    stops = schedule.log_snr(times).clamp_min(-60).tolist()
    mse = [denoiser.mse(schedule, t) for t in times.tolist()]
    left = [entropy_bits(math.exp(-level)) for level in stops]
    found = terms(schedule, times, Curve(stops, mse, left, MEAN**2 + STD**2))
    direct = path_bound(denoiser, schedule, times, sigma_points(schedule, times), Points())
    assert len(found.steps) == steps
    assert_close(torch.tensor(found.total, dtype=float64), direct.mean(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["cosine", "ve", "rectified_flow"])
def test_simulated_chains_give_the_same_on_average(name: str) -> None:
    schedule, generator = SCHEDULES[name](), torch.Generator().manual_seed(1)
    data = gaussian(dim=3)
    times = chain(schedule, 12, "log_snr", 6.0)
    x_0 = data.sample(4000, generator)
    found = direct_bound(Exact(data, schedule), schedule, x_0, times, Points(), generator)
    expected = terms(schedule, times, exact_curve(FINE)).total
    error = found.std().item() / math.sqrt(len(found))
    assert abs(found.mean().item() - expected) < 4 * error
    assert error < 0.05


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_bound_falls_with_steps_to_its_limit_and_never_below_the_entropy(name: str) -> None:
    schedule, curve = SCHEDULES[name](), exact_curve(FINE)
    totals = [terms(schedule, chain(schedule, n, "log_snr"), curve).total for n in (4, 16, 64, 256)]
    end, entropy = limit(schedule, curve).total, entropy_bits(STD**2)
    assert totals[0] > totals[1] > totals[2] > totals[3] > end > entropy
    assert (totals[3] - end) < (totals[2] - end) / 3.5  # of first order in the step
    snr, first = math.exp(LAST), math.exp(schedule.log_snr(1.0).item())
    if first < 1e-4:
        assert end == pytest.approx(entropy_bits(STD**2 + 1 / snr), abs=1e-4)


def test_the_limit_meets_the_likelihood_by_the_flow() -> None:
    data, schedule = gaussian(dim=2), RectifiedFlow()
    x_0 = data.sample(4000, torch.Generator().manual_seed(0))
    bits = likelihood(Exact(data, schedule), schedule, x_0, steps=16).bits_per_dim
    error = bits.std().item() / math.sqrt(len(bits))
    assert abs(limit(schedule, exact_curve(FINE)).total - bits.mean().item()) < 4 * error


def test_the_exact_denoiser_of_four_pixels_comes_down_to_two_bits() -> None:
    pixels, schedule = Pixels(), Cosine()
    values = pixels.values[[0, 40, 200, 255]][:, None]
    exact = Exact(Empirical(values), schedule)
    log_snrs = torch.linspace(-16, 16, 257, dtype=float64)
    eps = torch.linspace(-8, 8, 801, dtype=float64)
    bell = torch.exp(-(eps**2) / 2) / torch.exp(-(eps**2) / 2).sum()
    left, mse = pixels.expected(values, math.exp(-8)) / BITS, []
    for t in schedule.t_at_log_snr(log_snrs).tolist():
        alpha, sigma = schedule.at(t)
        x_t = alpha * values + sigma * eps
        guess = exact(x_t.reshape(-1, 1), t).reshape(x_t.shape)
        mse.append(float((bell * (guess - values) ** 2).sum(1).mean()))
    second = float(values.square().mean())
    curve = Curve(tuple(log_snrs.tolist()), tuple(mse), (left,) * len(mse), second)
    totals = [
        terms(schedule, chain(schedule, n, "log_snr", 16.0), curve).total for n in (8, 32, 128, 512)
    ]
    assert totals[0] > totals[1] > totals[2] > totals[3] > 2
    assert limit(schedule, curve, 16.0).total == pytest.approx(2, abs=2e-3)


def test_only_the_ends_of_a_schedule_count_in_the_limit() -> None:
    curve = exact_curve(FINE)
    edm, ve = EDM(80.0), VE(0.01, 80.0)  # they end at the same log-SNR
    assert limit(edm, curve).total == pytest.approx(limit(ve, curve).total, abs=1e-6)
    few = [terms(s, chain(s, 50), curve).steps for s in (edm, ve)]
    assert few[0].sum() > 2 * few[1].sum()
    same = [terms(s, chain(s, 50, "log_snr"), curve).steps for s in (edm, ve)]
    assert_close(same[0], same[1], rtol=1e-5, atol=0)


def test_a_point_at_zero_costs_no_prior_where_no_signal_is_left() -> None:
    schedule = RectifiedFlow()
    found = terms(schedule, chain(schedule, 3), exact_curve(FINE))
    assert found.prior == 0
    assert torch.isfinite(found.steps).all()
    assert float(found.steps.min()) > 0


def test_the_prior_is_the_divergence_of_two_gaussians() -> None:
    schedule = EDM(2.0)  # ends early: the prior term is large
    alpha, sigma = schedule.at(1.0)
    x_0 = gaussian().sample(200_000, torch.Generator().manual_seed(3))
    there = torch.distributions.Normal(alpha * x_0, sigma)
    start = torch.distributions.Normal(torch.zeros_like(x_0), schedule.prior_std())
    expected = torch.distributions.kl_divergence(there, start).mean().item() / BITS
    found = terms(schedule, chain(schedule, 2), exact_curve(FINE)).prior
    assert found == pytest.approx(expected, rel=0.01)


# The stops --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("spacing", CHAIN_SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 1000])
def test_a_chain_falls_from_one_to_the_chosen_level(name: str, spacing: str, steps: int) -> None:
    schedule = SCHEDULES[name]()
    times = chain(schedule, steps, spacing)
    assert times.shape == (steps + 1,)
    assert times[0] == 1
    assert bool((times.diff() < 0).all())
    assert schedule.log_snr(times[-1]).item() == pytest.approx(LAST, abs=1e-4)


def test_what_makes_no_chain_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        chain(Cosine(), 0)
    with pytest.raises(ValueError, match="linspace, quadratic, log_snr"):
        chain(Cosine(), 3, "karras")
    with pytest.raises(ValueError, match="never has as much noise"):
        chain(DiscreteVP([1e-7, 1e-7]), 3)
    with pytest.raises(ValueError, match="fall strictly"):
        terms(Cosine(), torch.tensor([0.1, 1.0]), exact_curve(FINE))
    with pytest.raises(ValueError, match="beyond it"):
        terms(Cosine(), chain(Cosine(), 3, last=13.0), exact_curve(FINE))
    with pytest.raises(ValueError, match="as many x_t"):
        path_bound(Exact(gaussian(), Cosine()), Cosine(), chain(Cosine(), 3), [FINE], Points())


# The last decoder -------------------------------------------------------------------------------


@pytest.mark.parametrize("log_snr", [2.0, 9.0, 12.0])
def test_a_pixels_expected_bits_are_the_mean_of_its_log_probabilities(log_snr: float) -> None:
    pixels, generator = Pixels(), torch.Generator().manual_seed(0)
    x_0 = pixels.values[torch.tensor([[0, 0, 0, 17, 128, 255]])]
    noise = math.exp(-log_snr / 2)
    y = x_0 + noise * torch.randn(4000, 6, generator=generator, dtype=float64)
    nats = -pixels.log_prob(x_0.expand(4000, 6), y, noise) / 6
    error = nats.std().item() / math.sqrt(4000)
    assert abs(pixels.expected(x_0, noise) - nats.mean().item()) < 4 * error


def test_noise_leaves_all_eight_bits_open_and_none_of_it_leaves_none() -> None:
    pixels = Pixels()
    x_0 = pixels.values[None]
    bits = [pixels.expected(x_0, noise) / BITS for noise in (1000.0, 1.0, 0.01, 0.003, 0.0005)]
    assert bits == sorted(bits, reverse=True)
    assert bits[0] == pytest.approx(8, abs=1e-4)
    assert bits[-1] == pytest.approx(0, abs=1e-6)
    assert Pixels(2).expected(torch.tensor([[-1.0, 1.0]]), 1000.0) / BITS == pytest.approx(1)


def test_what_is_no_pixel_is_refused() -> None:
    for bad in (0.5, 1.1, -1.004, 1 + 2 / 255, -1 - 2 / 255):
        with pytest.raises(ValueError, match="not 256 even values"):
            Pixels().index(torch.tensor([bad]))
    with pytest.raises(ValueError, match="at least 2"):
        Pixels(1)
    assert Pixels().index(torch.tensor([-1.0, 3 / 127.5 - 1, 1.0])).tolist() == [0, 3, 255]


# The curve --------------------------------------------------------------------------------------


def test_a_measured_curve_is_the_posterior_variance() -> None:
    data, schedule, generator = gaussian(dim=2), Cosine(), torch.Generator().manual_seed(0)
    levels = [-6.0, -2.0, 0.0, 3.0, 8.0]
    x_0 = data.sample(20_000, generator)
    curve = denoising_curve(
        Exact(data, schedule), schedule, x_0, None, levels, generator, decoder=Points(), batch=7000
    )
    expected = exact_curve(torch.tensor(levels, dtype=float64))
    assert_close(torch.tensor(curve.mse), torch.tensor(expected.mse), rtol=0.03, atol=0)
    assert_close(torch.tensor(curve.reconstruction), torch.tensor(expected.reconstruction))
    assert curve.second_moment == pytest.approx(MEAN**2 + STD**2, rel=0.02)
    assert curve.count == 20_000
    assert curve.uncertainty > 0


def test_a_class_that_is_told_lowers_the_curve() -> None:
    two = GaussianMixture(
        torch.ones(2, dtype=float64),
        torch.tensor([[-1.0], [1.0]], dtype=float64),
        torch.full((2,), 0.1, dtype=float64),
    )
    schedule, labels = Cosine(), torch.arange(400) % 2
    x_0 = two.means[labels]
    curves = [
        denoising_curve(
            Exact(two, schedule), schedule, x_0, told, [-4.0, 0.0], decoder=Points(), batch=64
        )
        for told in (None, labels)
    ]
    assert curves[1].mse[0] < 0.1 < 0.5 < curves[0].mse[0]


def test_a_level_off_the_path_is_refused() -> None:
    schedule = EDM(2.0)
    with pytest.raises(ValueError, match="does not pass"):
        denoising_curve(Exact(gaussian(), schedule), schedule, torch.ones(2, 1), None, [-5.0, 1.0])


def test_the_integral_is_that_of_a_fine_sum_and_adds_up() -> None:
    coarse = Curve((-2.0, 0.0, 1.0, 5.0), (0.5, 0.2, 0.2, 0.001), (0.0,) * 4, 1.0)
    snr = torch.linspace(math.exp(-4), math.exp(4.5), 400_001, dtype=float64)
    fine = torch.trapezoid(coarse.mse_at(snr.log()), snr).item()
    assert coarse.integral(-4.0, 4.5) == pytest.approx(fine, rel=1e-6)
    parts = coarse.integral(-math.inf, -3.0) + coarse.integral(-3.0, 0.3) + coarse.integral(0.3, 5)
    assert coarse.integral(-math.inf, 5.0) == pytest.approx(parts, rel=1e-12)


@pytest.mark.parametrize(
    ("log_snrs", "mse"), [((1.0, 0.0), (1.0, 1.0)), ((0.0,), (1.0,)), ((0.0, 1.0), (1.0,))]
)
def test_what_is_no_curve_is_refused(log_snrs: tuple[float, ...], mse: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rising"):
        Curve(log_snrs, mse, mse, 1.0)


def test_the_curve_between_and_beyond_its_levels() -> None:
    curve = Curve((0.0, 2.0), (0.4, 0.1), (3.0, 1.0), 1.0)
    levels = torch.tensor([-5.0, 0.0, 1.0, 2.0], dtype=float64)
    assert_close(curve.mse_at(levels), torch.tensor([0.4, 0.4, 0.2, 0.1], dtype=float64))
    assert [curve.reconstruction_at(at) for at in (0.0, 0.5, 2.0)] == [3.0, 2.5, 1.0]
    for beyond in (
        lambda: curve.mse_at(levels + 0.01),
        lambda: curve.reconstruction_at(2.01),
        lambda: curve.integral(0.0, 2.01),
    ):
        with pytest.raises(ValueError, match="measured up to a log-SNR of 2"):
            beyond()
    with pytest.raises(ValueError, match="a log-SNR of 0 or more"):
        curve.reconstruction_at(-0.01)


def test_the_uncertainty_is_the_spread_of_the_pictures_own_limits() -> None:
    """A denoiser that always says 0 errs by x_0^2 at every level: half its integral over SNR."""
    x_0 = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 4.0]], dtype=float64)
    squares, levels = [0.5, 2.0, 8.0], (0.0, 1.0, 3.0)

    class Nought(Denoiser):
        def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
            return torch.zeros_like(x_t)

    curve = denoising_curve(Nought(), Cosine(), x_0, None, levels, decoder=Points(), batch=2)
    each = [s * (math.exp(3) - math.exp(0)) / 2 / BITS for s in squares]
    assert curve.uncertainty == pytest.approx(statistics.pstdev(each) / math.sqrt(3))
    assert curve.mse == pytest.approx([3.5] * 3)
    assert curve.second_moment == pytest.approx(3.5)


# What ships -------------------------------------------------------------------------------------


def test_the_shipped_curves_are_whole() -> None:
    curves = read_curves()
    assert tuple(curves) == SOURCES
    for told in curves.values():
        assert tuple(told) == CONDITIONS
        for curve in told.values():
            assert curve.log_snrs == LOG_SNRS
            assert all(1.03 * a > b > 0 for a, b in pairwise(curve.mse))  # but for chance
            assert all(a >= b >= 0 for a, b in pairwise(curve.reconstruction))
            assert 0.5 < limit(EDM(), curve).total < 4
            assert curve.uncertainty < 0.1
        assert told["class"].mse[0] < 0.9 * told["any"].mse[0]  # a class helps where noise hides it


def test_the_shipped_curve_is_that_of_the_shipped_model() -> None:
    network = image_model("fashion").denoiser
    pictures, _ = labelled_images("fashion", 30, 5)
    levels = [-4.0, 0.0, 4.0, 8.0]
    generator = torch.Generator().manual_seed(0)
    schedule = network.schedule
    found = denoising_curve(Clipped(network), schedule, pictures, None, levels, generator)
    kept = read_curves()["fashion"]["any"].mse_at(torch.tensor(levels))
    assert_close(torch.tensor(found.mse, dtype=float64), kept, rtol=0.35, atol=0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mnist": {"curves": {}}}', '{"mnist": 3}'])
def test_damaged_curves_are_told_in_words(tmp_path: Path, text: str) -> None:
    place = tmp_path / "bound.json"
    place.write_text(text)
    with pytest.raises(ValueError, match=r"python -m diffviz bound --write"):
        read_curves(place)
    with pytest.raises(ValueError, match="missing or damaged"):
        read_curves(tmp_path / "none.json")


def test_the_table_has_a_line_for_each_schedule_and_spacing() -> None:
    lines = table(exact_curve(FINE)).splitlines()
    assert len(lines) == 2 + len(SCHEDULES) * len(CHAIN_SPACINGS)
    for line in lines[2:]:
        totals = [float(cell) for cell in line.strip("| ").split(" | ")[2:]]
        assert totals == sorted(totals, reverse=True)


# The command ------------------------------------------------------------------------------------


class _Found:
    """Stands for a checkpoint: a tiny network."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        module = UNetConfig(widths=(16, 32), blocks=1, heads=0).build(EDM(), "x_0")
        self.denoiser = Network(module.eval().requires_grad_(False), module.schedule, "x_0")


def test_the_command_measures_and_keeps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = torch.randint(256, (6, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    pictures, labels = levels / 127.5 - 1, torch.arange(6)
    monkeypatch.setattr(bound, "image_model", lambda name: _Found())
    monkeypatch.setattr(bound, "load_split", lambda *_: Split(pictures, labels, pictures, labels))
    monkeypatch.setattr(bound, "KEPT", tmp_path / "bound.json")
    monkeypatch.setattr(bound, "LOG_SNRS", (-8.5, -2.0, 4.0, 12.25))
    bound.KEPT.write_text('{"fashion": {"curves": "kept"}}')
    bound.main(["mnist", "--pictures", "3", "--write", "--threads", "1"])
    kept = json.loads(bound.KEPT.read_text())
    assert set(kept) == {"mnist", "fashion"}
    assert kept["fashion"] == {"curves": "kept"}
    assert kept["mnist"]["settings"] == {"pictures": 3, "seed": 0, "clipped": True}
    curve = Curve(**kept["mnist"]["curves"]["any"])
    assert curve.count == 3
    assert limit(EDM(), curve).total > 4  # nothing was learned, and the pixels are random
    assert "mnist, told class" in capsys.readouterr().out


def test_the_command_prints_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    bound.main(["fashion", "--table"])
    printed = capsys.readouterr().out
    assert "fashion, told any" in printed
    assert "mnist, told" not in printed
    assert "| rectified_flow | log_snr |" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cifar"], "no data set 'cifar'"),
        (["--pictures", "1"], "--pictures: takes at least 2, not 1"),
        (["--data", "x"], "name the set"),
        (["mnist", "--data", "nowhere"], "are not in nowhere"),
    ],
)
def test_the_command_says_what_it_cannot_do(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bound.main(arguments)
    assert words in capsys.readouterr().err
