"""What only the Arena page asks for: who races, on which clock, and what the chart measures.

A contestant is one word in the address, ``a=dpmpp_2m,10,log_snr,cosine,exact``: sampler, steps,
spacing, schedule and model; ``a=none`` takes it out.  The model is ``exact`` (the true density
where it is known, else the points), ``points``, ``learned`` (the shipped network) or the name of a
network of this session.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import streamlit as st

from diffviz.core.grids import SPACINGS
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.data.points import MIXTURES
from diffviz.measures.quality import END_POINT, MEASURES
from diffviz.models.checkpoints import CheckpointError
from diffviz.scenes import models
from diffviz.scenes.arena import Align, Contestant, RaceConfig, affordable
from diffviz.scenes.configs import (
    SCHEDULE_TEXT,
    SPACING_TEXT,
    DataConfig,
)
from diffviz.scenes.models import ModelConfig
from diffviz.ui.choices import controls, own_models, widgets
from diffviz.ui.parts.knob import knob
from diffviz.ui.screens.arena.measure import ChartConfig
from diffviz.ui.shell import links

LETTERS = "ABCD"
MAX_STEPS = 200

KNOBS = {f"steps_{letter}": ("entrants", letter, "steps") for letter in LETTERS}
"""Where the numbers of its knobs are in a race."""

ALIGN = {"noise": "Noise level", "calls": "Network calls"}
"""What a frame of the common clock is: the word in the address and what the page says."""

_ALIGN_HELP = (
    "What one frame is. Noise level: all are shown at the same log-SNR, however many calls of the "
    "denoiser it took them. Network calls: all have asked the denoiser equally often."
)
_STEP_STOPS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, MAX_STEPS)
_SAMPLES = 2000


@dataclass(frozen=True)
class Pick:
    """A contestant as it is written in the address; see the module's text."""

    sampler: str = "ddim"
    steps: int = 10
    spacing: str = "quadratic"
    schedule: str = "rectified_flow"
    model: str = "exact"


_DEFAULTS: dict[str, Pick] = {
    "A": Pick("ddpm"),
    "B": Pick("ddim"),
    "C": Pick("heun", 5),
    "D": Pick("dpmpp_2m"),
}
_WORDS: dict[str, Mapping[str, Any]] = {
    "sampler": SAMPLERS,
    "spacing": SPACINGS,
    "schedule": SCHEDULES,
}
_MODELS = ("exact", "points", "learned")


# The address ------------------------------------------------------------------------------------


def parse_pick(word: str, default: Pick) -> Pick | None:
    """Read a contestant from a word of the address; None for "none".

    Raises:
        Refused: something in it cannot be had; ``instead`` is the contestant with the default in
            its place.
    """
    if word == "none":
        return None
    parts = word.split(",")
    if len(parts) != len(fields(Pick)):
        raise links.Refused(
            "is not a contestant such as heun,5,quadratic,rectified_flow,exact (or none)", default
        )
    given = dict(zip((f.name for f in fields(Pick)), parts, strict=True))
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, text in given.items():
        try:
            found[name] = _part(name, text)
        except links.Refused as error:
            found[name] = getattr(default, name) if error.instead is None else error.instead
            wrong.append(f"{name} {links.code(text)} {error.args[0]}")
    pick = Pick(**found)
    if wrong:
        raise links.Refused(f"cannot race as it is: {'; '.join(wrong)}", pick)
    return pick


def _part(name: str, text: str) -> Any:
    if name == "steps":
        return links.whole("steps", 10, 1, MAX_STEPS).parse(text)
    if name == "model":
        if text in _MODELS or (text.startswith("own-") and text[4:].isalnum()):
            return text
        raise links.Refused(f"is not one of {', '.join(_MODELS)}, or a network of this session")
    if text not in _WORDS[name]:
        near = difflib.get_close_matches(text.lower(), _WORDS[name], n=1, cutoff=0.6)
        hint = f" (perhaps {links.code(near[0])}?)" if near else ""
        raise links.Refused(f"is unknown{hint}")
    return text


def show_pick(pick: Pick | None) -> str:
    """Write a contestant as ``parse_pick`` reads it."""
    if pick is None:
        return "none"
    return ",".join(str(getattr(pick, f.name)) for f in fields(Pick))


def _parameter(letter: str) -> links.Parameter[Pick | None]:
    default = _DEFAULTS[letter]
    return links.Parameter(
        letter.lower(),
        default,
        lambda word: parse_pick(word, default),
        show_pick,
        shared=False,
    )


# Who acts ---------------------------------------------------------------------------------------


