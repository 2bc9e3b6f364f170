"""The controls of the Schedules page: which schedules, which view, and what is drawn with them.

Each schedule has parameters of its own in the address, ``linear_beta_end=0.05``, so that any number
of them can be compared; the custom one's control points are shared with the other pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from diffviz.core.schedules import SCHEDULES, Custom, DiscreteVP, Schedule
from diffviz.measures.curves import QUANTITIES
from diffviz.scenes.configs import (
    LOADED,
    MAX_T,
    SCHEDULE_KNOBS,
    SCHEDULE_TEXT,
    CurvePoints,
    Knob,
    ScheduleConfig,
)
from diffviz.scenes.overlay import AXES, Overlay, Shown, Turned, label_of, shown, spacings_for
from diffviz.scenes.plays import Play
from diffviz.ui.choices import controls, widgets
from diffviz.ui.choices.scheduler_files import loaded
from diffviz.ui.parts.curve import Turn
from diffviz.ui.parts.knob import heard_of
from diffviz.ui.shell import links, route, theme

__all__ = [
    "VIEWS",
    "body",
    "choose_parameters",
    "choose_schedules",
    "choose_stops",
    "choose_view",
    "for_files",
    "moved",
    "others",
    "slider",
    "tell",
    "turns",
]

VIEWS = ", ".join(quantity.label for quantity in QUANTITIES.values())
"""The names of all quantities, in one line."""

_T_STOPS = (2, 3, 5, 10, 20, 50, 100, 200, 500, 700, 1000)
_STEP_STOPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100)
_SLIDER = 250  # CSS pixels


# Layout -----------------------------------------------------------------------------------------


def body() -> tuple[Any, Any]:
    """The two parts of the page: where the plot stands, and the rail of controls beside it."""
    with st.container(key="schedules_body", horizontal=True, gap="medium"):
        with st.container(key="schedules_plot"):
            plot = theme.picture()
        return plot, st.container(key="schedules_rail", width=290, gap="small")


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

    with st.container(key="schedules_names"):  # the plot shows the one that the hand is on
        return _some("Schedules to compare", parameter, label_of)


def _some(
    label: str,
    parameter: links.Parameter[list[str]],
    words: Callable[[str], str],
    *,
    options: Iterable[str] = SCHEDULES,
    quiet: bool = False,
) -> list[str]:
    """Draw some of a few, side by side."""
    view = links.view(parameter, read=list)
    st.pills(
        label,
        list(options),
        selection_mode="multi",
        format_func=words,
        default=view.value,
        label_visibility="collapsed" if quiet else "visible",
        **view.wiring,
    )
    return view.value


def choose_view() -> tuple[str, str]:
    """Draw the choice of a quantity and of its axis."""
    with controls.bar("schedules_view"):
        view = widgets.segments(
            "Quantity",
            links.choice("view", "alpha_bar", QUANTITIES),
            {name: quantity.label for name, quantity in QUANTITIES.items()},
            quiet=True,
        )
        with controls.more("Axis: linear or logarithmic"):
            axis = widgets.segments(
                "Vertical axis",
                links.choice("axis", "auto", AXES),
                {str(name): name.capitalize() for name in AXES},
                quiet=True,
            )
            st.caption("Auto is logarithmic where values span many powers of ten.")
    return view, axis


# Parameters -------------------------------------------------------------------------------------


def choose_parameters(names: Sequence[str]) -> tuple[list[ScheduleConfig], bool]:
    """Draw every schedule's parameters, folded; the schedules, and whether chains are rescaled."""
    zero = widgets.toggle(
        "Zero terminal SNR",
        links.flag("zsnr"),
        help="Rescale every chain so that its last step is pure noise (Lin et al. 2023). "
        "Continuous paths have no chain to rescale and stay as they are.",
    )
    table = st.container()
    configs = [_configured(name) for name in names]
    config = loaded()
    if config is not None:
        configs.append(config)
    with table:
        _terminal([shown(config, zero=zero) for config in configs], zero)
    return configs, zero


def for_files(every: Sequence[Shown]) -> Mapping[str, Schedule]:
    """The schedules by the names that they have in files."""
    return {each.name if each.name != LOADED else each.label: each.schedule for each in every}


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
    return float(slider(knob.label, parameter, controls.stops_of(knob)))


