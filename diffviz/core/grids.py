r"""Timestep grids: where a sampler stops on the path.

A grid has steps + 1 times, falls strictly and ends at 0, so a sampler makes exactly ``steps``
steps.  The next stop always comes from the grid, never from t - 1.

For a discrete schedule the first three spacings are the field's integer timesteps k, which stand
for t = (k + 1) / T here: timestep k has been noised k + 1 times.  A continuous schedule counts as a
chain of 1,000 noisings without rounding.

| spacing   | stops                                       | source                                 |
|-----------|---------------------------------------------|----------------------------------------|
| leading   | every (T // steps)-th from the clean end;   | Ho et al. 2020; Lin et al. 2023,       |
|           | starts below T and never sees pure noise    | table 2                                |
| trailing  | every (T / steps)-th from the noisy end     | Lin et al. 2023, table 2               |
| linspace  | both ends, evenly                           | Nichol and Dhariwal 2021; Lin et al.   |
| log_snr   | even in log-SNR                             | Lu et al. 2022 (DPM-Solver), section 3 |
| karras    | (sigma / alpha)^(1/rho) even, rho = 7       | Karras et al. 2022, eq. 5              |
| quadratic | sqrt(t) even                                | Song et al. 2021 (DDIM), appendix D.2  |

On a chain these three stop at whole timesteps, as the DDIM and DDPM schedulers of diffusers do:
leading takes whole strides k = i (T // steps); linspace rounds k = i (T - 1) / (steps - 1), and
trailing k + 1 = T - i T / steps, to the nearest whole number, a half to the even one.  Where one
step asks linspace for both ends, it is the noisy one.

Leading and linspace hold timestep 0, and for few steps one of them goes to waste there: of two, the
second starts where nearly no noise is left.  The last three end at the path's ``t_min`` as
published, but for at most three stops: these leave it out, so that two steps are two.  They spread
as the stops of one step more do, whose last is then not made.

A schedule that was read from a scheduler's file has a spacing more, ``file``: the stops that the
file asks for, whose last may lie above 0 where the file ends its runs at the first noising.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from diffviz.core.schedules import DiscreteVP, Schedule

__all__ = ["FILE", "SPACINGS", "make_grid", "nearest_steps"]

FILE = "file"
"""The spacing of a schedule that came from a file: as that says (see ``scheduler_stops``)."""

_CONTINUOUS_T = 1000
_RHO = 7.0
_FEW = 3  # stops at which none is spared for t_min


def make_grid(schedule: Schedule, steps: int, spacing: str = "trailing") -> Tensor:
    """Return the (steps + 1,) float64 times of a run, strictly falling, the last one 0.

    Args:
        schedule: the path; a discrete one limits leading, trailing and linspace to T steps.
        steps: how many steps the sampler makes, at least 1.
        spacing: a key of ``SPACINGS``, or ``FILE``.

    Raises:
        ValueError: for an unknown spacing, fewer than 1 step, more steps than the chain has, a
            number of steps that the schedule's file does not allow, or noise levels that no
            different times have.
    """
    if steps < 1:
        raise ValueError(f"a run needs at least 1 step, got {steps}")
    if spacing == FILE:
        if schedule.own_stops is None:
            raise ValueError("this schedule came from no file that says where a run stops")
        return schedule.own_stops(steps)
    if spacing not in SPACINGS:
        raise ValueError(f"unknown spacing {spacing!r}: choose one of {', '.join(SPACINGS)}")
    grid = torch.cat([SPACINGS[spacing](schedule, steps), torch.zeros(1, dtype=torch.float64)])
    if not bool((grid.diff() < 0).all()):
        raise ValueError(
            f"the noise level of this schedule changes so fast somewhere that {steps} steps at "
            "this spacing fall on the same time"
        )
    return grid


def nearest_steps(schedule: Schedule, steps: int) -> int:
    """The number of steps nearest to the one asked for that the schedule's file allows."""
    for count in chain(range(steps, 0, -1), range(steps + 1, steps + 3)):
        try:
            make_grid(schedule, count, FILE)
        except ValueError:
            continue
        return count
    return steps


