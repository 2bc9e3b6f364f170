r"""Noise schedules: a path is a map from time to (alpha, sigma).

Every process in this package is the same one line,

    x_t = alpha_t x_0 + sigma_t eps,    eps ~ N(0, I),    t in [0, 1],

with data at t = 0 and noise at t = 1.  A schedule is the choice of alpha and sigma, and nothing
else: variance preserving, variance exploding, EDM and rectified flow differ here and nowhere else.

From the path follow (Kingma et al. 2021, "Variational Diffusion Models", eq. 2 and appendix A):

    log-SNR    lambda_t = log(alpha_t^2 / sigma_t^2)
    the SDE    dx = f_t x dt + g_t dw,   f = alpha' / alpha,   g^2 = (sigma^2)' - 2 f sigma^2

Sources: Ho et al. 2020 (linear), Rombach et al. 2022 (scaled linear), Nichol and Dhariwal 2021
(cosine), Chen 2023 (sigmoid), Song et al. 2021 (VP, sub-VP, VE), Karras et al. 2022 (EDM),
Liu et al. 2023 (rectified flow), Lin et al. 2023 (zero terminal SNR).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor

__all__ = [
    "EDM",
    "SCHEDULES",
    "VE",
    "VP",
    "Cosine",
    "Custom",
    "DiscreteVP",
    "Linear",
    "RectifiedFlow",
    "ScaledLinear",
    "Schedule",
    "Sigmoid",
    "SubVP",
    "chain_of",
    "shifted_snr",
    "zero_terminal_snr",
]

_MAX_BETA = 0.999
_ONE = torch.ones(1, dtype=torch.float64)
_LEAST_ALPHA = 1e-290  # far enough above the smallest float64 to be divided and multiplied


class Schedule(ABC):
    """A path from data (t = 0) to noise (t = 1).

    Subclasses give the path and its slope in float64; everything else is derived here.

    Attributes:
        t_min: the last time above 0 at which a grid with a finite log-SNR may stop.
        own_stops: the (steps + 1,) times of a run, where what the schedule was read from says them.
        title: what menus call a registered schedule.
        sentence: what they say of it.
    """

    title: ClassVar[str]
    sentence: ClassVar[str]

    t_min: float = 1e-3
    own_stops: Callable[[int], Tensor] | None = None

    @abstractmethod
    def _path(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return (alpha, sigma) at float64 times ``t``, by operations autograd can follow."""

    @abstractmethod
    def _slope(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return (alpha', sigma') at float64 times ``t``, in closed form."""

    def __call__(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """Return (alpha_t, sigma_t), each of the shape and dtype of ``t``.

        Args:
            t: times in [0, 1], any shape; a Python number counts as float64.

        Raises:
            ValueError: if a time lies outside [0, 1] or is not a number.
        """
        t, dtype = _times(t)
        alpha, sigma = self._path(t)
        return alpha.to(dtype), sigma.to(dtype)

    def derivatives(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """Return (alpha'_t, sigma'_t), the slopes in t; sigma' may be infinite at t = 0."""
        t, dtype = _times(t)
        d_alpha, d_sigma = self._slope(t)
        return d_alpha.to(dtype), d_sigma.to(dtype)

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Return lambda_t = log(alpha_t^2 / sigma_t^2): +inf where sigma is 0, -inf where alpha is.

        Strictly decreasing in t.
        """
        t, dtype = _times(t)
        alpha, sigma = self._path(t)
        return (2 * (alpha.log() - sigma.log())).to(dtype)

    def drift_diffusion(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """Return (f_t, g^2_t) of dx = f x dt + g dw; infinite where alpha is 0.

        Source: Kingma et al. 2021, appendix A; Song et al. 2021, eq. 5.
        """
        t, dtype = _times(t)
        alpha, sigma = self._path(t)
        d_alpha, d_sigma = self._slope(t)
        f = d_alpha / alpha
        g2 = 2 * sigma * d_sigma - 2 * f * sigma**2
        return f.to(dtype), g2.to(dtype)

    @cached_property
    def at(self) -> Callable[[float], tuple[float, float]]:
        """(alpha, sigma) at one time as Python numbers, remembered: what a sampler's loop reads.

        A change of the schedule forgets them, and a copy or a pickle begins without.
        """

        @lru_cache(maxsize=4096)
        def at(t: float) -> tuple[float, float]:
            alpha, sigma = self(t)
            return alpha.item(), sigma.item()

        return at

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        vars(self).pop("at", None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "at"}

    def prior_std(self, t: float = 1.0) -> float:
        """Return the standard deviation of x_t for unit-variance data, sqrt(alpha^2 + sigma^2).

        It is 1 for a variance-preserving path, and what a sampler that starts at t should draw.
        """
        return math.hypot(*self.at(t))

    def t_at_log_snr(self, log_snr: Tensor | float) -> Tensor:
        """Return the times at which the log-SNR has the given values (float64, clamped to [0, 1]).

        The log-SNR falls strictly, so bisection finds the time to the last bit.
        """
        target = torch.as_tensor(log_snr, dtype=torch.float64)
        low, high = torch.zeros_like(target), torch.ones_like(target)
        for _ in range(60):
            middle = (low + high) / 2
            noisier = self.log_snr(middle) < target
            low, high = torch.where(noisier, low, middle), torch.where(noisier, middle, high)
        return torch.where(target <= self.log_snr(1.0), torch.ones_like(target), (low + high) / 2)

    def __repr__(self) -> str:
        shown = (f"{k}={v!r}" for k, v in vars(self).items() if isinstance(v, int | float | tuple))
        return f"{type(self).__name__}({', '.join(shown)})"


class _VariancePreserving(Schedule):
    """Paths with alpha^2 + sigma^2 = 1; subclasses give alpha and alpha'."""

    @abstractmethod
    def _alpha(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def _alpha_slope(self, t: Tensor) -> Tensor: ...

    def _path(self, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha = self._alpha(t)
        return alpha, ((1 - alpha) * (1 + alpha)).sqrt()

    def _slope(self, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma = self._path(t)
        d_alpha = self._alpha_slope(t)
        return d_alpha, torch.where(sigma > 0, -alpha * d_alpha / sigma, torch.inf)

    def drift_diffusion(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """Return (f_t, g^2_t); here g^2 = -2 f, finite at t = 0 too (Song et al. 2021, eq. 11)."""
        t, dtype = _times(t)
        f = self._alpha_slope(t) / self._alpha(t)
        return f.to(dtype), (-2 * f).to(dtype)


class DiscreteVP(_VariancePreserving):
    """The chain of DDPM with T noisings, x_k = sqrt(1 - beta_k) x_{k-1} + sqrt(beta_k) z.

    At t = k / T the path is exact, alpha^2 = prod_{i <= k} (1 - beta_i) (Ho et al. 2020, eq. 4);
    between those times alpha is a monotone cubic, so that a sampler may stop anywhere.

    Args:
        betas: (T,) variances of the noisings, T >= 2, each in (0, 1]; only the last may be 1.

    Attributes:
        T: the number of noisings.
        betas: (T,) float64.
        alphas: (T,) float64, alpha after each noising.
        alphas_bar: (T,) float64, the cumulative product of 1 - beta.

    Raises:
        ValueError: if there are fewer than 2 betas, one is outside (0, 1], or so much noise comes
            in before the end that alpha cannot be told from 0.
    """

    def __init__(self, betas: Tensor | Sequence[float]) -> None:
        self.betas = torch.as_tensor(betas, dtype=torch.float64)
        if self.betas.ndim != 1 or len(self.betas) < 2:
            raise ValueError(
                f"a chain needs at least 2 betas in a row, got shape {tuple(self.betas.shape)}"
            )
        if not bool(((self.betas > 0) & (self.betas <= 1)).all()):
            raise ValueError("every beta is a variance and must lie in (0, 1]")
        self.T = len(self.betas)
        self.alphas = torch.cumprod((1 - self.betas).sqrt(), 0)
        self.alphas_bar = self.alphas**2
        gone = self.alphas < _LEAST_ALPHA
        gone[-1] &= self.betas[-1] < 1  # pure noise at the very end is what some chains are for
        if bool(gone.any()):
            k = int(gone.int().argmax()) + 1
            raise ValueError(
                f"after {k} of the {self.T} noisings so little of the data is left that it cannot "
                "be told from 0: fewer noisings or smaller betas are needed"
            )
        self.t_min = 1 / self.T
        knots = torch.arange(self.T + 1, dtype=torch.float64) / self.T
        self._curve = _MonotoneCubic(knots, torch.cat([_ONE, self.alphas]))

    @property
    def posterior_variance(self) -> Tensor:
        """(T,) beta_k (1 - alpha_bar_{k-1}) / (1 - alpha_bar_k) (Ho et al. 2020, eq. 7)."""
        return self.betas * (1 - _before(self.alphas_bar)) / (1 - self.alphas_bar)

    def _alpha(self, t: Tensor) -> Tensor:
        return self._curve(t)

    def _alpha_slope(self, t: Tensor) -> Tensor:
        return self._curve.slope(t)


class Linear(DiscreteVP):
    """beta linear in k (Ho et al. 2020, section 4)."""

    title = "Linear (DDPM)"
    sentence = "beta, the noise of each step, rises in a straight line."

    def __init__(self, T: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> None:
        super().__init__(_linspace(beta_start, beta_end, T))
        self.beta_start, self.beta_end = beta_start, beta_end


class ScaledLinear(DiscreteVP):
    """sqrt(beta) linear in k: the schedule of latent diffusion (Rombach et al. 2022)."""

    title = "Scaled linear (latent diffusion)"
    sentence = "The square root of beta rises in a straight line."

    def __init__(self, T: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012) -> None:
        super().__init__(_linspace(beta_start**0.5, beta_end**0.5, T) ** 2)
        self.beta_start, self.beta_end = beta_start, beta_end


class Cosine(DiscreteVP):
    """alpha_bar = cos^2(pi/2 (t + s)/(1 + s)) up to scale, beta at most 0.999.

    Source: Nichol and Dhariwal 2021, eq. 17, with the offset s = 0.008.
    """

    title = "Cosine"
    sentence = "alpha-bar, the share of signal left, falls like a squared cosine."

    def __init__(self, T: int = 1000, s: float = 0.008) -> None:
        t = _linspace(0, 1, T + 1)
        super().__init__(_betas(torch.cos((t + s) / (1 + s) * torch.pi / 2) ** 2))
        self.s = s


class Sigmoid(DiscreteVP):
    """alpha_bar a falling sigmoid over [start, end] at temperature tau (Chen 2023, algorithm 1)."""

    title = "Sigmoid"
    sentence = "alpha-bar falls in an S-shaped curve."

    def __init__(
        self, T: int = 1000, start: float = -3.0, end: float = 3.0, tau: float = 1.0
    ) -> None:
        if not (start < end and tau > 0):
            raise ValueError("a sigmoid schedule needs start < end and tau > 0")
        curve = torch.sigmoid(-_linspace(start, end, T + 1) / tau)
        super().__init__(_betas(curve - curve[-1]))
        self.start, self.end, self.tau = start, end, tau


class VP(_VariancePreserving):
    """The variance-preserving SDE with beta(t) linear from beta_min to beta_max.

    Source: Song et al. 2021, eq. 33: log alpha_t = -(beta_max - beta_min) t^2/4 - beta_min t/2.
    """

    title = "VP (variance preserving)"
    sentence = "The continuous limit of the linear schedule, as an SDE."

    def __init__(self, beta_min: float = 0.1, beta_max: float = 20.0) -> None:
        _require_increasing(beta_min=beta_min, beta_max=beta_max)
        self.beta_min, self.beta_max = beta_min, beta_max

    def _log_alpha(self, t: Tensor) -> Tensor:
        return -(self.beta_max - self.beta_min) * t**2 / 4 - self.beta_min * t / 2

    def _alpha(self, t: Tensor) -> Tensor:
        return self._log_alpha(t).exp()

    def _alpha_slope(self, t: Tensor) -> Tensor:
        return -self._alpha(t) * (self.beta_min + (self.beta_max - self.beta_min) * t) / 2


class SubVP(VP):
    """The sub-VP SDE: alpha of VP, sigma = 1 - alpha^2 (Song et al. 2021, eq. 29)."""

    title = "Sub-VP"
    sentence = "The signal of VP with less noise on the way."

    def _path(self, t: Tensor) -> tuple[Tensor, Tensor]:
        log_alpha = self._log_alpha(t)
        return log_alpha.exp(), -torch.expm1(2 * log_alpha)

    def _slope(self, t: Tensor) -> tuple[Tensor, Tensor]:
        d_alpha = self._alpha_slope(t)
        return d_alpha, -2 * self._alpha(t) * d_alpha

    def drift_diffusion(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """Return (f_t, g^2_t) by the general rule: this path does not keep the variance."""
        return Schedule.drift_diffusion(self, t)


class VE(Schedule):
    """The variance-exploding SDE: alpha = 1, sigma geometric from 0 to about sigma_max.

    sigma_t^2 = sigma_min^2 ((sigma_max / sigma_min)^(2t) - 1): the kernel's variance counted from
    t = 0, so that sigma_0 = 0 exactly (Song et al. 2021, appendix B, eq. 30).
    """

    title = "VE (variance exploding)"
    sentence = "The data stay as they are; noise is added, growing many-fold."

    def __init__(self, sigma_min: float = 0.01, sigma_max: float = 50.0) -> None:
        _require_increasing(sigma_min=sigma_min, sigma_max=sigma_max)
        self.sigma_min, self.sigma_max = sigma_min, sigma_max
        self._rate = 2 * math.log(sigma_max / sigma_min)
        self.t_min = min(math.log(2) / self._rate, 0.5)  # where sigma_t = sigma_min

    def _path(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(t), self.sigma_min * torch.expm1(self._rate * t).sqrt()

    def _slope(self, t: Tensor) -> tuple[Tensor, Tensor]:
        sigma = self._path(t)[1]
        growth = self.sigma_min**2 * self._rate * (self._rate * t).exp() / 2
        return torch.zeros_like(t), growth / sigma

    def drift_diffusion(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """Return (0, (sigma^2)'), finite at t = 0 too."""
        t, dtype = _times(t)
        growth = self.sigma_min**2 * self._rate * (self._rate * t).exp()
        return torch.zeros_like(t, dtype=dtype), growth.to(dtype)


class EDM(Schedule):
    """alpha = 1 and sigma = sigma_max t: noise level as time (Karras et al. 2022, table 1).

    Args:
        sigma_max: the noise at t = 1.
        sigma_min: the last noise level above 0 at which a grid stops.
    """

    title = "EDM"
    sentence = "The data stay as they are; the noise level itself is the time."

    def __init__(self, sigma_max: float = 80.0, sigma_min: float = 0.002) -> None:
        _require_increasing(sigma_min=sigma_min, sigma_max=sigma_max)
        self.sigma_max, self.sigma_min = sigma_max, sigma_min
        self.t_min = sigma_min / sigma_max

    def _path(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(t), self.sigma_max * t

    def _slope(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(t), torch.full_like(t, self.sigma_max)

    def t_at_log_snr(self, log_snr: Tensor | float) -> Tensor:
        """Return the times at which the log-SNR has the given values (float64, clamped to [0, 1]).

        In closed form: t = exp(-log_snr / 2) / sigma_max.
        """
        target = torch.as_tensor(log_snr, dtype=torch.float64)
        return (torch.exp(-target / 2) / self.sigma_max).clamp(0, 1)


class RectifiedFlow(Schedule):
    """The straight line alpha = 1 - t, sigma = t (Liu et al. 2023, eq. 1)."""

    title = "Rectified flow"
    sentence = "A straight line from data to noise."

    def _path(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - t, t.clone()

    def _slope(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -torch.ones_like(t), torch.ones_like(t)


class Custom(_VariancePreserving):
    """A variance-preserving path through the user's points (t, alpha_bar).

    alpha = sqrt(alpha_bar) is the monotone cubic through the points' square roots, so the curve
    never overshoots a point.

    Args:
        points: at least two pairs (t, alpha_bar): t strictly rising from 0 to 1, alpha_bar strictly
            falling from 1 to at least 0.

    Raises:
        ValueError: in words for the person who moved the points.
    """

    title = "Custom"
    sentence = "alpha-bar through control points of your own."

    def __init__(
        self,
        points: Sequence[tuple[float, float]] = (
            (0.0, 1.0),
            (0.25, 0.85),
            (0.5, 0.45),
            (0.75, 0.1),
            (1.0, 1e-4),
        ),
    ) -> None:
        self.points = tuple((float(t), float(a)) for t, a in points)
        _check_points(self.points)
        t, alpha_bar = torch.tensor(self.points, dtype=torch.float64).T
        self._curve = _MonotoneCubic(t.contiguous(), alpha_bar.sqrt())

    def _alpha(self, t: Tensor) -> Tensor:
        return self._curve(t)

    def _alpha_slope(self, t: Tensor) -> Tensor:
        return self._curve.slope(t)


def zero_terminal_snr(schedule: DiscreteVP) -> DiscreteVP:
    """Shift and scale sqrt(alpha_bar) so that its last value is 0 and its first is kept.

    The chain then ends in pure noise, which asks for a denoiser that predicts x_0 or v: eps says
    nothing about x_0 where alpha = 0.

    Source: Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed",
    algorithm 1.
    """
    first, last = schedule.alphas[0], schedule.alphas[-1]
    alphas = (schedule.alphas - last) * first / (first - last)
    return DiscreteVP(1 - (alphas / _before(alphas)) ** 2)


def shifted_snr(schedule: DiscreteVP, scale: float) -> DiscreteVP:
    """Divide the SNR of every noising by a positive number, as larger pictures ask for.

    Source: Hoogeboom et al. 2023, "Simple Diffusion", section 3.1; alpha_bar becomes
    alpha_bar / (scale + (1 - scale) alpha_bar).
    """
    alphas_bar = schedule.alphas_bar
    return chain_of(alphas_bar / (scale + (1 - scale) * alphas_bar))


def chain_of(alphas_bar: Tensor) -> DiscreteVP:
    """The chain with these (T,) shares of the data's power left, falling from below 1."""
    return DiscreteVP(1 - alphas_bar / _before(alphas_bar))


def _before(left: Tensor) -> Tensor:
    """(T,) float64: what was left before each noising, of what is left after it."""
    return torch.cat([_ONE, left[:-1]])


SCHEDULES: dict[str, type[Schedule]] = {
    "linear": Linear,
    "scaled_linear": ScaledLinear,
    "cosine": Cosine,
    "sigmoid": Sigmoid,
    "vp": VP,
    "subvp": SubVP,
    "ve": VE,
    "edm": EDM,
    "rectified_flow": RectifiedFlow,
    "custom": Custom,
}


class _MonotoneCubic:
    """Piecewise cubic through (x, y), y falling as it does (Fritsch and Butland 1984).

    Knot slopes are weighted harmonic means of the neighbouring chords; the ends are one-sided
    parabolas, held back so that they do not turn.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x.double(), y.double()
        self.h = self.x.diff()
        self.chord = self.y.diff() / self.h
        self.d = self._slopes()

    def _slopes(self) -> Tensor:
        h, chord = self.h, self.chord
        if len(chord) == 1:
            return chord.expand(2)
        w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
        inner = (w1 + w2) / (w1 / chord[:-1] + w2 / chord[1:])
        return torch.cat([self._end(0, 1)[None], inner, self._end(-1, -2)[None]])

    def _end(self, near: int, far: int) -> Tensor:
        h, chord = self.h, self.chord
        d = ((2 * h[near] + h[far]) * chord[near] - h[near] * chord[far]) / (h[near] + h[far])
        return d.clamp(max=0)

    def _locate(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        i = (torch.searchsorted(self.x, x.detach().contiguous()) - 1).clamp_min(0)
        return i, self.h[i], (x - self.x[i]) / self.h[i]

    def __call__(self, x: Tensor) -> Tensor:
        i, h, u = self._locate(x)
        v = 1 - u
        y = v * v * ((1 + 2 * u) * self.y[i] + u * h * self.d[i])
        return y + u * u * ((1 + 2 * v) * self.y[i + 1] - v * h * self.d[i + 1])

    def slope(self, x: Tensor) -> Tensor:
        i, _, u = self._locate(x)
        v = 1 - u
        return (
            6 * u * v * self.chord[i]
            + v * (1 - 3 * u) * self.d[i]
            + u * (1 - 3 * v) * self.d[i + 1]
        )


def _times(t: Tensor | float) -> tuple[Tensor, torch.dtype]:
    """Return the times in float64 and the dtype to answer in."""
    t = t if isinstance(t, Tensor) else torch.tensor(t, dtype=torch.float64)
    if not bool(((t >= 0) & (t <= 1)).all()):
        raise ValueError("times must lie in [0, 1], where 0 is data and 1 is noise")
    dtype = t.dtype if t.is_floating_point() else torch.float64
    return t.double(), dtype


def _linspace(start: float, end: float, n: int) -> Tensor:
    if n < 2:
        raise ValueError(f"T must be at least 2, got {n}")
    return torch.linspace(start, end, n, dtype=torch.float64)


def _betas(alpha_bar: Tensor) -> Tensor:
    """(T,) betas of a chain that follows alpha_bar (T + 1,) up to scale, each at most 0.999.

    Raises:
        ValueError: if alpha_bar is so flat somewhere that a noising would add nothing.
    """
    betas = (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=_MAX_BETA)
    if not bool((betas > 0).all()):
        raise ValueError(
            "the curve of alpha-bar is so flat in places that some noisings add nothing: a softer "
            "or narrower one, or fewer noisings, are needed"
        )
    return betas


def _require_increasing(**values: float) -> None:
    (low_name, low), (high_name, high) = values.items()
    if not 0 < low < high < math.inf:
        raise ValueError(f"{low_name} and {high_name} must satisfy 0 < {low_name} < {high_name}")


def _check_points(points: Sequence[tuple[float, float]]) -> None:
    if len(points) < 2:
        raise ValueError("a custom schedule needs at least two control points")
    if not all(math.isfinite(value) for point in points for value in point):
        raise ValueError("every control point needs two finite numbers, t and alpha-bar")
    if points[0] != (0.0, 1.0) or points[-1][0] != 1.0 or points[-1][1] < 0:
        raise ValueError(
            "the first control point must be (0, 1), clean data, and the last must lie at t = 1 "
            "with alpha-bar of at least 0"
        )
    for k, (a, b) in enumerate(pairwise(points), start=1):
        if not a[0] < b[0]:
            raise ValueError(
                f"control points must go from left to right: point {k + 1} (t = {b[0]:g}) is not "
                f"to the right of point {k} (t = {a[0]:g})"
            )
        if not a[1] > b[1]:
            raise ValueError(
                f"alpha-bar must fall from point to point: point {k + 1} ({b[1]:g}) is not below "
                f"point {k} ({a[1]:g})"
            )
