r"""Quality against the number of evaluations: how good a sampler is for what it costs.

A sampler's error has three parts, and a ``Sweep`` keeps them apart:

    what chance makes      two fresh samples of p_0 differ too: the floor
    discretisation error   the exact denoiser, few steps
    model error            a learned denoiser, many steps

All runs of a seed start from the same noise (times the path's ``prior_std``) and are compared with
the same fresh sample of p_0, so that their differences are the samplers'.

A distance between sample sets sees discretisation error only above the floor.  The *end-point
error* sees it directly: the root mean square distance between where a deterministic sampler ends
and where the probability-flow ODE of the same denoiser ends from the same noise (Song et al. 2021,
eq. 13).  It is the error whose slope is the sampler's order.

The cost is the number of evaluations of the denoiser (NFE), counted as they happen.
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property, partial
from itertools import product
from statistics import fmean, stdev
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan
from diffviz.core.samplers import SAMPLERS, Heun, Sampler
from diffviz.core.schedules import SCHEDULES, DiscreteVP, Schedule
from diffviz.measures.metrics import energy_distance, mmd, sliced_wasserstein
from diffviz.tools.slices import quietly

__all__ = [
    "END_POINT",
    "MEASURES",
    "METRICS",
    "Cell",
    "Comparison",
    "Draw",
    "Measure",
    "Quality",
    "Row",
    "Sweep",
    "SweepConfig",
    "count_evaluations",
    "end_point_error",
    "floor_rows",
    "ode_ends",
    "steps_for",
    "summarise",
    "to_csv",
]

Draw: TypeAlias = Callable[[int, int], Tensor]
"""(n, seed) to a fresh sample (n, ...) of p_0: what ``DATASETS`` holds."""

_PAIRED = 2000  # samples that enter the two distances that cost the square of their number
_TRACED = 256  # samples whose end point is compared
_ODE_STEPS = 300
_SLICE_SECONDS = 0.1
_CELL_OVERHEAD = 15  # what measuring costs, in evaluations, for the share that is done
_FAR = 1e6  # coordinates count as at most this, so that figures of a run that diverges are finite
_FRESH, _OTHER = 1_000_000, 2_000_000  # seeds, apart from those of the noise
_WIDTH_POINTS = 1000
_FLOOR_DRAWS = 4
_LARGER = 10


class Quality(NamedTuple):
    """What one run cost and how good it was.

    Attributes:
        evaluations: how often the denoiser was asked (NFE); 0 for the floor.
        seconds: time spent in the sampler.
        distances: to fresh data, by the keys of ``MEASURES``.
        end_point: RMS distance to the ODE's end points; None for stochastic samplers.
    """

    evaluations: int
    seconds: float
    distances: Mapping[str, float]
    end_point: float | None = None

    def value(self, metric: str) -> float | None:
        """One of ``METRICS``; None where it was not measured."""
        return self.end_point if metric == END_POINT else self.distances.get(metric)


@dataclass(frozen=True)
class Comparison:
    """A fresh sample of p_0 that runs are compared with.

    Some data sets are drawn more evenly than independent points are (moons, along their arcs), and
    two such draws are nearer to each other than any sampler can come.  The floor is therefore what
    independent points measure, picked at random from a much larger draw: a perfect sampler's score.

    Attributes:
        fresh: (N, ...) the sample.
        others: (N, ...) samples of independent points, for the floor.
    """

    fresh: Tensor
    others: tuple[Tensor, ...]

    @classmethod
    def draw(cls, draw: Draw, n: int, seed: int) -> Comparison:
        """Draw samples of n points each."""
        seeds = (_OTHER + _FLOOR_DRAWS * seed + k for k in range(_FLOOR_DRAWS))
        return cls(draw(n, _FRESH + seed), tuple(_independent(draw, n, other) for other in seeds))

    @cached_property
    def width(self) -> float:
        """Median distance between fresh points, the width of MMD's kernel."""
        distance = torch.pdist(self.fresh[:_WIDTH_POINTS].flatten(1))
        width = float(distance.median()) if len(distance) else 1.0
        return width if width > 0 else 1.0

    def of(self, samples: Tensor, evaluations: int = 0, seconds: float = 0.0) -> Quality:
        """Compare samples (N, ...) with the fresh ones."""
        x = samples.nan_to_num(_FAR, _FAR, -_FAR).clamp(-_FAR, _FAR)
        far = {key: float(measure.distance(x, self)) for key, measure in MEASURES.items()}
        return Quality(evaluations, seconds, far)

    def floor(self) -> Quality:
        """Compare the others with the fresh one; a mean, beaten by luck only."""
        rows = [self.of(other).distances for other in self.others]
        return Quality(0, 0.0, {key: fmean(row[key] for row in rows) for key in MEASURES})


