"""The script of a component in one piece, its module and all that this imports; its styles too.

The modules are plain ES modules: Node runs them, TypeScript checks them, and a page gets them in
one piece, so that it asks for nothing else.  What only readers of the source need, comments with
their types and indents, stays behind.
"""

from __future__ import annotations

import re
from pathlib import Path

_SHARED = Path(__file__).parent / "shared" / "shared.css"

_IMPORT = re.compile(r'^import \{\s*\w+(?:,\s*\w+)*,?\s*\} from "(\.[\w./]+)";\n', re.M)
_EXPORT = re.compile(r"^export (?!default)", re.M)
_FOR_READERS = re.compile(r"^ *//.*\n|^ */\*\*[\s\S]*?\*/\n|/\*\*.*?\*/ ?|^ +", re.M)


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


def styled(*sheets: Path) -> str:
    """Return the stylesheets of a component, after what all components share."""
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in (_SHARED, *sheets))


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
