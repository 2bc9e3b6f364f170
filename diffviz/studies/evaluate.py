r"""Measure the class-conditional models of pictures that ship with the app.

    python -m diffviz evaluate                         # both sets
    python -m diffviz evaluate mnist --samples 2000    # one of them, less exactly
    python -m diffviz evaluate --table --write         # samplers x steps too; keep the figures
    python -m diffviz evaluate --markdown              # print what was kept, measure nothing
    python -m diffviz compare --write                  # VAEs, GANs and diffusion, see ``compare``

Pictures are drawn evenly over the classes with classifier-free guidance (Ho and Salimans 2022; the
scale is that of ``denoisers.Guided``) and looked at by the classifier of their set:

    accuracy            share that is taken for the class that was asked for (Odena et al. 2017)
    frechet             Frechet distance of the features to those of the test set (Heusel et al.
                        2017, eq. 6), which falls with the number of pictures
    precision, recall   share of one within the neighbourhoods of the other, k = 3, as many pictures
                        of both (Kynkaanniemi et al. 2019, eq. 1 and 2)

Beside each stands what real pictures measure: ``accuracy_real`` is that of the test set, and a
``_floor`` compares pictures of the training set with the test set, as many as were drawn.  A
classifier knows what it was trained on a little better than what it was not, so floors are near
what is possible rather than a bound.  ``nfe`` counts the calls of the network for a picture: under
guidance two for each time that a sampler asks.

With ``--write`` the figures go into the card beside the weights, whose bytes are left alone, and
with the table into ``figures/images.json``.  The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Guided, Network
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import SAMPLERS
from diffviz.data.full_sets import Split, load_split
from diffviz.measures.metrics import frechet_distance, precision_recall
from diffviz.measures.quality import count_evaluations
from diffviz.models.checkpoints import Checkpoint, write_card
from diffviz.models.pretrained import IMAGE_FOLDER, classifier, image_model
from diffviz.networks.classifier import Classifier
from diffviz.networks.unet import UNet
from diffviz.studies.command import Command, at_least, progress
from diffviz.studies.figures import FIGURES
from diffviz.tools.kept import keep, read, rounded

__all__ = [
    "DEFAULT",
    "KEPT",
    "PRECISIONS",
    "TABLE_SAMPLERS",
    "TABLE_STEPS",
    "DrawConfig",
    "Drawn",
    "Reference",
    "draw",
    "even_labels",
    "main",
    "markdown",
    "measure",
    "table",
]

TABLE_SAMPLERS = ("ddpm", "ddim", "dpmpp_2m", "heun")
"""The samplers of the table."""

TABLE_STEPS = (1, 2, 5, 10, 25, 50, 100)
"""The steps of the table."""

PRECISIONS = ("float32", "bfloat16")
"""In which pictures can be drawn."""

KEPT = FIGURES / "images.json"
"""Where the figures and the table are kept."""

SAMPLES, _TABLE_SAMPLES, FEWEST = 10_000, 2000, 10
_BATCH = 250  # pictures of one run
_COMPARED = 5000  # pictures of each set whose neighbours are looked up: the cost is their square
_SUBSET_SEED = 2_718_281
_TITLES = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}


@dataclass(frozen=True)
class DrawConfig:
    """How pictures are drawn.

    Attributes:
        sampler: a key of ``SAMPLERS``.
        steps: of the sampler.
        spacing: of its stops on the model's own path, a key of ``SPACINGS``.
        guidance: the scale w of ``Guided``; 1 is plain conditional.
        seed: of the starting noise, which is the same for all samplers, and of fresh noise.
        precision: of the network's products, "float32" or "bfloat16", which halves the time on
            processors that have it.

    Raises:
        ValueError: for another precision.
    """

    sampler: str = "dpmpp_2m"
    steps: int = 25
    spacing: str = "log_snr"
    guidance: float = 1.5
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"the precision is one of {', '.join(PRECISIONS)}")

    def cast(self) -> torch.autocast:
        """A context in which networks work in this precision."""
        return torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16")


DEFAULT = DrawConfig()
"""How the pictures are drawn that the figures on a card are about.

