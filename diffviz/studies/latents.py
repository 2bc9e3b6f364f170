r"""The latent space of a VAE: where its encoder puts pictures, and how to draw from there.

The codes of N pictures make the aggregate posterior, and the VAE's samples come from the prior:

    q(z) = 1/N sum_i q(z | x_i)          p(z) = N(0, I)

A decoder that was trained on the one is asked about the other.  Averaged over the pictures, the
divergence in the ELBO falls into two parts (Hoffman and Johnson 2016, "ELBO surgery", eq. 8),

    mean_i KL(q(z | x_i) || p) = I(i; z) + KL(q(z) || p),
    I(i; z) = E log q(z | x_i) - E log q(z),     z ~ q(z | x_i),  i uniform:

what a code tells of its picture, and how far the codes as a whole are from the prior.  Of N
pictures I can be log N at most, so in many dimensions q(z) of a finite set says too little about
all pictures.  With x_i itself left out of q(z), I is an upper bound for the pictures' population
where with it it is a lower one (Poole et al. 2019, "On variational bounds of mutual information",
section 2.4); the true divergence lies between the two answers.

Latent diffusion puts a diffusion model m(z) of the codes in the place of the prior (Vahdat et al.
2021; Rombach et al. 2022).  It is measured in the same unit, by its own likelihood:

    KL(q(z) || p) - KL(q(z) || m) = E_q[log m(z) - log p(z)],

which is by how much a code costs less under m, and is known in any dimension, for q(z) is not in
it; and since no divergence is below 0, KL(q(z) || p) is at least as much.

    python -m diffviz latents mnist fashion    # write the codes of the test sets, and the figures
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser, Guided, Network, OnPath
from diffviz.core.grids import make_grid
from diffviz.core.likelihood import likelihood
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import DPMpp2M
from diffviz.core.schedules import Cosine, Schedule
from diffviz.data.full_sets import SOURCES, Split, load_split
from diffviz.measures.metrics import energy_distance, sliced_wasserstein
from diffviz.models.checkpoints import CheckpointError
from diffviz.models.pretrained import GENERATOR_FOLDER, LATENTS, generator_stem, latent_model, vae
from diffviz.networks.vae import VAE, Code
from diffviz.studies.command import Command
from diffviz.studies.figures import FIGURES
from diffviz.tools.files import write_whole
from diffviz.tools.kept import keep, read, rounded

__all__ = [
    "KEPT",
    "MASSES",
    "Aggregate",
    "Between",
    "Codes",
    "Distance",
    "Figures",
    "Mended",
    "Surgery",
    "answers",
    "between_error",
    "bilinear",
    "decoded_grid",
    "draw_codes",
    "load_codes",
    "mass_levels",
    "measure",
    "mended",
    "read_figures",
    "surgery",
    "write_codes",
]

KEPT = FIGURES / "latents.json"
"""Where measured figures are kept."""

MASSES = (1 - math.exp(-1 / 2), 1 - math.exp(-2))
"""The shares of N(0, I) in the plane that lie within 1 and within 2 standard deviations."""

_CHUNK = 4_000_000  # pairs of a place and a code worked on at once
_DRAWS = 4000  # codes that expectations are taken over
_ASKED = 500  # codes whose likelihood under the diffusion model is worked out, more in the plane
_SETS = 5000  # codes of a set whose distance to another is measured
_STEPS = 40
_LONGEST = 200_000  # codes in a file
_SMALLEST = 1e-4  # std of a code, which half precision could round to 0


class Between(NamedTuple):
    """A number that is known to lie between two, on average over sets of pictures.

    Attributes:
        low: in nats.
        high: in nats.
    """

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Codes:
    """q(z | x) of N pictures, with their classes.

    Attributes:
        mean: (N, L).
        std: (N, L).
        labels: (N,) int64.
    """

    mean: Tensor
    std: Tensor
    labels: Tensor

    @property
    def aggregate(self) -> Aggregate:
        """The mixture of all of them."""
        return Aggregate(self.mean, self.std)


class Aggregate:
    """q(z) = 1/N sum_i N(m_i, diag s_i^2), the aggregate posterior of N pictures.

    Args:
        mean: (N, L).
        std: (N, L), above 0.

    Raises:
        ValueError: for other shapes, or a std that is not positive.
    """

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        if mean.ndim != 2 or not len(mean) or mean.shape != std.shape:
            raise ValueError(
                f"an aggregate posterior needs means and stds (N, L), got {tuple(mean.shape)} and "
                f"{tuple(std.shape)}"
            )
        if not bool((std > 0).all()):
            raise ValueError("the stds of an aggregate posterior must be positive")
        self.mean, self.std = mean.double(), std.double()

    def __len__(self) -> int:
        """Return N."""
        return len(self.mean)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n codes.

        Returns:
            z (n, L) in float64, and (n,) whose picture each is a code of.
        """
        index = torch.randint(len(self), (n,), generator=generator)
        code = Code(self.mean[index], self.std[index])
        return code.sample(generator), index

    def log_prob(self, z: Tensor, without: Tensor | None = None) -> Tensor:
        """Return log q(z) at (B, L) places, (B,) in nats.

        Args:
            z: the places.
            without: (B,) the picture that is left out for each; None for none.

        Raises:
            ValueError: if the only picture is left out.
        """
        if without is not None and len(self) < 2:
            raise ValueError("one picture alone cannot be left out of its aggregate posterior")
        z = z.double()
        rows = max(_CHUNK // len(self), 1)
        parts = torch.split(z, rows)
        left = [None] * len(parts) if without is None else list(torch.split(without, rows))
        return torch.cat([self._log_prob(*pair) for pair in zip(parts, left, strict=True)])

    def _log_prob(self, z: Tensor, without: Tensor | None) -> Tensor:
        precision: Tensor = 1 / self.std**2
        square = z**2 @ precision.T - 2 * z @ (self.mean * precision).T
        const = (self.mean**2 * precision).sum(1) + 2 * self.std.log().sum(1)
        each: Tensor = -(square + const + self.mean.shape[1] * math.log(2 * math.pi)) / 2
        count = len(self)
        if without is not None:
            each = each.scatter(1, without[:, None], -math.inf)
            count -= 1
        return each.logsumexp(1) - math.log(count)

    def density_on_grid(self, first: Tensor, second: Tensor) -> Tensor:
        """Return q at every crossing of two axes, (R_2, R_1), rows along the second coordinate.

        A Gaussian with a diagonal covariance is a product over coordinates, so this costs
        N (R_1 + R_2) exponentials and one product of matrices.

        Raises:
            ValueError: if the codes are not in the plane.
        """
        if self.mean.shape[1] != 2:
            raise ValueError("the density of codes is drawn in the plane, of 2 numbers each")
        bells = [
            torch.exp(-(((axis.double() - m[:, None]) / s[:, None]) ** 2) / 2)
            / (math.sqrt(2 * math.pi) * s[:, None])
            for axis, m, s in zip((first, second), self.mean.T, self.std.T, strict=True)
        ]
        density: Tensor = bells[1].T @ bells[0] / len(self)
        return density

    def moved(self, shift: Tensor, scale: Tensor) -> Aggregate:
        """The law of (z - shift) / scale: with a VAE's ``code_mean`` and ``code_std``, u."""
        return Aggregate((self.mean - shift) / scale, self.std / scale)

    def marginal(self, alpha: float, sigma: float) -> Aggregate:
        """The law of alpha z + sigma eps."""
        return Aggregate(alpha * self.mean, (alpha**2 * self.std**2 + sigma**2).sqrt())


# The mismatch -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surgery:
    """The two parts of the mean divergence of N pictures' codes from the prior, in nats.

    Attributes:
        rate: mean KL(q(z | x) || p), what the ELBO pays.
        information: I, what a code tells of its picture; the lower figure is of the N pictures.
        prior: KL(q(z) || p), rate less information; the higher figure is of the N pictures.
        error: standard error of the information, from the finite number of draws.
        ceiling: log N, the most that the information of N pictures can be.
    """

    rate: float
    information: Between
    prior: Between
    error: float
    ceiling: float


def surgery(
    aggregate: Aggregate, draws: int = _DRAWS, generator: torch.Generator | None = None
) -> Surgery:
    """Split the mean divergence from N(0, I) into information and mismatch.

    The rate is exact; the information is a mean over draws of log q(z | x_i) - log q(z).

    Args:
        aggregate: of at least 2 pictures.
        draws: how many codes are drawn, at least 2.
        generator: of the draws.

    Raises:
        ValueError: for fewer pictures or draws.
    """
    if draws < 2:
        raise ValueError(f"an expectation with its error needs at least 2 draws, not {draws}")
    z, index = aggregate.sample(draws, generator)
    own = Code(aggregate.mean[index], aggregate.std[index]).log_prob(z)
    told = [own - aggregate.log_prob(z, without) for without in (None, index)]
    low, high = (float(each.mean()) for each in told)
    rate = float(Code(aggregate.mean, aggregate.std).kl().mean())
    return Surgery(
        rate,
        Between(low, high),
        Between(rate - high, rate - low),
        max(float(each.std()) for each in told) / math.sqrt(draws),
        math.log(len(aggregate)),
    )


class Mended(NamedTuple):
    """What a model of the codes is worth in the place of the prior, in nats.

    Attributes:
        divergence: KL(q || m); the higher figure is of the N pictures.
        gain: E_q[log m - log p], by how much a code costs less: KL(q || p) is at least this.
        error: the larger standard error of the two, from the finite number of draws.
    """

    divergence: Between
    gain: float
    error: float


def mended(
    aggregate: Aggregate,
    model: Denoiser,
    schedule: Schedule,
    draws: int = _ASKED,
    generator: torch.Generator | None = None,
    shift: Tensor | float = 0.0,
    scale: Tensor | float = 1.0,
    steps: int = 32,
) -> Mended:
    """Measure a diffusion model of standardised codes u = (z - shift) / scale as a prior of z.

    m(z) is the density of what the model's ODE makes of noise.  The gain needs no density of q, so
    it is exact but for the draws, in any dimension; the divergence is bounded as in ``surgery``.

    Args:
        aggregate: of the codes z.
        model: a denoiser of standardised codes that autograd can follow.
        schedule: its path.
        draws: how many codes are asked about, at least 2.
        generator: of the draws.
        shift: (L,) or one number for all.
        scale: the same, above 0.
        steps: of the ODE, see ``likelihood``.
    """
    z, index = aggregate.sample(draws, generator)
    u = ((z - shift) / scale).float()
    parts = [likelihood(model, schedule, part, steps).nats for part in torch.split(u, 250)]
    size = torch.as_tensor(scale, dtype=torch.float64).expand(z.shape[1])
    log_m = -torch.cat(parts).double() - size.log().sum()
    log_p = -(z**2).sum(1) / 2 - z.shape[1] / 2 * math.log(2 * math.pi)
    high, low = (aggregate.log_prob(z, without) - log_m for without in (None, index))
    gain = log_m - log_p
    error = max(float(each.std()) for each in (high, gain)) / math.sqrt(draws)
    return Mended(Between(float(low.mean()), float(high.mean())), float(gain.mean()), error)


def mass_levels(density: Tensor, masses: Sequence[float] = MASSES) -> list[float]:
    """Return the densities whose contours hold these shares of the whole, densest places first.

    Args:
        density: (R, R) on a regular grid that holds nearly all of it.
        masses: shares between 0 and 1.

    Raises:
        ValueError: for a share out of range, or a density that is nowhere above 0.
    """
    if not all(0 < mass < 1 for mass in masses):
        raise ValueError(f"contours hold shares between 0 and 1, not {tuple(masses)}")
    ordered = density.flatten().sort(descending=True).values
    held = ordered.cumsum(0)
    if not float(held[-1]) > 0:
        raise ValueError("a density that is nowhere above 0 has no contours")
    places = torch.searchsorted(held / held[-1], torch.tensor(masses, dtype=held.dtype))
    return ordered[places.clamp_max(len(ordered) - 1)].tolist()


# Pictures of codes ------------------------------------------------------------------------------


def decoded_grid(coder: VAE, limits: tuple[float, float], side: int) -> Tensor:
    """Return the pictures of a grid of codes, (side, side, 28, 28) in [-1, 1].

    Args:
        coder: with codes of 2 numbers.
        limits: the ends of both axes; the outermost codes lie there.
        side: codes along an axis, at least 2; the first axis of the result is the second
            coordinate, from low to high.

    Raises:
        ValueError: for another coder, limits that are empty, or a side below 2.
    """
    low, high = limits
    if coder.config.latent != 2 or side < 2 or not low < high:
        raise ValueError("a grid of codes needs a VAE of 2 numbers, limits low < high and a side")
    axis = torch.linspace(low, high, side)
    z = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)
    return coder.decode(z)[:, 0].reshape(side, side, 28, 28)


