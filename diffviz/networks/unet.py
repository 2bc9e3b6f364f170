r"""A small U-Net that denoises pictures, told the noise level and a class.

    picture -> patches of p x p pixels -> widths[0] channels
            -> per level: residual blocks, then half the side           (going down)
            -> on the last, smallest level: attention between all places
            -> per level: twice the side, joined by what passed here going down, residual blocks
            -> patches -> picture

Every block is norm, SiLU, convolution, twice, around a shortcut; the noise level and the class
scale and shift the second norm.  Taking patches first (p = 2 turns 28 x 28 pixels into 14 x 14
places of four values) moves the work to where channels are many and places few, which is what a
processor does fastest.

The face and the preconditioning are those of ``mlp.PointNetwork``: F is this U-Net, and
c_skip, c_out and the targets are written there.

Sources: Ronneberger et al. 2015 (U-Net), Ho et al. 2020, appendix B (for diffusion), Wu and He
2018 (GroupNorm), Vaswani et al. 2017 (attention), Dhariwal and Nichol 2021, section 3 (scale and
shift by the embedding), Shi et al. 2016 (pixels to channels and back).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffviz.core.schedules import Schedule
from diffviz.networks.mlp import (
    LEVEL_REACH,
    PRECONDITIONINGS,
    Conditional,
    Levels,
    embedding,
    level_ratio,
    linear,
    seeded,
    waves,
)

__all__ = ["UNet", "UNetConfig"]

_OCTAVES = 6
_TOLD = 4  # the embedding is this many times as wide as the first level
_GROUP = 16  # channels that a norm takes together, about


@dataclass(frozen=True)
class UNetConfig:
    """The shape of a ``UNet``.

    Attributes:
        size: side of a picture in pixels, 4 to 256.
        channels: of a picture, 1 or 3.
        patch: side of a patch, 1, 2 or 4.
        widths: channels on each level, one to four levels, each a multiple of 16 from 16 to 512.
        blocks: residual blocks on each level going down, 1 to 4.
        up_blocks: residual blocks on each level coming up, 1 to 4.
        heads: of the attention on the last level; 0 for none.
        classes: number of classes it can be told, up to 1,000; 0 for a network without labels.
        preconditioning: a key of ``PRECONDITIONINGS``.

    Raises:
        ValueError: for a number out of range, or a side that cannot be halved often enough.
    """

    size: int = 28
    channels: int = 1
    patch: int = 2
    widths: tuple[int, ...] = (64, 144)
    blocks: int = 2
    up_blocks: int = 1
    heads: int = 4
    classes: int = 10
    preconditioning: str = "edm"

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))  # a card has a list
        for name, low, high in (
            ("size", 4, 256),
            ("channels", 1, 3),
            ("patch", 1, 4),
            ("blocks", 1, 4),
            ("up_blocks", 1, 4),
            ("heads", 0, 16),
            ("classes", 0, 1000),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(
                    f"the {name} of a U-Net is a whole number from {low} to {high}, not {value!r}"
                )
        if not 1 <= len(self.widths) <= 4 or not all(
            type(width) is int and 16 <= width <= 512 and width % 16 == 0 for width in self.widths
        ):
            raise ValueError(
                "the widths of a U-Net are one to four multiples of 16 from 16 to 512, not "
                f"{self.widths!r}"
            )
        if self.heads and self.widths[-1] % self.heads:
            raise ValueError(f"{self.widths[-1]} channels cannot be shared by {self.heads} heads")
        if self.size % (self.patch * 2 ** (len(self.widths) - 1)):
            raise ValueError(
                f"{self.size} pixels cannot be cut into patches of {self.patch} and halved "
                f"{len(self.widths) - 1} times"
            )
        if self.preconditioning not in PRECONDITIONINGS:
            raise ValueError(
                f"unknown preconditioning {self.preconditioning!r}: "
                f"choose one of {', '.join(PRECONDITIONINGS)}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, size, size) of a picture."""
        return self.channels, self.size, self.size

    @property
    def dim(self) -> int:
        """Numbers in a picture."""
        return math.prod(self.shape)

    def build(self, schedule: Schedule, predicts: str, seed: int = 0) -> UNet:
        """Return a network of this shape."""
        return UNet(self, schedule, predicts, seed)


