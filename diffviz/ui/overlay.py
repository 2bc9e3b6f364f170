"""The controls of the Schedules page: which schedules, which view, and what is drawn with them.

Each schedule has parameters of its own in the address, ``linear_beta_end=0.05``, so that any number
of them can be compared; the custom one's control points are shared with the other pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from diffviz.curves import QUANTITIES
from diffviz.grids import SPACINGS, make_grid
from diffviz.schedules import SCHEDULES, Custom, DiscreteVP, Schedule, zero_terminal_snr
from diffviz.ui import links, widgets
from diffviz.ui.configs import (
    CURVE,
    DEFAULT_CURVE,
    SCHEDULE_KNOBS,
    SCHEDULE_TEXT,
    SPACING_TEXT,
    CurvePoints,
    Knob,
    ScheduleConfig,
    parse_curve,
    show_curve,
)
from diffviz.ui.curve import Stops
from diffviz.ui.exchange import loaded
from diffviz.ui.figures import AXES, AxisKind

__all__ = [
    "LOADED",
    "VIEWS",
    "Shown",
    "body",
    "choose_parameters",
    "choose_schedules",
    "choose_stops",
    "choose_view",
    "complain",
    "for_files",
    "moved",
    "slider",
]

LOADED = "loaded"
"""The name of the schedule that came from a file."""

VIEWS = ", ".join(quantity.label for quantity in QUANTITIES.values())
"""The names of all quantities, in one line."""

MAX_T = 1000
_SINGLE = (
    "schedules",
    "view",
    "axis",
    "zsnr",
    "curve",
    "config",
    "spacings",
    "stops",
    "on",
    "image",
    "item",
)
_T_STOPS = (2, 3, 5, 10, 20, 50, 100, 200, 500, 700, 1000)
_STEP_STOPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100)


@dataclass(frozen=True)
class Shown:
    """A schedule on the page.

    Attributes:
        name: a key of ``SCHEDULES``, or ``LOADED``.
        label: its short name.
        schedule: what is drawn.
        before: the same without zero terminal SNR, where that changed it.
    """

    name: str
    label: str
    schedule: Schedule
    before: Schedule | None = None


def label_of(name: str) -> str:
    """The short name of a schedule: what stands before the bracket."""
    return SCHEDULE_TEXT[name].title.split(" (")[0] if name in SCHEDULE_TEXT else name


# Layout -----------------------------------------------------------------------------------------

# Where the plot and the rail do not fit beside each other, the rail moves below.
_CSS = """
<style>
.st-key-schedules_body > div:has(> .st-key-schedules_plot) {
  flex: 1 1 600px; min-width: min(100%, 600px);
}
.st-key-schedules_body > div:has(> .st-key-schedules_rail) {
  flex: 0 1 290px; min-width: min(100%, 290px);
}
.st-key-schedules_rail table {width: 100%; font-variant-numeric: tabular-nums;}
.st-key-schedules_rail td, .st-key-schedules_rail th {padding: 0.25rem 0.5rem;}
@media (max-width: 1150px) {
  .st-key-schedules_body > div:has(> .st-key-schedules_rail) {flex: 1 1 100%;}
}
</style>
"""


def body() -> tuple[Any, Any]:
    """The two parts of the page: where the plot stands, and the rail of controls beside it."""
    st.html(_CSS)
    with st.container(key="schedules_body", horizontal=True, gap="medium"):
        return st.container(key="schedules_plot"), st.container(
            key="schedules_rail", width=290, gap="small"
        )


# Which schedules, which view --------------------------------------------------------------------


def many(key: str, default: Sequence[str], options: Iterable[str]) -> links.Parameter[list[str]]:
    """A parameter that is some of a few words, in the order of the options."""
    words = tuple(options)

    def parse(word: str) -> list[str]:
        asked = [part for part in word.split(",") if part]
        kept = [option for option in words if option in asked]
        unknown = [part for part in asked if part not in words]
        if unknown:
            which = links.code(unknown[0])
            raise links.Refused(
                f"has {which}, which is not one of {', '.join(words)}", kept or list(default)
            )
        return kept

    def show(chosen: list[str]) -> str:
        return ",".join(option for option in words if option in chosen)

    return links.Parameter(key, list(default), parse, show, shared=False)


def choose_schedules() -> list[str]:
    """Draw the chips that choose schedules; their names, in the order of ``SCHEDULES``."""
    parameter = many("schedules", ("linear", "cosine", "custom"), SCHEDULES)

    def draw(key: str) -> list[str]:
        return st.pills(
            "Schedules to compare",
            list(SCHEDULES),
            selection_mode="multi",
            format_func=label_of,
            key=key,
            label_visibility="collapsed",
        )

    chosen = links.bound(parameter, draw)
    return [name for name in SCHEDULES if name in chosen]


def choose_view() -> tuple[str, AxisKind]:
    """Draw the choice of a quantity and of its axis."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        view = widgets.segments(
            "Quantity",
            links.choice("view", "alpha_bar", QUANTITIES),
            {name: quantity.label for name, quantity in QUANTITIES.items()},
            quiet=True,
        )
        with st.popover(":material/straighten:", help="Axis: linear or logarithmic"):
            axis = widgets.segments(
                "Vertical axis",
                links.choice("axis", "auto", AXES),
                {str(name): name.capitalize() for name in AXES},
                quiet=True,
            )
            st.caption("Auto is logarithmic where values span many powers of ten.")
    kind: AxisKind = "linear" if axis == "linear" else "log" if axis == "log" else "auto"
    return view, kind


