"""The line "This step" of a reverse run, as the player reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from diffviz.explain import Steps
from diffviz.ui.player import StepFormula, Term

__all__ = ["formula", "pictured"]

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


def pictured(quantity: str) -> str | None:
    """What stands for a quantity of pictures: those are too large to be sent once more."""
    return "eps" if quantity == "eps_raised" else None
