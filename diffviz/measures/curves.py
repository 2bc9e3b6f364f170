r"""The quantities in which papers draw a noise schedule, each as numbers over time.

A path (alpha_t, sigma_t) at fixed times is a Gaussian chain: from s to t > s,

    x_t = r x_s + sqrt(beta) z,    r = alpha_t / alpha_s,    beta = sigma_t^2 - r^2 sigma_s^2,

and given x_0 and x_t the earlier x_s has variance beta~ = beta sigma_s^2 / sigma_t^2 (Kingma et al.
2021, "Variational Diffusion Models", appendix A).  For a chain of DDPM these are the paper's own
beta_k and beta~_k (Ho et al. 2020, eq. 4 and 7).  A continuous path has no steps of its own: it is
cut into 1,000 equal ones, which is where published discrete schedules stand.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffviz.core.schedules import DiscreteVP, Schedule

__all__ = ["CONTINUOUS_STEPS", "QUANTITIES", "Chain", "Quantity", "chain", "curve"]

CONTINUOUS_STEPS = 1000
"""The number of equal noisings that a continuous path is cut into."""


@dataclass(frozen=True)
class Quantity:
    """One way to draw a schedule.

    Attributes:
        name: key in ``QUANTITIES``, and the word in URLs.
        label: short name.
        axis: what stands at the axis: name and meaning.
        log: whether the axis is best read logarithmically.
        per_step: whether it belongs to a noising rather than to a time.
        parts: the columns of ``Chain`` that are drawn, one or two.
    """

    name: str
    label: str
    axis: str
    log: bool
    per_step: bool
    parts: tuple[str, ...]


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity(
            "alpha_bar",
            "alpha-bar",
            "alpha-bar = alpha², the data's power that is left",
            log=False,
            per_step=False,
            parts=("alpha_bar",),
        ),
        Quantity(
            "alpha_sigma",
            "alpha, sigma",
            "alpha (thick: data) and sigma (thin: noise)",
            log=False,
            per_step=False,
            parts=("alpha", "sigma"),
        ),
        Quantity(
            "snr",
            "SNR",
            "signal-to-noise ratio, alpha² / sigma²",
            log=True,
            per_step=False,
            parts=("snr",),
        ),
        Quantity(
            "log_snr",
            "log-SNR",
            "log-SNR, natural logarithm of alpha² / sigma²",
            log=False,
            per_step=False,
            parts=("log_snr",),
        ),
        Quantity(
            "beta",
            "beta",
            "beta, variance of the noise added by one step",
            log=True,
            per_step=True,
            parts=("beta",),
        ),
        Quantity(
            "posterior_variance",
            "posterior variance",
            "posterior variance of x at one step earlier",
            log=True,
            per_step=True,
            parts=("posterior_variance",),
        ),
    )
}
"""Every quantity by its name."""


@dataclass(frozen=True)
class Chain:
    """A schedule as N noisings: entry k - 1 of each column is about the k-th, which ends at k / N.

    Attributes:
        t: (N,) times k / N, float64 like the rest.
        alpha: (N,) factor of the data.
        sigma: (N,) standard deviation of the noise.
        alpha_bar: (N,) alpha^2.
        snr: (N,) alpha^2 / sigma^2.
        log_snr: (N,) its natural logarithm, -inf where alpha is 0.
        beta: (N,) variance of the noise that the k-th noising adds.
        posterior_variance: (N,) variance of x_{k-1} given x_k and x_0; 0 for k = 1.
    """

    t: Tensor
    alpha: Tensor
    sigma: Tensor
    alpha_bar: Tensor
    snr: Tensor
    log_snr: Tensor
    beta: Tensor
    posterior_variance: Tensor


def chain(schedule: Schedule) -> Chain:
    """Return the schedule's T noisings, or ``CONTINUOUS_STEPS`` equal ones of a continuous path."""
    n = schedule.T if isinstance(schedule, DiscreteVP) else CONTINUOUS_STEPS
    t = torch.arange(n + 1, dtype=torch.float64) / n
    alpha, sigma = schedule(t)
    if isinstance(schedule, DiscreteVP):
        beta, posterior = schedule.betas, schedule.posterior_variance
    else:
        beta = _added(alpha, sigma)
        posterior = beta * sigma[:-1] ** 2 / sigma[1:] ** 2
    alpha, sigma, t = alpha[1:], sigma[1:], t[1:]
    return Chain(
        t=t,
        alpha=alpha,
        sigma=sigma,
        alpha_bar=alpha**2,
        snr=(alpha / sigma) ** 2,
        log_snr=schedule.log_snr(t),
        beta=beta,
        posterior_variance=posterior,
    )


