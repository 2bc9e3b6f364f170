r"""Training a denoiser of points or pictures, one step at a time.

A network that predicts y = a x_0 + b eps (see ``mlp``) is trained on

    L = E_t E_{x_0, eps} [ w(t) |y_hat(x_t, t) - y|^2 / (D (a^2 + b^2)) ],

the squared error in units of what there is to predict: a network that always answers 0 scores 1 at
every noise level, whatever the target and the path.  A weighting is a choice of w and of how often
each t is drawn:

    uniform       t even on the path, w = 1: for eps the simple loss of Ho et al. 2020, eq. 14
    snr           t even, w so that the error of x_0 counts SNR times: the same as the plain error
                  of eps, whatever the target (Kingma et al. 2021, eq. 14; Salimans and Ho 2022)
    min_snr       the same with min(SNR, 5) (Hang et al. 2023, eq. 8)
    logit_normal  log(t / (1 - t)) ~ N(0, 1), w = 1 (Esser et al. 2024, eq. 19)
    log_normal    log(sigma / alpha) ~ N(-0.5, 1.2^2), w so that the normalised network output F of
                  ``mlp`` counts evenly (Karras et al. 2022, table 1: -1.2 for data of std 0.5,
                  which is -1.2 + log 2 for data of std 1)

w is scaled to mean 1.  On the path ``edm``, whose t is the noise level itself, t drawn evenly is
nearly always a level at which nothing of the data is left: take log_normal there.

Times are drawn in strata, one draw per step shifted by i / K for its K noise levels (Kingma et al.
2021, section I.1), which takes most of the noise of t out of the loss; B / K points share a level,
so that the network reads each level once.

Sources beside these: Kingma and Ba 2015 (Adam), Loshchilov and Hutter 2019
(AdamW), Ho and Salimans 2022 (label dropout), Pooladian et
al. 2023 and Tong et al. 2024 (noise paired with data by optimal transport within a batch).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffviz.core.denoisers import Denoiser, Network
from diffviz.core.distributions import Distribution
from diffviz.core.schedules import Schedule
from diffviz.networks.mlp import TARGETS, Conditional, Levels, NetworkConfig, levels_at
from diffviz.networks.unet import UNetConfig

__all__ = [
    "LR_SCHEDULES",
    "OPTIMISERS",
    "WEIGHTINGS",
    "Diverged",
    "Progress",
    "TrainConfig",
    "Trainer",
    "Weighting",
    "exact_loss",
]

_TABLE = 1 << 12  # noise levels that are worked out before training starts
_NUMBERS = 1 << 18  # in the data that the untrained loss is measured on, about
_STRIDE, _A_LEVEL = 10, 32  # of which every tenth, with as many points, makes ``exact_loss``
_FARTHEST = 40.0  # log-SNR beyond which no loss is looked at
_BINS = 32
_WARMUP = 20  # steps over which the learning rate rises
_GROUP = 256  # rows that optimal transport pairs at once: its cost grows with their cube
_GAMMA = 5.0  # where min_snr cuts the SNR
_LOG_NORMAL = (-0.5, 1.2)
_GROUPS = 32  # noise levels in a step, where the batch is large enough
_WORSE = 3.0  # a running loss this many times that of the untrained network has diverged,
_RISE = 10.0  # and so has one above that of the untrained network and this many times its best
_HEALTHY = 2.0  # one this many times its best is still good
_CHECK = 20  # steps between two copies of the model that training can fall back on
_SMOOTHING = 0.9
_BETAS = (0.9, 0.99)
_DECAY = 0.01
_MOMENT = "optimiser."


@dataclass(frozen=True)
class Weighting:
    """Which noise levels training looks at, and how much each counts.

    Attributes:
        times: (schedule, (Q,) even in (0, 1)) -> (Q,) times: the inverse of their distribution.
        weight: levels -> (Q, 1, 1) weights of the squared error of y in units of a^2 + b^2, up to a
            factor.
    """

    times: Callable[[Schedule, Tensor], Tensor]
    weight: Callable[[Levels], Tensor]


def _even(schedule: Schedule, u: Tensor) -> Tensor:
    return schedule.t_min + (1 - schedule.t_min) * u


def _logit_normal(schedule: Schedule, u: Tensor) -> Tensor:
    normal: Tensor = torch.special.ndtri(u)
    return normal.sigmoid().clamp(schedule.t_min, 1)


def _log_normal(schedule: Schedule, u: Tensor) -> Tensor:
    mean, std = _LOG_NORMAL
    ratio = mean + std * torch.special.ndtri(u)
    return schedule.t_at_log_snr(-2 * ratio).clamp(schedule.t_min, 1)


def _ones(at: Levels) -> Tensor:
    return torch.ones_like(at.alpha)


def _per_x_0(at: Levels) -> Tensor:
    """(Q, 1, 1): the error of x_0 for one unit of relative error of y, both squared."""
    return (at.a**2 + at.b**2) * at.sigma**2 / (at.a * at.sigma - at.b * at.alpha) ** 2


def _snr(at: Levels) -> Tensor:
    return (at.alpha / at.sigma) ** 2 * _per_x_0(at)


def _min_snr(at: Levels) -> Tensor:
    return ((at.alpha / at.sigma) ** 2).clamp_max(_GAMMA) * _per_x_0(at)


def _per_output(at: Levels) -> Tensor:
    return (1 + (at.alpha / at.sigma) ** 2) * _per_x_0(at)


WEIGHTINGS: dict[str, Weighting] = {
    "uniform": Weighting(_even, _ones),
    "snr": Weighting(_even, _snr),
    "min_snr": Weighting(_even, _min_snr),
    "logit_normal": Weighting(_logit_normal, _ones),
    "log_normal": Weighting(_log_normal, _per_output),
}

#: name -> the optimiser of these tensors at this learning rate.
OPTIMISERS: dict[str, Callable[[Sequence[Tensor], float], torch.optim.Optimizer]] = {
    "adam": lambda weights, lr: torch.optim.Adam(weights, lr, betas=_BETAS, fused=True),
    "adamw": lambda weights, lr: torch.optim.AdamW(
        weights, lr, betas=_BETAS, weight_decay=_DECAY, fused=True
    ),
    "sgd": lambda weights, lr: torch.optim.SGD(weights, lr, momentum=0.9, fused=True),
}

#: name -> factor of the learning rate after a share of the steps.
LR_SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "cosine": lambda share: (1 + math.cos(math.pi * min(share, 1.0))) / 2,
    "linear": lambda share: max(1 - share, 0.0),
}


@dataclass(frozen=True)
class TrainConfig:
    """How to train, whatever the path and the data.

    Attributes:
        target: what the network predicts, a key of ``PARAMETRIZATIONS``.
        weighting: a key of ``WEIGHTINGS``.
        batch: points in a step, 1 to 16,384.
        steps: 1 to 1,000,000.
        optimiser: a key of ``OPTIMISERS``.
        lr: learning rate, above 0; "sgd" wants about ten times that of the others.
        lr_schedule: a key of ``LR_SCHEDULES``; the first 20 steps also rise to it.
        ema_decay: of the moving average of the weights, from 0 up to below 1; the average is
            shorter in the first steps, (1 + k) / (10 + k).
        label_dropout: share of the labels withheld, so that one network learns to do without.
        seed: of the first weights, the batches, the times and the noise.
        ot_pairing: pair each batch's noise with its data by optimal transport, within a class
            where there are classes.  The paths are straighter and the ODE's end is the same, but
            x_0 and eps are no longer independent: the score of such a model is not that of the
            data, and only ODE samplers may use it.

    Raises:
        ValueError: for an unknown name, a number out of range, or pairing without the target
            "velocity".
    """

    target: str = "v"
    weighting: str = "log_normal"
    batch: int = 256
    steps: int = 1000
    optimiser: str = "adam"
    lr: float = 5e-3
    lr_schedule: str = "cosine"
    ema_decay: float = 0.999
    label_dropout: float = 0.1
    seed: int = 0
    ot_pairing: bool = False

    def __post_init__(self) -> None:
        _one_of("target", self.target, TARGETS)
        _one_of("weighting", self.weighting, WEIGHTINGS)
        _one_of("optimiser", self.optimiser, OPTIMISERS)
        _one_of("lr_schedule", self.lr_schedule, LR_SCHEDULES)
        _whole("batch", self.batch, 1, 16_384)
        _whole("steps", self.steps, 1, 1_000_000)
        _whole("seed", self.seed, 0, 2**63 - 1)
        _checked_lr(self.lr)
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie from 0 up to below 1, got {self.ema_decay:g}")
        if not 0 <= self.label_dropout <= 1:
            raise ValueError(f"label_dropout is a share from 0 to 1, got {self.label_dropout:g}")
        if self.ot_pairing and self.target != "velocity":
            raise ValueError(
                "pairing by optimal transport is for flow matching: with it only the velocity "
                'keeps its meaning, so choose the target "velocity"'
            )


@dataclass(frozen=True, eq=False)
class Progress:
    """Where training is, and how it went since the last report.

    Attributes:
        step: steps done.
        steps: steps to do in all.
        loss: mean weighted loss of the steps since the last report.
        loss_by_t: (bins,) mean loss before weighting by noise level, between ``Trainer.t_edges``;
            1 is a network that always answers 0; nan where no time was drawn.
        lr: learning rate of the last step.
        seconds: time spent in steps, pauses left out.
    """

    step: int
    steps: int
    loss: float
    loss_by_t: Tensor
    lr: float
    seconds: float

    @property
    def seconds_left(self) -> float:
        """Time to finish at the speed so far."""
        return self.seconds / self.step * max(self.steps - self.step, 0)


class Diverged(RuntimeError):
    """Training no longer converges; the message says why and what to try.

    Attributes:
        step: the step at which it was noticed.
        kept: the step of the model that was kept.
    """

    def __init__(self, message: str, step: int, kept: int) -> None:
        super().__init__(message)
        self.step, self.kept = step, kept


class Trainer(Iterator[Progress]):
    """Trains a network: an iterator over reports, ``every`` steps apart.

    Not asking for the next report is a pause, asking again resumes, dropping the trainer stops.
    Between two reports ``lr`` and ``steps`` may be set anew.  The same arguments give the same
    weights to the last bit on one thread of one machine.

    Args:
        points: (N, D) data, of about unit variance; pictures are flattened.
        schedule: the path.
        config: how to train.
        network: the shape of the network, a ``UNetConfig`` for pictures; by default the standard
            one for points of the data's D and classes.
        labels: (N,) classes from 0 up; None for training without.
        every: steps between two reports.
        precision: of the network's products while it trains; torch.bfloat16 halves the time on
            processors that have it, and costs a large network nothing.

    Attributes:
        config: how it was asked to train.
        schedule: the path.
        step: steps done.
        steps: steps to do in all; raise it to train on.
        t_edges: (bins + 1,) falling log-SNR, rising times: the noise levels of ``loss_by_t``,
            even in log-SNR.

    Raises:
        ValueError: if the points are not finite (N, D) numbers, the labels do not fit them, or the
            network does not fit either.
    """

    def __init__(
        self,
        points: Tensor,
        schedule: Schedule,
        config: TrainConfig | None = None,
        network: NetworkConfig | UNetConfig | None = None,
        labels: Tensor | None = None,
        every: int = 20,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self._points, self._labels = _checked_points(points), _checked_labels(labels, len(points))
        classes = 0 if self._labels is None else int(self._labels.max()) + 1
        dim = self._points.shape[1]
        network = NetworkConfig(dim=dim, classes=classes) if network is None else network
        if network.dim != dim or network.classes < classes or (network.classes > 0 and not classes):
            raise ValueError(
                f"points of {dim} coordinates and {classes} classes do not fit a network of "
                f"{network.dim} coordinates and {network.classes} classes"
            )
        _whole("every", every, 1, 1_000_000)
        self.config = TrainConfig() if config is None else config
        self.schedule, self.network, self.every = schedule, network, every
        self._precision = precision
        self.step, self.steps, self.seconds = 0, self.config.steps, 0.0
        self._lr = self.config.lr
        self._generator = torch.Generator().manual_seed(self.config.seed)
        self._module = self._new_module()
        self._weights = _flat(self._module)
        self._ema = self._weights.detach().clone()
        self._optimiser = self._new_optimiser()
        self._levels, self._weight, self._bin, self.t_edges = self._tables()
        self._watch = _Watch(self._ema.clone(), self._untrained())
        self._clear()

    @property
    def lr(self) -> float:
        """The learning rate, before the schedule's factor; may be set between two reports."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        _checked_lr(lr)
        self._lr = lr

    @property
    def done(self) -> bool:
        """Whether all steps are done."""
        return self.step >= self.steps

    def __next__(self) -> Progress:
        """Do the steps up to the next report.

        Raises:
            StopIteration: when all steps are done.
            Diverged: when the loss is no longer finite or has risen far above its best.  The
                trainer has then gone back to the last good weights; with a lower ``lr`` it may be
                asked to go on.
        """
        if self.done:
            raise StopIteration
        start = time.perf_counter()
        try:
            last = min(self.step + self.every, self.steps)
            with torch.enable_grad():
                while self.step < last:
                    self._one_step()
        finally:
            self.seconds += time.perf_counter() - start
        return self._report()

    def denoiser(self) -> Network:
        """Return a copy of the averaged model as it is now; later steps leave it alone."""
        module = self._new_module()
        nn.utils.vector_to_parameters(self._ema.clone(), module.parameters())
        return Network(module.requires_grad_(False).eval(), self.schedule, self.config.target)

    def state(self) -> dict[str, Tensor]:
        """Return copies of all that training needs to go on from here; see ``restore``."""
        moments = self._optimiser.state_dict()["state"].get(0, {})
        return {
            "weights": self._weights.detach().clone(),
            "ema": self._ema.clone(),
            "generator": self._generator.get_state(),
            "progress": torch.tensor([self.step, self.seconds, self._lr], dtype=torch.float64),
            **{_MOMENT + name: torch.as_tensor(v).clone() for name, v in moments.items()},
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where another trainer with the same arguments was, to the last bit.

        Args:
            state: what its ``state()`` was.

        Raises:
            ValueError: if it does not fit; the trainer is then as it was.
        """
        own = self.state()
        for name in ("weights", "ema", "generator", "progress"):
            if name not in state or state[name].shape != own[name].shape:
                raise ValueError(f"this state is of another training: its {name} do not fit")
        step, seconds, lr = state["progress"].tolist()
        moments = {k.removeprefix(_MOMENT): v for k, v in state.items() if k.startswith(_MOMENT)}
        self._weights.data.copy_(state["weights"])
        self._ema.copy_(state["ema"])
        self._generator.set_state(state["generator"].clone())
        self.step, self.seconds, self._lr = int(step), seconds, lr
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict(
            {"state": {0: moments} if moments else {}, "param_groups": groups}
        )
        self._watch = _Watch(self._ema.clone(), self._watch.untrained, self.step)
        self._clear()

    def loss_by_t_of(self, denoiser: Denoiser, points: Tensor) -> Tensor:
        """Return the (bins,) loss of any denoiser, as ``Progress.loss_by_t``, mid-bin.

        Args:
            denoiser: asked on this path.
            points: (N, D) data to measure it on.
        """
        log_snr = self.schedule.log_snr(self.t_edges).clamp(-_FARTHEST, _FARTHEST)
        middle = (log_snr[1:] + log_snr[:-1]) / 2
        t = self.schedule.t_at_log_snr(middle).clamp(self.schedule.t_min, 1 - 1e-6)
        at = levels_at(self.schedule, self.config.target, t, torch.float32)
        eps = torch.randn(points.shape, generator=torch.Generator().manual_seed(0))
        losses = []
        with torch.inference_mode():
            for time_, alpha, sigma in zip(t.tolist(), at.alpha, at.sigma, strict=True):
                x_0 = denoiser(alpha * points + sigma * eps, time_)
                losses.append((x_0 - points).square().mean())
        return torch.stack(losses) / _per_x_0(at).flatten()

    # One step -----------------------------------------------------------------------------------

    def _one_step(self) -> None:
        rows = self._rows()
        levels = Levels(*(level[rows] for level in self._levels))
        error = self._errors(levels, *self._batch(len(rows)))
        loss = (self._weight[rows] * error).mean()
        value = loss.item()
        self._heed(value)
        self._optimiser.param_groups[0]["lr"] = self._lr_now()
        self._optimiser.zero_grad(set_to_none=False)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._average()
        self._note(value, error.detach().mean((1, 2)), self._bin[rows])
        self.step += 1
        if self.step % _CHECK == 0:
            self._watch.keep(self._ema.clone(), self.step)

    def _untrained(self) -> float:
        """The loss of the first weights, over all rows of the tables; fewer for pictures."""
        dim = self._points.shape[1]
        rows = torch.arange(0, _TABLE, max(dim * _TABLE // _NUMBERS, 1))
        generator = torch.Generator().manual_seed(self.config.seed)
        chosen = torch.randint(len(self._points), (len(rows), 1), generator=generator)
        eps = torch.randn(len(rows), 1, dim, generator=generator)
        label = torch.full(chosen.shape, self._module.null_label) if self.network.classes else None
        levels = Levels(*(level[rows] for level in self._levels))
        with torch.no_grad():
            error = self._errors(levels, self._points[chosen], eps, label)
        return (self._weight[rows] * error).mean().item()

    def _errors(self, at: Levels, x_0: Tensor, eps: Tensor, label: Tensor | None) -> Tensor:
        """(K, m, 1): the squared error of y in units of a^2 + b^2."""
        full = self._precision == torch.float32
        with torch.autocast("cpu", torch.bfloat16 if full else self._precision, enabled=not full):
            y_hat = self._module.at(at.alpha * x_0 + at.sigma * eps, at, label)
        error = (y_hat - at.a * x_0 - at.b * eps) ** 2
        return error.mean(2, keepdim=True) / (at.a**2 + at.b**2)

    def _rows(self) -> Tensor:
        """(K,) rows of the tables: one draw, shifted evenly over the strata."""
        batch = self.config.batch
        groups = batch // math.gcd(batch, max(batch // _GROUPS, 1))
        first = torch.rand((), generator=self._generator)
        share = (first + torch.arange(groups) / groups) % 1
        return (share * _TABLE).long().clamp_max(_TABLE - 1)

    def _batch(self, groups: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """(K, m, D) data and noise, and (K, m) labels, some of them withheld."""
        batch, generator = self.config.batch, self._generator
        chosen = torch.randint(len(self._points), (batch,), generator=generator)
        x_0 = self._points[chosen]
        eps = torch.randn(x_0.shape, generator=generator)
        label = None if self._labels is None else self._labels[chosen]
        if self.config.ot_pairing:
            eps = _paired(x_0, eps, label)
        if label is not None:
            withheld = torch.rand(batch, generator=generator) < self.config.label_dropout
            label = label.masked_fill(withheld, self._module.null_label).reshape(groups, -1)
        shape = (groups, batch // groups, x_0.shape[1])
        return x_0.reshape(shape), eps.reshape(shape), label

    def _lr_now(self) -> float:
        rise = min((self.step + 1) / _WARMUP, 1.0)
        return self._lr * rise * LR_SCHEDULES[self.config.lr_schedule](self.step / self.steps)

    def _average(self) -> None:
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        self._ema.lerp_(self._weights.detach(), 1 - decay)

    # Reports and divergence ---------------------------------------------------------------------

    def _clear(self) -> None:
        self._losses: list[float] = []
        self._sums, self._counts = torch.zeros(2, len(self.t_edges) - 1)

    def _note(self, value: float, error: Tensor, bins: Tensor) -> None:
        self._losses.append(value)
        self._sums.index_add_(0, bins, error)
        self._counts.index_add_(0, bins, torch.ones_like(error))

    def _report(self) -> Progress:
        lr = float(self._optimiser.param_groups[0]["lr"])
        loss = sum(self._losses) / len(self._losses)
        by_t = self._sums / self._counts
        self._clear()
        return Progress(self.step, self.steps, loss, by_t, lr, self.seconds)

    def _heed(self, loss: float) -> None:
        """Go back to the last good weights and raise ``Diverged`` if this loss is a bad one."""
        why = self._watch.trouble(loss)
        if why is None:
            return
        weights, kept = self._watch.fall_back()
        self._weights.data.copy_(weights)
        self._ema.copy_(weights)
        self._optimiser = self._new_optimiser()
        self._clear()
        lower = min(self._lr / 10, 3e-3)
        raise Diverged(
            f"Training diverged at step {self.step + 1}: {why}. The steps were probably too large: "
            f"lower the learning rate from {self._lr:g} to {lower:g} and go on or start again. "
            f"The model of step {kept}, the last good one, was kept and can be used.",
            self.step + 1,
            kept,
        )

    # Set up -------------------------------------------------------------------------------------

    def _new_module(self) -> Conditional:
        return self.network.build(self.schedule, self.config.target, self.config.seed)

    def _new_optimiser(self) -> torch.optim.Optimizer:
        return OPTIMISERS[self.config.optimiser]([self._weights], self._lr)

    def _tables(self) -> tuple[Levels, Tensor, Tensor, Tensor]:
        """Levels, weight (Q, 1, 1) and bin (Q,) at Q evenly likely times, and the edges of bins."""
        u = _evenly()
        weighting = WEIGHTINGS[self.config.weighting]
        t = weighting.times(self.schedule, u)
        levels = levels_at(self.schedule, self.config.target, t, torch.float64)
        weight = weighting.weight(levels)
        edges = _noise_bins(self.schedule)
        bins = torch.bucketize(t, edges[1:-1], right=True)
        single = Levels(*(level.float() for level in levels))
        return single, (weight / weight.mean()).float(), bins, edges


@torch.inference_mode()
def exact_loss(config: TrainConfig, schedule: Schedule, source: Distribution) -> float:
    """Return the loss of the exact denoiser, below which no training comes but by memorising.

    Args:
        config: whose target and weighting count.
        schedule: the path.
        source: p_0.
    """
    weighting = WEIGHTINGS[config.weighting]
    at = levels_at(schedule, config.target, weighting.times(schedule, _evenly()), torch.float64)
    weight = weighting.weight(at)
    factor = (weight / weight.mean() / _per_x_0(at)).flatten()
    rows = range(_STRIDE // 2, _TABLE, _STRIDE)
    generator, total = torch.Generator().manual_seed(0), 0.0
    for k in rows:
        points = source.sample(_A_LEVEL, generator).float()
        eps = torch.randn(points.shape, generator=generator)
        alpha, sigma = at.alpha[k].item(), at.sigma[k].item()
        gap = source.posterior_mean(alpha * points + sigma * eps, alpha, sigma) - points
        total += float(factor[k]) * float(gap.square().mean()) / len(rows)
    return total


def _evenly() -> Tensor:
    """(Q,) the middles of Q equal parts of (0, 1), float64."""
    return (torch.arange(_TABLE, dtype=torch.float64) + 0.5) / _TABLE


class _Watch:
    """Follows the loss, and keeps the last weights that were seen to be good.

    Two copies are kept: that of the last check counts as good only when the next check is reached
    without trouble, because a bad step shows in the loss of the step after it.
    """

    def __init__(self, weights: Tensor, untrained: float, step: int = 0) -> None:
        self._good = self._candidate = (weights, step)
        self.untrained = untrained
        self._running: float | None = None
        self._best = math.inf

    def trouble(self, loss: float) -> str | None:
        """Take in a loss and return what is wrong with it, if anything."""
        if not math.isfinite(loss):
            return "the loss is no longer a finite number"
        before = loss if self._running is None else self._running
        self._running = _SMOOTHING * before + (1 - _SMOOTHING) * loss
        self._best = min(self._best, self._running)
        limit = min(_WORSE * self.untrained, max(_RISE * self._best, self.untrained))
        if self._running <= limit:
            return None
        return (
            f"the loss rose to {loss:.3g}, above that of the untrained network, "
            f"{self.untrained:.3g}"
        )

    def keep(self, weights: Tensor, step: int) -> None:
        """Offer a copy of the weights to fall back on."""
        if self._running is not None and self._running <= _HEALTHY * self._best:
            self._good, self._candidate = self._candidate, (weights, step)

    def fall_back(self) -> tuple[Tensor, int]:
        """Return the last good weights and their step, and start to follow the loss anew."""
        self._candidate, self._running = self._good, None
        return self._good


def _flat(module: nn.Module) -> nn.Parameter:
    """Move a module's weights and gradients into one vector each, so that a step is one pass."""
    weights = list(module.parameters())
    flat = nn.Parameter(nn.utils.parameters_to_vector(weights).detach())
    flat.grad = torch.zeros_like(flat)
    nn.utils.vector_to_parameters(flat.data, weights)
    parts = torch.split(flat.grad, [weight.numel() for weight in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.grad = part.view_as(weight)
    return flat


def _noise_bins(schedule: Schedule) -> Tensor:
    """(bins + 1,) times from t_min to 1, even in log-SNR as far as that is finite."""
    noisy = 1.0 if torch.isfinite(schedule.log_snr(1.0)) else 1 - schedule.t_min
    ends = schedule.log_snr(torch.tensor([schedule.t_min, noisy], dtype=torch.float64))
    inner = torch.linspace(ends[0].item(), ends[1].item(), _BINS + 1, dtype=torch.float64)[1:-1]
    low, high = torch.tensor([[schedule.t_min], [1.0]], dtype=torch.float64)
    return torch.cat([low, schedule.t_at_log_snr(inner), high])


def _paired(x_0: Tensor, eps: Tensor, label: Tensor | None) -> Tensor:
    """Return eps in the order that makes sum |x_0 - eps|^2 least, within groups of rows."""
    from scipy.optimize import linear_sum_assignment  # slow to import, seldom needed

    out = eps.clone()
    classes = torch.zeros(len(x_0), dtype=torch.int64) if label is None else label
    for one in set(classes.tolist()):
        for rows in torch.split((classes == one).nonzero().squeeze(1), _GROUP):
            x = x_0[rows] - x_0[rows].mean(0)  # |x|^2 and |eps|^2 add up the same in any order
            _, order = linear_sum_assignment((-x @ eps[rows].T).numpy())
            out[rows] = eps[rows[torch.from_numpy(order)]]
    return out


def _checked_points(points: Tensor) -> Tensor:
    if points.ndim != 2 or len(points) == 0 or not points.is_floating_point():
        raise ValueError(
            f"training needs at least one point, as numbers shaped (N, D), got {points.dtype} "
            f"{tuple(points.shape)}"
        )
    if not bool(points.isfinite().all()):
        raise ValueError("training needs finite points: one of them is infinite or not a number")
    return points.detach().float()


def _checked_labels(labels: Tensor | None, n: int) -> Tensor | None:
    if labels is None:
        return None
    if labels.shape != (n,) or labels.is_floating_point() or int(labels.min()) < 0:
        raise ValueError(f"{n} points need as many labels, whole numbers from 0 up")
    return labels.long()


def _checked_lr(lr: float) -> None:
    if not (math.isfinite(lr) and lr > 0):
        raise ValueError(f"the learning rate must be a number above 0, got {lr}")


def _one_of(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(known)}")


def _whole(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is a whole number from {low:,} to {high:,}, not {value!r}")
