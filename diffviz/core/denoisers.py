r"""Denoisers: a denoiser answers E[x_0 given x_t], and denoisers wrap denoisers.

Whatever a network predicts (eps, v, score, velocity), here it answers with x_0, so that samplers
and edits are written once.  A sampler that needs eps computes it from the x_0 it was given, which
is why clipping x_0 needs no further care: eps follows.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn

from diffviz.core.distributions import Distribution
from diffviz.core.parametrizations import PARAMETRIZATIONS, levels
from diffviz.core.schedules import Schedule

__all__ = [
    "Clipped",
    "Conditioned",
    "Denoiser",
    "Exact",
    "Guided",
    "Network",
    "OnPath",
    "Thresholded",
    "Wrapper",
]

T = TypeVar("T")


class Denoiser(ABC):
    """E[x_0 | x_t], exact or learned.

    Attributes:
        exact: True if the answer is the exact posterior mean; what a page's badge says.
    """

    exact: bool = False

    @property
    def no_label(self) -> int | None:
        """The label that asks for no class, so that samples with and without are one batch."""
        return None

    @property
    def evaluations(self) -> int:
        """What a call without a condition costs, which is how samplers call."""
        return self.cost()

    def cost(self, **cond: Any) -> int:
        """Return how many calls of the underlying model (NFE) a call with this condition costs."""
        return 1

    def to(self, device: torch.device | str) -> Self:
        """Return the same denoiser for inputs on a device, itself where it is there already.

        Otherwise it is another one: its tensors moved, its networks copied.
        """
        return _moved(self, torch.device(device))

    @abstractmethod
    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return the prediction of x_0.

        Args:
            x_t: (B, ...) noised data.
            t: one time in [0, 1], or (B,) times.
            **cond: what to condition on, such as ``label``.

        Returns:
            a tensor of ``x_t``'s shape.
        """


def _moved(held: T, device: torch.device) -> T:
    """What is held, with every tensor in it on a device; itself where all of them are there."""
    moved: Any = held
    if isinstance(held, Tensor):
        moved = held.to(device)
    elif isinstance(held, nn.Module):
        if any(weight.device != device for weight in held.parameters()):
            moved = copy.deepcopy(held).to(device)
    elif isinstance(held, dict):
        parts = {name: _moved(part, device) for name, part in held.items()}
        if any(parts[name] is not part for name, part in held.items()):
            moved = parts
    elif isinstance(held, Denoiser | Distribution):
        parts = _moved(vars(held), device)
        if parts is not vars(held):
            moved = copy.copy(held)
            vars(moved).update(parts)
    return moved  # type: ignore[no-any-return]


class Wrapper(Denoiser):
    """A denoiser around another; unless it says otherwise it costs what that costs."""

    denoiser: Denoiser

    @property
    def no_label(self) -> int | None:
        """That of the denoiser inside."""
        return self.denoiser.no_label

    def cost(self, **cond: Any) -> int:
        """Return what the denoiser inside costs with this condition."""
        return self.denoiser.cost(**cond)


class Exact(Denoiser):
    """The exact posterior mean of a distribution on a path."""

    exact = True

    def __init__(self, distribution: Distribution, schedule: Schedule) -> None:
        self.distribution, self.schedule = distribution, schedule

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return E[x_0 | x_t, cond]."""
        return self.distribution.posterior_mean(x_t, *levels(self.schedule, t, x_t), **cond)


class Network(Denoiser):
    """A module that predicts one of ``PARAMETRIZATIONS`` from (x_t, t).

    Args:
        module: called as ``module(x_t, t, **cond)`` with (B,) times.
        schedule: the path that the module was trained on.
        predicts: "eps", "x_0", "v", "score" or "velocity".

    Raises:
        ValueError: for another ``predicts``; when called, if the module predicts eps or the score
            and alpha_t = 0.
    """

    def __init__(self, module: nn.Module, schedule: Schedule, predicts: str) -> None:
        if predicts not in PARAMETRIZATIONS:
            raise ValueError(
                f"a network predicts one of {', '.join(PARAMETRIZATIONS)}, not {predicts!r}"
            )
        self.module, self.schedule, self.predicts = module, schedule, predicts
        self._to_x_0 = PARAMETRIZATIONS[predicts][0]

    @property
    def no_label(self) -> int | None:
        """What the module says it is."""
        return getattr(self.module, "null_label", None)

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return x_0 from what the module predicts."""
        times = t if isinstance(t, Tensor) and t.ndim else x_t.new_full((len(x_t),), float(t))
        return self._to_x_0(x_t, self.module(x_t, times, **cond), self.schedule, t)


