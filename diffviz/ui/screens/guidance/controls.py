"""What the Guidance page asks for: the class, the scale, who answers, and how the runs walk."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote

import streamlit as st

from diffviz.models.checkpoints import CheckpointError
from diffviz.scenes import models
from diffviz.scenes.configs import MAX_GUIDANCE, DataConfig
from diffviz.scenes.guidance import Setting, affordable
from diffviz.scenes.models import ModelConfig
from diffviz.ui.choices import controls, widgets
from diffviz.ui.screens.guidance.words import class_name
from diffviz.ui.shell import links, theme

ANSWERS = {"exact": "Exact", "learned": "Network"}
"""Who answers: the word in the address and what the page says."""

_EACH = "each"
_SCALE = 4.0
_SCALES = tuple(k / 10 for k in range(round(10 * MAX_GUIDANCE) + 1))
_SAMPLES, _MOST_SAMPLES = 1000, 3000
_SCALE_HELP = (
    "x₀ = uncond + w (cond - uncond). w = 0 leaves the class out, w = 1 is plainly conditional, "
    "more than 1 exaggerates. Some papers call this 1 + w."
)
_CLASS_HELP = "Each its own: every sample is asked for a class of its own, as often as in the data."
_MODEL_HELP = (
    "Exact: both answers computed in closed form. Network: trained on this set, with the class "
    "withheld from a tenth of the points, so that one network gives both answers."
)


def with_classes(data: DataConfig) -> DataConfig:
    """The data with enough points for each class to have some; more than asked for is said."""
    enough = _with_classes(data)
    if enough != data:
        st.info(
            f"{data.title} has {data.classes} classes, and a sample of {data.n:,} leaves some of "
            f"them empty: {enough.n:,} points are used.",
            icon=":material/info:",
        )
    return enough


@lru_cache(maxsize=64)
def _with_classes(data: DataConfig) -> DataConfig:
    while len(set(data.labelled()[1].tolist())) < data.classes:
        data = replace(data, n=2 * data.n)
    return data


def choose_class(data: DataConfig) -> int | None:
    """Draw the choice of the class; None asks for a class of its own for each sample."""
    words = [*(str(c) for c in range(data.classes)), _EACH]
    parameter = replace(links.choice("class", "0", words), of=f"{data.name}-{data.classes}")

    def chip(word: str) -> str:
        if word == _EACH:
            return "Each its own"
        dot = _dot(theme.palette().classes[int(word)])
        return f"![]({dot}) {links.plain(class_name(data, int(word)))}"

    chosen = widgets.chips("Class (what is asked for)", parameter, words, chip, help=_CLASS_HELP)
    return None if chosen == _EACH else int(chosen)


def choose_scale() -> float:
    """Draw the slider of the guidance scale w."""
    any_number = links.number("w", _SCALE, 0.0, MAX_GUIDANCE)
    parameter = replace(any_number, parse=lambda word: round(any_number.parse(word), 1))
    scale = widgets.stops(
        "Scale w (how hard to push)",
        parameter,
        _SCALES,
        form="{:.1f}",
        width=320,
        help=_SCALE_HELP,
    )
    return scale


def choose_model(data: DataConfig) -> ModelConfig | None:
    """Draw the choice between the exact denoiser and the trained network of this set."""
    parameter = links.choice("denoiser", "exact", ANSWERS)
    with controls.more("Denoiser"):
        chosen = widgets.segments("Which answers", parameter, ANSWERS, help=_MODEL_HELP)
    if chosen == "exact":
        return None
    try:
        return _shipped(data)
    except CheckpointError as error:
        st.warning(
            f"The trained network of {data.title} cannot be used: {links.plain(str(error))} Until "
            "then the exact denoiser answers.",
            icon=":material/model_training:",
        )
        return None


def choose_walk(data: DataConfig) -> tuple[Setting, bool]:
    """Draw what is folded away: path, sampler, how many samples, and whether with arrows."""
    schedule = controls.choose_schedule(folded=True)
    sampler = controls.choose_sampler(
        schedule, default="dpmpp_2m", steps=40, spacing="log_snr", folded=True
    )
    with controls.more("View"):
        counted = links.whole("samples", _SAMPLES, 1, _MOST_SAMPLES)
        samples = widgets.number("Samples", counted, step=100, width=150)
        flow = links.flag("arrows", True, of="guidance")
        arrows = widgets.toggle("Arrows", flow, help="The flow of each denoiser.")
    return Setting(data, schedule=schedule, sampler=sampler, samples=samples), arrows


def afford(setting: Setting) -> Setting:
    """The setting with as many samples as can be had in time; fewer than asked for is said."""
    samples = affordable(setting)
    controls.say_fewer(setting.samples, samples, "Fewer steps or data points")
    return replace(setting, samples=samples)


def _shipped(data: DataConfig) -> ModelConfig:
    model = models.shipped(data)
    if model is None or models.classes(model) != data.classes:
        raise CheckpointError("there is none that takes its classes.")
    return model


@lru_cache(maxsize=64)
def _dot(color: str) -> str:
    """A disc of a colour, as a data URI."""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="48" viewBox="0 0 16 48">'
        f'<circle cx="8" cy="24" r="8" fill="{color}"/></svg>'
    )
    return f"data:image/svg+xml,{quote(svg)}"
