"""What denoises on the Reverse page: offered, chosen, carried by links, and said when it is not."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from diffviz.exchange.drawings import encode_points
from diffviz.models.checkpoints import CheckpointError
from diffviz.scenes import models
from diffviz.scenes.models import ModelConfig
from diffviz.ui.screens.reverse import controls as reverse_controls
from tests.ui.keys import address, view


def page() -> None:
    import streamlit as st

    from diffviz.core.denoisers import Network
    from diffviz.core.schedules import EDM
    from diffviz.models.checkpoints import Card, Checkpoint
    from diffviz.networks.mlp import NetworkConfig, PointNetwork
    from diffviz.ui.choices import controls, own_models
    from diffviz.ui.screens.reverse import controls as reverse_controls
    from diffviz.ui.shell import links, theme

    for dim in st.session_state.pop("make", []):
        seed = len(own_models.own())
        module = PointNetwork(NetworkConfig(dim=dim, width=4, depth=1), EDM(), "x_0", seed)
        found = Checkpoint(Network(module, EDM(), "x_0"), Card("my *set*", seed, 7))
        own_models.keep(found, None, f"Mine {seed}")
    theme.header("Page", "A sentence.")
    with controls.bar():
        data = controls.choose_data(n=100)
        acting = reverse_controls.choose_denoiser(data)
    st.session_state["result"] = acting
    st.session_state["names"] = [one.model.name for one in own_models.own()]
    links.sync()


def open_page(make: tuple[int, ...] = (), **query: str) -> AppTest:
    """The page with a network of so many coordinates each of the session's own."""
    at = AppTest.from_function(page, default_timeout=60)
    at.session_state["make"] = list(make)
    at.run()
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def acting(at: AppTest) -> reverse_controls.Acting:
    assert not at.exception
    return at.session_state["result"]


def said(at: AppTest) -> str:
    return " ".join(box.value for box in at.warning)


def test_without_a_word_the_exact_denoiser_acts() -> None:
    at = open_page()
    assert acting(at) == reverse_controls.Acting()
    assert not at.warning
    assert address(at) == {}


def test_the_shipped_network_of_the_data_set_acts_when_asked() -> None:
    at = open_page(data="spiral", denoiser="learned")
    assert acting(at).model == ModelConfig("shipped", "spiral")
    assert acting(at).about == "a network, trained for 8,000 steps on 50,000 points of Spiral"
    assert any("It ships with the app" in text.value for text in at.markdown)
    assert address(at) == {"data": "spiral", "denoiser": "learned"}
    view(at.button_group, "denoiser").set_value("exact").run()
    assert acting(at).model is None
    assert address(at) == {"data": "spiral"}


def test_the_true_density_can_stand_beside_either() -> None:
    exact = open_page(data="eight_gaussians", exact_for="density")
    assert acting(exact) == reverse_controls.Acting(points=False)
    learned = open_page(data="eight_gaussians", exact_for="density", denoiser="learned")
    assert not acting(learned).points
    assert acting(learned).model == ModelConfig("shipped", "eight_gaussians")
    assert not learned.warning


@pytest.mark.parametrize("query", [{}, {"own": "0123456789abcdef"}])
def test_an_own_network_that_is_not_here_is_told_and_the_exact_denoiser_acts(
    query: dict[str, str],
) -> None:
    at = open_page(denoiser="own", **query)
    assert acting(at).model is None
    assert "do not travel with links" in said(at)
    assert "using `exact`" in said(at)
    assert len(at.warning) == 1
    assert address(at) == {}


def test_an_own_network_acts_and_is_named_in_the_address() -> None:
    at = open_page((2,), denoiser="own")
    (name,) = at.session_state["names"]
    assert acting(at).model == ModelConfig("own", name)
    assert acting(at).about == r"your network, trained for 7 steps on my \*set\*"
    assert address(at) == {"denoiser": "own", "own": name}


def test_an_own_network_acts_on_a_drawing_that_came_with_the_link() -> None:
    strokes = encode_points([(-1.0, 0.0), (0.0, 1.0), (1.0, 0.0)])
    at = open_page((2,), data="drawing", strokes=strokes, n="200", denoiser="own")
    assert acting(at).model is not None
    assert not at.warning
    (name,) = at.session_state["names"]
    assert address(at) == {
        "data": "drawing",
        "strokes": strokes,
        "n": "200",
        "denoiser": "own",
        "own": name,
    }


def test_a_link_picks_one_of_several_and_so_does_the_reader() -> None:
    at = open_page((2, 2, 1))
    newest, second, first = at.session_state["names"]
    at.query_params["denoiser"], at.query_params["own"] = "own", first
    at.run()
    assert acting(at).model == ModelConfig("own", first)
    assert view(at.selectbox, "own").options == ["Mine 1", "Mine 0"], "those that fit the data"
    view(at.selectbox, "own").set_value(second).run()
    assert acting(at).model == ModelConfig("own", second)
    assert address(at)["own"] == second
    assert newest not in view(at.selectbox, "own").options


def test_a_digest_that_is_unknown_here_is_told() -> None:
    at = open_page((2,), denoiser="own", own="nonsense")
    assert acting(at).model is not None
    assert "`own=nonsense`, which is none of your networks here" in said(at)


@pytest.mark.parametrize(
    ("data", "word", "why"),
    [
        ("digits", "learned", "none ships for Handwritten digits"),
        ("digits", "own", "needs a network for image data"),
        ("two_gaussians", "own", "needs a network for 1-D data"),
        ("moons", "learnt", "perhaps `learned`?"),
    ],
)
def test_what_cannot_act_on_these_data_is_told(data: str, word: str, why: str) -> None:
    at = open_page((2,), data=data, denoiser=word)
    assert acting(at).model is None
    assert why in said(at)
    assert "denoiser" not in address(at)


def test_a_choice_comes_back_with_data_that_have_it() -> None:
    at = open_page(data="moons", denoiser="learned")
    view(at.button_group, "data").set_value("digits").run()
    assert acting(at).model is None
    assert not at.warning
    assert address(at) == {"data": "digits"}
    view(at.button_group, "data").set_value("spiral").run()
    assert acting(at).model == ModelConfig("shipped", "spiral")


def test_a_shipped_network_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(name: str) -> None:
        raise CheckpointError(f"The weights of {name} are damaged.")

    monkeypatch.setattr(models, "pretrained", damaged)
    at = open_page(denoiser="learned")
    assert acting(at).model is None
    assert "cannot be read here (The weights of moons are damaged.): using `exact`" in said(at)
    assert "denoiser" not in {group.key for group in at.button_group}, "and it is not offered"
