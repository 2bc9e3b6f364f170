r"""Networks that denoise, told the noise level; here the one for points, a residual MLP.

Whatever a network predicts is one mix of data and noise, y = a x_0 + b eps:

    target     a                 b
    eps        0                 1                    Ho et al. 2020
    x_0        1                 0
    v          -sigma            alpha                Salimans and Ho 2022
    score      0                 -1 / sigma           Song et al. 2021
    velocity   alpha'            sigma'               Lipman et al. 2023

With r^2 = alpha^2 + sigma^2, the variance of x_t for data of unit variance, the network answers

    y(x_t, t) = c_skip x_t + c_out F(x_t / r, log(sigma / alpha)),

where F is the MLP, or the U-Net of ``unet``.  "edm" takes for c_skip x_t the best linear guess of
y, so that F is left with what is not linear and has unit variance at every noise level (Karras et
al. 2022, appendix B.6):

    c_skip = (a alpha + b sigma) / r^2,    c_out = (a sigma - b alpha) / r.

Then all targets ask the same F, and the choice between them is a choice of loss weights.  "plain"
is what came before: F predicts the target itself, brought to unit size, c_skip = 0 and
c_out = sqrt(a^2 + b^2), and the choice of target matters.

Sources beside these: He et al. 2016 (residual blocks), Tancik et al. 2020 (Fourier features),
Ho and Salimans 2022 (the learned null class that stands for "no condition").
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from diffviz.core.schedules import Schedule

__all__ = [
    "PRECONDITIONINGS",
    "TARGETS",
    "Conditional",
    "Levels",
    "NetworkConfig",
    "PointNetwork",
    "levels_at",
]

LEVEL_REACH = 8.0  # |log(sigma / alpha)| beyond which a network sees no difference
_LEVEL_OCTAVES = 6
_PLACE_OCTAVES = 4
_PLACE_REACH = 4.0  # x_t / r rarely leaves [-4, 4]: the longest wave has this half period

Mix: TypeAlias = "tuple[Tensor, Tensor]"
Layer = TypeVar("Layer", nn.Linear, nn.Embedding, nn.Conv2d)


class Levels(NamedTuple):
    """What a network must know of K noise levels; every entry is (K, 1, 1).

    Attributes:
        alpha: signal level.
        sigma: noise level.
        a: share of x_0 in the target.
        b: share of eps in the target.
    """

    alpha: Tensor
    sigma: Tensor
    a: Tensor
    b: Tensor


#: name of a target -> its (a, b) at (alpha, sigma, alpha', sigma').
TARGETS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Mix]] = {
    "eps": lambda alpha, sigma, d_alpha, d_sigma: (
        torch.zeros_like(alpha),
        torch.ones_like(alpha),
    ),
    "x_0": lambda alpha, sigma, d_alpha, d_sigma: (
        torch.ones_like(alpha),
        torch.zeros_like(alpha),
    ),
    "v": lambda alpha, sigma, d_alpha, d_sigma: (-sigma, alpha),
    "score": lambda alpha, sigma, d_alpha, d_sigma: (torch.zeros_like(alpha), -1 / sigma),
    "velocity": lambda alpha, sigma, d_alpha, d_sigma: (d_alpha, d_sigma),
}


def _edm(at: Levels) -> tuple[Tensor | None, Tensor]:
    r2 = at.alpha**2 + at.sigma**2
    return (at.a * at.alpha + at.b * at.sigma) / r2, (at.a * at.sigma - at.b * at.alpha) / r2.sqrt()


def _plain(at: Levels) -> tuple[Tensor | None, Tensor]:
    return None, torch.hypot(at.a, at.b)


#: name -> (c_skip or None, c_out) at given levels.
PRECONDITIONINGS: dict[str, Callable[[Levels], tuple[Tensor | None, Tensor]]] = {
    "edm": _edm,
    "plain": _plain,
}


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a ``PointNetwork``.

    Attributes:
        dim: coordinates of a point, 1 to 16.
        width: units of a hidden layer, 4 to 512.
        depth: residual blocks of two layers each, 1 to 8.
        classes: number of classes it can be told, up to 1,000; 0 for a network without labels.
        preconditioning: a key of ``PRECONDITIONINGS``.

    Raises:
        ValueError: for a number out of range or an unknown preconditioning.
    """

    dim: int = 2
    width: int = 128
    depth: int = 3
    classes: int = 0
    preconditioning: str = "edm"

    def build(self, schedule: Schedule, predicts: str, seed: int = 0) -> PointNetwork:
        """Return a network of this shape."""
        return PointNetwork(self, schedule, predicts, seed)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("dim", 1, 16),
            ("width", 4, 512),
            ("depth", 1, 8),
            ("classes", 0, 1000),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(
                    f"the {name} of a network is a whole number from {low} to {high}, not {value!r}"
                )
        if self.preconditioning not in PRECONDITIONINGS:
            raise ValueError(
                f"unknown preconditioning {self.preconditioning!r}: "
                f"choose one of {', '.join(PRECONDITIONINGS)}"
            )


