"""The full picture sets that the models are trained and measured on; none of them is shipped.

    fashion   Fashion-MNIST, 60,000 + 10,000 pictures of clothes: Debian's package
              dataset-fashion-mnist (Xiao, Rasul and Vollgraf 2017; MIT licence)
    mnist     MNIST, handwritten digits: the first 10,000 of the training set and 5,000 or all of
              the test set (LeCun, Cortes and Burges 1998; CC BY-SA 3.0)

``python -m diffviz fetch mnist`` downloads MNIST (11 MB), checks it against its SHA-256 and puts
it where the app and the commands find it.  Nothing else here uses the network.

A folder may hold the original IDX files (``train-images-idx3-ubyte.gz`` and so on), ``mnist.npz``
as Keras ships it, or ``train_10k.npz`` and ``test_5k.npz`` with the arrays ``images`` and
``labels``.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.tools.files import write_whole

__all__ = ["SOURCES", "SourceError", "Split", "download", "folder_of", "load_split", "read_idx"]

SOURCES: tuple[str, ...] = ("mnist", "fashion")
"""The names of the sets."""

FOLDER_VARIABLE = "DIFFVIZ_DATA"
"""Environment variable: a folder with one folder for each set, by its name."""

_SYSTEM = {"fashion": Path("/usr/share/datasets/fashion-mnist")}
_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_BYTES = 11_490_434
_PATIENCE = 30  # seconds without an answer
_MNIST_TRAINING = 10_000
_MOST = 100_000_000  # bytes of a file, unpacked

Bytes = NDArray[np.uint8]
Arrays = tuple[Bytes, Bytes, Bytes, Bytes]


class SourceError(RuntimeError):
    """A set that cannot be had; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Split:
    """A set of pictures in two parts that share none.

    Attributes:
        train: (N, 1, 28, 28) float32, black = -1 to white = 1.
        train_labels: (N,) int64.
        test: (M, 1, 28, 28).
        test_labels: (M,).
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def folder_of(name: str) -> Path:
    """The folder where a set is looked for when none is given, and where a download goes.

    That is ``DIFFVIZ_DATA``/name where the variable is set, the system's own folder where there is
    one, and else the user's cache.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given) / name
    system = _SYSTEM.get(name)
    if system is not None and system.is_dir():
        return system
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diffviz" / name


def load_split(name: str, folder: Path | None = None) -> Split:
    """Read a set from a folder.

    Args:
        name: one of ``SOURCES``.
        folder: where its files are; ``folder_of(name)`` where not given.

    Raises:
        ValueError: for another name.
        SourceError: if there are no such files, or they are damaged.
    """
    if name not in SOURCES:
        raise ValueError(f"there is no set {name!r}: choose one of {', '.join(SOURCES)}")
    place = folder_of(name) if folder is None else folder
    read = next((read for wanted, read in _READERS if (place / wanted).is_file()), None)
    if read is None:
        raise SourceError(f"The pictures of {name} are not in {place}. {_HOW[name]}")
    try:
        images, labels, test_images, test_labels = read(place)
        if name == "mnist":
            images, labels = images[:_MNIST_TRAINING], labels[:_MNIST_TRAINING]
        return Split(*_checked(images, labels), *_checked(test_images, test_labels))
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        struct.error,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        raise SourceError(
            f"The files in {place} are damaged or of another kind: {error}. {_HOW[name]}"
        ) from error


_HOW = {
    "mnist": (
        "Get them with: python -m diffviz fetch mnist (11 MB), or give the folder that holds them."
    ),
    "fashion": (
        "Install Debian's package dataset-fashion-mnist, or give the folder that holds its files."
    ),
}


def _checked(images: Bytes, labels: Bytes) -> tuple[Tensor, Tensor]:
    if images.ndim != 3 or images.shape[1:] != (28, 28) or images.dtype != np.uint8:
        raise ValueError(f"pictures are bytes of 28 x 28, not {images.dtype} {images.shape}")
    if labels.shape != images.shape[:1] or not len(labels) or int(labels.max()) > 9:
        raise ValueError("every picture needs a label from 0 to 9")
    pixels = torch.from_numpy(images.astype(np.float32) / 127.5 - 1)[:, None]
    return pixels, torch.from_numpy(labels.astype(np.int64))


def _idx(place: Path) -> Arrays:
    names = ("images-idx3", "labels-idx1")
    parts = [read_idx(place / f"{s}-{n}-ubyte.gz") for s in ("train", "t10k") for n in names]
    return parts[0], parts[1], parts[2], parts[3]


def read_idx(path: Path) -> Bytes:
    """Return the array in a gzipped IDX file of bytes.

    Raises:
        ValueError: the file is not IDX, or does not hold unsigned bytes.
    """
    with gzip.open(path) as file:
        data = file.read(_MOST)
    if data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path.name} is not an IDX file of bytes")
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def _keras(place: Path) -> Arrays:
    with np.load(place / "mnist.npz", allow_pickle=False) as file:
        return file["x_train"], file["y_train"], file["x_test"], file["y_test"]


def _parts(place: Path) -> Arrays:
    with np.load(place / "train_10k.npz", allow_pickle=False) as train:
        images, labels = train["images"], train["labels"]
    with np.load(place / "test_5k.npz", allow_pickle=False) as test:
        return images, labels, test["images"], test["labels"]


_READERS: tuple[tuple[str, Callable[[Path], Arrays]], ...] = (
    ("train_10k.npz", _parts),
    ("mnist.npz", _keras),
    ("train-images-idx3-ubyte.gz", _idx),
)


def download(into: Path | None = None) -> Path:
    """Fetch MNIST, check it and put it in a folder; return the file.

    Args:
        into: the folder; ``folder_of("mnist")`` where not given.

    Raises:
        SourceError: if it cannot be fetched or written, or is not the file that was expected.
    """
    place = (folder_of("mnist") if into is None else into) / "mnist.npz"
    try:
        with urllib.request.urlopen(_URL, timeout=_PATIENCE) as answer:
            data = answer.read(_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SourceError(
            f"MNIST could not be downloaded from {_URL}: {error}. Check the connection and try "
            f"again, or put the file into {place.parent} yourself."
        ) from error
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise SourceError(
            f"What came from {_URL} is not MNIST as it was published: its SHA-256 differs, so it "
            "was thrown away."
        )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, data)
    except OSError as error:
        raise SourceError(f"MNIST could not be written to {place}: {error}.") from error
    return place
