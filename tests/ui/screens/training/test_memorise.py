"""The experiment on memorisation: its job, what it keeps, its figure and its words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import streamlit as st
import torch

from diffviz.scenes import memorise as m
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.memorise import (
    Experiment,
    Ladder,
    Outcome,
    known,
    points_of,
    shown,
)
from diffviz.studies.memorise import SIZES, Figures, Recipe, copies
from diffviz.ui.screens.training import memorise_words
from diffviz.ui.screens.training.memorise import found_here
from diffviz.ui.screens.training.memorise_figures import over_sizes
from diffviz.ui.shell.theme import DARK, LIGHT

MOONS = DataConfig("moons", 8000)
QUICK = Experiment(MOONS, Recipe(width=8, depth=1, steps=60))


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A session of its own, and nothing kept from other tests."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    m._KEPT.clear()
    yield state
    m._KEPT.clear()


def done(experiment: Experiment = QUICK, sizes: tuple[int, ...] = (4,)) -> Ladder:
    work = Ladder(experiment, sizes)
    for _ in work:
        pass
    return work


def test_a_ladder_goes_size_by_size_in_small_slices() -> None:
    work, shares = Ladder(QUICK, (8, 4)), []
    halfway: set[int] = set()
    for share in work:
        shares.append(share)
        if share > 0.6:
            halfway = halfway or set(work.found)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.3
    assert 0.9 < shares[-1] <= 1
    assert len(shares) > 100
    assert halfway == {8}
    assert set(work.found) == {4, 8}
    assert all(o.origin == "here" and o.figures.n == n for n, o in work.found.items())
    assert work.found[4].figures.copies_exact == 1


def test_results_are_shared_and_stay_in_the_session(session: dict[str, Any]) -> None:
    work = done()
    mine = found_here(QUICK, work)
    assert mine[4] is work.found[4]
    session.clear()
    assert known(QUICK)[4] is work.found[4], "others find it too"
    assert known(replace(QUICK, recipe=Recipe(steps=61))) == {}
    found_here(QUICK, work)
    m._KEPT.clear()
    assert found_here(QUICK, None)[4] is work.found[4], "and the session keeps it"


def test_shipped_results_are_there_at_once_and_give_way_one_by_one() -> None:
    found = known(Experiment())
    assert list(found) == list(SIZES)
    assert {o.origin for o in found.values()} == {"stored"}
    assert known(Experiment(DataConfig("moons", 8000, seed=1))) == {}
    own = Outcome(found[16].figures, found[16].denoiser, "here", "mine")
    m._KEPT[Experiment(), 16] = own
    mixed = known(Experiment())
    assert mixed[16] is own
    assert mixed[8].origin == "stored"
    told = memorise_words.source_of(Experiment(), mixed)
    assert "python -m diffviz memorise moons" in told
    assert "Filled circles: measured here." in told
    assert "width 64, depth 2, 2,000 steps" in told


def test_training_sets_hold_all_smaller_ones() -> None:
    large = points_of(MOONS, 1000)
    assert torch.equal(points_of(MOONS, 16), large[:16])
    drawing = DataConfig("text", 8000, text="ab")
    assert points_of(drawing, 32).shape == (32, 2)


def test_three_panels_start_from_the_same_noise() -> None:
    outcome = known(Experiment())[16]
    made = shown(MOONS, 16, outcome.name, outcome)
    header, arrays = decode(made.buffer)
    panels = header["panels"]
    assert [p["badge"] for p in panels] == ["learned", "exact", "exact"]
    first = [arrays[p["arrays"]["x_t"]][0] for p in panels]
    assert np.allclose(first[0], first[1], atol=2e-3)
    assert np.allclose(first[0], first[2], atol=2e-3)
    ends = torch.from_numpy(np.array(arrays[panels[1]["arrays"]["x_t"]][-1])).float()
    assert copies(ends, points_of(MOONS, 16)).all()
    assert arrays[panels[0]["arrays"]["data"]].shape == (16, 2)
    share = copies(
        torch.from_numpy(np.array(arrays[panels[0]["arrays"]["x_t"]][-1])).float(),
        points_of(MOONS, 16),
    )
    assert share.float().mean().item() == pytest.approx(outcome.figures.copies, abs=0.03)


def test_without_a_network_there_are_two_panels() -> None:
    header, _ = decode(shown(DataConfig("eight_gaussians", 8000), 8, None, None).buffer)
    assert [p["badge"] for p in header["panels"]] == ["exact", "exact"]
    assert header["panels"][1]["note"] == "Exact for the density"


def figures(n: int, share: float, distance: float = 0.1) -> Figures:
    return Figures(n, share, 1.0, 0.1, distance, 0.2, 0.05, 1.0)


def test_the_figure_fills_in_and_tells_stored_from_measured() -> None:
    found = {n: figures(n, 1 / (1 + n / 64)) for n in (4, 64, 8000)}
    chance = dict.fromkeys(SIZES, 0.12)
    for colors in (LIGHT, DARK):
        figure = over_sizes(found, chance, [64], 64, colors)
        network = figure.data[2]
        assert list(network.x) == [4, 64, 8000]
        assert list(network.marker.color) == [
            colors.background,
            colors.learned,
            colors.background,
        ]
        empty = over_sizes({}, chance, [], 64, colors)
        assert list(empty.data[0].x) == list(SIZES)
        assert "train to fill this in" in [a.text for a in empty.layout.annotations]
    assert min(m.chance(MOONS).values()) > 0.05


@pytest.mark.parametrize(
    ("share", "distance", "words"),
    [
        (0.9, 0.1, "by heart"),
        (0.3, 0.1, "on the way"),
        (0.1, 0.3, "too little"),
        (0.1, 0.1, "generalised"),
    ],
)
def test_words_follow_the_figures(share: float, distance: float, words: str) -> None:
    outcome = known(Experiment())[16]
    told = memorise_words.about(
        64, Outcome(figures(64, share, distance), outcome.denoiser, "here", "x")
    )
    assert words in told
    assert f"**{share:.0%}**" in told
    assert "No network has been trained on **64**" in memorise_words.about(64, None)
    assert "a third" in memorise_words.definition()
