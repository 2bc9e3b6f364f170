"""Where a reader is in a forward run: the time and the followed sample, as the address says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from diffviz.ui import links
from diffviz.ui.forward_run import ForwardConfig, frame_at, frame_times, items
from diffviz.ui.player import Result

__all__ = ["Place", "find_place", "keep_place"]

_TIME = replace(links.number("t", 1.0, 0.0, 1.0), shared=False)
_MEMORY = "_forward_place"


@dataclass(frozen=True)
class Place:
    """Where the player shall be.

    Attributes:
        key: the player's key.
        frame: the frame at the time of the address.
        step: what the player is asked for: that frame, or None to let it play.
        follow: the sample to follow, or None.
    """

    key: str
    frame: int
    step: int | None
    follow: int | None


@dataclass
class _Known:
    """What was last shown; changed in place, so that a rerun cannot come in between.

    Attributes:
        times: the times that the address may say without a link having been followed.
        mount: number of players so far.
        moved: whether the present one has told of a frame.
    """

    times: tuple[float, ...] = ()
    mount: int = 0
    moved: bool = False


def find_place(config: ForwardConfig) -> Place:
    """Where the player shall be; what the address asks for and cannot be had is said here.

    A run with other frames shows the same time.  A link to another time starts a player afresh.
    """
    t, follow = links.value(_TIME), links.value(_follow(config))
    links.complaints("t", "follow")
    known = _known()
    if known.times and t not in known.times:
        known.mount, known.moved = known.mount + 1, False
    known.times = (t,)
    frame = frame_at(config, t)
    return Place(
        f"forward-{known.mount}",
        frame,
        frame if known.moved or t < 1 else None,
        follow if 0 <= follow < items(config.data) else None,
    )


def keep_place(config: ForwardConfig, place: Place, result: Result) -> int:
    """Put what was chosen in the player into the address; return the frame."""
    frame = place.frame if result.step is None else result.step
    if frame != place.frame:
        known, t = _known(), frame_times(config.data, config.schedule)[frame].item()
        known.times = (*known.times, t)
        links.keep(_TIME, t)
    _known().moved = result.step is not None
    links.keep(_follow(config), -1 if result.follow is None else result.follow)
    return frame


def _known() -> _Known:
    known = st.session_state.get(_MEMORY)
    if not isinstance(known, _Known):
        known = st.session_state[_MEMORY] = _Known()
    return known


def _follow(config: ForwardConfig) -> links.Parameter[int]:
    return links.whole("follow", -1, -1, items(config.data) - 1, shared=False)
