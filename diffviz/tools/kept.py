"""Figures that a command measured and a page shows: small JSON files, an entry for each set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffviz.tools.files import write_whole

__all__ = ["keep", "read", "rounded"]


def rounded(value: Any, digits: int = 5) -> Any:
    """Return a value with every float in it to so many significant digits.

    Args:
        value: a number, a text, or mappings and lists of them.
        digits: of a float.
    """
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, Mapping):
        return {key: rounded(each, digits) for key, each in value.items()}
    return [rounded(each, digits) for each in value] if isinstance(value, list | tuple) else value


def read(place: Path) -> dict[str, Any]:
    """Return what was kept; nothing where there is no file.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no JSON.
    """
    if not place.is_file():
        return {}
    kept: dict[str, Any] = json.loads(place.read_text("utf-8"))
    return kept


def keep(place: Path, entries: Mapping[str, Any]) -> None:
    """Put entries in the place of those of the same names, new ones last; the others stay.

    The file is read anew each time, so that two commands at work on two sets keep both.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if there is one that is no JSON, or a figure is no finite number.
    """
    kept = {**read(place), **entries}
    write_whole(place, (json.dumps(kept, indent=1, allow_nan=False) + "\n").encode())
