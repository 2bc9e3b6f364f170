"""The Forward page's run: from choices to what the player shows, cached by the choices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from diffviz.agreement import agreement
from diffviz.noising import jump, transition, walk
from diffviz.schedules import DiscreteVP, Schedule
from diffviz.terminal import Terminal, resampled, terminal
from diffviz.ui import stage
from diffviz.ui.caching import cached
from diffviz.ui.controls import DataConfig, ScheduleConfig
from diffviz.ui.player import (
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

__all__ = ["WAYS", "Both", "ForwardConfig", "Way", "both_ways", "ending", "frame_times", "in_words", "last_frame", "run"]

Way: TypeAlias = Literal["walk", "jump"]

WAYS: Mapping[str, str] = {"walk": "One noising at a time", "jump": "A single jump"}
"""The two ways to noise, as the page names them."""

_FRAMES = 60  # of a run, about
_ALL_UP_TO = 100  # noisings that are all shown
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
    """

    data: DataConfig
    schedule: ScheduleConfig
    way: Way = "walk"
    seed: int = 0


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


def frame_times(data: DataConfig, schedule: ScheduleConfig) -> Tensor:
    """Return the times of the frames (F,), float64, rising from 0 to 1.

    A chain's frames are noisings of it: all of them up to 100, else every n-th.  A continuous
    path that loses the data in its first tenth has its frames closer together there.
    """
    path, most = schedule.build(), _most_frames(data)
    if isinstance(path, DiscreteVP):
        count = min(path.T if path.T <= _ALL_UP_TO else _divisor(path.T), most)
        return (torch.linspace(0, path.T, count + 1, dtype=torch.float64)).round() / path.T
    u = torch.linspace(0, 1, min(_FRAMES, most) + 1, dtype=torch.float64)
    even = path.t_at_log_snr(0.0).item()
    return u ** (math.log(even) / math.log(_EARLY_SHARE)) if even < _EARLY else u


def _divisor(T: int) -> int:
    """The number of frames, 50 to 100, that divides T into equal strides; 60 if there is none."""
    exact = [n for n in range(50, 101) if T % n == 0]
    return min(exact, key=lambda n: abs(n - _FRAMES), default=_FRAMES)


