r"""The negative log-likelihood of data under a denoiser, by the probability-flow ODE.

A flow dz/dphi = v(z, phi) carries a density along with it (Chen et al. 2018, eq. 8):

    log p_0(z_0) = log p_1(z_1) + integral div v(z, phi) dphi.

Song et al. 2021 (appendix D.2) apply this to the probability-flow ODE.  Here every path is first
brought to the unit circle, on which the ODE has no singular end (Salimans and Ho 2022, appendix D):

    r = sqrt(alpha^2 + sigma^2),  z = x_t / r,  phi = atan(sigma / alpha) in [0, pi / 2],
    dz/dphi = v = cos(phi) eps - sin(phi) x_0 = (cos(phi) z - x_0) / sin(phi),
    div v = (D cos(phi) - r tr(d x_0 / d x_t)) / sin(phi).

The trace is exact: D backward passes, one for each coordinate, so this is for few dimensions.  phi
is cut into geometric steps, since data of width w turns into noise around phi = w, and each step is
one of the classical Runge-Kutta method.  At phi = 0, where v = 0 because eps = -sigma score, the
network is not asked: the stretch up to the path's ``t_min`` is one trapezium.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Exact, Wrapper
from diffviz.core.schedules import Schedule

__all__ = ["Likelihood", "likelihood"]


class Likelihood(NamedTuple):
    """How likely points are under a denoiser.

    Attributes:
        nats: (N,) negative log-likelihoods, -log p_0(x_0).
        noise: (N, D) where the ODE takes each point, over the standard deviation of the noise:
            N(0, I) if the denoiser is good.
    """

    nats: Tensor
    noise: Tensor

    @property
    def bits_per_dim(self) -> Tensor:
        """(N,) the same in bits for each coordinate: nats / (D log 2)."""
        return self.nats / (self.noise.shape[1] * math.log(2))


def likelihood(
    denoiser: Denoiser, schedule: Schedule, x_0: Tensor, steps: int = 64, **cond: Any
) -> Likelihood:
    """Return the negative log-likelihood of each point.

    The noise at t = 1 is N(0, (alpha_1^2 + sigma_1^2) I), what samplers start from.

    Args:
        denoiser: one that autograd can follow, such as a network or the exact denoiser of a
            ``GaussianMixture``.
        schedule: the path that the denoiser is for.
        x_0: (N, D) points; float64 keeps more digits.
        steps: Runge-Kutta steps, four evaluations each.
        **cond: what to condition on, such as ``label``.

    Raises:
        ValueError: if the points are not (N, D), steps is below 1, autograd cannot follow the
            denoiser, or it is exact for a distribution that has no density, such as ``Empirical``.
    """
    if x_0.ndim != 2 or len(x_0) == 0:
        raise ValueError(f"a likelihood is of points (N, D), got shape {tuple(x_0.shape)}")
    if steps < 1:
        raise ValueError(f"the ODE needs at least 1 step, got {steps}")
    _check_density(denoiser, x_0)
    flow = _Flow(denoiser, schedule, cond)
    phi, t = _stops(schedule, steps)
    first = flow(x_0, phi[0], t[0])  # a guess of v where the trapezium ends
    z = x_0 + phi[0] / 2 * first[0]
    v, div = flow(z, phi[0], t[0])
    z, log_det = x_0 + phi[0] / 2 * v, phi[0] / 2 * div
    for k in range(0, 2 * steps, 2):
        z, gained = _runge_kutta(flow, z, phi[k : k + 3], t[k : k + 3])
        log_det = log_det + gained
    log_prior = -(z**2).sum(1) / 2 - z.shape[1] / 2 * math.log(2 * math.pi)
    return Likelihood(-(log_prior + log_det), z)


def _check_density(denoiser: Denoiser, x_0: Tensor) -> None:
    while isinstance(denoiser, Wrapper):
        denoiser = denoiser.denoiser
    if isinstance(denoiser, Exact):
        denoiser.distribution.log_prob(x_0[:1])  # says why, where there is none


class _Flow:
    """v and its divergence at (z, phi)."""

    def __init__(self, denoiser: Denoiser, schedule: Schedule, cond: dict[str, Any]) -> None:
        self.denoiser, self.schedule, self.cond = denoiser, schedule, cond

    def __call__(self, z: Tensor, phi: float, t: float) -> tuple[Tensor, Tensor]:
        """Return v (N, D) and div v (N,)."""
        r = self.schedule.prior_std(t)
        with torch.enable_grad():
            x_t = (r * z).detach().requires_grad_()
            x_0 = self.denoiser(x_t, t, **self.cond)
            trace = _trace(x_0, x_t)
        sin, cos = math.sin(phi), math.cos(phi)
        return (cos * z - x_0.detach()) / sin, (cos * z.shape[1] - r * trace) / sin


def _trace(y: Tensor, x: Tensor) -> Tensor:
    """(N,): the trace of dy/dx for rows that do not see each other."""
    total = torch.zeros_like(x[:, 0])
    try:
        for d in range(x.shape[1]):
            (row,) = torch.autograd.grad(y[:, d].sum(), x, retain_graph=True)
            total = total + row[:, d]
    except RuntimeError as error:  # no graph, or one that was written over
        raise ValueError(
            "this denoiser cannot be differentiated, so its divergence is not known: use a network "
            "or the exact denoiser of a Gaussian mixture"
        ) from error
    return total


def _stops(schedule: Schedule, steps: int) -> tuple[list[float], list[float]]:
    """The 2 steps + 1 angles and times of the ends and middles of the steps."""
    first, last = (math.log(_angle(schedule, t)) for t in (schedule.t_min, 1.0))
    log_phi = torch.linspace(first, last, steps + 1, dtype=torch.float64)
    phi = torch.empty(2 * steps + 1, dtype=torch.float64)
    phi[::2] = log_phi.exp()
    phi[1::2] = (phi[:-1:2] + phi[2::2]) / 2
    t = schedule.t_at_log_snr(-2 * phi.tan().log())
    t[0], t[-1] = schedule.t_min, 1.0
    return phi.tolist(), t.tolist()


def _angle(schedule: Schedule, t: float) -> float:
    alpha, sigma = schedule.at(t)
    return math.atan2(sigma, alpha)


def _runge_kutta(flow: _Flow, z: Tensor, phi: list[float], t: list[float]) -> tuple[Tensor, Tensor]:
    """One classical step over (start, middle, end); returns the new z and the integral of div."""
    h = phi[2] - phi[0]
    v_1, d_1 = flow(z, phi[0], t[0])
    v_2, d_2 = flow(z + h / 2 * v_1, phi[1], t[1])
    v_3, d_3 = flow(z + h / 2 * v_2, phi[1], t[1])
    v_4, d_4 = flow(z + h * v_3, phi[2], t[2])
    return (
        z + h / 6 * (v_1 + 2 * v_2 + 2 * v_3 + v_4),
        h / 6 * (d_1 + 2 * d_2 + 2 * d_3 + d_4),
    )