def _independent(draw: Draw, n: int, seed: int) -> Tensor:
    large = draw(_LARGER * n, seed)
    return large[torch.randperm(len(large), generator=_seeded(seed))[:n]]


@dataclass(frozen=True)
class Measure:
    """A distance between samples and fresh data.

    Attributes:
        title: as people read it.
        short: the same where there is less room.
        distance: of samples (N, ...) to the fresh ones of a ``Comparison``; less is better.
    """

    title: str
    short: str
    distance: Callable[[Tensor, Comparison], Tensor | float]


def _sliced(x: Tensor, to: Comparison) -> Tensor:
    return sliced_wasserstein(x, to.fresh)


def _energy(x: Tensor, to: Comparison) -> Tensor:
    return energy_distance(x[:_PAIRED], to.fresh[:_PAIRED])


def _mmd(x: Tensor, to: Comparison) -> Tensor:
    return mmd(x[:_PAIRED], to.fresh[:_PAIRED], to.width)


MEASURES: dict[str, Measure] = {
    "sliced_wasserstein": Measure("Sliced Wasserstein-2", "Sliced W₂", _sliced),
    "energy_distance": Measure("Energy distance", "Energy", _energy),
    "mmd": Measure("MMD", "MMD", _mmd),
}
"""The distances to fresh data; the kernel of MMD is as wide as fresh points are apart."""

END_POINT = "end_point"
METRICS: dict[str, str] = {
    **{key: measure.title for key, measure in MEASURES.items()},
    END_POINT: "End-point error",
}
"""All that is measured, with its name as people read it."""