More guidance is more accurate and precise and covers less; in a trial of 500 digits the Frechet
distance was least at w = 1.5, of w = 1, 1.5 and 2.
"""


# Drawing ----------------------------------------------------------------------------------------


class Drawn(NamedTuple):
    """Pictures and what they cost.

    Attributes:
        pictures: (N, C, H, W) in [-1, 1].
        nfe: calls of the network for each of them.
        seconds: for all of them.
    """

    pictures: Tensor
    nfe: int
    seconds: float


def even_labels(count: int, classes: int) -> Tensor:
    """Return (count,) labels in which every class is as frequent, in turns."""
    return torch.arange(count) % classes


def draw(
    denoiser: Network,
    labels: Tensor,
    config: DrawConfig = DEFAULT,
    *,
    batch: int = _BATCH,
    threads: int = 1,
    about: str = "",
) -> Drawn:
    """Draw one picture for each label.

    Batches are drawn side by side, each on a thread of its own.  A picture does not depend on their
    size where the sampler injects no noise, and never on the number of threads.

    Args:
        denoiser: around a ``UNet`` with classes.
        labels: (N,) what each picture shall show.
        config: how.
        batch: pictures of one run.
        threads: how many runs at a time.
        about: what a line of progress on a terminal says, nothing for none.

    Raises:
        ValueError: for a network without classes or of points, or an unknown sampler or spacing.
    """
    module, schedule = denoiser.module, denoiser.schedule
    if not isinstance(module, UNet) or not module.config.classes:
        raise ValueError("only a U-Net that was trained with classes draws what it is asked for")
    if config.sampler not in SAMPLERS:
        raise ValueError(
            f"there is no sampler {config.sampler!r}: try one of {', '.join(SAMPLERS)}"
        )
    sampler = SAMPLERS[config.sampler]()
    grid = make_grid(schedule, config.steps, config.spacing)
    guided = Guided(denoiser, config.guidance)
    whole = Plan(guided, schedule, sampler, grid, module.config.shape, len(labels), config.seed)
    start = whole.start()

    def run(first: int) -> Tensor:
        rows = slice(first, first + batch)
        asked, seed = Conditioned(guided, label=labels[rows]), config.seed + first
        with config.cast():
            part = simulate(replace(whole, denoiser=asked, seed=seed), 1, x_1=start[rows])
        return part.x_t[-1].clamp(-1, 1)

    began, parts = time.perf_counter(), []
    bar = progress(about, len(labels), "pictures")
    with bar, ThreadPoolExecutor(threads, initializer=_work_alone) as pool:
        for part in pool.map(run, range(0, len(labels), batch)):
            parts.append(part)
            bar.update(len(part))
    seconds = time.perf_counter() - began
    nfe = guided.cost(label=labels) * count_evaluations(sampler, schedule, grid)
    return Drawn(torch.cat(parts), nfe, seconds)


def _work_alone() -> None:
    """Set up a thread: torch's own threads would only wait for each other."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Measuring --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Reference:
    """What a classifier sees in real pictures.

    Attributes:
        train: (N, F) features of pictures of the training set, in a random order.
        test: (M, F) features of the whole test set.
        accuracy: share of the test set that the classifier takes for what it is.
    """

    train: Tensor
    test: Tensor
    accuracy: float

    @classmethod
    def of(cls, split: Split, judge: Classifier, most: int) -> Reference:
        """Look at the test set and at up to ``most`` pictures of the training set."""
        test = judge.features(split.test)
        train = judge.features(_some(split.train, most))
        return cls(train, test, _accuracy(judge, test, split.test_labels))

    def distance(self, features: Tensor) -> float:
        """The Frechet distance of features (N, F) to the test set."""
        return frechet_distance(features, self.test)

    def floor_distance(self, count: int) -> float:
        """The same of ``count`` pictures of the training set, or all that there are."""
        return self.distance(self.train[:count])

    def likeness(self, features: Tensor) -> dict[str, float]:
        """Distance, precision and recall of features (N, F)."""
        most = min(_COMPARED, len(features), len(self.test))
        found = precision_recall(_some(features, most), _some(self.test, most))
        return {"frechet": self.distance(features), **found._asdict()}


def measure(
    pictures: Tensor, labels: Tensor, judge: Classifier, reference: Reference
) -> dict[str, float]:
    """Return accuracy, frechet, precision and recall, each beside what real pictures measure.

    Args:
        pictures: (N, 1, 28, 28) in [-1, 1].
        labels: (N,) what each was to show.
        judge: who looks at them.
        reference: what the same classifier sees in real pictures.

    Raises:
        ValueError: for fewer pictures than neighbours.
    """
    features = judge.features(pictures)
    found = reference.likeness(features)
    floor = reference.likeness(reference.train[: len(pictures)])
    figures = {
        "accuracy": _accuracy(judge, features, labels),
        "accuracy_real": reference.accuracy,
    }
    for name, value in found.items():
        figures |= {name: value, f"{name}_floor": floor[name]}
    return figures


