"""Pictures and pipelines that people bring: the exact denoiser of a set, or their own network.

A ZIP that was uploaded is held in memory, by the digest of its pictures, for as long as few others
come after it; folders and pipelines lie on the server's disk and are named in its environment.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from diffviz.core.denoisers import Clipped, Conditioned, Denoiser, Exact, OnPath
from diffviz.core.distributions import Empirical
from diffviz.core.grids import FILE
from diffviz.core.run import Watch, ignore
from diffviz.core.schedules import Schedule
from diffviz.exchange.archives import Pictures, distinct, plain_name, read_folder, read_zip
from diffviz.exchange.pipelines import Pipeline, configured, load_pipeline
from diffviz.scenes.buffer import Rail
from diffviz.scenes.caching import cached
from diffviz.scenes.configs import SamplerConfig, ScheduleConfig
from diffviz.scenes.formula import formula, steps_between
from diffviz.scenes.picture_run import (
    DEFAULT_SAMPLER,
    DEFAULT_SCHEDULE,
    Floats,
    Look,
    frequency_levels,
    packed,
    record,
)
from diffviz.scenes.sharing import Shared
from diffviz.tools.distances import distances

FOLDERS = "DIFFVIZ_FOLDERS"
"""Environment variable: folders of pictures on the server's disk, separated as in PATH."""

Kind = Literal["zip", "folder", "pipeline"]

_MOST_HELD = 8
_BUDGET = 2e12  # picture x value x point, or picture x weight x place, that a run may cost
_LOCK = threading.Lock()
_HELD: OrderedDict[str, Pictures] = OrderedDict()


@dataclass(frozen=True)
class YoursRun:
    """A run from noise to pictures of one's own.

    Attributes:
        kind: what acts: the exact denoiser of a ZIP or a folder, or the network of a pipeline.
        name: the digest of a ZIP's pictures, or the name of a folder or pipeline.
        schedule: the path.
        sampler: how it walks, with its seed.
        count: how many pictures.
        label: what a pipeline with classes is asked for.
        clipped: whether predictions are held in the pixels' range.
    """

    kind: Kind
    name: str
    schedule: ScheduleConfig = DEFAULT_SCHEDULE
    sampler: SamplerConfig = DEFAULT_SAMPLER
    count: int = 16
    label: int = 0
    clipped: bool = False

    @property
    def badge(self) -> Literal["exact", "learned"]:
        """What acts."""
        return "learned" if self.kind == "pipeline" else "exact"

    @property
    def by_its_file(self) -> bool:
        """Whether a pipeline stops, and holds its predictions, as its scheduler's file says."""
        return self.kind == "pipeline" and self.sampler.spacing == FILE

    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a picture."""
        if self.kind == "pipeline":
            return pipeline(self.name).shape
        channels, height, width = _pictures(self).images.shape[1:]
        return channels, height, width

    def denoiser(self, schedule: Schedule) -> Denoiser:
        """What answers, its batch shared between the cores."""
        if self.kind != "pipeline":
            return Shared(Exact(Empirical(_pictures(self).images), schedule))
        found = pipeline(self.name)
        network = found.at_stops(self.sampler.steps) if self.by_its_file else found.denoiser
        asked: Denoiser = OnPath(network, found.schedule, schedule)
        if self.by_its_file:
            asked = found.config.bounds.hold(asked)
        elif self.clipped:
            asked = Clipped(asked)
        asked = Shared(asked)
        return Conditioned(asked, label=self.label) if found.classes else asked


@dataclass(frozen=True, eq=False)
class Yours:
    """A run, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        steps: how many steps the run took.
        evaluations: of the denoiser, for each picture.
        seconds: what sampling took.
        x: (N, C, H, W) the pictures it ended with.
        nearest: names of the pictures nearest to them, for an exact denoiser.
        away: (N,) root-mean-square difference from those.
        sentence: what a step of this sampler does.
    """

    buffer: bytes
    frames: int
    steps: int
    evaluations: int
    seconds: float
    x: Floats
    nearest: tuple[str, ...]
    away: Floats
    sentence: str


def hold(data: bytes) -> tuple[str, Pictures]:
    """Read a ZIP of pictures and keep them; return their digest and them.

    Raises:
        UploadError: as ``read_zip``.
    """
    found = read_zip(data)
    digest = hashlib.sha256(found.images.numpy().tobytes()).hexdigest()[:16]
    keep(digest, found)
    return digest, found


def keep(digest: str, found: Pictures) -> None:
    """Keep pictures in memory by their digest, for as long as few others come after them."""
    with _LOCK:
        _HELD[digest] = found
        _HELD.move_to_end(digest)
        while len(_HELD) > _MOST_HELD:
            _HELD.popitem(last=False)


def held(digest: str) -> Pictures | None:
    """The pictures of a ZIP that was read before, None if they have been let go."""
    with _LOCK:
        return _HELD.get(digest)


def folders() -> dict[str, Path]:
    """The folders that the server offers, by their names."""
    parts = [Path(p) for p in os.environ.get(FOLDERS, "").split(os.pathsep) if p.strip()]
    there = [path for path in parts if path.is_dir()]
    return dict(zip(distinct(plain_name(path.name) for path in there), there, strict=True))


def pipelines() -> dict[str, Path]:
    """The pipelines that the server offers, by their names."""
    return configured()


@lru_cache(maxsize=2)
def pipeline(name: str) -> Pipeline:
    """A pipeline that the server offers.

    Raises:
        PipelineError: if it cannot be read.
        KeyError: if there is none of that name.
    """
    return load_pipeline(configured()[name])


@lru_cache(maxsize=4)
def _folder(name: str) -> Pictures:
    return read_folder(folders()[name])


def _pictures(run: YoursRun) -> Pictures:
    """The pictures of a ZIP or folder.

    Raises:
        UploadError: if a folder holds none.
        ValueError: if a ZIP has been let go.
    """
    if run.kind == "folder":
        return _folder(run.name)
    found = held(run.name)
    if found is None:
        raise ValueError("These pictures are no longer in memory: choose the ZIP again.")
    return found


def scheduler_of(kind: Kind, name: str) -> str | None:
    """What a pipeline's scheduler file says; None for pictures, which have none."""
    return pipeline(name).config.source if kind == "pipeline" else None


