r"""A small convolutional classifier: tells what a picture shows, and how like two sets are.

    28 x 28 -> conv 32 -> half -> conv 64, conv 64 -> half -> conv 128 -> mean over places
            -> 128 features -> 10 logits

Each convolution is 3 x 3, followed by batch norm and ReLU.  The features are what the Frechet
distance, precision and recall of ``metrics`` are measured on: on grey pictures of 28 x 28 pixels
the usual Inception features, made for colour photographs, mean little, and a classifier of the set
itself is what is used in their place.  Figures on them can be compared only with figures on the
same classifier.

Sources: LeCun et al. 1998 (convolutional networks for digits), Ioffe and Szegedy 2015 (batch norm),
Smith and Topin 2019 (the one-cycle learning rate), Heusel et al. 2017 (distance on features).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["FEATURES", "Classifier", "Variation", "accuracy", "steps_in", "train_classifier"]

FEATURES = 128
"""Numbers in the features of a picture."""

_BATCH = 128
_LR = 4e-3
_ROWS = 512  # pictures looked at at once


@dataclass(frozen=True)
class Variation:
    """How far a picture may be changed and still be one of its class.

    Attributes:
        shift: share of the side that it may move, either way.
        turn: radians that it may turn, either way.
        zoom: share of its size that it may grow or shrink.
        mirrored: whether it may be mirrored left to right.
    """

    shift: float = 0.08
    turn: float = 0.17
    zoom: float = 0.12
    mirrored: bool = False


class Classifier(nn.Module):
    """Logits and features of pictures (N, 1, 28, 28) in [-1, 1]."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.classes = classes
        self.body = nn.Sequential(
            *_layer(1, 32),
            nn.MaxPool2d(2),
            *_layer(32, 64),
            *_layer(64, 64),
            nn.MaxPool2d(2),
            *_layer(64, FEATURES),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, classes)."""
        return cast(Tensor, self.head(self.dropout(self.body(x))))

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """Return the features (N, ``FEATURES``), in parts so that memory stays bounded."""
        return torch.cat([self.body(part) for part in torch.split(x, _ROWS)])

    @torch.inference_mode()
    def probabilities(self, x: Tensor) -> Tensor:
        """Return the probability of each class (N, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits.softmax(1)


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return conv, nn.BatchNorm2d(outputs), nn.ReLU()


def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """The share of pictures whose most probable class is their label."""
    return float((classifier.probabilities(images).argmax(1) == labels).float().mean())


def train_classifier(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    variation: Variation,
    seed: int = 0,
) -> Iterator[tuple[int, float]]:
    """Train in place on varied pictures; leaves it ready to be asked.

    Args:
        classifier: what is trained.
        images: (N, 1, 28, 28) in [-1, 1].
        labels: (N,).
        epochs: how often every picture is seen.
        variation: how far the pictures are changed.
        seed: of the order and the changes.

    Yields:
        The steps done so far and the loss of the last one, a hundred steps apart.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = steps_in(len(images), epochs)
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=_LR, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LR, total_steps=steps, pct_start=0.2)
    classifier.train()
    step = 0
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(images), generator=generator), _BATCH):
            x = _changed(images[rows], generator, variation)
            loss = functional.cross_entropy(classifier(x), labels[rows], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            rate.step()
            step += 1
            if step % 100 == 0 or step == steps:
                yield step, loss.item()
    classifier.eval().requires_grad_(False)


def steps_in(count: int, epochs: int) -> int:
    """How many steps it takes to see so many pictures so often."""
    return epochs * -(-count // _BATCH)


def _changed(x: Tensor, generator: torch.Generator, most: Variation) -> Tensor:
    """Pictures moved, turned, zoomed and mirrored, each by a different amount."""
    n = len(x)
    u = 2 * torch.rand(5, n, generator=generator) - 1
    angle, zoom = most.turn * u[0], 1 + most.zoom * u[1]
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    right, down = 2 * most.shift * u[2], 2 * most.shift * u[3]  # the grid is 2 wide
    sign = torch.where(u[4] < 0, -1.0, 1.0) if most.mirrored else torch.ones(n)
    rows = torch.stack([sign * cos, -sin, right, sign * sin, cos, down], 1)
    grid = functional.affine_grid(rows.reshape(n, 2, 3), list(x.shape), align_corners=False)
    return functional.grid_sample(x + 1, grid, align_corners=False) - 1
