"""Every view is a link: the controls of a page and the address in the browser say the same.

A ``Parameter`` is one named value in the address.  ``bound`` draws the widget for it:

- what the address asks for wins when a page is opened, when a link is followed and when the browser
  goes back; what the reader sets wins at every other time;
- values at their default are left out of the address, everything else is written into it;
- parameters of the same name are shared between pages when the reader moves by the navigation;
- what the address asks for and cannot be had is said in place, beside the control, and stays until
  the reader changes something; everything else in the address still counts.

Streamlit's own ``bind="query-params"`` is not used for three reasons: it writes the words that are
shown ("Cosine, offset 0.008") rather than registry keys, it drops values it cannot use without a
word, and links inside the app are ignored by widgets that are already bound.
"""

from __future__ import annotations

import difflib
import math
import re
import runpy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

__all__ = [
    "FOLLOWED",
    "UNUSED",
    "Parameter",
    "Refused",
    "assign",
    "begin",
    "bound",
    "choice",
    "code",
    "complaints",
    "flag",
    "get_step",
    "keep",
    "number",
    "peek",
    "plain",
    "set_step",
    "spell",
    "sync",
    "text",
    "told",
    "value",
    "whole",
]

T = TypeVar("T")

UNUSED = ""  # the name under which parameters that a page does not have are reported
FOLLOWED = "go"  # marks the address of a link inside the app, which counts whatever came before

_MEMORY = "_links"
_STALE_SECONDS = 3.0  # how long an address that was just replaced may still come from the browser
_QUOTE_LENGTH = 40
_NAMES_SHOWN = 4
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class Refused(ValueError):
    """A value in the address cannot be had.

    Args:
        why: the rest of a sentence that starts with the value: "is above 1000, the largest".
        instead: the value to take; the default when left out.
    """

    def __init__(self, why: str, instead: object = None) -> None:
        super().__init__(why)
        self.instead = instead


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """One named value in the address.

    Attributes:
        key: its name there.
        default: its value when the address does not name it.
        parse: reads a word of the address; raises ``Refused``, or ``ValueError`` with the reason.
        show: writes a value as such a word; ``parse(show(x)) == x``.
        shared: whether it keeps its value when the reader moves to another page.
        of: what it belongs to, where one name means several things that are remembered apart: the
            ``sigma_max`` of one schedule is not that of another.
    """

    key: str
    default: T
    parse: Callable[[str], T]
    show: Callable[[T], str] = str
    shared: bool = True
    of: str = ""

    @property
    def slot(self) -> str:
        """The name under which the session remembers it, and the key of its widget."""
        return f"{self.key}@{self.of}" if self.of else self.key


def choice(key: str, default: str, options: Iterable[str]) -> Parameter[str]:
    """A parameter that is one of some words."""
    words = tuple(options)

    def parse(word: str) -> str:
        if word in words:
            return word
        raise Refused(f"is not one of {', '.join(words)}{_perhaps(word, words)}")

    return Parameter(key, default, parse)


def whole(
    key: str, default: int, low: int, high: int, *, shared: bool = True, of: str = ""
) -> Parameter[int]:
    """A parameter that is a whole number from ``low`` to ``high``, both included."""

    def parse(word: str) -> int:
        if not _WHOLE.fullmatch(word):
            raise Refused("is not a whole number")
        far = len(word) > 18  # beyond every limit here, and slow to read when very long
        amount = (-math.inf if word[0] == "-" else math.inf) if far else int(word)
        return int(_within(amount, low, high))

    return Parameter(key, default, parse, shared=shared, of=of)


def number(key: str, default: float, low: float, high: float, *, of: str = "") -> Parameter[float]:
    """A parameter that is a number from ``low`` to ``high``, both included."""

    def parse(word: str) -> float:
        if not _NUMBER.fullmatch(word) or not math.isfinite(float(word)):
            raise Refused("is not a finite number")
        return _within(float(word), low, high)

    return Parameter(key, default, parse, lambda amount: f"{amount:.10g}", of=of)


def flag(key: str, default: bool = False, *, of: str = "") -> Parameter[bool]:
    """A parameter that is on (1) or off (0)."""
    words = {"1": True, "true": True, "on": True, "yes": True}
    words |= {"0": False, "false": False, "off": False, "no": False}

    def parse(word: str) -> bool:
        if word.lower() not in words:
            raise Refused("is neither 1 (on) nor 0 (off)")
        return words[word.lower()]

    return Parameter(key, default, parse, lambda on: "1" if on else "0", of=of)


def text(key: str, default: str, longest: int) -> Parameter[str]:
    """A parameter that is a line of text of at most ``longest`` characters."""

    def parse(word: str) -> str:
        line = "".join(c if c.isprintable() else " " for c in word).strip()
        if len(line) > longest:
            raise Refused(f"is longer than {longest} characters", line[:longest])
        return line

    return Parameter(key, default, parse)


def _within(amount: float, low: float, high: float) -> float:
    if amount < low:
        raise Refused(f"is below {low:g}, the smallest allowed", low)
    if amount > high:
        raise Refused(f"is above {high:g}, the largest allowed", high)
    return amount


