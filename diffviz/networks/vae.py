r"""A variational autoencoder of pictures: one learned encoder, one decoder, one small latent.

    q(z | x) = N(m(x), diag s(x)^2)     p(z) = N(0, I)     p(x | z) = N(g(z), gamma^2 I)

    log p(x) >= E_q[log p(x | z)] - KL(q(z | x) || p(z)),                                  (ELBO)

the reconstruction and the divergence of a diagonal Gaussian from the standard one,

    KL = 1/2 sum_j (m_j^2 + s_j^2 - 1 - log s_j^2).

gamma is one learned number for all pixels: the size of what the decoder cannot say.  It weighs the
two terms against each other, which in other writings is a beta set by hand.  A sample is the mean
g(z) without the noise gamma, as nearly everybody shows it, and that is why it is blurry: the mean
over all pictures that a code could stand for.

Sources: Kingma and Welling 2014 (eq. 3 and appendix B), Rezende et al. 2014; Rybkin et al. 2021,
"Simple and effective VAE training with calibrated decoders" (gamma learned).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["VAE", "Code", "Elbo", "VAEConfig"]

_SIDE, _PIXELS = 28, 28 * 28
_STEP = 2 / 255  # between two values of a pixel
_ROWS = 500  # pictures looked at once
_FIRST_SCALE = 0.5  # gamma before training


@dataclass(frozen=True)
class VAEConfig:
    """The shape of a ``VAE`` of pictures of 28 x 28 pixels.

    Attributes:
        latent: numbers in a code, 1 to 64.
        widths: channels at 14 x 14 and at 7 x 7 places.
        hidden: units between the places and the code.

    Raises:
        ValueError: for a number out of range.
    """

    latent: int = 16
    widths: tuple[int, int] = (48, 96)
    hidden: int = 192

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))  # a card has a list
        if type(self.latent) is not int or not 1 <= self.latent <= 64:
            raise ValueError(f"the latent of a VAE has 1 to 64 numbers, not {self.latent!r}")
        if len(self.widths) != 2 or not all(
            type(width) is int and 16 <= width <= 512 and width % 16 == 0 for width in self.widths
        ):
            raise ValueError(
                f"the widths of a VAE are two multiples of 16 up to 512, not {self.widths!r}"
            )
        if type(self.hidden) is not int or not 8 <= self.hidden <= 1024:
            raise ValueError(f"the hidden layer of a VAE has 8 to 1,024 units, not {self.hidden!r}")

    def build(self, seed: int = 0) -> VAE:
        """Return a VAE of this shape with its first weights; the global generator is left alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return VAE(self)


