from __future__ import annotations

import math

import pytest
import torch

from diffviz.core.schedules import EDM, SCHEDULES, VE, Linear, RectifiedFlow, ScaledLinear
from diffviz.data.points import DATASETS
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
    ],
)
def test_verdicts(ratio: float, signal: float, verdict: str) -> None:
    assert Terminal(signal, 1.0, 0.05 * ratio, 0.05, 0.0).verdict == verdict


def test_resampling_uses_all_of_the_data() -> None:
    few = torch.arange(7.0)[:, None]
    counts = resampled(few, 100).flatten().long().bincount()
    assert counts.sum() == 100
    assert counts.min() >= 14
    many = resampled(torch.arange(50.0)[:, None], 20)
    assert len(many.unique()) == 20
