"""Training as a job: it trains in slices and leaves snapshots that the page reads at any time.

A snapshot holds what the averaged model (EMA) can do after so many steps: samples it draws from one
fixed starting noise in a few steps, its score field beside the exact one, and the loss by noise
level since the snapshot before.  When training ends, is cut short or diverges, the model is
measured as the shipped ones are.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser, OnPath
from diffviz.core.distributions import Distribution, GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan
from diffviz.core.samplers import DPMpp2M
from diffviz.core.schedules import EDM
from diffviz.data.points import MIXTURES
from diffviz.measures.metrics import sliced_wasserstein
from diffviz.models.checkpoints import Card, Checkpoint
from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.training import Diverged, Progress, TrainConfig, Trainer, exact_loss
from diffviz.scenes import scene
from diffviz.scenes.configs import DataConfig, ScheduleConfig
from diffviz.scenes.score_field import LEVELS, PATH, Compared, Probe
from diffviz.studies.report import report

Floats = NDArray[np.float32]

SAMPLES = 600
"""How many samples a snapshot draws."""

_FRAMES = 48  # snapshots after the first
_BEND = 1.5  # above 1: snapshots are closer together at the start, where more happens
_DRAW_STEPS = 10
_FRESH = 2000  # points that samples are measured against
_FLOOR_DRAWS = 4
_LIKELY, _LIKELY_STEPS = 200, 32
_STEP_SECONDS, _STEP_WORK = 2.5e-3, 256 * 128**2 * 3  # roughly, for the share that is done
_SLICE_STEPS = 20
_SNAP_SECONDS, _MEASURE_SECONDS = 0.05, 3.0


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
        source = scene.distribution(self.config.data, points=False)
        self._probes: list[Probe] = []
        for ratio in LEVELS:
            self._probes.append(Probe(source, ratio))
            yield 0.0
        self.exact_loss = self._exact_loss(source)
        yield 0.0
        self.exact = tuple(probe.arrows for probe in self._probes)
        self._untrained = trainer.loss_by_t_of(trainer.denoiser(), self._fresh).clamp_min(1e-12)
        yield 0.0
        self._snap(trainer, [])
        yield 0.0
        yield from self._train(trainer)
        yield from self._measure(trainer)

    def _exact_loss(self, source: Distribution) -> float | None:
        config = self.config
        if config.train.ot_pairing or config.network.classes:
            return None
        loss = exact_loss(config.train, config.path.build(), source)
        return loss if math.isfinite(loss) and loss > 0 else None

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
        """The share that is done after some steps of training and the snapshots among them."""
        steps = self.config.train.steps
        whole = steps * _STEP_SECONDS * max(_work(self.config) / _STEP_WORK, 0.3)
        whole += min(_FRAMES, steps) * _SNAP_SECONDS
        return step / steps * whole / (whole + _MEASURE_SECONDS)

    # Measuring ----------------------------------------------------------------------------------

    def _measure(self, trainer: Trainer) -> Iterator[float]:
        """Measure the last snapshot's model as ``train`` does the shipped ones."""
        self.measuring = True
        assert self.checkpoint is not None
        network, path = self.checkpoint.denoiser, EDM()
        denoiser = OnPath(network, network.schedule, path)
        data, start = self.config.data, self._share(self.config.train.steps)
        work = report(
            denoiser,
            path,
            lambda n, seed: data.fresh(n, data.seed + seed),
            density=GaussianMixture(*MIXTURES[data.name]()) if data.name in MIXTURES else None,
            draws=1,
            likely=_LIKELY,
            likely_steps=_LIKELY_STEPS,
        )
        self.metrics = yield from _scaled(work, start)
        self.checkpoint = replace(
            self.checkpoint, card=replace(self.checkpoint.card, metrics=self.metrics)
        )

    def _card(self, step: int) -> Card:
        config = self.config
        own = {"text": f"the text {config.data.text!r}", "drawing": "a drawing", "table": "a table"}
        data = own.get(config.data.name, config.data.name)
        command = f"Training page of diffviz: {config.data.n:,} points, seed {config.data.seed}"
        return Card(data, config.train.seed, step, command, {}, config.train)


# Parts ------------------------------------------------------------------------------------------


@torch.inference_mode()
def draw(denoiser: Denoiser, noise: Tensor) -> Tensor:
    """Return samples (N, 2) that a denoiser on ``PATH`` draws from unit noise, in few steps."""
    grid, start = make_grid(PATH, _DRAW_STEPS, "karras"), PATH.prior_std() * noise
    plan = Plan(denoiser, PATH, DPMpp2M(), grid, (2,), len(noise))
    *_, last = plan.states(start)
    return scene.drawable(last.x_t)


def fresh_points(data: DataConfig, n: int, draw: int) -> Tensor:
    """Return (n, 2) points of the same data, drawn anew: unlike those of training."""
    return data.fresh(n, data.seed + 1000 * draw)


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


def _work(config: TrainingConfig) -> int:
    return max(config.train.batch * config.network.width**2 * config.network.depth, 1)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _scaled(
    work: Generator[float, None, dict[str, float]], start: float
) -> Generator[float, None, dict[str, float]]:
    """Let the share of some work go from ``start`` to 1."""
    while True:
        try:
            yield start + (1 - start) * next(work)
        except StopIteration as end:
            found: dict[str, float] = end.value
            return found
