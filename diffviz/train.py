"""Train the networks that ship with the app.

    python -m diffviz.train points                    # every built-in set of points
    python -m diffviz.train points moons spiral       # some of them
    python -m diffviz.train points moons --steps 500 --into /tmp/weights
    python -m diffviz.train images mnist              # pictures; goes on where it was interrupted
    python -m diffviz.train classifiers fashion       # what measures them
    python -m diffviz.train vaes mnist-2 mnist-16     # a set and the numbers in a code
    python -m diffviz.train gans fashion
    python -m diffviz.train latents mnist-16          # diffusion models of the codes of a VAE
    python -m diffviz.train dogs                      # the drawn dogs, and who looks for a collar

Each model of points is trained on ``POINTS`` points of its data set and measured on fresh ones:
samples by Heun's method against new draws of the data, and the negative log-likelihood of new
points by the probability-flow ODE.  Beside each distance stands what two new draws of the data
measure (the floor) and what independent points of the training set do, which is what a perfect
model would score.  The two differ where a set spreads its points more evenly than chance does, as
moons do.  The figures go into the card beside the weights.  What pictures need is in
``train_images``, ``train_generators`` and, for the drawn dogs, ``train_dogs``; quality is measured
by ``python -m diffviz.evaluate``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from diffviz.checkpoints import Card, save
from diffviz.datasets import DATASETS, INFO, MIXTURES, labelled
from diffviz.distributions import GaussianMixture
from diffviz.networks import NetworkConfig
from diffviz.pretrained import FOLDER, GENERATOR_FOLDER, IMAGE_FOLDER, PRETRAINED
from diffviz.report import report
from diffviz.schedules import EDM
from diffviz.slices import finish
from diffviz.sources import SOURCES, SourceError
from diffviz.train_dogs import DOG_CONFIG, train_dog_judge, train_dogs
from diffviz.train_generators import (
    AUTOENCODERS,
    GAN_STEPS,
    LATENT_STEPS,
    VAE_STEPS,
    train_gan,
    train_latent,
    train_vae,
)
from diffviz.train_images import CLASSIFIER_EPOCHS, IMAGE_CONFIG, tell, train_images, train_judge
from diffviz.training import Diverged, TrainConfig, Trainer

__all__ = ["CONFIG", "NETWORK", "POINTS", "main", "train_points"]

POINTS = 50_000
"""How many points each model is trained on."""

CONFIG = TrainConfig("x_0", "log_normal", batch=512, steps=8000, lr=2e-3, ema_decay=0.9995)
"""How they are trained; a higher learning rate diverges sooner or later in so many steps."""

NETWORK = NetworkConfig(width=128, depth=3)
"""Their shape; coordinates and classes are those of the data set."""


def train_points(name: str, steps: int, into: Path) -> dict[str, float]:
    """Train the model of a data set and save it; return the figures on its card.

    Args:
        name: one of ``PRETRAINED``.
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
    for progress in trainer:
        tell(f"{name}: step {progress.step:,} of {steps:,}, loss {progress.loss:.4f}")
    denoiser = trainer.denoiser()
    density = GaussianMixture(*MIXTURES[name]()) if name in MIXTURES else None
    work = report(denoiser, schedule, DATASETS[name], density=density, training=points)
    figures = finish(work) | {"seconds": round(trainer.seconds, 1)}
    command = f"python -m diffviz.train points {name} --steps {steps}"
    card = Card(name, trainer.config.seed, steps, command, figures, trainer.config)
    save(into / name, denoiser, card, dtype=torch.float16)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m diffviz.train", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name, kind in _KINDS.items():
        command = kinds.add_parser(name, help=kind.words)
        command.add_argument("names", nargs="*", help=f"some of: {', '.join(kind.names)}")
        command.add_argument(f"--{kind.unit}", type=int, default=kind.count, dest="count")
        command.add_argument("--into", type=Path, default=kind.into, help="the folder for files")
        if kind.reads_files:
            command.add_argument("--data", type=Path, help="the folder with the pictures")
        command.add_argument("--threads", type=int, default=1 if name == "points" else _CORES)
        command.set_defaults(error=command.error, data=None)
    asked = parser.parse_args(arguments)
    kind = _KINDS[asked.kind]
    names = kind.names
    unknown = [name for name in asked.names if name not in names]
    if unknown:
        asked.error(f"there is no data set {unknown[0]!r}: choose some of {', '.join(names)}")
    if asked.data is not None and len(asked.names) != 1:
        asked.error("--data is the folder of one set of pictures: name that one")
    try:
        asked.into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        asked.error(f"there is no place for the files: {error}")
    torch.set_num_threads(max(asked.threads, 1))
    for name in asked.names or names:
        try:
            figures = kind.train(name, asked.count, asked.into, asked.data)
        except (Diverged, ValueError, OSError, SourceError) as error:
            parser.exit(1, f"{name}: {error}\n")
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


_CORES = torch.get_num_threads()
_KINDS = {
    "points": _Kind(
        "denoisers of the built-in sets of points",
        PRETRAINED,
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