# What a session remembers


@dataclass
class _Memory:
    """The values of one session, and what the address said when this view was opened."""

    page: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, list[str]] = field(default_factory=dict)  # by the address, not yet answered
    settled: set[str] = field(default_factory=set)  # names answered since this view was opened
    drawn: dict[str, Parameter[Any]] = field(default_factory=dict)  # on the page as it is now
    widgets: set[str] = field(default_factory=set)  # slots that are keys of widgets
    problems: dict[str, str] = field(default_factory=dict)
    written: dict[str, list[str]] = field(default_factory=dict)  # the address as we left it
    replaced: list[tuple[float, dict[str, list[str]]]] = field(default_factory=list)
    overdue: bool = False  # the browser's address may differ from what the server knows

    def open(self, page: str, query: dict[str, list[str]], back: bool) -> None:
        """Take in what the address says, if it says something new."""
        moved = page != self.page
        meant = back or FOLLOWED in query
        if not moved and (query == self.written or (not meant and self._stale(query))):
            return
        carried = moved and not query and not back
        own = {name for name, parameter in self.drawn.items() if not parameter.shared}
        kept = {name: v for name, v in self.values.items() if name not in own}
        self.values = kept if carried else {}
        self.page, self.written = page, query
        self.asked = {name: words for name, words in query.items() if name != FOLLOWED}
        self.settled, self.widgets, self.drawn = set(), set(), {}
        self.problems, self.replaced = {}, []
        self.overdue = True

    def _stale(self, query: dict[str, list[str]]) -> bool:
        """Whether the browser had not yet heard of the newest address when it sent this one."""
        since = time.monotonic() - _STALE_SECONDS
        self.replaced = [(when, old) for when, old in self.replaced if when > since]
        return any(old == query for _, old in self.replaced)

    def settle(self, parameter: Parameter[T]) -> T:
        """The value a parameter starts from in this view; a problem is noted, not raised."""
        words = self.asked.pop(parameter.key, None)
        self.settled.add(parameter.slot)
        if words is None:
            return self.admitted(parameter)
        result, why = _read(parameter, words)
        if why is not None:
            self.problems[parameter.key] = why
        return result

    def recall(self, parameter: Parameter[T]) -> T:
        """The value a parameter had when it was last on a page."""
        remembered: T = self.values.get(parameter.slot, parameter.default)
        return remembered

    def remember(self, parameter: Parameter[T], new: T) -> None:
        """Note the value a parameter has on the page now."""
        slot = parameter.slot
        if slot in self.values and self.values[slot] != new:
            self.problems = {}  # the reader has moved on
        self.values[slot] = new
        self.drawn[slot] = parameter

    def admitted(self, parameter: Parameter[T]) -> T:
        """The value it had, or the default where this page does not have that value."""
        try:
            return parameter.parse(parameter.show(self.recall(parameter)))
        except Exception:
            return parameter.default


def _read(parameter: Parameter[T], words: list[str]) -> tuple[T, str | None]:
    """The value that the words of the address stand for, and what is to be said about it."""
    word = words[-1] if words else ""
    quoted = code(f"{parameter.key}={word}")
    why = None
    try:
        result = parameter.parse(word)
    except ValueError as error:
        instead = getattr(error, "instead", None)
        result = parameter.default if instead is None else instead
        shown = parameter.show(result)
        what = f"using {code(shown)}" if shown else "leaving it empty"
        why = f"The link asks for {quoted}, which {error}: {what}."
    if len(words) > 1:
        also = f"The link gives {code(parameter.key)} {len(words)} times: the last one counts."
        why = f"{also} {why}" if why else also
    return result, why


def _memory() -> _Memory:
    """This session's memory, up to date with the address."""
    memory = st.session_state.get(_MEMORY)
    if not isinstance(memory, _Memory):
        memory = st.session_state[_MEMORY] = _Memory()
    context = get_script_run_ctx()
    page = context.page_script_hash if context is not None else ""
    back = bool(getattr(context, "is_history_navigation", False))
    memory.open(page, _query(), back)
    return memory


def _query() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


# What pages use


def begin() -> None:
    """Start a run of a page: what it draws from here on is what its address can say.

    Streamlit runs a file in ``pages/`` by itself when a new server's first visitor opens that
    page's address, because it learns of ``st.navigation`` only by running ``app.py``; then the app
    is run here instead.
    """
    context = get_script_run_ctx()
    if context is not None and PagesManager.uses_pages_directory:
        runpy.run_path(context.main_script_path, run_name="__main__")
        st.stop()
    memory = _memory()
    if any(_changed(memory, slot) for slot in memory.widgets):
        memory.problems = {}  # the reader has moved on
    memory.drawn = {}


def _changed(memory: _Memory, slot: str) -> bool:
    old = memory.values.get(slot)
    return bool(old != st.session_state.get(slot, old))