def bilinear(grid: Tensor, limits: tuple[float, float], z: Tensor) -> Tensor:
    """Return what a grid of pictures says between its codes: the mix of the nearest four.

    Args:
        grid: (R, R, ...) as ``decoded_grid`` makes it.
        limits: the ends of both axes.
        z: (B, 2) codes, those outside taken to the edge.

    Returns:
        (B, ...) pictures.
    """
    low, high = limits
    side = len(grid)
    place = ((z - low) / (high - low) * (side - 1)).clamp(0, side - 1)
    first = place.floor().clamp_max(side - 2).long()
    share = (place - first).reshape(len(z), 2, *[1] * (grid.ndim - 2))
    (i, j), (x, y) = first.T, share.unbind(1)
    lower = (1 - x) * grid[j, i] + x * grid[j, i + 1]
    upper = (1 - x) * grid[j + 1, i] + x * grid[j + 1, i + 1]
    return (1 - y) * lower + y * upper


def between_error(coder: VAE, grid: Tensor, limits: tuple[float, float], codes: Tensor) -> float:
    """How far the mix of four decoded pictures is from the decoded one, at these codes.

    Returns:
        The root mean square over codes and pixels, in units of [-1, 1].
    """
    gap = bilinear(grid, limits, codes) - coder.decode(codes)[:, 0]
    return float(gap.square().mean().sqrt())


