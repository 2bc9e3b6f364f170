r"""How far the end of the forward process is from the Gaussian that a sampler starts from.

A reverse run draws x_T from N(0, std^2 I), std^2 = alpha_T^2 + sigma_T^2, which is 1 on a
variance-preserving path.  The forward process ends elsewhere, if only slightly, because alpha_T is
not 0.  Three answers to how much:

    signal     alpha_T / std, the correlation of x_T with unit-variance data x_0
    distance   sliced W_2 between samples of x_T / std and N(0, I), beside the same distance
               between two Gaussian sample sets, which is its floor
    KL         E_{x_0} KL(q(x_T | x_0) || N(0, std^2 I)) per dimension D, in bits:
               [(alpha_T^2 E|x_0|^2 / D + sigma_T^2) / std^2 - 1 - ln(sigma_T^2 / std^2)] / (2 ln 2)

The last is the prior term L_T of the variational bound (Ho et al. 2020, eq. 5), in closed form.
The first and the last see what a sampler of single x_0 would see; the second only sees the cloud.
That the end of some popular schedules is not Gaussian enough is the point of Lin et al. 2023,
"Common Diffusion Noise Schedules and Sample Steps are Flawed".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from diffviz.core.noising import jump
from diffviz.core.schedules import Schedule
from diffviz.measures.metrics import sliced_wasserstein

__all__ = ["Terminal", "Verdict", "resampled", "terminal"]

Verdict = Literal["yes", "nearly", "no"]

_SEED = 2_718_281_828  # unlike the seeds of runs
_PAIRS, _PROJECTIONS = 8, 32
_NEARLY, _NO = 1.3, 2.0  # times the floor
_SIGNAL_NEARLY, _SIGNAL_NO = 0.03, 0.2


@dataclass(frozen=True)
class Terminal:
    """What is left of the data at the end of the forward process.

    Attributes:
        signal: alpha_T / std, from 0 (nothing) to 1 (everything).
        std: sqrt(alpha_T^2 + sigma_T^2), of the Gaussian that a sampler starts from.
        distance: sliced W_2 of x_T / std to N(0, I).
        floor: the same between two sets of Gaussian samples of that size.
        bits: the mean KL(q(x_T | x_0) || N(0, std^2 I)), in bits per dimension.
    """

    signal: float
    std: float
    distance: float
    floor: float
    bits: float

    @property
    def ratio(self) -> float:
        """The distance in units of its floor; about 1 for Gaussian samples."""
        return self.distance / self.floor

    @property
    def verdict(self) -> Verdict:
        """Whether x_T passes for the Gaussian.

        "yes" up to 1.3 floors away with at most 3 % of the signal left, "no" from 2 floors or 20 %
        on, "nearly" in between.  The signal counts as well as the cloud, since Gaussian data have a
        Gaussian cloud however little noise there is.
        """
        if self.ratio >= _NO or self.signal >= _SIGNAL_NO:
            return "no"
        if self.ratio > _NEARLY or self.signal > _SIGNAL_NEARLY:
            return "nearly"
        return "yes"


def terminal(
    schedule: Schedule, x_0: Tensor, t: float = 1.0, generator: torch.Generator | None = None
) -> Terminal:
    """Measure how Gaussian x_t is, by default at the end of the schedule.

    Args:
        schedule: the path.
        x_0: data (N, ...); a few thousand give a steady answer.
        t: the time, above 0.
        generator: of the noise; a fixed seed without one.

    Raises:
        ValueError: if there is no data, or no noise at t.
    """
    alpha, sigma = schedule.at(t)
    if len(x_0) == 0:
        raise ValueError("there is no data to noise")
    if sigma == 0:
        raise ValueError(f"there is no noise at t = {t:g}: take a later time")
    generator = torch.Generator().manual_seed(_SEED) if generator is None else generator
    std = schedule.prior_std(t)
    distance, floor = _distances(schedule, x_0, t, generator)
    power = x_0.double().square().mean().item()
    share = (sigma / std) ** 2
    nats = ((alpha / std) ** 2 * power + share - 1 - math.log(share)) / 2
    return Terminal(alpha / std, std, distance, floor, max(nats, 0.0) / math.log(2))


def _distances(
    schedule: Schedule, x_0: Tensor, t: float, generator: torch.Generator
) -> tuple[float, float]:
    """The distance of x_t / std to N(0, I) and its floor: means over pairs drawn afresh."""
    std, x_0 = schedule.prior_std(t), x_0.flatten(1)
    pairs = []
    for _ in range(_PAIRS):
        eps, z, other = torch.randn(3, *x_0.shape, generator=generator, dtype=x_0.dtype)
        x = jump(schedule, x_0, t, eps) / std
        pairs.append([sliced_wasserstein(y, z, _PROJECTIONS).item() for y in (x, other)])
    distance, floor = torch.tensor(pairs).mean(0).tolist()
    return distance, floor


def resampled(x_0: Tensor, n: int, seed: int = 0) -> Tensor:
    """Return exactly n of the data: a random subset of more, every one several times of fewer.

    Noise that is drawn for each of the n makes them n samples of x_t, however few the data are.

    Args:
        x_0: data (N, ...).
        n: how many, at least 1.
        seed: of the choice.
    """
    generator = torch.Generator().manual_seed(seed)
    N = len(x_0)
    rounds = [torch.randperm(N, generator=generator) for _ in range(-(-n // N))]
    return x_0[torch.cat(rounds)[:n]]
