"""A race: samplers that start from the same noise, each on its own, and the clock they share.

A contestant's run is cached by itself, so a change of one costs one run.  The race then lays the
runs over each other: a frame is a level of noise, or a number of evaluations, and at each frame
every contestant is where its last stop was.  Nothing is interpolated, and no run waits for another.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.grids import SPACINGS
from diffviz.core.run import Watch, frames, ignore, part_of
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES, Schedule
from diffviz.data.points import MIXTURES
from diffviz.measures.quality import Comparison, Quality, end_point_error, ode_ends
from diffviz.scenes import point_run, scene
from diffviz.scenes.buffer import Clock, Lane, Points, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import among, within
from diffviz.scenes.configs import (
    MAX_POINTS,
    MAX_SEED,
    MAX_STEPS,
    DataConfig,
    SamplerConfig,
    ScheduleConfig,
    steps_on,
)
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.point_run import RunConfig

Align: TypeAlias = Literal["noise", "calls"]
Floats: TypeAlias = NDArray[np.float32]

MAX_FRAMES = 101
"""More frames than this are not sent: as many are chosen evenly, with both ends."""

_MINUS = "\N{MINUS SIGN}"
_SHOWN = 1000  # samples that are sent; all of them are measured
_MARKS = 600  # data points that are marked
_TRACED = 256  # samples whose end point is compared with the ODE's
_LIMITS = (-2.4, 2.4)  # closer than on other pages: the panels are small
_SAME = 1e-6  # log-SNRs nearer than this count as one
_LEAST = 100  # samples, however dear they are
_SHARES = 5  # four contestants and what is measured of them


@dataclass(frozen=True)
class Contestant:
    """One who races.

    Attributes:
        sampler: a key of ``SAMPLERS``, with its default parameters.
        steps: how many steps it takes.
        spacing: a key of ``SPACINGS``.
        schedule: a key of ``SCHEDULES``, with its default parameters.
        model: the trained denoiser, or None where an exact one acts.
        points: whether the exact denoiser is that of the points themselves rather than that of the
            true density; the points' where no density is known.
    """

    sampler: str = among(MISSING, SAMPLERS)
    steps: int = within(MISSING, 1, MAX_STEPS)
    spacing: str = among("quadratic", SPACINGS)
    schedule: str = among("rectified_flow", SCHEDULES)
    model: ModelConfig | None = None
    points: bool = False

    @property
    def title(self) -> str:
        """Who it is, in a few words."""
        return (
            f"{SAMPLERS[self.sampler].short}, {self.steps} {'step' if self.steps == 1 else 'steps'}"
        )

    @property
    def walkable(self) -> Contestant:
        """The same in no more steps than its schedule has."""
        return replace(self, steps=steps_on(self.steps, self.spacing, SCHEDULES[self.schedule]()))

    @property
    def badge(self) -> Literal["exact", "learned"]:
        """What acts."""
        return "exact" if self.model is None else "learned"

    def run(self, data: DataConfig, samples: int, seed: int = 0) -> RunConfig:
        """The run of this one by itself, as the Reverse page would make it."""
        return RunConfig(
            data,
            ScheduleConfig(self.schedule),
            SamplerConfig(self.sampler, self.steps, self.spacing, seed=seed),
            points=self.points,
            samples=samples,
            model=self.model,
        )


@dataclass(frozen=True)
class RaceConfig:
    """A race.

    Attributes:
        data: what all of them aim for.
        entrants: (letter, contestant) pairs, two to four.
        align: whether a frame is a level of noise or a number of evaluations.
        samples: how many samples each makes.
        seed: of the starting noise, of the noise added on the way, and of the data compared with.
    """

    data: DataConfig
    entrants: tuple[tuple[str, Contestant], ...]
    align: Align = "noise"
    samples: int = within(2000, _LEAST, MAX_POINTS)
    seed: int = within(0, 0, MAX_SEED)


@dataclass(frozen=True, eq=False)
class Lap:
    """What one contestant did.

    Attributes:
        x_t: (S, N, 2) the samples at every stop, as drawn.
        x_0: (S, N, 2) what the denoiser said there.
        scale: (S,) what x_t was multiplied by for drawing.
        log_snr: (S,) of every stop, rising to infinity.
        evaluations: (S,) evaluations spent to get there.
        ends: (M, 2) where all samples end, also those that are not drawn.
        seconds: what sampling took.
    """

    x_t: Floats
    x_0: Floats
    scale: Floats
    log_snr: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    ends: Floats
    seconds: float


@dataclass(frozen=True, eq=False)
class Race:
    """A race, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        shown: how many samples of each are in it.
    """

    buffer: bytes
    frames: int
    shown: int


@dataclass(frozen=True, eq=False)
class Result:
    """How good the contestants of a race are, for the table.

    Attributes:
        finishes: (letter, contestant, quality), in order.
        floor: the same distances between fresh samples of the data.
    """

    finishes: tuple[tuple[str, Contestant, Quality], ...]
    floor: Quality


def fresh_data(data: DataConfig, n: int, seed: int) -> Tensor:
    """Draw n fresh points of a data set, (n, 2), in the order of the draw shuffled."""
    points = data.fresh(n, seed)
    return points[torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))]


def denoiser_of(
    data: DataConfig, schedule: Schedule, model: ModelConfig | None, points: bool
) -> Denoiser:
    """The denoiser that acts on a path: a trained one, or the exact one of points or density.

    Raises:
        ValueError: if the model is not there any more.
    """
    return point_run.acting((data, points or data.name not in MIXTURES), model, schedule)


def affordable(race: RaceConfig) -> int:
    """How many of the samples asked for can be run in seconds: at least 100."""
    return max(min(_affordable(race, who) for _, who in race.entrants), _LEAST)


def _affordable(race: RaceConfig, who: Contestant) -> int:
    """The same for one contestant, who has a fifth of the time that a run of its own may take."""
    slower = replace(who, steps=_SHARES * who.steps)
    return point_run.affordable(slower.run(race.data, race.samples))


# One contestant ---------------------------------------------------------------------------------


@cached(max_entries=24, max_size="128MB")
def lap(who: Contestant, data: DataConfig, samples: int, seed: int, _watch: Watch = ignore) -> Lap:
    """Run one contestant.

    Args:
        who: the contestant.
        data: what it aims for.
        samples: how many samples it makes.
        seed: of the noise.
        _watch: told how far the run is.
    """
    plan = who.run(data, samples, seed).plan()
    schedule = plan.schedule
    began = time.perf_counter()
    with torch.inference_mode():
        states = list(frames(plan.states(), plan.steps, watch=_watch))
    seconds = time.perf_counter() - began
    t = torch.tensor([state.t for state in states], dtype=torch.float64)
    factor = scene.drawing_scale(schedule, t)
    scale = torch.ones(len(t)) if factor is None else factor.float()
    x_t = torch.stack([state.x_t[:_SHOWN] for state in states]) * scale[:, None, None]
    return Lap(
        scene.drawable(x_t).numpy(),
        scene.drawable(torch.stack([state.x_0[:_SHOWN] for state in states])).numpy(),
        scale.numpy(),
        schedule.log_snr(t).numpy(),
        np.array([state.evaluations for state in states]),
        states[-1].x_t.numpy(),
        seconds,
    )


@cached(max_entries=64)
def finish(who: Contestant, data: DataConfig, samples: int, seed: int) -> Quality:
    """Measure where a contestant ends; takes the arguments of ``lap``."""
    run = lap(who, data, samples, seed)
    ends = torch.from_numpy(run.ends)
    quality = comparison(data, samples, seed).of(ends, int(run.evaluations[-1]), run.seconds)
    plan = who.run(data, samples, seed).plan()
    if plan.sampler.stochastic:
        return quality
    x_1, t = plan.start()[:_TRACED], plan.grid[0].item()
    exact = ode_ends(plan.denoiser, plan.schedule, x_1, t)
    return quality._replace(end_point=end_point_error(ends[:_TRACED], exact))


@lru_cache(maxsize=8)
def comparison(data: DataConfig, samples: int, seed: int) -> Comparison:
    """Return the fresh data that the samples of a race are compared with."""
    return Comparison.draw(lambda n, k: fresh_data(data, n, k), samples, seed)


@cached(max_entries=64)
def _floor(data: DataConfig, samples: int, seed: int) -> Quality:
    return comparison(data, samples, seed).floor()


# The race ---------------------------------------------------------------------------------------


@cached(max_entries=16, max_size="64MB")
def race(config: RaceConfig, _watch: Watch = ignore) -> Race:
    """Run all contestants and lay their runs over each other.

    Args:
        config: the race; ``samples`` as ``affordable`` says.
        _watch: told how far it is.
    """
    laps: list[Lap] = []
    for k, (_, who) in enumerate(config.entrants):
        watch = part_of(_watch, k, len(config.entrants))
        laps.append(lap(who, config.data, config.samples, config.seed, watch))
    clock, stops = _clock(config, laps)
    panels = [
        _panel(config, letter, who, run, at)
        for (letter, who), run, at in zip(config.entrants, laps, stops, strict=True)
    ]
    title = f"{len(laps)} samplers race from noise to {config.data.title}"
    return Race(encode(clock, panels, title=title), clock.frames, laps[0].x_t.shape[1])


def measured(config: RaceConfig, watch: Watch = ignore) -> Result:
    """Measure where the contestants of a race end.

    Args:
        config: the race, as it was run.
        watch: told how far it is.
    """
    finishes = []
    for k, (letter, who) in enumerate(config.entrants):
        watch(k / len(config.entrants))
        quality = finish(who, config.data, config.samples, config.seed)
        finishes.append((letter, who, quality))
    return Result(tuple(finishes), _floor(config.data, config.samples, config.seed))


def common_stops(
    marks: Sequence[NDArray[np.float64]], most: int = MAX_FRAMES
) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
    """Lay several runs over one clock.

    Args:
        marks: of each run, a rising mark for every stop: its log-SNR, or its evaluations.
        most: frames at most; chosen evenly where there are more marks, with both ends.

    Returns:
        The (F,) marks of the frames, rising, and for each run the (F,) index of the last stop
        whose mark is not beyond the frame's; the first stop where there is none yet.
    """
    every = np.sort(np.concatenate(marks))
    fresh = np.concatenate([[True], ~(every[1:] <= every[:-1] + _SAME)])
    fresh &= np.concatenate([[True], every[1:] != every[:-1]])
    frames = every[fresh]
    if len(frames) > most:
        frames = frames[np.linspace(0, len(frames) - 1, most).round().astype(int)]
    at = [
        np.maximum(np.searchsorted(run, frames + _SAME, side="right") - 1, 0).astype(np.int64)
        for run in marks
    ]
    return frames, at


def _clock(config: RaceConfig, laps: Sequence[Lap]) -> tuple[Clock, list[NDArray[np.int64]]]:
    by_noise = config.align == "noise"
    marks = [lap.log_snr if by_noise else lap.evaluations.astype(np.float64) for lap in laps]
    frames, stops = common_stops(marks)
    reached = [run.log_snr[at] for run, at in zip(laps, stops, strict=True)]
    level = frames if by_noise else np.max(reached, axis=0)
    t = np.linspace(1, 0, len(frames))
    noise = 1 / (1 + np.exp(level))  # sigma^2 where alpha^2 + sigma^2 = 1
    lanes = [
        Lane(letter, np.flatnonzero(np.diff(at, prepend=-1)).tolist())
        for (letter, _), at in zip(config.entrants, stops, strict=True)
    ]
    notes = [f"log-SNR {_signed(m)}" if by_noise else _calls(int(m)) for m in frames]
    clock = Clock(
        t, np.sqrt(1 - noise), np.sqrt(noise), t[::-1], level[::-1],
        names=[f"frame {k} of {len(frames) - 1}" for k in range(len(frames))],
        notes=notes, lanes=lanes, unit="frame",
    )  # fmt: skip
    return clock, stops


def _panel(
    config: RaceConfig, letter: str, who: Contestant, run: Lap, at: NDArray[np.int64]
) -> Points:
    last = len(run.log_snr) - 1
    status = [
        f"{'start' if k == 0 else 'done' if k == last else f'step {k}'} · "
        f"NFE {int(run.evaluations[k]):,} · λ {_signed(run.log_snr[k])}"
        for k in at.tolist()
    ]
    marks = comparison(config.data, config.samples, config.seed).fresh[:_MARKS]
    return Points(
        f"{letter}  {who.title}",
        run.x_t[at],
        _LIMITS,
        badge=who.badge,
        x_0=run.x_0[at],
        data=marks.numpy(),
        scale=None if (run.scale == 1).all() else run.scale[at],
        pulls=False,
        status=status,
        on=("points", "data"),
    )


def _calls(n: int) -> str:
    return f"{n:,} evaluation" if n == 1 else f"{n:,} evaluations"


def _signed(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    return f"{value:.2f}".replace("-", _MINUS)
