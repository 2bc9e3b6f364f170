"""Two more looks at a network of pictures: fewer steps, and between two noises."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from diffviz.core.inversion import slerp
from diffviz.core.noising import Noise
from diffviz.core.run import Watch, ignore, simulate
from diffviz.scenes import picture_sets
from diffviz.scenes.buffer import Clock, Images, Rail, Track, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.picture_run import Floats, GenerateRun, bounded, record
from diffviz.scenes.pngs import strip_uri
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage.place import placed
from diffviz.ui.stage.words import share_words, time_words

LADDER = (1, 2, 4, 8, 16, 32, 64)
"""The numbers of steps that are compared."""

_ACROSS = 10  # pictures in a row of the ladder
_SAME = 0.1  # a difference that is hardly seen
_SHARES = 25
_ROWS = 4  # classes that are shown between two noises


# Few steps to many ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Rung:
    """What a number of steps makes of the same noise.

    Attributes:
        steps: how many.
        x: (N, C, H, W) the pictures.
        evaluations: of the network, for each picture.
        seconds: for all of them.
        right: share that the classifier takes for what was asked for.
        away: root-mean-square difference from the last rung's pictures.
    """

    steps: int
    x: Floats
    evaluations: int
    seconds: float
    right: float
    away: float


@cached(max_entries=8)
def ladder_of(run: GenerateRun, _watch: Watch = ignore) -> list[Rung]:
    """Run it with each number of steps of ``LADDER``, from the same noise."""
    labels, judge = run.labels(), picture_sets.judge(run.pictures)
    found = []
    for k, steps in enumerate(LADDER):
        _watch(sum(LADDER[:k]) / sum(LADDER))
        plan = replace(run, sampler=replace(run.sampler, steps=steps)).plan()
        made, seconds = record(plan.states(), plan.steps)
        x, taken = made.x_t[-1], plan.steps
        seen = judge.probabilities(x.clamp(-1, 1)).argmax(1)
        right = float((seen == labels).float().mean())
        found.append(Rung(taken, x.numpy(), int(made.evaluations[-1]), seconds, right, 0.0))
    last = found[-1].x
    return [replace(r, away=float(np.sqrt(np.square(r.x - last).mean()))) for r in found]


def ladder(run: GenerateRun, picture: DeltaGenerator, words: DeltaGenerator) -> None:
    """Draw the same noise undone in few steps and in many."""
    sampler = replace(run.sampler, steps=LADDER[-1])  # the reader's own number does not count
    run = replace(run, count=min(run.count, _ACROSS), sampler=sampler)
    table, bar = picture.empty(), picture.empty()
    rungs = wait_for(
        lambda watch: ladder_of(run, watch), f"{sum(LADDER)} steps in {len(LADDER)} runs", bar
    )
    table.html(_ladder_html(rungs))
    first = next(r for r in rungs if r.away < _SAME)
    words.markdown(
        f"Every row starts from the **same noise** and is walked by {run.sampler.title}; every "
        "column is one picture. One step answers with the mean of all pictures that the noise may "
        f"come from, which is a blur. From **{first.steps} steps** on the pictures are less than "
        f"{_SAME:g} (RMS, in units of [-1, 1]) from those of {rungs[-1].steps} steps."
    )


def _ladder_html(rungs: list[Rung]) -> str:
    rows = []
    for rung in rungs:
        unit = "step" if rung.steps == 1 else "steps"
        alt = html.escape(f"{len(rung.x)} pictures after {rung.steps} {unit}")
        rows.append(
            f"<tr><th>{rung.steps} {unit}</th>"
            f'<td><img alt="{alt}" src="{strip_uri(rung.x, 56)}"></td>'
            f"<td>{rung.evaluations}</td><td>{time_words(rung.seconds)}</td>"
            f"<td>{share_words(rung.right)}</td><td>{rung.away:.2f}</td></tr>"
        )
    return f"""<table class="dv-ladder"><thead><tr><th></th><th>the same noise in every row</th>
<th>NFE for each</th><th>time for all</th><th>as asked</th><th>RMS from the last row</th></tr>
</thead><tbody>{"".join(rows)}</tbody></table>"""


# Between two noises -----------------------------------------------------------------------------


@cached(max_entries=8, max_size="64MB")
def shares_of(run: GenerateRun, _watch: Watch = ignore) -> tuple[Floats, Floats]:
    """Pictures from noises between two: (F, N, C, H, W) the pictures, and the noises.

    The noises are those of the run's seed and of the next one, and what lies between them on the
    sphere; each row has one class.
    """
    schedule, labels = run.schedule.build(), run.labels()
    shares = torch.linspace(0, 1, _SHARES)
    like = torch.empty(run.count, *run.set.shape)
    ends = [Noise(run.sampler.seed + k).like(like) for k in (0, 1)]
    noises = torch.stack([slerp(a, b, shares) for a, b in zip(*ends, strict=True)], 1)
    denoiser = picture_sets.answers(
        run.pictures,
        schedule,
        labels.repeat(_SHARES),
        run.guidance,
        clipped=run.clipped,
        quick=True,
    )
    plan = run.sampler.plan(denoiser, schedule, run.set.shape, _SHARES * run.count)
    x_1 = noises.flatten(0, 1) * schedule.prior_std(plan.grid[0].item())
    x = simulate(plan, 1, _watch, x_1).x_t[-1]
    return x.reshape(noises.shape).numpy(), noises.numpy()


def between(run: GenerateRun, picture: DeltaGenerator, words: DeltaGenerator) -> None:
    """Draw what grows from the noises between two."""
    rows = min(run.count, len(run.classes) or len(run.set.classes), _ROWS)
    run = bounded(run, rows)
    bar = picture.empty()
    x, noises = wait_for(
        lambda watch: shares_of(run, watch),
        f"{_SHARES * rows} pictures in {run.sampler.steps:,} steps",
        bar,
    )
    buffer = _between_buffer(run, x, noises)
    with picture:
        placed(buffer, page="between")
    moved = np.sqrt(np.square(np.diff(x, axis=0)).mean((1, 2, 3, 4)))
    words.markdown(
        f"Seed {run.sampler.seed} at the left, seed {run.sampler.seed + 1} at the right, and "
        "between them noises on the great circle through both (slerp), which keep the length that "
        "noise has. Every one of them is a picture too: **neighbouring noises give neighbouring "
        f"pictures**, {moved.mean():.2f} apart on average and {moved.max():.2f} at most (RMS)."
    )


def _between_buffer(run: GenerateRun, x: Floats, noises: Floats) -> bytes:
    u: NDArray[np.float64] = np.linspace(0, 1, _SHARES)
    away = np.sqrt(np.square(x - x[:1]).mean((1, 2, 3, 4)))
    clock = Clock(
        u,
        np.ones(_SHARES),
        np.zeros(_SHARES),
        [0.0, 1.0],
        [0.0, 0.0],
        direction="forward",
        start="first noise",
        end="second noise",
        track=Track(u, away, "RMS from the first picture", (0.0, 1.15 * max(away.max(), 1e-3))),
        names=[f"{share:.0%} of the way" for share in u],
        notes=[f"{d:.2f} from the first picture (RMS)" for d in away],
    )
    names = [run.set.classes[k] for k in run.labels().tolist()]
    panel = Images(
        run.set.title,
        x,
        eps=noises,
        badge="learned",
        labels=names,
        captions={
            "x_t": ("x_0", "what grows from it"),
            "eps": ("x_1", "the noise, between two"),
        },
    )
    return encode(clock, [panel], Rail(numbers=False), title="Between two noises")
