"""The 1-D and image panels, the film strip, the rail and the step line in a real browser."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from diffviz.scenes.buffer import decode

SCRIPT = "tests/browser/apps/panels_app.py"
APP = runpy.run_path(str(Path(__file__).parent / "apps" / "panels_app.py"))
ALPHA, SIGMA = APP["ALPHA"], APP["SIGMA"]

Array = NDArray[np.float64]
Open = Callable[..., Page]

MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def open_demo(serve: Any, new_page: Any) -> Open:
    """Opens one demonstration: ``open_demo("mix_digits", width=390)``."""

    def opener(demo: str, **context: Any) -> Page:
        page: Page = new_page(**context)
        page.goto(f"{serve(SCRIPT)}/?demo={demo}")
        expect(page.locator('.dvz[data-ready="true"]')).to_be_visible()
        expect(page.get_by_text(re.compile(r"^runs 1 "))).to_be_visible()
        return page

    return opener


def box_of(part: Locator) -> dict[str, float]:
    """Where an element is on the screen."""
    box = part.bounding_box()
    assert box is not None
    return {**box, "right": box["x"] + box["width"], "bottom": box["y"] + box["height"]}


def number(text: str) -> float:
    """A number as the player writes it, with a true minus sign."""
    return float(text.replace(MINUS, "-"))


def go_to(page: Page, frame: int) -> None:
    """Step to a frame by keys."""
    page.locator(".dvz-scrubber").focus()
    page.keyboard.press("Home")
    for _ in range(frame // 10):
        page.keyboard.press("PageUp")
    for _ in range(frame % 10):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".dvz")).to_have_attribute("data-frame", str(frame))


def shades(canvas: Locator) -> int:
    """The number of different colors on a canvas."""
    return canvas.evaluate(
        """(c) => new Set(new Uint32Array(c.getContext("2d")
             .getImageData(0, 0, c.width, c.height).data.buffer)).size"""
    )


def values(page: Page, role: str, frame: float, item: int) -> Array:
    """The numbers behind the pixels of the first image panel, flat."""
    return np.array(
        page.locator(".dvz-images").first.evaluate(
            "(e, [role, frame, item]) => e.__diffviz.values(role, frame, item)",
            [role, frame, item],
        )
    )


@pytest.mark.parametrize("demo", list(APP["DEMOS"]))
def test_every_demonstration_draws_without_an_error(open_demo: Open, demo: str) -> None:
    page = open_demo(demo)
    for frame in {0, int(page.locator(".dvz").evaluate("e => e.__diffviz.frames")) - 1}:
        go_to(page, frame)
        drawn = page.locator(".dvz-lines, .dvz-pixels:visible, .dvz-film-canvas, .dvz-chart-canvas")
        pictures = [shades(canvas) for canvas in drawn.all()]
        assert pictures
        # a picture of pure prediction may be one shade at the very end of a run: x_0 = x_t, eps = 0
        assert sorted(pictures)[len(pictures) // 2] > 3
        assert sum(count < 2 for count in pictures) <= 2
    assert page.errors == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_is_wider_than_the_screen(open_demo: Open, width: int) -> None:
    for demo in ("lines_reverse", "images_reverse"):
        page = open_demo(demo, width=width, height=844)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        stage = box_of(page.locator(".dvz-stage"))
        for part in page.locator(".dvz-stage canvas:visible").all():
            box = box_of(part)
            assert min(box["x"] - stage["x"], box["y"] - stage["y"]) >= -1
            assert max(box["right"] - stage["right"], box["bottom"] - stage["bottom"]) <= 1


class TestMix:
    """Images that the browser noises itself."""

    @pytest.mark.parametrize("frame", [0, 37, 36.5, 100])
    def test_x_t_is_alpha_x_0_plus_sigma_eps(self, open_demo: Open, frame: float) -> None:
        page = open_demo("mix_digits")
        images, _ = APP["digits"]()
        eps = np.random.default_rng(4).standard_normal((12, 1, 8, 8))
        steps = APP["forward_steps"](101)
        low, share = int(frame), frame - int(frame)
        high = min(low + 1, 100)
        alpha = (1 - share) * ALPHA[steps[low]] + share * ALPHA[steps[high]]
        sigma = (1 - share) * SIGMA[steps[low]] + share * SIGMA[steps[high]]
        wanted = alpha * images[3] + sigma * eps[3]
        half_levels = (alpha * 2 + sigma * np.ptp(eps)) / 65535 / 2
        np.testing.assert_allclose(
            values(page, "x_t", frame, 3), wanted.ravel(), atol=half_levels + 1e-6
        )

    def test_pixels_on_screen_are_those_values(self, open_demo: Open) -> None:
        page = open_demo("mix_photo")
        go_to(page, 23)
        shown = page.locator(".dvz-figure-x_t canvas").evaluate(
            "(c) => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
        )
        shown = np.array(shown).reshape(256, 256, 4)[..., :3].transpose(2, 0, 1)
        x_t = values(page, "x_t", 23, 0).reshape(3, 256, 256)
        wanted = np.clip((x_t + 1) * 127.5, 0, 255)
        assert np.abs(shown - wanted).max() <= 0.5 + 1e-3

    def test_layers_hide_the_pictures_beside_x_t(self, open_demo: Open) -> None:
        page = open_demo("mix_photo")
        before = box_of(page.locator(".dvz-figure-x_t canvas"))
        page.locator('.dvz-chip[data-layer="x_0"]').click()
        page.locator('.dvz-chip[data-layer="eps"]').click()
        expect(page.locator(".dvz-figure-x_0")).to_be_hidden()
        expect(page.locator(".dvz-figure-eps")).to_be_hidden()
        after = box_of(page.locator(".dvz-figure-x_t canvas"))
        assert after["width"] >= before["width"]


class TestImages:
    """A run of images, recorded."""

    def test_every_role_is_what_was_sent(self, open_demo: Open) -> None:
        page = open_demo("images_reverse")
        header, arrays = decode(APP["images_reverse"]())
        names = header["panels"][0]["arrays"]
        for role in ("x_t", "x_0", "eps"):
            ends = arrays[names[f"{role}_range"]][31]
            wanted = ends[0] + (ends[1] - ends[0]) * arrays[names[role]][31, 5]
            np.testing.assert_allclose(values(page, role, 31, 5), wanted.ravel(), atol=1e-5)

    def test_a_thumbnail_is_followed_by_mouse_and_by_key(self, open_demo: Open) -> None:
        page = open_demo("images_reverse")
        page.locator('.dvz-thumb[data-item="6"]').click()
        expect(page.get_by_text("follow 6")).to_be_visible()
        page.mouse.move(2, 2)
        expect(page.locator('.dvz-thumb[aria-pressed="true"]')).to_have_attribute("data-item", "6")
        page.locator('.dvz-thumb[data-item="9"]').focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("follow 9")).to_be_visible()

    def test_a_click_on_the_large_picture_changes_nothing(self, open_demo: Open) -> None:
        page = open_demo("images_reverse")
        page.locator('.dvz-thumb[data-item="6"]').click()
        expect(page.get_by_text("follow 6")).to_be_visible()
        page.locator(".dvz-figure-x_0 canvas").click()
        assert page.locator(".dvz").evaluate("e => e.__diffviz.follow") == 6

    def test_dragging_the_film_strip_asks_the_server_only_on_release(self, open_demo: Open) -> None:
        page = open_demo("images_reverse")
        box = box_of(page.locator(".dvz-film"))
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 30, y)
        before = page.traffic.sent  # type: ignore[attr-defined]
        page.mouse.down()
        seen = set()
        for share in np.linspace(0.1, 0.7, 7):
            page.mouse.move(box["x"] + share * box["width"], y)
            page.wait_for_timeout(40)
            seen.add(page.locator(".dvz").get_attribute("data-frame"))
        assert len(seen) >= 6
        assert page.traffic.sent == before  # type: ignore[attr-defined]
        page.mouse.up()
        frame = page.locator(".dvz").get_attribute("data-frame")
        expect(page.get_by_text(f"step {frame} follow")).to_be_visible()
        assert page.traffic.sent > before  # type: ignore[attr-defined]


class TestLines:
    """Sample paths over their density."""

    def test_a_click_follows_the_nearest_path(self, open_demo: Open) -> None:
        page = open_demo("lines_reverse")
        stage = box_of(page.locator(".dvz-lines"))
        page.mouse.click(stage["x"] + 0.3 * stage["width"], stage["y"] + 0.45 * stage["height"])
        expect(page.get_by_text(re.compile(r"follow \d+"))).to_be_visible()

    def test_switching_the_density_off_changes_the_picture(self, open_demo: Open) -> None:
        page = open_demo("lines_forward", color_scheme="dark")
        with_density = shades(page.locator(".dvz-lines"))
        page.locator('.dvz-chip[data-layer="density"]').click()
        page.wait_for_timeout(200)
        assert shades(page.locator(".dvz-lines")) < with_density


class TestRail:
    """What stands beside the panels."""

    @pytest.mark.parametrize("demo", ["points_reverse", "lines_reverse", "mix_digits"])
    def test_the_histogram_counts_as_numpy_does(self, open_demo: Open, demo: str) -> None:
        page = open_demo(demo)
        header, arrays = decode(APP["DEMOS"][demo]())
        names = header["panels"][0]["arrays"]
        if demo == "mix_digits":
            clock = header["clock"]["arrays"]
            alpha, sigma = arrays[clock["alpha"]][23], arrays[clock["sigma"]][23]
            x_t = alpha * arrays[names["x_0"]] + sigma * arrays[names["eps"]]
        else:
            x_t = arrays[names["x_t"]][23]
            x_t = x_t[..., 0] if demo == "points_reverse" else x_t
        wanted, _ = np.histogram(x_t, bins=48, range=(-4, 4))
        counts = page.locator(".dvz-card-histogram").evaluate("e => e.__diffviz.counts(23)")
        # a value on the border of two bars may fall to either side
        assert np.abs(np.array(counts) - wanted).sum() <= 4
        assert sum(counts) == pytest.approx(wanted.sum(), abs=2)

    def test_the_histogram_changes_its_coordinate(self, open_demo: Open) -> None:
        page = open_demo("points_reverse")
        _, arrays = decode(APP["points_reverse"]())
        page.get_by_role("group", name="Coordinate").get_by_role("button", name="x2").click()
        wanted, _ = np.histogram(arrays["p0.x_t"][50][:, 1], bins=48, range=(-4, 4))
        counts = page.locator(".dvz-card-histogram").evaluate("e => e.__diffviz.counts(50)")
        assert np.abs(np.array(counts) - wanted).sum() <= 4

    def test_numbers_are_those_of_the_frame(self, open_demo: Open) -> None:
        page = open_demo("lines_forward")
        go_to(page, 90)
        alpha, sigma = ALPHA[450], SIGMA[450]
        shown = page.locator(".dvz-value").all_inner_texts()
        assert shown[0] == "0.450"
        assert shown[1] == f"{alpha:.3f}"
        assert shown[2] == f"{sigma:.3f}"
        assert float(shown[3]) == pytest.approx((alpha / sigma) ** 2, rel=5e-3)
        assert number(shown[4]) == pytest.approx(2 * np.log(alpha / sigma), abs=5e-3)
        assert float(shown[5]) == pytest.approx(APP["BETAS"][449], rel=5e-3)
        expect(page.get_by_text(f"signal {100 * alpha**2:.0f} %")).to_be_visible()

    def test_the_step_line_adds_up(self, open_demo: Open) -> None:
        page = open_demo("points_reverse")
        go_to(page, 30)
        stage = box_of(page.locator(".dvz-stage"))
        page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
        row = page.locator(".dvz-line-values")
        expect(row.first.locator(".dvz-slot").first).to_have_text(re.compile(r"\d"))
        left, *terms = [
            [number(text) for text in cell.locator(".dvz-slot").all_inner_texts()]
            for cell in row.all()
        ]
        coefficients = [float(t) for t in row.locator(".dvz-coefficient").all_inner_texts()]
        signs = [-1 if MINUS in t else 1 for t in row.locator(".dvz-sign").all_inner_texts()]
        total = sum(
            sign * a * np.array(term)
            for sign, a, term in zip(signs, coefficients, terms, strict=True)
        )
        np.testing.assert_allclose(total, left, atol=0.03)

    def test_the_step_line_never_changes_its_height(self, open_demo: Open) -> None:
        page = open_demo("lines_reverse", width=390, height=844)
        heights = set()
        for frame in (0, 20, 50):
            go_to(page, frame)
            box = box_of(page.locator(".dvz-step"))
            heights.add(round(box["height"]))
        assert len(heights) == 1
