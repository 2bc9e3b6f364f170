"""The core works where its inputs are: on the meta device, which has shapes and no numbers.

Whatever makes a tensor of its own on the processor and mixes it with its inputs fails there.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Exact, Guided, Network
from diffviz.core.distributions import Empirical, GaussianMixture, Smoothed
from diffviz.core.grids import make_grid
from diffviz.core.noising import Noise, jump, walk
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.networks.mlp import NetworkConfig, levels_at
from diffviz.networks.unet import UNetConfig

POINTS = torch.empty(6, 2, device="meta")
X_1 = torch.empty(4, 2, device="meta")


def mixture() -> GaussianMixture:
    """One whose checks of values, which there are none of, are left out."""
    made = object.__new__(GaussianMixture)
    made.weights, made.means = torch.empty(3, device="meta"), torch.empty(3, 2, device="meta")
    made.stds, made.labels = torch.empty(3, device="meta"), torch.arange(3)
    return made


@pytest.mark.parametrize("source", [Empirical(POINTS), mixture()], ids=["points", "mixture"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_stays_on_the_device_of_its_start(name: str, source: Empirical) -> None:
    schedule = SCHEDULES["cosine"]()
    grid = make_grid(schedule, 3)
    denoiser = Exact(source, schedule)
    for state in SAMPLERS[name]().iterate(denoiser, schedule, grid, X_1, Noise(0)):
        held: list[Tensor] = [state.x_t, state.x_0, state.eps]
        assert {each.device.type for each in held} == {"meta"}
        assert {each.shape for each in held} == {X_1.shape}


def test_levels_for_each_sample_go_where_the_samples_are() -> None:
    schedule, t = SCHEDULES["cosine"](), torch.tensor([0.1, 0.5, 0.7, 0.9])
    assert jump(schedule, X_1, t, X_1).device.type == "meta"
    assert Exact(Empirical(POINTS), schedule)(X_1, t).device.type == "meta"


def test_noise_goes_where_the_samples_are() -> None:
    times = torch.linspace(0, 1, 4, dtype=torch.float64)
    plain = torch.Generator().manual_seed(0)
    for x_t in walk(SCHEDULES["cosine"](), X_1, times, plain):
        assert x_t.device.type == "meta"


def test_densities_and_scores_are_there_too() -> None:
    made = mixture()
    assert made._log_joint(X_1).device.type == "meta"
    assert made.score(X_1).device.type == "meta"
    assert Empirical(POINTS).posterior_weights(X_1, 0.5, 0.5).device.type == "meta"


def test_guidance_stays_there() -> None:
    schedule = SCHEDULES["cosine"]()
    guided = Guided(Exact(Empirical(POINTS), schedule), 3.0)
    assert guided(X_1, 0.5).device.type == "meta"


def test_a_denoiser_goes_to_a_device_with_all_that_it_holds() -> None:
    schedule, labels = SCHEDULES["cosine"](), torch.arange(4) % 3
    points, classes = torch.randn(6, 2), torch.arange(6) % 3
    for source in (Empirical(points, classes), Smoothed(points, 0.1, classes)):
        asked = Conditioned(Guided(Exact(source, schedule), 3.0), label=labels)
        assert asked.to("cpu") is asked, "what is there already is not copied"
        there = asked.to("meta")
        assert there.cond["label"].device.type == "meta"
        held = there.denoiser.denoiser.distribution  # type: ignore[attr-defined]
        assert held.points.device.type == held.labels.device.type == "meta"
        assert source.points.device.type == "cpu", "the one that was asked stays where it was"
        assert asked(torch.zeros(4, 2), 0.5).isfinite().all()


@pytest.mark.parametrize("name", ["points", "pictures"])
def test_networks_answer_where_their_inputs_are(name: str) -> None:
    schedule = SCHEDULES["cosine"]()
    config = (
        NetworkConfig(classes=3) if name == "points" else UNetConfig(widths=(16, 16), classes=3)
    )
    network = Network(config.build(schedule, "x_0"), schedule, "x_0")
    there = network.to("meta").module
    assert network.module is network.to("cpu").module, "what is there already is not copied"
    meta = torch.device("meta")
    levels = levels_at(schedule, "x_0", torch.tensor([0.5]), torch.float32, meta)
    x_t, labels = torch.empty(1, 4, config.dim, device=meta), torch.empty(1, 4, dtype=torch.int64)
    out = there.at(x_t, levels, labels.to(meta))
    assert out.device == meta
    assert out.shape == x_t.shape
