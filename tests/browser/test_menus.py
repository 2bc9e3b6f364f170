"""Menus show what is: what the run used, whenever they are opened; and looking changes nothing.

Each page is loaded, waited for and paused, which runs it again, before any of its menus is opened:
their widgets come onto the page only then.  What they show is written down in ``menus.json``.
After a change they are looked at anew: on one page when the reader has been away, on the next by
the link.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.journeys import fine, until

HERE = Path(__file__).parent
READ = (HERE / "menus.js").read_text(encoding="utf-8")
SHOWN: dict[str, dict[str, str]] = json.loads((HERE / "menus.json").read_text(encoding="utf-8"))
MOVED = {  # what is moved on a page: its key, the keys pressed on it, the word in the address
    "arena": ("metric", "ArrowRight", "energy_distance"),
    "bill": ("pictures", "ArrowRight", "fashion"),
    "bound": ("steps-bound", "ArrowRight", "70"),
    "collar": ("guidance-dogs", "ArrowRight", "2"),
    "edit": ("level", "ArrowRight", "0.55"),
    "forward": ("how", "ArrowRight", "jump"),
    "generators": ("steps-generators", "ArrowLeft", "16"),
    "guidance": ("w", "ArrowRight", "4.1"),
    "images": ("guidance-pictures", "ArrowRight", "2"),
    "latent": ("pictures", "ArrowRight", "fashion"),
    "refine": ("level-refine-mnist-vae", "ArrowRight", "0.28"),
    "reverse": ("steps", "ArrowRight", "75"),
    "schedules": ("view", "ArrowRight", "alpha_sigma"),
    "training": ("train_steps", "ArrowRight", "2000"),
    "why": ("guidance-pictures", "ArrowRight", "2"),
}
PLACE = {"step", "t"}  # where the player was paused

Wait = Callable[..., None]


def menus(page: Any) -> dict[str, str]:
    """What all widgets show, those in closed menus too; the menus are closed again."""
    closed = page.locator('[data-testid="stExpander"] details:not([open]) > summary')
    while count := closed.count():
        closed.first.press("Enter")  # wherever it stands by then
        expect(closed).to_have_count(count - 1)
    found = settled(page)
    for button in page.locator('[data-testid="stPopoverButton"]:visible').all():
        button.click()
        page.locator('[data-testid="stPopoverBody"]').wait_for()
        found |= settled(page)
        page.keyboard.press("Escape")
        page.locator('[data-testid="stPopoverBody"]').wait_for(state="detached")
    return dict(sorted(found.items()))


def settled(page: Any) -> dict[str, str]:
    """What the widgets show once no more of them come."""
    found, same = page.evaluate(READ), 0
    for _ in range(1000):
        if same == 3:
            return found
        page.wait_for_timeout(60)
        before, found = found, page.evaluate(READ)
        coming = page.traffic.loading or page.locator('[data-testid="stSkeleton"]').count()
        same = 0 if coming or found != before else same + 1
    raise AssertionError(f"widgets still come: {page.traffic.loading}")


def address(page: Any) -> dict[str, str]:
    """The address's parameters, but for the place of the player."""
    words = dict(parse_qsl(urlsplit(page.url).query, keep_blank_values=True))
    return {name: word for name, word in words.items() if name not in PLACE}


def pause(page: Any) -> None:
    """Pause the player, which may have to play first, or run a page without one by another way."""
    play = page.locator(".dvz-play")
    if play.count():
        if play.first.get_attribute("aria-label") == "Play (space)":
            play.first.click()
            until(page, "p.frame > 0", page.locator(".dvz").first)
        play.first.click()
        return
    buttons = page.locator('[data-testid="stButtonGroup"]').first.locator("button")
    on = [button.get_attribute("aria-checked") for button in buttons.all()].index("true")
    for k in (on + 1, on):
        buttons.nth(k).click()
        expect(buttons.nth(k)).to_have_attribute("aria-checked", "true")


def move(page: Any, key: str, press: str) -> None:
    """Move a control, a slider by the keyboard or one of a few to the next."""
    control = page.locator(f".st-key-{key}")
    slider = control.locator('input[type="range"]')
    if slider.count():
        slider.first.press(press)
        return
    control.locator('[aria-checked="true"] + button, [aria-pressed="true"] + button').click()


@pytest.mark.parametrize(
    ("name", "again"), [*zip(SHOWN, cycle(("back", "link")), strict=False)], ids=SHOWN
)
def test_menus_show_what_the_run_used_and_looking_changes_nothing(
    name: str, again: str, new_page: Any, app_url: str, serve: Any, wait_idle: Wait
) -> None:
    page = new_page(motion=name == "reverse")  # there, it plays by itself
    page.goto(f"{app_url}/{name}")
    wait_idle(page)
    pause(page)
    wait_idle(page)
    assert menus(page) == SHOWN[name]
    wait_idle(page)
    assert address(page) == {}
    key, press, word = MOVED[name]
    move(page, key, press)
    wait_idle(page)
    assert address(page) == {key.split("-")[0]: word}
    link = page.url
    page.get_by_role("link", name="Home", exact=True).click()
    wait_idle(page)
    page.locator(f'[data-testid="stSidebarNavLink"][href$="/{name}"]').click()
    wait_idle(page)
    assert page.url == link
    if again == "back":
        assert {of for of, _ in menus(page).items() ^ SHOWN[name].items()} <= {key}
        wait_idle(page)
        assert page.url == link
    else:
        other = new_page(cold=True)
        other.goto(link)
        wait_idle(other)
        assert {of for of, _ in menus(other).items() ^ SHOWN[name].items()} <= {key}
        wait_idle(other)
        assert other.url == link
    fine(page, serve.log("app.py"))
