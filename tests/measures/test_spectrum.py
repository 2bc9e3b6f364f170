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
    with pytest.raises(ValueError, match="ring"):
        band_edges(0)


def test_rings_are_of_equal_width_up_to_half_a_wave_a_pixel() -> None:
    assert band_edges(1).tolist() == [0, 0.5]
    assert_close(band_edges(7), torch.arange(8, dtype=torch.float64) / 14, rtol=1e-15, atol=0)


def test_there_are_seven_rings_where_nothing_else_is_said() -> None:
    x = torch.randn(2, 1, 20, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert_close(band_power(x), band_power(x, 7))
    assert_close(band_agreement(x, x + 1), band_agreement(x, x + 1, 7))


@pytest.mark.parametrize(
    ("cycles", "ring"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (6, 3), (8, 3)]
)
def test_a_ring_holds_its_inner_edge(cycles: int, ring: int) -> None:
    """Of 16 pixels, 2, 4 and 6 waves across are 1/8, 1/4 and 3/8 a pixel: the edges of four."""
    for x in (wave(16, cycles), wave(16, cycles).mT):
        power = band_power(x, 4)
        assert power[ring] > 0.1
        assert power.sum() - power[ring] < 1e-12


def test_one_frequency_and_none_in_a_ring_by_hand() -> None:
    """8 x 6 pixels: a flat picture of height c has power c^2 H W, all at frequency 0."""
    flat = torch.full((2, 8, 6), 3.0, dtype=torch.float64)
    flat[1] = 1.0  # the mean over the channels of 9 and 1
    assert_close(band_power(flat, 8), torch.tensor([5.0 * 48] + [0.0] * 7, dtype=torch.float64))
    few = torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    power = band_power(few, 20)  # frequencies 0, 1/3 and sqrt(2)/3: rings 0, 13 and 18
    assert power.shape == (20,)
    assert power.nonzero().flatten().tolist() == [0, 13, 18]


def test_agreement_is_the_correlation_by_hand() -> None:
    """Two waves of one frequency, a third of a turn apart: cos(120 degrees) in their ring."""
    at = torch.arange(12, dtype=torch.float64) * 2 * math.pi / 4
    x, y = (torch.cos(at + turn).expand(2, 5, 12, 12) for turn in (0, 2 * math.pi / 3))
    agreement = band_agreement(x, 4 * y, 4)
    assert agreement.shape == (2, 4)
    assert_close(agreement[:, 2], torch.full((2,), -0.5, dtype=torch.float64))


def test_agreement_counts_all_channels_by_their_power() -> None:
    """Alike in one, opposite in one of three times its size: (1 - 9) / (1 + 9)."""
    one = wave(12, 3)
    x, y = torch.cat([one, 3 * one]), torch.cat([one, -3 * one])
    assert_close(band_agreement(x, y, 4)[2].item(), -0.8)
