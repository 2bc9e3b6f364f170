"""What a run of a page shows: the widget of a parameter, and the address."""

from __future__ import annotations

from typing import Any

from streamlit.testing.v1 import AppTest


def view(widgets: Any, slot: str) -> Any:
    """The widget of a parameter: one that was replaced has a number behind its key."""
    return next(w for w in widgets if (w.key or "").partition("#")[0] == slot)


def address(at: AppTest) -> dict[str, str]:
    """What stands in the address, one word a name."""
    found = {name: at.query_params[name] for name in at.query_params}
    words = {name: [word] if isinstance(word, str) else word for name, word in found.items()}
    assert all(len(word) == 1 for word in words.values())
    return {name: word[0] for name, word in words.items()}