class Code(NamedTuple):
    """q(z | x) of N pictures.

    Attributes:
        mean: (N, L).
        std: (N, L).
    """

    mean: Tensor
    std: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Return one z (N, L) of each."""
        eps = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype)
        return self.mean + self.std * eps

    def kl(self) -> Tensor:
        """KL(q(z | x) || N(0, I)) of each, (N,) in nats."""
        variance = self.std**2
        return (self.mean**2 + variance - 1 - variance.log()).sum(1) / 2

    def log_prob(self, z: Tensor) -> Tensor:
        """Log q(z | x) of each, (N,) in nats."""
        return log_normal(z, self.mean, self.std)


class Elbo(NamedTuple):
    """The two parts of the bound for each of N pictures, in nats.

    Attributes:
        reconstruction: (N,) log p(x | z) at one z drawn from q(z | x).
        kl: (N,) how far q(z | x) is from the prior.
    """

    reconstruction: Tensor
    kl: Tensor

    @property
    def total(self) -> Tensor:
        """(N,) the bound on log p(x), a density over pixels in [-1, 1]."""
        return self.reconstruction - self.kl


class VAE(nn.Module):
    """Codes of pictures (N, 1, 28, 28) in [-1, 1], and pictures of codes.

    Attributes:
        config: its shape.
        log_scale: log gamma.
        code_mean: (L,) mean of the aggregate posterior, the codes of all training pictures;
            ``train_generators`` fills it in.
        code_std: (L,) their standard deviation.
    """

    code_mean: Tensor
    code_std: Tensor

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        high, low = config.widths
        flat = low * (_SIDE // 4) ** 2
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2),
            *_layer(4, high),
            *_layer(high, high),
            *_layer(high, low, stride=2),
            *_layer(low, low),
            nn.Flatten(),
            nn.Linear(flat, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, 2 * config.latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(config.latent, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, flat),
            nn.Unflatten(1, (low, _SIDE // 4, _SIDE // 4)),
            nn.SiLU(),
            *_layer(low, low),
            nn.Upsample(scale_factor=2.0),
            *_layer(low, high),
            *_layer(high, high),
            nn.Conv2d(high, 4, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE)))
        self.register_buffer("code_mean", torch.zeros(config.latent))
        self.register_buffer("code_std", torch.ones(config.latent))

    def code(self, x: Tensor) -> Code:
        """Return q(z | x), with gradients."""
        mean, raw = self.encoder(x).float().chunk(2, 1)
        return Code(mean, functional.softplus(raw) + 1e-4)

    def forward(self, z: Tensor) -> Tensor:
        """Return g(z), the mean of p(x | z), (N, 1, 28, 28), with gradients."""
        return cast(Tensor, self.decoder(z)).float()

    @torch.inference_mode()
    def encode(self, x: Tensor) -> Code:
        """Return q(z | x) of any number of pictures, in parts so that memory stays bounded."""
        codes = [self.code(part) for part in torch.split(x, _ROWS)]
        return Code(torch.cat([c.mean for c in codes]), torch.cat([c.std for c in codes]))

    @torch.inference_mode()
    def decode(self, z: Tensor) -> Tensor:
        """Return g(z) held in [-1, 1], the picture of each code (N, L)."""
        return torch.cat([self(part) for part in torch.split(z, _ROWS)]).clamp(-1, 1)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Log p(x | z) of each, (N,) in nats."""
        return log_normal(x.flatten(1), self(z).flatten(1), self.log_scale.exp())

    def elbo(self, x: Tensor, generator: torch.Generator | None = None) -> Elbo:
        """Return the parts of the bound at one z of each picture, with gradients."""
        code = self.code(x)
        return Elbo(self.log_likelihood(x, code.sample(generator)), code.kl())

    def log_probability(self, x: Tensor, z: Tensor) -> Tensor:
        """Log P(x | z) of pixels that have 256 values, (N,) in nats: what bits are counted from.

        A value's share of N(g(z), gamma^2) reaches half way to its neighbours, and the darkest and
        the brightest value have all that is beyond them (Ho et al. 2020, eq. 13).
        """
        gap, scale = (x - self(z)).flatten(1), self.log_scale.exp()
        low, high = (gap - _STEP / 2) / scale, (gap + _STEP / 2) / scale
        flat = x.flatten(1)
        low = low.masked_fill(flat <= -1 + _STEP / 2, -torch.inf)
        high = high.masked_fill(flat >= 1 - _STEP / 2, torch.inf)
        right = low + high > 0  # where the left tail is the shorter one after a turn
        low, high = torch.where(right, -high, low), torch.where(right, -low, high)
        upper, lower = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
        logs: Tensor = upper + torch.log1p(-(lower - upper).exp())
        return logs.sum(1)

    def bits_per_dim(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The bound on -log P(x), (N,) in bits a pixel, at one z of each picture."""
        code = self.code(x)
        bound = self.log_probability(x, code.sample(generator)) - code.kl()
        return -bound / _PIXELS / math.log(2)

    def standardised(self, z: Tensor) -> Tensor:
        """Codes (N, L) in units of the aggregate posterior, which is what a latent model learns."""
        return (z - self.code_mean) / self.code_std

    def unstandardised(self, u: Tensor) -> Tensor:
        """The inverse of ``standardised``."""
        return self.code_mean + self.code_std * u


def log_normal(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Log density of N(mean, std^2 I) at x (N, D), (N,) in nats; ``std`` may have any shape."""
    log_std = std.log().expand_as(mean)
    square = ((x - mean) / std) ** 2
    return -(square / 2 + log_std + math.log(2 * math.pi) / 2).sum(1)


def _layer(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
    return conv, nn.GroupNorm(outputs // 16, outputs), nn.SiLU()
