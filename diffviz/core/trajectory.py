"""What a run leaves behind: a state at every stop of its grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

__all__ = ["Diverged", "State", "Trajectory", "changes"]


class Diverged(ArithmeticError):
    """A run left the numbers that can be held; the message is for the reader."""


@dataclass(slots=True, eq=False)  # not frozen: that would cost a step a tenth of its time
class State:
    """Where a run is at one stop, and what its denoiser says there: x_t = alpha x_0 + sigma eps.

    Attributes:
        index: position in the grid, 0 at the noisy end.
        t: the time, 1 for noise and 0 for data: where the sampler asked, which is above the stop of
            its grid where it raised the noise level first.
        alpha: signal level at t.
        sigma: noise level at t.
        x_t: the samples, (N, ...).
        x_0: the denoiser's prediction at this stop; at t = 0 the samples themselves.
        eps: the predicted noise that goes with ``x_0``; zero at t = 0, where no noise is left.
        z: the fresh noise that the sampler injected on its way to this stop; zero if none.
        evaluations: model evaluations spent to get here (NFE so far): 0 at the start.
    """

    index: int
    t: float
    alpha: float
    sigma: float
    x_t: Tensor
    x_0: Tensor
    eps: Tensor
    z: Tensor
    evaluations: int

    @property
    def score(self) -> Tensor:
        """-eps / sigma, the score that goes with ``eps``; zero at t = 0, where none is defined."""
        return -self.eps / (self.sigma or math.inf)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The states of a run, stacked along a first axis of S = steps + 1 stops.

    Attributes:
        t: (S,) times, falling to 0.
        alpha: (S,) signal levels.
        sigma: (S,) noise levels.
        x_t: (S, N, ...) samples.
        x_0: (S, N, ...) predictions.
        eps: (S, N, ...) predicted noise.
        z: (S, N, ...) injected noise.
        evaluations: (S,) evaluations so far.
    """

    t: Tensor
    alpha: Tensor
    sigma: Tensor
    x_t: Tensor
    x_0: Tensor
    eps: Tensor
    z: Tensor
    evaluations: Tensor

    @property
    def score(self) -> Tensor:
        """(S, N, ...) scores, as of each state."""
        sigma = torch.where(self.sigma > 0, self.sigma, torch.inf).to(self.eps.dtype)
        return -self.eps / sigma.reshape(-1, *[1] * (self.eps.ndim - 1))

    @classmethod
    def stack(cls, states: Iterable[State]) -> Trajectory:
        """Stack the states of one run.

        Raises:
            ValueError: if there are none.
            Diverged: if the run ends on values that are not finite.
        """
        states = list(states)
        if not states:
            raise ValueError("a trajectory needs at least one state")
        if not bool(states[-1].x_t.isfinite().all()):
            raise Diverged(
                "This run diverged: its steps are too long for this sampler, and its samples grew "
                "beyond all numbers. More steps, another sampler or a gentler schedule bring it "
                "back."
            )
        return cls(**{f.name: _stack([getattr(s, f.name) for s in states]) for f in fields(cls)})

    def __len__(self) -> int:
        """Return S, the number of stops."""
        return len(self.t)


def changes(x_0: Tensor, ago: int = 0) -> Tensor:
    """Return (steps, N, ...), the change of x_0 that each step's term of so long ago stands before.

    Args:
        x_0: (steps + 1, N, ...) predictions of a run.
        ago: how many steps before the present one; 0 where there is no such step yet.
    """
    still = x_0.new_zeros(ago + 1, *x_0.shape[1:])
    return torch.cat([still, x_0.diff(dim=0)])[: len(x_0) - 1]


def _stack(values: list[Tensor] | list[float]) -> Tensor:
    if isinstance(values[0], Tensor):
        return torch.stack(values)
    return torch.tensor(values, dtype=torch.int64 if isinstance(values[0], int) else torch.float64)
