"""Schedules that come and go as files: a diffusers config in, the curves as CSV and JSON out.

A config that was loaded is at hand on every page that asks for a schedule until the session ends or
it is removed, whatever pages are visited.  A short one travels with links.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import streamlit as st

from diffviz.core.grids import nearest_steps
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import Schedule
from diffviz.exchange.export import curves_to_csv, curves_to_json
from diffviz.exchange.scheduler_config import ConfigError, LoadedConfig, load_config
from diffviz.scenes.configs import LOADED, ScheduleConfig
from diffviz.ui.choices import uploader, widgets
from diffviz.ui.shell import links, theme

_LONGEST_LINK = 800
_FILE = "_config_source"
_STEPS = {"LCMScheduler": 4, "TCDScheduler": 4}
_USUAL_STEPS = 20
_TOKENS = (256, 512, 1024, 1560, 2048, 3072, 4096, 6144, 8192, 16_384)
_WORDS = {"epsilon": "the noise eps", "sample": "the data x_0", "v_prediction": "v"}


@dataclass(frozen=True)
class Own:
    """A scheduler's file.

    Attributes:
        source: what it says, as ``LoadedConfig.source``.
        of: whose it is; empty for the one that the reader loaded.
    """

    source: str
    of: str = ""


def _config_word(word: str) -> str:
    if not word:
        return ""
    try:
        return load_config(word).source
    except ConfigError as error:
        raise links.Refused(f"cannot be read ({error})") from None


CONFIG: links.Parameter[str] = links.Parameter("config", "", _config_word, shared=False)
"""A loaded config in the address, as far as it is read."""


def at_hand() -> Own | None:
    """The config that this page's address names, or else the last one of the session."""
    source = links.peek(CONFIG) or st.session_state.get(_FILE, "")
    st.session_state[_FILE] = source
    return Own(source) if source else None


def loaded() -> ScheduleConfig | None:
    """The schedule of the config that was loaded; the page's address names it from here on."""
    file = at_hand()
    if file is None:
        links.value(CONFIG)  # where the address holds one that cannot be read, this notes why
        return None
    _name(file)
    return _config(file, None)


def _name(file: Own) -> None:
    """Let the address name a file, where that is short enough."""
    word = file.source if len(file.source) <= _LONGEST_LINK else ""
    if links.value(CONFIG) != word:
        links.keep(CONFIG, word)


def offered(default: str, names: Iterable[str], own: Own | None) -> links.Parameter[str]:
    """The choice of a schedule in the address, that of a file among them where there is one."""
    if own is not None:
        return replace(links.choice("schedule", LOADED, (*names, LOADED)), of=own.of)
    if at_hand() is not None:
        return links.choice("schedule", default, (*names, LOADED))
    links.value(CONFIG)  # as in ``loaded``
    plain = links.choice("schedule", default, names)

    def parse(word: str) -> str:
        if word == LOADED:
            raise links.Refused(
                "is a scheduler's file that does not travel with the link: load it on the page "
                "Schedules"
            )
        return plain.parse(word)

    return replace(plain, parse=parse)


def choose_file(file: Own, *, linked: bool) -> ScheduleConfig:
    """Draw what a file says and what can be chosen about it; the schedule.

    Args:
        file: the file.
        linked: whether it is what this page's address names.
    """
    if linked:
        _name(file)
    found = ScheduleConfig(LOADED, source=file.source).file
    assert found is not None
    tokens = _choose_tokens(found) if found.tokens is not None else None
    asked = _config(file, tokens)
    assert asked.file is not None
    st.markdown(_about(asked.file))
    return asked


def files(schedules: Mapping[str, Schedule]) -> None:
    """Draw loading a diffusers config and downloading the curves of schedules, by their names."""
    with st.expander("Load and download", key="_fold_files"):
        uploader.uploader(uploader.CONFIG, "_config_file", on_change=_take_config)
        trouble = st.session_state.get("_config_trouble")
        if trouble:
            st.error(f"{links.plain(trouble)} What was drawn stays.", icon=":material/data_object:")
        file = at_hand()
        if file is not None:
            asked = choose_file(file, linked=True)
            _run_links(asked)
            st.button("Remove it", icon=":material/close:", on_click=_forget_config)
        with st.container(horizontal=True):
            _download("CSV", "csv", "text/csv", lambda: curves_to_csv(schedules))
            _download("JSON", "json", "application/json", lambda: curves_to_json(schedules))


def _config(file: Own, tokens: int | None) -> ScheduleConfig:
    found = ScheduleConfig(LOADED, source=file.source).file
    if tokens is None and found is not None and found.tokens is not None:
        tokens = links.peek(_tokens(found))
    return ScheduleConfig(LOADED, source=file.source, tokens=tokens)


def _tokens(found: LoadedConfig) -> links.Parameter[int]:
    assert found.tokens is not None
    span = found.tokens
    return links.whole("tokens", span.chosen, span.low, span.high, of=found.name)


def _choose_tokens(found: LoadedConfig) -> int:
    assert found.tokens is not None
    stops = [count for count in _TOKENS if found.tokens.low <= count <= found.tokens.high]
    return widgets.stops(
        "Tokens (how many pieces a picture is cut into)",
        _tokens(found),
        (found.tokens.low, *stops, found.tokens.high),
    )


def _about(found: LoadedConfig) -> str:
    """What a file says, for the reader."""
    long = "It is too long for the link." if len(found.source) > _LONGEST_LINK else ""
    stops = f"A run stops: {found.says}." if found.stops is not None else ""
    predicts = _WORDS.get(found.predicts, found.predicts)
    told = f"Its network predicts {predicts}." if predicts else ""
    held = f"Of pictures {found.bounds}." if str(found.bounds) else ""
    walker = SAMPLERS[found.sampler].title
    steps = (
        f"{walker} takes its steps."
        if found.same_steps
        else f"Its own way of stepping is not here: {walker} walks its stops."
    )
    parts = [f"**{links.plain(found.title)}**, from a file for {found.name}.", stops, told, held]
    parts += [steps if found.stops is not None else "", *found.notes, long]
    first, *rest = [part for part in parts if part]
    return " ".join([first, *(links.plain(part) for part in rest)])


def _run_links(asked: ScheduleConfig) -> None:
    """Offer the runs that the file describes, on points and on pictures."""
    found = asked.file
    if found is None or found.stops is None:
        return
    steps = nearest_steps(found.schedule, _STEPS.get(found.name, _USUAL_STEPS))
    query: dict[str, object] = {"schedule": LOADED, "sampler": found.sampler, "steps": steps}
    if len(asked.source) <= _LONGEST_LINK:
        query["config"] = asked.source
    if asked.tokens is not None:
        query["tokens"] = asked.tokens
    theme.link("Run as this file says, on points", "reverse", query)
    clip = {"clip": True} if str(found.bounds) else {}
    theme.link("Run as this file says, on pictures", "images", query | clip)


def _download(label: str, suffix: str, mime: str, make: Callable[[], str]) -> None:
    st.download_button(
        f"Download {label}",
        make,
        file_name=f"schedules.{suffix}",
        mime=mime,
        icon=":material/download:",
        on_click="ignore",
        key=f"_download_{suffix}",
    )


def _take_config() -> None:
    file = st.session_state.get("_config_file")
    st.session_state["_config_trouble"] = None
    if file is None:
        return
    try:
        source = load_config(file.getvalue()).source
    except ConfigError as error:
        st.session_state["_config_trouble"] = str(error)
        return
    st.session_state[_FILE] = source
    _name(Own(source))


def _forget_config() -> None:
    links.keep(CONFIG, "")
    st.session_state[_FILE] = ""