def levels_at(
    schedule: Schedule,
    target: str,
    t: Tensor,
    dtype: torch.dtype,
    device: torch.device | None = None,
) -> Levels:
    """Return the levels at (K,) times, worked out in float64 and rounded once.

    Raises:
        ValueError: for an unknown target, or a time outside [0, 1].
    """
    if target not in TARGETS:
        raise ValueError(f"unknown target {target!r}: choose one of {', '.join(TARGETS)}")
    t = t.detach().cpu().double()
    alpha, sigma = schedule(t)
    slopes = schedule.derivatives(t) if target == "velocity" else (alpha, sigma)
    mix = TARGETS[target](alpha, sigma, *slopes)
    return Levels(*(level.to(device, dtype)[:, None, None] for level in (alpha, sigma, *mix)))


class Conditional(nn.Module, ABC):
    """A denoiser that is told the noise level and, where it has classes, a label.

    Args:
        config: its shape, with ``classes``.
        schedule: the path it is for.
        predicts: a key of ``TARGETS``.

    Raises:
        ValueError: for an unknown target.
    """

    def __init__(self, config: Any, schedule: Schedule, predicts: str) -> None:
        super().__init__()
        if predicts not in TARGETS:
            raise ValueError(f"unknown target {predicts!r}: choose one of {', '.join(TARGETS)}")
        self.config, self.schedule, self.predicts = config, schedule, predicts

    @property
    def null_label(self) -> int:
        """The label that stands for no condition."""
        return int(self.config.classes)

    def forward(self, x_t: Tensor, t: Tensor, label: Tensor | int | None = None) -> Tensor:
        """Return the predicted target, (B, D) in the dtype of ``x_t``.

        Args:
            x_t: (B, D) points.
            t: (B,) times in [0, 1].
            label: a class from 0 up, one for all or (B,); ``null_label`` or None for no condition.

        Raises:
            ValueError: for a label that the network does not know, or a time outside [0, 1].
        """
        together = bool((t == t[:1]).all())  # as in a sampler: the level is read once for all
        grouped = x_t[None] if together else x_t[:, None]
        times = t[:1] if together else t
        levels = levels_at(self.schedule, self.predicts, times, x_t.dtype, x_t.device)
        labels = self._labels(label, x_t)
        return self.at(
            grouped, levels, None if labels is None else labels.reshape(grouped.shape[:2])
        ).reshape(x_t.shape)

    @abstractmethod
    def at(self, x_t: Tensor, levels: Levels, label: Tensor | None = None) -> Tensor:
        """Do what ``forward`` does for K groups of m points, each group at a level of its own.

        Args:
            x_t: (K, m, D) points.
            levels: of the groups, see ``levels_at``.
            label: (K, m) classes, ``null_label`` for no condition; None without classes.
        """

    def _labels(self, label: Tensor | int | None, x_t: Tensor) -> Tensor | None:
        classes, batch = self.config.classes, len(x_t)
        if label is None:
            return torch.full((batch,), classes, device=x_t.device) if classes else None
        if not classes:
            raise ValueError("this network was built without classes, so it takes no label")
        labels = torch.as_tensor(label, device=x_t.device)
        labels = labels.expand(batch) if labels.ndim == 0 else labels
        if labels.shape != (batch,) or int(labels.min()) < 0 or int(labels.max()) > classes:
            raise ValueError(
                f"labels are one for all or {batch} of them, from 0 to {classes - 1}, got {label}"
            )
        return labels


