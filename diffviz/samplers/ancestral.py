r"""Samplers that draw from the posterior q(x_s | x_t, x_0), with the prediction in x_0's place."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from diffviz.samplers.base import History, Sampler, Step, combine, noise_like, posterior_std

__all__ = ["DDIM", "DDPM", "EulerAncestral"]


class DDIM(Sampler):
    """x_s = alpha_s x_0 + sqrt(sigma_s^2 - std^2) eps + std z, std = eta std(q(x_s | x_t, x_0)).

    eta scales the standard deviation, linearly.  eta = 0 is the probability-flow ODE, eta = 1 the
    ancestral step of DDPM.

    Source: Song et al. 2021, "Denoising Diffusion Implicit Models", eq. 12 and 16.

    Args:
        eta: how much fresh noise each step adds, in [0, 1].
    """

    def __init__(self, eta: float = 0.0) -> None:
        if not 0 <= eta <= 1:
            raise ValueError(f"eta must lie in [0, 1], got {eta:g}")
        self.eta = eta
        self.stochastic = eta > 0

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s; at s = 0 no noise is added."""
        x_0, eps = history.predict(x_t, t)
        alpha_s, sigma_s = history.level(s)
        if self.eta == 0 or s == 0:
            return Step(combine(alpha_s, x_0, sigma_s, eps), x_0, eps)
        std = self.eta * posterior_std(history.level(t), (alpha_s, sigma_s))
        z = noise_like(x_t, generator)
        mean = combine(alpha_s, x_0, math.sqrt(sigma_s**2 - std**2), eps)
        return Step(mean.add_(z, alpha=std), x_0, eps, z)


class EulerAncestral(DDIM):
    """An Euler step of the ODE to below s, then noise up to s.

    In x / alpha over sigma / alpha, where it is usually written, the step goes to sigma_down and
    adds sigma_up of noise, with sigma_up^2 = eta^2 sigma_s^2 (1 - sigma_s^2 / sigma_t^2) and
    sigma_down^2 = sigma_s^2 - sigma_up^2.  Put back into x this is DDIM's line; only the default,
    eta = 1, differs.
    """

    def __init__(self, eta: float = 1.0) -> None:
        super().__init__(eta)


class DDPM(Sampler):
    """The ancestral step: the posterior's mean plus its standard deviation times z.

    The mean is a x_0 + b x_t with a = alpha_s sigma_{t|s}^2 / sigma_t^2 and
    b = alpha_{t|s} sigma_s^2 / sigma_t^2; the variance is the smaller of the two in the paper.

    Source: Ho et al. 2020, eq. 6 and 7; Kingma et al. 2021, eq. 25 to 27, for any path.
    """

    stochastic = True

    def step(
        self, x_t: Tensor, t: float, s: float, history: History, generator: torch.Generator | None
    ) -> Step:
        """Go from t to s; at s = 0 the mean is returned."""
        x_0, eps = history.predict(x_t, t)
        level_t, level_s = history.level(t), history.level(s)
        (alpha_t, sigma_t), (alpha_s, sigma_s) = level_t, level_s
        alpha_ts = alpha_t / alpha_s
        variance_ts = sigma_t**2 - (alpha_ts * sigma_s) ** 2
        a, b = alpha_s * variance_ts / sigma_t**2, alpha_ts * sigma_s**2 / sigma_t**2
        mean = combine(a, x_0, b, x_t)
        if s == 0:
            return Step(mean, x_0, eps)
        z = noise_like(x_t, generator)
        return Step(mean.add_(z, alpha=posterior_std(level_t, level_s)), x_0, eps, z)
