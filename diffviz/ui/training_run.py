"""Training as a job: it trains in slices and leaves snapshots that the page reads at any time.

A snapshot holds what the averaged model (EMA) can do after so many steps: samples it draws from one
fixed starting noise in a few steps, its score field beside the exact one, and the loss by noise
level since the snapshot before.  When training ends, is cut short or diverges, the model is
measured as the shipped ones are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.checkpoints import Card, Checkpoint
from diffviz.datasets import MIXTURES
from diffviz.denoisers import Denoiser, OnPath
from diffviz.distributions import Distribution, GaussianMixture
from diffviz.grids import make_grid
from diffviz.likelihood import likelihood
from diffviz.metrics import energy_distance, mmd, sliced_wasserstein
from diffviz.networks import Levels, NetworkConfig, levels_at
from diffviz.samplers import DPMpp2M, Heun
from diffviz.schedules import EDM
from diffviz.training import WEIGHTINGS, Diverged, Progress, TrainConfig, Trainer
from diffviz.ui import stage
from diffviz.ui.configs import DataConfig, ScheduleConfig
from diffviz.ui.training_field import LEVELS, PATH, Compared, Probe

__all__ = [
    "SAMPLES",
    "Snapshot",
    "TrainingConfig",
    "TrainingRun",
    "draw",
    "floor_of",
    "fresh_points",
    "start_noise",
]

Floats = NDArray[np.float32]

SAMPLES = 600
"""How many samples a snapshot draws."""

_FRAMES = 48  # snapshots after the first
_BEND = 1.5  # above 1: snapshots are closer together at the start, where more happens
_DRAW_STEPS = 10
_FRESH = 2000  # points that samples are measured against
_FLOOR_DRAWS = 4
_MEASURE_STEPS = 40
_LIKELY, _LIKELY_PARTS, _LIKELY_STEPS = 200, 4, 32
_STEP_SECONDS, _STEP_WORK = 2.5e-3, 256 * 128**2 * 3  # roughly, for the share that is done
_SLICE_STEPS = 20
_LOSS_TABLE = 1 << 12  # noise levels, as many as the trainer's weights are scaled over,
_LOSS_STRIDE, _LOSS_POINTS = 10, 32  # and of which the exact denoiser's loss is a mean
_MEASURE_SECONDS = 3.0
_DISTANCES = {
    "sliced_wasserstein": sliced_wasserstein,
    "energy_distance": energy_distance,
    "mmd": mmd,
}


@dataclass(frozen=True)
class TrainingConfig:
    """What to train, on what and how.

    Attributes:
        data: points in the plane.
        path: the path that the network is trained on.
        train: the training.
        network: the network's shape; its classes are those it is told, 0 for none.
    """

    data: DataConfig = field(default_factory=lambda: DataConfig(n=5000))
    path: ScheduleConfig = field(default_factory=lambda: ScheduleConfig("edm"))
    train: TrainConfig = field(default_factory=lambda: TrainConfig("x_0", "log_normal", steps=1000))
    network: NetworkConfig = field(default_factory=NetworkConfig)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What the averaged model can do after so many steps.

    Attributes:
        step: steps done.
        samples: (N, 2) drawn from the same noise in every snapshot.
        fields: its score beside the exact one at each of ``LEVELS``.
        distance: sliced Wasserstein-2 of the samples to fresh data.
        loss_by_t: (B,) mean loss at each noise level since the last snapshot, in units of that of
            the untrained network; NaN for none.
        lr: the learning rate that was asked for.
        back_to: the step whose model this is, where training diverged and fell back on it.
    """

    step: int
    samples: Floats
    fields: tuple[Compared, ...]
    distance: float
    loss_by_t: Floats
    lr: float
    back_to: int | None = None

    @property
    def trained(self) -> int:
        """The steps that the model has been trained for."""
        return self.step if self.back_to is None else self.back_to


