r"""Where a run stops by a scheduler's file: the steps that diffusers itself takes.

A stop is the timestep that the network is told, and a noise level.  Chains count their noisings
from 0, so that timestep k is t = (k + 1) / T here; timesteps between two noisings, and levels that
are spread anew, lie where the path has that level.  What a class fixes by itself:

| even stops    | classes                                 | n stops from the noisy end           |
|---------------|-----------------------------------------|--------------------------------------|
| ``whole``     | DDPM, DDIM, PNDM, CogVideoX, unCLIP     | over 0 to T - 1, rounded             |
| ``real``      | Euler, Heun, LMS, KDPM2, DPM-Solver SDE | the same, linspace not rounded       |
| ``inner``     | DPM-Solver, UniPC, DEIS, SA-Solver      | n + 1 of them without the last one   |
| ``distilled`` | LCM, TCD                                | some of ``original_inference_steps`` |

Levels are spread anew from the first stop's to the last one's (``real``) or over the whole chain
(``inner``): as Karras et al. 2022, eq. 5, evenly in log-sigma, or by the quantiles of a beta
distribution.  The last step goes to noise 0 (``zero``), to the level of the first noising
(``first``), to either by an argument (``alpha``: set_alpha_to_one; ``sigma``, ``sigma again``:
final_sigmas_type), or nowhere, to the last stop again (``again``).  A step of no length is no step
here.

diffusers keeps the levels of a chain in float32 and finds whole timesteps by rounding those, so
that this table is kept in float32 here, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.schedules import DiscreteVP, Schedule
from diffviz.exchange.scheduler_file import SchedulerFile

__all__ = ["FLOOR", "FLOORED", "SPREADS", "FileStops", "NoStops", "ReadPath", "Walk", "stops_of"]

Floats: TypeAlias = NDArray[np.float64]

FLOOR = 2.0**-24
"""Alpha-bar at the end of a chain rescaled to zero terminal SNR, in the classes ``FLOORED``."""

FLOORED = frozenset(
    f"{name}Scheduler"
    for name in ("EulerDiscrete", "EulerAncestralDiscrete", "DPMSolverMultistep", "UniPCMultistep")
)

_RHO = 7.0
_RHOS = (0.5, 100.0)
_BETA = 0.6
_SAME = 1e-5  # of a time: two stops as near as that are one
_EDGE = 1e-6  # UniPC's flow starts so far below pure noise
_SPACINGS = ("leading", "trailing", "linspace")
SPREADS = {
    "use_karras_sigmas": "karras",
    "use_exponential_sigmas": "exponential",
    "use_beta_sigmas": "beta",
    "use_lu_lambdas": "lu",
}
"""How levels are spread anew, by the argument that asks for it."""


class NoStops(ValueError):
    """What a file asks for is not walked here; the message says why."""


class ReadPath(NamedTuple):
    """The path that a file says.

    Attributes:
        schedule: the path; its chain, if rescaled, ends at ``FLOOR`` where its class says so and
            the chain before it leaves room for that.
        betas: (T,) float32 variances of its chain before any rescaling, None where it has none.
        shift: of its flow.
    """

    schedule: Schedule
    betas: Tensor | None
    shift: float


class Walk(NamedTuple):
    """A run as diffusers makes it.

    Attributes:
        timesteps: (S,) what the network is told at each stop.
        sigmas: (S + 1,) noise levels: sigma / alpha of a chain, sigma of any other path.
        times: (S + 1,) the same as times on the path.
    """

    timesteps: Floats
    sigmas: Floats
    times: Floats


Walker: TypeAlias = Callable[[int], Walk]
"""The run of so many ``num_inference_steps``; raises ``ValueError`` where there is none."""


@dataclass(frozen=True, eq=False)
class FileStops:
    """The stops of one file: call it with a number of steps.

    Attributes:
        name: the scheduler's class.
        walk: what diffusers does.
        source: the file, as far as it is read.
    """

    name: str
    walk: Walker
    source: str

    def __call__(self, steps: int) -> Tensor:
        """Return the (steps + 1,) float64 times of a run of so many steps, strictly falling.

        Raises:
            ValueError: if the file allows no such run.
        """
        return torch.tensor(self._run(steps)[1], dtype=torch.float64)

    def asked(self, steps: int) -> int:
        """How many ``num_inference_steps`` make a run of so many steps; raises as the call does."""
        return self._run(steps)[0]

    def told(self, steps: int) -> tuple[Floats, Floats]:
        """The times of a run's stops, rising, and the timesteps that the network is told there.

        Raises:
            ValueError: as the call does.
        """
        walk = self.walk(self.asked(steps))
        return walk.times[: len(walk.timesteps)][::-1], walk.timesteps[::-1]

    def _run(self, steps: int) -> tuple[int, list[float]]:
        for asked in (steps, steps + 1):
            times = _distinct(self.walk(asked).times)
            if len(times) == steps + 1:
                return asked, times
        raise ValueError(f"{self.name} has no run of {steps:,} different steps by this file")


def stops_of(file: SchedulerFile, path: ReadPath) -> FileStops:
    """Return the stops of a file whose other values have been read before.

    Raises:
        NoStops: if its class, or what it asks for, is not walked here.
        ConfigError: if a value is out of range.
    """
    if file.name not in _WALKS:
        raise NoStops(_NOT_WALKED.get(file.name, "this class is not known here"))
    walk = _WALKS[file.name](file, path)
    return FileStops(file.name, walk, file.used())


def _distinct(times: Floats) -> list[float]:
    kept = [float(times[0])]
    for t in times[1:].tolist():
        if not t < kept[-1] * (1 + _SAME):
            raise ValueError("the stops of such a run do not fall from noise to data")
        if t < kept[-1] * (1 - _SAME):
            kept.append(t)
    return kept


# Chains -----------------------------------------------------------------------------------------


class _Table:
    """The levels of a chain, as diffusers holds them and as the path has them."""

    def __init__(self, file: SchedulerFile, schedule: Schedule, betas: Tensor) -> None:
        self.schedule, self.T = schedule, len(betas)
        share = torch.cumprod(1 - betas, 0)
        if file.flag("rescale_betas_zero_snr"):
            root = share.sqrt()
            share = ((root - root[-1]) * (root[0] / (root[0] - root[-1]))) ** 2
            share = torch.cumprod(torch.cat([share[:1], share[1:] / share[:-1]]), 0)
            if file.name in FLOORED:
                share[-1] = FLOOR
        self._share = share
        self.sigmas = (((1 - share) / share) ** 0.5).numpy()
        self._logs = np.log(self.sigmas)

    def below(self, floor: float) -> int:
        """How many noisings have a log(alpha / sigma) below a number."""
        return int((self._share.sqrt().log() - (1 - self._share).sqrt().log() < floor).sum())

    def timesteps(self, sigmas: Floats) -> Floats:
        """The timesteps of levels, evenly in log-sigma between two noisings."""
        level = np.log(np.maximum(sigmas, 1e-10))
        low = np.clip(np.searchsorted(self._logs, level, side="right") - 1, 0, self.T - 2)
        near, far = self._logs[low], self._logs[low + 1]
        share = np.clip((near - level) / (near - far), 0, 1)
        found: Floats = (1 - share) * low + share * (low + 1)
        return found

    def at(self, timesteps: Floats) -> tuple[Floats, Floats]:
        """The levels and times of even stops; between two noisings the level lies evenly."""
        if timesteps.min() < 0 or timesteps.max() > self.T - 1:
            raise ValueError(f"such a run stops outside of the {self.T:,} noisings of its chain")
        whole = timesteps == timesteps.round()
        times = (timesteps + 1) / self.T
        between = np.interp(timesteps[~whole], np.arange(self.T), self.sigmas)
        times[~whole] = self.times(between)
        return self.levels(times), times

    def times(self, sigmas: Floats) -> Floats:
        """The times at which the path has these levels."""
        found: Floats = self.schedule.t_at_log_snr(torch.tensor(-2 * np.log(sigmas))).numpy()
        return found

    def levels(self, times: Floats) -> Floats:
        """The levels of the path at some times."""
        found: Floats = torch.exp(-self.schedule.log_snr(torch.tensor(times)) / 2).numpy()
        return found


@dataclass(frozen=True)
class _Chain:
    """How a class walks a chain of noisings: see the table at the top.

    Attributes:
        even: which even stops, a key of ``_EVEN``.
        ends: where the last step goes.
        cut: whether all its timesteps are whole, those of spread levels cut.
        rounds: the spreads whose timesteps are rounded.
        exact_on: the beta_schedule on which it does not round them.
        own_ends: the spreads that sigma_min and sigma_max bound.
        spacing: the only one it has; empty where the file chooses.
        least: the fewest steps that it makes.
        spared: the argument that spares it that.
    """

    even: str
    ends: str
    cut: bool = False
    rounds: tuple[str, ...] = ()
    exact_on: str = ""
    own_ends: tuple[str, ...] = ("karras", "exponential", "beta")
    spacing: str = ""
    least: int = 1
    spared: str = ""

    def __call__(self, file: SchedulerFile, path: ReadPath) -> Walker:
        """Return how a file walks; raises ``NoStops``."""
        spread = _spread(file)
        assert path.betas is not None
        table = _Table(file, path.schedule, path.betas)
        if not isinstance(path.schedule, DiscreteVP):
            return _flow_chain(file, path, self, table, spread)
        if file.length() != table.T:
            raise NoStops(
                f"its num_train_timesteps, {file.length():,}, are not its {table.T:,} betas"
            )
        if table.sigmas[-1] < table.sigmas[-2]:
            raise NoStops(
                f"diffusers sets the last level of this rescaled chain to {table.sigmas[-1]:,.0f}, "
                f"below the one before it, {table.sigmas[-2]:,.0f}"
            )
        least = 1 if self.spared and file.flag(self.spared) else self.least
        clipped = table.below(file.floor("lambda_min_clipped"))
        evenly = _EVEN[self.even](file, table.T, table.T - clipped, self.spacing)
        if file.text("interpolation_type") not in ("", "linear"):
            raise NoStops("its interpolation_type is another than linear")
        v_of_sigma = file.says("timestep_type", "continuous") and file.says(
            "prediction_type", "v_prediction"
        )
        end, low, high = _end(file, self.ends, spread), None, None
        if spread in self.own_ends:
            low, high = (_optional(file, key) for key in ("sigma_min", "sigma_max"))
        most = float(table.sigmas[-1])
        if (high or 0) > most * (1 + _SAME) or (low or 0) >= (high or most):
            raise NoStops("its sigma_min and sigma_max are not two levels of its chain")
        exact = self.exact_on != "" and file.says("beta_schedule", self.exact_on)
        rounded = spread in self.rounds and not exact

        def walk(n: int) -> Walk:
            if n < least:
                raise ValueError(f"{file.name} makes at least {least} steps")
            timesteps = evenly(n)
            if not spread:
                sigmas, times = table.at(timesteps)
                told = _quarter_log(sigmas) if v_of_sigma else timesteps
                return _ended(table, told, sigmas, times, end)
            ends = table.sigmas[[-1, 0]]
            if self.even == "real":
                ends = np.interp(timesteps[[0, -1]], np.arange(table.T), table.sigmas)
            top, bottom = high or float(ends[0]), low or float(ends[1])
            sigmas = _spread_out(spread, top, bottom, n)
            timesteps = table.timesteps(sigmas)
            timesteps = timesteps.round() if rounded else timesteps
            timesteps = np.trunc(timesteps) if self.cut else timesteps
            timesteps = _quarter_log(sigmas) if v_of_sigma else timesteps
            return _ended(table, timesteps, sigmas, table.times(sigmas), end)

        return walk


def _ended(table: _Table, timesteps: Floats, sigmas: Floats, times: Floats, end: str) -> Walk:
    time = {"zero": 0.0, "first": 1 / table.T, "again": float(times[-1])}[end]
    level = float(sigmas[-1]) if end == "again" else float(table.levels(np.array([time]))[0])
    return Walk(timesteps, np.append(sigmas, level), np.append(times, time))


def _end(file: SchedulerFile, ends: str, spread: str) -> str:
    """Where the last step goes: to "zero", "first" or "again"."""
    if ends == "alpha":
        return "zero" if file.flag("set_alpha_to_one") else "first"
    if ends.startswith("sigma"):
        if file.word("final_sigmas_type", ("zero", "sigma_min")) == "zero":
            return "zero"
        ends = ends.removeprefix("sigma").strip() or "first"
    return ends if spread or ends != "again" else "first"


def _spread(file: SchedulerFile) -> str:
    """How levels are spread anew, empty where they are not."""
    chosen = [spread for key, spread in SPREADS.items() if file.flag(key)]
    if len(chosen) > 1:
        raise NoStops(f"it asks for {' and '.join(chosen)} levels at once")
    return chosen[0] if chosen else ""


def _spread_out(spread: str, high: float, low: float, n: int, rho: float = _RHO) -> Floats:
    """Spread n levels from the highest to the lowest."""
    from scipy.special import betaincinv  # slow to import, seldom needed

    even = np.linspace(0, 1, n)
    levels: Floats
    if spread == "karras":
        top, bottom = high ** (1 / rho), low ** (1 / rho)
        levels = (top + even * (bottom - top)) ** rho
    elif spread == "beta":
        levels = low + betaincinv(_BETA, _BETA, 1 - even) * (high - low)
    elif spread == "lu":
        top, bottom = np.log(np.array([high, low], dtype=np.float32)).tolist()
        levels = np.exp(top + even * (bottom - top))
    else:
        levels = np.exp(np.linspace(math.log(high), math.log(low), n))
    return levels


def _optional(file: SchedulerFile, key: str) -> float | None:
    given = file.number(key, 0.0, hidden=True)
    return file.positive(key, hidden=True) if given else None


Evenly: TypeAlias = Callable[[int], Floats]


def _evenly(
    file: SchedulerFile, T: int, last: int, spacing: str, *, inner: bool, rounded: bool
) -> Evenly:
    """Stops over the first ``last`` of T noisings, as the file spaces them."""
    spacing = spacing or file.word("timestep_spacing", _SPACINGS)
    offset = (
        file.whole("steps_offset", 0) if spacing == "leading" and file.takes("steps_offset") else 0
    )

    def evenly(n: int) -> Floats:
        count = n + inner
        if spacing == "trailing":
            return np.arange(last, 0, -T / n).round() - 1
        if spacing == "leading":
            return (np.arange(count)[::-1][:n] * (last // count)).astype(float) + offset
        stops = np.linspace(0, last - 1, count)[::-1][:n]
        return stops.round() if rounded else stops.astype(np.float32).astype(float)

    return evenly


def _distilled(file: SchedulerFile, T: int, last: int, spacing: str) -> Evenly:
    """Stops among those of the teacher, from the noisiest one."""
    teacher = file.whole("original_inference_steps")
    if not 1 <= teacher <= T:
        raise NoStops(f"its original_inference_steps, {teacher:,}, are not 1 to {T:,}")
    stops = (np.arange(teacher, 0, -1) * (T // teacher) - 1).astype(float)

    def evenly(n: int) -> Floats:
        if n > teacher:
            raise ValueError(f"this file has at most {teacher} steps (original_inference_steps)")
        kept: Floats = stops[np.floor(np.linspace(0, teacher, n, endpoint=False)).astype(int)]
        return kept

    return evenly


_EVEN: Mapping[str, Callable[[SchedulerFile, int, int, str], Evenly]] = {
    "whole": partial(_evenly, inner=False, rounded=True),
    "real": partial(_evenly, inner=False, rounded=False),
    "inner": partial(_evenly, inner=True, rounded=True),
    "distilled": _distilled,
}


# Flows ------------------------------------------------------------------------------------------


def _shifted(sigmas: Floats, shift: float) -> Floats:
    return shift * sigmas / (1 + (shift - 1) * sigmas)


def _flow(path: ReadPath, timesteps: Floats, sigmas: Floats, end: float = 0.0) -> Walk:
    """A walk through levels of a flow, whose times are those levels with the shift undone."""
    sigmas = np.append(sigmas, end)
    if not 0 <= sigmas.min() <= sigmas.max() <= 1 + _SAME:
        raise ValueError("the levels of such a run leave the flow's 0 to 1")
    return Walk(timesteps, sigmas, _shifted(sigmas, 1 / path.shift).clip(0, 1))


def _stretched(sigmas: Floats, terminal: float) -> Floats:
    """The levels with their distance to noise scaled so that the last one is the terminal one."""
    if not terminal:
        return sigmas
    if len(sigmas) < 2:
        raise ValueError("a run that ends at shift_terminal makes at least 2 steps")
    stretched: Floats = 1 - (1 - sigmas) * ((1 - terminal) / (1 - sigmas[-1]))
    return stretched


def _terminal(file: SchedulerFile) -> float:
    given = file.number("shift_terminal", 0.0)
    if not 0 <= given < 1:
        raise NoStops(f"its shift_terminal, {given:g}, is no level between 0 and 1")
    return given


def _flow_chain(
    file: SchedulerFile, path: ReadPath, kind: _Chain, table: _Table, spread: str
) -> Walker:
    """The flow of a class that walks chains otherwise (use_flow_sigmas)."""
    within = kind.ends == "sigma again"  # UniPC's, whose flow starts at the noise
    if spread and not (within and spread == "karras"):
        raise NoStops(f"it spreads the levels of a flow as {spread} ones of a chain, beyond 1")
    end, terminal = _end(file, kind.ends, "flow"), _terminal(file)

    def walk(n: int) -> Walk:
        if spread:
            ratios = _spread_out(spread, float(table.sigmas[-1]), float(table.sigmas[0]), n)
            sigmas = ratios / (1 + ratios)
        elif within:
            sigmas = _shifted(np.linspace(1, 1 / table.T, n + 1)[:-1], path.shift)
            sigmas = np.minimum(_stretched(sigmas, terminal), 1 - _EDGE)
        else:
            sigmas = _shifted(1 - np.linspace(1, 1 / table.T, n + 1), path.shift)[::-1][:-1]
        last = {"zero": 0.0, "first": float(table.sigmas[0]), "again": float(sigmas[-1])}[end]
        return _flow(path, np.trunc(sigmas * table.T), sigmas, last)

    return walk


def _flow_match(file: SchedulerFile, path: ReadPath) -> Walker:
    """Even in the flow's time, from the noise to the first noising, with the shift on top."""
    T, terminal, spread = file.whole("num_train_timesteps"), _terminal(file), _spread(file)
    low, high = (_optional(file, key) if spread else None for key in ("sigma_min", "sigma_max"))
    inverted = file.flag("invert_sigmas")
    first = np.array(1 / T)
    if not file.flag("use_dynamic_shifting"):  # whose first noising is shifted already
        first = _shifted(first, path.shift)

    def walk(n: int) -> Walk:
        sigmas = _stretched(_shifted(np.linspace(1, first, n), path.shift), terminal)
        if spread:
            sigmas = _spread_out(spread, high or float(sigmas[0]), low or float(sigmas[-1]), n)
        return _flow(path, T * (1 - sigmas if inverted else sigmas), sigmas)

    return walk


