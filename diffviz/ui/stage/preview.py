"""Pictures on the page while they are still being drawn."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from diffviz.scenes.pngs import contact_sheet
from diffviz.ui.shell import theme


class Preview:
    """The place of a player, with the latest prediction of its run until the run is done.

    Example:
        >>> preview = Preview("images")
        >>> made = wait_for(lambda watch: work(watch, preview.take), "25 steps", bar, preview.draw)
        >>> with preview.place():
        ...     placed(made.buffer, page="images")

    Args:
        name: unique on the page.
    """

    def __init__(self, name: str) -> None:
        self._latest: Tensor | None = None
        self._drawn: Tensor | None = None
        key = f"preview_{name}"
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
            '<div style="height:60svh;display:flex;flex-direction:column;gap:0.6rem;'
            "align-items:center;justify-content:center;"
            f'background:{theme.palette().background}">'
            f'<img alt="Predicted pictures so far" src="{uri}" style="'
            "min-height:0;flex:0 1 100%;max-width:100%;object-fit:contain;"
            'image-rendering:pixelated"><div>x̂₀, the predicted pictures, while they are being '
            "drawn</div></div>"
        )

    def place(self) -> DeltaGenerator:
        """Take the preview away and return where the player goes."""
        self._over.empty()
        return self._place