class TrainingRun(Iterator[float]):
    """The work of a training job; each ``next`` is a slice of it and returns the share done.

    What it has found is in attributes that are replaced and never changed.

    Args:
        config: what to train.

    Attributes:
        config: what is trained.
        snapshots: so far, the untrained model first.
        losses: (step, mean loss since the entry before).
        rates: (step, learning rate) at which it was set, the first one first.
        log_ratios: (B + 1,) log(sigma / alpha) of the edges of ``Snapshot.loss_by_t``.
        exact: the exact arrows (G, G, 2) at each of ``LEVELS``.
        floor: sliced Wasserstein-2 of as many points of the data as there are samples.
        exact_loss: the loss of the exact denoiser, which training approaches; None where the
            network knows more (classes) or pairs noise with data.
        checkpoint: the model of the last snapshot, with what was measured.
        metrics: as on a card; empty until the end.
        diverged: why training broke off, for the reader; None if it did not.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.snapshots: tuple[Snapshot, ...] = ()
        self.losses: tuple[tuple[int, float], ...] = ()
        self.rates: tuple[tuple[int, float], ...] = ((0, config.train.lr),)
        self.log_ratios: tuple[float, ...] = ()
        self.exact: tuple[Floats, ...] = ()
        self.floor = 0.0
        self.exact_loss: float | None = None
        self.checkpoint: Checkpoint | None = None
        self.metrics: dict[str, float] = {}
        self.diverged: str | None = None
        self.measuring = False
        self._cut = False
        self._lr = config.train.lr
        self._slices = self._labour()

    def __next__(self) -> float:
        """Do the next slice and return the share that is done."""
        return next(self._slices)

    @property
    def step(self) -> int:
        """Steps done by the last report."""
        return self.losses[-1][0] if self.losses else 0

    @property
    def lr(self) -> float:
        """The learning rate; may be set at any time."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        if not (math.isfinite(lr) and lr > 0):
            raise ValueError(f"the learning rate must be a number above 0, got {lr}")
        self._lr = lr

    def cut(self) -> None:
        """Train no further: take the last snapshot and measure."""
        self._cut = True

    # Slices -------------------------------------------------------------------------------------

    def _labour(self) -> Iterator[float]:
        trainer = self._trainer()
        yield 0.0
        self._fresh = fresh_points(self.config.data, _FRESH, 1)
        self._noise = start_noise(SAMPLES)
        self.floor = floor_of(self.config.data, self._fresh)
        yield 0.0
        source = stage.distribution(self.config.data, points=False)
        self._probes: list[Probe] = []
        for ratio in LEVELS:
            self._probes.append(Probe(source, ratio))
            yield 0.0
        self.exact_loss = _exact_loss(self.config, source)
        yield 0.0
        self.exact = tuple(probe.arrows for probe in self._probes)
        self._untrained = _untrained(trainer, self._fresh)
        yield 0.0
        self._snap(trainer, [])
        yield 0.0
        yield from self._train(trainer)
        yield from self._measure(trainer)

    def _trainer(self) -> Trainer:
        config = self.config
        points, labels = config.data.labelled()
        every = _SLICE_STEPS * _STEP_WORK // _work(config)
        trainer = Trainer(
            points,
            config.path.build(),
            config.train,
            config.network,
            labels if config.network.classes else None,
            every=min(max(every, 1), _SLICE_STEPS),
        )
        edges = -trainer.schedule.log_snr(trainer.t_edges) / 2
        self.log_ratios = tuple(edges.clamp(-20, 20).tolist())
        self._every = trainer.every
        return trainer

    def _train(self, trainer: Trainer) -> Iterator[float]:
        try:
            for stop in _stops(trainer.steps):
                rows: list[Tensor] = []
                while trainer.step < stop and not self._cut:
                    rows.append(self._advance(trainer, stop).loss_by_t)
                    yield self._share(trainer.step)
                if rows:
                    self._snap(trainer, rows)
                    yield self._share(trainer.step)
                if self._cut:
                    return
        except Diverged as error:
            self.diverged = str(error)
            self._snap(trainer, [], error)

    def _advance(self, trainer: Trainer, stop: int) -> Progress:
        if trainer.lr != self._lr:
            trainer.lr = self._lr
            self.rates = (*self.rates, (trainer.step, self._lr))
        trainer.every = min(self._every, stop - trainer.step)
        progress = next(trainer)
        self.losses = (*self.losses, (progress.step, progress.loss))
        return progress

    def _snap(self, trainer: Trainer, rows: Sequence[Tensor], fell: Diverged | None = None) -> None:
        """Take a snapshot of the averaged model as it is now."""
        network = trainer.denoiser()
        denoiser = OnPath(network, network.schedule, PATH)
        samples = draw(denoiser, self._noise)
        by_t = (_mean_of(rows) / self._untrained).float().numpy()
        taken = Snapshot(
            trainer.step if fell is None else fell.step,
            samples.numpy(),
            tuple(probe.compare(denoiser) for probe in self._probes),
            float(sliced_wasserstein(samples, self._fresh, 64)),
            by_t,
            trainer.lr,
            None if fell is None else fell.kept,
        )
        self.checkpoint = Checkpoint(network, self._card(taken.trained))
        self.snapshots = (*self.snapshots, taken)

    def _share(self, step: float) -> float:
        """The share that is done after some steps of training."""
        whole = self.config.train.steps * _STEP_SECONDS * max(_work(self.config) / _STEP_WORK, 0.3)
        return step / self.config.train.steps * whole / (whole + _MEASURE_SECONDS)

    # Measuring ----------------------------------------------------------------------------------

    def _measure(self, trainer: Trainer) -> Iterator[float]:
        """Measure the last snapshot's model as ``diffviz.train`` does the shipped ones."""
        self.measuring = True
        assert self.checkpoint is not None
        network, path = self.checkpoint.denoiser, EDM()
        denoiser = OnPath(network, network.schedule, path)
        start = self._share(self.config.train.steps)
        found: dict[str, float] = {}
        slices = [*self._distances(denoiser, path, found), *self._nats(denoiser, path, found)]
        for k, part in enumerate(slices):
            part()
            yield start + (1 - start) * (k + 1) / (len(slices) + 1)
        self.metrics = {key: round(value, 5) for key, value in found.items()}
        self.checkpoint = replace(
            self.checkpoint, card=replace(self.checkpoint.card, metrics=self.metrics)
        )

    def _distances(self, denoiser: Denoiser, path: EDM, found: dict[str, float]) -> list[Any]:
        """Slices of work that draw samples and measure their distances to fresh data."""
        noise = path.prior_std() * torch.randn(_FRESH, 2, generator=_seeded())
        grid = make_grid(path, _MEASURE_STEPS, "karras")
        states = Heun().iterate(denoiser, path, grid, noise)
        last: list[Tensor] = []

        def walk() -> None:
            with torch.inference_mode():
                for _ in range(4):
                    state = next(states, None)
                    last[:] = last if state is None else [state.x_t]

        def measure(name: str, distance: Any) -> None:
            found[name] = float(distance(last[0].nan_to_num(0.0), self._fresh))

        def floor(name: str, distance: Any) -> None:
            other = fresh_points(self.config.data, _FRESH, 2)
            found[f"{name}_floor"] = float(distance(other, self._fresh))

        walks = [walk] * math.ceil((_MEASURE_STEPS + 1) / 4)
        return [*walks, *(_bind(f, *item) for item in _DISTANCES.items() for f in (measure, floor))]

    def _nats(self, denoiser: Denoiser, path: EDM, found: dict[str, float]) -> list[Any]:
        """Slices of work that measure the likelihood of fresh points."""
        points = fresh_points(self.config.data, _LIKELY, 3)
        nats: list[Tensor] = []

        def measure(part: Tensor) -> None:
            nats.append(likelihood(denoiser, path, part, _LIKELY_STEPS).nats)
            value = float(torch.cat(nats).mean())
            if math.isfinite(value):
                found["nll"] = value

        def exact() -> None:
            if self.config.data.name in MIXTURES:
                density = GaussianMixture(*MIXTURES[self.config.data.name]())
                found["nll_exact"] = float(-density.log_prob(points.double()).mean())

        return [*(_bind(measure, part) for part in points.chunk(_LIKELY_PARTS)), exact]

    def _card(self, step: int) -> Card:
        config = self.config
        own = {"text": f"the text {config.data.text!r}", "drawing": "a drawing"}
        data = own.get(config.data.name, config.data.name)
        command = f"Training page of diffviz: {config.data.n:,} points, seed {config.data.seed}"
        return Card(data, config.train.seed, step, command, {}, config.train)


