"""The Refine page: a diffusion model mends the samples of a VAE or a GAN."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from diffviz.scenes.plays import Play
from diffviz.scenes.refine import RefineRun, shown, strip
from diffviz.studies.refine import Kind, Stored, stored
from diffviz.ui.choices import controls
from diffviz.ui.screens.refine import controls as refine_controls
from diffviz.ui.screens.refine import words as refine_words
from diffviz.ui.screens.refine.figures import FIGURES
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls
from diffviz.ui.stage.place import placed
from diffviz.ui.stage.preview import Preview

KNOBS = {"level": ("level",)}

skeleton.begin("refine")
_CHART = 235


@st.fragment
def show() -> None:
    """Draw the controls, the samples and what was measured; a change reruns only this."""
    with controls.bar():
        name = picture_controls.choose_set()
        kind = refine_controls.choose_kind()
        level = refine_controls.choose_level(name, kind)
        seed = refine_controls.choose_seed()
    if refine_controls.is_here(name, kind):
        refine(name, kind, level, seed)
    links.sync()


def refine(name: str, kind: Kind, level: float, seed: int) -> None:
    """Refine samples in the player; below it the answer, all levels and the curves."""
    run = RefineRun(name, kind, level, seed)
    with theme.picture():
        preview, bar = Preview("refine"), st.empty()
    words = st.container()
    made = wait_for(
        lambda watch: shown(run, watch, preview.take), f"{run.steps} steps", bar, preview.draw
    )
    with preview.place():
        placed(made.buffer, page="refine", play=Play("refine", run), knobs=KNOBS)
    links.sync()
    found = stored(name, kind)
    if found is None:
        words.info(refine_words.not_measured(name, kind), icon=":material/timer:")
    else:
        words.markdown(refine_words.answer(kind, found))
    words.markdown(refine_words.about(run, made))
    with st.container(key="refine_all"):
        left, right = st.columns([1, 1.25], gap="large")
    bar = left.empty()
    if found is not None:
        with right:
            draw_curves(found, level)
    rows = wait_for(lambda watch: strip(replace(run, level=0), watch), "All levels", bar)
    left.html(refine_words.strip_html(run, rows, found))
    if found is not None:
        left.markdown(refine_words.what_is_measured(found))


def draw_curves(found: Stored, level: float) -> None:
    """Draw what was measured over all levels, two charts beside each other."""
    places = [place for _ in range(2) for place in st.columns(2, gap="small")]
    for place, (key, drawing) in zip(places, FIGURES.items(), strict=True):
        with place:
            st.markdown(f"**{drawing.title}**")
            figure = drawing.draw(found, level, theme.palette())
            theme.chart(figure, key=f"refine_{key}", alt=drawing.alt, height=_CHART)


if not picture_controls.missing():
    show()

skeleton.end("refine")
