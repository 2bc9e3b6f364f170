"""Imports point one way only: app.py -> pages/ -> diffviz/ui/ -> diffviz/."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UI = ROOT / "diffviz" / "ui"
SCREEN = {"streamlit", "plotly"}

CORE = [path for path in sorted((ROOT / "diffviz").rglob("*.py")) if UI not in path.parents]
SHOWN = sorted(UI.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, line {node.lineno}"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _is_dynamic(node.func):
            argument = node.args[0] if node.args else None
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def _is_dynamic(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in {"__import__", "import_module"}


def reaches(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_is_something_to_check() -> None:
    assert ROOT / "diffviz" / "schedules.py" in CORE
    assert UI / "links.py" in SHOWN


@pytest.mark.parametrize("path", CORE, ids=relative)
def test_core_knows_nothing_of_the_screen(path: Path) -> None:
    banned = SCREEN | {"diffviz.ui", "pages", "app"}
    found = {module for module in imported(path) for name in banned if reaches(module, name)}
    assert not found, f"{relative(path)} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize("path", SHOWN, ids=relative)
def test_shared_screen_parts_know_no_page(path: Path) -> None:
    found = {m for m in imported(path) for name in ("pages", "app") if reaches(m, name)}
    assert not found, f"{relative(path)} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=relative)
def test_pages_do_not_import_each_other(path: Path) -> None:
    found = {m for m in imported(path) for name in ("pages", "app") if reaches(m, name)}
    assert not found, f"{relative(path)} imports {', '.join(sorted(found))}"


def test_the_app_only_navigates() -> None:
    allowed = {"streamlit", "diffviz.ui", "__future__"}
    found = {
        module
        for module in imported(ROOT / "app.py")
        if not any(reaches(module, name) for name in allowed) and module != "diffviz"
    }
    assert not found, f"app.py imports {', '.join(sorted(found))}"


def test_the_check_sees_every_kind_of_import(tmp_path: Path) -> None:
    source = "import plotly.io\nfrom streamlit import x\ndef f():\n    __import__('streamlit')\n"
    (tmp_path / "m.py").write_text(source)
    found = set(imported(tmp_path / "m.py"))
    assert {"plotly.io", "streamlit", "streamlit.x"} <= found
