"""Decoding the images that users give: nothing but a checked array comes out.

An upload is untrusted: it may be truncated, mislabelled, or a small file that unpacks to gigabytes.
The kind of file is read from its first bytes, its size from its header before any pixel is
unpacked, and whatever a decoder raises becomes an ``UploadError`` in words for the user.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MAX_SCANS", "UploadError", "check_scans", "decode_image"]

MAX_BYTES = 10_000_000
"""The largest file that is read."""

MAX_PIXELS = 50_000_000
"""The largest image that is unpacked."""

MAX_SCANS = 100
"""How often a JPEG may describe its picture: programs do it some ten times, each takes a walk."""

_KINDS: tuple[tuple[bytes, str, Callable[[BytesIO], ImageFile]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG", PngImageFile),
    (b"\xff\xd8\xff", "JPEG", JpegImageFile),
)
# What other programs write, so that the message can name it.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"%PDF", "a PDF"),
    (b"<svg", "an SVG"),
    (b"<?xml", "an SVG or other XML"),
)
# How to undo each EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UploadError(ValueError):
    """An upload that cannot be shown; the message says what happened, why, and what to do."""


def decode_image(data: bytes, max_side: int = 256) -> NDArray[np.uint8]:
    """Decode a PNG or JPEG into pixels as a viewer would show them.

    Turned by its EXIF orientation, transparency laid on white, CMYK and palettes turned to RGB, 16
    bits to 8, and of an animation the first frame. Larger images are reduced (Lanczos), smaller
    ones are left as they are.

    Args:
        data: the whole file.
        max_side: the longest side of the result in pixels.

    Returns:
        Pixels (H, W, 3), or (H, W, 1) where the file is grey, uint8.

    Raises:
        UploadError: not a PNG or JPEG, too large, or damaged.
        ValueError: max_side below 1.
    """
    if max_side < 1:
        raise ValueError(f"The longest side must be at least 1 pixel, not {max_side}.")
    if not data:
        raise UploadError("This file is empty: choose a PNG or JPEG image.")
    if len(data) > MAX_BYTES:
        raise UploadError(
            f"This file has {len(data) / 1e6:.1f} MB and at most {MAX_BYTES / 1e6:.0f} MB are "
            "read: save the image smaller and try again."
        )
    kind, opener = _kind(data)
    if kind == "JPEG":
        check_scans(data)
    try:
        with opener(BytesIO(data)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UploadError(
                    f"This image has {width:,} x {height:,} pixels and at most "
                    f"{MAX_PIXELS / 1e6:.0f} million are unpacked: scale it down and try again."
                )
            return _pixels(image, max_side)
    except UploadError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise UploadError(
            f"This {kind} file is damaged or incomplete, so it cannot be decoded: open it in an "
            "image editor, save it again, and try that copy."
        ) from error


def check_scans(data: bytes) -> int:
    """Return how often a JPEG describes its picture, at least as often as it does.

    Raises:
        UploadError: more than ``MAX_SCANS`` times.
    """
    scans = data.count(b"\xff\xda")
    if scans > MAX_SCANS:
        raise UploadError(
            f"This JPEG file describes its picture {scans:,} times over, and at most {MAX_SCANS} "
            "are read, for each takes its time: open it in an image editor and save it again."
        )
    return scans


def _kind(data: bytes) -> tuple[str, Callable[[BytesIO], ImageFile]]:
    for magic, kind, opener in _KINDS:
        if data.startswith(magic):
            return kind, opener
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = "a WebP"
    elif data[4:8] == b"ftyp":
        found = "a HEIC, AVIF or video"
    else:
        start = data[:64].lstrip()
        found = next((name for magic, name in _OTHERS if start.startswith(magic)), "")
    what = f"This is {found} file" if found else "This file is not an image that can be read"
    raise UploadError(f"{what}, and only PNG and JPEG are decoded: save it as one of them.")


def _pixels(image: ImageFile, max_side: int) -> NDArray[np.uint8]:
    image.draft(None, (2 * max_side, 2 * max_side))  # a large JPEG unpacks to a fraction
    image.load()
    mode = "L" if image.mode[0] in "1LIF" else "RGB"
    plain = _eight_bits(image)
    if max(plain.size) > max_side:
        plain.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    turn = _TURNS.get(_orientation(image))
    upright = plain if turn is None else plain.transpose(turn)
    array = np.array(_on_white(upright).convert(mode), dtype=np.uint8)
    return array[..., None] if mode == "L" else array


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image as L, LA, RGB or RGBA."""
    if image.mode[0] in "IF":  # 16-bit grey
        wide = np.asarray(image)
        wide = wide if wide.dtype == np.uint16 else np.clip(wide, 0, 65535).astype(np.uint16)
        return Image.fromarray((wide // 257).astype(np.uint8))
    clear = "transparency" in image.info
    if image.mode in ("1", "L"):
        return image.convert("LA" if clear else "L")
    if clear or image.mode == "PA":
        return image.convert("RGBA")
    return image if image.mode in ("LA", "RGB", "RGBA") else image.convert("RGB")


def _orientation(image: ImageFile) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged EXIF block is no reason to refuse the picture
        return 1


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return image
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA"))
