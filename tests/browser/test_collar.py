"""The page of the dog with a collar in a real browser."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import expect

from tests.browser.journeys import fine, until

READY = '.dvz[data-ready="true"]'
QUICK = {"noise": {"steps": 8}, "given": {"trip": 5}}


def visit(page: Any, url: str, wait_idle: Any, **query: object) -> None:
    quick = QUICK.get(str(query.get("dogs")), QUICK["noise"])
    page.goto(f"{url}/collar?{urlencode({**quick, **query})}")
    expect(page.locator(READY)).to_be_visible()
    wait_idle(page)


def test_three_rows_of_dogs_are_played_scrubbed_and_kept_in_the_address(
    page: Any, new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle)
    main = page.get_by_test_id("stMain")
    for words in ("no collar", "left open", "collar"):
        expect(page.locator(".dvz").get_by_text(f"Asked: {words}", exact=True)).to_be_visible()
    expect(main.get_by_text(re.compile(r"Asked for a collar, \d of 8 dogs"))).to_be_visible()
    expect(main.get_by_text(re.compile("Measured on 2,000 dogs"))).to_be_visible()
    expect(main.locator(".dv-dogs img")).to_have_count(4 * 8)
    box = page.locator(".dvz-transport").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 900, "dogs and scrubber are in sight"

    page.locator(".dvz").press("Home")
    until(page, "p.frame === 0")
    page.keyboard.press("Space")
    until(page, "p.frame === 8")
    page.locator(".dvz").press("Home")
    until(page, "p.frame === 0")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    until(page, "p.frame === 3")
    page.locator(".dvz-thumb").nth(1).click()
    expect(page).to_have_url(re.compile(r"[?&]follow=1\b"))
    wait_idle(page)
    fine(page, serve.log("app.py"))

    other = new_page()
    other.goto(page.url)
    expect(other.locator(READY)).to_be_visible()
    wait_idle(other)
    until(other, "p.frame === 3")


def test_guidance_is_switched_off_and_the_rows_become_one(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle)
    handle = page.get_by_role("slider", name=re.compile("Scale w"))
    handle.focus()
    handle.press("Home")
    expect(page).to_have_url(re.compile(r"[?&]guidance=0\b"))
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text(re.compile("the three rows are one"))).to_be_visible()
    wait_idle(page)
    rows = main.locator(".dv-dogs")
    sources = [rows.nth(k).locator("img").first.get_attribute("src") for k in range(3)]
    assert sources[0] == sources[1] == sources[2]
    fine(page, serve.log("app.py"))


def test_a_given_dog_gets_a_collar_and_loses_it(
    page: Any, new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle)
    page.get_by_test_id("stButtonGroup").get_by_text("A given dog", exact=True).click()
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text("The collar is put on")).to_be_visible()
    expect(main.locator(".dv-trip figure")).to_have_count(5)
    wait_idle(page)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    before = main.get_by_alt_text("given", exact=True).get_attribute("src")

    main.get_by_text("It wears a collar", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]wears=1\b"))
    expect(main.get_by_text("The collar is taken off")).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_text("Sits", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]pose=sits\b"))
    wait_idle(page)
    assert main.get_by_alt_text("given", exact=True).get_attribute("src") != before
    fine(page, serve.log("app.py"))

    page.locator(".dvz").press("End")  # a run that still plays changes the address at its end
    expect(page).to_have_url(re.compile(r"[?&]step=40\b"))
    wait_idle(page)
    other = new_page()
    other.goto(page.url)
    expect(other.get_by_text("The collar is taken off")).to_be_visible()
    wait_idle(other)
    assert other.url == page.url
