"""The Reverse page in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from diffviz.core.samplers import SAMPLERS
from tests.browser.journeys import fine, until

Open = Callable[..., Page]
QUICK: dict[str, object] = {"n": 250, "samples": 200, "steps": 10}


@pytest.fixture(scope="module")
def warm_url(serve: Any, profile: Any) -> str:
    """The app's address, once a visitor has been there: a new server draws its first page twice."""
    url: str = serve("app.py")
    page = profile.new_page()
    page.goto(f"{url}/reverse?steps=1")
    ready(page)
    page.close()
    return url


@pytest.fixture
def open_reverse(warm_url: str, new_page: Any, wait_idle: Any) -> Open:
    """Opens the page: ``open_reverse(step=5, sampler="heun", _width=390)``."""

    def opener(quick: bool = True, **query: object) -> Page:
        context = {key[1:]: query.pop(key) for key in list(query) if key.startswith("_")}
        page: Page = new_page(**context)
        asked = {**(QUICK if quick else {}), **query}
        page.goto(f"{warm_url}/reverse?{urlencode(asked)}")
        ready(page)
        wait_idle(page)
        return page

    return opener


def ready(page: Page) -> None:
    expect(page.locator('.dvz[data-ready="true"]')).to_be_visible()


def state(page: Page) -> dict[str, Any]:
    """What the player says of itself."""
    names = ["frame", "frames", "playing", "follow", "layers"]
    return page.locator(".dvz").evaluate(
        "(e, names) => Object.fromEntries(names.map((n) => [n, e.__diffviz[n]]))", names
    )


def redraw(page: Page) -> None:
    """Draw the same frame once more."""
    for _ in range(2):
        page.locator('[data-layer="trails"]').click()
    page.mouse.move(5, 5)
    page.wait_for_timeout(200)


def pixels(page: Page) -> list[str]:
    """Every canvas of the player as a picture."""
    return page.locator(".dvz").evaluate(
        "(e) => [...e.querySelectorAll('canvas')].map((c) => c.toDataURL())"
    )


def text(page: Page) -> str:
    return page.get_by_test_id("stMain").inner_text()


def place(page: Page, item: int, frame: int = 0) -> tuple[float, float]:
    """Where a point is on the screen."""
    box = page.locator(".dvz-stage").bounding_box()
    assert box is not None
    x, y = page.locator(".dvz").evaluate("(e, [i, k]) => e.__diffviz.place(0, i, k)", [item, frame])
    return box["x"] + x, box["y"] + y


def test_it_plays_from_noise_to_data_and_says_what_it_cost(open_reverse: Open, serve: Any) -> None:
    page = open_reverse(_motion=True)
    until(page, "p.frame === p.frames - 1 && !p.playing")
    expect(page).to_have_url(re.compile(r"[?&]step=10\b"))
    assert re.search(r"10 evaluations of the exact denoiser, .* on \d cores?", text(page))
    assert "training point" in text(page)
    assert page.locator(".dvz-badge-exact").count() == 1
    fine(page, serve.log("app.py"))


def test_scrubbing_sends_nothing_until_the_hand_lets_go(open_reverse: Open) -> None:
    page = open_reverse(step=3)
    box = page.locator(".dvz-track").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 20, middle)
    page.mouse.down()
    sent = page.traffic.sent  # type: ignore[attr-defined]
    seen = set()
    for share in (0.2, 0.4, 0.6, 0.8, 0.7):
        page.mouse.move(box["x"] + share * box["width"], middle, steps=3)
        page.wait_for_timeout(60)
        seen.add(state(page)["frame"])
    assert len(seen) >= 4
    assert page.traffic.sent == sent  # type: ignore[attr-defined]
    page.mouse.up()
    expect(page).to_have_url(re.compile(rf"[?&]step={state(page)['frame']}\b"))


def test_keys_step_and_a_copied_address_shows_the_same_picture(
    open_reverse: Open, new_page: Any, wait_idle: Any, serve: Any
) -> None:
    page = open_reverse(step=4, seed=3, follow=7, sampler="ddpm")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    until(page, "p.frame === 6")
    expect(page).to_have_url(re.compile(r"[?&]step=6\b"))
    wait_idle(page)
    box = page.locator(".dvz").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 900, "the formula of the step is in sight"
    other = new_page()
    other.goto(page.url)
    ready(other)
    wait_idle(other)
    assert state(other) == state(page)
    assert state(other)["frame"] == 6
    assert state(other)["follow"] == 7
    redraw(page)
    redraw(other)
    assert pixels(other) == pixels(page)
    fine(other, serve.log("app.py"))


def test_digits_end_on_data_points_and_the_page_says_memorisation(
    open_reverse: Open, serve: Any
) -> None:
    page = open_reverse(quick=False, data="digits", step=50)
    said = text(page)
    found = re.search(r"Memorisation\. Every run ends on a training image: ([\d.]+) away", said)
    assert found, said
    assert float(found[1]) < 0.01
    assert "weighted by nearness" in said
    assert page.get_by_alt_text("The training image nearest to each").is_visible()
    fine(page, serve.log("app.py"))


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_renders(open_reverse: Open, serve: Any, name: str) -> None:
    page = open_reverse(sampler=name, step=5, follow=1, steps=8)
    assert state(page)["frames"] == 9
    assert page.locator(".dvz-formula").inner_text().count("=") >= 1
    layers = {"points", "trails", "x_0", "data", "field", "density", "contours", "mesh"}
    assert set(state(page)["layers"]) == layers
    fine(page, serve.log("app.py"))


