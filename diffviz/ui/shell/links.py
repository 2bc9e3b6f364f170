"""Every view is a link: the controls of a page and the address in the browser say the same.

A ``Parameter`` is one named value in the address.  The value lives here, apart from any widget; a
widget is a ``view`` of it, and there may be several, or none:

- a widget shows the value, however late it comes onto the page; only what the reader does in it
  changes the value, and no other;
- what the address asks for wins when a page is opened, when a link is followed and when the browser
  goes back; what the reader sets wins at every other time;
- values at their default are left out of the address, everything else is written into it;
- parameters of the same name are shared between pages when the reader moves by the navigation; the
  others belong to their page and are found there again;
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
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

T = TypeVar("T")

UNUSED = ""  # the name under which parameters that a page does not have are reported
FOLLOWED = "go"  # marks the address of a link inside the app, which counts whatever came before

_MEMORY = "_links"
_REPLACED = 64  # addresses of this view that may still come from the browser, late
_QUOTE_LENGTH = 40
_NAMES_SHOWN = 4
_NOTHING = "(nothing)"
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
        low: the smallest number allowed, where it is a number.
        high: the largest.
    """

    key: str
    default: T
    parse: Callable[[str], T]
    show: Callable[[T], str] = str
    shared: bool = True
    of: str = ""
    low: T | None = None
    high: T | None = None

    @property
    def slot(self) -> str:
        """The name under which the session remembers it, and the key of its first widget."""
        return f"{self.key}@{self.of}" if self.of else self.key


def choice(key: str, default: str, options: Iterable[str]) -> Parameter[str]:
    """A parameter that is one of some words."""
    words = tuple(options)

    def parse(word: str) -> str:
        if word in words:
            return word
        named = ", ".join(word or _NOTHING for word in words)
        raise Refused(f"is not one of {named}{_perhaps(word, words)}")

    return Parameter(key, default, parse)


def whole(
    key: str, default: int, low: int, high: int, *, shared: bool = True, of: str = ""
) -> Parameter[int]:
    """A parameter that is a whole number from ``low`` to ``high``, both included."""

    def parse(word: str) -> int:
        amount = float(word) if _NUMBER.fullmatch(word) else math.nan
        if math.isnan(amount) or (math.isfinite(amount) and not amount.is_integer()):
            raise Refused("is not a whole number")
        return int(_within(amount, low, high))

    return Parameter(key, default, parse, shared=shared, of=of, low=low, high=high)


def number(
    key: str, default: float, low: float, high: float, *, shared: bool = True, of: str = ""
) -> Parameter[float]:
    """A parameter that is a number from ``low`` to ``high``, both included."""

    def parse(word: str) -> float:
        if not _NUMBER.fullmatch(word) or not math.isfinite(float(word)):
            raise Refused("is not a finite number")
        return _within(float(word), low, high)

    return Parameter(key, default, parse, lambda amount: f"{amount:.10g}", shared, of, low, high)


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


def maybe(parameter: Parameter[T]) -> Parameter[T | None]:
    """The same parameter, or nothing, which is its default."""

    def show(amount: T | None) -> str:
        return "" if amount is None else parameter.show(amount)

    return Parameter(parameter.key, None, parameter.parse, show, parameter.shared, parameter.of)


def _within(amount: float, low: float, high: float) -> float:
    if amount < low:
        raise Refused(f"is below {low:g}, the smallest allowed", low)
    if amount > high:
        raise Refused(f"is above {high:g}, the largest allowed", high)
    return amount


# What a session remembers


@dataclass
class _Widget:
    """What a widget shows, as far as the server knows.

    Attributes:
        shown: the value, or the part of it.
        refused: it shows something that means nothing, which is being told.
        turn: the how-manieth of its name it is.
    """

    shown: object
    refused: bool = False
    turn: int = 0


@dataclass(frozen=True)
class _Drawn:
    """A parameter that was on the page.

    Attributes:
        parameter: it.
        part: the fragment that drew it; None for the page itself.
        run: in which run of that.
    """

    parameter: Parameter[Any]
    part: str | None
    run: object


