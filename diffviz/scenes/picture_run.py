"""A grid of pictures drawn by a trained network, from a frozen config to the player.

Beside each picture stands what it becomes and when: the probability of each class, and how much of
the picture is decided at each spatial frequency.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.run import Plan, Watch, frames, ignore
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import State, Trajectory
from diffviz.measures.spectrum import band_agreement, band_edges, band_power
from diffviz.scenes import picture_sets, scene
from diffviz.scenes.buffer import Images, Levels, Rail, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import among, within
from diffviz.scenes.configs import MAX_GUIDANCE, SamplerConfig, ScheduleConfig
from diffviz.scenes.formula import formula, steps_between
from diffviz.scenes.picture_sets import PICTURE_SETS, PictureSet
from diffviz.scenes.point_run import MAX_FRAMES
from diffviz.scenes.sharing import in_parts

Floats: TypeAlias = NDArray[np.float32]
Look: TypeAlias = Callable[[Tensor], None]
"""What is shown the predicted pictures (N, C, H, W) while a run goes on."""

DEFAULT_SCHEDULE = ScheduleConfig("cosine")
DEFAULT_SAMPLER = SamplerConfig("dpmpp_2m", 25, "log_snr")
BANDS = 7
MAX_COUNT = 64
"""Most pictures of a run."""

MAX_STEPS = 60
"""Most steps of what is made of several runs."""

_BUDGET = 16_000  # (pictures + _CALL) x evaluations that a run may cost: some 20 s
_CALL = 8  # pictures that take as long as asking at all
_BYTES = 5_000_000  # of the pictures that are sent
_POWER = (-3.0, 1.0)


@dataclass(frozen=True)
class GenerateRun:
    """A run from noise to pictures.

    Attributes:
        pictures: a key of ``PICTURE_SETS``.
        schedule: the path.
        sampler: how it walks, with its seed.
        classes: what is asked for, picture by picture in turn; () for every class in turn.
        guidance: the guidance scale.
        count: how many pictures.
        clipped: whether predictions are held in the pixels' range.
    """

    pictures: str = among("mnist", PICTURE_SETS)
    schedule: ScheduleConfig = DEFAULT_SCHEDULE
    sampler: SamplerConfig = DEFAULT_SAMPLER
    classes: tuple[int, ...] = ()
    guidance: float = within(1.5, 0, MAX_GUIDANCE)
    count: int = within(16, 1, MAX_COUNT)
    clipped: bool = False

    def check(self) -> None:
        """Raise ``ValueError`` for classes that the set does not have."""
        self.set.check(self.classes)

    @property
    def set(self) -> PictureSet:
        """The set of pictures."""
        return PICTURE_SETS[self.pictures]

    def labels(self) -> Tensor:
        """(N,) the class that each picture is asked for."""
        asked = torch.tensor(self.classes or range(len(self.set.classes)))
        return asked[torch.arange(self.count) % len(asked)]

    def denoiser(self, schedule: Schedule) -> Denoiser:
        """What answers."""
        return picture_sets.answers(
            self.pictures,
            schedule,
            self.labels(),
            self.guidance,
            clipped=self.clipped,
            quick=True,
        )

    def plan(self) -> Plan:
        """The run, from noise."""
        schedule = self.schedule.build()
        return self.sampler.plan(self.denoiser(schedule), schedule, self.set.shape, self.count)


@dataclass(frozen=True, eq=False)
class Pictures:
    """A run, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        steps: how many steps the run took.
        evaluations: how often the network was asked about each picture.
        seconds: what sampling took, measured when it was done.
        x: (N, C, H, W) the pictures it ended with.
        labels: (N,) what was asked for.
        probability: (F, N, K) what the classifier makes of each prediction.
        sentence: what a step of this sampler does.
        t: (F,) the times of the frames.
    """

    buffer: bytes
    frames: int
    steps: int
    evaluations: int
    seconds: float
    x: Floats
    labels: NDArray[np.int64]
    probability: Floats
    sentence: str
    t: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def affordable(run: GenerateRun) -> int:
    """How many of the pictures asked for can be drawn in time: at least 1."""
    calls = run.sampler.steps * _calls(run)
    return max(min(run.count, _BUDGET // calls - _CALL), 1)


def affordable_steps(run: GenerateRun) -> int:
    """How many steps one picture can take in time."""
    return _BUDGET // (_calls(run) * (1 + _CALL))


def _calls(run: GenerateRun) -> int:
    """How often a step asks the network."""
    return run.sampler.build().evaluations_a_step * picture_sets.evaluations(
        run.labels(), run.guidance
    )


def bounded(run: GenerateRun, count: int) -> GenerateRun:
    """The run with at most so many pictures and ``MAX_STEPS``: for what is made of several runs."""
    steps = min(run.sampler.steps, MAX_STEPS)
    return replace(run, count=min(run.count, count), sampler=replace(run.sampler, steps=steps))


@cached(max_entries=16, max_size="128MB")
def pictures(run: GenerateRun, _watch: Watch = ignore, _look: Look = ignore) -> Pictures:
    """Run it and pack it for the player.

    Args:
        run: what to run; ``count`` as ``affordable`` says.
        _watch: told how far the run is.
        _look: shown the predictions on the way.
    """
    schedule = run.schedule.build()
    plan = run.plan()
    trajectory, seconds = record(plan.states(), plan.steps, _watch, _look)
    probability = class_probability(run.pictures, trajectory.x_0)
    thinned = len(trajectory) < run.sampler.steps + 1
    steps = steps_between(run.sampler, schedule, trajectory.t, thinned=thinned)
    rail = Rail(
        numbers=False,
        levels=[
            class_levels(run.set, probability),
            *frequency_levels(schedule, trajectory),
        ],
        step=formula(steps),
    )
    labels = run.labels()
    names = [run.set.classes[k] for k in labels.tolist()]
    return Pictures(
        packed(schedule, trajectory, run.set.title, names, rail, "frame" if thinned else "step"),
        frames=len(trajectory),
        steps=run.sampler.steps,
        evaluations=int(trajectory.evaluations[-1]),
        seconds=seconds,
        x=trajectory.x_t[-1].numpy(),
        labels=labels.numpy(),
        probability=probability.numpy(),
        sentence=steps.sentence,
        t=trajectory.t.numpy(),
    )


def packed(
    schedule: Schedule,
    trajectory: Trajectory,
    title: str,
    names: list[str] | None,
    rail: Rail,
    unit: str = "step",
    badge: Literal["exact", "learned"] = "learned",
) -> bytes:
    """Pack a run of pictures for the player; ``names`` are the classes asked for."""
    clock = scene.clock(schedule, trajectory.t, forward=False, evaluations=trajectory.evaluations)
    panel = Images(
        title,
        scene.drawn(trajectory.x_t, schedule, trajectory.t),
        x_0=trajectory.x_0.numpy(),
        eps=trajectory.eps.numpy(),
        badge=badge,
        labels=names,
        scale=scene.scale_of(schedule, trajectory.t),
        note=scene.scale_note(schedule),
    )
    return encode(replace(clock, unit=unit), [panel], rail, title=f"{title} from noise")


@torch.inference_mode()
def record(
    states: Iterator[State], steps: int, watch: Watch = ignore, look: Look = ignore
) -> tuple[Trajectory, float]:
    """Make a run; return as many of its states as can be sent, and the seconds it took.

    Args:
        states: of the run, as ``Plan.states`` yields them.
        steps: of the run.
        watch: told how far it is.
        look: shown each prediction.
    """
    began = time.perf_counter()
    seen = _seen(states, look)
    first = next(seen)
    keep = min(max(_BYTES // (3 * first.x_t.numel()), 2), MAX_FRAMES)
    made = Trajectory.stack(frames(chain([first], seen), steps, keep, watch))
    return made, time.perf_counter() - began


def _seen(states: Iterator[State], look: Look) -> Iterator[State]:
    for state in states:
        look(state.x_0)
        yield state


@torch.inference_mode()
def class_probability(name: str, x_0: Tensor) -> Tensor:
    """What the classifier makes of predictions (F, N, C, H, W): (F, N, K)."""
    judge = picture_sets.judge(name)
    flat = in_parts(judge.probabilities, x_0.flatten(0, 1).clamp(-1, 1))
    return flat.reshape(*x_0.shape[:2], -1)


def class_levels(of: PictureSet, probability: Tensor) -> Levels:
    """The map of class probabilities (F, N, K) over the run, picture by picture."""
    classes = len(of.classes)
    short = [name if len(name) <= 12 else name.split()[-1] for name in of.classes]
    return Levels(
        probability.permute(0, 2, 1).numpy(),
        "What x̂₀ shows (class probability)",
        (0.0, 1.0),
        [((k + 0.5) / classes, name) for k, name in enumerate(short)],
        "by the classifier",
        list(of.classes),
    )


def frequency_levels(schedule: Schedule, trajectory: Trajectory) -> list[Levels]:
    """Two maps over the run by spatial frequency: what is decided, and what x_t is made of."""
    final = trajectory.x_t[-1]
    decided = band_agreement(trajectory.x_0, final, BANDS)
    x_t = scene.scaled(trajectory.x_t, schedule, trajectory.t)
    power = band_power(x_t, BANDS).clamp_min(1e-12).log10()
    edges = band_edges(BANDS).tolist()
    ticks = [(0.5 / BANDS, "coarse"), (1 - 0.5 / BANDS, "fine")]
    axis = f"waves a pixel, 0 to {edges[-1]:g}"
    return [
        Levels(
            decided.permute(0, 2, 1).numpy(),
            "How much of the picture is decided",
            (0.0, 1.0),
            ticks,
            axis,
        ),
        Levels(
            power.permute(0, 2, 1).numpy(),
            "Power of xₜ by frequency (log₁₀)",
            _POWER,
            ticks,
            axis,
        ),
    ]
