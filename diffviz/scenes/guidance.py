"""Guided runs from configs to what the player and the charts show.

Everything here is a pure function of small frozen configs.  A run depends on the guidance scale;
the conditional run is that of scale 1 and the unconditional one that of scale 0, so that moving the
scale costs one run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser, Exact, Guided
from diffviz.core.distributions import GaussianMixture, Smoothed
from diffviz.core.guidance import class_probabilities, draw_from_grid, joint_on_grid, tilted
from diffviz.core.run import Watch, ignore, part_of, simulate
from diffviz.data.points import MIXTURE_LABELS, MIXTURES
from diffviz.measures.metrics import sliced_wasserstein
from diffviz.scenes import models, point_run, scene
from diffviz.scenes.buffer import Points, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import within
from diffviz.scenes.configs import (
    MAX_GUIDANCE,
    MAX_POINTS,
    DataConfig,
    SamplerConfig,
    ScheduleConfig,
)
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.point_run import MAX_FRAMES, Stops
from diffviz.scenes.sharing import Shared, work_alone

Floats: TypeAlias = NDArray[np.floating[Any]]
Backdrop: TypeAlias = tuple[Floats | None, Floats | None]
"""A density and arrows, behind a panel."""

SETS: tuple[str, ...] = (
    "pinwheel",
    "moons",
    "eight_gaussians",
    "checkerboard",
    "smiley",
    "spiral",
    *("circles", "grid25", "star", "rose"),
)
"""The sets in the plane that have classes; the first six are the ones offered first."""

OFFERED = (*SETS, "table")
"""What can be shown: those, and a table with a column of classes."""

SCALES: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""The guidance scales of the charts."""

SMOOTHING = 0.07
"""The width of the bell that each point is, where a set has no density in closed form."""

_LABELS = 1_000_000  # added to a run's seed: its classes do not hang on its noise
_CELLS = 48
_ARROWS = 15
_FINE = 240  # cells along an axis of the target that is drawn from
_SHOWN = 96  # cells along an axis of the two pictures
_BELL = 0.07  # both pictures are seen through a bell of this width
_REFERENCE = 2000  # draws that stand for the target
_RUNS = 4  # denoiser evaluations a step of the three runs together


@dataclass(frozen=True)
class Setting:
    """All that makes a guided run but its scale.

    Attributes:
        data: one of ``OFFERED``.
        label: the class that is asked for; None asks for a class of its own for each sample, as
            often as it occurs in the data.
        model: the network that acts, None for the exact denoiser.
        schedule: the path.
        sampler: how it walks, with its seed.
        samples: how many samples start from noise.
    """

    data: DataConfig = field(default_factory=lambda: DataConfig("pinwheel", 1000))
    label: int | None = 0
    model: ModelConfig | None = None
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    sampler: SamplerConfig = field(default_factory=lambda: SamplerConfig("dpmpp_2m", 40, "log_snr"))
    samples: int = within(1000, 1, MAX_POINTS)

    @property
    def stops(self) -> Stops:
        """The times that runs stop at."""
        return Stops.of(self.schedule, self.sampler)

    @property
    def classes(self) -> list[int]:
        """The classes that are asked for."""
        return list(range(self.data.classes)) if self.label is None else [self.label]


@dataclass(frozen=True)
class GuidedRun:
    """Three runs of a setting: without guidance, at scale 1 and at a scale of its own.

    Attributes:
        setting: the rest.
        scale: the guidance scale w of the third.
        arrows: whether the fields are drawn.
        bare: whether all that stands behind the points is left out: a hand does not wait.
    """

    setting: Setting = field(default_factory=Setting)
    scale: float = within(3.0, 0, MAX_GUIDANCE)
    arrows: bool = True
    bare: bool = False


@dataclass(frozen=True, eq=False)
class Run:
    """A run at one scale.

    Attributes:
        x_t: (F, N, 2) the samples at each frame.
        x_0: (F, N, 2) the prediction there.
        evaluations: how often the denoiser was asked.
        seconds: what it took.
    """

    x_t: Floats
    x_0: Floats
    evaluations: int
    seconds: float


@dataclass(frozen=True)
class Measures:
    """What comes out at one scale.

    Attributes:
        scale: the guidance scale w.
        distance: sliced Wasserstein distance of the samples to the tilted density p(x) p(c|x)^w.
        floor: the same of as many exact draws of that density.
        share: mean of what the exact classifier gives to the class asked for, p(c | x_0).
        spread: how wide the samples of a class lie, in units of that of the class itself; NaN
            where no class has two samples.
    """

    scale: float
    distance: float
    floor: float
    share: float
    spread: float


