r"""Five names for one quantity.

Given x_t = alpha_t x_0 + sigma_t eps at a known (alpha, sigma), any one of these fixes the others:

    eps       the noise                          eps = (x_t - alpha x_0) / sigma     Ho et al. 2020
    x_0       the data                           x_0 = (x_t - sigma eps) / alpha
    v         the angular velocity               v = alpha eps - sigma x_0     Salimans and Ho 2022
    score     the gradient of log p_t(x_t)       s = -eps / sigma              Song et al. 2021
    velocity  dx_t/dt along the path             u = alpha' x_0 + sigma' eps   Lipman et al. 2023

Every function takes tensors (or numbers) that broadcast: ``x_t`` and its partner of one shape,
``alpha`` and ``sigma`` scalars or shaped to broadcast against them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from diffviz.core.schedules import Schedule

__all__ = [
    "PARAMETRIZATIONS",
    "broadcast",
    "from_eps",
    "from_score",
    "from_v",
    "from_velocity",
    "levels",
    "to_eps",
    "to_score",
    "to_v",
    "to_velocity",
]

Level: TypeAlias = Tensor | float


def to_eps(x_t: Tensor, x_0: Tensor, alpha_t: Level, sigma_t: Level) -> Tensor:
    """Return eps = (x_t - alpha_t x_0) / sigma_t; needs sigma_t > 0."""
    return _less(x_t, alpha_t, x_0) / sigma_t


def from_eps(x_t: Tensor, eps: Tensor, alpha_t: Level, sigma_t: Level) -> Tensor:
    """Return x_0 = (x_t - sigma_t eps) / alpha_t.

    Raises:
        ValueError: if alpha_t is 0: there x_t is pure noise and eps says nothing about x_0
            (Lin et al. 2023, section 3.2).
    """
    if not _all_positive(alpha_t):
        raise ValueError(
            "eps cannot be turned into x_0 where alpha = 0 (zero terminal SNR): x_t is pure noise "
            "there, so use a denoiser that predicts x_0 or v"
        )
    return _less(x_t, sigma_t, eps) / alpha_t


def to_v(x_t: Tensor, x_0: Tensor, alpha_t: Level, sigma_t: Level) -> Tensor:
    """Return v = alpha_t eps - sigma_t x_0 (Salimans and Ho 2022, section 4); needs sigma_t > 0."""
    return alpha_t * to_eps(x_t, x_0, alpha_t, sigma_t) - sigma_t * x_0


def from_v(x_t: Tensor, v: Tensor, alpha_t: Level, sigma_t: Level) -> Tensor:
    """Return x_0 = (alpha_t x_t - sigma_t v) / (alpha_t^2 + sigma_t^2), defined everywhere."""
    return (alpha_t * x_t - sigma_t * v) / (alpha_t**2 + sigma_t**2)


def to_score(x_t: Tensor, x_0: Tensor, alpha_t: Level, sigma_t: Level) -> Tensor:
    """Return the score (alpha_t x_0 - x_t) / sigma_t^2; needs sigma_t > 0.

    With x_0 = E[x_0 | x_t] this is the gradient of log p_t: Tweedie's formula (Efron 2011).
    """
    return (alpha_t * x_0 - x_t) / sigma_t**2


def from_score(x_t: Tensor, score: Tensor, alpha_t: Level, sigma_t: Level) -> Tensor:
    """Return x_0 = (x_t + sigma_t^2 score) / alpha_t.

    Raises:
        ValueError: if alpha_t is 0, as for eps.
    """
    if not _all_positive(alpha_t):
        raise ValueError("the score cannot be turned into x_0 where alpha = 0: ask for x_0 or v")
    return (x_t + sigma_t**2 * score) / alpha_t


def to_velocity(
    x_t: Tensor, x_0: Tensor, alpha_t: Level, sigma_t: Level, d_alpha: Level, d_sigma: Level
) -> Tensor:
    """Return u = alpha' x_0 + sigma' eps, the slope of the probability-flow ODE in t.

    Source: Lipman et al. 2023, theorem 3; Song et al. 2021, eq. 13, rewritten.
    """
    return d_alpha * x_0 + d_sigma * to_eps(x_t, x_0, alpha_t, sigma_t)


def from_velocity(
    x_t: Tensor, u: Tensor, alpha_t: Level, sigma_t: Level, d_alpha: Level, d_sigma: Level
) -> Tensor:
    """Return x_0 = (sigma u - sigma' x_t) / (sigma alpha' - sigma' alpha).

    The divisor is sigma^2 (alpha / sigma)', which is negative on every path that loses signal.
    """
    return (sigma_t * u - d_sigma * x_t) / (sigma_t * d_alpha - d_sigma * alpha_t)


Converter: TypeAlias = Callable[[Tensor, Tensor, Schedule, "Tensor | float"], Tensor]


def _at_level(convert: Callable[[Tensor, Tensor, Level, Level], Tensor]) -> Converter:
    def converter(x_t: Tensor, y: Tensor, schedule: Schedule, t: Tensor | float) -> Tensor:
        return convert(x_t, y, *levels(schedule, t, x_t))

    return converter


def _at_slope(
    convert: Callable[[Tensor, Tensor, Level, Level, Level, Level], Tensor],
) -> Converter:
    def converter(x_t: Tensor, y: Tensor, schedule: Schedule, t: Tensor | float) -> Tensor:
        slopes = (broadcast(d, x_t) for d in schedule.derivatives(t))
        return convert(x_t, y, *levels(schedule, t, x_t), *slopes)

    return converter


#: name -> (x_0 from the quantity, the quantity from x_0), each called with (x_t, y, schedule, t).
PARAMETRIZATIONS: dict[str, tuple[Converter, Converter]] = {
    "eps": (_at_level(from_eps), _at_level(to_eps)),
    "x_0": (lambda x_t, y, schedule, t: y, lambda x_t, y, schedule, t: y),
    "v": (_at_level(from_v), _at_level(to_v)),
    "score": (_at_level(from_score), _at_level(to_score)),
    "velocity": (_at_slope(from_velocity), _at_slope(to_velocity)),
}


def levels(schedule: Schedule, t: Tensor | float, x: Tensor) -> tuple[Level, Level]:
    """Return (alpha_t, sigma_t) ready to multiply ``x``.

    Numbers for one time; for a (B,) tensor of times, tensors that broadcast along ``x``'s batch.
    """
    if not isinstance(t, Tensor) or t.ndim == 0:
        return schedule.at(float(t))
    alpha, sigma = schedule(t)
    return broadcast(alpha, x), broadcast(sigma, x)


def broadcast(level: Level, x: Tensor) -> Level:
    """Shape a (B,) tensor as (B, 1, ..., 1) in ``x``'s dtype; a single value becomes a number."""
    if not isinstance(level, Tensor):
        return level
    if level.ndim == 0:
        return level.item()
    return level.to(x).reshape(-1, *[1] * (x.ndim - 1))


def _less(x: Tensor, level: Level, y: Tensor) -> Tensor:
    """Return x - level y, in one pass where the level is a number."""
    return x - level * y if isinstance(level, Tensor) else torch.sub(x, y, alpha=level)


def _all_positive(level: Level) -> bool:
    if isinstance(level, Tensor):
        return bool((level > 0).all())
    return level > 0 and not math.isnan(level)
