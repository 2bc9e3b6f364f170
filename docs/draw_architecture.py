"""What is where and what leans on what, read from the code and drawn into ``architecture.md``.

    python docs/draw_architecture.py    # after a module came, went or moved

``tests/test_import_rule.py`` holds the rule that stands here, and compares the drawing with the
code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

__all__ = [
    "FOLDERS",
    "MODULES",
    "PAGES",
    "ROOT",
    "TARGET",
    "drawn",
    "floor",
    "imported",
    "reaches",
    "screen",
]

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "architecture.md"

FOLDERS = (
    "tools",
    "core",
    "data",
    "measures",
    "networks",
    "exchange",
    "models",
    "studies",
    "scenes",
    "ui.shell",
    "ui.parts",
    "ui.choices",
    "ui.stage",
    "ui.screens",
)
"""In the order of the rule: a folder may import from those before it and from itself."""

WAY = (
    ("pages.reverse", "show"),
    ("diffviz.ui.choices.controls", "choose_sampler"),
    ("diffviz.scenes.configs", "SamplerConfig"),
    ("diffviz.scenes.point_run", "RunConfig"),
    ("diffviz.ui.shell.waiting", "wait_for"),
    ("diffviz.scenes.point_run", "shown"),
    ("diffviz.core.samplers.base", "Sampler"),
    ("diffviz.core.trajectory", "Trajectory"),
    ("diffviz.scenes.buffer", "encode"),
    ("diffviz.ui.stage.place", "placed"),
    ("diffviz.ui.parts.player", "player"),
)
"""From a slider of the Reverse page to its picture: modules, and what in them has its turn."""


def name_of(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted((ROOT / "diffviz").rglob("*.py"))}
PAGES = {name_of(path): path for path in sorted((ROOT / "pages").glob("*.py"))}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imported(path: Path) -> frozenset[str]:
    """The full names of what a file imports.

    Raises:
        ValueError: where it imports relatively.
    """
    return frozenset(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise ValueError(f"{path} imports relatively, line {node.lineno}")
            yield from (
                full if (full := f"{node.module}.{alias.name}") in MODULES else node.module
                for alias in node.names
            )
        elif isinstance(node, ast.Call) and _is_dynamic(node.func):
            argument = node.args[0] if node.args else None
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def _is_dynamic(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"__import__", "import_module"}


def reaches(module: str, package: str) -> bool:
    """Whether a module is in a package, or is it."""
    return module == package or module.startswith(f"{package}.")


def floor(module: str) -> int | None:
    """Where a module's folder stands in the order; None for the package itself and for others."""
    found = [k for k, folder in enumerate(FOLDERS) if reaches(module, f"diffviz.{folder}")]
    return found[0] if found else None


def screen(module: str) -> str | None:
    """The page whose folder a module lies in."""
    parts = module.split(".")
    return parts[3] if parts[:3] == ["diffviz", "ui", "screens"] and len(parts) > 3 else None


# The drawing ------------------------------------------------------------------------------------


def tree() -> str:
    """The folders with their one idea and their modules, as a table."""
    lines = ["| folder | its one idea | modules |", "|---|---|---|"]
    for folder in FOLDERS:
        package = f"diffviz.{folder}"
        shown = [
            name.rpartition(".")[2] + ("/" if path.name == "__init__.py" else "")
            for name, path in MODULES.items()
            if name.rpartition(".")[0] == package
        ]
        path = package.replace(".", "/")
        lines.append(f"| `{path}/` | {_first_sentence(package)} | {', '.join(sorted(shown))} |")
    return "\n".join(lines)


def leanings() -> dict[str, set[str]]:
    """Each folder, and the others that its modules import from; the pages and the app as well."""
    arrows: dict[str, set[str]] = {folder: set() for folder in (*FOLDERS, "pages")}
    for name, path in {**MODULES, **PAGES}.items():
        here = floor(name)
        own = "pages" if name in PAGES else None if here is None else FOLDERS[here]
        if own is None:
            continue
        for other in imported(path):
            there = floor(other)
            if there is not None and FOLDERS[there] != own:
                arrows[own].add(FOLDERS[there])
    return arrows


def graph() -> str:
    """Which folder leans on which; an arrow that follows from two others is left out."""
    arrows = leanings()
    far: dict[str, set[str]] = {}
    for folder in TopologicalSorter(arrows).static_order():
        far[folder] = arrows[folder].union(*(far[other] for other in arrows[folder]))
    lines = ["```mermaid", "flowchart BT"]
    for folder in ("pages", *reversed(FOLDERS)):
        plain = arrows[folder] - set().union(*(far[other] for other in arrows[folder]))
        lines += [
            f"    {_node(folder)} --> {_node(other)}" for other in sorted(plain, key=FOLDERS.index)
        ]
    return "\n".join([*lines, "```"])


def _node(folder: str) -> str:
    return f'{folder.replace(".", "_")}["{folder.replace(".", "/")}"]'


def way() -> str:
    """The way of a slider to the picture, each step in the words of its own docstring.

    Raises:
        ValueError: where a step is not there any more, or no earlier one imports it.
    """
    lines, before = [], list[str]()
    for k, (module, name) in enumerate(WAY, 1):
        path = {**MODULES, **PAGES}.get(module)
        node = None if path is None else _defined(path, name)
        if path is None or node is None:
            raise ValueError(f"there is no {name} in {module}: mend the WAY in {__file__}")
        seen = {other for earlier in before for other in imported({**MODULES, **PAGES}[earlier])}
        if before and module not in before and not any(reaches(module, o) for o in seen):
            raise ValueError(f"nothing before it imports {module}: mend the WAY in {__file__}")
        before.append(module)
        doc = ast.get_docstring(node)
        if not doc:
            raise ValueError(f"{module}.{name} says nothing of itself")
        where = path.relative_to(ROOT).as_posix()
        lines.append(f"{k}. `{name}` in `{where}`: {_sentence(doc)}")
    return "\n".join(lines)


def _defined(path: Path, name: str) -> ast.FunctionDef | ast.ClassDef | None:
    for node in _tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
    return None


def _first_sentence(module: str) -> str:
    return _sentence(ast.get_docstring(_tree(MODULES[module])) or "").rstrip(".")


def _sentence(doc: str) -> str:
    return doc.split("\n\n")[0].replace("\n", " ").replace("``", "`")


def drawn(text: str) -> str:
    """A text with its drawn parts, between ``<!-- NAME -->`` and ``<!-- end -->``, drawn anew."""
    for name, draw in (("tree", tree), ("graph", graph), ("way", way)):
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise ValueError(f"there is no place for the {name}")
        text = f"{before}<!-- {name} -->\n\n{draw()}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    TARGET.write_text(drawn(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
