"""The binary buffer that carries one run from Python to the browser.

Layout of a buffer (all integers little endian)::

    bytes 0-3    b"DVZ1"
    bytes 4-7    uint32 H, the length of the header
    8 .. 8+H     the header: JSON in UTF-8, padded with spaces so that 8 + H is a multiple of 8
    8+H ..       the data block: arrays, each starting at a multiple of 8 from the block's start

``header["arrays"][name]`` is ``{dtype, shape, offset, lo, hi}``.  An array of unsigned integers
stands for real numbers: ``value = lo + (hi - lo) * q / max`` with ``max`` 255 or 65535, and ``lo``,
``hi`` a number or one number per entry of the last axis.  With ``changes``, q of a row is the sum
of all rows up to it, modulo 256.  ``header["id"]`` is a digest of all the rest: it names the run.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAGIC = b"DVZ1"
ALIGN = 8

Dtype: TypeAlias = Literal["u16", "u8", "f32", "i32"]
Bound: TypeAlias = float | Sequence[float] | NDArray[np.floating[Any]] | None

NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    "u16": np.dtype("<u2"),
    "u8": np.dtype("u1"),
    "f32": np.dtype("<f4"),
    "i32": np.dtype("<i4"),
}
LEVELS: dict[str, int] = {"u16": 65535, "u8": 255}


class Buffer:
    """Collects named arrays and writes them, with a header, as one block of bytes.

    Args:
        without: last parts of the names of arrays that are named and not written: the reader has
            them from another buffer.
    """

    def __init__(self, without: Collection[str] = ()) -> None:
        self._without = without
        self._arrays: dict[str, dict[str, Any]] = {}
        self._chunks: list[bytes] = []
        self._size = 0

    def add(
        self,
        name: str,
        array: ArrayLike,
        dtype: Dtype = "u16",
        lo: Bound = None,
        hi: Bound = None,
        *,
        changes: bool = False,
    ) -> str:
        """Add one array under a name and return the name.

        Args:
            name: where the header will list the array; used once in a buffer.
            array: any shape; real numbers for ``u16``, ``u8`` and ``f32``, integers for ``i32``.
            dtype: ``u16`` and ``u8`` are quantised between ``lo`` and ``hi``; the error is at most
                half a level, values outside are clipped.  ``f32`` and ``i32`` are kept as they are.
            lo: the value of level 0: a number, or one per entry of the last axis.  Default: the
                smallest value of the array.
            hi: the value of the top level, likewise.  Default: the largest value.
            changes: of ``u8``: whether each row but the first is sent as what it differs by from
                the row before, modulo 256, which compresses where rows are alike.

        Raises:
            ValueError: for a name used twice, an unknown dtype, or NaN or infinity in an array
                that is to be quantised.
        """
        if name in self._arrays:
            raise ValueError(f"the array {name!r} is already in the buffer")
        if dtype not in NUMPY_TYPES:
            raise ValueError(f"unknown dtype {dtype!r}; use one of {', '.join(NUMPY_TYPES)}")
        if self.leaves_out(name):
            return name
        values = np.asarray(array)
        entry: dict[str, Any] = {"dtype": dtype, "shape": list(values.shape), "lo": 0.0, "hi": 1.0}
        if dtype in LEVELS:
            values, entry["lo"], entry["hi"] = _quantise(name, values, dtype, lo, hi)
        if changes:
            entry["changes"] = True
            values = np.diff(values, axis=0, prepend=np.zeros_like(values[:1]))
        entry["offset"] = self._append(values.astype(NUMPY_TYPES[dtype], copy=False))
        self._arrays[name] = entry
        return name

    def leaves_out(self, name: str) -> bool:
        """Whether an array of this name is not written."""
        return name.rpartition(".")[2] in self._without

    def finish(self, header: Mapping[str, Any]) -> bytes:
        """Write everything as one block of bytes.

        Args:
            header: JSON-able entries (clock, panels, rail, ...) beside ``arrays`` and ``id``.
        """
        digest = hashlib.blake2b(digest_size=12)
        body: dict[str, Any] = {**header, "arrays": self._arrays}
        digest.update(_json(body))
        for chunk in self._chunks:
            digest.update(chunk)
        body["id"] = digest.hexdigest()
        return b"".join([framed(MAGIC, body), *self._chunks])

    def _append(self, values: NDArray[Any]) -> int:
        offset = self._size
        raw = np.ascontiguousarray(values).tobytes()
        raw += b"\0" * (-len(raw) % ALIGN)
        self._chunks.append(raw)
        self._size += len(raw)
        return offset


def decode(buffer: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a buffer back: its header, and its arrays as real numbers (float64 where quantised).

    Raises:
        ValueError: when the bytes are not a buffer of this format.
    """
    header, start = unframed(MAGIC, buffer)
    arrays: dict[str, NDArray[Any]] = {}
    for name, entry in header["arrays"].items():
        dtype, shape = entry["dtype"], entry["shape"]
        raw = np.frombuffer(
            buffer, NUMPY_TYPES[dtype], count=math.prod(shape), offset=start + entry["offset"]
        ).reshape(shape)
        if "changes" in entry:
            raw = np.cumsum(raw, axis=0, dtype=raw.dtype)
        if dtype in LEVELS:
            lo, hi = np.asarray(entry["lo"]), np.asarray(entry["hi"])
            arrays[name] = lo + (hi - lo) * (raw / LEVELS[dtype])
        else:
            arrays[name] = raw
    return header, arrays


def read_header(buffer: bytes) -> dict[str, Any]:
    """Return the header of a buffer without touching its arrays.

    Raises:
        ValueError: when the bytes are not a buffer of this format.
    """
    return unframed(MAGIC, buffer)[0]


def _quantise(
    name: str, values: NDArray[Any], dtype: Dtype, lo: Bound, hi: Bound
) -> tuple[NDArray[Any], float | list[float], float | list[float]]:
    real = values.astype(np.float64, copy=False)
    if not np.isfinite(real).all():
        bad = int(real.size - np.isfinite(real).sum())
        raise ValueError(
            f"the array {name!r} holds {bad} value(s) that are NaN or infinite; "
            "only finite numbers can be drawn"
        )
    low = np.asarray(_default(real, lo, np.min), dtype=np.float64)
    high = np.asarray(_default(real, hi, np.max), dtype=np.float64)
    high = np.where(high > low, high, low + 1.0)
    top = LEVELS[dtype]
    scaled = (real - low) * (top / (high - low))
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, top, out=scaled)
    return scaled.astype(NUMPY_TYPES[dtype]), low.tolist(), high.tolist()


def _default(values: NDArray[Any], bound: Bound, extreme: Any) -> Any:
    if bound is not None:
        return bound
    return extreme(values) if values.size else 0.0


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def framed(magic: bytes, value: Mapping[str, Any]) -> bytes:
    """Return a mark, the length of a header and the header, to a multiple of 8 bytes."""
    text = _json(value)
    text += b" " * (-(8 + len(text)) % ALIGN)
    return magic + struct.pack("<I", len(text)) + text


def unframed(magic: bytes, data: bytes) -> tuple[dict[str, Any], int]:
    """Return a header and where it ends.

    Raises:
        ValueError: when the bytes do not start with this mark, or are cut short.
    """
    if len(data) < 8 or data[:4] != magic:
        raise ValueError(f"not a player buffer: it does not start with {magic.decode()}")
    (length,) = struct.unpack_from("<I", data, 4)
    if 8 + length > len(data):
        raise ValueError("the player buffer is cut short: its header is longer than the data")
    return json.loads(data[8 : 8 + length]), 8 + length
