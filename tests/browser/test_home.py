"""The Home page in a real browser: it moves, and leads on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.journeys import fine, until

READY = '.dvz[data-ready="true"]'


@pytest.fixture
def home(new_page: Any, app_url: str, wait_idle: Callable[..., None]) -> Callable[..., Any]:
    """Opens the front page in a window of a given size."""

    def opener(**options: Any) -> Any:
        page = new_page(**options)
        page.goto(app_url)
        page.locator(READY).wait_for()
        wait_idle(page)
        return page

    return opener


def test_it_plays_again_and_again(home: Any, serve: Any) -> None:
    page = home(motion=True)
    until(page, "p.playing && p.frame > 2")
    expect(page.get_by_role("button", name="Loop")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    until(page, "!p.playing")
    page.keyboard.press("End")
    until(page, "p.frame === p.frames - 1")
    page.keyboard.press("Space")
    until(page, "p.playing && p.frame > 0 && p.frame < p.frames - 1")
    fine(page, serve.log("app.py"))


def test_it_waits_for_those_who_want_less_motion(home: Any) -> None:
    page = home()
    page.wait_for_timeout(300)
    until(page, "!p.playing && p.frame === 0")
    page.evaluate("ontransitionrun = () => { window.moved = (window.moved || 0) + 1; }")
    page.get_by_role("link", name="Schedules", exact=True).first.click()
    page.locator(".js-plotly-plot").first.wait_for()
    assert page.evaluate("window.moved || 0") < 10  # Streamlit's own sign that it runs may fade


def test_the_cards_lead_into_the_pages_and_back(home: Any) -> None:
    page = home()
    links = page.locator(".st-key-home_cards a")
    expect(links).to_have_count(8)
    for link in ("Schedules", "Arena"):
        page.locator(".st-key-home_cards").get_by_role("link", name=link).click()
        title = page.get_by_role("heading", level=1, name=link)
        title.wait_for()
        page.get_by_role("link", name="Home").click()
        page.get_by_role("heading", level=1, name="See diffusion").wait_for()
    assert page.errors == []


def test_pictures_are_drawn_and_described(home: Any) -> None:
    page = home()
    pictures = page.locator(".st-key-home_cards img")
    expect(pictures).to_have_count(8)
    for k in range(8):
        assert pictures.nth(k).get_attribute("alt")
        assert pictures.nth(k).evaluate("(e) => e.complete && e.naturalWidth > 0")
    for link in page.locator(".st-key-home_cards a").all():
        assert link.bounding_box()["y"] < 900
