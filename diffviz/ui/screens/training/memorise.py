"""Memorise or generalise: the second half of the Training page."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.models.checkpoints import CheckpointError
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.memorise import (
    Experiment,
    Ladder,
    Outcome,
    chance,
    known,
    shown,
)
from diffviz.studies.memorise import SIZES, STORED, Recipe
from diffviz.ui.choices import controls, widgets
from diffviz.ui.screens.training import memorise_words
from diffviz.ui.screens.training.memorise_figures import over_sizes
from diffviz.ui.shell import jobs, links, skeleton, theme
from diffviz.ui.shell.jobs import Job, Status
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage.place import placed

_KEY = "memorise"
_POLL = 0.8  # seconds
_SIZE = 16
_TROUBLE, _SLOT = "_memorise_trouble", "_memorise_found"
_WIDTHS, _DEPTHS, _STEPS = (16, 32, 64, 128), (1, 2, 3), (500, 1000, 2000, 4000, 8000)


def page() -> None:
    """Draw everything below the header of the Training page in this mode."""
    with controls.bar("memorise_data"):
        data = controls.choose_data(("2-D",), default=STORED[0], n=max(SIZES), counted=False)
    job = _mine()
    going = job is not None and job.active
    st.fragment(_show, run_every=_POLL if going else None)(data, going)
    skeleton.end("training", "memorise")


def found_here(experiment: Experiment, work: Ladder | None) -> dict[int, Outcome]:
    """What is known of an experiment, by size; what this session found stays with it.

    Args:
        experiment: what is asked about.
        work: the session's last ladder.
    """
    slot: dict[Experiment, dict[int, Outcome]] = st.session_state.setdefault(_SLOT, {})
    if work is not None and work.found:
        slot[work.experiment] = {**slot.get(work.experiment, {}), **work.found}
    return dict(sorted({**known(experiment), **slot.get(experiment, {})}.items()))


def _show(data: DataConfig, going: bool) -> None:
    """Draw the controls, the runs and the charts; while a job works, again and again."""
    job = _mine()
    if going and (job is None or not job.active):
        st.rerun()
    with controls.bar():
        n = _choose_size()
        buttons = controls.line()
        recipe = _choose_recipe()
    notes, view, bar = st.container(), st.container(key="memorise_view"), st.empty()
    columns = view.columns([2.7, 1], gap="medium")
    with columns[0]:
        picture = theme.picture()
    under = st.container()
    experiment = Experiment(data, recipe)
    try:
        found = found_here(experiment, None if job is None else job.work)
    except CheckpointError as error:
        notes.warning(links.plain(str(error)), icon=":material/error:")
        found = {}
    with buttons:
        _steer(experiment, n, found, job)
    with notes:
        _tell(job)
    _play(data, n, found.get(n), picture, bar)
    with columns[1]:
        _draw_charts(data, n, found)
    with under:
        st.markdown(memorise_words.about(n, found.get(n)))
        st.markdown(memorise_words.definition())
        st.caption(memorise_words.source_of(experiment, found))
    links.sync()


def _play(
    data: DataConfig,
    n: int,
    outcome: Outcome | None,
    picture: st.delta_generator.DeltaGenerator,
    bar: st.delta_generator.DeltaGenerator,
) -> None:
    name = None if outcome is None else outcome.name
    made = wait_for(lambda watch: shown(data, n, name, outcome, watch), "Runs", bar)
    with picture:
        placed(made.buffer, page=_KEY)


def _draw_charts(data: DataConfig, n: int, found: dict[int, Outcome]) -> None:
    figures = {size: outcome.figures for size, outcome in found.items()}
    here = [size for size, outcome in found.items() if outcome.origin == "here"]
    theme.chart(
        over_sizes(figures, chance(data), here, n, theme.palette()),
        key="memorise_sizes",
        alt="Share of copies, and distance to the true distribution, against the training points",
        height=None,
    )


# Choices ----------------------------------------------------------------------------------------


def _choose_size() -> int:
    parameter = replace(links.whole("points", _SIZE, SIZES[0], SIZES[-1]), parse=_size)
    n = widgets.stops(
        "Training points n (what the network sees)", parameter, SIZES, width=340, typed=False
    )
    return n


def _size(word: str) -> int:
    n = links.whole("points", _SIZE, SIZES[0], SIZES[-1]).parse(word)
    if n in SIZES:
        return n
    nearest = min(SIZES, key=lambda size: abs(size - n))
    raise links.Refused("is not on the ladder " + ", ".join(map(str, SIZES)), nearest)


def _choose_recipe() -> Recipe:
    usual = Recipe()
    with controls.more("Network and training"):
        width = _one_of("width", "Width (units of a layer)", _WIDTHS, usual.width)
        depth = _one_of("depth", "Depth (residual blocks)", _DEPTHS, usual.depth)
        steps = _one_of("steps", "Steps of training", _STEPS, usual.steps)
    return Recipe(width, depth, steps)


def _one_of(key: str, label: str, options: tuple[int, ...], usual: int) -> int:
    def parse(word: str) -> int:
        if word not in map(str, options):
            raise links.Refused("is not one of " + ", ".join(map(str, options)))
        return int(word)

    parameter = links.Parameter(key, usual, parse, of="memorise")
    return widgets.segments(label, parameter, {k: f"{k:,}" for k in options})


# The job ----------------------------------------------------------------------------------------


def _mine() -> Job[Ladder] | None:
    return jobs.mine(_KEY)


def _steer(
    experiment: Experiment, n: int, found: dict[int, Outcome], job: Job[Ladder] | None
) -> None:
    """Draw the buttons: train on this many points, or on all; stop."""
    if job is not None and not job.ended:
        st.button("Stop", icon=":material/stop:", on_click=job.stop)
        now = f"; now {job.work.now:,} points" if job.status is Status.RUNNING else ""
        st.progress(min(max(job.share, 0.0), 1.0), f"{job.words()}{now}")
        return
    missing = [size for size in SIZES if size not in found]
    first = "Train again" if n in found else "Train"
    if st.button(
        f"{first} on {n:,} points",
        icon=":material/play_arrow:",
        type="secondary" if n in found else "primary",
    ):
        _start(experiment, [n])
    ladder = [n, *(size for size in (missing or SIZES) if size != n)]
    if len(ladder) > 1 and st.button(
        f"All {len(SIZES)} sizes" if len(ladder) == len(SIZES) else f"{len(ladder)} sizes",
        icon=":material/stacked_line_chart:",
        help="One network after another, trained here from scratch.",
    ):
        _start(experiment, ladder)


def _start(experiment: Experiment, sizes: list[int]) -> None:
    st.session_state.pop(_TROUBLE, None)
    many = f"{sizes[0]:,} points" if len(sizes) == 1 else f"{len(sizes)} training sets"
    try:
        jobs.start(_KEY, Ladder(experiment, sizes), f"{experiment.data.title}, {many}")
    except jobs.Full as full:
        st.session_state[_TROUBLE] = str(full)
    st.rerun()


def _tell(job: Job[Ladder] | None) -> None:
    trouble = st.session_state.get(_TROUBLE)
    if trouble:
        st.error(links.plain(trouble), icon=":material/error:")
    if job is not None and job.status is Status.FAILED:
        st.error(links.plain(job.words()), icon=":material/error:")