def _flow_map(file: SchedulerFile, path: ReadPath) -> Walker:
    T = file.whole("num_train_timesteps")

    def walk(n: int) -> Walk:
        sigmas = _shifted(np.linspace(1, 0, n + 1)[:-1], path.shift)
        return _flow(path, T * sigmas, sigmas)

    return walk


def _pi_flow(file: SchedulerFile, path: ReadPath) -> Walker:
    """Even steps, the last of them shorter."""
    T, part = file.whole("num_train_timesteps"), file.positive("final_step_size_scale")
    if part > 1:
        raise NoStops(f"its final_step_size_scale, {part:g}, is above 1")

    def walk(n: int) -> Walk:
        sigmas = _shifted(1 - np.arange(n) / (n - 1 + part), path.shift)
        return _flow(path, T * sigmas, sigmas)

    return walk


def _both_ends(file: SchedulerFile, path: ReadPath) -> Walker:
    """Both ends in n stops, so n - 1 steps; its network counts from the noise."""

    def walk(n: int) -> Walk:
        if n < 2:
            raise ValueError(f"{file.name} makes at least 2 stops")
        sigmas = _shifted(np.linspace(1, 0, n), path.shift)[:-1]
        return _flow(path, 1 - sigmas, sigmas)

    return walk


# Noise levels as time ---------------------------------------------------------------------------


