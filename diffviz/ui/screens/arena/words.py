"""What the Arena page says: the table of a race, and how a chart was made."""

from __future__ import annotations

import math
from collections.abc import Sequence

from diffviz.measures.quality import METRICS, Quality, SweepConfig
from diffviz.scenes.arena import Contestant, Race, RaceConfig, Result
from diffviz.scenes.configs import SCHEDULE_TEXT, SPACING_TEXT, text_of
from diffviz.ui.screens.arena.controls import ALIGN, METRIC_TITLES
from diffviz.ui.screens.arena.measure import ChartConfig, Found
from diffviz.ui.shell import theme

_CALLS_AS = {
    "noise": "Every panel shows the last stop its run has reached at this noise level",
    "calls": "Every panel shows the last stop its run has reached with this many evaluations",
}


def table(result: Result) -> str:
    """The table of a race as Markdown: cost, every distance, the floor, the best value bold."""
    head = ["Contestant", "Denoiser", "NFE", "Time", *METRIC_TITLES.values()]
    lines = [_line(head), _line(["---", "---", *["---:"] * (len(head) - 2)])]
    best = {metric: _best([q for _, _, q in result.finishes], metric) for metric in METRICS}
    for letter, who, quality in result.finishes:
        values = [_figure(quality, metric, best[metric]) for metric in METRICS]
        lines.append(
            _line(
                [
                    f"**{letter}**&ensp;{who.title} · {_where(who)}",
                    theme.badge(who.badge),
                    f"{quality.evaluations:,}",
                    _time(quality.seconds),
                    *values,
                ]
            )
        )
    floor = [_figure(result.floor, metric, None) for metric in METRICS]
    lines.append(_line(["Fresh data (the floor)", theme.badge("data"), "", "", *floor]))
    return "\n".join(lines)


def about_race(config: RaceConfig, race: Race) -> str:
    """What the panels and the table show."""
    shown = f", of which {race.shown:,} are drawn" if race.shown < config.samples else ""
    return (
        f"{_CALLS_AS[config.align]}; between two frames the player only slides. "
        f"{config.samples:,} samples each{shown}, from the same noise, against as many fresh "
        f"points of {config.data.title}: less is better, **bold** is best, and the floor is what a "
        "perfect sampler would measure. The end-point error is the distance to where the "
        "denoiser's own ODE ends: discretisation error alone, for samplers without noise."
    )


def about_lines(denoisers: Sequence[str]) -> str:
    """What the lines of the chart stand for, with a badge for each denoiser."""
    lines = {
        "exact": f"{theme.badge('exact')} solid",
        "learned": f"{theme.badge('learned')} dashed",
    }
    kinds = [words for name, words in lines.items() if name in denoisers]
    gap = (
        " Where a dashed line ends above its solid one, the rest is the model's error."
        if len(kinds) > 1
        else ""
    )
    return f"{', '.join(kinds)}; hollow dots: samplers that add noise.{gap}"


def about_shipped(data: str, sweep: SweepConfig, wanted: str) -> str:
    """How the measurement that ships was made."""
    title = text_of(data).title
    other = "" if data == wanted else f" To see {text_of(wanted).title} here, measure it."
    return (
        f"**Measured beforehand** on {title}: {_how(sweep.schedule, sweep.spacing)}, "
        f"{sweep.samples:,} samples, {_runs(sweep.seeds)} a dot; the bars are standard errors."
        f"{other}"
    )


def about_found(config: ChartConfig, found: Found) -> str:
    """How the measurement of this session was made, and what is missing."""
    missing = f" {found.missing:,} runs are still missing." if found.missing else ""
    return (
        f"**Measured here** on {config.data.title}: {_how(config.schedule, config.spacing)}, "
        f"{config.samples:,} samples, {len(found.results):,} runs so far; the bars are standard "
        f"errors.{missing}"
    )


def _how(schedule: str, spacing: str) -> str:
    return f"path {SCHEDULE_TEXT[schedule].title}, stops {SPACING_TEXT[spacing].title}"


def _runs(n: int) -> str:
    return "1 run" if n == 1 else f"{n} runs"


def _where(who: Contestant) -> str:
    return f"{SPACING_TEXT[who.spacing].title} · {SCHEDULE_TEXT[who.schedule].title}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _best(qualities: Sequence[Quality], metric: str) -> float | None:
    values = [value for q in qualities if (value := q.value(metric)) is not None]
    return min(values) if len(values) > 1 else None


def _figure(quality: Quality, metric: str, best: float | None) -> str:
    value = quality.value(metric)
    if value is None:
        return ""
    text = f"{value:.3g}" if value >= 1e-3 or value == 0 else f"{value:.1e}"
    if not math.isfinite(value) or value > 1e4:
        text = "diverged"
    return f"**{text}**" if best is not None and value == best else text


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


assert set(_CALLS_AS) == set(ALIGN)
