"""Demonstrates the player's 1-D and image panels, its rail and its step line, one a page.

``?demo=`` chooses one of ``DEMOS``.  Real data throughout: scikit-learn's digits and photographs, a
1-D mixture with its exact density, and the linear schedule of Ho et al. 2020 (T = 1000, beta from
1e-4 to 0.02).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from diffviz.data.pictures import labelled_images
from diffviz.data.points import labelled
from diffviz.scenes.buffer import Clock, Images, Lines, Mix, Points, Rail, encode
from diffviz.scenes.buffer.rail import Curve, Histogram, StepFormula, Term
from diffviz.ui.parts.player import player

Array = NDArray[np.float64]

T = 1000
BETAS = np.linspace(1e-4, 0.02, T)
ALPHA = np.concatenate([[1.0], np.sqrt(np.cumprod(1 - BETAS))])
SIGMA = np.sqrt(1 - ALPHA**2)

WEIGHTS = np.array([0.3, 0.45, 0.25])
MEANS = np.array([-1.5, 0.25, 1.6])
STDS = np.array([0.16, 0.3, 0.12])

QS = (np.arange(1000) + 0.5) / 1000


def clock(steps: Array, direction: str, evaluations: Array | None = None) -> Clock:
    """A clock that shows the given steps k of 0..T."""
    curve = np.arange(1, T + 1)
    return Clock(
        steps / T,
        ALPHA[steps],
        SIGMA[steps],
        curve / T,
        2 * np.log(ALPHA[curve] / SIGMA[curve]),
        direction=direction,
        evaluations=evaluations,
    )


def forward_steps(frames: int) -> Array:
    """Evenly spaced steps from 0 to T."""
    return np.linspace(0, T, frames).round().astype(int)


def mixture_density(times: Array, grid: Array) -> Array:
    """p_t(x) of the 1-D mixture at the steps ``times`` (M,) and the positions ``grid`` (R,)."""
    means = ALPHA[times][:, None] * MEANS
    stds = np.sqrt((ALPHA[times][:, None] * STDS) ** 2 + SIGMA[times][:, None] ** 2)
    z = (grid[None, None] - means[..., None]) / stds[..., None]
    pdf = np.exp(-0.5 * z**2) / (stds[..., None] * np.sqrt(2 * np.pi))
    return (WEIGHTS[:, None] * pdf).sum(axis=1)


def mixture_x_0(x_t: Array, k: int) -> Array:
    """E[x_0 | x_t] of the 1-D mixture."""
    a, s = ALPHA[k], SIGMA[k]
    var = (a * STDS) ** 2 + s**2
    log_w = np.log(WEIGHTS) - 0.5 * np.log(var) - 0.5 * (x_t[:, None] - a * MEANS) ** 2 / var
    w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    w /= w.sum(axis=1, keepdims=True)
    return (w * (MEANS + a * STDS**2 / var * (x_t[:, None] - a * MEANS))).sum(axis=1)


def empirical_x_0(x_t: Array, k: int, data: Array) -> Array:
    """E[x_0 | x_t] when the data are the rows of ``data`` and nothing else."""
    a, s = ALPHA[k], SIGMA[k]
    distance = ((x_t[:, None] - a * data[None]) ** 2).sum(axis=-1)
    log_w = -0.5 * distance / s**2
    w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    return (w / w.sum(axis=1, keepdims=True)) @ data


def ddpm(
    x: Array, denoise: Callable[[Array, int], Array], steps: Array, eta: float = 1.0
) -> dict[str, Array]:
    """DDIM with noise eta (Song et al. 2021, eq. 12 and 16); coefficients and states per step."""
    rng = np.random.default_rng(7)
    xs, x_0s, epss, coefficients = [x], [], [], []
    for k, j in itertools.pairwise(steps):
        x_0 = denoise(x, k)
        eps = (x - ALPHA[k] * x_0) / SIGMA[k]
        noise = eta * SIGMA[j] / SIGMA[k] * np.sqrt(max(1 - (ALPHA[k] / ALPHA[j]) ** 2, 0))
        row = (ALPHA[j], np.sqrt(max(SIGMA[j] ** 2 - noise**2, 0)), noise)
        x = row[0] * x_0 + row[1] * eps + row[2] * rng.standard_normal(x.shape)
        xs.append(x)
        x_0s.append(x_0)
        epss.append(eps)
        coefficients.append(row)
    return {
        "x_t": np.stack(xs),
        "x_0": np.stack([*x_0s, xs[-1]]),
        "eps": np.stack([*epss, np.zeros_like(xs[-1])]),
        "coefficients": np.array(coefficients),
    }


def step_formula(coefficients: Array) -> StepFormula:
    """x_s = a x_0 + b eps + c z with the coefficients of a run."""
    a, b, c = coefficients.T
    return StepFormula(
        "x_s",
        [
            Term("x^_0", a, "x_0", words="predicted clean sample"),
            Term("eps^", b, "eps", words="predicted noise"),
            Term("z", c, "z", words="fresh noise added by the sampler"),
        ],
        words="the next, less noisy sample",
    )


def lines_forward() -> bytes:
    """1-D, data to noise, one noising at a time."""
    rng = np.random.default_rng(0)
    steps = forward_steps(201)
    which = rng.choice(3, 1000, p=WEIGHTS)
    x = MEANS[which] + STDS[which] * rng.standard_normal(1000)
    data, path = x.copy(), [x]
    for k, j in itertools.pairwise(steps):
        ratio = ALPHA[j] / ALPHA[k]
        x = ratio * x + np.sqrt(SIGMA[j] ** 2 - (ratio * SIGMA[k]) ** 2) * rng.standard_normal(1000)
        path.append(x)
    times = np.linspace(0, T, 161).round().astype(int)
    grid = np.linspace(-3.2, 3.2, 240)
    panel = Lines(
        "Mixture of three Gaussians",
        np.stack(path),
        mixture_density(times, grid),
        times / T,
        (-3.2, 3.2),
        badge="exact",
        data=data,
    )
    beta = np.concatenate([[0.0], BETAS])[steps]
    return encode(clock(steps, "forward"), [panel], Rail(Histogram(), beta=beta))


def lines_reverse() -> bytes:
    """1-D, noise to data, DDIM with the exact denoiser."""
    rng = np.random.default_rng(1)
    steps = forward_steps(51)[::-1]
    run = ddpm(rng.standard_normal(400), mixture_x_0, steps, eta=0.0)
    times = np.linspace(0, T, 161).round().astype(int)
    grid = np.linspace(-3.2, 3.2, 240)
    panel = Lines(
        "DDIM, 50 steps",
        run["x_t"],
        mixture_density(times, grid),
        times / T,
        (-3.2, 3.2),
        badge="exact",
        x_0=run["x_0"],
    )
    spread = np.abs(np.sort(run["x_t"], axis=1) - np.sort(run["x_t"][-1])).mean(axis=1) + 0.011
    rail = Rail(
        Histogram(),
        distance=Curve(spread, "Distance to the data", 0.01, "another sample of the data"),
        step=step_formula(run["coefficients"]),
    )
    return encode(clock(steps, "reverse", np.arange(51)), [panel], rail)


def points_reverse() -> bytes:
    """2-D, noise to data: the rail beside a cloud."""
    rng = np.random.default_rng(2)
    data = labelled("moons", 200, 0)[0].double().numpy()
    steps = forward_steps(51)[::-1]
    start = rng.standard_normal((1000, 2))
    run = ddpm(start, lambda x, k: empirical_x_0(x, k, data), steps)
    panel = Points("DDPM, 50 steps", run["x_t"], (-3, 3), badge="exact", x_0=run["x_0"], data=data)
    gap = [np.abs(np.sort(x[:, 0]) - np.quantile(data[:, 0], QS)).mean() for x in run["x_t"]]
    rail = Rail(
        Histogram(),
        distance=Curve(gap, "Distance to the data", 0.004, "another sample"),
        step=step_formula(run["coefficients"]),
    )
    return encode(clock(steps, "reverse", np.arange(51)), [panel], rail)


def digits() -> tuple[Array, Array]:
    """Scikit-learn's digits as (N, 1, 8, 8) in [-1, 1], and their labels."""
    images, labels = labelled_images("digits", 1797, 0)
    return images.double().numpy(), labels.numpy()


