"""Trained denoisers as small keys: shipped ones, and the few that a session keeps."""

from __future__ import annotations

import gc
import pickle

import pytest
import torch
from streamlit.testing.v1 import AppTest

from diffviz.core.denoisers import Network
from diffviz.core.schedules import EDM, SCHEDULES
from diffviz.models.checkpoints import Card, Checkpoint
from diffviz.models.pretrained import PRETRAINED, pretrained
from diffviz.networks.mlp import NetworkConfig, PointNetwork
from diffviz.scenes import models
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig
from diffviz.ui.choices import own_models


def tiny(seed: int = 0, dim: int = 2, classes: int = 0) -> Checkpoint:
    """A small network that was never trained, with weights of its own."""
    schedule = EDM()
    config = NetworkConfig(dim=dim, width=4, depth=1, classes=classes)
    module = PointNetwork(config, schedule, "x_0", seed)
    return Checkpoint(Network(module, schedule, "x_0"), Card("moons", seed, 7))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A session of its own, and nothing held by others."""
    session: dict[str, object] = {}
    monkeypatch.setattr(own_models.st, "session_state", session)
    monkeypatch.setattr(models, "_OWN", type(models._OWN)())
    return session


# Shipped -----------------------------------------------------------------------------------------


def test_what_ships_is_named_by_its_data_set() -> None:
    for name in PRETRAINED:
        model = models.shipped(DataConfig(name, n=10))
        assert model == ModelConfig("shipped", name)
    assert models.shipped(DataConfig("drawing")) is None
    assert models.shipped(DataConfig("text", text="hi")) is None
    assert models.shipped(DataConfig("digits")) is None


def test_a_shipped_model_is_the_one_on_disk_and_shared() -> None:
    model = ModelConfig("shipped", "moons", "whatever menus say")
    assert models.checkpoint(model) is pretrained("moons")
    assert models.classes(model) == 2
    assert models.cost(model) > 1000
    assert models.fits(model, DataConfig("spiral"))
    assert not models.fits(model, DataConfig("uniform"))
    assert not models.fits(model, DataConfig("digits"))


@pytest.mark.parametrize("path", ["linear", "ve", "rectified_flow"])
def test_a_model_answers_on_any_path(path: str) -> None:
    schedule = SCHEDULES[path]()
    denoiser = models.denoiser(ModelConfig("shipped", "moons"), schedule)
    assert not denoiser.exact
    x_0 = DataConfig("moons", n=100).load()
    alpha, sigma = schedule.at(schedule.t_min)
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answered = denoiser(alpha * x_0 + sigma * eps, schedule.t_min)
        at_the_start = denoiser(schedule.prior_std() * eps, 1.0)
    assert (answered - x_0).abs().max() < 0.1, "there is nearly no noise to take away"
    assert at_the_start.norm(dim=1).mean() < 0.6, "noise says little: about the mean of the data"


# The reader's own --------------------------------------------------------------------------------


@pytest.mark.usefixtures("memory")
def test_the_newest_comes_first_and_the_oldest_leaves() -> None:
    assert own_models.own() == []
    data = DataConfig("moons", n=50)
    kept = [own_models.keep(tiny(seed), data, f"number {seed}") for seed in range(6)]
    assert [one.model for one in own_models.own()] == kept[:1:-1]
    assert own_models.own()[0].data == data
    again = own_models.keep(tiny(3), None, "number 3 anew")
    assert [one.model for one in own_models.own()] == [kept[3], kept[5], kept[4], kept[2]]
    assert again == kept[3], "the name on the menu does not count"
    assert own_models.own()[0].model.title == "number 3 anew"


@pytest.mark.usefixtures("memory")
def test_a_model_is_named_by_its_weights() -> None:
    assert own_models.keep(tiny(1), None, "a").name == own_models.keep(tiny(1), None, "b").name
    assert own_models.keep(tiny(1), None, "a") != own_models.keep(tiny(2), None, "a")
    assert hash(ModelConfig("own", "x", "a")) == hash(ModelConfig("own", "x", "b"))
    assert ModelConfig("own", "moons") != ModelConfig("shipped", "moons")
    assert pickle.loads(pickle.dumps(ModelConfig("own", "x", "a"))) == ModelConfig("own", "x")


def test_an_own_model_is_found_where_there_is_no_session(memory: dict[str, object]) -> None:
    found = tiny(classes=3)
    model = own_models.keep(found, None, "mine")
    memory.clear()  # as in the thread of a job
    assert models.checkpoint(model) is found
    assert models.classes(model) == 3


def test_a_model_is_there_as_long_as_a_session_has_it(memory: dict[str, object]) -> None:
    first = own_models.keep(tiny(0), None, "mine")
    others = [tiny(seed) for seed in range(1, 100)]  # of as many readers
    for seed, found in enumerate(others):
        models.share(ModelConfig("own", f"another reader's {seed}"), found)
    assert models.checkpoint(first).card.seed == 0
    here = dict(memory)
    memory.clear()
    assert own_models.keep(tiny(0), None, "the same, in another session") == first
    here.clear()
    gc.collect()
    assert models.checkpoint(first) is own_models.own()[0].checkpoint
    memory.clear()
    gc.collect()
    with pytest.raises(ValueError, match="train it again, or load its files"):
        models.checkpoint(first)


def session() -> None:
    import streamlit as st

    from diffviz.core.denoisers import Network
    from diffviz.core.schedules import EDM
    from diffviz.models.checkpoints import Card, Checkpoint
    from diffviz.networks.mlp import NetworkConfig, PointNetwork
    from diffviz.ui.choices import own_models

    if "steps" in st.query_params:
        module = PointNetwork(NetworkConfig(width=4, depth=1), EDM(), "x_0")
        card = Card("moons", 0, int(st.query_params["steps"]))
        own_models.keep(Checkpoint(Network(module, EDM(), "x_0"), card), None, "mine")
    st.session_state["result"] = [one.checkpoint.card.steps for one in own_models.own()]


def test_sessions_do_not_see_each_other() -> None:
    one, other = (AppTest.from_function(session) for _ in range(2))
    one.query_params["steps"] = "5"
    assert one.run().session_state["result"] == [5]
    assert other.run().session_state["result"] == []
