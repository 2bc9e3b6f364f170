"""Memorise or generalise, on the Training page, in a real browser."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.browser.journeys import fine

QUICK: dict[str, object] = {"mode": "memorise", "width": 16, "depth": 1, "steps": 500}


def visit(page: Page, url: str, wait_idle: Any, **query: object) -> None:
    page.goto(f"{url}/training?{urlencode({'mode': 'memorise', **query})}")
    expect(page.locator('.dvz[data-ready="true"]')).to_be_visible()
    expect(page.locator(".st-key-memorise_sizes .js-plotly-plot")).to_be_visible()
    wait_idle(page)


def circles(page: Page) -> int:
    """How many sizes the curve of the network has."""
    return page.locator(".st-key-memorise_sizes .js-plotly-plot").evaluate(
        "(e) => e.data.find((d) => d.name === 'network').x.length"
    )


def test_the_first_view_is_the_stored_measurement(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, points=20)
    expect(page.get_by_text(re.compile("points=20.*is not on the ladder"))).to_be_visible()
    expect(page.locator(".dvz-badge-learned")).to_have_count(1)
    expect(page.locator(".dvz-badge-exact")).to_have_count(2)
    expect(page.get_by_text(re.compile("Open circles: the stored measurement"))).to_be_visible()
    expect(page.get_by_text(re.compile("It has learned the points by heart"))).to_be_visible()
    assert circles(page) == 12
    chart = page.locator(".st-key-memorise_sizes").bounding_box()
    assert chart is not None
    assert chart["y"] + chart["height"] < 900, "the curve is in sight without scrolling"
    handle = page.get_by_role("slider", name=re.compile("Training points"))
    handle.focus()
    handle.press("End")
    expect(page).to_have_url(re.compile(r"[?&]points=8000\b"))
    expect(page.get_by_text(re.compile("it has generalised"))).to_be_visible()
    fine(page, serve.log("app.py"))


def test_networks_are_trained_on_demand_and_can_be_stopped(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, **{**QUICK, "points": 8})
    expect(page.get_by_text(re.compile("No network has been trained"))).to_be_visible()
    page.get_by_role("button", name="Train on 8 points").click()
    expect(page.locator(".dvz-badge-learned")).to_have_count(1)
    expect(page.get_by_role("button", name="Train again on 8 points")).to_be_visible()
    wait_idle(page)
    assert circles(page) == 1
    page.get_by_role("button", name="12 sizes").click()
    page.locator(".st-key-controls").get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name=re.compile("sizes"))).to_be_visible()
    expect(page.get_by_text(re.compile("Filled circles: measured here"))).to_be_visible()
    wait_idle(page)
    fine(page, serve.log("app.py"))
