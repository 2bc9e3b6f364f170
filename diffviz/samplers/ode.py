r"""The probability-flow ODE by Euler and Heun, and Karras et al.'s sampler with churn.

An ODE has one solution, but a solver's steps depend on the variable they are taken in:

    InRatio   d(x / alpha) / d(sigma / alpha) = eps            Song et al. 2021 (DDIM), eq. 14;
                                                               Karras et al. 2022, eq. 1
    InTime    dx / dt = alpha' x_0 + sigma' eps                Song et al. 2021, eq. 13

In the ratio Euler is DDIM with eta = 0, whatever the schedule.  In time it depends on the schedule,
and for rectified flow it is the usual Euler step of flow matching.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from diffviz.parametrizations import to_eps
from diffviz.samplers.base import History, Sampler, Step, combine, noise_like

__all__ = ["EDMStochastic", "Euler", "Heun", "InRatio", "InTime", "Variable"]


class Variable(ABC):
    """What an ODE solver integrates in: the slope there, and steps along it."""

    @abstractmethod
    def slope(self, x_0: Tensor, eps: Tensor, t: float, history: History) -> Tensor:
        """Return the slope of the solution at t."""

    @abstractmethod
    def euler(
        self, x_t: Tensor, x_0: Tensor, eps: Tensor, t: float, s: float, history: History
    ) -> Tensor:
        """Return x_s along the slope at t."""

    @abstractmethod
    def length(self, t: float, s: float, history: History) -> float:
        """Return how far x_s moves for one unit of slope."""


class InRatio(Variable):
    """x / alpha over sigma / alpha: EDM's variables, and the field's usual choice.

    Written without dividing x by alpha, x_s = alpha_s x_0 + sigma_s eps.  From alpha_t = 0, where
    the ratio is infinite, only this Euler step is defined, and Heun takes it.
    """

    def slope(self, x_0: Tensor, eps: Tensor, t: float, history: History) -> Tensor:
        """Return eps."""
        return eps

    def euler(
        self, x_t: Tensor, x_0: Tensor, eps: Tensor, t: float, s: float, history: History
    ) -> Tensor:
        """Return alpha_s x_0 + sigma_s eps."""
        alpha_s, sigma_s = history.level(s)
        return combine(alpha_s, x_0, sigma_s, eps)

    def length(self, t: float, s: float, history: History) -> float:
        """Return alpha_s (sigma_s / alpha_s - sigma_t / alpha_t), or 0 from alpha_t = 0."""
        (alpha_t, sigma_t), (alpha_s, sigma_s) = history.level(t), history.level(s)
        return sigma_s - alpha_s * sigma_t / alpha_t if alpha_t > 0 else 0.0


class InTime(Variable):
    """x over the schedule's own t."""

    def slope(self, x_0: Tensor, eps: Tensor, t: float, history: History) -> Tensor:
        """Return alpha' x_0 + sigma' eps."""
        slopes = history.scratch.setdefault("slopes", {})
        if t not in slopes:
            slopes[t] = tuple(d.item() for d in history.schedule.derivatives(t))
        d_alpha, d_sigma = slopes[t]
        return combine(d_alpha, x_0, d_sigma, eps)

    def euler(
        self, x_t: Tensor, x_0: Tensor, eps: Tensor, t: float, s: float, history: History
    ) -> Tensor:
        """Return x_t + (s - t) (alpha' x_0 + sigma' eps)."""
        return torch.add(x_t, self.slope(x_0, eps, t, history), alpha=s - t)

    def length(self, t: float, s: float, history: History) -> float:
        """Return s - t."""
        return s - t


_RATIO, _TIME = InRatio(), InTime()


