"""The scheduler_config.json of the diffusers library, read as a schedule and written from one.

Such a file names a class and that class's arguments: those that set the noise become a schedule
here, those that set where a run stops become stops of its own (``scheduler_stops``).

| what the file says                                   | schedule                                |
|------------------------------------------------------|-----------------------------------------|
| trained_betas                                        | those betas                             |
| beta_schedule linear, scaled_linear                  | ``Linear``, ``ScaledLinear``            |
| beta_schedule squaredcos_cap_v2                      | ``Cosine``                              |
| beta_schedule sigmoid                                | beta itself an S from start to end      |
| beta_schedule laplace, exp                           | alpha-bar of that form, cut into betas  |
| snr_shift_scale                                      | the above, its SNR divided              |
| rescale_betas_zero_snr                               | the above, to zero terminal SNR         |
| FlowMatch... and other flows, or use_flow_sigmas     | ``RectifiedFlow``, or ``ShiftedFlow``   |
| use_dynamic_shifting                                 | the latter, by the number of tokens     |
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

from diffviz.core.denoisers import Clipped, Denoiser, Thresholded
from diffviz.core.schedules import (
    EDM,
    VE,
    VP,
    Cosine,
    DiscreteVP,
    Linear,
    RectifiedFlow,
    ScaledLinear,
    Schedule,
    chain_of,
    shifted_snr,
    zero_terminal_snr,
)
from diffviz.exchange.scheduler_file import MAX_BYTES, ConfigError, SchedulerFile
from diffviz.exchange.scheduler_stops import (
    FLOOR,
    FLOORED,
    SPREADS,
    FileStops,
    NoStops,
    ReadPath,
    stops_of,
)
from diffviz.measures.curves import chain

__all__ = [
    "MAX_BYTES",
    "Bounds",
    "ConfigError",
    "LoadedConfig",
    "ShiftedFlow",
    "Tokens",
    "load_config",
    "to_config",
]

_LEVELS = (1e-12, 1e12)  # of sigma / alpha, beyond which float64 tells no two apart
_SIGMOID_REACH = 6.0
_USUAL_TOKENS = 4096  # of a picture of 1024 x 1024


@dataclass(frozen=True)
class Tokens:
    """The numbers of tokens over which a model shifts its time.

    Attributes:
        low: the fewest.
        high: the most.
        chosen: the number that is drawn.
    """

    low: int
    high: int
    chosen: int


@dataclass(frozen=True)
class Bounds:
    """How a scheduler holds predictions of pixels in their range.

    Attributes:
        reach: x_0 is clipped to [-reach, reach]; None where it is not.
        quantile: of dynamic thresholding; None where there is none.
        most: the largest |x_0| that thresholding scales down.
    """

    reach: float | None = None
    quantile: float | None = None
    most: float = math.inf

    def hold(self, denoiser: Denoiser) -> Denoiser:
        """A denoiser with its predictions held so."""
        if self.quantile is not None:
            return Thresholded(denoiser, self.quantile, self.most)
        return denoiser if self.reach is None else Clipped(denoiser, -self.reach, self.reach)

    def __str__(self) -> str:
        """In words for the reader, empty where predictions are left alone."""
        if self.quantile is not None:
            return f"x_0 is thresholded at its {self.quantile:g} quantile, at most {self.most:g}"
        return "" if self.reach is None else f"x_0 is clipped to ±{self.reach:g}"


@dataclass(frozen=True)
class LoadedConfig:
    """A config that could be read.

    Attributes:
        name: the scheduler's class, as the file names it.
        kind: what sets its noise: a beta_schedule, "trained_betas", "flow", "EDM", "VE" or "VP".
        title: its noise in a few words.
        schedule: the schedule; its ``own_stops`` are ``stops``.
        stops: where a run stops, None where that is not known here.
        predicts: what its network predicts, in diffusers' word; empty where it does not say.
        bounds: how predictions of pixels are held in their range.
        tokens: what its shift depends on, None where it depends on nothing.
        sampler: what walks its stops here, a key of ``SAMPLERS``.
        same_steps: whether that steps as the class does, and is no stand-in for it.
        says: where its runs stop, in words for the reader; empty where that is not known here.
        notes: what of the file is not drawn, in sentences for the reader.
        source: the part of the file that was used, as JSON without spaces; loads to the same.
    """

    name: str
    kind: str
    title: str
    schedule: Schedule
    stops: FileStops | None = None
    predicts: str = ""
    bounds: Bounds = Bounds()
    tokens: Tokens | None = None
    sampler: str = "ddim"
    same_steps: bool = False
    says: str = ""
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


def load_config(data: bytes | str, tokens: int | None = None) -> LoadedConfig:
    """Read a scheduler_config.json.

    Args:
        data: the whole file.
        tokens: of the picture, where the file shifts its time by their number; held in its range.

    Raises:
        ConfigError: too large, not JSON, not an object, no known schedule in it, or an argument
            that is missing, of the wrong type or out of range.
    """
    file = SchedulerFile(data)
    kind = _kind(file)
    try:
        path, title, counted = _PATHS.get(kind, _chain)(file, tokens)
    except ConfigError:
        raise
    except ValueError as error:  # what the schedule itself refuses
        raise ConfigError(
            f"This config makes no schedule: {error}. Correct the value in the file and load it "
            "again."
        ) from error
    _check(path.schedule)
    predicts, bounds, notes = file.text("prediction_type"), _bounds(file), _notes(file)
    sampler, same_steps = _sampler(file)
    stops = None
    try:
        stops = stops_of(file, path)
    except NoStops as error:
        notes = (*notes, f"Where its runs stop is not read: {error}.")
    path.schedule.own_stops = stops
    return LoadedConfig(
        file.name,
        kind,
        title,
        path.schedule,
        stops,
        predicts,
        bounds,
        counted,
        sampler,
        same_steps,
        "" if stops is None else _says(file),
        notes,
        file.used(),
    )


def to_config(schedule: Schedule) -> dict[str, Any]:
    """Return a config that diffusers reads as this schedule.

    A schedule that came from a file is written as that file.  A chain that diffusers has no word
    for, and a continuous variance-preserving path, become trained_betas (a continuous one cut into
    1,000 noisings).

    Raises:
        ConfigError: the path is neither variance preserving, a flow, EDM nor VE.
    """
    if isinstance(schedule.own_stops, FileStops):
        said: dict[str, Any] = json.loads(schedule.own_stops.source)
        return said
    if isinstance(schedule, RectifiedFlow | ShiftedFlow):
        shift = schedule.shift if isinstance(schedule, ShiftedFlow) else 1.0
        return {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "num_train_timesteps": 1000,
            "shift": shift,
        }
    if isinstance(schedule, EDM | VE):
        name = "EDMEulerScheduler" if isinstance(schedule, EDM) else "ScoreSdeVeScheduler"
        ends = {"sigma_min": schedule.sigma_min, "sigma_max": schedule.sigma_max}
        return {"_class_name": name} | ends
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

_TOKENS_OF_TEXT = "works on tokens, not on numbers with noise"
_OTHER_PATHS = {
    "AmusedScheduler": _TOKENS_OF_TEXT,
    "BlockRefinementScheduler": _TOKENS_OF_TEXT,
    "ConsistencyDecoderScheduler": "is made for one decoder's two steps",
    "DDPMWuerstchenScheduler": "clamps a path of its own",
    "DiscreteDDIMScheduler": _TOKENS_OF_TEXT,
    "EntropyBoundScheduler": _TOKENS_OF_TEXT,
    "HeliosDMDScheduler": "walks in stages of growing pictures",
    "HeliosScheduler": "walks in stages of growing pictures",
    "IPNDMScheduler": "has levels of its own",
    "RFD4ProteinaScheduler": "is made for proteins",
    "SCMScheduler": "walks on an angle of its own",
    "VQDiffusionScheduler": _TOKENS_OF_TEXT,
}
_KINDS = {
    "CMStochasticIterativeScheduler": "EDM",
    "CosineDPMSolverMultistepScheduler": "EDM",
    "EDMDPMSolverMultistepScheduler": "EDM",
    "EDMEulerScheduler": "EDM",
    "FlowMapEulerDiscreteScheduler": "flow",
    "KarrasVeScheduler": "EDM",
    "LTXEulerAncestralRFScheduler": "flow",
    "MiniMaxH3Scheduler": "flow",
    "PiflowScheduler": "flow",
    "ScoreSdeVeScheduler": "VE",
    "ScoreSdeVpScheduler": "VP",
}
_TITLES = {
    "trained_betas": "Listed betas",
    "linear": "Linear",
    "scaled_linear": "Scaled linear",
    "squaredcos_cap_v2": "Cosine",
    "sigmoid": "Sigmoid betas",
    "laplace": "Laplace",
    "exp": "Exponential",
}


def _kind(file: SchedulerFile) -> str:
    """What sets the noise: see ``LoadedConfig``."""
    if file.name in _OTHER_PATHS:
        raise ConfigError(
            f"{file.name} {_OTHER_PATHS[file.name]}, so there is no schedule of noise to draw: "
            "choose the scheduler_config.json of another model."
        )
    if file.name in _KINDS or file.name.startswith("FlowMatch"):
        return _KINDS.get(file.name, "flow")
    if file.flag("use_flow_sigmas"):
        return "flow"
    if file.has("trained_betas"):
        return "trained_betas"
    if not file.has("beta_schedule"):
        raise ConfigError(
            f"This config of a {file.name} has no beta_schedule and no trained_betas, so it says "
            "nothing about the noise: choose the scheduler_config.json of a diffusion model."
        )
    return file.word("beta_schedule", tuple(_CHAINS), ", or write the betas into trained_betas")


Read = tuple[ReadPath, str, Tokens | None]


def _chain(file: SchedulerFile, tokens: int | None) -> Read:
    kind = _kind(file)
    if kind == "trained_betas":
        base: DiscreteVP = DiscreteVP(file.betas())
    else:
        base = _CHAINS[kind](file)
    schedule, title = base, _TITLES[kind]
    scale = file.positive("snr_shift_scale", 1.0)
    if scale != 1:
        schedule, title = shifted_snr(schedule, scale), f"{title}, SNR / {scale:g}"
    if file.flag("rescale_betas_zero_snr"):
        schedule, title = zero_terminal_snr(schedule), f"{title}, zero terminal SNR"
        if file.name in FLOORED and schedule.alphas_bar[-2] > FLOOR:
            schedule = chain_of(schedule.alphas_bar.index_fill(0, torch.tensor(-1), FLOOR))
    return ReadPath(schedule, _in_float32(base), 1.0), title, None


def _in_float32(base: DiscreteVP) -> Tensor:
    """The betas as diffusers holds them."""
    if isinstance(base, Linear):
        return torch.linspace(base.beta_start, base.beta_end, base.T)
    if isinstance(base, ScaledLinear):
        return torch.linspace(base.beta_start**0.5, base.beta_end**0.5, base.T) ** 2
    return base.betas.float()


def _flow(file: SchedulerFile, tokens: int | None) -> Read:
    given = "shift" if file.takes("shift") or not file.flag("use_flow_sigmas") else "flow_shift"
    shift, counted = file.positive(given, 1.0), None
    if file.flag("use_dynamic_shifting"):
        shift, counted = _by_tokens(file, tokens)
    schedule = RectifiedFlow() if shift == 1 else ShiftedFlow(shift)
    betas = None
    if file.flag("use_flow_sigmas") and file.takes("beta_schedule"):
        chained = file.has("trained_betas")
        word = file.word("beta_schedule", tuple(_CHAINS))
        betas = _in_float32(DiscreteVP(file.betas()) if chained else _CHAINS[word](file))
    title = "Rectified flow" if shift == 1 else f"Rectified flow, shift {shift:.3g}"
    return ReadPath(schedule, betas, shift), title, counted


def _by_tokens(file: SchedulerFile, tokens: int | None) -> tuple[float, Tokens]:
    """The shift of a picture of so many tokens: its exponent lies evenly between two."""
    low = file.whole("base_image_seq_len", 256, hidden=True)
    high = file.whole("max_image_seq_len", 4096, hidden=True)
    if not 0 < low < high:
        raise ConfigError(
            f"base_image_seq_len is {low:,} and max_image_seq_len {high:,}, and the second must be "
            "above the first: correct them in the file and load it again."
        )
    chosen = min(max(_USUAL_TOKENS if tokens is None else tokens, low), high)
    start = file.number("base_shift", 0.5, hidden=True)
    end = file.number("max_shift", 1.15, hidden=True)
    mu = start + (end - start) * (chosen - low) / (high - low)
    straight = file.word("time_shift_type", ("exponential", "linear")) == "linear"
    if not straight and abs(mu) > 30:
        raise ConfigError(
            f"base_shift and max_shift make a shift of e to the {mu:g}, which leaves nothing of "
            "the path: correct them in the file and load it again."
        )
    return mu if straight else math.exp(mu), Tokens(low, high, chosen)


def _edm(file: SchedulerFile, tokens: int | None) -> Read:
    low, high = _ends(file)
    return ReadPath(EDM(high, low), None, 1.0), f"EDM, {low:g} to {high:g}", None


def _ve(file: SchedulerFile, tokens: int | None) -> Read:
    low, high = _ends(file)
    return ReadPath(VE(low, high), None, 1.0), f"VE, {low:g} to {high:g}", None


def _ends(file: SchedulerFile) -> tuple[float, float]:
    low, high = file.positive("sigma_min"), file.positive("sigma_max")
    if not low < high:
        raise ConfigError(
            f"sigma_max is {high:g}, and must be above sigma_min, which is {low:g}: correct them "
            "in the file and load it again."
        )
    return low, high


def _vp(file: SchedulerFile, tokens: int | None) -> Read:
    low, high = file.number("beta_min"), file.number("beta_max")
    return ReadPath(VP(low, high), None, 1.0), f"VP, {low:g} to {high:g}", None


def _linear(file: SchedulerFile) -> DiscreteVP:
    return Linear(file.length(), file.number("beta_start"), file.number("beta_end"))


def _scaled_linear(file: SchedulerFile) -> DiscreteVP:
    start, end = file.number("beta_start"), file.number("beta_end")
    if start < 0 or end < 0:
        raise ConfigError("beta_start and beta_end are variances: give numbers from 0 to 1.")
    return ScaledLinear(file.length(), start, end)


def _sigmoid(file: SchedulerFile) -> DiscreteVP:
    start, end = file.number("beta_start"), file.number("beta_end")
    rise = torch.linspace(-_SIGMOID_REACH, _SIGMOID_REACH, file.length(), dtype=torch.float64)
    return DiscreteVP(torch.sigmoid(rise) * (end - start) + start)


def _exponential(file: SchedulerFile) -> DiscreteVP:
    """alpha_bar = e^(-12 t)."""
    T = file.length()
    return DiscreteVP(torch.full((T,), -math.expm1(-12 / T), dtype=torch.float64).clamp(max=0.999))


def _laplace(file: SchedulerFile) -> DiscreteVP:
    """The sqrt(SNR / (1 + SNR)) of a Laplace distribution of log-SNR, taken as alpha_bar."""
    off = 0.5 - torch.linspace(0, 1, file.length() + 1, dtype=torch.float64)
    log_snr = -0.5 * torch.copysign(torch.ones(()), off) * torch.log(1 - 2 * off.abs() + 1e-6)
    share = torch.sigmoid(log_snr).sqrt()
    return DiscreteVP((1 - share[1:] / share[:-1]).clamp(max=0.999))


_CHAINS: dict[str, Callable[[SchedulerFile], DiscreteVP]] = {
    "linear": _linear,
    "scaled_linear": _scaled_linear,
    "squaredcos_cap_v2": lambda file: Cosine(file.length()),
    "sigmoid": _sigmoid,
    "laplace": _laplace,
    "exp": _exponential,
}
_PATHS: dict[str, Callable[[SchedulerFile, int | None], Read]] = {
    "flow": _flow,
    "EDM": _edm,
    "VE": _ve,
    "VP": _vp,
}


def _check(schedule: Schedule) -> None:
    """Refuse a path whose levels no float64 tells apart, before it is drawn or walked."""
    stops = schedule.T if isinstance(schedule, DiscreteVP) else 256
    times = torch.linspace(schedule.t_min, 1, stops, dtype=torch.float64)
    log_snr = schedule.log_snr(times)
    levels = torch.exp(-log_snr / 2)
    within = (levels > _LEVELS[0]) & (levels < _LEVELS[1])
    if not bool(within[:-1].all()) or not bool((log_snr.diff() < 0).all()):
        raise ConfigError(
            f"This config's noise, sigma / alpha, goes from {levels[0]:.3g} to {levels[-1]:.3g}, "
            f"and is drawn where it rises all the way within {_LEVELS[0]:g} to {_LEVELS[1]:g}: "
            "choose other values in the file and load it again."
        )


# What else a file says --------------------------------------------------------------------------


def _bounds(file: SchedulerFile) -> Bounds:
    if file.flag("thresholding"):
        quantile = file.positive("dynamic_thresholding_ratio", 0.995)
        most = file.positive("sample_max_value", 1.0)
        if quantile > 1 or most < 1:
            raise ConfigError(
                "dynamic_thresholding_ratio is a share up to 1, and sample_max_value at least 1: "
                "correct them in the file and load it again."
            )
        return Bounds(quantile=quantile, most=most)
    if file.flag("clip_sample"):
        return Bounds(reach=file.positive("clip_sample_range", 1.0))
    return Bounds(reach=1.0) if file.flag("clip_denoised") else Bounds()


def _sampler(file: SchedulerFile) -> tuple[str, bool]:
    """What walks the stops of a class here, and whether that takes the same steps."""
    name, same = _SAMPLERS.get(file.name.removesuffix("Scheduler"), ("ddim", False))
    if name == "dpmpp_2m" and file.takes("algorithm_type"):
        algorithm = file.text("algorithm_type")
        name = "dpmpp_2m_sde" if algorithm.startswith("sde") else name
        midpoint = file.says("solver_order", 2) and file.says("solver_type", "midpoint")
        same = same and midpoint and algorithm.endswith("dpmsolver++")
    return name, same and not file.flag("stochastic_sampling")


_SAMPLERS = {
    "CogVideoXDDIM": ("ddim", True),
    "CogVideoXDPM": ("dpmpp_2m_sde", False),
    "CosineDPMSolverMultistep": ("dpmpp_2m_sde", False),
    "DDIM": ("ddim", True),
    "DDIMParallel": ("ddim", True),
    "DDPM": ("ddpm", True),
    "DDPMParallel": ("ddpm", True),
    "DEISMultistep": ("dpmpp_2m", False),
    "DPMSolverMultistep": ("dpmpp_2m", True),
    "DPMSolverSDE": ("dpmpp_2m_sde", False),
    "DPMSolverSinglestep": ("dpmpp_2m", False),
    "EDMDPMSolverMultistep": ("dpmpp_2m", True),
    "EDMEuler": ("euler", True),
    "EulerAncestralDiscrete": ("euler_ancestral", True),
    "EulerDiscrete": ("euler", True),
    "FlowMatchEulerDiscrete": ("ddim", True),  # a straight step along the flow
    "FlowMatchHeunDiscrete": ("heun", False),
    "HeunDiscrete": ("heun", True),
    "KDPM2AncestralDiscrete": ("euler_ancestral", False),
    "KDPM2Discrete": ("heun", False),
    "KarrasVe": ("edm", False),
    "LMSDiscrete": ("dpmpp_2m", False),
    "LTXEulerAncestralRF": ("euler_ancestral", False),
    "SASolver": ("dpmpp_2m_sde", False),
    "ScoreSdeVe": ("predictor_corrector", False),
    "ScoreSdeVp": ("euler_maruyama", False),
    "UnCLIP": ("ddpm", True),
    "UniPCMultistep": ("dpmpp_2m", False),
}
"""By the name of a class without "Scheduler"; DDIM stands in for the others."""

_NOT_TAKEN = (
    "trained_betas",
    "beta_schedule",
    "rescale_betas_zero_snr",
    "snr_shift_scale",
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "use_beta_sigmas",
    "use_flow_sigmas",
    "use_dynamic_shifting",
    "timestep_spacing",
    "steps_offset",
    "sigma_schedule",
    "shift",
    "shift_terminal",
    "final_sigmas_type",
    "set_alpha_to_one",
    "thresholding",
)


def _says(file: SchedulerFile) -> str:
    """Where a file's runs stop, in words."""
    flow = file.flag("use_flow_sigmas")
    spacing = "" if flow else file.text("timestep_spacing") or file.text("sigma_schedule")
    parts = [spacing or "as its class does"]
    if spacing == "leading" and file.has("steps_offset"):
        parts.append(f"offset {file.whole('steps_offset')}")
    parts += [f"{word} levels" for key, word in SPREADS.items() if file.flag(key)]
    if file.has("original_inference_steps"):
        parts.append(f"out of {file.whole('original_inference_steps')} stops of its teacher")
    if file.number("shift_terminal", 0.0):
        parts.append(f"the last at {file.number('shift_terminal'):g}")
    if file.says("set_alpha_to_one", False) or file.says("final_sigmas_type", "sigma_min"):
        parts.append("ending at the first noise level rather than at 0")
    return ", ".join(parts)


_BY_STRIDE = frozenset(
    f"{name}Scheduler" for name in ("CogVideoXDDIM", "CogVideoXDPM", "DDIM", "DDIMParallel", "PNDM")
)


def _notes(file: SchedulerFile) -> tuple[str, ...]:
    notes = []
    left_out = file.left_out(*_NOT_TAKEN)
    if left_out:
        notes.append(
            f"{file.name} takes no {', '.join(left_out)}: diffusers leaves that out, and so does "
            "this app."
        )
    if file.name in _BY_STRIDE and not file.says("timestep_spacing", "leading"):
        notes.append(
            "diffusers takes every step of this class over T // steps noisings, also where its "
            "next stop lies elsewhere; here a step ends at the next stop."
        )
    if file.name in _BY_STRIDE and (file.flag("clip_sample") or file.flag("thresholding")):
        notes.append(
            "Where x_0 is held in its range, diffusers goes on with the noise that the network "
            "predicted; here the noise follows x_0."
        )
    return tuple(notes)
