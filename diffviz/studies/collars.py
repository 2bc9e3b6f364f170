r"""A collar switched on and off: one attribute of a dog that a network was told of.

The network was trained with the attribute c (no collar, collar) and, for a tenth of the dogs,
without it, so it answers three questions: E[x_0 | x_t, no], E[x_0 | x_t] and E[x_0 | x_t, yes].
From one noise they lead to three dogs, and what the noise decides, which is everything but the
collar, is decided alike as far as it can be.  Guidance draws the three apart,

    x_0 = D(x_t) + w (D(x_t, c) - D(x_t)),

and leaves a dog whose attribute is open where it is (Ho and Salimans 2022; w is that of
``denoisers.Guided``).

A given dog is first walked up the probability-flow ODE to its noise (``inversion``), told of the
collar that it has, and from there down again: told the same it comes back, told the other it
changes (Song et al. 2021, "Denoising Diffusion Implicit Models", section 5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser, Guided
from diffviz.core.inversion import decode, encode
from diffviz.core.run import Watch, frames, ignore, part_of
from diffviz.core.trajectory import State
from diffviz.data.dogs import neck_mask, sample
from diffviz.networks.unet import UNet

__all__ = ["Necks", "Trip", "change", "labels_of", "trip"]

_DRAWN = 20_000  # dogs among which the nearest is looked for
_SEED = 2
_ROWS = 500


def labels_of(module: UNet, asked: Sequence[bool | None]) -> Tensor:
    """Return (N,) labels: 1 for a collar, 0 for none, the network's null label for left open."""
    return torch.tensor([module.null_label if each is None else int(each) for each in asked])


@dataclass(frozen=True, eq=False)
class Trip:
    """N given dogs on their way to noise and back; each tuple holds steps + 1 states.

    Attributes:
        up: from the dogs to their noise.
        same: from the noise, told what the dogs wear, without guidance.
        other: from the noise, asked for what is wanted, with guidance.
    """

    up: tuple[State, ...]
    same: tuple[State, ...]
    other: tuple[State, ...]

    @property
    def noise(self) -> Tensor:
        """(N, 1, 28, 28) the noise of each dog, about N(0, I)."""
        return self.up[-1].x_t / self.up[-1].sigma


def trip(
    denoiser: Denoiser,
    given: Tensor,
    worn: Tensor,
    wanted: Tensor,
    guidance: float,
    steps: int,
    solver: str = "heun",
    watch: Watch = ignore,
) -> Trip:
    """Walk given dogs up to noise, and down again as they are and as they are wanted.

    Args:
        denoiser: answers E[x_0 | x_t, label] on ``inversion.PATH``, and without a label.
        given: (N, 1, 28, 28) pictures in [-1, 1].
        worn: (N,) labels of what they wear.
        wanted: (N,) labels of what they shall wear.
        guidance: the scale w towards what is wanted.
        steps: of the solver, each way.
        solver: a key of ``inversion.SOLVERS``.
        watch: told the share that is done, from 0 to 1.

    Raises:
        ValueError: for fewer than 1 step or an unknown solver.
    """
    own = Conditioned(denoiser, label=worn)
    asked = Conditioned(Guided(denoiser, guidance), label=wanted)
    with torch.inference_mode():
        made = [tuple(frames(encode(own, given, steps, solver), steps, watch=part_of(watch, 0, 3)))]
        for k, each in enumerate((own, asked), 1):
            states = decode(each, made[0][-1].x_t, steps, solver)
            made.append(tuple(frames(states, steps, watch=part_of(watch, k, 3))))
    return Trip(*made)


def change(a: Tensor, b: Tensor, where: Tensor) -> float:
    """Return the mean absolute difference of pictures (N, 1, 28, 28) over a mask (N, 28, 28).

    In units of the pictures, where black to white is 2.
    """
    return float((a - b).abs()[:, 0][where].mean())


class Necks:
    """Where the neck of a dog is that nobody has the looks of: that of the drawing nearest to it.

    The drawings are many, and have no collar; near means a small squared difference of pixels.
    """

    def __init__(self, count: int = _DRAWN) -> None:
        pictures, _, self._looks = sample(count, _SEED, share=0.0)
        self._flat = pictures.flatten(1)

    def of(self, pictures: Tensor) -> Tensor:
        """(N, 28, 28) bool: the collar's place and the pixels around it.

        Args:
            pictures: (N, 1, 28, 28) of dogs without a collar.
        """
        found = [
            neck_mask(self._looks[torch.cdist(part, self._flat).argmin(1)])
            for part in torch.split(pictures.flatten(1), _ROWS)
        ]
        return torch.cat(found)
