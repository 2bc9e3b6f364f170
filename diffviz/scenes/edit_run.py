"""An edit of a picture by a trained network, from a frozen config to the player."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.edits import Degradation, Finished, Inpainted, Resampled, Restored, sdedit
from diffviz.core.noising import Noise
from diffviz.core.run import Watch, ignore
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import State
from diffviz.scenes import picture_sets
from diffviz.scenes.buffer import Rail
from diffviz.scenes.caching import cached
from diffviz.scenes.configs import Picture
from diffviz.scenes.picture_run import (
    Floats,
    GenerateRun,
    Look,
    class_levels,
    class_probability,
    packed,
    record,
)

Kind: TypeAlias = Literal["redraw", "inpaint", "restore"]
LEVELS = tuple(k / 10 for k in range(11))
"""The noise levels of the strip, as shares of the steps."""

_DAMAGE = 1_000_000  # seed of a damage's noise, apart from those that runs are given


@dataclass(frozen=True)
class Damage:
    """How a picture is spoilt before it is restored.

    Attributes:
        kind: "blur", "downsample" or "noise".
        amount: standard deviation of the blur in pixels, or the factor of the smaller picture.
        noise: standard deviation of noise that is added, in units of [-1, 1].
    """

    kind: str = "downsample"
    amount: float = 4
    noise: float = 0.05

    def operator(self, size: int) -> Degradation:
        """The known linear operator."""
        if self.kind == "blur":
            return Degradation.blur(size, self.amount)
        if self.kind == "downsample":
            return Degradation.downsample(size, int(self.amount))
        return Degradation.identity(size)


#: kind -> the amounts to choose from, and what they are.
DAMAGES: dict[str, tuple[str, tuple[float, ...], str]] = {
    "downsample": ("Pixels", (2, 4, 7), "Factor (times fewer pixels a side)"),
    "blur": ("Blur", (0.5, 1.0, 1.5, 2.0, 3.0), "Width of the blur (std in pixels)"),
    "noise": ("Noise", (), ""),
}


@dataclass(frozen=True)
class EditRun:
    """An edit.

    Attributes:
        base: the network, the path, the sampler, and how many variants; of its classes the first
            is asked for, none leaves the class open.
        picture: what is edited, (28, 28, 1) levels.
        kind: what is done with it.
        level: of a redrawing: the share of the steps that are made.
        mask: of an inpainting: the region that is made anew, one bit a pixel.
        repeats: of an inpainting: how often each step is made.
        damage: of a restoration.
    """

    base: GenerateRun
    picture: Picture
    kind: Kind = "redraw"
    level: float = 0.6
    mask: bytes = b""
    repeats: int = 1
    damage: Damage = Damage()

    def labels(self) -> Tensor | None:
        """(N,) the class asked for; None leaves it open."""
        if not self.base.classes:
            return None
        return torch.full((self.base.count,), self.base.classes[0])

    def denoiser(self, schedule: Schedule) -> Denoiser:
        """What answers, before any edit."""
        return picture_sets.answers(
            self.base.pictures,
            schedule,
            self.labels(),
            self.base.guidance,
            clipped=self.base.clipped,
        )


@dataclass(frozen=True, eq=False)
class Edited:
    """An edit, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        evaluations: of the network, for each variant.
        seconds: what sampling took.
        x: (N, C, H, W) the variants.
        given: (C, H, W) the picture that was edited.
        measured: (C, h, w) of a restoration: the damaged picture that it starts from.
        naive: (C, H, W) of a restoration: the damage undone without a network.
        seen: (N,) what the classifier takes the variants for.
        start: (alpha, sigma) where the run starts.
    """

    buffer: bytes
    frames: int
    evaluations: int
    seconds: float
    x: Floats
    given: Floats
    measured: Floats | None
    naive: Floats | None
    seen: NDArray[np.int64]
    start: tuple[float, float]


def original(run: EditRun) -> Tensor:
    """The picture that is edited, (C, H, W) in [-1, 1]."""
    pixels = torch.from_numpy(run.picture.pixels().copy()).permute(2, 0, 1)
    return pixels.float() / 127.5 - 1


def mask_of(run: EditRun) -> Tensor:
    """(H, W) bool: the region that is made anew."""
    height, width = run.picture.shape[:2]
    bits = np.unpackbits(np.frombuffer(run.mask, dtype=np.uint8), count=height * width)
    return torch.from_numpy(bits.reshape(height, width).astype(bool))


@cached(max_entries=16, max_size="96MB")
def edited(run: EditRun, _watch: Watch = ignore, _look: Look = ignore) -> Edited:
    """Make the edit and pack it for the player."""
    base = run.base
    schedule = base.schedule.build()
    given = original(run)
    known = given.expand(base.count, *given.shape)
    work = _WORK[run.kind](run, schedule, known)
    trajectory, seconds = record(work.states, work.steps, _watch, _look)
    probability = class_probability(base.pictures, trajectory.x_0)
    rail = Rail(numbers=False, levels=[class_levels(base.set, probability)])
    labels = run.labels()
    names = None if labels is None else [base.set.classes[k] for k in labels.tolist()]
    return Edited(
        packed(schedule, trajectory, base.set.title, names, rail),
        frames=len(trajectory),
        evaluations=int(trajectory.evaluations[-1]),
        seconds=seconds,
        x=trajectory.x_t[-1].numpy(),
        given=given.numpy(),
        measured=None if work.measured is None else work.measured.numpy(),
        naive=None if work.naive is None else work.naive.numpy(),
        seen=probability[-1].argmax(1).numpy(),
        start=(float(trajectory.alpha[0]), float(trajectory.sigma[0])),
    )


@dataclass(frozen=True, eq=False)
class _Work:
    states: Iterator[State]
    steps: int
    measured: Tensor | None = None
    naive: Tensor | None = None


def _redraw(run: EditRun, schedule: Schedule, known: Tensor) -> _Work:
    sampler, grid = run.base.sampler.build(), run.base.sampler.grid(schedule)
    denoiser, noise = run.denoiser(schedule), Noise(run.base.sampler.seed)
    states = sdedit(sampler, denoiser, schedule, grid, run.level, known, noise)
    return _Work(states, round(run.level * (len(grid) - 1)))


def _inpaint(run: EditRun, schedule: Schedule, known: Tensor) -> _Work:
    kept = ~mask_of(run)
    denoiser = Inpainted(run.denoiser(schedule), known, kept)
    plan = run.base.sampler.plan(denoiser, schedule, run.base.set.shape, run.base.count)
    sampler = Finished(Resampled(plan.sampler, run.repeats), denoiser.finish)
    return _Work(replace(plan, sampler=sampler).states(), plan.steps)


def _restore(run: EditRun, schedule: Schedule, known: Tensor) -> _Work:
    operator = run.damage.operator(known.shape[-1])
    measured = operator.apply(known[:1])
    measured = measured + run.damage.noise * Noise(_DAMAGE).like(measured)
    denoiser = Restored(
        run.denoiser(schedule),
        schedule,
        operator,
        measured.expand(len(known), *measured.shape[1:]),
        run.damage.noise,
    )
    plan = run.base.sampler.plan(denoiser, schedule, run.base.set.shape, run.base.count)
    plan = replace(plan, sampler=Finished(plan.sampler, denoiser.finish))
    return _Work(plan.states(), plan.steps, measured[0], operator.pinv(measured)[0])


_WORK = {"redraw": _redraw, "inpaint": _inpaint, "restore": _restore}


@cached(max_entries=16)
@torch.inference_mode()
def levels_of(run: EditRun, levels: tuple[float, ...] = LEVELS, _watch: Watch = ignore) -> Floats:
    """One variant of a redrawing at each of some levels, (L, C, H, W)."""
    schedule = run.base.schedule.build()
    given = original(run)[None]
    one = replace(run, base=replace(run.base, count=1))
    denoiser, grid = one.denoiser(schedule), run.base.sampler.grid(schedule)
    sampler = run.base.sampler.build()
    found = []
    for k, level in enumerate(levels):
        _watch(k * k / len(levels) ** 2)
        noise = Noise(run.base.sampler.seed)
        *_, last = sdedit(sampler, denoiser, schedule, grid, level, given, noise)
        found.append(last.x_t[0])
    return torch.stack(found).numpy()
