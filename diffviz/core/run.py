"""A run is a value: what a plan says is all that its bytes depend on.

Pages, studies and scripts make their runs here, so the same plan gives the same samples everywhere.
All noise follows from the plan's seed as ``noising.Noise`` says: draw 0 is where the run starts,
draws 1, 2, ... are what its sampler injects on the way.  A plan for more samples begins with those
of a plan for fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.noising import Noise
from diffviz.core.samplers.base import Sampler
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import State, Trajectory

__all__ = ["Plan", "Watch", "frames", "ignore", "kept", "part_of", "simulate"]

Watch: TypeAlias = Callable[[float], None]
"""What work calls with the share that is done, from 0 to 1; what it raises ends the work."""


def ignore(_news: object) -> None:
    """Watch nothing: for work that nobody waits for."""


def part_of(watch: Watch, k: int, parts: int) -> Watch:
    """Watch the k-th of so many pieces of work that are done one after the other."""
    return lambda share: watch((k + share) / parts)


@dataclass(frozen=True, eq=False)
class Plan:
    """A run from noise to data.

    Attributes:
        denoiser: answers E[x_0 | x_t].
        schedule: the path.
        sampler: how it is walked.
        grid: (steps + 1,) times, see ``make_grid``.
        shape: of one sample.
        samples: how many.
        seed: of all noise.
    """

    denoiser: Denoiser
    schedule: Schedule
    sampler: Sampler
    grid: Tensor
    shape: tuple[int, ...]
    samples: int
    seed: int = 0

    @property
    def steps(self) -> int:
        """How many steps it takes."""
        return len(self.grid) - 1

    def start(self) -> Tensor:
        """Where it starts, (samples, *shape), float32: noise of the path's size at its start."""
        noise = Noise(self.seed).like(torch.empty(self.samples, *self.shape))
        return noise * self.schedule.prior_std(self.grid[0].item())

    def states(self, x_1: Tensor | None = None) -> Iterator[State]:
        """Yield the state at every stop.

        Args:
            x_1: (N, ...) where it starts, in place of ``start()``; fresh noise stays the same.

        Raises:
            ValueError: if the grid does not fall strictly between 1 and 0.
        """
        x_1 = self.start() if x_1 is None else x_1
        noise = Noise(self.seed, draws=1)
        return self.sampler.iterate(self.denoiser, self.schedule, self.grid, x_1, noise)


def kept(steps: int, keep: int | None = None) -> list[int]:
    """The stops of a run that are kept.

    Args:
        steps: of the run.
        keep: at most so many stops, evenly chosen, with both ends; 1 keeps the last alone, None
            all.
    """
    if keep == 1:
        return [steps]
    stops = steps + 1 if keep is None else min(keep, steps + 1)
    return [int(k) for k in np.linspace(0, steps, stops).round()]


def frames(
    states: Iterable[State], steps: int, keep: int | None = None, watch: Watch = ignore
) -> Iterator[State]:
    """Yield those states of a run that are kept, see ``kept``.

    Args:
        states: all of them, as they are made.
        steps: of the run.
        keep: how many are kept at most.
        watch: told how far the run is at every stop; what it raises ends the run.
    """
    wanted = set(kept(steps, keep))
    for state in states:
        watch(state.index / max(steps, 1))
        if state.index in wanted:
            yield state


@torch.inference_mode()
def simulate(
    plan: Plan, keep: int | None = None, watch: Watch = ignore, x_1: Tensor | None = None
) -> Trajectory:
    """Make a run.

    Args:
        plan: what is run.
        keep: how many states are kept at most: None for all, 1 for the last, see ``kept``.
        watch: told the share that is done at every stop; what it raises ends the run.
        x_1: where it starts, in place of the plan's noise.

    Raises:
        ValueError: if the grid does not fall strictly between 1 and 0.
        Diverged: if the run ends on values that are not finite.
    """
    return Trajectory.stack(frames(plan.states(x_1), plan.steps, keep, watch))
