"""What the Three generators page asks for, and the figures that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from diffviz.scenes.generators_trained import TRAINED
from diffviz.scenes.picture_run import DEFAULT_SAMPLER, DEFAULT_SCHEDULE, GenerateRun
from diffviz.studies.bill import BillError, SetBill, load_bill
from diffviz.studies.bound import limit, read_curves
from diffviz.ui.choices import controls, widgets
from diffviz.ui.shell import links
from diffviz.ui.stage import picture_controls

COUNT = 10
"""Pictures that each generator draws."""

MAX_STEPS = 100
"""Most steps of the diffusion model; each is a frame."""

_STEPS = (1, 2, 4, 8, 12, 16, 25, 50, 100)
_TRAINED = links.choice("trained", "vae16", TRAINED)
_FRAME = links.whole("frame", 0, 0, 99, shared=False)


def choose_run(name: str, classes: tuple[int, ...]) -> GenerateRun:
    """Draw the steps, the guidance scale and the seed."""
    steps = widgets.stops(
        "Steps of diffusion",
        links.whole("steps", DEFAULT_SAMPLER.steps, 1, MAX_STEPS, of="generators"),
        _STEPS,
    )
    guidance = picture_controls.choose_guidance()
    seed = controls.choose_seed()
    sampler = replace(DEFAULT_SAMPLER, steps=steps, seed=seed)
    return GenerateRun(name, DEFAULT_SCHEDULE, sampler, classes, guidance, COUNT)


def expect() -> None:
    """Take note of what the address says of the trainings, which are drawn last.

    What is drawn before them writes the address.
    """
    links.value(_TRAINED)
    links.value(_FRAME)


def choose_trained() -> str:
    """Draw the choice of the training that is played again: a key of ``TRAINED``."""
    chosen = widgets.segments("Training", _TRAINED, TRAINED, quiet=True)
    links.complaints("trained")
    return chosen


def frame_of(frames: int) -> int | None:
    """The frame of the training that the address asks for, None for the first.

    Args:
        frames: how many there are; what is beyond the last is said.
    """
    chosen = links.value(_FRAME)
    links.complaints("frame")
    if chosen >= frames:
        st.warning(
            f"The link asks for frame {chosen}, but this training has {frames}, counted from 0: "
            "using the last.",
            icon=":material/link_off:",
        )
        links.keep(_FRAME, frames - 1)
    return min(chosen, frames - 1) or None


def keep_frame(step: int | None) -> None:
    """Put the frame that is shown into the address."""
    if step is not None:
        links.keep(_FRAME, step)


def figures(name: str) -> tuple[SetBill | None, float | None, str]:
    """The measured figures of a set, the bound of its diffusion model, and what is missing.

    Returns:
        The figures or None; bits a pixel with no class told, or None; why there are no figures.
    """
    try:
        found: Mapping[str, SetBill] = load_bill().sets
    except BillError as error:
        return None, None, str(error)
    if name not in found:
        return None, None, "This set of pictures has not been measured yet."
    return found[name], _bound(name), ""


def _bound(name: str) -> float | None:
    try:
        curve = read_curves()[name]["any"]
    except (OSError, ValueError, KeyError):
        return None
    return limit(DEFAULT_SCHEDULE.build(), curve).total
