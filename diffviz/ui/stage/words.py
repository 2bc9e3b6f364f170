"""Words that several pages say."""

from __future__ import annotations

from diffviz.tools import device


def time_words(seconds: float) -> str:
    """A time in the unit that fits."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def spent_words(seconds: float) -> str:
    """What work took, and where: "0.5 s on 2 cores"."""
    return f"{time_words(seconds)} on {device.place()}"


def share_words(share: float) -> str:
    """A share in percent; only none is 0 % and only all is 100 %."""
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"
