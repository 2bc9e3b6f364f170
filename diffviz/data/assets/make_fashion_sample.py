"""Makes the shipped sample of Fashion-MNIST from the files of Debian's dataset-fashion-mnist.

    python -m diffviz.data.assets.make_fashion_sample [FOLDER]

FOLDER holds the original IDX files and is ``/usr/share/datasets/fashion-mnist`` where not given.
The sample is the first 100 training images of each class, as one sheet of 40 rows by 25 columns in
order of class, four rows a class, each class in the order of the original file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffviz.data.full_sets import read_idx

__all__ = ["COLUMNS", "PER_CLASS", "make_sheet"]

COLUMNS = 25
PER_CLASS = 100
_SOURCE = Path("/usr/share/datasets/fashion-mnist")
_TARGET = Path(__file__).with_name("fashion.png")


def make_sheet(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One sheet (40 * 28, 25 * 28) of the first 100 images of each of 10 classes.

    Args:
        images: (N, 28, 28).
        labels: (N,), 0 to 9.
    """
    chosen = np.concatenate([np.flatnonzero(labels == k)[:PER_CLASS] for k in range(10)])
    height, width = images.shape[1:]
    tiles = images[chosen].reshape(-1, COLUMNS, height, width)
    sheet: NDArray[np.uint8] = tiles.transpose(0, 2, 1, 3).reshape(-1, COLUMNS * width)
    return sheet


def main() -> None:
    """Write the sheet beside this file."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _SOURCE
    images = read_idx(folder / "train-images-idx3-ubyte.gz")
    labels = read_idx(folder / "train-labels-idx1-ubyte.gz")
    Image.fromarray(make_sheet(images, labels)).save(_TARGET, optimize=True)
    print(f"{_TARGET}: {_TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
