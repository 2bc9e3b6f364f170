"""The animation player: the browser fetches a run once and plays it.

A run is packed into one binary buffer (``scenes.buffer.encode``), and a page mounts the player
(:func:`player`), telling it where the run is (``shell.route``).  Playing, stepping, scrubbing,
layers and following a point happen in the browser; Python hears of a step when the hand lets go of
it.

Example:
    >>> clock = Clock(t, alpha, sigma, curve_t, curve_log_snr, direction="reverse")
    >>> buffer = encode(clock, [Points("Exact denoiser", x_t, (-3, 3), badge="exact")])
    >>> result = player(buffer, key="reverse")
    >>> result.step
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import streamlit as st

from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.scenes.buffer import read_header
from diffviz.scenes.configs import SCHEDULE_TEXT, SamplerConfig, ScheduleConfig
from diffviz.scenes.plays import Path, Play
from diffviz.scenes.text import Titled
from diffviz.ui.parts.knob import heard_of
from diffviz.ui.parts.wishes import ignore
from diffviz.ui.shell.route import address, address_of, addresses, says_all
from diffviz.ui.shell.scripts import component

__all__ = ["Moved", "Result", "player"]


NO_KNOBS: Mapping[str, Path] = {}

SCHEDULE_MENU, SAMPLER_MENU = "Schedule (how fast noise comes in)", "Sampler"
"""The labels of the menus whose names the picture follows while a hand is on them."""


class Wish(TypedDict):
    """What a page asks the player for: the last thing asked, the last real wish and its number.

    And what the page was told last, which it may hand back in a later run, when the reader has
    already gone on.
    """

    asked: Any
    value: Any
    revision: int
    told: Any


@dataclass(frozen=True)
class Moved:
    """The starting position that the user dragged a point to.

    Attributes:
        index: which point.
        x: its first coordinate in the run's own units (the drawing scale is undone).
        y: its second coordinate.
    """

    index: int
    x: float
    y: float


@dataclass(frozen=True)
class Result:
    """What the user chose in the player, or what the page asked for since.

    Attributes:
        step: the frame, within the run, or None.
        follow: the item that is followed, or None.
        layers: those that are not as usual, as in ``player``.
        coordinate: the one whose distribution is shown, or None for the usual one.
        moved: set only in the rerun right after a point was dragged.
    """

    step: int | None
    follow: int | None
    moved: Moved | None = None
    layers: str = ""
    coordinate: int | None = None


def player(
    buffer: bytes,
    *,
    key: str,
    play: Play | None = None,
    knobs: Mapping[str, Path] = NO_KNOBS,
    step: int | None = None,
    follow: int | None = None,
    layers: str = "",
    coordinate: int | None = None,
    autoplay: bool = True,
    loop: bool = False,
    link: str | None = "step",
    gentle: bool = False,
) -> Result:
    """Mount the player and return what was last chosen in it.

    It has the size of the screen: the panels are as large as they can be with Play still in sight.

    ``step``, ``follow``, ``layers`` and ``coordinate`` are wishes: they count on the first mount
    and whenever the page asks for another value than before.  Handing back what the player itself
    reported changes nothing, so ``player(..., step=step_from_the_url)`` is safe while the URL
    follows the player.

    Args:
        buffer: made by ``scenes.buffer.encode``.  With another buffer under the same key the player
            keeps its frame, its layers, and whether it plays.
        key: one name per player on a page.
        play: what the buffer is of, so that readers of the same share it; None for what belongs to
            this reader alone.
        knobs: those that the picture follows while they are turned, beside those of its data,
            schedule and sampler, by their names: where the number is in the play's config.
        step: the frame to show; None leaves it to the player.  A given step starts paused.
        follow: the item to follow; None leaves it to the player.
        layers: those that shall not be as usual, such as "trails,-data": on, or with a minus off.
        coordinate: the one whose distribution is shown; None leaves it to the player.
        autoplay: play once mounted (never under ``prefers-reduced-motion``).
        loop: start again at the end.
        link: offer a link to what is shown, by this parameter of the page's address: "step", the
            frame's number, or "t", its time; None offers none.
        gentle: leave the player where it is when another step is asked for while the reader plays
            or drags: for a run that grows while it is looked at.

    Raises:
        ValueError: when ``buffer`` is not a player buffer.
    """
    header = read_header(buffer)
    asked = {"step": step, "follow": follow, "layers": layers, "coordinate": coordinate}
    wishes = _wishes(key, asked)
    options = {
        "url": address(key, buffer, play),
        "wishes": {
            name: {"value": wish["value"], "revision": wish["revision"]}
            for name, wish in wishes.items()
        },
        "turns": _turns(play, knobs),
        "choices": _choices(play),
        "autoplay": autoplay and wishes["step"]["value"] is None,
        "loop": loop,
        "link": link,
        "gentle": gentle,
    }
    value = component("player")(
        key=key,
        data=options,
        on_step_change=ignore,
        on_follow_change=ignore,
        on_layers_change=ignore,
        on_coordinate_change=ignore,
        on_moved_change=ignore,
    )
    return _result(value, wishes, int(header["clock"]["frames"]))


def _turns(play: Play | None, knobs: Mapping[str, Path]) -> dict[str, object]:
    """What the browser has to know of the knobs that are on the page: what runs they lead to."""
    if play is None or not says_all(play):
        return {}
    knobs = {**play.numbers, **knobs}
    few, heard = play.in_hand, {name: heard_of(name) for name in knobs}
    return {
        name: {
            "key": found.key,
            "heard": found.count,
            "few": None if few is None else addresses(few, knobs[name]),
            "all": addresses(play, knobs[name]),
            "levels": _levels(play, knobs[name], found.stops),
        }
        for name, found in heard.items()
        if found is not None
    }


def _choices(play: Play | None) -> dict[str, object]:
    """What runs the names in menus would bring, with few samples: for a hand that is on one."""
    few = play.in_hand if play is not None and says_all(play) else None
    found = {} if few is None else few.choices
    return {
        label: {
            "here": found[kind].here,
            "names": {text[name].title: name for name in registry},
            "few": addresses(found[kind].bare, found[kind].path),
        }
        for kind, (label, registry, text) in _MENUS.items()
        if kind in found
    }


_MENUS: Mapping[type[Any], tuple[str, Iterable[str], Mapping[str, Titled]]] = {
    ScheduleConfig: (SCHEDULE_MENU, SCHEDULES, SCHEDULE_TEXT),
    SamplerConfig: (SAMPLER_MENU, SAMPLERS, SAMPLERS),
}


def _levels(play: Play, path: Path, stops: Sequence[float]) -> str | None:
    """Where the browser finds what it needs to follow a knob by itself, if it can."""
    levels = play.levels(path, stops)
    return None if levels is None else address_of(levels)


def _result(value: Mapping[str, Any], wishes: Mapping[str, Wish], frames: int) -> Result:
    for name, wish in wishes.items():
        wish["told"] = _answer(value.get(name), wish)
    step, follow, layers, coordinate = (wish["told"] for wish in wishes.values())
    moved = value.get("moved")
    return Result(
        step=min(max(int(step), 0), frames - 1) if step is not None else None,
        follow=int(follow) if follow is not None else None,
        moved=Moved(int(moved["index"]), float(moved["x"]), float(moved["y"])) if moved else None,
        layers=str(layers or ""),
        coordinate=int(coordinate) if coordinate is not None else None,
    )


def _answer(report: Mapping[str, Any] | None, wish: Wish) -> Any:
    """What holds: the player's report if it came after the page's last wish, else the wish."""
    if report is None or report["after"] < wish["revision"]:
        return wish["value"]
    return report["value"]


def _wishes(key: str, asked: dict[str, Any]) -> dict[str, Wish]:
    """Tell a page's new wish from its handing back what the player reported.

    The browser follows a wish when its revision is another one.
    """
    store = f"_{key}_wishes"
    reports = st.session_state.get(key)
    before = st.session_state.get(store) if reports is not None else None
    wishes: dict[str, Wish] = {}
    for name, value in asked.items():
        first: Wish = {"asked": value, "value": value, "revision": 0, "told": value}
        wish: Wish = {**(before[name] if before else first)}
        answer = _answer((reports or {}).get(name), wish)
        if value not in (None, wish["asked"], wish["told"], answer):
            wish["value"], wish["revision"] = value, wish["revision"] + 1
        wish["asked"] = value
        wishes[name] = wish
    st.session_state[store] = wishes
    return wishes
