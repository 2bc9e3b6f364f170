"""Small widgets that follow the address: one of a few, one of many, a number, a switch, a line.

Each draws Streamlit widgets as views of a parameter of the address (see ``links.py``) and returns
its value.  What the address asks for and cannot be had is said by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from diffviz.scenes.text import Titled
from diffviz.ui.parts.knob import knob
from diffviz.ui.shell import links

T = TypeVar("T")
N = TypeVar("N", bound=float)

_MENU_WIDTH, _STOPS_WIDTH = 235, 220


def titles(text: Mapping[str, Titled]) -> dict[str, str]:
    """The titles alone, by name."""
    return {name: words.title for name, words in text.items()}


def segments(
    label: str,
    parameter: links.Parameter[T],
    words: Mapping[T, str],
    *,
    quiet: bool = False,
    help: str | None = None,
) -> T:
    """Draw one of a few, side by side.

    Args:
        label: what is chosen.
        parameter: the value in the address.
        words: what is offered, by value; a remembered value that is not among them gives way to
            the default.
        quiet: leave the label to those who cannot see.
        help: what the question mark says.
    """
    view = _among(parameter, words)
    st.segmented_control(
        label,
        list(words),
        format_func=words.__getitem__,
        required=True,
        default=view.value,
        help=help,
        label_visibility="collapsed" if quiet else "visible",
        **view.wiring,
    )
    return view.value


def chips(
    label: str,
    parameter: links.Parameter[T],
    options: Sequence[T],
    words: Callable[[T], str],
    *,
    name: str = "",
    quiet: bool = False,
    help: str | None = None,
    wrap: bool = True,
) -> T:
    """Draw one of several, side by side as chips.

    Args:
        label: what is chosen.
        parameter: the value in the address.
        options: what is offered; the value need not be among them.
        words: what a chip says.
        name: tells several groups of chips for one parameter apart.
        quiet: leave the label to those who cannot see.
        help: what the question mark says.
        wrap: whether chips go on in another line where there is no room.
    """
    now = links.peek(parameter)

    def inside(value: T) -> T | None:
        return value if value in options else None

    view = links.view(parameter, name, lambda raw: now if raw is None else raw, inside)
    st.pills(
        label,
        options,
        format_func=words,
        required=view.value in options,
        default=inside(view.value),
        help=help,
        label_visibility="collapsed" if quiet else "visible",
        wrap=wrap,
        **view.wiring,
    )
    return view.value


def menu(
    label: str,
    parameter: links.Parameter[T],
    words: Mapping[T, str],
    *,
    width: int | None = _MENU_WIDTH,
    name: str = "",
) -> T:
    """Draw one of many, folded away.

    Args:
        label: what is chosen.
        parameter: the value in the address.
        words: what is offered, by value; a remembered value that is not among them gives way to
            the default.
        width: in CSS pixels; None for all there is.
        name: tells several menus for one parameter apart.
    """
    view = _among(parameter, words, name)
    options = list(words)
    st.selectbox(
        label,
        options,
        index=options.index(view.shown),
        format_func=words.__getitem__,
        width=width or "stretch",
        **view.wiring,
    )
    return view.value


def _among(parameter: links.Parameter[T], words: Mapping[T, str], name: str = "") -> links.View[T]:
    """A view of a value among those that are offered."""
    view = links.view(parameter, name)
    if view.value in words:
        return view
    links.keep(parameter, parameter.default)
    return links.view(parameter, name)


def number(
    label: str,
    parameter: links.Parameter[N],
    *,
    step: N,
    form: str | None = None,
    width: int | None = None,
    help: str | None = None,
) -> N:
    """Draw a number that is typed.

    Args:
        label: what it is.
        parameter: the value in the address, with its limits.
        step: of one press of the field's buttons.
        form: how it is written, such as "%.3f".
        width: in CSS pixels; None for all there is.
        help: what the question mark says.
    """
    view = links.view(parameter)
    kind = type(view.shown)  # Streamlit asks for numbers of one kind
    low, high = (None if end is None else kind(end) for end in (parameter.low, parameter.high))
    st.number_input(
        label,
        low,
        high,
        view.shown,
        kind(step),
        form,
        width=width or "stretch",
        help=help,
        **view.wiring,
    )
    return view.value


def stops(
    label: str,
    parameter: links.Parameter[N],
    values: Sequence[N],
    *,
    form: str = "{:,}",
    width: int = _STOPS_WIDTH,
    typed: bool = True,
    help: str | None = None,
) -> N:
    """Draw a knob: a slider over chosen values, and beside it a field for any other.

    Args:
        label: what is chosen.
        parameter: the value in the address, with its limits; one that is no stop joins them.
        values: the stops.
        form: how a value is written.
        width: in CSS pixels.
        typed: whether other values can be had too, by typing them.
        help: what the question mark says.
    """
    assert parameter.low is not None
    assert parameter.high is not None
    view = links.view(parameter)
    knob(
        label,
        view,
        values,
        parameter.default,
        name=parameter.key,
        ends=(parameter.low, parameter.high) if typed else None,
        form=form,
        width=width,
        help=help,
    )
    return view.value


def toggle(label: str, parameter: links.Parameter[bool], *, help: str | None = None) -> bool:
    """Draw a switch.

    Args:
        label: what is switched on.
        parameter: the value in the address.
        help: what the question mark says.
    """
    view = links.view(parameter)
    st.toggle(label, view.value, help=help, **view.wiring)
    return view.value


def line(label: str, parameter: links.Parameter[T], **how: Any) -> T:
    """Draw a line of text, written as in the address; while it cannot be read, the value stays.

    Args:
        label: what is written.
        parameter: the value in the address.
        how: what else ``st.text_input`` takes.
    """
    view = links.view(parameter, read=parameter.parse)
    st.text_input(label, parameter.show(view.value), **how, **view.wiring)
    return view.value
