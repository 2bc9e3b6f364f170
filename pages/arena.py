"""The Arena page: samplers race from the same noise on one clock, and are measured."""

from __future__ import annotations

import streamlit as st

from diffviz.scenes.arena import RaceConfig, measured, race
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.plays import Play
from diffviz.ui.choices import controls
from diffviz.ui.screens.arena import controls as arena_controls
from diffviz.ui.screens.arena import words as arena_words
from diffviz.ui.screens.arena.panel import show_chart
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage.place import placed

skeleton.begin("arena")


with controls.bar("arena_data"):
    data = controls.choose_data(["2-D"], default="grid25")


@st.fragment
def show(data: DataConfig) -> None:
    """Draw the contestants and their race; a change of them reruns only this."""
    with controls.bar():
        entrants, told = arena_controls.choose_contestants(data)
        align = arena_controls.choose_align()
        samples, seed = arena_controls.choose_run()
    notes, picture, bar = st.container(), theme.picture(), st.empty()
    under = st.container()
    with notes:
        for note in told:
            st.info(note, icon=":material/info:")
        config = arena_controls.afford(RaceConfig(data, entrants, align, samples, seed))
    made = wait_for(lambda watch: race(config, watch), f"{len(entrants)} runs", bar)
    with picture:
        play = Play("arena", config)
        placed(made.buffer, page="arena", play=play, knobs=arena_controls.KNOBS)
    result = wait_for(lambda watch: measured(config, watch), "Measuring", bar)
    with under, st.container(key="arena_table", gap="small"):
        st.markdown(arena_words.table(result))
        st.caption(arena_words.about_race(config, made))
    st.header("Quality against evaluations", anchor=False)
    show_chart(config, result)
    links.sync()


show(data)

skeleton.end("arena")
