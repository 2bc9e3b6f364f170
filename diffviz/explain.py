r"""What a sampler's step adds up to: x_s as a sum of coefficient times quantity.

Most samplers are one line,

    x_s = alpha_s x_0 + b eps + c z,

with the prediction x_0 at (x_t, t), the noise eps that goes with it and fresh noise z (Song et al.
2021, "Denoising Diffusion Implicit Models", eq. 12).  The others add a term of their own: a
correction, the change of the prediction since the step before, or x_t itself.  The coefficients
come from the schedule's levels alone, so that they are known before a run; the quantities come from
its trajectory.

A quantity that a trajectory does not record (the slope at the far end of a Heun step, say) is what
the other terms leave over: there is at most one of those at each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from diffviz.samplers import (
    DDIM,
    DDPM,
    AnnealedLangevin,
    DPMpp2M,
    DPMpp2MSDE,
    EDMStochastic,
    Euler,
    EulerMaruyama,
    Heun,
    InRatio,
    InTime,
    PredictorCorrector,
    Sampler,
)
from diffviz.samplers.base import posterior_std, signal_ratio
from diffviz.schedules import Schedule

__all__ = ["Quantity", "StepTerm", "Steps", "explain", "explain_jumps"]

Quantity: TypeAlias = Literal["x_t", "x_0", "eps", "eps_raised", "change", "z", "rest"]
"""What a coefficient stands before.

``eps_raised`` is the predicted noise where it does not belong to x_t itself, because the sampler
added noise before it asked; ``change`` the prediction minus that of the step before; ``z`` the
fresh noise; ``rest`` what the other terms leave over.
"""

Level: TypeAlias = tuple[float, float]
Stop: TypeAlias = tuple[float, float]  # from t to s


@dataclass(frozen=True, eq=False)
class StepTerm:
    """One term of a step.

    Attributes:
        symbol: the quantity's symbol; ``_`` starts a subscript, ``^`` puts a hat on a letter.
        words: the quantity in everyday words.
        quantity: where its value comes from.
        coefficients: (steps,) float64, one for each step of the grid.
    """

    symbol: str
    words: str
    quantity: Quantity
    coefficients: Tensor


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of one sampler on one grid.

    Attributes:
        terms: what adds up to x_s, in the order in which it is written.
        sentence: what a step does, in one plain sentence.
    """

    terms: tuple[StepTerm, ...]
    sentence: str


def explain(sampler: Sampler, schedule: Schedule, grid: Tensor) -> Steps:
    """Return what each step of a sampler adds up to.

    Args:
        sampler: any of ``SAMPLERS``.
        schedule: the path.
        grid: (steps + 1,) falling times that end at 0.

    Raises:
        ValueError: for a sampler that is not known here.
    """
    for kind, formula in _FORMULAS:
        if isinstance(sampler, kind):
            return formula(sampler, _Grid(schedule, grid))
    raise ValueError(f"the steps of {type(sampler).__name__} are not known")


def explain_jumps(schedule: Schedule, times: Tensor) -> Steps:
    """Return the same for frames with several steps between them: one jump and what it misses.

    Args:
        schedule: the path.
        times: (frames,) falling times, the last one 0.
    """
    grid = _Grid(schedule, times)
    terms = (
        *_line(grid, [sigma for _, (_, sigma) in grid.levels]),
        _term("rest", "what the steps in between change", "rest", [1.0] * len(grid.stops)),
    )
    return Steps(terms, "Several steps lie between two frames: one jump, and what they change.")


class _Grid:
    """The steps of a grid as pairs of times and pairs of levels."""

    def __init__(self, schedule: Schedule, grid: Tensor) -> None:
        times = grid.tolist()
        self.schedule = schedule
        self.stops: list[Stop] = list(pairwise(times))
        self.levels: list[tuple[Level, Level]] = [
            (schedule.at(t), schedule.at(s)) for t, s in self.stops
        ]


def _term(symbol: str, words: str, quantity: Quantity, coefficients: Sequence[float]) -> StepTerm:
    return StepTerm(symbol, words, quantity, torch.tensor(coefficients, dtype=torch.float64))


def _x_t(coefficients: Sequence[float]) -> StepTerm:
    return _term("x_t", "the sample now", "x_t", coefficients)


def _x_0(coefficients: Sequence[float]) -> StepTerm:
    return _term("x^_0", "predicted clean sample", "x_0", coefficients)


def _eps(coefficients: Sequence[float], quantity: Quantity = "eps") -> StepTerm:
    return _term("eps^", "predicted noise", quantity, coefficients)


