"""Copies of training points, and the ladder of training sets."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from diffviz.core.denoisers import Exact
from diffviz.core.distributions import Empirical, GaussianMixture
from diffviz.core.run import simulate
from diffviz.studies import memorise
from diffviz.studies.memorise import SIZES, STORED, Recipe, copies, main, measure, plan, stored
from diffviz.tools.slices import finish


def test_a_copy_is_near_one_point_and_far_from_the_next() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    x = torch.tensor([[0.2, 0.0], [0.25, 0.0], [0.3, 0.0], [0.5, 0.0], [0.0, 3.0]])
    assert copies(x, points).tolist() == [True, False, False, False, True]
    assert copies(x, points, ratio=0.5).tolist() == [True, True, True, False, True]
    with pytest.raises(ValueError, match="two points"):
        copies(x, points[:1])


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_chance_makes_three_to_the_minus_d_copies(dim: int) -> None:
    generator = torch.Generator().manual_seed(dim)
    points, x = (torch.rand(4000, dim, generator=generator) for _ in range(2))
    assert copies(x, points).double().mean().item() == pytest.approx(3**-dim, abs=0.02)


def test_training_points_are_copies_of_themselves_however_they_are_split() -> None:
    points = torch.randn(3000, 2, generator=torch.Generator().manual_seed(0))
    assert copies(points, points).all()


def test_the_grid_falls_to_zero_and_starts_at_the_largest_level() -> None:
    times = memorise.grid()
    assert times[0].item() == pytest.approx(1)
    assert times[-1] == 0
    assert (times.diff() < 0).all()
    assert memorise.path().at(float(times[-2]))[1] == pytest.approx(3e-4, rel=1e-6)


def test_the_exact_denoiser_of_points_only_copies() -> None:
    points = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    x = simulate(plan(Exact(Empirical(points), memorise.path()), n=100), 1).x_t[-1]
    assert copies(x, points).all()
    nearest = torch.cdist(x, points).min(1).values
    assert nearest.max() < 2e-3


def test_the_denoiser_of_the_truth_copies_no_more_than_chance() -> None:
    truth = GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1))
    generator = torch.Generator().manual_seed(4)
    points, fresh, other = (truth.sample(n, generator) for n in (200, 4000, 1000))
    work = measure(Exact(truth, memorise.path()), points, fresh, other, 0.0)
    first = next(work)
    assert 0 <= first < 0.1
    figures = finish(work)
    assert figures.n == 200
    assert figures.copies_exact == 1
    assert figures.copies == pytest.approx(figures.copies_fresh, abs=0.06)
    assert figures.copies < 0.25
    assert figures.distance < figures.distance_exact
    assert figures.distance == pytest.approx(figures.distance_fresh, abs=0.05)


def test_equal_seeds_draw_equal_samples() -> None:
    points = torch.eye(2)
    exact = Exact(Empirical(points), memorise.path())
    a, b, c = (simulate(plan(exact, n=20, seed=s), 1).x_t[-1] for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize("name", STORED)
def test_what_ships_is_whole_and_tells_the_story(name: str) -> None:
    kept = stored(name)
    assert kept is not None
    assert [row.n for row in kept.figures] == list(SIZES)
    assert kept.recipe == Recipe()
    assert set(kept.models) == set(SIZES)
    first, last = kept.figures[0], kept.figures[-1]
    assert first.copies > 0.9
    assert last.copies < last.copies_fresh + 0.05
    assert all(row.copies_exact > 0.98 for row in kept.figures)
    assert last.distance < first.distance / 5
    files = list((memorise.FOLDER / "memorise").glob(f"{name}*.json"))
    assert sum(file.stat().st_size for file in files) < 100_000


@pytest.mark.parametrize("n", [16, 1000])
def test_the_stored_figures_are_those_of_the_stored_models(n: int) -> None:
    """The models are kept in half precision, so a few samples may fall on the other side."""
    name = STORED[0]
    kept = stored(name)
    assert kept is not None
    points = memorise.DATASETS[name](max(SIZES), 0)[:n]
    x = simulate(plan(kept.models[n]), 1).x_t[-1]
    row = next(row for row in kept.figures if row.n == n)
    assert copies(x, points).float().mean().item() == pytest.approx(row.copies, abs=0.03)


def test_the_command_trains_measures_and_stores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["spiral", "--steps", "5", "--sizes", "4", "8", "--into", str(tmp_path)])
    record = json.loads((tmp_path / "spiral.json").read_text())
    assert [row["n"] for row in record["figures"]] == [4, 8]
    assert record["recipe"] == asdict(Recipe(steps=5))
    assert record["command"] == "python -m diffviz memorise spiral --steps 5"
    assert "copies_exact 1" in capsys.readouterr().out
    monkeypatch.setattr(memorise, "_FOLDER", tmp_path)
    monkeypatch.setattr(memorise, "STORED", ("spiral", "rose"))
    stored.cache_clear()
    kept = stored("spiral")
    assert kept is not None
    assert set(kept.models) == {4, 8}
    with pytest.raises(memorise.CheckpointError, match=r"python -m diffviz memorise rose"):
        stored("rose")
    stored.cache_clear()
    with pytest.raises(SystemExit):
        main(["nothing"])


def test_other_sets_ship_nothing() -> None:
    assert stored("text") is None
