"""What several journeys check and wait for."""

from __future__ import annotations

from typing import Any


def fine(page: Any, log: str) -> None:
    """Nothing sticks out to the right, and neither page, console nor server complains."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator('[data-testid="stException"]').count() == 0
    assert page.errors == []
    assert "Traceback" not in log


def until(page: Any, frame: int, timeout: float, player: Any = None) -> None:
    """Wait until a player, the only one where none is given, shows a frame."""
    page.wait_for_function(
        f"(e) => e.__diffviz.frame === {frame}",
        arg=(player or page.locator(".dvz")).element_handle(),
        timeout=timeout,
    )
