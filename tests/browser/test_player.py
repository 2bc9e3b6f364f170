"""The player in a real browser: it plays, steps and scrubs alone and reports what was chosen."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.journeys import until

APP = "tests/browser/apps/player_app.py"
FRAMES = 20

Open = Callable[..., Page]


@pytest.fixture
def open_player(serve: Any, new_page: Any) -> Open:
    """Opens the test page: ``open_player(autoplay=0, step=5, _width=390)``."""

    def opener(**query: object) -> Page:
        context = {k[1:]: query.pop(k) for k in list(query) if k.startswith("_")}
        page: Page = new_page(**{"motion": True, **context})
        base = serve(APP)
        page.goto(f"{base}/?{urlencode({'frames': FRAMES, 'points': 200, **query})}")
        expect(page.locator('.dvz[data-ready="true"]')).to_be_visible()
        return page

    return opener


def state(page: Page) -> dict[str, Any]:
    """What the player says of itself."""
    names = ["frame", "position", "frames", "playing", "follow", "layers", "draws"]
    return page.locator(".dvz").evaluate(
        "(e, names) => Object.fromEntries(names.map((n) => [n, e.__diffviz[n]]))", names
    )


def report(page: Page) -> Locator:
    return page.get_by_text(re.compile(r"^reruns \d+"))


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Time in the run")


def stage_box(page: Page) -> dict[str, float]:
    box = page.locator(".dvz-stage").first.bounding_box()
    assert box is not None
    return dict(box)


def track_box(page: Page) -> dict[str, float]:
    box = page.locator(".dvz-track").bounding_box()
    assert box is not None
    return dict(box)


def followed_place(page: Page, item: int, frame: int) -> tuple[float, float]:
    """Where a point is on the page, read from the drawing of the run itself."""
    view = stage_box(page)
    place = page.locator(".dvz").evaluate(
        "(e, [i, k]) => e.__diffviz.place(0, i, k)", [item, frame]
    )
    return view["x"] + place[0], view["y"] + place[1]


def test_it_plays_by_itself(open_player: Open) -> None:
    page = open_player()
    until(page, "p.playing && p.frame > 0")
    before = state(page)["position"]
    until(page, f"p.position > {before}")
    assert state(page)["frames"] == FRAMES + 1
    assert page.errors == []  # type: ignore[attr-defined]


def test_at_the_end_it_stops_rests_and_reports(open_player: Open) -> None:
    page = open_player(frames=4)
    until(page, "!p.playing && p.frame === 4")
    expect(report(page)).to_contain_text("step 4 ")
    until(page, "p.idle")
    draws = state(page)["draws"]
    page.wait_for_timeout(400)
    assert state(page)["draws"] == draws, "nothing is drawn while nothing moves"


def test_loop_starts_again(open_player: Open) -> None:
    page = open_player(frames=4, autoplay=0)
    loop = page.get_by_role("button", name="Loop")
    loop.click()
    expect(loop).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Play (space)").click()
    until(page, "p.frame === 4")
    until(page, "p.playing && p.frame < 3")


def test_space_plays_and_pauses(open_player: Open) -> None:
    page = open_player(autoplay=0)
    assert not state(page)["playing"]
    page.keyboard.press("Space")
    until(page, "p.playing && p.position > 0.5")
    page.keyboard.press("Space")
    until(page, "!p.playing")
    now = state(page)
    assert now["position"] == now["frame"], "a pause comes to rest on a frame"
    expect(report(page)).to_contain_text(f"step {now['frame']} ")


def test_keys_still_work_after_a_click_on_the_picture(open_player: Open) -> None:
    page = open_player(autoplay=0)
    box = stage_box(page)
    page.mouse.click(box["x"] + 8, box["y"] + box["height"] - 40)
    page.keyboard.press("ArrowRight")
    until(page, "p.frame === 1")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] + 260)
    page.keyboard.press("ArrowRight")
    until(page, "p.frame === 2")


def test_keys_typed_into_a_field_are_the_fields(open_player: Open) -> None:
    page = open_player(autoplay=0)
    page.get_by_role("spinbutton", name="Seed").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.wait_for_timeout(100)
    assert state(page)["frame"] == 0


def test_space_on_a_focused_button_presses_that_button(open_player: Open) -> None:
    page = open_player(autoplay=0, layers=1)
    chip = page.locator('[data-layer="trails"]')
    chip.focus()
    page.keyboard.press("Space")
    expect(chip).to_have_attribute("aria-pressed", "true")
    assert not state(page)["playing"]


def test_keys_step_and_report_once_they_rest(open_player: Open) -> None:
    page = open_player(autoplay=0)
    for key, frame in [
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("Shift+ArrowRight", 11),
        ("End", FRAMES), ("Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1),
    ]:  # fmt: skip
        page.keyboard.press(key)
        until(page, f"p.frame === {frame}")
    expect(report(page)).to_contain_text("step 1 ")
    page.wait_for_timeout(500)  # nothing more is on its way
    told = int(re.findall(r"reruns (\d+)", report(page).inner_text())[0])
    page.evaluate(
        """() => {
          for (let k = 0; k < 6; k++) {
            const press = { key: "ArrowRight", bubbles: true, composed: true, cancelable: true };
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", press));
            document.activeElement.dispatchEvent(new KeyboardEvent("keyup", press));
          }
        }"""
    )
    expect(report(page)).to_contain_text("step 7 ")
    expect(report(page)).to_contain_text(f"reruns {told + 1} ")


def test_buttons_step_both_ways(open_player: Open) -> None:
    page = open_player(autoplay=0)
    back = page.get_by_role("button", name="Step back (left arrow)")
    forward = page.get_by_role("button", name="Step forward (right arrow)")
    expect(back).to_be_disabled()
    forward.click()
    forward.click()
    back.click()
    until(page, "p.frame === 1")
    expect(report(page)).to_contain_text("step 1 ")


def test_scrubbing_sends_nothing_until_the_hand_lets_go(open_player: Open) -> None:
    page = open_player(autoplay=0)
    box = track_box(page)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 14, middle)
    page.mouse.down()
    sent = page.traffic.sent  # type: ignore[attr-defined]
    seen = set()
    for share in (0.2, 0.35, 0.5, 0.65, 0.8, 0.7):
        page.mouse.move(box["x"] + share * box["width"], middle, steps=4)
        page.wait_for_timeout(80)
        seen.add(state(page)["frame"])
    assert len(seen) == 6
    assert page.traffic.sent == sent  # type: ignore[attr-defined]
    expect(report(page)).to_contain_text("reruns 1 ")
    page.mouse.up()
    now = state(page)
    assert now["position"] == now["frame"]
    expect(report(page)).to_contain_text(f"step {now['frame']} ")
    expect(report(page)).to_contain_text("reruns 2 ")
    assert page.traffic.sent == sent + 1  # type: ignore[attr-defined]


def test_the_thumb_is_where_the_time_is(open_player: Open) -> None:
    page = open_player(autoplay=0, direction="forward")
    box = track_box(page)
    page.mouse.click(box["x"] + 12 + 0.25 * (box["width"] - 24), box["y"] + 20)
    until(page, "p.frame === 5")  # t = 0.25 of 20 even steps
    words = re.compile("^step 5 of 20, t = 0.250, log-SNR ")
    expect(slider(page)).to_have_attribute("aria-valuetext", words)
    assert slider(page).get_attribute("aria-valuenow") == "5"
    assert slider(page).get_attribute("aria-valuemax") == "20"


def test_layers_are_told_and_speed_stays_in_the_browser(open_player: Open) -> None:
    page = open_player(autoplay=0, layers=1)
    for layer in ("trails", "x_0", "field", "density", "contours", "mesh", "data", "points"):
        chip = page.locator(f'[data-layer="{layer}"]')
        before = chip.get_attribute("aria-pressed")
        picture = page.locator(".dvz-stage").screenshot()
        chip.click()
        expect(chip).not_to_have_attribute("aria-pressed", before or "")
        page.mouse.move(2, 2)
        page.wait_for_timeout(60)
        if layer != "trails":  # there is no trail yet at the first frame
            assert page.locator(".dvz-stage").screenshot() != picture, layer
    told = report(page).filter(
        has_text="layers -data,-density,-points,contours,field,mesh,trails,x_0"
    )
    expect(told).to_have_count(1)
    sent = page.traffic.sent  # type: ignore[attr-defined]
    page.get_by_label("Speed").select_option("4")
    page.wait_for_timeout(300)
    assert page.traffic.sent == sent  # type: ignore[attr-defined]
    assert page.errors == []  # type: ignore[attr-defined]


def test_another_run_keeps_the_frame_and_one_loop(open_player: Open) -> None:
    page = open_player(frames=100, layers=1)
    page.get_by_label("Speed").select_option("0.25")
    page.locator('[data-layer="trails"]').click()
    expect(report(page)).to_contain_text("reruns 2 ")
    for reruns in range(3, 6):
        page.get_by_test_id("stNumberInputStepUp").click()
        expect(report(page)).to_contain_text(f"reruns {reruns} ")
    page.wait_for_timeout(800)
    now = state(page)
    assert now["playing"]
    assert now["layers"]["trails"]
    draws, frames, seconds = page.locator(".dvz").evaluate(
        """async (element) => {
          const player = element.__diffviz;
          const [draws, position, began] = [player.draws, player.position, performance.now()];
          await new Promise((done) => setTimeout(done, 1000));
          const seconds = (performance.now() - began) / 1000;
          return [player.draws - draws, player.position - position, seconds];
        }"""
    )
    assert 0 < draws <= 64 * seconds + 2, "more than one animation loop runs"
    assert 0 < frames <= 3 * seconds, "the clock runs faster than one loop would let it"
    assert page.locator(".dvz").count() == 1
    assert page.errors == []  # type: ignore[attr-defined]


def test_a_report_neither_sends_the_run_again_nor_moves_anything(open_player: Open) -> None:
    page = open_player(autoplay=0, points=2000, frames=50, step=10)
    page.traffic.bytes, asked = 0, []  # type: ignore[attr-defined]
    page.on("request", lambda request: asked.append(request.url))
    for frame in (11, 12):
        page.keyboard.press("ArrowRight")
        expect(report(page)).to_contain_text(f"step {frame} ")
        assert state(page)["frame"] == frame
    assert page.traffic.bytes < 20_000  # type: ignore[attr-defined]
    assert asked == []


def test_the_page_can_ask_for_a_step(open_player: Open) -> None:
    page = open_player(step=7)
    assert state(page)["frame"] == 7
    assert not state(page)["playing"], "a page that asks for a step wants to see it"
    expect(report(page)).to_contain_text("step 7 ")


def test_click_follows_and_empty_space_lets_go(open_player: Open) -> None:
    page = open_player(autoplay=0, points=60, layers=1)
    page.mouse.click(*followed_place(page, 17, 0))
    until(page, "p.follow === 17")
    expect(report(page)).to_contain_text("follow 17 ")
    expect(page.locator(".dvz-caption")).to_contain_text("effective number of data points")
    box = stage_box(page)
    page.mouse.click(box["x"] + 8, box["y"] + box["height"] - 40)
    until(page, "p.follow === null")
    expect(report(page)).to_contain_text("follow None ")


def test_hover_shows_without_telling(open_player: Open) -> None:
    page = open_player(autoplay=0, points=60)
    sent = page.traffic.sent  # type: ignore[attr-defined]
    calm = page.locator(".dvz-stage").screenshot()
    page.mouse.move(*followed_place(page, 17, 0))
    page.wait_for_timeout(100)
    assert page.locator(".dvz-stage").screenshot() != calm
    assert state(page)["follow"] is None
    assert page.traffic.sent == sent  # type: ignore[attr-defined]


def test_the_followed_start_can_be_dragged(open_player: Open) -> None:
    page = open_player(autoplay=0, points=60, movable=1, _width=1024)
    start = followed_place(page, 5, 0)
    page.mouse.click(*start)
    expect(report(page)).to_contain_text("follow 5 ")
    box = stage_box(page)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=6)
    expect(report(page)).to_contain_text("moved none")
    page.mouse.up()
    expect(report(page)).to_contain_text(re.compile(r"moved 5 -?0\.0\d -?0\.0\d"))


def test_a_start_is_not_dragged_where_it_is_not_offered(open_player: Open) -> None:
    page = open_player(autoplay=0, points=60, movable=0)
    start = followed_place(page, 5, 0)
    page.mouse.click(*start)
    expect(report(page)).to_contain_text("follow 5 ")
    page.mouse.down()
    page.mouse.move(start[0] + 60, start[1] + 30, steps=4)
    page.mouse.up()
    page.wait_for_timeout(400)
    expect(report(page)).to_contain_text("moved none")


def test_touch_scrubs_and_follows(open_player: Open) -> None:
    page = open_player(autoplay=0, points=60, _width=390, _height=844, _has_touch=True)
    page.touchscreen.tap(*followed_place(page, 9, 0))
    until(page, "p.follow !== null")
    box = track_box(page)
    page.touchscreen.tap(box["x"] + box["width"] - 13, box["y"] + 20)
    until(page, f"p.frame === {FRAMES}")


def test_reduced_motion_starts_paused_and_jumps_from_frame_to_frame(open_player: Open) -> None:
    page = open_player(_motion=False)
    page.wait_for_timeout(300)
    assert not state(page)["playing"]
    assert state(page)["frame"] == 0
    page.keyboard.press("Space")
    until(page, "p.playing && p.frame > 1")


def test_theme_switch_repaints(open_player: Open) -> None:
    page = open_player(autoplay=0)
    expect(page.locator(".dvz")).to_have_attribute("data-theme", "light")
    light = page.locator(".dvz-stage").screenshot()
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".dvz")).to_have_attribute("data-theme", "dark")
    assert page.locator(".dvz-stage").screenshot() != light


def test_a_hidden_tab_draws_nothing(open_player: Open) -> None:
    page = open_player(frames=100)
    until(page, "p.playing")
    page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    draws = state(page)["draws"]
    page.wait_for_timeout(300)
    assert state(page)["draws"] == draws
    page.evaluate(
        """() => {
          delete document.hidden;
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    until(page, f"p.draws > {draws}")


def test_four_panels_share_one_clock(open_player: Open) -> None:
    page = open_player(autoplay=0, panels=4, rail=1)
    expect(page.locator(".dvz-stage")).to_have_count(4)
    expect(page.locator(".dvz-badge-learned")).to_have_text("learned")
    expect(slider(page)).to_have_count(1)
    page.keyboard.press("End")
    until(page, f"p.frame === {FRAMES}")
    assert page.errors == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 900), (390, 844)])
