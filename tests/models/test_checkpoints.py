"""Checkpoints: what is saved comes back, and what is wrong is refused in words, never run."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from diffviz.core.denoisers import Network
from diffviz.core.schedules import SCHEDULES, Cosine, Custom, Linear, Schedule, zero_terminal_snr
from diffviz.exchange.scheduler_config import ShiftedFlow
from diffviz.models.checkpoints import (
    MAX_CARD_BYTES,
    MAX_WEIGHT_BYTES,
    Card,
    CheckpointError,
    dumps,
    load,
    loads,
    save,
)
from diffviz.networks.mlp import NetworkConfig, PointNetwork
from diffviz.networks.training import TrainConfig, Trainer

CARD = Card(
    "moons", 0, 5, "python -m anything", {"sliced_wasserstein": 0.03}, TrainConfig("v", steps=5)
)


def network(schedule: Schedule | None = None, target: str = "v", **shape: Any) -> Network:
    schedule = Cosine() if schedule is None else schedule
    module = PointNetwork(NetworkConfig(**{"width": 8, "depth": 1, **shape}), schedule, target)
    with torch.no_grad():
        module.last.weight.normal_(generator=torch.Generator().manual_seed(0))
    return Network(module, schedule, target)


@pytest.fixture
def files() -> tuple[bytes, bytes]:
    return dumps(network(), CARD)


def changed(card: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(card), **fields}).encode()


def signed(weights: bytes, card: bytes) -> bytes:
    """The card with the checksum of these weights."""
    return changed(card, sha256=hashlib.sha256(weights).hexdigest())


# What comes back --------------------------------------------------------------------------------


PATHS: dict[str, Callable[[], Schedule]] = {
    **SCHEDULES,
    "other": lambda: Linear(T=50, beta_end=0.3),
    "zero_snr": lambda: zero_terminal_snr(Linear()),
    "shifted": lambda: ShiftedFlow(2.0),
    "points": lambda: Custom([(0, 1), (0.4, 0.3), (1, 0)]),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_model_comes_back_with_its_path(path: str) -> None:
    schedule = PATHS[path]()
    saved = network(schedule, "v")
    read = loads(*dumps(saved, CARD))
    assert type(read.denoiser.schedule) is type(schedule)
    assert (read.denoiser.predicts, read.card) == ("v", CARD)
    x_t = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    for t in (0.1, 0.5, 0.9):
        assert torch.equal(read.denoiser(x_t, t), saved(x_t, t))


def test_files_come_back_from_either_name(tmp_path: Path) -> None:
    trainer = Trainer(torch.randn(50, 1), Cosine(), TrainConfig("v", batch=8, steps=5))
    list(trainer)
    weights, card = save(tmp_path / "my.model", trainer.denoiser(), CARD)
    assert (weights.name, card.name) == ("my.model.safetensors", "my.model.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == [card.name, weights.name]
    x_t = torch.randn(4, 1)
    for name in (weights, card, tmp_path / "my.model"):
        assert torch.equal(load(name).denoiser(x_t, 0.5), trainer.denoiser()(x_t, 0.5))


def test_classes_come_back() -> None:
    saved = network(classes=3, dim=1, depth=2)
    read = loads(*dumps(saved, CARD)).denoiser
    x_t = torch.randn(4, 1)
    assert torch.equal(read(x_t, 0.5, label=2), saved(x_t, 0.5, label=2))


def test_half_precision_halves_the_file_and_is_read_as_single(tmp_path: Path) -> None:
    saved = network(width=64, classes=2)
    single, _ = save(tmp_path / "single", saved, CARD)
    half, card = save(tmp_path / "half", saved, CARD, dtype=torch.float16)
    assert half.stat().st_size < 0.55 * single.stat().st_size
    read = load(half)
    assert read.card == CARD
    weights = read.denoiser.module.state_dict()
    for name, weight in saved.module.state_dict().items():
        assert weights[name].dtype == torch.float32
        assert torch.equal(weights[name], weight.half().float())
    x_t = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(read.denoiser(x_t, 0.5), saved(x_t, 0.5), rtol=2e-3, atol=2e-3)
    again, _ = dumps(read.denoiser, read.card, dtype=torch.float16)
    assert again == half.read_bytes(), "rounded once, not more with every saving"
    assert json.loads(card.read_text())["sha256"] == hashlib.sha256(again).hexdigest()


def test_the_card_is_plain_to_read(files: tuple[bytes, bytes]) -> None:
    card = json.loads(files[1])
    assert card["data"] == "moons"
    assert card["schedule"] == {"name": "cosine", "arguments": {"T": 1000, "s": 0.008}}
    assert card["network"]["width"] == 8
    assert card["training"]["target"] == "v"
    assert card["metrics"] == {"sliced_wasserstein": 0.03}


def test_a_card_need_not_say_how_it_was_trained() -> None:
    card = Card("my drawing", 3, 10)
    assert loads(*dumps(network(), card)).card == card


# Weights that are wrong -------------------------------------------------------------------------


class Bomb:
    """What a pickle may do: leaves a file behind when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return Path.touch, (str(self.mark),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_by_another_name_is_not_opened(
    tmp_path: Path, files: tuple[bytes, bytes], protocol: int
) -> None:
    mark = tmp_path / "opened"
    place = tmp_path / "m.safetensors"
    place.write_bytes(pickle.dumps({"last.weight": Bomb(mark)}, protocol=protocol))
    (tmp_path / "m.json").write_bytes(signed(place.read_bytes(), files[1]))
    with pytest.raises(CheckpointError, match=r"pickle|not a complete safetensors"):
        load(place)
    assert not mark.exists()


def test_what_torch_saves_is_a_pickle_too(tmp_path: Path, files: tuple[bytes, bytes]) -> None:
    torch.save({"last.weight": torch.zeros(2, 8)}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="pickle"):
        loads((tmp_path / "m.safetensors").read_bytes(), files[1])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.999])
