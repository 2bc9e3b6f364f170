"""What the Images pages ask for: the set, the classes, the guidance scale, and how runs walk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

import streamlit as st

from diffviz.ui import controls, links, picture_sets, widgets
from diffviz.ui.configs import SamplerConfig, ScheduleConfig
from diffviz.ui.generate_run import (
    DEFAULT_SAMPLER,
    DEFAULT_SCHEDULE,
    GenerateRun,
    affordable,
    simulate,
)
from diffviz.ui.picture_pngs import data_uri
from diffviz.ui.picture_sets import PICTURE_SETS

__all__ = [
    "MAX_COUNT",
    "MAX_GUIDANCE",
    "YOURS",
    "afford",
    "choose_classes",
    "choose_count",
    "choose_guidance",
    "choose_set",
    "choose_walk",
    "missing",
    "row",
]

MAX_COUNT = 64
YOURS = "yours"
"""The word in the address for pictures and pipelines that people bring."""

MAX_GUIDANCE = 8.0

_COUNTS = (1, 4, 9, 16, 25, 36, 49, 64)
_GUIDANCE = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_GUIDANCE_HELP = (
    "x₀ = uncond + w (cond - uncond): w = 0 leaves the class out, w = 1 is plainly conditional, "
    "more than 1 makes it more typical of its class and less varied. Some papers call this 1 + w."
)
_CLASSES_HELP = "None chosen: every class in turn. Several: those in turn."
_CLIP_HELP = (
    "Predictions of x₀ are held between black and white at every step. Guidance above 1 pushes "
    "them out of that range."
)


def missing() -> bool:
    """Say that no network is here, if so."""
    if picture_sets.ready():
        return False
    st.warning(
        "The trained networks of pictures cannot be read: their files are missing or damaged. "
        "Install the app again, or train them: `python -m diffviz.train images` and `python -m "
        "diffviz.train classifiers`.",
        icon=":material/warning:",
    )
    return True


def choose_set(*, yours: bool = False) -> str:
    """Draw the choice of the pictures' set, among those whose network is here.

    Args:
        yours: whether ``YOURS`` is offered too: what people bring.
    """
    names = picture_sets.ready()
    words = {name: f"![]({_icon(name)}) {PICTURE_SETS[name].title}" for name in names}
    if yours:
        names, words = (*names, YOURS), words | {YOURS: ":material/upload: Yours"}
    chosen = widgets.segments(
        "Pictures", links.choice("pictures", names[0], names), words, quiet=True
    )
    controls.complain("pictures")
    return chosen


@lru_cache(maxsize=8)
def _icon(name: str) -> str:
    """A small picture that the network drew."""
    run = GenerateRun(name, count=1, classes=(7,), sampler=replace(DEFAULT_SAMPLER, steps=8))
    return data_uri(simulate(run)[0].x_t[-1].numpy()[0])


def choose_classes(name: str) -> tuple[int, ...]:
    """Draw the choice of what is asked for; () for every class in turn."""
    classes = PICTURE_SETS[name].classes
    parameter = _classes(name, len(classes))

    def draw(key: str) -> tuple[int, ...]:
        chosen = st.pills(
            "Class (what is asked for)",
            range(len(classes)),
            format_func=classes.__getitem__,
            selection_mode="multi",
            key=key,
            help=_CLASSES_HELP,
        )
        return tuple(sorted(chosen))

    chosen = links.bound(parameter, draw)
    controls.complain("classes")
    return tuple(chosen)


def _classes(name: str, count: int) -> links.Parameter[tuple[int, ...]]:
    """The classes in the address, such as 3,7; those of one set are not those of another."""

    def parse(word: str) -> tuple[int, ...]:
        number = links.whole("classes", 0, 0, count - 1)
        parts = [part for part in word.split(",") if part]
        if len(parts) > count:
            raise links.Refused(f"names more than the {count} classes there are")
        try:
            return tuple(sorted({number.parse(part) for part in parts}))
        except links.Refused as error:  # what is had instead is no class, but every class
            raise links.Refused(f"names a class that {error}") from None

    def show(classes: tuple[int, ...]) -> str:
        return ",".join(str(k) for k in classes)

    return links.Parameter("classes", (), parse, show, of=name)


def choose_guidance() -> float:
    """Draw the guidance scale."""
    scale = widgets.stops(
        "Guidance scale w (pull to the class)",
        links.number("guidance", 1.5, 0, MAX_GUIDANCE, of="pictures"),
        _GUIDANCE,
        form="{:g}",
        width=260,
    )
    controls.complain("guidance")
    return scale


@contextmanager
def row() -> Iterator[None]:
    """Hold the controls of the walk side by side, below the picture that they change."""
    with controls.bar(), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        yield


def choose_walk() -> tuple[ScheduleConfig, SamplerConfig]:
    """Draw the schedule and the sampler: the network answers on any path."""
    schedule = controls.choose_schedule(default=DEFAULT_SCHEDULE.name)
    sampler = controls.choose_sampler(
        schedule,
        default=DEFAULT_SAMPLER.name,
        steps=DEFAULT_SAMPLER.steps,
        spacing=DEFAULT_SAMPLER.spacing,
    )
    return schedule, sampler


def choose_count() -> tuple[int, bool]:
    """Draw how many pictures, and whether predictions are clipped."""
    with st.popover("View", icon=":material/visibility:", help="What is shown"):
        count = widgets.stops(
            "Pictures (how many start from noise)",
            links.whole("count", 16, 1, MAX_COUNT),
            _COUNTS,
        )
        clipped = links.bound(
            links.flag("clip"),
            lambda key: st.toggle("Hold x₀ in the pixels' range", key=key, help=_CLIP_HELP),
        )
    controls.complain("count", "clip")
    return count, clipped


def afford(run: GenerateRun) -> GenerateRun:
    """The run with as many pictures as can be drawn in time; fewer than asked for is said."""
    count = affordable(run)
    controls.say_fewer(run.count, count, "Fewer steps")
    return replace(run, count=count)
