"""Pictures that people bring: a ZIP archive or a folder becomes one set of small pictures.

An archive is untrusted.  Nothing of it is written anywhere: a file in it is unpacked in memory, one
at a time, through a bounded stream, decoded (``uploads.decode_image``), cut to its central square
and reduced, and only the small picture is kept.  Names in an archive are for display only, and are
made harmless first.  What an archive says of itself is checked against what it is: how many files
it has, how large they are, that no two of them share bytes.

    taken     PNG and JPEG
    skipped   with the reason: folders, links, hidden files and what systems leave (__MACOSX), other
              files, archives in the archive, files with a password, damaged or overlarge ones
    refused   as a whole: no ZIP, or half of one; more files or more bytes than an archive may have;
              files that share bytes; nothing that can be taken

A folder on the server's own disk goes the same way; symbolic links in it are never followed.
"""

from __future__ import annotations

import math
import os
import re
import stat
import struct
import unicodedata
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from diffviz.exchange.uploads import MAX_BYTES, Header, UploadError, decode_image, read_header

__all__ = [
    "MAX_ARCHIVE_BYTES",
    "MAX_FILES",
    "MAX_PICTURES",
    "MAX_SIDE",
    "MAX_UNPACKED_BYTES",
    "Pictures",
    "distinct",
    "plain_name",
    "read_folder",
    "read_zip",
]

MAX_ARCHIVE_BYTES = 100_000_000
"""The largest archive that is opened."""

MAX_UNPACKED_BYTES = 300_000_000
"""The most that the files of one archive may unpack to, together."""

MAX_FILES = 10_000
"""The most files and folders that one archive, or one folder, may have."""

MAX_PICTURES = 2_000
"""The most pictures that can be asked for."""

MAX_SIDE = 128
"""The largest side that can be asked for, in pixels."""

_MAX_RATIO = 200  # a picture is packed already: deflate takes little more from it
_RATIO_FROM = 1_000_000  # bytes up to which a file may be packed better than that
_MAX_DEPTH = 8  # folders in folders
_MAX_WORK = 2_000_000_000  # pixels of PNG files that are unpacked for one set
_SCANS_A_PIXEL = 16  # scans of a JPEG that cost as much as unpacking a PNG of the same size
_LONGEST_NAME = 80
_REASONS = 3  # that a message about an archive without a picture gives

_FILE, _ENTRY, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_UTF_8, _LOCKED = 0x800, 0x1 | 0x40 | 0x2000  # flag bits
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks others without a bound
_ARCHIVES = (_FILE, _END, b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
# What HTML and Markdown read as more than text, and what parts a path.
_UNSAFE = frozenset("<>&\"'`[]{}$*|~\\/:")

Bytes = NDArray[np.uint8]
File = tuple[str, Callable[[], bytes]]  # its path, and how to read it


@dataclass(frozen=True, eq=False)
class Pictures:
    """A set of pictures that someone brought.

    Attributes:
        images: (N, C, S, S) float32, black = -1 to white = 1; C is 1 where every picture is grey,
            else 3.
        names: of the pictures, fit for display, no two alike.
        skipped: (name, why) of everything else that was found.
    """

    images: Tensor
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]


def read_zip(data: bytes, side: int = 32, most: int = 500) -> Pictures:
    """Read the pictures in a ZIP archive, in its order.

    Args:
        data: the whole archive.
        side: S of the pictures in pixels, 1 to ``MAX_SIDE``.
        most: how many pictures are taken, the first ones, 1 to ``MAX_PICTURES``.

    Raises:
        UploadError: no complete ZIP archive, one that is built to do harm, or no picture in it.
        ValueError: ``side`` or ``most`` out of range.
    """
    _check_asked(side, most)
    with _opened(data) as archive:
        return _gathered(_members(archive), side, most, "archive")


