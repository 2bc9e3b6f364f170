r"""From a picture to the noise it came from, and back, along the probability-flow ODE.

The ODE can be walked both ways.  In u = x_t / alpha_t over k = sigma_t / alpha_t it is the same for
every path (Song et al. 2021, "Denoising Diffusion Implicit Models", eq. 14; Karras et al. 2022,
eq. 1),

    du/dk = eps = (u - D(u, k)) / k,

where D(u, k) = E[x_0 | x_t], so here it is walked on ``PATH``, the EDM path, where alpha = 1,
x_t = u and sigma = k.  On another path the same run is x_t = alpha_t u.  Stops are even in
k^(1/7) (Karras et al. 2022, eq. 5), from k_min = 0.002, where the noise in a picture is too faint
to see, to k_max = 80, where the picture in the noise is.  A picture is taken as u at k_min, and
decoding ends there, without a last denoising, so that it undoes encoding but for the solver's
error.

Euler ("DDIM inversion", Song et al. 2021, sections 4.3 and 5.4) is first order in the size of the
steps, each way and round.  Heun is second order each way and third round: a step's leading error is
C h^(p+1) at order p, and going back, where h is negative, that of Heun (p = 2) takes it away while
that of Euler (p = 1) adds to it (Hairer, Lubich and Wanner 2006, section II.3, on adjoint methods).
So Heun's round trip looks better than its noise is.

Noise is mixed on the sphere, where almost all of a Gaussian in many dimensions lies (Shoemake 1985;
Song et al. 2021, section 5.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.history import History
from diffviz.core.samplers.base import Sampler
from diffviz.core.samplers.ode import Euler, Heun
from diffviz.core.schedules import EDM
from diffviz.core.trajectory import State
from diffviz.core.variables import InRatio

__all__ = ["PATH", "SOLVERS", "decode", "encode", "follow", "round_trip", "slerp"]

#: The path that all runs here are on; wrap a denoiser of another path: ``OnPath(d, own, PATH)``.
PATH = EDM()

#: name -> the steps of the ODE, which go up the path as well as down.
SOLVERS: dict[str, Sampler] = {"euler": Euler(InRatio()), "heun": Heun(InRatio())}

_RHO = 7
_OPPOSITE = 1e-8  # the sine of an angle that counts as 0 or half a turn


def encode(denoiser: Denoiser, x_0: Tensor, steps: int, solver: str = "heun") -> Iterator[State]:
    """Return the states from a picture to its noise, steps + 1 of them, k rising.

    The last ``x_t`` over ``PATH.prior_std()`` is the noise, about N(0, I).

    Args:
        denoiser: answers E[x_0 | x_t] on ``PATH``.
        x_0: (N, ...) pictures.
        steps: of the solver; one evaluation each for Euler, two for Heun.
        solver: a key of ``SOLVERS``.

    Raises:
        ValueError: for fewer than 1 step or an unknown solver.
    """
    return follow(denoiser, x_0, _stops(steps)[::-1], solver)


def decode(denoiser: Denoiser, x_1: Tensor, steps: int, solver: str = "heun") -> Iterator[State]:
    """Return the states from noise to the picture, steps + 1 of them, on ``encode``'s stops.

    The picture is the last ``x_t``, at k_min.

    Args:
        denoiser: answers E[x_0 | x_t] on ``PATH``.
        x_1: (N, ...) u at k_max, such as ``encode``'s last ``x_t`` or ``PATH.prior_std() * eps``.
        steps: of the solver.
        solver: a key of ``SOLVERS``.

    Raises:
        ValueError: for fewer than 1 step or an unknown solver.
    """
    return follow(denoiser, x_1, _stops(steps), solver)


def round_trip(denoiser: Denoiser, x_0: Tensor, steps: int, solver: str = "heun") -> Tensor:
    """Return how far each picture ends from itself after ``encode`` and ``decode``.

    Args:
        denoiser: answers E[x_0 | x_t] on ``PATH``.
        x_0: (N, ...) pictures.
        steps: of the solver, each way.
        solver: a key of ``SOLVERS``.

    Returns:
        (N,) root mean squares over a picture's numbers, in units of the picture.

    Raises:
        ValueError: for fewer than 1 step or an unknown solver.
    """
    x_1 = _end(encode(denoiser, x_0, steps, solver))
    back = _end(decode(denoiser, x_1, steps, solver))
    off: Tensor = (back - x_0).flatten(1)
    return off.square().mean(1).sqrt()


def follow(
    denoiser: Denoiser, u: Tensor, stops: Sequence[float], solver: str = "heun"
) -> Iterator[State]:
    """Return the states along the ODE at the given noise levels, rising or falling.

    The steps are those of the samplers of the same names, which hold in both directions.  A state's
    ``index`` counts the stops in their order, its ``z`` is 0, and its ``evaluations`` are those
    spent to get there: asking what the denoiser says at the last stop is not among them.

    Args:
        denoiser: answers E[x_0 | x_t] on ``PATH``.
        u: (N, ...) where the run starts, at the first stop.
        stops: noise levels k in (0, ``PATH.sigma_max``], strictly rising or strictly falling.
        solver: a key of ``SOLVERS``.

    Raises:
        ValueError: for an unknown solver or stops that are not so.
    """
    if solver not in SOLVERS:
        raise ValueError(f"unknown solver {solver!r}: choose one of {', '.join(SOLVERS)}")
    rises = all(a < b for a, b in pairwise(stops))
    falls = all(a > b for a, b in pairwise(stops))
    if len(stops) < 2 or not (rises or falls):
        raise ValueError("a run needs at least 2 noise levels that strictly rise or strictly fall")
    if not 0 < min(stops) <= max(stops) <= PATH.sigma_max:
        raise ValueError(f"noise levels lie above 0 and up to {PATH.sigma_max:g}")
    return _states(denoiser, u, [k / PATH.sigma_max for k in stops], SOLVERS[solver])


def slerp(a: Tensor, b: Tensor, share: Tensor | float) -> Tensor:
    """Return noise on the way from ``a`` to ``b`` along the arc between them.

    The direction turns evenly and the length goes evenly from that of ``a`` to that of ``b``, so
    that Gaussian noise stays as long as Gaussian noise is.  Each input counts as one vector.
    Opposite inputs have no shortest arc: one of those between them is taken, always the same.

    Source: Shoemake 1985, section 3.3, for any length.

    Args:
        a: (...) noise of at least 2 numbers.
        b: noise of the same shape.
        share: how far from ``a`` to ``b``, 0 to 1, or (S,) shares; beyond, the arc goes on.

    Returns:
        noise of ``a``'s shape and dtype, with a first axis of S if there are S shares.

    Raises:
        ValueError: for two shapes, fewer than 2 numbers, or noise of no length.
    """
    if a.shape != b.shape or a.numel() < 2:
        raise ValueError(
            f"an arc joins two noises of one shape with at least 2 numbers, not "
            f"{tuple(a.shape)} and {tuple(b.shape)}"
        )
    from_, to = a.double().flatten(), b.double().flatten()
    lengths = from_.norm(), to.norm()
    if not (lengths[0] > 0 and lengths[1] > 0):
        raise ValueError("noise of no length has no direction")
    from_, to = from_ / lengths[0], to / lengths[1]
    sine = (to - (from_ @ to) * from_).norm()
    angle = torch.atan2(sine, from_ @ to)
    s = torch.as_tensor(share, dtype=torch.float64, device=a.device)[..., None]
    turned = (s * angle).cos() * from_ + (s * angle).sin() * _across(from_, to)
    mixed: Tensor = (lengths[0] + s * (lengths[1] - lengths[0])) * turned
    return mixed.reshape(*s.shape[:-1], *a.shape).to(a.dtype)


def _stops(steps: int) -> list[float]:
    """The steps + 1 noise levels, from k_max down to k_min, even in k^(1/7)."""
    if steps < 1:
        raise ValueError(f"a run needs at least 1 step, got {steps}")
    ends = PATH.sigma_max ** (1 / _RHO), PATH.sigma_min ** (1 / _RHO)
    roots = torch.linspace(*ends, steps + 1, dtype=torch.float64)
    return [PATH.sigma_max, *(roots[1:] ** _RHO).tolist()]


def _states(denoiser: Denoiser, u: Tensor, times: list[float], solver: Sampler) -> Iterator[State]:
    history, nothing = History(denoiser, PATH, times), torch.zeros_like(u)
    for index, (t, s) in enumerate(pairwise(times)):
        spent = history.evaluations
        step = solver.step(u, t, s, history)
        alpha, sigma = history.level(t)
        yield State(index, t, alpha, sigma, u, step.x_0, step.eps, nothing, spent)
        u = step.x_s
    spent, last = history.evaluations, len(times) - 1
    x_0, eps = history.predict(u, times[-1])
    alpha, sigma = history.level(times[-1])
    yield State(last, times[-1], alpha, sigma, u, x_0, eps, nothing, spent)


def _end(states: Iterator[State]) -> Tensor:
    *_, last = states
    return last.x_t


def _across(a: Tensor, b: Tensor) -> Tensor:
    """The unit vector at right angles to the unit vector ``a`` on the side of ``b``.

    Where ``b`` lies along ``a`` it is the one nearest to the axis that ``a`` has least of.
    """
    across = b - (a @ b) * a
    if across.norm() < _OPPOSITE:
        axis = a.abs().argmin()
        across = -a[axis] * a
        across[axis] += 1
    unit: Tensor = across / across.norm()
    return unit
