"""Trained denoisers of points that ship with the app, one for each built-in data set.

Each is a pair of files in ``diffviz/weights/``, as ``checkpoints`` describes them; the card says
how it was trained and how well it does.  ``python -m diffviz.train points`` makes them anew.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from diffviz.checkpoints import Checkpoint, load
from diffviz.datasets import DATASETS

__all__ = ["FOLDER", "PRETRAINED", "pretrained"]

FOLDER = Path(__file__).parent / "weights"
"""Where the shipped models lie."""

PRETRAINED: tuple[str, ...] = tuple(name for name in DATASETS if name != "text")
"""The data sets that have a trained model: all built-in ones."""


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
