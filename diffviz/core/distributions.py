r"""Distributions whose noised version is known exactly.

If x_0 ~ p_0 then x_t = alpha x_0 + sigma eps has the density

    p_t(x) = integral p_0(y) N(x; alpha y, sigma^2 I) dy,

which for a Gaussian mixture is a Gaussian mixture and for a finite set of points is one with a
component at each.  So is the posterior mean E[x_0 | x_t], the best denoiser there is (Karras et al.
2022, appendix B.3, for points), and with it the score, by Tweedie's formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from diffviz.core.noising import noise_like
from diffviz.core.parametrizations import Level
from diffviz.tools.distances import distances

__all__ = ["Distribution", "Empirical", "GaussianMixture", "Smoothed"]

_CHUNK_ELEMENTS = 1 << 19  # rows x points worked on at once: what fits a core's cache,
_CHUNK_ELSEWHERE = 1 << 26  # and what a GPU has room for
_FEW_DIMENSIONS = 8
_BLOCK = 16

T = TypeVar("T")


@runtime_checkable
class Distribution(Protocol):
    """A distribution of x_0 that answers what x_t says about x_0."""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw (n, ...) samples."""
        ...

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the (B,) log densities at (B, ...) places."""
        ...

    def marginal(self, alpha: float, sigma: float) -> Distribution:
        """Return the distribution of alpha x_0 + sigma eps."""
        ...

    def posterior_mean(
        self, x_t: Tensor, alpha: Level, sigma: Level, label: Tensor | int | None = None
    ) -> Tensor:
        """Return E[x_0 | x_t], of ``x_t``'s shape."""
        ...


