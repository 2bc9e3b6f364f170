"""Addresses in a real browser: copied, mistyped, followed, and gone back to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.browser.journeys import becomes, fine

CONTROLS = "tests/browser/apps/controls.py"
TOUR = "tests/browser/apps/tour/app.py"
PAGES = ["", "forward", "schedules", "reverse"]
NONSENSE = {
    "hello": "**world**",
    "data": "nothing",
    "schedule": "<img src=x onerror=alert(1)>",
    "T": "1e999",
    "steps": "nan",
    "seed": "-5",
    "step": "9" * 300,
}

Wait = Callable[[Any], None]


def query(page: Any) -> dict[str, str]:
    """The address's parameters, one word each."""
    words = parse_qs(urlsplit(page.evaluate("location.href")).query, keep_blank_values=True)
    assert all(len(word) == 1 for word in words.values())
    return {name: word[0] for name, word in words.items()}


def warnings(page: Any) -> str:
    return " ".join(page.locator('[data-testid="stAlert"]').all_inner_texts())


def results(page: Any) -> list[str]:
    """What the page says each control returned."""
    return page.locator('[data-testid="stText"]').all_inner_texts()


@pytest.mark.parametrize("name", PAGES)
def test_nonsense_in_the_address_is_said_and_the_page_still_draws(
    name: str, page: Any, app_url: str, serve: Any, wait_idle: Wait
) -> None:
    page.goto(f"{app_url}/{name}?{urlencode(NONSENSE)}")
    wait_idle(page)
    assert page.locator("h1").count() == 1
    becomes(lambda: "hello" in warnings(page), True)
    assert query(page).keys() <= {"step"}  # the nearest step there is, or none
    page.reload()
    wait_idle(page)
    assert "hello" not in warnings(page)
    fine(page, serve.log("app.py"))


def test_the_first_visitor_may_come_by_any_address(page: Any, serve: Any, wait_idle: Wait) -> None:
    page.goto(serve(TOUR, FRESH="1") + "/two?schedule=cosine")
    wait_idle(page)
    assert page.locator("h1").inner_text() == "Page two"
    assert page.locator('[data-testid="stSidebarNavLink"]').all_inner_texts() == ["One", "Two"]
    becomes(lambda: query(page), {"schedule": "cosine"})
    fine(page, serve.log(TOUR, FRESH="1"))


def test_nonsense_stays_until_something_changes(page: Any, serve: Any, wait_idle: Wait) -> None:
    page.goto(f"{serve(CONTROLS)}/?{urlencode(NONSENSE | {'spacing': 'karras'})}")
    wait_idle(page)
    for piece in ("schedule=<img", "T=1e999", "steps=nan", "seed=-5", "hello", "data=nothing"):
        assert piece in warnings(page)
    assert page.locator('[data-testid="stAlert"] img').count() == 0
    assert "spacing=karras" in results(page)[3]
    page.get_by_role("button", name="Run again").click()
    wait_idle(page)
    assert "T=1e999" in warnings(page)
    page.get_by_role("radio", name="Spiral").click()
    becomes(lambda: query(page).get("data"), "spiral")
    becomes(lambda: "T=1e999" in warnings(page), False)
    fine(page, serve.log(CONTROLS))


def test_a_copied_address_shows_the_same_in_a_new_browser(
    new_page: Any, serve: Any, wait_idle: Wait
) -> None:
    first = new_page(cold=True)
    first.goto(serve(CONTROLS))
    wait_idle(first)
    first.get_by_role("radio", name="Spiral").click()
    wait_idle(first)
    first.get_by_label("Schedule (how fast noise comes in)", exact=True).click()
    first.get_by_role("option", name="Cosine").click()
    wait_idle(first)
    first.get_by_role("slider", name="Steps").press("ArrowLeft")
    wait_idle(first)
    first.get_by_role("button", name="Step 7").click()
    wait_idle(first)
    first.get_by_role("button", name="Run again").click()
    becomes(
        lambda: query(first), {"data": "spiral", "schedule": "cosine", "steps": "40", "step": "7"}
    )
    second = new_page(cold=True)
    second.goto(first.url)
    wait_idle(second)
    becomes(lambda: results(second), results(first))
    assert second.url == first.url
    fine(second, serve.log(CONTROLS))


