"""Why a trained network is worth having: beside the exact denoiser, from the same noise.

The exact denoiser of a finite set ends on its pictures; the network, which cannot hold them all,
ends on new ones.  How new is told by the nearest training picture, by the classifier's features.

MNIST's pictures do not ship.  Without them the network runs alone, and how near both end to real
pictures is read from what ``python -m diffviz why mnist`` measured and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser, Exact
from diffviz.core.distributions import Empirical
from diffviz.core.run import Watch, ignore, part_of
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import Trajectory
from diffviz.data.full_sets import SourceError, load_split
from diffviz.data.pictures import IMAGE_INFO, labelled_images
from diffviz.scenes import picture_sets, scene
from diffviz.scenes.buffer import Images, Rail, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.picture_run import (
    Floats,
    GenerateRun,
    class_levels,
    class_probability,
    record,
)
from diffviz.scenes.sharing import Shared, in_parts
from diffviz.studies.command import Command
from diffviz.studies.figures import FIGURES
from diffviz.tools import kept
from diffviz.tools.distances import distances

KEPT = FIGURES / "why.json"
"""What was measured; this module's command writes it."""

_REAL = 1000  # pictures that the exact denoiser knows
_RUNS = 100  # of each, for what is kept
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
    """Both runs, ready for the player; where there are no real pictures, that of the network.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        ends: where each ends; empty where there are no real pictures.
        known: how many pictures the exact denoiser knows.
    """

    buffer: bytes
    frames: int
    ends: Mapping[Acting, Neighbours]
    known: int


@dataclass(frozen=True)
class Kept:
    """How near runs ended to real pictures when it was measured; means over the runs.

    Attributes:
        runs: how many there were of each.
        known: how many pictures the exact denoiser knew.
        pixels: by who acted, as in ``Neighbours``.
        features: the same.
    """

    runs: int
    known: int
    pixels: Mapping[Acting, float]
    features: Mapping[Acting, float]


@cache
def kept_figures(name: str) -> Kept:
    """What was measured with the pictures of a set."""
    return Kept(**kept.read(KEPT)[name])


def has_pictures(name: str) -> bool:
    """Whether the real pictures of a set are here."""
    try:
        real(name)
    except SourceError:
        return False
    return True


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
    near = distances(in_parts(judge.features, others), features).amin(1)
    return features, float(near.median())


@cached(max_entries=8, max_size="96MB")
def compared(run: GenerateRun, _watch: Watch = ignore) -> Compared:
    """Run both denoisers from the same noise, or the network where there are no real pictures."""
    schedule = run.schedule.build()
    acting: dict[Acting, Denoiser] = {}
    count = 0
    if has_pictures(run.pictures):
        known, classes, _ = real(run.pictures)
        count = len(known)
        exact = Exact(Empirical(known, classes), schedule)
        acting["exact"] = Conditioned(Shared(exact), label=run.labels())
    acting["learned"] = run.denoiser(schedule)
    parts = []
    for k, denoiser in enumerate(acting.values()):
        plan = run.sampler.plan(denoiser, schedule, run.set.shape, run.count)
        parts.append(record(plan.states(), plan.steps, part_of(_watch, k, len(acting)))[0])
    both = list(zip(acting, parts, strict=True))
    panels = [_panel(run, schedule, part, badge) for badge, part in both]
    clock = scene.clock(schedule, parts[0].t, forward=False, evaluations=parts[0].evaluations)
    maps = [
        replace(
            class_levels(run.set, class_probability(run.pictures, part.x_0)),
            label=f"{_TITLES[badge]}: what x̂₀ shows",
        )
        for badge, part in both
    ]
    buffer = encode(clock, panels, Rail(numbers=False, levels=maps), title="Exact and learned")
    ends = {who: _neighbours(run.pictures, part.x_t[-1]) for who, part in both if count}
    return Compared(buffer, len(parts[0]), ends, count)


def _panel(run: GenerateRun, schedule: Schedule, part: Trajectory, badge: Acting) -> Images:
    return Images(
        _TITLES[badge],
        scene.drawn(part.x_t, schedule, part.t),
        x_0=part.x_0.numpy(),
        badge=badge,
        labels=[run.set.classes[k] for k in run.labels().tolist()],
        scale=scene.scale_of(schedule, part.t),
    )


@torch.inference_mode()
def _neighbours(name: str, x: Tensor) -> Neighbours:
    known, _, _ = real(name)
    features, unit = _features(name)
    gaps = distances(in_parts(picture_sets.judge(name).features, x.clamp(-1, 1)), features)
    least, index = gaps.min(1)
    nearest = known[index]
    pixels = (x - nearest).square().mean((1, 2, 3)).sqrt()
    return Neighbours(x.numpy(), nearest.numpy(), pixels.numpy(), (least / unit).numpy())


def _measure(name: str) -> Kept:
    made = compared(GenerateRun(name, count=_RUNS))
    return Kept(
        _RUNS,
        made.known,
        {who: float(ends.pixels.mean()) for who, ends in made.ends.items()},
        {who: float(ends.features.mean()) for who, ends in made.ends.items()},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, compare and keep what was found."""
    parser = Command(prog="python -m diffviz why", description=__doc__)
    parser.add_names(default=("mnist",))
    asked = parser.parse_args(arguments)
    with parser.one_line():
        for name in asked.names:
            real(name)  # which says what is missing
            kept.keep(KEPT, {name: kept.rounded(asdict(_measure(name)))})


if __name__ == "__main__":
    main()
