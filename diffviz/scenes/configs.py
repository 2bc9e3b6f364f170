"""What pages can be asked for: frozen, hashable choices of data, schedule and sampler.

Cached functions take them as keys; ``load``, ``build`` and ``grid`` turn them into the objects of
the core. The words that menus show stand beside them. The widgets are in ``ui.choices.controls``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from inspect import signature
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser
from diffviz.core.grids import FILE, SPACINGS, make_grid, nearest_steps
from diffviz.core.knobs import Knob, knobs_of
from diffviz.core.run import Plan
from diffviz.core.samplers import SAMPLERS, VARIABLES, Sampler
from diffviz.core.schedules import SCHEDULES, Custom, DiscreteVP, Schedule, zero_terminal_snr
from diffviz.data.pictures import IMAGE_DATASETS, IMAGE_INFO, labelled_images
from diffviz.data.points import DATASETS, INFO, from_drawing, from_image, from_text, labelled
from diffviz.exchange.drawings import decode_points
from diffviz.exchange.scheduler_config import LoadedConfig, load_config
from diffviz.exchange.tables import Sample
from diffviz.scenes.canonical import among, within
from diffviz.scenes.text import Text

__all__ = [
    "DEFAULT_CURVE",
    "FILE_TEXT",
    "KINDS",
    "LOADED",
    "MAX_POINTS",
    "MAX_SEED",
    "MAX_STEPS",
    "MAX_T",
    "OWN",
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
    "takes_variable",
    "text_of",
]

Kind = Literal["1-D", "2-D", "image"]
KINDS: tuple[Kind, ...] = ("1-D", "2-D", "image")

MAX_SEED = 2**31 - 1
MAX_T = 1000
MAX_STEPS = 1000
MAX_POINTS = 20_000
"""The most that a reader may ask for, on every page and in every word."""


# Guidance ---------------------------------------------------------------------------------------

MAX_GUIDANCE = 20.0
"""The largest guidance scale w that a reader may ask for, on every page."""

GUIDANCE_STOPS = (
    *(0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0),
    *(7.5, 8.0, 10.0, 12.0, 15.0, MAX_GUIDANCE),
)
"""The guidance scales that are offered; 7.5 is what text-to-image pipelines start with."""

# Data -------------------------------------------------------------------------------------------

OWN: dict[str, tuple[Text, Kind, str]] = {
    "drawing": (Text("Drawing", "Points that you draw."), "2-D", "draw"),
    "cloud": (
        Text("Points of a picture", "Points sampled from the dark parts of your picture."),
        "2-D",
        "image",
    ),
    "table": (
        Text("Your table", "Points of a table that you upload: CSV, TSV or other plain text."),
        "2-D",
        "table",
    ),
    "picture": (Text("Your picture", "A picture that you upload."), "image", "upload"),
}
"""Data that a reader makes: name to what it is, its kind (a table may be 1-D too) and its icon."""


Numbers: TypeAlias = dict[str, tuple[str, ...]]
"""The names of the fields that lead to each number of a config."""


@dataclass(frozen=True)
class Picture:
    """A decoded upload: pixels (H, W, C), uint8, as bytes, so that it can be part of a key."""

    shape: tuple[int, ...]
    data: bytes = field(repr=False)

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
        table: the points of an uploaded table, where these are the data.
    """

    name: str = among("moons", DATASETS, IMAGE_DATASETS, OWN)
    n: int = within(2000, 1, MAX_POINTS)
    seed: int = within(0, 0, MAX_SEED)
    text: str = ""
    drawing: str = ""
    picture: Picture | None = None
    table: Sample | None = None

    @property
    def numbers(self) -> Numbers:
        """Where its numbers are, by their words in an address."""
        return {"n": ("n",)}

    @property
    def kind(self) -> Kind:
        """Whether these are numbers, points in the plane or images."""
        return "1-D" if self.table is not None and self.table.dim == 1 else kind_of(self.name)

    @property
    def title(self) -> str:
        """The name as people read it."""
        return text_of(self.name).title

    @property
    def classes(self) -> int:
        """How many classes ``labelled`` tells apart; 1 where there are none."""
        if self.table is not None:
            return max(len(self.table.classes), 1)
        if self.name in INFO:
            return INFO[self.name].classes
        return len(IMAGE_INFO[self.name].classes) if self.name in IMAGE_INFO else 1

    def load(self) -> Tensor:
        """The data: points (n, D) or images (n, C, H, W) in [-1, 1], float32.

        Raises:
            ValueError: text that draws nothing, an empty drawing, a flat or missing picture, a
                missing table.
        """
        return self.labelled()[0]

    def fresh(self, n: int, seed: int) -> Tensor:
        """N of the same data, drawn anew: of a table its rows, each as often as chance wants it."""
        if self.table is not None:
            return self.table.draw(n, seed, again=True)[0]
        return replace(self, n=n, seed=seed).load()

    def labelled(self) -> tuple[Tensor, Tensor]:
        """The data and the class of each item, (n,) int64; raises as ``load`` does."""
        if self.name in IMAGE_DATASETS:
            return labelled_images(self.name, self.n, self.seed)
        if self.name in DATASETS and self.name != "text":
            return labelled(self.name, self.n, self.seed)
        if self.name == "table":
            if self.table is None:
                raise ValueError(_MISSING.format(what="table", many="tables"))
            return self.table.draw(self.n, self.seed)
        data = self._own()
        return data, torch.zeros(len(data), dtype=torch.int64)

    def _own(self) -> Tensor:
        if self.name == "text":
            return from_text(self.text, self.n, self.seed)
        if self.name == "drawing":
            return from_drawing(decode_points(self.drawing), self.n, self.seed)
        if self.picture is None:
            raise ValueError(_MISSING.format(what="picture", many="pictures"))
        if self.name == "cloud":
            return from_image(self.picture.pixels(), self.n, self.seed)
        pixels = torch.from_numpy(self.picture.pixels().copy()).permute(2, 0, 1)
        return (pixels.to(torch.float32) / 127.5 - 1)[None].contiguous()


