"""What a safetensors file says of itself, looked at before a library opens it."""

from __future__ import annotations

from typing import BinaryIO

__all__ = ["MAX_ENTRIES", "is_overfull"]

MAX_ENTRIES = 10_000
"""The most tensors that a file may list; a network has some hundred."""

_MAX_HEADER_BYTES = 2_000_000


def is_overfull(file: BinaryIO, size: int) -> bool:
    """Whether the header of a safetensors file lists more than any network has.

    Such a list takes a library seconds and much memory to read, however few bytes lie behind it.
    Whether the file is sound otherwise is left to the library.

    Args:
        file: open at its start.
        size: of the file, in bytes.
    """
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:  # not such a file, or cut short
        return False
    return length > _MAX_HEADER_BYTES or file.read(length).count(b"{") > MAX_ENTRIES
