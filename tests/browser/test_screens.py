"""Every page as it is first seen: the picture comes first, and all of it can be read.

By eye and by machine, in both themes: contrast, type size, axe's rules.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from diffviz.scenes.plays import SCENES
from tests.browser.conftest import ROOT
from tests.browser.journeys import becomes
from tests.browser.legibility import PAGES, PROBE, texts, unfold

sys.path.insert(0, str(ROOT / "benchmarks"))

import screens

LOOKS = (
    "forward?data=drawing&strokes=jJm_subymdk",  # data with a control of their own
    "collar?dogs=given",  # a dog that is set, rather than drawn
)

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"

# What Streamlit's own elements do: (rule, selector of the element); each is on every page.
OF_STREAMLIT = (
    ("list", "ul[data-testid=stSidebarNavItems]"),
    ("listitem", "[data-testid=stSidebarNavItems] li"),
)
# Besides what is serious: headings in order, targets of 24 pixels, labels that are what is read.
RULES = {"target-size": {"enabled": True}, "label-content-name-mismatch": {"enabled": True}}
ALWAYS = ("heading-order",)

FOUND = """([rules, always, own]) => axe.run(document, {resultTypes: ["violations"], rules}).then(
  ({violations}) => violations
    .filter(({id, impact}) => ["serious", "critical"].includes(impact) || always.includes(id))
    .flatMap(({id, nodes}) => nodes.map(({target, html}) => ({id, target, html})))
    .filter(({id, target}) => !own.some(([rule, selector]) =>
      rule === id && typeof target[0] === "string" && target.length === 1 &&
      document.querySelector(target[0])?.matches(selector)))
    .map(({id, target, html}) => `${id}: ${target.flat().at(-1)} ${html.slice(0, 160)}`))"""


@pytest.fixture(scope="session")
def axe() -> str:
    """The rules of axe-core; without them, skipped by hand and failed in CI."""
    if not AXE.exists():
        message = "no axe-core: npm ci --prefix tests/browser"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return AXE.read_text(encoding="utf-8")


def test_no_page_is_left_out() -> None:
    assert {name.partition("?")[0] for name in screens.PAGES} == set(PAGES)


@pytest.mark.parametrize("name", [*screens.PAGES, *LOOKS])
def test_the_picture_comes_first_and_all_can_be_read(
    name: str, new_page: Any, app_url: str, axe: str, wait_idle: Callable[..., None]
) -> None:
    """Large enough, Play in sight, one row of controls above it at most, nothing cut off."""
    page = new_page(width=1280, height=720, cold=True)
    page.add_init_script(PROBE)
    runs: list[str] = []
    page.on("request", lambda asked: runs.append(asked.url.partition("/run/")[2]))
    page.goto(f"{app_url}/{screens.address_of(name)}")
    for size in ("1280x720", "1024x768", "390x844", "1440x900"):
        width, height = (int(part) for part in size.split("x"))
        page.set_viewport_size({"width": width, "height": height})
        screens.settle(page, quiet=300)
        found = screens.measure(page)
        assert found is not None
        assert screens.broken(found, size) == []
    scene = name.partition("?")[0]
    said = {re.split("%7B|/", word)[0] for word in runs if word}
    assert said <= ({scene} if name in SCENES else {scene, "own"}), "one word for all readers"
    page.evaluate(axe)
    for theme in ("light", "dark"):
        if theme == "dark":  # what the server has coloured follows, too
            sent = page.traffic.sent
            page.emulate_media(color_scheme=theme)
            becomes(lambda: page.wait_for_timeout(50) or page.traffic.sent > sent)  # noqa: B023
        wait_idle(page)
        page.set_viewport_size({"width": 1440, "height": 900})
        unfold(page)
        wait_idle(page)
        read = texts(page)
        assert len(read) > 40
        assert [str(text) for text in read if text.faint] == [], theme
        assert [str(text) for text in read if text.small] == []
        assert [text.words for text in read if ":material/" in text.words] == []
        if theme == "light":  # the rules for colours are those above
            assert page.evaluate(FOUND, [RULES, ALWAYS, OF_STREAMLIT]) == []


def test_a_finger_finds_its_targets(new_page: Any, app_url: str, wait_idle: Any) -> None:
    page = new_page(width=390, height=844, has_touch=True, is_mobile=True)
    page.goto(f"{app_url}/guidance")
    wait_idle(page)
    sizes = page.locator("[data-testid=stMain] :is(button[aria-label^='Help for'], [role=radio])")
    assert sizes.count() > 8
    boxes = [box for box in (each.bounding_box() for each in sizes.all()) if box is not None]
    assert min(box["height"] for box in boxes) >= 44


def test_focus_is_seen_and_the_app_s_menu_covers_nothing(
    new_page: Any, app_url: str, wait_idle: Any
) -> None:
    page = new_page()
    page.goto(f"{app_url}/guidance")
    wait_idle(page)
    page.locator("[data-testid=stSidebarNavLink]").first.focus()
    page.keyboard.press("Tab")
    link = page.locator("[data-testid=stSidebarNavLink]:focus")
    expect(link).to_have_css("outline", "rgb(0, 107, 166) solid 2px")
    unfold(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator("[data-testid=stMain]").evaluate("(e) => e.scrollTo(0, 300)")
    page.wait_for_function(  # it scrolls away with the page and covers nothing there
        "(e) => e.getBoundingClientRect().bottom < 0",
        arg=page.locator("[data-testid=stMainMenuButton]").element_handle(),
    )
