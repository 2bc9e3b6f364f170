"""What the experiment on memorisation says."""

from __future__ import annotations

from collections.abc import Mapping

from diffviz.scenes.memorise import Experiment, Outcome
from diffviz.studies.memorise import MEASURED, Recipe


def about(n: int, outcome: Outcome | None) -> str:
    """What was measured at the size on show."""
    if outcome is None:
        return (
            f"No network has been trained on **{n:,}** points of this set yet: the buttons above "
            "do it in some seconds."
        )
    f = outcome.figures
    return (
        f"Of {MEASURED:,} samples of the network trained on **{n:,}** points, **{f.copies:.0%}** "
        f"are copies; the exact denoiser of the same points makes {f.copies_exact:.0%}, chance "
        f"{f.copies_fresh:.0%}. {_verdict(outcome)}"
    )


def _verdict(outcome: Outcome) -> str:
    f = outcome.figures
    above = (f.copies - f.copies_fresh) / max(1 - f.copies_fresh, 1e-9)
    if above > 0.5:
        return "It has learned the points by heart."
    if above > 0.1:
        return "It is on the way from the points to what they were drawn from."
    if f.distance > f.distance_exact and f.n < 500:
        return "It copies no longer, but has seen too little to know the distribution."
    return "It draws new points: it has generalised."


def definition() -> str:
    """What a copy is."""
    return (
        "A sample is a **copy** if its nearest training point is less than a third as far away as "
        "the second nearest ([Yoon et al. 2023](https://openreview.net/forum?id=shciCbSk9h)). "
        "In the plane chance makes some, 1 in 9 where points are spread evenly and up to 1 in 3 "
        "along a line: hence the dashed reference."
    )


def source_of(experiment: Experiment, found: Mapping[int, Outcome]) -> str:
    """Where the figures come from and how they were made."""
    recipe: Recipe = experiment.recipe
    how = (
        f"width {recipe.width}, depth {recipe.depth}, {recipe.steps:,} steps of 256 points, seed "
        f"{recipe.seed}; {MEASURED:,} samples by DPM-Solver++(2M) in 40 steps"
    )
    stored = [n for n, o in found.items() if o.origin == "stored"]
    here = [n for n, o in found.items() if o.origin == "here"]
    parts = []
    if stored:
        name = experiment.data.name
        command = f"`python -m diffviz memorise {name}`"
        parts.append(f"Open circles: the stored measurement, made by {command} ({how}).")
    if here:
        parts.append(f"Filled circles: measured here{'' if stored else f' ({how})'}.")
    return " ".join(parts)
