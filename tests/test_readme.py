"""What the documents say holds: the README's example and commands, paths, and measured tables."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from diffviz.studies import bill, evaluate
from diffviz.tools.kept import read

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MEASUREMENTS = (ROOT / "docs" / "measurements.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def test_the_library_example_runs_and_prints_what_it_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), {})
    shape, evaluations, distance = out.getvalue().splitlines()
    assert shape == "torch.Size([21, 1000, 2])"
    assert evaluations == "tensor(20)"
    assert float(re.findall(r"[\d.]+", distance)[0]) < 0.1


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_ci_runs_the_readme_s_test_command() -> None:
    commands = re.findall(r"```sh\n(.*?)\n```", README)
    assert commands[0].endswith("streamlit run app.py")
    assert commands[1].endswith("-m pytest")
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_small_build_is_that_of_the_pinned_torch() -> None:
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (pin,) = [pin for pin in pins if pin.startswith("torch==")]
    (line,) = [line for line in README.splitlines() if "--index-url" in line]
    assert f" {pin} " in line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_exists(path: Path) -> None:
    prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(((?!http)[^)#]+)", prose):
        assert (path.parent / link).exists(), link
    for script in re.findall(r"`python ([\w/.]+)", prose):
        assert (ROOT / script).exists(), script
    for folder in re.findall(r"`((?:diffviz|docs|tests|pages|benchmarks)/[\w/.]*)`", prose):
        assert (ROOT / folder).exists(), folder


@pytest.mark.parametrize(
    "table",
    [bill.markdown(read(bill.KEPT)), evaluate.markdown(read(evaluate.KEPT))],
    ids=["bill", "pictures"],
)
def test_the_tables_are_those_that_were_kept(table: str) -> None:
    rows = [line for line in table.splitlines() if line.strip()]
    assert len(rows) > 10
    missing = [line for line in rows if line not in MEASUREMENTS]
    assert not missing, "make them anew: python -m diffviz compare and evaluate print them"