def read_folder(path: str | Path, side: int = 32, most: int = 500) -> Pictures:
    """Read the pictures in a folder, then those in the folders in it, each in order of names.

    Args:
        path: the folder, on the disk of the machine that this runs on.
        side: S of the pictures in pixels, 1 to ``MAX_SIDE``.
        most: how many pictures are taken, the first ones, 1 to ``MAX_PICTURES``.

    Raises:
        UploadError: no folder, one with too many files, or no picture in it.
        ValueError: ``side`` or ``most`` out of range.
    """
    _check_asked(side, most)
    return _gathered(_walk(Path(path)), side, most, "folder")


def plain_name(path: str) -> str:
    """Return the last part of a path as a short name that is only text, in HTML and Markdown too.

    Without control and formatting characters, quotes, brackets and the like; never empty.
    """
    base = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    base = re.sub(r"^[A-Za-z]:", "", base)[-4 * _LONGEST_NAME :]  # without the letter of a drive
    kept = "".join(
        letter
        for letter in unicodedata.normalize("NFC", base)
        if letter not in _UNSAFE and (letter.isspace() or unicodedata.category(letter)[0] != "C")
    )
    name = " ".join(kept.split()).strip(". ")
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME // 2]}…{name[1 - _LONGEST_NAME // 2 :]}"
    return name or "no name"


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names with a number behind those that came before: a, a (2), a (3)."""
    taken: dict[str, None] = {}
    count: dict[str, int] = {}
    for name in names:
        shown = name
        while shown in taken:
            count[name] = count.get(name, 1) + 1
            shown = f"{name} ({count[name]})"
        taken[shown] = None
    return tuple(taken)


def _check_asked(side: int, most: int) -> None:
    if not 1 <= side <= MAX_SIDE:
        raise ValueError(f"The side of a picture is 1 to {MAX_SIDE} pixels, not {side}.")
    if not 1 <= most <= MAX_PICTURES:
        raise ValueError(f"A set has 1 to {MAX_PICTURES:,} pictures, not {most:,}.")


# From files to pictures -------------------------------------------------------------------------


def _gathered(files: Iterable[File], side: int, most: int, place: str) -> Pictures:
    """The first ``most`` files that are pictures, and why the others are not."""
    small: list[Bytes] = []
    names: list[str] = []
    skipped: list[tuple[str, str]] = []
    work = more = 0
    for path, read in files:
        if len(small) == most:
            more += 1
            continue
        name = plain_name(path)
        try:
            data = read()
            header = _header(data)
            work += _work(header, _MAX_WORK - work)
            small.append(_small(data, header, side))
            names.append(name)
        except UploadError as error:
            skipped.append((name, str(error)))
    if not small:
        raise UploadError(_no_picture(skipped, place))
    if more:
        what = "1 more file" if more == 1 else f"{more:,} more files"
        skipped.append((what, f"A set has at most {most:,} pictures, and the first were taken."))
    return Pictures(_stacked(small), distinct(names), tuple(skipped))


def _no_picture(skipped: list[tuple[str, str]], place: str) -> str:
    first = {why: name for name, why in reversed(skipped)}  # of each reason the first file
    reasons = [f"{name}: {why}" for why, name in reversed(first.items())][:_REASONS]
    found = " ".join(reasons) if reasons else "It is empty."
    return (
        f"There is no picture in this {place} that can be read. {found} Put PNG or JPEG pictures "
        f"into the {place} and try again."
    )


def _header(data: bytes) -> Header:
    """What a picture says of itself.

    Raises:
        UploadError: no PNG or JPEG, or one that is not opened.
    """
    if data.startswith(_ARCHIVES):
        raise UploadError(
            "This is an archive, and archives within are not opened: unpack it and add its "
            "pictures one by one."
        )
    return read_header(data)


def _work(header: Header, left: int) -> int:
    """How many pixels it will take to unpack a file.

    Raises:
        UploadError: more than are left.
    """
    work = header.width * header.height
    if header.kind == "JPEG":
        work = work * header.scans // _SCANS_A_PIXEL
    if work > left:
        raise UploadError(
            "With this file the pictures of the set would be too much to unpack "
            f"({_MAX_WORK / 1e6:,.0f} million pixels): scale the pictures down first."
        )
    return work


def _small(data: bytes, header: Header, side: int) -> Bytes:
    """The central square of a picture: (S, S) where it is grey, else (S, S, 3)."""
    short, long = sorted((max(header.width, 1), max(header.height, 1)))
    pixels = decode_image(data, max(side, math.ceil(2 * side * long / short)))
    height, width, channels = pixels.shape
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    square = square.crop((left, top, left + edge, top + edge))
    small = np.array(square.resize((side, side), Image.Resampling.LANCZOS), dtype=np.uint8)
    grey = small.ndim == 3 and bool((small == small[..., :1]).all())
    return small[..., 0].copy() if grey else small


def _stacked(small: list[Bytes]) -> Tensor:
    grey = all(picture.ndim == 2 for picture in small)
    channels = 1 if grey else 3
    images = torch.empty(len(small), channels, *small[0].shape[:2])
    for place, picture in zip(images, small, strict=True):
        pixels = torch.from_numpy(picture)
        place.copy_(pixels if pixels.ndim == 2 else pixels.permute(2, 0, 1))
    return images.div_(127.5).sub_(1)


# Archives ---------------------------------------------------------------------------------------


def _opened(data: bytes) -> zipfile.ZipFile:
    """The archive, after checking that its table of contents is true.

    Raises:
        UploadError: it is none, is damaged, or is built to do harm.
    """
    if not data:
        raise UploadError("This file is empty: choose a ZIP archive with PNG or JPEG pictures.")
    if len(data) > MAX_ARCHIVE_BYTES:
        raise UploadError(
            f"This archive has {len(data) / 1e6:.1f} MB and at most {MAX_ARCHIVE_BYTES / 1e6:.0f} "
            "MB are read: put fewer or smaller pictures into it."
        )
    if not data.startswith((_FILE, _END)):
        raise UploadError(
            "This file is not a ZIP archive, and no other kind is opened: pack the pictures as a "
            "ZIP and choose that."
        )
    if data.count(_ENTRY) > MAX_FILES:  # before anything is built from its table of contents
        raise UploadError(
            f"This archive has more than {MAX_FILES:,} files: pack fewer pictures and try again."
        )
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except Exception as error:  # damaged tables of contents raise nearly anything
        raise UploadError(_DAMAGED) from error
    _check_layout(archive, data)
    unpacked = sum(info.file_size for info in archive.infolist() if _refusal(info) is None)
    if unpacked > MAX_UNPACKED_BYTES:
        raise UploadError(
            f"This archive would unpack to {unpacked / 1e6:,.0f} MB and at most "
            f"{MAX_UNPACKED_BYTES / 1e6:.0f} MB are unpacked: pack fewer or smaller pictures."
        )
    return archive


_DAMAGED = (
    "This ZIP archive is damaged or incomplete, so its files cannot be told apart: copy or "
    "download it again, or pack the pictures anew."
)


def _check_layout(archive: zipfile.ZipFile, data: bytes) -> None:
    """Refuse files that are not where they are said to be, or share bytes with one another.

    Source: Fifield 2019, "A better zip bomb": one kernel that many files share.
    """
    end = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        start = info.header_offset
        if start < end or start + 30 > archive.start_dir or data[start : start + 4] != _FILE:
            raise UploadError(_DAMAGED)
        name, extra = struct.unpack_from("<HH", data, start + 26)
        end = start + 30 + name + extra + info.compress_size
    if end > archive.start_dir:
        raise UploadError(_DAMAGED)


def _members(archive: zipfile.ZipFile) -> Iterator[File]:
    for info in archive.infolist():
        yield _path(info), partial(_unpacked, archive, info)


def _path(info: zipfile.ZipInfo) -> str:
    """The name of a file in an archive, also where UTF-8 is not announced."""
    if not info.flag_bits & _UTF_8:
        try:
            return info.filename.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return info.filename


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    why = _refusal(info)
    if why is not None:
        raise UploadError(why)
    try:
        with archive.open(info) as stream:
            data = stream.read(info.file_size + 1)
    except Exception as error:  # damaged files raise nearly anything
        raise UploadError(
            "This file is damaged in the archive, so it cannot be unpacked: pack it again."
        ) from error
    if len(data) != info.file_size:
        raise UploadError(
            "This file is not as long as the archive says, so it may be damaged: pack it again."
        )
    return data


def _refusal(info: zipfile.ZipInfo) -> str | None:
    """Why a file in an archive is not unpacked, or None if it is."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir():
        return _FOLDER
    if _hidden(info.filename):
        return _HIDDEN
    if kind and not stat.S_ISREG(kind):
        return _NO_FILE
    if info.flag_bits & _LOCKED:
        return "This file is locked with a password: pack it again without one."
    if info.compress_type not in _METHODS:
        return (
            f"This file is packed by a method that is not read (number {info.compress_type}): "
            "pack it again as an ordinary ZIP."
        )
    if info.file_size > MAX_BYTES:
        return _too_large(info.file_size)
    if info.file_size > max(_RATIO_FROM, _MAX_RATIO * info.compress_size):
        return (
            f"This file would unpack to more than {_MAX_RATIO} times its size, which no picture "
            "does: save the picture again and pack that."
        )
    return None


