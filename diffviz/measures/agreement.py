r"""Whether noising one step at a time and in a single jump give the same distribution.

    walk    x_t = (alpha_t / alpha_s) x_s + sigma_{t|s} z,  noising after noising
    jump    x_t = alpha_t x_0 + sigma_t eps                              Ho et al. 2020, eq. 2 and 4

They do, exactly; a finite sample shows it up to chance.  So the sliced Wasserstein distance between
a walked and a jumped sample is put beside its floor: the same distance between two jumps of the
same data with independent noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffviz.core.noising import jump, walk
from diffviz.core.schedules import Schedule
from diffviz.measures.metrics import sliced_wasserstein_path

__all__ = ["Agreement", "agreement"]

_PAIRS = 3


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far apart the two ways are along the path.

    Attributes:
        t: (F,) times.
        distance: (F,) sliced W_2 between a walked and a jumped sample, in the units of x.
        floor: (F,) the same between two independent jumps of the same data.
    """

    t: Tensor
    distance: Tensor
    floor: Tensor


def agreement(
    schedule: Schedule,
    x_0: Tensor,
    times: Tensor,
    generator: torch.Generator,
    projections: int = 16,
) -> Agreement:
    """Measure the distance between walk and jump at each of ``times``: means over three pairs.

    Args:
        schedule: the path.
        x_0: data (N, ...), noised by both ways.
        times: (F,) strictly rising, from 0 or later; the walks stop at all of them.
        generator: of the noise.
        projections: directions of the sliced Wasserstein distance.
    """
    shape = (_PAIRS, *x_0.shape)
    noise = torch.randn(shape, generator=generator, dtype=x_0.dtype)
    measured = []
    walks = walk(schedule, x_0.expand(shape), times, generator)
    for t, walked in zip(times.tolist(), walks, strict=True):
        jumped = jump(schedule, x_0.expand(shape), t, noise)
        apart = [
            sliced_wasserstein_path(
                torch.stack([walked[k], jumped[k - 1]]), jumped[k], projections, max_points=None
            )
            for k in range(_PAIRS)
        ]
        measured.append(torch.stack(apart).mean(0))
    distance, floor = torch.stack(measured).T
    return Agreement(times, distance, floor)