def about_file(run: YoursRun) -> str:
    """What of a pipeline's run its scheduler's file says."""
    config = pipeline(run.name).config
    parts = [f"By its scheduler's file: {config.says}."]
    parts += [f"Of its predictions {config.bounds}."] if str(config.bounds) else []
    return " ".join([*parts, *config.notes])


def affordable(run: YoursRun) -> int:
    """How many of the pictures asked for can be drawn in time: at least 1."""
    channels, height, width = run.shape()
    calls = run.sampler.steps * run.sampler.build().evaluations_a_step
    if run.kind == "pipeline":
        weights = sum(w.numel() for w in pipeline(run.name).denoiser.module.parameters())
        each = weights * height * width / 16
    else:
        each = 50.0 * len(_pictures(run).images) * channels * height * width
    return max(min(run.count, int(_BUDGET / (calls * each))), 1)


@cached(max_entries=8, max_size="64MB")
def yours(run: YoursRun, _watch: Watch = ignore, _look: Look = ignore) -> Yours:
    """Run it and pack it for the player."""
    schedule = run.schedule.build()
    plan = run.sampler.plan(run.denoiser(schedule), schedule, run.shape(), run.count)
    trajectory, seconds = record(plan.states(), plan.steps, _watch, _look)
    thinned = len(trajectory) < len(plan.grid)
    steps = steps_between(run.sampler, schedule, trajectory.t, thinned=thinned)
    rail = Rail(
        numbers=False,
        levels=frequency_levels(schedule, trajectory),
        step=formula(steps),
    )
    title = "Your pictures" if run.kind == "zip" else run.name
    x = trajectory.x_t[-1]
    names, away = _nearest(run, x) if run.kind != "pipeline" else ((), np.zeros(len(x)))
    return Yours(
        packed(schedule, trajectory, title, None, rail, "frame" if thinned else "step", run.badge),
        frames=len(trajectory),
        steps=run.sampler.steps,
        evaluations=int(trajectory.evaluations[-1]),
        seconds=seconds,
        x=x.numpy(),
        nearest=names,
        away=away.astype(np.float32),
        sentence=steps.sentence,
    )


def _nearest(run: YoursRun, x: torch.Tensor) -> tuple[tuple[str, ...], Floats]:
    found = _pictures(run)
    gaps = distances(x.flatten(1), found.images.flatten(1))
    least, index = gaps.min(1)
    names = tuple(found.names[k] for k in index.tolist())
    return names, (least / math.sqrt(x[0].numel())).numpy()