@dataclass(frozen=True, eq=False)
class Shown:
    """Three runs, ready for the player, and the two densities.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        guided: the run at the chosen scale.
        should: (R, R) the tilted density, through a narrow bell.
        came: (R, R) that of the samples that came out, through the same.
    """

    buffer: bytes
    frames: int
    guided: Run
    should: Floats
    came: Floats


def affordable(setting: Setting) -> int:
    """How many of the samples asked for can be run in time: at least 1."""
    sampler = replace(setting.sampler, steps=_RUNS * setting.sampler.steps)
    return point_run.affordable(
        point_run.RunConfig(
            setting.data,
            setting.schedule,
            sampler,
            points=False,
            samples=setting.samples,
            model=setting.model,
        )
    )


# Runs -------------------------------------------------------------------------------------------


@cached(max_entries=96, max_size="96MB")
@torch.inference_mode()
def run(setting: Setting, scale: float, _watch: Watch = ignore) -> Run:
    """Run it at one scale, from the same starting noise at every scale."""
    label = _asked(setting, setting.samples) if setting.label is None else setting.label
    denoiser = _guided(setting, scale, label)
    plan = setting.sampler.plan(denoiser, setting.schedule.build(), (2,), setting.samples)
    started = time.perf_counter()
    made = simulate(plan, MAX_FRAMES, _watch)
    seconds = time.perf_counter() - started
    return Run(made.x_t.numpy(), made.x_0.numpy(), int(made.evaluations[-1]), seconds)


def _guided(setting: Setting, scale: float, label: Tensor | int) -> Denoiser:
    schedule = setting.schedule.build()
    inner = (
        Exact(_source(setting.data), schedule)
        if setting.model is None
        else models.denoiser(setting.model, schedule)
    )
    return Conditioned(Shared(Guided(inner, scale)), label=label)


def _asked(setting: Setting, n: int) -> Tensor:
    """(n,) the class that each sample is asked to be."""
    if setting.label is not None:
        return torch.full((n,), setting.label)
    generator = torch.Generator().manual_seed(_LABELS + setting.sampler.seed)
    return torch.multinomial(_shares(setting.data), n, replacement=True, generator=generator)


# What should come out ---------------------------------------------------------------------------


@cached(max_entries=48)
@torch.inference_mode()
def target(data: DataConfig, label: int | None, scale: float, cells: int) -> Floats:
    """Return the tilted density p(x) p(c|x)^w of the data, (R, R), with sum 1.

    Args:
        data: one of ``OFFERED``.
        label: the class c; None for the sum over all classes, each as often as in the data.
        scale: the guidance scale w.
        cells: R along either axis of ``scene.LIMITS``.
    """
    axis = _axis(cells)
    joint = joint_on_grid(_noised(data, 1.0, 0.0), axis, axis)
    return _tilted(data, joint, label, scale).numpy()


@cached(max_entries=48)
@torch.inference_mode()
def densities(
    data: DataConfig, stops: Stops, label: int | None, scale: float
) -> NDArray[np.float32]:
    """p_t(x) p_t(c|x)^w at every frame, (F, R, R): its slope is the guided score."""
    schedule, times = stops.schedule.build(), stops.times()
    axis = _axis(_CELLS)
    narrow = float(axis[1] - axis[0]) / 2  # no finer than the picture
    scaled = scene.drawing_scale(schedule, times)
    alphas, sigmas = (v if scaled is None else scaled * v for v in schedule(times.double()))
    frames = []
    for alpha, sigma in zip(alphas.tolist(), sigmas.tolist(), strict=True):
        joint = joint_on_grid(_noised(data, alpha, max(sigma, narrow)), axis, axis)
        frames.append(_tilted(data, joint, label, scale))
    return torch.stack(frames).float().numpy()


@cached(max_entries=48)
@torch.inference_mode()
def fields(setting: Setting, scale: float) -> Floats:
    """The flow at which samples move at every frame, (F, G, G, 2)."""
    schedule = setting.schedule.build()
    denoiser = _guided(setting, scale, 0 if setting.label is None else setting.label)
    times = setting.stops.times()
    return scene.field_frames(denoiser, schedule, times, "flow", _ARROWS).numpy()


