"""A run in one buffer: what a player reads, be it on a page, in a file or in a notebook.

Pure functions of arrays; ``format`` has the bytes.

Example:
    >>> clock = Clock(t, alpha, sigma, curve_t, curve_log_snr, direction="reverse")
    >>> buffer = encode(clock, [Points("Exact denoiser", x_t, (-3, 3), badge="exact")])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from diffviz.scenes.buffer import format
from diffviz.scenes.buffer.clock import Clock, Lane, Track
from diffviz.scenes.buffer.fields import Fields
from diffviz.scenes.buffer.format import Buffer, read_header
from diffviz.scenes.buffer.images import Images, Mix
from diffviz.scenes.buffer.lines import Lines
from diffviz.scenes.buffer.noising import HELD, Noised, x_t_of
from diffviz.scenes.buffer.points import Points
from diffviz.scenes.buffer.rail import Curve, Histogram, Levels, Rail, StepFormula, Term
from diffviz.scenes.buffer.sheaf import bind, unbind

__all__ = [
    "Buffer", "Clock", "Curve", "Fields", "Histogram", "Images", "Lane", "Levels", "Lines", "Mix",
    "Noised", "Panel", "Points", "Rail", "StepFormula", "Term", "Track", "bind", "decode",
    "encode", "read_header", "unbind",
]  # fmt: skip

MAX_PANELS = 4


class Panel(Protocol):
    """What the player shows: something that packs itself into a buffer."""

    def pack(self, buffer: Buffer, prefix: str) -> dict[str, Any]:
        """Add arrays whose names start with ``prefix``; return the header entry with its kind."""
        ...


def encode(
    clock: Clock,
    panels: Sequence[Panel],
    rail: Panel | None = None,
    title: str | None = None,
    held: str | None = None,
    hollow: bool = False,
) -> bytes:
    """Pack a run into one buffer; pure, so that pages can cache it.

    Args:
        clock: the frames' times, with F frames.
        panels: one to four panels that share the clock.
        rail: what stands beside them, or None.
        title: an accessible name for the whole player.
        held: names what does not depend on the schedule: the same in buffers that share it.
        hollow: whether that is left out: the browser has it from another buffer.

    Raises:
        ValueError: for no panel or more than four, or a panel with another number of frames.
    """
    if not 1 <= len(panels) <= MAX_PANELS:
        raise ValueError(f"a player shows 1 to {MAX_PANELS} panels, not {len(panels)}")
    for panel in (*panels, *([rail] if rail is not None else [])):
        frames = getattr(panel, "frames", None)
        if frames is not None and frames != clock.frames:
            name = getattr(panel, "title", None) or type(panel).__name__
            raise ValueError(f"{name} has {frames} frames but the clock has {clock.frames}")
    buffer = Buffer(HELD if hollow else ())
    return buffer.finish(
        {
            "title": title,
            "held": held,
            "hollow": hollow,
            "clock": clock.pack(buffer),
            "panels": [panel.pack(buffer, f"p{i}") for i, panel in enumerate(panels)],
            "rail": rail.pack(buffer, "rail") if rail is not None else None,
        }
    )


def decode(buffer: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a buffer back, x_t worked out where the browser does so.

    Returns:
        The header, and the arrays by name as real numbers.

    Raises:
        ValueError: when the bytes are not a buffer of this format.
    """
    header, arrays = format.decode(buffer)
    for k, panel in enumerate(header.get("panels", ())):
        if "noise" in panel["arrays"]:
            panel["arrays"]["x_t"] = f"p{k}.x_t"
            arrays[f"p{k}.x_t"] = x_t_of(panel, arrays)
    return header, arrays
