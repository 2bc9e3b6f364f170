"""The export menu: what the player shows, and the numbers behind it, as files to take away.

A file is made when its button is pressed, not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import streamlit as st
import torch
from torch import Tensor

from diffviz.exchange.export import images_to_gif, points_to_gif, samples_to_csv, trajectory_to_npz
from diffviz.scenes.buffer import decode
from diffviz.scenes.buffer.format import read_header
from diffviz.scenes.point_run import RunConfig, made
from diffviz.scenes.script import can_be_written, python_script
from diffviz.ui.parts.player.standalone import standalone
from diffviz.ui.shell import theme

_WEB = "One file that plays and scrubs in any browser, without a network."
_SCRIPT = "Makes the same run again with the library: same data, same noise, same steps."


def export_menu(shown: Callable[[], bytes], title: str, run: RunConfig | None = None) -> None:
    """Draw the menu.

    Args:
        shown: returns what the player shows; called when the menu is opened.
        title: what it is called, also in the names of the files.
        run: the reverse run that it shows, whose numbers and script are offered too.
    """
    stem = "diffviz-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    colors = theme.palette()
    menu = st.popover(
        "Export",
        icon=":material/download:",
        help="Take this run away as a file",
        key="export",
        on_change="rerun",
    )
    if not menu.open:  # its buttons would slow down every new picture
        return
    buffer = shown()
    with menu:
        page = partial(standalone, buffer, title, "Made with diffviz.")
        _button("Web page (HTML)", page, f"{stem}.html", "text/html", "html", _WEB)
        if read_header(buffer)["panels"][0]["kind"] in ("points", "images"):
            gif = partial(animation, buffer, colors.data, colors.background)
            _button("Animation (GIF)", gif, f"{stem}.gif", "image/gif", "gif_box")
        if run is None:
            return
        _button("All numbers (NPZ)", partial(_npz, run), f"{stem}.npz", None, "data_array")
        _button("Samples (CSV)", partial(_csv, run), f"{stem}.csv", "text/csv", "table")
        if can_be_written(run):
            script = partial(python_script, run)
            _button("Python script", script, f"{stem}.py", "text/x-python", "code", _SCRIPT)


def animation(buffer: bytes, color: str, background: str) -> bytes:
    """Return the first panel of a run as a GIF.

    Args:
        buffer: what the player shows; its first panel holds points or images.
        color: of points, a CSS hex color.
        background: behind points.
    """
    header, arrays = decode(buffer)
    panel = header["panels"][0]
    names = panel["arrays"]
    x = torch.from_numpy(arrays[names["x_t"]].copy())
    if panel["kind"] == "points":
        (low, *_), (high, *_) = panel["limits"]
        return points_to_gif(x, (low, high), color=color, background=background)
    return images_to_gif(_pixels(x, torch.from_numpy(arrays[names["x_t_range"]].copy())))


def _pixels(unit: Tensor, ends: Tensor) -> Tensor:
    """Images (F, N, C, H, W) in data units from what the player was sent."""
    low, high = (ends[:, k].reshape(-1, 1, 1, 1, 1) for k in (0, 1))
    return torch.lerp(low.double(), high.double(), unit)


def _npz(run: RunConfig) -> bytes:
    return trajectory_to_npz(made(run))


def _csv(run: RunConfig) -> str:
    return samples_to_csv(made(run, keep=1).x_t[-1])


def _button(
    label: str,
    make: Callable[[], str | bytes],
    name: str,
    mime: str | None,
    icon: str,
    words: str | None = None,
) -> None:
    st.download_button(
        label,
        make,
        name,
        mime,
        icon=f":material/{icon}:",
        help=words,
        on_click="ignore",
        width="stretch",
        key=f"_export_{icon}",
    )