# Parameters -------------------------------------------------------------------------------------


def choose_parameters(names: Sequence[str]) -> list[Shown]:
    """Draw every schedule's parameters, folded; the schedules, zero terminal SNR applied."""
    zero = links.bound(
        links.flag("zsnr"),
        lambda key: st.toggle(
            "Zero terminal SNR",
            key=key,
            help="Rescale every chain so that its last step is pure noise (Lin et al. 2023). "
            "Continuous paths have no chain to rescale and stay as they are.",
        ),
    )
    table = st.container()
    shown = [_shown(name, label_of(name), _configured(name).build(), zero) for name in names]
    config = loaded()
    if config is not None:
        label = config.name.removesuffix("Scheduler") or config.name
        shown.append(_shown(LOADED, label, config.schedule, zero))
    with table:
        _terminal(shown, zero)
    return shown


def complain(names: Sequence[str]) -> None:
    """Say what the address asked for on this page and could not be had."""
    own = [f"{name}_{knob.name}" for name in names for knob in SCHEDULE_KNOBS.get(name, ())]
    own += [f"{name}_T" for name in names]
    links.complaints(*_SINGLE, *own)


def for_files(shown: Sequence[Shown]) -> Mapping[str, Schedule]:
    """The schedules by the names that they have in files."""
    return {
        each.name if each.name != LOADED else f"loaded {each.label}": each.schedule
        for each in shown
    }


def _shown(name: str, label: str, schedule: Schedule, zero: bool) -> Shown:
    if not zero or not isinstance(schedule, DiscreteVP) or schedule.alphas_bar[-1] == 0:
        return Shown(name, label, schedule)
    return Shown(name, label, zero_terminal_snr(schedule), schedule)


def _configured(name: str) -> ScheduleConfig:
    """A schedule's parameters; those that make no schedule are told and the last good ones stay."""
    knobs = SCHEDULE_KNOBS.get(name, ())
    discrete = issubclass(SCHEDULES[name], DiscreteVP)
    if not knobs and not discrete and name != "custom":
        return ScheduleConfig(name)
    with st.expander(f"{label_of(name)}: parameters", key=f"_fold_{name}"):
        st.caption(SCHEDULE_TEXT[name].sentence)
        if name == "custom":
            return ScheduleConfig(name, points=_control_points())
        T = MAX_T
        if discrete:
            length = links.whole(f"{name}_T", MAX_T, 2, MAX_T, shared=False)
            T = int(slider("T (how many noisings)", length, _T_STOPS))
        params = tuple((knob.name, _knob(name, knob)) for knob in knobs)
    return _last_good(ScheduleConfig(name, T, params))


def _last_good(asked: ScheduleConfig) -> ScheduleConfig:
    store = st.session_state.setdefault("_good_overlay", {})
    try:
        asked.build()
    except ValueError as error:
        st.warning(
            f"{label_of(asked.name)}: these parameters make no schedule, because "
            f"{links.plain(str(error))}. The last line that could be drawn stays.",
            icon=":material/tune:",
        )
        return store.get(asked.name, ScheduleConfig(asked.name))  # type: ignore[no-any-return]
    store[asked.name] = asked
    return asked


def _knob(name: str, knob: Knob) -> float:
    key = f"{name}_{knob.name}"
    parameter = replace(links.number(key, knob.default, knob.low, knob.high), shared=False)
    return float(slider(knob.label, parameter, _stops(knob)))


def _stops(knob: Knob) -> list[float]:
    """Values for a slider: 1, 1.5, 2, 3, 5, 7 of every power of ten, or even ones."""
    if knob.low > 0 and knob.high / knob.low > 100:
        tens = [(m, e) for e in range(-6, 4) for m in (1, 1.5, 2, 3, 5, 7)]
        values = [float(f"{m}e{e}") for m, e in tens]
        return [value for value in values if knob.low <= value <= knob.high]
    times = next(m for m in (1, 2, 5, 10, 100) if (knob.high - knob.low) / (m * knob.step) <= 100)
    count = round((knob.high - knob.low) / (times * knob.step))
    return [round(knob.low + k * times * knob.step, 6) for k in range(count + 1)]


def slider(label: str, parameter: links.Parameter[Any], stops: Iterable[float]) -> Any:
    """Draw a slider over chosen stops; a value from the address that is none of them joins them."""
    options = sorted({*stops, parameter.default, links.peek(parameter)})
    return links.bound(
        parameter,
        lambda key: st.select_slider(label, options, format_func=lambda x: f"{x:g}", key=key),
    )


