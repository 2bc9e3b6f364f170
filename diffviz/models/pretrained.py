"""Trained networks that ship with the app: one for each built-in set of points, and of pictures.

Each is a pair of files in ``weights/``, as ``checkpoints`` describes them; the card says how it was
trained and how well it does.  ``python -m diffviz train`` makes them anew.  A set of
pictures also has a classifier, which tells what a sample shows.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch

from diffviz.data.dogs import CLASSES
from diffviz.data.full_sets import SOURCES
from diffviz.data.points import DATASETS
from diffviz.models.checkpoints import Checkpoint, load
from diffviz.models.modules import load_module, read_card
from diffviz.networks.classifier import Classifier
from diffviz.networks.gan import Forger, GANConfig
from diffviz.networks.vae import VAE, VAEConfig

__all__ = [
    "FOLDER",
    "GENERATOR_FOLDER",
    "IMAGE_FOLDER",
    "LATENTS",
    "PRETRAINED",
    "classifier",
    "classifier_card",
    "dog_classifier",
    "dog_model",
    "forger",
    "generator_card",
    "generator_stem",
    "image_model",
    "latent_model",
    "pretrained",
    "vae",
]

FOLDER = Path(__file__).parent / "weights"
"""Where the shipped models lie."""

IMAGE_FOLDER = FOLDER / "images"
"""Where the shipped models of pictures and their classifiers lie."""

GENERATOR_FOLDER = FOLDER / "generators"
"""Where the VAEs, GANs and latent models lie."""

LATENTS = (2, 16)
"""Numbers in the codes of the VAEs."""

PRETRAINED: tuple[str, ...] = tuple(
    name for name in DATASETS if (FOLDER / f"{name}.json").is_file()
)
"""The data sets that have a trained model."""


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
    return _of_pictures(IMAGE_FOLDER / f"{_known(name)}.safetensors")


@cache
def dog_model() -> Checkpoint:
    """Return the shipped model of the drawn dogs, told whether they wear a collar; never train it.

    Raises:
        CheckpointError: if its files are missing or damaged.
    """
    return _of_pictures(IMAGE_FOLDER / "dogs.safetensors")


def _of_pictures(path: Path) -> Checkpoint:
    found = load(path)
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
    return load_module(_judge(name), Classifier(), f"python -m diffviz train classifiers {name}")


@cache
def dog_classifier() -> Classifier:
    """Return the shipped classifier of the drawn dogs, class 1 for a collar; never train it.

    Raises:
        CheckpointError: if its file is missing or damaged.
    """
    stem = IMAGE_FOLDER / "dogs-classifier"
    return load_module(stem, Classifier(len(CLASSES)), "python -m diffviz train dogs classifier")


def classifier_card(name: str) -> dict[str, Any]:
    """Return the card of a classifier: data, command and measured accuracy.

    Raises:
        ValueError: for another name.
        CheckpointError: if it is missing or damaged.
    """
    return read_card(_judge(name))


@cache
def vae(name: str, latent: int, folder: Path = GENERATOR_FOLDER) -> VAE:
    """Return the shipped VAE of a set of pictures; never train it.

    Args:
        name: one of ``SOURCES``.
        latent: numbers in a code, one of ``LATENTS``.
        folder: where it lies.

    Raises:
        ValueError: for another name or size.
        CheckpointError: if its file is missing or damaged.
    """
    stem = generator_stem(name, f"vae{_known_latent(latent)}", folder)
    return load_module(
        stem, VAE(VAEConfig(latent)), f"python -m diffviz train vaes {name}-{latent}"
    )


@cache
def latent_model(name: str, latent: int, folder: Path = GENERATOR_FOLDER) -> Checkpoint:
    """Return the shipped diffusion model of the standardised codes of a VAE; never train it.

    It takes a ``label`` too, and answers without one.  ``VAE.unstandardised`` makes codes of what
    it draws.

    Args:
        name: one of ``SOURCES``.
        latent: numbers in a code, one of ``LATENTS``.
        folder: where it lies.

    Raises:
        ValueError: for another name or size.
        CheckpointError: if its files are missing or damaged.
    """
    return load(generator_stem(name, f"latent{_known_latent(latent)}", folder))


@cache
def forger(name: str, folder: Path = GENERATOR_FOLDER) -> Forger:
    """Return the shipped GAN's forger of a set of pictures; never train it.

    Args:
        name: one of ``SOURCES``.
        folder: where it lies.

    Raises:
        ValueError: for another name.
        CheckpointError: if its file is missing or damaged.
    """
    stem = generator_stem(name, "gan", folder)
    return load_module(stem, Forger(GANConfig()), f"python -m diffviz train gans {name}")


def generator_card(name: str, kind: str) -> dict[str, Any]:
    """Return the card of "vae2", "vae16", "gan", "latent2" or "latent16" of a set.

    Raises:
        ValueError: for another name.
        CheckpointError: if it is missing or damaged.
    """
    return read_card(generator_stem(name, kind))


def generator_stem(name: str, kind: str, folder: Path = GENERATOR_FOLDER) -> Path:
    """The path of the files of a generator, without an ending; its history ends in .npz."""
    return folder / f"{_known(name)}-{kind}"


def _known_latent(latent: int) -> int:
    if latent not in LATENTS:
        raise ValueError(f"the VAEs have codes of {' or '.join(map(str, LATENTS))} numbers")
    return latent


def _judge(name: str) -> Path:
    return IMAGE_FOLDER / f"{_known(name)}-classifier"


def _known(name: str) -> str:
    if name not in SOURCES:
        raise ValueError(f"there is no model of {name!r}: choose one of {', '.join(SOURCES)}")
    return name