def _most_frames(data: DataConfig) -> int:
    x_0 = data.load()
    each = x_0.numel() if x_0.ndim == 4 else 4 * x_0.numel()  # a byte a pixel; 16 bits, twice
    return max(_BUDGET // each, 2)


# The run -----------------------------------------------------------------------------------------


@cached(max_entries=24, max_size="96MB")
def run(config: ForwardConfig) -> bytes:
    """Return the player's buffer of a forward run."""
    schedule = config.schedule.build()
    t = frame_times(config.data, config.schedule)
    x_0 = config.data.load()
    generator = torch.Generator().manual_seed(config.seed)
    x_t, noise = _noised(config.way, schedule, x_0, t, generator)
    panel, step = _panels(config, schedule, t, x_0, x_t, noise)
    clock = replace(stage.clock(schedule, t, forward=True), unit=_unit(schedule, t))
    return encode(clock, [panel], _rail(config, schedule, t, step), title="From data to noise")


def _noised(
    way: Way, schedule: Schedule, x_0: Tensor, t: Tensor, generator: torch.Generator
) -> tuple[Tensor | None, Tensor]:
    """Return x_t (F, N, ...) and the jump's noise; the browser mixes images' jumps itself."""
    if way == "walk":
        return torch.stack(list(walk(schedule, x_0, t, generator))), torch.zeros(0)
    eps = torch.randn(x_0.shape, generator=generator)
    if x_0.ndim == 4:
        return None, eps
    return torch.stack([jump(schedule, x_0, time, eps) for time in t.tolist()]), eps


def _panels(
    config: ForwardConfig,
    schedule: Schedule,
    t: Tensor,
    x_0: Tensor,
    x_t: Tensor | None,
    eps: Tensor,
) -> tuple[Panel, StepFormula]:
    scale = stage.drawing_scale(schedule, t)
    drawn = None if x_t is None else x_t * _like(scale, x_t)
    common = {
        "scale": None if scale is None else scale.numpy(),
        "note": None if scale is None else stage.SCALE_NOTE,
    }
    title, step = config.data.title, _formula(config.way, schedule, t, x_0)
    if x_0.ndim == 4:
        if drawn is None:
            return Mix(title, x_0.numpy(), eps.numpy(), badge="data", **common), step
        return Images(title, drawn.numpy(), x_0[None].numpy(), badge="data", **common), step
    assert drawn is not None
    if x_0.shape[1] == 1:
        return _lines(config, schedule, drawn, x_0, common), step
    return _points(config, schedule, t, drawn, x_0, common), step


def _points(
    config: ForwardConfig,
    schedule: Schedule,
    t: Tensor,
    drawn: Tensor,
    x_0: Tensor,
    common: dict[str, object],
) -> Points:
    source = stage.distribution(_for_density(config.data), points=False)
    density = stage.density_frames(source, schedule, t, stage.LIMITS, _CELLS)
    return Points(
        config.data.title,
        drawn.numpy(),
        stage.LIMITS,
        labels=config.data.labelled()[1].numpy() if config.data.classes > 1 else None,
        data=x_0.numpy(),
        density=density.numpy(),
        density_label="Density pₜ",
        on=("points", "contours"),
        **common,
    )


def _lines(
    config: ForwardConfig,
    schedule: Schedule,
    drawn: Tensor,
    x_0: Tensor,
    common: dict[str, object],
) -> Lines:
    source = stage.distribution(_for_density(config.data), points=False)
    times = torch.linspace(0, 1, _LINES_TIMES, dtype=torch.float64)
    density = stage.density_frames(source, schedule, times, stage.LIMITS, _LINES_CELLS)
    return Lines(
        config.data.title,
        drawn[..., 0].numpy(),
        density.numpy(),
        times.numpy(),
        stage.LIMITS,
        badge="exact",
        data=x_0[:, 0].numpy(),
        **common,
    )


def _for_density(data: DataConfig) -> DataConfig:
    """The data that p_t is drawn for: a sample of at most 2,000 points."""
    return replace(data, n=min(data.n, _DENSITY_FROM))


def _like(scale: Tensor | None, x: Tensor) -> Tensor:
    if scale is None:
        return torch.ones(())
    return scale.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def _unit(schedule: Schedule, t: Tensor) -> str:
    every = isinstance(schedule, DiscreteVP) and schedule.T == len(t) - 1
    return "noising" if every else "frame"


# Beside it ---------------------------------------------------------------------------------------


def _formula(way: Way, schedule: Schedule, t: Tensor, x_0: Tensor) -> StepFormula:
    if way == "walk":
        pairs = [transition(schedule, s, u) for s, u in zip(t[:-1].tolist(), t[1:].tolist(), strict=True)]
        keep, add = torch.tensor(pairs, dtype=torch.float64).T
        terms = [
            Term("x_s", keep.numpy(), "x_t", words="what was there before"),
            Term("z", add.numpy(), "z", words="fresh noise"),
        ]
        return StepFormula("x_t", terms, words="the next, noisier sample")
    alpha, sigma = (v.numpy() for v in schedule(t))
    points = x_0.ndim == 2
    start = x_0.expand(len(t), *x_0.shape).numpy() if points else "x_0"
    terms = [
        Term("x_0", alpha, start, words="the data"),
        Term("eps", sigma, "z" if points else "eps", words="one draw of noise for all times"),
    ]
    return StepFormula("x_t", terms, words="the sample at this time, in one jump")


def _rail(config: ForwardConfig, schedule: Schedule, t: Tensor, step: StepFormula) -> Rail:
    both = both_ways(config.data, config.schedule, config.seed)
    beta = stage.beta_of(schedule, t)
    scaled = stage.drawing_scale(schedule, t) is not None
    return Rail(
        Histogram(std=1.0 if scaled else schedule.prior_std()),
        beta=None if beta is None else beta.numpy(),
        distance=Curve(
            both.distance,
            "Between the two ways",
            both.floor[-1],
            "two independent jumps",
        ),
        step=step,
    )


@cached(max_entries=64)
def both_ways(data: DataConfig, schedule: ScheduleConfig, seed: int) -> Both:
    """Measure walk against jump at every frame; of images, between their pixels' values."""
    path, t = schedule.build(), frame_times(data, schedule)
    generator = torch.Generator().manual_seed(seed)
    measured = agreement(path, _rows(data, _MEASURED), t, generator)
    scale = stage.drawing_scale(path, t)
    unit = torch.ones(()) if scale is None else scale
    return Both(tuple((measured.distance * unit).tolist()), tuple((measured.floor * unit).tolist()))


def _rows(data: DataConfig, n: int) -> Tensor:
    """Exactly n samples (n, D): points, or the colors of single pixels."""
    x_0 = data.load()
    if x_0.ndim == 4:
        x_0 = x_0.permute(0, 2, 3, 1).reshape(-1, x_0.shape[1])
    return resampled(x_0, n)


@cached(max_entries=128)
def ending(data: DataConfig, schedule: ScheduleConfig) -> Terminal:
    """Measure how Gaussian x_T is: of points, of whole images, or of one picture's pixels."""
    if data.name == "picture":
        return terminal(schedule.build(), _rows(data, 2000))
    if data.kind == "image":
        return terminal(schedule.build(), replace(data, n=256).load().flatten(1))
    return terminal(schedule.build(), resampled(data.load(), 2000))


def last_frame(config: ForwardConfig) -> int:
    """The number of the last frame."""
    return len(frame_times(config.data, config.schedule)) - 1


def in_words(config: ForwardConfig, frame: int) -> str:
    """Walk against jump at a frame, as Markdown."""
    t = frame_times(config.data, config.schedule)[frame].item()
    if frame == 0:
        return "At t = 0 both ways start from the same data; the distance between them is 0."
    both = both_ways(config.data, config.schedule, config.seed)
    distance, floor = both.distance[frame], both.floor[frame]
    of = "The pixels of a" if config.data.kind == "image" else "A"
    return (
        f"**The two ways agree.** {of} walked and a jumped sample at t = {t:.2f} are "
        f"{distance:.3f} apart (sliced Wasserstein distance); two independent jumps, {floor:.3f}."
    )
