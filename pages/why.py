"""The Why it works page: the exact denoiser memorises, the network does not."""

from __future__ import annotations

import streamlit as st

from diffviz.scenes.picture_run import GenerateRun
from diffviz.scenes.plays import Play
from diffviz.scenes.why import Acting, compared, kept_figures
from diffviz.ui.choices import controls
from diffviz.ui.screens.why.words import about, about_kept, no_pictures, pairs_html
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls
from diffviz.ui.stage.place import placed

KNOBS = {"guidance": ("guidance",)}

skeleton.begin("why")
_COUNT = 10


@st.fragment
def show(name: str, classes: tuple[int, ...], guidance: float) -> None:
    """Draw both runs, and below them the other controls; they rerun only this."""
    notes, picture = st.container(), theme.picture()
    walk, words = st.container(), st.container()
    with walk, controls.bar("walk"):
        schedule, sampler = picture_controls.choose_walk()
    run = GenerateRun(name, schedule, sampler, classes, guidance, _COUNT)
    with notes:
        run = picture_controls.afford(run)
    bar = picture.empty()
    made = wait_for(lambda watch: compared(run, watch), "Two runs", bar)
    with picture:
        placed(made.buffer, page="why", play=Play("why", run), knobs=KNOBS)
    kinds: tuple[Acting, Acting] = ("exact", "learned")
    for place, kind in zip(words.columns(2, gap="large"), kinds, strict=True):
        if kind in made.ends:
            place.markdown(about(run, made, kind))
            place.html(pairs_html(made.ends[kind]))
        else:
            place.markdown(about_kept(run, kept_figures(name), kind))
    if not made.ends:
        words.info(no_pictures(run, kept_figures(name)), icon=":material/download:")
    links.sync()


if not picture_controls.missing():
    with controls.bar("images_what"):
        of = picture_controls.choose_set()
        chosen = picture_controls.choose_classes(of)
        scale = picture_controls.choose_guidance()
    show(of, chosen, scale)

skeleton.end("why")
