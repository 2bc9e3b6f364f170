"""What the Refine page says: of the samples on show, and the answer that was measured."""

from __future__ import annotations

import html

import numpy as np

from diffviz.scenes.pngs import strip_uri
from diffviz.scenes.refine import KIND_WORDS, RefineRun, Shown, Strip
from diffviz.studies.refine import FAITHFUL, STEPS, Curve, Kind, Stored
from diffviz.ui.stage.words import share_words, spent_words


def about(run: RefineRun, made: Shown) -> str:
    """What was done to the samples on show, and what it cost."""
    word = KIND_WORDS[run.kind]
    if made.calls == 0:
        return (
            f"**Level 0 makes no step: the {word}'s samples come back as they were.** Raise the "
            "level to let the diffusion model draw part of them anew."
        )
    alpha, sigma = made.start
    kept = int((made.seen == made.seen_before).sum())
    moved = float(np.sqrt(np.square(made.x - made.before).mean()))
    left = (
        "Nothing of the samples is left at the start: these are fresh ones."
        if run.steps == STEPS
        else "What the noise covered is drawn anew, the rest stays."
    )
    calls = "1 call" if made.calls == 1 else f"{made.calls} calls"
    asked = "with the class that it was made for" if run.kind == "gan" else "without a class"
    return (
        f"**Noised to signal {alpha:.2f} and noise {sigma:.2f}, then denoised** {asked} and "
        f"without guidance, by DPM-Solver++(2M): {calls} of the network for a picture, "
        f"{spent_words(made.seconds)} for all. {left} The classifier takes {kept} of {run.count} "
        f"for what they were; the pixels move by {moved:.2f} (RMS, in units of [-1, 1])."
    )


def answer(kind: Kind, found: Stored) -> str:
    """Whether refining helps, in the numbers that were measured."""
    part, word, first = found.curve, KIND_WORDS[kind], found.curve.frechet[0]
    fair = part.at(part.faithful)
    real = f"as many real pictures {found.floor.frechet:.2g}"
    if part.best == 0:
        return (
            f"**No: no level brings the {word}'s samples nearer to real pictures.** Their Fréchet "
            f"distance is {first:.3g} ({real}); refined it is {min(part.frechet[1:]):.3g} at "
            f"least. {_counted(found)}"
        )
    if fair == 0:
        opening = (
            f"**Only by making others of them:** no level at which {FAITHFUL:.0%} of the {word}'s "
            "samples keep their class, and pixels half of the way, lowers their Fréchet distance, "
            f"{first:.3g} ({real})."
        )
    else:
        opening = (
            f"**Yes: at level {part.faithful:.0%} the {word}'s samples go from a Fréchet distance "
            f"of {first:.3g} to {part.frechet[fair]:.3g}** ({real}), while "
            f"{share_words(part.stayed[fair])} keep their class and pixels move by "
            f"{part.moved[fair]:.2f} (RMS). {_rest(part, fair)}"
        )
    return f"{opening} {_best(part)} {_counted(found)}"


def _counted(found: Stored) -> str:
    """Why the same samples have another distance on the pages that read the bill."""
    return (
        f"Distances of {found.samples:,} samples are larger than those of more, which the bill and "
        "the three generators show."
    )


def _rest(part: Curve, k: int) -> str:
    words = (
        f"The classifier's confidence goes from {part.confidence[0]:.2f} to "
        f"{part.confidence[k]:.2f}, precision from {part.precision[0]:.2f} to "
        f"{part.precision[k]:.2f}, recall from {part.recall[0]:.2f} to {part.recall[k]:.2f}."
    )
    if part.agreement is None:
        return words
    return (
        f"{words} It sees the class asked for in {share_words(part.agreement[0])} before and "
        f"{share_words(part.agreement[k])} after."
    )


def _best(part: Curve) -> str:
    """Where the least distance is, if that is not where samples stay themselves."""
    if part.best == part.faithful:
        return "No other level comes nearer."
    k = part.at(part.best)
    if part.best == 1:
        return (
            f"More noise lowers it to {part.frechet[k]:.3g} at level 100%, where nothing "
            "of the samples is left: quality is bought with faithfulness."
        )
    return (
        f"More noise lowers it to {part.frechet[k]:.3g} at level {part.best:.0%}, where "
        f"only {share_words(part.stayed[k])} keep their class: quality is bought with faithfulness."
    )


def not_measured(name: str, kind: Kind) -> str:
    """That there is no curve, and how to get one."""
    return (
        f"Over all levels this has not been measured yet for the {KIND_WORDS[kind]}'s samples of "
        f"this set. Measure it with `python -m diffviz refine {name} --kinds {kind} --write` (some "
        "minutes; it needs the full set of pictures)."
    )


def what_is_measured(found: Stored) -> str:
    """How the curves were made, and how far they can be trusted."""
    return (
        f"Measured on {found.samples:,} samples, the same noise at every level; distances are of "
        "the features of a classifier of the same set. Fréchet distances of so few samples are too "
        "large by themselves: compare them with the dashed line, what as many real pictures "
        "measure. Features move by 1 where a sample ends as far from itself as two samples are "
        f"apart. Star: the least Fréchet distance; ring: the least where {FAITHFUL:.0%} keep their "
        "class and pixels move at most half as far as at 100%, where the diffusion model is alone."
    )


def strip_html(run: RefineRun, found: Strip, measured: Stored | None) -> str:
    """The samples at every level, a row each, as HTML; the level on show is marked."""
    marks = {}
    if measured is not None:
        part = measured.curve
        marks = ({part.faithful: " ○"} if part.faithful else {}) | {part.best: " ★"}
    nearest = min(found.levels, key=lambda level: abs(level - run.level))
    rows = []
    for k, level in enumerate(found.levels):
        words = f"{level:.0%}"
        head = words + marks.get(level, "")
        alt = html.escape(f"{run.count} samples refined at level {words}")
        end = {0.0: "as made", 1.0: "fresh"}.get(level, f"{found.moved[k]:.2f}")
        rows.append(
            f'<tr class="{"dv-on" if level == nearest else ""}"><th>{head}</th>'
            f'<td><img alt="{alt}" src="{strip_uri(found.x[k], 56)}"></td>'
            f"<td>{found.stayed[k]}</td><td>{end}</td></tr>"
        )
    return (
        '<table class="dv-levels"><thead><tr><th>level</th><th>the same samples in every row</th>'
        f"<th>class stayed (of {run.count})</th><th>RMS moved</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
