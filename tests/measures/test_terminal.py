from __future__ import annotations

import math

import pytest
import torch

from diffviz.core.schedules import EDM, SCHEDULES, VE, Linear, RectifiedFlow, ScaledLinear
from diffviz.data.points import DATASETS
from diffviz.measures.metrics import sliced_wasserstein
from diffviz.measures.terminal import Terminal, resampled, terminal

MOONS = DATASETS["moons"](2000, 0)


def test_a_full_chain_ends_in_a_gaussian() -> None:
    end = terminal(Linear(), MOONS)
    assert end.verdict == "yes"
    assert end.signal == pytest.approx(Linear().at(1.0)[0])
    assert end.ratio == pytest.approx(1.0, abs=0.2)


def test_a_short_chain_does_not() -> None:
    end = terminal(Linear(20), MOONS)
    assert end.verdict == "no"
    assert end.signal > 0.9
    assert end.ratio > 3


def test_the_schedule_of_latent_diffusion_nearly_does() -> None:
    end = terminal(ScaledLinear(), MOONS)
    assert end.verdict == "nearly"
    assert end.signal == pytest.approx(0.0683, abs=1e-3)


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_default_schedule_gets_close(name: str) -> None:
    assert terminal(SCHEDULES[name](), MOONS).verdict in ("yes", "nearly")


def test_gaussian_data_do_not_hide_the_signal_that_is_left() -> None:
    x_0 = torch.randn(2000, 2, generator=torch.Generator().manual_seed(5))
    end = terminal(Linear(20), x_0)
    assert end.ratio < 1.4
    assert end.verdict == "no"


@pytest.mark.parametrize("schedule", [Linear(50), VE(sigma_max=5.0), EDM(sigma_max=2.0)])
def test_the_kl_is_the_mean_of_kls_between_gaussians(schedule: Linear | VE | EDM) -> None:
    x_0 = MOONS[:50].double()
    alpha, sigma = schedule.at(1.0)
    std = math.hypot(alpha, sigma)
    kls = [
        torch.distributions.kl_divergence(
            torch.distributions.Normal(alpha * x, torch.tensor(sigma).double()),
            torch.distributions.Normal(torch.zeros(2).double(), torch.tensor(std).double()),
        ).sum()
        for x in x_0
    ]
    bits = torch.stack(kls).mean().item() / (2 * math.log(2))
    assert terminal(schedule, x_0).bits == pytest.approx(bits, rel=1e-6)


def test_no_signal_is_no_bits() -> None:
    end = terminal(RectifiedFlow(), MOONS)
    assert end.bits == 0
    assert end.signal == 0


def test_a_path_that_ends_far_out_is_measured_in_its_own_units() -> None:
    end = terminal(VE(), MOONS)
    assert end.std == pytest.approx(50, rel=0.01)
    assert end.distance < 0.1


def test_an_answer_is_the_same_each_time() -> None:
    assert terminal(Linear(), MOONS) == terminal(Linear(), MOONS)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="no data"):
        terminal(Linear(), MOONS[:0])
    with pytest.raises(ValueError, match="no noise"):
        terminal(Linear(), MOONS, t=0.0)


@pytest.mark.parametrize(
    ("ratio", "signal", "verdict"),
    [
        (1.0, 0.01, "yes"),
        (1.5, 0.01, "nearly"),
        (1.0, 0.1, "nearly"),
        (2.5, 0.01, "no"),
        (1.0, 0.5, "no"),
        (1.3, 0.03, "yes"),  # up to
        (1.31, 0.03, "nearly"),
        (1.3, 0.031, "nearly"),
        (1.99, 0.199, "nearly"),
        (2.0, 0.01, "no"),  # from there on
        (1.0, 0.2, "no"),
    ],
)
def test_verdicts(ratio: float, signal: float, verdict: str) -> None:
    for floor in (0.5, 1.0):
        assert Terminal(signal, 1.0, floor * ratio, floor, 0.0).verdict == verdict


def test_resampling_uses_all_of_the_data() -> None:
    few = torch.arange(7.0)[:, None]
    counts = resampled(few, 100).flatten().long().bincount()
    assert counts.sum() == 100
    assert counts.min() >= 14
    many = resampled(torch.arange(50.0)[:, None], 20)
    assert len(many.unique()) == 20


def test_the_distance_is_a_mean_over_eight_pairs_by_hand() -> None:
    """Of x_t over its standard deviation to Gaussian samples; the floor of those to each other."""
    schedule, x_0, t = EDM(sigma_max=2.0), DATASETS["moons"](200, 0).double(), 0.7
    end = terminal(schedule, x_0, t, torch.Generator().manual_seed(3))
    draws, pairs = torch.Generator().manual_seed(3), []
    std = math.hypot(1, 1.4)
    for _ in range(8):
        eps, z, other = torch.randn(3, 200, 2, generator=draws, dtype=torch.float64)
        x = (x_0 + 1.4 * eps) / std
        pairs.append([sliced_wasserstein(y, z, 32).item() for y in (x, other)])
    distance, floor = (sum(column) / 8 for column in zip(*pairs, strict=True))
    assert (end.distance, end.floor) == pytest.approx((distance, floor), rel=1e-6)
    assert end.ratio == pytest.approx(distance / floor, rel=1e-6)
    assert (end.signal, end.std) == pytest.approx((1 / std, std))


def test_pictures_are_measured_as_their_numbers() -> None:
    x_0 = torch.randn(50, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    assert terminal(Linear(), x_0) == terminal(Linear(), x_0.flatten(1))


def test_without_a_generator_a_seed_of_its_own_is_taken() -> None:
    own = torch.Generator().manual_seed(2_718_281_828)
    assert terminal(Linear(), MOONS[:100]) == terminal(Linear(), MOONS[:100], generator=own)


def test_the_seed_chooses_which_of_the_data_are_taken() -> None:
    data = torch.arange(50.0)[:, None]
    assert torch.equal(resampled(data, 20), resampled(data, 20, seed=0))
    assert not torch.equal(resampled(data, 20), resampled(data, 20, seed=1))
    assert sorted(resampled(data, 100).flatten().tolist()) == sorted(data.flatten().tolist() * 2)
