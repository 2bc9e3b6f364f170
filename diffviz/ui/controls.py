"""The controls that pages share; each draws its widgets and returns a frozen, hashable config.

Every value follows the address (see ``links.py``), so a copied address sets all of them again. What
cannot be had is said under the control and the last good choice stays in force, so a page can use
what it gets without checking.

The configs and the words of the menus are in ``configs.py``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import streamlit as st

from diffviz.datasets import DEFAULT_TEXT, INFO, MAX_TEXT
from diffviz.grids import SPACINGS
from diffviz.images import IMAGE_INFO
from diffviz.samplers import SAMPLERS
from diffviz.schedules import SCHEDULES, DiscreteVP
from diffviz.ui import links, widgets
from diffviz.ui.canvas import decode_points, draw_points, encode_points
from diffviz.ui.configs import (
    CURVE,
    DEFAULT_CURVE,
    IN_VARIABLE,
    KINDS,
    OWN,
    SAMPLER_KNOBS,
    SAMPLER_TEXT,
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
    text_of,
)
from diffviz.ui.thumbnails import thumbnail
from diffviz.uploads import MAX_BYTES, UploadError, decode_image

__all__ = [
    "CURVE",
    "DEFAULT_CURVE",
    "SAMPLER_KNOBS",
    "SAMPLER_TEXT",
    "SCHEDULE_KNOBS",
    "SCHEDULE_TEXT",
    "SPACING_TEXT",
    "VARIABLE_TEXT",
    "CurvePoints",
    "DataConfig",
    "Kind",
    "Knob",
    "Picture",
    "SamplerConfig",
    "ScheduleConfig",
    "bar",
    "choose_data",
    "choose_sampler",
    "choose_schedule",
    "choose_seed",
    "complain",
    "line",
    "parse_curve",
    "say_fewer",
    "show_curve",
]

MAX_SEED = 2**31 - 1
MAX_T = 1000
MAX_STEPS = 1000
MAX_POINTS = 20_000

_T_STOPS = (2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
_STEP_STOPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500)
_POINT_STOPS = (100, 250, 500, 1000, 2000, 5000, 10_000, 20_000)


# Layout -----------------------------------------------------------------------------------------

Note = tuple[str, str]  # Markdown and the name of an icon
_NOTES: ContextVar[list[Note] | None] = ContextVar("notes", default=None)


@contextmanager
def bar(key: str = "controls") -> Iterator[None]:
    """Hold the controls above the picture; what they have to say follows below all of them.

    Use as ``with bar():``. Without it each control says it right below itself.

    Args:
        key: a name that is unique on the page.
    """
    notes: list[Note] = []
    token = _NOTES.set(notes)
    try:
        with st.container(key=key, gap="small"):
            yield
            for note in notes:
                _draw_note(*note)
    finally:
        _NOTES.reset(token)


def line(key: str | None = None) -> Any:
    """Return a container for a row of controls that wraps where there is no room.

    Args:
        key: a name that is unique on the page, for its style.
    """
    return st.container(horizontal=True, vertical_alignment="center", gap="small", key=key)


def _together() -> Any:
    return st.container(horizontal=True, vertical_alignment="bottom", gap="small", width="content")


def _say(body: str, icon: str) -> None:
    notes = _NOTES.get()
    if notes is None:
        _draw_note(body, icon)
    else:
        notes.append((body, icon))


def _draw_note(body: str, icon: str) -> None:
    box = st.info if icon == "info" else st.warning
    box(body, icon=f":material/{icon}:")


def complain(*keys: str) -> None:
    """Say what the address asked of these parameters that could not be had, below a ``bar``."""
    told = links.told(*keys)
    if told:
        _say(told, "link_off")


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


# Data -------------------------------------------------------------------------------------------

_FAVOURITES = ("two_gaussians", "moons", "spiral", "smiley", "digits", "fashion")


def choose_data(
    kinds: Sequence[Kind] = KINDS,
    *,
    default: str = "moons",
    n: int = 2000,
    images: int | None = None,
    only: Sequence[str] | None = None,
    counted: bool = True,
) -> DataConfig:
    """Draw the choice of data: chips of a few sets, and a popover with all of them.

    Args:
        kinds: the kinds of data that the page can show.
        default: the set a page starts with.
        n: how many points it starts with.
        images: how many images it starts with; all of a set when left out.
        only: the sets that the page can show, where it cannot show all of those kinds; the first
            six are the chips.
        counted: whether the reader chooses how many points; else there are ``n``.

    Returns:
        The choice; when what is asked for cannot be made, the last one that could.
    """
    names = [name for name in only or (*INFO, *OWN, *IMAGE_INFO) if kind_of(name) in kinds]
    parameter = links.choice("data", default, names)
    with line():
        name = _chips(parameter, names, _FAVOURITES if only is None else names[:6])
        with st.popover("More data", icon=":material/apps:"):
            _gallery(parameter, names, name)
            count = _count(name, n, images) if counted else n
            seed = choose_seed("data_seed", "Seed of the sample")
        text, drawing, trouble = _own_inputs(name)
    picture = st.session_state.get("_picture")
    asked = DataConfig(
        name,
        count,
        seed,
        text if name == "text" else "",
        drawing if name == "drawing" else "",
        picture if name in ("cloud", "picture") else None,
    )
    complain("data", "text", "strokes", "n", "data_seed")
    fallback = DataConfig(
        default, min(n, IMAGE_INFO[default].count) if default in IMAGE_INFO else n
    )
    good = st.session_state.get("_good_data")
    last = good if isinstance(good, DataConfig) and good.name in names else fallback
    return _checked(asked, last, trouble)


def _chip(name: str) -> str:
    picture = f":material/{OWN[name][2]}:" if name in OWN else f"![]({thumbnail(name)})"
    return f"{picture} {text_of(name).title}"


def _chips(parameter: links.Parameter[str], names: Sequence[str], favourites: Sequence[str]) -> str:
    chosen = links.peek(parameter)
    shown = [name for name in favourites if name in names]
    shown += [chosen] if chosen not in shown else []

    def draw(key: str) -> str | None:
        return st.pills(
            "Data",
            shown,
            format_func=_chip,
            required=True,
            key=key,
            wrap=False,
            label_visibility="collapsed",
        )

    return links.bound(parameter, draw)


def _gallery(parameter: links.Parameter[str], names: Sequence[str], chosen: str) -> None:
    labels = {"1-D": "Numbers (1-D)", "2-D": "Points in the plane (2-D)", "image": "Images"}
    for kind in KINDS:
        of_kind = [name for name in names if kind_of(name) == kind]
        key = f"_gallery_{kind}"
        if not of_kind:
            continue
        st.session_state[key] = chosen if chosen in of_kind else None
        st.pills(
            labels[kind],
            of_kind,
            format_func=_chip,
            key=key,
            on_change=_pick,
            args=(parameter, key),
        )


def _pick(parameter: links.Parameter[str], key: str) -> None:
    name = st.session_state.get(key)
    if name is not None:  # pressing the chosen chip again changes nothing
        links.assign(parameter, name)


def _own_inputs(name: str) -> tuple[str, str, str | None]:
    """Text, drawing and what is wrong with an upload; only what belongs to the name is drawn."""
    if name == "text":
        return links.bound(links.text("text", DEFAULT_TEXT, MAX_TEXT), _type), "", None
    if name == "drawing":
        with st.popover("Draw", icon=":material/draw:"):
            return "", _draw(), None
    if name in ("cloud", "picture"):
        with st.popover("Choose a picture", icon=":material/upload:"):
            return "", "", _upload()
    return "", "", None


def _type(key: str) -> str | None:
    return st.text_input(
        f"Text (at most {MAX_TEXT} characters)",
        max_chars=MAX_TEXT,
        key=key,
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


def _upload() -> str | None:
    file = st.file_uploader(
        f"A PNG or JPEG picture, at most {MAX_BYTES // 1_000_000} MB", key="_upload"
    )
    if file is None or file.file_id == st.session_state.get("_uploaded"):
        return None
    try:
        pixels = decode_image(file.getvalue())
    except UploadError as error:
        return str(error)
    st.session_state["_picture"] = Picture(pixels.shape, pixels.tobytes())
    st.session_state["_uploaded"] = file.file_id
    return None


def _count(name: str, n: int, images: int | None) -> int:
    if name == "picture":
        return 1
    if name in IMAGE_INFO:
        most = IMAGE_INFO[name].count
        parameter = links.whole("n", min(images or most, most), 1, most, of=name)
        return widgets.stops("How many images", parameter, (1, 10, 50, 100, 250, 500, 1000, most))
    return widgets.stops("How many points", links.whole("n", n, 1, MAX_POINTS), _POINT_STOPS)


def _checked(asked: DataConfig, last: DataConfig, trouble: str | None) -> DataConfig:
    """What is asked for if it can be made, else the last that could; what is wrong is said."""
    problem = _problem(asked)
    kept = asked if problem is None else last
    if problem or trouble:
        told = links.plain(trouble or problem or "")
        _say(f"{told} Until then this stays: {kept.title}.", "edit")
    st.session_state["_good_data"] = kept
    return kept


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
    names: Sequence[str] | None = None, *, default: str = "linear", T: int = 1000
) -> ScheduleConfig:
    """Draw the choice of a schedule, its parameters folded away.

    Args:
        names: the schedules offered; all when left out.
        default: the schedule a page starts with.
        T: the number of noisings it starts with.

    Returns:
        The choice; when its parameters make no schedule, the last one that did.
    """
    parameter = links.choice("schedule", default, names or SCHEDULES)
    with _together():
        words = widgets.titles({name: SCHEDULE_TEXT[name] for name in names or SCHEDULES})
        name = widgets.menu("Schedule (how fast noise comes in)", parameter, words)
        with st.popover("More", icon=":material/tune:", help="Parameters of the schedule"):
            asked = _schedule_knobs(name, T)
    keys = [knob.name for knob in SCHEDULE_KNOBS.get(name, ())]
    complain("schedule", "T", "zsnr", "curve", *keys)
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
        zero_snr = links.bound(
            links.flag("zsnr"),
            lambda key: st.toggle(
                "Zero terminal SNR",
                key=key,
                help="Rescale the schedule so that the last step is pure noise "
                "(Lin et al. 2023). Many schedules stop a little short of it.",
            ),
        )
    params = tuple((knob.name, _knob(knob, name)) for knob in SCHEDULE_KNOBS.get(name, ()))
    points = _curve() if name == "custom" else ()
    return ScheduleConfig(name, length if discrete else T, params, zero_snr, points)


def _curve() -> CurvePoints:
    """Control points typed as text; the last good ones stay while the text cannot be read."""
    points = links.value(CURVE)
    if st.session_state.get("_curve_of") != points:
        st.session_state["_curve_of"], st.session_state["_curve_text"] = points, show_curve(points)
    st.session_state.setdefault("_curve_text", show_curve(points))
    typed = st.text_input(
        "Control points t,alpha-bar (t from 0 to 1, alpha-bar falling from 1)", key="_curve_text"
    )
    try:
        read = parse_curve(typed)
    except ValueError as error:
        _say(f"{links.code(typed)} {links.plain(str(error))}.", "tune")
        return points
    if show_curve(read) != show_curve(points):
        links.keep(CURVE, read)
        st.session_state["_curve_of"] = read
    return links.value(CURVE)


# Samplers ---------------------------------------------------------------------------------------


def choose_sampler(
    schedule: ScheduleConfig,
    names: Sequence[str] | None = None,
    *,
    default: str = "ddim",
    steps: int = 50,
    spacing: str = "trailing",
) -> SamplerConfig:
    """Draw the choice of a sampler and its steps, everything else folded away.

    Args:
        schedule: what it runs on: a chain of T noisings allows at most T evenly chosen steps.
        names: the samplers offered; all when left out.
        default: the sampler a page starts with.
        steps: the number of steps it starts with.
        spacing: the spacing it starts with.

    Returns:
        The choice, with no more steps than the schedule allows.
    """
    parameter = links.choice("sampler", default, names or SAMPLERS)
    counted = links.whole("steps", steps, 1, MAX_STEPS)
    with _together():
        words = widgets.titles({name: SAMPLER_TEXT[name] for name in names or SAMPLERS})
        name = widgets.menu("Sampler (how noise is undone)", parameter, words)
        count = widgets.stops("Steps", counted, (*_STEP_STOPS, MAX_STEPS))
        with st.popover("More", icon=":material/tune:", help="Parameters of the sampler"):
            st.markdown(SAMPLER_TEXT[name].sentence)
            chosen = widgets.menu(
                "Spacing (where it stops)",
                links.choice("spacing", spacing, SPACINGS),
                widgets.titles(SPACING_TEXT),
            )
            st.caption(SPACING_TEXT[chosen].sentence)
            knobs = SAMPLER_KNOBS.get(name, ())
            params = tuple((knob.name, _knob(knob, name)) for knob in knobs)
            variable = _variable() if name in IN_VARIABLE else "auto"
            seed = choose_seed()
    names_said = ("sampler", "steps", "spacing", "variable", "seed")
    complain(*names_said, *(knob.name for knob in knobs))
    taken = steps_on(count, chosen, schedule.build())
    if taken < count:
        _say(
            f"{count} steps are asked for, but this schedule has only T = {taken} noisings to "
            f"undo: {taken} steps are taken. Raise T or choose another spacing for more.",
            "info",
        )
    return SamplerConfig(name, taken, chosen, params, variable, seed)


def _variable() -> str:
    parameter = links.choice("variable", "auto", VARIABLE_TEXT)
    chosen = widgets.menu("Integrated in", parameter, widgets.titles(VARIABLE_TEXT))
    st.caption(VARIABLE_TEXT[chosen].sentence)
    return chosen


# Widgets that several choices use ---------------------------------------------------------------


def choose_seed(key: str = "seed", label: str = "Seed of the noise") -> int:
    """Draw a seed, a whole number, with a button for a new one."""
    parameter = links.whole(key, 0, 0, MAX_SEED)
    with _together():
        seed = links.bound(
            parameter,
            lambda slot: st.number_input(
                label, min_value=0, max_value=MAX_SEED, step=1, key=slot, width=180
            ),
        )
        st.button(
            "New",
            key=f"_new_{key}",
            icon=":material/casino:",
            on_click=lambda: links.assign(parameter, random.randrange(100_000)),
        )
    return seed


def _knob(knob: Knob, owner: str) -> float:
    """A number field; whole numbers stay whole."""
    if knob.decimals == 0:
        low, high = int(knob.low), int(knob.high)
        counted = links.whole(knob.name, int(knob.default), low, high, of=owner)
        return links.bound(
            counted,
            lambda key: st.number_input(
                knob.label, min_value=low, max_value=high, step=int(knob.step), key=key
            ),
        )
    return links.bound(
        links.number(knob.name, knob.default, knob.low, knob.high, of=owner),
        lambda key: st.number_input(
            knob.label,
            min_value=float(knob.low),
            max_value=float(knob.high),
            step=float(knob.step),
            format=f"%.{knob.decimals}f",
            key=key,
        ),
    )
