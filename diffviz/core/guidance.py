r"""What classifier-free guidance promises, computed exactly.

With the convention x_0 = uncond + w (cond - uncond), the guided score at noise level t is

    grad log p_t(x) + w (grad log p_t(x | c) - grad log p_t(x)) = grad log [ p_t(x) p_t(c | x)^w ],

the score of a density that is tilted towards the class (Ho and Salimans 2022, with their w one
less).  That is so at every t by itself.  The run as a whole does not end in the tilted density of
the data, p(x) p(c | x)^w: its tilted densities at the other noise levels are not that one with
noise added, unless w is 0 or 1 (Bradley and Nakkiran 2024, "Classifier-free guidance is a
predictor-corrector"; Chidambaram et al. 2024, "What does guidance do?").
Everything here works on a mixture of Gaussians with classes, where all of it is in closed form.
"""

from __future__ import annotations

import torch
from torch import Tensor

from diffviz.core.distributions import GaussianMixture

__all__ = ["class_probabilities", "draw_from_grid", "joint_on_grid", "tilted"]


def joint_on_grid(mixture: GaussianMixture, *axes: Tensor) -> Tensor:
    """Return p(x, c), the density of each class times its share.

    Args:
        mixture: with ``labels`` from 0 to C - 1.
        *axes: as in ``GaussianMixture.density_on_grid``.

    Returns:
        (C, R) in one dimension, (C, R_2, R_1) in two; the sum over C is p(x).
    """
    parts = []
    for part, share in _by_class(mixture):
        parts.append(share * part.density_on_grid(*axes))
    return torch.stack(parts)


def tilted(joint: Tensor, label: int, scale: float) -> Tensor:
    """Return p(x) p(c | x)^w, not normalised: scale 0 gives p(x), scale 1 gives p(x, c).

    Args:
        joint: (C, ...) p(x, c), as ``joint_on_grid`` gives it.
        label: the class c.
        scale: the guidance scale w, at least 0.

    Returns:
        (...); 0 where p(x) is 0 to rounding.
    """
    p = joint.sum(0)
    return p * (joint[label] / p.clamp_min(torch.finfo(p.dtype).tiny)) ** scale


def class_probabilities(mixture: GaussianMixture, x: Tensor) -> Tensor:
    """Return what the exact classifier says, p(c | x), (B, C), at places (B, D)."""
    logits = [part.log_prob(x) + share.log() for part, share in _by_class(mixture)]
    return torch.stack(logits, 1).softmax(1)


def draw_from_grid(
    density: Tensor, axes: tuple[Tensor, Tensor], n: int, generator: torch.Generator | None = None
) -> Tensor:
    """Draw points from a density that is constant within each cell of an even grid.

    Args:
        density: (R_2, R_1) at the centres of the cells, in any units; rows along the second axis.
        axes: the (R_1,) and (R_2,) centres.
        n: how many points.
        generator: of the draw.

    Returns:
        (n, 2) points.

    Raises:
        ValueError: if the density is nowhere positive.
    """
    weights = density.flatten()
    if not bool((weights > 0).any()):
        raise ValueError("a density that is 0 on the whole grid cannot be drawn from")
    cell = torch.multinomial(weights, n, replacement=True, generator=generator)
    rows, columns = cell // density.shape[1], cell % density.shape[1]
    jitter = torch.rand(n, 2, generator=generator, dtype=density.dtype) - 0.5
    pitch = torch.stack([axis[1] - axis[0] for axis in axes])
    return torch.stack([axes[0][columns], axes[1][rows]], 1) + jitter * pitch


def _by_class(mixture: GaussianMixture) -> list[tuple[GaussianMixture, Tensor]]:
    """p(x | c) and p(c) of each class from 0 up."""
    parts = []
    for c in range(int(mixture.labels.max()) + 1):
        of = mixture.labels == c
        weights, means, stds = mixture.weights[of], mixture.means[of], mixture.stds[of]
        parts.append((GaussianMixture(weights, means, stds), weights.sum()))
    return parts
