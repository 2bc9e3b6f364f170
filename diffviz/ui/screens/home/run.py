"""What the front page shows: a word that dissolves and comes back, and a picture for each page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser, Exact, Guided
from diffviz.core.distributions import Empirical
from diffviz.core.grids import make_grid
from diffviz.core.noising import Noise, jump
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import DDIM, DDPM, DPMpp2M, Heun, Sampler
from diffviz.core.schedules import SCHEDULES, Cosine
from diffviz.scenes import models, picture_sets, scene
from diffviz.scenes.buffer import Clock, Points, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.configs import DataConfig, SamplerConfig
from diffviz.scenes.drawing import seven
from diffviz.scenes.edit_run import EditRun, levels_of
from diffviz.scenes.picture_run import GenerateRun
from diffviz.scenes.pngs import strip_uri
from diffviz.ui.shell.theme import Palette

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
    plan = Plan(Exact(Empirical(x_0), schedule), schedule, DDIM(), t.flip(0), (2,), len(x_0))
    back = simulate(plan, x_1=out[-1]).x_t
    times = torch.cat([t, t.flip(0)[1:]])
    alpha, sigma = schedule(times)
    curve = scene.clock(schedule, times, forward=True)
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
    x_t = torch.cat([torch.stack(out), back[1:]]).numpy()
    panel = Points("", x_t, LIMITS, on=("points",))
    return encode(clock, [panel], title="A word turns into noise and back")


@cached(max_entries=4)
@torch.inference_mode()
def _small(reverse: bool) -> Floats:
    """Moons at four times, (4, N, 2): by a jump each, or by an exact run backwards."""
    schedule = Cosine()
    if not reverse:
        x_0 = _SMALL.load()
        eps = Noise(1).like(x_0)
        return torch.stack([jump(schedule, x_0, t, eps) for t in _STOPS]).numpy()
    grid = torch.linspace(1, 0, 41, dtype=torch.float64)
    source = Empirical(DataConfig("moons", 1000, 1).load())
    run = simulate(_plan(Exact(source, schedule), DDIM(), grid))
    shown = [int((run.t - t).abs().argmin()) for t in reversed(_STOPS)]
    return run.x_t[shown].numpy()


def _plan(denoiser: Denoiser, sampler: Sampler, grid: Tensor) -> Plan:
    """A run on the cosine path to as many points as a picture here shows, always of one seed."""
    return Plan(denoiser, Cosine(), sampler, grid, (2,), _SMALL.n, seed=1)


def _ends(plans: Iterable[Plan]) -> Floats:
    """Where the runs of four plans end, (4, N, 2)."""
    return torch.cat([simulate(plan, 1).x_t for plan in plans]).numpy()


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


@cached(max_entries=1)
@torch.inference_mode()
def _learned() -> Floats:
    """Moons that the shipped network draws in 4, 6, 10 and 40 evaluations, (4, N, 2)."""
    schedule = Cosine()
    denoiser = models.denoiser(models.ModelConfig("shipped", "moons"), schedule)
    grids = [make_grid(schedule, steps, "log_snr") for steps in (4, 6, 10, 40)]
    return _ends(_plan(denoiser, DDIM(), grid) for grid in grids)


@cached(max_entries=1)
@torch.inference_mode()
def _guided() -> Floats:
    """Two moons, the upper one asked for with growing guidance scales, (4, N, 2)."""
    schedule, source = Cosine(), Empirical(*DataConfig("moons", 1000, 1).labelled())
    grid = make_grid(schedule, 20, "log_snr")
    guided = [Guided(Exact(source, schedule), w) for w in (0.0, 1.0, 4.0, 8.0)]
    return _ends(_plan(Conditioned(each, label=0), DDIM(), grid) for each in guided)


@cached(max_entries=1)
@torch.inference_mode()
def _raced() -> Floats:
    """A spiral after ten evaluations by four samplers, (4, N, 2)."""
    schedule = Cosine()
    exact = Exact(Empirical(DataConfig("spiral", 1000, 1).load()), schedule)
    racers = ((DDPM(), 10), (DDIM(), 10), (Heun(), 5), (DPMpp2M(), 10))
    return _ends(_plan(exact, who, make_grid(schedule, n, "log_snr")) for who, n in racers)


def training_picture(colors: Palette) -> str:
    """What a trained network draws with more and more evaluations, as an HTML image."""
    return _cells(_learned(), [colors.learned] * 4, colors, "A network draws two moons")


def guidance_picture(colors: Palette) -> str:
    """One class of two asked for, four scales, as an HTML image."""
    return _cells(_guided(), [colors.classes[0]] * 4, colors, "One class is asked for, ever harder")


def arena_picture(colors: Palette) -> str:
    """Four samplers after ten evaluations, as an HTML image."""
    return _cells(_raced(), [colors.exact] * 4, colors, "Four samplers after ten network calls")


@cached(max_entries=2)
def _drawn(edit: bool) -> Floats:
    """A digit on its way from noise, or a 7 redrawn from more and more noise, (4, 1, H, W)."""
    base = GenerateRun(classes=(2,), sampler=SamplerConfig("dpmpp_2m", 12, "log_snr"), count=1)
    if not edit:
        x_t = simulate(base.plan()).x_t[:, 0].numpy()
        return x_t[[0, 4, 7, -1]]
    return levels_of(EditRun(replace(base, classes=(3,)), seven()), (0.0, 0.4, 0.6, 0.8))


def generate_picture(colors: Palette) -> str:
    """Noise turning into a digit, four moments, as an HTML image."""
    return _pixels(edit=False, words="Noise turns into a digit")


def edit_picture(colors: Palette) -> str:
    """A drawn 7 turning into a 3, as HTML image."""
    return _pixels(edit=True, words="A drawn 7 is redrawn as a 3")


def _pixels(*, edit: bool, words: str) -> str:
    if "mnist" not in picture_sets.ready():
        return ""
    return f'<img src="{strip_uri(_drawn(edit), _CELL, _GAP)}" alt="{words}">'


def _strip(x: Floats, times: Sequence[float], colors: Palette) -> str:
    fills = [_mixed(colors.data, colors.noise, float(Cosine()(t)[1]) ** 2) for t in times]
    words = "Points turn into noise" if times[0] == 0 else "Noise turns into points"
    return _cells(x, fills, colors, words)


def _cells(x: Floats, fills: Sequence[str], colors: Palette, words: str) -> str:
    """Four clouds of points side by side, each in its color."""
    cells = []
    for k, (points, fill) in enumerate(zip(x, fills, strict=True)):
        left, scale = k * (_CELL + _GAP), _CELL / 5.6
        dots = "".join(
            f'<circle cx="{left + _CELL / 2 + scale * x:.1f}" cy="{_CELL / 2 - scale * y:.1f}"/>'
            for x, y in points.tolist()
            if max(abs(x), abs(y)) < 2.7
        )
        cells.append(
            f'<rect x="{left + 0.5}" y="0.5" width="{_CELL - 1}" height="{_CELL - 1}" rx="6" '
            f'fill="none" stroke="{colors.grid}"/><g fill="{fill}" class="dots">{dots}</g>'
        )
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


PICTURES: Mapping[str, Callable[[Palette], str]] = {
    "forward": forward_picture,
    "schedules": schedules_picture,
    "reverse": reverse_picture,
    "training": training_picture,
    "guidance": guidance_picture,
    "arena": arena_picture,
    "images": generate_picture,
    "edit": edit_picture,
}
"""The pictures on the cards, by their pages."""
