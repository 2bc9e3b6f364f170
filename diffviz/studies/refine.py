r"""Refining: can a diffusion model enhance the samples of a VAE or a GAN?

    x_t = alpha_t x + sigma_t eps,   then from t to 0 with the diffusion model        (SDEdit)

x is a sample of the other model.  Noise covers what is fine first, blur and all, and the diffusion
model draws it anew; what is coarse stays.  The level is the share of the path's steps that are
made, as in ``edits.sdedit``: at 0 the sample comes back as it was, at 1 nothing of it is left.  In
between quality is bought with faithfulness, and ``curve`` measures both:

    frechet             Frechet distance of the features to those of the test set; it is biased
                        upward for few samples, so compare it with the floor of as many
    precision, recall   share of one set within the neighbourhoods of the other, k = 3
    confidence          mean of the classifier's largest probability
    agreement           share that is taken for the class that the GAN was asked for
    stayed              share that is taken for the same class as before
    moved, moved_features   how far samples went: root mean square over all pixels, in units of
                        [-1, 1], and mean distance of features, where two samples picked at random
                        are 1 apart before

No guidance is used, so that none of its sharpening is taken for refinement: a VAE's sample has no
class and is refined without one, a GAN's with the class that it was made for, one call of the
network a step.  All levels share one draw of noise.

    python -m diffviz refine mnist --kinds vae --write    # measure, and keep it for the page

The last line printed is one JSON object.

Sources: Meng et al. 2022, "SDEdit" (algorithm 1, and section 4.1 on realism against faithfulness);
Lu et al. 2022, "DPM-Solver++"; Heusel et al. 2017 and Kynkaanniemi et al. 2019 for the measures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser, Network, OnPath
from diffviz.core.edits import start_at
from diffviz.core.grids import make_grid
from diffviz.core.noising import Noise
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import DPMpp2M
from diffviz.core.schedules import Cosine, Schedule
from diffviz.data.full_sets import load_split
from diffviz.models.pretrained import GENERATOR_FOLDER, classifier, forger, image_model, vae
from diffviz.networks.classifier import Classifier
from diffviz.studies.command import Command, at_least, progress
from diffviz.studies.evaluate import Reference, even_labels
from diffviz.studies.figures import FIGURES
from diffviz.tools import kept as kept_figures
from diffviz.tools.kept import rounded

__all__ = [
    "FAITHFUL",
    "KEPT",
    "KINDS",
    "LATENT",
    "LEVELS",
    "SPACING",
    "STEPS",
    "Curve",
    "Floor",
    "Kind",
    "Refined",
    "Samples",
    "Stored",
    "curve",
    "floor_of",
    "keep",
    "main",
    "noise_generator",
    "on_path",
    "path",
    "refined",
    "source_pictures",
    "stored",
]

Kind: TypeAlias = Literal["vae", "gan"]
KINDS: tuple[Kind, ...] = ("vae", "gan")
"""Whose samples are refined."""

LATENT = 16
"""Numbers in a code of the VAE."""

STEPS, SPACING = 25, "trailing"
"""Steps of the whole path, and how they are spaced: evenly in t, so that the level is t."""

LEVELS = (0.0, 0.08, 0.16, 0.24, 0.32, 0.4, 0.52, 0.64, 0.8, 1.0)
"""The levels that are measured: each a whole number of steps."""

FAITHFUL = 0.75
"""The share of samples that keep their class where refining is still called faithful."""

KEPT = FIGURES / "refine.json"
"""Where the curves are kept."""

_SAMPLES, _FEWEST = 1000, 10
_FLOORS = 10  # sets of real pictures that the floor is the mean of
_BATCH = 250  # pictures of one run
_APART = 7_654_321  # between the seed of samples and that of their noise


# Samples and their refinement -------------------------------------------------------------------


class Samples(NamedTuple):
    """What another model drew.

    Attributes:
        pictures: (N, 1, 28, 28) in [-1, 1].
        labels: (N,) the class that each was asked for; None for a model that is not asked.
    """

    pictures: Tensor
    labels: Tensor | None


class Refined(NamedTuple):
    """Samples after noise and the way back.

    Attributes:
        pictures: (N, 1, 28, 28) in [-1, 1].
        calls: of the network, for each.
    """

    pictures: Tensor
    calls: int


def source_pictures(
    name: str, kind: Kind, count: int, seed: int, folder: Path = GENERATOR_FOLDER
) -> Samples:
    """Draw samples: of the VAE g(z), z from N(0, I); of the GAN G(z, y), each class in turn.

    Args:
        name: one of ``SOURCES``.
        kind: one of ``KINDS``.
        count: how many; more of them begin with the same.
        seed: of z.
        folder: where the models lie.

    Raises:
        ValueError: for another name or kind.
        CheckpointError: if the model's file is missing or damaged.
    """
    if kind not in KINDS:
        raise ValueError(f"samples come from one of {', '.join(KINDS)}, not {kind!r}")
    generator = torch.Generator().manual_seed(seed)
    if kind == "vae":
        model = vae(name, LATENT, folder)
        z = torch.randn(count, LATENT, generator=generator)
        return Samples(model.decode(z), None)
    maker = forger(name, folder)
    labels = even_labels(count, maker.config.classes)
    return Samples(maker.draw(labels, generator), labels)


def path() -> tuple[Schedule, Tensor]:
    """The path that samples are noised on, and its (``STEPS`` + 1,) times."""
    schedule = Cosine()
    return schedule, make_grid(schedule, STEPS, SPACING)


def on_path(network: Network) -> Denoiser:
    """The network, asked on ``path()``."""
    return OnPath(network, network.schedule, path()[0])


def noise_generator(seed: int) -> Noise:
    """The noise that samples of a seed get: not the one that made them."""
    return Noise(seed + _APART)


def refined(
    pictures: Tensor,
    level: float,
    denoiser: Denoiser,
    labels: Tensor | None = None,
    *,
    seed: int = 0,
    batch: int = _BATCH,
    about: str = "",
) -> Refined:
    """Noise pictures to a level and bring them back by DPM-Solver++(2M) on the cosine path.

    A picture does not depend on the size of the batch.

    Args:
        pictures: (N, 1, 28, 28) in [-1, 1].
        level: share of the ``STEPS`` steps that are made, in [0, 1].
        denoiser: the diffusion model, asked on ``path()``.
        labels: (N,) what each picture shows; None asks without a class.
        seed: of the noise, see ``noise_generator``; the same at every level.
        batch: pictures of one run.
        about: what a line of progress on a terminal says, nothing for none.

    Raises:
        ValueError: if the level lies outside [0, 1].
    """
    schedule, times = path()
    x_t, rest = start_at(schedule, times, level, pictures, noise_generator(seed))
    if len(rest) == 1:
        return Refined(x_t.clamp(-1, 1), 0)
    parts = []
    with progress(about, len(pictures), "pictures") as bar:
        for first in range(0, len(pictures), batch):
            x_1 = x_t[first : first + batch]
            asked = denoiser
            if labels is not None:
                asked = Conditioned(denoiser, label=labels[first : first + batch])
            plan = Plan(asked, schedule, DPMpp2M(), rest, x_1.shape[1:], len(x_1))
            parts.append(simulate(plan, 1, x_1=x_1).x_t[-1])
            bar.update(len(x_1))
    return Refined(torch.cat(parts).clamp(-1, 1), len(rest) - 1)


# Measuring --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Floor:
    """What as many pictures of the training set measure against the test set, see ``floor_of``.

    Attributes:
        frechet: Frechet distance.
        precision: share within the neighbourhoods of the test set.
        recall: share of the test set within their neighbourhoods.
        confidence: the classifier's mean largest probability.
    """

    frechet: float
    precision: float
    recall: float
    confidence: float


@dataclass(frozen=True)
class Curve:
    """What refining does to the samples of one model, level by level; see the module's first lines.

    Attributes:
        levels: shares of the steps, rising from 0.
        calls: of the network for a picture.
        frechet: to the test set.
        precision: within the test set's neighbourhoods.
        recall: of the test set.
        confidence: mean largest probability.
        stayed: share that keeps its class.
        moved: root mean square of all pixels' changes.
        moved_features: mean distance of features; two samples at random are 1 apart.
        best: the level of the least Frechet distance.
        agreement: share taken for what was asked for; None for a VAE.
    """

    levels: tuple[float, ...]
    calls: tuple[int, ...]
    frechet: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    confidence: tuple[float, ...]
    stayed: tuple[float, ...]
    moved: tuple[float, ...]
    moved_features: tuple[float, ...]
    best: float
    agreement: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Make tuples of lists, as a file has them, and check that they belong together.

        Raises:
            ValueError: if they differ in length, or the best level is none of them.
        """
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, list):
                object.__setattr__(self, part.name, tuple(value))
        columns = (getattr(self, part.name) for part in fields(self))
        lengths = {len(column) for column in columns if isinstance(column, tuple)}
        if lengths != {len(self.levels)} or self.best not in self.levels or self.levels[0] != 0:
            raise ValueError(
                "a curve has one figure for each level from 0 on, and its best level is one of them"
            )

    @property
    def faithful(self) -> float:
        """The best level at which samples stay themselves.

        A share ``FAITHFUL`` keeps its class there, and pixels move at most half as far as at the
        last level: what is told its class keeps that even where nothing else is left.
        """
        far = self.moved[-1] / 2
        columns = zip(self.frechet, self.levels, self.stayed, self.moved, strict=True)
        return min((f, at) for f, at, same, moved in columns if same >= FAITHFUL and moved <= far)[
            1
        ]

    def at(self, level: float) -> int:
        """Index of a level that was measured.

        Raises:
            ValueError: if it was not.
        """
        return self.levels.index(level)