@dataclass
class _Memory:
    """The values of one session, and what the address said when this view was opened."""

    page: str | None = None
    shared: dict[str, Any] = field(default_factory=dict)  # by slot, for all pages
    own: dict[str | None, dict[str, Any]] = field(default_factory=dict)  # by page, then by slot
    asked: dict[str, list[str]] = field(default_factory=dict)  # by the address, not yet answered
    anew: bool = True  # the address said everything: what it leaves out is at its default
    settled: set[str] = field(default_factory=set)  # names answered since this view was opened
    drawn: dict[str, _Drawn] = field(default_factory=dict)  # since the page last ran as a whole
    runs: dict[str | None, object] = field(default_factory=dict)  # the last of each part
    widgets: dict[tuple[str | None, str], _Widget] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)  # names whose problems the page shows in place
    written: dict[str, list[str]] = field(default_factory=dict)  # the address as we left it
    replaced: deque[dict[str, list[str]]] = field(default_factory=lambda: deque(maxlen=_REPLACED))
    overdue: bool = False  # the browser's address may differ from what the server knows

    def open(self, page: str, query: dict[str, list[str]], back: bool) -> None:
        """Take in what the address says, if it says something new."""
        moved = page != self.page
        meant = back or FOLLOWED in query
        if not moved and (query == self.written or (not meant and self._stale(query))):
            return
        self.page, self.written = page, query
        self.anew = back or not moved or bool(query)
        if self.anew:
            self.own.pop(page, None)
        self.asked = {name: words for name, words in query.items() if name != FOLLOWED}
        self.settled, self.drawn, self.runs = set(), {}, {}
        self.problems = {}
        self.replaced.clear()
        self.overdue = True

    def _stale(self, query: dict[str, list[str]]) -> bool:
        """Whether the browser had not yet heard of the newest address when it sent this one.

        However late it comes: an address that is meant, by a link or by Back, says so.
        """
        return query in self.replaced

    def settle(self, parameter: Parameter[T]) -> T:
        """The value a parameter starts from in this view; a problem is noted, not raised."""
        words = self.asked.pop(parameter.key, None)
        self.settled.add(parameter.slot)
        if words is None:
            return parameter.default if self.anew else self.admitted(parameter)
        result, why = _read(parameter, words)
        if why is not None:
            self.problems[parameter.key] = why
        return result

    def peek(self, parameter: Parameter[T]) -> T:
        """The value that a parameter has or is about to have, without answering the address."""
        words = self.asked.get(parameter.key)
        if parameter.slot in self.settled or (words is None and not self.anew):
            return self.admitted(parameter)
        return parameter.default if words is None else _read(parameter, words)[0]

    def values(self, parameter: Parameter[Any]) -> dict[str, Any]:
        """Where a parameter's value is kept."""
        return self.shared if parameter.shared else self.own.setdefault(self.page, {})

    def recall(self, parameter: Parameter[T]) -> T:
        """The value a parameter had when it was last on a page."""
        remembered: T = self.values(parameter).get(parameter.slot, parameter.default)
        return remembered

    def remember(self, parameter: Parameter[T], new: T) -> None:
        """Note the value a parameter has on the page now."""
        self.values(parameter)[parameter.slot] = new
        part, run, alone = _here()
        if part is None and alone:  # a callback, before a fragment runs alone
            self.drawn.setdefault(parameter.slot, _Drawn(parameter, part, self.runs.get(part)))
            return
        self.runs[part] = run
        self.drawn[parameter.slot] = _Drawn(parameter, part, run)

    def present(self) -> list[Parameter[Any]]:
        """The parameters on the page as it is now: what each part of it drew when it last ran."""
        found = self.drawn.values()
        return [each.parameter for each in found if each.run is self.runs.get(each.part)]

    def admitted(self, parameter: Parameter[T]) -> T:
        """The value it had, or the default where this page does not have that value."""
        try:
            return parameter.parse(parameter.show(self.recall(parameter)))
        except Exception:
            return parameter.default


