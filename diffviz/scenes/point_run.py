"""A run from noise to data, by an exact denoiser or a network, from configs to the player.

Everything here is a pure function of small frozen configs.  What depends on the seed (the run
itself) and what does not (the density, the arrows, the warped grid) are cached apart, so that
another seed costs one run and nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import Distribution, Empirical
from diffviz.core.explain import Steps, StepTerm
from diffviz.core.run import Plan, Watch, ignore, kept, simulate
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import Trajectory, changes
from diffviz.data.pictures import IMAGE_INFO
from diffviz.data.points import MIXTURES
from diffviz.measures.metrics import sliced_wasserstein_path
from diffviz.scenes import models, scene
from diffviz.scenes.buffer import Curve, Histogram, Images, Lines, Panel, Points, Rail, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import within
from diffviz.scenes.configs import (
    MAX_POINTS,
    DataConfig,
    SamplerConfig,
    ScheduleConfig,
    grid_of,
)
from diffviz.scenes.formula import formula, steps_between
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.sharing import HELPERS, Shared
from diffviz.tools.distances import distances

Arrows: TypeAlias = Literal["flow", "score"]
MovedStart: TypeAlias = tuple[
    int, float, float
]  # which point, and where it starts in its own units
Floats: TypeAlias = NDArray[np.float32]

MAX_FRAMES = 101
"""More stops than this are not sent: the player shows as many, evenly chosen, with both ends."""

_BUDGET = 4e10  # sample x data point x coordinate x evaluation that a run may cost: some 20 s
_NETWORK_BUDGET = 7.5e11  # sample x weight x evaluation that a run of a network may cost: as long
_IMAGE_BYTES = 5_000_000  # of the images that are sent
_IMAGE_SIDE = 64  # an uploaded picture is reduced to this
_CELLS = 48
_LINE_CELLS = 192
_LINE_TIMES = 121
_ARROWS = 15
_MESH, _MESH_REACH = 11, 2.4
_ON_A_POINT = 0.05  # of the distance between neighbours
_NEIGHBOURS = 400  # data points whose nearest neighbour is looked up
_FRESH = 8  # exact samples that the floor is a mean over
REFERENCE = 2000  # samples that stand for a true density
_PAIRS = 4_000_000  # distances held in memory at once


@dataclass(frozen=True)
class RunConfig:
    """A reverse run.

    Attributes:
        data: what it ends on.
        schedule: the path.
        sampler: how it walks, with its seed.
        points: whether the denoiser is exact for the points themselves; otherwise for the true
            density, where the set has one.
        samples: how many samples start from noise.
        arrows: which field the arrows show, in two dimensions.
        moved: a starting position chosen by hand.
        model: the network that acts in place of the exact denoiser, None for that one.
        bare: whether what stands behind points in the plane is left out: a hand does not wait.
    """

    data: DataConfig = field(default_factory=lambda: DataConfig(n=500))
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    points: bool = True
    samples: int = within(2000, 1, MAX_POINTS)
    arrows: Arrows = "flow"
    moved: MovedStart | None = None
    model: ModelConfig | None = None
    bare: bool = False

    @property
    def source(self) -> tuple[DataConfig, bool]:
        """What the exact denoiser is exact for, and what a network is compared with."""
        return self.data, self.points or not has_true_density(self.data)

    @property
    def badge(self) -> Literal["exact", "learned"]:
        """What acts."""
        return "exact" if self.model is None else "learned"

    @property
    def stops(self) -> Stops:
        """The times the run stops at, which do not depend on its seed."""
        return Stops.of(self.schedule, self.sampler)

    def plan(self) -> Plan:
        """The run, from noise."""
        schedule = self.schedule.build()
        denoiser = Shared(acting(self.source, self.model, schedule))
        return self.sampler.plan(denoiser, schedule, _shape(self.data), self.samples)


@dataclass(frozen=True)
class Stops:
    """The stops of a run.

    Attributes:
        schedule: the path.
        steps: how many steps are taken.
        spacing: where.
        sampler: the sampler, if it asks at other levels than those of its stops; None elsewhere.
    """

    schedule: ScheduleConfig
    steps: int
    spacing: str
    sampler: SamplerConfig | None = None

    @classmethod
    def of(cls, schedule: ScheduleConfig, sampler: SamplerConfig) -> Stops:
        """The stops of a sampler's run, whatever its seed."""
        churns = replace(sampler, seed=0) if sampler.build().churns else None
        return cls(schedule, sampler.steps, sampler.spacing, churns)

    def grid(self) -> Tensor:
        """All (steps + 1,) times."""
        return grid_of(self.schedule.build(), self.steps, self.spacing)

    def kept(self) -> list[int]:
        """The stops that become frames: all, or ``MAX_FRAMES`` of them."""
        return kept(self.steps, MAX_FRAMES)

    def times(self) -> Tensor:
        """The (F,) times of the frames."""
        grid = self.grid()
        if self.sampler is not None:
            grid = self.sampler.build().times(self.schedule.build(), grid)
        return grid[self.kept()]


