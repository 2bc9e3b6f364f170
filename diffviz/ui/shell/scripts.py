"""The components: each has its script in one piece, which the browser fetches once, and its styles.

The modules are plain ES modules: Node runs them, TypeScript checks them, and a page gets them in
one piece.  What only readers of the source need, comments with their types and indents, stays
behind.  A message to the page holds the script's address, which changes with the script, so that a
browser keeps the script, and what it has compiled of it, for as long as it likes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_PARTS = Path(__file__).parents[1] / "parts"
_SHARED = _PARTS / "shared" / "shared.css"

BASE = "/".join(["", *filter(None, (st.get_option("server.baseUrlPath") or "").split("/"))])
"""The path below which the app is served; empty where it is the server's root."""

_IMPORT = re.compile(r'^import \{\s*\w+(?:,\s*\w+)*,?\s*\} from "(\.[\w./]+)";\n', re.M)
_EXPORT = re.compile(r"^export (?!default)", re.M)
_FOR_READERS = re.compile(r"^ *//.*\n|^ */\*\*[\s\S]*?\*/\n|/\*\*.*?\*/ ?|^ +", re.M)


_LOADER = """
const loaded = import(new URL("{address}", location.origin));
const LATE = "The app cannot be reached: reload the page.";
export default (component) => {{
  let leave = null, left = false;
  loaded.then(
    (script) => {{ if (!left) leave = script.default(component); }},
    () => {{ component.parentElement.textContent = LATE; }},
  );
  return () => {{ left = true; if (leave) leave(); }};
}};
"""


@cache
def component(name: str) -> Callable[..., Mapping[str, Any]]:
    """Return a component, ready to be mounted; its folder in ``parts`` has this name."""
    digest = hashlib.blake2b(script(name).encode(), digest_size=6).hexdigest()
    return st.components.v2.component(
        f"diffviz_{name}",
        css=styles(name),
        js=_LOADER.format(address=f"{BASE}/parts/{name}.js?v={digest}"),
    )


@cache
def script(name: str) -> str:
    """Return a component's script, whose default export mounts it.

    Raises:
        KeyError: where there is no such component.
    """
    return joined(_entries()[name])


@cache
def styles(name: str) -> str:
    """Return a component's stylesheets, after what all components share."""
    sheets = sorted((_PARTS / name).glob("*.css"), key=lambda sheet: (sheet.stem != name, sheet))
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in (_SHARED, *sheets))


@cache
def _entries() -> Mapping[str, Path]:
    """The module that mounts each component, by the component's name."""
    found = [*_PARTS.glob("*/js/main.js"), *_PARTS.glob("*/*.js")]
    named = {path.relative_to(_PARTS).parts[0]: path for path in found if path.stem == "main"}
    return named | {path.stem: path for path in found if path.stem == path.parent.name}


def joined(entry: Path) -> str:
    """Return a module with all that it imports in front of it, each once, as one module.

    A name means the same in all of them: none is declared twice, and none is imported under another
    name.

    Args:
        entry: the module with the default export that mounts the component.
    """
    parts: dict[Path, str] = {}
    _collect(entry.resolve(), parts)
    return "\n".join(parts.values())


def _collect(module: Path, parts: dict[Path, str]) -> None:
    """Add a module after those that it imports, unless it is there or on its way."""
    if module in parts:
        return
    text = module.read_text(encoding="utf-8")
    parts[module] = ""
    for found in _IMPORT.finditer(text):
        _collect((module.parent / found[1]).resolve(), parts)
    del parts[module]
    own = _EXPORT.sub("", _IMPORT.sub("", text))
    parts[module] = _FOR_READERS.sub("", own).strip("\n") + "\n"
