"""Training the models of pictures and their classifiers; ``train`` is the command.

The U-Net is trained as the networks for points are: on the path ``edm`` it predicts x_0, its noise
levels are drawn log-normally (Karras et al. 2022), a tenth of the labels is withheld, and what
ships is the moving average of its weights in half precision.  Every ``_KEEP`` steps all that
training needs to go on is written beside the model, so that after an interruption the same command
goes on from there, with the same outcome as without it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from diffviz.core.schedules import EDM
from diffviz.data.full_sets import load_split
from diffviz.models.checkpoints import Card, save
from diffviz.models.modules import save_module
from diffviz.networks.classifier import (
    Classifier,
    Variation,
    accuracy,
    steps_in,
    train_classifier,
)
from diffviz.networks.training import TrainConfig, Trainer
from diffviz.networks.unet import UNetConfig
from diffviz.studies.command import progress, watched
from diffviz.tools.files import write_whole

__all__ = [
    "CLASSIFIER_EPOCHS",
    "IMAGE_CONFIG",
    "IMAGE_NETWORK",
    "resume",
    "train_and_save_judge",
    "train_images",
    "train_judge",
]

IMAGE_CONFIG = TrainConfig("x_0", "log_normal", batch=128, steps=5000, lr=1e-3, ema_decay=0.999)
"""How the models of pictures are trained."""

IMAGE_NETWORK = UNetConfig()
"""Their shape."""

CLASSIFIER_EPOCHS = 12
"""How often a classifier sees every picture of Fashion-MNIST; of the smaller MNIST, three times."""

_KEEP = 250
_VARIATIONS = {  # clothes are pictured upright and fill the frame: only digits turn and grow
    "fashion": Variation(turn=0.0, zoom=0.0, mirrored=True),
    "mnist": Variation(),
}
_EPOCHS = {"fashion": 1, "mnist": 3}


def train_images(name: str, steps: int, into: Path, data: Path | None = None) -> dict[str, float]:
    """Train the model of a set of pictures and save it; go on if it was interrupted.

    Args:
        name: one of ``SOURCES``.
        steps: how long to train.
        into: the folder for the files.
        data: the folder with the pictures, see ``load_split``.

    Returns:
        The figures of the training; quality is measured by ``python -m diffviz evaluate``.

    Raises:
        Diverged: when training does; nothing is written then.
        SourceError: if the pictures cannot be had.
        ValueError: if an interrupted training beside it was another one.
    """
    split = load_split(name, data)
    config = replace(IMAGE_CONFIG, steps=steps)
    trainer = Trainer(
        split.train.flatten(1),
        EDM(),
        config,
        IMAGE_NETWORK,
        split.train_labels,
        every=50,
        precision=torch.bfloat16,
    )
    kept = into / f"{name}.interrupted.safetensors"
    about = json.dumps([asdict(config), asdict(IMAGE_NETWORK), len(split.train)])
    resume(trainer, kept, about)

    def keep(step: int) -> None:
        if step % _KEEP == 0:
            write_whole(kept, safetensors.torch.save(trainer.state(), {"training": about}))

    loss = watched(trainer, name, keep)
    figures = {"seconds": round(trainer.seconds, 1), "loss": round(loss, 5)}
    command = f"python -m diffviz train images {name} --steps {steps}"
    card = Card(name, config.seed, steps, command, figures, config)
    save(into / name, trainer.denoiser(), card, dtype=torch.float16)
    kept.unlink(missing_ok=True)
    return figures


class Resumable(Protocol):
    """What can go on from a state that was kept."""

    step: int

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where a trainer with the same arguments was."""


def resume(trainer: Resumable, kept: Path, about: str) -> None:
    """Go on from what was kept of an interrupted training, if anything was.

    Args:
        trainer: which has done nothing yet.
        kept: the file, which need not be there.
        about: the settings of this training, which must be those that are written in the file.

    Raises:
        ValueError: if the file is damaged or of a training with other settings.
    """
    if not kept.is_file():
        return
    try:
        with safe_open(kept, "pt") as file:
            own = (file.metadata() or {}).get("training")
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{kept} is damaged: delete it to start anew") from error
    if own != about:
        raise ValueError(f"{kept} is of a training with other settings: delete it to start anew")
    trainer.restore(state)
    print(f"going on from step {trainer.step:,}", file=sys.stderr, flush=True)


def train_judge(name: str, epochs: int, into: Path, data: Path | None = None) -> dict[str, float]:
    """Train the classifier of a set of pictures, save it and return its figures.

    Args:
        name: one of ``SOURCES``.
        epochs: how often it sees every picture; three times as often those of the smaller MNIST.
        into: the folder for the files.
        data: the folder with the pictures.

    Raises:
        SourceError: if the pictures cannot be had.
    """
    split = load_split(name, data)
    torch.manual_seed(0)
    return train_and_save_judge(
        Classifier(),
        name,
        (split.train, split.train_labels),
        (split.test, split.test_labels),
        epochs=epochs * _EPOCHS[name],
        variation=_VARIATIONS[name],
        command=f"python -m diffviz train classifiers {name} --epochs {epochs}",
        into=into,
    )


def train_and_save_judge(
    judge: Classifier,
    name: str,
    shown: tuple[Tensor, Tensor],
    unseen: tuple[Tensor, Tensor],
    *,
    epochs: int,
    variation: Variation,
    command: str,
    into: Path,
) -> dict[str, float]:
    """Train a classifier, measure it as it ships, in half precision, and save it.

    Args:
        judge: what is trained.
        name: of the set.
        shown: pictures (N, 1, 28, 28) and labels (N,) that it learns.
        unseen: those that it is measured on.
        epochs: how often it sees every picture.
        variation: how far the pictures are changed.
        command: how to train it again.
        into: the folder for the files.

    Returns:
        The figures on its card.
    """
    begun = time.perf_counter()
    training = train_classifier(judge, *shown, epochs=epochs, variation=variation)
    with progress(name, steps_in(len(shown[0]), epochs), "steps") as bar:
        for step, loss in training:
            bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            bar.update(step - bar.n)
    shipped = {key: value.half().to(value.dtype) for key, value in judge.state_dict().items()}
    judge.load_state_dict(shipped)
    figures = {
        "accuracy": round(accuracy(judge, *unseen), 5),
        "train_accuracy": round(accuracy(judge, *shown), 5),
        "test_images": len(unseen[0]),
        "seconds": round(time.perf_counter() - begun, 1),
    }
    card = {"data": name, "seed": 0, "command": command, "metrics": figures}
    save_module(into / f"{name}-classifier", judge, card)
    return figures
