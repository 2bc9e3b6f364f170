"""The export menu: what the player shows, and the numbers behind it, as files to take away.

A file is made when its button is pressed, not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st
import torch
from torch import Tensor

from diffviz.core.run import kept
from diffviz.exchange.export import images_to_gif, points_to_gif, samples_to_csv, trajectory_to_npz
from diffviz.scenes.buffer import decode, read_header, unbind
from diffviz.scenes.plays import Path, Play
from diffviz.scenes.point_run import RunConfig, made
from diffviz.scenes.script import can_be_written, python_script
from diffviz.ui.parts.knob import Heard, heard_of
from diffviz.ui.parts.player.standalone import Kept, standalone
from diffviz.ui.shell import theme

_WEB = "One file that plays, scrubs and keeps a knob, in any browser, without a network."
_MADE = "Made with diffviz."
_FEW = "While its knob is turned it shows fewer samples."
_MOST_LEVELS, _MOST_RUNS = 50, 12
_MOST_BYTES = 8_000_000
_SCRIPT = "Makes the same run again with the library: same data, same noise, same steps."


def export_menu(
    shown: Callable[[], bytes],
    title: str,
    play: Play,
    knobs: Sequence[str],
    run: RunConfig | None = None,
) -> None:
    """Draw the menu.

    Args:
        shown: returns what the player shows; called when the menu is opened.
        title: what it is called, also in the names of the files.
        play: what is shown.
        knobs: the names of those of which a web page keeps the first that is here.
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
        here = [(play.numbers[name], found) for name in knobs if (found := heard_of(name))]
        page = partial(_page, buffer, title, play, *here[:1])  # made where there is no session
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


def _page(buffer: bytes, title: str, play: Play, knob: tuple[Path, Heard] | None = None) -> str:
    if knob is None:
        return standalone(buffer, title, _MADE)
    path, here = knob
    runs = kept_runs(play, path, here.stops)
    note = _MADE if play.levels(path, here.stops) else f"{_MADE} {_FEW}"
    return standalone(buffer, title, note, Kept(here.label, play.number(path), here.usual, runs))


def kept_runs(play: Play, path: Path, stops: Sequence[float]) -> dict[float, bytes]:
    """Return what a page shows at the stops of a knob, evenly chosen among them.

    Args:
        play: what is shown.
        path: where the knob's number is in it.
        stops: of the knob.
    """
    levels = play.levels(path, _some(stops, _MOST_LEVELS))
    if levels is not None:
        return unbind(levels.buffer())
    few = play.in_hand or play
    first = few.turned(path, stops[0]).within_reach.buffer()
    most = min(max(_MOST_BYTES // len(first), 2), _MOST_RUNS)
    return {value: few.turned(path, value).within_reach.buffer() for value in _some(stops, most)}


def _some(stops: Sequence[float], most: int) -> list[float]:
    return [stops[k] for k in kept(len(stops) - 1, most)]


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