# Codes by diffusion -----------------------------------------------------------------------------


def answers(
    model: Network, schedule: Schedule, labels: Tensor | None = None, guidance: float = 1.0
) -> Denoiser:
    """The denoiser of standardised codes on a path.

    Args:
        model: that of ``latent_model``.
        schedule: the path.
        labels: (N,) the class of each code, None for any.
        guidance: the guidance scale, see ``Guided``.
    """
    asked: Denoiser = OnPath(model, model.schedule, schedule)
    return asked if labels is None else Conditioned(Guided(asked, guidance), label=labels)


def draw_codes(
    model: Network,
    coder: VAE,
    count: int,
    seed: int = 0,
    labels: Tensor | None = None,
    steps: int = _STEPS,
) -> Tensor:
    """Draw (count, L) codes by diffusion, ready for the decoder.

    Args:
        model: that of ``latent_model``.
        coder: the VAE that it belongs to.
        count: how many.
        seed: of the noise.
        labels: (count,) the class of each, None for any.
        steps: of DPM-Solver++(2M) on the cosine path.
    """
    schedule = Cosine()
    grid, shape = make_grid(schedule, steps, "log_snr"), (coder.config.latent,)
    asked = answers(model, schedule, labels)
    plan = Plan(asked, schedule, DPMpp2M(), grid, shape, count, seed)
    return coder.unstandardised(simulate(plan, 1).x_t[-1])