def slider(label: str, parameter: links.Parameter[Any], stops: Iterable[float]) -> Any:
    """Draw a slider over chosen stops, as wide as the rail."""
    return widgets.stops(label, parameter, list(stops), form="{:g}", width=_SLIDER)


# The custom schedule ----------------------------------------------------------------------------


def moved(told: Any) -> None:
    """Take over control points that the plot reports, if they make a schedule."""
    try:
        points = Custom([(float(t), float(alpha_bar)) for t, alpha_bar in told[:100]]).points
        links.keep(controls.CURVE, controls.CURVE.parse(controls.CURVE.show(points)))
    except (TypeError, ValueError) as error:
        links.note(controls.CURVE, f"{links.plain(str(error))}. The last good line stays.")


def _control_points() -> CurvePoints:
    points = controls.choose_curve()
    st.button(
        "Reset the points", icon=":material/undo:", on_click=links.reset, args=(controls.CURVE,)
    )
    return points


# What is left at the end ------------------------------------------------------------------------


def _terminal(shown: Sequence[Shown], zero: bool) -> None:
    """Say how much of the data is left at t = 1, before and after the rescaling."""
    rows = [f"| {links.plain(each.label)} | {_ends(each)} |" for each in shown]
    if rows:
        st.markdown("\n".join(["| At t = 1 | alpha | SNR |", "|---|---|---|", *rows]))
    left = [links.plain(each.label) for each in shown if each.schedule.at(1.0)[0] > 0]
    others = f" Not so {', '.join(left)}: only chains are rescaled." if left else ""
    why = (
        "At zero terminal SNR a chain ends in pure noise, where a network must predict x_0 or v: "
        f"the noise alone says nothing about the data.{others}"
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


def choose_stops(configs: Sequence[ScheduleConfig]) -> tuple[tuple[str, ...], int, int]:
    """Draw the choice of spacings and steps; their names, how many, and on which of the lines."""
    text = spacings_for(config.name for config in configs)
    with st.expander("Stops of a sampler", key="_fold_stops"):
        spacings = _some(
            "Spacings (where a sampler stops)",
            many("spacings", ("leading", "trailing", "log_snr"), text),
            text.__getitem__,
            options=text,
        )
        steps = int(slider("Steps", links.whole("stops", 10, 1, MAX_T, shared=False), _STEP_STOPS))
        on = _choose_line(configs)
    return tuple(name for name in text if name in spacings), steps, on


def _choose_line(configs: Sequence[ScheduleConfig]) -> int:
    labels = {config.name: shown(config).label for config in configs}
    parameter = replace(links.choice("on", next(iter(labels)), labels), shared=False)
    name = widgets.menu("On the line of", parameter, labels, width=None)
    return list(labels).index(name)


def tell(overlay: Overlay, troubles: Iterable[str]) -> None:
    """Say why a sampler cannot stop as was asked."""
    for trouble in troubles:
        label = links.plain(shown(overlay.schedules[overlay.on]).label)
        st.warning(f"{label}: {links.plain(trouble)}.", icon=":material/linear_scale:")


# The plot follows the hand ----------------------------------------------------------------------


def turns(overlay: Overlay) -> dict[str, Turn]:
    """The knobs on the page that the plot follows, by name."""
    paths: dict[str, tuple[str, ...]] = {"stops": ("steps",)}
    for k, config in enumerate(overlay.schedules):
        for word, path in config.numbers.items():
            paths[f"{config.name}_{word}"] = ("schedules", str(k), *path)
    found = {}
    for name, path in paths.items():
        heard = heard_of(name)
        if heard is None:
            continue
        play = Play("lines", Turned(overlay, path, tuple(heard.stops)))
        if route.says_all(play):
            found[name] = Turn(heard.key, heard.count, route.address_of(play))
    return found


def others(overlay: Overlay) -> str | None:
    """Where the browser finds every schedule; those not on the plot are as they usually are."""
    there = {config.name: config for config in overlay.schedules if config.name in SCHEDULES}
    every = tuple(there.get(name, ScheduleConfig(name)) for name in SCHEDULES)
    play = Play("overlay", replace(overlay, schedules=every, spacings=(), on=0))
    return route.address_of(play) if route.says_all(play) else None
