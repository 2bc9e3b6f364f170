"""Quality against evaluations: measured beforehand, or here as a job that can be left and gone on.

What ships was measured by ``python -m diffviz quality``.  What a reader measures stays in the
session: a job that was stopped goes on with the runs that are missing, and so does one with more
seeds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, cast

import streamlit as st

from diffviz.core.schedules import SCHEDULES
from diffviz.measures.quality import (
    Cell,
    Quality,
    Row,
    Sweep,
    SweepConfig,
    floor_rows,
    summarise,
    to_csv,
)
from diffviz.scenes.arena import denoiser_of, fresh_data
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig
from diffviz.studies import sweeps
from diffviz.ui.shell import jobs
from diffviz.ui.shell.jobs import Job

SHIPPED = sweeps.KEPT
"""The measurement that ships."""

_KEY = "arena"
_STORE = "_arena_measured"
_Kept: TypeAlias = tuple[Mapping[Cell, Quality], Mapping[int, Quality]]
_MOST = 4  # measurements that a session keeps


@dataclass(frozen=True)
class ChartConfig:
    """What the chart measures.

    Attributes:
        data: what the samplers aim for.
        denoisers: "exact" and "learned", one or both.
        model: the trained denoiser, where one is measured or could be.
        schedule: a key of ``SCHEDULES``.
        spacing: a key of ``SPACINGS``.
        samples: of each run.
        seeds: runs of each kind.
    """

    data: DataConfig
    denoisers: tuple[str, ...] = ("exact",)
    model: ModelConfig | None = None
    schedule: str = "rectified_flow"
    spacing: str = "quadratic"
    samples: int = 2000
    seeds: int = 3

    @property
    def family(self) -> tuple[object, ...]:
        """What two measurements must share so that the runs of one count for the other."""
        return self.data, self.model, self.schedule, self.spacing, self.samples

    def sweep(self) -> SweepConfig:
        """The sweep that measures it."""
        return SweepConfig(
            denoisers=self.denoisers,
            schedule=self.schedule,
            spacing=self.spacing,
            samples=self.samples,
            seeds=self.seeds,
        )


@dataclass(frozen=True)
class Found:
    """Runs that have been measured.

    Attributes:
        results: by cell.
        floors: by seed.
        missing: how many runs of what is asked for are not measured yet.
    """

    results: Mapping[Cell, Quality]
    floors: Mapping[int, Quality]
    missing: int

    @property
    def rows(self) -> list[Row]:
        """Means and standard errors, the floor last."""
        return summarise(self.results) + floor_rows(self.floors)

    @property
    def csv(self) -> str:
        """Every run as a line."""
        return to_csv(self.results, self.floors)


class Measuring(Iterator[float]):
    """A sweep as the work of a job.

    Args:
        config: what is measured.
        results: what has been measured of it already.
        floors: and the floors that belong to it.
    """

    def __init__(
        self, config: ChartConfig, results: Mapping[Cell, Quality], floors: Mapping[int, Quality]
    ) -> None:
        self.config = config
        path = SCHEDULES[config.schedule]()
        models = {"exact": None, "learned": config.model}
        denoisers = {
            name: denoiser_of(config.data, path, models[name], points=False)
            for name in config.denoisers
        }
        self.sweep = Sweep(
            config.sweep(),
            denoisers,
            lambda n, seed: fresh_data(config.data, n, seed),
            results,
            floors,
        )
        self._slices = self.sweep.slices()

    def __next__(self) -> float:
        """Do the next piece; return the share that is done."""
        return next(self._slices)


def current() -> Job[Measuring] | None:
    """The session's measurement, whatever became of it."""
    return cast("Job[Measuring] | None", jobs.mine(_KEY))


def start(config: ChartConfig) -> None:
    """Measure what is missing, in the background.

    Raises:
        Full: if there is no room for another job; the message is for the reader.
        ValueError: if the trained denoiser is not there any more.
    """
    before = found(config)
    _keep()
    work = Measuring(config, before.results, before.floors)
    jobs.start(_KEY, work, f"Measuring on {config.data.title}")


def found(config: ChartConfig) -> Found:
    """What this session has measured of it so far."""
    job = current()
    if job is not None and job.work.config.family == config.family:
        sweep = job.work.sweep
        results, floors = sweep.results, sweep.floors
    else:
        results, floors = _store().get(config.family, ({}, {}))
    results = {cell: q for cell, q in results.items() if cell.denoiser in config.denoisers}
    missing = sum(cell not in results for cell in _cells(config.sweep()))
    return Found(results, floors, missing)


@cache
def _cells(sweep: SweepConfig) -> tuple[Cell, ...]:
    return sweep.cells()


def _store() -> dict[tuple[object, ...], _Kept]:
    return cast("dict[tuple[object, ...], _Kept]", st.session_state.setdefault(_STORE, {}))


def _keep() -> None:
    """Put the last job's runs aside, before another one takes its place."""
    job = current()
    if job is None:
        return
    store = _store()
    store.pop(job.work.config.family, None)
    sweep = job.work.sweep
    store[job.work.config.family] = (sweep.results, sweep.floors)
    while len(store) > _MOST:
        store.pop(next(iter(store)))


# What ships -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shipped:
    """The measurement that ships.

    Attributes:
        data: the key of its data set.
        sweep: what was measured.
        rows: what was found, the floor last.
    """

    data: str
    sweep: SweepConfig
    rows: tuple[Row, ...]


@cache
def shipped() -> Shipped | None:
    """Read the measurement that ships; None if its file is missing or damaged."""
    try:
        plain = json.loads(SHIPPED.read_text(encoding="utf-8"))
        sweep: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in plain["sweep"].items()
        }
        rows = tuple(Row.from_json(row) for row in plain["rows"])
        return Shipped(str(plain["data"]), SweepConfig(**sweep), rows)
    except (OSError, ValueError, KeyError, TypeError):
        return None
