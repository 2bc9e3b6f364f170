"""The networks that are no denoisers, as files: weights as safetensors, a card in JSON beside them.

Denoisers have ``checkpoints``, which also reads what users bring.  These here are only what ships:
classifiers, VAEs and GANs, whose shape the code knows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from diffviz.models.checkpoints import CheckpointError
from diffviz.tools.files import write_whole

__all__ = ["load_module", "read_card", "save_module"]

Module = TypeVar("Module", bound=nn.Module)


def save_module(stem: Path, module: nn.Module, card: Mapping[str, Any]) -> None:
    """Write the weights of a network in half precision and its card.

    Args:
        stem: the path of both files, without an ending.
        module: the network.
        card: what it is, where it came from, how well it does; the SHA-256 of the weights is added.

    Raises:
        ValueError: if a weight has no finite value in half precision.
    """
    halves = {key: value.half().contiguous() for key, value in module.state_dict().items()}
    if not all(bool(value.isfinite().all()) for value in halves.values()):
        raise ValueError("a weight is no finite number in half precision, so nothing was written")
    weights = safetensors.torch.save(halves)
    fields = {**card, "sha256": hashlib.sha256(weights).hexdigest()}
    write_whole(stem.with_suffix(".safetensors"), weights)
    text = json.dumps(fields, indent=2, allow_nan=False) + "\n"
    write_whole(stem.with_suffix(".json"), text.encode())


def read_card(stem: Path) -> dict[str, Any]:
    """Return the card of a network.

    Raises:
        CheckpointError: if it is missing or no JSON object.
    """
    try:
        card = json.loads(stem.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"The card of {stem.name} cannot be read: {error}.") from error
    if not isinstance(card, dict):
        raise CheckpointError(f"The card of {stem.name} is no object with fields.")
    return card


def load_module(stem: Path, module: Module, command: str) -> Module:
    """Give a network the weights of a file and make it ready to be asked.

    Args:
        stem: the path of both files, without an ending.
        module: a network of the right shape.
        command: how to train it again, for the message.

    Raises:
        CheckpointError: if the file is missing, damaged or of another network.
    """
    try:
        weights = safetensors.torch.load_file(stem.with_suffix(".safetensors"))
        own = module.state_dict()
        module.load_state_dict({k: v.to(own[k].dtype) for k, v in weights.items() if k in own})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"The network {stem.name} cannot be read: its file is missing or damaged. Train it "
            f"again with: {command}"
        ) from error
    for weight in module.parameters():
        if weight.ndim == 4:  # of a convolution: the same answers, sooner
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return module.eval().requires_grad_(False)
