r"""The forward process, in one jump or one noising at a time.

    jump    x_t = alpha_t x_0 + sigma_t eps                                Ho et al. 2020, eq. 4
    walk    x_t = (alpha_t / alpha_s) x_s + sigma_{t|s} z,                 Ho et al. 2020, eq. 2
            sigma_{t|s}^2 = sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2    Kingma et al. 2021, eq. 4

Both give x_t the same distribution given x_0; only the paths differ.

All noise of a run comes from its seed, draw by draw: see ``Noise``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from diffviz.core.parametrizations import levels
from diffviz.core.schedules import Schedule

__all__ = ["Noise", "combine", "jump", "noise_like", "transition", "walk"]

_APART = 2_654_435_769  # 2^32 over the golden ratio: multiples lie far apart modulo 2^32
_BLOCK = 16  # normal numbers that torch makes at a time


class Noise(torch.Generator):
    """The N(0, I) noise of a run: draw 0 is where it starts, draws 1, 2, ... are fresh on its way.

    Draw k of seed s is what torch's generator makes on the CPU when seeded with
    s + 2,654,435,769 k, sample after sample.  So draws are independent, a sample gets the same
    noise however many others there are, and a device changes nothing.

    Args:
        seed: of the run.
        draws: how many draws are left out, such as the first where a run starts elsewhere.
    """

    def __new__(cls, seed: int, draws: int = 0) -> Noise:
        """Make it on the CPU; torch's own type says so where it is made, not where it is set up."""
        return super().__new__(cls, "cpu")  # type: ignore[call-arg]

    def __init__(self, seed: int, draws: int = 0) -> None:
        self._first, self._draws = seed, draws

    def like(self, x: Tensor) -> Tensor:
        """Make the next draw, of ``x``'s shape, dtype and device."""
        self.manual_seed(self._first + _APART * self._draws)
        self._draws += 1
        whole = -(-x.numel() // _BLOCK) * _BLOCK
        noise = torch.randn(whole, generator=self, dtype=x.dtype)
        return noise[: x.numel()].reshape(x.shape).to(x.device)


def noise_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw N(0, I) noise of ``x``'s shape, dtype and device."""
    if isinstance(generator, Noise):
        return generator.like(x)
    place = x.device if generator is None else generator.device
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=place).to(x.device)


def combine(*terms: tuple[float, Tensor]) -> Tensor:
    """Return the sum of coefficient times quantity, a pass for each that is not 0."""
    total: Tensor | None = None
    for weight, x in terms:
        if weight:
            total = x * weight if total is None else total.add_(x, alpha=weight)
    return torch.zeros_like(terms[0][1]) if total is None else total


def jump(schedule: Schedule, x_0: Tensor, t: Tensor | float, eps: Tensor) -> Tensor:
    """Return x_t = alpha_t x_0 + sigma_t eps.

    Args:
        schedule: the path.
        x_0: data, (N, ...).
        t: one time, or (N,) times.
        eps: noise of ``x_0``'s shape.
    """
    alpha, sigma = levels(schedule, t, x_0)
    return alpha * x_0 + sigma * eps


def transition(schedule: Schedule, s: float, t: float) -> tuple[float, float]:
    """Return (alpha_{t|s}, sigma_{t|s}) of the noising from s to a later t.

    Raises:
        ValueError: if t is not after s.
    """
    if not s < t:
        raise ValueError(f"a noising goes forward in time: s = {s:g} is not before t = {t:g}")
    (alpha_s, sigma_s), (alpha_t, sigma_t) = schedule.at(s), schedule.at(t)
    ratio = alpha_t / alpha_s
    return ratio, math.sqrt(max(sigma_t**2 - (ratio * sigma_s) ** 2, 0.0))


def walk(
    schedule: Schedule, x_0: Tensor, times: Tensor, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield x_t at each of ``times``, each noised from the one before: a Markov chain.

    Args:
        schedule: the path.
        x_0: data, (N, ...).
        times: (F,) strictly rising, from 0 (which yields ``x_0`` itself) or later.
        generator: of the fresh noise.
    """
    x, s = x_0, 0.0
    for t in times.tolist():
        if t > s:
            alpha, sigma = transition(schedule, s, t)
            x, s = alpha * x + sigma * noise_like(x, generator), t
        elif t < s or t > 0:
            raise ValueError("the times of a walk must rise strictly")
        yield x