def images_reverse() -> bytes:
    """Digits from noise with the exact denoiser of the data set."""
    images, _ = digits()
    flat = images.reshape(len(images), -1)
    steps = forward_steps(51)[::-1]
    start = np.random.default_rng(3).standard_normal((16, 64))
    run = ddpm(start, lambda x, k: empirical_x_0(x, k, flat), steps)
    shaped = {role: run[role].reshape(51, 16, 1, 8, 8) for role in ("x_t", "x_0", "eps")}
    panel = Images("Digits, DDPM, 50 steps", badge="exact", **shaped)
    nearest = [
        np.sqrt(((x[:, None] - flat[None]) ** 2).mean(axis=-1).min(axis=1)).mean() + 1e-4
        for x in run["x_t"]
    ]
    rail = Rail(
        Histogram(limits=(-4, 4)),
        distance=Curve(nearest, "Distance to the nearest digit"),
        step=step_formula(run["coefficients"]),
    )
    return encode(clock(steps, "reverse", np.arange(51)), [panel], rail)


def mix_step(steps: Array) -> StepFormula:
    """x_t = alpha x_0 + sigma eps at every frame."""
    return StepFormula("x_t", [Term("x_0", ALPHA[steps], "x_0"), Term("eps", SIGMA[steps], "eps")])


