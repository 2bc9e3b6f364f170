"""What the plot of the Schedules page is sent, and that its cubic is that of the core."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import torch

from diffviz.core.schedules import EDM, SCHEDULES, Custom, Linear, RectifiedFlow, SubVP
from diffviz.measures.curves import QUANTITIES
from diffviz.scenes.configs import ScheduleConfig
from diffviz.scenes.overlay import STRIP_TIMES, Drawing, Overlay, drawn, line_of
from diffviz.ui.parts.curve import Strip, Turn, payload
from tests.ui.conftest import RunJs


def drawing_of(names: list[str], view: str = "alpha_bar") -> Drawing:
    return drawn(Overlay(tuple(ScheduleConfig(name) for name in names), view=view))


def noisy(shape: tuple[int, ...] = (1, 4, 5)) -> Strip:
    generator = torch.Generator().manual_seed(0)
    x_0 = torch.rand(shape, generator=generator) * 2 - 1
    return Strip(x_0, torch.randn(shape, generator=generator))


@pytest.mark.parametrize("view", list(QUANTITIES))
def test_payload_is_json_without_nan(view: str) -> None:
    turns = {"T": Turn("key", 2, "/run/x")}
    sent = payload(drawing_of(list(SCHEDULES), view), points=Custom().points, turns=turns)
    again = json.loads(json.dumps(sent, allow_nan=False))
    assert [line["name"] for line in again["lines"]] == list(SCHEDULES)
    assert set(again["looks"]) == set(SCHEDULES)
    assert again["points"][1] == [0.25, 0.85]
    assert again["view"]["low"] < again["view"]["high"]
    assert again["turns"] == {"T": {"key": "key", "heard": 2, "url": "/run/x"}}


def test_the_strip_is_the_image_and_one_noise() -> None:
    schedules = (Linear(), EDM(), SubVP(), RectifiedFlow())
    strip = noisy()
    sent = payload(drawing_of(["linear", "edm", "subvp", "rectified_flow"]), strip=strip)
    pixels = np.frombuffer(base64.b64decode(sent["strip"]["x_0"]), np.uint8).reshape(1, 4, 5)
    np.testing.assert_allclose(pixels / 127.5 - 1, strip.x_0.numpy(), atol=1 / 255)
    noise = np.frombuffer(base64.b64decode(sent["strip"]["eps"]), "<i2").reshape(1, 4, 5)
    np.testing.assert_allclose(noise / sent["strip"]["eps_scale"], strip.eps.numpy(), atol=1e-3)
    assert sent["strip"]["times"] == list(STRIP_TIMES)
    for schedule, line in zip(schedules, sent["lines"], strict=True):
        assert line["levels"] == tuple(schedule.at(t) for t in STRIP_TIMES)
    assert [line["rescaled"] for line in sent["lines"]] == [False, True, False, False]


def test_the_same_picture_keeps_its_key() -> None:
    keys = [
        payload(drawing_of([name]), strip=strip)["strip"]["key"]
        for name, strip in (("linear", noisy()), ("vp", noisy()), ("vp", noisy((3, 4, 5))))
    ]
    assert keys[0] == keys[1] != keys[2]


# The rules of the points, as JavaScript without a page ------------------------------------------

CUBIC = "curve/js/cubic.js"
CURVES = [
    Custom().points,
    ((0, 1), (1, 0)),
    ((0, 1), (0.9, 0.5), (1, 0)),
    ((0, 1), (0.02, 0.4), (0.5, 0.39), (0.51, 0.05), (1, 0.0)),
    ((0, 1), (0.1, 0.999), (0.2, 0.99), (0.9, 0.01), (1, 1e-5)),
]


@pytest.mark.parametrize("points", CURVES)
def test_the_cubic_is_that_of_the_core(points: tuple, run_js: RunJs) -> None:
    t = torch.linspace(0, 1, 401, dtype=torch.float64)
    expected, _ = Custom(points)(t)
    pairs = json.dumps([list(p) for p in points])
    got = run_js(CUBIC, f"{t.tolist()}.map(js.alphaThrough({pairs}))")
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("view", list(QUANTITIES))
def test_every_view_shows_what_the_core_computes(view: str, run_js: RunJs) -> None:
    line = line_of("custom", "Custom", Custom(), view)
    pairs = json.dumps([list(p) for p in Custom().points])
    shown = f"(t) => js.shownAt('{view}', js.alphaThrough({pairs}), t)"
    rows = run_js(CUBIC, f"{list(line.t)}.map({shown})")
    got = np.array(rows, dtype=np.float64).T
    for mine, theirs in zip(got, line.columns, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=1e-6)


def test_points_that_are_moved_make_a_schedule_of_the_core(run_js: RunJs) -> None:
    pairs = json.dumps([list(p) for p in Custom().points])
    tries = [(t, bar) for t in (-1, 0, 0.3, 0.5, 0.8, 2) for bar in (-1, 0, 0.2, 0.5, 0.9, 2)]
    wanted = ",".join(
        f"js.clampPoint({pairs}, {k}, {t}, {bar})" for k in range(5) for t, bar in tries
    )
    for i, moved in enumerate(run_js(CUBIC, f"[{wanted}]")):
        points = list(Custom().points)
        points[i // len(tries)] = tuple(moved)
        Custom(points)  # raises where the order is lost
