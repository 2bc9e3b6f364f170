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
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from diffviz.core.history import History
from diffviz.core.knobs import Range
from diffviz.core.parametrizations import to_eps
from diffviz.core.samplers.base import Coefficients, LinearSampler, Step, line

_NOTHING = 1e-12  # alpha / sigma below this is pure noise to an ODE solver


class Variable(ABC):
    """What an ODE solver integrates in: the slope there, and steps along it.

    Attributes:
        title: its name in a menu.
        sentence: what is integrated, in one sentence.
        over: its symbol, in words.
    """

    title: ClassVar[str]
    sentence: ClassVar[str]
    over: ClassVar[str]

    @abstractmethod
    def slope(self, t: float, history: History) -> tuple[float, float]:
        """Return a and b of the solution's slope a x_0 + b eps at t."""

    @abstractmethod
    def length(self, t: float, s: float, history: History) -> float:
        """Return how far x_s moves for one unit of slope; 0 where only Euler's step is defined."""

    @abstractmethod
    def euler(self, t: float, s: float, history: History) -> Coefficients:
        """Return x_s along the slope at t."""


class InRatio(Variable):
    """x / alpha over sigma / alpha: EDM's variables, and the field's usual choice.

    Written without dividing x by alpha, x_s = alpha_s x_0 + sigma_s eps.  From alpha_t = 0, where
    the ratio is infinite, or so near it that x_t holds nothing of x_0 but rounding, only this Euler
    step is defined, and Heun takes it.
    """

    title = "sigma / alpha (EDM)"
    sentence = "Always x / alpha over sigma / alpha."
    over = "sigma / alpha"

    def slope(self, t: float, history: History) -> tuple[float, float]:
        """Return the slope eps."""
        return 0.0, 1.0

    def length(self, t: float, s: float, history: History) -> float:
        """Return alpha_s (sigma_s / alpha_s - sigma_t / alpha_t), or 0 from alpha_t of about 0."""
        (alpha_t, sigma_t), (alpha_s, sigma_s) = history.level(t), history.level(s)
        return sigma_s - alpha_s * sigma_t / alpha_t if alpha_t > _NOTHING * sigma_t else 0.0

    def euler(self, t: float, s: float, history: History) -> Coefficients:
        """Return alpha_s x_0 + sigma_s eps."""
        return line(history.level(t), history.level(s))


class InTime(Variable):
    """x over the schedule's own t."""

    title = "Time t"
    sentence = "Always x over the schedule's own t."
    over = "the time t"

    def slope(self, t: float, history: History) -> tuple[float, float]:
        """Return the slope alpha' x_0 + sigma' eps."""
        return history.once(_slopes)[t]

    def length(self, t: float, s: float, history: History) -> float:
        """Return s - t."""
        return s - t

    def euler(self, t: float, s: float, history: History) -> Coefficients:
        """Return x_t + (s - t) (alpha' x_0 + sigma' eps)."""
        d_alpha, d_sigma = self.slope(t, history)
        return Coefficients(1.0, (s - t) * d_alpha, (s - t) * d_sigma)


VARIABLES: dict[str, Variable] = {"ratio": InRatio(), "time": InTime()}


