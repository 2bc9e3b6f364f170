"""The scheduler_config.json of the diffusers library, read as a schedule and written from one.

Such a file names a class and that class's arguments; those that set the noise schedule are read
here, those that set how a sampler runs are left alone.  A file is untrusted: whatever is wrong with
it becomes a ``ConfigError`` in words for the person who chose it.

| what the file says                                   | schedule                                |
|------------------------------------------------------|-----------------------------------------|
| trained_betas                                        | those betas                             |
| beta_schedule linear, scaled_linear                  | ``Linear``, ``ScaledLinear``            |
| beta_schedule squaredcos_cap_v2                      | ``Cosine``                              |
| beta_schedule sigmoid                                | beta itself an S from start to end      |
| rescale_betas_zero_snr                               | the above, to zero terminal SNR         |
| FlowMatch...Scheduler, or use_flow_sigmas            | ``RectifiedFlow``, or ``ShiftedFlow``   |
| EDM...Scheduler, KarrasVeScheduler, CMStochastic...  | ``EDM``                                 |
| ScoreSdeVeScheduler, ScoreSdeVpScheduler             | ``VE``, ``VP``                          |
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diffviz.curves import chain
from diffviz.schedules import (
    EDM,
    VE,
    VP,
    Cosine,
    DiscreteVP,
    Linear,
    RectifiedFlow,
    ScaledLinear,
    Schedule,
    zero_terminal_snr,
)

__all__ = ["MAX_BYTES", "ConfigError", "LoadedConfig", "ShiftedFlow", "load_config", "to_config"]

MAX_BYTES = 1_000_000
"""The largest file that is read."""

_MIN_T, _MAX_T = 2, 1000
_SIGMOID_REACH = 6.0
_LONGEST_NAME = 60


class ConfigError(ValueError):
    """A config that is no schedule; the message says what happened, why, and what to do."""


@dataclass(frozen=True)
class LoadedConfig:
    """A config that could be read.

    Attributes:
        name: the scheduler's class, as the file names it.
        kind: what sets its noise: a beta_schedule, "trained_betas", "flow", "EDM", "VE" or "VP".
        schedule: the schedule.
        notes: what of the file is not drawn, in sentences for the reader.
        source: the part of the file that was used, as JSON without spaces; loads to the same.
    """

    name: str
    kind: str
    schedule: Schedule
    notes: tuple[str, ...] = ()
    source: str = ""


class ShiftedFlow(Schedule):
    """Rectified flow with its time bent towards the noise: sigma = s t / (1 + (s - 1) t).

    Source: Esser et al. 2024, "Scaling Rectified Flow Transformers for High-Resolution Image
    Synthesis", eq. 23; s = 1 is the straight line.

    Args:
        shift: s, above 0.
    """

    def __init__(self, shift: float = 3.0) -> None:
        if not 0 < shift < math.inf:
            raise ValueError("shift must be a positive number")
        self.shift = shift

    def _path(self, t: Tensor) -> tuple[Tensor, Tensor]:
        bend = 1 + (self.shift - 1) * t
        return (1 - t) / bend, self.shift * t / bend

    def _slope(self, t: Tensor) -> tuple[Tensor, Tensor]:
        d_sigma = self.shift / (1 + (self.shift - 1) * t) ** 2
        return -d_sigma, d_sigma


def load_config(data: bytes | str) -> LoadedConfig:
    """Read a scheduler_config.json.

    Args:
        data: the whole file.

    Raises:
        ConfigError: too large, not JSON, not an object, no known schedule in it, or an argument
            that is missing, of the wrong type or out of range.
    """
    config = _Config(_parse(data))
    name = config.class_name()
    kind, build = _reader(config, name)
    try:
        schedule = build(config)
        if isinstance(schedule, DiscreteVP) and config.flag("rescale_betas_zero_snr"):
            schedule = zero_terminal_snr(schedule)
    except ConfigError:
        raise
    except ValueError as error:  # what the schedule itself refuses
        raise ConfigError(
            f"This config makes no schedule: {error}. Correct the value in the file and load it "
            "again."
        ) from error
    return LoadedConfig(name, kind, schedule, _notes(config), config.used())


def to_config(schedule: Schedule) -> dict[str, Any]:
    """Return a config that diffusers reads as this schedule.

    A chain that diffusers has no word for, and a continuous variance-preserving path, become
    trained_betas (a continuous one cut into 1,000 noisings).

    Raises:
        ConfigError: the path is neither variance preserving, a flow, EDM nor VE.
    """
    if isinstance(schedule, RectifiedFlow | ShiftedFlow):
        shift = schedule.shift if isinstance(schedule, ShiftedFlow) else 1.0
        return {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "num_train_timesteps": 1000,
            "shift": shift,
        }
    if isinstance(schedule, EDM):
        return {"_class_name": "EDMEulerScheduler", "sigma_max": schedule.sigma_max}
    if isinstance(schedule, VE):
        return {
            "_class_name": "ScoreSdeVeScheduler",
            "sigma_min": schedule.sigma_min,
            "sigma_max": schedule.sigma_max,
        }
    return {"_class_name": "DDIMScheduler", "clip_sample": False} | _betas(schedule)


def _betas(schedule: Schedule) -> dict[str, Any]:
    if isinstance(schedule, Linear | ScaledLinear):
        word = "linear" if isinstance(schedule, Linear) else "scaled_linear"
        return {
            "num_train_timesteps": schedule.T,
            "beta_schedule": word,
            "beta_start": schedule.beta_start,
            "beta_end": schedule.beta_end,
        }
    if isinstance(schedule, Cosine) and schedule.s == 0.008:
        return {"num_train_timesteps": schedule.T, "beta_schedule": "squaredcos_cap_v2"}
    table = chain(schedule)
    if not torch.allclose(table.alpha**2 + table.sigma**2, torch.ones(1, dtype=torch.float64)):
        raise ConfigError(
            f"diffusers has no scheduler for {type(schedule).__name__}: only variance-preserving "
            "paths, flows, EDM and VE can be written. Download the numbers as CSV or JSON instead."
        )
    return {"num_train_timesteps": len(table.t), "trained_betas": table.beta.tolist()}


# Reading ----------------------------------------------------------------------------------------


class _Config:
    """The arguments in a file, each checked as it is read; null counts as not given."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._asked: list[str] = []

    def _get(self, key: str) -> Any:
        self._asked.append(key)
        return self._values.get(key)

    def used(self) -> str:
        asked = {key: self._values[key] for key in self._asked if key in self._values}
        kept = {
            key: value for key, value in asked.items() if value is not None and value is not False
        }
        return json.dumps(kept, separators=(",", ":"))

    def has(self, key: str) -> bool:
        return self._get(key) is not None

    def class_name(self) -> str:
        name = "scheduler" if not self.has("_class_name") else self._get("_class_name")
        if not isinstance(name, str) or not name.isidentifier() or len(name) > _LONGEST_NAME:
            raise ConfigError(
                f"_class_name is {_shown(name)}, which is no name of a class: use the file that "
                "diffusers wrote."
            )
        return name

    def flag(self, key: str) -> bool:
        given = self._get(key)
        if given is not None and not isinstance(given, bool):
            raise ConfigError(f"{key} is {_shown(given)}, and must be true or false.")
        return bool(given)

    def number(self, key: str, default: float | None = None) -> float:
        given = self._get(key)
        if given is None:
            if default is None:
                raise ConfigError(
                    f"{key} is missing from this config, and the schedule needs it: add it, or "
                    "choose the complete file that diffusers wrote."
                )
            return default
        return _number(key, given)

    def word(self, key: str) -> str:
        given = self._get(key)
        if not isinstance(given, str):
            raise ConfigError(f"{key} is {_shown(given)}, and must be a word in quotes.")
        return given

    def length(self) -> int:
        given = self.number("num_train_timesteps")
        if not float(given).is_integer():
            raise ConfigError(f"num_train_timesteps is {given:g}, and must be a whole number.")
        return _length(int(given), "num_train_timesteps is")

    def betas(self) -> list[float]:
        given = self._get("trained_betas")
        if not isinstance(given, list):
            raise ConfigError(f"trained_betas is {_shown(given)}, and must be a list of numbers.")
        _length(len(given), "trained_betas has a length of")
        return [_number(f"trained_betas[{k}]", value) for k, value in enumerate(given)]


