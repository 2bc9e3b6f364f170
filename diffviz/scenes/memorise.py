"""The experiment on memorisation: its job, what it has found so far, and what the player shows.

What a job finds is kept for the session, and for a while for everybody, size by size.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Exact, Network
from diffviz.core.distributions import Distribution, Empirical, Smoothed
from diffviz.core.run import Watch, ignore, simulate
from diffviz.core.schedules import Schedule
from diffviz.data.points import MIXTURES
from diffviz.scenes import scene
from diffviz.scenes.buffer import Points, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.sharing import work_alone
from diffviz.studies import memorise
from diffviz.studies.memorise import SIZES, Figures, Recipe

Floats: TypeAlias = NDArray[np.floating[Any]]

_MOST = max(SIZES)
_TRUTH = 4000  # fresh points that stand for a distribution without closed form
_BELL = 0.04  # the width of the bell that each of them is
_CELLS = 64
_MOST_KEPT = 240  # outcomes of all sessions that are held in memory
_MEASURE_SHARE = 0.15  # of a size's time that measuring takes
_LOCK = threading.Lock()
_KEPT: OrderedDict[tuple[Experiment, int], Outcome] = OrderedDict()
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Experiment:
    """What is trained on more and more points.

    Attributes:
        data: where the points come from; as many as the largest size asks for.
        recipe: how every network is trained.
    """

    data: DataConfig = field(default_factory=lambda: DataConfig("moons", _MOST))
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A network of the ladder and what was measured with it.

    Attributes:
        figures: what was measured.
        denoiser: the network; shared, so never train it.
        origin: whether it ships with the app or was trained here.
        name: tells it from all others.
    """

    figures: Figures
    denoiser: Network
    origin: Literal["stored", "here"]
    name: str


@dataclass(frozen=True, eq=False)
class Shown:
    """Runs on one clock, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
    """

    buffer: bytes
    frames: int


class Ladder(Iterator[float]):
    """The job: train and measure one size after another.

    Attributes:
        experiment: what is asked.
        sizes: the sizes, in the order in which they are done.
        found: what was found so far, by size; replaced, never changed.
        now: the size under way.
    """

    def __init__(self, experiment: Experiment, sizes: Sequence[int]) -> None:
        self.experiment, self.sizes = experiment, tuple(sizes)
        self.found: Mapping[int, Outcome] = {}
        self.now = self.sizes[0]
        self._work = self._go()

    def __next__(self) -> float:
        """Do a slice of the work; returns the share that is done."""
        return next(self._work)

    def _go(self) -> Iterator[float]:
        experiment = self.experiment
        fresh, other = (
            _draw(experiment.data, _MOST, 1),
            _draw(experiment.data, memorise.MEASURED, 2),
        )
        for k, n in enumerate(self.sizes):
            self.now = n
            points = points_of(experiment.data, n)
            training = memorise.trainer(points, experiment.recipe)
            for progress in training:
                part = (1 - _MEASURE_SHARE) * progress.step / progress.steps
                yield (k + part) / len(self.sizes)
            denoiser = training.denoiser()
            measuring = memorise.measure(denoiser, points, fresh, other, training.seconds)
            while True:
                try:
                    part = 1 - _MEASURE_SHARE * (1 - next(measuring))
                except StopIteration as end:
                    self._keep(Outcome(end.value, denoiser, "here", f"here-{next(_NUMBERS)}"))
                    break
                yield (k + part) / len(self.sizes)

    def _keep(self, outcome: Outcome) -> None:
        n = outcome.figures.n
        self.found = {**self.found, n: outcome}
        with _LOCK:
            _KEPT[self.experiment, n] = outcome
            _KEPT.move_to_end((self.experiment, n))
            while len(_KEPT) > _MOST_KEPT:
                _KEPT.popitem(last=False)


def known(experiment: Experiment) -> dict[int, Outcome]:
    """What is known of an experiment, by size: what ships and what anybody has found."""
    with _LOCK:
        of_all = {n: o for (other, n), o in _KEPT.items() if other == experiment}
    return {**_stored(experiment), **of_all}


def _stored(experiment: Experiment) -> dict[int, Outcome]:
    if experiment.data != DataConfig(experiment.data.name, _MOST):
        return {}
    kept = memorise.stored(experiment.data.name)
    if kept is None or kept.recipe != experiment.recipe:
        return {}
    name = experiment.data.name
    return {
        row.n: Outcome(row, kept.models[row.n], "stored", f"stored-{name}-{row.n}")
        for row in kept.figures
    }


# For the player ---------------------------------------------------------------------------------


