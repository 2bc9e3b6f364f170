"""A page with one player, for browser tests and the benchmark.

The URL chooses what it shows: ``points``, ``frames``, ``panels`` (1 to 4), ``direction``, ``seed``,
``step``; 0 or 1: ``layers``, ``rail``, ``autoplay``, ``loop``, ``movable``; ``bad=1``
names bytes that are no run, ``bad=2`` a run that is not there.  The data are two moons and noise,
x_t = alpha x_0 + sigma eps.
"""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from diffviz.scenes.buffer import (
    Clock,
    Curve,
    Histogram,
    Points,
    Rail,
    StepFormula,
    Term,
    encode,
)
from diffviz.ui.parts import player as ui
from diffviz.ui.shell import own
from diffviz.ui.shell.scripts import component

Array = NDArray[np.float64]


def moons(n: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
    """Two interleaved half circles, mean 0 and about unit variance, and which is which."""
    label = rng.integers(0, 2, n)
    angle = rng.uniform(0, np.pi, n)
    x = np.where(label == 0, np.cos(angle), 1 - np.cos(angle)) - 0.5
    y = np.where(label == 0, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
    points = np.stack([x, y], axis=-1) * 1.45 + 0.07 * rng.normal(size=(n, 2))
    return points, label


def schedule(t: Array) -> tuple[Array, Array]:
    """Alpha and sigma of the variance-preserving schedule with beta from 0.1 to 20."""
    alpha = np.exp(-0.25 * t**2 * 19.9 - 0.05 * t)
    return alpha, np.sqrt(1 - alpha**2)


def density(data: Array, alpha: Array, sigma: Array, size: int, lim: float) -> Array:
    """p_t on a grid: a Gaussian of width sigma_t around each scaled data point."""
    axis = (np.arange(size) + 0.5) / size * 2 * lim - lim
    frames = []
    for a, s in zip(alpha, np.maximum(sigma, 0.12), strict=True):
        near = [np.exp(-0.5 * ((axis[:, None] - a * data[None, :, k]) / s) ** 2) for k in (0, 1)]
        frames.append(near[1] @ near[0].T / (len(data) * 2 * np.pi * s**2))
    return np.stack(frames)


def denoise(x: Array, data: Array, alpha: float, sigma: float) -> Array:
    """The posterior mean over the data points; x has shape (..., 2)."""
    flat = x.reshape(-1, 2)
    distance = ((flat[:, None, :] - alpha * data[None]) ** 2).sum(-1)
    logits = -distance / (2 * max(sigma, 0.05) ** 2)
    weights = np.exp(logits - logits.max(1, keepdims=True))
    mean: Array = (weights / weights.sum(1, keepdims=True)) @ data
    return mean.reshape(x.shape)


def warp(alpha: Array, sigma: Array, lines: int = 21, lim: float = 2.5) -> Array:
    """A square grid shrunk and blurred towards the origin, as a stand-in for a carried grid."""
    axis = np.linspace(-lim, lim, lines)
    grid = np.stack(np.meshgrid(axis, axis), -1)
    twist = np.stack([np.sin(1.5 * grid[..., 1]), np.cos(1.5 * grid[..., 0])], -1)
    carried: Array = alpha[:, None, None, None] * grid + 0.5 * sigma[:, None, None, None] * twist
    return carried


@st.cache_data(max_entries=8, show_spinner=False)
def run(
    n: int,
    frames: int,
    direction: str,
    seed: int,
    panels: int,
    layers: bool,
    movable: bool,
    rail: bool,
) -> bytes:
    """One run as a buffer."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, frames + 1)
    if direction == "reverse":
        t = t[::-1]
    alpha, sigma = schedule(t)
    curve_t = np.linspace(0, 1, 200)
    with np.errstate(divide="ignore"):
        curve = 2 * np.log(np.divide(*schedule(curve_t)))
    clock = Clock(
        t, alpha, sigma, curve_t, curve, "reverse" if direction == "reverse" else "forward"
    )
    x_0, labels = moons(n, rng)
    eps = rng.normal(size=(n, 2))
    x_t = alpha[:, None, None] * x_0 + sigma[:, None, None] * eps
    extra: dict[str, object] = {}
    if layers:
        data, _ = moons(300, rng)
        axis = np.linspace(-3, 3, 21)
        grid = np.stack(np.meshgrid(axis, axis), -1)
        field = np.stack(
            [(a * denoise(grid, data, a, s) - grid) for a, s in zip(alpha, sigma, strict=True)]
        )
        extra = {
            "data": data,
            "field": field,
            "field_label": "Score",
            "density": density(data, alpha, sigma, 64, 3.0),
            "mesh": warp(alpha, sigma),
        }
        if n * frames <= 300_000:
            extra["x_0"] = np.stack(
                [denoise(x, data, a, s) for x, a, s in zip(x_t, alpha, sigma, strict=True)]
            )
    names = ["Exact denoiser", "Learned denoiser", "Data", "Classes"]
    badges = ["exact", "learned", "data", None]
    shown = [
        Points(
            names[i],
            x_t,
            (-3, 3),
            badge=badges[i],
            labels=labels if i == 3 else None,
            movable=movable,
            **extra,
        )
        for i in range(panels)
    ]
    return encode(clock, shown, rail=measures(x_t, alpha, sigma) if rail else None, title="Moons")


def measures(x_t: Array, alpha: Array, sigma: Array) -> Rail:
    """A rail: histogram, numbers, distance of the mean and variance to N(0, 1), and the step."""
    gap = np.abs(x_t.mean(1)).sum(-1) + np.abs(x_t.var(1) - 1).sum(-1)
    step = StepFormula(
        "x_t", [Term("x_0", alpha, "x_0", "data"), Term("eps", sigma, "eps", "noise")]
    )
    return Rail(Histogram(), distance=Curve(gap, "Distance to N(0, 1)"), step=step)


def main() -> None:
    """Show what the URL asks for."""
    st.set_page_config(layout="wide")
    query = st.query_params
    number = lambda name, usual: int(query.get(name, usual))  # noqa: E731
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    if query.get("bad"):
        own.hold("bad", "bad1", b"this is not a run")
        component("player")(key="bad", data={"url": f"/run/own/bad{query['bad']}"})
        return
    seed = st.number_input("Seed", value=number("seed", 0), step=1, key="seed_input")
    buffer = run(
        number("points", 500),
        number("frames", 50),
        query.get("direction", "reverse"),
        int(seed),
        number("panels", 1),
        bool(number("layers", 0)),
        bool(number("movable", 0)),
        bool(number("rail", 0)),
    )
    step = int(query["step"]) if "step" in query else None
    result = ui.player(
        buffer,
        key="run",
        step=step,
        autoplay=bool(number("autoplay", 1)),
        loop=bool(number("loop", 0)),
    )
    moved = result.moved
    at = f"{moved.index} {moved.x:.2f} {moved.y:.2f}" if moved else "none"
    st.markdown(
        f"reruns {st.session_state['runs']} | step {result.step} | "
        f"follow {result.follow} | moved {at} | layers {result.layers} | bytes {len(buffer)}"
    )


main()
