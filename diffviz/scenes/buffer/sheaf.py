"""Several buffers in one answer: those that differ in one number, such as a knob's stops.

Layout as of a buffer, with the mark ``DVZN``; the header has the ``values`` and the ``lengths`` of
the buffers, which follow one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from diffviz.scenes.buffer.format import framed, unframed

MAGIC = b"DVZN"


def bind(buffers: Mapping[float, bytes]) -> bytes:
    """Put buffers together, by the number in which they differ."""
    lengths = [len(buffer) for buffer in buffers.values()]
    return b"".join(
        [framed(MAGIC, {"values": list(buffers), "lengths": lengths}), *buffers.values()]
    )


def unbind(sheaf: bytes) -> dict[float, bytes]:
    """Take them apart.

    Raises:
        ValueError: when the bytes are no sheaf.
    """
    header, at = unframed(MAGIC, sheaf)
    found = {}
    for value, length in zip(header["values"], header["lengths"], strict=True):
        found[value] = sheaf[at : at + length]
        at += length
    return found