@cached(max_entries=24, max_size="96MB")
def shown(
    data: DataConfig, n: int, name: str | None, _outcome: Outcome | None, _watch: Watch = ignore
) -> Shown:
    """Draw samples from the same noise by the network, by the exact denoiser and by the truth.

    Args:
        data: where the points come from.
        n: how many are trained on.
        name: of the outcome, which is its key here; None where there is no network yet.
        _outcome: the outcome itself.
        _watch: told how far the runs are.
    """
    points = points_of(data, n)
    _watch(0.1)
    parts = [_HELPERS.submit(_exact_panel, data, n), _HELPERS.submit(_true_panel, data, n)]
    panels = [part.result() for part in parts]
    _watch(0.6)
    if _outcome is not None:
        made = _drawn(_outcome.denoiser)
        words = f"Network, {n:,} points"
        panels.insert(
            0,
            Points(
                words,
                made,
                scene.LIMITS,
                badge="learned",
                data=points.numpy(),
                scale=_scale(),
                note="Trained on the points marked +",
                on=("points", "data"),
            ),
        )
    _watch(0.9)
    times = memorise.grid()
    title = f"{data.title}: a network, the exact denoiser of its points, and the distribution"
    buffer = encode(scene.clock(memorise.path(), times, forward=False), panels, title=title)
    return Shown(buffer, len(times))


def _exact_panel(data: DataConfig, n: int) -> Points:
    points = points_of(data, n)
    source = Empirical(points)
    return Points(
        f"Exact for the same {n:,}",
        _exact_run(data, n),
        scene.LIMITS,
        badge="exact",
        data=points.numpy(),
        density=_density(source),
        scale=_scale(),
        note="Every run ends on one of them",
        on=("points", "data", "density"),
    )


def _true_panel(data: DataConfig, n: int) -> Points:
    made, density = _true_run(data)
    closed = data.name in MIXTURES
    return Points(
        "True distribution",
        made,
        scene.LIMITS,
        badge="exact",
        data=points_of(data, n).numpy(),
        density=density,
        scale=_scale(),
        pulls=False,
        note="Exact for the density" if closed else f"Exact for {_TRUTH:,} other points, smoothed",
        on=("points", "density"),
    )


@cached(max_entries=24)
def _exact_run(data: DataConfig, n: int) -> Floats:
    return _drawn(Exact(Empirical(points_of(data, n)), memorise.path()))


@cached(max_entries=8)
def _true_run(data: DataConfig) -> tuple[Floats, Floats]:
    """Samples (F, N, 2) and density (F, R, R) of the distribution itself."""
    source = _truth(data)
    return _drawn(Exact(source, memorise.path())), _density(source)


def _drawn(denoiser: Denoiser) -> Floats:
    """(F, N, 2) where a run's samples are at each frame, as drawn."""
    x_t = simulate(memorise.plan(denoiser)).x_t.numpy()
    return np.asarray(x_t * _scale()[:, None, None])


@torch.inference_mode()
def _density(source: Distribution) -> Floats:
    path: Schedule = memorise.path()
    frames = scene.density_frames(source, path, memorise.grid(), scene.LIMITS, _CELLS)
    return frames.float().numpy()


def _scale() -> Floats:
    factor = scene.drawing_scale(memorise.path(), memorise.grid())
    assert factor is not None  # noise grows far beyond the data on this path
    return factor.float().numpy()


# Points -----------------------------------------------------------------------------------------

_HELPERS = ThreadPoolExecutor(2, "diffviz-memorise", initializer=work_alone)


def points_of(data: DataConfig, n: int) -> Tensor:
    """The training set of n points: each one holds all smaller ones."""
    return _draw(data, _MOST, 0)[:n]


@cached(max_entries=64)
def chance(data: DataConfig) -> dict[int, float]:
    """By size, the share of copies among fresh draws: what chance alone makes."""
    fresh = _draw(data, _MOST, 2)[: memorise.MEASURED]
    return {n: float(memorise.copies(fresh, points_of(data, n)).float().mean()) for n in SIZES}


@lru_cache(maxsize=24)
def _draw(data: DataConfig, n: int, which: int) -> Tensor:
    """The pool of training points (0), fresh draws to measure with (1) or other ones (2)."""
    seed = data.seed + (0, memorise.FRESH_SEED, memorise.OTHER_SEED)[which]
    return data.fresh(n, seed)


@lru_cache(maxsize=8)
def _truth(data: DataConfig) -> Distribution:
    if data.name in MIXTURES:
        return scene.distribution(data, points=False)
    return Smoothed(_draw(data, _TRUTH, 1), _BELL)