def _here() -> tuple[str | None, object, bool]:
    """The fragment that is being drawn, None for the page; its run; whether fragments run alone."""
    context = get_script_run_ctx()
    if context is None:
        return None, None, False
    return ThreadState.get().fragment_id, context.cursors, bool(context.fragment_ids_this_run)


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
        what = f"using {code(shown)}" if shown else "it is left out"
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
    memory.drawn, memory.runs, memory.said = {}, {}, set()


@dataclass(frozen=True)
class View(Generic[T]):
    """What a widget needs to be a view of a parameter's value.

    Attributes:
        value: the parameter's.
        shown: what the widget shall show, its ``value=``, ``default=`` or ``index=``: the value, or
            a part of it.
        wiring: its ``key``, and the callback that takes over what the reader does.
        take: takes over a value; for widgets that are none of Streamlit's.
    """

    value: T
    shown: Any
    wiring: dict[str, Any]
    take: Callable[[Any], None]


def view(
    parameter: Parameter[T],
    name: str = "",
    read: Callable[[Any], T] | None = None,
    part: Callable[[T], object] | None = None,
) -> View[T]:
    """Let a widget show a parameter's value and change it; draw it with what is returned.

    The widget's own value is never asked for: it may be that of a widget that was not yet on the
    page when the value was set.  A widget that shows something else than the value is replaced.

    Args:
        parameter: the value in the address.
        name: tells several widgets of one parameter apart.
        read: what a value of the widget means, None (nothing chosen) among them; raises
            ``ValueError``, told where the parameter's complaints are, when it means nothing.
            Left out, the widget's value is the parameter's, and None its default.
        part: what of the value the widget shows; all of it where left out.

    Example:
        >>> steps = links.view(links.whole("steps", 50, 1, 1000))
        >>> st.number_input("Steps", 1, 1000, value=steps.shown, **steps.wiring)
    """
    memory, slot = _memory(), parameter.slot
    _see(parameter.key)
    settled = slot in memory.settled
    result = memory.admitted(parameter) if settled else memory.settle(parameter)
    memory.remember(parameter, result)
    shown = result if part is None else part(result)
    base = f"{slot}:{name}" if name else slot
    widget = memory.widgets.setdefault((memory.page, base), _Widget(shown))
    if widget.shown != shown or (widget.refused and parameter.key not in memory.problems):
        widget.shown, widget.refused, widget.turn = shown, False, widget.turn + 1
    key = f"{base}#{widget.turn}" if widget.turn else base
    take = partial(_take, parameter, widget, widget.turn, read, part)
    return View(result, shown, {"key": key, "on_change": _hear, "args": (key, take)}, take)


def _hear(key: str, take: Callable[[Any], None]) -> None:
    """Take over what the reader chose in one of Streamlit's widgets; one that is gone has none."""
    if key in st.session_state:
        take(st.session_state[key])


def _take(
    parameter: Parameter[T],
    widget: _Widget,
    turn: int,
    read: Callable[[Any], T] | None,
    part: Callable[[T], object] | None,
    raw: Any,
) -> None:
    """Take over a value that a widget has now.

    The browser also tells of widgets that are gone when it has not yet heard that they are, and of
    what they show as if it were chosen: that changes nothing.
    """
    if turn != widget.turn:
        return
    memory: _Memory = st.session_state[_MEMORY]

    def shows(value: T) -> object:
        return None if raw is None else value if part is None else part(value)

    try:
        new: T = read(raw) if read is not None else parameter.default if raw is None else raw
    except ValueError as error:
        memory.problems = {parameter.key: f"{code(str(raw))} {plain(str(error))}."}
        widget.refused = True
        return
    if shows(new) == widget.shown and not widget.refused:
        return
    memory.problems, widget.refused = {}, False  # the reader has moved on
    values = memory.values(parameter)
    values[parameter.slot] = new
    values[parameter.slot] = new = memory.admitted(parameter)
    widget.shown = shows(new)


