"""What the generators cost and how good they are: the figures that one command measured.

``python -m diffviz compare --write`` measures VAEs, GANs and diffusion models, and what
comes of joining them, on one machine and writes ``KEPT``; here they are read back, checked, and put
into words.  A row is one way to make a picture:

    vae2, vae                 a code from N(0, I), decoded; 2 and 16 numbers in a code
    vae2_latent, vae_latent   a code drawn by a diffusion model of codes, decoded
    gan                       noise and a class to a picture, in one call
    diffusion                 noise of the picture's size to a picture, step by step
    vae_refined, gan_refined  a sample of either, noised a little and denoised by diffusion
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from diffviz.data.full_sets import SOURCES
from diffviz.studies.figures import FIGURES

__all__ = [
    "COMMAND",
    "KEPT",
    "KINDS",
    "TITLES",
    "Bill",
    "BillError",
    "Bits",
    "Floor",
    "Row",
    "SetBill",
    "amount",
    "duration",
    "load_bill",
    "markdown",
    "measured",
    "read_bill",
]

KEPT = FIGURES / "generators.json"
"""Where the measured figures are kept."""

COMMAND = "python -m diffviz compare --write"
"""What measures them."""

TITLES: dict[str, str] = {
    "vae2": "VAE, 2 numbers",
    "vae2_latent": "VAE, 2 numbers, prior by diffusion",
    "vae": "VAE, 16 numbers",
    "vae_latent": "VAE, 16 numbers, prior by diffusion",
    "gan": "GAN",
    "diffusion": "Diffusion",
    "vae_refined": "VAE, refined by diffusion",
    "gan_refined": "GAN, refined by diffusion",
}
"""The rows by key, in the order in which they are listed."""

KINDS: dict[str, str] = {
    key: "diffusion" if key == "diffusion" else "gan" if key.startswith("gan") else "vae"
    for key in TITLES
}
"""What makes the sample that a row starts from: "vae", "gan" or "diffusion"."""

_SET_TITLES = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}
_CLASSES = 10
_SHARES = ("precision", "recall", "confidence", "accuracy", "level")
_WHOLE = ("nfe", "parameters")
_COSTS = (*_WHOLE, "seconds_per_sample", "macs_per_sample", "train_seconds", "train_macs")
_UNITS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class BillError(ValueError):
    """Figures that are missing or cannot be read; the message says why and what to do."""


@dataclass(frozen=True)
class Floor:
    """What as many real pictures of the training set measure against the test set.

    Attributes:
        frechet: Frechet distance of the classifier's features.
        precision: share of them within the neighbourhoods of the test set.
        recall: share of the test set within theirs.
    """

    frechet: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Bits:
    """The bound of a VAE on the test set, in bits a pixel: elbo = reconstruction + kl.

    Attributes:
        elbo_bits: the whole bound; less is better.
        reconstruction_bits: what the decoder leaves open.
        kl_bits: what the code carries.
    """

    elbo_bits: float
    reconstruction_bits: float
    kl_bits: float


@dataclass(frozen=True)
class Row:
    """One way to make pictures: how good they are and what they cost.

    Attributes:
        key: one of ``TITLES``.
        frechet: Frechet distance of the classifier's features to those of the test set.
        precision: share of the pictures within the neighbourhoods of real ones.
        recall: share of real pictures within the neighbourhoods of these.
        confidence: mean probability that the classifier gives its own answer.
        nfe: calls of networks for one picture, the decoder's and both of guidance counted.
        seconds_per_sample: on the machine of the bill.
        macs_per_sample: multiplications with addition for one picture.
        parameters: weights of all networks that take part.
        train_seconds: of all of them.
        train_macs: of all of them.
        histogram: shares of the ten classes, as the classifier sees them.
        accuracy: share that is taken for what was asked; None where nothing was asked.
        level: noise level t at which a sample was refined; None for the others.
    """

    key: str
    frechet: float
    precision: float
    recall: float
    confidence: float
    nfe: int
    seconds_per_sample: float
    macs_per_sample: float
    parameters: int
    train_seconds: float
    train_macs: float
    histogram: tuple[float, ...]
    accuracy: float | None = None
    level: float | None = None

    @property
    def title(self) -> str:
        """What tables call it."""
        return TITLES[self.key]

    @property
    def kind(self) -> str:
        """What makes the sample it starts from: "vae", "gan" or "diffusion"."""
        return KINDS[self.key]

    @property
    def rarest(self) -> tuple[int, float]:
        """The class that is made least often, and its share."""
        share = min(self.histogram)
        return self.histogram.index(share), share


@dataclass(frozen=True)
class SetBill:
    """The figures of one set of pictures.

    Attributes:
        samples: pictures that were made of each row.
        floor: what real pictures measure.
        rows: in the order of ``TITLES``.
        bits: the bound of the VAEs, by the numbers in a code.
    """

    samples: int
    floor: Floor
    rows: tuple[Row, ...]
    bits: Mapping[int, Bits]

    def row(self, key: str) -> Row | None:
        """The row of that key, if it was measured."""
        return next((row for row in self.rows if row.key == key), None)


@dataclass(frozen=True)
class Bill:
    """All that was measured.

    Attributes:
        machine: on which, in words.
        sets: by the name of the set of pictures, in the order of ``SOURCES``.
    """

    machine: str
    sets: Mapping[str, SetBill]


# Reading ----------------------------------------------------------------------------------------


def load_bill(place: Path | None = None) -> Bill:
    """Read the figures that were kept.

    Args:
        place: the file; ``KEPT`` when left out.

    Raises:
        BillError: if it is missing, damaged or of another form.
    """
    place = place or KEPT
    try:
        kept = json.loads(place.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BillError(f"The generators have not been measured yet. Run: {COMMAND}") from error
    except (OSError, ValueError) as error:
        raise BillError(
            f"The figures in {place.name} cannot be read. Measure them anew: {COMMAND}"
        ) from error
    return read_bill(kept)


def measured(name: str, place: Path = KEPT) -> SetBill | None:
    """The figures of a set, for pages that do without where there are none that can be read.

    Args:
        name: one of ``SOURCES``.
        place: the file.
    """
    try:
        return load_bill(place).sets.get(name)
    except BillError:
        return None


def read_bill(kept: Any) -> Bill:
    """Check what was kept and give it its form.

    Args:
        kept: the content of ``KEPT``.

    Raises:
        BillError: if something is missing in it or is no figure of its kind.
    """
    if not isinstance(kept, Mapping):
        raise BillError("The figures of the generators are no object with fields.")
    machine = kept.get("machine")
    if not isinstance(machine, str) or not machine.strip():
        raise BillError("The figures of the generators do not say on which machine they were had.")
    sets = {name: _read_set(kept[name], name) for name in SOURCES if name in kept}
    if not sets:
        raise BillError(f"There are figures of no set of pictures: {', '.join(SOURCES)}.")
    return Bill(machine.strip(), sets)


def _read_set(kept: Any, name: str) -> SetBill:
    if not isinstance(kept, Mapping) or not isinstance(kept.get("rows"), list):
        raise BillError(f"The figures of {name} have no rows.")
    rows = [_read_row(row, f"{name}, row {k + 1}") for k, row in enumerate(kept["rows"])]
    keys = [row.key for row in rows]
    if not keys or len(set(keys)) < len(keys):
        raise BillError(f"The figures of {name} have no row, or one of them twice.")
    order = list(TITLES)
    bits = {
        int(key.removeprefix("vae")): _read_fields(Bits, kept[key], f"{name}, {key}")
        for key in ("vae2", "vae16")
        if key in kept
    }
    return SetBill(
        int(_number(kept, "samples", name)),
        _read_fields(Floor, kept.get("floor"), f"{name}, floor"),
        tuple(sorted(rows, key=lambda row: order.index(row.key))),
        bits,
    )


def _read_row(kept: Any, where: str) -> Row:
    key = kept.get("key") if isinstance(kept, Mapping) else None
    if key not in TITLES:
        raise BillError(f"The figures of {where}: there is no generator {key!r}.")
    histogram = kept.get("histogram")
    if not isinstance(histogram, list) or len(histogram) != _CLASSES:
        raise BillError(f"The figures of {where}: the histogram has not {_CLASSES} shares.")
    shares = tuple(_number({"histogram": share}, "histogram", where) for share in histogram)
    if max(shares) > 1 or abs(sum(shares) - 1) > 0.01:
        raise BillError(f"The figures of {where}: the histogram's shares do not add up to 1.")
    values: dict[str, Any] = {"key": key, "histogram": shares}
    for field in fields(Row):
        optional = field.default is None
        if field.name in values or (optional and kept.get(field.name) is None):
            continue
        value = _number(kept, field.name, where)
        values[field.name] = int(value) if field.name in _WHOLE else value
    return Row(**values)


Numbers = TypeVar("Numbers", Floor, Bits)


def _read_fields(kind: type[Numbers], kept: Any, where: str) -> Numbers:
    if not isinstance(kept, Mapping):
        raise BillError(f"The figures of {where} are missing.")
    return kind(*(_number(kept, field.name, where) for field in fields(kind)))


def _number(kept: Mapping[str, Any], name: str, where: str) -> float:
    """A finite number that is not negative (but for a part of a bound), shares at most 1."""
    value = kept.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BillError(f"The figures of {where}: {name} is {value!r} and not a finite number.")
    if value < 0 and not name.endswith("_bits"):
        raise BillError(f"The figures of {where}: {name} is {value:g}, below 0.")
    if value == 0 and name in ("samples", "frechet", *_COSTS):
        raise BillError(f"The figures of {where}: {name} is 0.")
    if name in _SHARES and value > 1:
        raise BillError(f"The figures of {where}: {name} is {value:g}, above 1.")
    return float(value)


# In words ---------------------------------------------------------------------------------------


def amount(value: float) -> str:
    """A number in two or three figures with the prefix that fits: "2.11 M", "1.3 G", "50".

    Args:
        value: not negative.
    """
    for unit, prefix in _UNITS:
        if value >= 0.9995 * unit:
            return f"{_figures(value / unit)} {prefix}"
    return f"{value:.0f}"


def duration(seconds: float) -> str:
    """A time in the unit that fits: "26 ms", "0.41 ms", "3.2 s", "12 min", "1 h 20 min".

    Args:
        seconds: not negative.
    """
    if seconds < 0.9995:
        return f"{_figures(1000 * seconds)} ms"
    if seconds < 99.95:
        return f"{_figures(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _figures(value: float) -> str:
    """Two figures below 10, whole numbers from there on."""
    if value >= 9.95:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}"


def markdown(kept: Mapping[str, Any]) -> str:
    """Return the tables of docs/measurements.md, one for each set of pictures.

    Args:
        kept: the content of ``KEPT``.

    Raises:
        BillError: if it is of another form.
    """
    bill = read_bill(kept)
    lines = []
    for name, found in bill.sets.items():
        floor = found.floor
        lines += [
            f"{_SET_TITLES[name]}, {found.samples:,} pictures of each; as many real ones measure "
            f"{floor.frechet:.3g} (precision {floor.precision:.3f}, recall {floor.recall:.3f}).",
            "",
            "| | Fréchet distance | precision | recall | as asked | calls | time a picture "
            "| multiply-adds | weights | training |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *(_line(row) for row in found.rows),
            "",
        ]
    return "\n".join([*lines, f"Times were measured on {bill.machine}."])


def _line(row: Row) -> str:
    title = row.title if row.level is None else f"{row.title} (t = {row.level:.2g})"
    cells = (
        title,
        f"{row.frechet:.3g}",
        f"{row.precision:.3f}",
        f"{row.recall:.3f}",
        "" if row.accuracy is None else f"{row.accuracy:.1%}",
        f"{row.nfe}",
        duration(row.seconds_per_sample),
        amount(row.macs_per_sample),
        amount(row.parameters),
        duration(row.train_seconds),
    )
    return f"| {' | '.join(cells)} |"
