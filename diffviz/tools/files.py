"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(place: Path, content: bytes) -> None:
    """Write a file so that an interruption leaves the old one as it was.

    Raises:
        OSError: if it cannot be written.
    """
    partial = place.with_name(place.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, place)
