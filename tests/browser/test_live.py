"""Pictures follow the hand that turns a knob, and what it ends on is what its link shows."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from diffviz.scenes.buffer import read_header
from diffviz.scenes.plays import play_of
from tests.browser.journeys import becomes, fine, hold, player, until

KNOBS = [  # page, label, word in the address, and the last frame; whether it is in the menu
    ("reverse", "Steps", "steps", "step=50", False),
    ("guidance", "Scale w", "w", "step=40", False),
    ("forward", "beta_end", "beta_end", "t=1", True),
]


def query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.evaluate("location.href")).query)


@pytest.mark.parametrize(
    ("name", "label", "key", "at", "folded"), KNOBS, ids=[knob[0] for knob in KNOBS]
)
def test_the_picture_follows_a_drag_and_rests_on_what_its_link_shows(
    name: str,
    label: str,
    key: str,
    at: str,
    folded: bool,
    new_page: Any,
    app_url: str,
    serve: Any,
    wait_idle: Any,
) -> None:
    page = new_page()
    page.goto(f"{app_url}/{name}?{at}&follow=7")
    wait_idle(page)
    if folded:
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("slider", name=label).first.wait_for()
        wait_idle(page)
    sent, items = page.traffic.sent, player(page, "items")
    slider, box = hold(page, label)
    seen = [player(page, "id")]
    last, start = slider.evaluate("(e) => [Number(e.max), Number(e.value)]")
    for k in (1, 2, 3, 4, 5, 6, 5):  # stops, to and fro
        page.mouse.move(box["x"] + box["width"] * (start - k) / last, box["y"])
        becomes(lambda: player(page, "id") != seen[-1])
        seen.append(player(page, "id"))
    assert len(set(seen)) > 5
    assert player(page, "follow") == 7
    assert player(page, "frame") == player(page, "frames") - 1, "the end stays the end"
    assert page.traffic.sent == sent, "nothing is said to Python before the hand lets go"
    becomes(lambda: player(page, "settled"))  # at rest, all of it comes
    assert player(page, "items") == items
    full = player(page, "id")
    page.mouse.up()
    becomes(lambda: key in query(page))
    wait_idle(page)
    assert player(page, "id") == full, "the picture was already there"
    value = slider.evaluate("(e) => e.getRootNode().querySelector('.dvk-typed').value")
    assert query(page)[key] == [value]

    other, words = new_page(cold=True), []
    other.on("request", lambda request: words.append(request.url))
    other.goto(page.url)
    wait_idle(other)
    assert player(other, "id") == full
    (word,) = [unquote(url).split("/run/")[1].split("?")[0] for url in words if "/run/" in url]
    assert read_header(play_of(word).buffer())["id"] == full
    fine(page, serve.log("app.py"))


@pytest.mark.parametrize("how", ["how=walk", "how=jump", "how=walk&data=dirac_pair"])
def test_noising_follows_a_schedule_with_all_points_and_nothing_is_asked(
    how: str, page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    page.goto(f"{app_url}/forward?t=1&n=3000&follow=2999&{how}")
    wait_idle(page)
    page.get_by_role("button", name="More", exact=True).click()
    slider = page.get_by_role("slider", name="beta_end").first
    slider.wait_for()
    wait_idle(page)
    with page.expect_response(lambda answer: "levels%7B" in answer.url):
        slider.hover()
    wait_idle(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    slider, box = hold(page, "beta_end")
    last, start = slider.evaluate("(e) => [Number(e.max), Number(e.value)]")
    seen = {player(page, "id"): page.locator(".dvz-stage").screenshot()}
    for k in (8, 16, 24):  # stops
        page.mouse.move(box["x"] + box["width"] * (start - k) / last, box["y"])
        becomes(lambda: player(page, "id") not in seen)
        assert (player(page, "items"), player(page, "follow")) == (3000, 2999)
        page.wait_for_timeout(50)  # it is drawn with the next frame
        seen[player(page, "id")] = page.locator(".dvz-stage").screenshot()
    assert len(set(seen.values())) == 4, "every value has its own picture"
    page.mouse.up()
    wait_idle(page)
    runs = [unquote(url) for url in asked if "/run/" in url]
    assert runs, "at rest, all that is measured comes"
    assert not [url for url in runs if "bare" in url], "nothing comes for a hand that moves"
    assert float(query(page)["beta_end"][0]) < 0.02
    fine(page, serve.log("app.py"))


def test_a_followed_point_that_few_samples_lack_stays_followed(
    page: Any, app_url: str, wait_idle: Any
) -> None:
    page.goto(f"{app_url}/reverse?step=50&follow=797")
    wait_idle(page)
    page.route("**/run/**", lambda asked: (page.wait_for_timeout(300), asked.continue_()))
    _, box = hold(page, "Steps")
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"])
    becomes(lambda: player(page, "items"), 500)
    becomes(lambda: player(page, "settled"))
    page.mouse.up()
    wait_idle(page)
    assert (player(page, "items"), player(page, "follow")) == (2000, 797)
    assert query(page)["follow"] == ["797"]


def test_what_was_typed_and_not_taken_gives_way_to_the_slider(
    page: Any, app_url: str, wait_idle: Any
) -> None:
    page.goto(f"{app_url}/reverse?step=50")
    wait_idle(page)
    slider, typed = page.get_by_role("slider", name="Steps"), page.get_by_label("Steps: a number")
    typed.fill("abc")
    typed.press("Tab")
    note = page.locator(".dvk-note:visible")
    assert note.inner_text() == "A whole number from 1 to 1,000"
    slider.press("ArrowRight")
    becomes(lambda: query(page).get("steps"), ["75"])
    assert (typed.input_value(), note.count()) == ("75", 0)
    typed.fill("80")
    typed.press("ArrowUp")  # from what is typed
    becomes(lambda: query(page).get("steps"), ["100"])
    typed.press("Tab")
    wait_idle(page)
    assert (typed.input_value(), query(page)["steps"]) == ("100", ["100"])


def test_two_knobs_one_after_the_other_both_count(
    page: Any, app_url: str, wait_idle: Any, serve: Any
) -> None:
    page.goto(f"{app_url}/guidance?step=40")
    wait_idle(page)
    page.get_by_role("slider", name="Scale w").press("ArrowRight")
    typed = page.get_by_label("Scale w (how hard to push): a number")
    typed.fill("2.5")
    typed.press("Enter")
    until(page, "p.frames === 41")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("slider", name="Steps").press("ArrowLeft")
    becomes(lambda: query(page), {"w": ["2.5"], "steps": ["30"], "step": ["30"]})
    wait_idle(page)
    assert player(page, "frames") == 31
    fine(page, serve.log("app.py"))


def test_a_finger_turns_a_knob_sideways_and_scrolls_the_page_up_and_down(
    new_page: Any, app_url: str, wait_idle: Any
) -> None:
    page = new_page(width=390, height=844, has_touch=True, is_mobile=True)
    page.goto(f"{app_url}/guidance")
    wait_idle(page)
    slider = page.get_by_role("slider", name="Scale w").first
    slider.scroll_into_view_if_needed()
    touch = page.context.new_cdp_session(page)

    def swipe(dx: float, dy: float) -> None:
        box = slider.bounding_box()
        x, y = box["x"] + 8 + (box["width"] - 16) * 0.2, box["y"] + box["height"] / 2
        point = lambda k: [{"x": x + dx * k / 10, "y": y + dy * k / 10}]  # noqa: E731
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": point(0)})
        for k in range(1, 11):
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": point(k)})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    swipe(60, 0)
    becomes(lambda: "w" in query(page))
    wait_idle(page)
    link, top = page.url, slider.bounding_box()["y"]
    swipe(0, -120)
    becomes(lambda: slider.bounding_box()["y"] < top - 20)
    wait_idle(page)
    assert page.url == link


def test_the_picture_shows_what_a_name_in_a_menu_would_bring(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    page.goto(f"{app_url}/reverse?step=50&follow=7")
    wait_idle(page)
    own, items, sent = player(page, "id"), player(page, "items"), page.traffic.sent
    menu = page.get_by_role("combobox", name="Sampler")
    menu.click()
    looked = {own}
    for name in ("DDPM", "Heun", "DPM-Solver++"):
        page.get_by_role("option", name=name).first.hover()
        becomes(lambda: player(page, "id") not in looked)
        looked.add(player(page, "id"))
    assert player(page, "frame") == player(page, "frames") - 1
    assert player(page, "follow") == 7
    page.keyboard.press("ArrowUp")  # keys look, too
    becomes(lambda: player(page, "id") in looked - {own})
    assert page.traffic.sent == sent, "nothing is said to Python"
    page.keyboard.press("Escape")
    becomes(lambda: player(page, "id") == own and player(page, "items") == items)
    assert page.traffic.sent == sent

    menu.click()
    page.get_by_role("option", name="Heun").first.hover()
    becomes(lambda: player(page, "id") != own)
    page.get_by_role("option", name="Heun").first.click()
    becomes(lambda: query(page).get("sampler") == ["heun"])
    wait_idle(page)
    assert player(page, "items") == items
    chosen = player(page, "id")
    other = page.context.new_page()
    other.goto(page.evaluate("location.href"))
    becomes(lambda: other.locator(".dvz").count() and player(other, "id") == chosen)
    other.close()
    fine(page, serve.log("app.py"))
