"""Memorise or generalise: the second half of the Training page."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.checkpoints import CheckpointError
from diffviz.memorise import SIZES, STORED, Recipe
from diffviz.ui import controls, jobs, links, memorise_words, reverse_controls, theme, widgets
from diffviz.ui.configs import DataConfig
from diffviz.ui.jobs import Job, Status
from diffviz.ui.memorise_figures import over_sizes
from diffviz.ui.memorise_run import Experiment, Ladder, Outcome, chance, known, shown
from diffviz.ui.player import player
from diffviz.ui.waiting import wait_for

__all__ = ["page"]

_KEY = "memorise"
_POLL = 0.8  # seconds
_SIZE = 16
_TROUBLE = "_memorise_trouble"
_WIDTHS, _DEPTHS, _STEPS = (16, 32, 64, 128), (1, 2, 3), (500, 1000, 2000, 4000, 8000)
_SAMPLES, _HEIGHT = 1000, 460

_CSS = """
<style>
@media (max-width: 1180px) {
  .st-key-memorise_view > div > [data-testid="stHorizontalBlock"] {flex-wrap: wrap;}
  .st-key-memorise_view [data-testid="stColumn"] {flex: 1 1 100% !important;}
}
</style>
"""


def page() -> None:
    """Draw everything below the header of the Training page in this mode."""
    st.html(_CSS)
    data = controls.choose_data(("2-D",), default=STORED[0], n=max(SIZES), counted=False)
    job = _mine()
    going = job is not None and job.active
    st.fragment(_show, run_every=_POLL if going else None)(data, going)
    theme.questions(
        [
            (
                "64 points: are its samples still the points?",
                "training",
                {"mode": "memorise", "points": 64},
            ),
            (
                "8,000 points: can you tell the network from the truth?",
                "training",
                {"mode": "memorise", "points": 8000},
            ),
            (
                "Four times the training: does it learn more points by heart?",
                "training",
                {"mode": "memorise", "points": 64, "steps": 8000},
            ),
        ]
    )


def _show(data: DataConfig, going: bool) -> None:
    """Draw the controls, the runs and the charts; while a job works, again and again."""
    job = _mine()
    if going and (job is None or not job.active):
        st.rerun()
    with controls.bar(), st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        n = _choose_size()
        buttons = st.container(horizontal=True, vertical_alignment="center", gap="small")
    notes, view, bar = st.container(), st.container(key="memorise_view"), st.empty()
    picture, charts = view.columns([2.7, 1], gap="medium")
    under = st.container()
    experiment = Experiment(data, _choose_recipe())
    try:
        found = known(experiment, None if job is None else job.work)
    except CheckpointError as error:
        notes.warning(links.plain(str(error)), icon=":material/error:")
        found = {}
    with buttons:
        _steer(experiment, n, found, job)
    with notes:
        _tell(job)
    _play(data, n, found.get(n), notes, picture, bar)
    with charts:
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
    notes: st.delta_generator.DeltaGenerator,
    picture: st.delta_generator.DeltaGenerator,
    bar: st.delta_generator.DeltaGenerator,
) -> None:
    name = None if outcome is None else outcome.name
    made = wait_for(lambda watch: shown(data, n, name, outcome, watch), "Runs", bar)
    with notes:
        place = reverse_controls.find_place(made.frames, _SAMPLES, _KEY)
    with picture:
        result = player(
            made.buffer, key=place.key, step=place.step, follow=place.follow, height=_HEIGHT
        )
    reverse_controls.keep_place(result, made.frames, _SAMPLES, _KEY)


def _draw_charts(data: DataConfig, n: int, found: dict[int, Outcome]) -> None:
    figures = {size: outcome.figures for size, outcome in found.items()}
    here = [size for size, outcome in found.items() if outcome.origin == "here"]
    theme.chart(
        over_sizes(figures, chance(data), here, n, theme.palette()),
        key="memorise_sizes",
        alt="Share of copies, and distance to the true distribution, against the training points",
        height=_HEIGHT,
    )


# Choices ----------------------------------------------------------------------------------------


def _choose_size() -> int:
    parameter = replace(links.whole("points", _SIZE, SIZES[0], SIZES[-1]), parse=_size)
    n = links.bound(
        parameter,
        lambda key: st.select_slider(
            "Training points n (what the network sees)",
            SIZES,
            format_func=lambda k: f"{k:,}",
            key=key,
            width=340,
        ),
    )
    controls.complain("points")
    return n


def _size(word: str) -> int:
    n = links.whole("points", _SIZE, SIZES[0], SIZES[-1]).parse(word)
    if n in SIZES:
        return n
    nearest = min(SIZES, key=lambda size: abs(size - n))
    raise links.Refused("is not on the ladder " + ", ".join(map(str, SIZES)), nearest)


def _choose_recipe() -> Recipe:
    usual = Recipe()
    with st.expander("Network and training", icon=":material/tune:"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            width = _one_of("width", "Width (units of a layer)", _WIDTHS, usual.width)
            depth = _one_of("depth", "Depth (residual blocks)", _DEPTHS, usual.depth)
            steps = _one_of("steps", "Steps of training", _STEPS, usual.steps)
        links.complaints("width", "depth", "steps")
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
