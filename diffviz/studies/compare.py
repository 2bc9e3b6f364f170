"""Three kinds of generators on one scale: how good their pictures are and what they cost.

    python -m diffviz compare            # measure and print one table a set
    python -m diffviz compare --write    # keep it, for the page and docs/measurements.md
    python -m diffviz compare --retime   # on a machine at rest: times anew, the rest stays

Each contender (see ``bill``) draws the same number of pictures, which the classifier of the set
looks at as ``evaluate`` describes.  Those that can be asked for a class are asked for each as
often; VAEs cannot, so their shares of the classes are their own.  The diffusion model is guided,
as its card says; refinement is not (see ``refine``), and takes the best level of its curve at which
samples stay themselves (``Curve.faithful``), or the lowest one where none is better than 0.

What a picture costs:

    nfe                  calls of networks, the decoder's and both of guidance counted
    seconds_per_sample   on one thread, in batches of 100: the median of three
    macs_per_sample      multiply-adds of all matrix products and convolutions, counted as they are
                         done (attention's own products left out, under 1 %)
    train_macs           the same of one training step, times steps; what is used ready-made is
                         included, as a VAE is in the latent model of its codes
    parameters           weights that were trained: also the encoder's and the critic's
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from diffviz.core.denoisers import Conditioned, Guided
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import EDM
from diffviz.data.full_sets import load_split
from diffviz.measures.quality import count_evaluations
from diffviz.models.checkpoints import Checkpoint
from diffviz.models.pretrained import (
    LATENTS,
    classifier,
    forger,
    generator_card,
    image_model,
    latent_model,
    vae,
)
from diffviz.networks.classifier import Classifier
from diffviz.networks.mlp import Conditional
from diffviz.networks.training import Trainer
from diffviz.studies import bill, refine
from diffviz.studies.command import Command, at_least, progress
from diffviz.studies.evaluate import (
    DEFAULT,
    FEWEST,
    PRECISIONS,
    SAMPLES,
    DrawConfig,
    Reference,
    even_labels,
    measure,
)
from diffviz.studies.train_generators import GANTrainer, VAETrainer
from diffviz.tools.kept import keep, read, rounded

__all__ = ["Contender", "compare", "contenders", "main", "measure_contender"]

_BATCH, _TIMED, _REPEATS = 250, 100, 3
_COUNTED = 10  # pictures whose multiply-adds are counted
_PIXELS = 28 * 28


@dataclass(frozen=True)
class Contender:
    """One way to make pictures.

    Attributes:
        key: one of ``bill.TITLES``.
        draw: (labels (N,), seed) -> pictures (N, 1, 28, 28); labels are ignored where not asked.
        asked: whether it can be asked for a class.
        nfe: calls of networks for a picture.
        parameters: weights that were trained for it.
        train_seconds: of all of them.
        train_macs: multiply-adds of all of them.
        level: at which samples are refined; None for those that are not.
    """

    key: str
    draw: Callable[[Tensor, int], Tensor]
    asked: bool
    nfe: int
    parameters: int
    train_seconds: float
    train_macs: float
    level: float | None = None


@dataclass(frozen=True)
class _Cost:
    """What training cost."""

    parameters: int
    seconds: float
    macs: float

    def __add__(self, other: _Cost) -> _Cost:
        return _Cost(
            self.parameters + other.parameters,
            self.seconds + other.seconds,
            self.macs + other.macs,
        )


def contenders(name: str) -> dict[str, Contender]:
    """Return all ways to make pictures of a set, in the order of ``bill.TITLES``.

    A refined one is left out while ``refine`` has not measured its curve.

    Args:
        name: one of ``SOURCES``.

    Raises:
        ValueError: for another name.
        CheckpointError: if a model's files are missing or damaged.
    """
    diffusion, cost = _diffusion(name)
    found = [diffusion, _gan(name)]
    for latent in LATENTS:
        found += [_plain_vae(name, latent), _latent_vae(name, latent)]
    for kind in refine.KINDS:
        measured = refine.stored(name, kind)
        if measured is not None:
            source = next(contender for contender in found if contender.key == kind)
            level = measured.curve.faithful or measured.curve.levels[1]
            found.append(_refined(name, source, kind, level, cost))
    by_key = {contender.key: contender for contender in found}
    return {key: by_key[key] for key in bill.TITLES if key in by_key}


def measure_contender(
    contender: Contender,
    judge: Classifier,
    reference: Reference,
    samples: int,
    config: DrawConfig = DEFAULT,
    *,
    threads: int = 1,
    about: str = "",
) -> dict[str, Any]:
    """Return the figures of one contender, a row as ``bill.Row`` describes it.

    Args:
        contender: who draws.
        judge: who looks at the pictures.
        reference: what the same classifier sees in real pictures.
        samples: how many are drawn.
        config: whose precision counts.
        threads: how many batches at a time.
        about: what a line of progress on a terminal says, nothing for none.
    """
    labels = even_labels(samples, judge.classes)
    pictures = _drawn(contender, labels, config, threads, about)
    found = measure(pictures, labels, judge, reference)
    seen = judge.probabilities(pictures)
    shares = torch.bincount(seen.argmax(1), minlength=judge.classes) / samples
    row: dict[str, Any] = {
        "key": contender.key,
        **{name: found[name] for name in ("frechet", "precision", "recall")},
        "confidence": float(seen.amax(1).mean()),
        "accuracy": found["accuracy"] if contender.asked else None,
        "nfe": contender.nfe,
        "seconds_per_sample": _seconds(contender, judge.classes),
        "macs_per_sample": _macs_drawn(contender, judge.classes),
        "parameters": contender.parameters,
        "train_seconds": contender.train_seconds,
        "train_macs": contender.train_macs,
        "histogram": [round(share, 5) for share in shares.tolist()],
    }
    row["precision_of_products"] = config.precision
    if contender.level is not None:
        row["level"] = contender.level
    return cast(dict[str, Any], rounded(row))


def compare(
    name: str,
    samples: int,
    config: DrawConfig = DEFAULT,
    *,
    keys: tuple[str, ...] = (),
    data: Path | None = None,
    threads: int = 1,
) -> Iterator[dict[str, Any]]:
    """Measure the contenders of a set one after the other.

    Args:
        name: one of ``SOURCES``.
        samples: pictures of each.
        config: whose precision counts; times are always measured in float32.
        keys: which of them; all where none is named.
        data: the folder with the real pictures, see ``load_split``.
        threads: how many batches at a time.

    Yields:
        The entry of the set as ``bill`` describes it, with one more row each time.

    Raises:
        ValueError: for another name.
        CheckpointError: if a model's files are missing or damaged.
        SourceError: if the real pictures cannot be had.
    """
    everybody, judge = contenders(name), classifier(name)
    reference = Reference.of(load_split(name, data), judge, samples)
    floor = reference.likeness(reference.train[:samples])
    entry: dict[str, Any] = {
        "samples": samples,
        "floor": rounded(floor),
        "rows": [],
        **{f"vae{latent}": _bits(name, latent) for latent in LATENTS},
    }
    for key, contender in everybody.items():
        if not keys or key in keys:
            row = measure_contender(
                contender,
                judge,
                reference,
                samples,
                config,
                threads=threads,
                about=f"{name}: {key}",
            )
            entry["rows"].append(row)
            yield entry


def _drawn(
    contender: Contender, labels: Tensor, config: DrawConfig, threads: int, about: str
) -> Tensor:
    firsts = range(0, len(labels), _BATCH)

    def one(first: int) -> Tensor:
        with config.cast():
            return contender.draw(labels[first : first + _BATCH], first).float()

    parts = []
    bar = progress(about, len(firsts), "batches")
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    with bar, pool:
        for part in pool.map(one, firsts):
            parts.append(part)
            bar.update()
    return torch.cat(parts)


def _seconds(contender: Contender, classes: int) -> float:
    labels, threads = even_labels(_TIMED, classes), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = []
        for seed in range(_REPEATS):
            began = time.perf_counter()
            contender.draw(labels, seed)
            times.append(time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)
    return statistics.median(times) / _TIMED


def _macs(work: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops()) / 2


def _macs_drawn(contender: Contender, classes: int) -> float:
    return _macs(lambda: contender.draw(even_labels(_COUNTED, classes), 0)) / _COUNTED


def _bits(name: str, latent: int) -> dict[str, float]:
    """The bound of a VAE in bits a pixel, in two parts, from its card."""
    metrics = generator_card(name, f"vae{latent}")["metrics"]
    kl = metrics["kl"] / _PIXELS / math.log(2)
    return {
        "elbo_bits": rounded(metrics["bits_per_dim"]),
        "reconstruction_bits": rounded(metrics["bits_per_dim"] - kl),
        "kl_bits": rounded(kl),
    }


# The contenders ---------------------------------------------------------------------------------


def _plain_vae(name: str, latent: int) -> Contender:
    model = vae(name, latent)

    def draw(labels: Tensor, seed: int) -> Tensor:
        return model.decode(torch.randn(len(labels), latent, generator=_seeded(seed)))

    cost = _vae_cost(name, latent)
    key = "vae" if latent == refine.LATENT else f"vae{latent}"
    return Contender(key, draw, False, 1, cost.parameters, cost.seconds, cost.macs)


def _latent_vae(name: str, latent: int) -> Contender:
    plain, model, prior = _plain_vae(name, latent), vae(name, latent), latent_model(name, latent)
    denoiser, shape = prior.denoiser, _shape(prior)
    sampler, schedule = SAMPLERS[DEFAULT.sampler](), denoiser.schedule
    grid = make_grid(schedule, DEFAULT.steps, DEFAULT.spacing)

    @torch.inference_mode()
    def draw(labels: Tensor, seed: int) -> Tensor:
        plan = Plan(denoiser, schedule, sampler, grid, (latent,), len(labels), seed)
        return model.decode(model.unstandardised(simulate(plan, 1).x_t[-1]))

    training = prior.card.training
    assert training is not None  # written by the command that trained it
    points, labels = torch.randn(training.batch, latent), torch.arange(training.batch) % 10
    one = replace(training, steps=1)
    trainer = Trainer(points, schedule, one, shape, labels, every=1)
    own = _Cost(
        _count(denoiser.module),
        float(prior.card.metrics["seconds"]),
        _macs(lambda: next(trainer)) * prior.card.steps,
    )
    cost = _vae_cost(name, latent) + own
    nfe = count_evaluations(sampler, schedule, grid) + 1
    return Contender(
        f"{plain.key}_latent", draw, False, nfe, cost.parameters, cost.seconds, cost.macs
    )


def _gan(name: str) -> Contender:
    model, card = forger(name), generator_card(name, "gan")

    def draw(labels: Tensor, seed: int) -> Tensor:
        return model.draw(labels, _seeded(seed))

    pictures, labels = torch.zeros(1, 1, 28, 28), torch.zeros(1, dtype=torch.long)
    trainer = GANTrainer(pictures, labels, model.config, 1)
    metrics = card["metrics"]
    return Contender(
        "gan",
        draw,
        True,
        1,
        _count(trainer.forger) + _count(trainer.critic),
        metrics["seconds"],
        _macs(trainer.one_step) * card["steps"],
    )


def _diffusion(name: str) -> tuple[Contender, _Cost]:
    found = image_model(name)
    denoiser, card = found.denoiser, found.card
    sampler, schedule = SAMPLERS[DEFAULT.sampler](), denoiser.schedule
    grid = make_grid(schedule, DEFAULT.steps, DEFAULT.spacing)
    guided = Guided(denoiser, DEFAULT.guidance)

    def draw(labels: Tensor, seed: int) -> Tensor:
        asked = Conditioned(guided, label=labels)
        plan = Plan(asked, schedule, sampler, grid, (1, 28, 28), len(labels), seed)
        return simulate(plan, 1).x_t[-1].clamp(-1, 1)

    training = card.training
    assert training is not None
    pictures, labels = torch.randn(training.batch, _PIXELS), torch.arange(training.batch) % 10
    one, shape = replace(training, steps=1), _shape(found)
    trainer = Trainer(pictures, EDM(), one, shape, labels, every=1, precision=torch.bfloat16)
    cost = _Cost(
        _count(denoiser.module),
        float(card.metrics["seconds"]),
        _macs(lambda: next(trainer)) * card.steps,
    )
    nfe = guided.cost(label=0) * count_evaluations(sampler, schedule, grid)
    own = Contender("diffusion", draw, True, nfe, cost.parameters, cost.seconds, cost.macs)
    return own, cost


def _refined(
    name: str, source: Contender, kind: refine.Kind, level: float, cost: _Cost
) -> Contender:
    denoiser = refine.on_path(image_model(name).denoiser)

    def draw(labels: Tensor, seed: int) -> Tensor:
        asked = labels if source.asked else None
        drawn = source.draw(labels, seed)
        return refine.refined(drawn, level, denoiser, asked, seed=seed).pictures

    nothing = torch.zeros(1, 1, 28, 28)
    calls = refine.refined(nothing, level, denoiser).calls
    return Contender(
        f"{kind}_refined",
        draw,
        source.asked,
        source.nfe + calls,
        source.parameters + cost.parameters,
        source.train_seconds + cost.seconds,
        source.train_macs + cost.macs,
        level,
    )


def _vae_cost(name: str, latent: int) -> _Cost:
    card, model = generator_card(name, f"vae{latent}"), vae(name, latent)
    trainer = VAETrainer(torch.zeros(1, 1, 28, 28), model.config, 1)
    macs = _macs(trainer.one_step) * card["steps"]
    return _Cost(_count(model), card["metrics"]["seconds"], macs)


def _shape(found: Checkpoint) -> Any:
    module = found.denoiser.module
    assert isinstance(module, Conditional)  # what checkpoints are made of
    return module.config


def _count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# The command ------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, print and keep."""
    parser = Command(prog="python -m diffviz compare", description=__doc__)
    parser.add_names()
    parser.add_argument(
        "--samples",
        type=at_least(FEWEST),
        default=SAMPLES,
        metavar="N",
        help="pictures of each contender",
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, default=DEFAULT.precision, help="of the networks"
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        default=(),
        choices=bill.TITLES,
        metavar="WHO",
        help=f"some of {', '.join(bill.TITLES)}; all by default",
    )
    parser.add_argument("--write", action="store_true", help="keep the figures")
    parser.add_argument("--retime", action="store_true", help="only the times of what was kept")
    parser.add_data()
    parser.add_threads()
    asked = parser.parse_args(arguments)
    with parser.one_line():
        _retime(asked.names) if asked.retime else _measure_all(asked.names, asked)


