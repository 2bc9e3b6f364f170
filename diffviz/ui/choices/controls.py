"""The controls that pages share; each draws its widgets and returns a frozen, hashable config.

Every value follows the address (see ``links.py``), so a copied address sets all of them again. What
cannot be had is said under the control and the last good choice stays in force, so a page can use
what it gets without checking.

The configs and the words of the menus are in ``scenes.configs``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.core.grids import FILE
from diffviz.core.knobs import knobs_of
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES, DiscreteVP
from diffviz.data.pictures import IMAGE_INFO
from diffviz.data.points import DEFAULT_TEXT, INFO, MAX_TEXT
from diffviz.exchange.drawings import decode_points, encode_points
from diffviz.exchange.uploads import decode_image
from diffviz.scenes.configs import (
    DEFAULT_CURVE,
    FILE_TEXT,
    KINDS,
    LOADED,
    MAX_POINTS,
    MAX_SEED,
    MAX_STEPS,
    MAX_T,
    OWN,
    SCHEDULE_KNOBS,
    SCHEDULE_TEXT,
    SPACING_TEXT,
    VARIABLE_TEXT,
    CurvePoints,
    DataConfig,
    Kind,
    Knob,
    Picture,
    SamplerConfig,
    ScheduleConfig,
    kind_of,
    parse_curve,
    show_curve,
    steps_on,
    takes_variable,
    text_of,
)
from diffviz.ui.choices import scheduler_files, uploader, widgets
from diffviz.ui.choices.tables import choose_table
from diffviz.ui.choices.thumbnails import thumbnail
from diffviz.ui.parts.pad import draw_points
from diffviz.ui.parts.player import SAMPLER_MENU, SCHEDULE_MENU
from diffviz.ui.shell import links

_EVEN = "trailing"  # a spacing that any schedule has
_T_STOPS = (2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
_STEP_STOPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500)
_POINT_STOPS = (100, 250, 500, 1000, 2000, 5000, 10_000, 20_000)


def _curve_word(word: str) -> CurvePoints:
    try:
        return parse_curve(word)
    except ValueError as error:
        raise links.Refused(f"cannot be used ({error})") from None


CURVE: links.Parameter[CurvePoints] = links.Parameter(
    "curve", DEFAULT_CURVE, _curve_word, show_curve
)
"""The control points of the custom schedule in the address."""


# Layout -----------------------------------------------------------------------------------------

Note = tuple[str, str]  # Markdown and the name of an icon


@dataclass
class _Bar:
    """A row of controls: where its menu goes, the menu once something is in it, and its notes."""

    corner: DeltaGenerator
    menu: DeltaGenerator | None = None
    notes: list[Note] = field(default_factory=list)


_BAR: ContextVar[_Bar | None] = ContextVar("bar", default=None)


@contextmanager
def bar(key: str = "controls") -> Iterator[None]:
    """Hold a row of controls, with one menu at its end; what they have to say follows below.

    So does what the address asks of them and cannot be had: no control need say it itself.

    Use as ``with bar():``. Without it each control has a menu of its own and says what it has to
    say right below itself. Bars that a page draws one after the other share a row.

    Args:
        key: a name that is unique on the page.
    """
    with line(f"bar_{key}"):
        knobs, corner = line(key), st.container(width="content")
    held = _Bar(corner)
    token = _BAR.set(held)
    try:
        with knobs, links.seen() as keys:
            yield
        links.complaints(*keys)
        for note in held.notes:
            _draw_note(*note)
    finally:
        _BAR.reset(token)


def line(key: str | None = None) -> DeltaGenerator:
    """A container for controls side by side, as wide as they are; it wraps for want of room.

    Args:
        key: a name that is unique on the page.
    """
    return st.container(
        horizontal=True, vertical_alignment="bottom", gap="small", width="content", key=key
    )


def more(title: str) -> DeltaGenerator:
    """A part of the bar's menu, for what is folded away; without a bar, a menu of its own.

    Args:
        title: what it is about, its heading.
    """
    held = _BAR.get()
    if held is None:
        return st.popover("More", icon=":material/tune:", help=title)
    if held.menu is None:
        held.menu = held.corner.popover("More", icon=":material/tune:", help="All other controls")
    part = held.menu.container(gap="small")
    part.markdown(f"**{title}**")
    return part


def _say(body: str, icon: str) -> None:
    held = _BAR.get()
    if held is None:
        _draw_note(body, icon)
    else:
        held.notes.append((body, icon))


def _draw_note(body: str, icon: str) -> None:
    box = st.info if icon == "info" else st.warning
    box(body, icon=f":material/{icon}:")


def say_fewer(asked: int, can: int, fewer: str) -> None:
    """Say that fewer samples are run than are asked for, if that is so.

    Args:
        asked: samples that are asked for.
        can: samples that are run.
        fewer: what would make each of them cheaper.
    """
    if can < asked:
        st.info(
            f"{asked:,} samples are asked for; {can:,} are run, so that this takes seconds rather "
            f"than minutes. {fewer} would allow more.",
            icon=":material/info:",
        )


def shorten(sampler: SamplerConfig, most: int) -> SamplerConfig:
    """The sampler with at most so many steps; that they are fewer than asked for is said."""
    taken = sampler.at_most(most)
    if taken != sampler:
        st.info(
            f"{sampler.steps:,} steps are asked for; {taken.steps:,} are taken, so that even one "
            "sample takes seconds rather than minutes.",
            icon=":material/info:",
        )
    return taken


# Data -------------------------------------------------------------------------------------------

_OWN = "own_data"  # the menu of data that the reader makes: the other chips give way to it
_FAVOURITES = ("two_gaussians", "moons", "spiral", "smiley", "digits", "fashion")


def choose_data(
    kinds: Sequence[Kind] = KINDS,
    *,
    default: str = "moons",
    n: int = 2000,
    images: int | None = None,
    only: Sequence[str] | None = None,
    counted: bool = True,
    labelled: bool = False,
) -> DataConfig:
    """Draw the choice of data: chips of a few sets, and a popover with all of them.

    Args:
        kinds: the kinds of data that the page can show.
        default: the set a page starts with.
        n: how many points it starts with.
        images: how many images it starts with; all of a set when left out.
        only: the sets that the page can show, where it cannot show all of those kinds; the first
            six are the chips.
        counted: whether the reader chooses how many points; else there are ``n``, and a table,
            which has only its rows, is not offered.
        labelled: whether only data with classes will do.

    Returns:
        The choice; when what is asked for cannot be made, the last one that could.
    """
    names = [name for name in only or (*INFO, *OWN, *IMAGE_INFO) if kind_of(name) in kinds]
    names = [name for name in names if counted or name != "table"]
    parameter = links.choice("data", default, names)
    with line():
        name = _chips(parameter, names, _FAVOURITES if only is None else names[:6])
        menu = st.popover("More data", icon=":material/apps:", key="more_data")
        with menu:
            _gallery(parameter, names)
        own = _own(name)
        with menu:
            count = _count(own, n, images) if counted else n
            seed = choose_seed("data_seed", "Seed of the sample")
    asked = replace(own, n=count, seed=seed)
    good: DataConfig | None = st.session_state.get("_good_data")
    if good is None or good.name not in names or _unfit(good, kinds, labelled):
        good = DataConfig(
            default, min(n, IMAGE_INFO[default].count) if default in IMAGE_INFO else n
        )
    problem = _problem(asked) or _unfit(asked, kinds, labelled)
    kept = asked if problem is None else good
    if problem is not None:
        _say(f"{links.plain(problem)} Until then this stays: {kept.title}.", "edit")
    st.session_state["_good_data"] = kept
    return kept


def _unfit(data: DataConfig, kinds: Sequence[Kind], labelled: bool) -> str | None:
    """Why a page cannot show data that can be made, in words; only tables come in several kinds."""
    if data.kind not in kinds:
        return (
            "This page shows points in the plane, and one column of this table is chosen: choose a "
            "second one with the button beside the data."
        )
    if labelled and data.classes == 1:
        return (
            "This page asks for classes, and no column of this table is chosen for them: choose "
            "one with the button beside the data, or bring a table with a column of classes."
        )
    return None


def _chip(name: str) -> str:
    picture = f":material/{OWN[name][2]}:" if name in OWN else f"![]({thumbnail(name)})"
    return f"{picture} {text_of(name).title}"


def _chips(parameter: links.Parameter[str], names: Sequence[str], favourites: Sequence[str]) -> str:
    chosen = links.peek(parameter)
    shown = [name for name in favourites if name in names]
    shown += [chosen] if chosen not in shown else []
    return widgets.chips("Data", parameter, shown, _chip, quiet=True)


def _gallery(parameter: links.Parameter[str], names: Sequence[str]) -> None:
    labels = {"1-D": "Numbers (1-D)", "2-D": "Points in the plane (2-D)", "image": "Images"}
    for kind in KINDS:
        of_kind = [name for name in names if kind_of(name) == kind]
        if of_kind:
            widgets.chips(labels[kind], parameter, of_kind, _chip, name=kind)


def _own(name: str) -> DataConfig:
    """The data with what the reader made of them; only what belongs to the name is drawn."""
    own = DataConfig(name)
    if name == "text":
        return replace(own, text=_type())
    if name == "drawing":
        with st.popover("Draw", icon=":material/draw:", key=_OWN):
            return replace(own, drawing=_draw())
    if name in ("cloud", "picture"):
        with st.popover("Choose a picture", icon=":material/upload:", key=_OWN):
            return replace(own, picture=uploader.taken(uploader.PICTURE, "_upload", _picture))
    if name == "table":
        with st.popover("Choose a table", icon=":material/upload:", key=_OWN):
            return replace(own, table=choose_table())
    return own


def _type() -> str:
    return widgets.line(
        f"Text (at most {MAX_TEXT} characters)",
        links.text("text", DEFAULT_TEXT, MAX_TEXT),
        max_chars=MAX_TEXT,
        width=200,
        label_visibility="collapsed",
        placeholder="Type a word",
        icon=":material/title:",
    )


def _strokes_word(word: str) -> str:
    try:
        decode_points(word)
    except ValueError:
        raise links.Refused("is not a drawing") from None
    return word


_STROKES: links.Parameter[str] = links.Parameter("strokes", "", _strokes_word, str)


def _draw() -> str:
    before = links.value(_STROKES)
    points = draw_points(key="_canvas", points=decode_points(before) if before else None)
    if points is not None:
        links.keep(_STROKES, encode_points(points) if points else "")
    return links.value(_STROKES)


def _picture(data: bytes) -> Picture:
    pixels = decode_image(data)
    return Picture(pixels.shape, pixels.tobytes())


def _count(own: DataConfig, n: int, images: int | None) -> int:
    name, table = own.name, own.table
    if name == "picture":
        return 1
    if name in IMAGE_INFO:
        most = IMAGE_INFO[name].count
        parameter = links.whole("n", min(images or most, most), 1, most, of=name)
        return widgets.stops("How many images", parameter, (1, 10, 50, 100, 250, 500, 1000, most))
    most = MAX_POINTS if table is None else min(table.count, MAX_POINTS)
    of = "" if table is None else f"{most} rows"
    parameter = links.whole("n", min(n, most), 1, most, of=of)
    stops = [stop for stop in _POINT_STOPS if stop < most]
    return widgets.stops("How many points", parameter, (*stops, most))


@lru_cache(maxsize=256)
def _problem(asked: DataConfig) -> str | None:
    """Why a choice cannot be made, in words; only what readers make can fail."""
    if asked.name != "text" and asked.name not in OWN:
        return None
    try:
        asked.load()
    except ValueError as error:
        return str(error)
    return None


# Schedules --------------------------------------------------------------------------------------


def choose_schedule(
    names: Sequence[str] | None = None,
    *,
    default: str = "linear",
    T: int = 1000,
    folded: bool = False,
    own: scheduler_files.Own | None = None,
) -> ScheduleConfig:
    """Draw the choice of a schedule, its parameters folded away.

    Args:
        names: the schedules offered beside that of a file; all when left out.
        default: the schedule a page starts with.
        T: the number of noisings it starts with.
        folded: whether the choice is folded away too.
        own: the scheduler's file of what is shown; that which the reader loaded when left out.

    Returns:
        The choice; when its parameters make no schedule, the last one that did.
    """
    file = own or scheduler_files.at_hand()
    parameter = scheduler_files.offered(default, names or SCHEDULES, own)
    words = widgets.titles({name: SCHEDULE_TEXT[name] for name in names or SCHEDULES})
    if file is not None:
        words[LOADED] = ScheduleConfig(LOADED, source=file.source).title
    menu = more("Schedule")
    with menu if folded else nullcontext():
        name = widgets.menu(SCHEDULE_MENU, parameter, words)
    with menu:
        if name == LOADED and file is not None:
            asked = scheduler_files.choose_file(file, linked=own is None)
        else:
            asked = _schedule_knobs(name, T)
    try:
        asked.build()
    except ValueError as error:
        good = st.session_state.get("_good_schedule", ScheduleConfig(default, T))
        _say(
            f"These parameters make no schedule: {links.plain(str(error))}. Until then this stays: "
            f"{good.title}.",
            "tune",
        )
        return good if isinstance(good, ScheduleConfig) else ScheduleConfig(default, T)
    st.session_state["_good_schedule"] = asked
    return asked


def _schedule_knobs(name: str, T: int) -> ScheduleConfig:
    st.markdown(SCHEDULE_TEXT[name].sentence)
    discrete = issubclass(SCHEDULES[name], DiscreteVP)
    zero_snr, length = False, T
    if discrete:
        length = widgets.stops("T (how many noisings)", links.whole("T", T, 2, MAX_T), _T_STOPS)
        zero_snr = widgets.toggle(
            "Zero terminal SNR",
            links.flag("zsnr"),
            help="Rescale the schedule so that the last step is pure noise "
            "(Lin et al. 2023). Many schedules stop a little short of it.",
        )
    params = tuple((knob.name, _knob(knob, name)) for knob in SCHEDULE_KNOBS.get(name, ()))
    points = choose_curve() if name == "custom" else ()
    return ScheduleConfig(name, length if discrete else T, params, zero_snr, points)


def choose_curve() -> CurvePoints:
    """Draw the custom schedule's control points as text; the last good ones stay."""
    return widgets.line(
        "Control points t,alpha-bar (t from 0 to 1, alpha-bar falling from 1)", CURVE
    )


