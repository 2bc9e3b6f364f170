"""The line "This step" of a reverse run, as the player reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from diffviz.explain import Steps, explain, explain_jumps
from diffviz.samplers import Sampler
from diffviz.schedules import Schedule
from diffviz.ui.player import StepFormula, Term

__all__ = ["formula", "pictured", "steps_between"]

Values = str | NDArray[Any] | None


def formula(steps: Steps, sent: Callable[[str], Values]) -> StepFormula:
    """Return the formula: one unknown the player works out itself, the others are sent.

    Args:
        steps: what the steps add up to.
        sent: the values of a quantity that does not follow from what is drawn: (steps, N, D), the
            name of a role that stands for it, or None.
    """
    unknown = [term.quantity for term in steps.terms if term.quantity in ("rest", "change", "z")]
    solved = "rest" if "rest" in unknown else "change" if "z" not in unknown else "z"
    terms = []
    for term in steps.terms:
        values: Values = term.quantity
        if term.quantity == solved:
            values = "z"
        elif term.quantity in ("change", "z", "eps_raised"):
            values = sent(term.quantity)
        terms.append(Term(term.symbol, term.coefficients.numpy(), values, term.words))
    return StepFormula("x_s", terms, "the sample after this step")


def steps_between(sampler: Sampler, schedule: Schedule, t: Tensor, *, thinned: bool) -> Steps:
    """What leads from frame to frame: the sampler's steps, or jumps where some are not shown."""
    return explain_jumps(schedule, t) if thinned else explain(sampler, schedule, t)


def pictured(quantity: str) -> str | None:
    """What stands for a quantity of pictures: those are too large to be sent once more."""
    return "eps" if quantity == "eps_raised" else None
