"""Knobs: the numbers that a class of the core is built with, as its signature declares them.

    def __init__(self, eta: Annotated[float, Range("how much fresh noise", 0, 1, 0.1)] = 0.0)

says all that a control needs to know; a parameter without a range has no control.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from inspect import signature

__all__ = ["Knob", "Range", "knobs_of"]


@dataclass(frozen=True)
class Range:
    """What a control of a number needs to know beside its name and default.

    Attributes:
        words: what the number is, in everyday words.
        low: the smallest value allowed.
        high: the largest value allowed.
        step: of one press of the control's buttons.
        decimals: shown by the control.
    """

    words: str
    low: float
    high: float
    step: float
    decimals: int = 2


@dataclass(frozen=True)
class Knob:
    """A number that only some schedules or samplers have.

    Attributes:
        name: the constructor's argument and the word in the address.
        label: what the control says.
        default: as in the constructor.
        low: the smallest value allowed.
        high: the largest value allowed.
        step: of one press of the control's buttons.
        decimals: shown by the control; 0 for a whole number.
    """

    name: str
    label: str
    default: float
    low: float
    high: float
    step: float
    decimals: int


@lru_cache(maxsize=256)
def knobs_of(kind: type) -> tuple[Knob, ...]:
    """Return the knobs of a class, in the order of its constructor's parameters."""
    return tuple(
        Knob(
            name, f"{name} ({said.words})", given.default,
            said.low, said.high, said.step, said.decimals,
        )
        for name, given in signature(kind, eval_str=True).parameters.items()
        for said in getattr(given.annotation, "__metadata__", ())
        if isinstance(said, Range)
    )  # fmt: skip
