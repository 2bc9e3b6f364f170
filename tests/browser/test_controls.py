"""Data that a reader makes, in a real browser: typed, drawn and uploaded, well and badly."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.browser.journeys import becomes, fine

CONTROLS = "tests/browser/apps/controls.py"

Wait = Callable[[Any], None]


def shown(page: Any) -> str:
    """Everything the page says its controls returned."""
    return "\n".join(page.locator('[data-testid="stText"]').all_inner_texts())


def warnings(page: Any) -> str:
    return " ".join(page.locator('[data-testid="stAlert"]').all_inner_texts())


def picture(mode: str = "RGB") -> bytes:
    pixels = np.full((60, 80, 3), 255, np.uint8)
    pixels[10:50, 30:50] = (20, 40, 160)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


BAD_FILES = {
    "empty.png": (b"", "empty"),
    "cut.png": (picture()[:60], "damaged"),
    "text.png": (b"hello, this is no picture", "not an image"),
    "page.pdf": (b"%PDF-1.7 ...", "PDF"),
}


def test_a_drawing_becomes_data_and_part_of_the_address(
    new_page: Any, serve: Any, wait_idle: Wait
) -> None:
    page = new_page()
    page.goto(serve(CONTROLS) + "/?data=drawing&n=500")
    wait_idle(page)
    becomes(lambda: "no points" in warnings(page))
    assert "data moons" in shown(page)
    page.get_by_role("button", name="Draw", exact=True).click()
    sheet = page.locator("canvas").first
    sheet.wait_for()
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 200, steps=12)
    page.mouse.up()
    becomes(lambda: "data drawing n=500" in shown(page))
    becomes(lambda: "no points" not in warnings(page))
    becomes(lambda: "strokes" in parse_qs(urlsplit(page.evaluate("location.href")).query))
    again = new_page(cold=True)
    again.goto(page.evaluate("location.href"))
    wait_idle(again)
    becomes(lambda: shown(again) == shown(page))
    fine(again, serve.log(CONTROLS))


def test_text_that_draws_nothing_keeps_the_last_view(
    page: Any, serve: Any, wait_idle: Wait
) -> None:
    page.goto(serve(CONTROLS) + "/?data=text&text=abc")
    wait_idle(page)
    becomes(lambda: "text=abc" in shown(page))
    field = page.get_by_label("Text (at most", exact=False)
    field.fill("   ")
    field.press("Enter")
    becomes(lambda: "draws no ink" in warnings(page))
    assert "text=abc" in shown(page)
    field.fill("**b**")
    field.press("Enter")
    becomes(lambda: "text=**b**" in shown(page) and not warnings(page))
    fine(page, serve.log(CONTROLS))


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_upload_is_said_and_the_last_view_stays(
    name: str, page: Any, serve: Any, wait_idle: Wait
) -> None:
    content, said = BAD_FILES[name]
    page.goto(serve(CONTROLS) + "/?data=cloud")
    wait_idle(page)
    page.get_by_role("button", name="Choose a picture").click()
    chooser = page.locator('input[type="file"]')
    chooser.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    becomes(lambda: said in warnings(page))
    assert "data moons" in shown(page)
    fine(page, serve.log(CONTROLS))


def test_a_good_upload_is_points_or_an_image(page: Any, serve: Any, wait_idle: Wait) -> None:
    page.goto(serve(CONTROLS) + "/?data=cloud&n=400")
    wait_idle(page)
    page.get_by_role("button", name="Choose a picture").click()
    page.locator('input[type="file"]').set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": picture()}
    )
    becomes(lambda: "shape (400, 2)" in shown(page))
    becomes(lambda: not warnings(page))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More data").click()
    page.get_by_role("button", name="Your picture").or_(
        page.get_by_role("radio", name="Your picture")
    ).first.click()
    becomes(lambda: "shape (1, 3, 60, 80)" in shown(page))
    fine(page, serve.log(CONTROLS))
