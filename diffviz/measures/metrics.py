r"""How close two sets of samples are.

    sliced Wasserstein   SW_p^p(P, Q) = E_w [ W_p^p(<w, P>, <w, Q>) ],  w uniform on the sphere
    energy distance      2 E|X - Y| - E|X - X'| - E|Y - Y'|
    MMD                  MMD^2 = E k(X, X') + E k(Y, Y') - 2 E k(X, Y)

In one dimension W_p is exact: it is the L_p distance of the two quantile functions, which for
samples are sorted values (Peyre and Cuturi 2019, "Computational optimal transport", remark 2.30).

Sources: Rabin et al. 2011, "Wasserstein barycenter and its application to texture mixing", and
Bonneel et al. 2015, "Sliced and Radon Wasserstein barycenters of measures" (sliced Wasserstein);
Szekely and Rizzo 2013, "Energy statistics: a class of statistics based on distances" (eq. 1.1);
Gretton et al. 2012, "A kernel two-sample test" (eq. 5).

    Frechet distance     |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)),  means and covariances
    precision, recall    share of one set within the k-nearest-neighbour balls of the other

The last three are for features of pictures (see ``classifier``), not for pixels: Dowson and Landau
1982, "The Frechet distance between multivariate normal distributions", used on features by Heusel
et al. 2017 (FID); Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing
generative models" (eq. 1 and 2).

All functions take samples (N, ...) on any device; what follows the first axis is flattened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffviz.tools.distances import distances

__all__ = [
    "PrecisionRecall",
    "energy_distance",
    "frechet_distance",
    "mmd",
    "precision_recall",
    "sliced_wasserstein",
    "sliced_wasserstein_path",
]

_PAIRS = 8_000_000  # distances held in memory at once
_MEDIAN_SAMPLES = 1000  # of each set, for the median heuristic
_SEED = 6_180_339_887  # unlike the seeds of runs, so that no run meets its own noise here


def sliced_wasserstein(
    x: Tensor,
    y: Tensor,
    projections: int = 128,
    p: float = 2,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Sliced Wasserstein distance of order p between two sample sets, which may differ in size.

    In one dimension this is the exact W_p. Source: Rabin et al. 2011; Bonneel et al. 2015.

    Args:
        x: samples (N, ...).
        y: samples (M, ...) of the same shape.
        projections: number of random directions.
        p: order, at least 1.
        generator: of the directions; a fixed seed without one, so that values are comparable.

    Returns:
        A scalar, in the units of x.

    Raises:
        ValueError: empty sets, different shapes, or projections or p below 1.
    """
    x, y = _pair(x, y)
    return _sliced_path(x[None], y, projections, p, generator)[0]


