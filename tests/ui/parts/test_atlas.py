"""What the atlas sends to the browser, and what it takes from it."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffviz.scenes.chart import Chart
from diffviz.ui.parts.atlas import _report, pin_of, pin_word

NAMES = ("left", "right")


def chart() -> Chart:
    rng = np.random.default_rng(0)
    codes = rng.uniform(-2, 2, (30, 2))
    pictures = rng.uniform(-1, 1, (4, 4, 6, 5)).astype(np.float32)
    axis = np.linspace(-2, 2, 9)
    density = np.exp(-(axis[:, None] ** 2 + axis**2) / 2) / (2 * math.pi)
    labels = (codes[:, 0] > 0).astype(int)
    return Chart(codes, labels, NAMES, (-2.0, 2.0), pictures, density, [0.1, 0.02], (0.4, 0.9))


def numbers(packed: dict[str, Any], name: str, kind: str) -> Any:
    return np.frombuffer(base64.b64decode(packed[name]), kind)


def test_codes_and_classes_arrive() -> None:
    given = chart()
    packed = given.pack()
    codes = -2 + 4 * numbers(packed, "codes", "<u2").reshape(-1, 2).astype(float) / 65_535
    np.testing.assert_allclose(codes, given.codes, atol=4 / 65_535)
    np.testing.assert_array_equal(numbers(packed, "labels", "u1"), given.labels)
    assert (packed["count"], packed["beyond"], packed["names"]) == (30, 0, list(NAMES))


def test_every_picture_lies_in_the_sheet_where_the_browser_looks() -> None:
    given = chart()
    packed = given.pack()
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(packed["sheet"]))))
    assert sheet.shape == (4 * 6, 4 * 5)
    for row, column in ((0, 0), (2, 1), (3, 3)):
        tile = sheet[row * 6 : row * 6 + 6, column * 5 : column * 5 + 5]
        levels = (np.asarray(given.pictures)[row, column] + 1) * 127.5
        np.testing.assert_allclose(tile, levels, atol=0.51)


def test_density_and_contours_arrive_as_logarithms() -> None:
    given = chart()
    packed = given.pack()
    density = numbers(packed, "log_density", "<f4").reshape(9, 9)
    np.testing.assert_allclose(density, np.log(np.asarray(given.density)), rtol=1e-6)
    np.testing.assert_allclose(packed["levels"], np.log([0.1, 0.02]))
    empty = replace(given, density=np.eye(9)).pack()
    assert np.isfinite(numbers(empty, "log_density", "<f4")).all()


def test_codes_beyond_the_edge_are_counted_and_kept_on_it() -> None:
    given = chart()
    codes = np.asarray(given.codes).copy()
    codes[0] = (5.0, 0.0)
    packed = replace(given, codes=codes).pack()
    assert packed["beyond"] == 1
    np.testing.assert_array_equal(numbers(packed, "codes", "<u2")[0], 65_535)


def test_the_same_map_has_the_same_key_and_another_another() -> None:
    given = chart()
    assert given.pack()["key"] == chart().pack()["key"]
    other = replace(given, labels=1 - np.asarray(given.labels))
    assert other.pack()["key"] != given.pack()["key"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codes": np.zeros((30, 3))}, r"codes \(N, 2\)"),
        ({"labels": np.zeros(29, int)}, r"codes \(N, 2\)"),
        ({"labels": np.full(30, 2)}, "not one of the 2"),
        ({"limits": (1.0, 1.0)}, "limits are"),
        ({"limits": (0.0, math.inf)}, "limits are"),
        ({"pictures": np.zeros((4, 3, 6, 5))}, "pictures of a map"),
        ({"pictures": np.zeros((1, 1, 6, 5))}, "pictures of a map"),
        ({"pictures": np.full((4, 4, 6, 5), np.nan)}, "pictures holds values"),
        ({"density": np.zeros((9, 8))}, "density of a map"),
        ({"codes": np.full((30, 2), np.inf)}, "codes holds values"),
    ],
)
def test_what_is_no_map_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(chart(), **change)


@pytest.mark.parametrize("pin", [None, (0.0, 0.0), (-1.25, 3.5), (12.34, -0.01)])
def test_pins_come_back(pin: tuple[float, float] | None) -> None:
    assert pin_of(pin_word(pin)) == pin


def test_nought_has_no_sign() -> None:
    assert pin_word((-0.0, 0.0)) == "0.00,0.00"


@pytest.mark.parametrize("word", ["1", "a,b", "1,2,3", "1;2", "nan,0", "1e9,0", "1 , 2", "9999,1"])
def test_what_is_no_pin_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="two numbers"):
        pin_of(word)


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"pin": None},
        {"pin": {"word": 3, "after": 0}},
        {"pin": {"word": "1,1", "after": "0"}},
        {"pin": {"word": "1,1", "after": math.nan}},
        {"pin": {"word": "nonsense", "after": 0}},
        {"pin": {"word": "3,0", "after": 0}},
    ],
)
def test_reports_without_sense_are_left_alone(state: object) -> None:
    assert _report(state, (-2.0, 2.0)) is None


def test_a_report_is_read() -> None:
    report = _report({"pin": {"word": "1.50,-2.00", "after": 4.0}}, (-2.0, 2.0))
    assert report is not None
    assert (report.word, report.after) == ("1.50,-2.00", 4)
    gone = _report({"pin": {"word": "", "after": 0}}, (-2.0, 2.0))
    assert gone is not None
    assert gone.word == ""