def test_quick_changes_are_all_kept(page: Any, serve: Any, wait_idle: Wait) -> None:
    page.goto(serve(CONTROLS))
    wait_idle(page)
    page.get_by_role("radio", name="Spiral").click()
    for _ in range(2):  # as quickly as a hand can
        page.get_by_role("slider", name="Steps").press("ArrowRight", delay=60)
    page.get_by_role("radio", name="Smiley").click()
    becomes(lambda: query(page), {"data": "smiley", "steps": "100"})
    becomes(lambda: "steps=100" in results(page)[3], True)
    becomes(lambda: results(page)[0].startswith("data smiley"), True)


def test_what_a_part_of_a_page_no_longer_has_leaves_the_address(
    page: Any, app_url: str, serve: Any, wait_idle: Wait
) -> None:
    """A sampler's own knob, and a level that is remembered apart for each set; the rest stays."""
    page.goto(f"{app_url}/reverse?data=spiral&n=300&sampler=edm&churn=50&samples=500")
    wait_idle(page)
    assert query(page)["churn"] == "50"
    page.get_by_role("combobox", name="Sampler").first.click()
    page.get_by_role("option", name="Heun").click()
    wait_idle(page)
    kept = {name: word for name, word in query(page).items() if name != "step"}
    assert kept == {"data": "spiral", "n": "300", "sampler": "heun", "samples": "500"}

    page.goto(f"{app_url}/refine?level=0.4")
    wait_idle(page)
    assert query(page)["level"] == "0.4"
    page.get_by_role("radio", name="Clothes").click()
    wait_idle(page)
    assert "level" not in query(page)
    assert query(page)["pictures"] == "fashion"
    page.get_by_role("radio", name="Digits").click()
    wait_idle(page)
    assert query(page)["level"] == "0.4"
    fine(page, serve.log("app.py"))


def test_controls_go_along_by_the_navigation_and_the_step_does_not(
    page: Any, serve: Any, wait_idle: Wait
) -> None:
    page.goto(serve(TOUR) + "/?schedule=cosine&T=50&step=3")
    becomes(lambda: results(page), ["is cosine T=50 step=3"])
    page.get_by_role("link", name="Two").click()
    becomes(lambda: page.locator("h1").all_inner_texts(), ["Page two"])
    becomes(lambda: results(page), ["is cosine T=50 step=0"])
    assert urlsplit(page.url).path == "/two"
    becomes(lambda: query(page), {"schedule": "cosine", "T": "50"})
    fine(page, serve.log(TOUR))


@pytest.mark.parametrize("name", ["", "two"])
def test_a_question_sets_its_page_up_whatever_was_set(
    name: str, page: Any, serve: Any, wait_idle: Wait
) -> None:
    base = serve(TOUR)
    page.goto(f"{base}/{name}?schedule=linear&T=30&step=9")
    wait_idle(page)
    page.get_by_role("link", name="Cosine here").click()
    becomes(lambda: results(page), ["is cosine T=100 step=0"])
    becomes(lambda: query(page), {"schedule": "cosine", "T": "100"})
    page.get_by_role("button", name="Step 7").click()
    becomes(lambda: query(page), {"schedule": "cosine", "T": "100", "step": "7"})
    page.get_by_role("link", name="Cosine here").click()
    becomes(lambda: results(page), ["is cosine T=100 step=0"])
    page.get_by_role("link", name="Sigmoid there").click()
    becomes(lambda: results(page), ["is sigmoid T=7 step=0"])
    becomes(lambda: query(page), {"schedule": "sigmoid", "T": "7", "zsnr": "1"})
    fine(page, serve.log(TOUR))


def test_the_browser_goes_back_through_what_was_set(page: Any, serve: Any, wait_idle: Wait) -> None:
    page.goto(serve(TOUR) + "/?T=50")
    wait_idle(page)
    page.get_by_role("button", name="Step 7").click()
    becomes(lambda: query(page), {"T": "50", "step": "7"})
    page.get_by_role("link", name="Cosine here").click()
    wait_idle(page)
    page.go_back()
    becomes(lambda: query(page), {"T": "50", "step": "7"})
    becomes(lambda: results(page), ["is linear T=50 step=7"])
    page.go_back()
    becomes(lambda: results(page), ["is linear T=50 step=0"])
    fine(page, serve.log(TOUR))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_reader(
    scheme: str, new_page: Any, serve: Any, wait_idle: Wait
) -> None:
    page = new_page(color_scheme=scheme)
    page.goto(serve(CONTROLS))
    wait_idle(page)
    background = page.locator('[data-testid="stApp"]').evaluate(
        "e => getComputedStyle(e).backgroundColor"
    )
    red = int(re.findall(r"\d+", background)[0])
    assert (red < 60) == (scheme == "dark")
