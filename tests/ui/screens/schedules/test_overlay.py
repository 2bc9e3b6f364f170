"""The Schedules page without a browser: links reproduce it, nonsense is told, nothing fails."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import unquote

import pytest
import torch
from streamlit.testing.v1 import AppTest

from diffviz.core.schedules import SCHEDULES, DiscreteVP, Linear
from diffviz.measures.curves import QUANTITIES
from diffviz.scenes.configs import SCHEDULE_KNOBS
from diffviz.scenes.plays import play_of
from diffviz.ui.choices.controls import stops_of
from diffviz.ui.screens.schedules import overlay, strip
from tests.ui.keys import address, knobs, turn, view


def page() -> None:
    import streamlit as st

    from diffviz.scenes.overlay import Overlay, drawn, shown
    from diffviz.ui.choices import scheduler_files
    from diffviz.ui.screens.schedules import overlay, strip
    from diffviz.ui.shell import links, theme

    theme.header("Page", "A sentence.")
    with links.seen() as asked:
        names = overlay.choose_schedules()
        view = overlay.choose_view()
        configs, zero = overlay.choose_parameters(names)
        stops = overlay.choose_stops(configs) if configs else ((), 10, 0)
        chosen = Overlay(tuple(configs), zero, *view, *stops)
        drawing = drawn(chosen)
        overlay.tell(chosen, drawing.troubles)
        image = strip.choose_image()
        every = [shown(config, zero=zero) for config in configs]
        scheduler_files.files(overlay.for_files(every))
    links.complaints(*asked)
    st.session_state["result"] = (view, every, drawing.stops, image)
    st.session_state["turns"] = overlay.turns(chosen)
    st.session_state["others"] = overlay.others(chosen)
    links.sync()


def open_page(**query: str) -> AppTest:
    at = AppTest.from_function(page, default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    return " ".join(box.value for box in (*at.warning, *at.error))


def result(at: AppTest) -> tuple:
    return at.session_state["result"]


def test_the_page_makes_sense_untouched() -> None:
    at = open_page()
    (view, axis), shown, stops, image = result(at)
    assert (view, axis) == ("alpha_bar", "auto")
    assert [each.name for each in shown] == ["linear", "cosine", "custom"]
    assert [row.label for row in stops] == ["Leading", "Trailing", "Even in log-SNR"]
    assert all(len(row.t) == 10 for row in stops)
    assert image.shape == (1, 28, 28)
    assert not said(at)
    assert not address(at)


def test_every_value_can_come_from_the_address() -> None:
    query = {
        "schedules": "linear,cosine,edm,custom",
        "view": "log_snr",
        "axis": "linear",
        "zsnr": "1",
        "linear_T": "37",
        "linear_beta_end": "0.123",
        "cosine_s": "0.02",
        "edm_sigma_max": "33",
        "curve": "0,1 0.3,0.6 1,0.001",
        "spacings": "karras",
        "stops": "7",
        "on": "edm",
        "image": "digits",
        "item": "12",
        "config": '{"_class_name":"EDMEulerScheduler","sigma_max":12.5}',
    }
    at = open_page(**query)
    view, shown, stops, image = result(at)
    assert view == ("log_snr", "linear")
    linear, cosine, edm, custom, loaded = shown
    assert linear.schedule.T == 37
    assert linear.schedule.alphas_bar[-1] == 0
    assert linear.before.betas[-1] == pytest.approx(0.123)
    assert cosine.before.s == 0.02
    assert edm.schedule.sigma_max == 33
    assert custom.schedule.points == ((0, 1), (0.3, 0.6), (1, 0.001))
    assert loaded.label == "EDM, 0.002 to 12.5 (file)"
    assert loaded.schedule.sigma_max == 12.5
    assert [(row.label, row.on, len(row.t)) for row in stops] == [("Karras", "EDM", 7)]
    assert image.shape == (1, 8, 8)
    assert not said(at)
    assert address(at) == query


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_stands_alone(name: str) -> None:
    at = open_page(schedules=name, zsnr="1")
    (each,) = result(at)[1]
    assert each.name == name
    changed = issubclass(SCHEDULES[name], DiscreteVP)
    assert (each.before is not None) == changed


def test_no_schedule_is_a_choice() -> None:
    at = open_page(schedules="")
    assert result(at)[1] == []


NONSENSE = [
    ({"schedules": "linear,quadratic"}, "not one of"),
    ({"schedules": "<script>"}, "not one of"),
    ({"view": "gamma"}, "not one of"),
    ({"axis": "polar"}, "not one of"),
    ({"zsnr": "maybe"}, "neither 1"),
    ({"linear_T": "1"}, "below 2"),
    ({"linear_T": "99999999999999999999"}, "above 1000"),
    ({"linear_T": "ten"}, "whole number"),
    ({"linear_beta_end": "nan"}, "not a finite number"),
    ({"linear_beta_end": "5"}, "above"),
    ({"curve": "0,1 0.5,0.45 0.25,0.85 1,0"}, "left to right"),
    ({"curve": "0,1 0.5,0.2 0.7,0.4 1,0"}, "must fall"),
    ({"curve": "hello"}, "list of control points"),
    ({"spacings": "even"}, "not one of"),
    ({"stops": "0"}, "below 1"),
    ({"on": "edm"}, "not one of"),
    ({"image": "cat"}, "not one of"),
    ({"item": "-3"}, "below 0"),
    ({"config": "{"}, "not valid JSON"),
    ({"config": '{"beta_schedule":"odd"}'}, "are read"),
    ({"colour": "red"}, "does not use"),
]


@pytest.mark.parametrize(("query", "message"), NONSENSE, ids=[str(k) for k in range(len(NONSENSE))])
def test_nonsense_in_the_address_is_told(query: dict[str, str], message: str) -> None:
    at = open_page(**query)
    assert message in said(at)
    assert len(result(at)[1]) >= 1


def test_parameters_that_make_no_schedule_leave_the_last_one() -> None:
    at = open_page(schedules="sigmoid", sigmoid_end="2")
    turn(at, "sigmoid_start", 5)
    assert not at.exception
    assert "a sigmoid schedule needs start" in said(at)
    (each,) = result(at)[1]
    assert (each.schedule.start, each.schedule.end) == (-3, 2)


def test_more_steps_than_noisings_is_said() -> None:
    at = open_page(schedules="linear", linear_T="5", spacings="leading,karras", stops="20")
    assert "at most 5 steps" in said(at)
    assert [row.label for row in result(at)[2]] == ["Karras"]


def test_typed_points_are_checked_and_the_last_good_ones_stay() -> None:
    at = open_page(schedules="custom")
    box = view(at.text_input, "curve")
    box.set_value("0,1 0.5,0.6 1,0").run()
    assert result(at)[1][0].schedule.points == ((0, 1), (0.5, 0.6), (1, 0))
    assert address(at)["curve"] == "0,1 0.5,0.6 1,0"
    view(at.text_input, "curve").set_value("0,1 0.5,0.6 0.4,0.3 1,0").run()
    assert not at.exception
    assert "left to right" in said(at)
    assert result(at)[1][0].schedule.points == ((0, 1), (0.5, 0.6), (1, 0))
    next(b for b in at.button if b.label.startswith("Reset")).click().run()
    assert "curve" not in address(at)
    assert not said(at)


def test_a_schedule_that_stops_are_on_may_go() -> None:
    at = open_page(schedules="linear,cosine", on="cosine")
    assert result(at)[2][0].on == "Cosine"
    at.button_group[0].set_value(["linear"]).run()
    assert not at.exception
    assert result(at)[2][0].on == "Linear"


def test_a_long_config_is_no_part_of_the_address() -> None:
    betas = json.dumps({"_class_name": "DDPMScheduler", "trained_betas": [0.012345] * 400})
    at = open_page(config=betas)
    assert result(at)[1][-1].schedule.T == 400


SD = '{"_class_name":"PNDMScheduler","skip_prk_steps":true,"steps_offset":1}'
QWEN = (
    '{"_class_name":"FlowMatchEulerDiscreteScheduler","use_dynamic_shifting":true,"max_shift":0.9,'
    '"max_image_seq_len":8192,"shift_terminal":0.02}'
)


def test_the_stops_of_a_file_are_drawn_on_its_line() -> None:
    at = open_page(schedules="linear", config=SD, spacings="file,trailing", on="loaded", stops="10")
    rows = {row.label: row.t for row in result(at)[2]}
    assert [round(1000 * t) for t in rows["As the file says"]] == list(range(902, 0, -100))
    said_here = " ".join(m.value for m in at.markdown)
    assert "from a file for PNDMScheduler" in said_here
    assert "leading, offset 1, ending at the first noise level" in said_here
    assert not said(at)
    at = open_page(spacings="file")
    assert "not one of leading" in said(at)


def test_a_file_stays_at_hand_after_other_views() -> None:
    """Where the address says nothing of it, as after a visit to another page by a link."""
    at = open_page(schedules="linear", config=SD)
    del at.query_params["config"]
    at.query_params["schedules"] = "cosine"
    at.query_params["go"] = "1"
    at.run()
    assert [each.name for each in result(at)[1]] == ["cosine", "loaded"]
    assert address(at)["config"] == SD
    next(b for b in at.button if b.label == "Remove it").click().run()
    assert [each.name for each in result(at)[1]] == ["cosine"]
    assert "config" not in address(at)


def test_the_tokens_of_a_picture_shift_its_schedule() -> None:
    at = open_page(schedules="linear", config=QWEN, tokens="8192")
    assert result(at)[1][-1].schedule.shift == pytest.approx(math.exp(0.9))
    turn(at, next(k for k, said in knobs(at).items() if said["label"].startswith("Tokens")), 256)
    assert result(at)[1][-1].schedule.shift == pytest.approx(math.exp(0.5))
    assert result(at)[1][-1].label == "Rectified flow, shift 1.65 (file)"
    assert address(at)["tokens"] == "256"


@pytest.mark.parametrize("name", SCHEDULE_KNOBS)
def test_sliders_offer_sensible_values(name: str) -> None:
    for knob in SCHEDULE_KNOBS[name]:
        stops = stops_of(knob)
        assert stops == sorted(set(stops))
        assert 10 <= len(stops) <= 101
        assert knob.low <= stops[0] < stops[-1] <= knob.high


def test_every_quantity_has_a_word_in_the_choice() -> None:
    assert all(quantity.label in overlay.VIEWS for quantity in QUANTITIES.values())


def test_pictures_are_squared() -> None:
    wide = torch.zeros(40, 100, 3, dtype=torch.uint8)
    wide[:, 30:70] = 255
    assert strip.squared(wide).shape == (3, 40, 40)
    assert strip.squared(wide).min() == 1
    grey = torch.full((200, 150, 1), 127, dtype=torch.uint8)
    small = strip.squared(grey)
    assert small.shape == (1, 64, 64)
    assert small.abs().max() < 0.01


def test_the_noise_is_the_same_for_every_schedule_and_every_time() -> None:
    image = strip.image_of("fashion", 0)
    assert torch.equal(strip.noise_for(image), strip.noise_for(image))


def played(url: str) -> Any:
    """What the address of a play answers with."""
    word = unquote(url.partition("/run/")[2].partition("?")[0])
    return json.loads(play_of(word).buffer())


def test_every_knob_on_the_page_can_be_followed_without_the_page() -> None:
    at = open_page(schedules="linear,edm,cosine", linear_beta_end="0.05", stops="7", on="edm")
    turns = at.session_state["turns"]
    names = [
        f"{name}_{knob.name}"
        for name in ("linear", "edm", "cosine")
        for knob in SCHEDULE_KNOBS[name]
    ]
    assert set(turns) == {"stops", "linear_T", "cosine_T", *names}
    _, shown, stops, _ = result(at)
    parts = dict(played(turns["linear_beta_end"].url))
    assert len(parts) > 10
    (line,) = parts[0.05]["lines"]
    assert line["levels"] == [list(shown[0].schedule.at(k / 10)) for k in range(11)]
    assert [row["t"] for row in parts[0.05]["stops"]] == [list(row.t) for row in stops]
    rows = dict(played(turns["stops"].url))
    assert rows[12]["lines"] == []
    assert {len(row["t"]) for row in rows[12]["stops"]} == {12}


def test_all_schedules_can_be_looked_at_with_those_on_the_page_as_they_are() -> None:
    at = open_page(schedules="linear", linear_T="5")
    lines = {line["name"]: line for line in played(at.session_state["others"])["lines"]}
    assert set(lines) == set(SCHEDULES)
    assert lines["linear"]["columns"][0][-1] == pytest.approx(Linear(5).alphas_bar[-1].item())
