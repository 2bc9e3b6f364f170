r"""The forward process, in one jump or one noising at a time.

    jump    x_t = alpha_t x_0 + sigma_t eps                                Ho et al. 2020, eq. 4
    walk    x_t = (alpha_t / alpha_s) x_s + sigma_{t|s} z,                 Ho et al. 2020, eq. 2
            sigma_{t|s}^2 = sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2    Kingma et al. 2021, eq. 4

Both give x_t the same distribution given x_0; only the paths differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from diffviz.parametrizations import levels
from diffviz.schedules import Schedule

__all__ = ["jump", "transition", "walk"]


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
            z = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            x, s = alpha * x + sigma * z, t
        elif t < s or t > 0:
            raise ValueError("the times of a walk must rise strictly")
        yield x
