"""The probability-flow ODE by Euler and Heun, and Karras et al.'s sampler with churn.

What the solvers integrate in is a choice: see ``diffviz.core.variables``.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from diffviz.core.history import History
from diffviz.core.knobs import Range
from diffviz.core.samplers.base import Coefficients, LinearSampler, Step
from diffviz.core.variables import InRatio, Variable, usual


class Euler(LinearSampler):
    """First order.

    Args:
        variable: ``InRatio()`` or ``InTime()``; by default what is ``usual`` on the path.
    """

    title = "Euler (ODE)"
    sentence = "Follow the flow's direction in straight steps, without noise."

    def __init__(self, variable: Variable | None = None) -> None:
        self.variable = variable

    def variable_of(self, history: History) -> Variable:
        """Return the variable that a run integrates in."""
        return self.variable or history.once(usual)

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return x_s along the slope at t."""
        return Coefficients(*self.variable_of(history).euler(t, s, history))

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

    def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
        """Go from t to s along the mean slope."""
        step = super().step(x_t, t, s, history)
        half = self._half(t, s, history)
        if half == 0:
            return step
        variable, x_s = self.variable_of(history), step.x_s
        x_0, eps = history.predict(x_s, s)
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
