"""The page The bound in a real browser: its terms, its controls, links, and what is wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.journeys import fine

FIGURES = ".dv-sum b"
TERMS = "() => document.querySelector('.st-key-bound_terms .js-plotly-plot').data"


@pytest.fixture
def visit(app_url: str, wait_idle: Any) -> Any:
    """Opens the page at a query and waits until all of it is there."""

    def visit(page: Any, query: str = "") -> None:
        page.goto(f"{app_url}/bound{query}")
        expect(page.locator(".dv-rungs img")).to_have_count(14)
        wait_idle(page)

    return visit


def bits(page: Any) -> list[float]:
    """Prior, steps, last decoder, their sum, and its limit."""
    words = page.locator(FIGURES).all_inner_texts()
    return [float(word.replace("< ", "").replace(",", "")) for word in words]


def test_the_terms_are_in_sight_and_add_up(page: Any, visit: Any, serve: Any) -> None:
    visit(page)
    prior, steps, last, total, end = bits(page)
    assert prior + steps + last == pytest.approx(total, abs=0.02)
    assert end < total < 8
    for key in ("bound_terms", "bound_growth"):
        box = page.locator(f".st-key-{key}").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900, "both charts are in sight"
    data = page.evaluate(TERMS)
    assert len(data) == 4
    expect(page.get_by_text("500 test pictures")).to_be_visible()
    expect(page.locator(".dv-vae tbody tr")).to_have_count(5)
    assert 2 <= page.locator(".st-key-page_questions a").count() <= 3
    fine(page, serve.log("app.py"))


def test_a_reader_changes_the_chain_and_the_link_brings_it_back(
    page: Any, new_page: Any, visit: Any, serve: Any, wait_idle: Any
) -> None:
    visit(page)
    before = bits(page)
    handle = page.get_by_role("slider", name=re.compile("how many steps"))
    handle.focus()
    handle.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"[?&]steps=70\b"))
    expect(page.get_by_text("70 learned steps")).to_be_visible()
    wait_idle(page)
    more = bits(page)
    assert more[3] < before[3]
    assert more[4] == before[4]

    page.get_by_role("combobox", name=re.compile("Schedule")).click()
    page.get_by_role("option", name="EDM", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]schedule=edm\b"))
    wait_idle(page)
    edm = bits(page)
    assert edm[3] > more[3]
    assert edm[4] == pytest.approx(more[4], abs=0.01), "the schedule only moves the terms"

    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("radio", name="log-SNR", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]over=log_snr\b"))
    page.get_by_role("radio", name="Its class", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]told=class\b"))
    expect(page.get_by_text("is told their class")).to_be_visible()
    wait_idle(page)
    now = bits(page)

    other = new_page(color_scheme="dark")
    visit(other, page.url.partition("/bound")[2])
    assert bits(other) == now
    assert other.url == page.url
    fine(page, serve.log("app.py"))
    fine(other, serve.log("app.py"))


def test_clothes_cost_more_than_digits(page: Any, visit: Any, serve: Any, wait_idle: Any) -> None:
    visit(page, "?spacing=log_snr")
    digits = bits(page)[4]
    page.get_by_role("radio", name=re.compile("Clothes")).click()
    expect(page).to_have_url(re.compile(r"[?&]pictures=fashion\b"))
    expect(page.get_by_text("The latents of a real piece")).to_be_visible()
    wait_idle(page)
    assert bits(page)[4] > digits + 1
    fine(page, serve.log("app.py"))


def test_a_schedule_that_never_gets_noisy_is_told(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    query = "schedule=linear&T=2&beta_start=1e-6&beta_end=2e-6"
    page.goto(f"{app_url}/bound?{query}")
    alert = page.locator("[data-testid=stAlert]", has_text="never has as much noise")
    expect(alert).to_be_visible()
    wait_idle(page)
    fine(page, serve.log("app.py"))


def test_nothing_overlaps_on_a_small_screen(new_page: Any, visit: Any, serve: Any) -> None:
    page = new_page(width=1024, height=768, color_scheme="dark")
    visit(page, "?steps=1000&schedule=rectified_flow&over=step")
    terms = page.locator(".st-key-bound_terms").bounding_box()
    growth = page.locator(".st-key-bound_growth").bounding_box()
    assert terms is not None
    assert growth is not None
    assert terms["y"] + terms["height"] < 768, "the terms are in sight"
    assert growth["y"] >= terms["y"] + terms["height"]
    assert terms["width"] > 600
    ladder = page.locator(".dv-rungs").bounding_box()
    table = page.locator(".dv-vae").bounding_box()
    assert ladder is not None
    assert table is not None
    assert table["y"] >= ladder["y"] + ladder["height"] or table["x"] > ladder["x"] + 400
    fine(page, serve.log("app.py"))


def test_the_questions_set_the_page_up(page: Any, visit: Any, serve: Any, wait_idle: Any) -> None:
    visit(page)
    page.locator(".st-key-page_questions a").first.click()
    page.wait_for_url("**schedule=edm**")
    expect(page.get_by_text("1,000 learned steps")).to_be_visible()
    wait_idle(page)
    assert bits(page)[3] > 20
    fine(page, serve.log("app.py"))
