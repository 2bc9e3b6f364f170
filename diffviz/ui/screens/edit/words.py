"""What the Edit page says about an edit, in numbers that were measured on it."""

from __future__ import annotations

import html
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from diffviz.scenes.edit_run import LEVELS, Edited, EditRun, mask_of
from diffviz.scenes.picture_run import Floats
from diffviz.scenes.pngs import data_uri
from diffviz.ui.stage.words import spent_words


def about(run: EditRun, made: Edited) -> str:
    """What the edit cost, what it kept, and what it became."""
    calls = "1 evaluation" if made.evaluations == 1 else f"{made.evaluations:,} evaluations"
    cost = (
        f"**{calls}** of the network, for {run.base.count} variants "
        f"**{spent_words(made.seconds)}**."
    )
    return f"{_ABOUT[run.kind](run, made)} {_seen(run, made)} {cost}"


def _seen(run: EditRun, made: Edited) -> str:
    classes = run.base.set.classes
    counts = Counter(classes[k] for k in made.seen.tolist()).most_common(3)
    told = ", ".join(f"{count} as {name}" for name, count in counts)
    return f"The classifier takes {told}."


def _about_redraw(run: EditRun, made: Edited) -> str:
    away = _rms(made.x - made.given)
    if run.level == 0:
        return "**Level 0 makes no step: the picture comes back as it was given.**"
    kept = (
        "nothing of the picture is left at the start: these are fresh samples"
        if run.level == 1
        else "what the noise did not cover stays"
    )
    alpha, sigma = made.start
    return (
        f"**Noised to signal {alpha:.2f} and noise {sigma:.2f}, and denoised from there** "
        f"(SDEdit), the last {run.level:.0%} of the steps: {kept}. The variants differ from the "
        f"picture by {away:.2f} (RMS, in units of [-1, 1])."
    )


def _about_inpaint(run: EditRun, made: Edited) -> str:
    new = mask_of(run).numpy()
    away = np.abs(made.x - made.given)[..., ~new]
    most = float(away.max()) if away.size else 0.0
    times = "" if run.repeats == 1 else f" Every step is made {run.repeats} times."
    return (
        f"**{new.mean():.0%} of the picture is made anew; the rest differs by {most:g} at most.** "
        f"At each step the known pixels of x̂₀ are put back, so that x_t fits them.{times}"
    )


def _about_restore(run: EditRun, made: Edited) -> str:
    assert made.naive is not None
    damage = run.damage
    noise = f" and noise of std {damage.noise:g}" if damage.noise and damage.kind != "noise" else ""
    kinds = {
        "downsample": f"{damage.amount:g} times fewer pixels a side",
        "blur": f"a blur of std {damage.amount:g} pixels",
        "noise": f"noise of std {damage.noise:g}",
    }
    naive, each = _rms(made.naive - made.given), _rms(made.x - made.given)
    middle = _rms(made.x.mean(0) - made.given)
    return (
        f"**The damage, {kinds[damage.kind]}{noise}, is known; what it hid is not.** Undoing it "
        f"alone ends {naive:.2f} from the picture (RMS), the variants {each:.2f}, their mean "
        f"{middle:.2f}. At each step x̂₀ is moved to agree with what was measured."
    )


_ABOUT = {"redraw": _about_redraw, "inpaint": _about_inpaint, "restore": _about_restore}


def _rms(x: Floats | NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(x).mean()))


def strip_of_levels(run: EditRun, pictures: Floats) -> str:
    """One variant at every level, as HTML; the level that is shown above is marked."""
    nearest = min(LEVELS, key=lambda level: abs(level - run.level))
    return _row(
        [(f"{level:.0%}", x, level == nearest) for level, x in zip(LEVELS, pictures, strict=True)]
    )


def damage_html(made: Edited) -> str:
    """The picture, its damage, the damage undone without a network, and by it, as HTML."""
    assert made.measured is not None
    assert made.naive is not None
    return _row(
        [
            ("the picture", made.given, False),
            ("damaged", made.measured, False),
            ("undone alone", made.naive, False),
            ("restored, mean", made.x.mean(0), False),
        ],
        104,
    )


def _row(cells: list[tuple[str, Floats, bool]], side: int = 72) -> str:
    figures = "".join(
        f'<figure class="{"dv-on" if on else ""}"><img alt="{html.escape(words)}" '
        f'src="{data_uri(x, side)}"><figcaption>{html.escape(words)}</figcaption></figure>'
        for words, x, on in cells
    )
    return f'<div class="dv-row" style="--side: {side}px">{figures}</div>'