class Euler(LinearSampler):
    """First order.

    By default it integrates in the ratio, but in time along a flow from pure noise: a path that
    starts at alpha = 0 and whose slope stays finite down to the data, as rectified flow's does.  On
    a path whose sigma' grows without bound there (a chain of noisings, sigma about sqrt(t)) steps
    in time overshoot.

    Args:
        variable: ``InRatio()`` or ``InTime()``, None for the default.
    """

    title = "Euler (ODE)"
    sentence = "Follow the flow's direction in straight steps, without noise."

    def __init__(self, variable: Variable | None = None) -> None:
        self.variable = variable

    def variable_of(self, history: History) -> Variable:
        """Return the variable that a run integrates in."""
        return self.variable or history.once(_usual)

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return x_s along the slope at t."""
        return self.variable_of(history).euler(t, s, history)

    def said(self, history: History) -> str:
        """Return the sentence and the variable of this run."""
        return f"{self.sentence} Here over {self.variable_of(history).over}."


class Heun(Euler):
    """Second order: the mean of the slopes at both ends, two evaluations a step.

    The last step, to sigma = 0, where eps is not defined, is Euler's.

    Source: Karras et al. 2022, algorithm 1.
    """

    title = "Heun (ODE)"
    sentence = "Look ahead, average the two directions: two evaluations a step."
    rests = (("Δd", "slope at the far end minus slope here"),)
    order = 2
    evaluations_a_step = 2

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return Euler's step and half the change of the slope."""
        half = self._half(t, s, history)
        return super().coefficients(t, s, history)._replace(rest=(half,))

    def _half(self, t: float, s: float, history: History) -> float:
        return self.variable_of(history).length(t, s, history) / 2 if s > 0 else 0.0

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s along the mean slope."""
        step = super().step(x_t, t, s, history, generator)
        half = self._half(t, s, history)
        if half == 0:
            return step
        variable, x_s = self.variable_of(history), step.x_s
        x_0 = history.denoise(x_s, s)
        eps = to_eps(x_s, x_0, *history.level(s))
        (a_t, b_t), (a_s, b_s) = variable.slope(t, history), variable.slope(s, history)
        x_s = torch.add(x_s, eps, alpha=half * b_s).sub_(step.eps, alpha=half * b_t)
        if a_s or a_t:
            x_s.add_(x_0, alpha=half * a_s).sub_(step.x_0, alpha=half * a_t)
        return step._replace(x_s=x_s)


class EDMStochastic(Heun):
    """Heun's step after raising the noise level a little with fresh noise ("churn").

    At noise level sigma / alpha the level is first raised by the factor 1 + gamma, with
    gamma = min(churn / steps, sqrt(2) - 1), though never beyond that of t = 1.  A state is recorded
    at the raised level, where the denoiser is asked.

    Source: Karras et al. 2022, algorithm 2, for any path through x / alpha.

    Args:
        churn: S_churn, the total amount of fresh noise; 0 is Heun.
        s_min: S_min, the least sigma / alpha to churn at.
        s_max: S_max, the greatest.
        s_noise: S_noise, the standard deviation of the fresh noise.
    """

    title = "EDM stochastic"
    sentence = "Heun's steps; churn adds a little noise before each and removes it."

    def __init__(
        self,
        churn: Annotated[float, Range("noise added and removed in all", 0, 200, 5, 1)] = 10.0,
        s_min: float = 0.0,
        s_max: float = math.inf,
        s_noise: float = 1.0,
    ) -> None:
        if churn < 0 or s_min < 0 or s_noise < 0 or s_max < s_min:
            raise ValueError(
                "churn, s_min and s_noise must be at least 0, and s_max at least s_min"
            )
        super().__init__(InRatio())
        self.churn, self.s_min, self.s_max, self.s_noise = churn, s_min, s_max, s_noise
        self.stochastic = self.churns = churn > 0

    def churned(self, t: float, history: History) -> tuple[float, float, float]:
        """Return the raised time, and what of x_t and of fresh noise goes there."""
        t_hat = history.once(self._raised)[t]
        (alpha, sigma), (alpha_hat, sigma_hat) = history.level(t), history.level(t_hat)
        if t_hat == t:
            return t, 1.0, 0.0
        keep = alpha_hat / alpha
        added = math.sqrt(max(sigma_hat**2 - (keep * sigma) ** 2, 0.0))
        return t_hat, keep, self.s_noise * added

    def _raised(self, history: History) -> dict[float, float]:
        """Return t -> t_hat for the whole grid."""
        times = torch.tensor(history.grid[:-1], dtype=torch.float64)
        log_snr = history.schedule.log_snr(times)
        ratio = (-log_snr / 2).exp()
        gamma = min(self.churn / len(times), math.sqrt(2) - 1)
        churned = (ratio >= self.s_min) & (ratio <= self.s_max) & ratio.isfinite()
        noisier = history.schedule.t_at_log_snr(log_snr - 2 * math.log1p(gamma))
        t_hat = torch.where(churned & (gamma > 0), noisier.maximum(times), times)
        return dict(zip(history.grid[:-1], t_hat.tolist(), strict=True))


def _slopes(history: History) -> dict[float, tuple[float, float]]:
    return history.table(history.schedule.derivatives)


def _usual(history: History) -> Variable:
    """Return the variable that is integrated in by default: see ``Euler``."""
    from_noise = history.level(history.grid[0])[0] == 0
    flows = from_noise and math.isfinite(history.schedule.derivatives(0.0)[1].item())
    return VARIABLES["time" if flows else "ratio"]