@dataclass(frozen=True, eq=False)
class Ends:
    """Where the samples of a run end, and how far that is from the data.

    Attributes:
        x: (N, D) or (N, C, H, W) the samples at t = 0.
        nearest: (N,) index of the data point that is nearest to each.
        distance: (N,) how far away that is, in the units of x.
        neighbours: mean distance from a data point to its nearest neighbour, in the same units.
        on_a_point: share of the samples that end on a data point: nearer than a twentieth of that.
        last_sigma: the noise level that the last step starts from.
        outside: share of the samples that end beyond the data's range by more than the distance of
            neighbours, where no mean of data points lies.
    """

    x: Floats
    nearest: NDArray[np.int64]
    distance: Floats
    neighbours: float
    on_a_point: float
    last_sigma: float
    outside: float


@dataclass(frozen=True, eq=False)
class Shown:
    """A run, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        steps: how many steps the run took.
        evaluations: how often the denoiser was asked.
        seconds: what sampling took, measured when it was done.
        ends: where the samples end.
        sentence: what a step of this sampler does.
        mesh_by: the sampler that carried the warped grid, None where it is the run's own.
        split: seconds spent on the parts, by name.
    """

    buffer: bytes
    frames: int
    steps: int
    evaluations: int
    seconds: float
    ends: Ends
    sentence: str
    mesh_by: str | None
    split: dict[str, float]


def has_true_density(data: DataConfig) -> bool:
    """Whether the set's density is known, so that an exact denoiser of it exists."""
    return data.name in MIXTURES


