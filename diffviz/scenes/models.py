"""Which trained denoiser acts: one that ships with the app, or one the reader trained or loaded.

A ``ModelConfig`` is small, frozen and hashable, so that cached functions take it as a key; the
network itself is looked up when the work is done.  A reader's own models do not travel with links;
they are named by the digest of their weights, so two models never share a cached result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakValueDictionary

from diffviz.core.denoisers import Denoiser, OnPath
from diffviz.core.schedules import Schedule
from diffviz.models.checkpoints import Checkpoint
from diffviz.models.pretrained import PRETRAINED, pretrained
from diffviz.networks.mlp import PointNetwork
from diffviz.scenes.configs import DataConfig

_OWN: WeakValueDictionary[str, Checkpoint] = WeakValueDictionary()  # as long as anybody has them


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


def shipped(data: DataConfig) -> ModelConfig | None:
    """The model that ships for a built-in data set; None where there is none."""
    if data.name not in PRETRAINED:
        return None
    return ModelConfig("shipped", data.name, f"Shipped: {data.title}")


def checkpoint(model: ModelConfig) -> Checkpoint:
    """The model and its card; shared by all who ask, so never train it.

    Raises:
        ValueError: if nobody has an own model any more.
        CheckpointError: if a shipped one is damaged.
    """
    if model.kind == "shipped":
        return pretrained(model.name)
    found = _OWN.get(model.name)
    if found is None:
        raise ValueError(
            "This trained model is no longer in memory: train it again, or load its files on "
            "the Training page."
        )
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


def share(model: ModelConfig, found: Checkpoint) -> Checkpoint:
    """Let all who know its name find a reader's own model, as long as the reader keeps it.

    Returns:
        What to keep: the same for all who have this model.
    """
    return _OWN.setdefault(model.name, found)
