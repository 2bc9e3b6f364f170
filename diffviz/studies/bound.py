r"""The variational bound: a diffusion model as a variational autoencoder with T fixed encoders.

Stops t_T > ... > t_0 cut the path into T steps.  The encoders q(x_t | x_s) only add noise, so
nothing is learned in them; the decoders are q(x_s | x_t, x_0) with the prediction x_0_hat(x_t) in
the place of x_0.  Then (Ho et al. 2020, eq. 5; Kingma et al. 2021, eq. 13 and 14)

    -log p(x_0) <= prior + sum of the steps + reconstruction

    prior           KL(q(x_T | x_0) || N(0, (alpha^2 + sigma^2) I)), what a sampler starts from
    step s <- t     KL(q(x_s | x_t, x_0) || p(x_s | x_t))
                    = 1/2 (SNR(s) - SNR(t)) E|x_0 - x_0_hat(x_t)|^2,     SNR = alpha^2 / sigma^2
    reconstruction  E[-log p(x_0 | x_{t_0})], p proportional to q(x_{t_0} | x_0) over the values
                    that x_0 may have: no model is needed for it

Every term knows of the path only the log-SNR at its stops.  So one curve, the mean squared error of
the denoiser over log-SNR, gives the bound for every schedule and every T; as T grows the steps tend
to 1/2 of the integral of that error over the SNR, and of the schedule only its two ends are left
(Kingma et al. 2021, section 5.1).

``direct_bound`` computes the same from simulated chains by Ho et al.'s sums of log densities,
without an SNR: for single data, and to check the curve by.

Everything is in bits per dimension, nats / (D log 2).  For pixels of 256 values 8 bits are what it
takes to write them down one by one.

    python -m diffviz bound                  # measure the shipped models of pictures
    python -m diffviz bound mnist --write    # one of them, and keep the curves
    python -m diffviz bound --table          # print the bounds from what was kept, measure nothing
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from diffviz.core.denoisers import Clipped, Denoiser
from diffviz.core.noising import jump, transition, walk
from diffviz.core.parametrizations import levels
from diffviz.core.schedules import SCHEDULES, Schedule
from diffviz.data.full_sets import load_split
from diffviz.models.pretrained import image_model
from diffviz.studies.command import Command, at_least, progress
from diffviz.studies.figures import FIGURES
from diffviz.tools.kept import keep, rounded

__all__ = [
    "CHAIN_SPACINGS",
    "CONDITIONS",
    "KEPT",
    "LAST",
    "LOG_SNRS",
    "Bound",
    "Curve",
    "Decoder",
    "Pixels",
    "Points",
    "chain",
    "denoising_curve",
    "direct_bound",
    "limit",
    "main",
    "path_bound",
    "read_curves",
    "table",
    "terms",
]

LAST = 12.0
"""log-SNR of the cleanest stop: noise of 0.0025, a third of the gap between two of 256 values."""

LOG_SNRS: tuple[float, ...] = tuple(k / 4 for k in range(-35, 50))
"""Where the curves that ship are measured: -8.75 to 12.25, within the models' own path."""

CONDITIONS: tuple[str, ...] = ("any", "class")
"""What a model is told: nothing, or the class of the picture."""

KEPT = FIGURES / "bound.json"
"""Where the measured curves are kept."""

_FLOOR = -10.0  # log-SNR below which nothing is left to be told apart
_TINY = 1e-30
_BITS = math.log(2)


# The last decoder -------------------------------------------------------------------------------


class Decoder(Protocol):
    """p(x_0 | x_{t_0}), proportional to q(x_{t_0} | x_0): it depends on which x_0 there may be."""

    def log_prob(self, x_0: Tensor, y: Tensor, noise: float) -> Tensor:
        """Return the (N,) log probabilities of x_0 (N, ...) given y = x_0 + noise eps."""
        ...

    def expected(self, x_0: Tensor, noise: float) -> float:
        """Return E[-log p(x_0 | y)] in nats for each dimension, over the rows and over eps."""
        ...