# Files ------------------------------------------------------------------------------------------


def codes_file(name: str, folder: Path = GENERATOR_FOLDER) -> Path:
    """Where the codes of a test set lie."""
    return generator_stem(name, "codes2", folder).with_suffix(".npz")


def write_codes(name: str, coder: VAE, split: Split, place: Path = GENERATOR_FOLDER) -> Path:
    """Write q(z | x) of the test set in half precision, with its labels but without pictures.

    Args:
        name: of the set, one of ``SOURCES``.
        coder: its VAE.
        split: its pictures.
        place: the folder.

    Returns:
        The file.
    """
    code = coder.encode(split.test)
    held = BytesIO()
    np.savez_compressed(
        held,
        mean=code.mean.numpy().astype(np.float16),
        std=code.std.clamp_min(_SMALLEST).numpy().astype(np.float16),
        labels=split.test_labels.numpy().astype(np.uint8),
    )
    path = codes_file(name, place)
    write_whole(path, held.getvalue())
    return path


def load_codes(name: str, folder: Path = GENERATOR_FOLDER) -> Codes:
    """Read the codes of a test set.

    Args:
        name: one of ``SOURCES``.
        folder: where the file lies.

    Raises:
        ValueError: for another name.
        CheckpointError: if the file is missing or damaged.
    """
    path = codes_file(name, folder)
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as held:
            mean, std = (torch.from_numpy(held[key].astype(np.float32)) for key in ("mean", "std"))
            labels = torch.from_numpy(held["labels"].astype(np.int64))
        return _checked(Codes(mean, std, labels))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"The codes of {name} cannot be read: {path.name} is missing or damaged. Write them "
            f"again with: python -m diffviz latents {name}"
        ) from error


