"""What the Latent space page asks for: the set, what is shown, the pin, the classes, guidance."""

from __future__ import annotations

import streamlit as st

from diffviz.data.full_sets import SOURCES
from diffviz.scenes import latent as latent_run
from diffviz.scenes.latent import SHOWN, LatentRun, affordable
from diffviz.ui.choices import controls, widgets
from diffviz.ui.parts.atlas import Pin, pin_of, pin_word
from diffviz.ui.shell import links
from diffviz.ui.stage import picture_controls

SHOWS = {"map": "The map", "flow": "Latent diffusion", "priors": "Which prior?"}
"""What the page can show, and what it is called."""


def missing() -> bool:
    """Say that no latent space is here, if so."""
    if latent_run.ready():
        return False
    why = latent_run.trouble(SOURCES[0], 2) or ""
    st.warning(
        f"No latent space can be shown: trained files are missing or damaged. {why}",
        icon=":material/warning:",
    )
    return True


def choose_set() -> str:
    """Draw the choice of the pictures' set, among those whose latent space is here."""
    names = latent_run.ready()
    words = {name: f"![]({latent_run.icon(name)}) {picture_controls.short(name)}" for name in names}
    chosen = widgets.segments(
        "Pictures", links.choice("pictures", names[0], names), words, quiet=True
    )
    return chosen


def choose_show() -> str:
    """Draw the choice of what the page shows."""
    chosen = widgets.segments("Show", links.choice("show", "map", SHOWS), SHOWS, quiet=True)
    return chosen


def pin_parameter(name: str, limits: tuple[float, float]) -> links.Parameter[Pin | None]:
    """The pinned code in the address, such as 0.50,-1.25; that of one set is not another's."""
    low, high = limits

    def parse(word: str) -> Pin | None:
        pin = pin_of(word)
        if pin is None or all(low <= v <= high for v in pin):
            return pin
        nearest = min(max(pin[0], low), high), min(max(pin[1], low), high)
        raise links.Refused(f"is off the map, which ends at {low:g} and {high:g}", nearest)

    return links.Parameter("z", None, parse, pin_word, shared=False, of=name)


def afford(run: LatentRun) -> int:
    """How many codes are run; fewer than asked for is said."""
    count = max(affordable(run), SHOWN)
    controls.say_fewer(run.count, count, "Fewer steps")
    return count
