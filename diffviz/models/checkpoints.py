r"""Trained denoisers as files: safetensors for the weights, a model card in JSON beside them.

    moons.safetensors   8 bytes: length of the header; the header in JSON: name, dtype, shape and
                        place of each tensor; then plain numbers
    moons.json          the card: what the network is, what it was trained on and how, how well it
                        does, and the SHA-256 of the weights it belongs to

Nothing in either file is code, and reading them runs none (a pickle, which PyTorch's own format is,
may run anything).  Files are untrusted all the same: sizes are bounded before anything is built,
the card is checked field by field, and the weights must have exactly the shapes of the network that
the card describes.  Whatever is wrong becomes a ``CheckpointError`` in words for the user.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from diffviz.core.denoisers import Network
from diffviz.core.schedules import SCHEDULES, DiscreteVP, Schedule
from diffviz.exchange.scheduler_config import ShiftedFlow
from diffviz.networks.mlp import Conditional, NetworkConfig
from diffviz.networks.training import TrainConfig
from diffviz.networks.unet import UNetConfig
from diffviz.tools.files import write_whole
from diffviz.tools.tensorfiles import MAX_ENTRIES, is_overfull

__all__ = [
    "MAX_CARD_BYTES",
    "MAX_WEIGHT_BYTES",
    "Card",
    "Checkpoint",
    "CheckpointError",
    "dumps",
    "load",
    "loads",
    "save",
    "write_card",
]

MAX_WEIGHT_BYTES = 32_000_000
"""The largest file of weights that is read."""

MAX_CARD_BYTES = 200_000
"""The largest card that is read."""

_FORMATS: dict[str, type[NetworkConfig] | type[UNetConfig]] = {
    "diffviz-points-1": NetworkConfig,
    "diffviz-images-1": UNetConfig,
}
_LONGEST_TEXT = 2000
_MOST_METRICS = 100

_PATHS: dict[str, type[Schedule]] = {
    **SCHEDULES,
    "discrete": DiscreteVP,
    "shifted_flow": ShiftedFlow,
}

T = TypeVar("T")


class CheckpointError(ValueError):
    """Files that hold no model; the message says what happened, why, and what to do."""


_OTHER_WEIGHTS = (
    "This card belongs to other weights: the shapes fit, but the checksum does not. Choose "
    "the two files that were saved together."
)


@dataclass(frozen=True)
class Card:
    """What a trained model came from.

    Attributes:
        data: what it was trained on: the name of a data set, or words for the user's own.
        seed: of its training.
        steps: it was trained for.
        command: how to train it again.
        metrics: name to value, how well it does.
        training: the settings it was trained with, if they are known.
    """

    data: str
    seed: int
    steps: int
    command: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    training: TrainConfig | None = None

    def __post_init__(self) -> None:
        _short_text("data", self.data)
        _short_text("command", self.command)
        _whole("seed", self.seed)
        _whole("steps", self.steps)
        if len(self.metrics) > _MOST_METRICS or not all(
            isinstance(name, str) and _is_number(value) for name, value in self.metrics.items()
        ):
            raise CheckpointError(
                f"the metrics of a card are at most {_MOST_METRICS} names with finite numbers"
            )


@dataclass(frozen=True)
class Checkpoint:
    """A model that was read.

    Attributes:
        denoiser: the model; its module is a ``PointNetwork`` or a ``UNet``, its ``schedule`` and
            ``predicts`` come from the card.
        card: where it came from.
        rounded: whether the weights are rounded to 16 bits and no longer those of the card, whose
            metrics are left out then.
    """

    denoiser: Network
    card: Card
    rounded: bool = False


def save(
    path: str | Path, denoiser: Network, card: Card, *, dtype: torch.dtype = torch.float32
) -> tuple[Path, Path]:
    """Write the weights to ``path`` and the card beside them; return both paths.

    Args:
        path: where to put the weights; the ending becomes .safetensors, and .json for the card.
        denoiser: a network around a ``PointNetwork`` or ``UNet``, such as ``Trainer.denoiser()``.
        card: where it came from.
        dtype: of the numbers in the file: float16 halves it, and is read as float32 again.

    Raises:
        CheckpointError: if it is not such a network, its path has no name to write down, or a
            weight has no finite value in the file.
    """
    weights, text = dumps(denoiser, card, dtype=dtype)
    files = _pair(path)
    for place, content in zip(files, (weights, text), strict=True):
        write_whole(place, content)
    return files


def write_card(path: str | Path, card: Card) -> Path:
    """Say anew where a saved model came from and how well it does; its weights stay untouched.

    Args:
        path: either of its two files.
        card: what takes the place of the one it has.

    Returns:
        The file of the card.

    Raises:
        CheckpointError: as ``load``, and where the weights are not to the last bit those of the
            card.
    """
    if load(path).rounded:
        raise CheckpointError(_OTHER_WEIGHTS)
    place = _pair(path)[1]
    fields = _parse(_read(place, MAX_CARD_BYTES, "model card")) | asdict(card)
    write_whole(place, (json.dumps(fields, indent=2, allow_nan=False) + "\n").encode())
    return place


def dumps(
    denoiser: Network, card: Card, *, dtype: torch.dtype = torch.float32
) -> tuple[bytes, bytes]:
    """Return the two files as bytes: weights and card; see ``save``."""
    module = denoiser.module
    if not isinstance(module, Conditional):
        raise CheckpointError(
            "only networks for points or pictures can be saved: this denoiser is another one"
        )
    state = {
        name: tensor.detach().to(dtype).clone() for name, tensor in module.state_dict().items()
    }
    if not all(bool(part.isfinite().all()) for part in state.values()):
        raise CheckpointError(
            f"a weight is no finite number as {str(dtype).removeprefix('torch.')}: such a file "
            "could not be read again"
        )
    weights = safetensors.torch.save(state)
    fields = {
        "format": next(name for name, kind in _FORMATS.items() if kind is type(module.config)),
        "data": card.data,
        "seed": card.seed,
        "steps": card.steps,
        "command": card.command,
        "metrics": dict(card.metrics),
        "predicts": denoiser.predicts,
        "schedule": _write_schedule(denoiser.schedule),
        "network": asdict(module.config),
        "training": None if card.training is None else asdict(card.training),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    return weights, (json.dumps(fields, indent=2, allow_nan=False) + "\n").encode()


def load(path: str | Path) -> Checkpoint:
    """Read the weights at ``path`` and the card beside them.

    Args:
        path: either of the two files.

    Raises:
        CheckpointError: if one of them is missing, too large, damaged, or does not fit the other.
    """
    weights, card = _pair(path)
    return loads(
        _read(weights, MAX_WEIGHT_BYTES, "weights"), _read(card, MAX_CARD_BYTES, "model card")
    )


def loads(weights: bytes, card: bytes) -> Checkpoint:
    """Read the two files from bytes, as an upload brings them.

    Weights of any floating-point type become float32, and the file may have been saved again, with
    other metadata or in another type: the checksum of the card is that of the numbers.

    Raises:
        CheckpointError: as ``load``.
    """
    _bounded("model card", len(card), MAX_CARD_BYTES)
    _bounded("weights", len(weights), MAX_WEIGHT_BYTES)
    fields = _Fields(_parse(card))
    shape = _FORMATS.get(str(fields.raw.get("format")))
    if shape is None:
        raise CheckpointError(
            f"This card is not one of a diffviz model ({' or '.join(_FORMATS)}): choose the JSON "
            "file that was saved with the weights."
        )
    network = fields.build("network", lambda raw: shape(**raw))
    schedule = fields.build("schedule", _read_schedule)
    predicts = fields.text("predicts")
    module = fields.build("predicts", lambda raw: network.build(schedule, raw))
    read = _read_weights(weights)
    fitting = _fitting(read, module.state_dict())
    rounded = not _is_of(fields.text("sha256"), weights, read)
    if rounded and not _is_in_16_bits(read):
        raise CheckpointError(_OTHER_WEIGHTS)
    module.load_state_dict(fitting)
    denoiser = Network(module.requires_grad_(False).eval(), schedule, predicts)
    card_read = fields.card()
    return Checkpoint(denoiser, replace(card_read, metrics={}) if rounded else card_read, rounded)


# Weights ----------------------------------------------------------------------------------------


def _read_weights(data: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file."""
    pickled = data[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
    if (pickled and data[8:9] != b"{") or data[:4] == b"PK\x03\x04":
        raise CheckpointError(
            "This file is a Python pickle, whatever it is called. A pickle can run any program "
            "when it is opened, so it was left alone: save the weights as safetensors and choose "
            "that file."
        )
    if is_overfull(BytesIO(data), len(data)):
        raise CheckpointError(
            f"These weights list more than {MAX_ENTRIES:,} tensors, which no network here has. "
            "Choose the file that was saved with the card."
        )
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            "These weights are not a complete safetensors file: it was cut short, damaged, or is "
            "of another kind. Copy or download it again."
        ) from error