class PointNetwork(Conditional):
    """A denoiser of points: predicts its target from (x_t, t) on one path.

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

    config: NetworkConfig

    def __init__(
        self, config: NetworkConfig, schedule: Schedule, predicts: str, seed: int = 0
    ) -> None:
        super().__init__(config, schedule, predicts)
        generator = torch.Generator().manual_seed(seed)
        width, depth = config.width, config.depth
        self.place = linear(config.dim * (1 + 2 * _PLACE_OCTAVES), width, generator)
        self.level = linear(1 + 2 * _LEVEL_OCTAVES, width, generator)
        self.told = linear(width, width * depth, generator)
        self.inner = nn.ModuleList(linear(width, width, generator) for _ in range(depth))
        self.outer = nn.ModuleList(
            linear(width, width, generator, gain=1 / math.sqrt(depth)) for _ in range(depth)
        )
        self.last = linear(width, config.dim, generator, gain=0.0)
        self.label = embedding(config.classes + 1, width, generator) if config.classes else None

    def at(self, x_t: Tensor, levels: Levels, label: Tensor | None = None) -> Tensor:
        """Do what ``forward`` does for K groups of m points, each group at a level of its own."""
        c_skip, c_out = PRECONDITIONINGS[self.config.preconditioning](levels)
        x = x_t * torch.rsqrt(levels.alpha**2 + levels.sigma**2)
        dtype = self.last.weight.dtype
        y = c_out * self._mlp(x.to(dtype), level_ratio(levels).to(dtype), label).to(x.dtype)
        return y if c_skip is None else y + c_skip * x_t

    def _mlp(self, x: Tensor, ratio: Tensor, label: Tensor | None) -> Tensor:
        told = self.level(waves(ratio, LEVEL_REACH * 2, _LEVEL_OCTAVES))
        if self.label is not None and label is not None:
            told = told + self.label(label)
        parts = self.told(functional.silu(told)).chunk(self.config.depth, -1)
        h = self.place(waves(x, _PLACE_REACH, _PLACE_OCTAVES))
        for inner, outer, part in zip(self.inner, self.outer, parts, strict=True):
            h = h + outer(functional.silu(inner(h) + part))
        y: Tensor = self.last(functional.silu(h))
        return y


def level_ratio(levels: Levels) -> Tensor:
    """Return (K, 1, 1): log(sigma / alpha), as far as networks tell it apart."""
    ratio = levels.sigma.log() - levels.alpha.log()
    return ratio.clamp(-LEVEL_REACH, LEVEL_REACH)


def waves(x: Tensor, half_period: float, octaves: int) -> Tensor:
    """Return (..., C (1 + 2 octaves)): x, and the sines and cosines of its octaves."""
    frequency = math.pi / half_period * 2.0 ** torch.arange(octaves, dtype=x.dtype, device=x.device)
    phase = (x[..., None] * frequency).flatten(-2)
    return torch.cat([x, phase.sin(), phase.cos()], -1)


def linear(inputs: int, outputs: int, generator: torch.Generator, gain: float = 1.0) -> nn.Linear:
    """Weights N(0, gain^2 / inputs) and zero biases, from a generator of their own."""
    layer = nn.Linear(inputs, outputs, device="meta")
    return seeded(layer, gain / math.sqrt(inputs), generator)


def embedding(count: int, width: int, generator: torch.Generator) -> nn.Embedding:
    """Weights N(0, 1), from a generator of their own."""
    return seeded(nn.Embedding(count, width, device="meta"), 1.0, generator)


def seeded(layer: Layer, std: float, generator: torch.Generator) -> Layer:
    """Give a layer without memory its weights, N(0, std^2), and zero biases."""
    layer.to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.normal_(generator=generator).mul_(std)
        for name, values in layer.named_parameters():
            if name == "bias":
                values.zero_()
    return layer
