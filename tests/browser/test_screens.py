"""The picture comes first on every page, and nothing changes its size (SCREEN.md)."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import screens

OWN = "forward?data=drawing&strokes=jJm_subymdk"  # data with a control of their own


@pytest.mark.parametrize("name", [*screens.PAGES, OWN])
def test_the_picture_comes_first(name: str, new_page: Any, app_url: str) -> None:
    """Large enough, Play in sight, one row of controls above it at most, nothing cut off."""
    page = new_page(width=1280, height=720)
    page.goto(f"{app_url}/{screens.address_of(name)}")
    for size in ("1280x720", "390x844"):
        width, height = (int(part) for part in size.split("x"))
        page.set_viewport_size({"width": width, "height": height})
        screens.settle(page)
        found = screens.measure(page)
        assert found is not None
        assert screens.broken(found, size) == []


def test_no_choice_changes_the_size_of_the_picture(page: Any, app_url: str, wait_idle: Any) -> None:
    def visit(query: str) -> None:
        page.goto(f"{app_url}/reverse?steps=6&step=2&{query}")
        page.locator('.dvz[data-ready="true"]').wait_for()
        wait_idle(page)

    page.set_viewport_size({"width": 1280, "height": 720})
    visit("")
    stage, menu = page.locator(".dvz-stage"), page.get_by_role("combobox", name="Sampler")
    before = stage.bounding_box()
    start = page.locator(".dvz").evaluate("(e) => e.__diffviz.place(0, 3, 0)")
    for title in ("DDPM (ancestral)", "Heun (ODE)", "DPM-Solver++ (2M)"):
        menu.click()
        page.get_by_role("option", name=title, exact=True).click()
        expect(menu).to_have_value(title)
        wait_idle(page)
        assert stage.bounding_box() == before
        now = page.locator(".dvz").evaluate("(e) => e.__diffviz.place(0, 3, 0)")
        assert now == pytest.approx(start, abs=0.1), "the cloud is not rescaled"
    for query in ("data=digits", "data=two_gaussians&schedule=ve"):
        visit(query)
        assert stage.bounding_box() == before
