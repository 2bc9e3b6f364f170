"""The Guidance page in a real browser."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.browser.journeys import fine

QUICK = {"data": "moons", "n": 100, "samples": 200, "steps": 10}


def visit(page: Page, url: str, wait_idle: Any, **query: object) -> None:
    page.goto(f"{url}/guidance?{urlencode({**QUICK, **query})}")
    expect(page.locator('.dvz[data-ready="true"]')).to_be_visible()
    expect(page.locator(".st-key-guidance_share .js-plotly-plot")).to_be_visible()
    wait_idle(page)


def test_class_scale_and_network_are_chosen_and_kept_in_the_address(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, step=5)
    main = page.get_by_test_id("stMain")
    expect(page.locator(".dvz-panel")).to_have_count(3)
    expect(page.locator(".dvz-badge-exact")).to_have_count(2)
    expect(main.get_by_text("Guided, w = 4")).to_be_visible()
    expect(main.get_by_text(re.compile("not what was promised"))).to_be_visible()
    box = page.locator(".dvz").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 760, "the player is in sight, and the charts begin"

    page.get_by_test_id("stButtonGroup").get_by_text("Lower moon").click()
    expect(page).to_have_url(re.compile(r"[?&]class=1\b"))
    wait_idle(page)
    expect(main.get_by_text(re.compile("the class “lower moon”"))).to_be_visible()

    handle = page.get_by_role("slider", name=re.compile("Scale w"))
    handle.focus()
    handle.press("End")
    expect(page).to_have_url(re.compile(r"[?&]w=20\b"))
    expect(main.get_by_text("Guided, w = 20")).to_be_visible()

    typed = page.get_by_label(re.compile("Scale w.*: a number"))
    typed.fill("7.5")  # the usual scale of the field, which is no stop of the slider
    typed.press("Enter")
    expect(page).to_have_url(re.compile(r"[?&]w=7\.5\b"))
    expect(main.get_by_text("Guided, w = 7.5")).to_be_visible()

    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_test_id("stButtonGroup").get_by_text("Network").click()
    expect(page).to_have_url(re.compile(r"[?&]denoiser=learned\b"))
    expect(page.locator(".dvz-badge-learned")).to_have_count(3)
    wait_idle(page)
    fine(page, serve.log("app.py"))
