"""What several journeys check and wait for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.browser.conftest import PATIENCE


def fine(page: Any, log: str = "") -> None:
    """Nothing sticks out to the right, and neither page, console nor the server's log complains."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.errors == []
    assert "Traceback" not in log


def becomes(read: Callable[[], object], wanted: object = True) -> None:
    """Wait until what is read is what is wanted: a loaded machine may answer late."""
    end = time.monotonic() + PATIENCE / 1000
    while (found := read()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert found == wanted, f"it is {found!r} at last, not {wanted!r}"


def player(page: Any, name: str) -> Any:
    """What the page's player says of itself: ``frame``, ``frames``, ``playing``, ..."""
    return page.locator(".dvz").evaluate("(e, name) => e.__diffviz[name]", name)


def until(page: Any, condition: str, at: Any = None) -> None:
    """Wait until a condition on ``p``, a player, holds, be it mounted anew or not.

    Args:
        page: where it is.
        condition: in JavaScript.
        at: the player; the page's last one where none is given, since an old one may be there for
            a moment longer.
    """
    found = at or page.locator(".dvz").last
    becomes(lambda: found.evaluate(f"(e) => {{ const p = e.__diffviz; return !!({condition}); }}"))


def hold(page: Any, name: str) -> tuple[Any, dict[str, float]]:
    """Take hold of a knob by the mouse, where its thumb is."""
    slider = page.get_by_role("slider", name=name).first
    box = slider.bounding_box()
    share = slider.evaluate("(e) => e.value / e.max")
    box |= {"y": box["y"] + box["height"] / 2, "x": box["x"] + 8, "width": box["width"] - 16}
    page.mouse.move(box["x"] + share * box["width"], box["y"])
    page.mouse.down()
    return slider, box