@lru_cache(maxsize=64)
def _draws(data: DataConfig, label: int | None, scale: float, seed: int) -> tuple[Tensor, Tensor]:
    """Exact draws (M, 2) of the tilted density, and the class that each is of."""
    generator = torch.Generator().manual_seed(seed)
    axis = _axis(_FINE)
    classes = torch.full((_REFERENCE,), label or 0)
    if label is None:
        classes = torch.multinomial(_shares(data), _REFERENCE, True, generator=generator)
    x = torch.empty(_REFERENCE, 2, dtype=torch.float64)
    for c in sorted(set(classes.tolist())):
        of = classes == c
        density = torch.from_numpy(target(data, c, scale, _FINE))
        x[of] = draw_from_grid(density, (axis, axis), int(of.sum()), generator)
    return x, classes


# What comes out ---------------------------------------------------------------------------------


@cached(max_entries=256)
@torch.inference_mode()
def measured(setting: Setting, scale: float, _watch: Watch = ignore) -> Measures:
    """Run at one scale and measure where the samples end."""
    x = torch.from_numpy(run(_plain(setting, scale), scale, _watch).x_t[-1]).double()
    asked = _asked(setting, len(x))
    should, _ = _draws(setting.data, setting.label, scale, 1)
    fresh, _ = _draws(setting.data, setting.label, scale, 2)
    share = class_probabilities(_noised(setting.data, 1.0, 0.0), x)[torch.arange(len(x)), asked]
    return Measures(
        scale,
        float(sliced_wasserstein(x, should)),
        float(sliced_wasserstein(fresh[: len(x)], should)),
        float(share.mean()),
        _width(x, asked) / _width(*_draws(setting.data, setting.label, 1.0, 1)),
    )


def ladder(setting: Setting, watch: Watch = ignore) -> list[Measures]:
    """What comes out at each of ``SCALES``; every one is kept as soon as it is known."""
    return [measured(setting, w, part_of(watch, k, len(SCALES))) for k, w in enumerate(SCALES)]


def _width(x: Tensor, classes: Tensor) -> float:
    """The root mean square distance of points to the mean of their class; NaN for lone points."""
    if len(set(classes.tolist())) == len(classes):
        return math.nan
    square = torch.zeros((), dtype=x.dtype)
    for c in sorted(set(classes.tolist())):
        of = x[classes == c]
        square += ((of - of.mean(0)) ** 2).sum()
    return float((square / len(x)).sqrt())


# For the player ---------------------------------------------------------------------------------


@cached(max_entries=24, max_size="128MB")
@torch.inference_mode()
def shown(setting: Setting, scale: float, arrows: bool = True, _watch: Watch = ignore) -> Shown:
    """Run unconditionally, conditionally and guided, and pack the three for the player."""
    backdrops = {w: _HELPERS.submit(_backdrop, setting, w, arrows) for w in (0.0, 1.0, scale)}
    buffer, guided = _packed(setting, scale, lambda w: backdrops[w].result(), _watch)
    times = setting.stops.times()
    should = torch.from_numpy(target(setting.data, setting.label, scale, _SHOWN))
    came = _seen(torch.from_numpy(guided.x_t[-1]).double())
    return Shown(buffer, len(times), guided, _blurred(should).numpy(), came.numpy())


@torch.inference_mode()
def played(asked: GuidedRun, watch: Watch = ignore) -> bytes:
    """The three runs of a setting for the player, with what stands behind them or without."""
    if not asked.bare:
        return shown(asked.setting, asked.scale, asked.arrows, watch).buffer
    return _packed(asked.setting, asked.scale, lambda _: (None, None), watch)[0]


def _packed(
    setting: Setting, scale: float, backdrop: Callable[[float], Backdrop], watch: Watch
) -> tuple[bytes, Run]:
    """The player's buffer of the three runs, and the guided one."""
    scales = {"Unconditional": 0.0, "Conditional": 1.0, "Guided": scale}
    runs = {
        name: _HELPERS.submit(run, _plain(setting, w), w, watch if name == "Guided" else ignore)
        for name, w in scales.items()
    }
    panels = [
        _panel(setting, name, w, runs[name].result(), *backdrop(w)) for name, w in scales.items()
    ]
    clock = scene.clock(setting.schedule.build(), setting.stops.times(), forward=False)
    words = f"{setting.data.title}: unconditional, conditional and guided"
    return encode(clock, panels, title=words), runs["Guided"].result()


