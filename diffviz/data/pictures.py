"""Named sets of real images, small enough to be shipped.

- ``digits``: the 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn (Alpaydin and
  Kaynak 1998, "Optical recognition of handwritten digits", UCI machine learning repository).
- ``fashion``: 1,000 training images of Fashion-MNIST, 100 of each class (Xiao, Rasul and Vollgraf
  2017, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms").

Pixels are scaled from black = -1 to white = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["IMAGE_DATASETS", "IMAGE_INFO", "ImageInfo", "labelled_images"]

_SHEET = Path(__file__).with_name("assets") / "fashion.png"


@dataclass(frozen=True)
class ImageInfo:
    """What a page says about an image set.

    Attributes:
        name: key in ``IMAGE_DATASETS``, and the word in URLs.
        title: short title.
        sentence: one plain sentence.
        shape: (channels, height, width) of an image.
        count: how many images the set has.
        classes: names of the classes, in the order of the labels.
        source: where the images come from, and their licence.
    """

    name: str
    title: str
    sentence: str
    shape: tuple[int, int, int]
    count: int
    classes: tuple[str, ...]
    source: str


def _digits() -> tuple[Tensor, Tensor]:
    """The table in scikit-learn's wheel, read as it lies there: importing it all takes seconds."""
    wheel = find_spec("sklearn")
    assert wheel is not None
    assert wheel.origin is not None
    file = Path(wheel.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table = torch.from_numpy(np.loadtxt(file, np.float32, delimiter=","))  # 64 pixels and the digit
    return table[:, :-1].reshape(-1, 1, 8, 8) / 8 - 1, table[:, -1].to(torch.int64)


def _fashion() -> tuple[Tensor, Tensor]:
    with Image.open(_SHEET) as sheet:
        pixels = np.asarray(sheet)
    rows, columns = pixels.shape[0] // 28, pixels.shape[1] // 28
    tiles = pixels.reshape(rows, 28, columns, 28).transpose(0, 2, 1, 3).reshape(-1, 1, 28, 28)
    labels = torch.arange(10).repeat_interleave(len(tiles) // 10)
    return torch.from_numpy(tiles.copy()).to(torch.float32) / 127.5 - 1, labels


_LOADERS: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {"digits": _digits, "fashion": _fashion}

IMAGE_INFO: dict[str, ImageInfo] = {
    info.name: info
    for info in (
        ImageInfo(
            name="digits",
            title="Handwritten digits",
            sentence="Real digits written by 13 people, 8 by 8 pixels.",
            shape=(1, 8, 8),
            count=1797,
            classes=tuple("0123456789"),
            source="Optical recognition of handwritten digits (UCI), by way of scikit-learn.",
        ),
        ImageInfo(
            name="fashion",
            title="Fashion",
            sentence="Photographs of clothes, shoes and bags, 28 by 28 pixels.",
            shape=(1, 28, 28),
            count=1000,
            classes=(
                "T-shirt or top",
                "trouser",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
            ),
            source="Fashion-MNIST, Zalando SE, MIT licence.",
        ),
    )
}
"""What to say about each image set."""


@cache
def _all(name: str) -> tuple[Tensor, Tensor]:
    return _LOADERS[name]()


def labelled_images(name: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """The first n images of a set in an order drawn by a seed, and their classes.

    Args:
        name: a key of ``IMAGE_DATASETS``.
        n: number of images, from 1 to ``IMAGE_INFO[name].count``.
        seed: of the order, at least 0; a larger n with the same seed continues the same order.

    Returns:
        Images (n, C, H, W), float32 in [-1, 1], and labels (n,), int64.

    Raises:
        ValueError: unknown name, or n or seed out of range.
    """
    if name not in _LOADERS:
        raise ValueError(f"There is no image set {name!r}: choose one of {', '.join(_LOADERS)}.")
    count = IMAGE_INFO[name].count
    if not 1 <= n <= count:
        raise ValueError(
            f"The set {name!r} has {count:,} images: ask for 1 to {count:,}, not {n:,}."
        )
    if seed < 0:
        raise ValueError(f"A seed is a whole number from 0 up, not {seed}.")
    images, labels = _all(name)
    chosen = torch.from_numpy(np.random.default_rng(seed).permutation(count)[:n])
    return images[chosen], labels[chosen]


def _images(name: str, n: int, seed: int) -> Tensor:
    return labelled_images(name, n, seed)[0]


IMAGE_DATASETS: dict[str, Callable[[int, int], Tensor]] = {
    name: partial(_images, name) for name in _LOADERS
}
"""Name to a function of (n, seed) that answers images (n, C, H, W), float32 in [-1, 1]."""
