"""The pages Three generators and The bill in a real browser."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from diffviz.models.pretrained import GENERATOR_FOLDER
from tests.browser.journeys import fine, until

READY = '.dvz[data-ready="true"]'
APP = "tests/browser/apps/generators_app.py"
MADE_UP, NONE = {"FIGURES": "made up"}, {"FIGURES": "none"}
QUICK = {"steps": 4}

trained = pytest.mark.skipif(
    not all(
        (GENERATOR_FOLDER / f"mnist-{kind}.npz").is_file() for kind in ("vae2", "vae16", "gan")
    ),
    reason="the generators are not here",
)


def visit(page: Any, url: str, wait_idle: Any, where: str, **query: object) -> None:
    page.goto(f"{url}/{where}?{urlencode(query)}")
    expect(page.get_by_text("Worth trying")).to_be_visible()
    wait_idle(page)


# The bill ---------------------------------------------------------------------------------------


def label_boxes(page: Any) -> list[dict[str, float]]:
    """Where the names of the rows stand on the chart."""
    labels = page.locator(".st-key-bill_chart .annotation-text")
    boxes = [labels.nth(k).bounding_box() for k in range(labels.count())]
    assert all(box is not None for box in boxes)
    return boxes


def test_the_bill_is_read_and_sorted_by_another_cost(
    new_page: Any, serve: Any, wait_idle: Any
) -> None:
    page = new_page(width=1024, height=768, color_scheme="dark")
    visit(page, serve(APP, **MADE_UP), wait_idle, "bill")
    rows = page.locator(".dv-bill tbody tr")
    expect(rows).to_have_count(9)
    expect(rows.nth(5)).to_contain_text("GAN")
    expect(rows.nth(5)).to_contain_text("0.52 ms")
    expect(page.get_by_text(re.compile("measured on a laptop with two cores"))).to_be_visible()
    expect(page.get_by_text(re.compile("covers all ten classes"))).to_be_visible()
    chart = page.locator(".st-key-bill_chart").bounding_box()
    assert chart["y"] + chart["height"] < 768, "the chart is in sight"
    for word, axis in (
        ("Network calls", "calls"),
        ("Multiply-adds", "macs"),
        ("Training time", "training"),
    ):
        page.get_by_test_id("stButtonGroup").get_by_text(word, exact=True).click()
        expect(page).to_have_url(re.compile(rf"[?&]cost={axis}\b"))
        wait_idle(page)
        boxes = label_boxes(page)
        assert len(boxes) == 9
        for k, a in enumerate(boxes):
            for b in boxes[:k]:
                apart = (
                    a["x"] + a["width"] <= b["x"] + 1
                    or b["x"] + b["width"] <= a["x"] + 1
                    or a["y"] + a["height"] <= b["y"] + 4
                    or b["y"] + b["height"] <= a["y"] + 4
                )
                assert apart, f"two names cover each other: {a} and {b}"
    fine(page, serve.log(APP, **MADE_UP))


def test_a_link_to_a_bill_sets_it_up_and_odd_ones_are_answered(
    page: Any, serve: Any, wait_idle: Any
) -> None:
    url = serve(APP, **MADE_UP)
    visit(page, url, wait_idle, "bill", cost="calls", pictures="fashion")
    expect(page.locator(".dv-bill tbody tr")).to_have_count(3)
    expect(page.get_by_text(re.compile("Network calls for a picture"))).to_be_visible()
    visit(page, url, wait_idle, "bill", cost="money", pictures="letters", colour="red")
    for words in ("cost=money", "pictures=letters", "colour"):
        expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator(".dv-bill tbody tr")).to_have_count(9)
    fine(page, serve.log(APP, **MADE_UP))


def test_before_anything_is_measured_the_bill_says_how(
    page: Any, serve: Any, wait_idle: Any
) -> None:
    visit(page, serve(APP, **NONE), wait_idle, "bill")
    expect(page.get_by_text(re.compile(r"python -m diffviz compare --write"))).to_be_visible()
    fine(page, serve.log(APP, **NONE))


# Three generators -------------------------------------------------------------------------------


def test_without_the_others_diffusion_is_drawn_and_the_page_says_what_is_missing(
    page: Any, serve: Any, wait_idle: Any
) -> None:
    visit(page, serve(APP, **NONE), wait_idle, "generators", **QUICK)
    expect(page.locator(READY)).to_have_count(1)
    expect(page.locator(".dvz-panel")).to_have_count(1)
    for words in ("vaes mnist-16", "gans mnist", "diffviz compare"):
        expect(page.get_by_text(re.compile(words)).first).to_be_visible()
    expect(page.get_by_text("not measured")).to_have_count(5)
    expect(page.get_by_text(re.compile("is not recorded here"))).to_be_visible()
    fine(page, serve.log(APP, **NONE))


@trained
def test_three_generators_draw_the_same_classes(
    page: Any, new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, "generators", **QUICK, classes="3,7")
    first = page.locator(".dvz").first
    expect(first.locator(".dvz-panel")).to_have_count(3)
    expect(first.locator(".dvz-thumb")).to_have_count(30)
    main = page.get_by_test_id("stMain")
    for words in ("VAE: 1 call, ", "GAN: 1 call, ", "Diffusion: 8 calls, "):
        expect(main.get_by_text(re.compile(words)).first).to_be_visible()
    box = first.bounding_box()
    assert box is not None
    assert box["y"] + 400 < 900, "the pictures are in sight"

    first.press("Home")
    until(page, "p.frame === 0", first)
    expect(first.get_by_text(re.compile("what each starts from"))).to_be_visible()
    page.keyboard.press("ArrowRight")
    until(page, "p.frame === 1", first)
    expect(first.get_by_text(re.compile(r"2 of 8 calls"))).to_be_visible()
    first.locator(".dvz-thumb").nth(1).click()
    expect(page).to_have_url(re.compile(r"[?&]follow=1\b"))
    wait_idle(page)
    page.get_by_role("button", name="New").click()
    expect(page).to_have_url(re.compile(r"[?&]seed=\d+"))
    wait_idle(page)
    fine(page, serve.log("app.py"))

    other = new_page(width=1024, height=768, color_scheme="dark")
    other.goto(page.url)
    expect(other.locator(READY).first).to_be_visible()
    wait_idle(other)
    assert other.url == page.url
    fine(other, serve.log("app.py"))


@trained
def test_a_training_is_played_again(
    page: Any, new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, "generators", **QUICK)
    expect(page.locator(READY)).to_have_count(2)
    page.get_by_test_id("stButtonGroup").get_by_text("GAN", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]trained=gan\b"))
    expect(page.get_by_text(re.compile("losses of a GAN do not fall"))).to_be_visible()
    wait_idle(page)
    replayed = page.locator(".dvz").nth(1)
    expect(replayed.locator(".dvz-card-distance")).to_have_count(2)
    sent = page.traffic.sent
    replayed.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    until(page, "p.frame === 3", replayed)
    expect(replayed.get_by_text(re.compile(r"^step \d+ of \d,000$"))).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]frame=3\b"))
    assert page.traffic.sent - sent <= 10
    wait_idle(page)
    fine(page, serve.log("app.py"))

    other = new_page()
    other.goto(page.url)
    expect(other.locator(READY)).to_have_count(2)
    until(other, "p.frame === 3", other.locator(".dvz").nth(1))


def test_the_front_page_leads_to_the_comparisons(page: Any, app_url: str, wait_idle: Any) -> None:
    page.goto(app_url)
    links = page.locator(".st-key-home_compare a")
    expect(links).to_have_count(6)
    wait_idle(page)
    links.get_by_text("The bill").click()
    page.get_by_role("heading", level=1, name="The bill").wait_for()
    assert page.errors == []
