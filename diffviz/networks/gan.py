r"""A class-conditional generative adversarial network of pictures: a forger and a critic.

    critic   max  E_x[min(0, D(x, y) - 1)] + E_z[min(0, -D(G(z, y), y) - 1)]
    forger   max  E_z[D(G(z, y), y)]                                    (hinge)

Each layer of the critic is divided by its largest singular value, so that its slope stays bounded
and the forger always has one to follow; the class enters the critic as an inner product with its
features, and the forger as scale and shift of its norms.  Both see real and made pictures only
after the same random shift, which keeps the critic from learning the training set by heart.

The forger makes a picture in one call.  It has no encoder, no likelihood and no bound: what it
covers of the data is seen only in its samples.

Sources: Goodfellow et al. 2014; Lim and Ye 2017 and Tran et al. 2017 (hinge); Miyato et al. 2018
(spectral norm, table 3); Miyato and Koyama 2018 (projection); Dumoulin et al. 2017 and de Vries et
al. 2017 (conditional norm); Zhao et al. 2020, "Differentiable augmentation" (the shift); Yazici et
al. 2019 (average of the forger's weights).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["Critic", "Forger", "GANConfig", "critic_loss", "forger_loss", "shifted"]

_SIDE = 28
_ROWS = 500


@dataclass(frozen=True)
class GANConfig:
    """The shape of a ``Forger`` and a ``Critic`` of pictures of 28 x 28 pixels.

    Attributes:
        latent: numbers in z, 1 to 512.
        classes: that it can be asked for, 1 to 1,000.
        width: channels at 14 x 14 places; twice as many at 7 x 7; a multiple of 16 up to 256.

    Raises:
        ValueError: for a number out of range.
    """

    latent: int = 128
    classes: int = 10
    width: int = 64

    def __post_init__(self) -> None:
        for name, low, high in (("latent", 1, 512), ("classes", 1, 1000), ("width", 16, 256)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(
                    f"the {name} of a GAN is a whole number from {low} to {high}, not {value!r}"
                )
        if self.width % 16:
            raise ValueError(f"the width of a GAN is a multiple of 16, not {self.width}")

    def build(self, seed: int = 0) -> tuple[Forger, Critic]:
        """Return both with their first weights; the global generator is left alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Forger(self), Critic(self)


class Forger(nn.Module):
    """G(z, y): pictures (N, 1, 28, 28) in [-1, 1] of noise (N, latent) and classes (N,)."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.config = config
        low, high = 2 * config.width, config.width
        self.first = nn.Linear(config.latent, low * (_SIDE // 4) ** 2, bias=False)
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            for inputs, outputs in ((low, high), (high, high), (high, high // 2))
        )
        self.norms = nn.ModuleList(
            _ConditionalNorm(width, config.classes) for width in (low, high, high, high // 2)
        )
        self.last = nn.Conv2d(high // 2, 1, 3, padding=1)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Return G(z, y), with gradients."""
        h = self.first(z).unflatten(1, (-1, _SIDE // 4, _SIDE // 4))
        h = functional.interpolate(functional.relu(self.norms[0](h, label)), scale_factor=2.0)
        h = functional.relu(self.norms[1](self.convs[0](h), label))
        h = functional.relu(self.norms[2](self.convs[1](h), label))
        h = functional.interpolate(self.convs[2](h), scale_factor=2.0, mode="bilinear")
        h = functional.relu(self.norms[3](h, label))
        return cast(Tensor, self.last(h)).float().tanh()

    @torch.inference_mode()
    def generate(self, z: Tensor, label: Tensor) -> Tensor:
        """Return G(z, y) of any number, in parts so that memory stays bounded."""
        parts = zip(torch.split(z, _ROWS), torch.split(label, _ROWS), strict=True)
        return torch.cat([self(*part) for part in parts])

    def draw(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return one new picture for each label (N,)."""
        return self.generate(
            torch.randn(len(labels), self.config.latent, generator=generator), labels
        )


class Critic(nn.Module):
    """D(x, y): (N,) how real pictures (N, 1, 28, 28) of classes (N,) look; above 0 for real."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.config = config
        low, high = 2 * config.width, config.width
        self.body = nn.Sequential(
            *_scored(1, high // 2, 3),
            *_scored(high // 2, high, 4, stride=2),
            *_scored(high, high, 3),
            *_scored(high, low, 4, stride=2),
            *_scored(low, low, 3),
        )
        self.head = spectral_norm(nn.Linear(low, 1))
        self.label = spectral_norm(nn.Embedding(config.classes, low))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Return D(x, y), with gradients."""
        features = self.body(x).sum((2, 3))
        return cast(Tensor, self.head(features)[:, 0] + (self.label(label) * features).sum(1))


def critic_loss(real: Tensor, made: Tensor) -> Tensor:
    """The hinge loss of the critic from its answers (N,) on real and on made pictures."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def forger_loss(made: Tensor) -> Tensor:
    """The loss of the forger from the critic's answers (N,) on what it made."""
    return -made.mean()


def shifted(x: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Pictures (N, C, H, W) moved by up to ``most`` pixels each way, black (-1) moving in."""
    rows, columns = torch.randint(0, 2 * most + 1, (2, len(x)), generator=generator)
    wide = functional.pad(x, (most,) * 4, value=-1.0)
    side = torch.arange(x.shape[-1])
    down, across = rows[:, None] + side, columns[:, None] + side
    picture = torch.arange(len(x))[:, None, None]
    return wide[picture, :, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)


class _ConditionalNorm(nn.Module):
    """Batch norm whose scale and shift belong to the class."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width, affine=False)
        self.scale = nn.Embedding(classes, width, _weight=torch.ones(classes, width))
        self.shift = nn.Embedding(classes, width, _weight=torch.zeros(classes, width))

    def forward(self, h: Tensor, label: Tensor) -> Tensor:
        scale, shift = self.scale(label)[..., None, None], self.shift(label)[..., None, None]
        return torch.addcmul(shift, self.norm(h), scale)


def _scored(inputs: int, outputs: int, side: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return spectral_norm(nn.Conv2d(inputs, outputs, side, stride, padding=1)), nn.LeakyReLU(0.1)
