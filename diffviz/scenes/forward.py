"""The Forward page's run: from choices to what the player shows, cached by the choices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.distributions import Distribution
from diffviz.core.noising import jump, transition, walk
from diffviz.core.schedules import DiscreteVP, Schedule
from diffviz.measures.agreement import agreement
from diffviz.measures.terminal import Terminal, resampled, terminal
from diffviz.scenes import scene
from diffviz.scenes.buffer import (
    Curve,
    Histogram,
    Images,
    Lines,
    Mix,
    Panel,
    Points,
    Rail,
    StepFormula,
    Term,
    encode,
)
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import within
from diffviz.scenes.configs import MAX_SEED, DataConfig, ScheduleConfig

Way: TypeAlias = Literal["walk", "jump"]
Floats: TypeAlias = NDArray[np.floating[Any]]

WAYS: Mapping[str, str] = {"walk": "One noising at a time", "jump": "A single jump"}
"""The two ways to noise, as the page names them."""

_FRAMES, _FRAMES_1D = 60, 100  # of a run, about
_ALL_UP_TO = 100  # noisings that are all shown
_SHOWN = 100  # images, at most
_AGREE = 1.8  # floors: what chance makes of a distance, and some more
_BUDGET = 6_500_000  # bytes of positions or pixels in one run
_MEASURED = 1000  # samples between which distances are taken
_CELLS = 48  # of the density, along each axis
_DENSITY_FROM = 2000  # points
_LINES_CELLS, _LINES_TIMES = 160, 81
_EARLY, _EARLY_SHARE = 0.1, 0.25


@dataclass(frozen=True)
class ForwardConfig:
    """Everything that a forward run depends on.

    Attributes:
        data: what is noised.
        schedule: how fast.
        way: one noising at a time, or a single jump.
        seed: of the noise.
        bare: whether what is measured and what stands behind points in the plane is left out: a
            hand does not wait.
    """

    data: DataConfig
    schedule: ScheduleConfig
    way: Way = "walk"
    seed: int = within(0, 0, MAX_SEED)
    bare: bool = False


@dataclass(frozen=True)
class Both:
    """Walk against jump at every frame, in the units that are drawn.

    Attributes:
        distance: between a walked and a jumped sample.
        floor: between two independent jumps.
    """

    distance: tuple[float, ...]
    floor: tuple[float, ...]


# Times -------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def frame_times(data: DataConfig, schedule: ScheduleConfig) -> Tensor:
    """Return the times of the frames (F,), float64, rising from 0 to 1; do not change them.

    A chain's frames are noisings of it: all of them up to 100, else every n-th.  A continuous
    path that loses the data in its first tenth has its frames closer together there.
    """
    path, most = schedule.build(), _most_frames(data)
    wanted = _FRAMES_1D if data.kind == "1-D" else _FRAMES
    if isinstance(path, DiscreteVP):
        noisings = path.T
        few = noisings <= min(_ALL_UP_TO, most)
        count = noisings if few else _divisor(noisings, wanted, most)
        return torch.linspace(0, noisings, count + 1, dtype=torch.float64).round() / noisings
    u = torch.linspace(0, 1, min(wanted, most) + 1, dtype=torch.float64)
    even = path.t_at_log_snr(0.0).item()
    return u ** (math.log(even) / math.log(_EARLY_SHARE)) if even < _EARLY else u


def _divisor(T: int, wanted: int, most: int) -> int:
    """How many even strides of T noisings come nearest to what is wanted, without too few."""
    most = min(most, 100)
    exact = [n for n in range(most, most // 2 - 1, -1) if n and T % n == 0]
    return min(exact, key=lambda n: abs(n - wanted), default=min(wanted, most))


def _shown(data: DataConfig) -> DataConfig:
    """The data that are drawn: all points, and no more images than one can look at."""
    return replace(data, n=min(data.n, _SHOWN)) if data.kind == "image" else data


def items(data: DataConfig) -> int:
    """How many points or images are drawn."""
    return _shown(data).n


def _most_frames(data: DataConfig) -> int:
    x_0 = _shown(data).load()
    each = x_0.numel() if x_0.ndim == 4 else 4 * x_0.numel()  # a byte a pixel; 16 bits, twice
    return max(_BUDGET // each, 2)


# The run -----------------------------------------------------------------------------------------


@cached(max_entries=24, max_size="96MB")
@torch.inference_mode()
def run(config: ForwardConfig) -> bytes:
    """Return the player's buffer of a forward run."""
    schedule = config.schedule.build()
    t = frame_times(config.data, config.schedule)
    x_0 = _shown(config.data).load()
    generator = torch.Generator().manual_seed(config.seed)
    draw = _PANELS["image" if x_0.ndim == 4 else f"{x_0.shape[1]}-D"]
    panel = draw(config, x_0, t, generator)
    clock = replace(scene.clock(schedule, t, forward=True), unit=_unit(schedule, t))
    rail = _rail(config, schedule, t, x_0)
    return encode(clock, [panel], rail, title=f"{config.data.title}, from data to noise")


