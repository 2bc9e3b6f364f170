"""The VAE: its bound, its codes, its files."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence
from torch.testing import assert_close

from diffviz.networks.vae import VAE, Code, Elbo, VAEConfig


def _vae(latent: int = 3) -> VAE:
    return VAEConfig(latent, widths=(16, 16), hidden=16).build(seed=1)


def _pictures(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_kl_is_that_of_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    std = torch.rand(5, 4, generator=generator, dtype=torch.float64) + 0.1
    posterior = Independent(Normal(mean, std), 1)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(std)), 1)
    assert_close(Code(mean, std).kl(), kl_divergence(posterior, prior))
    z = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    assert_close(Code(mean, std).log_prob(z), posterior.log_prob(z))


def test_the_code_of_the_prior_costs_nothing() -> None:
    assert_close(Code(torch.zeros(2, 3), torch.ones(2, 3)).kl(), torch.zeros(2))


def test_log_likelihood_is_that_of_torch_distributions() -> None:
    model, x, z = _vae(), _pictures(4), torch.randn(4, 3)
    with torch.no_grad():
        wanted = Normal(model(z), model.log_scale.exp()).log_prob(x).sum((1, 2, 3))
        assert_close(model.log_likelihood(x, z), wanted)


@pytest.mark.fact
def test_the_parts_add_up_to_the_bound_computed_directly() -> None:
    """E_q[log p(x, z) - log q(z | x)] by drawing z is reconstruction minus KL."""
    model, x = _vae().double(), _pictures(3).double()
    generator = torch.Generator().manual_seed(2)
    draws = 1000
    with torch.no_grad():
        code = model.code(x)
        code = Code(code.mean.double(), code.std.double())
        direct, reconstruction = torch.zeros(2, draws, 3, dtype=torch.float64)
        for row in range(draws):
            z = code.sample(generator)
            likelihood = model.log_likelihood(x, z)
            prior = Normal(0.0, 1.0).log_prob(z).sum(1)
            direct[row] = likelihood + prior - code.log_prob(z)
            reconstruction[row] = likelihood
        parts = reconstruction.mean(0) - code.kl()
        error = (direct - reconstruction).std(0) / math.sqrt(draws)
    gap = direct.mean(0) - parts  # the same z in both: only the KL is estimated
    assert bool((gap.abs() < 4 * error).all()), (gap, error)
    assert bool((error < 0.1).all())


def test_the_bound_stays_below_the_likelihood() -> None:
    """With many draws, the importance-weighted bound is above the ELBO (Burda et al. 2016)."""
    model, x = _vae(), _pictures(2)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        code = model.code(x)
        rows = []
        for _ in range(500):
            z = code.sample(generator)
            prior = Normal(0.0, 1.0).log_prob(z).sum(1)
            rows.append(model.log_likelihood(x, z) + prior - code.log_prob(z))
    weights = torch.stack(rows)
    likelihood = weights.logsumexp(0) - math.log(len(rows))
    assert bool((weights.mean(0) <= likelihood).all())


@pytest.mark.parametrize("scale", [0.003, 0.1, 2.0])
def test_the_probabilities_of_the_256_values_of_a_pixel_add_up_to_one(scale: float) -> None:
    model, z = _vae().double(), torch.randn(1, 3, dtype=torch.float64).expand(256, -1)
    dark = torch.full((256, 1, 28, 28), -1.0, dtype=torch.float64)
    varied = dark.clone()  # in one pixel; all others are the same, and cancel
    varied[:, 0, 5, 5] = torch.linspace(-1, 1, 256, dtype=torch.float64)
    with torch.no_grad():
        model.log_scale.fill_(math.log(scale))
        logs = model.log_probability(varied, z) - model.log_probability(dark, z)
        mean = model(z)[0, 0, 5, 5].double()
    darkest = torch.special.log_ndtr((-1 + 1 / 255 - mean) / scale)
    assert_close((logs + darkest).exp().sum(), torch.tensor(1.0, dtype=torch.float64))


def test_bits_are_counted_from_probability_and_kl() -> None:
    model, x = _vae(), ((_pictures(3) + 1) * 127.5).round() / 127.5 - 1
    with torch.no_grad():
        bits = model.bits_per_dim(x, torch.Generator().manual_seed(0))
        code = model.code(x)
        z = code.sample(torch.Generator().manual_seed(0))
        bound = model.log_probability(x, z) - code.kl()
        assert_close(bits, -bound / 784 / math.log(2))
        density = model.log_likelihood(x, z) / 784 + math.log(2 / 255)
        inside = model.log_probability(x.clamp(-0.99, 0.99), z) / 784
        assert_close(inside, density, atol=0.01, rtol=0)  # a density times the width of a value


def test_elbo_is_reconstruction_minus_kl() -> None:
    assert_close(Elbo(torch.tensor([3.0]), torch.tensor([1.0])).total, torch.tensor([2.0]))


def test_encode_and_decode_do_not_depend_on_how_many_there_are() -> None:
    model = _vae().eval()
    x = _pictures(7)
    together, alone = model.encode(x), model.encode(x[3:4])
    assert_close(together.mean[3:4], alone.mean, atol=1e-5, rtol=1e-5)
    pictures = model.decode(together.mean)
    assert pictures.shape == x.shape
    assert float(pictures.abs().max()) <= 1


def test_standardising_has_an_inverse() -> None:
    model = _vae()
    model.code_mean.copy_(torch.tensor([1.0, -2.0, 0.5]))
    model.code_std.copy_(torch.tensor([2.0, 0.5, 1.0]))
    z = torch.randn(6, 3)
    assert_close(model.unstandardised(model.standardised(z)), z)


def test_the_same_seed_builds_the_same_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = _vae(), _vae()
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "bad", [{"latent": 0}, {"latent": 65}, {"latent": 2.0}, {"widths": (17, 32)}, {"hidden": 4}]
)
def test_shapes_out_of_range_are_told(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="VAE"):
        VAEConfig(**bad)  # type: ignore[arg-type]