_MISSING = (
    "No {what} is here yet ({many} do not travel with links): choose one with the button beside "
    "the data."
)


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
    name: Text(kind.title, kind.sentence) for name, kind in SCHEDULES.items()
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
LOADED = "loaded"
"""The name of a schedule that came from a scheduler's file."""

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


DEFAULT_CURVE: CurvePoints = Custom().points


@dataclass(frozen=True)
class ScheduleConfig:
    """A choice of schedule.

    Attributes:
        name: a key of ``SCHEDULES``, or ``LOADED``.
        T: how many noisings a discrete schedule has; without meaning for the others.
        params: the constructor's other arguments, as (name, value) pairs.
        zero_snr: whether a discrete schedule is rescaled to end in pure noise.
        points: the control points of the custom schedule, (t, alpha-bar); empty for the others.
        source: what the file of a loaded schedule says; empty for the others.
        tokens: of the picture, where that file shifts its time by their number.
    """

    name: str = among("linear", SCHEDULES, [LOADED])
    T: int = within(1000, 2, MAX_T)
    params: tuple[tuple[str, float], ...] = ()
    zero_snr: bool = False
    points: CurvePoints = ()
    source: str = ""
    tokens: int | None = None

    @property
    def numbers(self) -> Numbers:
        """Where its numbers are, by their words in an address."""
        return {"T": ("T",)} | {name: ("params", name) for name, _ in self.params}

    @property
    def file(self) -> LoadedConfig | None:
        """What the file of a loaded schedule says; raises ``ConfigError`` where it is none."""
        return _read(self.source, self.tokens) if self.source else None

    @property
    def discrete(self) -> bool:
        """Whether the schedule is a chain of T noisings."""
        if self.source:
            return isinstance(self.build(), DiscreteVP)
        return issubclass(SCHEDULES[self.name], DiscreteVP)

    @property
    def title(self) -> str:
        """The name as people read it."""
        if self.file is not None:
            return f"{self.file.title} (file)"
        return SCHEDULE_TEXT[self.name].title

    def check(self) -> None:
        """Raise ``ValueError`` for parameters that cannot be had."""
        if not self.source:
            _check_knobs(self.params, SCHEDULE_KNOBS.get(self.name, ()), self.name)

    def build(self) -> Schedule:
        """The schedule; the same object for the same choice.

        Raises:
            ValueError: parameters that make no schedule, in words for the reader.
        """
        return _build_schedule(self)


def _check_knobs(
    params: tuple[tuple[str, float], ...], knobs: tuple[Knob, ...], title: str
) -> None:
    """Raise ``ValueError`` for parameters that are no knobs, out of range, or given twice."""
    known = {knob.name: knob for knob in knobs}
    if len({name for name, _ in params}) < len(params):
        raise ValueError("params gives a parameter more than once")
    for name, value in params:
        if name not in known:
            raise ValueError(f"{title} has no parameter {name[:40]}")
        low, high = known[name].low, known[name].high
        if not low <= value <= high:
            raise ValueError(f"{name} is {value:g}: it must be from {low:g} to {high:g}")


@lru_cache(maxsize=32)
def _read(source: str, tokens: int | None) -> LoadedConfig:
    return load_config(source, tokens)


@lru_cache(maxsize=256)
def _build_schedule(config: ScheduleConfig) -> Schedule:
    if config.file is not None:
        return config.file.schedule
    if config.name not in SCHEDULES:
        raise ValueError("No scheduler's file is here: choose one with the button beside the path.")
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

