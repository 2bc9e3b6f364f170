"""Where runs are worked out: by helpers that share them out between the cores, or on a GPU."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Network, Wrapper
from diffviz.tools import device
from diffviz.tools.device import CORES


def work_alone() -> None:
    """Set up a thread of a pool for torch: one thread for each piece of work, no denormal numbers.

    Torch's own threads wait for each other at every operation, which costs more than it saves as
    soon as others use the same cores; weights that underflow would slow down every product.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


HELPERS = ThreadPoolExecutor(CORES, "diffviz-part", initializer=work_alone)
"""The threads; what runs in them must not wait for another of them."""

_BLOCK = 16  # points that a processor works on at once
_FEW = 1024  # of which it is quicker to answer fewer alone than to share them


def multiplying_best(network: Network) -> Network:
    """A copy of a large network on the device, which multiplies as is best there."""
    module = copy.deepcopy(network.module).to(device.chosen(), device.multiplies_in())
    return Network(module, network.schedule, network.predicts)


class Shared(Wrapper):
    """A denoiser whose batch is shared between the cores; every sample is answered on its own.

    Where the app has a GPU the denoiser is there, and the whole batch is answered at once.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser, self.exact = denoiser.to(device.chosen()), denoiser.exact

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return what the denoiser answers; tensors in the condition are cut as the batch is."""
        there = device.chosen()
        if there.type != "cpu":
            return self._elsewhere(there, x_t, t, cond)
        cuts = _cuts(x_t)
        parts = [x_t[cut] for cut in cuts]
        conditions = [{name: _part(v, len(x_t), cut) for name, v in cond.items()} for cut in cuts]

        @torch.inference_mode()
        def answer(part: Tensor, own: dict[str, Any]) -> Tensor:
            return self.denoiser(part, t, **own)

        if len(cuts) == 1:
            return answer(parts[0], conditions[0])
        return torch.cat(list(HELPERS.map(answer, parts, conditions)))

    @torch.inference_mode()
    def _elsewhere(
        self, there: torch.device, x_t: Tensor, t: Tensor | float, cond: dict[str, Any]
    ) -> Tensor:
        told = {name: v.to(there) if isinstance(v, Tensor) else v for name, v in cond.items()}
        return self.denoiser(x_t.to(there), t, **told).to(x_t.device)


def _cuts(batch: Tensor) -> list[slice]:
    """A part for each core; of points in blocks, so that they are rounded alike on any machine."""
    block = _BLOCK if batch.ndim == 2 else 1
    parts = 1 if batch.ndim == 2 and len(batch) < _FEW else CORES
    ends = [len(batch) * k // parts // block * block for k in range(parts)] + [len(batch)]
    return [slice(*cut) for cut in pairwise(ends) if cut[0] < cut[1]]


def _part(value: Any, batch: int, cut: slice) -> Any:
    return value[cut] if isinstance(value, Tensor) and value.shape[:1] == (batch,) else value


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
