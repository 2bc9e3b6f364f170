r"""Editing pictures with a denoiser that was never trained for it.

A picture is x_0 of shape (N, C, H, W) with values about [-1, 1].  Four ways to steer a run:

    start late     x_t = alpha_t x_0 + sigma_t eps, then sample from t: what the noise did not cover
                   stays (SDEdit, Meng et al. 2022, algorithm 1)
    inpaint        x_0 <- known where the mask is 1: a replaced prediction, so that the known part
                   of x_s is the known picture at noise level s (Song et al. 2021, "Score-Based
                   Generative Modeling", appendix I; Lugmayr et al. 2022, eq. 8)
    resample       after each step t -> s go back, x_t = r x_s + sqrt(sigma_t^2 - r^2 sigma_s^2) z
                   with r = alpha_t / alpha_s, and step again: known and new parts get time to
                   agree (RePaint, Lugmayr et al. 2022, algorithm 1 with jumps of one step)
    restore        y = A x_0 + sigma_y n is known.  With x_0 | x_t taken as N(x_0_hat, r_t^2 I),

                       E[x_0 | x_t, y] = x_0_hat
                           + V diag(r_t^2 s / (r_t^2 s^2 + sigma_y^2)) U^T (y - A x_0_hat),

                   A = U diag(s) V^T, r_t^2 = sigma_t^2 / (alpha_t^2 + sigma_t^2)  (Song et al.
                   2023, "Pseudoinverse-Guided Diffusion Models", for r_t and the Gaussian; here
                   without their derivative of the denoiser).  Without noise it is x_0_hat with its
                   measured part replaced, x_0_hat + A^+ (y - A x_0_hat) (DDNM, Wang et al. 2023,
                   section 3).  For data N(m, I) the Gaussian is the truth, and so is the answer.

The edits of the prediction are denoisers, so that every sampler takes them.  Most samplers end on
the prediction itself; those that do not are held to the edit by ``Finished``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Wrapper
from diffviz.core.history import History
from diffviz.core.noising import combine, noise_like
from diffviz.core.parametrizations import levels
from diffviz.core.samplers.base import Sampler, Step
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import State

__all__ = [
    "Degradation",
    "Finished",
    "Inpainted",
    "Resampled",
    "Restored",
    "sdedit",
    "start_at",
]

_MOST = 4096  # numbers in a picture that a degradation takes


def start_at(
    schedule: Schedule,
    grid: Tensor,
    level: float,
    x_0: Tensor,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Return where a run starts that keeps part of a picture, and the stops it has left.

    Of the n steps of the grid the last round(level n) are made.  If that is none of them the
    picture is returned as it is.  If it is all of them nothing of the picture is kept: the start is
    ``schedule.prior_std(t)`` times the noise, as of any run with this generator.

    Source: Meng et al. 2022, algorithm 1.

    Args:
        schedule: the path.
        grid: (n + 1,) strictly falling times that end at 0, see ``make_grid``.
        level: share of the steps that are made, in [0, 1].
        x_0: (N, ...) pictures.
        generator: of the noise.

    Returns:
        x_t, (N, ...), and the rest of the grid from t on; at level 0 that is 0 alone.

    Raises:
        ValueError: if the level lies outside [0, 1] or the grid has no step.
    """
    if not 0 <= level <= 1:
        raise ValueError(f"the level of an edit must lie in [0, 1], got {level:g}")
    n = len(grid) - 1
    if n < 1:
        raise ValueError("a run needs a grid of at least 1 step")
    left = round(level * n)
    rest = grid[n - left :]
    if left == 0:
        return x_0, rest
    t, eps = rest[0].item(), noise_like(x_0, generator)
    if left == n:
        return schedule.prior_std(t) * eps, rest
    alpha, sigma = schedule.at(t)
    return combine((alpha, x_0), (sigma, eps)), rest


def sdedit(
    sampler: Sampler,
    denoiser: Denoiser,
    schedule: Schedule,
    grid: Tensor,
    level: float,
    x_0: Tensor,
    generator: torch.Generator | None = None,
) -> Iterator[State]:
    """Return the states of a run that starts from a noised picture, round(level n) + 1 of them.

    At level 0 that is one state, the picture itself.  The generator draws the start first, then the
    sampler's noise.

    Args:
        sampler: makes the steps.
        denoiser: answers E[x_0 | x_t].
        schedule: the path.
        grid: (n + 1,) strictly falling times that end at 0.
        level: share of the steps that are made, see ``start_at``.
        x_0: (N, ...) pictures.
        generator: of all noise.

    Raises:
        ValueError: as ``start_at``.
    """
    x_t, rest = start_at(schedule, grid, level, x_0, generator)
    if len(rest) > 1:
        return sampler.iterate(denoiser, schedule, rest, x_t, generator)
    nothing = torch.zeros_like(x_0)
    return iter([State(0, 0.0, *schedule.at(0.0), x_0, x_0, nothing, nothing, 0)])


