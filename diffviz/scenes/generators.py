"""Three generators at the same task: the first two answer at once, the third walks.

A VAE decodes a code, a GAN's forger turns noise and a class into a picture, each in one call of its
network; a diffusion model starts from noise of the picture's size and is asked again and again.
The player shows all three on the diffusion model's steps: what each starts from, then what it has.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diffviz.core.noising import Noise
from diffviz.core.run import Watch, ignore
from diffviz.core.trajectory import Trajectory
from diffviz.models.checkpoints import CheckpointError
from diffviz.models.pretrained import forger, image_model, vae
from diffviz.scenes import picture_sets, scene
from diffviz.scenes.buffer import Clock, Images, Rail, Track, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.picture_run import Floats, GenerateRun, Look, record
from diffviz.studies.bill import duration

Kind: TypeAlias = Literal["vae", "gan", "diffusion"]
KINDS: dict[Kind, str] = {"vae": "VAE", "gan": "GAN", "diffusion": "Diffusion"}
"""The generators and their titles, from left to right."""

_LATENT = 16
_SIDE = 28
_CALLS = 3  # of a generator that answers at once, to measure it
_PIXELS = _SIDE**2
_BLANK = -1.0  # what is black
_TITLE = "The same classes drawn by a VAE, a GAN and a diffusion model"


@dataclass(frozen=True)
class Trio:
    """What is drawn by all three.

    Attributes:
        run: of the diffusion model; its set, classes, count and seed hold for the others too.
        kinds: the generators of one call that are here.
    """

    run: GenerateRun
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one generator made, and what that took.

    Attributes:
        kind: which one.
        numbers: how many numbers a picture starts from.
        calls: of the network for each picture.
        seconds: for all pictures, measured when they were made.
        parameters: weights that were trained for it, as on the bill.
        helpers: how many of them only training needs: an encoder's, a critic's.
        x: (N, 1, 28, 28) the pictures.
        seen: (N,) the class that the classifier takes each for.
    """

    kind: Kind
    numbers: int
    calls: int
    seconds: float
    parameters: int
    helpers: int
    x: Floats
    seen: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Together:
    """All three, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        steps: of the diffusion model.
        labels: (N,) the classes asked for.
        drawn: one for each generator that is here, from left to right.
    """

    buffer: bytes
    frames: int
    steps: int
    labels: NDArray[np.int64]
    drawn: tuple[Drawn, ...]


def present(name: str) -> tuple[tuple[Kind, ...], tuple[str, ...]]:
    """The generators of one call that are here, and what is to be said of those that are not."""
    found: list[Kind] = []
    missing = []
    loads: tuple[tuple[Kind, Callable[[], object]], ...] = (
        ("vae", lambda: vae(name, _LATENT)),
        ("gan", lambda: forger(name)),
    )
    for kind, load in loads:
        try:
            load()
        except CheckpointError as error:
            missing.append(str(error))
        else:
            found.append(kind)
    return tuple(found), tuple(missing)


@cached(max_entries=8, max_size="96MB")
def together(trio: Trio, _watch: Watch = ignore, _look: Look = ignore) -> Together:
    """Draw the same classes with each generator that is here and pack them for the player.

    Args:
        trio: what to draw; at most 100 steps.
        _watch: told how far the diffusion model is.
        _look: shown its predictions on the way.

    Raises:
        CheckpointError: if a network is missing.
    """
    run = trio.run
    labels = run.labels()
    noises, answers = {}, {}
    if "vae" in trio.kinds:
        coder = vae(run.pictures, _LATENT)
        noises["vae"] = _noise(run, _LATENT)
        answers["vae"] = _once("vae", run, coder.decode, noises["vae"], coder, coder.encoder)
    if "gan" in trio.kinds:
        maker = forger(run.pictures)
        noises["gan"] = _noise(run, maker.config.latent)
        critic = maker.config.build(0)[1]
        both = nn.ModuleList([maker, critic])
        answers["gan"] = _once(
            "gan", run, lambda z: maker.generate(z, labels), noises["gan"], both, critic
        )
    trajectory, elapsed = _walk(run, _watch, _look)
    x = trajectory.x_t[-1]
    network = image_model(run.pictures).denoiser.module
    walked = Drawn(
        "diffusion",
        _PIXELS,
        int(trajectory.evaluations[-1]),
        elapsed[-1],
        _weights(network),
        0,
        x.numpy(),
        _seen(run.pictures, x),
    )
    drawn = (*answers.values(), walked)
    pairs = [(code_pictures(noises[d.kind]), d) for d in answers.values()]
    buffer = _packed(run, trajectory, elapsed, pairs)
    return Together(buffer, len(trajectory), run.sampler.steps, labels.numpy(), drawn)