def _backdrop(setting: Setting, scale: float, arrows: bool) -> Backdrop:
    """The density behind a panel, and its arrows where there is one field for all samples."""
    one = scale == 0 or setting.label is not None
    label = 0 if scale == 0 else setting.label
    return (
        densities(setting.data, setting.stops, label, scale),
        fields(_plain(setting, scale), scale) if arrows and one else None,
    )


def _panel(
    setting: Setting,
    name: str,
    scale: float,
    made: Run,
    density: Floats | None,
    arrows: Floats | None,
) -> Points:
    schedule, times = setting.schedule.build(), setting.stops.times()
    factor = scene.drawing_scale(schedule, times)
    x_t = made.x_t if factor is None else made.x_t * factor.float().numpy()[:, None, None]
    ends = torch.from_numpy(made.x_t[-1]).double()
    of = class_probabilities(_noised(setting.data, 1.0, 0.0), ends).argmax(1)
    exact = setting.model is None
    plain = scale in (0.0, 1.0)
    return Points(
        f"{name}, w = {scale:g}",
        scene.drawable(torch.from_numpy(x_t)).numpy(),
        scene.LIMITS,
        badge=("exact" if plain else None) if exact else "learned",
        x_0=made.x_0,
        labels=of.numpy(),
        field=arrows,
        density=density,
        scale=None if factor is None else factor.float().numpy(),
        field_label="Flow",
        density_label=_DENSITY[0 if scale == 0 else 1 if scale == 1 else 2],
        pulls=False,
        on=("points", "density", "field") if arrows is not None else ("points", "density"),
    )


_DENSITY = ("Density pₜ(x)", "Density pₜ(x|c)", "Promised pₜ(x) pₜ(c|x)ʷ")


# Small parts ------------------------------------------------------------------------------------

_HELPERS = ThreadPoolExecutor(3, "diffviz-guided", initializer=work_alone)


def _plain(setting: Setting, scale: float) -> Setting:
    """The setting without what does not matter at this scale: the class, at scale 0."""
    return replace(setting, label=0) if scale == 0 else setting


@lru_cache(maxsize=16)
def _source(data: DataConfig) -> GaussianMixture | Smoothed:
    """p_0: the mixture where the set is one, else its points, each a narrow bell."""
    if data.name in MIXTURES:
        weights, means, stds = (part.float() for part in MIXTURES[data.name]())
        return GaussianMixture(weights, means, stds, MIXTURE_LABELS[data.name])
    points, labels = data.labelled()
    return Smoothed(points, SMOOTHING, labels)


@lru_cache(maxsize=256)
def _noised(data: DataConfig, alpha: float, sigma: float) -> GaussianMixture:
    """p_t with its classes, float64."""
    noised = _source(data).marginal(alpha, sigma)
    weights, means, stds = noised.weights.double(), noised.means.double(), noised.stds.double()
    return GaussianMixture(weights, means, stds, noised.labels)


@lru_cache(maxsize=16)
def _shares(data: DataConfig) -> Tensor:
    """(C,) how often each class occurs."""
    p_0 = _noised(data, 1.0, 0.0)
    shares = torch.zeros(data.classes, dtype=torch.float64)
    return shares.index_add(0, p_0.labels, p_0.weights)


def _tilted(data: DataConfig, joint: Tensor, label: int | None, scale: float) -> Tensor:
    """The tilted density with sum 1; with no class, the sum of those of all classes."""
    if label is not None:
        density = tilted(joint, label, scale)
        return density / density.sum()
    parts = [share * _tilted(data, joint, c, scale) for c, share in enumerate(_shares(data))]
    return torch.stack(parts).sum(0)


def _axis(cells: int) -> Tensor:
    low, high = scene.LIMITS
    return low + (high - low) / cells * (torch.arange(cells, dtype=torch.float64) + 0.5)


def _seen(x: Tensor) -> Tensor:
    """(R, R) points (N, 2) seen through a bell."""
    axis = _axis(_SHOWN)
    ones = torch.ones(len(x), dtype=x.dtype)
    return GaussianMixture(ones, x, _BELL * ones).density_on_grid(axis, axis)


def _blurred(density: Tensor) -> Tensor:
    """A density (R, R) seen through the same bell."""
    axis = _axis(_SHOWN)
    bell = torch.exp(-(((axis[:, None] - axis) / _BELL) ** 2) / 2)
    bell /= bell.sum(0)
    return bell @ density @ bell.T
