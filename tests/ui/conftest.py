"""The scripts of the components without a page, by Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diffviz.ui import parts

PARTS = Path(parts.__file__).parent
Node = Callable[..., str]
RunJs = Callable[[str, str], Any]


@pytest.fixture(scope="session")
def node() -> Node:
    """Runs Node and gives what it prints; CI has to have one."""
    path = shutil.which("node")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no node on the PATH")

    def run(*arguments: str | Path) -> str:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def run_js(node: Node) -> RunJs:
    """The value of an expression over what a module of the components exports."""

    def run(module: str, expression: str) -> Any:
        names = f"import * as js from {json.dumps((PARTS / module).as_uri())};"
        code = f"{names} console.log(JSON.stringify({expression}));"
        return json.loads(node("--input-type=module", "--eval", code))

    return run