SPACING_TEXT: dict[str, Text] = {
    "leading": Text(
        "Leading",
        "Even stops from the clean end; never sees pure noise. The last step starts where hardly "
        "any is left, so two steps do little more than one.",
    ),
    "trailing": Text("Trailing", "Even stops from the noisy end."),
    "linspace": Text(
        "Linspace",
        "Even stops with both ends. The last step starts where hardly any noise is left, so two "
        "steps do little more than one.",
    ),
    "log_snr": Text("Even in log-SNR", "Every step raises the log-SNR by the same amount."),
    "karras": Text("Karras", "Dense near the data (rho = 7)."),
    "quadratic": Text("Quadratic", "Denser near the data, evenly in the square root of time."),
}

FILE_TEXT = Text("As the file says", "The very stops of diffusers by this scheduler's file.")
"""The spacing ``grids.FILE``, which only a loaded schedule has."""

VARIABLE_TEXT: dict[str, Text] = {
    "auto": Text(
        "As the field does", "x / alpha over sigma / alpha; along a flow from pure noise x over t."
    ),
    **{name: Text(each.title, each.sentence) for name, each in VARIABLES.items()},
}
_CHAINED = frozenset({"leading", "trailing", "linspace"})


@dataclass(frozen=True)
class SamplerConfig:
    """A choice of sampler and of how it walks.

    Attributes:
        name: a key of ``SAMPLERS``.
        steps: how many steps, at least 1.
        spacing: a key of ``SPACINGS``, or ``grids.FILE``.
        params: the constructor's arguments, as (name, value) pairs: eta, churn, snr.
        variable: what a sampler that has the choice integrates in: a key of ``VARIABLE_TEXT``.
        seed: of the starting noise and of the noise added on the way.
    """

    name: str = among("ddim", SAMPLERS)
    steps: int = within(50, 1, MAX_STEPS)
    spacing: str = among("trailing", SPACINGS, [FILE])
    params: tuple[tuple[str, float], ...] = ()
    variable: str = among("auto", VARIABLE_TEXT)
    seed: int = within(0, 0, MAX_SEED)

    @property
    def title(self) -> str:
        """The name as people read it."""
        return SAMPLERS[self.name].title

    @property
    def numbers(self) -> Numbers:
        """Where its numbers are, by their words in an address."""
        return {"steps": ("steps",)} | {name: ("params", name) for name, _ in self.params}

    def on(self, schedule: ScheduleConfig) -> SamplerConfig:
        """The same with as many steps as a schedule has."""
        return replace(self, steps=steps_on(self.steps, self.spacing, schedule.build()))

    def at_most(self, steps: int) -> SamplerConfig:
        """The same with no more than so many steps, and at least one."""
        return replace(self, steps=min(self.steps, max(steps, 1)))

    @property
    def chosen_variable(self) -> str | None:
        """The variable asked for, a key of ``VARIABLES``; None for the sampler's own choice."""
        fits = self.variable in VARIABLES and takes_variable(self.name)
        return self.variable if fits else None

    def check(self) -> None:
        """Raise ``ValueError`` for parameters that cannot be had."""
        _check_knobs(self.params, knobs_of(SAMPLERS[self.name]), self.title)

    def build(self) -> Sampler:
        """The sampler."""
        arguments: dict[str, Any] = dict(self.params)
        if self.chosen_variable is not None:
            arguments["variable"] = VARIABLES[self.chosen_variable]
        return SAMPLERS[self.name](**arguments)

    def grid(self, schedule: Schedule) -> Tensor:
        """The (steps + 1,) times of a run on this schedule, at most as many steps as it has."""
        return grid_of(schedule, steps_on(self.steps, self.spacing, schedule), self.spacing)

    def plan(
        self, denoiser: Denoiser, schedule: Schedule, shape: tuple[int, ...], samples: int
    ) -> Plan:
        """A run of a denoiser on a schedule, to so many samples of a shape."""
        grid = self.grid(schedule)
        return Plan(denoiser, schedule, self.build(), grid, shape, samples, self.seed)


@lru_cache(maxsize=256)
def grid_of(schedule: Schedule, steps: int, spacing: str) -> Tensor:
    """The (steps + 1,) times of a run on a schedule that a config has built; the same tensor."""
    return make_grid(schedule, steps, spacing)


def takes_variable(name: str) -> bool:
    """Whether a sampler can be told what to integrate in."""
    return "variable" in signature(SAMPLERS[name]).parameters


def steps_on(steps: int, spacing: str, schedule: Schedule) -> int:
    """How many of the steps asked for a schedule has, as a short chain or a file limits them."""
    if spacing == FILE:
        return nearest_steps(schedule, steps)
    if isinstance(schedule, DiscreteVP) and spacing in _CHAINED:
        return min(steps, schedule.T)
    return steps