def affordable(run: RunConfig) -> int:
    """How many of the samples asked for can be run and sent: at least 1."""
    size = _shape(run.data).numel()
    calls = run.sampler.steps * run.sampler.build().evaluations_a_step
    if run.model is None:
        points = run.data.n if run.source[1] else 8
        most = int(_BUDGET / (points * max(size, 2) * calls))
    else:
        most = int(_NETWORK_BUDGET / (models.cost(run.model) * calls))
    if run.data.kind == "image":
        most = min(most, _IMAGE_BYTES // (3 * size * len(run.stops.kept())))
    return max(min(run.samples, most), 1)


@cached(max_entries=24, max_size="128MB")
def shown(run: RunConfig, _watch: Watch = ignore) -> Shown:
    """Run it and pack it for the player.

    Args:
        run: what to run; ``samples`` as ``affordable`` says.
        _watch: told how far the run is.
    """
    split: dict[str, float] = {}
    lap = _Lap(split)
    trajectory = made(run, _watch)
    lap("run")
    where = HELPERS.submit(_ends, run, trajectory)
    distance = HELPERS.submit(distance_of, run, trajectory)
    schedule = run.schedule.build()
    frames = scene.clock(schedule, trajectory.t, forward=False, evaluations=trajectory.evaluations)
    thinned = len(trajectory) < run.sampler.steps + 1
    steps = steps_between(run.sampler, schedule, trajectory.t, thinned=thinned)
    panel = _PANELS[run.data.kind](run, trajectory)
    rail = _rail(run, trajectory, steps, distance.result())
    lap("measures and backdrop")
    buffer = encode(
        replace(frames, unit="frame") if thinned else frames,
        [panel],
        rail,
        title=f"{run.data.title} from noise by {run.sampler.title}",
    )
    lap("encode")
    own = not run.sampler.build().stochastic
    return Shown(
        buffer,
        frames=len(trajectory),
        steps=run.sampler.steps,
        evaluations=int(trajectory.evaluations[-1]),
        seconds=split["run"],
        ends=where.result(),
        sentence=steps.sentence,
        mesh_by=None if own or run.data.kind != "2-D" else "DDIM (eta = 0)",
        split=split,
    )


def made(run: RunConfig, watch: Watch = ignore, keep: int = MAX_FRAMES) -> Trajectory:
    """Run it, from where a hand moved the start; return the states of the frames."""
    plan = run.plan()
    x_1 = plan.start()
    if run.moved is not None:
        index, *place = run.moved
        if not 0 <= index < run.samples:
            raise ValueError(f"there is no sample {index} to move: there are {run.samples:,}")
        x_1[index] = torch.tensor(place)
    return simulate(plan, keep, watch, x_1)


@cached(max_entries=24)
def ends(run: RunConfig, _watch: Watch = ignore) -> Ends:
    """Where a run ends, without the rest: to compare another run with."""
    return _ends(run, made(run, _watch, 1))


# What does not depend on the seed ---------------------------------------------------------------


@cached(max_entries=24)
@torch.inference_mode()
def density(source: tuple[DataConfig, bool], stops: Stops) -> Floats:
    """p_t at every frame, (F, R, R), in two dimensions."""
    p_0, schedule = _source(*source), stops.schedule.build()
    values = scene.density_frames(p_0, schedule, stops.times(), scene.LIMITS, _CELLS)
    return values.float().numpy()


@cached(max_entries=24)
@torch.inference_mode()
def line_density(
    source: tuple[DataConfig, bool], schedule: ScheduleConfig, start: float
) -> tuple[Floats, NDArray[np.float64]]:
    """p_t over x in one dimension, (M, R), and its times (M,) from 0 to the start of the run."""
    times = torch.linspace(0, start, _LINE_TIMES, dtype=torch.float64)
    p_0 = _source(*source)
    values = scene.density_frames(p_0, schedule.build(), times, scene.LIMITS, _LINE_CELLS)
    return values.float().numpy(), times.numpy()


@cached(max_entries=24)
@torch.inference_mode()
def arrows(
    source: tuple[DataConfig, bool], stops: Stops, kind: Arrows, model: ModelConfig | None = None
) -> Floats:
    """The score, or the velocity at which points move on the screen, (F, G, G, 2)."""
    schedule = stops.schedule.build()
    denoiser = acting(source, model, schedule)
    return scene.field_frames(denoiser, schedule, stops.times(), kind, _ARROWS).numpy()


@cached(max_entries=24)
@torch.inference_mode()
def warped_grid(
    source: tuple[DataConfig, bool],
    stops: Stops,
    sampler: SamplerConfig,
    model: ModelConfig | None = None,
) -> Floats:
    """A square grid of starting noise carried to the data, (F, M, M, 2), as drawn.

    Args:
        source: what the denoiser is exact for.
        stops: of the run.
        sampler: a deterministic one, with any seed: it is not used.
        model: the network that acts, if one does.
    """
    schedule, grid = stops.schedule.build(), stops.grid()
    axis = torch.linspace(-_MESH_REACH, _MESH_REACH, _MESH)
    start = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)
    start *= schedule.prior_std(grid[0].item())
    denoiser = acting(source, model, schedule)
    plan = Plan(denoiser, schedule, sampler.build(), grid, (2,), len(start))
    places = simulate(plan, MAX_FRAMES, x_1=start).x_t
    return scene.drawn(places, schedule, stops.times()).reshape(-1, _MESH, _MESH, 2)


