"""A small picture, or a region of one, as a short word that fits into a link.

The word is base64url of three bytes and what they announce: a letter that says what this is and how
it is kept, the height, the width, then the pixels row by row, 4 bits each (a picture) or 1 bit each
(a region). The pixels are kept as they are or deflated (RFC 1951), whichever is shorter, so 28 x 28
pixels of a picture take 527 letters at most and a written digit takes some 220.
"""

from __future__ import annotations

import base64
import re
import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LEVELS",
    "MAX_SIDE",
    "MIN_SIDE",
    "decode_mask",
    "decode_picture",
    "encode_mask",
    "encode_picture",
    "to_levels",
    "to_mask",
]

MIN_SIDE, MAX_SIDE = 4, 64
"""The smallest and the largest side of a sheet, in pixels."""

LEVELS = 16
"""How many levels of grey a picture keeps, from black (0) to white (255), evenly."""

_STEP = 255 // (LEVELS - 1)
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")
_PICTURE, _PICTURE_DEFLATED, _MASK, _MASK_DEFLATED = b"pPmM"


def to_levels(picture: ArrayLike) -> NDArray[np.uint8]:
    """A picture (H, W) of grey levels 0 to 255, each moved to the nearest of the ``LEVELS``.

    Raises:
        ValueError: not one grey level a pixel, a side too short or too long, or a level out of
            range.
    """
    array = np.asarray(picture, dtype=np.float64)
    _check_shape(array.shape, "A picture")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 255:
        raise ValueError("The grey levels of a picture must lie between 0 (black) and 255 (white).")
    return (np.rint(array / _STEP) * _STEP).astype(np.uint8)


def to_mask(mask: ArrayLike) -> NDArray[np.bool_]:
    """A region (H, W) as truth values.

    Raises:
        ValueError: a side too short or too long, or values that are neither true nor false.
    """
    array = np.asarray(mask)
    _check_shape(array.shape, "A region")
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ValueError("A region says true or false of each pixel, nothing else.")
    return array.astype(np.bool_)


def encode_picture(picture: ArrayLike) -> str:
    """A picture (H, W) of grey levels 0 to 255, sides 4 to 64, as a word; 16 levels survive.

    Raises:
        ValueError: not such a picture.
    """
    levels = to_levels(picture)
    half = levels.reshape(-1) // _STEP
    half = np.append(half, np.zeros(half.size % 2, dtype=np.uint8))
    data = (half[::2] * LEVELS + half[1::2]).astype(np.uint8).tobytes()
    return _write(levels.shape, data, _PICTURE, _PICTURE_DEFLATED)


def decode_picture(word: str) -> NDArray[np.uint8]:
    """The picture (H, W) of a word that ``encode_picture`` wrote, levels 0, 17, ..., 255.

    Raises:
        ValueError: the word is not one of those.
    """
    (rows, columns), data = _read(word, "picture", 4, _PICTURE, _PICTURE_DEFLATED)
    packed = np.frombuffer(data, dtype=np.uint8)
    levels = np.stack([packed // LEVELS, packed % LEVELS], axis=1).reshape(-1)
    if levels[rows * columns :].any():
        raise ValueError("This is not a picture: it goes on after its last pixel.")
    return (levels[: rows * columns] * _STEP).reshape(rows, columns)


def encode_mask(mask: ArrayLike) -> str:
    """A region (H, W) of a picture, sides 4 to 64, as a word.

    Raises:
        ValueError: not such a region.
    """
    region = to_mask(mask)
    return _write(region.shape, np.packbits(region).tobytes(), _MASK, _MASK_DEFLATED)


def decode_mask(word: str) -> NDArray[np.bool_]:
    """The region (H, W) of a word that ``encode_mask`` wrote.

    Raises:
        ValueError: the word is not one of those.
    """
    (rows, columns), data = _read(word, "region", 1, _MASK, _MASK_DEFLATED)
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    if bits[rows * columns :].any():
        raise ValueError("This is not a region: it goes on after its last pixel.")
    return bits[: rows * columns].reshape(rows, columns).astype(np.bool_)


def _check_shape(shape: tuple[int, ...], what: str) -> None:
    if len(shape) != 2 or not all(MIN_SIDE <= side <= MAX_SIDE for side in shape):
        raise ValueError(
            f"{what} has one value a pixel and sides of {MIN_SIDE} to {MAX_SIDE} pixels, "
            f"so it cannot be an array of {shape}."
        )


def _write(shape: tuple[int, ...], data: bytes, plain: int, deflated: int) -> str:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    short = packer.compress(data) + packer.flush()
    kept, body = (deflated, short) if len(short) < len(data) else (plain, data)
    return base64.urlsafe_b64encode(bytes((kept, *shape)) + body).decode().rstrip("=")


def _read(
    word: str, what: str, bits: int, plain: int, deflated: int
) -> tuple[tuple[int, int], bytes]:
    """The shape and the packed pixels of a word; nothing is unpacked beyond that shape."""
    refusal = f"This is not a {what}: "
    if not _ALPHABET.fullmatch(word):
        raise ValueError(f"{refusal}it has signs that no {what} has.")
    if len(word) > (4 * (3 + MAX_SIDE * MAX_SIDE * bits // 8) + 2) // 3:
        raise ValueError(f"{refusal}it is longer than {MAX_SIDE} x {MAX_SIDE} pixels can be.")
    padded = word + "=" * (-len(word) % 4)
    try:
        head = base64.urlsafe_b64decode(padded)
    except ValueError as error:
        raise ValueError(f"{refusal}a part of it is missing.") from error
    if len(head) < 3 or base64.urlsafe_b64encode(head).decode() != padded:
        raise ValueError(f"{refusal}a part of it is missing.")
    kept, rows, columns, data = head[0], head[1], head[2], head[3:]
    if kept not in (plain, deflated):
        raise ValueError(f"{refusal}it begins like something else.")
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (rows, columns)):
        raise ValueError(f"{refusal}its sides are not {MIN_SIDE} to {MAX_SIDE} pixels long.")
    size = (rows * columns * bits + 7) // 8
    if kept == deflated:
        data = _inflate(data, size, refusal)
    if len(data) != size:
        raise ValueError(f"{refusal}it has more or fewer pixels than it says.")
    return (rows, columns), data


def _inflate(data: bytes, size: int, refusal: str) -> bytes:
    """At most ``size`` + 1 bytes of a deflated stream, which must be whole and end there."""
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        result = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"{refusal}it cannot be unpacked.") from error
    if len(result) <= size and (not unpacker.eof or unpacker.unused_data):
        raise ValueError(f"{refusal}it cannot be unpacked.")
    return result