def test_nothing_spills_over(open_player: Open, width: int, height: int) -> None:
    page = open_player(autoplay=0, layers=1, rail=1, _width=width, _height=height)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator(".dvz").bounding_box()
    assert box is not None
    for part in (".dvz-stage", ".dvz-play", ".dvz-track", ".dvz-rail"):
        inner = page.locator(part).bounding_box()
        assert inner is not None
        assert inner["x"] >= box["x"] - 1
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1
    rail, stage = page.locator(".dvz-rail").bounding_box(), stage_box(page)
    assert rail is not None
    if width == 1440:
        assert rail["x"] > stage["x"] + stage["width"], "the rail stands beside the player"
    else:
        assert rail["y"] > stage["y"] + stage["height"], "the rail stands below the player"


def test_every_control_has_a_name(open_player: Open) -> None:
    page = open_player(autoplay=0, layers=1)
    nameless = page.locator(".dvz").evaluate(
        """(e) => [...e.querySelectorAll("button, select, [role=slider], [role=img]")]
          .filter((n) => !(n.getAttribute("aria-label") || n.textContent.trim()))
          .map((n) => n.outerHTML)"""
    )
    assert nameless == []
    assert page.get_by_role("img", name=re.compile("200 points")).count() == 1


def test_bytes_that_are_no_run_are_explained(serve: Any, page: Page) -> None:
    page.goto(f"{serve(APP)}/?bad=1")
    expect(page.get_by_role("alert")).to_contain_text("The animation could not be shown.")
    assert page.errors == []  # type: ignore[attr-defined]


