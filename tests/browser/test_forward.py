"""The Forward page in a real browser: from data to noise, and every view a link."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from diffviz.core.schedules import SCHEDULES
from diffviz.scenes.configs import SCHEDULE_TEXT
from tests.browser.journeys import becomes, fine, player, until

Open = Callable[..., Any]
READY = '.dvz[data-ready="true"]'


@pytest.fixture
def forward(new_page: Any, app_url: str, wait_idle: Callable[..., None]) -> Open:
    """Opens the page: ``forward("data=digits", width=390)``."""

    def opener(query: str = "", **options: Any) -> Any:
        page = new_page(**options)
        page.goto(f"{app_url}/forward{'?' + query if query else ''}")
        page.locator(READY).wait_for()
        wait_idle(page)
        return page

    return opener


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.evaluate("location.href")).query)


def appears(page: Page, text: str) -> None:
    page.get_by_text(text).first.wait_for()


def seen(page: Page) -> str:
    """A digest of the pixels of the points."""
    url = page.locator(".dvz-layer-front").evaluate("(e) => e.toDataURL()")
    return hashlib.sha256(url.encode()).hexdigest()


def gauge(page: Page) -> str:
    return page.locator(".gauge").get_attribute("data-verdict") or ""


def track(page: Page) -> dict[str, float]:
    box = page.locator(".dvz-track").bounding_box()
    assert box is not None
    return dict(box)


@pytest.fixture(autouse=True)
def sound(request: pytest.FixtureRequest, serve: Any, app_url: str) -> Any:
    """No test here may leave a traceback in the server's log."""
    yield
    log = serve.log("app.py")
    assert "Traceback" not in log
    assert "missing ScriptRunContext" not in log


def test_it_plays_to_noise_and_stops(forward: Open) -> None:
    page = forward(motion=True)
    until(page, "p.frames === 51")
    until(page, "p.playing || p.frame === 50")
    until(page, "!p.playing && p.frame === 50")
    appears(page, "The two ways agree.")
    appears(page, "Each frame adds 20 noisings.")
    becomes(lambda: query(page), {"t": ["1"]})
    fine(page)


def test_keys_step_and_the_address_follows(forward: Open, wait_idle: Any) -> None:
    page = forward("t=0.5", motion=True)
    until(page, "p.frame === 25 && !p.playing")
    page.keyboard.press("ArrowRight")
    until(page, "p.frame === 26")
    appears(page, "at t = 0.52")
    wait_idle(page)
    becomes(lambda: query(page), {"t": ["0.52"]})
    page.keyboard.press("Space")
    until(page, "p.playing && p.frame > 27")
    page.keyboard.press("Space")
    until(page, "!p.playing")
    fine(page)


def test_a_pause_stays_where_it_is(forward: Open, wait_idle: Any) -> None:
    page = forward(motion=True)
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    until(page, "p.playing && p.frame > 3")
    page.keyboard.press("Space")
    until(page, "!p.playing")
    frame = player(page, "frame")
    appears(page, f"at t = {frame / 50:.2f}")
    wait_idle(page)
    assert 3 < player(page, "frame") == frame < 50
    step = page.locator(".dvz-stepline").bounding_box()
    assert step is not None
    assert step["y"] + step["height"] <= 900, "the step's formula is in sight"
    fine(page)


def test_scrubbing_sends_nothing_until_the_hand_lets_go(forward: Open, wait_idle: Any) -> None:
    page = forward("t=0.5")
    box = track(page)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    sent = page.traffic.sent
    frames = set()
    for share in (0.3, 0.45, 0.6, 0.75):
        page.mouse.move(box["x"] + share * box["width"], middle, steps=4)
        page.wait_for_timeout(60)
        frames.add(player(page, "frame"))
    assert len(frames) == 4
    assert page.traffic.sent == sent
    page.mouse.up()
    frame = player(page, "frame")
    appears(page, f"at t = {frame / 50:.2f}")
    wait_idle(page)
    assert float(query(page)["t"][0]) == pytest.approx(frame / 50)
    assert player(page, "frame") == frame
    fine(page)


def test_a_copied_address_shows_the_same_picture(forward: Open) -> None:
    address = "data=spiral&schedule=cosine&T=200&how=jump&t=0.3&seed=5&follow=7"
    first, second = forward(address), forward(address)
    for page in (first, second):
        until(page, "p.frame === 15 && !p.playing && p.follow === 7")
        assert set(query(page)) == {"data", "schedule", "T", "how", "t", "seed", "follow"}
        fine(page)
    assert seen(first) == seen(second)
    other = forward(address.replace("how=jump", "how=walk"))
    until(other, "p.frame === 15")
    assert seen(other) != seen(first)


