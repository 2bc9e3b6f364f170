"""Training the model of the drawn dogs and their classifier; ``train`` is the command.

The dogs are drawn by ``dogs.sample``, so that nothing is downloaded and there are always new ones
to measure on.  The network is trained as those of pictures are (see ``train_images``), but smaller:
it is told whether a dog has a collar, and for a tenth of the dogs it is not, so that the attribute
can be left open (Ho and Salimans 2022, "Classifier-free diffusion guidance").
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from diffviz.core.schedules import EDM
from diffviz.data.dogs import CLASSES, sample
from diffviz.models.checkpoints import Card, save
from diffviz.networks.classifier import Classifier, Variation
from diffviz.networks.training import TrainConfig, Trainer
from diffviz.networks.unet import UNetConfig
from diffviz.studies.command import watched
from diffviz.studies.train_images import train_and_save_judge

__all__ = ["DATA_SEED", "DOGS", "DOG_CONFIG", "DOG_NETWORK", "train_dog_judge", "train_dogs"]

DOG_CONFIG = TrainConfig("x_0", "log_normal", batch=128, steps=2500, lr=2e-3, ema_decay=0.998)
"""How the model of dogs is trained."""

DOG_NETWORK = UNetConfig(widths=(32, 96), blocks=1, classes=len(CLASSES))
"""Its shape."""

DOGS = 30_000
"""How many dogs the model is trained on."""

DATA_SEED = 0
"""The seed of their draw."""

_DOGS_TO_TELL, _FRESH = 12_000, 5000
_EPOCHS = 2
_VARIATION = Variation(turn=0.1, zoom=0.05, mirrored=True)
_FRESH_SEED = 1  # of the dogs that were never seen


def train_dogs(steps: int, into: Path) -> dict[str, float]:
    """Train the model of dogs and save it; return the figures of the training.

    Args:
        steps: how long to train.
        into: the folder for the files.

    Raises:
        Diverged: when training does; nothing is written then.
        ValueError: for a number of steps that is none.
    """
    config = replace(DOG_CONFIG, steps=steps)
    pictures, labels, _ = sample(DOGS, DATA_SEED)
    trainer = Trainer(
        pictures.flatten(1),
        EDM(),
        config,
        DOG_NETWORK,
        labels,
        every=50,
        precision=torch.bfloat16,
    )
    loss = watched(trainer, "dogs")
    figures = {"seconds": round(trainer.seconds, 1), "loss": round(loss, 5)}
    command = f"python -m diffviz train dogs denoiser --steps {steps}"
    card = Card("dogs", config.seed, steps, command, figures, config)
    save(into / "dogs", trainer.denoiser(), card, dtype=torch.float16)
    return figures


def train_dog_judge(into: Path) -> dict[str, float]:
    """Train the classifier that tells whether a dog has a collar, and save it.

    Args:
        into: the folder for the files.

    Returns:
        Its figures: the share of fresh dogs that it takes for what they are.
    """
    torch.manual_seed(DATA_SEED)
    return train_and_save_judge(
        Classifier(len(CLASSES)),
        "dogs",
        sample(_DOGS_TO_TELL, DATA_SEED)[:2],
        sample(_FRESH, _FRESH_SEED)[:2],
        epochs=_EPOCHS,
        variation=_VARIATION,
        command="python -m diffviz train dogs classifier",
        into=into,
    )
