"""Models as files: what is read, and what is said of what is not."""

from __future__ import annotations

import pickle

import pytest

from diffviz.checkpoints import Card, CheckpointError, dumps
from diffviz.denoisers import Network
from diffviz.networks import NetworkConfig, PointNetwork
from diffviz.schedules import EDM
from diffviz.ui.configs import DataConfig
from diffviz.ui.theme import LIGHT
from diffviz.ui.training_controls import data_query
from diffviz.ui.training_files import read
from diffviz.ui.training_words import metrics_html


def model(dim: int = 2) -> tuple[bytes, bytes]:
    module = PointNetwork(NetworkConfig(dim, 8, 1), EDM(), "x_0")
    return dumps(Network(module, EDM(), "x_0"), Card("moons", 0, 10))


def test_two_files_are_a_model_and_the_last_of_a_kind_counts() -> None:
    weights, card = model()
    found = read([("x.safetensors", b"old"), ("m.json", card), ("m.safetensors", weights)])
    assert found.card.data == "moons"


def test_one_file_is_not_enough() -> None:
    weights, card = model()
    with pytest.raises(CheckpointError, match="card is missing"):
        read([("m.safetensors", weights)])
    with pytest.raises(CheckpointError, match="weights are missing"):
        read([("m.json", card)])


def test_a_pickle_is_left_alone() -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return pytest.fail, ("it was opened",)

    _, card = model()
    with pytest.raises(CheckpointError, match="Python pickle"):
        read([("m.safetensors", pickle.dumps(Trap())), ("m.json", card)])


def test_a_truncated_file_and_other_weights_are_told() -> None:
    weights, card = model()
    with pytest.raises(CheckpointError, match="cut short"):
        read([("m.safetensors", weights[:500]), ("m.json", card)])
    module = PointNetwork(NetworkConfig(2, 16, 1), EDM(), "x_0")
    other, _ = dumps(Network(module, EDM(), "x_0"), Card("moons", 0, 10))
    with pytest.raises(CheckpointError, match="of shape"):
        read([("m.safetensors", other), ("m.json", card)])


def test_a_model_of_numbers_is_for_another_page() -> None:
    weights, card = model(dim=1)
    with pytest.raises(CheckpointError, match="numbers on a line"):
        read([("m.safetensors", weights), ("m.json", card)])


def test_links_carry_what_the_data_need() -> None:
    assert data_query(DataConfig("moons", 500)) == {"data": "moons", "n": 500}
    own = data_query(DataConfig("text", 500, 3, text="Hi"))
    assert own == {"data": "text", "n": 500, "data_seed": 3, "text": "Hi"}
    assert data_query(DataConfig("drawing", 9, drawing="abc"))["strokes"] == "abc"


def test_measures_stand_beside_their_floor() -> None:
    html = metrics_html({"mmd": 0.02, "mmd_floor": 0.01, "nll": 1.5}, LIGHT)
    assert "0.0200" in html
    assert "floor 0.0100" in html
    assert "1.500" in html
    assert metrics_html({}, LIGHT) == ""
