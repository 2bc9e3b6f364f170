"""The Forward page: from data to noise, one noising at a time or in a single jump."""

from __future__ import annotations

import streamlit as st

from diffviz.ui import controls, forward_run, gauge, links, theme, widgets
from diffviz.ui.export_menu import export_menu
from diffviz.ui.forward_place import find_place, keep_place
from diffviz.ui.player import player
from diffviz.ui.waiting import wait_for

# Wide: chips, then all other controls in one row, the gauge at the right.  Narrow: the gauge below
# the player; on a phone the controls too.
_CSS = """
<style>
.st-key-forward_gauge {width: 300px;}
@media (min-width: 1181px) {
  .st-key-forward_top .st-key-controls {
    flex-flow: row wrap; align-items: flex-end; gap: 0.7rem 1rem;}
  .st-key-forward_top .st-key-controls > [data-testid="stLayoutWrapper"],
  .st-key-forward_top .st-key-controls > [data-testid="stLayoutWrapper"] > div {display: contents;}
}
@media (max-width: 1180px) {
  div:has(> .st-key-forward_top), .st-key-forward_top {display: contents;}
  .st-key-forward_top > div {width: 100%; flex: none;}
  .st-key-forward_gauge {width: 100%;}
  .st-key-controls > div:first-child > div {flex-wrap: nowrap;}
  .st-key-controls .st-key-data {min-width: 0; flex: 0 1 auto;}
  div:has(> .st-key-forward_gauge) {order: 2;}
  div:has(> .st-key-forward_more), div:has(> .st-key-page_questions) {order: 3;}
}
@media (max-width: 640px) {
  .st-key-forward_top > div:has(.st-key-controls) {order: 1;}
  .st-key-controls > div:first-child > div {flex-wrap: wrap;}
}
</style>
"""

theme.header("Forward", "Noise comes in until nothing of the data is left: drag the time.", "exact")
st.html(_CSS)


def choose_way() -> forward_run.Way:
    """Draw the switch between the two ways to noise."""
    parameter = links.choice("how", "walk", forward_run.WAYS)
    way = widgets.segments("How noise is added", parameter, forward_run.WAYS)
    links.complaints(parameter.key)
    return "jump" if way == "jump" else "walk"


with st.container(horizontal=True, vertical_alignment="top", gap="medium", key="forward_top"):
    with st.container(width="stretch"), controls.bar():
        data = controls.choose_data(images=16)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            schedule = controls.choose_schedule()
            way = choose_way()
    with st.container(width="content", key="forward_gauge"):
        card = st.empty()
        end = wait_for(lambda _: forward_run.ending(data, schedule), "Measuring the end", card)
        T = schedule.T if schedule.discrete else None
        card.html(gauge.ending_html(end, T, theme.palette()))

picture = st.container()
with st.container(key="forward_more", horizontal=True):
    with st.popover("More controls", icon=":material/tune:"):
        seed = controls.choose_seed()
    corner = st.container(width="content")


@st.fragment
def show(config: forward_run.ForwardConfig) -> None:
    """Show the run; letting go of the time reruns only this."""
    asked = find_place(config)
    place, bar = st.container(), st.empty()
    buffer = wait_for(lambda _: forward_run.run(config), "Noising", bar)
    with place:
        result = player(
            buffer, key=asked.key, step=asked.step, follow=asked.follow, link="t", height=600
        )
    st.markdown(forward_run.in_words(config, keep_place(config, asked, result)))
    links.sync()


@st.fragment
def export(config: forward_run.ForwardConfig) -> None:
    """Offer what is shown as files; opening the menu reruns only this."""
    title = f"{config.data.title} into noise, {config.schedule.title}"
    export_menu(lambda: forward_run.run(config), title)


noised = forward_run.ForwardConfig(data, schedule, way, seed)
with picture:
    show(noised)
with corner:
    export(noised)

theme.questions(
    [
        ("What do 20 noisings leave of the data?", "forward", {"T": 20}),
        (
            "Follow one point: how does its path change in a single jump?",
            "forward",
            {"data": "spiral", "how": "jump", "follow": 7, "t": 0.4},
        ),
        ("Two values and nothing else: when do the paths mix?", "forward", {"data": "dirac_pair"}),
    ]
)
