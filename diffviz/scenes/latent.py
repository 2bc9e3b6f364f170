"""The latent space of a VAE on the screen: its map, codes that flow, and pictures of both priors.

The map is packed once; a run of the latent diffusion model becomes a cloud of codes in the player,
the pictures of the first few of them beside it at the same step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.noising import Noise
from diffviz.core.run import Watch, ignore
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import Trajectory
from diffviz.measures.metrics import sliced_wasserstein_path
from diffviz.models.pretrained import latent_model, vae
from diffviz.scenes import scene
from diffviz.scenes.buffer import Curve, Images, Points, Rail, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import among, within
from diffviz.scenes.chart import Chart
from diffviz.scenes.configs import MAX_GUIDANCE, SamplerConfig, ScheduleConfig
from diffviz.scenes.picture_run import (
    DEFAULT_SAMPLER,
    DEFAULT_SCHEDULE,
    Floats,
    class_levels,
    class_probability,
    record,
)
from diffviz.scenes.picture_sets import PICTURE_SETS, PictureSet
from diffviz.scenes.pngs import data_uri
from diffviz.scenes.sharing import in_parts
from diffviz.studies.latents import (
    MASSES,
    Aggregate,
    Codes,
    answers,
    between_error,
    decoded_grid,
    draw_codes,
    load_codes,
    mass_levels,
)

COUNT, SHOWN = 800, 16
"""Codes that flow, and those of them whose pictures are shown."""

FLOW_LIMITS = (-3.2, 3.2)
"""Of the plane in which codes flow, in units of their own spread."""

_SIDE = 60  # decoded codes along an axis of the map
_CELLS = 121  # places along it at which the density is known
_NEAREST, _FARTHEST = 3.0, 8.0  # between which the map ends
_HELD = 0.98  # of the codes are on it
_SMOOTHED = 0.15  # std at which the density behind the flow stays smooth, in units of the spread
_RESOLUTION = 56
_PULLED = 3000  # codes whose density is drawn behind the flow
_DRAWN = 700  # of them, those drawn as points
_BUDGET = 200_000  # codes x evaluations that a run may cost
_HALF = 24  # pictures from either prior


@cache
def ready() -> tuple[str, ...]:
    """The sets whose VAE of 2 numbers, latent model and codes are here and whole."""
    return tuple(name for name in PICTURE_SETS if trouble(name, 2) is None)


def trouble(name: str, latent: int) -> str | None:
    """Why the latent space of a set cannot be shown; None if it can."""
    try:
        vae(name, latent)
        latent_model(name, latent)
        if latent == 2:
            load_codes(name)
    except ValueError as error:  # a CheckpointError is one
        return str(error)
    return None


@cache
def _codes(name: str) -> Codes:
    return load_codes(name)


@cache
def icon(name: str) -> str:
    """A small picture that the decoder makes of the middle of a class."""
    codes = _codes(name)
    middle = codes.mean[codes.labels == 7].median(0).values
    return data_uri(vae(name, 2).decode(middle[None])[0].numpy())


# The map ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MapView:
    """A map, ready for the browser.

    Attributes:
        packed: for ``atlas``.
        pictures: how many test pictures' codes are on it.
        beyond: how many of them lie outside.
        error: how far the pictures between the grid's codes are from decoded ones, a root mean
            square in units of [-1, 1].
        spread: standard deviation of q(z | x) in each direction, the median over pictures.
        smoothed: standard deviation by which the density on it is smoothed.
    """

    packed: dict[str, Any]
    pictures: int
    beyond: int
    error: float
    spread: float
    smoothed: float


def limits_of(codes: Codes) -> tuple[float, float]:
    """The ends of a map that holds nearly all codes and the prior."""
    reach = float(codes.mean.abs().amax(1).quantile(_HELD)) + 0.2
    end = math.ceil(2 * min(max(reach, _NEAREST), _FARTHEST)) / 2
    return -end, end


@cached(max_entries=4)
def map_of(name: str, _watch: Watch = ignore) -> MapView:
    """Decode a grid of codes and pack it with the codes of the test pictures.

    Raises:
        CheckpointError: if a file is missing or damaged.
    """
    codes, coder = _codes(name), vae(name, 2)
    limits = limits_of(codes)
    _watch(0.05)
    grid = decoded_grid(coder, limits, _SIDE)
    _watch(0.8)
    axis = torch.linspace(*limits, _CELLS)
    smoothed = smoothing(codes)
    density = codes.aggregate.marginal(1.0, smoothed).density_on_grid(axis, axis)
    inside = (codes.mean.abs() <= limits[1]).all(1)
    chart = Chart(
        codes.mean[inside].numpy(),
        codes.labels[inside].numpy(),
        PICTURE_SETS[name].classes,
        limits,
        grid.numpy(),
        density.numpy(),
        mass_levels(density),
        MASSES,
    )
    some = codes.mean[inside][:: max(int(inside.sum()) // 300, 1)]
    return MapView(
        chart.pack(),
        len(inside),
        int((~inside).sum()),
        between_error(coder, grid, limits, some),
        float(codes.std.median()),
        smoothed,
    )


def smoothing(codes: Codes) -> float:
    """The std by which a density of so many codes is smoothed to be drawn: half of Scott's rule."""
    spread = float(codes.mean.std(0).mean())
    return float(spread * len(codes.mean) ** (-1 / 6) / 2)


