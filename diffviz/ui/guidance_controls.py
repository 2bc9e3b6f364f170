"""What the Guidance page asks for: the class, the scale, who answers, and how the runs walk."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote

import streamlit as st

from diffviz.checkpoints import CheckpointError
from diffviz.ui import controls, links, models, theme, widgets
from diffviz.ui.configs import DataConfig
from diffviz.ui.guidance_run import MAX_SCALE, Setting, affordable
from diffviz.ui.guidance_words import class_name
from diffviz.ui.models import ModelConfig

__all__ = ["ANSWERS", "afford", "choose_class", "choose_model", "choose_scale", "choose_walk"]

ANSWERS = {"exact": "Exact", "learned": "Network"}
"""Who answers: the word in the address and what the page says."""

_EACH = "each"
_SCALE = 4.0
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


def choose_class(data: DataConfig) -> int | None:
    """Draw the choice of the class; None asks for a class of its own for each sample."""
    words = [*(str(c) for c in range(data.classes)), _EACH]
    parameter = replace(links.choice("class", "0", words), of=data.name)

    def chip(word: str) -> str:
        if word == _EACH:
            return "Each its own"
        return f"![]({_dot(theme.palette().classes[int(word)])}) {class_name(data, int(word))}"

    chosen = links.bound(
        parameter,
        lambda key: st.pills(
            "Class (what is asked for)",
            words,
            format_func=chip,
            required=True,
            key=key,
            help=_CLASS_HELP,
        ),
    )
    controls.complain("class")
    return None if chosen == _EACH else int(chosen)


def choose_scale() -> float:
    """Draw the slider of the guidance scale w."""
    any_number = links.number("w", _SCALE, 0.0, MAX_SCALE)
    parameter = replace(any_number, parse=lambda word: round(any_number.parse(word), 1))
    scale = links.bound(
        parameter,
        lambda key: st.slider(
            "Guidance scale w (how hard to push)",
            0.0,
            MAX_SCALE,
            step=0.1,
            format="%.1f",
            key=key,
            width=300,
            help=_SCALE_HELP,
        ),
    )
    controls.complain("w")
    return round(float(scale), 1)


def choose_model(data: DataConfig) -> ModelConfig | None:
    """Draw the choice between the exact denoiser and the trained network of this set."""
    parameter = links.choice("denoiser", "exact", ANSWERS)
    chosen = widgets.segments("Denoiser", parameter, ANSWERS, help=_MODEL_HELP)
    controls.complain("denoiser")
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
    with st.expander("Path and sampler", icon=":material/tune:"), controls.bar("guidance_walk"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            schedule = controls.choose_schedule()
            sampler = controls.choose_sampler(
                schedule, default="dpmpp_2m", steps=40, spacing="log_snr"
            )
            samples = links.bound(
                links.whole("samples", _SAMPLES, 1, _MOST_SAMPLES),
                lambda key: st.number_input(
                    "Samples", min_value=1, max_value=_MOST_SAMPLES, step=100, key=key, width=150
                ),
            )
            arrows = links.bound(
                links.flag("arrows", True, of="guidance"),
                lambda key: st.toggle("Arrows", key=key, help="The flow of each denoiser."),
            )
        controls.complain("samples", "arrows")
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