_FOLDER = "This is a folder, not a picture: what is in it is looked at file by file."
_HIDDEN = "This is a hidden file or what a system keeps beside files: it was left alone."
_NO_FILE = (
    "This is a link or a device and no file, and links are not followed: add the file itself."
)


def _too_large(size: int) -> str:
    return (
        f"This file has {size / 1e6:,.1f} MB and at most {MAX_BYTES / 1e6:.0f} MB are read: save "
        "the image smaller and try again."
    )


def _hidden(path: str) -> bool:
    parts = path.replace("\\", "/").split("/")
    return "__MACOSX" in parts or any(p.startswith(".") and p not in (".", "..") for p in parts)


# Folders ----------------------------------------------------------------------------------------


def _walk(folder: Path) -> Iterator[File]:
    """Every file below a folder, and how to read it; links and hidden folders are not entered."""
    if not folder.is_dir():
        raise UploadError(
            f"There is no folder {plain_name(str(folder))} here that may be opened: give the path "
            "of a folder with PNG or JPEG pictures, on the machine that this app runs on."
        )
    waiting, count = deque([(folder, 0)]), 0
    while waiting:
        place, depth = waiting.popleft()
        try:
            entries = _entries(place, MAX_FILES - count)
        except OSError:
            yield place.name, partial(_refuse, _CLOSED)
            continue
        count += len(entries)
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry.name, partial(_read, entry)
            elif _hidden(entry.name) or depth == _MAX_DEPTH:
                yield entry.name, partial(_refuse, _HIDDEN if _hidden(entry.name) else _DEEP)
            else:
                waiting.append((Path(entry.path), depth + 1))