def _levels(path: ReadPath, timesteps: Floats, sigmas: Floats, end: float = 0.0) -> Walk:
    """A walk through levels of a path whose signal stays 1."""
    sigmas = np.append(sigmas, end)
    with np.errstate(divide="ignore"):
        times = path.schedule.t_at_log_snr(torch.tensor(-2 * np.log(sigmas))).numpy()
    return Walk(timesteps, sigmas, np.where(sigmas > 0, times, 0.0))


def _quarter_log(sigmas: Floats) -> Floats:
    return np.log(sigmas) / 4


def _arctan(sigmas: Floats) -> Floats:
    return np.arctan(sigmas) / np.pi * 2


def _rho(file: SchedulerFile) -> float:
    given = file.positive("rho")
    if not _RHOS[0] <= given <= _RHOS[1]:
        raise NoStops(f"its rho, {given:g}, is not within {_RHOS[0]:g} to {_RHOS[1]:g}")
    return given


def _edm(told: Callable[[Floats], Floats], file: SchedulerFile, path: ReadPath) -> Walker:
    spread = file.word("sigma_schedule", ("karras", "exponential"))
    low, high, rho = file.positive("sigma_min"), file.positive("sigma_max"), _rho(file)
    end = low if file.word("final_sigmas_type", ("zero", "sigma_min")) == "sigma_min" else 0.0

    def walk(n: int) -> Walk:
        sigmas = _spread_out(spread, high, low, n, rho)
        if spread == "exponential" and n == 1:
            sigmas = np.array([low])  # counted from the other end
        return _levels(path, told(sigmas), sigmas, (float(sigmas[-1]) if end else 0.0))

    return walk