# Parts ------------------------------------------------------------------------------------------


@torch.inference_mode()
def draw(denoiser: Denoiser, noise: Tensor) -> Tensor:
    """Return samples (N, 2) that a denoiser on ``PATH`` draws from unit noise, in few steps."""
    grid = make_grid(PATH, _DRAW_STEPS, "karras")
    x = DPMpp2M().sample(denoiser, PATH, grid, PATH.prior_std() * noise)
    return stage.drawable(x)


def fresh_points(data: DataConfig, n: int, draw: int) -> Tensor:
    """Return (n, 2) points of the same data, drawn anew: unlike those of training."""
    return replace(data, n=n, seed=data.seed + 1000 * draw).load()


def start_noise(n: int) -> Tensor:
    """Return (n, 2) noise in pairs x, -x, of unit variance: less left to chance."""
    half = torch.randn(-(-n // 2), 2, generator=_seeded())
    noise = torch.cat([half, -half])[:n]
    return noise / noise.std(0, correction=0)


def floor_of(data: DataConfig, fresh: Tensor) -> float:
    """Return the sliced Wasserstein-2 of ``SAMPLES`` independent points of the data to others."""
    points = fresh_points(data, 8 * SAMPLES, 2)
    generator = _seeded()
    total = 0.0
    for _ in range(_FLOOR_DRAWS):
        chosen = torch.randint(len(points), (SAMPLES,), generator=generator)
        total += float(sliced_wasserstein(points[chosen], fresh, 64))
    return total / _FLOOR_DRAWS


def _stops(steps: int) -> list[int]:
    """The steps at which snapshots are taken: closer together at the start."""
    frames = min(_FRAMES, steps)
    at = {max(round(steps * (k / frames) ** _BEND), 1) for k in range(1, frames + 1)}
    return sorted(at)


def _mean_of(rows: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(rows)).nanmean(0) if rows else torch.tensor(float("nan"))


def _untrained(trainer: Trainer, points: Tensor) -> Tensor:
    """(B,) the loss of the untrained network in the middle of each of the trainer's bins."""
    schedule, target = trainer.schedule, trainer.config.target
    log_snr = schedule.log_snr(trainer.t_edges).clamp(-40, 40)
    t = schedule.t_at_log_snr((log_snr[1:] + log_snr[:-1]) / 2).clamp(schedule.t_min, 1 - 1e-6)
    at = levels_at(schedule, target, t, torch.float32)
    eps = torch.randn(points.shape, generator=_seeded())
    denoiser = trainer.denoiser()
    losses = []
    with torch.inference_mode():
        for time, alpha, sigma in zip(
            t.tolist(), at.alpha.flatten(), at.sigma.flatten(), strict=True
        ):
            x_0 = denoiser(alpha * points + sigma * eps, time)
            losses.append((x_0 - points).square().mean())
    return (_of_target(at).flatten() * torch.stack(losses)).clamp_min(1e-12)


def _of_target(at: Levels) -> Tensor:
    """The relative squared error of the target for one unit of squared error of x_0."""
    gain = (at.a * at.sigma - at.b * at.alpha) / at.sigma
    return gain**2 / (at.a**2 + at.b**2)


@torch.inference_mode()
def _exact_loss(config: TrainingConfig, source: Distribution) -> float | None:
    """The training loss of the exact denoiser."""
    if config.train.ot_pairing or config.network.classes:
        return None
    schedule, weighting = config.path.build(), WEIGHTINGS[config.train.weighting]
    u = (torch.arange(_LOSS_TABLE, dtype=torch.float64) + 0.5) / _LOSS_TABLE
    at = levels_at(schedule, config.train.target, weighting.times(schedule, u), torch.float64)
    weight = weighting.weight(at)
    factor = (weight / weight.mean() * _of_target(at)).flatten()
    rows = range(_LOSS_STRIDE // 2, _LOSS_TABLE, _LOSS_STRIDE)
    generator, total = _seeded(), 0.0
    for k in rows:
        points = source.sample(_LOSS_POINTS, generator).float()
        eps = torch.randn(points.shape, generator=generator)
        alpha, sigma = at.alpha[k].item(), at.sigma[k].item()
        gap = source.posterior_mean(alpha * points + sigma * eps, alpha, sigma) - points
        total += float(factor[k]) * float(gap.square().mean()) / len(rows)
    return total if math.isfinite(total) and total > 0 else None


def _work(config: TrainingConfig) -> int:
    return max(config.train.batch * config.network.width**2 * config.network.depth, 1)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _bind(function: Any, *arguments: Any) -> Any:
    return lambda: function(*arguments)
