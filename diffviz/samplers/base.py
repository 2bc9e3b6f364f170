r"""One loop, many steps.

Almost every sampler here is one line with three numbers,

    x_s = alpha_s x_0 + c sigma_s eps + sqrt(1 - c^2) sigma_s z,

where x_0 is what the denoiser says at (x_t, t), eps the noise that goes with it and z fresh noise
(Song et al. 2021, "Denoising Diffusion Implicit Models", eq. 12).  c = 1 follows the
probability-flow ODE, smaller c forgets part of eps; second-order methods add a correction.  The
line never divides by alpha, so it may start from pure noise, and at s = 0, where sigma_s = 0, it
returns the prediction itself.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffviz.denoisers import Denoiser
from diffviz.parametrizations import to_eps
from diffviz.schedules import Schedule
from diffviz.trajectory import State

__all__ = ["History", "Sampler", "Step", "posterior_std", "signal_ratio"]


class Step(NamedTuple):
    """A step from t to s.

    Attributes:
        x_s: where it ends, (N, ...).
        x_0: the denoiser's prediction at its start.
        eps: the predicted noise that goes with ``x_0``.
        z: the fresh N(0, I) noise injected on the way, or None.
    """

    x_s: Tensor
    x_0: Tensor
    eps: Tensor
    z: Tensor | None = None


class History:
    """What a step may know of its run: the problem, the grid, and the step before.

    Attributes:
        denoiser: the denoiser; call it through ``denoise``, which counts.
        schedule: the path.
        grid: all times of the run.
        evaluations: model evaluations so far (NFE).
        previous: (t, x_0) of the step before, None at the first.
        scratch: what a sampler works out once a run.
    """

    __slots__ = ("_at", "denoiser", "evaluations", "grid", "previous", "schedule", "scratch")

    def __init__(self, denoiser: Denoiser, schedule: Schedule, grid: list[float]) -> None:
        self.denoiser, self.schedule, self.grid = denoiser, schedule, grid
        self.evaluations = 0
        self.previous: tuple[float, Tensor] | None = None
        self.scratch: dict[str, Any] = {}
        self._at = schedule.at

    def level(self, t: float) -> tuple[float, float]:
        """Return (alpha_t, sigma_t) as numbers."""
        return self._at(t)

    def denoise(self, x_t: Tensor, t: float) -> Tensor:
        """Return x_0 predicted at (x_t, t), and count it."""
        self.evaluations += self.denoiser.evaluations
        return self.denoiser(x_t, t)

    def predict(self, x_t: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """Return (x_0, eps) predicted at (x_t, t), and count it."""
        x_0 = self.denoise(x_t, t)
        return x_0, to_eps(x_t, x_0, *self._at(t))


class Sampler(ABC):
    """Walks x_t down a grid of times, from noise to data.

    Attributes:
        stochastic: whether a run injects fresh noise on the way.
    """

    stochastic: bool = False

    @abstractmethod
    def step(
        self,
        x_t: Tensor,
        t: float,
        s: float,
        history: History,
        generator: torch.Generator | None,
    ) -> Step:
        """Go from x_t at time t to the earlier time s.

        Args:
            x_t: (N, ...).
            t: the time of ``x_t``, above s.
            s: the next stop, possibly 0.
            history: the run so far, and the way to ask the denoiser.
            generator: of the fresh noise.
        """

    def iterate(
        self,
        denoiser: Denoiser,
        schedule: Schedule,
        grid: Tensor,
        x_1: Tensor,
        generator: torch.Generator | None = None,
    ) -> Iterator[State]:
        """Yield the state at every stop of ``grid``: len(grid) states, the last one at t = 0.

        Args:
            denoiser: answers E[x_0 | x_t].
            schedule: the path.
            grid: (steps + 1,) strictly falling times that end at 0, see ``make_grid``.
            x_1: (N, ...) samples at the first time of the grid, of std ``schedule.prior_std(t)``
                for unit-variance data.
            generator: of the fresh noise, in the order of the steps.

        Raises:
            ValueError: if the grid does not fall strictly to 0.
        """
        history = History(denoiser, schedule, _checked(grid))
        x_t, z = x_1, torch.zeros_like(x_1)
        for index, (t, s) in enumerate(pairwise(history.grid)):
            spent = history.evaluations
            step = self.step(x_t, t, s, history, generator)
            alpha, sigma = history.level(t)
            score = -step.eps / sigma
            yield State(index, t, alpha, sigma, x_t, step.x_0, step.eps, score, z, spent)
            history.previous = (t, step.x_0)
            x_t, z = step.x_s, torch.zeros_like(x_1) if step.z is None else step.z
        alpha, sigma = history.level(0.0)
        nothing = torch.zeros_like(x_t)
        last = len(history.grid) - 1
        yield State(last, 0.0, alpha, sigma, x_t, x_t, nothing, nothing, z, history.evaluations)

    def sample(
        self,
        denoiser: Denoiser,
        schedule: Schedule,
        grid: Tensor,
        x_1: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return only where the run ends, (N, ...): ``iterate`` without the recording."""
        history = History(denoiser, schedule, _checked(grid))
        x_t = x_1
        for t, s in pairwise(history.grid):
            step = self.step(x_t, t, s, history, generator)
            history.previous = (t, step.x_0)
            x_t = step.x_s
        return x_t


def signal_ratio(level_t: tuple[float, float], level_s: tuple[float, float]) -> float:
    """Return e^{-h} = sqrt(SNR_t / SNR_s), in [0, 1)."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = level_t, level_s
    return (alpha_t * sigma_s) / (sigma_t * alpha_s)


def posterior_std(level_t: tuple[float, float], level_s: tuple[float, float]) -> float:
    """Return the standard deviation of q(x_s | x_t, x_0), sigma_s sqrt(1 - SNR_t / SNR_s).

    Source: Ho et al. 2020, eq. 7, for any path as in Kingma et al. 2021, eq. 27.
    """
    return level_s[1] * math.sqrt(max(1 - signal_ratio(level_t, level_s) ** 2, 0.0))


def noise_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw N(0, I) noise of ``x``'s shape, dtype and device."""
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def combine(a: float, x: Tensor, b: float, y: Tensor) -> Tensor:
    """Return a x + b y in two passes."""
    return torch.add(x * a, y, alpha=b)


def _checked(grid: Tensor) -> list[float]:
    times: list[float] = grid.tolist()
    falls = all(t > s for t, s in pairwise(times))
    if len(times) < 2 or times[-1] != 0 or times[0] > 1 or not falls:
        raise ValueError("a grid must fall strictly from a time of at most 1 to 0")
    return times
