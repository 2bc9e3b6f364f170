"""A model as files: saved from the page, loaded into it, and led on to other pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import streamlit as st

from diffviz.models.checkpoints import Checkpoint, CheckpointError, dumps, loads
from diffviz.networks.mlp import PointNetwork
from diffviz.scenes import models
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig
from diffviz.ui.choices import own_models, uploader
from diffviz.ui.screens.training.controls import data_query
from diffviz.ui.shell import links, theme

_LOADED, _TROUBLE, _FILES = "_training_loaded", "_training_load_trouble", "_training_files"
_LONGEST_NAME = 60


def read(files: Sequence[tuple[str, bytes]]) -> Checkpoint:
    """Read the two files of a model.

    Args:
        files: name and content of each; of two files of one kind the last one counts.

    Raises:
        CheckpointError: if they are not the two files of a model of points in the plane.
    """
    by_end = {name.lower().rpartition(".")[2]: content for name, content in files}
    for end, what in (("safetensors", "weights are"), ("json", "card is")):
        if end not in by_end:
            raise CheckpointError(
                f"The {what} missing: a model is two files that were saved together. Choose the "
                f".{end} file too."
            )
    found = loads(by_end["safetensors"], by_end["json"])
    module = found.denoiser.module
    if not isinstance(module, PointNetwork) or module.config.dim != 2:
        raise CheckpointError(
            "This model is of numbers on a line; this page shows models of points in the plane."
        )
    return found


def load(data: DataConfig) -> None:
    """Draw the upload of a model; what is wrong with the files is said below it."""
    with st.popover("Load", icon=":material/upload:"):
        _say_trouble()
        uploader.uploader(
            uploader.MODEL,
            _FILES,
            accept_multiple_files=True,
            on_change=_take,
            args=(data,),
            width=360,
        )


def _say_trouble() -> None:
    trouble = st.session_state.get(_TROUBLE)
    if trouble:
        st.error(links.plain(trouble), icon=":material/error:", width=360)


def _take(data: DataConfig) -> None:
    """Read what was chosen; what is shown stays where it cannot be read."""
    st.session_state.pop(_TROUBLE, None)
    files = st.session_state.get(_FILES) or []
    if not files:
        forget()
        return
    try:
        found = read([(file.name, file.getvalue()) for file in files])
    except CheckpointError as error:
        st.session_state[_TROUBLE] = str(error)
        return
    name = files[-1].name.rpartition(".")[0][:_LONGEST_NAME]
    model = own_models.keep(found, None, f"{name} (loaded)")
    st.session_state[_LOADED] = model, data


def loaded(data: DataConfig) -> ModelConfig | None:
    """The model that was loaded while these data were chosen."""
    known = st.session_state.get(_LOADED)
    return cast("ModelConfig", known[0]) if known is not None and known[1] == data else None


def forget() -> None:
    """Show the loaded model no longer; it stays among the session's own."""
    st.session_state.pop(_LOADED, None)


def save(model: ModelConfig, name: str) -> None:
    """Draw the two buttons that save a model."""
    weights, card = _dumped(model)
    with st.popover("Save", icon=":material/download:"):
        st.download_button(
            "Weights (safetensors)",
            weights,
            f"{name}.safetensors",
            "application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            width=260,
        )
        st.download_button(
            "Card (JSON)",
            card,
            f"{name}.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
            width=260,
        )


@lru_cache(maxsize=16)
def _dumped(model: ModelConfig) -> tuple[bytes, bytes]:
    found = models.checkpoint(model)
    return dumps(found.denoiser, found.card)


def lead_on(model: ModelConfig, data: DataConfig) -> None:
    """Draw the links that take a model to other pages."""
    query = data_query(data)
    acting: dict[str, object] = {"denoiser": "learned"}
    if model.kind == "own":
        acting = {"denoiser": "own", "own": model.name}
    theme.link("Use it in Reverse", "reverse", {**query, **acting})
    theme.link("In the Arena", "arena", query)
