r"""What a sampler's step adds up to, for people: x_s as a sum of coefficient times quantity.

The coefficients are the sampler's own (``Sampler.coefficients``), the very numbers that its step is
taken with; they come from the schedule's levels alone, so that they are known before a run.  The
quantities come from its trajectory.

A quantity that a trajectory does not record (the slope at the far end of a Heun step, say) is what
the other terms leave over: there is at most one of those at each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from diffviz.core.history import History, Visit, falling
from diffviz.core.samplers.base import Coefficients, Sampler, line
from diffviz.core.schedules import Schedule

__all__ = ["Quantity", "StepTerm", "Steps", "explain", "explain_jumps"]

Quantity: TypeAlias = Literal["x_t", "x_0", "eps", "z", "change", "rest"]
"""What a coefficient stands before.

``change`` is a prediction minus that of the step before it; ``z`` the fresh noise; ``rest`` what
the other terms leave over.
"""

Row: TypeAlias = dict[tuple[Quantity, int], float]

_RECORDED: dict[Quantity, tuple[str, str]] = {
    "x_t": ("x_t", "the sample now"),
    "x_0": ("x^_0", "predicted clean sample"),
    "eps": ("eps^", "predicted noise"),
    "z": ("z", "fresh noise"),
}
_PRIME = chr(0x2032)
_AGO = ("since the step before", "one step before that", "two steps before that")


@dataclass(frozen=True, eq=False)
class StepTerm:
    """One term of a step.

    Attributes:
        symbol: the quantity's symbol; ``_`` starts a subscript, ``^`` puts a hat on a letter.
        words: the quantity in everyday words.
        quantity: where its value comes from.
        coefficients: (steps,) float64, one for each step of the grid.
        ago: of a change, how many steps before the present one it happened.
    """

    symbol: str
    words: str
    quantity: Quantity
    coefficients: Tensor
    ago: int


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of one sampler on one grid.

    Attributes:
        terms: what adds up to x_s, in the order in which it is written.
        sentence: what a step does, in words.
    """

    terms: tuple[StepTerm, ...]
    sentence: str


def explain(sampler: Sampler, schedule: Schedule, grid: Tensor) -> Steps:
    """Return what each step of a sampler adds up to, from one recorded state to the next.

    Args:
        sampler: any sampler.
        schedule: the path.
        grid: (steps + 1,) falling times.
    """
    history = History(None, schedule, falling(grid), sampler.memory)
    stops = [sampler.churned(t, history) for t in history.grid[:-1]]
    after = [*((keep, fresh) for _, keep, fresh in stops[1:]), (1.0, 0.0)]
    rows, nothing = [], torch.empty(())
    for (t, _, _), s, (keep, fresh) in zip(stops, history.grid[1:], after, strict=True):
        row = {key: keep * c for key, c in _flat(sampler.coefficients(t, s, history)).items()}
        rows.append(row | {("z", 0): fresh} if fresh else row)
        history.keep(Visit(t, nothing, nothing, nothing))
    return Steps(_terms(rows, sampler.rests), sampler.said(history))


def explain_jumps(schedule: Schedule, times: Tensor) -> Steps:
    """Return the same for frames with several steps between them: one jump and what it misses.

    Args:
        schedule: the path.
        times: (frames,) times of the frames, the last one 0.
    """
    levels = [schedule.at(t) for t in times.tolist()]
    rows = [_flat(line(t, s)._replace(rest=(1.0,))) for t, s in pairwise(levels)]
    terms = _terms(rows, (("rest", "what the steps in between change"),))
    return Steps(terms, "Several steps lie between two frames: one jump, and what they change.")


def _flat(row: Coefficients) -> Row:
    """Return coefficients by quantity and place among several of a kind."""
    fields: dict[Any, float | tuple[float, ...]] = row._asdict()
    several = {name: c if isinstance(c, tuple) else (c,) for name, c in fields.items()}
    return {(name, k): c for name, all_ in several.items() for k, c in enumerate(all_)}


def _terms(rows: Sequence[Row], rests: Sequence[tuple[str, str]]) -> tuple[StepTerm, ...]:
    """Return the terms whose coefficients are not all 0, in the order in which they are written."""
    names = {
        **{(quantity, 0): said for quantity, said in _RECORDED.items()},
        **{
            ("change", k): (f"Δ{_PRIME * k}x^_0", f"change of the prediction {ago}")
            for k, ago in enumerate(_AGO)
        },
        **{("rest", k): said for k, said in enumerate(rests)},
    }
    every = {
        key: torch.tensor([row.get(key, 0.0) for row in rows], dtype=torch.float64) for key in names
    }
    return tuple(
        StepTerm(*names[quantity, k], quantity, values, k)
        for (quantity, k), values in every.items()
        if bool(values.any())
    )
