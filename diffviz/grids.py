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
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from diffviz.schedules import DiscreteVP, Schedule

__all__ = ["SPACINGS", "make_grid"]

_CONTINUOUS_T = 1000
_RHO = 7.0


def make_grid(schedule: Schedule, steps: int, spacing: str = "trailing") -> Tensor:
    """Return the (steps + 1,) float64 times of a run, strictly falling, the last one 0.

    Args:
        schedule: the path; a discrete one limits leading, trailing and linspace to T steps.
        steps: how many steps the sampler makes, at least 1.
        spacing: a key of ``SPACINGS``.

    Raises:
        ValueError: for an unknown spacing, fewer than 1 step, or more steps than the chain has.
    """
    if spacing not in SPACINGS:
        raise ValueError(f"unknown spacing {spacing!r}: choose one of {', '.join(SPACINGS)}")
    if steps < 1:
        raise ValueError(f"a run needs at least 1 step, got {steps}")
    return torch.cat([SPACINGS[spacing](schedule, steps), torch.zeros(1, dtype=torch.float64)])


def _leading(schedule: Schedule, steps: int) -> Tensor:
    T = _chain_length(schedule, steps)
    stride = T // steps if isinstance(schedule, DiscreteVP) else T / steps
    return (torch.arange(steps - 1, -1, -1, dtype=torch.float64) * stride + 1) / T


def _trailing(schedule: Schedule, steps: int) -> Tensor:
    T = _chain_length(schedule, steps)
    k = T - torch.arange(steps, dtype=torch.float64) * (T / steps)
    return _snap(schedule, k) / T


def _linspace(schedule: Schedule, steps: int) -> Tensor:
    T = _chain_length(schedule, steps)
    return _snap(schedule, torch.linspace(T, 1, steps, dtype=torch.float64)) / T


def _log_snr(schedule: Schedule, steps: int) -> Tensor:
    start, rest = _noisy_end(schedule, steps)
    ends = schedule.log_snr(torch.tensor([start, schedule.t_min], dtype=torch.float64))
    levels = torch.linspace(ends[0].item(), ends[1].item(), rest, dtype=torch.float64)
    return _pinned(schedule, levels, steps)


def _karras(schedule: Schedule, steps: int) -> Tensor:
    start, rest = _noisy_end(schedule, steps)
    ends = schedule.log_snr(torch.tensor([start, schedule.t_min], dtype=torch.float64))
    high, low = (-ends / 2 / _RHO).exp().tolist()  # (sigma / alpha)^(1 / rho)
    return _pinned(
        schedule, -2 * _RHO * torch.linspace(high, low, rest, dtype=torch.float64).log(), steps
    )


def _quadratic(schedule: Schedule, steps: int) -> Tensor:
    return torch.linspace(1, schedule.t_min**0.5, steps, dtype=torch.float64) ** 2


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
    """Return the noisiest time with a finite log-SNR, and how many stops start from there."""
    if torch.isfinite(schedule.log_snr(1.0)) or steps == 1:
        return 1.0, steps
    return 1 - schedule.t_min, steps - 1


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
