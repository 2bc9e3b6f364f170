"""Schedules that come and go as files: a diffusers config in, the curves as CSV and JSON out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import streamlit as st

from diffviz.configs import ConfigError, LoadedConfig, load_config
from diffviz.export import curves_to_csv, curves_to_json
from diffviz.schedules import Schedule
from diffviz.ui import links

__all__ = ["files", "loaded"]

_LONGEST_LINK = 800
_LONG = "_long_config"


def _config_word(word: str) -> str:
    if not word:
        return ""
    try:
        return load_config(word).source
    except ConfigError as error:
        raise links.Refused(f"cannot be read ({error})") from None


CONFIG: links.Parameter[str] = links.Parameter("config", "", _config_word, shared=False)
"""A loaded config in the address, as far as it sets the schedule."""


def loaded() -> LoadedConfig | None:
    """The config that was loaded, from the address or, where it is too long for one, a file."""
    source = links.value(CONFIG) or st.session_state.get(_LONG, "")
    return _load(source) if source else None


@lru_cache(maxsize=32)
def _load(source: str) -> LoadedConfig:
    return load_config(source)


def files(schedules: Mapping[str, Schedule]) -> None:
    """Draw loading a diffusers config and downloading the curves of schedules, by their names."""
    with st.expander("Load and download", key="_fold_files"):
        st.file_uploader(
            "Load a diffusers scheduler_config.json", key="_config_file", on_change=_take_config
        )
        trouble = st.session_state.get("_config_trouble")
        if trouble:
            st.error(f"{links.plain(trouble)} What was drawn stays.", icon=":material/data_object:")
        config = loaded()
        if config is not None:
            long = "" if links.value(CONFIG) else " It is too long for the link."
            notes = " ".join(config.notes)
            st.caption(links.plain(f"Drawn: {config.name} ({config.kind}). {notes}{long}"))
            st.button("Remove it", icon=":material/close:", on_click=_forget_config)
        with st.container(horizontal=True):
            _download("CSV", "csv", "text/csv", lambda: curves_to_csv(schedules))
            _download("JSON", "json", "application/json", lambda: curves_to_json(schedules))


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
    fits = len(source) <= _LONGEST_LINK
    links.keep(CONFIG, source if fits else "")
    st.session_state[_LONG] = "" if fits else source


def _forget_config() -> None:
    links.keep(CONFIG, "")
    st.session_state[_LONG] = ""
