"""What the Images page says about a run, in numbers that were measured on it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from diffviz.scenes.picture_run import GenerateRun, Pictures
from diffviz.tools import device
from diffviz.ui.stage.words import share_words, spent_words

_PRECISION = {torch.float32: "", torch.bfloat16: " in bfloat16"}


def about_run(run: GenerateRun, made: Pictures) -> str:
    """What the run cost, and what one step does."""
    each = "1 evaluation" if made.evaluations == 1 else f"{made.evaluations:,} evaluations"
    parts = [
        f"**{each}** of a network trained on {run.set.source}, for {run.count} pictures "
        f"**{spent_words(made.seconds)}**{_PRECISION[device.multiplies_in()]}."
    ]
    if made.frames < made.steps + 1:
        parts.append(f"Of {made.steps + 1:,} stops, {made.frames} are shown.")
    parts.append(made.sentence)
    parts.append("Click a small picture to see it large.")
    return " ".join(parts)


def about_classes(run: GenerateRun, made: Pictures) -> str:
    """Whether the pictures are what was asked for, and when that was settled."""
    seen = made.probability[-1].argmax(1)
    right = float((seen == made.labels).mean())
    if run.guidance:
        words = f"**The classifier takes {share_words(right)} of the pictures for what was asked.**"
    else:
        words = "**No class was told, so that each picture finds its own.**"
    middle = int(np.median(settled(made)))
    step = middle * made.steps // max(made.frames - 1, 1)
    when = (
        "at the very first step, where x̂₀ is still a blur"
        if middle == 0
        else f"by step {step} of {made.steps} (t = {made.t[middle]:.2f})"
    )
    return (
        f"{words} Half of them are settled {when}: from there on x̂₀ is taken for what the picture "
        "becomes. The classifier is a small network that was trained apart. What is coarse is "
        "decided first, what is fine last."
    )


def settled(made: Pictures) -> NDArray[np.int64]:
    """(N,) the first frame from which x̂₀ is always taken for what the picture becomes."""
    seen = made.probability.argmax(2)  # (F, N)
    same = seen == seen[-1]
    stays = np.flip(np.cumprod(np.flip(same, 0), 0), 0)
    first: NDArray[np.int64] = stays.argmax(0)
    return first
