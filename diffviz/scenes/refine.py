"""Samples of a VAE or a GAN refined by a diffusion model, from a frozen config to the player."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser
from diffviz.core.edits import sdedit
from diffviz.core.run import Watch, ignore
from diffviz.core.samplers import DPMpp2M
from diffviz.core.trajectory import Trajectory
from diffviz.scenes import picture_sets, scene
from diffviz.scenes.buffer import Curve, Images, Rail, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import among, within
from diffviz.scenes.configs import MAX_SEED
from diffviz.scenes.picture_run import Floats, Look, class_levels, class_probability, record
from diffviz.scenes.picture_sets import PICTURE_SETS, PictureSet
from diffviz.studies.refine import (
    LEVELS,
    STEPS,
    Kind,
    Samples,
    noise_generator,
    path,
    refined,
    source_pictures,
)

KIND_WORDS: dict[Kind, str] = {"vae": "VAE", "gan": "GAN"}
"""Whose samples are refined: the word in the address and what the page says."""


@dataclass(frozen=True)
class RefineRun:
    """Samples and how far they are refined.

    Attributes:
        pictures: a key of ``PICTURE_SETS``.
        kind: whose samples: a key of ``KIND_WORDS``.
        level: share of the steps that are made.
        seed: of the samples and of their noise.
        count: how many samples.
    """

    pictures: str = among("mnist", PICTURE_SETS)
    kind: Kind = "vae"
    level: float = within(0.4, 0, 1)
    seed: int = within(0, 0, MAX_SEED)
    count: int = within(10, 1, 64)

    @property
    def set(self) -> PictureSet:
        """The set of pictures."""
        return PICTURE_SETS[self.pictures]

    @property
    def steps(self) -> int:
        """How many steps are made."""
        return round(self.level * STEPS)

    def samples(self) -> Samples:
        """What the other model drew.

        Raises:
            CheckpointError: if that model's file is missing or damaged.
        """
        return source_pictures(self.pictures, self.kind, self.count, self.seed)


@dataclass(frozen=True, eq=False)
class Shown:
    """A refinement, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        calls: of the network, for each sample.
        seconds: what the way back took.
        before: (N, C, H, W) the samples.
        x: (N, C, H, W) the refined ones.
        seen_before: (N,) what the classifier takes the samples for.
        seen: (N,) and the refined ones.
        start: (alpha, sigma) where the way back starts.
    """

    buffer: bytes
    frames: int
    calls: int
    seconds: float
    before: Floats
    x: Floats
    seen_before: NDArray[np.int64]
    seen: NDArray[np.int64]
    start: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Strip:
    """The same samples refined at every level.

    Attributes:
        levels: L shares of the steps.
        x: (L, N, C, H, W) what came out.
        stayed: (L,) how many of them the classifier takes for the class they had.
        moved: (L,) root-mean-square change of the pixels.
    """

    levels: tuple[float, ...]
    x: Floats
    stayed: tuple[int, ...]
    moved: tuple[float, ...]


def _answers(run: RefineRun) -> Denoiser:
    """The diffusion model on the path, without a class, its batch shared between the cores."""
    return picture_sets.answers(run.pictures, path()[0], clipped=False)


@cached(max_entries=16, max_size="64MB")
def shown(run: RefineRun, _watch: Watch = ignore, _look: Look = ignore) -> Shown:
    """Refine samples and pack the way back for the player.

    Raises:
        CheckpointError: if the other model's file is missing or damaged.
    """
    given, labels = run.samples()
    schedule, times = path()
    denoiser = _answers(run)
    if labels is not None:
        denoiser = Conditioned(denoiser, label=labels)
    noise = noise_generator(run.seed)
    states = sdedit(DPMpp2M(), denoiser, schedule, times, run.level, given, noise)
    trajectory, seconds = record(states, run.steps, _watch, _look)
    probability = class_probability(run.pictures, trajectory.x_0)
    ends = trajectory.x_t[-1].clamp(-1, 1)
    return Shown(
        _packed(run, given, labels, trajectory, probability),
        frames=len(trajectory),
        calls=int(trajectory.evaluations[-1]),
        seconds=seconds,
        before=given.numpy(),
        x=ends.numpy(),
        seen_before=_seen(run, given).numpy(),
        seen=_seen(run, ends).numpy(),
        start=(float(trajectory.alpha[0]), float(trajectory.sigma[0])),
    )


def _seen(run: RefineRun, x: Tensor) -> Tensor:
    return class_probability(run.pictures, x[None])[0].argmax(1)


def _packed(
    run: RefineRun,
    given: Tensor,
    labels: Tensor | None,
    trajectory: Trajectory,
    probability: Tensor,
) -> bytes:
    """The samples beside their way back, what they show on it and how far they are."""
    schedule, _ = path()
    names = None if labels is None else [run.set.classes[k] for k in labels.tolist()]
    word = KIND_WORDS[run.kind]
    before = Images(
        f"Samples of the {word}",
        given.expand(len(trajectory), *given.shape).numpy(),
        badge="learned",
        labels=names,
        captions={"x_t": ("x", f"as the {word} made it")},
    )
    after = Images(
        f"Refined at level {run.level:.0%}",
        scene.drawn(trajectory.x_t, schedule, trajectory.t),
        x_0=trajectory.x_0.numpy(),
        badge="learned",
        labels=names,
        scale=scene.scale_of(schedule, trajectory.t),
    )
    away = (trajectory.x_0.clamp(-1, 1) - given).square().mean((1, 2, 3, 4)).sqrt()
    rail = Rail(
        numbers=False,
        levels=[class_levels(run.set, probability)],
        curves=[Curve(away.numpy(), "RMS of x̂₀ from the samples")],
    )
    clock = scene.clock(schedule, trajectory.t, forward=False, evaluations=trajectory.evaluations)
    return encode(clock, [before, after], rail, title=f"Samples of the {word}, refined")


@cached(max_entries=16, max_size="64MB")
@torch.inference_mode()
def strip(run: RefineRun, _watch: Watch = ignore) -> Strip:
    """Refine the samples at every one of ``LEVELS``; the run's own level does not count.

    Raises:
        CheckpointError: if the other model's file is missing or damaged.
    """
    given, labels = run.samples()
    denoiser, parts, done = _answers(run), [], 0.0
    for level in LEVELS:
        _watch(done / sum(LEVELS))
        parts.append(refined(given, level, denoiser, labels, seed=run.seed).pictures)
        done += level
    x = torch.stack(parts)
    seen = class_probability(run.pictures, x).argmax(2)
    moved = (x - given).square().mean((1, 2, 3, 4)).sqrt()
    return Strip(LEVELS, x.numpy(), tuple((seen == seen[0]).sum(1).tolist()), tuple(moved.tolist()))
