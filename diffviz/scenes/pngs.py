"""Pictures of numbers in [-1, 1] as PNG, one by one or side by side, for what stands still."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]


def _bytes(x: Floats) -> NDArray[np.uint8]:
    """(C, H, W) in [-1, 1] as (H, W, 3) bytes."""
    pixels: NDArray[np.uint8] = (
        np.rint((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8).transpose(1, 2, 0)
    )
    return pixels if pixels.shape[2] == 3 else pixels.repeat(3, 2)


def data_uri(x: Floats, side: int = 0) -> str:
    """A picture (C, H, W) as a PNG data URI.

    Args:
        x: values in [-1, 1], clipped.
        side: its pixels are repeated until it is about this wide; 0 leaves them.
    """
    return _encoded(Image.fromarray(_larger(_bytes(x), side)))


def strip_uri(x: Floats, side: int = 44, gap: int = 4) -> str:
    """Pictures (K, C, H, W) side by side as a PNG data URI, clear between them."""
    return contact_sheet(x, len(x), side, gap)


def contact_sheet(x: Floats, columns: int, side: int = 56, gap: int = 4) -> str:
    """Pictures (K, C, H, W) in rows as a PNG data URI, clear between them."""
    tiles = [_larger(_bytes(each), side) for each in x]
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    shape = rows * (height + gap) - gap, columns * (width + gap) - gap, 4
    sheet = np.zeros(shape, dtype=np.uint8)
    for k, tile in enumerate(tiles):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        sheet[top : top + height, left : left + width, :3] = tile
        sheet[top : top + height, left : left + width, 3] = 255
    return _encoded(Image.fromarray(sheet))


def _larger(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    factor = max(side // max(pixels.shape[:2]), 1)
    return pixels.repeat(factor, 0).repeat(factor, 1)


def _encoded(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