def _measure_all(names: Sequence[str], asked: argparse.Namespace) -> None:
    found: dict[str, Any] = {}
    for name in names:
        config = replace(DEFAULT, precision=asked.precision)
        entries = compare(
            name,
            asked.samples,
            config,
            keys=asked.contenders,
            data=asked.data,
            threads=asked.threads,
        )
        for entry in entries:
            found[name] = entry
            if asked.write:
                keep(bill.KEPT, {"machine": machine(), name: _merged(name, entry)})
    _tell({"machine": machine(), **found})


def _retime(names: tuple[str, ...]) -> None:
    """Measure the times of what was kept anew."""
    for name in names:
        everybody, classes = contenders(name), classifier(name).classes
        entry = read(bill.KEPT)[name]
        for row in entry["rows"]:
            row["seconds_per_sample"] = rounded(_seconds(everybody[row["key"]], classes))
        keep(bill.KEPT, {"machine": machine(), name: entry})
    _tell(read(bill.KEPT))


def _tell(found: dict[str, Any]) -> None:
    print(bill.markdown(found))
    print(json.dumps(found))


def machine() -> str:
    """This machine in words: its processor, how many cores, and the version of PyTorch."""
    return f"one core of {_processor()}, no GPU, PyTorch {torch.__version__.split('+')[0]}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"an {models[0]}" if models else f"a processor of kind {platform.machine()}"


def _merged(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with the rows that were kept before; those of another number of samples leave."""
    before = read(bill.KEPT).get(name, {})
    same = before.get("samples") == entry["samples"]
    rows = {row["key"]: row for row in before["rows"]} if same else {}
    rows |= {row["key"]: row for row in entry["rows"]}
    return {**entry, "rows": [rows[key] for key in bill.TITLES if key in rows]}
