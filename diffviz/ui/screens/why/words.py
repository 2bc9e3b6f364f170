"""What the Why it works page says, in numbers that were measured on the run or beforehand."""

from __future__ import annotations

from diffviz.scenes.picture_run import GenerateRun
from diffviz.scenes.pngs import strip_uri
from diffviz.scenes.why import Acting, Compared, Kept, Neighbours


def about(run: GenerateRun, made: Compared, kind: Acting) -> str:
    """Where one of the two runs ends, and how near that is to a training picture."""
    ends = made.ends[kind]
    pixels, features = float(ends.pixels.mean()), float(ends.features.mean())
    return _about(run, kind, made.known, pixels, features)


def about_kept(run: GenerateRun, kept: Kept, kind: Acting) -> str:
    """The same as it was measured beforehand, with the usual choices."""
    return _about(run, kind, kept.known, kept.pixels[kind], kept.features[kind])


def _about(run: GenerateRun, kind: Acting, known: int, pixels: float, features: float) -> str:
    if kind == "exact":
        return (
            f"**The exact denoiser knows {known:,} real pictures and nothing else.** It is "
            "the best denoiser there is for them, and its runs end on them: "
            f"{pixels:.3f} away on average (RMS in units of [-1, 1])."
        )
    return (
        f"**The network saw {run.set.source} and cannot hold them.** Its {run.set.one}s end "
        f"{pixels:.2f} from the nearest of the same {known:,} pictures. By the classifier's "
        f"features that is {features:.1f} times as far as a new real picture is from its nearest: "
        "about 1 means as new as a real one, 0 a copy."
    )


def pairs_html(ends: Neighbours) -> str:
    """Ends of a run above the real pictures nearest to them, as HTML."""
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


def no_pictures(run: GenerateRun, kept: Kept) -> str:
    """Why the network runs alone, where the figures are from, and how to get the pictures."""
    return (
        f"The real pictures of {run.set.title} do not ship with the app, so the network runs alone "
        f"here. The figures below were measured with them, on {kept.runs} runs of each by the "
        "usual choices. Whoever runs this app can fetch the pictures with `python -m "
        f"diffviz fetch {run.pictures}` (11 MB) and start it again; then both run."
    )
