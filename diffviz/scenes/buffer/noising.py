"""Samples that the browser noises itself, from data, noise and the levels of every frame.

    jump    x_k = kept_k x_0 + added_k eps                      one draw of noise for all frames
    walk    x_k = kept_k x_{k-1} + added_k z_k, from x_0 on     fresh noise for every frame

The samples do not depend on the schedule, the levels do not depend on the samples: so the browser
shows another schedule as soon as it has its levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffviz.scenes.buffer.format import Buffer

HELD = frozenset({"start", "noise", "data", "labels"})
"""The roles of arrays that are the same for every schedule."""


@dataclass(frozen=True, eq=False)
class Noised:
    """What x_t is made of.

    Attributes:
        x_0: (N, D) the data, or (N,) in one dimension.
        noise: (K, *x_0.shape): of a jump K = 1, of a walk K = F - 1.
        kept: (F,) of a jump, (F - 1,) of a walk: what x_0, or the sample before, is multiplied by.
        added: likewise of the noise.
        walk: which of the two it is.

    Raises:
        ValueError: when shapes disagree.
    """

    x_0: NDArray[np.floating[Any]]
    noise: NDArray[np.floating[Any]]
    kept: NDArray[np.floating[Any]]
    added: NDArray[np.floating[Any]]
    walk: bool

    def __post_init__(self) -> None:
        """Check that the arrays belong together."""
        draws = len(self.kept) if self.walk else 1
        if self.noise.shape != (draws, *self.x_0.shape):
            raise ValueError(
                f"noise has shape {self.noise.shape}; here it needs {(draws, *self.x_0.shape)}"
            )
        if self.kept.ndim != 1 or self.kept.shape != self.added.shape:
            raise ValueError(f"kept has shape {self.kept.shape} but added has {self.added.shape}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of x_t: (F, *x_0.shape)."""
        return len(self.kept) + self.walk, *self.x_0.shape

    @property
    def x_t(self) -> NDArray[np.floating[Any]]:
        """The samples at every frame, before any scale for drawing."""
        return _noised(self.x_0, self.noise, self.kept, self.added, self.walk)

    def pack(self, buffer: Buffer, prefix: str, add: Callable[..., str]) -> dict[str, str]:
        """Add the arrays to a buffer and return their names by role.

        Args:
            buffer: takes them.
            prefix: of their names.
            add: how positions are added.
        """
        return {
            "start": add(buffer, f"{prefix}.start", self.x_0),
            "noise": add(buffer, f"{prefix}.noise", self.noise),
            "kept": buffer.add(f"{prefix}.kept", self.kept, "f32"),
            "added": buffer.add(f"{prefix}.added", self.added, "f32"),
        }


def x_t_of(panel: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return x_t as drawn, as the browser works it out from a buffer that was read back."""
    names = panel["arrays"]
    x_0, noise, kept, added = (arrays[names[role]] for role in ("start", "noise", "kept", "added"))
    x_t = _noised(x_0, noise, kept, added, panel["walk"])
    if "scale" in names:
        x_t *= arrays[names["scale"]].reshape(-1, *[1] * x_0.ndim)
    return x_t


def _noised(
    x_0: NDArray[Any], noise: NDArray[Any], kept: NDArray[Any], added: NDArray[Any], walk: bool
) -> NDArray[Any]:
    if not walk:
        each = (-1, *[1] * x_0.ndim)
        x_t: NDArray[Any] = kept.reshape(each) * x_0 + added.reshape(each) * noise
        return x_t
    frames = [x_0.astype(np.float64)]
    for k, (a, b) in enumerate(zip(kept, added, strict=True)):
        frames.append(a * frames[-1] + b * noise[k])
    return np.stack(frames)
