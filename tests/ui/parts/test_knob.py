"""The knob: what it is sent, what it says, and how its browser's side reads what is typed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.conftest import RunJs
from tests.ui.keys import address, knobs, turn


def page() -> None:
    import streamlit as st

    from diffviz.ui.choices import widgets
    from diffviz.ui.shell import links

    links.begin()
    scale = widgets.stops("Scale", links.number("w", 4.0, 0, 20), (2.5, 2.6, 2.7), form="{:.1f}")
    steps = widgets.stops("Steps", links.whole("steps", 50, 1, 1000), (25, 50), typed=False)
    st.text(f"{scale!r} {steps!r}")
    st.button("Ten", on_click=links.keep, args=(links.whole("steps", 50, 1, 1000), 10))
    links.sync()


@pytest.fixture
def at() -> AppTest:
    return AppTest.from_function(page, default_timeout=20).run()


def test_what_a_knob_is_sent(at: AppTest) -> None:
    scale, steps = knobs(at)["w"], knobs(at)["steps"]
    assert (scale["value"], scale["usual"], scale["ends"]) == (4.0, 4.0, [0.0, 20.0])
    assert scale["stops"] == [2.5, 2.6, 2.7, 4.0]
    assert scale["words"] == ["2.5", "2.6", "2.7", "4.0"]
    assert (scale["whole"], steps["whole"], steps["ends"]) == (False, True, None)


def test_a_turned_knob_changes_its_value_and_the_address(at: AppTest) -> None:
    turn(at, "steps", 25)
    assert at.text[0].value == "4.0 25"
    assert address(at) == {"steps": "25"}
    assert (knobs(at)["steps"]["value"], knobs(at)["steps"]["heard"]) == (25, 1)
    turn(at, "w", 3)
    assert at.text[0].value == "3.0 25", "a whole number is one of the knob's kind"
    turn(at, "steps", 50)
    assert address(at) == {"w": "3"}


def test_a_value_between_two_stops_is_a_stop_of_its_own(at: AppTest) -> None:
    turn(at, "w", 2.64)
    sent = knobs(at)["w"]
    assert sent["stops"] == [2.5, 2.6, 2.64, 2.7, 4.0]
    assert sent["words"] == ["2.5", "2.6", "2.64", "2.7", "4.0"]
    assert address(at) == {"w": "2.64"}


@pytest.mark.parametrize("value", ["abc", None, [1], float("inf"), 1e9, -3])
def test_what_no_knob_says_changes_nothing_or_is_refused(at: AppTest, value: Any) -> None:
    turn(at, "steps", value)
    assert not at.exception
    assert at.text[0].value == "4.0 50"


def test_a_value_that_is_set_elsewhere_replaces_the_knob(at: AppTest) -> None:
    turn(at, "steps", 25)
    at.button[0].click().run()
    assert knobs(at)["steps"] | {"help": ""} == {
        **{
            "name": "steps",
            "key": "steps#1",
            "label": "Steps",
            "help": "",
            "value": 10,
            "usual": 50,
        },
        **{"stops": [10, 25, 50], "words": ["10", "25", "50"], "ends": None},
        **{"whole": True, "heard": 0},
    }


@pytest.mark.parametrize(
    ("typed", "whole", "read"),
    [
        ("33", True, 33),
        (" 1 000 ", True, 1000),
        ("1,000", True, 1000),
        ("1e3", True, 1000),
        ("+5", True, 5),
        ("0,5", False, 0.5),
        ("2,75", False, 2.75),
        ("0,500", False, 0.5),
        (".5", False, 0.5),
        ("1,000.5", False, None),
        ("1001", True, "From 1 to 1,000"),
        ("0", True, "From 1 to 1,000"),
        ("2.5", True, "A whole number from 1 to 1,000"),
        ("", True, "A whole number from 1 to 1,000"),
        ("abc", False, "A number from 0 to 1,000"),
        ("NaN", False, "A number from 0 to 1,000"),
        ("1,2,3", False, "A number from 0 to 1,000"),
        ("Infinity", False, "A number from 0 to 1,000"),
    ],
)
def test_what_is_typed(typed: str, whole: bool, read: float | str | None, run_js: RunJs) -> None:
    ends = [1 if whole else 0, 1000]
    found = run_js(
        "knob/knob.js", f"js.typedNumber({json.dumps(typed)}, {ends}, {json.dumps(whole)})"
    )
    if read is None:
        assert found == {"why": "From 0 to 1,000"}
    else:
        assert found == ({"why": read} if isinstance(read, str) else {"value": read})


def test_a_value_has_its_place_among_the_stops(run_js: RunJs) -> None:
    assert run_js("knob/knob.js", "js.among([1, 5, 9], 6)") == {"all": [1, 5, 6, 9], "at": 2}
    assert run_js("knob/knob.js", "js.among([1, 5, 9], 5)") == {"all": [1, 5, 9], "at": 1}