_CLOSED = "This folder cannot be opened: give this app the right to read it."
_DEEP = f"This folder is more than {_MAX_DEPTH} folders deep, so it was left alone: move it up."


def _entries(folder: Path, left: int) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        entries = list(islice(found, left + 1))
    if len(entries) > left:
        raise UploadError(
            f"This folder has more than {MAX_FILES:,} files: choose a folder with fewer."
        )
    return sorted(entries, key=lambda entry: entry.name)


def _refuse(why: str) -> bytes:
    raise UploadError(why)


def _read(entry: os.DirEntry[str]) -> bytes:
    if _hidden(entry.name):
        raise UploadError(_HIDDEN)
    if not entry.is_file(follow_symlinks=False):
        raise UploadError(_NO_FILE)
    # Not a link, and no wait for a writer, even if the file was swapped for one since.
    flags = os.O_RDONLY | sum(getattr(os, f"O_{name}", 0) for name in _FLAGS)
    try:
        with open(os.open(entry.path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UploadError(_NO_FILE)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UploadError(
            "This file cannot be opened: give this app the right to read it."
        ) from error
    if len(data) > MAX_BYTES:
        raise UploadError(_too_large(entry.stat(follow_symlinks=False).st_size))
    return data


_FLAGS = ("NOFOLLOW", "NONBLOCK", "CLOEXEC", "BINARY")
