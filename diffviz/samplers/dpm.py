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

import torch
from torch import Tensor

from diffviz.samplers.base import History, Sampler, Step, combine, noise_like, signal_ratio

__all__ = ["DPMpp2M", "DPMpp2MSDE"]


class DPMpp2M(Sampler):
    """DPM-Solver++(2M): second order at one evaluation a step; first and last are first order."""

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s."""
        x_0, eps = history.predict(x_t, t)
        alpha_s, sigma_s = history.level(s)
        x_s = combine(alpha_s, x_0, sigma_s, eps)
        ratio = signal_ratio(history.level(t), (alpha_s, sigma_s))
        return Step(_corrected(x_s, x_0, alpha_s * (1 - ratio), t, s, history), x_0, eps)


class DPMpp2MSDE(Sampler):
    """SDE-DPM-Solver++(2M): the same for the reverse SDE; its first-order step is DDPM's."""

    stochastic = True

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s; at s = 0 the mean is returned."""
        x_0, eps = history.predict(x_t, t)
        alpha_s, sigma_s = history.level(s)
        ratio = signal_ratio(history.level(t), (alpha_s, sigma_s))
        x_s = combine(alpha_s, x_0, sigma_s * ratio, eps)
        if s == 0:
            return Step(x_s, x_0, eps)
        x_s = _corrected(x_s, x_0, alpha_s * (1 - ratio**2), t, s, history)
        z = noise_like(x_t, generator)
        return Step(x_s.add_(z, alpha=sigma_s * math.sqrt(1 - ratio**2)), x_0, eps, z)


def _corrected(
    x_s: Tensor, x_0: Tensor, weight: float, t: float, s: float, history: History
) -> Tensor:
    """Add the second-order term, where there is a step before and s is not 0."""
    if history.previous is None or s == 0:
        return x_s
    before, x_0_before = history.previous
    past = _log_snr(before, history)
    if past == -math.inf:  # the step before came from pure noise: its length is infinite
        return x_s
    now = _log_snr(t, history)
    share = (_log_snr(s, history) - now) / (2 * (now - past))
    return torch.add(x_s, x_0 - x_0_before, alpha=weight * share)


def _log_snr(t: float, history: History) -> float:
    alpha, sigma = history.level(t)
    return 2 * (math.log(alpha) - math.log(sigma)) if alpha > 0 else -math.inf
