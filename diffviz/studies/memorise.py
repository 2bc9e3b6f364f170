r"""Memorise or generalise: what a denoiser learns from more and more points.

A training set of n points has a best denoiser, the exact posterior mean of those points, and a run
with it ends on one of them: a copy (Karras et al. 2022, appendix B.3).  The same set is also a
sample of a distribution, whose own best denoiser draws new points.  A network trained on the set
sits between the two: with few points it comes close to the first, with many to the second (Yoon et
al. 2023, "Diffusion probabilistic models generalize when they fail to memorize"; Kadkhodaie et al.
2024, "Generalization in diffusion models arises from geometry-adaptive harmonic representations").

A sample counts as a copy if its nearest training point is less than a third as far away as the
second nearest (Yoon et al. 2023).  In few dimensions chance alone makes some: among points spread
evenly over d dimensions a third of the distance is met with probability 3^-d, so 1 in 9 in the
plane and 1 in 3 on a line.  So the share of copies is given beside that of fresh draws.

    python -m diffviz memorise               # measure the ladder for the shipped figures
    python -m diffviz memorise moons spiral  # for these data sets
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Exact, Network
from diffviz.core.distributions import Empirical
from diffviz.core.run import Plan
from diffviz.core.samplers import DPMpp2M
from diffviz.core.schedules import EDM, Schedule
from diffviz.data.points import DATASETS
from diffviz.measures.metrics import sliced_wasserstein
from diffviz.models.checkpoints import Card, CheckpointError, load, save
from diffviz.models.pretrained import FOLDER
from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.training import TrainConfig, Trainer
from diffviz.studies.command import Command, at_least, watched
from diffviz.tools.distances import distances
from diffviz.tools.slices import finish, quietly

__all__ = [
    "COPY_RATIO",
    "FRESH_SEED",
    "MEASURED",
    "OTHER_SEED",
    "SIZES",
    "STORED",
    "Figures",
    "Recipe",
    "Stored",
    "copies",
    "grid",
    "main",
    "measure",
    "path",
    "plan",
    "stored",
    "trainer",
]

SIZES: tuple[int, ...] = (4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000, 4000, 8000)
"""How many training points: the ladder."""

COPY_RATIO = 1 / 3
"""A copy is nearer to its nearest training point than this share of the way to the second."""

MEASURED = 1000
"""How many samples every figure is measured on."""

STORED: tuple[str, ...] = ("moons",)
"""The data sets whose figures and models ship with the app."""

FRESH_SEED, OTHER_SEED = 100_001, 100_002
"""Seeds of draws that no training set shares."""

_FOLDER = FOLDER / "memorise"
_SIGMA_MAX, _SIGMA_MIN, _STEPS, _RHO = 20.0, 3e-4, 40, 7.0
_EVERY = 25  # steps of training between two reports


@dataclass(frozen=True)
class Recipe:
    """How every network of the ladder is trained: the same way, whatever the number of points.

    Attributes:
        width: units of a hidden layer.
        depth: residual blocks.
        steps: of training.
        seed: of the training set and of training.
    """

    width: int = 64
    depth: int = 2
    steps: int = 2000
    seed: int = 0

    def network(self, dim: int) -> NetworkConfig:
        """The shape of the network."""
        return NetworkConfig(dim=dim, width=self.width, depth=self.depth)

    def training(self) -> TrainConfig:
        """The settings of its training."""
        return TrainConfig("x_0", "log_normal", batch=256, steps=self.steps, seed=self.seed)


@dataclass(frozen=True)
class Figures:
    """What was measured with n training points, on ``MEASURED`` samples.

    Attributes:
        n: training points.
        copies: share of the learned model's samples that are copies.
        copies_exact: the same for the exact denoiser of the training points.
        copies_fresh: the same for fresh draws of the distribution: what chance makes.
        distance: sliced Wasserstein distance of the learned model's samples to fresh draws.
        distance_exact: that of the exact denoiser's samples.
        distance_fresh: that of other fresh draws: the floor.
        seconds: of training.
    """

    n: int
    copies: float
    copies_exact: float
    copies_fresh: float
    distance: float
    distance_exact: float
    distance_fresh: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Stored:
    """Figures and models of a data set that ship with the app.

    Attributes:
        figures: one for each size.
        models: size to the network trained on that many points; shared, so never train them.
        recipe: how they were trained.
        command: what made them.
    """

    figures: tuple[Figures, ...]
    models: dict[int, Network] = field(repr=False)
    recipe: Recipe
    command: str


def path() -> Schedule:
    """The path of training and sampling: noise levels from 20 down."""
    return EDM(sigma_max=_SIGMA_MAX)


def grid() -> Tensor:
    """The (steps + 1,) times of a run: Karras et al. 2022, eq. 5, down to sigma = 0.0003, then 0.

    The last noise level is far below the distance between neighbours of 8,000 points, so that the
    exact denoiser can land on one of them.
    """
    high, low = (sigma ** (1 / _RHO) for sigma in (_SIGMA_MAX, _SIGMA_MIN))
    sigma = torch.linspace(high, low, _STEPS, dtype=torch.float64) ** _RHO
    return torch.cat([(sigma / _SIGMA_MAX).clamp_max(1), torch.zeros(1, dtype=torch.float64)])


def trainer(points: Tensor, recipe: Recipe) -> Trainer:
    """Return what trains a network on points (n, D), in reports of a few steps each."""
    network = recipe.network(points.shape[1])
    return Trainer(points, path(), recipe.training(), network, every=_EVERY)


def plan(denoiser: Denoiser, n: int = MEASURED, dim: int = 2, seed: int = 0) -> Plan:
    """Return the run from noise to samples, by DPM-Solver++(2M)."""
    return Plan(denoiser, path(), DPMpp2M(), grid(), (dim,), n, seed)


def copies(x: Tensor, points: Tensor, ratio: float = COPY_RATIO) -> Tensor:
    """Return which of the samples are copies, (N,) booleans.

    Args:
        x: samples (N, D).
        points: the training set (n, D), at least two points.
        ratio: how much nearer than the second nearest the nearest must be.

    Raises:
        ValueError: for fewer than two training points, which leave no second.
    """
    if len(points) < 2:
        raise ValueError("copies are told by the second nearest point: two points are needed")
    parts = []
    for part in torch.split(x, max(4_000_000 // len(points), 1)):
        distance = distances(part, points)
        first, second = distance.topk(2, largest=False).values.T
        parts.append(first < ratio * second)
    return torch.cat(parts)


def measure(
    denoiser: Denoiser, points: Tensor, fresh: Tensor, other: Tensor, seconds: float
) -> Generator[float, None, Figures]:
    """Measure a denoiser trained on points (n, D) beside the exact one and fresh draws.

    Args:
        denoiser: the learned one.
        points: what it was trained on.
        fresh: (M, D) draws of the distribution.
        other: ``MEASURED`` other ones.
        seconds: of training, for the record.

    Yields:
        The share that is done, in slices of some 0.1 s.

    Returns:
        The figures.
    """
    ends = []
    for k, who in enumerate((denoiser, Exact(Empirical(points), path()))):
        for state in quietly(plan(who, dim=points.shape[1]).states()):
            yield (k + state.index / _STEPS) / 2
        ends.append(state.x_t)
    learned, exact = ends
    of = [float(copies(x, points).float().mean()) for x in (learned, exact, other)]
    to = [float(sliced_wasserstein(x, fresh)) for x in (learned, exact, other)]
    return Figures(len(points), of[0], of[1], of[2], to[0], to[1], to[2], seconds)


# What ships -------------------------------------------------------------------------------------


@cache
def stored(name: str) -> Stored | None:
    """Return the figures and models that ship for a data set; None where there are none.

    Raises:
        CheckpointError: if files are damaged.
    """
    if name not in STORED:
        return None
    try:
        raw = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        figures = tuple(Figures(**row) for row in raw["figures"])
        recipe, command = Recipe(**raw["recipe"]), str(raw["command"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"The stored measurement of {name} cannot be read: {error}. Make it anew with "
            f"python -m diffviz memorise {name}."
        ) from error
    models = {row.n: load(_FOLDER / f"{name}-{row.n}.safetensors").denoiser for row in figures}
    return Stored(figures, models, recipe, command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, train the ladder and store it."""
    parser = Command(prog="python -m diffviz memorise", description=__doc__)
    parser.add_names(tuple(DATASETS), STORED)
    parser.add_argument(
        "--steps", type=at_least(1), default=Recipe.steps, metavar="N", help="of each training"
    )
    parser.add_argument(
        "--sizes",
        type=at_least(2),
        nargs="*",
        default=SIZES,
        metavar="N",
        help="of the training sets",
    )
    parser.add_argument(
        "--into", type=Path, default=_FOLDER, metavar="FOLDER", help="where the files go"
    )
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with parser.one_line():
        asked.into.mkdir(parents=True, exist_ok=True)
        for name in asked.names:
            _store(name, Recipe(steps=asked.steps), asked.sizes, asked.into)


def _store(name: str, recipe: Recipe, sizes: Sequence[int], into: Path) -> None:
    command = f"python -m diffviz memorise {name} --steps {recipe.steps}"
    rows = []
    pool = DATASETS[name](max(sizes), recipe.seed)
    fresh = DATASETS[name](8000, FRESH_SEED)
    other = DATASETS[name](8000, OTHER_SEED)[:MEASURED]  # at random: a set may draw evenly
    for n in sizes:
        training = trainer(pool[:n], recipe)
        watched(training, f"{name}, {n} points")
        denoiser = training.denoiser()
        row = finish(measure(denoiser, pool[:n], fresh, other, round(training.seconds, 1)))
        rows.append({key: round(value, 4) for key, value in asdict(row).items()})
        card = Card(name, recipe.seed, recipe.steps, command, rows[-1], recipe.training())
        save(into / f"{name}-{n}", denoiser, card, dtype=torch.float16)
        print("  ".join(f"{key} {value:g}" for key, value in rows[-1].items()), flush=True)
    record = {
        "data": name,
        "command": command,
        "samples": MEASURED,
        "recipe": asdict(recipe),
        "figures": rows,
    }
    (into / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