def table(
    denoiser: Network,
    judge: Classifier,
    reference: Reference,
    samples: int,
    config: DrawConfig = DEFAULT,
    *,
    threads: int = 1,
    about: str = "",
) -> Iterator[dict[str, Any]]:
    """Yield a row for each sampler and number of steps, all from the same starting noise.

    Args:
        denoiser: around a ``UNet`` with classes.
        judge: who looks at the pictures.
        reference: what the same classifier sees in real pictures.
        samples: pictures for each row.
        config: the rest of how they are drawn.
        threads: how many runs at a time.
        about: what a line of progress on a terminal starts with, nothing for none.

    Yields:
        sampler, steps, nfe, frechet, accuracy and seconds.
    """
    labels = even_labels(samples, judge.classes)
    for name in TABLE_SAMPLERS:
        for steps in TABLE_STEPS:
            this = replace(config, sampler=name, steps=steps)
            words = f"{about}: {SAMPLERS[name].short}, {steps} steps" if about else ""
            drawn = draw(denoiser, labels, this, threads=threads, about=words)
            features = judge.features(drawn.pictures)
            yield {
                "sampler": name,
                "steps": steps,
                "nfe": drawn.nfe,
                "frechet": rounded(reference.distance(features)),
                "accuracy": rounded(_accuracy(judge, features, labels)),
                "seconds": rounded(drawn.seconds),
            }


def _accuracy(judge: Classifier, features: Tensor, labels: Tensor) -> float:
    with torch.inference_mode():
        return float((judge.head(features).argmax(1) == labels).double().mean())


def _some(x: Tensor, most: int) -> Tensor:
    """Up to so many rows, chosen at random but always the same."""
    return x[torch.randperm(len(x), generator=_seeded(_SUBSET_SEED))[:most]]


# What is kept -----------------------------------------------------------------------------------