def floor_of(reference: Reference, judge: Classifier, count: int) -> Floor:
    """Measure ``count`` pictures of the training set against the test set.

    That is the mean over as many disjoint sets of so many as there are in ``reference``, since one
    of them scatters.

    Args:
        reference: what ``judge`` sees in real pictures.
        judge: who looks.
        count: how many; all that there are, if fewer.
    """
    parts = [part for part in torch.split(reference.train, count) if len(part) == count]
    rows = [
        {**reference.likeness(part), "confidence": float(_sure(judge, part).mean())}
        for part in parts or [reference.train]
    ]
    return Floor(**{key: rounded(sum(row[key] for row in rows) / len(rows)) for key in rows[0]})


def curve(
    samples: Samples,
    denoiser: Denoiser,
    judge: Classifier,
    reference: Reference,
    levels: Sequence[float] = LEVELS,
    *,
    seed: int = 0,
    about: str = "",
) -> Curve:
    """Refine samples at every level and measure what comes out.

    Args:
        samples: what is refined.
        denoiser: the diffusion model, asked on ``path()``.
        judge: whose features and classes count.
        reference: what the same classifier sees in real pictures.
        levels: shares of the steps, the first of them 0.
        seed: of the noise.
        about: what a line of progress on a terminal starts with, nothing for none.

    Raises:
        ValueError: if the first level is not 0, or for fewer samples than neighbours.
    """
    if not levels or levels[0] != 0:
        raise ValueError("what refining does is measured from level 0 on")
    before, rows = judge.features(samples.pictures), []
    for level in levels:
        words = f"{about}, level {level:.0%}" if about else ""
        made = refined(samples.pictures, level, denoiser, samples.labels, seed=seed, about=words)
        rows.append(_figures(samples, before, made, judge, reference))
    columns: dict[str, Any] = {name: tuple(row[name] for row in rows) for name in rows[0]}
    best = min(zip(columns["frechet"], levels, strict=True))[1]
    return Curve(levels=tuple(levels), **columns, best=best)


