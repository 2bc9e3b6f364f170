"""What a network learns in a few seconds, from scratch.

1. Four data sets, one network each, at most five seconds of training.  Sliced Wasserstein-2 of
   2,000 samples of the model (Heun, 40 steps) to 2,000 fresh points of the data, over the floor:
   the same between two fresh draws of 2,000 points.  All are means over ten draws.  What a perfect
   model would score, 2,000 independent points of a large draw, stands beside it: moons are drawn
   evenly along their arcs, so independent points score far above that floor.
2. The learned score of a Gaussian mixture against the exact one while training goes on: the mean
   squared error of sigma times the score, per coordinate, by noise level.

Torch is held to one thread, as in the app, where two such jobs may run on two cores: matrices this
small gain little from a second.

Usage: python benchmarks/training.py [threads]
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import Heun
from diffviz.core.schedules import EDM
from diffviz.data.points import DATASETS
from diffviz.measures.metrics import sliced_wasserstein
from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.training import TrainConfig, Trainer

SETS = ("moons", "eight_gaussians", "spiral", "checkerboard")
POINTS = 50_000
SAMPLES = 2000
DRAWS = 10
LIMIT_RATIO, LIMIT_SECONDS = 3.0, 5.0
SCHEDULE = EDM()
NETWORK = NetworkConfig()
CONFIG = TrainConfig("x_0", "log_normal")
STOPS = (100, 400, 1600)
LEVELS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
MIXTURE = GaussianMixture(  # mean 0, mean variance 1, and unlike a Gaussian at every noise level
    torch.tensor([0.5, 0.3, 0.2]),
    torch.tensor([[-1.25, -0.22], [0.8, 0.56], [1.925, -0.29]]),
    torch.tensor([0.28, 0.17, 0.34]),
)


def seeded(seed: int) -> torch.Generator:
    """Return a generator of its own."""
    return torch.Generator().manual_seed(seed)


def sample(denoiser: Denoiser, seed: int) -> Tensor:
    """Return 2,000 points of the model."""
    grid = make_grid(SCHEDULE, 40, "karras")
    return simulate(Plan(denoiser, SCHEDULE, Heun(), grid, (2,), SAMPLES, seed), 1).x_t[-1]


def distances(name: str, denoiser: Denoiser) -> dict[str, float]:
    """Return mean distances to fresh data: of fresh data, of independent points, of the model."""
    many = DATASETS[name](POINTS, 1)
    rows: dict[str, list[float]] = {"floor": [], "independent": [], "model": []}
    for k in range(DRAWS):
        fresh = DATASETS[name](SAMPLES, 100 + k)
        chosen = torch.randint(POINTS, (SAMPLES,), generator=seeded(k))
        for key, points in (
            ("floor", DATASETS[name](SAMPLES, 200 + k)),
            ("independent", many[chosen]),
            ("model", sample(denoiser, 300 + k)),
        ):
            rows[key].append(sliced_wasserstein(points, fresh).item())
    return {key: mean(values) for key, values in rows.items()}


def from_scratch(name: str) -> dict[str, float]:
    """Train on one set; return the seconds that took, all set up included, and the distances."""
    points = DATASETS[name](POINTS, 0)
    start = time.perf_counter()
    trainer = Trainer(points, SCHEDULE, CONFIG, NETWORK)
    for _ in trainer:
        pass
    seconds = time.perf_counter() - start
    with torch.inference_mode():
        row = distances(name, trainer.denoiser())
    return {
        "seconds": seconds,
        "steps": trainer.steps,
        **row,
        "ratio": row["model"] / row["floor"],
        "independent_ratio": row["independent"] / row["floor"],
    }


def score_error(learned: Denoiser) -> list[float]:
    """Return E |sigma (score - exact score)|^2 / D at each noise level."""
    exact, errors = Exact(MIXTURE, SCHEDULE), []
    for sigma in LEVELS:
        x_t = MIXTURE.marginal(1.0, sigma).sample(5000, seeded(int(1000 * sigma)))
        t = sigma / SCHEDULE.sigma_max
        gap = (learned(x_t, t) - exact(x_t, t)) / sigma
        errors.append(gap.square().mean().item())
    return errors


def learned_score() -> dict[str, list[float]]:
    """Return the error of the score at each noise level after each stop, 0 for untrained."""
    points = MIXTURE.sample(POINTS, seeded(0))
    config = TrainConfig(CONFIG.target, CONFIG.weighting, steps=STOPS[-1])
    trainer = Trainer(points, SCHEDULE, config, NETWORK, every=STOPS[0])
    with torch.inference_mode():
        errors = {"0": score_error(trainer.denoiser())}
    for progress in trainer:
        if progress.step in STOPS:
            with torch.inference_mode():
                errors[str(progress.step)] = score_error(trainer.denoiser())
    return errors


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    Trainer(DATASETS["moons"](100, 0), SCHEDULE, TrainConfig(steps=20)).__next__()  # warms up
    print(
        f"{CONFIG.steps} steps of {CONFIG.batch} points, target {CONFIG.target}, weighting "
        f"{CONFIG.weighting}, width {NETWORK.width}, depth {NETWORK.depth}, path edm, "
        f"torch threads {torch.get_num_threads()}, load before {os.getloadavg()[0]:.1f}"
    )
    print(f"{'data':16} {'floor':>7} {'perfect':>8} {'model':>7} {'ratio':>6} {'seconds':>8}")
    sets = {}
    for name in SETS:
        row = sets[name] = from_scratch(name)
        print(
            f"{name:16} {row['floor']:7.4f} {row['independent']:8.4f} {row['model']:7.4f} "
            f"{row['ratio']:6.2f} {row['seconds']:8.2f}"
        )
    met = all(r["ratio"] <= LIMIT_RATIO and r["seconds"] <= LIMIT_SECONDS for r in sets.values())
    print(f"ratio at most {LIMIT_RATIO:g} in at most {LIMIT_SECONDS:g} s: {'yes' if met else 'no'}")

    errors = learned_score()
    print("\nMean squared error of sigma x score on three Gaussians, by sigma")
    print("steps   " + " ".join(f"{sigma:>8g}" for sigma in LEVELS))
    for stop, row_of in errors.items():
        print(f"{stop:>6}  " + " ".join(f"{error:8.5f}" for error in row_of))
    untrained, early, *_, last = errors.values()
    levels_fall = all(a > b > c for a, b, c in zip(untrained, early, last, strict=True))
    means_fall = all(mean(a) > mean(b) for a, b in pairwise(errors.values()))
    print(
        f"falls at every noise level, untrained to {STOPS[0]} to {STOPS[-1]} steps: "
        f"{'yes' if levels_fall else 'no'}; in the mean at every stop: "
        f"{'yes' if means_fall else 'no'}"
    )
    print(
        json.dumps(
            {
                "sets": sets,
                "met": met,
                "score_error": errors,
                "sigma": LEVELS,
                "score_error_falls": levels_fall and means_fall,
                "threads": torch.get_num_threads(),
                "load": os.getloadavg()[0],
            }
        )
    )


if __name__ == "__main__":
    main()
