"""Where networks and exact denoisers are worked out, and how finely a network multiplies there.

``DIFFVIZ_DEVICE`` says which device: ``cpu``, ``cuda``, ``mps``, or ``auto``, which is the default
and takes a GPU where there is one.
"""

from __future__ import annotations

import os
from functools import cache

import torch

__all__ = ["CORES", "KINDS", "VARIABLE", "chosen", "multiplies_in", "place"]

VARIABLE = "DIFFVIZ_DEVICE"
"""Environment variable: the name of the device."""

KINDS: tuple[str, ...] = ("auto", "cpu", "cuda", "mps")
"""What it may say."""

CORES = min(os.cpu_count() or 1, 4)
"""Processor cores that one run is shared between."""

_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # what processors call that they multiply in it


@cache
def chosen() -> torch.device:
    """The device that was asked for.

    Raises:
        ValueError: for a name that is none of ``KINDS``, or a device that is not there.
    """
    asked = os.environ.get(VARIABLE, "").strip().lower() or "auto"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if asked == "auto":
        asked = next((kind for kind in ("cuda", "mps") if there[kind]), "cpu")
    if asked not in there:
        raise ValueError(f"{VARIABLE} is {asked!r}: it must be one of {', '.join(KINDS)}")
    if not there[asked]:
        raise ValueError(
            f"{VARIABLE} asks for {asked!r}, which PyTorch does not find on this machine: leave it "
            "out, or install a build of PyTorch and a driver for it"
        )
    return torch.device(asked) if asked == "cpu" else torch.device(asked, 0)


@cache
def place() -> str:
    """The device in words: "2 cores", or the name of a GPU."""
    device = chosen()
    if device.type == "cpu":
        return "1 core" if CORES == 1 else f"{CORES} cores"
    return torch.cuda.get_device_name() if device.type == "cuda" else "the GPU"


@cache
def multiplies_in() -> torch.dtype:
    """What large networks multiply in: bfloat16 where that is the device's own, else float32."""
    if chosen().type == "cpu":
        can = torch.cpu.get_capabilities()
        own = any(can.get(name, False) for name in _BFLOAT16)
    else:
        own = chosen().type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if own else torch.float32