def _figures(
    samples: Samples, before: Tensor, made: Refined, judge: Classifier, reference: Reference
) -> dict[str, float]:
    features = judge.features(made.pictures)
    seen = _probability(judge, features).argmax(1)
    apart = (before - before.roll(1, 0)).norm(dim=1).mean()
    found = {
        **reference.likeness(features),
        "confidence": float(_sure(judge, features).mean()),
        "stayed": float((seen == _probability(judge, before).argmax(1)).double().mean()),
        "moved": float((made.pictures - samples.pictures).square().mean().sqrt()),
        "moved_features": float((features - before).norm(dim=1).mean() / apart),
    }
    if samples.labels is not None:
        found["agreement"] = float((seen == samples.labels).double().mean())
    return cast(dict[str, float], rounded({"calls": made.calls} | found))


@torch.inference_mode()
def _probability(judge: Classifier, features: Tensor) -> Tensor:
    logits: Tensor = judge.head(features)
    return logits.softmax(1)


def _sure(judge: Classifier, features: Tensor) -> Tensor:
    return _probability(judge, features).amax(1)


# What is kept -----------------------------------------------------------------------------------


class Stored(NamedTuple):
    """A curve as it was measured before.

    Attributes:
        samples: how many were refined.
        floor: what as many real pictures measure.
        curve: the figures.
    """

    samples: int
    floor: Floor
    curve: Curve


