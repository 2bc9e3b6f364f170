"""The line "This step" of a reverse run, as the player reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.explain import Steps, StepTerm, explain, explain_jumps
from diffviz.core.schedules import Schedule
from diffviz.scenes.buffer import StepFormula, Term
from diffviz.scenes.configs import SamplerConfig

Values = str | NDArray[Any] | None


def formula(steps: Steps, sent: Callable[[StepTerm], Values] | None = None) -> StepFormula:
    """Return the formula: one unknown the player works out itself, the others are sent.

    Args:
        steps: what the steps add up to.
        sent: the values (steps, N, D) of a term that does not follow from what is drawn; None for
            pictures, whose values are too large to be sent once more.
    """
    kinds = [term.quantity for term in steps.terms]
    solved = "rest" if "rest" in kinds else "change" if kinds.count("change") == 1 else "z"
    terms = []
    for term in steps.terms:
        values: Values = term.quantity
        if term.quantity == solved:
            values = "z"
        elif term.quantity in ("change", "z"):
            values = sent(term) if sent is not None else None
        terms.append(Term(term.symbol, term.coefficients.numpy(), values, term.words))
    return StepFormula("x_s", terms, "the sample after this step")


def steps_between(sampler: SamplerConfig, schedule: Schedule, t: Tensor, *, thinned: bool) -> Steps:
    """What leads from frame to frame: the sampler's steps, or jumps where some are not shown."""
    if thinned:
        return explain_jumps(schedule, t)
    return explain(sampler.build(), schedule, sampler.grid(schedule))
