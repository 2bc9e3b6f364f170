"""What every run needs on its way to the player: its distribution, its clock, its backdrop."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.distributions import Distribution, Empirical, GaussianMixture
from diffviz.core.schedules import DiscreteVP, Schedule
from diffviz.data.points import MIXTURES
from diffviz.scenes.buffer import Clock
from diffviz.scenes.configs import DataConfig

_REACH = 40.0
LIMITS = (-3.0, 3.0)
SCALE_NOTE = "Drawn in units of √(α² + σ²), so that the growing noise stays in the picture."

_CURVE_POINTS = 241


@lru_cache(maxsize=32)
def distribution(data: DataConfig, points: bool = True) -> Distribution:
    """Return p_0: the sample itself taken literally, or the true mixture where there is one.

    Args:
        data: the choice of data.
        points: whether to take the sample's points; otherwise the named set's own density, for the
            sets in ``MIXTURES``.
    """
    if not points and data.name in MIXTURES:
        return GaussianMixture(
            *(torch.as_tensor(p, dtype=torch.float32) for p in MIXTURES[data.name]())
        )
    sample, labels = data.labelled()
    return Empirical(sample, labels)


def drawing_scale(schedule: Schedule, t: Tensor) -> Tensor | None:
    """Return the (F,) factor 1 / sqrt(alpha^2 + sigma^2), or None where noise stays small."""
    if schedule.prior_std() < 1.5:
        return None
    alpha, sigma = schedule(t)
    return 1 / (alpha**2 + sigma**2).sqrt()


def scale_of(schedule: Schedule, t: Tensor) -> NDArray[np.float32] | None:
    """Return ``drawing_scale`` as the player's panels take it."""
    scale = drawing_scale(schedule, t)
    return None if scale is None else scale.float().numpy()


def scale_note(schedule: Schedule) -> str | None:
    """Say that what is drawn is scaled, where it is."""
    return None if drawing_scale(schedule, torch.ones(1)) is None else SCALE_NOTE


def scaled(x: Tensor, schedule: Schedule, t: Tensor) -> Tensor:
    """Return (F, N, ...) samples at times ``t`` in the units that are drawn."""
    scale = drawing_scale(schedule, t)
    return x if scale is None else x * scale.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def drawn(x: Tensor, schedule: Schedule, t: Tensor) -> NDArray[np.float32]:
    """Return samples as drawn: (F, N, ...) in their units, strays kept in reach."""
    values: NDArray[np.float32] = drawable(scaled(x, schedule, t)).numpy()
    return values


def clock(
    schedule: Schedule, t: Tensor, *, forward: bool, evaluations: Tensor | None = None
) -> Clock:
    """Return the player's clock for frames at times ``t`` (F,), with the schedule's curve."""
    alpha, sigma = schedule(t.double())
    curve_t = torch.linspace(0, 1, _CURVE_POINTS, dtype=torch.float64)
    return Clock(
        t.double().numpy(),
        alpha.numpy(),
        sigma.numpy(),
        curve_t.numpy(),
        schedule.log_snr(curve_t).numpy(),
        direction="forward" if forward else "reverse",
        evaluations=None if evaluations is None else evaluations.numpy(),
    )


def beta_of(schedule: Schedule, t: Tensor) -> Tensor | None:
    """Return the (F,) beta of the noising that ends at each time; None if continuous."""
    if not isinstance(schedule, DiscreteVP):
        return None
    k = (t.double() * schedule.T).round().long()
    return torch.cat([torch.zeros(1, dtype=torch.float64), schedule.betas])[k]


def density_frames(
    source: Distribution,
    schedule: Schedule,
    t: Tensor,
    limits: tuple[float, float],
    resolution: int,
) -> Tensor:
    """Return p_t at cell centres over ``limits``, exactly, in the units that are drawn.

    No finer than the picture: sigma counts as at least half a cell, so that points, which have no
    density at t = 0, are shown as wide as a cell.

    Args:
        source: p_0, in one or two dimensions.
        schedule: the path.
        t: (F,) times.
        limits: ends of every axis.
        resolution: R cells along every axis.

    Returns:
        (F, R) in one dimension, (F, R, R) in two with rows along the second coordinate.
    """
    low, high = limits
    cell = (high - low) / resolution
    axis = low + cell * (torch.arange(resolution, dtype=torch.float32) + 0.5)
    scale = drawing_scale(schedule, t)
    alphas, sigmas = schedule(t.double()) if scale is None else (scale * v for v in schedule(t))
    frames = []
    for alpha, sigma in zip(alphas.tolist(), sigmas.tolist(), strict=True):
        marginal = source.marginal(alpha, max(sigma, cell / 2))
        assert isinstance(marginal, GaussianMixture)  # what both kinds of distribution become
        frames.append(marginal.density_on_grid(*[axis] * marginal.means.shape[1]))
    return torch.stack(frames)


def drawable(x: Tensor) -> Tensor:
    """Return positions that can be sent: no NaN, and none so far out that all others coarsen."""
    return x.nan_to_num(0.0, _REACH, -_REACH).clamp(-_REACH, _REACH)


def field_frames(
    denoiser: Denoiser,
    schedule: Schedule,
    t: Tensor,
    kind: Literal["flow", "score"],
    across: int,
) -> Tensor:
    """Return the score, or the velocity at which points move on the screen.

    Args:
        denoiser: whose field it is.
        schedule: the path it is asked on.
        t: (F,) times, falling to 0, where nothing moves any more.
        kind: which of the two.
        across: G arrows along either axis of ``LIMITS``.

    Returns:
        (F, G, G, 2), rows along the second coordinate.
    """
    axis = torch.linspace(*LIMITS, across)
    drawn = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)
    scale = drawing_scale(schedule, t)
    unit = torch.ones_like(t) if scale is None else scale
    field = [torch.zeros_like(drawn) for _ in t]
    for k, (time, c) in enumerate(zip(t.tolist()[:-1], unit.tolist(), strict=False)):
        x_t = drawn / c
        x_0 = denoiser(x_t, time)
        alpha, sigma = schedule.at(time)
        eps = (x_t - alpha * x_0) / sigma
        if kind == "score":
            field[k] = -eps
            continue
        d_alpha, d_sigma = (d.item() for d in schedule.derivatives(time))
        turn = -(c**3) * (alpha * d_alpha + sigma * d_sigma) if scale is not None else 0.0
        field[k] = -(turn * x_t + c * (d_alpha * x_0 + d_sigma * eps))
    return torch.stack(field).reshape(-1, across, across, 2)
