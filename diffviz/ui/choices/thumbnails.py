"""Tiny pictures of the data sets, for the chips that choose them."""

from __future__ import annotations

import base64
import io
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from diffviz.data.pictures import IMAGE_DATASETS
from diffviz.data.points import DATASETS, INFO

_SIDE = 48
_SCALE = 4  # drawn larger, then reduced, so that dots are smooth
_INK = (51, 145, 204)  # reads on the light and on the dark background alike
_POINTS = 220
_BARS = 14


@lru_cache(maxsize=128)
def thumbnail(name: str) -> str:
    """A picture of 48 x 48 pixels of a named data set, as a data URI.

    Args:
        name: a key of ``DATASETS`` or ``IMAGE_DATASETS``.

    Raises:
        KeyError: for any other name.
    """
    if name in IMAGE_DATASETS:
        picture = _mosaic(IMAGE_DATASETS[name](4, 0))
    elif INFO[name].dim == 1:
        picture = _histogram(DATASETS[name](4000, 0)[:, 0].numpy())
    else:
        picture = _scatter(DATASETS[name](_POINTS, 0).numpy())
    buffer = io.BytesIO()
    picture.quantize(32).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _canvas() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGBA", (_SIDE * _SCALE, _SIDE * _SCALE), (*_INK, 0))
    return picture, ImageDraw.Draw(picture)


def _small(picture: Image.Image) -> Image.Image:
    return picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)


def _scatter(points: NDArray[np.float32]) -> Image.Image:
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) * 1.12
    place = (points - (low + high) / 2) / side + 0.5
    picture, draw = _canvas()
    size, radius = _SIDE * _SCALE, 1.5 * _SCALE
    for x, y in place:
        draw.circle((x * size, (1 - y) * size), radius, fill=(*_INK, 255))
    return _small(picture)


def _histogram(values: NDArray[np.float32]) -> Image.Image:
    low, high = np.quantile(values, [0.005, 0.995])
    counts, _ = np.histogram(values, bins=_BARS, range=(low - 0.15, high + 0.15))
    picture, draw = _canvas()
    size = _SIDE * _SCALE
    width = size / _BARS
    for k, count in enumerate(counts):
        top = size * (1 - 0.92 * count / counts.max())
        draw.rectangle((k * width + 1, top, (k + 1) * width - 2, size), fill=(*_INK, 255))
    return _small(picture)


def _mosaic(images: torch.Tensor) -> Image.Image:
    """Four images, two by two; (4, C, H, W) in [-1, 1]."""
    tiles = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    rows = [torch.cat([tiles[k], tiles[k + 1]], dim=1) for k in (0, 2)]
    pixels = torch.cat(rows, dim=0).numpy()
    flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return Image.fromarray(flat).resize((_SIDE, _SIDE), Image.Resampling.BOX).convert("RGBA")
