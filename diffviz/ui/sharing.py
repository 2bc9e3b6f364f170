"""Helper threads that share out the parts of one run between the cores."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from diffviz.denoisers import Denoiser
from diffviz.ui.waiting import work_alone

__all__ = ["CORES", "HELPERS", "Shared", "in_parts"]

CORES = min(os.cpu_count() or 1, 4)
"""How many parts a batch is cut into."""

HELPERS = ThreadPoolExecutor(CORES, "diffviz-part", initializer=work_alone)
"""The threads; what runs in them must not wait for another of them."""


class Shared(Denoiser):
    """A denoiser whose batch is shared between the cores; every sample is answered on its own."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        self.evaluations, self.exact = denoiser.evaluations, denoiser.exact

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return what the denoiser answers; tensors in the condition are cut as the batch is."""
        conditions = [
            {name: _part(value, len(x_t), k) for name, value in cond.items()} for k in range(CORES)
        ]

        @torch.inference_mode()
        def answer(part: Tensor, own: dict[str, Any]) -> Tensor:
            return self.denoiser(part, t, **own)

        return torch.cat(list(HELPERS.map(answer, x_t.chunk(CORES), conditions)))


def _part(value: Any, batch: int, k: int) -> Any:
    if not isinstance(value, Tensor) or value.shape[:1] != (batch,):
        return value
    parts = value.chunk(CORES)
    return parts[k] if k < len(parts) else value[:0]


def in_parts(function: Any, x: Tensor) -> Tensor:
    """Return what a function of a batch answers, its parts worked out side by side.

    Args:
        function: of (n, ...) tensors to (n, ...) tensors, sample by sample.
        x: (N, ...).
    """

    @torch.inference_mode()
    def answer(part: Tensor) -> Tensor:
        result: Tensor = function(part)
        return result

    return torch.cat(list(HELPERS.map(answer, x.chunk(CORES))))