def _z(coefficients: Sequence[float]) -> StepTerm:
    return _term("z", "fresh noise", "z", coefficients)


def _line(
    grid: _Grid, noise: Sequence[float], fresh: Sequence[float] | None = None
) -> tuple[StepTerm, ...]:
    """Return alpha_s x_0 + noise eps + fresh z."""
    terms = (_x_0([alpha for _, (alpha, _) in grid.levels]), _eps(noise))
    return terms if fresh is None else (*terms, _z(fresh))


def _ddim(sampler: DDIM, grid: _Grid) -> Steps:
    stds = [sampler.eta * posterior_std(t, s) for t, s in grid.levels]
    kept = [math.sqrt(s[1] ** 2 - std**2) for (_, s), std in zip(grid.levels, stds, strict=True)]
    if sampler.eta == 0:
        return Steps(
            _line(grid, kept),
            "Mix the predicted clean sample and the predicted noise anew, with less noise.",
        )
    return Steps(
        _line(grid, kept, stds),
        "Mix the predicted clean sample with less of the predicted noise, and add fresh noise.",
    )


def _ancestral(grid: _Grid) -> tuple[StepTerm, ...]:
    kept = [s[1] * signal_ratio(t, s) for t, s in grid.levels]
    return _line(grid, kept, [posterior_std(t, s) for t, s in grid.levels])


def _ddpm(sampler: DDPM, grid: _Grid) -> Steps:
    return Steps(
        _ancestral(grid),
        "The mean of q(x_s | x_t, x_0) with the prediction in place of x_0, plus fresh noise.",
    )


def _euler(sampler: Euler, grid: _Grid) -> Steps:
    if isinstance(_variable(sampler, grid), InTime):
        return Steps(_in_time(grid), "Go straight along the flow's slope, over the time t.")
    return Steps(
        _line(grid, [sigma for _, (_, sigma) in grid.levels]),
        "Go straight along the flow's slope, over sigma / alpha: the same as DDIM with eta = 0.",
    )


def _heun(sampler: Heun, grid: _Grid) -> Steps:
    variable = _variable(sampler, grid)
    straight = (
        _in_time(grid)
        if isinstance(variable, InTime)
        else _line(grid, [sigma for _, (_, sigma) in grid.levels])
    )
    half = [_length(variable, stop, levels) / 2 for stop, levels in _steps(grid)]
    change = _term("Δd", "slope at the far end minus slope here", "rest", half)
    return Steps(
        (*straight, change), "Euler's step, then half the change of the slope at its far end."
    )


def _edm(sampler: EDMStochastic, grid: _Grid) -> Steps:
    if not sampler.stochastic:
        return _heun(Heun(InRatio()), grid)
    later = [1.0] * (len(grid.stops) - 1) + [0.0]
    terms = (
        _x_0([alpha for _, (alpha, _) in grid.levels]),
        _eps([sigma for _, (_, sigma) in grid.levels], "eps_raised"),
        _term("h", "Heun's correction", "rest", later),
    )
    return Steps(
        terms,
        "Noise is added to x_t first and both predictions are made after that; then Heun's step.",
    )


def _dpmpp(sampler: DPMpp2M, grid: _Grid) -> Steps:
    ratios = [signal_ratio(t, s) for t, s in grid.levels]
    weights = [s[0] * (1 - r) for (_, s), r in zip(grid.levels, ratios, strict=True)]
    noise = [sigma for _, (_, sigma) in grid.levels]
    return Steps(
        (*_line(grid, noise), _change(grid, weights)),
        "DDIM's step, pushed on along the change of the prediction since the step before.",
    )


def _dpmpp_sde(sampler: DPMpp2MSDE, grid: _Grid) -> Steps:
    ratios = [signal_ratio(t, s) for t, s in grid.levels]
    weights = [s[0] * (1 - r**2) for (_, s), r in zip(grid.levels, ratios, strict=True)]
    first, noise, fresh = _ancestral(grid)
    return Steps(
        (first, _change(grid, weights), noise, fresh),
        "DDPM's step, pushed on along the change of the prediction since the step before.",
    )


