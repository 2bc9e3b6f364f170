"""What the Why it works page says, in numbers that were measured on the run."""

from __future__ import annotations

from diffviz.ui.generate_run import GenerateRun
from diffviz.ui.picture_pngs import strip_uri
from diffviz.ui.why_run import Acting, Compared

__all__ = ["about", "no_pictures", "pairs_html"]


def about(run: GenerateRun, made: Compared, kind: Acting) -> str:
    """Where one of the two runs ends, and how near that is to a training picture."""
    ends = made.exact if kind == "exact" else made.learned
    pixels, features = float(ends.pixels.mean()), float(ends.features.mean())
    if kind == "exact":
        return (
            f"**The exact denoiser knows {made.known:,} real pictures and nothing else.** It is "
            "the best denoiser there is for them, and its runs end on them: "
            f"{pixels:.3f} away on average (RMS in units of [-1, 1])."
        )
    return (
        f"**The network saw {run.set.source} and cannot hold them.** Its {run.set.one}s end "
        f"{pixels:.2f} from the nearest of the same {made.known:,} pictures. By the classifier's "
        f"features that is {features:.1f} times as far as a new real picture is from its nearest: "
        "about 1 means as new as a real one, 0 a copy."
    )


def pairs_html(made: Compared, kind: Acting) -> str:
    """Ends of a run above the real pictures nearest to them, as HTML."""
    ends = made.exact if kind == "exact" else made.learned
    rows = (
        ("Run ends", ends.x, "Where the runs end"),
        ("Nearest", ends.nearest, "The real picture nearest to each"),
    )
    cells = "".join(
        '<div style="display:flex;align-items:center;gap:0.6rem;margin-bottom:4px">'
        f'<span style="flex:0 0 4.6rem">{label}</span>'
        f'<img alt="{alt}" src="{strip_uri(x, 56)}" style="max-width:100%;min-width:0;'
        'max-height:56px;image-rendering:pixelated"></div>'
        for label, x, alt in rows
    )
    return f'<div style="font-size:0.94rem">{cells}</div>'


def no_pictures(run: GenerateRun, error: Exception) -> str:
    """Why the comparison cannot be drawn, and what to do."""
    return (
        f"This page sets the network beside real pictures, and those of {run.set.title} are not "
        f"shipped. {error}"
    )
