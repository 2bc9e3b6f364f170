"""Latent spaces: the mismatch of prior and encoder against closed forms, and the files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Exact, Network
from diffviz.core.distributions import GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import DPMpp2M
from diffviz.core.schedules import EDM, Cosine
from diffviz.data.full_sets import Split
from diffviz.models.checkpoints import CheckpointError
from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.vae import VAE, Code, VAEConfig
from diffviz.studies import latents
from diffviz.studies.latents import (
    MASSES,
    Aggregate,
    Codes,
    answers,
    between_error,
    bilinear,
    decoded_grid,
    draw_codes,
    load_codes,
    mass_levels,
    measure,
    mended,
    read_figures,
    surgery,
    write_codes,
)

float64 = torch.float64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cloud(count: int, size: int, spread: float, std: float, seed: int = 0) -> Aggregate:
    mean = spread * torch.randn(count, size, generator=seeded(seed), dtype=float64)
    return Aggregate(mean, torch.full((count, size), std, dtype=float64))


def kl_to_standard(mean: float, std: float, size: int) -> float:
    return size * (mean**2 + std**2 - 1 - 2 * math.log(std)) / 2


def small_vae(latent: int = 2) -> VAE:
    return VAEConfig(latent, (16, 16), 16).build().eval().requires_grad_(False)


# The aggregate posterior


@pytest.mark.parametrize("size", [1, 2, 5])
def test_density_is_that_of_the_mixture(size: int) -> None:
    aggregate = cloud(30, size, 1.3, 0.4)
    same = GaussianMixture(
        torch.ones(30, dtype=float64), aggregate.mean, torch.full((30,), 0.4, dtype=float64)
    )
    z = torch.randn(50, size, generator=seeded(1), dtype=float64)
    assert_close(aggregate.log_prob(z), same.log_prob(z))


def test_density_does_not_depend_on_how_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    aggregate = cloud(40, 3, 1.0, 0.2)
    z, index = aggregate.sample(33, seeded(2))
    whole = aggregate.log_prob(z), aggregate.log_prob(z, index)
    monkeypatch.setattr(latents, "_CHUNK", 200)
    assert_close(aggregate.log_prob(z), whole[0])
    assert_close(aggregate.log_prob(z, index), whole[1])


def test_a_picture_left_out_is_left_out() -> None:
    aggregate = cloud(12, 2, 1.0, 0.3)
    z, index = aggregate.sample(20, seeded(3))
    without = aggregate.log_prob(z, index)
    for place, k, found in zip(z, index.tolist(), without, strict=True):
        others = [i for i in range(12) if i != k]
        rest = Aggregate(aggregate.mean[others], aggregate.std[others])
        assert_close(found, rest.log_prob(place[None])[0])
    with pytest.raises(ValueError, match="left out"):
        Aggregate(z[:1], torch.ones(1, 2)).log_prob(z[:1], index[:1])


def test_density_on_a_grid_is_the_density() -> None:
    aggregate = Aggregate(
        torch.tensor([[0.5, -1.0], [1.0, 2.0]]), torch.tensor([[0.3, 0.9], [0.5, 0.2]])
    )
    first, second = torch.linspace(-4, 4, 161), torch.linspace(-7, 5, 241)
    grid = aggregate.density_on_grid(first, second)
    assert grid.shape == (241, 161)
    at = torch.tensor([[first[70], second[93]]])
    assert_close(grid[93, 70], aggregate.log_prob(at).exp()[0])
    assert_close(float(grid.sum()) * 0.05**2, 1.0, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="plane"):
        cloud(3, 3, 1, 1).density_on_grid(first, second)


def test_draws_have_the_moments_of_the_mixture() -> None:
    aggregate = cloud(500, 2, 1.5, 0.7)
    z, index = aggregate.sample(200_000, seeded(4))
    assert index.min() == 0
    assert index.max() == 499
    assert_close(z.mean(0), aggregate.mean.mean(0), atol=0.02, rtol=0)
    variance = aggregate.mean.var(0, correction=0) + 0.7**2
    assert_close(z.var(0), variance, atol=0.04, rtol=0)


def test_moved_and_noised_are_those_of_the_draws() -> None:
    aggregate = cloud(20, 2, 1.0, 0.4)
    shift, scale = torch.tensor([0.5, -1.0], dtype=float64), torch.tensor([2.0, 0.5], dtype=float64)
    z = aggregate.sample(7, seeded(5))[0]
    moved = aggregate.moved(shift, scale)
    assert_close(moved.log_prob((z - shift) / scale), aggregate.log_prob(z) + scale.log().sum())
    noised = aggregate.marginal(0.6, 0.8)
    assert_close(noised.mean, 0.6 * aggregate.mean)
    assert_close(noised.std, torch.full((20, 2), math.hypot(0.6 * 0.4, 0.8), dtype=float64))


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (torch.zeros(0, 2), torch.zeros(0, 2)),
        (torch.zeros(3), torch.ones(3)),
        (torch.zeros(3, 2), torch.ones(3, 1)),
        (torch.zeros(3, 2), torch.zeros(3, 2)),
    ],
)
def test_what_is_no_aggregate_posterior_is_refused(mean: Tensor, std: Tensor) -> None:
    with pytest.raises(ValueError, match="aggregate posterior"):
        Aggregate(mean, std)


# The mismatch


def test_codes_that_tell_nothing_are_all_mismatch() -> None:
    """All pictures have one code, N(0.7, 0.5^2): no information, and a known divergence."""
    aggregate = Aggregate(torch.full((200, 3), 0.7), torch.full((200, 3), 0.5))
    parts = surgery(aggregate, 500, seeded())
    exact = kl_to_standard(0.7, 0.5, 3)
    assert_close(parts.rate, exact, atol=1e-6, rtol=0)
    for bounds in (parts.information, parts.prior):
        assert_close(bounds.low, bounds.high, atol=1e-9, rtol=0)
    assert_close(parts.information.low, 0.0, atol=1e-9, rtol=0)
    assert_close(parts.prior.low, exact, atol=1e-6, rtol=0)


def test_codes_far_apart_tell_all_they_can() -> None:
    mean = 100 * torch.arange(50, dtype=float64)[:, None]
    parts = surgery(Aggregate(mean, torch.ones_like(mean)), 300, seeded())
    assert_close(parts.information.low, math.log(50), atol=1e-9, rtol=0)
    assert_close(parts.ceiling, math.log(50))
    assert parts.information.high > 1000  # with the picture left out nothing bounds it


def test_the_known_mismatch_of_a_gaussian_lies_between_the_bounds() -> None:
    """m ~ N(0, 0.8^2) and std 0.6 make q = N(0, 1): no mismatch, I = -log 0.6 a coordinate."""
    parts = surgery(cloud(2500, 2, 0.8, 0.6), 2500, seeded(1))
    exact = -2 * math.log(0.6)
    slack = 4 * parts.error
    assert parts.information.low - slack < exact < parts.information.high + slack
    assert_close(parts.prior.low, 0.0, atol=0.03, rtol=0)
    assert_close(parts.prior.high, 0.0, atol=0.03, rtol=0)


def test_a_known_mismatch_is_found_and_its_error_told() -> None:
    """m ~ N(0, 1.5^2), std 0.5: q = N(0, 2.5), with a divergence in closed form."""
    aggregate = cloud(1500, 1, 1.5, 0.5, seed=3)
    variance = float(aggregate.mean.var(correction=0)) + 0.25
    middle = float(aggregate.mean.mean())
    parts = surgery(aggregate, 4000, seeded(2))
    exact = (middle**2 + variance - 1 - math.log(variance)) / 2
    assert_close(parts.prior.high, exact, atol=0.03 + 3 * parts.error, rtol=0)
    assert 0 < parts.error < 0.02


def test_the_parts_add_up_and_agree_with_a_direct_mean() -> None:
    aggregate = cloud(400, 4, 1.2, 0.5)
    parts = surgery(aggregate, 4000, seeded(6))
    assert_close(parts.information.low + parts.prior.high, parts.rate)
    assert_close(parts.information.high + parts.prior.low, parts.rate)
    z, _ = aggregate.sample(4000, seeded(7))
    log_p = -(z**2).sum(1) / 2 - 2 * math.log(2 * math.pi)
    direct = aggregate.log_prob(z) - log_p
    error = float(direct.std()) / math.sqrt(4000)
    assert_close(parts.prior.high, float(direct.mean()), atol=4 * (error + parts.error), rtol=0)


def test_one_draw_has_no_error_and_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 draws"):
        surgery(cloud(5, 2, 1, 1), 1)


def test_an_exact_model_misses_nothing_and_a_wrong_one_what_is_known() -> None:
    aggregate = cloud(6, 2, 1.0, 0.4, seed=8)
    weights, stds = torch.ones(6), torch.full((6,), 0.4)
    right = Exact(GaussianMixture(weights, aggregate.mean.float(), stds), Cosine())
    worth = mended(aggregate, right, Cosine(), 200, seeded(), steps=32)
    assert abs(worth.divergence.high) < 3e-3
    assert worth.divergence.low < worth.divergence.high
    parts = surgery(aggregate, 4000, seeded(10))
    slack = 4 * (worth.error + parts.error)
    assert_close(worth.gain, parts.prior.high, atol=slack, rtol=0)

    one = GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1))
    worth = mended(aggregate, Exact(one, Cosine()), Cosine(), 600, seeded(9), steps=32)
    assert_close(worth.gain, 0.0, atol=2e-3, rtol=0)
    slack = 4 * (worth.error + parts.error)
    assert_close(worth.divergence.high, parts.prior.high, atol=slack, rtol=0)


def test_a_model_of_standardised_codes_is_asked_in_their_units() -> None:
    shift, scale = torch.tensor([1.0, -2.0], dtype=float64), torch.tensor([3.0, 0.5], dtype=float64)
    mean = shift + scale * torch.tensor([[-1.0, 0.4], [1.0, -0.4]], dtype=float64)
    aggregate = Aggregate(mean, (0.4 * scale).expand(2, 2))
    standard = GaussianMixture(
        torch.ones(2), torch.tensor([[-1.0, 0.4], [1.0, -0.4]]), torch.full((2,), 0.4)
    )
    exact = Exact(standard, Cosine())
    worth = mended(aggregate, exact, Cosine(), 200, seeded(), shift, scale, steps=32)
    assert abs(worth.divergence.high) < 3e-3


def test_contours_of_a_gaussian_are_its_circles() -> None:
    axis = torch.linspace(-6, 6, 241, dtype=float64)
    density = Aggregate(torch.zeros(1, 2), torch.ones(1, 2)).density_on_grid(axis, axis)
    peak = 1 / (2 * math.pi)
    expected = [peak * math.exp(-1 / 2), peak * math.exp(-2)]
    assert_close(mass_levels(density, MASSES), expected, atol=3e-4, rtol=0)


@pytest.mark.parametrize("masses", [(0.0,), (1.0,), (0.5, 1.5)])
def test_contours_of_strange_shares_are_refused(masses: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="shares"):
        mass_levels(torch.ones(3, 3), masses)
    with pytest.raises(ValueError, match="nowhere"):
        mass_levels(torch.zeros(3, 3))


# Pictures of codes


def test_the_grid_holds_the_pictures_of_its_codes() -> None:
    coder = small_vae()
    grid = decoded_grid(coder, (-2.0, 2.0), 5)
    assert grid.shape == (5, 5, 28, 28)
    for row, column, code in ((0, 0, (-2, -2)), (3, 1, (-1, 1)), (4, 4, (2, 2))):
        alone = coder.decode(torch.tensor([code], dtype=torch.float32))[0, 0]
        assert_close(grid[row, column], alone, atol=1e-5, rtol=0)
        mixed = bilinear(grid, (-2.0, 2.0), torch.tensor([code], dtype=torch.float32))[0]
        assert_close(mixed, grid[row, column])


def test_between_codes_the_mix_is_bilinear() -> None:
    axis = torch.linspace(-1, 1, 4)
    x, y = torch.meshgrid(axis, axis, indexing="xy")
    grid = (2 * x - 3 * y + x * y)[..., None]
    z = torch.empty(50, 2).uniform_(-1, 1, generator=seeded(3))
    u, v = z.T
    assert_close(bilinear(grid, (-1.0, 1.0), z)[:, 0], 2 * u - 3 * v + u * v)
    far = bilinear(grid, (-1.0, 1.0), torch.tensor([[9.0, -9.0]]))
    assert_close(far[0, 0], grid[0, 3, 0])


def test_a_finer_grid_is_nearer_to_the_decoder() -> None:
    coder = small_vae()
    with torch.no_grad():
        coder.decoder[0].weight.mul_(4)  # a decoder that bends
    z = torch.empty(40, 2).uniform_(-2, 2, generator=seeded(4))
    errors = [
        between_error(coder, decoded_grid(coder, (-2.0, 2.0), side), (-2.0, 2.0), z)
        for side in (3, 9, 33)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


@pytest.mark.parametrize(
    ("latent", "limits", "side"), [(3, (-1.0, 1.0), 4), (2, (1.0, 1.0), 4), (2, (-1.0, 1.0), 1)]
)
def test_strange_grids_are_refused(latent: int, limits: tuple[float, float], side: int) -> None:
    with pytest.raises(ValueError, match="grid of codes"):
        decoded_grid(small_vae(latent), limits, side)


# Codes by diffusion


def small_model(classes: int = 10) -> Network:
    config = NetworkConfig(dim=2, width=16, depth=1, classes=classes)
    module = config.build(EDM(), "x_0", 0).eval().requires_grad_(False)
    for k, weight in enumerate(module.parameters()):  # its first weights leave the answer to c_skip
        weight += 0.05 * torch.randn(weight.shape, generator=seeded(k))
    return Network(module, EDM(), "x_0")


def test_an_exact_model_flows_to_its_codes() -> None:
    mixture = GaussianMixture(
        torch.ones(2), torch.tensor([[-1.5, 0.5], [1.5, -0.5]]), torch.full((2,), 0.3)
    )
    grid = make_grid(Cosine(), 60, "log_snr")
    plan = Plan(Exact(mixture, Cosine()), Cosine(), DPMpp2M(), grid, (2,), 4000)
    x_t = simulate(plan).x_t
    assert len(x_t) == 61
    assert_close(x_t[0].std(), torch.tensor(1.0), atol=0.03, rtol=0)
    assert_close(x_t[-1].mean(0), torch.zeros(2), atol=0.08, rtol=0)
    left = x_t[-1][x_t[-1][:, 0] < 0]
    assert_close(left.mean(0), mixture.means[0], atol=0.05, rtol=0)
    assert_close(left.std(0), torch.full((2,), 0.3), atol=0.03, rtol=0)


def test_the_first_codes_are_alike_whatever_follows() -> None:
    few, many = (draw_codes(small_model(), small_vae(), n, 5, steps=4) for n in (4, 9))
    assert_close(few, many[:4])


def test_guidance_mixes_what_was_told_and_what_was_not() -> None:
    model, z = small_model(), torch.randn(6, 2, generator=seeded(6))
    labels = torch.arange(6)
    told, free, guided = (
        answers(model, Cosine(), *asked)(z, 0.4) for asked in ((labels,), (), (labels, 3.0))
    )
    assert not torch.equal(told, free)
    assert_close(guided, free + 3 * (told - free), atol=1e-5, rtol=1e-4)
    assert_close(answers(model, Cosine(), labels, 0.0)(z, 0.4), free)


def test_draws_come_in_the_units_of_the_code() -> None:
    coder, model = small_vae(), small_model()
    plain = draw_codes(model, coder, 5, 7, steps=4)
    coder.code_mean.copy_(torch.tensor([3.0, -1.0]))
    coder.code_std.copy_(torch.tensor([2.0, 0.5]))
    moved = draw_codes(model, coder, 5, 7, steps=4)
    assert plain.shape == (5, 2)
    assert_close(moved, coder.code_mean + coder.code_std * plain)


# Files


def split(count: int = 12) -> Split:
    pictures = torch.empty(count, 1, 28, 28).uniform_(-1, 1, generator=seeded(8))
    labels = torch.arange(count) % 10
    return Split(pictures[:2], labels[:2], pictures, labels)


def test_codes_come_back_as_they_were_written(tmp_path: Path) -> None:
    coder, given = small_vae(), split()
    path = write_codes("fashion", coder, given, tmp_path)
    assert path == tmp_path / "fashion-codes2.npz"
    assert path.stat().st_size < 2000  # codes, not pictures
    codes, exact = load_codes("fashion", tmp_path), coder.encode(given.test)
    assert_close(codes.mean, exact.mean, atol=1e-3, rtol=1e-3)
    assert_close(codes.std, exact.std, atol=1e-3, rtol=1e-3)
    assert_close(codes.labels, given.test_labels)
    assert len(codes.aggregate) == 12


def test_missing_or_damaged_codes_say_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "fashion-codes2.npz"
    write_codes("fashion", small_vae(), split(), tmp_path)
    whole = path.read_bytes()
    ones = np.ones((3, 2), np.float16)
    bad = {"mean": ones, "std": ones, "labels": np.zeros(3, np.uint8)}
    for change in ({"std": 0 * ones}, {"mean": np.nan * ones}, {"labels": np.full(3, 10)}):
        np.savez(path, **{**bad, **change})
        with pytest.raises(CheckpointError, match=r"python -m diffviz latents fashion"):
            load_codes("fashion", tmp_path)
    np.savez(path, mean=np.array([{}], dtype=object), std=ones, labels=ones)  # would need a pickle
    for content in (path.read_bytes(), whole[:200], b"nonsense", b""):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="missing or damaged"):
            load_codes("fashion", tmp_path)
    path.unlink()
    with pytest.raises(CheckpointError, match="missing or damaged"):
        load_codes("fashion", tmp_path)
    with pytest.raises(ValueError, match="no model"):
        load_codes("letters", tmp_path)


def test_measured_figures_are_kept_and_read_again(tmp_path: Path) -> None:
    coder = small_vae()
    code = Code(torch.randn(60, 2, generator=seeded(9)), torch.full((60, 2), 0.5))
    coder.code_mean.copy_(code.mean.mean(0))
    coder.code_std.copy_(code.mean.std(0))
    codes = Codes(code.mean, code.std, torch.arange(60) % 10)
    figures = measure(coder, small_model(), codes, draws=80, asked=20)
    assert figures.pictures == 60
    assert figures.floor.sliced_wasserstein < 0.5
    assert figures.surgery.ceiling == math.log(60)
    place = tmp_path / "latents.json"
    latents._keep("fashion", {2: figures}, place)
    latents._keep("mnist", {16: figures}, place)
    latents._keep("fashion", {16: figures}, place)
    read = read_figures(place)
    assert {name: sorted(entry) for name, entry in read.items()} == {
        "mnist": [16],
        "fashion": [2, 16],
    }
    again = read["fashion"][2]
    assert_close(again.surgery.rate, figures.surgery.rate, rtol=1e-4, atol=0)
    assert_close(list(again.model.divergence), list(figures.model.divergence), rtol=1e-4, atol=0)
    assert_close(again.model.gain, figures.model.gain, rtol=1e-4, atol=0)
    gap = figures.surgery.prior.high - figures.model.divergence.high
    assert_close(figures.model.gain, gap, atol=0.2 + 4 * figures.model.error, rtol=0)
    assert_close(list(again.diffusion), list(figures.diffusion), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("content", ["", "[]", '{"mnist": {"2": {}}}', '{"mnist": 3}'])
def test_figures_that_cannot_be_read_are_none(tmp_path: Path, content: str) -> None:
    place = tmp_path / "latents.json"
    assert read_figures(place) == {}
    place.write_text(content)
    assert read_figures(place) == {}


def test_the_command_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        latents.main(["letters"])
    assert "there is no data set 'letters'" in capsys.readouterr().err


def test_the_command_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        latents.main(["mnist", "--data", str(tmp_path), "--into", str(tmp_path)])
    assert stopped.value.code == 1
    assert "are not in" in capsys.readouterr().err
