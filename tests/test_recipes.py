"""The recipes of CONTRIBUTING.md, carried out in a copy: what they add is there, and pages open."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Recipes")[2]
BLOCK = re.compile(r"```(?:python|toml)\n# ([\w/.]+)(?:, in (\S+))?\n(.*?)```", re.DOTALL)

ADDRESSES = (
    "reverse?sampler=smoothed&steps=4&samples=20",
    "reverse?schedule=late_flow&steps=4&samples=20&data=wave",
    "forward?schedule=late_flow&data=wave&n=100",
    "schedules?schedules=late_flow",
    "arena?metric=means&samples=100",
    "guidance?sampler=smoothed&steps=4&samples=20",
    "training",
    "bound",
    "halfway?schedule=late_flow",
)
"""Pages that offer what the recipes add, each made to use it."""

OPEN = """
import json, sys
from urllib.parse import parse_qsl
from streamlit.testing.v1 import AppTest

found = {}
for address in sys.argv[1:]:
    page, _, query = address.partition("?")
    at = AppTest.from_file("app.py", default_timeout=300)
    for name, word in parse_qsl(query):
        at.query_params[name] = word
    at.switch_page(f"pages/{page}.py").run()
    menus = [m for kind in ("selectbox", "multiselect", "button_group") for m in at.get(kind)]
    found[address] = {
        "title": [title.value for title in at.title],
        "exceptions": [each.message for each in at.exception],
        "said": [box.value for box in (*at.warning, *at.error)],
        "offered": [str(option) for menu in menus for option in getattr(menu, "options", ())],
        "words": [each.value for each in at.markdown],
    }
print(json.dumps(found))
"""


def _copied(source: str, target: str) -> None:
    """Copy what is code; only point to what is large."""
    if source.endswith((".safetensors", ".npz", ".json", ".png", ".ttf")):
        os.symlink(source, target)
    else:
        shutil.copy(source, target)


def carry_out(root: Path) -> None:
    """Do what the recipes say: new files, code before a registry or at the end, lines in it."""
    blocks = BLOCK.findall(RECIPES)
    for k, (path, registry, code) in enumerate(blocks):
        file = root / path
        if not file.exists():
            file.write_text(code, encoding="utf-8")
            continue
        lines = file.read_text("utf-8")
        own = registry or next((name for p, name, _ in blocks[k:] if p == path and name), None)
        at = len(lines)
        if own is not None:
            heads = rf"^(?:{re.escape(own)}\b.* = |\s+{re.escape(own)}: )[\[({{]\n"
            (head,) = re.finditer(heads, lines, re.MULTILINE)
            at = head.end() if registry else head.start()
        piece = code if registry else f"\n\n{code}\n\n"
        file.write_text(lines[:at] + piece + lines[at:], encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "app.py", root / "app.py")
    for name in ("diffviz", "pages"):
        left = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, root / name, ignore=left, copy_function=_copied)
    carry_out(root)
    return root


@pytest.fixture(scope="module")
def opened(copy: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", OPEN, *ADDRESSES],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_there_is_a_recipe_for_each_kind() -> None:
    titles = re.findall(r"^### (.+)", RECIPES, re.MULTILINE)
    assert titles == ["A sampler", "A schedule", "A data set", "A measure", "A page"]
    assert RECIPES.count("```python") + RECIPES.count("```toml") == len(BLOCK.findall(RECIPES))


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_pages_open_with_what_was_added(address: str, opened: dict[str, Any]) -> None:
    page = opened[address]
    assert page["title"]
    assert page["exceptions"] == []
    assert page["said"] == []


@pytest.mark.parametrize(
    ("title", "pages"),
    [
        ("Smoothed", ("reverse", "arena", "guidance")),
        ("Late flow", ("reverse", "forward", "schedules", "arena", "halfway")),
        ("Wave", ("reverse", "forward", "training")),
        ("Means", ("arena",)),
    ],
)
def test_what_was_added_is_in_the_menus(
    title: str, pages: tuple[str, ...], opened: dict[str, Any]
) -> None:
    for page in pages:
        offered = [
            option
            for address in ADDRESSES
            if address.partition("?")[0] == page
            for option in opened[address]["offered"]
        ]
        assert any(title in option for option in offered), (page, offered)


def test_the_copy_is_what_the_linter_likes(copy: Path) -> None:
    config = f"--config={ROOT / 'pyproject.toml'}"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            config,
            "--ignore=I001",
            *{path for path, _, _ in BLOCK.findall(RECIPES) if path.endswith(".py")},
        ],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
