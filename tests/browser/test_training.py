"""The Training page in a real browser."""

from __future__ import annotations

import os
import pickle
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.journeys import becomes, fine, player

Open = Callable[..., Page]
SMALL: dict[str, object] = {"n": 500, "width": 16, "depth": 1, "batch": 32}
LONG: dict[str, object] = {"n": 500, "width": 192, "depth": 4, "train_steps": 20_000}


@pytest.fixture
def open_training(serve: Any, new_page: Any, wait_idle: Any) -> Open:
    """Opens the page: ``open_training(data="spiral", lr=10)``."""

    def opener(**query: object) -> Page:
        page: Page = new_page()
        page.goto(f"{serve('app.py')}/training?{urlencode(query)}")
        ready(page)
        wait_idle(page)
        return page

    return opener


def ready(page: Page) -> None:
    expect(page.locator('.dvz[data-ready="true"]')).to_be_visible()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=False)


def status(page: Page) -> Locator:
    """What stands above the picture."""
    return page.locator(".st-key-training_status")


def frames(page: Page) -> int:
    return int(page.locator(".dvz").evaluate("(e) => e.__diffviz.frames"))


def share(page: Page) -> int:
    """How many steps the bar says are done."""
    found = re.search(r"step ([\d,]+) of", status(page).inner_text())
    return int(found[1].replace(",", "")) if found else 0


def further(page: Page, than: int) -> None:
    becomes(lambda: share(page) > than or status(page).inner_text())


def test_it_starts_trained_and_a_training_can_be_steered(
    open_training: Open, serve: Any, wait_idle: Any
) -> None:
    page = open_training(data="moons", **LONG)
    expect(status(page)).to_contain_text("ships with the app")
    assert page.locator(".dvz-badge-learned").count() == 2
    assert page.locator(".dvz-badge-exact").count() == 1
    expect(page.locator(".metrics")).to_contain_text("Sliced Wasserstein-2")
    button(page, "Train from scratch").click()
    expect(status(page)).to_contain_text("to go")
    becomes(lambda: frames(page) >= 3)
    becomes(lambda: player(page, "frame") == player(page, "frames") - 1)

    button(page, "Pause").click()
    expect(status(page)).to_contain_text("paused")
    wait_idle(page)
    held = share(page)
    page.wait_for_timeout(800)
    assert share(page) == held
    button(page, "Resume").click()
    becomes(lambda: share(page) > held)

    rate = page.get_by_role("slider", name="Learning rate")
    rate.focus()
    page.keyboard.press("ArrowLeft")
    expect(status(page)).to_contain_text("learning rate 0.002")
    expect(page).to_have_url(re.compile("lr=0.002"))
    held = share(page)
    becomes(lambda: share(page) > held + 100)

    button(page, "Stop").click()
    expect(status(page)).to_contain_text("Trained to step")
    expect(status(page)).to_contain_text("0.002 from step")
    button(page, "Save").click()
    with page.expect_download() as download:
        button(page, "Weights").click()
    assert download.value.suggested_filename == "diffviz-moons.safetensors"
    with page.expect_download() as download:
        button(page, "Card (JSON)").click()
    assert download.value.suggested_filename == "diffviz-moons.json"
    fine(page, serve.log("app.py"))


def test_a_training_is_replayed_and_its_model_goes_to_reverse(
    open_training: Open, serve: Any, wait_idle: Any, tmp_path: Path
) -> None:
    page = open_training(data="eight_gaussians", train_steps=100, **SMALL)
    button(page, "Train from scratch").click()
    expect(status(page)).to_contain_text("Trained to step 100")
    expect(page.locator(".metrics")).to_contain_text("exact")
    wait_idle(page)
    last = frames(page) - 1
    assert last > 20
    expect(page.locator(".dvz-count")).to_have_text("step 100")
    page.locator(".dvz-play").click()
    becomes(lambda: player(page, "playing") and 0 < player(page, "frame") < last)
    page.locator(".dvz-play").click()
    track = page.locator(".dvz-track").bounding_box()
    assert track is not None
    page.mouse.click(track["x"] + 14, track["y"] + track["height"] / 2)
    expect(page.locator(".dvz-count")).to_have_text("step 0")

    files = [save(page, name, tmp_path) for name in ("Weights", "Card (JSON)")]
    page.get_by_role("link", name="Use it in Reverse").click()
    expect(page).to_have_url(re.compile(r"/reverse\?.*denoiser=own"))
    ready(page)
    wait_idle(page)
    expect(page.locator(".dvz-badge-learned").first).to_be_visible()

    other = open_training(data="eight_gaussians", n=500)
    upload(other, files)
    expect(status(other)).to_contain_text("Your model")
    fine(page, serve.log("app.py"))
    fine(other, serve.log("app.py"))


def save(page: Page, name: str, folder: Path) -> Path:
    if not button(page, name).is_visible():
        button(page, "Save").click()
    with page.expect_download() as download:
        button(page, name).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def upload(page: Page, files: list[Path]) -> None:
    if not page.locator('input[type="file"]').count():
        button(page, "Load").click()
    page.locator('input[type="file"]').set_input_files(files)


def test_sessions_share_the_machine_and_a_closed_tab_gives_its_place_away(
    open_training: Open, serve: Any, wait_idle: Any
) -> None:
    places = min(os.cpu_count() or 1, 4)
    busy = [open_training(data="moons", **LONG) for _ in range(places)]
    waiting = open_training(data="spiral", train_steps=100, **SMALL)
    for page in busy:
        button(page, "Train from scratch").click()
    for page in busy:
        further(page, 0)
    before = [share(page) for page in busy]
    button(waiting, "Train from scratch").click()
    expect(status(waiting)).to_contain_text("in the queue")
    for page, steps in zip(busy, before, strict=True):
        further(page, steps)

    first = busy[0]
    first.get_by_role("link", name="Forward").click()
    expect(first.get_by_role("heading", name="Forward")).to_be_visible()
    first.get_by_role("link", name="Training").click()
    expect(status(first)).to_contain_text("Training on Two moons")
    ready(first)

    busy[-1].close()
    closed = time.monotonic()
    expect(status(waiting)).not_to_contain_text("in the queue")
    assert time.monotonic() - closed < 10
    expect(status(waiting)).to_contain_text(re.compile("to go|Trained to"))
    fine(waiting, serve.log("app.py"))


def test_divergence_and_bad_files_are_told_and_nothing_is_lost(
    open_training: Open, serve: Any, wait_idle: Any, tmp_path: Path
) -> None:
    page = open_training(data="moons", lr=10, train_steps=500, **SMALL)
    button(page, "Train from scratch").click()
    expect(status(page)).to_contain_text("lower the learning rate")
    expect(page.get_by_role("link", name="Use it in Reverse")).to_be_visible()
    wait_idle(page)
    weights, card = (save(page, name, tmp_path) for name in ("Weights", "Card (JSON)"))
    page.keyboard.press("Escape")

    evil = tmp_path / "evil.safetensors"
    evil.write_bytes(pickle.dumps({"weights": [1.0]}))
    upload(page, [evil, card])
    told = page.get_by_test_id("stPopoverBody")
    expect(told).to_contain_text("Python pickle")
    expect(status(page)).to_contain_text("lower the learning rate")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:1000])
    upload(page, [cut, card])
    expect(told).to_contain_text("not a complete safetensors file")
    ready(page)
    fine(page, serve.log("app.py"))