class Inpainted(Wrapper):
    """The predicted x_0 with known pixels put in; the rest is the denoiser's.

    The rest is only told of the known pixels through x_t, so it is not E[x_0 | x_t, known], and the
    answer is never called exact.  For a run that ends on the known pixels whatever the sampler:

        Finished(sampler, inpainted.finish).iterate(inpainted, ...)

    Source: Song et al. 2021, appendix I; Lugmayr et al. 2022, eq. 8.

    Args:
        denoiser: what answers.
        known: the known pixels, of a shape that broadcasts to that of x_t; elsewhere any values.
        mask: 1 or True where a pixel is known, 0 or False elsewhere; broadcasts as well.

    Raises:
        ValueError: if the mask has other values; when called, for shapes that do not broadcast.
    """

    def __init__(self, denoiser: Denoiser, known: Tensor, mask: Tensor) -> None:
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError("a mask is 1 where a pixel is known and 0 elsewhere, nothing between")
        self.denoiser, self.known, self.mask = denoiser, known, mask.bool()

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return the prediction with the known pixels in it."""
        return self.finish(self.denoiser(x_t, t, **cond))

    def finish(self, x: Tensor) -> Tensor:
        """Return ``x`` with the known pixels in it, bit for bit (in ``x``'s dtype)."""
        if not _fits(self.known, x) or not _fits(self.mask, x):
            raise ValueError(
                f"known pixels {tuple(self.known.shape)} and mask {tuple(self.mask.shape)} do not "
                f"fit pictures {tuple(x.shape)}"
            )
        return torch.where(self.mask.to(x.device), self.known.to(x), x)


class _Around(Sampler):
    """A sampler around another, whose facts it takes over."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self.stochastic, self.order, self.memory = sampler.stochastic, sampler.order, sampler.memory
        self.evaluations_a_step, self.churns = sampler.evaluations_a_step, sampler.churns

    def churned(self, t: float, history: History) -> tuple[float, float, float]:
        """Return what the sampler inside does at a stop before it asks."""
        return self.sampler.churned(t, history)


class Finished(_Around):
    """A sampler whose last step is followed by one more edit of where it ends.

    At s = 0 most samplers return the last prediction to the bit, and with it whatever a denoiser
    put there.  Euler-Maruyama does not, nor do Euler and Heun in time (as from alpha = 0, where a
    rectified flow starts): they take a step of finite length.

    Args:
        sampler: makes the steps.
        finish: maps x at t = 0 to what is shown, such as ``Inpainted.finish``.
    """

    def __init__(self, sampler: Sampler, finish: Callable[[Tensor], Tensor]) -> None:
        super().__init__(sampler)
        self.finish = finish

    def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
        """Go from t to s as the sampler does; at s = 0 finish."""
        step = self.sampler.step(x_t, t, s, history)
        return step._replace(x_s=self.finish(step.x_s)) if s == 0 else step


class Resampled(_Around):
    """Every step several times, noised back in between; the last step, to 0, once.

    If x_s has the law of the path at s, then x_t = r x_s + sqrt(sigma_t^2 - r^2 sigma_s^2) z with
    r = alpha_t / alpha_s has its law at t: going back is the path's own noising.

    A state keeps the prediction of the first time, which is the one at its x_t, and as z the last
    fresh noise on the way.  Multistep methods forget their step before, whose prediction belongs to
    another x_t: in here they are first order.

    Source: Lugmayr et al. 2022, algorithm 1, for any path and with jumps of one step.

    Args:
        sampler: makes the steps.
        repeats: how many times each is made, at least 1; 1 is the sampler itself.

    Raises:
        ValueError: for fewer than 1.
    """

    def __init__(self, sampler: Sampler, repeats: int) -> None:
        if repeats < 1:
            raise ValueError(f"a step is made at least once, not {repeats} times")
        super().__init__(sampler)
        self.repeats = repeats
        self.stochastic = sampler.stochastic or repeats > 1
        self.evaluations_a_step = repeats * sampler.evaluations_a_step

    def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
        """Go from t to s, and back and again ``repeats - 1`` times."""
        if self.repeats > 1:
            history.forget()
        first = step = self.sampler.step(x_t, t, s, history)
        z = step.z
        for _ in range(self.repeats - 1 if s > 0 else 0):
            x_again, back = _noised_back(step.x_s, t, s, history)
            step = self.sampler.step(x_again, t, s, history)
            z = back if step.z is None else step.z
        return Step(step.x_s, first.x_0, first.eps, z)


def _noised_back(x_s: Tensor, t: float, s: float, history: History) -> tuple[Tensor, Tensor]:
    """Return x_t drawn from q(x_t | x_s), and its z."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = history.level(t), history.level(s)
    r = alpha_t / alpha_s
    z = history.fresh(x_s)
    return combine((r, x_s), (math.sqrt(max(sigma_t**2 - (r * sigma_s) ** 2, 0.0)), z)), z


class Degradation:
    """A linear operator A that spoils square pictures, held as its SVD, A = U diag(s) V^T.

    On each channel it acts along the columns and along the rows alike, y = B x B^T for one small
    matrix B.  So A is the Kronecker product of B with itself, and its SVD that of B taken twice:
    the singular values are the products s_i s_j.  A picture costs four products of small matrices,
    in float64, where A itself would have (H W)^2 numbers.

    Args:
        side: B, (m, size) with m at most size: how one row or column of pixels is measured.
        channels: of the pictures.
        tolerance: singular values of at most this share of the greatest count as 0, in ``apply``
            too: what is that faint cannot be told from rounding.

    Attributes:
        shape: (channels, size, size) of a picture.
        measured_shape: (channels, m, m) of what is measured of it.
        singular_values: (m, m) of one channel, those that count as 0 set to 0.

    Raises:
        ValueError: if B is no such matrix, or a picture has more than 4,096 numbers.
    """

    def __init__(self, side: Tensor, channels: int = 1, tolerance: float = 1e-4) -> None:
        if side.ndim != 2 or not 1 <= side.shape[0] <= side.shape[1]:
            raise ValueError(
                f"a side is measured by a matrix with at most as many rows as columns, not of "
                f"shape {tuple(side.shape)}"
            )
        m, size = side.shape
        _check_size(size, channels)
        self.shape, self.measured_shape = (channels, size, size), (channels, m, m)
        self._u, values, vh = torch.linalg.svd(side.double(), full_matrices=False)
        self._v = vh.T.contiguous()
        products = torch.outer(values, values)
        counts = products > tolerance * products.max()
        self.singular_values = torch.where(counts, products, 0.0)
        self._inverse = torch.where(counts, 1 / products, 0.0)

    @classmethod
    def identity(cls, size: int, channels: int = 1) -> Degradation:
        """Leave the picture as it is: what is measured differs by its noise only.

        Raises:
            ValueError: as for the class.
        """
        _check_size(size, channels)
        return cls(torch.eye(size, dtype=torch.float64), channels)

    @classmethod
    def blur(cls, size: int, std: float, channels: int = 1) -> Degradation:
        """Gaussian blur of a standard deviation in pixels, the picture mirrored at its border.

        The mirror stands at the outer edge of the last pixel, so that a flat picture stays flat.

        Raises:
            ValueError: if std is not in (0, size], and as for the class.
        """
        _check_size(size, channels)
        if not 0 < std <= size:
            raise ValueError(
                f"the blur of a picture of {size} pixels is above 0 and at most {size}, not {std:g}"
            )
        at = torch.arange(size, dtype=torch.float64)
        reach = math.ceil(4 * std / size) + 1  # in pairs of mirror images, 8 std and more
        shift = 2 * size * torch.arange(-reach, reach + 1, dtype=torch.float64)
        direct = at[:, None, None] - at[None, :, None] + shift
        mirrored = at[:, None, None] + at[None, :, None] + 1 + shift
        bells = (-((direct / std) ** 2) / 2).exp() + (-((mirrored / std) ** 2) / 2).exp()
        side = bells.sum(2)
        return cls(side / side.sum(1, keepdim=True), channels)

    @classmethod
    def downsample(cls, size: int, factor: int, channels: int = 1) -> Degradation:
        """Take the mean of blocks of factor x factor pixels.

        Raises:
            ValueError: if the factor does not divide the size, and as for the class.
        """
        _check_size(size, channels)
        if factor < 1 or size % factor:
            raise ValueError(f"{size} pixels cannot be taken together by {factor}")
        blocks = torch.eye(size // factor, dtype=torch.float64)
        return cls(blocks.repeat_interleave(factor, 1) / factor, channels)

    def apply(self, x: Tensor) -> Tensor:
        """Return A x, (..., C, m, m), of pictures (..., C, size, size), without noise.

        Raises:
            ValueError: for pictures of another shape.
        """
        _check_shape(x, self.shape, "a picture")
        u, v, values = (m.to(x.device) for m in (self._u, self._v, self.singular_values))
        y: Tensor = u @ ((v.T @ x.double() @ v) * values) @ u.T
        return y.to(x.dtype)

    def pinv(self, y: Tensor) -> Tensor:
        """Return A^+ y, (..., C, size, size): the naive answer, which raises noise by 1 / s.

        Raises:
            ValueError: for measurements of another shape.
        """
        return self.lift(y, self._inverse)

    def lift(self, y: Tensor, gain: Tensor) -> Tensor:
        """Return V diag(gain) U^T y, (..., C, size, size).

        Args:
            y: (..., C, m, m) measurements.
            gain: (m, m), one for each singular value, or (N, 1, m, m).

        Raises:
            ValueError: for measurements of another shape.
        """
        _check_shape(y, self.measured_shape, "a measurement")
        u, v, gain = (m.to(y.device) for m in (self._u, self._v, gain))
        x: Tensor = v @ ((u.T @ y.double() @ u) * gain) @ v.T
        return x.to(y.dtype)

    def fit(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x + A^+ (y - A x), the picture nearest to ``x`` with A x = y where s > 0.

        Raises:
            ValueError: for pictures or measurements of another shape.
        """
        wide = x.double()
        return (wide + self.pinv(y.double() - self.apply(wide))).to(x.dtype)


class Restored(Wrapper):
    """The prediction, given a measurement y = A x_0 + sigma_y n too.

    The posterior mean if x_0 | x_t were N(x_0_hat, r_t^2 I), see the module's first lines; without
    noise A x = y to rounding wherever s > 0, and a run that ends so whatever the sampler is

        Finished(sampler, restored.finish).iterate(restored, ...)

    Source: Song et al. 2023, "Pseudoinverse-Guided Diffusion Models"; Wang et al. 2023 for
    noise_std = 0.

    Args:
        denoiser: what answers without y.
        schedule: the path it is asked on.
        degradation: A.
        measured: y, (C, m, m) for all or (N, C, m, m).
        noise_std: sigma_y, at least 0.

    Raises:
        ValueError: for a negative noise_std or a measurement of another shape.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        schedule: Schedule,
        degradation: Degradation,
        measured: Tensor,
        noise_std: float = 0.0,
    ) -> None:
        if not 0 <= noise_std < math.inf:
            raise ValueError(f"the noise of a measurement is at least 0, not {noise_std:g}")
        _check_shape(measured, degradation.measured_shape, "a measurement")
        self.denoiser, self.schedule, self.degradation = denoiser, schedule, degradation
        self.measured, self.noise_std = measured, noise_std

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return the prediction of x_0 given x_t and y."""
        x_0 = self.denoiser(x_t, t, **cond)
        if self.noise_std == 0:
            return self.finish(x_0)
        alpha, sigma = levels(self.schedule, t, x_t)
        r2 = sigma**2 / (alpha**2 + sigma**2)
        s = self.degradation.singular_values.to(x_0.device)
        wide = x_0.double()
        rest = self._measured(x_0) - self.degradation.apply(wide)
        gain = r2 * s / (r2 * s**2 + self.noise_std**2)
        return (wide + self.degradation.lift(rest, gain)).to(x_0.dtype)

    def finish(self, x: Tensor) -> Tensor:
        """Return the nearest picture with A x = y if y has no noise; else ``x`` as it is."""
        return self.degradation.fit(x, self._measured(x)) if self.noise_std == 0 else x

    def _measured(self, x: Tensor) -> Tensor:
        return self.measured.to(x.device, torch.float64)


def _fits(part: Tensor, x: Tensor) -> bool:
    """Whether ``part`` broadcasts to exactly ``x``'s shape."""
    sides = zip(reversed(part.shape), reversed(x.shape), strict=False)
    return part.ndim <= x.ndim and all(own in (1, side) for own, side in sides)


def _check_size(size: int, channels: int) -> None:
    if size < 1 or channels < 1:
        raise ValueError(f"a picture cannot have {size} pixels a side and {channels} channels")
    if channels * size**2 > _MOST:
        raise ValueError(
            f"a degradation takes pictures of at most {_MOST:,} numbers, not {channels} x {size} x "
            f"{size}"
        )


def _check_shape(x: Tensor, shape: tuple[int, ...], what: str) -> None:
    if x.shape[-3:] != shape:
        raise ValueError(f"{what} has the shape {shape} here, not {tuple(x.shape)}")