def _noised(way: Way, schedule: Schedule, x_0: Tensor, t: Tensor, g: torch.Generator) -> Tensor:
    """x_t (F, N, ...) at every frame, as drawn."""
    if way == "walk":
        frames = list(walk(schedule, x_0, t, g))
    else:
        eps = torch.randn(x_0.shape, generator=g)
        frames = [jump(schedule, x_0, time, eps) for time in t.tolist()]
    scale = scene.drawing_scale(schedule, t)
    if scale is not None:
        frames = [c * x for c, x in zip(scale.tolist(), frames, strict=True)]
    return torch.stack(frames)


def _images(config: ForwardConfig, x_0: Tensor, t: Tensor, g: torch.Generator) -> Panel:
    schedule = config.schedule.build()
    title = config.data.title
    if len(x_0) < config.data.n:
        title = f"{title}, {len(x_0)} of {config.data.n:,}"
    if config.way == "jump":  # mixed in the browser
        eps = torch.randn(x_0.shape, generator=g)
        return Mix(title, x_0.numpy(), eps.numpy(), **_scaling(schedule, t))
    x_t = _noised("walk", schedule, x_0, t, g)
    return Images(title, x_t.numpy(), x_0[None].numpy(), **_scaling(schedule, t))


def _points(config: ForwardConfig, x_0: Tensor, t: Tensor, g: torch.Generator) -> Panel:
    data, schedule = config.data, config.schedule.build()
    return Points(
        data.title,
        _noised(config.way, schedule, x_0, t, g).numpy(),
        scene.LIMITS,
        labels=data.labelled()[1].numpy() if data.classes > 1 else None,
        data=x_0.numpy(),
        density=None if config.bare else _density(data, config.schedule),
        density_label="Density pₜ",
        on=("points", "contours"),
        **_scaling(schedule, t),
    )


def _lines(config: ForwardConfig, x_0: Tensor, t: Tensor, g: torch.Generator) -> Panel:
    schedule = config.schedule.build()
    times, density = _line_density(config.data, config.schedule)
    return Lines(
        config.data.title,
        _noised(config.way, schedule, x_0, t, g)[..., 0].numpy(),
        density,
        times,
        scene.LIMITS,
        data=x_0[:, 0].numpy(),
        **_scaling(schedule, t),
    )


_PANELS = {"1-D": _lines, "2-D": _points, "image": _images}


@cached(max_entries=24)
@torch.inference_mode()
def _density(data: DataConfig, schedule: ScheduleConfig) -> Floats:
    """p_t at every frame (F, R, R), of at most 2,000 points."""
    t, source = frame_times(data, schedule), _source(data)
    values = scene.density_frames(source, schedule.build(), t, scene.LIMITS, _CELLS)
    return values.float().numpy()


@cached(max_entries=24)
@torch.inference_mode()
def _line_density(data: DataConfig, schedule: ScheduleConfig) -> tuple[Floats, Floats]:
    """Times (M,), closer together where the frames are, and p_t over x at them (M, R)."""
    frames = frame_times(data, schedule)
    where = torch.linspace(0, len(frames) - 1, _LINES_TIMES, dtype=torch.float64)
    times = torch.from_numpy(np.interp(where.numpy(), np.arange(len(frames)), frames.numpy()))
    source, path = _source(data), schedule.build()
    values = scene.density_frames(source, path, times, scene.LIMITS, _LINES_CELLS)
    return times.float().numpy(), values.float().numpy()


def _source(data: DataConfig) -> Distribution:
    return scene.distribution(replace(data, n=min(data.n, _DENSITY_FROM)), points=False)


class _Scaling(TypedDict):
    scale: Floats | None
    note: str | None


def _scaling(schedule: Schedule, t: Tensor) -> _Scaling:
    """What a panel says of the scale it is drawn in."""
    scale = scene.drawing_scale(schedule, t)
    if scale is None:
        return {"scale": None, "note": None}
    return {"scale": scale.float().numpy(), "note": scene.SCALE_NOTE}