def stored(name: str, kind: Kind, kept: Path = KEPT) -> Stored | None:
    """Return the curve of a set and a kind that was kept; None if there is none that can be read.

    Args:
        name: one of ``SOURCES``.
        kind: one of ``KINDS``.
        kept: where curves are kept.
    """
    try:
        entry = kept_figures.read(kept)[name]
        return Stored(int(entry["samples"]), Floor(**entry["floor"]), Curve(**entry[kind]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(
    name: str, samples: int, floor: Floor, curves: Mapping[Kind, Curve], kept: Path = KEPT
) -> None:
    """Put the curves of a set beside those that are kept already.

    Those of another number of samples leave, since they cannot be compared.

    Args:
        name: one of ``SOURCES``.
        samples: how many were refined.
        floor: what as many real pictures measure.
        curves: by kind.
        kept: where curves are kept.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if what is there is no JSON.
    """
    before = kept_figures.read(kept).get(name, {})
    entry: dict[str, Any] = {"samples": samples, "floor": asdict(floor)}
    for kind in KINDS:
        if kind in curves:
            entry[kind] = {key: v for key, v in asdict(curves[kind]).items() if v is not None}
        elif kind in before and before["samples"] == samples:
            entry[kind] = before[kind]
    kept_figures.keep(kept, {name: entry})


# The command ------------------------------------------------------------------------------------


def _table(name: str, kind: Kind, floor: Floor, found: Curve) -> str:
    names = [part.name for part in fields(found) if part.name not in ("best", "agreement")]
    names += [] if found.agreement is None else ["agreement"]
    lines = [f"{name} {kind}", "  ".join(f"{key:>9}" for key in names)]
    for k, level in enumerate(found.levels):
        cells = (f"{getattr(found, key)[k]:>{max(9, len(key))}.4g}" for key in names)
        lines.append("  ".join(cells) + ("  best" if level == found.best else ""))
    return "\n".join([*lines, f"as many real pictures: {asdict(floor)}"])


def _measure(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    denoiser, judge = on_path(image_model(name).denoiser), classifier(name)
    drawn = {kind: source_pictures(name, kind, asked.samples, asked.seed) for kind in asked.kinds}
    reference = Reference.of(load_split(name, asked.data), judge, _FLOORS * asked.samples)
    floor, curves = floor_of(reference, judge, asked.samples), {}
    for kind, samples in drawn.items():
        found = curve(samples, denoiser, judge, reference, seed=asked.seed, about=f"{name} {kind}")
        curves[kind] = found
        print(_table(name, kind, floor, found))
        sys.stdout.flush()
        if asked.write:
            keep(name, asked.samples, floor, {kind: found})
    return {"samples": asked.samples, "floor": asdict(floor)} | {
        kind: asdict(found) for kind, found in curves.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = Command(prog="python -m diffviz refine", description=__doc__)
    parser.add_names()
    parser.add_argument(
        "--samples",
        type=at_least(_FEWEST),
        default=_SAMPLES,
        metavar="N",
        help="of each kind that are refined",
    )
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=KINDS, help="of models that drew them"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the samples and their noise"
    )
    parser.add_argument("--write", action="store_true", help="keep the curves for the page")
    parser.add_data()
    asked = parser.parse_args(arguments)
    torch.set_flush_denormal(True)
    with parser.one_line():
        print(json.dumps({name: _measure(name, asked) for name in asked.names}))


if __name__ == "__main__":
    main()