class Points:
    """x_0 may be any point: p(x_0 | y) is the density N(y, noise^2 I)."""

    def log_prob(self, x_0: Tensor, y: Tensor, noise: float) -> Tensor:
        """Return the (N,) log densities."""
        return _log_normal(x_0, y, noise)

    def expected(self, x_0: Tensor, noise: float) -> float:
        """Return the entropy of the noise, log(2 pi e noise^2) / 2."""
        return math.log(2 * math.pi * math.e * noise**2) / 2


class Pixels:
    """Each coordinate of x_0 is one of ``count`` even values from -1 to 1: a softmax over them.

    Source: Kingma et al. 2021, section 3.

    Args:
        count: how many values.
    """

    _EPS = torch.linspace(-8, 8, 161, dtype=torch.float64)

    def __init__(self, count: int = 256) -> None:
        if count < 2:
            raise ValueError(f"a pixel has at least 2 values, not {count}")
        self.values = torch.linspace(-1, 1, count, dtype=torch.float64)

    def index(self, x_0: Tensor) -> Tensor:
        """Return which of the values each coordinate is.

        Raises:
            ValueError: if one is none of them.
        """
        place = (x_0.double() + 1) / 2 * (len(self.values) - 1)
        nearest = place.round()
        inside = (nearest >= 0) & (nearest < len(self.values))
        if not bool(((place - nearest).abs() < 1e-3).all() and inside.all()):
            raise ValueError(f"these are not {len(self.values)} even values from -1 to 1")
        return nearest.long()

    def log_prob(self, x_0: Tensor, y: Tensor, noise: float) -> Tensor:
        """Return the (N,) log probabilities."""
        log_p = self._log_softmax(y.double(), noise)
        chosen = log_p.gather(-1, self.index(x_0)[..., None])[..., 0]
        return chosen.flatten(1).sum(1).to(y.dtype)

    def expected(self, x_0: Tensor, noise: float) -> float:
        """Return E[-log p(x_0 | y)]: the eps of every value by the trapezium rule, no sampling."""
        share = torch.bincount(self.index(x_0).flatten(), minlength=len(self.values)).double()
        bell = torch.exp(-(self._EPS**2) / 2)
        nats = torch.zeros((), dtype=torch.float64)
        for k in share.nonzero().flatten().tolist():
            log_p = self._log_softmax(self.values[k] + noise * self._EPS, noise)[:, k]
            nats -= share[k] * (bell * log_p).sum()
        return float(nats / (share.sum() * bell.sum()))

    def _log_softmax(self, y: Tensor, noise: float) -> Tensor:
        """(..., count): log p of every value."""
        return (-(((y[..., None] - self.values) / noise) ** 2) / 2).log_softmax(-1)


