"""Every page can be read in both themes, by eye and by machine: contrast, size, axe's rules."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.legibility import PAGES, PROBE, texts, unfold

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


@pytest.fixture
def opened(new_page: Any, app_url: str, wait_idle: Callable[..., None]) -> Callable[..., Any]:
    """Opens a page at rest, all that is folded laid open."""

    def opener(name: str, theme: str, **options: Any) -> Any:
        page = new_page(color_scheme=theme, **options)
        page.add_init_script(PROBE)
        page.goto(f"{app_url}/{'' if name == 'home' else name}")
        wait_idle(page)  # the first page finds nothing worked out yet
        unfold(page)
        wait_idle(page)
        return page

    return opener


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read(name: str, theme: str, opened: Any, axe: str) -> None:
    page = opened(name, theme)
    found = texts(page)
    assert len(found) > 40
    assert [str(text) for text in found if text.faint] == []
    assert [str(text) for text in found if text.small] == []
    assert [text.words for text in found if ":material/" in text.words] == []
    page.evaluate(axe)
    assert page.evaluate(FOUND, [RULES, ALWAYS, OF_STREAMLIT]) == []


def test_touch_focus_and_the_app_s_menu(opened: Any) -> None:
    page = opened("guidance", "light", width=390, height=844, has_touch=True, is_mobile=True)
    sizes = page.locator("[data-testid=stMain] :is(button[aria-label^='Help for'], [role=radio])")
    assert sizes.count() > 8
    boxes = [box for box in (each.bounding_box() for each in sizes.all()) if box is not None]
    assert min(box["height"] for box in boxes) >= 44

    page = opened("guidance", "light")
    page.locator("[data-testid=stSidebarNavLink]").first.focus()
    page.keyboard.press("Tab")
    link = page.locator("[data-testid=stSidebarNavLink]:focus")
    expect(link).to_have_css("outline", "rgb(0, 107, 166) solid 2px")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator("[data-testid=stMain]").evaluate("(e) => e.scrollTo(0, 300)")
    page.wait_for_function(  # it scrolls away with the page and covers nothing there
        "(e) => e.getBoundingClientRect().bottom < 0",
        arg=page.locator("[data-testid=stMainMenuButton]").element_handle(),
    )