def _added(alpha: Tensor, sigma: Tensor) -> Tensor:
    """(N,) variances of the noise added between neighbours of (N + 1,) stops."""
    ratio = alpha[1:] / alpha[:-1]
    return (sigma[1:] ** 2 - (ratio * sigma[:-1]) ** 2).clamp(min=0)


def curve(schedule: Schedule, name: str, points: int = 256) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return a quantity as a line to draw: (M,) times and, per part, (M,) values.

    Values that are infinite at the ends (the SNR of clean data) are left out together with their
    times.  A quantity of single steps is given at the steps, thinned to about ``points``; one of
    the path at more times than steps, closer together at both ends.

    Args:
        schedule: the path.
        name: a key of ``QUANTITIES``.
        points: about how many times, at least 8.

    Raises:
        ValueError: for an unknown quantity.
    """
    if name not in QUANTITIES:
        raise ValueError(f"unknown quantity {name!r}: choose one of {', '.join(QUANTITIES)}")
    quantity = QUANTITIES[name]
    if quantity.per_step:
        t, columns = _steps(schedule, quantity, points)
    else:
        t = _times(schedule, points, from_data=not name.endswith("snr"))
        columns = tuple(_on_path(schedule, part, t) for part in quantity.parts)
    finite = torch.stack([column.isfinite() for column in columns]).all(0)
    return t[finite], tuple(column[finite] for column in columns)


def _steps(
    schedule: Schedule, quantity: Quantity, points: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    table = chain(schedule)
    n = len(table.t)
    if n > points:  # both ends kept as they are: that is where beta bends
        edge = torch.arange(min(8, n // 4))
        middle = torch.linspace(0, n - 1, points).round().long()
        kept = _distinct(torch.cat([edge, middle, n - 1 - edge]))
    else:
        kept = torch.arange(n)
    return table.t[kept], tuple(getattr(table, part)[kept] for part in quantity.parts)


def _times(schedule: Schedule, points: int, *, from_data: bool) -> Tensor:
    edge = torch.logspace(-5, -2, points // 8, dtype=torch.float64)
    even = torch.linspace(0, 1, points - 2 * len(edge), dtype=torch.float64)
    t = torch.cat([edge, even, 1 - edge])
    first = 0.0
    if isinstance(schedule, DiscreteVP):  # nothing is defined between the data and the first step
        first = 0.0 if from_data else 1 / schedule.T
        if points >= schedule.T:
            t = torch.cat([t, torch.arange(1, schedule.T, dtype=torch.float64) / schedule.T])
    return _distinct(t[t >= first])


def _distinct(values: Tensor) -> Tensor:
    """The different values of a (M,) tensor, rising."""
    ordered = values.sort().values
    new = torch.ones(len(ordered), dtype=torch.bool)
    new[1:] = ordered.diff() > 0
    return ordered[new]


def _on_path(schedule: Schedule, part: str, t: Tensor) -> Tensor:
    alpha, sigma = schedule(t)
    if part == "alpha":
        return alpha
    if part == "sigma":
        return sigma
    if part == "alpha_bar":
        return alpha**2
    return (alpha / sigma) ** 2 if part == "snr" else schedule.log_snr(t)
