"""Decoding the images that users give: nothing but a checked array comes out.

An upload is untrusted: it may be truncated, mislabelled, or a small file that unpacks to gigabytes.
The kind of file is read from its first bytes; its size, and how many parts it is cut into, before
any library opens it; whatever a decoder raises becomes an ``UploadError`` in words for the user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

__all__ = [
    "MAX_BYTES",
    "MAX_PARTS",
    "MAX_PIXELS",
    "MAX_SCANS",
    "MAX_SIDE",
    "Header",
    "UploadError",
    "decode_image",
    "read_header",
]

MAX_BYTES = 10_000_000
"""The largest file that is read."""

MAX_PIXELS = 50_000_000
"""The largest image that is unpacked."""

MAX_SIDE = 65_535
"""The longest side: what a JPEG can have at most, and a PNG need not have more."""

MAX_PARTS = 20_000
"""The parts a file may be cut into: one of 10 MB has some thousand, each takes a step in Python."""

MAX_SCANS = 100
"""How often a JPEG may describe its picture: programs do it some ten times, each takes a walk."""

_OPENERS: dict[str, Callable[[BytesIO], ImageFile]] = {"PNG": PngImageFile, "JPEG": JpegImageFile}
_NEXT_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_END_OF_HEADER = (0xDA, 0xD9)
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


@dataclass(frozen=True)
class Header:
    """What a PNG or JPEG says of itself.

    Attributes:
        kind: which of the two it is.
        width: in pixels; 0 where the file is damaged.
        height: in pixels; 0 where the file is damaged.
        scans: how often it describes its picture, at least as often as it does; 1 for a PNG.
    """

    kind: Literal["PNG", "JPEG"]
    width: int
    height: int
    scans: int = 1


def read_header(data: bytes) -> Header:
    """Read what a picture is before any library opens it.

    Args:
        data: the whole file.

    Raises:
        UploadError: not a PNG or JPEG, too large, or cut into too many parts.
    """
    if not data:
        raise UploadError("This file is empty: choose a PNG or JPEG image.")
    if len(data) > MAX_BYTES:
        raise UploadError(
            f"This file has {len(data) / 1e6:.1f} MB and at most {MAX_BYTES / 1e6:.0f} MB are "
            "read: save the image smaller and try again."
        )
    header = _png(data) if _kind(data) == "PNG" else _jpeg(data)
    _check_size(header.width, header.height)
    return header


def decode_image(data: bytes, max_side: int = 256) -> NDArray[np.uint8]:
    """Decode a PNG or JPEG into pixels as a viewer would show them.

    Turned by its EXIF orientation, transparency laid on white, colors brought from the embedded
    profile to sRGB (a profile that cannot be used is left alone, as viewers do), CMYK and palettes
    turned to RGB, 16 bits to 8, and of an animation the first frame. Larger images are reduced
    (Lanczos), smaller ones are left as they are.

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
    kind = read_header(data).kind
    try:
        with _OPENERS[kind](BytesIO(data)) as image:
            _check_size(*image.size)
            return _pixels(image, max_side)
    except UploadError:
        raise
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise UploadError(
            f"This {kind} file is damaged or incomplete, so it cannot be decoded: open it in an "
            "image editor, save it again, and try that copy."
        ) from error


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise UploadError(
            f"This image has {width:,} x {height:,} pixels and at most "
            f"{MAX_PIXELS / 1e6:.0f} million are unpacked, {MAX_SIDE:,} to a side: scale it down "
            "and try again."
        )


def _png(data: bytes) -> Header:
    """The header of a PNG, after counting its chunks."""
    place, parts, profiles = 8, 0, 0
    while place + 8 <= len(data):
        parts += 1
        profiles += data[place + 4 : place + 8] == b"iCCP"
        if parts > MAX_PARTS or profiles > 1:
            raise UploadError(_CUT_UP)
        place += 12 + int.from_bytes(data[place : place + 4])
    return Header("PNG", int.from_bytes(data[16:20]), int.from_bytes(data[20:24]))


def _jpeg(data: bytes) -> Header:
    """The header of a JPEG, after counting its markers, the bytes between them and its scans."""
    scans = data.count(b"\xff\xda")
    if scans > MAX_SCANS:
        raise UploadError(
            f"This JPEG file describes its picture {scans:,} times over, and at most {MAX_SCANS} "
            "are read, for each takes its time: open it in an image editor and save it again."
        )
    place, steps, width, height = 2, 0, 0, 0
    while found := _NEXT_MARKER.search(data, place):
        steps += found.start() - place + 1
        if steps > MAX_PARTS:
            raise UploadError(_CUT_UP)
        marker, place = found[1][0], found.end()
        if marker in _END_OF_HEADER:
            break
        if marker in _ALONE:
            continue
        if marker in _START_OF_FRAME:
            height, width = (int.from_bytes(data[place + k : place + k + 2]) for k in (3, 5))
        place += max(int.from_bytes(data[place : place + 2]), 2)
    return Header("JPEG", width, height, max(scans, 1))


_CUT_UP = (
    "This file is cut into very many parts, which no program does, so it was not opened: open it "
    "in an image editor and save it again."
)


def _kind(data: bytes) -> Literal["PNG", "JPEG"]:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
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
    plain = _eight_bits(image)
    if max(plain.size) > max_side:
        plain.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    turn = _TURNS.get(_orientation(image))
    upright = plain if turn is None else plain.transpose(turn)
    mode = "L" if upright.mode in ("L", "LA") else "RGB"
    array = np.array(_on_white(_in_srgb(upright, image)).convert(mode), dtype=np.uint8)
    return array[..., None] if mode == "L" else array


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image as L, LA, RGB, RGBA or CMYK."""
    if image.mode[0] in "IF":  # 16-bit grey
        wide = np.asarray(image)
        wide = wide if wide.dtype == np.uint16 else np.clip(wide, 0, 65535).astype(np.uint16)
        return Image.fromarray((wide // 257).astype(np.uint8))
    clear = "transparency" in image.info
    if image.mode in ("1", "L"):
        return image.convert("LA" if clear else "L")
    if clear or image.mode == "PA":
        return image.convert("RGBA")
    return image if image.mode in ("LA", "RGB", "RGBA", "CMYK") else image.convert("RGB")


def _in_srgb(image: Image.Image, file: ImageFile) -> Image.Image:
    """The image as L, LA, RGB or RGBA, its colors as the profile in its file means them."""
    clear, mode = image.mode in ("LA", "RGBA"), "L" if image.mode in ("L", "LA") else "RGB"
    colored = image.convert(mode) if clear else image
    profile = file.info.get("icc_profile")
    if profile:
        # One that is damaged, or made for other channels than the picture has, is left alone.
        with suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):
            colored = _through(profile, colored)
    colored = colored.convert(mode)
    if clear:
        colored.putalpha(image.getchannel("A"))
    return colored


def _through(profile: bytes, image: Image.Image) -> Image.Image:
    source, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
    turned = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    return image if turned is None else turned


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