def _parse(data: bytes | str) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"This file has {len(data) / 1e6:.1f} MB and a scheduler config has a few lines: "
            f"at most {MAX_BYTES / 1e6:.0f} MB are read. Choose the file scheduler_config.json."
        )
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        values = json.loads(text, parse_constant=_no_constant)
    except ConfigError:
        raise
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(
            f"This file is not valid JSON ({error.msg.removesuffix(' at')} at {where}): mend it, "
            "or choose the file scheduler_config.json that diffusers wrote."
        ) from error
    except (ValueError, RecursionError) as error:  # bytes that are no text, or nested without end
        raise ConfigError(
            "This file is not JSON text: choose the file scheduler_config.json that diffusers "
            "wrote."
        ) from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"This file holds {_shown(values)}, and a scheduler config is an object, "
            '{"_class_name": ..., ...}: choose the file scheduler_config.json.'
        )
    return values


def _no_constant(word: str) -> float:
    raise ConfigError(f"This file holds {word}, which is not a number: give a finite value.")


def _reader(config: _Config, name: str) -> tuple[str, Callable[[_Config], Schedule]]:
    if config.has("trained_betas"):
        return "trained_betas", lambda c: DiscreteVP(c.betas())
    if name.startswith("FlowMatch"):
        return "flow", lambda c: _flow(c.number("shift", 1.0))
    if config.flag("use_flow_sigmas"):
        return "flow", lambda c: _flow(c.number("flow_shift", 1.0))
    for kind, (classes, build) in _CONTINUOUS.items():
        if name in classes:
            return kind, build
    if not config.has("beta_schedule"):
        raise ConfigError(
            f"This config of a {name} has no beta_schedule and no trained_betas, so it says "
            "nothing about the noise: choose the scheduler_config.json of a diffusion model."
        )
    word = config.word("beta_schedule")
    if word not in _CHAINS:
        raise ConfigError(
            f"beta_schedule is {_shown(word)}, and only {', '.join(_CHAINS)} are read: choose "
            "another config, or write the betas into trained_betas."
        )
    return word, _CHAINS[word]