def _euler_maruyama(sampler: EulerMaruyama, grid: _Grid) -> Steps:
    rows = []
    for (t, s), levels in _steps(grid):
        f, g2 = (value.item() for value in grid.schedule.drift_diffusion(t))
        if math.isfinite(f):
            span = t - s
            fresh = math.sqrt(g2 * span) if s > 0 else 0.0
            rows.append((1 - span * f, 0.0, -span * g2 / levels[0][1], fresh))
        else:  # from alpha = 0 the step is the ancestral one
            kept = levels[1][1] * signal_ratio(*levels)
            rows.append((0.0, levels[1][0], kept, posterior_std(*levels)))
    x_t, x_0, eps, z = zip(*rows, strict=True)
    return Steps(
        (_x_t(x_t), _x_0(x_0), _eps(eps), _z(z)),
        "Undo the drift, go along the score, and add fresh noise: one small step of the SDE.",
    )


def _predictor_corrector(sampler: PredictorCorrector, grid: _Grid) -> Steps:
    on = 1.0 if sampler.corrections > 0 else 0.0
    later = [on] * (len(grid.stops) - 1) + [0.0]
    mended = _term("c", "what the Langevin corrections move", "rest", later)
    return Steps(
        (*_ancestral(grid), mended),
        "DDPM's step predicts; Langevin steps at the new noise level correct.",
    )


def _langevin(sampler: AnnealedLangevin, grid: _Grid) -> Steps:
    inner, size = sampler.inner, sampler.step_size
    rows = [
        (1.0, -inner * size * sigma, math.sqrt(2 * size * inner) * sigma, 0.0)
        if s > 0
        else (0.0, 0.0, 0.0, 1.0)
        for (_, s), ((_, sigma), _) in _steps(grid)
    ]
    x_t, eps, z, last = zip(*rows, strict=True)
    terms = (
        _x_t(x_t),
        _term("eps^", "predicted noise, mean over the small steps", "rest", eps),
        _z(z),
        _term("D", "what the denoiser makes of the sample in the end", "rest", last),
    )
    return Steps(terms, "Small noisy steps along the score at one noise level, then at the next.")


def _in_time(grid: _Grid) -> tuple[StepTerm, ...]:
    slopes = [tuple(d.item() for d in grid.schedule.derivatives(t)) for t, _ in grid.stops]
    spans = [s - t for t, s in grid.stops]
    x_0, eps = ([w * d[k] for w, d in zip(spans, slopes, strict=True)] for k in (0, 1))
    return _x_t([1.0] * len(spans)), _x_0(x_0), _eps(eps)


def _variable(sampler: Euler, grid: _Grid) -> InRatio | InTime:
    if isinstance(sampler.variable, InRatio | InTime):
        return sampler.variable
    return InRatio() if grid.levels[0][0][0] > 0 else InTime()


def _length(variable: InRatio | InTime, stop: Stop, levels: tuple[Level, Level]) -> float:
    """Return how far x_s moves for one unit of slope, 0 where Heun takes Euler's step."""
    (t, s), ((alpha_t, sigma_t), (alpha_s, sigma_s)) = stop, levels
    if s == 0:
        return 0.0
    if isinstance(variable, InTime):
        return s - t
    return sigma_s - alpha_s * sigma_t / alpha_t if alpha_t > 0 else 0.0


def _change(grid: _Grid, weights: Sequence[float]) -> StepTerm:
    """Return the second-order term of DPM-Solver++(2M): 0 at the first step and at the last."""
    shares = [0.0] * len(grid.stops)
    for k in range(1, len(grid.stops)):
        past, now, ahead = (_log_snr(level) for level in (grid.levels[k - 1][0], *grid.levels[k]))
        if math.isfinite(past) and math.isfinite(ahead):
            shares[k] = (ahead - now) / (2 * (now - past))
    values = [weight * share for weight, share in zip(weights, shares, strict=True)]
    return _term("Δx^_0", "change of the prediction since the step before", "change", values)


def _log_snr(level: Level) -> float:
    alpha, sigma = level
    if alpha <= 0:
        return -math.inf
    return 2 * (math.log(alpha) - math.log(sigma)) if sigma > 0 else math.inf


def _steps(grid: _Grid) -> zip[tuple[Stop, tuple[Level, Level]]]:
    return zip(grid.stops, grid.levels, strict=True)


# The first that fits counts, so that a subclass stands before its parent.
_FORMULAS: tuple[tuple[type[Sampler], Callable[..., Steps]], ...] = (
    (DDIM, _ddim),
    (DDPM, _ddpm),
    (Heun, _heun),
    (Euler, _euler),
    (EDMStochastic, _edm),
    (DPMpp2M, _dpmpp),
    (DPMpp2MSDE, _dpmpp_sde),
    (EulerMaruyama, _euler_maruyama),
    (PredictorCorrector, _predictor_corrector),
    (AnnealedLangevin, _langevin),
)
