"""The variational bound of a shipped model of pictures under the reader's choice of a chain.

The curve of the model's error ships (``studies/figures/bound.json``), so every schedule, spacing
and number of steps is answered at once; the network is asked only for the pictures on the ladder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from diffviz.core.noising import jump
from diffviz.core.run import Watch, ignore, simulate
from diffviz.data.pictures import IMAGE_INFO, labelled_images
from diffviz.scenes import picture_sets, scene
from diffviz.scenes.caching import cached
from diffviz.scenes.configs import SamplerConfig, ScheduleConfig
from diffviz.scenes.picture_run import GenerateRun
from diffviz.studies.bound import LAST, Bound, Curve, chain, limit, read_curves, terms

Floats = NDArray[np.float32]

DEFAULT_SCHEDULE = ScheduleConfig("cosine")
"""The schedule that the page starts with."""

COMPARED: tuple[str, ...] = ("linear", "cosine", "ve", "edm", "rectified_flow")
"""The schedules whose bounds are set beside the chosen one."""

GROWTH: tuple[int, ...] = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000)
"""The numbers of steps at which they are compared."""

RUNGS = 7
"""How many latents are shown as pictures."""

_PIXELS = 28 * 28
_SHOWN = 35  # which of the shipped pictures
_DRAWN = 7  # the class of the picture that a network draws where none ships
_SEED = 3


@dataclass(frozen=True)
class BoundRun:
    """What a bound is asked of.

    Attributes:
        pictures: a key of ``PICTURE_SETS``.
        told: what the network is told of a picture, one of ``bound.CONDITIONS``.
        schedule: the path of the noise.
        steps: T.
        spacing: of the stops, a key of ``bound.CHAIN_SPACINGS``.
        last: log-SNR of the cleanest stop.
    """

    pictures: str = "mnist"
    told: str = "any"
    schedule: ScheduleConfig = DEFAULT_SCHEDULE
    steps: int = 50
    spacing: str = "quadratic"
    last: float = LAST


@dataclass(frozen=True, eq=False)
class Split:
    """The terms of a bound and where they lie.

    Attributes:
        times: (T + 1,) the stops, from 1 down.
        log_snrs: (T + 1,) the log-SNR there; minus infinity where no signal is left.
        bound: its terms, in bits per dimension.
        limit: what it tends to as T grows.
        curve: of the network, what all follows from.
    """

    times: NDArray[np.float64]
    log_snrs: NDArray[np.float64]
    bound: Bound
    limit: Bound
    curve: Curve

    @property
    def bytes_a_picture(self) -> float:
        """How long a picture's code is on average, were the bound's chain used to compress it."""
        return self.bound.total * _PIXELS / 8


@dataclass(frozen=True)
class Growth:
    """A schedule's bound against the number of steps.

    Attributes:
        config: the schedule.
        totals: (len(GROWTH),) bits per dimension.
    """

    config: ScheduleConfig
    totals: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Rungs:
    """A picture on its way up the ladder of latents.

    Attributes:
        t: (K,) the times, rising.
        x_t: (K, 1, H, W) the latents, on the scale of the picture.
        x_0: (K, 1, H, W) what the network predicts from each.
        real: whether the picture is a real one; else the network drew it.
    """

    t: tuple[float, ...]
    x_t: Floats
    x_0: Floats
    real: bool


@cache
def _curves() -> dict[str, dict[str, Curve]]:
    return read_curves()


def curve_of(run: BoundRun) -> Curve:
    """The measured curve that a bound follows from.

    Raises:
        ValueError: if the curves are missing or damaged.
    """
    found = _curves().get(run.pictures)
    if found is None:
        raise ValueError(
            f"Nothing has been measured for {run.pictures} yet: python -m diffviz bound "
            f"{run.pictures} --write measures it."
        )
    return found[run.told]


def split(run: BoundRun) -> Split:
    """The terms of the bound.

    Raises:
        ValueError: if the curves are missing, or the schedule makes no such chain.
    """
    schedule, curve = run.schedule.build(), curve_of(run)
    times = chain(schedule, run.steps, run.spacing, run.last)
    return Split(
        times.numpy(),
        schedule.log_snr(times).numpy(),
        terms(schedule, times, curve),
        limit(schedule, curve, run.last),
        curve,
    )


def growth(run: BoundRun) -> list[Growth]:
    """The bound against T for some schedules and, the last of them, the chosen one.

    Raises:
        ValueError: as ``split``.
    """
    others = [ScheduleConfig(name) for name in COMPARED if name != run.schedule.name]
    return [Growth(each, _totals(replace(run, schedule=each))) for each in (*others, run.schedule)]


@cached(max_entries=256, max_size="2MB")
def _totals(run: BoundRun) -> tuple[float, ...]:
    schedule, curve = run.schedule.build(), curve_of(run)
    grids = (chain(schedule, steps, run.spacing, run.last) for steps in GROWTH)
    return tuple(terms(schedule, grid, curve).total for grid in grids)


def climb(run: BoundRun, watch: Watch = ignore) -> Rungs:
    """The ladder of a run's schedule; its steps are not asked for.

    Raises:
        ValueError: if the schedule makes no such chain.
    """
    return _rungs(run.pictures, run.schedule, run.last, watch)


@cached(max_entries=32, max_size="4MB")
def _rungs(pictures: str, schedule: ScheduleConfig, last: float, _watch: Watch) -> Rungs:
    """A picture noised to some levels, even in log-SNR, and what the network makes of each."""
    path = schedule.build()
    t = chain(path, RUNGS - 1, "log_snr", last).flip(0)
    x_0 = torch.from_numpy(_picture(pictures)).expand(RUNGS, -1, -1, -1)
    eps = torch.randn(x_0[:1].shape, generator=torch.Generator().manual_seed(_SEED))
    x_t = jump(path, x_0, t, eps.expand_as(x_0))
    answer = picture_sets.answers(pictures, path)
    predicted = torch.cat([answer(x[None], at) for x, at in zip(x_t, t.tolist(), strict=True)])
    return Rungs(
        tuple(t.tolist()),
        scene.drawn(x_t[:, None], path, t)[:, 0],
        predicted.numpy(),
        pictures in IMAGE_INFO,
    )


@cached(max_entries=4, max_size="1MB")
def _picture(name: str) -> Floats:
    """(1, 1, H, W): a real picture where some ship, else one that the network draws."""
    if name in IMAGE_INFO:
        real: Floats = labelled_images(name, _SHOWN + 1, 0)[0][-1:].numpy()
        return real
    sampler = SamplerConfig("dpmpp_2m", 12, "log_snr")
    run = GenerateRun(name, count=1, classes=(_DRAWN,), sampler=sampler)
    drawn: Floats = simulate(run.plan(), 1).x_t[-1].clamp(-1, 1).numpy()
    return drawn