def peek(parameter: Parameter[T]) -> T:
    """The value that a parameter is about to have, for what is drawn before it."""
    return _memory().peek(parameter)


def value(parameter: Parameter[T]) -> T:
    """The present value of a parameter without a widget; ``keep`` changes it."""
    memory = _memory()
    _see(parameter.key)
    settled = parameter.slot in memory.settled
    result = memory.recall(parameter) if settled else memory.settle(parameter)
    memory.remember(parameter, result)
    return result


def keep(parameter: Parameter[T], new: T) -> None:
    """Give a parameter a new value, to be written into the address.

    Its widgets show it when they are drawn next.
    """
    keep_all([(parameter, new)])


def keep_all(pairs: Iterable[tuple[Parameter[Any], Any]]) -> None:
    """Give several parameters new values at once: no other run can come in between."""
    memory = _memory()
    for parameter, new in pairs:
        if parameter.slot in memory.settled and memory.recall(parameter) != new:
            memory.problems = {}  # the reader has moved on
        memory.settled.add(parameter.slot)
        memory.remember(parameter, new)


def reset(parameter: Parameter[Any]) -> None:
    """Give a parameter its default again, whatever its widgets show."""
    keep(parameter, parameter.default)
    _memory().problems.pop(parameter.key, None)


def note(parameter: Parameter[Any], words: str) -> None:
    """Have something said where a parameter's complaints are, until the reader changes something.

    Args:
        parameter: what it is about.
        words: Markdown.
    """
    _see(parameter.key)
    _memory().problems[parameter.key] = words


def told(*keys: str) -> str:
    """What to say about these parameters: what the address asked for and could not be had."""
    memory = _memory()
    known = [key for key in keys if key in memory.problems]
    memory.said.update(known)
    return "  \n".join(memory.problems[key] for key in known)


_SEEN: ContextVar[list[str] | None] = ContextVar("seen", default=None)


def _see(key: str) -> None:
    keys = _SEEN.get()
    if keys is not None and key not in keys:
        keys.append(key)


@contextmanager
def seen() -> Iterator[list[str]]:
    """Collect the keys of the parameters that are asked for meanwhile, for ``told``."""
    keys: list[str] = []
    token = _SEEN.set(keys)
    try:
        yield keys
    finally:
        _SEEN.reset(token)


def complaints(*keys: str) -> None:
    """Say, in place, what the address asked of these parameters that could not be had."""
    body = told(*keys)
    if body:
        st.warning(body, icon=":material/link_off:")


def sync() -> None:
    """Write the address: every value on the page that is not at its default.

    What no control has said of its problems is said below the title, with the names that the page
    does not use. ``questions`` calls it at the end of a page; a fragment with controls calls it
    itself.
    """
    memory = _memory()
    present = memory.present()
    wanted = {
        parameter.key: parameter.show(memory.recall(parameter))
        for parameter in present
        if memory.recall(parameter) != parameter.default
    }
    unused, memory.asked = list(memory.asked), {}
    query = {key: [word] for key, word in wanted.items()}
    if memory.overdue or query != _query() or query != memory.written:  # one may be on its way
        memory.replaced.append(memory.written)
        memory.written, memory.overdue = query, False
        st.query_params.from_dict(wanted)
    known = list(dict.fromkeys(parameter.key for parameter in present))
    unsaid = [key for key in known if key in memory.problems and key not in memory.said]
    notes = [memory.problems.pop(key) for key in unsaid]
    if unused:
        notes.append(_unused(unused, known))
    if notes:
        memory.problems[UNUSED] = "  \n".join(notes)
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
    return f"`{plain}`" if plain else _NOTHING


def plain(raw: str) -> str:
    """Text from outside as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>$:#~|!])", r"\\\1", raw)


def spell(item: object) -> str:
    """A value as it is written in an address: for the links between pages."""
    if isinstance(item, bool):
        return "1" if item else "0"
    return f"{item:.10g}" if isinstance(item, float) else str(item)
