"""Models as files: what is read, and what is said of what is not."""

from __future__ import annotations

import pickle

import pytest
import safetensors.torch
from streamlit.testing.v1 import AppTest

from diffviz.core.denoisers import Network
from diffviz.core.schedules import EDM
from diffviz.models.checkpoints import Card, CheckpointError, dumps
from diffviz.networks.mlp import NetworkConfig, PointNetwork
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig
from diffviz.ui.screens.training.controls import data_query
from diffviz.ui.screens.training.files import read
from diffviz.ui.screens.training.words import about_model, metrics_html
from diffviz.ui.shell.theme import LIGHT


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


@pytest.mark.parametrize("rounded", [False, True])
def test_rounded_weights_are_told(rounded: bool) -> None:
    weights, card = model()
    if rounded:
        parts = {k: v.bfloat16() for k, v in safetensors.torch.load(weights).items()}
        weights = safetensors.torch.save(parts)
    found = read([("m.safetensors", weights), ("m.json", card)])
    said = about_model(ModelConfig("own", "x", "m (loaded)"), found, DataConfig())
    assert said.startswith("**Your model**, m (loaded): 10 steps on moons.")
    assert ("rounded to 16 bits" in said) == rounded


def page() -> None:
    import streamlit as st

    from diffviz.scenes.configs import DataConfig
    from diffviz.ui.screens.training import files as training_files

    training_files.load(DataConfig())
    st.session_state["found"] = training_files.loaded(DataConfig())


def test_files_are_loaded_and_what_they_are_not_is_told() -> None:
    weights, card = model()
    at = AppTest.from_function(page, default_timeout=30).run()

    def bring(*files: tuple[str, bytes]) -> AppTest:
        chosen = [(name, content, "application/octet-stream") for name, content in files]
        return at.file_uploader[0].set_value(chosen).run()

    bring(("m.safetensors", weights))
    assert "card is missing" in at.error[0].value
    bring(("m.bin", pickle.dumps([1.0])), ("m.json", card))
    assert "weights are missing" in at.error[0].value
    assert at.session_state["found"] is None
    bring(("m.safetensors", weights), ("m.json", card))
    assert not at.error
    assert at.session_state["found"].title == "m (loaded)"
    bring(("m.safetensors", pickle.dumps([1.0])), ("m.json", card))
    assert "Python pickle" in at.error[0].value
    assert at.session_state["found"].title == "m (loaded)"


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
