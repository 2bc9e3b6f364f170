r"""What an ODE solver integrates in.

The probability-flow ODE has one solution, but a solver's steps depend on the variable that they are
taken in:

    InRatio   d(x / alpha) / d(sigma / alpha) = eps            Song et al. 2021 (DDIM), eq. 14;
                                                               Karras et al. 2022, eq. 1
    InTime    dx / dt = alpha' x_0 + sigma' eps                Song et al. 2021, eq. 13

In the ratio Euler's step is DDIM with eta = 0, whatever the schedule.  In time it depends on the
schedule, and for rectified flow it is the usual Euler step of flow matching.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from diffviz.core.history import History

__all__ = ["VARIABLES", "InRatio", "InTime", "Variable", "usual"]

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
    def euler(self, t: float, s: float, history: History) -> tuple[float, float, float]:
        """Return what x_s is along the slope at t: coefficients of x_t, x_0 and eps."""


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

    def euler(self, t: float, s: float, history: History) -> tuple[float, float, float]:
        """Return alpha_s x_0 + sigma_s eps."""
        return 0.0, *history.level(s)


class InTime(Variable):
    """x over the schedule's own t."""

    title = "Time t"
    sentence = "Always x over the schedule's own t."
    over = "the time t"

    def slope(self, t: float, history: History) -> tuple[float, float]:
        """Return the slope alpha' x_0 + sigma' eps."""
        return history.table(history.schedule.derivatives)[t]

    def length(self, t: float, s: float, history: History) -> float:
        """Return s - t."""
        return s - t

    def euler(self, t: float, s: float, history: History) -> tuple[float, float, float]:
        """Return x_t + (s - t) (alpha' x_0 + sigma' eps)."""
        d_alpha, d_sigma = self.slope(t, history)
        return 1.0, (s - t) * d_alpha, (s - t) * d_sigma


VARIABLES: dict[str, Variable] = {"ratio": InRatio(), "time": InTime()}


def usual(history: History) -> Variable:
    """Return the variable that a run is integrated in by default.

    That is the ratio, but time along a flow from pure noise: a path that starts at alpha = 0 and
    whose slope stays finite down to the data, as rectified flow's does.  On a path whose sigma'
    grows without bound there (a chain of noisings, sigma about sqrt(t)) steps in time overshoot.
    """
    from_noise = history.level(history.grid[0])[0] == 0
    flows = from_noise and math.isfinite(history.schedule.derivatives(0.0)[1].item())
    return VARIABLES["time" if flows else "ratio"]
