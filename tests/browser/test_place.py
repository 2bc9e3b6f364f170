"""A place is kept: over other controls, a visit to another page, Back, reload and link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser.journeys import fine

Wait = Callable[..., None]


def place(page: Any) -> tuple[Any, ...]:
    """Where the player is: frame, whether it plays, followed point, layers, coordinate."""
    seen = page.locator(".dvz[data-ready]").evaluate(
        """({__diffviz: p}) => {
          const on = Object.keys(p.layers).filter((key) => p.layers[key]);
          return [p.frame, p.playing, p.follow, on];
        }"""
    )
    coordinate = page.locator('.dvz-segment[aria-pressed="true"]').inner_text()
    return (*seen[:3], tuple(seen[3]), coordinate)


def go(page: Any, wait_idle: Wait, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, level=1).wait_for()
    wait_idle(page)


def test_a_place_is_kept(new_page: Any, app_url: str, serve: Any, wait_idle: Wait) -> None:
    page = new_page(cold=True)
    page.goto(f"{app_url}/reverse?sampler=heun&steps=20")
    wait_idle(page)
    page.locator(".dvz[data-ready]").wait_for()
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url("**step=10*")
    page.locator('[data-layer="trails"]').click()
    page.locator('[data-layer="data"]').click()
    page.locator(".dvz-segment").nth(1).click()
    wait_idle(page)
    page.locator(".dvz-stage").click(position={"x": 300, "y": 200})
    wait_idle(page)
    here, link = place(page), page.url
    frame, playing, follow, layers, coordinate = here
    assert (frame, playing, coordinate) == (10, False, "x2")
    assert follow is not None
    assert "trails" in layers
    assert "data" not in layers
    go(page, wait_idle, "Arena")
    go(page, wait_idle, "Reverse")
    assert (page.url, place(page)) == (link, here)
    page.go_back()
    page.get_by_role("heading", name="Arena", level=1).wait_for()
    wait_idle(page)
    page.go_back()  # one press a page: what a page completes by itself is no entry
    page.get_by_role("heading", name="Reverse", level=1).wait_for()
    wait_idle(page)
    assert (page.url, place(page)) == (link, here)
    page.reload()
    wait_idle(page)
    assert (page.url, place(page)) == (link, here)
    page.get_by_role("radio", name="Spiral").click()
    wait_idle(page)
    assert place(page) == here
    other = new_page(motion=True)  # the link says a step, so it rests there
    other.goto(link)
    wait_idle(other)
    assert place(other) == here
    fine(page, serve.log("app.py"))


def test_a_link_that_is_pressed_is_no_choice_on_the_page(
    new_page: Any, app_url: str, wait_idle: Wait
) -> None:
    """What a page completes while the hand goes to a link takes no press of Back."""
    page = new_page(cold=True)
    page.goto(f"{app_url}/reverse")
    wait_idle(page)
    add = "(word) => { history.pushState({}, '', word); return history.length; }"
    entries = page.evaluate(add, "?n=500")
    box = page.get_by_role("link", name="Arena", exact=True).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    assert page.evaluate(add, "?n=600") == entries
    page.mouse.move(700, 5)  # the hand thinks better of it
    page.mouse.up()
    page.mouse.click(700, 5)
    assert page.evaluate(add, "?n=700") == entries + 1


def test_a_player_that_plays_goes_on_playing(new_page: Any, app_url: str, wait_idle: Wait) -> None:
    page = new_page(motion=True)
    page.goto(f"{app_url}/reverse?step=3")
    wait_idle(page)
    assert place(page)[:2] == (3, False)
    page.locator(".dvz-speed").select_option("0.25")
    page.keyboard.press("Space")
    page.wait_for_url(lambda url: "step" not in url)
    go(page, wait_idle, "Forward")
    go(page, wait_idle, "Reverse")
    assert place(page)[1] is True