@cached(max_entries=64)
@torch.inference_mode()
def floor(source: tuple[DataConfig, bool], samples: int) -> float:
    """The distance that chance alone makes: fresh exact samples of p_0 against the data."""
    generator = torch.Generator().manual_seed(1)
    p_0 = _source(*source)
    fresh = torch.stack([p_0.sample(samples, generator) for _ in range(_FRESH)])
    return float(sliced_wasserstein_path(fresh, reference(*source)).mean())


@cached(max_entries=64)
@torch.inference_mode()
def neighbours(source: tuple[DataConfig, bool]) -> float:
    """The mean distance from a data point to its nearest neighbour; 0 for a single one."""
    points = reference(*source).flatten(1)
    if len(points) < 2:
        return 0.0
    picked = torch.randperm(len(points), generator=torch.Generator().manual_seed(1))[:_NEIGHBOURS]
    distance = distances(points[picked], points)
    distance[torch.arange(len(picked)), picked] = torch.inf
    return float(distance.amin(1).mean())


# The panels -------------------------------------------------------------------------------------


def _points_panel(run: RunConfig, trajectory: Trajectory) -> Panel:
    schedule = run.schedule.build()
    heat, field, mesh = (None, None, None) if run.bare else _backdrop(run)
    source = _source(*run.source)
    return Points(
        run.data.title,
        scene.drawn(trajectory.x_t, schedule, trajectory.t),
        scene.LIMITS,
        badge=run.badge,
        x_0=trajectory.x_0.numpy(),
        data=source.points.numpy() if isinstance(source, Empirical) else None,
        field=field,
        density=heat,
        mesh=mesh,
        scale=scene.scale_of(schedule, trajectory.t),
        field_label="Flow" if run.arrows == "flow" else "Score",
        density_label="Density pₜ",
        movable=True,
        note=scene.scale_note(schedule),
        on=("points", "data", "density"),
    )


def _backdrop(run: RunConfig) -> tuple[Floats, Floats, Floats]:
    """What stands behind points in the plane: density, arrows and the warped grid."""
    carrier = SamplerConfig("ddim") if run.sampler.build().stochastic else run.sampler
    parts = [
        HELPERS.submit(density, run.source, run.stops),
        HELPERS.submit(arrows, run.source, run.stops, run.arrows, run.model),
        HELPERS.submit(warped_grid, run.source, run.stops, replace(carrier, seed=0), run.model),
    ]
    heat, field, mesh = (part.result() for part in parts)
    return heat, field, mesh


def _lines_panel(run: RunConfig, trajectory: Trajectory) -> Panel:
    schedule = run.schedule.build()
    values, times = line_density(run.source, run.schedule, trajectory.t[0].item())
    source = _source(*run.source)
    return Lines(
        run.data.title,
        scene.drawn(trajectory.x_t, schedule, trajectory.t)[..., 0],
        values,
        times,
        scene.LIMITS,
        badge=run.badge,
        x_0=trajectory.x_0[..., 0].numpy(),
        data=source.points[:, 0].numpy() if isinstance(source, Empirical) else None,
        scale=scene.scale_of(schedule, trajectory.t),
        note=scene.scale_note(schedule),
    )


def _images_panel(run: RunConfig, trajectory: Trajectory) -> Panel:
    schedule = run.schedule.build()
    return Images(
        run.data.title,
        scene.drawn(trajectory.x_t, schedule, trajectory.t),
        x_0=trajectory.x_0.numpy(),
        eps=trajectory.eps.numpy(),
        badge="exact",
        scale=scene.scale_of(schedule, trajectory.t),
        note=scene.scale_note(schedule),
    )


_PANELS = {"2-D": _points_panel, "1-D": _lines_panel, "image": _images_panel}


def distance_of(run: RunConfig, trajectory: Trajectory) -> Curve:
    """The distance to the data along the run, beside what an exact sample measures."""
    return Curve(
        sliced_wasserstein_path(trajectory.x_t, reference(*run.source)).numpy(),
        "Distance to the data (SW₂)",
        floor=floor(run.source, run.samples),
        floor_label="an exact sample",
    )


