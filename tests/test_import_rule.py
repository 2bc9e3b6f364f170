"""Imports point one way: a folder leans on those before it, and no two modules on each other.

app.py -> pages/ -> diffviz/ui/ -> the rest of diffviz/

The order of the folders is in ``docs/draw_architecture.py``, which draws it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter

import pytest

from docs.draw_architecture import (
    MODULES,
    PAGES,
    ROOT,
    TARGET,
    drawn,
    floor,
    imported,
    leanings,
    reaches,
    screen,
    way,
)

SCREEN = {"streamlit", "plotly"}
COMMANDS = {"diffviz.__main__"}
"""What only starts other modules, by name."""


def against_the_rule(module: str, other: str) -> bool:
    """Whether one module of ours must not import the other."""
    here, there = floor(module), floor(other)
    if here is None or there is None:
        return here is not None and any(reaches(other, name) for name in ("pages", "app"))
    return there > here or (screen(other) is not None and screen(module) != screen(other))


def test_the_rule_itself() -> None:
    assert len(MODULES) > 150
    assert against_the_rule("diffviz.core.grids", "diffviz.data.points")
    assert against_the_rule("diffviz.scenes.configs", "diffviz.ui.shell.links")
    assert against_the_rule("diffviz.ui.screens.arena.chart", "diffviz.ui.screens.reverse.words")
    assert against_the_rule("diffviz.ui.stage.place", "diffviz.ui.screens.arena.chart")
    assert against_the_rule("diffviz.ui.shell.theme", "pages.home")
    assert not against_the_rule("diffviz.data.points", "diffviz.core.grids")
    assert not against_the_rule("diffviz.ui.screens.arena.chart", "diffviz.ui.screens.arena.words")


def test_every_module_lies_in_a_folder_of_the_design() -> None:
    outside = [name for name in MODULES if floor(name) is None]
    assert sorted(outside) == ["diffviz", "diffviz.__main__", "diffviz.ui"]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_from_the_folders_before_its_own(name: str) -> None:
    found = {other for other in imported(MODULES[name]) if against_the_rule(name, other)}
    assert not found, f"{name} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize("name", [name for name in MODULES if not reaches(name, "diffviz.ui")])
def test_the_library_knows_nothing_of_the_screen(name: str) -> None:
    found = {other for other in imported(MODULES[name]) for s in SCREEN if reaches(other, s)}
    assert not found, f"{name} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize("name", PAGES)
def test_pages_do_not_import_each_other(name: str) -> None:
    found = {m for m in imported(PAGES[name]) for top in ("pages", "app") if reaches(m, top)}
    assert not found, f"{name} imports {', '.join(sorted(found))}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_one_screen(name: str) -> None:
    found = {screen(m) for m in imported(PAGES[name])} - {None}
    assert len(found) <= 1, f"{name} imports the screens {', '.join(sorted(map(str, found)))}"


def circle(arrows: Mapping[str, Set[str]]) -> list[str]:
    """The modules of a circle of imports; none where there is no circle."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    arrows = {
        name: {other for other in imported(path) if other in MODULES and other != name}
        for name, path in MODULES.items()
        if name not in COMMANDS
    }
    assert not circle(arrows)


def test_the_app_only_navigates() -> None:
    allowed = {"streamlit", "diffviz.ui", "__future__"}
    found = {
        module
        for module in imported(ROOT / "app.py")
        if not any(reaches(module, name) for name in allowed) and module != "diffviz"
    }
    assert not found, f"app.py imports {', '.join(sorted(found))}"


def test_the_drawing_is_of_this_code() -> None:
    text = TARGET.read_text(encoding="utf-8")
    assert drawn(text) == text, "draw it anew: python docs/draw_architecture.py"
    assert "diffviz/core/" in text
    assert "core" in leanings()["networks"]
    assert way().count("\n") > 5
