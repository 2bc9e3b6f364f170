"""What the Training page says: of a model, of its measures, and of a training."""

from __future__ import annotations

from collections.abc import Mapping

from diffviz.models.checkpoints import Checkpoint
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.training import TrainingRun
from diffviz.studies.train import POINTS
from diffviz.ui.shell import links
from diffviz.ui.shell.jobs import Job, Status
from diffviz.ui.shell.theme import Palette

LATER = (
    "At the end of a training its model is measured here, against new data: sliced Wasserstein-2, "
    "energy distance, MMD and likelihood."
)
"""What is said in place of measures that are not there yet."""

_ROWS = (
    ("sliced_wasserstein", "Sliced Wasserstein-2", "floor", "new data against new data"),
    ("energy_distance", "Energy distance", "floor", "new data against new data"),
    ("mmd", "MMD (kernel)", "floor", "new data against new data"),
    ("nll", "NLL of new data, nats", "exact", "of the true density"),
)
_ROUNDED = (
    " Its weights were rounded to 16 bits after its card was written, so the measures on the card "
    "are left out."
)


def metrics_html(metrics: Mapping[str, float], colors: Palette) -> str:
    """The measures of a model, each beside the best that can be had.

    Args:
        metrics: as on a card, at least one of those that are shown.
        colors: of the reader's theme.
    """
    cells = []
    for key, title, other, meaning in _ROWS:
        if key not in metrics:
            continue
        best = metrics.get(f"{key}_{other}")
        beside = ""
        if best is not None:
            exact = colors.ink(colors.exact)
            beside = f'<i style="color:{exact}" title="{meaning}">{other} {_figure(best)}</i>'
        cells.append(
            f'<div><span>{title}</span><b style="color:{colors.ink(colors.learned)}">'
            f"{_figure(metrics[key])}</b>{beside}</div>"
        )
    return f'<div class="metrics">{"".join(cells)}</div>'


def about_model(model: ModelConfig | None, found: Checkpoint | None, data: DataConfig) -> str:
    """What the model shown is, and what to do next."""
    if model is None or found is None:
        return (
            f"**Nothing is trained for {data.title} yet**: this network knows only the data's "
            "size. Press *Train from scratch*."
        )
    card = found.card
    if model.kind == "shipped":
        return (
            f"**A trained model that ships with the app**: {card.steps:,} steps on {POINTS:,} "
            f"points of {data.title}. Press *Train from scratch* to watch one learn."
        )
    return (
        f"**Your model**, {links.plain(model.title)}: {card.steps:,} steps on "
        f"{links.plain(card.data)}.{_ROUNDED if found.rounded else ''}"
    )


def about_run(job: Job[TrainingRun]) -> str:
    """What a training that ended has come to."""
    run = job.work
    config = run.config
    at = f"step {run.snapshots[-1].trained:,} of {config.train.steps:,}"
    start = {
        Status.DONE: f"**Trained to {at}** on {config.data.n:,} points of {config.data.title} in "
        f"{job.seconds:.1f} s.",
    }.get(job.status, f"**Stopped at {at}**, before it was measured.")
    if run.diverged:
        start = f"**Training broke off**; this is the model of {at}."
    paired = (
        " Its noise was paired with the data, so its arrows are not the score: only ODE samplers "
        "may use it."
    )
    also = paired if config.train.ot_pairing else ""
    return f"{start}{_rates(run)}{also} Play the training again, or drag along the loss."


def _rates(run: TrainingRun) -> str:
    if len(run.rates) == 1:
        return ""
    changes = ", ".join(f"{lr:g} from step {step:,}" for step, lr in run.rates[1:])
    return f" Learning rate {run.rates[0][1]:g}, then {changes}."


def progress(job: Job[TrainingRun]) -> str:
    """The words of the progress bar."""
    run = job.work
    if run.measuring:
        return f"{job.words()} (measuring the model)"
    if job.status is Status.WAITING and not run.step:
        return job.words()
    return (
        f"{job.words()} (step {run.step:,} of {run.config.train.steps:,}, learning rate {run.lr:g})"
    )


def _figure(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"