# The curve --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """How well a denoiser knows data, over log-SNR; all that a bound asks of it.

    Between two levels the logarithm of the error is a straight line; below the first one, where
    there is next to nothing to see, the error stays as it is there.

    Attributes:
        log_snrs: (K,) levels, rising.
        mse: (K,) E|x_0 - x_0_hat(x_t)|^2 / D, above 0.
        reconstruction: (K,) bits per dimension of the last decoder, were its stop at that level.
        second_moment: E|x_0|^2 / D, which the prior term needs.
        count: how many pictures or points were measured.
        uncertainty: standard error of the steps' limit, in bits per dimension.
    """

    log_snrs: tuple[float, ...]
    mse: tuple[float, ...]
    reconstruction: tuple[float, ...]
    second_moment: float
    count: int = 0
    uncertainty: float = 0.0

    def __post_init__(self) -> None:
        for name in ("log_snrs", "mse", "reconstruction"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # a file has lists
        rising = all(np.diff(self.log_snrs) > 0) and len(self.log_snrs) > 1
        if not rising or not len(self.log_snrs) == len(self.mse) == len(self.reconstruction):
            raise ValueError("a curve has two levels or more, rising, and as many values of each")

    def mse_at(self, log_snrs: Tensor) -> Tensor:
        """Return the errors at levels, of their shape, in float64.

        Raises:
            ValueError: for a level above the highest one measured.
        """
        self._require(float(log_snrs.max()))
        log_mse = np.log(np.maximum(self.mse, _TINY))
        found = np.interp(log_snrs.double().numpy(), self.log_snrs, log_mse)
        return torch.from_numpy(np.exp(found))

    def reconstruction_at(self, log_snr: float) -> float:
        """Return the bits of the last decoder; exact at the measured levels.

        Raises:
            ValueError: for a level that is not within the measured ones.
        """
        self._require(log_snr)
        if log_snr < self.log_snrs[0]:
            raise ValueError(f"the last stop needs a log-SNR of {self.log_snrs[0]:g} or more")
        return float(np.interp(log_snr, self.log_snrs, self.reconstruction))

    def integral(self, low: float, high: float) -> float:
        """Return the integral of the error over the SNR between two log-SNRs, in closed form.

        With the logarithm of mse x SNR a straight line from log f to log g over a width h, a piece
        is h (g - f) / (log g - log f).

        Args:
            low: minus infinity or more.
            high: at most the highest level measured.

        Raises:
            ValueError: for a level above that.
        """
        first = self.log_snrs[0]
        if high <= first:
            return float(self.mse[0] * (math.exp(high) - math.exp(low)))
        start = max(low, first)
        inner = [level for level in self.log_snrs if start < level < high]
        knots = torch.tensor([start, *inner, high], dtype=torch.float64)
        log_f = self.mse_at(knots).log() + knots
        slope = log_f.diff()
        ratio = torch.where(slope.abs() < 1e-12, 1.0, torch.expm1(slope) / slope)
        total = float((knots.diff() * log_f[:-1].exp() * ratio).sum())
        return total + self.mse[0] * (math.exp(start) - math.exp(low)) if low < first else total

    def _require(self, log_snr: float) -> None:
        most = self.log_snrs[-1]
        if log_snr > most + 1e-6:
            raise ValueError(
                f"the denoiser was measured up to a log-SNR of {most:g}: {log_snr:.3g} is beyond it"
            )


@torch.inference_mode()
def denoising_curve(
    denoiser: Denoiser,
    schedule: Schedule,
    pictures: Tensor,
    labels: Tensor | None,
    log_snrs: Sequence[float] = LOG_SNRS,
    generator: torch.Generator | None = None,
    *,
    decoder: Decoder | None = None,
    batch: int = 100,
    about: str = "",
) -> Curve:
    """Measure how well a denoiser knows pictures that it has not seen.

    Args:
        denoiser: what answers.
        schedule: the path it is asked on.
        pictures: (N, ...) data.
        labels: (N,) their classes, which the denoiser is told; None to tell it nothing.
        log_snrs: rising levels, within the path.
        generator: of the noise, fresh for every picture and level.
        decoder: the last one; that of pixels of 256 values when left out.
        batch: pictures at a time.
        about: what a line of progress on a terminal starts with, nothing for none.

    Raises:
        ValueError: for a level that the path does not pass, or pictures the decoder does not know.
    """
    decoder = decoder or Pixels()
    rows = []
    with progress(about, len(log_snrs), "levels") as bar:
        for level in log_snrs:
            t = schedule.t_at_log_snr(level).item()
            if not abs(schedule.log_snr(t).item() - level) < 1e-3:
                raise ValueError(f"this path does not pass a log-SNR of {level:g}")
            rows.append(_errors(denoiser, schedule, pictures, labels, t, generator, batch))
            bar.update()
    errors = torch.stack(rows)
    each = torch.trapezoid(errors, torch.tensor(log_snrs, dtype=torch.float64).exp(), dim=0)
    noises = [math.exp(-level / 2) for level in log_snrs]
    return Curve(
        tuple(log_snrs),
        tuple(errors.mean(1).tolist()),
        tuple(decoder.expected(pictures, noise) / _BITS for noise in noises),
        float(pictures.double().square().mean()),
        len(pictures),
        float(each.std(correction=0)) / (2 * _BITS * math.sqrt(len(pictures))),
    )


def _errors(
    denoiser: Denoiser,
    schedule: Schedule,
    pictures: Tensor,
    labels: Tensor | None,
    t: float,
    generator: torch.Generator | None,
    batch: int,
) -> Tensor:
    """(N,): the squared error of each picture at a time, for each dimension."""
    found = []
    for i in range(0, len(pictures), batch):
        x_0 = pictures[i : i + batch]
        cond = {} if labels is None else {"label": labels[i : i + batch]}
        eps = torch.randn(x_0.shape, generator=generator, dtype=x_0.dtype)
        x_0_hat = denoiser(jump(schedule, x_0, t, eps), t, **cond)
        found.append((x_0 - x_0_hat).double().square().flatten(1).mean(1))
    return torch.cat(found)


# The stops --------------------------------------------------------------------------------------


def chain(schedule: Schedule, steps: int, spacing: str = "linspace", last: float = LAST) -> Tensor:
    """Return the (steps + 1,) float64 times of the stops, falling from 1 to the cleanest one.

    A sampler's grid ends at t = 0, where a decoder would have no noise to work with; here the
    cleanest stop has a chosen log-SNR instead.

    Args:
        schedule: the path.
        steps: T, at least 1.
        spacing: a key of ``CHAIN_SPACINGS``.
        last: log-SNR of the cleanest stop.

    Raises:
        ValueError: for an unknown spacing, no step, or a path that is all cleaner than ``last``.
    """
    if spacing not in CHAIN_SPACINGS:
        raise ValueError(f"unknown spacing {spacing!r}: choose one of {', '.join(CHAIN_SPACINGS)}")
    if steps < 1:
        raise ValueError(f"a bound needs at least 1 step, got {steps}")
    noisiest = schedule.log_snr(1.0).item()
    if not noisiest < last:
        raise ValueError(
            f"this schedule ends at a log-SNR of {noisiest:.3g}, so it never has as much noise as "
            f"the cleanest stop (log-SNR {last:g})"
        )
    end = _clean_end(schedule, last)
    times = CHAIN_SPACINGS[spacing](schedule, steps, end)
    times[0], times[-1] = 1.0, end
    return times


@lru_cache(maxsize=256)
def _clean_end(schedule: Schedule, last: float) -> float:
    return schedule.t_at_log_snr(last).item()


def _even(schedule: Schedule, steps: int, end: float) -> Tensor:
    return torch.linspace(1, end, steps + 1, dtype=torch.float64)


def _quadratic(schedule: Schedule, steps: int, end: float) -> Tensor:
    return torch.linspace(1, math.sqrt(end), steps + 1, dtype=torch.float64) ** 2


def _log_snr(schedule: Schedule, steps: int, end: float) -> Tensor:
    first, last = schedule.log_snr(torch.tensor([1.0, end], dtype=torch.float64)).tolist()
    start = min(max(first, _FLOOR), last - 1)
    return schedule.t_at_log_snr(torch.linspace(start, last, steps + 1, dtype=torch.float64))


CHAIN_SPACINGS: dict[str, Callable[[Schedule, int, float], Tensor]] = {
    "linspace": _even,
    "quadratic": _quadratic,
    "log_snr": _log_snr,
}
"""How the stops are spread; the words are those of ``grids.SPACINGS``."""


# The bound --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Bound:
    """The terms of a variational bound, in bits per dimension.

    Attributes:
        prior: how far x at t = 1 is from pure noise.
        steps: (T,) the decoders' terms, from the noisiest to the cleanest; where T has gone to
            infinity one number, their sum.
        reconstruction: what the last decoder leaves open.
    """

    prior: float
    steps: Tensor
    reconstruction: float

    @property
    def total(self) -> float:
        """The bound itself."""
        return self.prior + float(self.steps.sum()) + self.reconstruction


def terms(schedule: Schedule, times: Tensor, curve: Curve) -> Bound:
    """Return the terms of the bound on stops, of which a chain of T steps has T + 2.

    Args:
        schedule: the path.
        times: (T + 1,) stops, falling from t = 1, as ``chain`` makes them.
        curve: of the denoiser.

    Raises:
        ValueError: if the stops do not fall, or are cleaner than what was measured.
    """
    if len(times) < 2 or not bool((times.diff() < 0).all()):
        raise ValueError("the stops of a bound must fall strictly, and there are at least two")
    log_snrs = schedule.log_snr(times.double())
    kl = log_snrs.exp().diff() / 2 * curve.mse_at(log_snrs[:-1])
    last = log_snrs[-1].item()
    return Bound(_prior(log_snrs[0].item(), curve), kl / _BITS, curve.reconstruction_at(last))


def limit(schedule: Schedule, curve: Curve, last: float = LAST) -> Bound:
    """Return what ``terms`` tends to as T grows: half the integral of the error over the SNR.

    Source: Kingma et al. 2021, section 5.1.

    Raises:
        ValueError: if the last stop is cleaner than what was measured.
    """
    first = schedule.log_snr(1.0).item()
    path = torch.tensor([curve.integral(first, last) / (2 * _BITS)], dtype=torch.float64)
    return Bound(_prior(first, curve), path, curve.reconstruction_at(last))


def _prior(log_snr: float, curve: Curve) -> float:
    """KL(N(alpha x_0, sigma^2 I) || N(0, (alpha^2 + sigma^2) I)), which only knows the log-SNR."""
    signal = 1 / (1 + math.exp(-log_snr)) if log_snr > -700 else 0.0
    noise = 1 / (1 + math.exp(log_snr))
    return (signal * curve.second_moment + noise - 1 - math.log(noise)) / (2 * _BITS)


# The bound by simulation ------------------------------------------------------------------------


@torch.no_grad()
def direct_bound(
    denoiser: Denoiser,
    schedule: Schedule,
    x_0: Tensor,
    times: Tensor,
    decoder: Decoder,
    generator: torch.Generator | None = None,
    **cond: Any,
) -> Tensor:
    """Return (N,) bounds in bits per dimension, each of one chain that was noised step by step.

    Its expectation is ``terms(...).total``, though no SNR is computed here; see ``path_bound``.

    Args:
        denoiser: what answers.
        schedule: the path.
        x_0: (N, ...) data; float64 keeps more digits.
        times: (T + 1,) stops, falling from t = 1.
        decoder: the last one.
        generator: of the noise.
        **cond: what to condition on, such as ``label``.
    """
    noised = list(walk(schedule, x_0, times.flip(0), generator))
    return path_bound(denoiser, schedule, times, [x_0, *noised], decoder, **cond)


def path_bound(
    denoiser: Denoiser,
    schedule: Schedule,
    times: Tensor,
    path: Sequence[Tensor],
    decoder: Decoder,
    **cond: Any,
) -> Tensor:
    """Return log q(x_{0 < t <= 1} | x_0) - log p(x_{0 <= t <= 1}) in bits per dimension, (N,).

    Both are sums of Gaussian log densities, term by term (Ho et al. 2020, eq. 3).  The decoders are
    N(mu, std^2 I) with (Ho et al. 2020, eq. 7, for any path)

        mu = (alpha_{t|s} sigma_s^2 x_t + alpha_s sigma_{t|s}^2 x_0_hat) / sigma_t^2
        std = sigma_{t|s} sigma_s / sigma_t

    Args:
        denoiser: what answers.
        schedule: the path of the noise.
        times: (T + 1,) stops, falling.
        path: x_0, then x_t at the stops from the cleanest on, each (N, ...): T + 2 of them.
        decoder: the last one.
        **cond: what to condition on.
    """
    x_0, *noised = path
    stops = times.flip(0).tolist()
    if len(noised) != len(stops):
        raise ValueError(f"{len(stops)} stops need as many x_t, got {len(noised)}")
    alpha, sigma = levels(schedule, stops[0], x_0)
    nats = _log_normal(noised[0], alpha * x_0, float(sigma))
    nats = nats - decoder.log_prob(x_0, noised[0] / alpha, float(sigma / alpha))
    for s, t, x_s, x_t in zip(stops, stops[1:], noised, noised[1:], strict=False):
        (alpha_s, sigma_s), (_, sigma_t) = schedule.at(s), schedule.at(t)
        ratio, fresh = transition(schedule, s, t)
        x_0_hat = denoiser(x_t, t, **cond)
        mean = (ratio * sigma_s**2 * x_t + alpha_s * fresh**2 * x_0_hat) / sigma_t**2
        nats = nats + _log_normal(x_t, ratio * x_s, fresh)
        nats = nats - _log_normal(x_s, mean, fresh * sigma_s / sigma_t)
    start = schedule.prior_std(stops[-1])
    nats = nats - _log_normal(noised[-1], torch.zeros_like(noised[-1]), start)
    return nats / (x_0[0].numel() * _BITS)


def _log_normal(x: Tensor, mean: Tensor, std: float) -> Tensor:
    """(N,): log N(x; mean, std^2 I)."""
    squares = (((x - mean) / std) ** 2).flatten(1)
    return -squares.sum(1) / 2 - squares.shape[1] * math.log(std * math.sqrt(2 * math.pi))


# What is kept -----------------------------------------------------------------------------------


def read_curves(place: Path = KEPT) -> dict[str, dict[str, Curve]]:
    """Return the measured curves: by set of pictures, then by what the model was told.

    Raises:
        ValueError: if they are missing or damaged.
    """
    try:
        kept = json.loads(place.read_text("utf-8"))
        return {
            name: {told: Curve(**entry["curves"][told]) for told in CONDITIONS}
            for name, entry in kept.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "The measured curves of the models of pictures cannot be read: their file is missing "
            "or damaged. Measure them again with: python -m diffviz bound --write"
        ) from error


class _Row(NamedTuple):
    schedule: str
    spacing: str
    totals: tuple[float, ...]


_TABLE_STEPS = (10, 50, 100, 1000)


def table(curve: Curve, last: float = LAST) -> str:
    """Return the bounds of all schedules and spacings as Markdown: some T, and the limit."""
    rows = [
        _Row(name, spacing, _totals(kind(), spacing, curve, last))
        for name, kind in SCHEDULES.items()
        for spacing in CHAIN_SPACINGS
    ]
    heads = "".join(f" T = {steps:,} |" for steps in _TABLE_STEPS)
    return "\n".join(
        [
            f"| schedule | spacing |{heads} T -> infinity |",
            "|---|---|" + "---|" * (len(_TABLE_STEPS) + 1),
            *(
                f"| {row.schedule} | {row.spacing} | "
                + " | ".join(f"{total:.4g}" for total in row.totals)
                + " |"
                for row in rows
            ),
        ]
    )


def _totals(schedule: Schedule, spacing: str, curve: Curve, last: float) -> tuple[float, ...]:
    grids = (chain(schedule, steps, spacing, last) for steps in _TABLE_STEPS)
    finite = (terms(schedule, grid, curve).total for grid in grids)
    return (*finite, limit(schedule, curve, last).total)


# The command ------------------------------------------------------------------------------------


def _measure(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Measure a shipped model on test pictures, with and without their classes."""
    network = image_model(name).denoiser
    split = load_split(name, asked.data)
    generator = torch.Generator().manual_seed(asked.seed)
    order = torch.randperm(len(split.test), generator=generator)[: asked.pictures]
    pictures, labels = split.test[order], split.test_labels[order]
    curves = {}
    for told in CONDITIONS:
        curve = denoising_curve(
            Clipped(network),
            network.schedule,
            pictures,
            labels if told == "class" else None,
            LOG_SNRS,
            torch.Generator().manual_seed(asked.seed + 1),
            about=f"{name}, {told}",
        )
        curves[told] = asdict(curve)
        print(f"{name}, told {told}: ± {curve.uncertainty:.2g}\n{table(curve)}", flush=True)
    settings = {"pictures": len(pictures), "seed": asked.seed, "clipped": True}
    return {"settings": settings, "curves": rounded(curves, 6)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = Command(prog="python -m diffviz bound", description=__doc__)
    parser.add_names()
    parser.add_argument(
        "--pictures", type=at_least(2), default=500, metavar="N", help="of the test set"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of their choice")
    parser.add_argument("--write", action="store_true", help="keep the curves")
    parser.add_argument("--table", action="store_true", help="print what was kept, no more")
    parser.add_data()
    parser.add_threads()
    asked = parser.parse_args(arguments)
    with parser.one_line():
        _print_kept(asked.names) if asked.table else _measure_all(asked.names, asked)


def _print_kept(names: Sequence[str]) -> None:
    for name, curves in read_curves().items():
        for told, curve in curves.items() if name in names else ():
            print(f"{name}, told {told}: ± {curve.uncertainty:.2g}\n{table(curve)}")


def _measure_all(names: Sequence[str], asked: argparse.Namespace) -> None:
    torch.set_num_threads(asked.threads)
    torch.set_flush_denormal(True)
    for name in names:
        entry = _measure(name, asked)
        if asked.write:
            keep(KEPT, {name: entry})


if __name__ == "__main__":
    main()