def model_titles(data: DataConfig) -> dict[str, str]:
    """The denoisers that a contestant may have on these data: word to title."""
    known = data.name in MIXTURES
    titles = {"exact": "Exact: the true density" if known else "Exact: these points"}
    if known:
        titles["points"] = "Exact: these points"
    if models.shipped(data) is not None:
        titles["learned"] = "Learned: ships with the app"
    for one in own_models.own():
        if models.fits(one.model, data):
            titles[f"own-{one.model.name}"] = f"Learned: {one.model.title}"
    return titles


def resolve(pick: Pick, data: DataConfig) -> tuple[Contestant, str | None]:
    """Turn a pick into a contestant for these data.

    Returns:
        The contestant, and what is to be said if another denoiser than the asked one acts, or
        fewer steps are taken.
    """
    plain = Contestant(pick.sampler, pick.steps, pick.spacing, pick.schedule).walkable
    if pick.model in ("exact", "points"):
        return replace(plain, points=pick.model == "points"), None
    model, why = _trained(pick.model, data)
    return replace(plain, model=model), why


def _trained(word: str, data: DataConfig) -> tuple[ModelConfig | None, str | None]:
    model = models.shipped(data) if word == "learned" else _own(word, data)
    if model is None and word == "learned":
        return None, f"No trained network ships for {data.title}."
    if model is None:
        return None, "That network is not in this session: train or load it on the Training page."
    try:
        models.checkpoint(model)
    except (CheckpointError, ValueError) as error:
        return None, links.plain(str(error))
    return model, None


def _own(word: str, data: DataConfig) -> ModelConfig | None:
    for one in own_models.own():
        if word == f"own-{one.model.name}" and models.fits(one.model, data):
            return one.model
    return None


# Widgets ----------------------------------------------------------------------------------------


def choose_contestants(data: DataConfig) -> tuple[tuple[tuple[str, Contestant], ...], list[str]]:
    """Draw a card for each contestant, and the button that adds one.

    Args:
        data: what they aim for.

    Returns:
        Two to four (letter, contestant) pairs, and what is to be said of them.
    """
    picks, notes = _picks()
    titles = model_titles(data)
    entrants = []
    for letter, pick in picks.items():
        who, why = resolve(pick, data)
        entrants.append((letter, who))
        _card(letter, pick, who, titles, removable=len(picks) > 2)
        if why is not None:
            notes.append(f"{letter} asks for a trained denoiser; the exact one acts. {why}")
        if who.steps < pick.steps:
            notes.append(f"{letter} asks for {pick.steps} steps; this schedule has {who.steps}.")
    if len(picks) < len(LETTERS):
        st.button(
            "Add",
            key="arena_add",
            icon=":material/add:",
            help="Add a contestant",
            on_click=_add,
        )
    return tuple(entrants), notes


def _picks() -> tuple[dict[str, Pick], list[str]]:
    """Who is in, by letter; a race needs two, so the first that are missing come back."""
    asked = {letter: links.value(_parameter(letter)) for letter in LETTERS}
    missing = max(2 - sum(pick is not None for pick in asked.values()), 0)
    back = [letter for letter, pick in asked.items() if pick is None][:missing]
    for letter in back:
        asked[letter] = _DEFAULTS[letter]
        links.keep(_parameter(letter), _DEFAULTS[letter])
    notes = [f"A race needs two contestants: {' and '.join(back)} came back."] if back else []
    return {letter: pick for letter, pick in asked.items() if pick is not None}, notes


def _card(
    letter: str, pick: Pick, who: Contestant, titles: Mapping[str, str], *, removable: bool
) -> None:
    name = SAMPLERS[who.sampler].short
    with st.popover(f"**{letter}**  {name}", help="Change this contestant"):
        _select(letter, "sampler", "Sampler", widgets.titles(SAMPLERS))
        st.caption(SAMPLERS[pick.sampler].sentence)
        knob(
            "Steps",
            _part_of(letter, "steps"),
            _STEP_STOPS,
            _DEFAULTS[letter].steps,
            name=f"steps_{letter}",
            ends=(1, MAX_STEPS),
        )
        _select(letter, "spacing", "Spacing (where it stops)", widgets.titles(SPACING_TEXT))
        _select(letter, "schedule", "Schedule (its path)", widgets.titles(SCHEDULE_TEXT))
        missing = {} if pick.model in titles else {pick.model: f"{pick.model} (not available)"}
        _select(letter, "model", "Denoiser", {**missing, **titles})
        if removable:
            st.button(
                "Take out of the race",
                key=f"_arena_{letter}_remove",
                icon=":material/close:",
                on_click=links.keep,
                args=(_parameter(letter), None),
            )