def test_a_truncated_file_is_refused(files: tuple[bytes, bytes], share: float) -> None:
    weights = files[0][: int(share * len(files[0]))]
    with pytest.raises(CheckpointError, match="cut short"):
        loads(weights, signed(weights, files[1]))


@pytest.mark.parametrize(
    "weights",
    [
        b"not a model at all",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 70)
        + b'{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}',
    ],
)
def test_a_file_of_another_kind_is_refused(weights: bytes, files: tuple[bytes, bytes]) -> None:
    with pytest.raises(CheckpointError, match="another kind"):
        loads(weights, signed(weights, files[1]))


def state(files: tuple[bytes, bytes]) -> dict[str, Tensor]:
    return safetensors.torch.load(files[0])


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("last.weight", torch.zeros(3, 8), r"'last.weight' are float32 of shape \(3, 8\)"),
        ("last.weight", torch.zeros(2, 8, dtype=torch.int64), "are int64"),
        ("last.weight", torch.full((2, 8), 1e300, dtype=torch.float64), "infinite number or none"),
        ("last.weight", torch.full((2, 8), torch.nan), "infinite number or none"),
        ("last.weight", None, "'last.weight' is missing"),
        ("more", torch.zeros(1), "'more' is not part of it"),
    ],
)
def test_weights_of_another_shape_are_refused(
    files: tuple[bytes, bytes], name: str, tensor: Tensor | None, words: str
) -> None:
    tensors = {**state(files), name: tensor}
    weights = safetensors.torch.save({k: v for k, v in tensors.items() if v is not None})
    with pytest.raises(CheckpointError, match=words):
        loads(weights, signed(weights, files[1]))


def test_weights_that_are_too_large_are_refused_unread(
    tmp_path: Path, files: tuple[bytes, bytes]
) -> None:
    with pytest.raises(CheckpointError, match="the most that is read"):
        loads(bytes(MAX_WEIGHT_BYTES + 1), files[1])
    (tmp_path / "m.json").write_bytes(files[1])
    with (tmp_path / "m.safetensors").open("wb") as file:
        file.truncate(100 * MAX_WEIGHT_BYTES)  # holes: takes no room
    with pytest.raises(CheckpointError, match="the most that is read"):
        load(tmp_path / "m")


