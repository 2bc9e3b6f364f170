"""How well the texts of a page can be read: contrast as drawn, canvases included, and type size.

A text's colour is the one that the page gives it (``legibility.js``), with its opacity; what stands
behind it is read from a screenshot, as the middle brightness of the text's box, of which letters
cover the lesser part. As in WCAG 2.2, texts of controls that are switched off are left out (1.4.3)
and signs without a letter or digit, icons among them, need 3 : 1 (1.4.11).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

__all__ = ["PAGES", "PROBE", "Text", "texts", "unfold"]

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
PROBE = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_TALLEST = 12_000
_TRIES = 8


@dataclass(frozen=True)
class Text:
    """A text that can be read on a page.

    Attributes:
        words: what it says, cut short.
        place: the elements around it, from the outside in.
        contrast: of its colour to what is behind it, 1 to 21.
        size: of the type, in CSS pixels.
        math: whether it is part of a formula.
        sign: whether it is an icon or a mark, without a letter or digit.
    """

    words: str
    place: str
    contrast: float
    size: float
    math: bool
    sign: bool

    @property
    def faint(self) -> bool:
        """Whether it is too hard to tell from what is behind it."""
        return self.contrast < (3.0 if self.sign else 4.5)

    @property
    def small(self) -> bool:
        """Whether it is smaller than captions and the numbers of axes may be."""
        return self.size < 13 and not self.math

    def __str__(self) -> str:
        return f"{self.contrast:5.2f}  {self.size:4.1f} px  {self.words!r} in {self.place}"


def unfold(page: Page) -> None:
    """Open what is folded on a page, and make the window as tall as what it then holds."""
    page.locator("[data-testid=stExpander] details:not([open]) > summary").evaluate_all(
        "(all) => all.forEach((one) => one.click())"
    )
    page.wait_for_timeout(300)
    width = page.viewport_size["width"] if page.viewport_size else 1440
    tall = page.evaluate(
        "Math.max(...[...document.querySelectorAll('[data-testid=stMain], "
        "[data-testid=stSidebarContent]')].map((e) => e.scrollHeight), innerHeight)"
    )
    page.set_viewport_size({"width": width, "height": min(tall + 20, _TALLEST)})
    page.wait_for_timeout(300)


def texts(page: Page, within: str | None = None) -> list[Text]:
    """Every text in the window, the one that is hardest to read first.

    Args:
        page: in a context whose first script was ``PROBE``, at rest.
        within: a selector of what is looked at; the whole page when left out.
    """
    found, picture = _taken(page, within)
    measured = []
    for text in found:
        behind = _behind(picture, text["box"])
        if behind is None:
            continue
        *ink, opacity = text["color"]
        color = opacity * np.asarray(ink, dtype=float) + (1 - opacity) * behind
        measured.append(
            Text(
                text["text"],
                text["place"],
                _contrast(color, behind),
                text["size"],
                text["math"],
                text["sign"],
            )
        )
    return sorted(measured, key=lambda text: text.contrast)


def _taken(page: Page, within: str | None) -> tuple[list[dict[str, Any]], NDArray[Any]]:
    """The texts and a picture of the same moment: nothing moved while it was taken."""
    found: list[dict[str, Any]] = page.evaluate("(s) => window.__texts(s)", within)
    for _ in range(_TRIES):
        shot = page.screenshot()
        now = page.evaluate("(s) => window.__texts(s)", within)
        if now == found:
            break
        found = now
    else:
        raise AssertionError("the page did not come to rest")
    return found, np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))


def _behind(picture: NDArray[Any], box: list[float]) -> NDArray[Any] | None:
    """The pixel of middle brightness in a box and two pixels around it; None outside."""
    left, top, right, bottom = (round(edge) for edge in box)
    part = picture[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2].reshape(-1, 3)
    if not len(part):
        return None
    order = np.argsort(_luminance(part), kind="stable")
    middle: NDArray[Any] = part[order[len(part) // 2]].astype(float)
    return middle


def _luminance(rgb: NDArray[Any]) -> NDArray[Any]:
    """Relative luminance (WCAG 2.2), of colors 0 to 255 along the last axis."""
    s = rgb / 255
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    light: NDArray[Any] = linear @ np.array([0.2126, 0.7152, 0.0722])
    return light


def _contrast(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Contrast ratio (WCAG 2.2) of two colors."""
    low, high = sorted([float(_luminance(a)), float(_luminance(b))])
    return (high + 0.05) / (low + 0.05)
