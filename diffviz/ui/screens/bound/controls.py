"""What the page The bound asks for: the model, the schedule, the chain and the axis."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from diffviz.scenes.bound import DEFAULT_SCHEDULE, BoundRun
from diffviz.scenes.configs import MAX_STEPS, SPACING_TEXT
from diffviz.studies.bound import CHAIN_SPACINGS, CONDITIONS, LAST
from diffviz.ui.choices import controls, widgets
from diffviz.ui.shell import links
from diffviz.ui.stage import picture_controls

Over = Literal["t", "log_snr", "step"]
OVER: dict[Over, str] = {"t": "time t", "log_snr": "log-SNR", "step": "step"}
"""What the terms may be drawn over."""


_STEPS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, MAX_STEPS)
_LASTS = (6.0, 7.0, 8.0, 9.0, 10.0, 10.5, 11.0, 11.5, 12.0)


def _over(word: str) -> Over:
    found = next((over for over in OVER if over == word), None)
    if found is None:
        raise links.Refused(f"is not one of {', '.join(OVER)}")
    return found


_OVER: links.Parameter[Over] = links.Parameter("over", "t", _over)
_TOLD = {"any": "Nothing", "class": "Its class"}
_SPACINGS = {name: SPACING_TEXT[name].title for name in CHAIN_SPACINGS} | {"linspace": "Even in t"}
_TOLD_HELP = (
    "A class is at most log₂ 10 = 3.3 bits of a picture: 0.004 for each of its 784 dimensions. "
    "It helps much where noise hides the picture, but there the terms are small."
)
_LAST_HELP = (
    "The chain stops where a little noise is left, and the last decoder rounds to one of 256 "
    "levels. With more noise there the steps cost less and the last decoder more."
)


def choose_run() -> tuple[BoundRun, Over]:
    """Draw the choice of the pictures, of the chain, and of what the terms are drawn over."""
    pictures = picture_controls.choose_set()
    steps = widgets.stops(
        "T (how many steps the chain has)",
        links.whole("steps", 50, 1, MAX_STEPS, of="bound"),
        _STEPS,
        width=280,
    )
    schedule = controls.choose_schedule(default=DEFAULT_SCHEDULE.name)
    with controls.more("Chain"):
        spacing = widgets.menu(
            "Spacing (where the chain stops)",
            links.choice("spacing", "quadratic", CHAIN_SPACINGS),
            _SPACINGS,
        )
        last = widgets.stops(
            "Cleanest stop (its log-SNR)",
            links.number("last", LAST, _LASTS[0], _LASTS[-1], of="bound"),
            _LASTS,
            form="{:g}",
        )
        st.caption(_LAST_HELP)
    with controls.more("View"):
        over = widgets.segments("Terms over", _OVER, OVER)
        told = widgets.segments(
            "The network is told", links.choice("told", "any", CONDITIONS), _TOLD
        )
        st.caption(_TOLD_HELP)
    return BoundRun(pictures, told, schedule, steps, spacing, last), over
