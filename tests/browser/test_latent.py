"""The Latent space page in a real browser: the map answers the hand without the server."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from tests.browser.journeys import fine

MAP = '.atlas[data-ready="true"]'
PLAYER = '.dvz[data-ready="true"]'


@pytest.fixture
def page(new_page: Any) -> Any:
    """A new tab: the browser remembers what was chosen on a map."""
    return new_page(cold=True)


def visit(page: Any, url: str, ready: str, wait_idle: Any, **query: object) -> None:
    page.goto(f"{url}/latent?{urlencode(query)}")
    expect(page.locator(ready)).to_be_visible()
    wait_idle(page)


def box_of(page: Any) -> dict[str, float]:
    box = page.locator(".atlas-over").bounding_box()
    assert box is not None
    return dict(box)


def pixels(page: Any, name: str = "now") -> list[int]:
    """The levels of the picture that is shown."""
    found: list[int] = page.locator(f".atlas-{name} canvas").evaluate(
        "(c) => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " return Array.from(d).filter((_, i) => i % 4 === 0); }"
    )
    return found


def mixed(page: Any, code: list[float]) -> list[float]:
    """What four decoded pictures say of a code, read from the sheet that came."""
    found: list[float] = page.locator(".atlas").evaluate(
        "(e, z) => Array.from(e.__atlas.chart.picture(z, new Float32Array(784)))", code
    )
    return found


def settle(page: Any) -> None:
    """Two frames: what the last movement asked for is drawn."""
    page.evaluate("new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)))")


def test_the_picture_follows_the_cursor_without_the_server(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, MAP, wait_idle)
    box = box_of(page)
    assert box["y"] + box["height"] < 900, "the whole map is in sight"
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    settle(page)
    sent, seen = page.traffic.sent, set()
    for k in range(40):
        page.mouse.move(
            box["x"] + (0.15 + 0.018 * k) * box["width"],
            box["y"] + (0.8 - 0.015 * k) * box["height"],
        )
        settle(page)
        seen.add(tuple(pixels(page)))
    page.locator(".atlas-over").focus()
    before = page.locator(".atlas").evaluate("(e) => e.__atlas.cursor")
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowLeft", "Shift+ArrowDown"):
        page.keyboard.press(key)
    settle(page)
    after = page.locator(".atlas").evaluate("(e) => e.__atlas.cursor")
    assert after == pytest.approx([before[0] - 0.2, before[1] - 0.2])
    page.wait_for_timeout(700)
    assert page.traffic.sent == sent, "moving over the map says nothing to the server"
    assert len(seen) > 30, "the picture follows"
    assert pixels(page) == pytest.approx(mixed(page, after), abs=0.51)
    value = page.locator(".atlas dd").first
    expect(value).to_have_text(f"({after[0]:.2f}, {after[1]:.2f})".replace("-", "\N{MINUS SIGN}"))
    fine(page, serve.log("app.py"))


def test_a_pinned_code_is_a_link(
    page: Any, new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, MAP, wait_idle)
    expect(page.get_by_text("Click the map to keep a picture")).to_be_visible()
    box = box_of(page)
    page.mouse.click(box["x"] + 0.55 * box["width"], box["y"] + 0.4 * box["height"])
    expect(page).to_have_url(re.compile(r"[?&]z=-?[0-9.]+%2C-?[0-9.]+"))
    wait_idle(page)
    pin = page.locator(".atlas").evaluate("(e) => e.__atlas.pin")
    kept = pixels(page, "pinned")
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.7 * box["height"])
    settle(page)
    assert pixels(page, "pinned") == kept
    assert pixels(page) != kept

    other = new_page(width=1024, height=768, color_scheme="dark", cold=True)
    other.goto(page.url)
    expect(other.locator(MAP)).to_be_visible()
    wait_idle(other)
    assert other.locator(".atlas").evaluate("(e) => e.__atlas.pin") == pin
    assert pixels(other, "pinned") == kept
    other.get_by_role("button", name="Take out").click()
    expect(other).not_to_have_url(re.compile(r"[?&]z="))
    wait_idle(other)
    fine(other, serve.log("app.py"))


def test_layers_and_classes_are_chosen_in_the_browser(
    new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    page = new_page(width=1024, height=768, cold=True)
    visit(page, app_url, MAP, wait_idle)
    box, picture = box_of(page), page.locator(".atlas-now canvas").bounding_box()
    assert picture is not None
    assert box["y"] + box["height"] < 768
    assert picture["x"] >= box["x"] + box["width"], "the picture stands beside the map"
    sent = page.traffic.sent
    looks = set()
    for name in ("Pictures", "Codes", "Prior N(0, I)", "Encoder q(z)"):
        page.get_by_role("button", name=name, exact=True).click()
        settle(page)
        looks.add(page.locator(".atlas-under").evaluate("(c) => c.toDataURL()"))
    page.get_by_role("button", name="Codes", exact=True).click()
    chip = page.locator(".atlas-classes button").nth(3)
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    looks.add(page.locator(".atlas-under").evaluate("(c) => c.toDataURL()"))
    assert len(looks) == 5
    assert page.traffic.sent == sent
    fine(page, serve.log("app.py"))


def test_codes_flow_and_their_pictures_with_them(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, PLAYER, wait_idle, show="flow", steps=6, classes="3,7")
    expect(page.locator(".dvz-panel")).to_have_count(2)
    expect(page.locator(".dvz-thumb")).to_have_count(16)
    box = page.locator(".dvz-transport").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 900
    expect(page.get_by_text(re.compile("6 evaluations of a small network"))).to_be_visible()
    sent = page.traffic.sent
    page.locator(".dvz").press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "(e) => e.__diffviz.frame === 3", arg=page.locator(".dvz").element_handle()
    )
    page.locator(".dvz-thumb").nth(5).click()
    expect(page).to_have_url(re.compile(r"[?&]follow=5\b"))
    assert page.traffic.sent - sent <= 8
    wait_idle(page)
    stage = page.locator(".dvz-stage").first.bounding_box()
    assert stage is not None
    place = page.locator(".dvz").evaluate("(e) => e.__diffviz.place(0, 9, 3)")
    page.mouse.click(stage["x"] + place[0], stage["y"] + place[1])
    expect(page).to_have_url(re.compile(r"[?&]follow=([0-9]|1[0-5])\b"))
    wait_idle(page)
    fine(page, serve.log("app.py"))


def test_both_priors_are_drawn_anew(
    new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    page = new_page(width=1024, height=768, color_scheme="dark", cold=True)
    rows = page.get_by_alt_text(re.compile("^Pictures: "))
    page.goto(f"{app_url}/latent?show=priors")
    expect(rows).to_have_count(2)
    wait_idle(page)
    before = [rows.nth(k).get_attribute("src") for k in range(2)]
    assert before[0] != before[1]
    page.get_by_role("button", name="New").click()
    expect(page).to_have_url(re.compile(r"[?&]seed="))
    expect(rows.first).not_to_have_attribute("src", str(before[0]))
    wait_idle(page)
    expect(page.get_by_text(re.compile("Two priors, one decoder"))).to_be_visible()
    fine(page, serve.log("app.py"))