# Samplers ---------------------------------------------------------------------------------------


def choose_sampler(
    schedule: ScheduleConfig,
    names: Sequence[str] | None = None,
    *,
    default: str = "ddim",
    steps: int = 50,
    spacing: str = "trailing",
    folded: bool = False,
) -> SamplerConfig:
    """Draw the choice of a sampler and its steps, everything else folded away.

    Args:
        schedule: what it runs on: a chain of T noisings allows at most T evenly chosen steps.
        names: the samplers offered; all when left out.
        default: the sampler a page starts with.
        steps: the number of steps it starts with.
        spacing: the spacing it starts with.
        folded: whether sampler and steps are folded away too.

    Returns:
        The choice, with no more steps than the schedule allows, evenly spaced where they cannot be
        placed as asked.
    """
    parameter = links.choice("sampler", default, names or SAMPLERS)
    counted = links.whole("steps", steps, 1, MAX_STEPS)
    words = widgets.titles({name: SAMPLERS[name] for name in names or SAMPLERS})
    menu = more("Sampler")
    with menu if folded else nullcontext():
        name = widgets.menu(SAMPLER_MENU, parameter, words)
        count = widgets.stops("Steps", counted, (*_STEP_STOPS, MAX_STEPS))
    with menu:
        st.markdown(SAMPLERS[name].sentence)
        chosen = _spacing(schedule, spacing)
        knobs = knobs_of(SAMPLERS[name])
        params = tuple((knob.name, _knob(knob, name)) for knob in knobs)
        variable = _variable() if takes_variable(name) else "auto"
        seed = choose_seed()
    taken = steps_on(count, chosen, schedule.build())
    if chosen == FILE and taken != count:
        _say(
            f"{count} steps are asked for, and this scheduler's file allows no such run: the "
            f"nearest that it does allow, {taken}, are taken.",
            "info",
        )
    elif taken < count:
        _say(
            f"{count} steps are asked for, but this schedule has only T = {taken} noisings to "
            f"undo: {taken} steps are taken. Raise T or choose another spacing for more.",
            "info",
        )
    if chosen == FILE and schedule.file is not None and schedule.file.stops is not None:
        counted_there = schedule.file.stops.asked(taken)
        if counted_there != taken:
            _say(
                f"diffusers calls this run {counted_there} steps: one of them would have no "
                "length.",
                "info",
            )
    asked = SamplerConfig(name, taken, chosen, params, variable, seed)
    try:
        asked.grid(schedule.build())
    except ValueError as error:
        even = SPACING_TEXT[_EVEN].title
        _say(
            f"Steps cannot be placed so: {links.plain(str(error))}. Until then they are placed "
            f"by another spacing: {even}.",
            "info",
        )
        return replace(asked, spacing=_EVEN, steps=steps_on(count, _EVEN, schedule.build()))
    return asked


