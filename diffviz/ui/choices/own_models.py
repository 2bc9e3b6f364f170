"""The models that a reader trained or loaded: they belong to the session."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from diffviz.models.checkpoints import Checkpoint, dumps
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig, share

_MOST = 4  # models that a session keeps; the oldest goes first
_SLOT = "_own_models"


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
    kept = {digest: OwnModel(model, data, share(model, found)), **others}
    st.session_state[_SLOT] = dict(list(kept.items())[:_MOST])
    return model


def own() -> list[OwnModel]:
    """The session's own models, newest first."""
    kept = st.session_state.get(_SLOT)
    return list(kept.values()) if isinstance(kept, Mapping) else []
