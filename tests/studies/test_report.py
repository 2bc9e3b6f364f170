"""What a card says of a model: good ones apart from bad ones, each figure by its floor."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import GaussianMixture
from diffviz.core.schedules import EDM
from diffviz.data.points import DATASETS
from diffviz.studies.report import report
from diffviz.tools.slices import finish

DISTANCES = ("sliced_wasserstein", "energy_distance", "mmd")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few samples to measure on."""
    monkeypatch.setattr("diffviz.studies.report._SAMPLES", 60)
    monkeypatch.setattr("diffviz.studies.report._STEPS", 4)


class Data(Denoiser):
    """Moves every point to the nearest point of the data."""

    def __call__(self, x_t: Tensor, t: Tensor | float, **_: object) -> Tensor:
        points = DATASETS["moons"](300, 5)
        return points[torch.cdist(x_t, points).argmin(1)] + 0 * x_t


class Nothing(Denoiser):
    """Always answers with the middle."""

    def __call__(self, x_t: Tensor, t: Tensor | float, **_: object) -> Tensor:
        return 0 * x_t


def measured(denoiser: Denoiser, **options: Any) -> dict[str, float]:
    few = {"draws": 2, "likely": 6, "likely_steps": 2, **options}
    return finish(report(denoiser, EDM(), DATASETS["moons"], **few))


def test_the_figures_tell_a_good_model_from_a_bad_one() -> None:
    training = DATASETS["moons"](400, 0)
    good, bad = (measured(denoiser(), training=training) for denoiser in (Data, Nothing))
    for name in DISTANCES:
        assert good[name] < bad[name]
        assert good[f"{name}_floor"] == bad[f"{name}_floor"] > 0
        assert good[f"{name}_independent"] == bad[f"{name}_independent"] > 0
    assert not any("independent" in name for name in measured(Data()))


def test_the_likelihood_stands_beside_that_of_the_density() -> None:
    normal = GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1))
    exact = Exact(normal, EDM())
    figures = measured(exact, density=normal, likely=40, likely_steps=48)
    assert figures["nll"] == pytest.approx(figures["nll_exact"], abs=5e-3)


def test_what_is_not_finite_is_left_out() -> None:
    class Lost(Denoiser):
        def __call__(self, x_t: Tensor, t: Tensor | float, **_: object) -> Tensor:
            return float("nan") * x_t

    assert "nll" not in measured(Lost())


def test_the_work_gives_way_and_says_how_far_it_is() -> None:
    work = report(Data(), EDM(), DATASETS["moons"], draws=1, likely=6, likely_steps=2)
    shares = []
    for share in work:
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        shares.append(share)
    assert len(shares) > 12
    assert shares == sorted(shares)
    assert shares[-1] == 1
