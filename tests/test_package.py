"""``pip install .`` brings the library and all that it reads; the pages are an extra."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import diffviz
from docs.draw_architecture import MODULES, PAGES, imported, reaches

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = {
    pin.name: next(iter(pin.specifier)).version
    for line in (ROOT / "requirements.txt").read_text("utf-8").split()
    if (pin := Requirement(line))
}
IMPORTED_AS = {"pillow": "PIL", "scikit-learn": "sklearn"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The package, built from a copy, so that nothing is left behind here."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("app.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    for name in ("diffviz", "pages", ".streamlit"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=copy, capture_output=True, text=True, check=True
    )
    return ZipFile(copy / done.stdout.splitlines()[-1])


def test_every_file_of_the_package_is_in_it(wheel: ZipFile) -> None:
    found = set(wheel.namelist())
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "diffviz").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "diffviz/py.typed" in files
    assert "diffviz/models/weights/moons.safetensors" in files
    assert files <= found, sorted(files - found)
    assert not [name for name in found if name.startswith(("tests/", "docs/", "benchmarks/"))]


def test_the_pages_lie_where_the_command_looks(wheel: ZipFile) -> None:
    place = f"diffviz-{diffviz.__version__}.data/data/share/diffviz"
    pages = {f"{place}/pages/{path.name}" for path in (ROOT / "pages").glob("*.py")}
    assert pages | {f"{place}/app.py", f"{place}/.streamlit/config.toml"} <= set(wheel.namelist())


def test_it_says_its_version_and_asks_for_no_screen(wheel: ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    told = message_from_string(wheel.read(name).decode())
    assert told["Version"] == diffviz.__version__
    asked = [Requirement(line) for line in told.get_all("Requires-Dist", [])]
    assert {each.name for each in asked if each.marker is not None} == APP


def test_it_asks_for_what_it_imports() -> None:
    library = {name for name in MODULES if not reaches(name, "diffviz.ui")}
    for modules, asked in (
        (library, PROJECT["dependencies"]),
        (
            set(MODULES) | set(PAGES),
            PROJECT["dependencies"] + PROJECT["optional-dependencies"]["app"],
        ),
    ):
        names = {Requirement(line).name for line in asked}
        known = {IMPORTED_AS.get(name, name) for name in names} | set(sys.stdlib_module_names)
        needed = {
            other.partition(".")[0]
            for name in modules
            for other in imported({**MODULES, **PAGES}[name])
        }
        unknown = needed - known - {"diffviz", "pages"} - TRAINERS
        assert not unknown


APP = {"plotly", "starlette", "streamlit"}
TRAINERS = {"diffusers"}
"""What only ``make_schedulers`` imports, which whoever develops runs."""


def test_the_pins_of_the_app_are_allowed() -> None:
    asked = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["app"]
    assert {Requirement(line).name for line in asked} == set(PINS)
    for line in asked:
        assert Requirement(line).specifier.contains(PINS[Requirement(line).name]), line


def test_a_commit_is_checked_as_ci_checks_it() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    linters = {line for line in ci if line.startswith(".venv/bin/")}
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8").splitlines()
    entries = {line.partition("entry: ")[2] for line in hooks if "entry: " in line}
    assert linters
    assert linters <= entries
