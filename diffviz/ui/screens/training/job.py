"""The training of this session: started, paused and stopped by buttons, shown as it goes.

What the page shows is one of: the training that was started here, a model that was loaded, the
shipped model of the data set, or, where there is none, an untrained network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import streamlit as st

from diffviz.models.checkpoints import CheckpointError
from diffviz.scenes import models
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.training import TrainingConfig, TrainingRun
from diffviz.scenes.training_view import Pace, ViewConfig, model_view, replay
from diffviz.ui.choices import own_models
from diffviz.ui.parts.player import player
from diffviz.ui.screens.training import words as training_words
from diffviz.ui.screens.training.files import forget, loaded
from diffviz.ui.shell import jobs, links
from diffviz.ui.shell.jobs import Job, Status
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage.place import placed

POLL = 0.7
"""Seconds between two looks at a training that goes on."""

_KEY = "training"
_TROUBLE, _KEPT, _AT = "_training_trouble", "_training_kept", "_training_at"


@dataclass(frozen=True)
class Model:
    """A model to show.

    Attributes:
        model: which; None for an untrained network.
        trouble: why the one that should be shown is not.
    """

    model: ModelConfig | None
    trouble: str | None = None


@dataclass(frozen=True)
class Now:
    """What decides how the page is laid out and whether it looks again by itself.

    Attributes:
        going: whether a training works or waits for its turn.
        training: whether a training is shown, rather than a model at work.
    """

    going: bool
    training: bool

    @staticmethod
    def of(data: DataConfig) -> Now:
        """How it is at this moment."""
        job = current()
        shown = to_show(data)
        return Now(job is not None and job.active, not isinstance(shown, Model))


def current() -> Job[TrainingRun] | None:
    """The session's training, whatever became of it."""
    return cast("Job[TrainingRun] | None", jobs.mine(_KEY))


# Buttons ----------------------------------------------------------------------------------------


def steer(asked: TrainingConfig) -> None:
    """Draw the buttons; while a training goes on, its learning rate follows the control's."""
    job = current()
    if job is None or job.ended:
        again = job is not None and job.work.config.data == asked.data
        st.button(
            "Train again" if again else "Train from scratch",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_start,
            args=(asked,),
        )
    else:
        if job.work.lr != asked.train.lr:
            job.work.lr = asked.train.lr
        if job.status is Status.PAUSED:
            st.button("Resume", type="primary", icon=":material/play_arrow:", on_click=job.resume)
        else:
            st.button("Pause", icon=":material/pause:", on_click=job.pause)
        st.button("Stop", icon=":material/stop:", on_click=_stop, args=(job,))


def _start(asked: TrainingConfig) -> None:
    st.session_state.pop(_TROUBLE, None)
    forget()
    try:
        jobs.start(_KEY, TrainingRun(asked), f"Training on {asked.data.title}")
    except jobs.Full as full:
        st.session_state[_TROUBLE] = str(full)
    st.session_state[_AT] = _At(st.session_state.get(_AT, _At()).mount + 1)


def _stop(job: Job[TrainingRun]) -> None:
    """Measure what there is if the training has a place and has come anywhere; else end it now."""
    if job.status is Status.RUNNING and job.work.step > 0 and not job.work.measuring:
        job.work.cut()
    else:
        job.stop()


# What is shown ----------------------------------------------------------------------------------


def to_show(data: DataConfig) -> Job[TrainingRun] | Model:
    """What the page shows for a choice of data."""
    job = current()
    chosen = loaded(data) if job is None or job.ended else None
    ours = job is not None and (not job.ended or job.work.config.data == data)
    if job is not None and ours and job.work.snapshots and chosen is None:
        return job
    if chosen is None:
        chosen = models.shipped(data)
    if chosen is None:
        return Model(None)
    try:
        models.checkpoint(chosen)
    except (CheckpointError, ValueError) as error:
        return Model(None, str(error))
    return Model(chosen)


def show_model(shown: Model, data: DataConfig) -> None:
    """Draw a model at work, from noise to data, beside the exact answer."""
    place, bar = st.container(), st.empty()
    view = ViewConfig(shown.model, data)
    buffer = wait_for(lambda watch: model_view(view, watch), "The model at work", bar)
    with place:
        placed(buffer, page="training_model")


@dataclass(frozen=True)
class _At:
    """Where the player of the training is.

    Attributes:
        mount: names the player: another one for each training.
        asked: the frame asked for last.
        held: whether the reader looks back, so that the newest frame is not forced on them.
    """

    mount: int = 0
    asked: int | None = None
    held: bool = False


def show_run(job: Job[TrainingRun], level: int) -> None:
    """Draw a training as far as it has come: its newest frame while it goes on."""
    run, at = job.work, st.session_state.get(_AT, _At())
    snapshots = run.snapshots
    steps = max(snapshots[-1].step, 1) if job.ended else run.config.train.steps
    made = (run, len(snapshots), snapshots[-1].step, steps, level)
    last = st.session_state.get("_training_buffer")
    if last is None or last[0] != made:
        last = made, replay(run, snapshots, Pace(steps, level))
        st.session_state["_training_buffer"] = last
    newest = len(snapshots) - 1
    step = at.asked if at.held and at.asked is not None else newest
    result = player(last[1], key=f"training-{at.mount}", step=step, link=None)
    held = result.step is not None and result.step < step
    st.session_state[_AT] = _At(at.mount, step, held)


# Words around it --------------------------------------------------------------------------------


def tell(shown: Job[TrainingRun] | Model, data: DataConfig) -> None:
    """Say above the picture what is shown: how far a training is, or what the model is."""
    job, trouble = current(), st.session_state.get(_TROUBLE)
    with st.container(key="training_status", gap="small"):
        if job is not None and not job.ended:
            st.progress(min(max(job.share, 0.0), 1.0), training_words.progress(job))
        elif isinstance(shown, Model):
            found = None if shown.model is None else models.checkpoint(shown.model)
            st.markdown(training_words.about_model(shown.model, found, data))
        else:
            st.markdown(training_words.about_run(shown))
        if trouble:
            st.error(links.plain(trouble), icon=":material/error:")
        if isinstance(shown, Model) and shown.trouble:
            st.warning(links.plain(shown.trouble), icon=":material/error:")
        if job is not None and job.status is Status.FAILED:
            st.error(links.plain(job.trouble or ""), icon=":material/error:")
        if job is not None and job.work.diverged and not isinstance(shown, Model):
            st.warning(links.plain(job.work.diverged), icon=":material/trending_up:")


def kept(job: Job[TrainingRun]) -> ModelConfig | None:
    """The model that a training left, kept among the session's own; None if it left none."""
    run = job.work
    if run.checkpoint is None:
        return None
    known = st.session_state.get(_KEPT)
    if known is None or known[0] is not run:
        title = f"{run.config.data.title}, {run.snapshots[-1].trained:,} steps"
        known = run, own_models.keep(run.checkpoint, run.config.data, title)
        st.session_state[_KEPT] = known
    model: ModelConfig = known[1]
    return model