def _spacing(schedule: ScheduleConfig, default: str) -> str:
    """Where a run stops; a schedule that came from a file is first of all walked as that says."""
    text = dict(SPACING_TEXT)
    parameter = links.choice("spacing", default, text)
    if schedule.build().own_stops is not None:
        text = {FILE: FILE_TEXT} | text
        parameter = replace(links.choice("spacing", FILE, text), of=LOADED)
    chosen = widgets.menu("Spacing (where it stops)", parameter, widgets.titles(text))
    st.caption(text[chosen].sentence)
    return chosen


def _variable() -> str:
    parameter = links.choice("variable", "auto", VARIABLE_TEXT)
    chosen = widgets.menu("Integrated in", parameter, widgets.titles(VARIABLE_TEXT))
    st.caption(VARIABLE_TEXT[chosen].sentence)
    return chosen


# Widgets that several choices use ---------------------------------------------------------------


def choose_seed(key: str = "seed", label: str = "Seed of the noise") -> int:
    """Draw a seed, a whole number, with a button for a new one."""
    parameter = links.whole(key, 0, 0, MAX_SEED)
    with line():
        seed = widgets.number(label, parameter, step=1, width=180)
        st.button(
            "New",
            key=f"_new_{key}",
            icon=":material/casino:",
            on_click=lambda: links.keep(parameter, random.randrange(100_000)),
        )
    return seed


def _knob(knob: Knob, owner: str) -> float:
    """A knob for a parameter; whole numbers stay whole."""
    if knob.decimals == 0:
        low, high = int(knob.low), int(knob.high)
        counted = links.whole(knob.name, int(knob.default), low, high, of=owner)
        return widgets.stops(knob.label, counted, [int(stop) for stop in stops_of(knob)])
    amount = links.number(knob.name, knob.default, knob.low, knob.high, of=owner)
    return widgets.stops(knob.label, amount, stops_of(knob), form="{:g}")


def stops_of(knob: Knob) -> list[float]:
    """Values for a slider: 1, 1.5, 2, 3, 5, 7 of every power of ten, or even ones."""
    if knob.low > 0 and knob.high / knob.low > 100:
        tens = [(m, e) for e in range(-6, 4) for m in (1, 1.5, 2, 3, 5, 7)]
        values = [float(f"{m}e{e}") for m, e in tens]
        return [value for value in values if knob.low <= value <= knob.high]
    times = next(m for m in (1, 2, 5, 10, 100) if (knob.high - knob.low) / (m * knob.step) <= 100)
    count = round((knob.high - knob.low) / (times * knob.step))
    return [round(knob.low + k * times * knob.step, 6) for k in range(count + 1)]