def _fitting(read: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as the network has them, each with its shape and type."""
    missing, extra = sorted(wanted.keys() - read.keys()), sorted(read.keys() - wanted.keys())
    if missing or extra:
        which = f"{missing[0]!r} is missing" if missing else f"{extra[0][:80]!r} is not part of it"
        raise CheckpointError(
            f"These weights are of another network than the one on the card: {which}. Choose the "
            "two files that were saved together."
        )
    return {name: _as(name, read[name], tensor) for name, tensor in wanted.items()}


def _as(name: str, read: Tensor, wanted: Tensor) -> Tensor:
    both_float = read.is_floating_point() and wanted.is_floating_point()
    if read.shape != wanted.shape or (read.dtype != wanted.dtype and not both_float):
        raise CheckpointError(
            f"The weights {name!r} are {_kind(read)}, and the network on the card needs "
            f"{_kind(wanted)}. Choose the two files that were saved together."
        )
    found = read.to(wanted.dtype)
    if not bool(found.isfinite().all()):
        raise CheckpointError(
            f"The weights {name!r} hold an infinite number or none at all, so the network "
            "cannot answer: train it again and save it before it diverges."
        )
    return found


def _is_of(digest: str, weights: bytes, read: Mapping[str, Tensor]) -> bool:
    """Whether a checksum is that of these weights, as they are or as ``save`` would write them."""
    if hashlib.sha256(weights).hexdigest() == digest:
        return True
    for dtype in (None, torch.float32, torch.float16):
        again = {name: part if dtype is None else part.to(dtype) for name, part in read.items()}
        if hashlib.sha256(safetensors.torch.save(again)).hexdigest() == digest:
            return True
    return False


def _is_in_16_bits(read: Mapping[str, Tensor]) -> bool:
    """Whether the weights are rounded, so that their checksum says nothing any more."""
    return any(
        all(torch.equal(part, part.to(half).to(part.dtype)) for part in read.values())
        for half in (torch.bfloat16, torch.float16)
    )


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


# Schedules --------------------------------------------------------------------------------------


def _write_schedule(schedule: Schedule) -> dict[str, Any]:
    for name, kind in _PATHS.items():
        if type(schedule) is kind:
            arguments = {key: getattr(schedule, key) for key in _arguments(kind)}
            return {"name": name, "arguments": {k: _plain(v) for k, v in arguments.items()}}
    raise CheckpointError(
        f"a path of the kind {type(schedule).__name__} cannot be written on a card: train on one "
        f"of {', '.join(_PATHS)}"
    )


def _read_schedule(raw: dict[str, Any]) -> Schedule:
    kind = _PATHS.get(raw["name"])
    arguments = raw["arguments"]
    if kind is None or set(raw) != {"name", "arguments"} or not isinstance(arguments, dict):
        raise ValueError(f"there is no path {raw['name']!r} with such arguments")
    known = _arguments(kind)
    for name, value in arguments.items():
        if name not in known or not _is_argument(value):
            raise ValueError(f"{name!r} is no argument of this path, or has a strange value")
        if name == "T" and not (type(value) is int and 2 <= value <= 1000):
            raise ValueError(f"T is a whole number from 2 to 1,000, not {value!r}")
    return kind(**arguments)


def _arguments(kind: type[Schedule]) -> list[str]:
    return list(inspect.signature(kind).parameters)


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, Tensor) else value


def _is_argument(value: object) -> bool:
    """Whether a value is a number, up to 1,000 numbers, or up to 1,000 pairs of numbers."""
    if not isinstance(value, list):
        return _is_number(value)
    rows = [row if isinstance(row, list) else [row] for row in value]
    return len(rows) <= 1000 and all(len(r) <= 2 and all(map(_is_number, r)) for r in rows)


# The card ---------------------------------------------------------------------------------------


class _Fields:
    """A parsed card, whose fields are checked as they are read."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise CheckpointError(f"The field {name!r} of this card is no text. {_AGAIN}")
        return value

    def build(self, name: str, make: Callable[[Any], T]) -> T:
        """What ``make`` builds from a field, or words about why it could not."""
        raw = self._get(name)
        try:
            return make(raw)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise CheckpointError(
                f"The field {name!r} of this card cannot be used: {str(error)[:300]}. {_AGAIN}"
            ) from error

    def card(self) -> Card:
        """The part of the card that says where the model came from."""
        return self.build("metrics", self._card)

    def _card(self, metrics: object) -> Card:
        if not isinstance(metrics, dict):
            raise TypeError("metrics are names with numbers")
        training = self.raw.get("training")
        return Card(
            self.text("data"),
            self._get("seed"),
            self._get("steps"),
            self.text("command"),
            metrics,
            None if training is None else TrainConfig(**training),
        )

    def _get(self, name: str) -> Any:
        if name not in self.raw:
            raise CheckpointError(f"This card lacks the field {name!r}. {_AGAIN}")
        return self.raw[name]


_AGAIN = "Choose the JSON file that was saved with the weights, unchanged."


def _parse(data: bytes) -> dict[str, Any]:
    try:
        raw = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError too
        raise CheckpointError(f"This card is not JSON. {_AGAIN}") from error
    if not isinstance(raw, dict):
        raise CheckpointError(f"This card is JSON, but no object with fields. {_AGAIN}")
    return raw


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _finite(value)


def _finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _short_text(name: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise CheckpointError(f"{name} on a card is a text of at most {_LONGEST_TEXT:,} characters")


def _whole(name: str, value: object) -> None:
    if type(value) is not int or not 0 <= value < 2**63:
        raise CheckpointError(f"{name} on a card is a whole number from 0 up, not {value!r}")


# Files ------------------------------------------------------------------------------------------


def _pair(path: str | Path) -> tuple[Path, Path]:
    place = Path(path)
    stem = place.with_suffix("") if place.suffix in (".safetensors", ".json") else place
    return stem.with_name(stem.name + ".safetensors"), stem.with_name(stem.name + ".json")


def _read(path: Path, most: int, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise CheckpointError(
            f"The {what} cannot be read: there is no file {path.name} here that may be opened. A "
            "model is two files with one name, .safetensors and .json."
        ) from error
    _bounded(what, len(data), most)
    return data


def _bounded(what: str, size: int, most: int) -> None:
    if size > most:
        raise CheckpointError(
            f"The {what} have more than {most / 1e6:g} MB, the most that is read: this is not a "
            "model that was saved here."
        )
