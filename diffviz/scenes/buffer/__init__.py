"""A run in one buffer: what a player reads, be it on a page, in a file or in a notebook.

Pure functions of arrays; ``format`` has the bytes.

Example:
    >>> clock = Clock(t, alpha, sigma, curve_t, curve_log_snr, direction="reverse")
    >>> buffer = encode(clock, [Points("Exact denoiser", x_t, (-3, 3), badge="exact")])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from diffviz.scenes.buffer.clock import Clock, Lane, Track
from diffviz.scenes.buffer.fields import Fields
from diffviz.scenes.buffer.format import Buffer, decode, read_header
from diffviz.scenes.buffer.images import Images, Mix
from diffviz.scenes.buffer.lines import Lines
from diffviz.scenes.buffer.points import Points
from diffviz.scenes.buffer.rail import Curve, Histogram, Levels, Rail, StepFormula, Term

__all__ = [
    "Buffer", "Clock", "Curve", "Fields", "Histogram", "Images", "Lane", "Levels", "Lines", "Mix",
    "Panel", "Points", "Rail", "StepFormula", "Term", "Track", "decode", "encode", "read_header",
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
) -> bytes:
    """Pack a run into one buffer; pure, so that pages can cache it.

    Args:
        clock: the frames' times, with F frames.
        panels: one to four panels that share the clock.
        rail: what stands beside them, or None.
        title: an accessible name for the whole player.

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
    buffer = Buffer()
    return buffer.finish(
        {
            "title": title,
            "clock": clock.pack(buffer),
            "panels": [panel.pack(buffer, f"p{i}") for i, panel in enumerate(panels)],
            "rail": rail.pack(buffer, "rail") if rail is not None else None,
        }
    )
