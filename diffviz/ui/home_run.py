"""What the front page shows: a word that dissolves and comes back, and a picture for each page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.denoisers import Exact
from diffviz.distributions import Empirical
from diffviz.noising import jump
from diffviz.samplers import DDIM
from diffviz.schedules import SCHEDULES, Cosine
from diffviz.ui import stage
from diffviz.ui.caching import cached
from diffviz.ui.configs import DataConfig
from diffviz.ui.player import Clock, Points, encode
from diffviz.ui.theme import Palette

__all__ = ["forward_picture", "reverse_picture", "schedules_picture", "there_and_back"]

Floats: TypeAlias = NDArray[np.floating[Any]]

WORD = DataConfig("text", 2000, 0, "diffviz")
LIMITS = ((-2.5, -2.1), (2.5, 2.1))
_FRAMES = 38  # each way
_SMALL = DataConfig("moons", 260)
_STOPS = (0.0, 0.12, 0.35, 1.0)
_DRAWN = ("linear", "scaled_linear", "cosine", "rectified_flow")
_CELL, _GAP = 76, 8


@cached(max_entries=2)
@torch.inference_mode()
def there_and_back() -> bytes:
    """Return the player's buffer: noise comes in by jumps and is undone by an exact denoiser."""
    schedule, x_0 = Cosine(), WORD.load()
    generator = torch.Generator().manual_seed(0)
    t = torch.linspace(0, 1, _FRAMES + 1, dtype=torch.float64) ** 1.6
    t = torch.unique((t * schedule.T).round()) / schedule.T
    eps = torch.randn(x_0.shape, generator=generator)
    out = [jump(schedule, x_0, time, eps) for time in t.tolist()]
    states = DDIM().iterate(Exact(Empirical(x_0), schedule), schedule, t.flip(0), out[-1])
    back = [state.x_t for state in states]
    times = torch.cat([t, t.flip(0)[1:]])
    alpha, sigma = schedule(times)
    curve = stage.clock(schedule, times, forward=True)
    clock = Clock(
        times.numpy(),
        alpha.numpy(),
        sigma.numpy(),
        curve.curve_t,
        curve.curve_log_snr,
        direction="forward",
        start="data",
        end="data again",
    )
    x_t = torch.stack(out + back[1:]).numpy()
    panel = Points("", x_t, LIMITS, on=("points",))
    return encode(clock, [panel], title="A word turns into noise and back")


@cached(max_entries=4)
@torch.inference_mode()
def _small(reverse: bool) -> Floats:
    """Moons at four times, (4, N, 2): by a jump each, or by an exact run backwards."""
    schedule, x_0 = Cosine(), _SMALL.load()
    generator = torch.Generator().manual_seed(1)
    if not reverse:
        eps = torch.randn(x_0.shape, generator=generator)
        return torch.stack([jump(schedule, x_0, t, eps) for t in _STOPS]).numpy()
    grid = torch.linspace(1, 0, 41, dtype=torch.float64)
    x_1 = torch.randn(x_0.shape, generator=generator)
    source = Empirical(DataConfig("moons", 1000, 1).load())
    states = list(DDIM().iterate(Exact(source, schedule), schedule, grid, x_1, generator))
    return torch.stack([_at(states, t) for t in reversed(_STOPS)]).numpy()


def _at(states: Sequence[Any], t: float) -> Tensor:
    nearest: Tensor = min(states, key=lambda state: abs(state.t - t)).x_t
    return nearest


def forward_picture(colors: Palette) -> str:
    """Data turning into noise, four moments, as an HTML image."""
    return _strip(_small(reverse=False), _STOPS, colors)


def reverse_picture(colors: Palette) -> str:
    """Noise turning into data, four moments, as an HTML image."""
    return _strip(_small(reverse=True), _STOPS[::-1], colors)


def schedules_picture(colors: Palette) -> str:
    """alpha^2 over time under four schedules, as an HTML image."""
    width, height = 4 * _CELL + 3 * _GAP, _CELL
    t = torch.linspace(0, 1, 81, dtype=torch.float64)
    lines = []
    for name, color in zip(_DRAWN, colors.classes, strict=False):
        kept = SCHEDULES[name]()(t)[0] ** 2
        places = " ".join(
            f"{2 + u * (width - 4):.1f},{4 + (1 - a) * (height - 8):.1f}"
            for u, a in zip(t.tolist(), kept.tolist(), strict=True)
        )
        lines.append(
            f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="2.2"/>'
        )
    floor = f'<path d="M2 {height - 4}H{width - 2}" stroke="{colors.grid}"/>'
    return _image(floor + "".join(lines), width, height, "Four noise schedules as curves")


def _strip(x: Floats, times: Sequence[float], colors: Palette) -> str:
    cells = []
    for k, (points, t) in enumerate(zip(x, times, strict=True)):
        noise = float(Cosine()(t)[1]) ** 2
        left, scale = k * (_CELL + _GAP), _CELL / 5.6
        dots = "".join(
            f'<circle cx="{left + _CELL / 2 + scale * x:.1f}" cy="{_CELL / 2 - scale * y:.1f}"/>'
            for x, y in points.tolist()
            if max(abs(x), abs(y)) < 2.7
        )
        fill = _mixed(colors.data, colors.noise, noise)
        cells.append(
            f'<rect x="{left + 0.5}" y="0.5" width="{_CELL - 1}" height="{_CELL - 1}" rx="6" '
            f'fill="none" stroke="{colors.grid}"/><g fill="{fill}" class="dots">{dots}</g>'
        )
    words = "Points turn into noise" if times[0] == 0 else "Noise turns into points"
    return _image("".join(cells), 4 * _CELL + 3 * _GAP, _CELL, words)


def _mixed(clean: str, noisy: str, share: float) -> str:
    parts = (
        round((1 - share) * int(clean[i : i + 2], 16) + share * int(noisy[i : i + 2], 16))
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in parts)


def _image(content: str, width: int, height: int, words: str) -> str:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}"><style>.dots circle {{r: 1.25px}}</style>{content}</svg>'
    )
    data = base64.b64encode(svg.encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{words}">'