def _leading(schedule: Schedule, steps: int) -> Tensor:
    T = _chain_length(schedule, steps)
    stride = T // steps if isinstance(schedule, DiscreteVP) else T / steps
    return (torch.arange(steps - 1, -1, -1, dtype=torch.float64) * stride + 1) / T


def _trailing(schedule: Schedule, steps: int) -> Tensor:
    T = _chain_length(schedule, steps)
    k = np.arange(T, 0, -T / steps)[:steps]  # rounding may add one
    return _snap(schedule, torch.from_numpy(k)) / T


def _linspace(schedule: Schedule, steps: int) -> Tensor:
    T = _chain_length(schedule, steps)
    if steps == 1:
        return torch.ones(1, dtype=torch.float64)
    k = torch.from_numpy(np.linspace(0, T - 1, steps)).flip(0)
    return (_snap(schedule, k) + 1) / T


def _log_snr(schedule: Schedule, steps: int) -> Tensor:
    start, rest = _noisy_end(schedule, steps)
    ends = schedule.log_snr(torch.tensor([start, schedule.t_min], dtype=torch.float64))
    first, last = ends.tolist()
    return _pinned(schedule, _spread(first, last, rest), steps)


def _karras(schedule: Schedule, steps: int) -> Tensor:
    start, rest = _noisy_end(schedule, steps)
    ends = schedule.log_snr(torch.tensor([start, schedule.t_min], dtype=torch.float64))
    high, low = (-ends / 2 / _RHO).exp().tolist()  # (sigma / alpha)^(1 / rho)
    return _pinned(schedule, -2 * _RHO * _spread(high, low, rest).log(), steps)


def _quadratic(schedule: Schedule, steps: int) -> Tensor:
    return _spread(1, schedule.t_min**0.5, steps) ** 2


def _spread(start: float, end: float, stops: int) -> Tensor:
    """Return so many even values from start to end; few of them stop one short of the end."""
    if stops > _FEW:
        return torch.linspace(start, end, stops, dtype=torch.float64)
    return torch.linspace(start, end, stops + 1, dtype=torch.float64)[:-1]


def _chain_length(schedule: Schedule, steps: int) -> int:
    if not isinstance(schedule, DiscreteVP):
        return max(_CONTINUOUS_T, steps)
    if steps > schedule.T:
        raise ValueError(
            f"this schedule has T = {schedule.T} noisings, so a run has at most {schedule.T} steps "
            f"at this spacing, not {steps}"
        )
    return schedule.T


def _snap(schedule: Schedule, k: Tensor) -> Tensor:
    return k.round() if isinstance(schedule, DiscreteVP) else k


def _noisy_end(schedule: Schedule, steps: int) -> tuple[float, int]:
    """Return the noisiest time with a finite log-SNR, and how many stops start from there.

    Pure noise is a stop of its own before them; where stops are few it takes the first one's place.
    """
    if torch.isfinite(schedule.log_snr(1.0)):
        return 1.0, steps
    finite = 1 - min(schedule.t_min, 1 / _CONTINUOUS_T)
    return finite, steps if steps <= _FEW + 1 else steps - 1


def _pinned(schedule: Schedule, log_snr: Tensor, steps: int) -> Tensor:
    """Turn falling noise levels into times, with t = 1 in front, exactly, where a run starts."""
    t = schedule.t_at_log_snr(log_snr)
    one = torch.ones(1, dtype=torch.float64)
    return torch.cat([one, t]) if len(t) < steps else torch.cat([one, t[1:]])


SPACINGS: dict[str, Callable[[Schedule, int], Tensor]] = {
    "leading": _leading,
    "trailing": _trailing,
    "linspace": _linspace,
    "log_snr": _log_snr,
    "karras": _karras,
    "quadratic": _quadratic,
}
