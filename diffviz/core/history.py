"""What a sampler's step may know of its run: the problem, the grid, and the visits before."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.noising import noise_like
from diffviz.core.parametrizations import to_eps
from diffviz.core.schedules import Schedule

__all__ = ["History", "Level", "Visit", "falling"]

Level: TypeAlias = tuple[float, float]
"""(alpha, sigma)."""

T = TypeVar("T")


class Visit(NamedTuple):
    """Where the denoiser was asked, and what it said: (N, ...) each, at time t."""

    t: float
    x_t: Tensor
    x_0: Tensor
    eps: Tensor


class History:
    """A run so far.

    Attributes:
        denoiser: the denoiser; call it through ``denoise``, which counts.  None for a run that is
            only thought of, to write its formula: that has times and levels alone.
        schedule: the path.
        grid: all times of the run.
        level: t to (alpha_t, sigma_t) as numbers.
        evaluations: model evaluations so far (NFE).
        past: the last ``memory`` visits, the latest last.
    """

    __slots__ = (
        "_done", "_generator", "_memory", "denoiser", "evaluations", "grid", "level", "past",
        "schedule",
    )  # fmt: skip

    def __init__(
        self,
        denoiser: Denoiser | None,
        schedule: Schedule,
        grid: list[float],
        memory: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        self.denoiser, self.schedule, self.grid = denoiser, schedule, grid
        self.level: Callable[[float], Level] = schedule.at
        self.evaluations = 0
        self.past: list[Visit] = []
        self._memory, self._generator = memory, generator
        self._done: dict[Callable[..., Any], Any] = {}

    def denoise(self, x_t: Tensor, t: float) -> Tensor:
        """Return x_0 predicted at (x_t, t), and count it."""
        assert self.denoiser is not None
        self.evaluations += self.denoiser.evaluations
        return self.denoiser(x_t, t)

    def predict(self, x_t: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """Return (x_0, eps) predicted at (x_t, t), and count it."""
        x_0 = self.denoise(x_t, t)
        return x_0, to_eps(x_t, x_0, *self.level(t))

    def fresh(self, x: Tensor) -> Tensor:
        """Draw fresh N(0, I) noise of ``x``'s shape, the next of the run."""
        return noise_like(x, self._generator)

    def keep(self, visit: Visit) -> None:
        """Remember a visit, and drop the oldest beyond the memory."""
        if self._memory:
            self.past = [*self.past, visit][-self._memory :]

    def forget(self) -> None:
        """Drop all visits: the next step is a first one."""
        self.past = []

    def once(self, work: Callable[[History], T]) -> T:
        """Return ``work(history)``, worked out once a run."""
        if work not in self._done:
            self._done[work] = work(self)
        found: T = self._done[work]
        return found

    def table(
        self, rule: Callable[[Tensor], tuple[Tensor, Tensor]]
    ) -> dict[float, tuple[float, float]]:
        """Return what a rule of the schedule says at every time of the grid, once a run."""
        if rule not in self._done:
            pairs = torch.stack(rule(torch.tensor(self.grid, dtype=torch.float64)), 1).tolist()
            self._done[rule] = dict(zip(self.grid, map(tuple, pairs), strict=True))
        found: dict[float, tuple[float, float]] = self._done[rule]
        return found


def falling(grid: Tensor) -> list[float]:
    """Return the times of a grid as numbers.

    Raises:
        ValueError: if they do not fall strictly between 1 and 0, or are fewer than two.
    """
    times: list[float] = grid.tolist()
    if len(times) < 2 or times[-1] < 0 or times[0] > 1 or any(t <= s for t, s in pairwise(times)):
        raise ValueError("a grid must fall strictly between 1 and 0")
    return times