# What is run ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        denoiser: name of the denoiser.
        sampler: a key of ``SAMPLERS``, with its default parameters.
        steps: how many steps it takes.
        seed: of the starting noise, the noise on the way and the fresh data.
    """

    denoiser: str
    sampler: str
    steps: int
    seed: int


@dataclass(frozen=True)
class SweepConfig:
    """What a sweep measures: every sampler at every budget, with every denoiser, for every seed.

    Attributes:
        samplers: keys of ``SAMPLERS``.
        budgets: numbers of evaluations; each sampler takes as many steps as each allows.
        denoisers: names of the denoisers.
        schedule: a key of ``SCHEDULES``.
        spacing: a key of ``SPACINGS``.
        samples: how many samples a run makes, and fresh data it is compared with.
        seeds: how many runs of each kind.
    """

    samplers: tuple[str, ...] = field(default_factory=lambda: tuple(SAMPLERS))
    budgets: tuple[int, ...] = (2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
    denoisers: tuple[str, ...] = ("exact",)
    schedule: str = "rectified_flow"
    spacing: str = "quadratic"
    samples: int = 2000
    seeds: int = 3

    def cells(self) -> tuple[Cell, ...]:
        """All runs, one seed after the other, from few evaluations to many."""
        schedule = SCHEDULES[self.schedule]()
        steps = {
            name: [steps_for(SAMPLERS[name](), schedule, n, self.spacing) for n in self.budgets]
            for name in self.samplers
        }
        cells = {
            Cell(denoiser, name, steps[name][k], seed): None
            for seed, k, name, denoiser in product(
                range(self.seeds), range(len(self.budgets)), self.samplers, self.denoisers
            )
            if steps[name][k] > 0
        }
        return tuple(cells)


class Sweep:
    """Runs that are measured one after the other; may be left at any time and gone on with.

    Iterating yields the missing ``(cell, quality)`` pairs as they are measured; iterating again
    goes on with what is missing then.  ``slices`` does the same work in pieces of some 0.1 s.

    Args:
        config: what is measured.
        denoisers: by name, at least those of the config, on the config's schedule.
        draw: draws fresh data.
        results: what has been measured already.
        floors: and the floors that belong to it.

    Attributes:
        results: by cell; replaced with every new one, never changed.
        floors: by seed, likewise.

    Raises:
        ValueError: if a denoiser is missing, or nothing is to be measured.
    """

    def __init__(
        self,
        config: SweepConfig,
        denoisers: Mapping[str, Denoiser],
        draw: Draw,
        results: Mapping[Cell, Quality] | None = None,
        floors: Mapping[int, Quality] | None = None,
    ) -> None:
        missing = [name for name in config.denoisers if name not in denoisers]
        if missing:
            raise ValueError(f"the sweep has no denoiser called {', '.join(missing)}")
        self.config, self.denoisers, self.draw = config, denoisers, draw
        self.cells = config.cells()
        if not self.cells:
            raise ValueError("no sampler takes a step within these numbers of evaluations")
        self.results: Mapping[Cell, Quality] = dict(results or {})
        self.floors: Mapping[int, Quality] = dict(floors or {})
        self._schedule = SCHEDULES[config.schedule]()
        self._comparisons: dict[int, Comparison] = {}
        self._ends: dict[tuple[str, int, float], Tensor] = {}
        self._costs = {cell: self._cost(cell) for cell in self.cells}

    @property
    def missing(self) -> list[Cell]:
        """The runs that are not measured yet, in order."""
        return [cell for cell in self.cells if cell not in self.results]

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1."""
        done = sum(cost for cell, cost in self._costs.items() if cell in self.results)
        return done / sum(self._costs.values())

    def __iter__(self) -> Iterator[tuple[Cell, Quality]]:
        """Measure what is missing, one run after the other."""
        for cell in self.missing:
            for _ in self._measure(cell):
                pass
            yield cell, self.results[cell]

    def slices(self) -> Iterator[float]:
        """Measure what is missing in pieces of some 0.1 s; yields the share that is done."""
        since = time.perf_counter()
        for cell in self.missing:
            begun = self.share
            weight = self._costs[cell] / sum(self._costs.values())
            for part in self._measure(cell):
                if time.perf_counter() - since > _SLICE_SECONDS:
                    yield begun + part * weight
                    since = time.perf_counter()
        yield 1.0

    def rows(self) -> list[Row]:
        """What has been measured so far, over the seeds."""
        return summarise(self.results)

    def _cost(self, cell: Cell) -> float:
        sampler = SAMPLERS[cell.sampler]()
        return _CELL_OVERHEAD + _evaluations(sampler, self._schedule, cell.steps, self.config)

    def _measure(self, cell: Cell) -> Generator[float]:
        """Measure one run, yielding now and then the share of it that is done."""
        comparison = self._comparison(cell.seed)
        sampler = SAMPLERS[cell.sampler]()
        grid = make_grid(self._schedule, cell.steps, self.config.spacing)
        denoiser, shape = self.denoisers[cell.denoiser], comparison.fresh.shape
        plan = Plan(denoiser, self._schedule, sampler, grid, shape[1:], shape[0], cell.seed)
        x_1 = plan.start().to(comparison.fresh)
        states = quietly(plan.states(x_1))
        seconds, state = 0.0, None
        for _ in grid:
            began = time.perf_counter()
            state = next(states)
            seconds += time.perf_counter() - began
            yield 0.8 * state.index / cell.steps
        assert state is not None
        quality = comparison.of(state.x_t, state.evaluations, seconds)
        if not sampler.stochastic:
            yield 0.9
            ends = self._ode_ends(cell, x_1[:_TRACED], grid[0].item())
            quality = quality._replace(end_point=end_point_error(state.x_t[:_TRACED], ends))
        self.results = {**self.results, cell: quality}

    def _comparison(self, seed: int) -> Comparison:
        if seed not in self._comparisons:
            drawn = Comparison.draw(self.draw, self.config.samples, seed)
            self._comparisons[seed] = drawn
            self.floors = {seed: drawn.floor(), **self.floors}
        return self._comparisons[seed]

    def _ode_ends(self, cell: Cell, x_1: Tensor, start: float) -> Tensor:
        key = cell.denoiser, cell.seed, start
        if key not in self._ends:
            self._ends[key] = ode_ends(self.denoisers[cell.denoiser], self._schedule, x_1, start)
        return self._ends[key]


# The parts --------------------------------------------------------------------------------------


@torch.inference_mode()
def ode_ends(
    denoiser: Denoiser, schedule: Schedule, x_1: Tensor, start: float = 1.0, steps: int = _ODE_STEPS
) -> Tensor:
    """Return where the probability-flow ODE ends, close to exactly: Heun, many steps.

    The stops are even in log-SNR, from the start to the path's ``t_min``; the last step, to t = 0,
    takes the prediction there, as every sampler does.

    Args:
        denoiser: whose ODE.
        schedule: the path.
        x_1: (N, ...) where it starts.
        start: the time of ``x_1``.
        steps: at least 1.
    """
    stops = make_grid(schedule, steps, "log_snr")
    grid = torch.cat([stops.new_tensor([start]), stops[stops < start]])
    return Heun().sample(denoiser, schedule, grid, x_1)


def end_point_error(ends: Tensor, exact: Tensor) -> float:
    """Root mean square distance between two sets of end points (N, ...), row by row."""
    gap = (ends - exact).flatten(1).nan_to_num(_FAR, _FAR, -_FAR).clamp(-_FAR, _FAR)
    return math.sqrt(float(gap.double().square().sum(1).mean()))


