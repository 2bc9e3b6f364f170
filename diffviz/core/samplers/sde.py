r"""The reverse-time SDE and Langevin dynamics.

dx = [f x - g^2 score] dt + g dw_bar          Anderson 1982; Song et al. 2021, eq. 6
x <- x + e score + sqrt(2 e) z                Langevin: Song and Ermon 2019, eq. 4
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from diffviz.core.history import History
from diffviz.core.knobs import Range
from diffviz.core.noising import combine
from diffviz.core.samplers.ancestral import DDPM
from diffviz.core.samplers.base import Coefficients, LinearSampler, Sampler, Step, line


class EulerMaruyama(LinearSampler):
    """The reverse SDE by steps of t: x_s = x_t - (t - s)(f x_t - g^2 score) + g sqrt(t - s) z.

    Where alpha_t = 0 the SDE's coefficients are infinite; that step is the ancestral one, which is
    the SDE's exact solution for a fixed x_0.

    Source: Song et al. 2021, section 4.1 and appendix E.
    """

    title = "Euler-Maruyama (SDE)"
    sentence = "Small steps of the reverse SDE, with noise."
    stochastic = True

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return the step along the drift and the score; at s = 0 its mean."""
        f, g2 = history.table(history.schedule.drift_diffusion)[t]
        if not math.isfinite(f):
            return line(history.level(t), history.level(s), eta=1.0)
        span = t - s
        fresh = math.sqrt(g2 * span) if s > 0 else 0.0
        return Coefficients(1 - span * f, 0.0, -span * g2 / history.level(t)[1], fresh)


class PredictorCorrector(DDPM):
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

    title = "Predictor-corrector"
    sentence = "A reverse step, then a Langevin step that mends its error."
    rests = (("c", "what the Langevin corrections move"),)

    def __init__(
        self,
        snr: Annotated[float, Range("size of a corrector's step", 0.0, 1.0, 0.02)] = 0.16,
        corrections: Annotated[int, Range("corrector's steps at each stop", 0, 10, 1, 0)] = 1,
    ) -> None:
        if snr < 0 or corrections < 0:
            raise ValueError("snr and corrections must be at least 0")
        self.snr, self.corrections = snr, corrections
        self.evaluations_a_step = 1 + corrections

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return the prediction and, above s = 0, its corrections."""
        on = float(s > 0 and self.corrections > 0)
        return super().coefficients(t, s, history)._replace(rest=(on,))

    def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
        """Go from t to s, then correct at s; at s = 0 there is nothing to correct."""
        step = super().step(x_t, t, s, history)
        x_s = step.x_s
        for _ in range(self.corrections if s > 0 else 0):
            _, eps = history.predict(x_s, s)
            x_s = _langevin(x_s, eps, self.snr**2, history.level(s)[1], history.fresh(x_s))
        return step._replace(x_s=x_s)


class AnnealedLangevin(Sampler):
    """Langevin dynamics at each level of the grid in turn, with no prediction between levels.

    Step size e = step_size sigma_t^2.  The last level is followed by a denoising step.

    Source: Song and Ermon 2019, algorithm 1; Song and Ermon 2020 for the last denoising.

    Args:
        inner: Langevin steps a level, one evaluation each.
        step_size: e / sigma^2, in (0, 1).
    """

    title = "Annealed Langevin"
    sentence = "Noisy steps uphill in density, at lower and lower noise."
    rests = (
        ("eps^", "predicted noise, mean over the small steps"),
        ("D", "what the denoiser makes of the sample in the end"),
    )
    stochastic = True

    def __init__(
        self,
        inner: Annotated[int, Range("Langevin steps at each stop", 1, 50, 1, 0)] = 5,
        step_size: Annotated[
            float, Range("size of each, between 0 and 1", 0.01, 0.99, 0.05)
        ] = 0.15,
    ) -> None:
        if inner < 1 or not 0 < step_size < 1:
            raise ValueError("inner must be at least 1 and step_size between 0 and 1")
        self.inner, self.step_size = inner, step_size
        self.evaluations_a_step = inner

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return the sum of the small steps; at s = 0 what the denoiser makes of it."""
        if s == 0:
            return Coefficients(rest=(0.0, 1.0))
        sigma, far = history.level(t)[1], self.inner * self.step_size
        return Coefficients(1.0, z=math.sqrt(2 * far) * sigma, rest=(-far * sigma,))

    def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
        """Mix at level t; the samples are handed on to s as they are, or denoised if s = 0."""
        x_0, eps_t = history.predict(x_t, t)
        sigma, total = history.level(t)[1], torch.zeros_like(x_t)
        x, eps = x_t, eps_t
        for k in range(self.inner):
            if k:
                _, eps = history.predict(x, t)
            z = history.fresh(x)
            total += z
            x = _langevin(x, eps, self.step_size, sigma, z)
        x_s = history.denoise(x, t) if s == 0 else x
        return Step(x_s, x_0, eps_t, total / math.sqrt(self.inner))


def _langevin(x: Tensor, eps: Tensor, size: float, sigma: float, z: Tensor) -> Tensor:
    """Return x + e score + sqrt(2 e) z with e = size sigma^2 and score = -eps / sigma."""
    return combine((1.0, x), (-size * sigma, eps), (math.sqrt(2 * size) * sigma, z))
