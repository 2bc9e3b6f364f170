"""Every one of the eighteen facts of the design is pinned by a test that says so."""

from __future__ import annotations

import re
from pathlib import Path


def test_every_fact_is_pinned() -> None:
    marks = re.compile(r"^@pytest\.mark\.fact\((\d+)\)", re.MULTILINE)
    files = Path(__file__).parent.rglob("test_*.py")
    pinned = {int(n) for file in files for n in marks.findall(file.read_text("utf-8"))}
    assert pinned == set(range(1, 19))