def _checked(codes: Codes) -> Codes:
    fits = codes.mean.ndim == 2 and codes.mean.shape == codes.std.shape and codes.mean.shape[1] == 2
    if not fits or codes.labels.shape != codes.mean.shape[:1]:
        raise ValueError("the arrays do not belong together")
    if not 2 <= len(codes.mean) <= _LONGEST or int(codes.labels.max()) > 9:
        raise ValueError("too few or too many codes, or a class above 9")
    if not bool(codes.mean.isfinite().all()) or not bool((codes.std > 0).all()):
        raise ValueError("a code is no finite number")
    return codes


class Distance(NamedTuple):
    """How far draws are from fresh draws of the aggregate posterior.

    Attributes:
        sliced_wasserstein: of order 2, in units of a code.
        energy: the energy distance, in units of a code.
    """

    sliced_wasserstein: float
    energy: float


@dataclass(frozen=True)
class Figures:
    """What was measured on the codes of a test set.

    Attributes:
        pictures: how many.
        draws: codes in each of the sets whose distances were measured.
        surgery: the divergence from the prior and its parts.
        model: what the diffusion model is worth in the place of the prior.
        prior: how far draws of the prior are from the aggregate posterior.
        diffusion: how far draws of the diffusion model are.
        floor: how far a second set of its own draws is.
    """

    pictures: int
    draws: int
    surgery: Surgery
    model: Mended
    prior: Distance
    diffusion: Distance
    floor: Distance

    @property
    def own_miss(self) -> Between:
        """KL(q || p): at least what the diffusion model gains, and never below 0."""
        prior = self.surgery.prior
        return Between(max(prior.low, self.model.gain, 0.0), prior.high)

    @property
    def model_miss(self) -> Between:
        """KL(q || m), never below 0."""
        return Between(max(self.model.divergence.low, 0.0), self.model.divergence.high)

    @property
    def information(self) -> Between:
        """What a code tells of its picture: the rate less the mismatch."""
        return Between(self.surgery.information.low, self.surgery.rate - self.own_miss.low)