def bound(parameter: Parameter[T], draw: Callable[[str], T | None]) -> T:
    """Draw a widget that follows the address, and return its value.

    Args:
        parameter: the value in the address.
        draw: draws the widget with the given key, and with no value of its own: that is set here.

    Returns:
        What the widget returned, or the default if that was None.
    """
    memory, slot = _memory(), parameter.slot
    if slot not in memory.settled:
        st.session_state[slot] = memory.settle(parameter)
    elif slot not in st.session_state:  # the widget was not on the page for a while
        st.session_state[slot] = memory.recall(parameter)
    memory.widgets.add(slot)
    drawn = draw(slot)
    result = parameter.default if drawn is None else drawn
    memory.remember(parameter, result)
    return result


def peek(parameter: Parameter[T]) -> T:
    """The value that a parameter's widget is about to show, for what is drawn before it."""
    memory, slot = _memory(), parameter.slot
    if slot in memory.settled:
        last = memory.recall(parameter)
        shown: T = st.session_state.get(slot, last) if slot in memory.widgets else last
        return shown
    words = memory.asked.get(parameter.key)
    if words is None:
        return memory.admitted(parameter)
    return _read(parameter, words)[0]


def value(parameter: Parameter[T]) -> T:
    """The present value of a parameter that has no Streamlit widget; ``keep`` changes it."""
    memory = _memory()
    settled = parameter.slot in memory.settled
    result = memory.recall(parameter) if settled else memory.settle(parameter)
    memory.remember(parameter, result)
    return result


def keep(parameter: Parameter[T], new: T) -> None:
    """Give a parameter without a widget a new value, to be written into the address."""
    memory = _memory()
    memory.settled.add(parameter.slot)
    memory.remember(parameter, new)


def assign(parameter: Parameter[T], new: T) -> None:
    """Give a parameter with a widget a new value.

    Call it in a callback or before the widget is drawn: Streamlit lets nobody change a widget that
    is on the page already.
    """
    keep(parameter, new)
    st.session_state[parameter.slot] = new


def told(*keys: str) -> str:
    """What to say about these parameters: what the address asked for and could not be had."""
    problems = _memory().problems
    return "  \n".join(problems[key] for key in keys if key in problems)


def complaints(*keys: str) -> None:
    """Say, in place, what the address asked of these parameters that could not be had."""
    body = told(*keys)
    if body:
        st.warning(body, icon=":material/link_off:")


def get_step(frames: int, default: int = 0) -> int:
    """The chosen frame of the animation, which is part of the address.

    Args:
        frames: how many frames there are; the step is from 0 to frames - 1.
        default: the step when none is chosen; left out of the address.

    Returns:
        The step. What the address asks for and cannot be had is said here.
    """
    parameter = _step(frames, default)
    chosen = value(parameter)
    complaints(parameter.key)
    return min(max(chosen, 0), max(frames - 1, 0))


def set_step(step: int | None, default: int = 0) -> None:
    """Put the chosen frame into the address; None leaves it as it is."""
    if step is not None:
        keep(_step(max(step, default) + 1, default), step)


def _step(frames: int, default: int) -> Parameter[int]:
    return whole("step", default, 0, max(frames - 1, 0), shared=False)


def sync() -> None:
    """Write the address: every value on the page that is not at its default.

    ``questions`` calls it at the end of a page; a fragment with controls calls it itself.
    """
    memory = _memory()
    wanted = {
        parameter.key: parameter.show(memory.values[slot])
        for slot, parameter in memory.drawn.items()
        if memory.values[slot] != parameter.default
    }
    unused, memory.asked = list(memory.asked), {}
    query = {key: [word] for key, word in wanted.items()}
    if memory.overdue or query != _query():
        memory.replaced.append((time.monotonic(), memory.written))
        memory.written, memory.overdue = query, False
        st.query_params.from_dict(wanted)
    if unused:
        known = [parameter.key for parameter in memory.drawn.values()]
        memory.problems[UNUSED] = _unused(unused, known)
        st.rerun()


def _unused(names: list[str], known: list[str]) -> str:
    shown = ", ".join(code(name) + _perhaps(name, known) for name in names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"The link also sets {shown}{more}, which this page does not use; the rest counts."


def _perhaps(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that was probably meant, if there is one."""
    by_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower()[:_QUOTE_LENGTH], by_case, n=1, cutoff=0.75)
    return f" (perhaps {code(by_case[near[0]])}?)" if near else ""


def code(raw: str) -> str:
    """Text from outside as a short piece of Markdown code that cannot mean anything else."""
    plain = "".join(c if c.isprintable() else " " for c in raw[: 4 * _QUOTE_LENGTH])
    plain = " ".join(plain.replace("`", "'").split())
    if len(plain) > _QUOTE_LENGTH or len(raw) > 4 * _QUOTE_LENGTH:
        plain = plain[:_QUOTE_LENGTH] + "…"
    return f"`{plain}`" if plain else "(nothing)"


def plain(raw: str) -> str:
    """Text from outside as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>$:#~|!])", r"\\\1", raw)


def spell(item: object) -> str:
    """A value as it is written in an address: for the links between pages."""
    if isinstance(item, bool):
        return "1" if item else "0"
    return f"{item:.10g}" if isinstance(item, float) else str(item)
