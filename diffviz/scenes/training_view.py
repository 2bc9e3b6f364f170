"""What the player shows of a training, live and afterwards, and of a model that is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Denoiser, Network, OnPath
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan, Watch, ignore, simulate
from diffviz.core.samplers import DPMpp2M
from diffviz.core.schedules import EDM
from diffviz.core.trajectory import Trajectory
from diffviz.measures.metrics import sliced_wasserstein_path
from diffviz.networks.mlp import NetworkConfig, PointNetwork
from diffviz.scenes import models, scene
from diffviz.scenes.buffer import Clock, Curve, Fields, Levels, Panel, Points, Rail, Track, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.score_field import LEVELS, PATH, Compared, Probe, exact_for
from diffviz.scenes.training import (
    SAMPLES,
    Snapshot,
    TrainingRun,
    floor_of,
    fresh_points,
    start_noise,
)

_CLOUD = 1000  # data points drawn below the samples
_STEPS = 24
_ERROR_PEAK = 0.5
_LEAST_LEVEL = 0.1  # the field is looked at down to this noise level
_MAP_TICKS = (0.01, 0.1, 1.0, 10.0)
_DISTANCE = "Sliced W₂ to the data"
_SCORE_ERROR = "Score error (mean square)"


# A training --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pace:
    """How far a training goes along the track.

    Attributes:
        steps: how many steps the whole width stands for.
        level: which of ``LEVELS`` the field is shown at.
    """

    steps: int
    level: int


def replay(run: TrainingRun, snapshots: Sequence[Snapshot], pace: Pace) -> bytes:
    """Pack the snapshots of a training, one frame each, for the player.

    Args:
        run: whose snapshots they are.
        snapshots: at least one.
        pace: how far it goes, and which field is shown.
    """
    compared = [s.fields[pace.level] for s in snapshots]
    samples = np.stack([s.samples for s in snapshots])
    panels: list[Panel] = [
        Points(
            "Samples of the averaged model (EMA)",
            samples,
            scene.LIMITS,
            badge="learned",
            data=_cloud(run.config.data),
            points_label="Samples",
            note="From the same noise each time, in 10 steps.",
            on=("points", "data"),
        ),
        _fields(
            f"Score at noise level {LEVELS[pace.level]:g}",
            run.exact[pace.level][None],
            compared,
            run.config.data,
            " Paired noise: the learned one is not the score."
            if run.config.train.ot_pairing
            else "",
        ),
    ]
    return encode(
        _steps_clock(run, snapshots, pace.steps),
        panels,
        _training_rail(run, snapshots, compared),
        title=f"Training on {run.config.data.title}",
    )


def _steps_clock(run: TrainingRun, snapshots: Sequence[Snapshot], steps: int) -> Clock:
    at = [s.step for s in snapshots]
    loss_at = dict(run.losses)
    return Clock(
        np.array(at) / max(steps, *at, 1),
        np.ones(len(at)),
        np.zeros(len(at)),
        [0.0, 1.0],
        [0.0, 0.0],
        direction="forward",
        start="untrained",
        end=f"{steps:,} steps",
        track=_loss_track(run, at[-1], steps),
        names=[_name(s) for s in snapshots],
        notes=[
            f"loss {loss_at[s.step]:.3g}, learning rate {s.lr:g}"
            if s.step in loss_at
            else f"learning rate {s.lr:g}"
            for s in snapshots
        ],
    )


def _name(snapshot: Snapshot) -> str:
    if snapshot.back_to is None:
        return f"step {snapshot.step:,}"
    return f"back to step {snapshot.back_to:,}"


def _loss_track(run: TrainingRun, last: int, steps: int) -> Track:
    losses = [(s, loss) for s, loss in run.losses if s <= last and math.isfinite(loss) and loss > 0]
    if not losses:
        losses = [(0, 1.0)]
    u = [min(step / max(steps, 1), 1.0) for step, _ in losses]
    values = [loss for _, loss in losses]
    floor = run.exact_loss
    least, most = min([*values, floor or values[0]]), max(values)
    return Track(
        u,
        values,
        "loss, log axis",
        (0.75 * least, 1.1 * most),
        log=True,
        floor=floor,
        floor_label="exact denoiser",
    )


def _training_rail(
    run: TrainingRun, snapshots: Sequence[Snapshot], compared: Sequence[Compared]
) -> Rail:
    by_t = np.stack([s.loss_by_t for s in snapshots])
    return Rail(
        numbers=False,
        levels=[
            Levels(
                by_t,
                "Loss by noise level (untrained = 1)",
                (0.0, 1.0),
                _level_ticks(run.log_ratios),
                "noise level",
            )
        ],
        curves=[
            Curve(
                [s.distance for s in snapshots],
                _DISTANCE,
                run.floor,
                "data",
            ),
            Curve([c.mean_square for c in compared], _SCORE_ERROR),
        ],
    )


def _level_ticks(edges: Sequence[float]) -> list[tuple[float, str]]:
    """Places of round noise levels on an axis that is even in log-SNR, the outer bins aside."""
    low, high = edges[1], edges[-2]
    bins = len(edges) - 1
    places = [(math.log(ratio) - low) / (high - low) for ratio in _MAP_TICKS]
    inner = [(1 + place * (bins - 2)) / bins for place in places]
    return [(p, f"{r:g}") for p, r in zip(inner, _MAP_TICKS, strict=True) if 0 <= p <= 1]


# A model -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ViewConfig:
    """A model at work.

    Attributes:
        model: the model; None for an untrained network.
        data: what it is compared with.
    """

    model: ModelConfig | None
    data: DataConfig = field(default_factory=lambda: DataConfig(n=5000))


@cached(max_entries=24, max_size="48MB")
def model_view(view: ViewConfig, _watch: Watch = ignore) -> bytes:
    """Run a model from noise to data and pack it for the player, its field beside the exact one.

    Args:
        view: what to run.
        _watch: told how far it is.

    Raises:
        ValueError: if the model is no longer held.
        CheckpointError: if it is damaged.
    """
    denoiser = _denoiser(view.model)
    trajectory = _run(denoiser)
    scale = scene.drawing_scale(PATH, trajectory.t)
    assert scale is not None  # the path's noise is ten times the data
    probes, compared = [], []
    source = scene.distribution(view.data, points=False)
    for k, (sigma, c) in enumerate(zip(trajectory.sigma.tolist(), scale.tolist(), strict=True)):
        _watch(k / len(trajectory))
        probes.append(Probe(source, max(sigma, _LEAST_LEVEL), c))
        compared.append(probes[-1].compare(denoiser))
    x_t = scene.drawable((trajectory.x_t * scale[:, None, None]).float())
    panels: list[Panel] = [
        Points(
            "Samples from noise",
            x_t.numpy(),
            scene.LIMITS,
            badge="learned",
            x_0=scene.drawable(trajectory.x_0).numpy(),
            data=_cloud(view.data),
            scale=scale.float().numpy(),
            note=scene.SCALE_NOTE,
            on=("points", "data"),
        ),
        _fields(
            "Score at each noise level",
            np.stack([p.arrows for p in probes]),
            compared,
            view.data,
        ),
    ]
    rail = Rail(
        curves=[
            _distance(x_t, view.data),
            Curve([c.mean_square for c in compared], _SCORE_ERROR),
        ]
    )
    clock = scene.clock(PATH, trajectory.t, forward=False, evaluations=trajectory.evaluations)
    return encode(clock, panels, rail, title=f"A model of {view.data.title} from noise to data")


def _denoiser(model: ModelConfig | None) -> Denoiser:
    if model is not None:
        return models.denoiser(model, PATH)
    path = EDM()
    module = PointNetwork(NetworkConfig(), path, "x_0").requires_grad_(False).eval()
    return OnPath(Network(module, path, "x_0"), path, PATH)


def _run(denoiser: Denoiser) -> Trajectory:
    plan = Plan(denoiser, PATH, DPMpp2M(), make_grid(PATH, _STEPS, "karras"), (2,), SAMPLES)
    return simulate(plan, x_1=PATH.prior_std() * start_noise(SAMPLES))


def _distance(x_t: Tensor, data: DataConfig) -> Curve:
    fresh = fresh_points(data, 2000, 1)
    values = sliced_wasserstein_path(x_t, fresh, 64, max_points=None).double().numpy()
    return Curve(values, _DISTANCE, floor_of(data, fresh), "data")


# Parts -------------------------------------------------------------------------------------------


def _cloud(data: DataConfig) -> NDArray[np.float32]:
    return data.load()[:_CLOUD].numpy()


def _fields(
    title: str,
    exact: NDArray[np.float32],
    compared: Sequence[Compared],
    data: DataConfig,
    also: str = "",
) -> Fields:
    """Two fields over the error between them."""
    return Fields(
        title,
        exact,
        np.stack([c.arrows for c in compared]),
        np.stack([c.error for c in compared]),
        _ERROR_PEAK,
        scene.LIMITS,
        error_label="error",
        note=f"Exact: of {exact_for(data)}.{also}",
    )
