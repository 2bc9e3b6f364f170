"""The chart on the Arena page: what it shows, and the job that measures it."""

from __future__ import annotations

import streamlit as st

from diffviz.measures.quality import METRICS
from diffviz.scenes.arena import RaceConfig, Result
from diffviz.ui.screens.arena import controls as arena_controls
from diffviz.ui.screens.arena import words as arena_words
from diffviz.ui.screens.arena.chart import HEIGHT, Mark, quality_figure
from diffviz.ui.screens.arena.measure import ChartConfig, Found, current, found, shipped, start
from diffviz.ui.shell import jobs, theme

_POLL = 2.0  # seconds between two looks at a measurement that goes on
_TROUBLE = "_arena_trouble"


def show_chart(race: RaceConfig, result: Result) -> None:
    """Draw the chart's choices, the button that measures, and the chart."""
    config, metric = arena_controls.choose_chart(race.data)
    polled = _is_active()

    @st.fragment(run_every=_POLL if polled else None)
    def draw() -> None:
        if _is_active() != polled:  # a job has started or ended: poll from now on, or no more
            st.rerun()
        so_far = found(config)
        _steer(config, so_far)
        _draw(config, metric, so_far, race, result)

    draw()


def _is_active() -> bool:
    job = current()
    return job is not None and job.active


def _steer(config: ChartConfig, so_far: Found) -> None:
    """The button that starts, stops or goes on, how far the work is, and the download."""
    job = current()
    mine = job is not None and job.work.config.family == config.family
    with st.container(
        key="arena_steer", horizontal=True, vertical_alignment="center", gap="medium"
    ):
        if job is not None and job.active:
            st.button("Stop", key="arena_stop", icon=":material/stop:", on_click=job.stop)
            st.progress(min(max(job.share, 0.0), 1.0), job.words())
        elif so_far.missing:
            word = "Go on" if so_far.results else "Measure here"
            st.button(
                word,
                key="arena_start",
                type="primary",
                icon=":material/play_arrow:",
                on_click=_start,
                args=(config,),
            )
            if job is not None and mine and job.ended:
                st.markdown(job.words())
        elif job is not None and mine:
            st.markdown(job.words())
        if so_far.results:
            st.download_button(
                "CSV",
                so_far.csv,
                f"quality-{config.data.name}.csv",
                "text/csv",
                key="arena_csv",
                icon=":material/download:",
                on_click="ignore",
            )
    trouble = st.session_state.get(_TROUBLE)
    if trouble:
        st.warning(trouble, icon=":material/hourglass_top:")


def _start(config: ChartConfig) -> None:
    st.session_state[_TROUBLE] = None
    try:
        start(config)
    except (jobs.Full, ValueError) as error:
        st.session_state[_TROUBLE] = str(error)


def _draw(
    config: ChartConfig, metric: str, so_far: Found, race: RaceConfig, result: Result
) -> None:
    ships = shipped()
    if so_far.results:
        rows, made = so_far.rows, (config.data.name, config.samples)
        words = arena_words.about_found(config, so_far)
    elif ships is not None:
        rows, made = list(ships.rows), (ships.data, ships.sweep.samples)
        wanted = config.denoisers if set(config.denoisers) <= set(ships.sweep.denoisers) else None
        rows = [r for r in rows if not r.sampler or wanted is None or r.denoiser in wanted]
        words = arena_words.about_shipped(ships.data, ships.sweep, config.data.name)
    else:
        st.info("Nothing is measured yet: press the button.", icon=":material/info:")
        return
    # With another number of samples the floor is another one, and letters would mislead.
    marks = _marks(metric, result) if made == (race.data.name, race.samples) else []
    theme.chart(
        quality_figure(
            rows,
            metric,
            theme.palette(),
            [who.sampler for _, who, _ in result.finishes],
            marks,
        ),
        key="arena_quality",
        alt=f"{METRICS[metric]} of every sampler against the number of evaluations",
        height=HEIGHT,
    )
    kinds = {row.denoiser for row in rows if row.sampler}
    st.caption(f"{arena_words.about_lines(sorted(kinds))} {words}")


def _marks(metric: str, result: Result) -> list[Mark]:
    return [
        (letter, quality.evaluations, value)
        for letter, _, quality in result.finishes
        if (value := quality.value(metric)) is not None
    ]
