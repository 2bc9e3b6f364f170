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
from diffviz.core.noising import transition, walk
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
    Noised,
    Panel,
    Points,
    Rail,
    StepFormula,
    Term,
    encode,
)
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import json_of, within
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
_LINES_TIMES, _LINES_CELLS = 81, 160
_COARSER = 2  # times and cells of a density that follows a hand
_EARLY, _EARLY_SHARE = 0.1, 0.25


@dataclass(frozen=True)
class ForwardConfig:
    """Everything that a forward run depends on.

    Attributes:
        data: what is noised.
        schedule: how fast.
        way: one noising at a time, or a single jump.
        seed: of the noise.
        bare: whether what is measured and what stands behind points in the plane is left out, and
            the density of numbers is coarse: a hand does not wait.
    """

    data: DataConfig
    schedule: ScheduleConfig
    way: Way = "walk"
    seed: int = within(0, 0, MAX_SEED)
    bare: bool = False

    @property
    def held(self) -> ForwardConfig:
        """What does not depend on the schedule: this with the usual one."""
        return ForwardConfig(self.data, ScheduleConfig(), self.way, self.seed)


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
def run(config: ForwardConfig) -> bytes:
    """Return the player's buffer of a forward run."""
    return _made(config)


def levels(config: ForwardConfig) -> bytes:
    """Return the same without what does not depend on the schedule.

    Raises:
        ValueError: if other runs of these samples do not follow from their levels.
    """
    if not follows(config):
        raise ValueError(f"{config.data.title} is not noised in the browser")
    return _made(replace(config, bare=True), hollow=True)


def follows(config: ForwardConfig) -> bool:
    """Whether a run of another schedule can be had from its levels alone."""
    return config.data.kind != "image" or config.way == "jump"


@torch.inference_mode()
def _made(config: ForwardConfig, hollow: bool = False) -> bytes:
    schedule = config.schedule.build()
    t = frame_times(config.data, config.schedule)
    x_0 = _shown(config.data).load()
    draw = _PANELS["image" if x_0.ndim == 4 else f"{x_0.shape[1]}-D"]
    panel = draw(config, x_0, t)
    clock = replace(scene.clock(schedule, t, forward=True), unit=_unit(schedule, t))
    rail = _rail(config, schedule, t)
    title = f"{config.data.title}, from data to noise"
    return encode(clock, [panel], rail, title, held=json_of(config.held), hollow=hollow)


@dataclass(frozen=True)
class _Levels:
    """Coefficients of what gives each frame: (F,) of a jump, (F - 1,) of a walk."""

    kept: Floats
    added: Floats


def _levels(way: Way, schedule: Schedule, t: Tensor) -> _Levels:
    if way == "jump":
        return _Levels(*(level.numpy() for level in schedule(t)))
    return _Levels(*np.array([transition(schedule, s, u) for s, u in pairwise(t.tolist())]).T)


@lru_cache(maxsize=2)
def _noise(config: ForwardConfig, draws: int) -> Floats:
    """Noise (draws, N, ...) for the samples that are shown; do not change it."""
    x_0 = _shown(config.data).load()
    generator = torch.Generator().manual_seed(config.seed)
    return torch.stack([torch.randn(x_0.shape, generator=generator) for _ in range(draws)]).numpy()


def _noised(config: ForwardConfig, x_0: Tensor, t: Tensor) -> Noised:
    levels = _levels(config.way, config.schedule.build(), t)
    by_walk = config.way == "walk"
    noise = _noise(config.held, len(levels.kept) if by_walk else 1)
    data = x_0.numpy()
    return Noised(data, noise.reshape(-1, *data.shape), levels.kept, levels.added, by_walk)


def _images(config: ForwardConfig, x_0: Tensor, t: Tensor) -> Panel:
    schedule = config.schedule.build()
    title = config.data.title
    if len(x_0) < config.data.n:
        title = f"{title}, {len(x_0)} of {config.data.n:,}"
    generator = torch.Generator().manual_seed(config.seed)
    if config.way == "jump":  # mixed in the browser
        eps = torch.randn(x_0.shape, generator=generator)
        return Mix(title, x_0.numpy(), eps.numpy(), **_scaling(schedule, t))
    x_t = scene.scaled(torch.stack(list(walk(schedule, x_0, t, generator))), schedule, t)
    return Images(title, x_t.numpy(), x_0[None].numpy(), **_scaling(schedule, t))


def _points(config: ForwardConfig, x_0: Tensor, t: Tensor) -> Panel:
    data, schedule = config.data, config.schedule.build()
    noised = _noised(config, x_0, t)
    return Points(
        data.title,
        noised,
        scene.LIMITS,
        labels=data.labelled()[1].numpy() if data.classes > 1 else None,
        data=noised.x_0,
        density=None if config.bare else _density(data, config.schedule),
        density_label="Density pₜ",
        on=("points", "contours"),
        **_scaling(schedule, t),
    )


def _lines(config: ForwardConfig, x_0: Tensor, t: Tensor) -> Panel:
    schedule = config.schedule.build()
    times, density = _line_density(config.data, config.schedule, config.bare)
    return Lines(
        config.data.title,
        _noised(config, x_0[:, 0], t),
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
def _line_density(
    data: DataConfig, schedule: ScheduleConfig, coarse: bool
) -> tuple[Floats, Floats]:
    """Times (M,), closer together where the frames are, and p_t over x at them (M, R)."""
    frames, by = frame_times(data, schedule), _COARSER if coarse else 1
    where = torch.linspace(0, len(frames) - 1, _LINES_TIMES // by, dtype=torch.float64)
    times = torch.from_numpy(np.interp(where.numpy(), np.arange(len(frames)), frames.numpy()))
    source, path = _source(data), schedule.build()
    values = scene.density_frames(source, path, times, scene.LIMITS, _LINES_CELLS // by)
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


def _formula(config: ForwardConfig, schedule: Schedule, t: Tensor) -> StepFormula:
    levels = _levels(config.way, schedule, t)
    if config.way == "walk":
        terms = [
            Term("x_s", levels.kept, "x_t", words="the sample before"),
            Term("z", levels.added, "z", words="fresh noise"),
        ]
        return StepFormula("x_t", terms, words="the next, noisier sample")
    start, noise = ("x_0", "eps") if config.data.kind == "image" else ("start", "noise")
    terms = [
        Term("x_0", levels.kept, start, words="the data"),
        Term("eps", levels.added, noise, words="one draw of noise, for all times"),
    ]
    return StepFormula("x_t", terms, words="the sample at this time")


def _rail(config: ForwardConfig, schedule: Schedule, t: Tensor) -> Rail:
    beta = scene.beta_of(schedule, t)
    scaled = scene.drawing_scale(schedule, t) is not None
    return Rail(
        Histogram(std=1.0 if scaled else schedule.prior_std()),
        beta=None if beta is None else beta.numpy(),
        distance=None if config.bare else _between(config),
        step=_formula(config, schedule, t),
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
