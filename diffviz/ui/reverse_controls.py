"""What only the Reverse page asks for: for what the denoiser is exact, how many samples, arrows.

And what the player says back: the step, the followed sample and a moved start, all of them part of
the address.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import streamlit as st

from diffviz.ui import links
from diffviz.ui.configs import DataConfig
from diffviz.ui.player import Result
from diffviz.ui.reverse_run import MovedStart, RunConfig, affordable, has_true_density

__all__ = [
    "ARROWS",
    "EXACT_FOR",
    "Place",
    "afford",
    "choose_exact_for",
    "choose_options",
    "find_place",
    "keep_place",
    "moved_start",
    "take_moved",
]

EXACT_FOR = {"points": "Exact for these points", "density": "Exact for the true density"}
"""What the denoiser is exact for: the word in the address and what the page says."""

ARROWS = {"flow": "Flow", "score": "Score"}

_ARROWS_HELP = (
    "Flow: where points of the deterministic run move. Score: where the density rises fastest."
)
_SAMPLES, _MOST_SAMPLES = 2000, 5000
_IMAGES, _MOST_IMAGES = 20, 100
_REACH = 6.0  # standard deviations of the starting noise
_AT = "_reverse_at"


@dataclass(frozen=True)
class Place:
    """Where the player shall be.

    Attributes:
        key: names the player: another one after a link was followed, so that it plays anew.
        step: the frame to ask for, None to leave it to the player.
        follow: the sample to follow, or None.
    """

    key: str
    step: int | None
    follow: int | None


@dataclass(frozen=True)
class _At:
    """Where the player was when the page last ran."""

    step: int
    frames: int
    follow: int | None
    mount: int


def choose_exact_for(data: DataConfig) -> bool:
    """Draw the switch between the points and the true density, where that is known.

    Returns:
        Whether the denoiser is exact for the points.
    """
    if not has_true_density(data):
        return True
    parameter = links.choice("exact_for", "points", EXACT_FOR)
    chosen = links.bound(
        parameter,
        lambda key: st.segmented_control(
            "What the denoiser is exact for",
            list(EXACT_FOR),
            format_func=EXACT_FOR.__getitem__,
            required=True,
            key=key,
            label_visibility="collapsed",
        ),
    )
    links.complaints(parameter.key)
    return chosen == "points"


def choose_options(run: RunConfig) -> RunConfig:
    """Draw the page's own choices, in the row of the others; returns the run with them."""
    data, images = run.data, run.data.kind == "image"
    counted = links.whole(
        "samples",
        _IMAGES if images else _SAMPLES,
        1,
        _MOST_IMAGES if images else _MOST_SAMPLES,
        of="image" if images else "",
    )
    field = links.choice("arrows", "flow", ARROWS)
    with st.popover("View", icon=":material/visibility:", help="What is shown"):
        samples = links.bound(
            counted,
            lambda key: st.number_input(
                "Samples (how many start from noise)",
                min_value=1,
                max_value=_MOST_IMAGES if images else _MOST_SAMPLES,
                step=1 if images else 100,
                key=key,
            ),
        )
        arrows = "flow"
        if data.kind == "2-D":
            arrows = links.bound(
                field,
                lambda key: st.segmented_control(
                    "Arrows",
                    list(ARROWS),
                    format_func=ARROWS.__getitem__,
                    required=True,
                    key=key,
                    help=_ARROWS_HELP,
                ),
            )
    links.complaints("samples", "arrows")
    return replace(run, samples=samples, arrows="score" if arrows == "score" else "flow")


def afford(run: RunConfig) -> RunConfig:
    """The run with as many samples as can be had in time; fewer than asked for is said."""
    samples = affordable(run)
    if samples < run.samples:
        st.info(
            f"{run.samples:,} samples are asked for; {samples:,} are run, so that this run takes "
            "seconds rather than minutes. Fewer steps or fewer data points allow more samples.",
            icon=":material/info:",
        )
    return replace(run, samples=samples)


def moved_start(run: RunConfig) -> links.Parameter[MovedStart | None]:
    """The starting position chosen by hand, in the address as index,x,y."""
    schedule = run.schedule.build()
    reach = _REACH * schedule.prior_std(run.stops.grid()[0].item())

    def parse(word: str) -> MovedStart | None:
        parts = word.split(",")
        if len(parts) != 3:
            raise links.Refused("is not a point and its place, such as 17,0.5,-1.2")
        index = links.whole("moved", 0, 0, run.samples - 1).parse(parts[0])
        x, y = (links.number("moved", 0.0, -reach, reach).parse(part) for part in parts[1:])
        return index, x, y

    def show(moved: MovedStart | None) -> str:
        return "" if moved is None else "{},{:.4g},{:.4g}".format(*moved)

    return links.Parameter("moved", None, parse, show, shared=False)


def take_moved(run: RunConfig, result: Result) -> bool:
    """Note a start that was just moved in the player; returns whether there is one."""
    if result.moved is None:
        return False
    parameter = moved_start(run)
    index, x, y = result.moved.index, result.moved.x, result.moved.y
    if not (math.isfinite(x) and math.isfinite(y)):
        return False
    try:
        links.keep(parameter, parameter.parse(parameter.show((index, x, y))))
    except links.Refused:  # dragged beyond what is allowed
        return False
    return True


def find_place(frames: int, samples: int) -> Place:
    """Where the player shall be, by the address and by where it was.

    A run of another length shows the same share of the way; a followed link plays from the start.
    """
    asked, follow = links.get_step(frames), links.value(_follow(samples))
    links.complaints("follow")
    last = st.session_state.get(_AT, _At(asked, frames, follow, 0))
    if (asked, follow) == (min(last.step, frames - 1), last.follow):
        step = round(last.step * (frames - 1) / max(last.frames - 1, 1))
        mount = last.mount
    else:
        step, mount = asked, last.mount + 1
    st.session_state[_AT] = _At(step, frames, follow, mount)
    links.set_step(step)
    fits = follow is not None and follow < samples
    return Place(f"reverse-{mount}", step or None, follow if fits else None)


def keep_place(result: Result, frames: int, samples: int) -> None:
    """Put what was chosen in the player into the address."""
    last: _At = st.session_state[_AT]
    step = last.step if result.step is None else result.step
    st.session_state[_AT] = _At(step, frames, result.follow, last.mount)
    links.set_step(step)
    links.keep(_follow(samples), result.follow)


def _follow(samples: int) -> links.Parameter[int | None]:
    number = links.whole("follow", 0, 0, samples - 1)

    def show(item: int | None) -> str:
        return "" if item is None else str(item)

    return links.Parameter("follow", None, lambda word: number.parse(word), show, shared=False)