def measure(
    coder: VAE, model: Network, codes: Codes, draws: int = _SETS, asked: int | None = None
) -> Figures:
    """Measure how far the prior and the diffusion model are from the aggregate posterior.

    Args:
        coder: the VAE.
        model: its latent diffusion model.
        codes: of pictures that neither was trained on.
        draws: codes in a set whose distance is measured.
        asked: codes whose likelihood is worked out; as many as take some minutes where not given.
    """
    asked = asked or _ASKED * 16 // coder.config.latent
    generator = torch.Generator().manual_seed(0)
    aggregate = codes.aggregate
    parts = surgery(aggregate, generator=generator)
    units = coder.code_mean.double(), coder.code_std.double()
    worth = mended(aggregate, model, model.schedule, asked, generator, *units)
    real = aggregate.sample(draws, generator)[0].float()
    sets = {
        "prior": torch.randn(real.shape, generator=generator),
        "diffusion": draw_codes(model, coder, draws),
        "floor": aggregate.sample(draws, generator)[0].float(),
    }
    far = {
        key: Distance(float(sliced_wasserstein(z, real)), float(energy_distance(z, real)))
        for key, z in sets.items()
    }
    return Figures(len(aggregate), draws, parts, worth, **far)


def read_figures(place: Path = KEPT) -> dict[str, dict[int, Figures]]:
    """Return what was measured: set, then numbers in a code.

    Returns:
        Nothing of what is not there or cannot be read.
    """
    try:
        kept = json.loads(place.read_text("utf-8"))
        return {
            name: {int(size): _figures(raw) for size, raw in entry.items()}
            for name, entry in kept.items()
            if name in SOURCES
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _figures(raw: Mapping[str, Any]) -> Figures:
    parts = raw["surgery"]
    divergence, gain, spread = raw["model"]
    information, prior, miss = (
        Between(*map(float, each)) for each in (parts["information"], parts["prior"], divergence)
    )
    rate, error, ceiling = (float(parts[key]) for key in ("rate", "error", "ceiling"))
    return Figures(
        int(raw["pictures"]),
        int(raw["draws"]),
        Surgery(rate, information, prior, error, ceiling),
        Mended(miss, float(gain), float(spread)),
        **{key: Distance(*map(float, raw[key])) for key in ("prior", "diffusion", "floor")},
    )


# The command ------------------------------------------------------------------------------------


def _keep(name: str, figures: Mapping[int, Figures], place: Path) -> None:
    new = {str(size): rounded(asdict(each)) for size, each in figures.items()}
    keep(place, {name: read(place).get(name, {}) | new})


def _measure_one(name: str, size: int, split: Split, folder: Path) -> Figures:
    coder, model = vae(name, size, folder), latent_model(name, size, folder)
    code = coder.encode(split.test)
    if size == 2:
        print(f"wrote {write_codes(name, coder, split, folder).name}", flush=True)
    codes = Codes(code.mean, code.std.clamp_min(_SMALLEST), split.test_labels)
    figures = measure(coder, model.denoiser, codes)
    print(f"{name}, {size} numbers: {figures}", flush=True)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, write the codes and measure."""
    parser = Command(prog="python -m diffviz latents", description=__doc__)
    parser.add_names()
    parser.add_argument(
        "--latents",
        type=int,
        nargs="*",
        choices=LATENTS,
        default=LATENTS,
        help="numbers in a code of the VAEs",
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=GENERATOR_FOLDER,
        metavar="FOLDER",
        help="where the models lie, and the codes go",
    )
    parser.add_argument(
        "--figures", type=Path, default=KEPT, metavar="FILE", help="where the figures go"
    )
    parser.add_data()
    parser.add_threads()
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    torch.set_flush_denormal(True)
    with parser.one_line():
        for name in asked.names:
            split = load_split(name, asked.data)
            figures = {size: _measure_one(name, size, split, asked.into) for size in asked.latents}
            _keep(name, figures, asked.figures)


if __name__ == "__main__":
    main()