def sliced_wasserstein_path(
    x: Tensor,
    y: Tensor,
    projections: int = 32,
    p: float = 2,
    generator: torch.Generator | None = None,
    max_points: int | None = 1000,
) -> Tensor:
    """Sliced Wasserstein distance of each frame of a run to one sample set.

    All frames share the directions and, where there are more than ``max_points`` points, the
    random subset of them, so that the curve over the frames is smooth.

    Args:
        x: samples (S, N, ...) of S frames.
        y: samples (M, ...).
        projections: number of random directions.
        p: order, at least 1.
        generator: of the subset and the directions; a fixed seed without one.
        max_points: most points used of either set; None for all.

    Returns:
        Distances (S,).

    Raises:
        ValueError: as ``sliced_wasserstein``, or max_points below 1.
    """
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"A run has shape (S, N, ...) with at least one frame, not {_shape(x)}.")
    generator = _seeded() if generator is None else generator
    if max_points is not None:
        if max_points < 1:
            raise ValueError(f"At least 1 point must be used, not {max_points}.")
        x = x[:, _subset(x.shape[1], max_points, generator, x.device)]
        y = y[_subset(len(y), max_points, generator, y.device)]
    frames = len(x)
    flat, y = _pair(x.reshape(frames * x.shape[1], *x.shape[2:]), y)
    return _sliced_path(flat.reshape(frames, -1, flat.shape[1]), y, projections, p, generator)


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'|, without a root.

    The plug-in estimate over all pairs: never negative, and 0 for equal sets.
    Source: Szekely and Rizzo 2013.

    Args:
        x: samples (N, ...).
        y: samples (M, ...) of the same shape.

    Returns:
        A scalar, in the units of x.

    Raises:
        ValueError: empty sets or different shapes.
    """
    x, y = _pair(x, y)
    total = 2 * _mean_over_pairs(x, y) - _mean_over_pairs(x, x) - _mean_over_pairs(y, y)
    return total.clamp_min(0)


def mmd(x: Tensor, y: Tensor, bandwidth: float | None = None) -> Tensor:
    """Maximum mean discrepancy under the kernel exp(-|x - y|^2 / (2 bandwidth^2)).

    The plug-in estimate over all pairs (Gretton et al. 2012, eq. 5), root taken.

    Args:
        x: samples (N, ...).
        y: samples (M, ...) of the same shape.
        bandwidth: of the kernel, in the units of x; the median distance between points of the two
            sets together (up to 1,000 of each) where not given.

    Returns:
        A scalar from 0 to sqrt(2).

    Raises:
        ValueError: empty sets, different shapes or a bandwidth that is not positive.
    """
    x, y = _pair(x, y)
    width = _median_distance(x, y) if bandwidth is None else bandwidth
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"The bandwidth of the kernel must be above 0, not {width}.")

    def kernel(distance: Tensor) -> Tensor:
        return torch.exp(-(distance**2) / (2 * width**2))

    square = (
        _mean_over_pairs(x, x, kernel)
        + _mean_over_pairs(y, y, kernel)
        - 2 * _mean_over_pairs(x, y, kernel)
    )
    return square.clamp_min(0).sqrt()


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Frechet distance |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) of two Gaussians fitted to sets.

    It falls with the number of samples: compare only figures from as many.
    Source: Dowson and Landau 1982; Heusel et al. 2017, eq. 6.

    Args:
        x: features (N, D), N at least 2.
        y: features (M, D), M at least 2.

    Returns:
        The distance, at least 0, in squared units of x, worked out in float64.

    Raises:
        ValueError: sets of fewer than two samples, or different shapes.
    """
    x, y = (part.double() for part in _pair(x, y))
    if len(x) < 2 or len(y) < 2:
        raise ValueError("A covariance needs at least two samples in each set.")
    gap = (x.mean(0) - y.mean(0)).square().sum()
    first, second = (torch.cov(part.T).reshape(part.shape[1], -1) for part in (x, y))
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum()
    return max(float(gap + first.trace() + second.trace() - 2 * shared), 0.0)


class PrecisionRecall(NamedTuple):
    """How much of one set lies among the other.

    Attributes:
        precision: share of the samples that lie among the data: are they like real ones?
        recall: share of the data that lies among the samples: is all of it covered?
    """

    precision: float
    recall: float


def precision_recall(samples: Tensor, data: Tensor, k: int = 3) -> PrecisionRecall:
    """Share of each set that lies within the k-nearest-neighbour balls of the other.

    Source: Kynkaanniemi et al. 2019, eq. 1 and 2, k = 3 as there.  Both depend on the size of the
    sets: compare only figures from as many.  They stay as they are where both sets are shifted or
    turned.

    Args:
        samples: features (N, D), N above k.
        data: features (M, D), M above k.
        k: which neighbour's distance is the radius of a ball.

    Raises:
        ValueError: k below 1, sets of k samples or fewer, or different shapes.
    """
    samples, data = _pair(samples, data)
    if k < 1 or min(len(samples), len(data)) <= k:
        raise ValueError(f"Sets of {len(samples)} and {len(data)} have no {k}-th neighbours.")
    reach, found = _reach(data, k), torch.zeros(len(data), dtype=torch.bool, device=data.device)
    own_reach, like = _reach(samples, k), []
    for part, own in zip(_blocks(samples, data), _blocks(own_reach, data), strict=True):
        gap = distances(part, data)
        like.append((gap <= reach).any(1))
        found |= (gap <= own[:, None]).any(0)
    return PrecisionRecall(float(torch.cat(like).double().mean()), float(found.double().mean()))


def _reach(x: Tensor, k: int) -> Tensor:
    """How far each point's k-th neighbour is; the nearest of all is the point itself."""
    nearest = [distances(part, x).kthvalue(k + 1, dim=1).values for part in _blocks(x, x)]
    return torch.cat(nearest)


