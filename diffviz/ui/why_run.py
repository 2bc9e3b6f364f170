"""Why a trained network is worth having: beside the exact denoiser, from the same noise.

The exact denoiser of a finite set ends on its pictures; the network, which cannot hold them all,
ends on new ones.  How new is told by the nearest training picture, by the classifier's features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from diffviz.denoisers import Conditioned, Exact
from diffviz.distributions import Empirical
from diffviz.images import IMAGE_INFO, labelled_images
from diffviz.schedules import Schedule
from diffviz.sources import load_split
from diffviz.trajectory import Trajectory
from diffviz.ui import picture_sets, stage
from diffviz.ui.caching import cached
from diffviz.ui.generate_run import (
    Floats,
    GenerateRun,
    class_levels,
    class_probability,
    record,
    start,
)
from diffviz.ui.player import Images, Rail, encode
from diffviz.ui.sharing import Shared, in_parts
from diffviz.ui.waiting import Watch, ignore

__all__ = ["Acting", "Compared", "Neighbours", "compared", "real"]

_REAL = 1000  # pictures that the exact denoiser knows
_HELD = 500  # real pictures of another draw, to say how near chance comes

Acting: TypeAlias = Literal["exact", "learned"]
_TITLES: dict[Acting, str] = {"exact": "Exact denoiser", "learned": "Network"}


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Where samples end, and the training picture that is nearest to each.

    Attributes:
        x: (N, C, H, W) the samples.
        nearest: (N, C, H, W) the nearest training pictures, by features.
        pixels: (N,) root-mean-square difference of the two, in units of [-1, 1].
        features: (N,) their distance in features, in units of what separates a real picture that
            is not in the set from its nearest one in the set.
    """

    x: Floats
    nearest: Floats
    pixels: Floats
    features: Floats


@dataclass(frozen=True, eq=False)
class Compared:
    """Both runs, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        exact: where the exact denoiser ends.
        learned: where the network ends.
        known: how many pictures the exact denoiser knows.
    """

    buffer: bytes
    frames: int
    exact: Neighbours
    learned: Neighbours
    known: int


@cache
def real(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Real pictures of a set: (K, C, H, W) for the exact denoiser, their classes, and others.

    Raises:
        SourceError: if they are not shipped and not on this machine.
    """
    if name in IMAGE_INFO:
        count = IMAGE_INFO[name].count
        images, labels = labelled_images(name, count, 0)
        known = count - _HELD // 2
        return images[:known], labels[:known], images[known:]
    split = load_split(name)
    order = torch.randperm(len(split.train), generator=torch.Generator().manual_seed(0))[:_REAL]
    return split.train[order], split.train_labels[order], split.test[:_HELD]


@cache
def _features(name: str) -> tuple[Tensor, float]:
    """Features of the known pictures, and how near to them other real ones come (the median)."""
    known, _, others = real(name)
    judge = picture_sets.judge(name)
    features = in_parts(judge.features, known)
    near = torch.cdist(in_parts(judge.features, others), features).amin(1)
    return features, float(near.median())


@cached(max_entries=8, max_size="96MB")
def compared(run: GenerateRun, _watch: Watch = ignore) -> Compared:
    """Run both denoisers from the same noise.

    Raises:
        SourceError: if there are no real pictures here.
    """
    known, classes, _ = real(run.pictures)
    schedule = run.schedule.build()
    grid = run.sampler.grid(schedule)
    labels = run.labels()
    exact = Conditioned(Shared(Exact(Empirical(known, classes), schedule)), label=labels)
    parts = []
    for k, denoiser in enumerate((exact, run.denoiser(schedule))):
        generator = torch.Generator().manual_seed(run.sampler.seed)
        x_1 = start(run.set.shape, run.count, generator, schedule.prior_std(grid[0].item()))

        def half(share: float, done: int = k) -> None:
            _watch((done + share) / 2)

        states = run.sampler.build().iterate(denoiser, schedule, grid, x_1, generator)
        parts.append(record(states, len(grid) - 1, half)[0])
    both = list(zip(_TITLES, parts, strict=True))
    panels = [_panel(run, schedule, part, badge) for badge, part in both]
    clock = stage.clock(schedule, parts[0].t, forward=False, evaluations=parts[0].evaluations)
    maps = [
        replace(
            class_levels(run.set, class_probability(run.pictures, part.x_0)),
            label=f"{_TITLES[badge]}: what x̂₀ shows",
        )
        for badge, part in both
    ]
    buffer = encode(clock, panels, Rail(numbers=False, levels=maps), title="Exact and learned")
    ends = [_neighbours(run.pictures, part.x_t[-1]) for part in parts]
    return Compared(buffer, len(parts[0]), ends[0], ends[1], len(known))


def _panel(run: GenerateRun, schedule: Schedule, part: Trajectory, badge: Acting) -> Images:
    return Images(
        _TITLES[badge],
        stage.drawn(part.x_t, schedule, part.t),
        x_0=part.x_0.numpy(),
        badge=badge,
        labels=[run.set.classes[k] for k in run.labels().tolist()],
        scale=stage.scale_of(schedule, part.t),
    )


@torch.inference_mode()
def _neighbours(name: str, x: Tensor) -> Neighbours:
    known, _, _ = real(name)
    features, unit = _features(name)
    gaps = torch.cdist(in_parts(picture_sets.judge(name).features, x.clamp(-1, 1)), features)
    least, index = gaps.min(1)
    nearest = known[index]
    pixels = (x - nearest).square().mean((1, 2, 3)).sqrt()
    return Neighbours(x.numpy(), nearest.numpy(), pixels.numpy(), (least / unit).numpy())