def code_pictures(z: Tensor) -> Tensor:
    """Codes (N, L) as pictures (N, 1, 28, 28): each number a square, in rows, black around them."""
    across = math.ceil(math.sqrt(z.shape[1]))
    block = _SIDE // across
    square = torch.full((len(z), across**2), _BLANK)
    square[:, : z.shape[1]] = z.clamp(-3, 3) / 3
    large = functional.interpolate(square.reshape(-1, 1, across, across), scale_factor=float(block))
    rest = _SIDE - block * across
    left, right = rest // 2, rest - rest // 2
    return functional.pad(large, (left, right, left, right), value=_BLANK)


def _noise(run: GenerateRun, numbers: int) -> Tensor:
    """(N, numbers) of the run's seed."""
    return Noise(run.sampler.seed).like(torch.empty(run.count, numbers))


def _once(
    kind: Kind,
    run: GenerateRun,
    answer: Callable[[Tensor], Tensor],
    z: Tensor,
    trained: nn.Module,
    helper: nn.Module,
) -> Drawn:
    """Ask a generator of one call; its time is that of the call that waited least for others.

    A first call, not measured, makes what only once is made.
    """
    x, seconds = answer(z), math.inf
    for _ in range(_CALLS):
        began = time.perf_counter()
        x = answer(z)
        seconds = min(seconds, time.perf_counter() - began)
    seen = _seen(run.pictures, x)
    weights = _weights(trained), _weights(helper)
    return Drawn(kind, z.shape[1], 1, seconds, *weights, x.numpy(), seen)


def _walk(run: GenerateRun, watch: Watch, look: Look) -> tuple[Trajectory, list[float]]:
    """Make the run; also return the seconds until x_t of each frame was there."""
    plan = run.plan()
    began, elapsed = time.perf_counter(), [0.0]

    def note(x_0: Tensor) -> None:
        elapsed.append(time.perf_counter() - began)
        look(x_0)

    trajectory, seconds = record(plan.states(), plan.steps, watch, note)
    return trajectory, [*elapsed[: len(trajectory) - 1], seconds]


def _seen(name: str, x: Tensor) -> NDArray[np.int64]:
    judge = picture_sets.judge(name)
    with torch.inference_mode():
        seen: NDArray[np.int64] = judge.probabilities(x.clamp(-1, 1)).argmax(1).numpy()
    return seen


def _weights(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# For the player ---------------------------------------------------------------------------------


def _packed(
    run: GenerateRun,
    trajectory: Trajectory,
    elapsed: list[float],
    pairs: list[tuple[Tensor, Drawn]],
) -> bytes:
    schedule = run.schedule.build()
    frames = len(trajectory)
    names = [run.set.classes[k] for k in run.labels().tolist()]
    panels = [_still(start, made, frames, names) for start, made in pairs]
    panels.append(
        Images(
            f"Diffusion: {int(trajectory.evaluations[-1])} calls",
            scene.drawn(trajectory.x_t, schedule, trajectory.t),
            badge="learned",
            labels=names,
            scale=scene.scale_of(schedule, trajectory.t),
            captions={"x_t": ("x_t", f"{_PIXELS} numbers")},
        )
    )
    clock = _clock(trajectory, elapsed)
    return encode(clock, panels, Rail(numbers=False), _TITLE)


def _still(start: Tensor, made: Drawn, frames: int, names: list[str]) -> Images:
    """A generator of one call: what it starts from at first, then what it answered."""
    x = torch.from_numpy(made.x)[None].expand(max(frames - 1, 1), -1, -1, -1, -1)
    asked = made.kind == "gan"
    symbol = "G(z, y)" if asked else "g(z)"
    words = f"{made.numbers} numbers" if asked else f"{made.numbers} numbers · no class told"
    return Images(
        f"{KINDS[made.kind]}: 1 call, {duration(made.seconds)}",
        torch.cat([start[None], x])[:frames].numpy(),
        badge="learned",
        labels=names if asked else None,
        captions={"x_t": (symbol, words)},
        film=False,
    )


def _clock(trajectory: Trajectory, elapsed: list[float]) -> Clock:
    """The steps at even distances, and behind them how far diffusion still has to go."""
    frames = len(trajectory)
    calls = trajectory.evaluations.int().tolist()
    notes = [
        f"diffusion: {calls[k]} of {calls[-1]} calls, {duration(elapsed[k])}"
        for k in range(1, frames)
    ]
    away = (trajectory.x_t - trajectory.x_t[-1]).square().mean((1, 2, 3, 4)).sqrt().numpy()
    u = np.linspace(0, 1, frames)
    return Clock(
        1 - u,
        np.ones(frames),
        np.zeros(frames),
        [0.0, 1.0],
        [0.0, 0.0],
        start="noise",
        end="pictures",
        track=Track(
            u, away, "how far diffusion still has to go (RMS)", (0.0, 1.15 * float(away.max()))
        ),
        notes=["what each starts from: draws of N(0, 1)", *notes],
    )