@pytest.mark.parametrize(
    "query",
    [
        {"schedule": "ve", "spacing": "karras"},
        {"schedule": "edm", "sampler": "heun"},
        {"schedule": "linear", "T": 2, "steps": 2},
        {"steps": 1, "sampler": "dpmpp_2m"},
        {"data": "two_gaussians", "exact_for": "density"},
        {"data": "fashion", "samples": 4},
    ],
    ids=lambda query: "-".join(str(v) for v in query.values()),
)
def test_other_paths_and_data_render(
    open_reverse: Open, serve: Any, query: dict[str, object]
) -> None:
    page = open_reverse(**query)
    page.keyboard.press("End")
    until(page, "p.frame === p.frames - 1")
    fine(page, serve.log("app.py"))


def test_a_thousand_steps_are_thinned_and_the_page_says_so(open_reverse: Open, serve: Any) -> None:
    page = open_reverse(steps=1000, samples=50, step=100)
    assert state(page)["frames"] == 101
    assert "Of 1,001 stops, 101 are shown" in text(page)
    assert "1,000 evaluations" in text(page)
    fine(page, serve.log("app.py"))


def test_a_moved_start_is_run_anew_and_can_be_put_back(open_reverse: Open, wait_idle: Any) -> None:
    page = open_reverse(step=1)
    page.keyboard.press("Home")
    until(page, "p.frame === 0")
    wait_idle(page)
    page.mouse.click(*place(page, 5))
    expect(page).to_have_url(re.compile("follow="))
    wait_idle(page)
    item = state(page)["follow"]
    before = place(page, item, 10)
    x, y = place(page, item)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y - 40, steps=5)
    page.mouse.up()
    expect(page.get_by_text(f"Point {item} starts where you put it")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"moved={item}%2C"))
    wait_idle(page)
    now = place(page, item)
    assert abs(now[0] - x - 120) < 3
    assert abs(now[1] - y + 40) < 3
    assert place(page, item, 10) != before
    page.get_by_role("button", name="Put it back").click()
    expect(page.get_by_text("starts where you put it")).to_have_count(0)
    wait_idle(page)
    assert "moved" not in page.url
    page.get_by_test_id("stMain").evaluate("(e) => e.scrollTo(0, 0)")
    assert place(page, item, 10) == before


def test_another_seed_keeps_the_step_and_changes_the_picture(
    open_reverse: Open, wait_idle: Any
) -> None:
    page = open_reverse(step=8)
    before = pixels(page)
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_label("Seed of the noise").fill("12")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("seed=12"))
    wait_idle(page)
    assert state(page)["frame"] == 8
    assert pixels(page) != before


def test_more_steps_keep_the_share_of_the_way(open_reverse: Open, wait_idle: Any) -> None:
    page = open_reverse(step=10)
    slider = page.get_by_role("slider", name="Steps")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("steps=12"))
    wait_idle(page)
    assert state(page) | {"layers": None} == {
        "frame": 12,
        "frames": 13,
        "playing": False,
        "follow": None,
        "layers": None,
    }


def test_a_question_sets_the_page_up_and_plays(open_reverse: Open, wait_idle: Any) -> None:
    page = open_reverse(step=10, _motion=True)
    page.get_by_text("Ten steps").click()
    expect(page).to_have_url(re.compile("dpmpp_2m"))
    until(page, "p.playing || p.frame > 0")
    until(page, "p.frame === 10")
    wait_idle(page)


def test_a_network_is_chosen_plays_and_its_address_shows_the_same(
    open_reverse: Open, new_page: Any, wait_idle: Any, serve: Any
) -> None:
    page = open_reverse(step=10)
    page.get_by_role("button", name="Denoiser: exact").click()
    page.get_by_role("button", name="Learned", exact=True).or_(
        page.get_by_role("radio", name="Learned", exact=True)
    ).click()
    expect(page.get_by_role("button", name="Denoiser: learned")).to_be_visible()
    expect(page.locator(".dvz-badge-learned")).to_be_visible()
    expect(page).to_have_url(re.compile("denoiser=learned"))
    words = page.get_by_text("Runs of a network need not end on data points")
    expect(words).to_be_visible()
    wait_idle(page)
    assert page.locator(".dvz-badge-exact").count() == 0
    header = page.locator(".st-key-page_header")
    expect(header.get_by_text("learned").first).to_be_visible()
    expect(header.get_by_text("exact")).to_have_count(0)
    assert "10 evaluations of a network, trained for 8,000 steps" in text(page)
    page.keyboard.press("Escape")
    other = new_page()
    other.goto(page.url)
    ready(other)
    expect(other.locator(".dvz-badge-learned")).to_be_visible()
    wait_idle(other)
    assert state(other) == state(page)
    assert place(other, 3, 10) == place(page, 3, 10)
    fine(other, serve.log("app.py"))


def test_an_own_network_does_not_come_with_a_link(open_reverse: Open, serve: Any) -> None:
    page = open_reverse(denoiser="own", own="0123456789abcdef", step=5)
    expect(page.get_by_test_id("stAlert")).to_contain_text("do not travel with links")
    expect(page.locator(".dvz-badge-exact")).to_be_visible()
    expect(page.get_by_role("button", name="Denoiser: exact")).to_be_visible()
    assert "own" not in page.url
    fine(page, serve.log("app.py"))


def test_no_choice_changes_the_size_of_the_picture(
    page: Any, warm_url: str, wait_idle: Any
) -> None:
    def visit(query: str) -> None:
        page.goto(f"{warm_url}/reverse?steps=6&step=2&{query}")
        ready(page)
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
