"""The Training page: a network learns to denoise, beside the exact answer."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.ui import (
    controls,
    memorise,
    models,
    theme,
    training_controls,
    training_job,
    training_words,
)
from diffviz.ui.configs import DataConfig
from diffviz.ui.training_files import lead_on, load, save
from diffviz.ui.training_job import Model, Now

_CSS = """
<style>
.st-key-training_status {min-height: 2.6rem; justify-content: center;}
.st-key-training_status [data-testid="stProgress"] p {font-size: 0.94rem;}
.st-key-training_under {gap: 0.4rem 0.9rem;}
.st-key-training_under [data-testid="stPageLink"] a {padding: 0.2rem 0.3rem;}
</style>
"""


def train(corner: DeltaGenerator) -> None:
    """Draw the first half of the page: a network that learns."""
    data = controls.choose_data(("2-D",), n=5000)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="controls"):
        asked = training_controls.choose_training(data)
        training_job.steer(asked)
    now = Now.of(data)
    with corner:
        level = training_controls.choose_level(now.training)
    training_controls.complain()
    st.fragment(show, run_every=training_job.POLL if now.going else None)(data, level, now)
    theme.questions(
        [
            (
                "Learning rate 10: does the page notice?",
                "training",
                {"data": "moons", "lr": 10.0},
            ),
            (
                "Eight units in a layer: what can so few still learn?",
                "training",
                {"data": "spiral", "width": 8, "depth": 1},
            ),
            (
                "Predict the noise without preconditioning, as in 2020: is it slower?",
                "training",
                {"data": "checkerboard", "target": "eps", "precondition": "plain"},
            ),
        ]
    )


def show(data: DataConfig, level: int, before: Now) -> None:
    """Show the training as it goes, or the model there is."""
    if Now.of(data) != before:
        st.rerun()
    shown = training_job.to_show(data)
    training_job.tell(shown, data)
    if isinstance(shown, Model):
        training_job.show_model(shown, data)
        under(shown.model, data)
    else:
        training_job.show_run(shown, level)
        under(training_job.kept(shown) if shown.ended else None, data)


def under(model: models.ModelConfig | None, data: DataConfig) -> None:
    """Draw a model's measures, and what can be done with it."""
    with st.container(
        horizontal=True, vertical_alignment="center", key="training_under", gap="small"
    ):
        if model is not None:
            card = models.checkpoint(model).card
            st.html(training_words.metrics_html(card.metrics, theme.palette()), width="content")
            lead_on(model, data)
            save(model, f"diffviz-{data.name}")
        else:
            st.caption(training_words.LATER, width="content")
        load(data)


theme.header("Training", "Watch a network learn to denoise, beside the exact answer.", "learned")
st.html(_CSS)
with st.container(
    horizontal=True,
    horizontal_alignment="distribute",
    vertical_alignment="center",
    key="training_top",
):
    mode = training_controls.choose_mode()
    place = st.container(width="content")
if mode == "memorise":
    memorise.page()
else:
    train(place)
