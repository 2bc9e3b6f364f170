"""What the card of a trained denoiser of points says: how well it draws, each figure by its floor.

Samples by Heun's method are held against new draws of the data, and the likelihood of new points is
found by the probability-flow ODE.  The work comes in slices of some 0.1 s (see ``slices``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from statistics import fmean
from typing import TypeAlias

import torch
from torch import Tensor

from diffviz.denoisers import Denoiser
from diffviz.distributions import GaussianMixture
from diffviz.grids import make_grid
from diffviz.likelihood import likelihood
from diffviz.metrics import energy_distance, mmd, sliced_wasserstein
from diffviz.samplers import Heun
from diffviz.schedules import Schedule
from diffviz.slices import quietly

__all__ = ["report"]

Draw: TypeAlias = Callable[[int, int], Tensor]
Figures: TypeAlias = dict[str, list[float]]

_SAMPLES, _STEPS, _PARTS = 2000, 40, 5
_FRESH_SEED, _LIKELY_SEED = 1000, 2000
_DISTANCES = {
    "sliced_wasserstein": sliced_wasserstein,
    "energy_distance": energy_distance,
    "mmd": mmd,
}


def report(
    denoiser: Denoiser,
    schedule: Schedule,
    draw: Draw,
    *,
    density: GaussianMixture | None = None,
    training: Tensor | None = None,
    draws: int = 5,
    likely: int = 500,
    likely_steps: int = 64,
) -> Generator[float, None, dict[str, float]]:
    """Measure a denoiser of points.

    Args:
        denoiser: the model, on the path.
        schedule: the path.
        draw: (n, seed) to fresh points (n, D) of the data.
        density: the data's own, float64, where it is known.
        training: (N, D) points of the training set, for what a perfect model would score.
        draws: how many times samples are drawn and compared.
        likely: fresh points whose likelihood is measured.
        likely_steps: of the ODE.

    Yields:
        The share that is done.

    Returns:
        ``sliced_wasserstein``, ``energy_distance`` and ``mmd`` of 2,000 samples (Heun, 40 steps) to
        2,000 fresh points, means over the draws; the same with ``_floor`` between two fresh draws
        and, with ``training``, with ``_independent`` for points of it; ``nll`` in nats of fresh
        points, where it is finite, and ``nll_exact`` with ``density``.
    """
    found: Figures = {}
    references = 2 if training is None else 3
    parts = min(_PARTS, likely)
    whole = draws * (_STEPS + 1 + references * len(_DISTANCES)) + parts

    def work() -> Iterator[None]:
        for k in range(draws):
            yield from _distances(denoiser, schedule, draw, training, k, found)
        points = draw(likely, _LIKELY_SEED)
        if density is not None:
            found["nll_exact"] = (-density.log_prob(points.double())).tolist()
        for part in points.tensor_split(parts):
            nats = likelihood(denoiser, schedule, part, likely_steps).nats
            found.setdefault("nll", []).extend(nats.tolist())
            yield

    for done, _ in enumerate(work(), 1):
        yield done / whole
    means = {key: fmean(values) for key, values in found.items()}
    return {key: round(mean, 5) for key, mean in means.items() if math.isfinite(mean)}


def _distances(
    denoiser: Denoiser,
    schedule: Schedule,
    draw: Draw,
    training: Tensor | None,
    k: int,
    found: Figures,
) -> Iterator[None]:
    """Draw samples for the k-th time and add their distances to what was found."""
    generator = torch.Generator().manual_seed(k)
    fresh, other = (draw(_SAMPLES, _FRESH_SEED + 2 * k + j) for j in (0, 1))
    x_1 = schedule.prior_std() * torch.randn(fresh.shape, generator=generator)
    grid = make_grid(schedule, _STEPS, "karras")
    for state in quietly(Heun().iterate(denoiser, schedule, grid, x_1)):
        x = state.x_t
        yield
    compared = {"": x.nan_to_num(0.0), "_floor": other}
    if training is not None:
        chosen = torch.randint(len(training), (_SAMPLES,), generator=generator)
        compared["_independent"] = training[chosen]
    for name, distance in _DISTANCES.items():
        for end, points in compared.items():
            found.setdefault(name + end, []).append(float(distance(points, fresh)))
            yield
