r"""How coarse or fine what a picture shows is: its power by spatial frequency.

With the discrete Fourier transform X of a picture x of H x W pixels, the power |X|^2 / (H W) is
averaged over rings of equal width in frequency, from none to half a wave a pixel.  White noise of
standard deviation sigma has power sigma^2 in every ring; natural pictures have most of theirs in
the first ones, which is why noise hides what is fine first, and why sampling decides what is coarse
first (Rissanen et al. 2023, "Generative modelling with inverse heat dissipation", section 2;
Dieleman 2024, "Diffusion is spectral autoregression").
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["band_agreement", "band_edges", "band_power"]

_NYQUIST = 0.5  # waves a pixel


def band_edges(bands: int) -> Tensor:
    """Return the (bands + 1,) edges of the rings, in waves a pixel; a ring holds its inner one.

    The corners of the square of frequencies beyond half a wave belong to the last ring.

    Raises:
        ValueError: for fewer than one ring.
    """
    if bands < 1:
        raise ValueError(f"at least one ring is needed, not {bands}")
    return torch.linspace(0, _NYQUIST, bands + 1, dtype=torch.float64)


def band_power(x: Tensor, bands: int = 7) -> Tensor:
    """Return the mean power of each ring, (..., bands), over all channels.

    Args:
        x: pictures (..., C, H, W).
        bands: number of rings.

    Raises:
        ValueError: for fewer than one ring.
    """
    height, width = x.shape[-2:]
    power = torch.fft.fft2(x).abs().square() / (height * width)
    return _means(power.mean(-3), bands)


def band_agreement(x: Tensor, y: Tensor, bands: int = 7) -> Tensor:
    """Return how far two pictures agree in each ring, (..., bands): 1 where they are the same.

    That is the correlation of their Fourier coefficients, Re<X, Y> / (|X| |Y|), from -1 to 1; 0
    where one of them has nothing in a ring.

    Args:
        x: pictures (..., C, H, W).
        y: pictures whose shape broadcasts against them.
        bands: number of rings.

    Raises:
        ValueError: for fewer than one ring.
    """
    first, second = torch.fft.fft2(x), torch.fft.fft2(y)
    shared = _means((first * second.conj()).real.mean(-3), bands)
    sizes = [_means(part.abs().square().mean(-3), bands) for part in (first, second)]
    return shared / (sizes[0] * sizes[1]).sqrt().clamp_min(torch.finfo(x.dtype).tiny)


def _means(values: Tensor, bands: int) -> Tensor:
    """(..., bands): the mean over each ring of values (..., H, W), one for each frequency."""
    height, width = values.shape[-2:]
    rows, columns = torch.fft.fftfreq(height), torch.fft.fftfreq(width)
    radius = torch.hypot(rows[:, None], columns[None, :]).double()
    ring = torch.bucketize(radius.flatten(), band_edges(bands)[1:-1], right=True)
    counts = torch.bincount(ring, minlength=bands).clamp_min(1).to(values)
    out = values.new_zeros(*values.shape[:-2], bands)
    return out.index_add_(-1, ring, values.flatten(-2)) / counts