class UNet(Conditional):
    """A denoiser of pictures: predicts its target from (x_t, t) on one path.

    Its last layer starts at 0, so that an untrained "edm" network is the exact denoiser of a
    standard Gaussian.

    Args:
        config: its shape.
        schedule: the path it is for.
        predicts: a key of ``TARGETS``.
        seed: of the first weights; the global generator is left alone.

    Raises:
        ValueError: for an unknown target.
    """

    config: UNetConfig

    def __init__(
        self, config: UNetConfig, schedule: Schedule, predicts: str, seed: int = 0
    ) -> None:
        super().__init__(config, schedule, predicts)
        generator = torch.Generator().manual_seed(seed)
        first, told = config.widths[0], _TOLD * config.widths[0]
        self.level = linear(1 + 2 * _OCTAVES, told, generator)
        self.mixed = linear(told, told, generator)
        self.label = embedding(config.classes + 1, told, generator) if config.classes else None
        values = config.channels * config.patch**2
        self.first = _conv(values, first, generator)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        width = first
        for index, wide in enumerate(config.widths):
            self.down.append(_Stage(width, wide, config.blocks, told, generator, halve=index > 0))
            self.up.insert(0, _Stage(2 * wide, wide, config.up_blocks, told, generator))
            width = wide
        self.between = nn.ModuleList(
            _conv(low, high, generator, side=1)
            for high, low in zip(config.widths[-2::-1], config.widths[:0:-1], strict=True)
        )
        self.attention = _Attention(width, config.heads, generator) if config.heads else None
        self.norm = _norm(first)
        self.last = _conv(first, values, generator, gain=0.0)

    def forward(self, x_t: Tensor, t: Tensor, label: Tensor | int | None = None) -> Tensor:
        """Return the predicted target, (B, C, H, W) in the dtype of ``x_t``.

        Args:
            x_t: (B, C, H, W) pictures.
            t: (B,) times in [0, 1].
            label: a class from 0 up, one for all or (B,); ``null_label`` or None for no condition.

        Raises:
            ValueError: for a label that the network does not know, or a time outside [0, 1].
        """
        return super().forward(x_t.flatten(1), t, label).reshape(x_t.shape)

    def at(self, x_t: Tensor, levels: Levels, label: Tensor | None = None) -> Tensor:
        """Do what ``forward`` does for K groups of m pictures, each group at its own noise level.

        Args:
            x_t: (K, m, C H W) pictures, flattened.
            levels: of the groups, see ``levels_at``.
            label: (K, m) classes, ``null_label`` for no condition; None without classes.
        """
        c_skip, c_out = PRECONDITIONINGS[self.config.preconditioning](levels)
        x = x_t * torch.rsqrt(levels.alpha**2 + levels.sigma**2)
        told = self._told(level_ratio(levels), label, x.shape[:2])
        pictures = x.to(told.dtype).reshape(-1, *self.config.shape)
        y = c_out * self._net(pictures, told).reshape(x.shape).to(x.dtype)
        return y if c_skip is None else y + c_skip * x_t

    def _told(self, ratio: Tensor, label: Tensor | None, groups: torch.Size) -> Tensor:
        """(K m, W): what a block is told of each picture."""
        dtype = self.mixed.weight.dtype
        told = self.level(waves(ratio.to(dtype), LEVEL_REACH * 2, _OCTAVES))
        if self.label is not None and label is not None:
            told = told + self.label(label)
        told = functional.silu(self.mixed(functional.silu(told)))
        return told.expand(*groups, -1).reshape(-1, told.shape[-1])

    def _net(self, x: Tensor, told: Tensor) -> Tensor:
        patch = self.config.patch
        h = self.first(functional.pixel_unshuffle(x, patch).contiguous(memory_format=_LAYOUT))
        passed = []
        for stage in self.down:
            h = stage(h, told)
            passed.append(h)
        if self.attention is not None:
            h = self.attention(h)
        for index, stage in enumerate(self.up):
            if index:
                h = functional.interpolate(self.between[index - 1](h), scale_factor=2.0)
            h = stage(torch.cat([h, passed.pop()], 1), told)
        return functional.pixel_shuffle(self.last(functional.silu(self.norm(h))), patch)


_LAYOUT = torch.channels_last  # in which convolutions on a processor are fastest


class _Stage(nn.Module):
    """The residual blocks of one level, after halving the side where asked."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        blocks: int,
        told: int,
        generator: torch.Generator,
        *,
        halve: bool = False,
    ) -> None:
        super().__init__()
        self.halve = _conv(inputs, outputs, generator, stride=2) if halve else None
        widths = [outputs if halve else inputs] + [outputs] * (blocks - 1)
        self.blocks = nn.ModuleList(_Block(width, outputs, told, generator) for width in widths)

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        if self.halve is not None:
            h = self.halve(h)
        for block in self.blocks:
            h = block(h, told)
        return h


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, told: int, generator: torch.Generator) -> None:
        super().__init__()
        self.norms = nn.ModuleList([_norm(inputs), _norm(outputs)])
        self.inner = _conv(inputs, outputs, generator)
        self.outer = _conv(outputs, outputs, generator, gain=0.3)
        self.told = linear(told, 2 * outputs, generator, gain=0.3)
        same = inputs == outputs
        self.shortcut = None if same else _conv(inputs, outputs, generator, side=1)

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.told(told)[..., None, None].chunk(2, 1)
        inner = self.inner(functional.silu(self.norms[0](h)))
        inner = torch.addcmul(shift, self.norms[1](inner), 1 + scale)
        outer: Tensor = self.outer(functional.silu(inner))
        return outer + (h if self.shortcut is None else self.shortcut(h))


class _Attention(nn.Module):
    """Every place looks at every other: multi-head self-attention around a shortcut."""

    def __init__(self, width: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.norm = _norm(width)
        self.asked = linear(width, 3 * width, generator)
        self.out = linear(width, width, generator, gain=0.3)

    def forward(self, h: Tensor) -> Tensor:
        batch, width, rows, columns = h.shape
        places = self.norm(h).flatten(2).mT
        split = self.asked(places).reshape(batch, -1, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        out = self.out(seen.transpose(1, 2).reshape(batch, -1, width))
        return cast(Tensor, h + out.mT.reshape(batch, width, rows, columns))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(max(width // _GROUP, 1), width)


def _conv(
    inputs: int,
    outputs: int,
    generator: torch.Generator,
    gain: float = 1.0,
    side: int = 3,
    stride: int = 1,
) -> nn.Conv2d:
    """Weights N(0, gain^2 / inputs of one place) and zero biases, from a generator of their own."""
    layer = nn.Conv2d(inputs, outputs, side, stride, side // 2, device="meta")
    return seeded(layer, gain / math.sqrt(inputs * side**2), generator)
