"""The Edit page: a picture is redrawn, filled in or restored by a trained network."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.ui import controls, edit_controls, edit_words, generate_controls, links, theme
from diffviz.ui.edit_run import Edited, EditRun, Kind, edited, levels_of
from diffviz.ui.generate_run import GenerateRun
from diffviz.ui.preview import Preview, played
from diffviz.ui.waiting import wait_for

theme.header(
    "Edit", "A network that knows what such pictures look like changes one of yours.", "learned"
)
_COUNT = 8
_HEIGHT = 440


@st.fragment
def show(name: str, kind: Kind, classes: tuple[int, ...], guidance: float) -> None:
    """Draw the picture, its edit and their controls; a change of them reruns only this."""
    notes, body, walk, words = (st.container() for _ in range(4))
    with walk, generate_controls.row():
        schedule, sampler = generate_controls.choose_walk()
    base = GenerateRun(name, schedule, sampler, classes, guidance, _COUNT)
    with notes:
        base = generate_controls.afford(base)
    left, right = body.columns([1.15, 2.6], gap="medium")
    with left:
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
    with right:
        made = show_edit(run, damaged)
    words.markdown(edit_words.about(run, made))
    links.sync()


def show_edit(run: EditRun, damaged: DeltaGenerator) -> Edited:
    """Show the edit in the player, and what is measured on it; the damage goes elsewhere."""
    preview, bar = Preview("edit", _HEIGHT), st.empty()
    made = wait_for(
        lambda watch: edited(run, watch, preview.take),
        f"{run.base.sampler.steps:,} steps",
        bar,
        preview.draw,
    )
    name = f"edit-{run.kind}"
    played(preview.place(), made.buffer, made.frames, run.base.count, name, _HEIGHT)
    if run.kind == "redraw":
        pictures = wait_for(lambda watch: levels_of(run, _watch=watch), "All levels", bar)
        st.html(edit_words.strip_of_levels(run, pictures))
    elif run.kind == "restore":
        damaged.html(edit_words.damage_html(made))
    return made


if not generate_controls.missing():
    with controls.bar("images_what"), controls.line("images_set"):
        of = generate_controls.choose_set()
        what = edit_controls.choose_kind()
        asked = edit_controls.choose_class(of)
        scale = generate_controls.choose_guidance()
    show(of, what, asked, scale)

theme.questions(
    [
        (
            "Turn the 7 into a 3: how much noise does it take?",
            "edit",
            {"class": "3", "level": 0.8},
        ),
        (
            "Half an 8: what else could it have been?",
            "edit",
            {"edit": "inpaint", "from": "network", "whose": 8},
        ),
        (
            "Seven times fewer pixels: what does the network make up?",
            "edit",
            {"edit": "restore", "amount": 7, "from": "network", "whose": 3},
        ),
    ]
)
