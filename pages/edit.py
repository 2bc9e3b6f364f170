"""The Edit page: a picture is redrawn, filled in or restored by a trained network."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.scenes.edit_run import Edited, EditRun, Kind, edited, levels_of
from diffviz.scenes.picture_run import GenerateRun
from diffviz.ui.choices import controls
from diffviz.ui.screens.edit import controls as edit_controls
from diffviz.ui.screens.edit import words as edit_words
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage import picture_controls
from diffviz.ui.stage.place import placed
from diffviz.ui.stage.preview import Preview

skeleton.begin("edit")
_COUNT = 8


@st.fragment
def show(name: str, kind: Kind, classes: tuple[int, ...], guidance: float) -> None:
    """Draw the picture, its edit and their controls; a change of them reruns only this."""
    notes, body, walk, words = (st.container() for _ in range(4))
    with walk, controls.bar("walk"):
        schedule, sampler = picture_controls.choose_walk()
    base = GenerateRun(name, schedule, sampler, classes, guidance, _COUNT)
    with notes:
        base = picture_controls.afford(base)
    left, right = body.columns([1.15, 2.6], gap="medium")
    with left, links.seen() as asked_here:
        if kind == "redraw":
            picture = edit_controls.choose_picture(name)
            run = EditRun(base, picture, level=edit_controls.choose_level())
        else:
            with st.popover("Another picture", icon=":material/image:"):
                picture = edit_controls.choose_picture(name)
            run = EditRun(base, picture, kind)
        if kind == "inpaint":
            mask = edit_controls.choose_mask(picture)
            run = replace(run, mask=mask, repeats=edit_controls.choose_repeats())
        elif kind == "restore":
            run = replace(run, damage=edit_controls.choose_damage())
        damaged = st.empty()
    with notes:
        links.complaints(*asked_here)
    with right:
        made = show_edit(run, damaged)
    words.markdown(edit_words.about(run, made))
    links.sync()


def show_edit(run: EditRun, damaged: DeltaGenerator) -> Edited:
    """Show the edit in the player, and what is measured on it; the damage goes elsewhere."""
    with theme.picture():
        preview, bar = Preview("edit"), st.empty()
    made = wait_for(
        lambda watch: edited(run, watch, preview.take),
        f"{run.base.sampler.steps:,} steps",
        bar,
        preview.draw,
    )
    name = f"edit-{run.kind}"
    with preview.place():
        placed(made.buffer, page=name)
    if run.kind == "redraw":
        pictures = wait_for(lambda watch: levels_of(run, _watch=watch), "All levels", bar)
        st.html(edit_words.strip_of_levels(run, pictures))
    elif run.kind == "restore":
        damaged.html(edit_words.damage_html(made))
    return made


if not picture_controls.missing():
    with controls.bar("images_what"):
        of = picture_controls.choose_set()
        what = edit_controls.choose_kind()
        asked = edit_controls.choose_class(of)
        with controls.more("Guidance"):
            scale = picture_controls.choose_guidance()
    show(of, what, asked, scale)

skeleton.end("edit")