# The custom schedule ----------------------------------------------------------------------------


def moved(told: Any) -> None:
    """Take over control points that the plot reports, if they make a schedule."""
    try:
        points = Custom([(float(t), float(alpha_bar)) for t, alpha_bar in told[:100]]).points
    except (TypeError, ValueError) as error:
        st.session_state["_points_trouble"] = str(error)
        return
    st.session_state["_points_trouble"] = None
    links.keep(CURVE, points)


def _control_points() -> CurvePoints:
    points = links.value(CURVE)
    if st.session_state.get("_points_of") != points:  # moved in the plot, or by a link
        st.session_state["_points_of"] = points
        st.session_state["_points_text"] = show_curve(points)
        st.session_state["_points_trouble"] = None
    elif "_points_text" not in st.session_state:  # the box was not on the page for a while
        st.session_state["_points_text"] = show_curve(points)
        st.session_state["_points_trouble"] = None
    st.text_input(
        "Control points: t,alpha-bar with spaces between them",
        key="_points_text",
        on_change=_typed,
        help="From left to right, t from 0 to 1 and alpha-bar falling from 1.",
    )
    trouble = st.session_state.get("_points_trouble")
    if trouble:
        st.error(f"{links.plain(trouble)}. The last good line stays.", icon=":material/edit:")
    st.button("Reset the points", icon=":material/undo:", on_click=_reset)
    return points


def _typed() -> None:
    try:
        points = parse_curve(str(st.session_state["_points_text"]))
    except ValueError as error:
        st.session_state["_points_trouble"] = str(error)
        return
    st.session_state["_points_trouble"] = None
    st.session_state["_points_of"] = points
    links.keep(CURVE, points)


def _reset() -> None:
    links.keep(CURVE, DEFAULT_CURVE)
    st.session_state.pop("_points_of", None)


# What is left at the end ------------------------------------------------------------------------


def _terminal(shown: Sequence[Shown], zero: bool) -> None:
    """Say how much of the data is left at t = 1, before and after the rescaling."""
    rows = [f"| {links.plain(each.label)} | {_ends(each)} |" for each in shown]
    if rows:
        st.markdown("\n".join(["| At t = 1 | alpha | SNR |", "|---|---|---|", *rows]))
    why = (
        "Every chain now ends in pure noise, where a network must predict x_0 or v: the noise "
        "alone says nothing about the data."
        if zero
        else "Above 0, the last noisy image still shows a trace of the data, its brightness above "
        "all; a sampler starts without that trace. The switch removes it."
    )
    st.caption(why.replace("_", r"\_"))


def _ends(each: Shown) -> str:
    alpha, sigma = each.schedule.at(1.0)
    was = f"{_small(each.before.at(1.0)[0])} → " if each.before is not None else ""
    return f"{was}{_small(alpha)} | {_small((alpha / sigma) ** 2)}"


def _small(x: float) -> str:
    return "0" if x == 0 else f"{x:.2g}" if x >= 1e-3 else f"{x:.1e}".replace("e-0", "e-")


# Stops of a sampler -----------------------------------------------------------------------------


def choose_stops(shown: Sequence[Shown]) -> list[Stops]:
    """Draw the choice of spacings and steps; the stops of each on one of the lines."""
    with st.expander("Stops of a sampler", key="_fold_stops"):
        spacings = links.bound(
            many("spacings", ("leading", "trailing", "log_snr"), SPACINGS),
            lambda key: st.pills(
                "Spacings (where a sampler stops)",
                list(SPACINGS),
                selection_mode="multi",
                format_func=lambda name: SPACING_TEXT[name].title,
                key=key,
            ),
        )
        steps = int(slider("Steps", links.whole("stops", 10, 1, MAX_T, shared=False), _STEP_STOPS))
        on = _choose_line(shown)
    rows, troubles = [], set()
    for spacing in (name for name in SPACINGS if name in spacings):
        try:
            grid = make_grid(on.schedule, steps, spacing)
        except ValueError as error:
            troubles.add(str(error))
            continue
        times = tuple(round(t, 6) for t in grid[:-1].tolist())
        rows.append(Stops(SPACING_TEXT[spacing].title, on.name, on.label, times))
    for trouble in sorted(troubles):
        st.warning(f"{on.label}: {links.plain(trouble)}.", icon=":material/linear_scale:")
    return rows


def _choose_line(shown: Sequence[Shown]) -> Shown:
    by_name = {each.name: each for each in shown}
    first = shown[0].name
    parameter = replace(links.choice("on", first, by_name), shared=False)
    if links.peek(parameter) not in by_name:
        links.assign(parameter, first)
    name = links.bound(
        parameter,
        lambda key: st.selectbox(
            "On the line of", list(by_name), format_func=lambda n: by_name[n].label, key=key
        ),
    )
    return by_name[name]
