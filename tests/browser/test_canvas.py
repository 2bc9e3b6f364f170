"""The drawing sheet in a real Chromium: mouse, finger, keyboard, undo, links, themes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from diffviz.exchange.drawings import decode_points, encode_points

APP = "tests/browser/apps/canvas_app.py"


def sheet(page: Page) -> Any:
    return page.get_by_role("application", name="Sheet to draw on")


def draw(page: Page, places: list[tuple[float, float]]) -> None:
    """One stroke of the mouse through places in [-1, 1]."""
    box = sheet(page).bounding_box()

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + (x + 1) / 2 * box["width"], box["y"] + (1 - y) / 2 * box["height"]

    page.mouse.move(*at(*places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(*place), steps=3)
    page.mouse.up()


def drawn(page: Page, text: str | re.Pattern[str]) -> None:
    found = page.get_by_text(text, exact=isinstance(text, str))
    expect(found).to_be_visible()


def box(page: Page) -> list[float]:
    return [float(v) for v in page.get_by_text(re.compile(r"^box ")).inner_text().split()[1:]]


def word(page: Page) -> str:
    return parse_qs(urlparse(page.url).query).get("drawing", [""])[0]


def count(page: Page) -> str:
    return page.locator(".pad-count").inner_text()


@pytest.fixture
def opened(page: Page, serve: Callable[..., str], wait_idle: Callable[..., None]) -> Page:
    page.goto(serve(APP))
    expect(sheet(page)).to_be_visible()
    wait_idle(page)
    return page


LINE = [(-0.8, 0.5), (0.0, 0.5), (0.8, 0.5)]


def test_a_stroke_becomes_points(opened: Page) -> None:
    drawn(opened, "drawing none")
    expect(opened.get_by_text("Draw here with a mouse")).to_be_visible()
    draw(opened, LINE)
    drawn(opened, re.compile(r"^drawing \d+"))
    expect(opened.get_by_text("Draw here with a mouse")).to_be_hidden()
    low, high, bottom, top = box(opened)
    assert low == pytest.approx(-0.8, abs=0.02)
    assert high == pytest.approx(0.8, abs=0.02)
    assert bottom == pytest.approx(0.5, abs=0.02)
    assert top == pytest.approx(0.5, abs=0.02)
    drawn(opened, "cloud (100, 2)")
    assert opened.errors == []


def test_points_are_even_however_the_hand_moves(opened: Page) -> None:
    places = [(-0.9 + 0.002 * k, 0.0) for k in range(100)]  # slow at first, then one leap
    draw(opened, [*places, (0.9, 0.0)])
    drawn(opened, re.compile(r"^drawing \d+"))
    xs = [x for x, _ in decode_points(word(opened))]
    gaps = [b - a for a, b in pairwise(xs)]
    assert len(xs) == pytest.approx(1.8 / 0.03, abs=2)
    assert max(gaps) - min(gaps) < 0.02


def test_one_rerun_a_stroke(opened: Page, wait_idle: Callable[..., None]) -> None:
    drawn(opened, "runs 1")
    draw(opened, [(math.cos(a) / 2, math.sin(a) / 2) for a in (0, 1, 2, 3, 4, 5, 6)])
    drawn(opened, "runs 2")
    wait_idle(opened, quiet=800)
    drawn(opened, "runs 2")


def test_never_more_than_400_points(opened: Page) -> None:
    zigzag = [(-0.95 if k % 2 else 0.95, -0.9 + 0.12 * k) for k in range(16)]
    draw(opened, zigzag)
    drawn(opened, re.compile(r"^drawing (39\d|400)$"))
    draw(opened, [(x, -y) for x, y in zigzag])
    expect(opened.locator(".pad-count")).to_have_text(re.compile(r"^(39\d|400) points"))
    assert 350 <= len(decode_points(word(opened))) <= 400


def test_undo_and_clear(opened: Page) -> None:
    undo, clear = (opened.get_by_role("button", name=name) for name in ("Undo", "Clear"))
    expect(undo).to_be_disabled()
    expect(clear).to_be_disabled()
    draw(opened, LINE)
    drawn(opened, re.compile(r"^drawing \d+"))
    one = count(opened)
    draw(opened, [(0.0, -0.5)])
    drawn(opened, f"drawing {int(one.split()[0]) + 1}")
    undo.click()
    drawn(opened, f"drawing {one.split()[0]}")
    clear.click()
    drawn(opened, "drawing 0")
    expect(opened.get_by_text("Draw here with a mouse")).to_be_visible()
    expect(clear).to_be_disabled()
    undo.click()  # clearing can be undone too
    drawn(opened, f"drawing {one.split()[0]}")
    undo.click()
    drawn(opened, "drawing 0")
    expect(undo).to_be_disabled()
    assert opened.errors == []


def test_strokes_in_quick_succession_are_all_kept(opened: Page) -> None:
    for k in range(5):
        draw(opened, [(-0.8, 0.8 - 0.4 * k), (-0.4, 0.8 - 0.4 * k)])
    expect(opened.locator(".pad-count")).to_have_text("70 points")
    drawn(opened, "drawing 70")


def test_a_link_brings_the_drawing_back(
    new_page: Callable[..., Page], serve: Callable[..., str]
) -> None:
    ring = [(0.6 * math.cos(a / 9), 0.6 * math.sin(a / 9)) for a in range(57)]
    page = new_page()
    page.goto(f"{serve(APP)}/?drawing={encode_points(ring)}")
    drawn(page, "drawing 57")
    expect(page.locator(".pad-count")).to_have_text("57 points")
    draw(page, [(0.0, 0.0)])  # drawing goes on from there
    drawn(page, "drawing 58")
    other = new_page()
    other.goto(page.url)
    drawn(other, "drawing 58")
    assert word(other) == word(page)


def test_the_page_can_set_a_drawing_and_the_reader_goes_on(opened: Page) -> None:
    draw(opened, LINE)
    drawn(opened, re.compile(r"^drawing \d+"))
    opened.get_by_role("button", name="Square").click()
    drawn(opened, "drawing 4")
    expect(opened.locator(".pad-count")).to_have_text("4 points")
    draw(opened, [(0.0, 0.0)])
    drawn(opened, "drawing 5")


def test_hidden_and_shown_again(opened: Page) -> None:
    draw(opened, LINE)
    drawn(opened, re.compile(r"^drawing \d+"))
    before = count(opened)
    opened.get_by_text("Shown").click()
    expect(sheet(opened)).to_have_count(0)
    opened.get_by_text("Shown").click()
    expect(opened.locator(".pad-count")).to_have_text(before)
    drawn(opened, f"drawing {before.split()[0]}")
    draw(opened, [(0.0, -0.5)])
    drawn(opened, f"drawing {int(before.split()[0]) + 1}")
    assert opened.errors == []


def test_the_keyboard_draws(opened: Page) -> None:
    sheet(opened).focus()
    opened.keyboard.press("Space")
    for _ in range(5):
        opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Shift+ArrowUp")
    drawn(opened, "drawing none")  # the pen is still down
    opened.keyboard.press("Space")
    drawn(opened, "drawing 14")
    assert box(opened) == pytest.approx([0, 0.2, 0, 0.2], abs=0.01)
    opened.keyboard.press("Control+z")
    drawn(opened, "drawing 0")
    assert opened.evaluate("window.scrollY") == 0


def test_a_finger_draws_and_does_not_scroll(
    new_page: Callable[..., Page], serve: Callable[..., str]
) -> None:
    page = new_page(width=390, height=700, has_touch=True, is_mobile=True)
    page.goto(serve(APP))
    expect(sheet(page)).to_be_visible()
    place = sheet(page).bounding_box()
    assert place["width"] <= 390
    session = page.context.new_cdp_session(page)

    def touch(kind: str, x: float, y: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": place["x"] + x, "y": place["y"] + y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 40, 40)
    for k in range(1, 11):
        touch("touchMove", 40, 40 + 18 * k)
    touch("touchEnd", 40, 220)
    drawn(page, re.compile(r"^drawing \d+"))
    assert len(decode_points(word(page))) > 20
    assert page.evaluate("window.scrollY") == 0
    assert page.errors == []


@pytest.mark.parametrize(("scheme", "ink"), [("light", [0, 114, 178]), ("dark", [86, 180, 233])])
def test_ink_has_the_color_of_data(
    scheme: str, ink: list[int], new_page: Callable[..., Page], serve: Callable[..., str]
) -> None:
    page = new_page(color_scheme=scheme)
    page.goto(serve(APP))
    expect(sheet(page)).to_be_visible()
    draw(page, [(0.0, 0.5)])
    drawn(page, "drawing 1")
    page.wait_for_function(
        """([c, ink]) => {
          const at = c.getContext("2d").getImageData(c.width / 2, c.height / 4, 1, 1).data;
          return [...at].join() === ink.join();
        }""",
        arg=[sheet(page).element_handle(), [*ink, 255]],
    )
