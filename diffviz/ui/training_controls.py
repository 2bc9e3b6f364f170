"""What only the Training page asks for: how to train, and the files of a model."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from diffviz.ui import links

__all__ = ["MODES", "Mode", "choose_mode"]

Mode = Literal["train", "memorise"]

MODES: dict[str, str] = {"train": "Train a network", "memorise": "Memorise or generalise"}
"""The two halves of the page: the word in the address and what the page says."""


def choose_mode() -> Mode:
    """Draw the switch between training and the experiment on memorisation."""
    parameter = links.choice("mode", "train", MODES)
    chosen = links.bound(
        parameter,
        lambda key: st.segmented_control(
            "What to do here",
            list(MODES),
            format_func=MODES.__getitem__,
            required=True,
            key=key,
            label_visibility="collapsed",
        ),
    )
    links.complaints(parameter.key)
    return "memorise" if chosen == "memorise" else "train"
