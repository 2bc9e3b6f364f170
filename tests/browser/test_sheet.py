"""The sheet of pixels in a real Chromium: mouse, finger, keyboard, undo, links, themes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from diffviz.ui.parts.sheet import decode_mask, decode_picture, encode_mask, encode_picture

APP = "tests/browser/apps/sheet_app.py"


def sheet(page: Page, name: str) -> Any:
    return page.get_by_role("application", name=name)


def drawing(page: Page) -> Any:
    return sheet(page, "to draw on")


def painting(page: Page) -> Any:
    return sheet(page, "to paint a region on")


def tools(page: Page, name: str) -> Any:
    return page.get_by_role("group", name=name, exact=True)


def stroke(page: Page, canvas: Any, places: list[tuple[float, float]], columns: int = 28) -> None:
    """One stroke of the mouse through places (column, row), 0.5 in the middle of a pixel."""
    box = canvas.bounding_box()
    cell = box["width"] / columns
    points = [(box["x"] + x * cell, box["y"] + y * cell) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()


def said(page: Page, text: str | re.Pattern[str]) -> None:
    found = page.get_by_text(text, exact=isinstance(text, str))
    expect(found).to_be_visible()


def word(page: Page, name: str) -> str:
    return parse_qs(urlparse(page.url).query).get(name, [""])[0]


def picture(page: Page) -> NDArray[np.uint8]:
    return decode_picture(word(page, "picture"))


def region(page: Page) -> NDArray[np.bool_]:
    return decode_mask(word(page, "region"))


@pytest.fixture
def settled(new_page: Any, serve: Callable[..., str], wait_idle: Callable[..., None]) -> Page:
    page: Page = new_page(cold=True)  # the browser remembers a sheet by its name
    page.goto(serve(APP))
    expect(drawing(page)).to_be_visible()
    expect(painting(page)).to_be_visible()
    wait_idle(page)
    return page


def test_a_mouse_draws_erases_takes_back_and_clears(
    settled: Page, wait_idle: Callable[..., None]
) -> None:
    page, own = settled, tools(settled, "Drawing")
    undo, clear = (own.get_by_role("button", name=name) for name in ("Undo", "Clear"))
    said(page, "picture none")
    expect(page.get_by_text("Draw here with a mouse")).to_be_visible()
    expect(undo).to_be_disabled()
    expect(clear).to_be_disabled()

    stroke(page, drawing(page), [(6.5, 10.5), (20.5, 10.5)])
    said(page, re.compile(r"^picture \d+"))
    said(page, "runs 2")  # one answer a stroke
    line = picture(page)
    assert (line[10, 7:20] == 255).all()
    assert ((line[[9, 11], 7:20] > 80) & (line[[9, 11], 7:20] < 255)).all()  # a soft rim
    assert np.count_nonzero(line[:8]) + np.count_nonzero(line[13:]) == 0
    expect(page.get_by_text("Draw here with a mouse")).to_be_hidden()

    own.get_by_role("radio", name="Erase").check()
    stroke(page, drawing(page), [(13.5, 5.5), (13.5, 15.5)])
    said(page, "runs 3")
    wait_idle(page)
    cut = picture(page)
    assert cut[10, 13] == 0
    assert (cut[10, [8, 19]] == 255).all()

    page.get_by_text("Note", exact=True).click()  # what is mounted again goes on as before
    said(page, re.compile("^Moves everything"))
    expect(own.get_by_role("radio", name="Erase")).to_be_checked()
    undo.click()
    said(page, f"picture {np.count_nonzero(line)}")
    clear.click()
    said(page, "picture 0")
    undo.click()  # clearing can be undone too
    said(page, f"picture {np.count_nonzero(line)}")
    undo.click()
    said(page, "picture 0")
    expect(undo).to_be_disabled()
    assert page.errors == []


def test_gray_fills_an_outline_and_brushes_differ(
    settled: Page, wait_idle: Callable[..., None]
) -> None:
    page, own = settled, tools(settled, "Drawing")
    stroke(page, drawing(page), [(6, 6), (22, 6), (22, 22), (6, 22), (6, 6)])
    own.get_by_role("radio", name="Dark grey ink").check()
    own.get_by_role("radio", name="Fill").check()
    stroke(page, drawing(page), [(14, 14)])
    said(page, "runs 3")
    wait_idle(page)
    filled = picture(page)
    assert (filled[9:19, 9:19] == 85).all()
    assert filled[:, 6].max() == 255
    assert np.count_nonzero(filled[:4]) == 0
    own.get_by_role("radio", name="Draw").check()
    sizes = []
    for k, brush in enumerate(["Thin", "Medium", "Thick"]):
        own.get_by_role("button", name="Clear").click()
        own.get_by_role("radio", name=f"{brush} brush").check()
        stroke(page, drawing(page), [(14.5, 14.5)])
        said(page, f"runs {5 + 2 * k}")
        wait_idle(page)
        sizes.append(np.count_nonzero(picture(page)))
        assert picture(page).max() == 85 or brush == "Thin"
    assert sizes[0] < sizes[1] < sizes[2]


def test_a_region_is_painted_and_starts_at_a_press(settled: Page) -> None:
    page, own = settled, tools(settled, "Region")
    said(page, "region none")
    own.get_by_role("radio", name="Thin brush").check()
    stroke(page, painting(page), [(2.9, 3.1), (6.1, 3.9)], columns=20)
    said(page, "region 5 of (20, 20)")
    expected = np.zeros((20, 20), dtype=bool)
    expected[3, 2:7] = True
    np.testing.assert_array_equal(region(page), expected)
    own.get_by_role("button", name="Left half").click()
    said(page, "region 200 of (20, 20)")
    assert region(page)[:, :10].all()
    own.get_by_role("button", name="Lower half").click()
    said(page, re.compile("^200 of 400 pixels painted"))
    own.get_by_role("button", name="Middle square").click()
    said(page, "region 100 of (20, 20)")
    assert region(page)[5:15, 5:15].all()
    own.get_by_role("button", name="All but the middle").click()
    said(page, "region 300 of (20, 20)")
    own.get_by_role("radio", name="Erase").check()
    stroke(page, painting(page), [(1.5, 1.5)], columns=20)
    said(page, "region 299 of (20, 20)")
    for _ in range(4):
        own.get_by_role("button", name="Undo").click()
    said(page, "region 200 of (20, 20)")
    own.get_by_role("button", name="Clear").click()
    said(page, "region 0 of (20, 20)")
    page.get_by_text("Wide").click()  # another shape, another region
    said(page, "region none")
    own.get_by_role("radio", name="Paint").check()
    stroke(page, painting(page), [(2.5, 3.5)])
    said(page, "region 1 of (16, 28)")
    assert page.errors == []


def test_the_keyboard_draws_erases_and_takes_back(
    settled: Page, wait_idle: Callable[..., None]
) -> None:
    page, keys = settled, settled.keyboard
    tools(page, "Region").get_by_role("radio", name="Thin brush").check()
    painting(page).focus()
    keys.press("ArrowLeft")  # shows the cursor, in the middle
    keys.press("ArrowLeft")
    said(page, re.compile("^Keys: arrows move"))
    keys.press("Space")
    keys.press("Shift+ArrowRight")
    keys.down("Enter")  # held: a line
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.up("Enter")
    said(page, "region 4 of (20, 20)")
    expected = np.zeros((20, 20), dtype=bool)
    expected[10, [9, 13]] = expected[11:13, 13] = True
    np.testing.assert_array_equal(region(page), expected)
    said(page, "runs 2")  # one answer for all these keys
    keys.press("Delete")
    said(page, "region 3 of (20, 20)")
    keys.press("Control+z")
    keys.press("Control+z")
    said(page, "region 1 of (20, 20)")
    wait_idle(page)
    assert region(page)[10, 9]
    assert page.evaluate("window.scrollY") == 0
    assert page.errors == []


def test_a_link_brings_both_back_and_the_page_may_wish(new_page: Any, serve: Any) -> None:
    cross = np.zeros((28, 28), dtype=np.uint8)
    cross[14, 4:24] = cross[4:24, 14] = 255
    half = np.zeros((20, 20), dtype=bool)
    half[:, :7] = True
    page = new_page(cold=True)
    page.goto(f"{serve(APP)}/?picture={encode_picture(cross)}&region={encode_mask(half)}")
    said(page, "picture 39")
    said(page, "region 140 of (20, 20)")
    said(page, re.compile("^140 of 400 pixels painted"))
    stroke(page, drawing(page), [(4.5, 4.5), (5.5, 4.5)])  # drawing goes on from there
    said(page, "runs 2")
    assert (picture(page)[14, 4:24] == 255).all()
    assert picture(page)[4, 4] > 0
    page.reload()
    said(page, "runs 1")
    said(page, f"picture {np.count_nonzero(picture(page))}")
    stroke(page, drawing(page), [(23.5, 23.5)])
    said(page, "runs 2")
    page.get_by_role("button", name="Bar").click()
    said(page, "picture 112")
    tools(page, "Drawing").get_by_role("button", name="Undo").click()  # what it replaced
    said(page, re.compile(r"^picture (?!112)\d+"))
    assert picture(page)[23, 23] > 0


def test_a_finger_paints_and_does_not_scroll(new_page: Any, serve: Any) -> None:
    page = new_page(
        width=390,
        height=700,
        color_scheme="dark",
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
    )
    page.goto(serve(APP))
    expect(drawing(page)).to_be_visible()
    place = drawing(page).bounding_box()
    assert place["width"] <= 390
    session = page.context.new_cdp_session(page)

    def touch(kind: str, x: float, y: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": place["x"] + x, "y": place["y"] + y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 40, 40)
    for k in range(1, 11):
        touch("touchMove", 40, 40 + 18 * k)
    touch("touchEnd", 40, 220)
    said(page, re.compile(r"^picture \d+"))
    drawn = picture(page).max(axis=1) > 0
    assert drawn[4:20].all()
    assert page.evaluate("window.scrollY") == 0
    # every pixel takes a whole number of device pixels, and shows what is reported
    shown = drawing(page).evaluate(
        """(c) => {
          const cell = c.width / 28;
          const at = (x, y) => c.getContext("2d").getImageData((x + 0.5) * cell, (y + 0.5) * cell,
            1, 1).data[0];
          const all = [...Array(28).keys()];
          return { cell, levels: all.map((y) => all.map((x) => at(x, y))) };
        }"""
    )
    assert shown["cell"] == int(shown["cell"]) == 2 * place["width"] / 28
    np.testing.assert_array_equal(shown["levels"], picture(page))
    assert page.errors == []
