"""The Arena page in a real browser."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.journeys import fine

Open = Callable[..., Page]
QUICK: dict[str, object] = {"samples": 200, "chart_samples": 250, "seeds": 1, "of": "exact"}


@pytest.fixture
def open_arena(serve: Any, new_page: Any, wait_idle: Any) -> Open:
    """Opens the page: ``open_arena(align="calls", _width=1024)``."""

    def opener(**query: object) -> Page:
        context = {key[1:]: query.pop(key) for key in list(query) if key.startswith("_")}
        page: Page = new_page(**context)
        page.goto(f"{serve('app.py')}/arena?{urlencode({**QUICK, **query})}")
        ready(page)
        expect(page.locator(".st-key-arena_table table")).to_be_visible()
        wait_idle(page)
        return page

    return opener


def ready(page: Page) -> None:
    expect(page.locator('.dvz[data-ready="true"]')).to_be_visible()


def state(page: Page) -> dict[str, Any]:
    """What the player says of itself."""
    names = ["frame", "frames", "playing"]
    return page.locator(".dvz").evaluate(
        "(e, names) => Object.fromEntries(names.map((n) => [n, e.__diffviz[n]]))", names
    )


def statuses(page: Page) -> list[str]:
    """What the corner of every panel says."""
    return page.locator(".dvz-status").all_inner_texts()


def rows(page: Page) -> Locator:
    return page.locator(".st-key-arena_table tbody tr")


def test_four_race_on_one_clock_and_the_table_tells_who_won(
    open_arena: Open, wait_idle: Any, serve: Any
) -> None:
    page = open_arena(samples=2000, step=0)
    expect(page.locator(".dvz-stage")).to_have_count(4)
    expect(rows(page)).to_have_count(5)
    table = rows(page).last.bounding_box()
    assert table is not None
    assert table["y"] + table["height"] <= 900, "the table is in sight"
    values = [
        float(cells.nth(4).inner_text())
        for cells in (rows(page).nth(k).locator("td") for k in range(4))
    ]
    ddpm, ddim, heun, dpm = values
    assert max(heun, dpm) < ddim < ddpm
    expect(page.get_by_role("link", name=re.compile("four spacings"))).to_be_visible()

    # scrubbing asks nothing of the server, and every panel says where its run is
    page.keyboard.press("Home")
    wait_idle(page)
    box = page.locator(".dvz-track").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 20, middle)
    page.mouse.down()
    sent = page.traffic.sent  # type: ignore[attr-defined]
    seen = set()
    for share in (0.2, 0.4, 0.6, 0.8, 0.5):
        page.mouse.move(box["x"] + share * box["width"], middle, steps=3)
        page.wait_for_timeout(60)
        seen.add(tuple(statuses(page)))
    assert len(seen) >= 4
    assert page.traffic.sent == sent  # type: ignore[attr-defined]
    page.mouse.up()
    wait_idle(page)
    frames = state(page)["frames"]
    assert frames == 14  # ten stops of three runs, three more of Heun's, the end

    # by calls instead: a frame is an evaluation
    page.locator(".st-key-bar_controls").get_by_role("button", name="More", exact=True).click()
    page.get_by_role("radio", name="Network calls").click()
    expect(page).to_have_url(re.compile("align=calls"))
    wait_idle(page)
    assert state(page)["frames"] == 11
    page.keyboard.press("Escape")
    page.get_by_role("slider", name="Time in the run").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".dvz-status").nth(0)).to_have_text(re.compile("NFE 9"))
    expect(page.locator(".dvz-status").nth(2)).to_have_text(re.compile("done · NFE 9"))
    fine(page, serve.log("app.py"))


def test_contestants_come_change_and_go(open_arena: Open, wait_idle: Any, serve: Any) -> None:
    page = open_arena(d="none", b="ddmp,10,log_snr,cosine,exact", c="heun,900")
    said = " ".join(page.get_by_test_id("stAlert").all_inner_texts())
    assert "sampler ddmp is unknown (perhaps ddpm?)" in said
    assert "c=heun,900" in said
    expect(page.locator(".dvz-stage")).to_have_count(3)

    page.get_by_role("button", name="Add").click()
    expect(page.locator(".dvz-stage")).to_have_count(4)
    wait_idle(page)
    assert "d=" not in page.url  # the default of D is back

    page.get_by_role("button", name=re.compile("^A ")).click()
    page.get_by_role("combobox", name=re.compile("Sampler")).click()
    page.get_by_role("option", name="Euler (ODE)").click()
    expect(page).to_have_url(re.compile(r"a=euler%2C10%2Cquadratic%2Crectified_flow%2Cexact"))
    wait_idle(page)
    expect(page.locator(".dvz-title").first).to_have_text("A Euler, 10 steps")

    page.get_by_role("button", name="Take out of the race").click()
    expect(page.locator(".dvz-stage")).to_have_count(3)
    expect(page).to_have_url(re.compile("a=none"))
    wait_idle(page)
    expect(page.locator(".dvz-title").first).to_have_text(re.compile("^B "))
    fine(page, serve.log("app.py"))


def test_the_chart_is_measured_stopped_gone_on_with_and_downloaded(
    open_arena: Open, wait_idle: Any, serve: Any, tmp_path: Path
) -> None:
    page = open_arena(  # two seeds: it is still measured when it is stopped
        data="moons", a="ddim,5,trailing,vp,learned", c="none", d="none", seeds=2
    )
    badges = page.locator(".dvz-badge")
    expect(badges.nth(0)).to_have_text("learned")
    expect(badges.nth(1)).to_have_text("exact")
    expect(page.get_by_text("Measured beforehand")).to_be_visible()

    page.get_by_role("button", name="Measure here").click()
    stop = page.locator(".st-key-arena_stop button")
    expect(stop).to_be_visible()
    expect(page.get_by_text(re.compile(r"Measuring on Two moons: \d+%"))).to_be_visible()
    expect(page.get_by_text("Measured here")).to_be_visible()
    stop.click()
    go_on = page.get_by_role("button", name="Go on")
    expect(go_on).to_be_visible()
    expect(page.get_by_text(re.compile(r"stopped at \d+%"))).to_be_visible()
    wait_idle(page)
    before = download(page, tmp_path)
    assert {line["denoiser"] for line in before} == {"exact", "floor"}

    go_on.click()
    expect(page.get_by_text(re.compile(r"Measuring on Two moons: done"))).to_be_visible()
    wait_idle(page)
    after = download(page, tmp_path)
    runs = [line for line in before if line["sampler"]]  # the rest is a floor for each seed so far
    assert runs == after[: len(runs)]
    assert len(after) > len(before)
    assert page.get_by_text("runs are still missing").count() == 0
    fine(page, serve.log("app.py"))


def download(page: Page, folder: Path) -> list[dict[str, str]]:
    with page.expect_download() as caught:
        page.get_by_role("button", name="CSV").click()
    path = folder / "quality.csv"
    caught.value.save_as(path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
