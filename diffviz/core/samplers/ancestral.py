r"""Samplers that draw from the posterior q(x_s | x_t, x_0), with the prediction in x_0's place."""

from __future__ import annotations

from typing import Annotated

from diffviz.core.history import History
from diffviz.core.knobs import Range
from diffviz.core.samplers.base import Coefficients, LinearSampler, line

_ETA = Range("how much fresh noise each step adds", 0.0, 1.0, 0.1)


class DDIM(LinearSampler):
    """x_s = alpha_s x_0 + sqrt(sigma_s^2 - std^2) eps + std z, std = eta std(q(x_s | x_t, x_0)).

    eta scales the standard deviation, linearly.  eta = 0 is the probability-flow ODE, eta = 1 the
    ancestral step of DDPM.

    Source: Song et al. 2021, "Denoising Diffusion Implicit Models", eq. 12 and 16.

    Args:
        eta: how much fresh noise each step adds, in [0, 1].
    """

    title = "DDIM"
    sentence = "Jump along the predicted line; eta sets how much fresh noise is added."

    def __init__(self, eta: Annotated[float, _ETA] = 0.0) -> None:
        if not 0 <= eta <= 1:
            raise ValueError(f"eta must lie in [0, 1], got {eta:g}")
        self.eta = eta
        self.stochastic = eta > 0

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return the line with eta."""
        return line(history.level(t), history.level(s), self.eta)


class EulerAncestral(DDIM):
    """An Euler step of the ODE to below s, then noise up to s.

    In x / alpha over sigma / alpha, where it is usually written, the step goes to sigma_down and
    adds sigma_up of noise, with sigma_up^2 = eta^2 sigma_s^2 (1 - sigma_s^2 / sigma_t^2) and
    sigma_down^2 = sigma_s^2 - sigma_up^2.  Put back into x this is DDIM's line; only the default,
    eta = 1, differs.
    """

    title = "Euler ancestral"
    sentence = "A step to less noise than asked for, then fresh noise up to it."

    def __init__(self, eta: Annotated[float, _ETA] = 1.0) -> None:
        super().__init__(eta)


class DDPM(LinearSampler):
    """The ancestral step: the posterior's mean plus its standard deviation times z.

    The mean is a x_0 + b x_t with a = alpha_s sigma_{t|s}^2 / sigma_t^2 and
    b = alpha_{t|s} sigma_s^2 / sigma_t^2, which is DDIM's line with eta = 1; the variance is the
    smaller of the two in the paper.

    Source: Ho et al. 2020, eq. 6 and 7; Kingma et al. 2021, eq. 25 to 27, for any path.
    """

    title = "DDPM (ancestral)"
    sentence = "Step back as the chain came, with fresh noise each time."
    stochastic = True

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return the line with as much fresh noise as the posterior has."""
        return line(history.level(t), history.level(s), eta=1.0)