def markdown(kept: dict[str, Any]) -> str:
    """Return the tables of docs/measurements.md from what ``--write`` kept.

    Args:
        kept: the content of ``KEPT``: name of a set to its settings, figures and table.
    """
    lines = [
        "| | accuracy (real) | Fréchet distance (floor) | precision (floor) | recall (floor) "
        "| NFE |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in kept.items():
        f = entry["figures"]
        lines.append(
            f"| {_TITLES[name]} | {f['accuracy']:.1%} ({f['accuracy_real']:.1%}) "
            f"| {f['frechet']:.3g} ({f['frechet_floor']:.3g}) "
            f"| {f['precision']:.3f} ({f['precision_floor']:.3f}) "
            f"| {f['recall']:.3f} ({f['recall_floor']:.3f}) "
            f"| {f['nfe']} |"
        )
    for name, entry in kept.items():
        if "table" in entry:
            lines += ["", *_table_lines(_TITLES[name], entry["table"])]
    return "\n".join(lines)


def _table_lines(title: str, kept: dict[str, Any]) -> list[str]:
    """A line for each number of steps; NFE stands again where a sampler's differs from the last."""
    settings, rows = kept["settings"], kept["rows"]
    steps = list(dict.fromkeys(row["steps"] for row in rows))
    columns: dict[str, list[str]] = {"Steps": [str(count) for count in steps]}
    last: list[int] = []
    for name in dict.fromkeys(row["sampler"] for row in rows):
        own = {row["steps"]: row for row in rows if row["sampler"] == name}
        calls = [own[count]["nfe"] for count in steps]
        if calls != last:
            columns["NFE" if not last else f"NFE of {SAMPLERS[name].short}"] = list(map(str, calls))
        last = calls
        columns[SAMPLERS[name].short] = [
            f"{own[count]['frechet']:.3g} ({own[count]['accuracy']:.0%})" for count in steps
        ]
    return [
        f"{title}: Fréchet distance and, in brackets, accuracy of {settings['samples']:,} pictures "
        f"at guidance {settings['guidance']:g}, in {settings['precision']}; as many real "
        f"ones measure {kept['floor']:.3g}.",
        "",
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *(f"| {' | '.join(cells)} |" for cells in zip(*columns.values(), strict=True)),
    ]


def _keep(name: str, entry: dict[str, Any], found: Checkpoint) -> None:
    """Put the figures of a set on its model's card, and all of them into ``KEPT``."""
    if "figures" in entry:
        settings = {key: entry["settings"][key] for key in ("samples", "guidance")}
        metrics = {**found.card.metrics, **entry["figures"], **settings}
        write_card(IMAGE_FOLDER / name, replace(found.card, metrics=metrics))
    keep(KEPT, {name: {**read(KEPT).get(name, {}), **entry}})


# The command ------------------------------------------------------------------------------------


class _Subject(NamedTuple):
    """A set, its model and its classifier."""

    name: str
    found: Checkpoint
    judge: Classifier
    split: Split


def _evaluate(subject: _Subject, asked: argparse.Namespace) -> dict[str, Any]:
    config = replace(DEFAULT, guidance=asked.guidance, precision=asked.precision)
    most = max(asked.samples, asked.table_samples if asked.table else 0)
    reference = Reference.of(subject.split, subject.judge, most)
    entry = _figures(subject, reference, asked, config) if asked.samples else {}
    if asked.table:
        shared = ("spacing", "guidance", "seed", "precision")
        rest = {key: getattr(config, key) for key in shared}
        entry["table"] = {
            "settings": {"samples": asked.table_samples, **rest},
            "floor": rounded(reference.floor_distance(asked.table_samples)),
            "rows": _table_rows(subject, reference, asked, config),
        }
        print("\n".join(_table_lines(_TITLES[subject.name], entry["table"])))
    return entry


def _figures(
    subject: _Subject, reference: Reference, asked: argparse.Namespace, config: DrawConfig
) -> dict[str, Any]:
    labels = even_labels(asked.samples, subject.judge.classes)
    denoiser = subject.found.denoiser
    drawn = draw(denoiser, labels, config, threads=asked.threads, about=subject.name)
    figures = {
        **measure(drawn.pictures, labels, subject.judge, reference),
        "nfe": drawn.nfe,
        "seconds_per_sample": drawn.seconds / asked.samples,
    }
    settings = {"samples": asked.samples, **asdict(config), "threads": asked.threads}
    row = "  ".join(f"{key} {value:g}" for key, value in figures.items())
    print(f"{subject.name:10} {row}")
    return {"settings": settings, "figures": rounded(figures)}


def _table_rows(
    subject: _Subject, reference: Reference, asked: argparse.Namespace, config: DrawConfig
) -> list[dict[str, Any]]:
    rows = table(
        subject.found.denoiser,
        subject.judge,
        reference,
        asked.table_samples,
        config,
        threads=asked.threads,
        about=subject.name,
    )
    return list(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = Command(prog="python -m diffviz evaluate", description=__doc__)
    parser.add_names()
    parser.add_argument(
        "--samples",
        type=at_least(FEWEST, or_none=True),
        default=SAMPLES,
        metavar="N",
        help="pictures for the figures; 0 to leave those as they are",
    )
    parser.add_argument(
        "--guidance", type=float, default=DEFAULT.guidance, metavar="W", help="scale; 1 for none"
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, default=DEFAULT.precision, help="of the network"
    )
    parser.add_argument("--table", action="store_true", help="samplers x steps as well")
    parser.add_argument(
        "--table-samples",
        type=at_least(FEWEST),
        default=_TABLE_SAMPLES,
        metavar="N",
        help="pictures for each cell of it",
    )
    parser.add_argument("--write", action="store_true", help="keep the figures")
    parser.add_argument("--markdown", action="store_true", help="print what was kept, no more")
    parser.add_data()
    parser.add_threads()
    asked = parser.parse_args(arguments)
    with parser.one_line():
        _print_kept() if asked.markdown else _measure_all(asked.names, asked)


def _print_kept() -> None:
    kept = read(KEPT)
    if not kept:
        raise ValueError(
            "Nothing has been measured yet: run python -m diffviz evaluate --table --write first."
        )
    print(markdown(kept))


def _measure_all(names: Sequence[str], asked: argparse.Namespace) -> None:
    torch.set_num_threads(asked.threads)
    subjects = [  # before anything is drawn, so that what is missing is told at once
        _Subject(name, image_model(name), classifier(name), load_split(name, asked.data))
        for name in names
    ]
    entries = {}
    for subject in subjects:
        entries[subject.name] = entry = _evaluate(subject, asked)
        if asked.write:
            _keep(subject.name, entry, subject.found)
        sys.stdout.flush()
    print(json.dumps(entries))


if __name__ == "__main__":
    main()
