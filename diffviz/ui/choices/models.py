"""Which trained denoiser acts: one that ships with the app, or one the reader trained or loaded.

A ``ModelConfig`` is small, frozen and hashable, so that cached functions take it as a key; the
network itself is looked up when the work is done.  A reader's own models belong to the session and
do not travel with links; they are named by the digest of their weights, so two models never share
a cached result.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import streamlit as st

from diffviz.core.denoisers import Denoiser, OnPath
from diffviz.core.schedules import Schedule
from diffviz.models.checkpoints import Checkpoint, dumps
from diffviz.models.pretrained import PRETRAINED, pretrained
from diffviz.networks.mlp import PointNetwork
from diffviz.ui.choices.configs import DataConfig

_MOST_OWN = 4  # models that a session keeps; the oldest goes first
_MOST_KEPT = 64  # own models of all sessions that are held in memory
_SLOT = "_own_models"
_LOCK = threading.Lock()
_KEPT: OrderedDict[str, Checkpoint] = OrderedDict()


@dataclass(frozen=True)
class ModelConfig:
    """A choice of a trained denoiser.

    Attributes:
        kind: "shipped" or "own".
        name: the data set of a shipped model, the digest of an own model's weights.
        title: what menus call it; does not count in comparisons.
    """

    kind: Literal["shipped", "own"]
    name: str
    title: str = field(default="", compare=False)


@dataclass(frozen=True)
class OwnModel:
    """A model of this session.

    Attributes:
        model: the choice that names it.
        data: what it was trained on, where that is known.
        checkpoint: the model and its card.
    """

    model: ModelConfig
    data: DataConfig | None
    checkpoint: Checkpoint


def shipped(data: DataConfig) -> ModelConfig | None:
    """The model that ships for a built-in data set; None where there is none."""
    if data.name not in PRETRAINED:
        return None
    return ModelConfig("shipped", data.name, f"Shipped: {data.title}")


def keep(found: Checkpoint, data: DataConfig | None, title: str) -> ModelConfig:
    """Add a model to the session's own, newest first; the oldest leaves when there are many.

    Args:
        found: a model that was trained or loaded here.
        data: what it was trained on, if that is known.
        title: what menus call it.
    """
    digest = hashlib.sha256(dumps(found.denoiser, found.card)[0]).hexdigest()[:16]
    model = ModelConfig("own", digest, title)
    others = {m.model.name: m for m in own() if m.model != model}
    kept = {digest: OwnModel(model, data, found), **others}
    st.session_state[_SLOT] = dict(list(kept.items())[:_MOST_OWN])
    _hold(digest, found)
    return model


def own() -> list[OwnModel]:
    """The session's own models, newest first."""
    kept = st.session_state.get(_SLOT)
    return list(kept.values()) if isinstance(kept, Mapping) else []


def checkpoint(model: ModelConfig) -> Checkpoint:
    """The model and its card; shared by all who ask, so never train it.

    Raises:
        ValueError: if an own model is no longer held.
        CheckpointError: if a shipped one is damaged.
    """
    if model.kind == "shipped":
        return pretrained(model.name)
    with _LOCK:
        found = _KEPT.get(model.name)
    if found is None:
        mine = {m.model.name: m.checkpoint for m in own()}
        found = mine.get(model.name)
        if found is None:
            raise ValueError(
                "This trained model is no longer in memory: train it again, or load its files on "
                "the Training page."
            )
    _hold(model.name, found)
    return found


def classes(model: ModelConfig) -> int:
    """How many classes a model can be asked for; 0 where it takes no label."""
    module = checkpoint(model).denoiser.module
    return module.config.classes if isinstance(module, PointNetwork) else 0


def fits(model: ModelConfig, data: DataConfig) -> bool:
    """Whether a model answers for data of this kind: for as many coordinates."""
    module = checkpoint(model).denoiser.module
    dims = {"1-D": 1, "2-D": 2}
    return isinstance(module, PointNetwork) and module.config.dim == dims.get(data.kind)


def cost(model: ModelConfig) -> int:
    """How many weights a model has, and so about how many products it costs to ask it once."""
    return sum(weight.numel() for weight in checkpoint(model).denoiser.module.parameters())


def denoiser(model: ModelConfig, schedule: Schedule) -> Denoiser:
    """The trained denoiser, ready to be asked on a path: any path, whatever it was trained on."""
    network = checkpoint(model).denoiser
    return OnPath(network, network.schedule, schedule)


def _hold(digest: str, found: Checkpoint) -> None:
    with _LOCK:
        _KEPT[digest] = found
        _KEPT.move_to_end(digest)
        while len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