def test_a_run_that_is_not_there_is_said_and_asked_for_again(serve: Any, page: Page) -> None:
    page.goto(f"{serve(APP)}/?bad=2")
    said = page.locator(".dvz [role=alert]")
    expect(said).to_contain_text("The app no longer has this picture: reload the page.")
    page.route("**/run/own/bad2", lambda asked: asked.abort())
    page.get_by_role("button", name="Try again").click()
    expect(said).to_contain_text("The app cannot be reached.")
    page.unroute("**/run/own/bad2")
    page.route("**/run/own/bad2", lambda asked: asked.continue_(url=f"{serve(APP)}/run/own/bad1"))
    page.get_by_role("button", name="Try again").click()
    expect(said).to_contain_text("Its data do not start with the mark DVZ1.")


def test_the_run_before_stays_until_the_next_is_there(open_player: Open) -> None:
    page = open_player(autoplay=0, points=200, step=10)
    page.route("**/run/own/*", lambda asked: asked.abort())
    field = page.get_by_label("Seed")
    field.fill("5")
    field.press("Enter")
    said = page.locator(".dvz [role=alert]")
    expect(said).to_contain_text("The app cannot be reached. Below is the one before.")
    assert state(page)["frame"] == 10
    page.locator(".dvz").focus()
    page.keyboard.press("ArrowRight")
    expect(report(page)).to_contain_text("step 11 ")
    field.fill("0")
    field.press("Enter")
    expect(said).to_be_hidden()
    page.unroute("**/run/own/*")
    field.fill("5")
    field.press("Enter")
    expect(report(page)).to_contain_text("reruns 5 ")
    expect(said).to_be_hidden()
    assert state(page)["frame"] == 11


def test_a_link_is_copied_with_the_step_that_is_shown(open_player: Open) -> None:
    page = open_player(autoplay=0)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".dvz").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Copy a link to this step").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "step=3" in copied
    assert f"frames={FRAMES}" in copied
    expect(page.get_by_role("button", name="Copy a link to this step")).to_be_visible()
