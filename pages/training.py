"""The Training page: a network learns to denoise, beside the exact answer."""

from __future__ import annotations

import streamlit as st

from diffviz.scenes import models
from diffviz.scenes.configs import DataConfig
from diffviz.ui.choices import controls
from diffviz.ui.screens.training import controls as training_controls
from diffviz.ui.screens.training import job as training_job
from diffviz.ui.screens.training import memorise
from diffviz.ui.screens.training import words as training_words
from diffviz.ui.screens.training.files import lead_on, load, save
from diffviz.ui.screens.training.job import Model, Now
from diffviz.ui.shell import links, skeleton, theme


def train() -> None:
    """Draw the first half of the page: a network that learns."""
    with controls.bar():
        data = controls.choose_data(("2-D",), n=5000)
        asked = training_controls.choose_training(data)
        training_job.steer(asked)
        now = Now.of(data)
        level = training_controls.choose_level(now.training)
    st.fragment(show, run_every=training_job.POLL if now.going else None)(data, level, now)
    skeleton.end("training")


def show(data: DataConfig, level: int, before: Now) -> None:
    """Show the training as it goes, or the model there is."""
    if Now.of(data) != before:
        st.rerun()
    shown = training_job.to_show(data)
    with theme.picture():
        if isinstance(shown, Model):
            training_job.show_model(shown, data)
        else:
            training_job.show_run(shown, level)
    training_job.tell(shown, data)
    if isinstance(shown, Model):
        under(shown.model, data)
    else:
        under(training_job.kept(shown) if shown.ended else None, data)
    links.sync()


def under(model: models.ModelConfig | None, data: DataConfig) -> None:
    """Draw a model's measures, and what can be done with it."""
    with st.container(
        horizontal=True, vertical_alignment="center", key="training_under", gap="small"
    ):
        measures = models.checkpoint(model).card.metrics if model is not None else {}
        if measures:
            st.html(training_words.metrics_html(measures, theme.palette()), width="content")
        else:
            st.caption(training_words.LATER, width="content")
        if model is not None:
            lead_on(model, data)
            save(model, f"diffviz-{data.name}")
        load(data)


skeleton.begin("training")
with controls.bar("beside_header"):
    mode = training_controls.choose_mode()
if mode == "memorise":
    memorise.page()
else:
    train()