# Files that were saved again ---------------------------------------------------------------------


def again(
    files: tuple[bytes, bytes], dtype: torch.dtype, metadata: dict[str, str] | None = None
) -> tuple[bytes, bytes]:
    """The files with the weights saved again by another program, the card untouched."""
    parts = {name: part.to(dtype) for name, part in state(files).items()}
    return safetensors.torch.save(parts, metadata), files[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("metadata", [None, {"format": "pt", "note": "x" * 5000}])
def test_the_same_numbers_fit_the_card_however_they_are_saved(
    files: tuple[bytes, bytes], dtype: torch.dtype, metadata: dict[str, str] | None
) -> None:
    read = loads(*again(files, dtype, metadata))
    assert (read.rounded, read.card) == (False, CARD)
    for name, part in loads(*files).denoiser.module.state_dict().items():
        assert torch.equal(read.denoiser.module.state_dict()[name], part)


def test_a_half_precision_file_fits_its_card_when_it_was_saved_wider() -> None:
    half = dumps(network(), CARD, dtype=torch.float16)
    for dtype in (torch.float32, torch.float64):
        assert not loads(*again(half, dtype, {"format": "pt"})).rounded


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounded_weights_are_read_without_the_measures_of_the_card(
    files: tuple[bytes, bytes], dtype: torch.dtype
) -> None:
    narrow = again(files, dtype)
    read = loads(*narrow)
    assert read.rounded
    assert read.card == replace(CARD, metrics={})
    for name, part in state(files).items():
        found = read.denoiser.module.state_dict()[name]
        assert found.dtype == torch.float32
        assert torch.equal(found, part.to(dtype).float())
    assert loads(*again(narrow, torch.float32)).rounded, "also when they are saved wider again"


def test_a_header_that_lists_too_much_is_not_opened(
    files: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = '"t{}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    header = ("{" + ",".join(entry.format(k) for k in range(170_000)) + "}").encode()
    long = json.dumps({"__metadata__": {"x": "y" * 2_000_000}}).encode()
    monkeypatch.setattr(safetensors.torch, "load", lambda _: pytest.fail("it was opened"))
    for content in (header, long):
        with pytest.raises(CheckpointError, match=r"more than 10,000 tensors"):
            loads(struct.pack("<Q", len(content)) + content, files[1])


# Cards that are wrong ---------------------------------------------------------------------------


def test_a_card_of_other_weights_is_refused(files: tuple[bytes, bytes]) -> None:
    other = dumps(network(target="eps"), CARD)
    twin = network()
    with torch.no_grad():
        next(iter(twin.module.parameters())).add_(1)
    with pytest.raises(CheckpointError, match="belongs to other weights"):
        loads(dumps(twin, CARD)[0], files[1])
    loads(files[0], other[1])  # the same numbers: the checksum fits


def test_a_card_of_another_shape_is_refused(files: tuple[bytes, bytes]) -> None:
    wide, told = (dumps(network(**shape), CARD)[1] for shape in ({"width": 12}, {"classes": 2}))
    with pytest.raises(CheckpointError, match="the network on the card needs"):
        loads(files[0], wide)
    with pytest.raises(CheckpointError, match="another network than the one on the card"):
        loads(files[0], told)


@pytest.mark.parametrize(
    "card",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[1]",
        b"3",
        b"{}",
        b'{"format": "other"}',
        b"\x80\x04.",
    ],
)
def test_what_is_no_card_is_refused(card: bytes, files: tuple[bytes, bytes]) -> None:
    with pytest.raises(CheckpointError, match="card"):
        loads(files[0], card)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("network", {"width": 10**9}),
        ("network", {"width": "8"}),
        ("network", {"strange": 1}),
        ("network", [8]),
        ("network", {"preconditioning": "__import__('os')"}),
        ("predicts", "noise"),
        ("predicts", 3),
        ("predicts", ["v"]),
        ("schedule", "cosine"),
        ("schedule", {"name": "cosine"}),
        ("schedule", {"name": "os.system", "arguments": {}}),
        ("schedule", {"name": ["cosine"], "arguments": {}}),
        ("schedule", {"name": "cosine", "arguments": {"T": 10**9}}),
        ("schedule", {"name": "cosine", "arguments": {"T": 10.5}}),
        ("schedule", {"name": "cosine", "arguments": {"s": "x"}}),
        ("schedule", {"name": "cosine", "arguments": {"self": 1}}),
        ("schedule", {"name": "discrete", "arguments": {"betas": [0.1] * 2000}}),
        ("schedule", {"name": "discrete", "arguments": {"betas": 0.1}}),
        ("schedule", {"name": "discrete", "arguments": {}}),
        ("schedule", {"name": "custom", "arguments": {"points": [[0, 0], [1, 1]]}}),
        ("schedule", {"name": "custom", "arguments": {"points": [[0], [1]]}}),
        ("data", None),
        ("data", "x" * 100_000),
        ("command", 7),
        ("seed", "0"),
        ("seed", -1),
        ("seed", True),
        ("steps", 1.5),
        ("metrics", 3),
        ("metrics", {"a": "b"}),
        ("metrics", {"a": True}),
        ("metrics", [["a", 1]]),
        ("training", {"lr": -1}),
        ("training", {"lr": "high"}),
        ("training", "fast"),
        ("training", {"target": ["v"]}),
        ("sha256", 5),
    ],
)
def test_a_field_that_is_wrong_is_named(
    field: str, value: object, files: tuple[bytes, bytes]
) -> None:
    with pytest.raises(CheckpointError, match=f"{field}|card") as caught:
        loads(files[0], changed(files[1], **{field: value}))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "1" + 400 * "0"])
