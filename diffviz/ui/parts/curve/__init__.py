"""The plot of the Schedules page: lines over time, one of which can be pulled into shape.

Plotly draws what stands still; this follows the hand.  The custom schedule's control points are
dragged in the plot itself, its line, its values in the present view and its strip of images change
at once in the browser, and Python hears of it when the hand lets go.  A knob of another schedule
is followed, too: what its values change is had from the data route when the hand comes near.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.schedules import SCHEDULES
from diffviz.scenes.overlay import STRIP_TIMES, Drawing
from diffviz.ui.parts.curve_figures import Look, look
from diffviz.ui.shell.scripts import component
from diffviz.ui.shell.theme import DARK, LIGHT

_EPS_SCALE = 4096

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Strip:
    """One image and one noise, to be mixed as every schedule says.

    Attributes:
        x_0: (C, H, W) image in [-1, 1]; one channel or three.
        eps: (C, H, W) standard normal noise.
    """

    x_0: Tensor
    eps: Tensor

    def pack(self) -> dict[str, Any]:
        """The image in 8 bits and the noise in 16, for the browser to mix."""
        pixels = np.rint((self.x_0.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8)
        noise = np.rint(self.eps.numpy() * _EPS_SCALE).clip(-32768, 32767).astype("<i2")
        x_0, eps = _text(pixels), _text(noise)
        return {
            "key": hashlib.sha1((x_0 + eps).encode(), usedforsecurity=False).hexdigest(),
            "shape": list(self.x_0.shape),
            "times": list(STRIP_TIMES),
            "x_0": x_0,
            "eps": eps,
            "eps_scale": _EPS_SCALE,
        }


@dataclass(frozen=True)
class Turn:
    """A knob that the plot follows.

    Attributes:
        key: of its widget.
        heard: how many of its reports the page has heard.
        url: where the browser finds what changes, for every value of the knob.
    """

    key: str
    heard: int
    url: str


NO_TURNS: Mapping[str, Turn] = {}


def payload(
    drawing: Drawing,
    *,
    points: Points | None = None,
    strip: Strip | None = None,
    turns: Mapping[str, Turn] = NO_TURNS,
    others: str | None = None,
) -> dict[str, Any]:
    """What the browser is sent, pure; see ``curve`` for the arguments."""
    looks = {name: look(name) for name in (*SCHEDULES, *(line.name for line in drawing.lines))}
    return drawing.parts(drawing.lines) | {
        "looks": {name: _look(each) for name, each in looks.items()},
        "points": [list(point) for point in points] if points is not None else None,
        "strip": strip.pack() if strip is not None else None,
        "turns": {name: asdict(turn) for name, turn in turns.items()},
        "others": others,
    }


def curve(
    drawing: Drawing,
    *,
    key: str,
    points: Points | None = None,
    strip: Strip | None = None,
    turns: Mapping[str, Turn] = NO_TURNS,
    others: str | None = None,
    on_points: Callable[[Any], None] | None = None,
) -> None:
    """Mount the plot.

    Args:
        drawing: the lines, the axis and a sampler's stops; the line named "custom" follows the
            points.
        key: one name per plot on a page.
        points: control points (t, alpha-bar) of the custom schedule, or None without one.
        strip: the image shown under every schedule, or None.
        turns: the knobs that the plot follows, by name.
        others: where the browser finds all schedules, to show the one whose name the hand is on.
        on_points: called with the new points, unchecked as the browser sent them, when the hand
            has let go of one; the script runs again after it.
    """

    def report() -> None:
        told = (st.session_state.get(key) or {}).get("points")
        if told is not None and on_points is not None:
            on_points(told)

    component("curve")(
        key=key,
        data=payload(drawing, points=points, strip=strip, turns=turns, others=others),
        on_points_change=report,
    )


def _look(of: Look) -> dict[str, Any]:
    return {
        "colors": [of.light, of.dark],
        "inks": [LIGHT.ink(of.light), DARK.ink(of.dark)],
        "dash": of.dash,
    }


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
