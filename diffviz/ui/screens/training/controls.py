"""What only the Training page asks for: what is trained and how."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import streamlit as st

from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.training import TrainConfig
from diffviz.scenes.configs import SCHEDULE_TEXT, DataConfig, ScheduleConfig
from diffviz.scenes.score_field import LEVELS
from diffviz.scenes.text import Text
from diffviz.scenes.training import TrainingConfig
from diffviz.ui.choices import controls, widgets
from diffviz.ui.shell import links

Mode = Literal["train", "memorise"]

MODES: dict[str, str] = {"train": "Train a network", "memorise": "Memorise or generalise"}
"""The two halves of the page: the word in the address and what the page says."""

TARGET_TEXT: dict[str, Text] = {
    "x_0": Text("x₀ (the clean point)", "The network guesses the clean point itself."),
    "eps": Text("ε (the noise)", "The network guesses the noise that was added (DDPM)."),
    "v": Text("v (a mix of both)", "alpha times the noise minus sigma times the clean point."),
    "score": Text("Score", "The direction in which the noised density rises fastest."),
    "velocity": Text("Velocity (flow matching)", "How fast a point moves along the path."),
}

WEIGHTING_TEXT: dict[str, Text] = {
    "log_normal": Text("Log-normal (EDM)", "Middle noise levels are looked at most."),
    "uniform": Text("Uniform", "All times alike, as DDPM's simple loss."),
    "logit_normal": Text("Logit-normal", "Middle times are looked at most (Stable Diffusion 3)."),
    "min_snr": Text("Min-SNR", "Low noise counts more, up to a limit."),
    "snr": Text("SNR", "Low noise counts more: the plain error of the noise."),
}

_PATHS = ("edm", "rectified_flow", "cosine", "vp", "linear", "sigmoid", "ve")
_LR_STOPS = (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 3e-2, 0.1, 1.0, 10.0)
_STEP_STOPS = (100, 200, 500, 1000, 2000, 3000, 5000, 10_000, 20_000)
_BATCHES = (16, 32, 64, 128, 256, 512, 1024, 2048)
_WIDTHS = (8, 16, 32, 64, 128, 192, 256)
_DEPTHS = (1, 2, 3, 4, 5, 6)
_EMA = (0.0, 0.9, 0.99, 0.995, 0.999, 0.9995)
_OPTIMISER_TEXT = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD with momentum"}
_LR_SCHEDULE_TEXT = {"cosine": "Falls as a cosine", "linear": "Falls evenly", "constant": "Stays"}
_PRECONDITION_TEXT = {"edm": "EDM (learn what is not linear)", "plain": "Plain"}
_LARGEST_SEED = 2**31 - 1

LR = links.number("lr", 5e-3, 1e-6, 100.0)
"""The learning rate in the address."""


def choose_mode() -> Mode:
    """Draw the switch between training and the experiment on memorisation."""
    chosen = widgets.segments(
        "What to do here", links.choice("mode", "train", MODES), MODES, quiet=True
    )
    return "memorise" if chosen == "memorise" else "train"


def choose_training(data: DataConfig) -> TrainingConfig:
    """Draw how to train: what matters most in a row, the rest folded away.

    Args:
        data: what is trained on.
    """
    steps = widgets.stops("Steps", links.whole("train_steps", 1000, 10, 20_000), _STEP_STOPS)
    lr = _rates()
    with controls.more("How it is trained"):
        left, right = st.columns(2, gap="medium", width=560)
        with left:
            target = _menu(
                "Target (what the network predicts)", "target", "x_0", widgets.titles(TARGET_TEXT)
            )
            path, weighting, pairing = _loss(target)
            network = _network(data)
        with right:
            train = _optimisation(TrainConfig(target, weighting, ot_pairing=pairing))
    return TrainingConfig(data, ScheduleConfig(path), replace(train, steps=steps, lr=lr), network)


def _loss(target: str) -> tuple[str, str, bool]:
    st.markdown("**Path and loss**")
    paths = widgets.titles({name: SCHEDULE_TEXT[name] for name in _PATHS})
    path = _menu("Path (how noise comes in)", "path", "edm", paths)
    weighting = _menu(
        "Weighting (which noise counts)", "weighting", "log_normal", widgets.titles(WEIGHTING_TEXT)
    )
    st.caption(WEIGHTING_TEXT[weighting].sentence)
    if target != "velocity":
        return path, weighting, False
    pairing = _toggle(
        "ot", "Pair noise with data", "By optimal transport within each batch: straighter paths."
    )
    return path, weighting, pairing


def _network(data: DataConfig) -> NetworkConfig:
    st.markdown("**Network**")
    width = widgets.stops("Width (units of a layer)", links.whole("width", 128, 8, 256), _WIDTHS)
    depth = widgets.stops("Depth (residual blocks)", links.whole("depth", 3, 1, 6), _DEPTHS)
    precondition = _menu("Preconditioning", "precondition", "edm", _PRECONDITION_TEXT)
    classes = data.classes
    told = classes > 1 and _toggle(
        "with_labels", f"Tell it the {classes} classes", "It learns to do with and without them."
    )
    return NetworkConfig(2, width, depth, classes if told else 0, precondition)


def _optimisation(train: TrainConfig) -> TrainConfig:
    st.markdown("**Optimiser**")
    optimiser = _menu("Optimiser", "optimiser", "adam", _OPTIMISER_TEXT)
    lr_schedule = _menu("Learning rate over time", "lr_schedule", "cosine", _LR_SCHEDULE_TEXT)
    batch = widgets.stops("Batch (points in a step)", links.whole("batch", 256, 1, 2048), _BATCHES)
    decays = links.number("ema", 0.999, 0, 0.9999)
    ema = widgets.stops("EMA decay (average of the weights)", decays, _EMA, form="{:g}")
    seeds = links.whole("train_seed", 0, 0, _LARGEST_SEED)
    seed = widgets.number("Seed of the training", seeds, step=1)
    return replace(
        train, optimiser=optimiser, lr_schedule=lr_schedule, batch=batch, ema_decay=ema, seed=seed
    )


def choose_level(shown: bool) -> int:
    """Draw the choice of the noise level at which the field is shown: an index of ``LEVELS``.

    Args:
        shown: whether there is something to choose; otherwise it keeps its value.
    """
    words = {f"{level:g}": f"{level:g}" for level in LEVELS}
    parameter = links.choice("level", f"{LEVELS[1]:g}", words)
    if not shown:
        return list(words).index(links.value(parameter))
    with controls.more("View"):
        chosen = widgets.segments("Score at noise level", parameter, words)
    return list(words).index(chosen)


def data_query(data: DataConfig) -> dict[str, object]:
    """The parameters that choose these data in the address of another page."""
    query: dict[str, object] = {"data": data.name, "n": data.n}
    if data.seed:
        query["data_seed"] = data.seed
    if data.name == "text":
        query["text"] = data.text
    if data.name == "drawing":
        query["strokes"] = data.drawing
    return query


# Widgets ----------------------------------------------------------------------------------------


def _menu(label: str, key: str, default: str, words: dict[str, str]) -> str:
    return widgets.menu(label, links.choice(key, default, words), words)


def _toggle(key: str, label: str, sentence: str) -> bool:
    return widgets.toggle(label, links.flag(key), help=sentence)


def _rates() -> float:
    return widgets.stops("Learning rate", LR, _LR_STOPS, form="{:g}")
