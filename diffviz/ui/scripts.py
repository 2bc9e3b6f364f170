"""The script of a component in one file: what several of them share, then its own."""

from __future__ import annotations

from pathlib import Path

__all__ = ["with_helpers"]

HELPERS = Path(__file__).parent / "page.js"


def with_helpers(script: Path) -> str:
    """Return a component's script with the shared helpers in front of it.

    Args:
        script: a file that uses them and does not define them.
    """
    return HELPERS.read_text(encoding="utf-8") + script.read_text(encoding="utf-8")
