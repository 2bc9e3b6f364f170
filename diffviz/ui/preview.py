"""Pictures on the page while they are still being drawn."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from diffviz.ui import theme
from diffviz.ui.picture_pngs import contact_sheet
from diffviz.ui.player import player
from diffviz.ui.reverse_controls import find_place, keep_place

__all__ = ["Preview", "played"]

_CAPTION = 90  # pixels below and above the pictures


class Preview:
    """The place of a player, with the latest prediction of its run until the run is done.

    Example:
        >>> preview = Preview("images", 520)
        >>> made = wait_for(lambda watch: work(watch, preview.take), "25 steps", bar, preview.draw)
        >>> played(preview.place(), made.buffer, made.frames, 16, "images", 520)

    Args:
        name: unique on the page.
        height: of the player, in CSS pixels.
    """

    def __init__(self, name: str, height: int) -> None:
        self._height = height
        self._latest: Tensor | None = None
        self._drawn: Tensor | None = None
        key = f"preview_{name}"
        st.html(
            f"<style>.st-key-{key} {{position: relative; min-height: {height}px;}} "
            f".st-key-{key}_over {{position: absolute; top: 0; left: 0; right: 0; z-index: 2;}}"
            "</style>"
        )
        self._place = st.container(key=key)
        self._over = self._place.container(key=f"{key}_over").empty()

    def take(self, x_0: Tensor) -> None:
        """Note the prediction (N, C, H, W) of a step; called where the run is worked out."""
        self._latest = x_0

    def draw(self) -> None:
        """Draw the latest prediction if there is a new one, over the last picture."""
        latest = self._latest
        if latest is None or latest is self._drawn:
            return
        self._drawn = latest
        count = len(latest)
        columns = next(k for k in range(1, count + 1) if k * k * 2 >= count * 3 or k == count)
        uri = contact_sheet(latest.clamp(-1, 1).numpy(), columns, 28)
        self._over.html(
            f'<div style="height:{self._height}px;display:flex;flex-direction:column;gap:0.6rem;'
            "align-items:center;justify-content:center;"
            f'background:{theme.palette().background}">'
            f'<img alt="Predicted pictures so far" src="{uri}" style="'
            f"height:{self._height - _CAPTION}px;max-width:100%;object-fit:contain;"
            'image-rendering:pixelated"><div>x̂₀, the predicted pictures, while they are being '
            "drawn</div></div>"
        )

    def place(self) -> DeltaGenerator:
        """Take the preview away and return where the player goes."""
        self._over.empty()
        return self._place


def played(
    place: DeltaGenerator, buffer: bytes, frames: int, count: int, name: str, height: int
) -> None:
    """Draw a run in the player, its step and what is followed kept in the address.

    Args:
        place: where it goes.
        buffer: the run, packed.
        frames: how many it has.
        count: how many pictures can be followed.
        name: of the player, unique in the app.
        height: in CSS pixels.
    """
    at = find_place(frames, count, name)
    with place:
        result = player(buffer, key=at.key, step=at.step, follow=at.follow, height=height)
    keep_place(result, frames, count, name)
