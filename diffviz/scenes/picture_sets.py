"""The sets of pictures that a trained network draws: who answers, and who tells what it drew."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from torch import Tensor

from diffviz.core.denoisers import Clipped, Conditioned, Denoiser, Guided, Network, OnPath
from diffviz.core.schedules import Schedule
from diffviz.data.pictures import IMAGE_INFO
from diffviz.models.pretrained import classifier, image_model
from diffviz.networks.classifier import Classifier
from diffviz.scenes.sharing import Shared, multiplying_best


@dataclass(frozen=True)
class PictureSet:
    """A set of pictures with a trained network.

    Attributes:
        name: its key, and the word in URLs.
        title: what menus call it.
        one: what one of its pictures is called.
        classes: names of the classes.
        shape: (channels, height, width) of a picture.
        source: what the network was trained on.
    """

    name: str
    title: str
    one: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    source: str

    def check(self, asked: Collection[int]) -> None:
        """Raise ``ValueError`` for classes, by their numbers, that it does not have."""
        last = len(self.classes) - 1
        if not all(0 <= each <= last for each in asked):
            raise ValueError(f"the classes of {self.title} are numbered from 0 to {last}")


PICTURE_SETS: dict[str, PictureSet] = {
    "mnist": PictureSet(
        "mnist",
        "Digits (MNIST)",
        "digit",
        tuple("0123456789"),
        (1, 28, 28),
        "10,000 handwritten digits of MNIST",
    ),
    "fashion": PictureSet(
        "fashion",
        "Clothes (Fashion-MNIST)",
        "piece",
        IMAGE_INFO["fashion"].classes,
        (1, 28, 28),
        "60,000 photographs of Fashion-MNIST",
    ),
}


@cache
def ready() -> tuple[str, ...]:
    """The sets whose network is here and whole."""
    return tuple(name for name in PICTURE_SETS if _whole(name))


def _whole(name: str) -> bool:
    try:
        image_model(name)
        classifier(name)
    except ValueError:  # a CheckpointError is one
        return False
    return True


def answers(
    name: str,
    schedule: Schedule,
    labels: Tensor | None = None,
    guidance: float = 1.0,
    *,
    clipped: bool = True,
    quick: bool = False,
) -> Denoiser:
    """The network of a set, asked on a path, its batch shared between the cores.

    Args:
        name: a key of ``PICTURE_SETS``.
        schedule: the path.
        labels: (N,) the class of each picture, None for any.
        guidance: the guidance scale, see ``Guided``.
        clipped: whether x_0 is held in the pixels' range.
        quick: whether it multiplies as the device does it best, which pictures do not show, rather
            than in float32, which likelihoods and the way back to noise need.
    """
    network = _quick(name) if quick else image_model(name).denoiser
    asked: Denoiser = OnPath(network, network.schedule, schedule)
    if labels is not None:
        asked = Guided(asked, guidance)
    if clipped:
        asked = Clipped(asked)
    shared = Shared(asked)
    return shared if labels is None else Conditioned(shared, label=labels)


@cache
def _quick(name: str) -> Network:
    return multiplying_best(image_model(name).denoiser)


def evaluations(labels: Tensor | None, guidance: float) -> int:
    """How many calls of the network an answer costs."""
    return 1 if labels is None or guidance in (0, 1) else 2


@cache
def judge(name: str) -> Classifier:
    """The classifier that tells what a picture of a set shows."""
    return classifier(name)