def _unit(schedule: Schedule, t: Tensor) -> str:
    every = isinstance(schedule, DiscreteVP) and len(t) - 1 == schedule.T
    return "noising" if every else "frame"


# Beside it ---------------------------------------------------------------------------------------


def _walk_formula(schedule: Schedule, t: Tensor) -> StepFormula:
    steps = [transition(schedule, s, u) for s, u in pairwise(t.tolist())]
    kept, added = np.array(steps).T
    terms = [
        Term("x_s", kept, "x_t", words="the sample before"),
        Term("z", added, "z", words="fresh noise"),
    ]
    return StepFormula("x_t", terms, words="the next, noisier sample")


def _jump_formula(schedule: Schedule, t: Tensor, x_0: Tensor) -> StepFormula:
    alpha, sigma = (level.numpy() for level in schedule(t))
    images = x_0.ndim == 4
    start = "x_0" if images else x_0.expand(len(t), *x_0.shape).numpy()
    terms = [
        Term("x_0", alpha, start, words="the data"),
        Term("eps", sigma, "eps" if images else "z", words="one draw of noise, for all times"),
    ]
    return StepFormula("x_t", terms, words="the sample at this time")


def _rail(config: ForwardConfig, schedule: Schedule, t: Tensor, x_0: Tensor) -> Rail:
    beta = scene.beta_of(schedule, t)
    scaled = scene.drawing_scale(schedule, t) is not None
    by_walk = config.way == "walk"
    return Rail(
        Histogram(std=1.0 if scaled else schedule.prior_std()),
        beta=None if beta is None else beta.numpy(),
        distance=None if config.bare else _between(config),
        step=_walk_formula(schedule, t) if by_walk else _jump_formula(schedule, t, x_0),
    )


def _between(config: ForwardConfig) -> Curve:
    both = both_ways(config.data, config.schedule, config.seed)
    return Curve(both.distance, "Between the two ways", both.floor[-1], "two independent jumps")


@cached(max_entries=64)
@torch.inference_mode()
def both_ways(data: DataConfig, schedule: ScheduleConfig, seed: int) -> Both:
    """Measure walk against jump at every frame; of images, between their pixels' values."""
    path, t = schedule.build(), frame_times(data, schedule)
    generator = torch.Generator().manual_seed(seed)
    measured = agreement(path, _rows(data, _MEASURED), t, generator)
    scale = scene.drawing_scale(path, t)
    unit = torch.ones(()) if scale is None else scale
    return Both(tuple((measured.distance * unit).tolist()), tuple((measured.floor * unit).tolist()))


def _rows(data: DataConfig, n: int) -> Tensor:
    """Exactly n samples (n, D): points, or the colors of single pixels."""
    x_0 = data.load()
    if x_0.ndim == 4:
        x_0 = x_0.permute(0, 2, 3, 1).reshape(-1, x_0.shape[1])
    return resampled(x_0, n)


@cached(max_entries=128)
@torch.inference_mode()
def ending(data: DataConfig, schedule: ScheduleConfig) -> Terminal:
    """Measure how Gaussian x_T is: of points, of whole images, or of one picture's pixels."""
    if data.name == "picture":
        return terminal(schedule.build(), _rows(data, 2000))
    if data.kind == "image":
        return terminal(schedule.build(), replace(data, n=256).load().flatten(1))
    return terminal(schedule.build(), resampled(data.load(), 2000))


def in_words(config: ForwardConfig, frame: int) -> str:
    """Walk against jump at a frame, as Markdown."""
    t = frame_times(config.data, config.schedule)
    both = both_ways(config.data, config.schedule, config.seed)
    distance, floor = both.distance[frame], both.floor[frame]
    claim = "agree" if distance <= _AGREE * floor else "differ here by more than chance"
    of = "The pixels of a" if config.data.kind == "image" else "A"
    return (
        f"**The two ways {claim}.** {of} walked and a jumped sample at t = {t[frame].item():.2f} "
        f"are {distance:.3f} apart (sliced Wasserstein distance); two independent jumps, "
        f"{floor:.3f}.{_stride(config)}"
    )


def _stride(config: ForwardConfig) -> str:
    schedule = config.schedule.build()
    frames = len(frame_times(config.data, config.schedule)) - 1
    if config.way == "jump" or not isinstance(schedule, DiscreteVP) or frames == schedule.T:
        return ""
    about = "" if schedule.T % frames == 0 else "about "
    return f" Each frame adds {about}{round(schedule.T / frames)} noisings."