class _Counted(Denoiser):
    """A denoiser that costs nothing and is counted."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return x_t."""
        self.calls += 1
        return x_t


def count_evaluations(sampler: Sampler, schedule: Schedule, grid: Tensor) -> int:
    """Count the evaluations of a run on a grid (steps + 1,), by running it with a stub."""
    counted = _Counted()
    sampler.sample(counted, schedule, grid, torch.zeros(1, 1), _seeded(0))
    return counted.calls


def steps_for(sampler: Sampler, schedule: Schedule, evaluations: int, spacing: str) -> int:
    """Return the most steps a sampler takes within a number of evaluations; 0 if not even one.

    Beyond its first steps a sampler asks as often at every step.

    Args:
        sampler: with its parameters.
        schedule: a chain of T noisings allows at most T steps.
        evaluations: the budget.
        spacing: a key of ``SPACINGS``.
    """
    one, two, three = (_calls(sampler, schedule, k, spacing) for k in (1, 2, 3))
    if evaluations < two:
        return int(evaluations >= one)
    steps = 2 + (evaluations - two) // max(three - two, 1)
    return min(steps, schedule.T) if isinstance(schedule, DiscreteVP) else steps


def _evaluations(sampler: Sampler, schedule: Schedule, steps: int, config: SweepConfig) -> int:
    two, three = (_calls(sampler, schedule, k, config.spacing) for k in (2, 3))
    return max(two + (steps - 2) * (three - two), 1)


def _calls(sampler: Sampler, schedule: Schedule, steps: int, spacing: str) -> int:
    most = schedule.T if isinstance(schedule, DiscreteVP) else steps
    grid = make_grid(schedule, min(steps, most), spacing)
    return count_evaluations(sampler, schedule, grid)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# What was found ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Runs of one kind over their seeds.

    Attributes:
        denoiser: name of the denoiser; "floor" for fresh data.
        sampler: a key of ``SAMPLERS``; empty for fresh data.
        steps: how many steps each took.
        evaluations: how often the denoiser was asked.
        runs: how many there are.
        seconds: mean time of one.
        mean: of each metric, by its key in ``METRICS``; what was not measured is left out.
        error: standard error of that mean, 0 for a single run.
    """

    denoiser: str
    sampler: str
    steps: int
    evaluations: int
    runs: int
    seconds: float
    mean: Mapping[str, float]
    error: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """The row as plain values, figures to five digits."""
        plain = asdict(self)
        for key in ("mean", "error"):
            plain[key] = {name: float(f"{value:.5g}") for name, value in plain[key].items()}
        return plain | {"seconds": float(f"{self.seconds:.3g}")}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Row:
        """The row that ``as_json`` wrote."""
        return cls(**{f.name: plain[f.name] for f in fields(cls)})


def summarise(results: Mapping[Cell, Quality]) -> list[Row]:
    """Mean and standard error over the seeds, in the order in which the runs come."""
    groups: dict[Cell, list[Quality]] = {}
    for cell, quality in results.items():
        groups.setdefault(replace(cell, seed=0), []).append(quality)
    return [_row(cell.denoiser, cell.sampler, cell.steps, q) for cell, q in groups.items()]


def floor_rows(floors: Mapping[int, Quality]) -> list[Row]:
    """The floor as a row of its own; none while nothing is measured."""
    return [_row("floor", "", 0, list(floors.values()))] if floors else []


def _row(denoiser: str, sampler: str, steps: int, runs: Sequence[Quality]) -> Row:
    mean, error = {}, {}
    for key in METRICS:
        values = [value for run in runs if (value := run.value(key)) is not None]
        if values:
            mean[key] = fmean(values)
            error[key] = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    seconds = fmean(run.seconds for run in runs)
    return Row(denoiser, sampler, steps, runs[0].evaluations, len(runs), seconds, mean, error)


def to_csv(results: Mapping[Cell, Quality], floors: Mapping[int, Quality]) -> str:
    """Every run as a line of CSV, the floors last; empty where something was not measured."""
    out = io.StringIO()
    write = partial(csv.writer(out, lineterminator="\n").writerow)
    write([f.name for f in fields(Cell)] + ["evaluations", "seconds", *METRICS])
    for cell, quality in results.items():
        write([cell.denoiser, cell.sampler, cell.steps, cell.seed, *_cells(quality)])
    for seed, quality in floors.items():
        write(["floor", "", "", seed, *_cells(quality)])
    return out.getvalue()


def _cells(quality: Quality) -> list[str | int]:
    values = [quality.seconds, *(quality.value(metric) for metric in METRICS)]
    return [quality.evaluations, *("" if v is None else f"{v:.6g}" for v in values)]
