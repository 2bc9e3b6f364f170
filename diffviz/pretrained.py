"""Trained networks that ship with the app: one for each built-in set of points, and of pictures.

Each is a pair of files in ``diffviz/weights/``, as ``checkpoints`` describes them; the card says
how it was trained and how well it does.  ``python -m diffviz.train`` makes them anew.  A set of
pictures also has a classifier, which tells what a sample shows.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import safetensors.torch
import torch

from diffviz.checkpoints import Checkpoint, CheckpointError, load
from diffviz.classifier import Classifier
from diffviz.datasets import DATASETS
from diffviz.sources import SOURCES

__all__ = [
    "FOLDER",
    "IMAGE_FOLDER",
    "PRETRAINED",
    "classifier",
    "classifier_card",
    "image_model",
    "pretrained",
]

FOLDER = Path(__file__).parent / "weights"
"""Where the shipped models lie."""

IMAGE_FOLDER = FOLDER / "images"
"""Where the shipped models of pictures and their classifiers lie."""

PRETRAINED: tuple[str, ...] = tuple(name for name in DATASETS if name != "text")
"""The data sets that have a trained model: all built-in ones."""


@cache
def pretrained(name: str) -> Checkpoint:
    """Return the shipped model of a data set; every caller gets the same, so never train it.

    Where the data set has classes the model takes a ``label`` too, and was trained without it for
    a tenth of the points, so that it answers both ways (classifier-free guidance).

    Args:
        name: one of ``PRETRAINED``.

    Raises:
        ValueError: for another name.
        CheckpointError: if its files are missing or damaged.
    """
    if name not in PRETRAINED:
        raise ValueError(
            f"there is no trained model of {name!r}: choose one of {', '.join(PRETRAINED)}"
        )
    return load(FOLDER / f"{name}.safetensors")


@cache
def image_model(name: str) -> Checkpoint:
    """Return the shipped, class-conditional model of a set of pictures; never train it.

    Args:
        name: one of ``SOURCES``.

    Raises:
        ValueError: for another name.
        CheckpointError: if its files are missing or damaged.
    """
    found = load(IMAGE_FOLDER / f"{_known(name)}.safetensors")
    for weight in found.denoiser.module.parameters():
        if weight.ndim == 4:  # of a convolution: the same answers, sooner
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return found


@cache
def classifier(name: str) -> Classifier:
    """Return the shipped classifier of a set of pictures; never train it.

    Args:
        name: one of ``SOURCES``.

    Raises:
        ValueError: for another name.
        CheckpointError: if its file is missing or damaged.
    """
    judge = Classifier()
    try:
        weights = safetensors.torch.load_file(_judge(name, ".safetensors"))
        judge.load_state_dict({key: value.float() for key, value in weights.items()})
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"The classifier of {name} cannot be read: its file is missing or damaged. Train it "
            f"again with: python -m diffviz.train classifiers {name}"
        ) from error
    return judge.eval().requires_grad_(False)


def classifier_card(name: str) -> dict[str, object]:
    """Return the card of a classifier: data, command and measured accuracy."""
    card: dict[str, object] = json.loads(_judge(name, ".json").read_text("utf-8"))
    return card


def _judge(name: str, ending: str) -> Path:
    return IMAGE_FOLDER / f"{_known(name)}-classifier{ending}"


def _known(name: str) -> str:
    if name not in SOURCES:
        raise ValueError(f"there is no model of {name!r}: choose one of {', '.join(SOURCES)}")
    return name