# Codes that flow --------------------------------------------------------------------------------


@dataclass(frozen=True)
class LatentRun:
    """A run of the latent diffusion model, from noise to codes of 2 numbers.

    Attributes:
        pictures: a key of ``PICTURE_SETS``.
        schedule: the path.
        sampler: how it walks, with its seed.
        classes: what is asked for, code by code in turn; () for every class in turn.
        guidance: the guidance scale; 0 leaves the class out.
        count: how many codes.
    """

    pictures: str = among("mnist", PICTURE_SETS)
    schedule: ScheduleConfig = DEFAULT_SCHEDULE
    sampler: SamplerConfig = DEFAULT_SAMPLER
    classes: tuple[int, ...] = ()
    guidance: float = within(1.0, 0, MAX_GUIDANCE)
    count: int = within(COUNT, SHOWN, 1024)

    def check(self) -> None:
        """Raise ``ValueError`` for classes that the set does not have."""
        self.set.check(self.classes)

    @property
    def set(self) -> PictureSet:
        """The set of pictures."""
        return PICTURE_SETS[self.pictures]

    def labels(self) -> Tensor | None:
        """(N,) the class that each code is asked for; None where the class is left out."""
        if self.guidance == 0:
            return None
        asked = torch.tensor(self.classes or range(len(self.set.classes)))
        return asked[torch.arange(self.count) % len(asked)]

    def wanted(self) -> Codes:
        """The codes of the test pictures of those classes."""
        codes = _codes(self.pictures)
        if self.guidance == 0 or not self.classes:
            return codes
        kept = torch.isin(codes.labels, torch.tensor(self.classes))
        return Codes(codes.mean[kept], codes.std[kept], codes.labels[kept])


@dataclass(frozen=True, eq=False)
class Flowing:
    """A run, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        evaluations: how often the network was asked about each code.
        seconds: what sampling took, measured when it was done.
        start: sliced Wasserstein distance of the noise to the encoder's codes, in their units.
        end: the same of the codes it ended with.
        floor: the same of a second draw of the encoder's codes.
    """

    buffer: bytes
    frames: int
    evaluations: int
    seconds: float
    start: float
    end: float
    floor: float


