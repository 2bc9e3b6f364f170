r"""One loop, and the sum that a step is.

Almost every step here is a sum of coefficient times quantity, and most are one line of it,

    x_s = alpha_s x_0 + c sigma_s eps + sqrt(1 - c^2) sigma_s z,

where x_0 is what the denoiser says at (x_t, t), eps the noise that goes with it and z fresh noise
(Song et al. 2021, "Denoising Diffusion Implicit Models", eq. 12).  c = 1 follows the
probability-flow ODE, smaller c forgets part of eps; multistep methods add changes of x_0 since the
steps before.  The line never divides by alpha, so it may start from pure noise, and at s = 0, where
sigma_s = 0, it returns the prediction itself.

A ``LinearSampler`` says its ``coefficients`` and nothing else: the step is taken from them, and
``explain`` writes the formula from the same numbers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.history import History, Level, Visit, falling
from diffviz.core.noising import combine
from diffviz.core.parametrizations import to_eps
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import State


class Coefficients(NamedTuple):
    """What x_s is the sum of: a coefficient for each quantity.

    Attributes:
        x_t: of the sample before the step.
        x_0: of the prediction there.
        eps: of the predicted noise that goes with it.
        z: of fresh noise; none is drawn where it is 0.
        change: of the changes of x_0 since the visit before, since the one before that, and so on.
        rest: of what no state records, as ``Sampler.rests`` names it.
    """

    x_t: float = 0.0
    x_0: float = 0.0
    eps: float = 0.0
    z: float = 0.0
    change: tuple[float, ...] = ()
    rest: tuple[float, ...] = ()


class Step(NamedTuple):
    """A step from t to s.

    Attributes:
        x_s: where it ends, (N, ...).
        x_0: the denoiser's prediction at its start.
        eps: the predicted noise that goes with ``x_0``.
        z: the fresh N(0, I) noise injected on the way, or None.
    """

    x_s: Tensor
    x_0: Tensor
    eps: Tensor
    z: Tensor | None = None


class Sampler(ABC):
    """Walks x_t down a grid of times, from noise to data, and knows what it is.

    Attributes:
        title: its name in a menu; the class's own name where it says none.
        short: its name where there is little room: the title before its first bracket.
        sentence: what it does in one sentence; the docstring's first line where it says none.
        order: by which power of the steps' length its error falls, on the flow or in distribution.
        stochastic: whether a run injects fresh noise on the way.
        evaluations_a_step: how often it asks the denoiser in a step, the first and the last apart.
        memory: how many visits before the present one its step looks back on.
        churns: whether it raises the noise level at its stops before it asks, see ``churned``.
        rests: symbol and words of what its step adds that no state records: one for each ``rest``
            of its coefficients, one at a time.
    """

    title: ClassVar[str]
    short: ClassVar[str]
    sentence: ClassVar[str]
    rests: ClassVar[tuple[tuple[str, str], ...]] = (("r", "what else this sampler adds"),)
    order: int = 1
    stochastic: bool = False
    evaluations_a_step: int = 1
    memory: int = 0
    churns: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        cls.title = own.get("title", cls.__name__)
        cls.short = own.get("short", cls.title.split(" (")[0])
        cls.sentence = own.get("sentence", (cls.__doc__ or cls.title).split("\n")[0])

    @abstractmethod
    def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
        """Go from x_t at time t to the earlier time s.

        Args:
            x_t: (N, ...).
            t: the time of ``x_t``, above s.
            s: the next stop, possibly 0.
            history: the run so far, and the way to ask the denoiser and to draw fresh noise.
        """

    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return what the step from t to s adds up to; by default DDIM's line and the rest.

        It depends on times and levels alone: what the visits of ``history.past`` saw is not known
        where a formula is written before a run.
        """
        return line(history.level(t), history.level(s))._replace(rest=(1.0,))

    def churned(self, t: float, history: History) -> tuple[float, float, float]:
        """Return (t_hat, keep, fresh): at a stop t, keep x_t + fresh z at t_hat >= t is asked."""
        return t, 1.0, 0.0

    def said(self, history: History) -> str:
        """Return what a step does in this run, in words."""
        return self.sentence

    def times(self, schedule: Schedule, grid: Tensor) -> Tensor:
        """Return the times of a run's states: the grid, but for stops that are churned."""
        history = History(None, schedule, falling(grid))
        asked = [self.churned(t, history)[0] for t in history.grid[:-1]]
        return grid.new_tensor([*asked, history.grid[-1]])

    def iterate(
        self,
        denoiser: Denoiser,
        schedule: Schedule,
        grid: Tensor,
        x_1: Tensor,
        generator: torch.Generator | None = None,
    ) -> Iterator[State]:
        """Yield the state at every stop of ``grid``: len(grid) states, the last at its end.

        Where that is t = 0 the samples are their own prediction; where the grid ends above 0, the
        last prediction is kept and the predicted noise is what it leaves.

        Args:
            denoiser: answers E[x_0 | x_t].
            schedule: the path.
            grid: (steps + 1,) strictly falling times, nearly always down to 0: see ``make_grid``.
            x_1: (N, ...) samples at the first time of the grid, of std ``schedule.prior_std(t)``
                for unit-variance data.
            generator: of the fresh noise, in the order of the steps.

        Raises:
            ValueError: if the grid does not fall strictly between 1 and 0.
        """
        history = History(denoiser, schedule, falling(grid), self.memory, generator)
        x_t = x_1
        nothing = z = torch.zeros_like(x_1)
        for index, (t, s) in enumerate(pairwise(history.grid)):
            spent = history.evaluations
            if self.churns:
                t, keep, fresh = self.churned(t, history)
                if fresh:
                    z = history.fresh(x_t)
                    x_t = combine((keep, x_t), (fresh, z))
            step = self.step(x_t, t, s, history)
            yield State(index, t, *history.level(t), x_t, step.x_0, step.eps, z, spent)
            history.keep(Visit(t, x_t, step.x_0, step.eps))
            x_t, z = step.x_s, nothing if step.z is None else step.z
        x_0 = step.x_0 if s > 0 else x_t
        eps = to_eps(x_t, x_0, *history.level(s)) if s > 0 else nothing
        yield State(index + 1, s, *history.level(s), x_t, x_0, eps, z, history.evaluations)

    def sample(
        self,
        denoiser: Denoiser,
        schedule: Schedule,
        grid: Tensor,
        x_1: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return only where the run ends, (N, ...)."""
        for state in self.iterate(denoiser, schedule, grid, x_1, generator):
            x_t = state.x_t
        return x_t


class LinearSampler(Sampler):
    """A sampler whose step is the sum that its coefficients say."""

    @abstractmethod
    def coefficients(self, t: float, s: float, history: History) -> Coefficients:
        """Return what the step from t to s adds up to, from times and levels alone."""

    def step(self, x_t: Tensor, t: float, s: float, history: History) -> Step:
        """Go from t to s: ask once, and add up."""
        x_0, eps = history.predict(x_t, t)
        of_x_t, of_x_0, of_eps, of_z, of_change, _ = self.coefficients(t, s, history)
        x_s, z = combine((of_x_0, x_0), (of_eps, eps), (of_x_t, x_t)), None
        if of_change:
            seen = [x_0, *(visit.x_0 for visit in reversed(history.past))]
            for weight, (later, earlier) in zip(of_change, pairwise(seen), strict=False):
                x_s.add_(later - earlier, alpha=weight)
        if of_z:
            z = history.fresh(x_t)
            x_s.add_(z, alpha=of_z)
        return Step(x_s, x_0, eps, z)


def line(level_t: Level, level_s: Level, eta: float = 0.0) -> Coefficients:
    """Return alpha_s x_0 + c sigma_s eps + sqrt(1 - c^2) sigma_s z.

    The part of z is eta times the standard deviation of q(x_s | x_t, x_0), which is
    sigma_s sqrt(1 - SNR_t / SNR_s) (Ho et al. 2020, eq. 7, for any path as in Kingma et al. 2021,
    eq. 27).
    """
    alpha_s, sigma_s = level_s
    if eta == 0:
        return Coefficients(0.0, alpha_s, sigma_s)
    kept = 1 - eta**2 + (eta * signal_ratio(level_t, level_s)) ** 2
    fresh = math.sqrt(max(1 - kept, 0.0))
    return Coefficients(0.0, alpha_s, sigma_s * math.sqrt(kept), sigma_s * fresh)


def signal_ratio(level_t: Level, level_s: Level) -> float:
    """Return e^{-h} = sqrt(SNR_t / SNR_s), in [0, 1)."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = level_t, level_s
    return (alpha_t * sigma_s) / (sigma_t * alpha_s)