def _blocks(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """The rows of x in parts whose pairs with y fit in memory."""
    return torch.split(x, max(1, _PAIRS // len(y)))


def _sliced_path(
    x: Tensor, y: Tensor, projections: int, p: float, generator: torch.Generator | None
) -> Tensor:
    """Distances (S,) of frames x (S, N, D) to y (M, D)."""
    if projections < 1:
        raise ValueError(f"At least 1 direction is needed, not {projections}.")
    if not (math.isfinite(p) and p >= 1):
        raise ValueError(f"The order p must be a number from 1 up, not {p}.")
    directions = _directions(x, projections, generator)
    sorted_x = _sort(directions @ x.transpose(1, 2))  # (S, P, N), contiguous along N
    sorted_y = _sort(directions @ y.T)  # (P, M)
    power = _transport(sorted_x, sorted_y, p).mean(dim=-1)
    return power.sqrt() if p == 2 else power ** (1 / p)


def _transport(x: Tensor, y: Tensor, p: float) -> Tensor:
    """W_p^p between sorted values (..., N) and (..., M): the integral of |F^-1 - G^-1|^p.

    Quantile functions of samples are steps at i/N and j/M; between two steps both are constant.
    """
    n, m = x.shape[-1], y.shape[-1]
    if n == m:
        return _power(x - y, p).mean(dim=-1)
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)  # in units of 1 / (N M)
    weights = torch.from_numpy(np.diff(ends, prepend=0) / (n * m)).to(x)
    left = x[..., torch.from_numpy((ends - 1) // m).to(x.device)]
    right = y[..., torch.from_numpy((ends - 1) // n).to(y.device)]
    return _power(left - right, p) @ weights


def _power(gap: Tensor, p: float) -> Tensor:
    return gap.square() if p == 2 else gap.abs() ** p


def _directions(x: Tensor, projections: int, generator: torch.Generator | None) -> Tensor:
    """Unit vectors (P, D); in one dimension the only one."""
    dim = x.shape[-1]
    if dim == 1:
        return x.new_ones(1, 1)
    generator = _seeded() if generator is None else generator
    normal = torch.randn(
        projections, dim, generator=generator, dtype=torch.float64, device=generator.device
    )
    return torch.nn.functional.normalize(normal, dim=1).to(x)


def _sort(values: Tensor) -> Tensor:
    """Values sorted along the last axis; numpy's sort is the faster one on a CPU."""
    plain = values.dtype in (torch.float32, torch.float64) and not values.requires_grad
    if values.device.type == "cpu" and plain:
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))
    return values.sort(dim=-1).values


def _mean_over_pairs(
    x: Tensor, y: Tensor, function: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Mean of a function of |x_i - y_j| over all pairs, in float64, in blocks of rows."""
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for block in _blocks(x, y):
        distance = distances(block, y)
        value = distance if function is None else function(distance)
        total = total + value.sum(dtype=torch.float64)
    return (total / (len(x) * len(y))).to(x.dtype)


def _median_distance(x: Tensor, y: Tensor) -> float:
    """Median distance between different points of the two sets; 1 where all points agree."""
    generator = _seeded()
    both = torch.cat([v[_subset(len(v), _MEDIAN_SAMPLES, generator, v.device)] for v in (x, y)])
    distance = torch.pdist(both)
    distance = distance[distance > 0]
    return float(distance.median()) if distance.numel() else 1.0


def _subset(n: int, most: int, generator: torch.Generator, device: torch.device) -> Tensor | slice:
    """Index of a random subset of at most ``most`` out of n."""
    if n <= most:
        return slice(None)
    return torch.randperm(n, generator=generator, device=generator.device)[:most].to(device)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(_SEED)


def _pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets flattened to (N, D), in one floating dtype."""
    if x.ndim == 0 or y.ndim == 0 or len(x) == 0 or len(y) == 0:
        raise ValueError("Both sets need at least one sample.")
    if x.shape[1:] != y.shape[1:]:
        raise ValueError(f"Samples of {_shape(x)} and {_shape(y)} cannot be compared.")
    dtype = torch.promote_types(x.dtype, y.dtype)
    dtype = dtype if dtype.is_floating_point else torch.get_default_dtype()
    return x.to(dtype).reshape(len(x), -1), y.to(dtype).reshape(len(y), -1)


def _shape(x: Tensor) -> str:
    return str(tuple(x.shape))
