"""What the Refine page asks for: whose samples, how far they are refined, and their seed."""

from __future__ import annotations

from typing import cast

import streamlit as st

from diffviz.models.checkpoints import CheckpointError
from diffviz.scenes.refine import KIND_WORDS
from diffviz.studies.refine import STEPS, Kind, source_pictures, stored
from diffviz.ui.choices import controls, widgets
from diffviz.ui.shell import links

_STOPS = tuple(k / STEPS for k in range(STEPS + 1))
_USUAL = 0.4  # where nothing was measured, or nothing helps


def choose_kind() -> Kind:
    """Draw the choice of the model whose samples are refined."""
    parameter = cast("links.Parameter[Kind]", links.choice("source", "vae", KIND_WORDS))
    words = {kind: f"{word} samples" for kind, word in KIND_WORDS.items()}
    chosen = widgets.segments("Samples of", parameter, words, quiet=True)
    return chosen


def usual_level(name: str, kind: Kind) -> float:
    """The level that the page starts with: the best faithful one, if it was measured."""
    kept = stored(name, kind)
    return (kept.curve.faithful if kept else 0.0) or _USUAL


def choose_level(name: str, kind: Kind) -> float:
    """Draw the noise level, whose stops are the steps of the path."""
    level = widgets.stops(
        "Noise level t (how much is made anew)",
        links.number("level", usual_level(name, kind), 0, 1, of=f"refine-{name}-{kind}"),
        _STOPS,
        form="{:.0%}",
        width=300,
    )
    return level


def choose_seed() -> int:
    """Draw the choice of the samples."""
    with controls.more("Samples"):
        seed = controls.choose_seed(label="Seed of the samples and of their noise")
    return seed


def is_here(name: str, kind: Kind) -> bool:
    """Whether the model whose samples are refined is here; says so where it is not."""
    try:
        source_pictures(name, kind, 1, 0)
    except CheckpointError as error:
        st.warning(links.plain(str(error)), icon=":material/warning:")
        return False
    return True