def mix_digits() -> bytes:
    """Twelve digits noised in the browser."""
    images, labels = digits()
    steps = forward_steps(101)
    eps = np.random.default_rng(4).standard_normal((12, 1, 8, 8))
    panel = Mix("Handwritten digits", images[:12], eps, labels=list(labels[:12]))
    rail = Rail(Histogram(), beta=np.concatenate([[0.0], BETAS])[steps], step=mix_step(steps))
    return encode(clock(steps, "forward"), [panel], rail)


def mix_photo() -> bytes:
    """A photograph of 256 x 256 in color noised in the browser."""
    from sklearn.datasets import load_sample_image  # slow to import

    photo = load_sample_image("china.jpg")[60:316, 200:456].transpose(2, 0, 1)[None]
    steps = forward_steps(101)
    eps = np.random.default_rng(5).standard_normal(photo.shape)
    panel = Mix("Summer Palace", photo / 127.5 - 1.0, eps)
    return encode(clock(steps, "forward"), [panel], Rail(Histogram(), step=mix_step(steps)))


def single_frame() -> bytes:
    """A run of one frame in every kind of panel."""
    images, _ = digits()
    steps = np.array([500])
    grid = np.linspace(-3, 3, 60)
    eps = np.random.default_rng(6).standard_normal((2, 1, 8, 8))
    x_t = ALPHA[500] * images[:2] + SIGMA[500] * eps
    panels = [
        Lines("1-D", [[0.1, -0.4]], mixture_density(np.array([0, T]), grid), [0, 1], data=[0.2]),
        Images("Run", x_t[None], images[None, :2], eps[None]),
        Mix("Mix", images[:2], eps),
    ]
    rail = Rail(Histogram(panel=2), distance=Curve([0.3], "Distance"), step=mix_step(steps))
    return encode(clock(steps, "forward"), panels, rail)


DEMOS: dict[str, Callable[[], bytes]] = {
    "lines_forward": lines_forward,
    "lines_reverse": lines_reverse,
    "points_reverse": points_reverse,
    "images_reverse": images_reverse,
    "mix_digits": mix_digits,
    "mix_photo": mix_photo,
    "single_frame": single_frame,
}


@st.cache_data(max_entries=len(DEMOS))
def packed(name: str) -> bytes:
    """The buffer of one demonstration."""
    return DEMOS[name]()


def main() -> None:
    """Mount the demonstration that the address asks for."""
    st.set_page_config(layout="wide")
    name = st.query_params.get("demo", "lines_forward")
    result = player(packed(name), key="panels", autoplay=False)
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.caption(f"runs {st.session_state['runs']} step {result.step} follow {result.follow}")


if __name__ == "__main__":
    main()