def _part_of(letter: str, field: str) -> links.View[Pick | None]:
    """A widget's view of one field of a contestant."""
    parameter, usual = _parameter(letter), _DEFAULTS[letter]
    return links.view(
        parameter,
        field,
        lambda raw: replace(links.peek(parameter) or usual, **{field: raw}),
        lambda pick: getattr(pick or usual, field),
    )


def _select(letter: str, name: str, label: str, words: Mapping[str, str]) -> None:
    view, options = _part_of(letter, name), list(words)
    st.selectbox(
        label,
        options,
        options.index(view.shown),
        format_func=words.__getitem__,
        **view.wiring,
    )


def _add() -> None:
    """Bring in the first letter that is out: its default, unless someone races just so."""
    picks = {letter: links.value(_parameter(letter)) for letter in LETTERS}
    letter = next(letter for letter, pick in picks.items() if pick is None)
    taken = set(picks.values())
    fresh: Iterable[Pick] = (_DEFAULTS[letter], *_DEFAULTS.values())
    links.keep(_parameter(letter), next((p for p in fresh if p not in taken), _DEFAULTS[letter]))


def choose_align() -> Align:
    """Draw the switch between the two common clocks."""
    parameter = links.choice("align", "noise", ALIGN)
    with controls.more("Clock"):
        chosen = widgets.segments("One frame is one", parameter, ALIGN, help=_ALIGN_HELP)
    return cast(Align, chosen)


def choose_run() -> tuple[int, int]:
    """Draw the choice of how many samples race and of their seed, folded away."""
    counted = links.whole("samples", _SAMPLES, 100, 5000)
    with controls.more("Noise"):
        samples = widgets.number("Samples (how many start from noise)", counted, step=100)
        seed = controls.choose_seed()
    return samples, seed


def afford(race: RaceConfig) -> RaceConfig:
    """The race with as many samples as can be had in time; fewer than asked for is said."""
    samples = affordable(race)
    controls.say_fewer(race.samples, samples, "Fewer steps or fewer data points")
    return replace(race, samples=samples)


# The chart --------------------------------------------------------------------------------------


def choose_chart(data: DataConfig) -> tuple[ChartConfig, str]:
    """Draw the choices of the chart; returns what it measures and the metric it shows."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        metrics = links.choice("metric", "sliced_wasserstein", METRIC_TITLES)
        metric = widgets.segments("Distance", metrics, METRIC_TITLES)
        networks = {w: t for w, t in model_titles(data).items() if w not in ("exact", "points")}
        offered = _which(networks)
        parameter = links.choice("of", "both" if networks else "exact", offered)
        which = widgets.segments("Denoiser", parameter, offered)
        with st.popover("More", icon=":material/tune:", help="What the chart measures"):
            word = next(iter(networks), "learned")
            if len(networks) > 1:
                word = widgets.menu("Network", links.choice("net", word, networks), networks)
            schedule = widgets.menu(
                "Schedule",
                links.choice("chart_schedule", "rectified_flow", SCHEDULE_TEXT),
                widgets.titles(SCHEDULE_TEXT),
            )
            spacing = widgets.menu(
                "Spacing",
                links.choice("chart_spacing", "quadratic", SPACING_TEXT),
                widgets.titles(SPACING_TEXT),
            )
            samples = _number("chart_samples", "Samples of each run", 2000, 250, 5000, 250)
            seeds = _number("seeds", "Runs of each kind (seeds)", 3, 1, 10, 1)
    links.complaints("metric", "of", "net", "chart_schedule", "chart_spacing")
    links.complaints("chart_samples", "seeds")
    model = _trained(word, data)[0] if networks else None
    denoisers = ("exact", "learned") if which == "both" else (which,)
    if model is None:
        denoisers = ("exact",)
    return ChartConfig(data, denoisers, model, schedule, spacing, samples, seeds), metric


def _which(networks: Mapping[str, str]) -> dict[str, str]:
    return {"exact": "Exact", "learned": "Learned", "both": "Both"} if networks else _ONLY_EXACT


_ONLY_EXACT = {"exact": "Exact"}
METRIC_TITLES = {
    **{key: measure.short for key, measure in MEASURES.items()},
    END_POINT: "End points",
}
"""What the table's heads and the chart's menu say of each metric."""


def _number(key: str, label: str, default: int, low: int, high: int, step: int) -> int:
    return widgets.number(label, links.whole(key, default, low, high), step=step)
