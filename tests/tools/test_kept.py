"""Kept figures: rounded, ordered, and none lost when another is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffviz.tools.kept import keep, read, rounded


def test_floats_are_rounded_wherever_they_are() -> None:
    value = {"a": 0.123456789, "b": [1, 2.0000004, ("x", 1e-9)], "c": True, "d": None}
    assert rounded(value) == {"a": 0.12346, "b": [1, 2.0, ["x", 1e-9]], "c": True, "d": None}
    assert rounded(1234567.8, 2) == 1200000


def test_entries_take_the_place_of_their_own_only_and_stand_in_order(tmp_path: Path) -> None:
    place = tmp_path / "figures.json"
    assert read(place) == {}
    keep(place, {"machine": "m", "mnist": {"x": 1}})
    keep(place, {"fashion": {"x": 3}})
    keep(place, {"mnist": {"x": 2}})
    assert read(place) == {"machine": "m", "mnist": {"x": 2}, "fashion": {"x": 3}}
    assert list(read(place)) == ["machine", "mnist", "fashion"]


def test_what_is_no_finite_number_is_not_written(tmp_path: Path) -> None:
    place = tmp_path / "figures.json"
    keep(place, {"mnist": 1})
    with pytest.raises(ValueError, match="JSON"):
        keep(place, {"mnist": float("nan")})
    assert json.loads(place.read_text()) == {"mnist": 1}
