"""What the export menu gives away, opened again: a page that plays by itself, and the files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser.journeys import fine

READY = '.dvz[data-ready="true"]'


def test_a_run_leaves_the_app_and_plays_without_it(
    new_page: Any, app_url: str, serve: Any, wait_idle: Callable[..., None], tmp_path: Path
) -> None:
    page = new_page(cold=True)
    page.goto(f"{app_url}/reverse?samples=50&steps=6&n=80&step=6")
    page.locator(READY).wait_for()
    wait_idle(page)
    shown = page.locator(".dvz-rail").inner_text()

    def taken(label: str) -> Path:
        button = page.get_by_role("button", name=label)
        with page.expect_download() as download:
            button.click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        return file

    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("button", name="Web page (HTML)")).to_be_visible()
    wait_idle(page)
    web = taken("Web page (HTML)")
    assert web.name == "diffviz-two-moons-from-noise-by-ddim.html"
    numbers = np.load(io.BytesIO(taken("All numbers (NPZ)").read_bytes()), allow_pickle=False)
    assert numbers["x_t"].shape == (7, 50, 2)
    with Image.open(taken("Animation (GIF)")) as picture:
        assert getattr(picture, "n_frames", 1) == 7
    table = taken("Samples (CSV)").read_text().splitlines()
    sample = [float(value) for value in table[1 + 7].split(",")]
    np.testing.assert_allclose(sample, numbers["x_t"][-1, 7], rtol=1e-5)
    assert 'SCHEDULES["linear"]' in taken("Python script").read_text().replace("'", '"')
    fine(page, serve.log("app.py"))

    alone = new_page(color_scheme="dark", motion=True)
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(web.as_uri())
    alone.locator(READY).wait_for()
    alone.wait_for_function("document.querySelector('.dvz').__diffviz.frame === 6")
    assert alone.locator(".dvz-rail").inner_text() == shown  # SNR, evaluations, distance
    slider = alone.get_by_role("slider", name="Steps")
    assert slider.get_attribute("aria-valuetext") == "6"
    before = alone.evaluate("document.querySelector('.dvz').__diffviz.id")
    for key in ("Home", "ArrowRight"):
        slider.press(key)
        steps = int(slider.get_attribute("aria-valuetext"))
        assert steps != 6
        alone.wait_for_function(f"document.querySelector('.dvz').__diffviz.frames === {steps + 1}")
    slider.press("End")
    while slider.get_attribute("aria-valuetext") != "6":
        slider.press("ArrowLeft")
    alone.wait_for_function(f"document.querySelector('.dvz').__diffviz.id === '{before}'")
    alone.evaluate("document.activeElement.blur()")
    alone.keyboard.press("Home")
    alone.wait_for_function("document.querySelector('.dvz').__diffviz.frame === 0")
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []
    assert alone.errors == []
