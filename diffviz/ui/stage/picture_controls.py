"""What the Images pages ask for: the set, the classes, the guidance scale, and how runs walk."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import streamlit as st

from diffviz.core.run import simulate
from diffviz.scenes import picture_sets
from diffviz.scenes.configs import GUIDANCE_STOPS, MAX_GUIDANCE, SamplerConfig, ScheduleConfig
from diffviz.scenes.picture_run import (
    DEFAULT_SAMPLER,
    DEFAULT_SCHEDULE,
    MAX_COUNT,
    GenerateRun,
    affordable,
    affordable_steps,
)
from diffviz.scenes.picture_sets import PICTURE_SETS
from diffviz.scenes.pngs import data_uri
from diffviz.ui.choices import controls, widgets
from diffviz.ui.choices.scheduler_files import Own
from diffviz.ui.shell import links

YOURS = "yours"
"""The word in the address for pictures and pipelines that people bring."""

_NAMED = 2  # classes that the button names

_COUNTS = (1, 4, 9, 16, 25, 36, 49, 64)
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
        "Install the app again, or train them: `python -m diffviz train images` and "
        "`python -m diffviz train classifiers`.",
        icon=":material/warning:",
    )
    return True


def choose_set(*, yours: bool = False) -> str:
    """Draw the choice of the pictures' set, among those whose network is here.

    Args:
        yours: whether ``YOURS`` is offered too: what people bring.
    """
    names = picture_sets.ready()
    words = {name: f"![]({_icon(name)}) {short(name)}" for name in names}
    if yours:
        names, words = (*names, YOURS), words | {YOURS: ":material/upload: Yours"}
    chosen = widgets.segments(
        "Pictures", links.choice("pictures", names[0], names), words, quiet=True
    )
    return chosen


def short(name: str) -> str:
    """What a set shows, without its own name in brackets."""
    return PICTURE_SETS[name].title.split(" (")[0]


@lru_cache(maxsize=8)
def _icon(name: str) -> str:
    """A small picture that the network drew."""
    run = GenerateRun(name, count=1, classes=(7,), sampler=replace(DEFAULT_SAMPLER, steps=8))
    return data_uri(simulate(run.plan(), 1).x_t[-1].numpy()[0])


def choose_classes(name: str) -> tuple[int, ...]:
    """Draw the choice of what is asked for; () for every class in turn."""
    classes = PICTURE_SETS[name].classes
    parameter = _classes(name, len(classes))
    asked = ", ".join(classes[k] for k in links.peek(parameter)[:_NAMED])
    more = "…" if len(links.peek(parameter)) > _NAMED else ""

    view = links.view(parameter, read=lambda raw: tuple(sorted(raw)))
    with st.popover(f"Class: {asked or 'every one'}{more}"):
        st.pills(
            "Class (what is asked for)",
            range(len(classes)),
            format_func=classes.__getitem__,
            selection_mode="multi",
            default=view.value,
            help=_CLASSES_HELP,
            **view.wiring,
        )
    return view.value


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


def choose_guidance(
    default: float = 1.5,
    *,
    of: str = "pictures",
    label: str = "Scale w (pull to the class)",
    help: str = _GUIDANCE_HELP,
) -> float:
    """Draw the guidance scale.

    Args:
        default: what it is at first.
        of: whose scale it is: pages with another word here keep another.
        label: what the scale pulls to.
        help: what the question mark says.
    """
    scale = widgets.stops(
        label,
        links.number("guidance", default, 0, MAX_GUIDANCE, of=of),
        GUIDANCE_STOPS,
        form="{:g}",
        width=280,
        help=help,
    )
    return scale


def choose_walk(own: Own | None = None) -> tuple[ScheduleConfig, SamplerConfig]:
    """Draw the schedule and the sampler: the network answers on any path.

    Args:
        own: the scheduler's file of the network, where that is what a page starts with.
    """
    schedule = controls.choose_schedule(default=DEFAULT_SCHEDULE.name, own=own)
    sampler = controls.choose_sampler(
        schedule,
        default=DEFAULT_SAMPLER.name if schedule.file is None else schedule.file.sampler,
        steps=DEFAULT_SAMPLER.steps,
        spacing=DEFAULT_SAMPLER.spacing,
    )
    return schedule, sampler


def choose_count() -> tuple[int, bool]:
    """Draw how many pictures, and whether predictions are clipped."""
    with controls.more("View"):
        count = widgets.stops(
            "Pictures (how many start from noise)",
            links.whole("count", 16, 1, MAX_COUNT),
            _COUNTS,
        )
        clipped = widgets.toggle(
            "Hold x₀ in the pixels' range", links.flag("clip"), help=_CLIP_HELP
        )
    return count, clipped


def afford(run: GenerateRun) -> GenerateRun:
    """The run with as many pictures and steps as can be had in time; fewer is said."""
    run = replace(run, sampler=controls.shorten(run.sampler, affordable_steps(run)))
    count = affordable(run)
    controls.say_fewer(run.count, count, "Fewer steps")
    return replace(run, count=count)