def _rail(run: RunConfig, trajectory: Trajectory, steps: Steps, distance: Curve) -> Rail:
    schedule = run.schedule.build()
    scale = scene.scale_of(schedule, trajectory.t)
    std = schedule.prior_std(trajectory.t[0].item()) * (1.0 if scale is None else float(scale[0]))
    return Rail(
        Histogram(std, bins=48),
        distance=distance,
        step=formula(steps, None if run.data.kind == "image" else partial(_sent, trajectory)),
    )


def _sent(trajectory: Trajectory, term: StepTerm) -> NDArray[Any]:
    """The values (steps, N, D) of a quantity that does not follow from what is drawn."""
    if term.quantity == "z":
        return trajectory.z[1:].numpy()
    return changes(trajectory.x_0, term.ago).numpy()


# Where the samples end --------------------------------------------------------------------------


def _ends(run: RunConfig, trajectory: Trajectory) -> Ends:
    x, points = trajectory.x_t[-1], reference(*run.source).flatten(1)
    nearest, distance = _nearest(x.flatten(1), points)
    gap = neighbours(run.source)
    last_stop = run.stops.grid()[-2].item()
    return Ends(
        x.numpy(),
        nearest.numpy(),
        distance.numpy(),
        neighbours=gap,
        on_a_point=float((distance <= _ON_A_POINT * gap + 1e-6).float().mean()),
        last_sigma=run.schedule.build().at(last_stop)[1],
        outside=_outside(x.flatten(1), points, gap),
    )


def _outside(x: Tensor, points: Tensor, margin: float) -> float:
    beyond = (x < points.amin(0) - margin) | (x > points.amax(0) + margin)
    return float(beyond.any(1).float().mean())


def _nearest(x: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    rows = max(_PAIRS // len(points), 1)
    parts = [distances(part, points).min(1) for part in torch.split(x, rows)]
    return torch.cat([p.indices for p in parts]), torch.cat([p.values for p in parts])


# Small parts ------------------------------------------------------------------------------------


def acting(
    source: tuple[DataConfig, bool], model: ModelConfig | None, schedule: Schedule
) -> Denoiser:
    """What acts: the network if there is one, else the exact denoiser of the source."""
    if model is not None:
        return models.denoiser(model, schedule)
    return Exact(_source(*source), schedule)


@lru_cache(maxsize=16)
def _source(data: DataConfig, points: bool) -> Distribution:
    """p_0; an uploaded picture is reduced, so that its run can be sent."""
    p_0 = scene.distribution(data, points=points)
    if data.name != "picture" or not isinstance(p_0, Empirical):
        return p_0
    side = max(p_0.points.shape[-2:])
    if side <= _IMAGE_SIDE:
        return p_0
    height, width = (max(round(n * _IMAGE_SIDE / side), 1) for n in p_0.points.shape[-2:])
    return Empirical(torch.nn.functional.adaptive_avg_pool2d(p_0.points, (height, width)))


@lru_cache(maxsize=16)
def reference(data: DataConfig, points: bool) -> Tensor:
    """Return the points that stand for p_0: the data, or a sample of the true density."""
    source = _source(data, points)
    if isinstance(source, Empirical):
        return source.points
    return source.sample(REFERENCE, torch.Generator().manual_seed(0))


def _shape(data: DataConfig) -> torch.Size:
    if data.name in IMAGE_INFO:
        return torch.Size(IMAGE_INFO[data.name].shape)
    if data.kind == "image":
        return reference(data, True).shape[1:]
    return torch.Size([1 if data.kind == "1-D" else 2])


class _Lap:
    """Notes the seconds since the last lap under a name."""

    def __init__(self, split: dict[str, float]) -> None:
        self._split, self._last = split, time.perf_counter()

    def __call__(self, name: str) -> None:
        now = time.perf_counter()
        self._split[name], self._last = now - self._last, now
