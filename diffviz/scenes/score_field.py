"""The learned score beside the exact one, at a noise level, on a grid over the plane.

Scores are compared in units of the noise: sigma times the score is minus the predicted noise eps,
so an error of 1 is as large as the noise itself, at every noise level.  All levels are ratios
sigma / alpha, so a model of any path is asked by ``OnPath`` on the path of EDM, where alpha = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.distributions import Distribution, GaussianMixture
from diffviz.core.schedules import EDM
from diffviz.data.points import MIXTURES
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.scene import LIMITS

Floats = NDArray[np.float32]

LEVELS = (0.1, 0.3, 1.0)
"""Noise levels sigma / alpha at which the field is looked at while training."""

PATH = EDM(sigma_max=10.0)
"""The path on which models are asked here, whatever path they were trained on.

Data have unit variance: at ten times as much noise nothing of them is left to see.
"""

_ARROWS, _CELLS = 15, 32
_SEEN = 1e-2  # of the largest density: below it noised data hardly ever fall
_PROBES = 256


def exact_for(data: DataConfig) -> str:
    """What the exact score is that of, in words."""
    return "the true density" if data.name in MIXTURES else f"the {data.n:,} training points"


@dataclass(frozen=True, eq=False)
class Compared:
    """A learned field beside the exact one.

    Attributes:
        arrows: (G, G, 2) sigma times the learned score, 0 where data hardly ever fall.
        error: (R, R) size of its error in units of the noise, NaN where data hardly ever fall.
        mean_square: mean squared error per coordinate over the noised data.
    """

    arrows: Floats
    error: Floats
    mean_square: float


class Probe:
    """The exact score at one noise level, ready to be compared with learned ones.

    Args:
        source: p_0, in the plane.
        ratio: the noise level, sigma / alpha.
        scale: what positions are multiplied by for drawing.

    Attributes:
        arrows: (G, G, 2) sigma times the exact score, 0 where data hardly ever fall.
    """

    @torch.inference_mode()
    def __init__(self, source: Distribution, ratio: float, scale: float = 1.0) -> None:
        self.ratio = ratio
        low, high = LIMITS
        half = (high - low) / _CELLS / 2
        marginal = source.marginal(1.0, ratio)
        assert isinstance(marginal, GaussianMixture)  # what all kinds of distribution become
        axes = torch.linspace(low, high, _ARROWS), torch.linspace(low + half, high - half, _CELLS)
        densities = [marginal.density_on_grid(axis / scale, axis / scale) for axis in axes]
        most = max(float(density.max()) for density in densities)
        self._seen = [(density > _SEEN * most).flatten() for density in densities]
        grids = [_grid(axis / scale)[seen] for axis, seen in zip(axes, self._seen, strict=True)]
        generator = torch.Generator().manual_seed(round(1000 * ratio))
        self._places = torch.cat([*grids, marginal.sample(_PROBES, generator)])
        self._parts = [len(grid) for grid in grids]
        self._exact = self._eps(source.posterior_mean(self._places, 1.0, ratio))
        self.arrows = self._spread(self._exact)

    def compare(self, denoiser: Denoiser) -> Compared:
        """Ask a denoiser on ``PATH`` at the same places."""
        with torch.inference_mode():
            eps = self._eps(denoiser(self._places, self.ratio / PATH.sigma_max))
            eps = eps.nan_to_num(0.0)
            gap = eps - self._exact
            first, second = self._parts
            error = torch.full((_CELLS * _CELLS,), float("nan"))
            error[self._seen[1]] = gap[first : first + second].norm(dim=1)
        mean_square = float(gap[first + second :].square().mean())
        return Compared(
            self._spread(eps), error.reshape(_CELLS, _CELLS).numpy(), min(mean_square, 1e6)
        )

    def _eps(self, x_0: Tensor) -> Tensor:
        return (self._places - x_0) / self.ratio

    def _spread(self, eps: Tensor) -> Floats:
        """(G, G, 2): the score's direction at the places of arrows."""
        arrows = torch.zeros(_ARROWS * _ARROWS, 2)
        arrows[self._seen[0]] = -eps[: self._parts[0]]
        return arrows.reshape(_ARROWS, _ARROWS, 2).numpy()


def _grid(axis: Tensor) -> Tensor:
    """(M * M, 2) places, rows along the second coordinate."""
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)
