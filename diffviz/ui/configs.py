"""What pages can be asked for: frozen, hashable choices of data, schedule and sampler.

Cached functions take them as keys; ``load``, ``build`` and ``grid`` turn them into the objects of
the core. The words that menus show stand beside them. The widgets are in ``controls.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.datasets import DATASETS, INFO, from_drawing, from_image, from_text, labelled
from diffviz.grids import make_grid
from diffviz.images import IMAGE_DATASETS, IMAGE_INFO, labelled_images
from diffviz.samplers import SAMPLERS, InRatio, InTime, Sampler
from diffviz.schedules import SCHEDULES, Custom, DiscreteVP, Schedule, zero_terminal_snr
from diffviz.ui import links
from diffviz.ui.canvas import decode_points

__all__ = [
    "CURVE",
    "DEFAULT_CURVE",
    "IN_VARIABLE",
    "KINDS",
    "OWN",
    "SAMPLER_KNOBS",
    "SAMPLER_TEXT",
    "SCHEDULE_KNOBS",
    "SCHEDULE_TEXT",
    "SPACING_TEXT",
    "VARIABLE_TEXT",
    "CurvePoints",
    "DataConfig",
    "Kind",
    "Knob",
    "Picture",
    "SamplerConfig",
    "ScheduleConfig",
    "Text",
    "kind_of",
    "parse_curve",
    "show_curve",
    "steps_on",
    "text_of",
]

Kind = Literal["1-D", "2-D", "image"]
KINDS: tuple[Kind, ...] = ("1-D", "2-D", "image")


@dataclass(frozen=True)
class Text:
    """What a menu says about an item: its title and one plain sentence."""

    title: str
    sentence: str


@dataclass(frozen=True)
class Knob:
    """A number that only some schedules or samplers have.

    Attributes:
        name: the constructor's argument and the word in the address.
        label: what the widget says.
        default: as in the constructor.
        low: the smallest value allowed.
        high: the largest value allowed.
        step: of one press of the widget's buttons.
        decimals: shown by the widget.
    """

    name: str
    label: str
    default: float
    low: float
    high: float
    step: float
    decimals: int


# Data -------------------------------------------------------------------------------------------

OWN: dict[str, tuple[Text, Kind, str]] = {
    "drawing": (Text("Drawing", "Points that you draw."), "2-D", "draw"),
    "cloud": (
        Text("Points of a picture", "Points sampled from the dark parts of your picture."),
        "2-D",
        "image",
    ),
    "picture": (Text("Your picture", "A picture that you upload."), "image", "upload"),
}
"""Data that a reader makes: name to what it is, its kind and its icon."""


@dataclass(frozen=True)
class Picture:
    """A decoded upload: pixels (H, W, C), uint8, as bytes, so that it can be part of a key."""

    shape: tuple[int, ...]
    data: bytes

    def pixels(self) -> NDArray[np.uint8]:
        """The pixels (H, W, C), uint8."""
        return np.frombuffer(self.data, dtype=np.uint8).reshape(self.shape)


@dataclass(frozen=True)
class DataConfig:
    """A choice of data.

    Attributes:
        name: a key of ``DATASETS``, ``IMAGE_DATASETS`` or ``OWN``.
        n: how many points or images.
        seed: of the sample.
        text: the text, where the data are ``text``.
        drawing: drawn points, encoded; empty elsewhere.
        picture: the upload, where the data are made from one.
    """

    name: str = "moons"
    n: int = 2000
    seed: int = 0
    text: str = ""
    drawing: str = ""
    picture: Picture | None = None

    @property
    def kind(self) -> Kind:
        """Whether these are numbers, points in the plane or images."""
        return kind_of(self.name)

    @property
    def title(self) -> str:
        """The name as people read it."""
        return text_of(self.name).title

    @property
    def classes(self) -> int:
        """How many classes ``labelled`` tells apart; 1 where there are none."""
        if self.name in INFO:
            return INFO[self.name].classes
        return len(IMAGE_INFO[self.name].classes) if self.name in IMAGE_INFO else 1

    def load(self) -> Tensor:
        """The data: points (n, D) or images (n, C, H, W) in [-1, 1], float32.

        Raises:
            ValueError: text that draws nothing, an empty drawing, a flat or missing picture.
        """
        return self.labelled()[0]

    def labelled(self) -> tuple[Tensor, Tensor]:
        """The data and the class of each item, (n,) int64; raises as ``load`` does."""
        if self.name in IMAGE_DATASETS:
            return labelled_images(self.name, self.n, self.seed)
        if self.name in DATASETS and self.name != "text":
            return labelled(self.name, self.n, self.seed)
        data = self._own()
        return data, torch.zeros(len(data), dtype=torch.int64)

    def _own(self) -> Tensor:
        if self.name == "text":
            return from_text(self.text, self.n, self.seed)
        if self.name == "drawing":
            return from_drawing(decode_points(self.drawing), self.n, self.seed)
        if self.picture is None:
            raise ValueError(
                "No picture is here yet (pictures do not travel with links): choose one with the "
                "button beside the data."
            )
        if self.name == "cloud":
            return from_image(self.picture.pixels(), self.n, self.seed)
        pixels = torch.from_numpy(self.picture.pixels().copy()).permute(2, 0, 1)
        return (pixels.to(torch.float32) / 127.5 - 1)[None].contiguous()


def kind_of(name: str) -> Kind:
    """Whether a named choice of data is numbers, points in the plane or images."""
    if name in INFO:
        return "1-D" if INFO[name].dim == 1 else "2-D"
    return OWN[name][1] if name in OWN else "image"


def text_of(name: str) -> Text:
    """What a menu says about a named choice of data."""
    if name in OWN:
        return OWN[name][0]
    info = INFO[name] if name in INFO else IMAGE_INFO[name]
    return Text(info.title, info.sentence)


# Schedules --------------------------------------------------------------------------------------

SCHEDULE_TEXT: dict[str, Text] = {
    "linear": Text("Linear (DDPM)", "beta, the noise of each step, rises in a straight line."),
    "scaled_linear": Text(
        "Scaled linear (latent diffusion)", "The square root of beta rises in a straight line."
    ),
    "cosine": Text("Cosine", "alpha-bar, the share of signal left, falls like a squared cosine."),
    "sigmoid": Text("Sigmoid", "alpha-bar falls in an S-shaped curve."),
    "vp": Text(
        "VP (variance preserving)", "The continuous limit of the linear schedule, as an SDE."
    ),
    "subvp": Text("Sub-VP", "The signal of VP with less noise on the way."),
    "ve": Text(
        "VE (variance exploding)", "The data stay as they are; noise is added, growing many-fold."
    ),
    "edm": Text("EDM", "The data stay as they are; the noise level itself is the time."),
    "rectified_flow": Text("Rectified flow", "A straight line from data to noise."),
    "custom": Text("Custom", "alpha-bar through control points of your own."),
}

_BETAS = (1e-6, 0.999)
_VP_KNOBS = (
    Knob("beta_min", "beta_min (noise rate at the start)", 0.1, 0.001, 10.0, 0.1, 3),
    Knob("beta_max", "beta_max (noise rate at the end)", 20.0, 0.01, 100.0, 1.0, 2),
)
SCHEDULE_KNOBS: dict[str, tuple[Knob, ...]] = {
    "linear": (
        Knob("beta_start", "beta_start (noise of the first step)", 1e-4, *_BETAS, 1e-4, 5),
        Knob("beta_end", "beta_end (noise of the last step)", 0.02, *_BETAS, 1e-3, 5),
    ),
    "scaled_linear": (
        Knob("beta_start", "beta_start (noise of the first step)", 0.00085, *_BETAS, 1e-4, 5),
        Knob("beta_end", "beta_end (noise of the last step)", 0.012, *_BETAS, 1e-3, 5),
    ),
    "cosine": (Knob("s", "s (offset that keeps the first steps small)", 0.008, 0, 0.5, 0.002, 3),),
    "sigmoid": (
        Knob("start", "start (left end of the S)", -3.0, -20.0, 20.0, 0.5, 2),
        Knob("end", "end (right end of the S)", 3.0, -20.0, 20.0, 0.5, 2),
        Knob("tau", "tau (temperature: how soft the S is)", 1.0, 0.05, 10.0, 0.1, 2),
    ),
    "vp": _VP_KNOBS,
    "subvp": _VP_KNOBS,
    "ve": (
        Knob("sigma_min", "sigma_min (smallest noise)", 0.01, 1e-4, 1.0, 0.01, 4),
        Knob("sigma_max", "sigma_max (largest noise)", 50.0, 0.1, 1000.0, 5.0, 2),
    ),
    "edm": (Knob("sigma_max", "sigma_max (largest noise)", 80.0, 0.1, 1000.0, 5.0, 2),),
}
CurvePoints = tuple[tuple[float, float], ...]


def parse_curve(word: str) -> CurvePoints:
    """Control points from "0,1 0.25,0.85 1,0": pairs t,alpha-bar with spaces between them.

    Raises:
        ValueError: not pairs of numbers, or not a curve that ``Custom`` takes.
    """
    if len(word) > 2000:
        raise ValueError("has more control points than can be read")
    try:
        pairs = [tuple(float(part) for part in pair.split(",")) for pair in word.split()]
        points = tuple((t, alpha_bar) for t, alpha_bar in pairs)
    except ValueError:
        raise ValueError(
            "is not a list of control points such as 0,1 0.5,0.4 1,0 (t,alpha-bar with spaces "
            "between the points)"
        ) from None
    return Custom(points).points


def show_curve(points: CurvePoints) -> str:
    """Control points as ``parse_curve`` reads them."""
    return " ".join(f"{t:.4g},{alpha_bar:.4g}" for t, alpha_bar in points)


def _curve_word(word: str) -> CurvePoints:
    try:
        return parse_curve(word)
    except ValueError as error:
        raise links.Refused(f"cannot be used ({error})") from None


DEFAULT_CURVE: CurvePoints = Custom().points
CURVE: links.Parameter[CurvePoints] = links.Parameter(
    "curve", DEFAULT_CURVE, _curve_word, show_curve
)
"""The control points of the custom schedule in the address."""


@dataclass(frozen=True)
class ScheduleConfig:
    """A choice of schedule.

    Attributes:
        name: a key of ``SCHEDULES``.
        T: how many noisings a discrete schedule has; without meaning for the others.
        params: the constructor's other arguments, as (name, value) pairs.
        zero_snr: whether a discrete schedule is rescaled to end in pure noise.
        points: the control points of the custom schedule, (t, alpha-bar); empty for the others.
    """

    name: str = "linear"
    T: int = 1000
    params: tuple[tuple[str, float], ...] = ()
    zero_snr: bool = False
    points: CurvePoints = ()

    @property
    def discrete(self) -> bool:
        """Whether the schedule is a chain of T noisings."""
        return issubclass(SCHEDULES[self.name], DiscreteVP)

    @property
    def title(self) -> str:
        """The name as people read it."""
        return SCHEDULE_TEXT[self.name].title

    def build(self) -> Schedule:
        """The schedule; the same object for the same choice.

        Raises:
            ValueError: parameters that make no schedule, in words for the reader.
        """
        return _build_schedule(self)


@lru_cache(maxsize=256)
def _build_schedule(config: ScheduleConfig) -> Schedule:
    arguments: dict[str, Any] = dict(config.params)
    if config.discrete:
        arguments["T"] = config.T
    if config.points:
        arguments["points"] = config.points
    schedule = SCHEDULES[config.name](**arguments)
    if config.zero_snr and isinstance(schedule, DiscreteVP):
        return zero_terminal_snr(schedule)
    return schedule


# Samplers ---------------------------------------------------------------------------------------

SAMPLER_TEXT: dict[str, Text] = {
    "ddpm": Text("DDPM (ancestral)", "Step back as the chain came, with fresh noise each time."),
    "ddim": Text("DDIM", "Jump along the predicted line; eta sets how much fresh noise is added."),
    "euler": Text("Euler (ODE)", "Follow the flow's direction in straight steps, without noise."),
    "heun": Text("Heun (ODE)", "Look ahead, average the two directions: two evaluations a step."),
    "edm": Text(
        "EDM stochastic", "Heun's steps; churn adds a little noise before each and removes it."
    ),
    "euler_maruyama": Text("Euler-Maruyama (SDE)", "Small steps of the reverse SDE, with noise."),
    "predictor_corrector": Text(
        "Predictor-corrector", "A reverse step, then a Langevin step that mends its error."
    ),
    "euler_ancestral": Text(
        "Euler ancestral", "A step to less noise than asked for, then fresh noise up to it."
    ),
    "dpmpp_2m": Text("DPM-Solver++ (2M)", "Two-step extrapolation: accurate with few steps."),
    "dpmpp_2m_sde": Text("DPM-Solver++ (2M SDE)", "The same extrapolation, with fresh noise."),
    "langevin": Text(
        "Annealed Langevin", "Noisy steps uphill in density, at lower and lower noise."
    ),
}

SPACING_TEXT: dict[str, Text] = {
    "leading": Text("Leading", "Even stops from the clean end; never sees pure noise."),
    "trailing": Text("Trailing", "Even stops from the noisy end."),
    "linspace": Text("Linspace", "Even stops with both ends."),
    "log_snr": Text("Even in log-SNR", "Every step raises the log-SNR by the same amount."),
    "karras": Text("Karras", "Dense near the data (rho = 7)."),
    "quadratic": Text("Quadratic", "Denser near the data, evenly in the square root of time."),
}

_ETA = "eta (how much fresh noise each step adds)"
SAMPLER_KNOBS: dict[str, tuple[Knob, ...]] = {
    "ddim": (Knob("eta", _ETA, 0.0, 0.0, 1.0, 0.1, 2),),
    "edm": (Knob("churn", "churn (noise added and removed in all)", 10.0, 0.0, 200.0, 5.0, 1),),
    "predictor_corrector": (
        Knob("snr", "snr (size of a corrector's step)", 0.16, 0.0, 1.0, 0.02, 2),
        Knob("corrections", "corrections (corrector's steps at each stop)", 1, 0, 10, 1, 0),
    ),
    "euler_ancestral": (Knob("eta", _ETA, 1.0, 0.0, 1.0, 0.1, 2),),
    "langevin": (
        Knob("inner", "inner (Langevin steps at each stop)", 5, 1, 50, 1, 0),
        Knob("step_size", "step_size (size of each, between 0 and 1)", 0.15, 0.01, 0.99, 0.05, 2),
    ),
}
VARIABLE_TEXT: dict[str, Text] = {
    "auto": Text("As the field does", "x / alpha over sigma / alpha where there is signal."),
    "ratio": Text("sigma / alpha (EDM)", "Always x / alpha over sigma / alpha."),
    "time": Text("Time t", "Always x over the schedule's own t."),
}
IN_VARIABLE = frozenset({"euler", "heun"})
_CHAINED = frozenset({"leading", "trailing", "linspace"})


@dataclass(frozen=True)
class SamplerConfig:
    """A choice of sampler and of how it walks.

    Attributes:
        name: a key of ``SAMPLERS``.
        steps: how many steps, at least 1.
        spacing: a key of ``SPACINGS``.
        params: the constructor's arguments, as (name, value) pairs: eta, churn, snr.
        variable: what Euler and Heun integrate in: a key of ``VARIABLE_TEXT``.
        seed: of the starting noise and of the noise added on the way.
    """

    name: str = "ddim"
    steps: int = 50
    spacing: str = "trailing"
    params: tuple[tuple[str, float], ...] = ()
    variable: str = "auto"
    seed: int = 0

    @property
    def title(self) -> str:
        """The name as people read it."""
        return SAMPLER_TEXT[self.name].title

    def build(self) -> Sampler:
        """The sampler."""
        arguments: dict[str, Any] = dict(self.params)
        if self.name in IN_VARIABLE and self.variable != "auto":
            arguments["variable"] = InRatio() if self.variable == "ratio" else InTime()
        return SAMPLERS[self.name](**arguments)

    def grid(self, schedule: Schedule) -> Tensor:
        """The (steps + 1,) times of a run on this schedule, at most as many steps as it has."""
        return make_grid(schedule, steps_on(self.steps, self.spacing, schedule), self.spacing)


def steps_on(steps: int, spacing: str, schedule: Schedule) -> int:
    """How many of the steps asked for a schedule has: a short chain limits even spacings."""
    if isinstance(schedule, DiscreteVP) and spacing in _CHAINED:
        return min(steps, schedule.T)
    return steps
