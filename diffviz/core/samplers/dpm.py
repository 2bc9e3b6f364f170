r"""DPM-Solver++: exponential integrators in the log-SNR, with x_0 as the integrand.

With h = (lambda_s - lambda_t) / 2 in this package's lambda = log SNR, so that
e^{-h} = sqrt(SNR_t / SNR_s), the first-order step is DDIM's.  The multistep method
adds a correction along x_0 - x_0', the change of the prediction since the step before, whose own
length was h':

    ODE   + alpha_s (1 - e^{-h})  h / (2 h') (x_0 - x_0')
    SDE   + alpha_s (1 - e^{-2h}) h / (2 h') (x_0 - x_0')

Source: Lu et al. 2022, "DPM-Solver++", algorithm 2 and appendix B (midpoint form).
"""

from __future__ import annotations

import math

from diffviz.core.history import History
from diffviz.core.samplers.base import Coefficients, LinearSampler, line, signal_ratio


class DPMpp2M(LinearSampler):
    """DPM-Solver++(2M): second order at one evaluation a step; first and last are first order."""

    title = short = "DPM-Solver++ (2M)"
    sentence = "Two-step extrapolation: accurate with few steps."
    order = 2
    memory = 1

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return the line, and the second-order term where two steps of finite length allow it."""
        level_t, level_s = history.level(t), history.level(s)
        first = line(level_t, level_s, eta=float(self.stochastic))
        before = signal_ratio(history.level(history.past[-1].t), level_t) if history.past else 0.0
        if before == 0 or s == 0:  # a step from pure noise has infinite length
            return first
        decay = signal_ratio(level_t, level_s)
        share = math.log(decay) / (2 * math.log(before))
        gone = 1 - (decay**2 if self.stochastic else decay)
        return first._replace(change=(level_s[0] * gone * share,))


class DPMpp2MSDE(DPMpp2M):
    """SDE-DPM-Solver++(2M): the same for the reverse SDE; its first-order step is DDPM's."""

    title = short = "DPM-Solver++ (2M SDE)"
    sentence = "The same extrapolation as without noise, and fresh noise beside it."
    stochastic = True
