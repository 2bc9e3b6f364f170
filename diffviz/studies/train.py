"""Train the networks that ship with the app.

    python -m diffviz train points                    # every built-in set of points
    python -m diffviz train points moons spiral       # some of them
    python -m diffviz train points moons --steps 500 --into /tmp/weights
    python -m diffviz train images mnist              # pictures; goes on where it was interrupted
    python -m diffviz train classifiers fashion       # what measures them
    python -m diffviz train vaes mnist-2 mnist-16     # a set and the numbers in a code
    python -m diffviz train gans fashion
    python -m diffviz train latents mnist-16          # diffusion models of the codes of a VAE
    python -m diffviz train dogs                      # the drawn dogs, and who looks for a collar

Each model of points is trained on a draw of its data set and measured on fresh ones as
``python -m diffviz report`` does; the figures go into the card beside the weights.  What pictures
need is in ``train_images``, ``train_generators`` and, for the drawn dogs, ``train_dogs``; their
quality is measured by ``python -m diffviz evaluate``.  What is interrupted goes on where it was
when the same command is given again, but for points, codes and dogs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from diffviz.core.schedules import EDM
from diffviz.data.full_sets import SOURCES
from diffviz.data.points import DATASETS, INFO, labelled
from diffviz.models.checkpoints import Card, save
from diffviz.models.pretrained import FOLDER, GENERATOR_FOLDER, IMAGE_FOLDER
from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.training import TrainConfig, Trainer
from diffviz.studies.command import Command, at_least, watched
from diffviz.studies.report import POINTS, figures_of
from diffviz.studies.train_dogs import DOG_CONFIG, train_dog_judge, train_dogs
from diffviz.studies.train_generators import (
    AUTOENCODERS,
    GAN_STEPS,
    LATENT_STEPS,
    VAE_STEPS,
    train_gan,
    train_latent,
    train_vae,
)
from diffviz.studies.train_images import (
    CLASSIFIER_EPOCHS,
    IMAGE_CONFIG,
    train_images,
    train_judge,
)

__all__ = ["CONFIG", "NETWORK", "POINTS", "TRAINABLE", "main", "train_points"]

TRAINABLE = tuple(name for name in DATASETS if name != "text")
"""The sets of points that get a model: all that are not made by the reader."""

CONFIG = TrainConfig("x_0", "log_normal", batch=512, steps=8000, lr=2e-3, ema_decay=0.9995)
"""How they are trained; a higher learning rate diverges sooner or later in so many steps."""

NETWORK = NetworkConfig(width=128, depth=3)
"""Their shape; coordinates and classes are those of the data set."""


def train_points(name: str, steps: int, into: Path) -> dict[str, float]:
    """Train the model of a data set and save it; return the figures on its card.

    Args:
        name: one of ``TRAINABLE``.
        steps: how long to train.
        into: the folder for the two files.

    Raises:
        Diverged: when training does; nothing is written then.
    """
    points, labels = labelled(name, POINTS, seed=0)
    classes = INFO[name].classes if INFO[name].classes > 1 else 0
    schedule = EDM()
    trainer = Trainer(
        points,
        schedule,
        replace(CONFIG, steps=steps),
        replace(NETWORK, dim=points.shape[1], classes=classes),
        labels if classes else None,
        every=250,
    )
    watched(trainer, name)
    denoiser = trainer.denoiser()
    figures = figures_of(name, denoiser, schedule) | {"seconds": round(trainer.seconds, 1)}
    command = f"python -m diffviz train points {name} --steps {steps}"
    card = Card(name, trainer.config.seed, steps, command, figures, trainer.config)
    save(into / name, denoiser, card, dtype=torch.float16)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    parser = Command(prog="python -m diffviz train", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True, title="kinds")
    for name, kind in _KINDS.items():
        command = kinds.add_parser(name, help=kind.words, description=f"Train {kind.words}.")
        command.add_names(kind.names)
        command.add_argument(
            f"--{kind.unit}",
            type=at_least(1),
            default=kind.count,
            dest="count",
            metavar="N",
            help="how long each is trained",
        )
        command.add_argument(
            "--into", type=Path, default=kind.into, metavar="FOLDER", help="where the files go"
        )
        if kind.reads_files:
            command.add_data()
        command.add_threads(1 if name == "points" else None)
        command.set_defaults(data=None)
    asked = parser.parse_args(arguments)
    with parser.one_line("there is no place for the files: "):
        asked.into.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(asked.threads)
    for name in asked.names:
        with parser.one_line(f"{name}: "):
            figures = _KINDS[asked.kind].train(name, asked.count, asked.into, asked.data)
        row = "  ".join(f"{key} {value:g}" for key, value in figures.items())
        print(f"{name:16} {row}", flush=True)


@dataclass(frozen=True)
class _Kind:
    """What the command can train.

    Attributes:
        words: what it is.
        names: that it takes.
        unit: of how long it is trained, which is the name of an option.
        count: how long by default.
        into: the folder of its files by default.
        train: (name, count, into, data) to the figures of the training.
        reads_files: whether it is trained on pictures in files.
    """

    words: str
    names: tuple[str, ...]
    unit: str
    count: int
    into: Path
    train: Callable[[str, int, Path, Path | None], dict[str, float]]
    reads_files: bool = True


def _points(name: str, steps: int, into: Path, _: Path | None) -> dict[str, float]:
    return train_points(name, steps, into)


def _dogs(name: str, steps: int, into: Path, _: Path | None) -> dict[str, float]:
    return train_dog_judge(into) if name == "classifier" else train_dogs(steps, into)


_KINDS = {
    "points": _Kind(
        "denoisers of the built-in sets of points",
        TRAINABLE,
        "steps",
        CONFIG.steps,
        FOLDER,
        _points,
        reads_files=False,
    ),
    "images": _Kind(
        "denoisers of pictures", SOURCES, "steps", IMAGE_CONFIG.steps, IMAGE_FOLDER, train_images
    ),
    "classifiers": _Kind(
        "classifiers of pictures", SOURCES, "epochs", CLASSIFIER_EPOCHS, IMAGE_FOLDER, train_judge
    ),
    "vaes": _Kind(
        "variational autoencoders", AUTOENCODERS, "steps", VAE_STEPS, GENERATOR_FOLDER, train_vae
    ),
    "gans": _Kind(
        "generative adversarial networks", SOURCES, "steps", GAN_STEPS, GENERATOR_FOLDER, train_gan
    ),
    "latents": _Kind(
        "diffusion models of a VAE's codes",
        AUTOENCODERS,
        "steps",
        LATENT_STEPS,
        GENERATOR_FOLDER,
        train_latent,
    ),
    "dogs": _Kind(
        "the drawn dogs",
        ("classifier", "denoiser"),
        "steps",
        DOG_CONFIG.steps,
        IMAGE_FOLDER,
        _dogs,
        reads_files=False,
    ),
}


if __name__ == "__main__":
    main()
