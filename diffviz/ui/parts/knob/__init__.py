"""The knob: a slider over chosen values that is live while it moves.

It has ticks at its stops, its usual value marked and a number that can be typed; a double click
brings the usual value back.  What it shows while it moves it says in the browser, to the player
that follows it; Python hears of the value once the hand lets go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import streamlit as st

from diffviz.ui.shell import links
from diffviz.ui.shell.scripts import component

_HEARD = "_knobs"


@dataclass(frozen=True)
class Heard:
    """A knob that is on the page.

    Attributes:
        key: of its widget.
        count: how many of its reports were heard.
        label: what is chosen.
        stops: its values.
        usual: the one that is marked.
    """

    key: str
    count: int
    label: str
    stops: Sequence[float]
    usual: float


def heard_of(name: str) -> Heard | None:
    """Return what is known of the knob of a name, if it is on the page."""
    found: Heard | None = st.session_state.get(_HEARD, {}).get(name)
    return found


def knob(
    label: str,
    view: links.View[Any],
    values: Sequence[float],
    usual: float,
    *,
    name: str,
    ends: tuple[float, float] | None = None,
    form: str = "{:,}",
    width: int = 220,
    help: str | None = None,
) -> None:
    """Draw a knob as a view of a number.

    Args:
        label: what is chosen.
        view: of the number.
        values: the stops.
        usual: the value that is marked, and that a double click brings back.
        name: the word under which a player knows it.
        ends: the limits of what can be typed; None for no field.
        form: how a stop is written.
        width: in CSS pixels.
        help: what the question mark says.
    """
    kind, key = type(view.shown), view.wiring["key"]
    stops = sorted({kind(value) for value in (*values, usual, view.shown)})
    report = st.session_state.get(key)
    count = _number(report, "count") or 0
    st.session_state.setdefault(_HEARD, {})[name] = Heard(
        key, int(count), label, stops, kind(usual)
    )

    def heard() -> None:
        value = _number(st.session_state.get(key), "value")
        if value is not None:
            view.take(kind(value))

    with st.container(key=f"knob_{key}", width=width):
        component("knob")(
            key=key,
            data={
                "name": name,
                "key": key,
                "label": label,
                "help": help or "",
                "value": view.shown,
                "usual": kind(usual),
                "stops": stops,
                "words": [_written(value, stops, form) for value in stops],
                "ends": None if ends is None else [kind(end) for end in ends],
                "whole": kind is int,
                "heard": count,
            },
            on_value_change=heard,
        )


def _number(report: Any, name: str) -> float | None:
    """A number in what the browser told, None where there is none."""
    told = (report or {}).get("value")
    found = told.get(name) if isinstance(told, Mapping) else None
    return found if isinstance(found, int | float) and isfinite(found) else None


def _written(value: float, stops: Sequence[float], form: str) -> str:
    """A stop in words: at full length where another one is written so: 2.64 beside 2.6."""
    alike = [stop for stop in stops if form.format(stop) == form.format(value)]
    return form.format(value) if len(alike) == 1 else f"{value:.6g}"