class Euler(Sampler):
    """First order.

    Args:
        variable: ``InRatio()`` or ``InTime()``; by default the ratio where alpha > 0 along the
            whole grid and time elsewhere, see ``variable_of``.
    """

    def __init__(self, variable: Variable | None = None) -> None:
        self.variable = variable

    def variable_of(self, history: History) -> Variable:
        """Return the variable that a run integrates in."""
        if self.variable is not None:
            return self.variable
        return _RATIO if history.level(history.grid[0])[0] > 0 else _TIME

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s along the slope at t."""
        x_0, eps = history.predict(x_t, t)
        x_s = self.variable_of(history).euler(x_t, x_0, eps, t, s, history)
        return Step(x_s, x_0, eps)


class Heun(Euler):
    """Second order: the mean of the slopes at both ends, two evaluations a step.

    The last step, to sigma = 0, where eps is not defined, is Euler's.

    Source: Karras et al. 2022, algorithm 1.
    """

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s along the mean slope."""
        x_0, eps = history.predict(x_t, t)
        variable = self.variable_of(history)
        return Step(_heun(variable, x_t, x_0, eps, t, s, history), x_0, eps)


class EDMStochastic(Sampler):
    """Heun's step after raising the noise level a little with fresh noise ("churn").

    At noise level sigma / alpha the level is first raised by the factor 1 + gamma, with
    gamma = min(churn / steps, sqrt(2) - 1), though never beyond that of t = 1.

    Source: Karras et al. 2022, algorithm 2, for any path through x / alpha.

    Args:
        churn: S_churn, the total amount of fresh noise; 0 is Heun.
        s_min: S_min, the least sigma / alpha to churn at.
        s_max: S_max, the greatest.
        s_noise: S_noise, the standard deviation of the fresh noise.
    """

    def __init__(
        self, churn: float = 10.0, s_min: float = 0.0, s_max: float = math.inf, s_noise: float = 1.0
    ) -> None:
        if churn < 0 or s_min < 0 or s_noise < 0 or s_max < s_min:
            raise ValueError(
                "churn, s_min and s_noise must be at least 0, and s_max at least s_min"
            )
        self.churn, self.s_min, self.s_max, self.s_noise = churn, s_min, s_max, s_noise
        self.stochastic = churn > 0

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Raise the level from t to t_hat, then go to s."""
        t_hat = self._raised(history)[t]
        z = None
        if t_hat > t:
            (alpha, sigma), (alpha_hat, sigma_hat) = history.level(t), history.level(t_hat)
            z = noise_like(x_t, generator)
            scale = alpha_hat / alpha
            std = math.sqrt(max(sigma_hat**2 - (scale * sigma) ** 2, 0.0))
            x_t = combine(scale, x_t, self.s_noise * std, z)
        x_0, eps = history.predict(x_t, t_hat)
        return Step(_heun(_RATIO, x_t, x_0, eps, t_hat, s, history), x_0, eps, z)

    def _raised(self, history: History) -> dict[float, float]:
        """Return t -> t_hat for the whole grid, worked out once a run."""
        if "raised" not in history.scratch:
            times = torch.tensor(history.grid[:-1], dtype=torch.float64)
            log_snr = history.schedule.log_snr(times)
            ratio = (-log_snr / 2).exp()
            gamma = min(self.churn / len(times), math.sqrt(2) - 1)
            churned = (ratio >= self.s_min) & (ratio <= self.s_max) & ratio.isfinite()
            noisier = history.schedule.t_at_log_snr(log_snr - 2 * math.log1p(gamma))
            t_hat = torch.where(churned & (gamma > 0), noisier.maximum(times), times)
            history.scratch["raised"] = dict(zip(history.grid[:-1], t_hat.tolist(), strict=True))
        raised: dict[float, float] = history.scratch["raised"]
        return raised


def _heun(
    variable: Variable, x_t: Tensor, x_0: Tensor, eps: Tensor, t: float, s: float, history: History
) -> Tensor:
    x_s = variable.euler(x_t, x_0, eps, t, s, history)
    length = variable.length(t, s, history)
    if s == 0 or length == 0:
        return x_s
    x_0_s = history.denoise(x_s, s)
    slope_t = variable.slope(x_0, eps, t, history)
    slope_s = variable.slope(x_0_s, to_eps(x_s, x_0_s, *history.level(s)), s, history)
    return torch.add(x_s, slope_s - slope_t, alpha=length / 2)