class GaussianMixture:
    """sum_k w_k N(m_k, s_k^2 I).

    Args:
        weights: (K,) positive; they are normalised.
        means: (K, D).
        stds: (K,) at least 0, one for all coordinates of a component.
        labels: (K,) the class of each component; by default its index.

    Raises:
        ValueError: if the shapes do not fit, a weight is not positive or a std is negative.
    """

    def __init__(
        self, weights: Tensor, means: Tensor, stds: Tensor, labels: Tensor | None = None
    ) -> None:
        K = len(weights)
        if means.ndim != 2 or weights.shape != (K,) or stds.shape != (K,) or len(means) != K:
            raise ValueError(
                "a mixture of K components needs weights (K,), means (K, D) and stds (K,), got "
                f"{tuple(weights.shape)}, {tuple(means.shape)} and {tuple(stds.shape)}"
            )
        if not bool((weights > 0).all()) or not bool((stds >= 0).all()):
            raise ValueError("weights must be positive and stds at least 0")
        self.weights = weights / weights.sum()
        self.means, self.stds = means, stds
        self.labels = torch.arange(K, device=weights.device) if labels is None else labels

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw (n, D) samples."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        return self.means[k] + self.stds[k, None] * noise_like(self.means[k], generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the (B,) log densities at (B, D) places, by logsumexp.

        Raises:
            ValueError: if a component has no spread: points have no density; take a marginal.
        """
        if not bool((self.stds > 0).all()):
            raise ValueError("a component without spread has no density: ask its marginal")
        return self._log_joint(x).logsumexp(1)

    def score(self, x: Tensor) -> Tensor:
        """Return the (B, D) gradient of the log density, in closed form."""
        r = self._log_joint(x).softmax(1) / self.stds**2
        return r @ self.means - r.sum(1, keepdim=True) * x

    def density_on_grid(self, *axes: Tensor) -> Tensor:
        """Return the density at every crossing of the axes: (R,) in 1-D, (R_2, R_1) in 2-D.

        A spherical Gaussian is a product over coordinates, so the plane costs K (R_1 + R_2)
        exponentials and a product of matrices, not K R_1 R_2 exponentials.  The result is exact.

        Args:
            *axes: one (R_d,) tensor of positions per coordinate; in 2-D rows follow the second.

        Raises:
            ValueError: if there are not D axes, or D is not 1 or 2.
        """
        if len(axes) != self.means.shape[1] or len(axes) > 2:
            raise ValueError(
                f"a grid in {self.means.shape[1]} dimensions cannot have {len(axes)} axes"
            )
        std = self.stds[:, None]
        bells = [
            torch.exp(-(((axis - mean[:, None]) / std) ** 2) / 2) / (math.sqrt(2 * math.pi) * std)
            for axis, mean in zip(axes, self.means.T, strict=True)
        ]
        first = self.weights[:, None] * bells[0]
        return first.sum(0) if len(bells) == 1 else bells[1].T @ first

    def marginal(self, alpha: float, sigma: float) -> GaussianMixture:
        """The law of alpha x_0 + sigma eps: means alpha m, stds sqrt(alpha^2 s^2 + sigma^2)."""
        stds = (alpha**2 * self.stds**2 + sigma**2).sqrt()
        return GaussianMixture(self.weights, alpha * self.means, stds, self.labels)

    def posterior_mean(
        self, x_t: Tensor, alpha: Level, sigma: Level, label: Tensor | int | None = None
    ) -> Tensor:
        """Return E[x_0 | x_t], (B, D).

        Each component pulls x_t towards its mean by the share of the variance that is noise:
        E[x_0 | x_t, k] = m_k + (alpha s_k^2 / v) (x_t - alpha m_k), v = alpha^2 s_k^2 + sigma^2.

        Args:
            x_t: (B, D).
            alpha: signal level, a number or (B, 1).
            sigma: noise level, the same; 0 returns x_t / alpha where a component has spread.
            label: condition on components of this class, one for all or (B,).
        """
        alpha, sigma = _column(alpha, x_t), _column(sigma, x_t)
        variance = (alpha**2 * self.stds**2 + sigma**2).clamp_min(torch.finfo(x_t.dtype).tiny)
        squares = _scaled_square_distances(x_t, self.means, alpha)
        logits = self.weights.log() - self.means.shape[1] / 2 * variance.log()
        logits = logits - squares / (2 * variance)
        r = _masked(logits, self.labels, label).softmax(1)
        gain = r * (alpha * self.stds**2 / variance)
        return (r - alpha * gain) @ self.means + gain.sum(1, keepdim=True) * x_t

    def _log_joint(self, x: Tensor) -> Tensor:
        """(B, K): log w_k + log N(x; m_k, s_k^2 I)."""
        variance = self.stds**2
        normaliser = self.means.shape[1] / 2 * (2 * math.pi * variance).log()
        squares = _scaled_square_distances(x, self.means, x.new_ones(1, 1))
        return self.weights.log() - normaliser - squares / (2 * variance)


class Empirical:
    """The uniform distribution on a finite set of points: a training set, taken literally.

    Its exact denoiser is the best one for that training set, and memorises it: every deterministic
    run ends on one of the points.

    Args:
        points: (N, ...) points or images.
        labels: (N,) their classes.

    Raises:
        ValueError: if there is no point, or the labels do not fit.
    """

    def __init__(self, points: Tensor, labels: Tensor | None = None) -> None:
        if points.ndim < 2 or len(points) == 0:
            raise ValueError("an empirical distribution needs at least one point, shaped (N, ...)")
        if labels is not None and labels.shape != points.shape[:1]:
            raise ValueError(f"{len(points)} points need as many labels, got {tuple(labels.shape)}")
        self.points, self.labels = points, labels
        self._flat = points.flatten(1)
        self._columns = self._flat.T.contiguous()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n of the points, with replacement."""
        return self.points[torch.randint(len(self.points), (n,), generator=generator)]

    def log_prob(self, x: Tensor) -> Tensor:
        """Points have no density.

        Raises:
            ValueError: always; ``marginal(alpha, sigma).log_prob`` is finite for sigma > 0.
        """
        raise ValueError("a set of points has no density at t = 0: ask marginal(alpha, sigma)")

    def marginal(self, alpha: float, sigma: float) -> GaussianMixture:
        """Return the mixture with a bell of std sigma at each alpha y_n, in flat coordinates."""
        N = len(self._flat)
        ones = self._flat.new_ones(N)
        return GaussianMixture(ones, alpha * self._flat, sigma * ones, self.labels)

    def posterior_weights(
        self, x_t: Tensor, alpha: Level, sigma: Level, label: Tensor | int | None = None
    ) -> Tensor:
        """Return the (B, N) weights p(y_n | x_t): how strongly each point pulls on x_t."""
        return self._weights(x_t.flatten(1), alpha, sigma, label)

    def posterior_mean(
        self, x_t: Tensor, alpha: Level, sigma: Level, label: Tensor | int | None = None
    ) -> Tensor:
        """Return E[x_0 | x_t] = sum_n p(y_n | x_t) y_n, of ``x_t``'s shape.

        Distances are taken from direct differences and the largest exponent is taken out first
        (logsumexp), so the answer stays finite as sigma falls to 0, where it is the nearest point.
        The work goes through chunks of rows that fit the processor's cache: several times faster
        than whole matrices of distances, with the same result.

        Args:
            x_t: (B, ...).
            alpha: signal level, a number or one per row.
            sigma: noise level, the same.
            label: condition on points of this class, one for all or (B,).
        """
        x = x_t.flatten(1)
        out = torch.empty_like(x)
        most = _CHUNK_ELEMENTS if x.device.type == "cpu" else _CHUNK_ELSEWHERE
        for part in _parts(len(x), most // len(self._flat)):
            at = _rows(alpha, part), _rows(sigma, part), _rows(label, part)
            # As a linear layer: for few coordinates a product with (N, D) is several times slower.
            out[part] = torch.nn.functional.linear(self._weights(x[part], *at), self._columns)
        return out.reshape(x_t.shape)

    def _weights(self, x: Tensor, alpha: Level, sigma: Level, label: Tensor | int | None) -> Tensor:
        """(B, N): the softmax over n of -|x - alpha y_n|^2 / (2 sigma^2).

        Lengths are divided by sqrt(2) sigma before they are squared, which saves a pass; a sigma
        too small for that is raised to one that squares still can bear, where the nearest point
        has all the weight already.
        """
        least = torch.finfo(x.dtype).tiny ** 0.4
        unit = (math.sqrt(2) * _column(sigma, x)).clamp_min(least).reciprocal()
        logits = self._minus_square_distances(unit * x, unit * _column(alpha, x))
        return _masked(logits, self.labels, label).softmax(1)

    def _minus_square_distances(self, x: Tensor, alpha: Tensor) -> Tensor:
        if x.shape[1] > _FEW_DIMENSIONS:
            return _scaled_square_distances(x, self._flat, alpha).neg_()
        squares = x.new_zeros(len(x), len(self._flat))
        for x_d, y_d in zip(x.T, self._columns, strict=True):
            difference = x_d[:, None] - alpha * y_d
            squares.addcmul_(difference, difference, value=-1)
        return squares


class Smoothed:
    """Points, each of them a Gaussian bell: the kernel density estimate of a training set.

    Unlike ``Empirical`` it has a density at t = 0.  Its bells being equal, it costs no more: with
    v = alpha^2 h^2 + sigma^2 the points' own posterior mean at noise level sqrt(v), moved towards
    x_t,

        E[x_0 | x_t] = (sigma^2 / v) E_points + (alpha h^2 / v) x_t.

    Args:
        points: (N, D).
        width: h, the standard deviation of every bell, above 0.
        labels: (N,) their classes.

    Raises:
        ValueError: if the width is not positive, or as ``Empirical``.
    """

    def __init__(self, points: Tensor, width: float, labels: Tensor | None = None) -> None:
        if not width > 0:
            raise ValueError(f"the width of the bells must be above 0, got {width:g}")
        self._empirical = Empirical(points, labels)
        self.points, self.width, self.labels = points, width, labels
        self._classes: dict[int, Empirical] = {}

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw (n, D) samples."""
        x = self._empirical.sample(n, generator)
        return x + self.width * noise_like(x, generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the (B,) log densities at (B, D) places."""
        return self.marginal(1.0, 0.0).log_prob(x)

    def marginal(self, alpha: float, sigma: float) -> GaussianMixture:
        """Return the mixture with a bell of std sqrt(alpha^2 h^2 + sigma^2) at each alpha y_n."""
        return self._empirical.marginal(alpha, math.hypot(alpha * self.width, sigma))

    def posterior_mean(
        self, x_t: Tensor, alpha: Level, sigma: Level, label: Tensor | int | None = None
    ) -> Tensor:
        """Return E[x_0 | x_t], (B, D); the arguments are those of ``GaussianMixture``."""
        alpha, sigma = _column(alpha, x_t), _column(sigma, x_t)
        variance = alpha**2 * self.width**2 + sigma**2
        points, left = self._empirical, label
        if isinstance(label, int) and self.labels is not None:
            points, left = self._of(label, self.labels), None  # fewer points to ask
        own = points.posterior_mean(x_t, alpha, variance.sqrt(), left)
        return sigma**2 / variance * own + alpha * self.width**2 / variance * x_t

    def _of(self, label: int, labels: Tensor) -> Empirical:
        """The points of one class."""
        if label not in self._classes:
            of = labels == label
            if not bool(of.any()):
                raise ValueError(f"no point has the label {label}")
            self._classes[label] = Empirical(self.points[of])
        return self._classes[label]


def _parts(count: int, rows: int) -> Iterator[slice]:
    """Cut a batch into parts of about so many rows.

    Rows come in blocks that a processor works on at once, and the last part is no smaller than the
    others: so a row is rounded alike wherever the batch is cut.
    """
    rows = max(rows // _BLOCK, 1) * _BLOCK
    starts = range(0, max(count - rows, 0) + 1, rows)
    ends = [*starts[1:], count]
    yield from (slice(*ends) for ends in zip(starts, ends, strict=True))


def _scaled_square_distances(x: Tensor, y: Tensor, alpha: Tensor) -> Tensor:
    """(B, N): |x_b - alpha_b y_n|^2 from direct differences, never by expanding the square."""
    if alpha.shape[0] == 1:
        return distances(x, alpha * y).square()
    rows = [((x_b - alpha_b * y) ** 2).sum(1) for x_b, alpha_b in zip(x, alpha, strict=True)]
    return torch.stack(rows)


def _column(level: Level, x: Tensor) -> Tensor:
    """(1, 1) for one level, (B, 1) for one per row."""
    return torch.as_tensor(level, dtype=x.dtype, device=x.device).reshape(-1, 1)


def _rows(value: T, part: slice) -> T | Tensor:
    """Return the part of a value that belongs to these rows; one for all is for these too."""
    return value[part] if isinstance(value, Tensor) and value.numel() > 1 else value


def _masked(logits: Tensor, labels: Tensor | None, label: Tensor | int | None) -> Tensor:
    """Put minus infinity where a column's class is not the row's."""
    if label is None:
        return logits
    if labels is None:
        raise ValueError("this distribution has no classes to condition on")
    other = labels[None, :] != torch.as_tensor(label, device=labels.device).reshape(-1, 1)
    if bool(other.all(1).any()):
        raise ValueError(f"no point has the label {label}")
    return logits.masked_fill(other, -torch.inf)