class OnPath(Wrapper):
    """A denoiser that was made for one path, asked on another.

    E[x_0 | x_t] knows of the path only the noise level: x_t / alpha_t is x_0 plus noise of standard
    deviation sigma_t / alpha_t on every path.  So x_t at time t becomes the point of the same
    log-SNR on the denoiser's own path, with its size scaled by the ratio of the two values of
    sqrt(alpha^2 + sigma^2), which stays finite where alpha = 0 (Karras et al. 2022, section 2,
    and Kingma et al. 2021, section 5.1).

    A noise level beyond an end of its own path is answered as at that end, so an exact denoiser is
    exact here only if its own path ends in as much noise.  At the clean end that is ``t_min`` for
    what was learned, and t = 0 for what is exact.

    Args:
        denoiser: what answers.
        own: the path it was made for.
        schedule: the path it is asked on.
    """

    def __init__(self, denoiser: Denoiser, own: Schedule, schedule: Schedule) -> None:
        self.denoiser, self.own, self.schedule = denoiser, own, schedule
        self.exact = denoiser.exact and bool(own.log_snr(1.0) <= schedule.log_snr(1.0))
        self._first = 0.0 if denoiser.exact else own.t_min

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return E[x_0 | x_t, cond] as the denoiser answers it on its own path."""
        times = torch.as_tensor(t, dtype=torch.float64)
        log_snr = self.schedule.log_snr(times)
        low, high = self.own.log_snr(torch.tensor([1.0, self._first], dtype=torch.float64))
        at = self.own.t_at_log_snr(log_snr.clamp(low, high)).clamp_min(self._first)
        scale = _size(self.own, at) / _size(self.schedule, times)
        scale = scale.to(x_t.device, x_t.dtype).reshape(-1, *[1] * (x_t.ndim - 1))
        return self.denoiser(scale * x_t, at, **cond)


def _size(schedule: Schedule, t: Tensor) -> Tensor:
    alpha, sigma = schedule(t)
    return torch.hypot(alpha, sigma)


class Guided(Wrapper):
    """Classifier-free guidance: x_0 = uncond + w (cond - uncond).

    The convention is that of Saharia et al. 2022 and most code: w = 0 ignores the condition, w = 1
    is plain conditional, w > 1 exaggerates.  (Ho and Salimans 2022 write 1 + w for this w.)  Since
    eps is affine in x_0 at a given x_t, guiding x_0, eps or the score is the same thing.

    Args:
        denoiser: one that accepts the condition and, without it, is unconditional.
        scale: the guidance scale w.
    """

    def __init__(self, denoiser: Denoiser, scale: float) -> None:
        self.denoiser, self.scale = denoiser, scale
        self.exact = denoiser.exact and scale in (0, 1)

    def cost(self, **cond: Any) -> int:
        """Return what the two answers cost, or the one that is asked for."""
        if not cond or self.scale == 0:
            return self.denoiser.cost()
        conditional = self.denoiser.cost(**cond)
        return conditional if self.scale == 1 else conditional + self.denoiser.cost()

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return the guided prediction; without a condition, the unconditional one."""
        if not cond or self.scale == 0:
            return self.denoiser(x_t, t)
        if self.scale == 1:
            return self.denoiser(x_t, t, **cond)
        conditional, unconditional = self._both(x_t, t, **cond)
        return unconditional + self.scale * (conditional - unconditional)

    def _both(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> tuple[Tensor, Tensor]:
        """The two answers; of pictures in one call, which costs a network less than two."""
        none = self.denoiser.no_label
        if none is None or cond.keys() != {"label"} or x_t.ndim == 2:
            return self.denoiser(x_t, t, **cond), self.denoiser(x_t, t)
        batch = len(x_t)
        label = torch.as_tensor(cond["label"], device=x_t.device).expand(batch)
        labels = torch.cat([label, torch.full_like(label, none)])
        times = t.repeat(2) if isinstance(t, Tensor) and t.ndim else t
        answers = self.denoiser(torch.cat([x_t, x_t]), times, label=labels)
        return answers[:batch], answers[batch:]


class Conditioned(Wrapper):
    """A denoiser that is always asked for the same thing: samplers pass no condition of their own.

    Args:
        denoiser: one that accepts the condition.
        **cond: what to condition on, such as ``label``: one for all, or one for each sample.
    """

    def __init__(self, denoiser: Denoiser, **cond: Any) -> None:
        self.denoiser, self.cond, self.exact = denoiser, cond, denoiser.exact

    def cost(self, **cond: Any) -> int:
        """Return what the denoiser costs under the condition."""
        return self.denoiser.cost(**{**self.cond, **cond})

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return the prediction under the condition; what is passed here goes before it."""
        return self.denoiser(x_t, t, **{**self.cond, **cond})


class Clipped(Wrapper):
    """x_0 held in [low, high]: for pixels, whose range is known; never for points."""

    def __init__(self, denoiser: Denoiser, low: float = -1.0, high: float = 1.0) -> None:
        if not low < high:
            raise ValueError(f"clipping needs low < high, got {low:g} and {high:g}")
        self.denoiser, self.low, self.high = denoiser, low, high

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return the clipped prediction."""
        return self.denoiser(x_t, t, **cond).clamp(self.low, self.high)


class Thresholded(Wrapper):
    """Dynamic thresholding (Saharia et al. 2022, section 2.3), sample by sample.

    s is the given quantile of |x_0| within a sample, at least 1 and at most a limit; x_0 is clipped
    to [-s, s] and divided by s.
    """

    def __init__(self, denoiser: Denoiser, quantile: float = 0.995, most: float = math.inf) -> None:
        if not 0 < quantile <= 1:
            raise ValueError(f"the quantile must lie in (0, 1], got {quantile:g}")
        self.denoiser, self.quantile, self.most = denoiser, quantile, most

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return the thresholded prediction."""
        x_0 = self.denoiser(x_t, t, **cond)
        flat = x_0.flatten(1)
        s = torch.quantile(flat.abs(), self.quantile, dim=1, keepdim=True)
        s = s.clamp(1, self.most)
        return (flat.clamp(-s, s) / s).reshape(x_0.shape)