def affordable(run: LatentRun) -> int:
    """How many of the codes asked for can be drawn in time: at least ``SHOWN``."""
    calls = (
        run.sampler.steps
        * run.sampler.build().evaluations_a_step
        * (1 if run.guidance in (0, 1) else 2)
    )
    return max(min(run.count, _BUDGET // calls), SHOWN)


@cached(max_entries=12, max_size="64MB")
def flowing(run: LatentRun, _watch: Watch = ignore) -> Flowing:
    """Run it and pack it for the player.

    Args:
        run: what to run; ``count`` as ``affordable`` says.
        _watch: told how far the run is.

    Raises:
        CheckpointError: if a file is missing or damaged.
    """
    coder, schedule = vae(run.pictures, 2), run.schedule.build()
    model = latent_model(run.pictures, 2).denoiser
    asked = answers(model, schedule, run.labels(), run.guidance)
    plan = run.sampler.plan(asked, schedule, (2,), run.count)
    trajectory, seconds = record(plan.states(), plan.steps, lambda share: _watch(0.6 * share))
    aggregate = run.wanted().aggregate.moved(coder.code_mean.double(), coder.code_std.double())
    far, floor = _distances(trajectory, aggregate, run)
    cloud = _cloud(run, schedule, trajectory, aggregate)
    pictures = _decoded(run, schedule, trajectory)
    _watch(0.9)
    seen = class_probability(run.pictures, torch.from_numpy(np.asarray(pictures.x_0)))
    rail = Rail(
        numbers=False,
        distance=Curve(
            far.numpy(), "Distance to the encoder's codes (SW₂)", floor, "a second draw of them"
        ),
        levels=[class_levels(run.set, seen)],
    )
    clock = scene.clock(schedule, trajectory.t, forward=False, evaluations=trajectory.evaluations)
    unit = "frame" if len(trajectory) < run.sampler.steps + 1 else "step"
    title = f"Codes of {run.set.title} from noise"
    return Flowing(
        encode(replace(clock, unit=unit), [cloud, pictures], rail, title=title),
        len(trajectory),
        int(trajectory.evaluations[-1]),
        seconds,
        float(far[0]),
        float(far[-1]),
        floor,
    )


def _distances(
    trajectory: Trajectory, aggregate: Aggregate, run: LatentRun
) -> tuple[Tensor, float]:
    """Of every frame to a draw of the encoder's codes, (F,), and of a second draw to the first."""
    generator = torch.Generator().manual_seed(12)
    first, second = (aggregate.sample(run.count, generator)[0].float() for _ in range(2))
    run_and_floor = torch.cat([trajectory.x_t, second[None]])
    far = sliced_wasserstein_path(run_and_floor, first)
    return far[:-1], float(far[-1])


def _cloud(
    run: LatentRun, schedule: Schedule, trajectory: Trajectory, aggregate: Aggregate
) -> Points:
    labels = run.labels()
    every = max(len(aggregate) // _DRAWN, 1)
    return Points(
        "Codes",
        scene.drawn(trajectory.x_t, schedule, trajectory.t),
        FLOW_LIMITS,
        badge="learned",
        x_0=scene.drawable(trajectory.x_0).numpy(),
        labels=None if labels is None else labels.numpy(),
        data=aggregate.mean[::every].numpy(),
        density=_density(aggregate, schedule, trajectory.t),
        scale=scene.scale_of(schedule, trajectory.t),
        density_label="Encoder's codes, noised",
        points_label="Codes zₜ",
        pulls=False,
        picked=min(SHOWN, run.count),
        note=scene.scale_note(schedule),
        x_label="u₁",
        y_label="u₂",
        on=("points", "density"),
    )


def _density(aggregate: Aggregate, schedule: Schedule, t: Tensor) -> NDArray[np.float64]:
    """The aggregate posterior at the noise level of each frame, (F, R, R), as it is drawn."""
    low, high = FLOW_LIMITS
    cell = (high - low) / _RESOLUTION
    axis = low + cell * (torch.arange(_RESOLUTION, dtype=torch.float64) + 0.5)
    every = max(len(aggregate) // _PULLED, 1)
    few = Aggregate(aggregate.mean[::every], aggregate.std[::every])
    scale = scene.drawing_scale(schedule, t)
    unit = torch.ones_like(t) if scale is None else scale
    frames = []
    for time, c in zip(t.tolist(), unit.tolist(), strict=True):
        alpha, sigma = schedule.at(time)
        noised = few.marginal(c * alpha, max(c * sigma, _SMOOTHED))
        frames.append(noised.density_on_grid(axis, axis))
    return torch.stack(frames).numpy()


def _decoded(run: LatentRun, schedule: Schedule, trajectory: Trajectory) -> Images:
    """What the decoder makes of the first few codes, and of what is predicted of them."""
    coder = vae(run.pictures, 2)
    now = scene.scaled(trajectory.x_t, schedule, trajectory.t)
    both = torch.stack([now, trajectory.x_0])[:, :, : min(SHOWN, run.count)]
    codes = coder.unstandardised(both.float()).flatten(0, 2)
    x_t, x_0 = in_parts(coder.decode, codes).reshape(*both.shape[:3], 1, 28, 28)
    labels = run.labels()
    names = None if labels is None else [run.set.classes[k] for k in labels[:SHOWN].tolist()]
    return Images(
        "Decoded",
        x_t.numpy(),
        x_0=x_0.numpy(),
        badge="learned",
        labels=names,
        captions={"x_t": ("z_t", "decoded now"), "x_0": ("z^_0", "decoded prediction")},
    )


# Two priors -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Priors:
    """Pictures of as many codes from either prior, both through the same decoder.

    Attributes:
        own: (K, 1, 28, 28) of N(0, I), the VAE's own prior.
        diffusion: (K, 1, 28, 28) of the diffusion model.
    """

    own: Floats
    diffusion: Floats


@cached(max_entries=16)
@torch.inference_mode()
def priors(name: str, latent: int, seed: int, count: int = _HALF) -> Priors:
    """Draw codes from either prior and decode them.

    Raises:
        CheckpointError: if a file is missing or damaged.
    """
    coder = vae(name, latent)
    own = Noise(seed).like(torch.empty(count, latent))
    diffused = draw_codes(latent_model(name, latent).denoiser, coder, count, seed)
    return Priors(coder.decode(own).numpy(), coder.decode(diffused).numpy())