def test_metrics_are_finite_numbers(value: str, files: tuple[bytes, bytes]) -> None:
    card = files[1].replace(b"0.03", value.encode())
    with pytest.raises(CheckpointError, match="finite numbers"):
        loads(files[0], card)


@pytest.mark.parametrize("field", ["network", "schedule", "predicts", "sha256", "data", "metrics"])
def test_a_field_that_lacks_is_named(field: str, files: tuple[bytes, bytes]) -> None:
    card = json.loads(files[1])
    del card[field]
    with pytest.raises(CheckpointError, match=f"lacks the field '{field}'"):
        loads(files[0], json.dumps(card).encode())


def test_a_card_that_is_too_large_is_refused(files: tuple[bytes, bytes]) -> None:
    with pytest.raises(CheckpointError, match="the most that is read"):
        loads(files[0], files[1] + b" " * MAX_CARD_BYTES)


# Files and networks that are wrong --------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    weights, card = save(tmp_path / "m", network(), CARD)
    card.unlink()
    with pytest.raises(CheckpointError, match=r"no file m\.json"):
        load(weights)


def test_only_networks_for_points_on_known_paths_are_saved() -> None:
    with pytest.raises(CheckpointError, match="only networks for points"):
        dumps(Network(nn.Identity(), Cosine(), "v"), CARD)

    class Mine(Cosine):
        pass

    with pytest.raises(CheckpointError, match="Mine"):
        dumps(network(Mine()), CARD)


def test_weights_that_half_precision_cannot_hold_are_not_written() -> None:
    large = network()
    with torch.no_grad():
        next(large.module.parameters()).fill_(1e5)
    with pytest.raises(CheckpointError, match="float16"):
        dumps(large, CARD, dtype=torch.float16)
    assert dumps(large, CARD)


@pytest.mark.parametrize(
    "wrong", [{"metrics": {"a": float("nan")}}, {"seed": -1}, {"data": "x" * 5000}]
)
def test_a_card_is_checked_before_it_is_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="card"):
        Card(**{"data": "moons", "seed": 0, "steps": 1, **wrong})
