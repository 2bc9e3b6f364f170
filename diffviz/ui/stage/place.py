"""Where a reader is in a player: kept in the address, over visits to other pages and over reload.

The step (or the time), the followed item, the layers and the coordinate are parameters of the page;
no step means that the player plays.  A run with other frames shows the same share of the way, or
the same time.  A link that was followed starts a player afresh.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import streamlit as st
from torch import Tensor

from diffviz.scenes.buffer.format import read_header
from diffviz.scenes.plays import Play
from diffviz.ui.parts.player import Result, player
from diffviz.ui.shell import links

_LAYERS_WORD = re.compile(r"(-?[a-z][a-z_0-9]{0,20},){0,15}-?[a-z][a-z_0-9]{0,20}")
_MOST_COORDINATES = 64


def placed(
    buffer: bytes,
    *,
    page: str,
    play: Play | None = None,
    times: Tensor | None = None,
    **how: Any,
) -> Result:
    """Draw a player whose place is kept; what the address asks for in vain is said above it.

    Args:
        buffer: the run, packed.
        page: names the player, unique in the app.
        play: what the buffer is of, where a word says it.
        times: (F,) the frames' times, for a page whose address says the time; else it says the
            frame's number.
        how: what else ``player`` takes.

    Returns:
        What was chosen in the player.
    """
    header = read_header(buffer)
    frames = int(header["clock"]["frames"])
    items = max((int(panel.get("count") or 0) for panel in header["panels"]), default=0)
    clock = _Steps(frames) if times is None else _Times(times)
    follow = links.maybe(links.whole("follow", 0, 0, max(items - 1, 0), shared=False))
    parameters: tuple[links.Parameter[Any], ...] = (clock.parameter, follow, _LAYERS, _COORDINATE)
    asked = tuple(links.value(parameter) for parameter in parameters)
    links.complaints(*(parameter.key for parameter in parameters))
    when, item, layers, coordinate = asked

    last: _At = st.session_state.setdefault(f"_at_{page}", _At(asked, frames))
    moved = asked != last.place  # by a link, or by the browser's Back
    mount = last.mount + moved
    frame = None if when is None else clock.frame(when, frames if moved else last.frames)
    result = player(
        buffer,
        key=f"{page}-{mount}",
        play=play,
        step=frame,
        follow=item if item is not None and item < items else None,
        layers=layers,
        coordinate=None if coordinate is None else coordinate - 1,
        link=clock.parameter.key,
        **how,
    )
    place = (
        None if result.step is None else clock.at(result.step, when),
        result.follow,
        result.layers,
        None if result.coordinate is None else result.coordinate + 1,
    )
    links.keep_all(zip(parameters, place, strict=True))
    last.place, last.frames, last.mount = place, frames, mount
    return result


@dataclass
class _At:
    """Where the player was when the page last ran: its place, its frames, its number.

    It is changed in place, right after the values in the address: a run that is given up between
    the two would take its own step for a link's.
    """

    place: tuple[Any, ...]
    frames: int
    mount: int = 0


def _layers(word: str) -> str:
    if word and not _LAYERS_WORD.fullmatch(word):
        raise links.Refused("is not a list of layers such as trails,-data")
    return word


_LAYERS = links.Parameter("layers", "", _layers, shared=False)
"""The layers that are not as usual: those that are on, and with a minus those that are off."""

_COORDINATE = links.maybe(links.whole("coordinate", 1, 1, _MOST_COORDINATES, shared=False))
"""The coordinate whose distribution is shown, counted from 1."""


class _Steps:
    """The address says the frame's number."""

    def __init__(self, frames: int) -> None:
        self.last = max(frames - 1, 0)
        self.parameter = links.maybe(links.whole("step", 0, 0, self.last, shared=False))

    def frame(self, when: float, frames: int) -> int:
        """The frame that shows the same share of the way as ``when`` of so many frames."""
        return min(round(when * self.last / max(frames - 1, 1)), self.last)

    def at(self, frame: int, _: float | None) -> float:
        """What the address says at a frame."""
        return frame


class _Times:
    """The address says the time."""

    def __init__(self, times: Tensor) -> None:
        self.times = times
        self.parameter = links.maybe(links.number("t", 1.0, 0.0, 1.0, shared=False))

    def frame(self, when: float, _: int) -> int:
        """The frame whose time is nearest."""
        return int((self.times - when).abs().argmin())

    def at(self, frame: int, when: float | None) -> float:
        """What the address says at a frame: the time that was asked for, if it is there."""
        same = when is not None and self.frame(when, 0) == frame
        return when if when is not None and same else float(self.times[frame])
