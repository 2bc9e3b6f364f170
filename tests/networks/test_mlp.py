"""Networks of points: what they predict, how they start, what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Exact, Guided, Network
from diffviz.core.distributions import GaussianMixture
from diffviz.core.parametrizations import PARAMETRIZATIONS
from diffviz.core.schedules import EDM, SCHEDULES, Cosine, RectifiedFlow
from diffviz.networks.mlp import (
    PRECONDITIONINGS,
    TARGETS,
    Levels,
    NetworkConfig,
    PointNetwork,
    levels_at,
    waves,
)
from diffviz.networks.unet import UNetConfig

float64 = torch.float64
SMALL = NetworkConfig(width=16, depth=2)


def randomised(network: PointNetwork) -> PointNetwork:
    """The network with a last layer that is not 0, as if it had been trained."""
    with torch.no_grad():
        network.last.weight.normal_(generator=torch.Generator().manual_seed(1))
    return network


@pytest.mark.parametrize("path", SCHEDULES)
@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_the_mix_that_parametrizations_name(path: str, target: str) -> None:
    schedule = SCHEDULES[path]()
    generator = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 6, 1, 2, generator=generator, dtype=float64)
    t = torch.linspace(max(schedule.t_min, 0.05), 0.9, 6, dtype=float64)
    at = levels_at(schedule, target, t, float64)
    x_t = at.alpha * x_0 + at.sigma * eps
    wanted = PARAMETRIZATIONS[target][1](x_t, x_0, schedule, t)
    assert_close(at.a * x_0 + at.b * eps, wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("path", SCHEDULES)
@pytest.mark.parametrize("target", TARGETS)
def test_an_untrained_network_is_the_exact_denoiser_of_a_standard_gaussian(
    path: str, target: str
) -> None:
    schedule = SCHEDULES[path]()
    gaussian = GaussianMixture(
        torch.ones(1, dtype=float64), torch.zeros(1, 2, dtype=float64), torch.ones(1, dtype=float64)
    )
    learned = Network(PointNetwork(SMALL, schedule, target), schedule, target)
    x_t = torch.randn(5, 2, dtype=float64, generator=torch.Generator().manual_seed(0))
    t = torch.linspace(max(schedule.t_min, 0.05), 0.8, 5, dtype=float64)
    assert_close(learned(x_t, t), Exact(gaussian, schedule)(x_t, t), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("path", SCHEDULES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("preconditioning", PRECONDITIONINGS)
def test_every_target_is_finite_along_every_path(
    path: str, target: str, preconditioning: str
) -> None:
    schedule = SCHEDULES[path]()
    config = NetworkConfig(width=8, depth=1, preconditioning=preconditioning)
    network = randomised(PointNetwork(config, schedule, target))
    t = torch.linspace(schedule.t_min, 1, 9)
    y = network(torch.randn(9, 2) * schedule.prior_std(), t)
    assert y.shape == (9, 2)
    assert bool(y.isfinite().all())


def test_with_edm_scaling_all_targets_ask_the_same_of_the_mlp() -> None:
    schedule = Cosine()
    x_t, t = (
        torch.randn(7, 2, generator=torch.Generator().manual_seed(0)),
        torch.linspace(0.1, 0.9, 7),
    )
    answers = [
        Network(randomised(PointNetwork(SMALL, schedule, target)), schedule, target)(x_t, t)
        for target in ("eps", "score", "velocity")
    ]
    for answer in answers[1:]:
        assert_close(answer.abs(), answers[0].abs(), rtol=1e-3, atol=1e-3)


def test_edm_scaling_leaves_unit_variance_to_the_mlp() -> None:
    t = torch.linspace(0.05, 0.95, 7, dtype=float64)
    at = levels_at(RectifiedFlow(), "velocity", t, float64)
    skip, out = PRECONDITIONINGS["edm"](at)
    assert skip is not None
    generator = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 7, 100_000, 1, generator=generator, dtype=float64)
    rest = (at.a * x_0 + at.b * eps - skip * (at.alpha * x_0 + at.sigma * eps)) / out
    assert_close(rest.std((1, 2)), torch.ones(7, dtype=float64), rtol=0.02, atol=0)


def test_answers_come_in_the_dtype_of_the_question() -> None:
    network = randomised(PointNetwork(SMALL, Cosine(), "v"))
    x_t, t = torch.randn(3, 2), torch.tensor([0.2, 0.5, 0.9])
    double = network(x_t.double(), t.double())
    assert double.dtype == float64
    assert_close(double.float(), network(x_t, t), rtol=1e-4, atol=1e-5)


def test_one_time_for_all_goes_through_the_denoiser() -> None:
    schedule = RectifiedFlow()
    learned = Network(randomised(PointNetwork(SMALL, schedule, "velocity")), schedule, "velocity")
    x_t = torch.randn(4, 2)
    assert_close(learned(x_t, 0.5), learned(x_t, torch.full((4,), 0.5)))
    assert bool(learned(x_t, 1.0).isfinite().all())


def test_a_seed_fixes_the_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again, other = (
        PointNetwork(SMALL, Cosine(), "eps", seed).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["place.weight"], other["place.weight"])


@pytest.fixture
def conditional() -> PointNetwork:
    return randomised(PointNetwork(NetworkConfig(width=16, depth=1, classes=3), Cosine(), "v"))


def test_labels_matter_and_none_is_the_null_class(conditional: PointNetwork) -> None:
    x_t, t = torch.randn(4, 2), torch.full((4,), 0.5)
    assert not torch.allclose(conditional(x_t, t, 0), conditional(x_t, t, 1))
    assert_close(conditional(x_t, t, torch.tensor([2, 2, 2, 2])), conditional(x_t, t, 2))
    assert_close(conditional(x_t, t), conditional(x_t, t, conditional.null_label))


def test_guidance_works_on_a_conditional_network(conditional: PointNetwork) -> None:
    learned = Network(conditional, Cosine(), "v")
    x_t = torch.randn(4, 2)
    plain, told = learned(x_t, 0.5), learned(x_t, 0.5, label=1)
    assert_close(Guided(learned, 3.0)(x_t, 0.5, label=1), plain + 3 * (told - plain))


@pytest.mark.parametrize("label", [-1, 4, torch.tensor([0, 1])])
def test_labels_that_do_not_fit_are_refused(conditional: PointNetwork, label: Tensor | int) -> None:
    with pytest.raises(ValueError, match="from 0 to 2"):
        conditional(torch.randn(4, 2), torch.full((4,), 0.5), label)


def test_a_network_without_classes_takes_no_label() -> None:
    with pytest.raises(ValueError, match="without classes"):
        PointNetwork(SMALL, Cosine(), "v")(torch.randn(4, 2), torch.full((4,), 0.5), 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("dim", 0), ("width", 1_000_000), ("depth", 0), ("classes", -1), ("width", 64.0)],
)
def test_shapes_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        NetworkConfig(**{field: value})  # type: ignore[arg-type]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="preconditioning"):
        NetworkConfig(preconditioning="magic")
    with pytest.raises(ValueError, match="unknown target"):
        PointNetwork(SMALL, Cosine(), "noise")
    with pytest.raises(ValueError, match="unknown target"):
        levels_at(Cosine(), "noise", torch.ones(1), float64)


def test_points_at_one_time_are_answered_as_at_many() -> None:
    network = randomised(PointNetwork(SMALL, Cosine(), "v"))
    x_t = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    together = network(x_t, torch.full((3,), 0.4))
    apart = network(torch.cat([x_t, x_t[:1]]), torch.tensor([0.4, 0.4, 0.4, 0.9]))
    assert_close(together, apart[:3])


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_points_of_any_small_dimension(dim: int) -> None:
    network = PointNetwork(NetworkConfig(dim=dim, width=8, depth=1), Cosine(), "x_0")
    assert network(torch.randn(3, dim), torch.full((3,), 0.5)).shape == (3, dim)


def test_levels_broadcast_over_groups() -> None:
    at = levels_at(Cosine(), "v", torch.tensor([0.1, 0.2]), torch.float32)
    assert isinstance(at, Levels)
    assert all(level.shape == (2, 1, 1) and level.dtype == torch.float32 for level in at)


@pytest.mark.parametrize(
    "shape",
    [
        NetworkConfig(width=16, depth=2, preconditioning="plain"),
        UNetConfig(size=8, widths=(16,), blocks=1, heads=2, preconditioning="plain"),
    ],
    ids=["points", "pictures"],
)
def test_a_network_sees_unit_variance_and_the_noise_level_alone(
    shape: NetworkConfig | UNetConfig,
) -> None:
    """Of the same weights, x_t of one log-SNR is answered alike on every path."""
    size = (3, 2) if isinstance(shape, NetworkConfig) else (3, *shape.shape)
    x = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=float64)
    answers = []
    for schedule in (RectifiedFlow(), EDM(), Cosine()):
        net = shape.build(schedule, "x_0").double()
        with torch.no_grad():
            net.last.weight.normal_(generator=torch.Generator().manual_seed(1))
        t = schedule.t_at_log_snr(-1.3).item()
        answers.append(net(schedule.prior_std(t) * x, torch.full((3,), t, dtype=float64)))
    assert answers[0].std() > 0.1
    for answer in answers[1:]:
        assert_close(answer, answers[0], rtol=1e-6, atol=1e-6)


def test_waves_are_sines_and_cosines_of_doubling_frequencies() -> None:
    x = torch.tensor([[0.5, -1.0]], dtype=float64)
    found = waves(x, 4.0, 2)
    phase = [math.pi / 4 * f * v for v in (0.5, -1.0) for f in (1, 2)]
    wanted = [0.5, -1.0, *map(math.sin, phase), *map(math.cos, phase)]
    assert_close(found, torch.tensor([wanted], dtype=float64))