def test_what_is_set_by_hand_can_be_copied(forward: Open, wait_idle: Any) -> None:
    page = forward("t=0.4")
    page.get_by_role("radio", name="A single jump").click()
    page.get_by_role("radio", name="Smiley").click()
    expect(page.locator(".dvz-title")).to_have_text("Smiley")
    wait_idle(page)
    becomes(lambda: query(page), {"t": ["0.4"], "how": ["jump"], "data": ["smiley"]})
    assert player(page, "frame") == 20
    again = forward(urlsplit(page.evaluate("location.href")).query)
    until(again, "p.frame === 20")
    assert seen(again) == seen(page)


def test_the_time_stays_when_the_number_of_frames_changes(forward: Open, wait_idle: Any) -> None:
    page = forward("t=0.5&T=20")
    until(page, "p.frame === 10 && p.frames === 21")
    page.get_by_role("button", name="More", exact=True).click()
    slider = page.get_by_role("slider", name="T (how many noisings)")
    slider.press("End")
    until(page, "p.frames === 51 && p.frame === 25")
    wait_idle(page)
    becomes(lambda: query(page), {"t": ["0.5"]})
    fine(page)


def test_twenty_noisings_do_not_make_a_gaussian_but_a_thousand_do(forward: Open) -> None:
    page = forward("T=20")
    assert gauge(page) == "no"
    expect(page.locator(".gauge")).to_contain_text("T = 20 noisings leave 90 % of the signal")
    page = forward("T=1000")
    assert gauge(page) == "yes"
    expect(page.locator(".gauge")).to_contain_text("as close as two Gaussian samples are")


@pytest.mark.parametrize(
    ("data", "kind"),
    [("two_gaussians", "lines"), ("moons", "points"), ("digits", "images"), ("fashion", "images")],
)
def test_every_kind_of_data(forward: Open, data: str, kind: str) -> None:
    page = forward(f"data={data}&t=0.3")
    page.locator(f".dvz-panel-{kind}").wait_for()
    page.locator(".gauge").wait_for()
    fine(page)


def test_images_jump_in_the_browser_and_the_strip_scrubs(forward: Open, wait_idle: Any) -> None:
    page = forward("data=digits&how=jump&t=0.3")
    page.locator(".dvz-panel-mix").wait_for()
    film = page.locator(".dvz-film").bounding_box()
    page.mouse.click(film["x"] + 0.8 * film["width"], film["y"] + 20)
    until(page, "p.frame > 35")
    wait_idle(page)
    assert float(query(page)["t"][0]) > 0.7
    fine(page)


def test_every_schedule_renders(forward: Open, wait_idle: Any) -> None:
    page = forward("t=0.5&schedule=custom")
    menu = page.get_by_role("combobox", name="Schedule")
    for name in [name for name in SCHEDULES if name != "custom"]:
        menu.click()
        page.get_by_role("option", name=SCHEDULE_TEXT[name].title, exact=True).click()
        expect(menu).to_have_value(SCHEDULE_TEXT[name].title)
        becomes(lambda: query(page).get("schedule", ["linear"]), [name])
        wait_idle(page)
        assert 0.4 < float(page.locator(".dvz-time").inner_text().split()[-1]) < 0.6
        assert page.get_by_text("Drawn in units of").count() == (name in ("ve", "edm"))
        assert gauge(page) in ("yes", "nearly")
        fine(page)


def test_a_question_sets_the_page_up(forward: Open) -> None:
    page = forward()
    page.get_by_role("link", name="What do 20 noisings leave of the data?").click()
    until(page, "p.frames === 21")
    page.locator('.gauge[data-verdict="no"]').wait_for()
    becomes(lambda: query(page), {"T": ["20"]})
    fine(page)


def test_text_that_draws_nothing_keeps_the_last_view(forward: Open, wait_idle: Any) -> None:
    page = forward("data=text&text=hi&t=0.1")
    before = seen(page)
    field = page.get_by_role("textbox", name="Text")
    field.fill("   ")
    field.press("Enter")
    appears(page, "Until then this stays")
    wait_idle(page)
    assert seen(page) == before
    fine(page)


def test_an_empty_drawing_and_a_bad_upload_are_told(forward: Open, wait_idle: Any) -> None:
    page = forward("data=drawing&t=0.1")
    appears(page, "Until then this stays: Two moons")
    page = forward("data=picture&t=0.1")
    appears(page, "Until then this stays: Two moons")
    page.get_by_role("button", name="Choose a picture").click()
    upload = page.locator('input[type="file"]')
    upload.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"not a picture"})
    appears(page, "not an image")
    fine(page)


def test_an_uploaded_picture_is_noised_both_ways(forward: Open, wait_idle: Any) -> None:
    page = forward("data=picture&t=0.2")
    page.get_by_role("button", name="Choose a picture").click()
    pixels = np.zeros((200, 256, 3), np.uint8)
    pixels[:, :, 0] = np.arange(256)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    page.locator('input[type="file"]').set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    page.locator(".dvz-panel-images").wait_for()
    wait_idle(page)
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="A single jump").click()
    page.locator(".dvz-panel-mix").wait_for()
    fine(page)
