"""What the Reverse page says about a run, in numbers that were measured on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffviz.scenes.configs import SPACING_TEXT
from diffviz.scenes.pngs import strip_uri
from diffviz.scenes.point_run import Ends, RunConfig, Shown, reference
from diffviz.ui.stage.words import share_words, spent_words

_HINTS = {
    "1-D": "Click a path to follow it.",
    "2-D": "Click a point to follow it; at step 0, drag it to start elsewhere.",
    "image": "Click a small image to see it large.",
}
_ALL = 0.995
_MANY = 0.5  # more ends on data points than this are called copies
_PAIRS_SHOWN = 10


def about_run(run: RunConfig, shown: Shown, network: str = "") -> str:
    """What the run cost, and what one step does.

    Args:
        run: the run.
        shown: what came of it.
        network: what the network is, in words, where one acts.
    """
    calls = "1 evaluation" if shown.evaluations == 1 else f"{shown.evaluations:,} evaluations"
    of = "the exact denoiser" if run.model is None else network or "a trained network"
    cost = f"**{calls}** of {of}, **{spent_words(shown.seconds)}**."
    parts = [cost]
    if shown.frames < shown.steps + 1:
        parts.append(f"Of {shown.steps + 1:,} stops, {shown.frames} are shown.")
    parts.append(shown.sentence)
    parts.append(_HINTS[run.data.kind])
    if shown.mesh_by is not None:
        parts.append(f"The warped grid is carried by {shown.mesh_by}, without fresh noise.")
    return " ".join(parts)


def about_ends(run: RunConfig, shown: Shown) -> str:
    """Where the run ends: on the data (memorisation), between them, or at new places."""
    ends, thing = shown.ends, "image" if run.data.kind == "image" else "point"
    mean, most = _number(float(ends.distance.mean())), _number(float(ends.distance.max()))
    gap = _number(ends.neighbours)
    if not run.source[1]:
        return (
            "**Not memorised.** The denoiser is exact for the true density, so samples end at new "
            f"places: {mean} on average from the nearest true sample, where true samples are {gap} "
            "apart."
        )
    apart = f" (neighbours are {gap} apart)" if ends.neighbours else ""
    if ends.outside > 0:
        return (
            f"**Not the denoiser's doing.** {share_words(ends.outside).capitalize()} of the runs "
            f"end beyond the {thing}s' range, {most} from the nearest at most{apart}. Every "
            "prediction is a mean of the data and lies within it, so this is the sampler's own "
            "error: its steps are too long here. More steps or another sampler bring it back."
        )
    why = (
        "The exact denoiser of a finite set is its mean weighted by nearness: as sigma goes to 0, "
        f"one {thing} gets all weight."
    )
    if ends.on_a_point >= _ALL:
        return (
            f"**Memorisation.** Every run ends on a training {thing}: {mean} away on average, "
            f"{most} at most{apart}. {why}"
        )
    return (
        f"**Memorisation, blurred.** Runs end {mean} from a training {thing} on average{apart}: "
        f"the last step, from sigma = {_number(ends.last_sigma)}, still blends several. "
        f"{why}{_hint(run)}"
    )


def about_learned(run: RunConfig, ends: Ends, exact: Ends) -> str:
    """Where a run of a network ends, beside the exact denoiser from the same noise."""
    here, there = (_number(float(end.distance.mean())) for end in (ends, exact))
    if not run.source[1]:
        return (
            f"**Learned, so estimated.** Runs of a network end {here} on average from the nearest "
            f"true sample, where true samples are {_number(ends.neighbours)} apart. From the same "
            f"noise the exact denoiser of the true density ends {there} from one."
        )
    apart = f", where neighbours are {_number(ends.neighbours)} apart" if ends.neighbours else ""
    verdict = "Copies." if ends.on_a_point >= _MANY else "Learned, so estimated."
    return (
        f"**{verdict}** Runs of a network need not end on data points: "
        f"{share_words(ends.on_a_point)} end on one, and on average they end {here} from the "
        f"nearest{apart}. From the same noise, of the runs of the exact denoiser of these points "
        f"{share_words(exact.on_a_point)} end on one, and on average they end {there} away."
    )


def about_moved(run: RunConfig, shown: Shown, before: Shown) -> str:
    """Where a start chosen by hand leads, and where its own start had led."""
    assert run.moved is not None
    index, x, y = run.moved
    now, then = _at(shown.ends.x[index]), _at(before.ends.x[index])
    change = float(np.linalg.norm(shown.ends.x[index] - before.ends.x[index]))
    return (
        f"**Point {index} starts where you put it**, at {_at(np.array([x, y]))}, and ends at "
        f"{now}. From its own start it ended at {then}, {_number(change)} away."
    )


def pairs_html(run: RunConfig, shown: Shown) -> str:
    """Ends of the run above the training images nearest to them, as HTML; images only."""
    x = shown.ends.x[:_PAIRS_SHOWN]
    nearest = reference(*run.source).numpy()[shown.ends.nearest[: len(x)]]
    rows = (
        ("Run ends", x, "Where the first runs end"),
        ("In the data", nearest, "The training image nearest to each"),
    )
    cells = "".join(
        f'<div style="display:flex;align-items:center;gap:0.6rem;margin-bottom:4px">'
        f'<span style="flex:0 0 5.6rem">{label}</span>'
        f'<img alt="{alt}" src="{strip_uri(images)}" style="max-width:100%;min-width:0;'
        f'image-rendering:pixelated"></div>'
        for label, images, alt in rows
    )
    return f'<div style="font-size:0.94rem">{cells}</div>'


def _hint(run: RunConfig) -> str:
    if run.sampler.spacing in ("log_snr", "karras"):
        return ""
    finer = "karras" if run.schedule.name in ("ve", "edm") else "log_snr"
    return f" Try spacing “{SPACING_TEXT[finer].title}”."


def _at(x: NDArray[np.float32] | NDArray[np.float64]) -> str:
    return f"({x[0]:.2f}, {x[1]:.2f})".replace("-", "\u2212")


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}" if value >= 0.01 else f"{value:.4f}"
