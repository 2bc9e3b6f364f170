"""The Forward page: from data to noise, one noising at a time or in a single jump."""

from __future__ import annotations

import streamlit as st

from diffviz.scenes import forward as forward_run
from diffviz.scenes.plays import Play
from diffviz.ui.choices import controls, widgets
from diffviz.ui.screens.forward import gauge
from diffviz.ui.shell import links, skeleton, theme
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage.export_menu import export_menu
from diffviz.ui.stage.place import placed

skeleton.begin("forward")


def choose_way() -> forward_run.Way:
    """Draw the switch between the two ways to noise."""
    parameter = links.choice("how", "walk", forward_run.WAYS)
    way = widgets.segments("How noise is added", parameter, forward_run.WAYS)
    return "jump" if way == "jump" else "walk"


with controls.bar():
    data = controls.choose_data(images=16)
    schedule = controls.choose_schedule()
    way = choose_way()
    with controls.more("Noise"):
        seed = controls.choose_seed()

picture = theme.picture()
with st.container(horizontal=True, gap="medium", key="forward_under"):
    card = st.container(width=300).empty()
    under = st.container(width="stretch")
end = wait_for(lambda _: forward_run.ending(data, schedule), "Measuring the end", card)
T = schedule.T if schedule.discrete else None
card.html(gauge.ending_html(end, T, theme.palette()))


@st.fragment
def show(config: forward_run.ForwardConfig) -> None:
    """Show the run; letting go of the time reruns only this."""
    place, bar = st.container(), st.empty()
    buffer = wait_for(lambda _: forward_run.run(config), "Noising", bar)
    with place:
        times = forward_run.frame_times(config.data, config.schedule)
        result = placed(buffer, page="forward", play=Play("forward", config), times=times)
    frame = len(times) - 1 if result.step is None else result.step
    st.markdown(forward_run.in_words(config, frame))
    links.sync()


@st.fragment
def export(config: forward_run.ForwardConfig) -> None:
    """Offer what is shown as files; opening the menu reruns only this."""
    title = f"{config.data.title} into noise, {config.schedule.title}"
    knobs = [*reversed(config.schedule.numbers)]
    export_menu(lambda: forward_run.run(config), title, Play("forward", config), knobs)


noised = forward_run.ForwardConfig(data, schedule, way, seed)
with picture:
    show(noised)
with under:
    export(noised)

skeleton.end("forward")
