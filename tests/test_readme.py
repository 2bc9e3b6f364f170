"""The README's example runs as it stands, and its commands are the ones that CI uses."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_library_example_runs_and_prints_what_it_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "README.md", "exec"), {})
    shape, evaluations, distance = out.getvalue().splitlines()
    assert shape == "torch.Size([21, 1000, 2])"
    assert evaluations == "tensor(20)"
    assert float(re.findall(r"[\d.]+", distance)[0]) < 0.1


def test_ci_runs_the_readme_s_test_command() -> None:
    commands = re.findall(r"```sh\n(.*?)\n```", README)
    assert commands[0].endswith("streamlit run app.py")
    assert commands[1].endswith("-m pytest")
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_what_the_readme_names_exists() -> None:
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    for path in re.findall(r"\]\(((?!http)[^)]+)\)|`python ([\w/.]+)`", prose):
        assert (ROOT / "".join(path)).exists(), path
