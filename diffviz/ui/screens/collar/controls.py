"""What the page of the dog with a collar asks for: the guidance scale, and a dog of one's own."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

import streamlit as st

from diffviz.scenes.collar import Dog, ready
from diffviz.studies.collar_rates import GIVEN_STEPS, GUIDANCE
from diffviz.ui.choices import controls, widgets
from diffviz.ui.shell import links
from diffviz.ui.stage import picture_controls

Kind: TypeAlias = Literal["noise", "given"]
KINDS: dict[Kind, str] = {"noise": "Dogs from noise", "given": "A given dog"}
"""What the page shows: the word in the address and what it says."""

_GUIDANCE_HELP = (
    "x₀ = open + w (asked - open): w = 0 does not ask at all, w = 1 asks plainly, more than 1 "
    "pulls harder, and in the end takes the rest of the dog along."
)
_TAILS = tuple(k / 10 for k in range(11))
_SIZES = (0.85, 0.9, 0.95, 1.0)
_COATS = (0.42, 0.48, 0.55, 0.6, 0.66, 0.72)
_STEPS = (2, 5, 10, 20, 40)


def missing() -> bool:
    """Say that the network of dogs is not here, if so."""
    if ready():
        return False
    st.warning(
        "The trained network of dogs cannot be read: its files are missing or damaged. Install the "
        "app again, or train it: `python -m diffviz train dogs`.",
        icon=":material/warning:",
    )
    return True


def choose_kind() -> Kind:
    """Draw the choice of what is shown."""
    parameter = cast("links.Parameter[Kind]", links.choice("dogs", "noise", KINDS))
    chosen = widgets.segments("Show", parameter, KINDS, quiet=True)
    return chosen


def choose_guidance() -> float:
    """Draw the guidance scale."""
    label = "Scale w (pull to what is asked)"
    return picture_controls.choose_guidance(GUIDANCE, of="dogs", label=label, help=_GUIDANCE_HELP)


def choose_dog() -> tuple[Dog, int]:
    """Draw the dog's controls; returns the dog, and how many steps its trip has each way."""
    usual = Dog()
    wears = _flag("wears", "It wears a collar", usual.collar)
    sits = _one_of("pose", "Pose", {"stands": "Stands", "sits": "Sits"}, "stands") == "sits"
    with controls.more("Its looks, and the solver"):
        left = _one_of("faces", "Faces", {"left": "Left", "right": "Right"}, "right") == "left"
        ears = _one_of("ears", "Ears", {"hang": "Ears hang", "points": "Ears up"}, "hang")
        tail = _number("tail", "Tail (down to up)", usual.tail, _TAILS, "{:.0%}")
        size = _number("size", "Size (1 fills the picture)", usual.size, _SIZES, "{:g}")
        coat = _number("coat", "Coat (black 0, white 1)", usual.coat, _COATS, "{:g}")
        saddle = _flag("saddle", "A dark saddle", usual.spotted)
        steps = widgets.stops(
            "Steps of Heun's method (each way)", links.whole("trip", GIVEN_STEPS, 1, 100), _STEPS
        )
    return Dog(left, sits, ears == "points", saddle, tail, size, coat, wears), steps


def _flag(key: str, label: str, default: bool) -> bool:
    return widgets.toggle(label, links.flag(key, default, of="dogs"))


def _one_of(key: str, label: str, words: dict[str, str], default: str) -> str:
    return widgets.segments(label, links.choice(key, default, words), words, quiet=True)


def _number(key: str, label: str, default: float, values: tuple[float, ...], form: str) -> float:
    parameter = links.number(key, default, values[0], values[-1], of="dogs")
    return widgets.stops(label, parameter, values, form=form, width=240)