def _consistency(file: SchedulerFile, path: ReadPath) -> Walker:
    """Stops of the teacher's Karras levels, which end at sigma_min."""
    T = file.length()
    low, high, rho = file.positive("sigma_min"), file.positive("sigma_max"), _rho(file)

    def walk(n: int) -> Walk:
        if n > T:
            raise ValueError(f"this file has at most {T:,} steps (num_train_timesteps)")
        sigmas = _spread_out("karras", high, low, T, rho)[: n * (T // n) : T // n]
        return _levels(path, 1000 * _quarter_log(sigmas), sigmas, low)

    return walk


def _geometric(file: SchedulerFile, path: ReadPath) -> Walker:
    """Levels even in their logarithm, told by their time."""
    low, high = file.positive("sigma_min"), file.positive("sigma_max")
    last = file.number("sampling_eps")

    def walk(n: int) -> Walk:
        sigmas = np.exp(np.linspace(math.log(low), math.log(high), n))[::-1]
        return _levels(path, np.linspace(1, last, n), sigmas)

    return walk


def _karras_ve(file: SchedulerFile, path: ReadPath) -> Walker:
    """The VE row of Karras et al. 2022, table 1, told by index; diffusers holds sigma squared."""
    low, high = file.positive("sigma_min"), file.positive("sigma_max")

    def walk(n: int) -> Walk:
        if n < 2:
            raise ValueError(f"{file.name} makes at least 2 steps")
        sigmas = np.exp(np.linspace(math.log(high), math.log(low), n))
        return _levels(path, np.arange(n)[::-1].astype(float), sigmas)

    return walk


def _in_time(file: SchedulerFile, path: ReadPath) -> Walker:
    """Even in the time of an SDE, down to sampling_eps."""
    last = file.positive("sampling_eps")
    if last >= 1:
        raise NoStops(f"its sampling_eps, {last:g}, is not below 1")

    def walk(n: int) -> Walk:
        times = np.linspace(1, last, n)
        sigmas = path.schedule(torch.tensor(times))[1].numpy()
        return Walk(times, np.append(sigmas, 0.0), np.append(times, 0.0))

    return walk


# Classes ----------------------------------------------------------------------------------------

_KARRAS = ("karras",)
_DDIM, _DDPM = _Chain("whole", "alpha"), _Chain("whole", "zero")
_EULER = _Chain("real", "zero")
_KDPM2 = _Chain("real", "zero", rounds=_KARRAS)
_NO_ENDS_OF_ITS_OWN = _Chain("real", "zero", own_ends=("exponential", "beta"))
_AGAIN = _Chain("inner", "again", cut=True, rounds=_KARRAS)

_BY_CLASS: dict[str, Callable[[SchedulerFile, ReadPath], Walker]] = {
    "CMStochasticIterative": _consistency,
    "CogVideoXDDIM": _DDIM,
    "CogVideoXDPM": _DDIM,
    "CosineDPMSolverMultistep": partial(_edm, _arctan),
    "DDIM": _DDIM,
    "DDIMParallel": _DDIM,
    "DDPM": _DDPM,
    "DDPMParallel": _DDPM,
    "DEISMultistep": _AGAIN,
    "DPMSolverMultistep": _Chain(
        "inner", "sigma", cut=True, rounds=("karras", "lu"), exact_on="squaredcos_cap_v2"
    ),
    "DPMSolverSDE": _NO_ENDS_OF_ITS_OWN,
    "DPMSolverSinglestep": _Chain("inner", "sigma", cut=True, rounds=_KARRAS, spacing="linspace"),
    "EDMDPMSolverMultistep": partial(_edm, _quarter_log),
    "EDMEuler": partial(_edm, _quarter_log),
    "EulerAncestralDiscrete": _EULER,
    "EulerDiscrete": _Chain("real", "sigma"),
    "FlowMapEulerDiscrete": _flow_map,
    "FlowMatchEulerDiscrete": _flow_match,
    "FlowMatchHeunDiscrete": _flow_match,
    "FlowMatchLCM": _flow_match,
    "HeunDiscrete": _EULER,
    "KDPM2AncestralDiscrete": _KDPM2,
    "KDPM2Discrete": _KDPM2,
    "KarrasVe": _karras_ve,
    "LCM": _Chain("distilled", "zero"),
    "LMSDiscrete": _NO_ENDS_OF_ITS_OWN,
    "LTXEulerAncestralRF": _flow_match,
    "MiniMaxH3": _both_ends,
    "PNDM": _Chain("whole", "alpha", least=4, spared="skip_prk_steps"),
    "Piflow": _pi_flow,
    "SASolver": _AGAIN,
    "ScoreSdeVe": _geometric,
    "ScoreSdeVp": _in_time,
    "TCD": _Chain("distilled", "first"),
    "UnCLIP": _Chain("whole", "zero", spacing="linspace", least=2),
    "UniPCMultistep": _Chain("inner", "sigma again", cut=True, rounds=_KARRAS),
}
_WALKS = {f"{name}Scheduler": walk for name, walk in _BY_CLASS.items()}
_NOT_WALKED = {
    "DDIMInverseScheduler": "it walks from data to noise",
    "DPMSolverMultistepInverseScheduler": "it walks from data to noise",
    "RePaintScheduler": "it goes back to noise again and again on its way",
}
