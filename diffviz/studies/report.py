"""What the card of a trained denoiser of points says: how well it draws, each figure by its floor.

    python -m diffviz report moons spiral    # measure models that ship, beside what their cards say
    python -m diffviz report --write         # all of them, and put the figures on the cards

Samples by Heun's method are held against new draws of the data, and the likelihood of new points is
found by the probability-flow ODE.  Beside each distance stands what two new draws of the data
measure (the floor) and what independent points of the training set do, which is what a perfect
model would score.  The two differ where a set spreads its points more evenly than chance does, as
moons do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TypeAlias

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.distributions import GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.likelihood import likelihood
from diffviz.core.run import Plan
from diffviz.core.samplers import Heun
from diffviz.core.schedules import Schedule
from diffviz.data.points import DATASETS, MIXTURES, labelled
from diffviz.measures.metrics import energy_distance, mmd, sliced_wasserstein
from diffviz.models.checkpoints import load, write_card
from diffviz.models.pretrained import FOLDER, PRETRAINED
from diffviz.studies.command import Command, progress
from diffviz.tools.slices import finish, quietly

__all__ = ["POINTS", "figures_of", "main", "report"]

POINTS = 50_000
"""How many points each model that ships is trained on."""

Draw: TypeAlias = Callable[[int, int], Tensor]
Figures: TypeAlias = dict[str, list[float]]

_SAMPLES, _STEPS, _PARTS = 2000, 40, 5
_FRESH_SEED, _LIKELY_SEED, _CHOSEN_SEED = 1000, 2000, 3000
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
    fresh, other = (draw(_SAMPLES, _FRESH_SEED + 2 * k + j) for j in (0, 1))
    grid = make_grid(schedule, _STEPS, "karras")
    plan = Plan(denoiser, schedule, Heun(), grid, fresh.shape[1:], len(fresh), k)
    for state in quietly(plan.states(plan.start().to(fresh))):
        x = state.x_t
        yield
    compared = {"": x.nan_to_num(0.0), "_floor": other}
    if training is not None:
        generator = torch.Generator().manual_seed(_CHOSEN_SEED + k)
        chosen = torch.randint(len(training), (_SAMPLES,), generator=generator)
        compared["_independent"] = training[chosen]
    for name, distance in _DISTANCES.items():
        for end, points in compared.items():
            found.setdefault(name + end, []).append(float(distance(points, fresh)))
            yield


def figures_of(name: str, denoiser: Denoiser, schedule: Schedule) -> dict[str, float]:
    """Measure a denoiser that was trained on ``POINTS`` points of a built-in set.

    Args:
        name: a key of ``DATASETS``.
        denoiser: the model, on the path.
        schedule: the path.

    Returns:
        The figures of ``report``.
    """
    training = labelled(name, POINTS, seed=0)[0]
    density = GaussianMixture(*MIXTURES[name]()) if name in MIXTURES else None
    work = report(denoiser, schedule, DATASETS[name], density=density, training=training)
    with progress(f"{name}, measured", 100, "%") as bar:
        return finish(work, lambda share: bar.update(int(100 * share) - bar.n))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = Command(prog="python -m diffviz report", description=__doc__)
    parser.add_names(PRETRAINED)
    parser.add_argument(
        "--from",
        type=Path,
        default=FOLDER,
        dest="folder",
        metavar="FOLDER",
        help="where the models lie",
    )
    parser.add_argument("--write", action="store_true", help="put the figures on the cards")
    parser.add_threads(1)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    with parser.one_line():
        for name in asked.names:
            found = load(asked.folder / name)
            figures = figures_of(name, found.denoiser, found.denoiser.schedule)
            for key, value in figures.items():
                before = found.card.metrics.get(key, math.nan)
                print(f"{name:16} {key:30} {value:<10g} on the card: {before:g}", flush=True)
            if asked.write:
                card = replace(found.card, metrics={**found.card.metrics, **figures})
                write_card(asked.folder / name, card)


if __name__ == "__main__":
    main()
