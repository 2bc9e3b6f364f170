"""The Refine page in a real browser: samples are refined, the answer is told, levels are links."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import expect

from diffviz.studies.refine import LEVELS
from tests.browser.journeys import fine, until

READY = '.dvz[data-ready="true"]'


def visit(page: Any, url: str, wait_idle: Any, **query: object) -> None:
    page.goto(f"{url}/refine?{urlencode(query)}")
    expect(page.locator(READY)).to_be_visible()
    expect(page.locator(".dv-levels tbody tr")).to_have_count(len(LEVELS))
    wait_idle(page)


def values(page: Any, panel: int, frame: int, item: int = 0) -> list[float]:
    found: list[float] = (
        page.locator(".dvz-images")
        .nth(panel)
        .evaluate(f"(e) => e.__diffviz.values('x_t', {frame}, {item})")
    )
    return found


def test_a_sample_is_refined_step_by_step_and_the_level_is_a_link(
    page: Any, new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, level=0.4)
    main = page.get_by_test_id("stMain")
    expect(page.locator(".dvz-panel")).to_have_count(2)
    expect(page.locator(".dvz-thumb")).to_have_count(20)
    expect(main.get_by_text(re.compile("10 calls of the network"))).to_be_visible()
    box = page.locator(".dvz").bounding_box()
    assert box is not None
    assert box["y"] + 440 < 900, "samples, refined ones and scrubber are in sight"

    page.locator(".dvz").press("Home")
    until(page, "p.frame === 0")
    page.keyboard.press("ArrowRight")
    until(page, "p.frame === 1")
    assert values(page, 0, 0) == values(page, 0, 10)  # the sample stands still
    noisy, refined = values(page, 1, 0), values(page, 1, 10)
    sample = values(page, 0, 10)
    away = [sum((a - b) ** 2 for a, b in zip(x, sample, strict=True)) for x in (noisy, refined)]
    assert 0 < away[1] < away[0]
    page.locator(".dvz-thumb").nth(13).click()
    expect(page).to_have_url(re.compile(r"[?&]follow=3\b"))
    expect(page.locator('.dvz-thumb[aria-pressed="true"]')).to_have_count(2)

    handle = page.get_by_role("slider", name=re.compile("Noise level"))
    handle.focus()
    handle.press("Home")
    expect(page).to_have_url(re.compile(r"[?&]level=0\b"))
    expect(main.get_by_text(re.compile("come back as they were"))).to_be_visible()
    expect(page.locator(".dv-levels tr.dv-on th")).to_have_text("0%")
    wait_idle(page)
    fine(page, serve.log("app.py"))

    other = new_page()
    other.goto(page.url)
    expect(other.get_by_text(re.compile("come back as they were"))).to_be_visible()
    wait_idle(other)
    assert other.url == page.url


def test_the_answer_and_the_curves_are_told(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle)
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text(re.compile(r"as many real pictures \d"))).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    expect(page.locator(".dv-levels th", has_text="★")).to_have_count(1)
    expect(page.locator(".js-plotly-plot").first).to_contain_text("best:")
    for width, height in ((1440, 900), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        wait_idle(page)
        tops = [page.locator(".js-plotly-plot").nth(k).bounding_box()["y"] for k in range(4)]
        assert tops[0] == tops[1] < tops[2] == tops[3], "two charts a row"
        table = page.locator(".dv-levels").bounding_box()
        chart = page.locator(".js-plotly-plot").first.bounding_box()
        beside = chart["x"] >= table["x"] + table["width"]
        assert beside or chart["y"] >= table["y"] + table["height"], "nothing overlaps"
    fine(page, serve.log("app.py"))


def test_a_gan_is_refined_with_the_class_that_it_was_asked_for(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, level=0.16)
    page.get_by_test_id("stButtonGroup").get_by_text("GAN samples").click()
    expect(page).to_have_url(re.compile(r"[?&]source=gan\b"))
    expect(page.locator(".dvz").get_by_text("Samples of the GAN")).to_be_visible()
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text(re.compile("with the class that it was made for"))).to_be_visible()
    wait_idle(page)
    labels = page.locator(".dvz-thumb").evaluate_all("(all) => all.map((e) => e.title)")
    assert labels == [f"label {k}" for k in range(10)] * 2
    fine(page, serve.log("app.py"))


def test_what_was_not_measured_or_is_not_here_is_said(
    page: Any, serve: Any, wait_idle: Any
) -> None:
    script = "tests/browser/apps/refine_bare.py"
    page.goto(f"{serve(script)}/?level=0.16")
    expect(page.locator(READY)).to_be_visible()
    expect(page.get_by_text(re.compile("has not been measured yet"))).to_be_visible()
    expect(page.locator(".dv-levels tbody tr")).to_have_count(len(LEVELS))
    wait_idle(page)
    assert page.locator(".js-plotly-plot").count() == 0
    page.get_by_test_id("stButtonGroup").get_by_text("GAN samples").click()
    expect(page.get_by_text(re.compile(r"python -m diffviz train gans mnist"))).to_be_visible()
    wait_idle(page)
    fine(page, serve.log(script))