def _notes(config: _Config) -> tuple[str, ...]:
    if not config.flag("use_dynamic_shifting"):
        return ()
    return (
        "This model shifts its time by the size of the image; the file's fixed shift is drawn.",
    )


def _flow(shift: float) -> Schedule:
    return RectifiedFlow() if shift == 1 else ShiftedFlow(shift)


def _linear(config: _Config) -> Schedule:
    return Linear(config.length(), config.number("beta_start"), config.number("beta_end"))


def _scaled_linear(config: _Config) -> Schedule:
    start, end = config.number("beta_start"), config.number("beta_end")
    if start < 0 or end < 0:
        raise ConfigError("beta_start and beta_end are variances: give numbers from 0 to 1.")
    return ScaledLinear(config.length(), start, end)


def _sigmoid(config: _Config) -> Schedule:
    start, end = config.number("beta_start"), config.number("beta_end")
    rise = torch.linspace(-_SIGMOID_REACH, _SIGMOID_REACH, config.length(), dtype=torch.float64)
    return DiscreteVP(torch.sigmoid(rise) * (end - start) + start)


def _ve(config: _Config) -> Schedule:
    return VE(config.number("sigma_min"), config.number("sigma_max"))


def _vp(config: _Config) -> Schedule:
    return VP(config.number("beta_min"), config.number("beta_max"))


_CHAINS: dict[str, Callable[[_Config], Schedule]] = {
    "linear": _linear,
    "scaled_linear": _scaled_linear,
    "squaredcos_cap_v2": lambda config: Cosine(config.length()),
    "sigmoid": _sigmoid,
}

_CONTINUOUS: dict[str, tuple[tuple[str, ...], Callable[[_Config], Schedule]]] = {
    "EDM": (
        (
            "EDMEulerScheduler",
            "EDMDPMSolverMultistepScheduler",
            "CosineDPMSolverMultistepScheduler",
            "CMStochasticIterativeScheduler",
            "KarrasVeScheduler",
        ),
        lambda config: EDM(config.number("sigma_max")),
    ),
    "VE": (("ScoreSdeVeScheduler",), _ve),
    "VP": (("ScoreSdeVpScheduler",), _vp),
}


def _number(key: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ConfigError(f"{key} is {_shown(given)}, and must be a number.")
    try:
        amount = float(given)
    except OverflowError:
        amount = math.inf
    if not math.isfinite(amount):
        raise ConfigError(f"{key} is beyond what a number can hold: give a finite value.")
    return amount


def _length(given: int, what: str) -> int:
    if not _MIN_T <= given <= _MAX_T:
        raise ConfigError(
            f"{what} {given:,}, and chains of {_MIN_T} to {_MAX_T:,} noisings are drawn: change it "
            "in the file and load that again."
        )
    return given


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}…"
