r"""The reverse-time SDE and Langevin dynamics.

dx = [f x - g^2 score] dt + g dw_bar          Anderson 1982; Song et al. 2021, eq. 6
x <- x + e score + sqrt(2 e) z                Langevin: Song and Ermon 2019, eq. 4
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from diffviz.samplers.ancestral import DDPM
from diffviz.samplers.base import History, Sampler, Step, combine, noise_like

__all__ = ["AnnealedLangevin", "EulerMaruyama", "PredictorCorrector"]


class EulerMaruyama(Sampler):
    """The reverse SDE by steps of t: x_s = x_t - (t - s)(f x_t - g^2 score) + g sqrt(t - s) z.

    Where alpha_t = 0 the SDE's coefficients are infinite; that step is the ancestral one, which is
    the SDE's exact solution for a fixed x_0.

    Source: Song et al. 2021, section 4.1 and appendix E.
    """

    stochastic = True

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s; at s = 0 the mean is returned."""
        f, g2 = self._coefficients(t, history)
        if not math.isfinite(f):
            return DDPM().step(x_t, t, s, history, generator)
        x_0, eps = history.predict(x_t, t)
        sigma_t = history.level(t)[1]
        mean = combine(1 - (t - s) * f, x_t, -(t - s) * g2 / sigma_t, eps)
        if s == 0:
            return Step(mean, x_0, eps)
        z = noise_like(x_t, generator)
        return Step(mean.add_(z, alpha=math.sqrt(g2 * (t - s))), x_0, eps, z)

    @staticmethod
    def _coefficients(t: float, history: History) -> tuple[float, float]:
        f, g2 = history.schedule.drift_diffusion(t)
        return f.item(), g2.item()


class PredictorCorrector(Sampler):
    """An ancestral step, then Langevin steps at the level it reached.

    Song et al. take the corrector's step size from the batch's mean norms, e = (r |z| / |score|)^2.
    Here the norms are their expectations, sqrt(D) and sqrt(D) / sigma, so e = (r sigma)^2: the same
    in many dimensions, and in few it neither ties a sample's path to its batch nor, as each
    sample's own norms would, slows it where the score is large and so widens what comes out.

    Source: Song et al. 2021, algorithms 1 to 5.

    Args:
        snr: r, the signal-to-noise ratio of a Langevin step.
        corrections: Langevin steps a level.
    """

    stochastic = True

    def __init__(self, snr: float = 0.16, corrections: int = 1) -> None:
        if snr < 0 or corrections < 0:
            raise ValueError("snr and corrections must be at least 0")
        self.snr, self.corrections = snr, corrections
        self._predictor = DDPM()

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s, then correct at s; at s = 0 there is nothing to correct."""
        step = self._predictor.step(x_t, t, s, history, generator)
        if s == 0:
            return step
        x_s = step.x_s
        for _ in range(self.corrections):
            x_s = self._correct(x_s, s, history, generator)
        return step._replace(x_s=x_s)

    def _correct(
        self, x: Tensor, s: float, history: History, generator: torch.Generator | None
    ) -> Tensor:
        _, eps = history.predict(x, s)
        sigma = history.level(s)[1]
        x = combine(1, x, -(self.snr**2) * sigma, eps)
        return x.add_(noise_like(x, generator), alpha=math.sqrt(2) * self.snr * sigma)


class AnnealedLangevin(Sampler):
    """Langevin dynamics at each level of the grid in turn, with no prediction between levels.

    Step size e = step_size sigma_t^2.  The last level is followed by a denoising step.

    Source: Song and Ermon 2019, algorithm 1; Song and Ermon 2020 for the last denoising.

    Args:
        inner: Langevin steps a level, one evaluation each.
        step_size: e / sigma^2, in (0, 1).
    """

    stochastic = True

    def __init__(self, inner: int = 5, step_size: float = 0.15) -> None:
        if inner < 1 or not 0 < step_size < 1:
            raise ValueError("inner must be at least 1 and step_size between 0 and 1")
        self.inner, self.step_size = inner, step_size

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Mix at level t; the samples are handed on to s as they are, or denoised if s = 0."""
        sigma = history.level(t)[1]
        x_0, eps_t = history.predict(x_t, t)
        total = torch.zeros_like(x_t)
        x, eps = x_t, eps_t
        for k in range(self.inner):
            if k:
                _, eps = history.predict(x, t)
            z = noise_like(x, generator)
            total += z
            x = combine(1, x, -self.step_size * sigma, eps)
            x = x.add_(z, alpha=math.sqrt(2 * self.step_size) * sigma)
        x_s = history.denoise(x, t) if s == 0 else x
        return Step(x_s, x_0, eps_t, total / math.sqrt(self.inner))
