"""Power by spatial frequency, against what is known of noise and of single waves."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from diffviz.measures.spectrum import band_agreement, band_edges, band_power


def wave(side: int, cycles: int) -> torch.Tensor:
    """A picture (1, side, side) of an upright wave with so many cycles across."""
    x = torch.arange(side, dtype=torch.float64) / side
    return torch.cos(2 * math.pi * cycles * x).expand(side, side)[None]


def test_white_noise_has_its_variance_in_every_ring() -> None:
    noise = 3 * torch.randn(400, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    power = band_power(noise.double(), 7).mean(0)
    assert_close(power, torch.full((7,), 9.0, dtype=torch.float64), rtol=0.03, atol=0)


@pytest.mark.parametrize("cycles", [1, 3, 7, 13])
def test_a_wave_lies_in_the_ring_of_its_frequency(cycles: int) -> None:
    power = band_power(wave(28, cycles), 7)
    edges = band_edges(7)
    ring = int(torch.bucketize(torch.tensor(cycles / 28), edges[1:-1], right=True))
    assert int(power.argmax()) == ring
    assert power.sum() - power[ring] < 1e-12


def test_all_power_is_that_of_the_pixels() -> None:
    """Parseval: the rings, weighted by how many frequencies they hold, add up to the pixels."""
    x = torch.randn(1, 20, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ones = torch.zeros(1, 20, 20, dtype=torch.float64)
    ones[0, 0, 0] = 20.0  # a single pixel has the same power at every frequency
    assert_close(band_power(ones, 5), torch.ones(5, dtype=torch.float64))
    rows = torch.fft.fftfreq(20)
    radius = torch.hypot(rows[:, None], rows[None, :]).double().flatten()
    counts = torch.bincount(torch.bucketize(radius, band_edges(5)[1:-1], right=True), minlength=5)
    assert_close((band_power(x, 5) * counts).sum() / 400, x.square().mean())


def test_agreement_is_one_for_itself_and_follows_the_sign() -> None:
    x = torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ones = torch.ones(3, 4, dtype=torch.float64)
    assert_close(band_agreement(x, 5 * x, 4), ones)
    assert_close(band_agreement(x, -x, 4), -ones)
    assert_close(band_agreement(x, torch.zeros_like(x), 4), 0 * ones)


def test_agreement_is_lost_in_the_ring_that_is_changed() -> None:
    x = wave(28, 2) + wave(28, 12)
    agreement = band_agreement(x, wave(28, 2) - wave(28, 12), 7)
    assert_close(agreement[1], torch.tensor(1.0, dtype=torch.float64))
    assert_close(agreement[6], torch.tensor(-1.0, dtype=torch.float64))


def test_no_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="ring"):
        band_power(wave(8, 1), 0)
