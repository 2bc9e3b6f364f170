"""To noise and back: a picture is encoded along the probability-flow ODE and decoded again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from diffviz.core.inversion import PATH, SOLVERS, decode, encode
from diffviz.core.run import Watch, frames, ignore, simulate
from diffviz.core.trajectory import State
from diffviz.data.pictures import IMAGE_INFO, labelled_images
from diffviz.scenes import picture_sets
from diffviz.scenes.buffer import Clock, Curve, Images, Rail, Track
from diffviz.scenes.buffer import encode as pack
from diffviz.scenes.caching import cached
from diffviz.scenes.picture_run import GenerateRun, bounded
from diffviz.ui.choices import controls, widgets
from diffviz.ui.shell import links
from diffviz.ui.shell.waiting import wait_for
from diffviz.ui.stage.place import placed

_ORDERS = ("first", "second")
_SOLVER_WORDS = {
    name: f"{solver.short} ({_ORDERS[solver.order - 1]} order)" for name, solver in SOLVERS.items()
}
_MOST = 8  # pictures that make the trip


@dataclass(frozen=True, eq=False)
class RoundTrip:
    """A trip, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        error: root-mean-square difference of what came back, over all pictures.
        errors: (steps, error) of the same trip with other numbers of steps.
        noise: mean and standard deviation of the noise that a picture becomes.
        real: whether the pictures are real ones; else the network drew them.
    """

    buffer: bytes
    frames: int
    error: float
    errors: tuple[tuple[int, float], ...]
    noise: tuple[float, float]
    real: bool


def _pictures(run: GenerateRun) -> tuple[Tensor, bool]:
    """(N, C, H, W) pictures of the classes asked for: real ones where some are shipped."""
    if run.pictures not in IMAGE_INFO:
        return simulate(run.plan(), 1).x_t[-1].clamp(-1, 1), False
    images, labels = labelled_images(run.pictures, IMAGE_INFO[run.pictures].count, run.sampler.seed)
    taken: dict[int, int] = {}
    rows = []
    for label in run.labels().tolist():
        of_class = (labels == label).nonzero().flatten()
        rows.append(int(of_class[taken.get(label, 0)]))
        taken[label] = taken.get(label, 0) + 1
    return images[rows], True


@cached(max_entries=8, max_size="64MB")
@torch.inference_mode()
def trip(run: GenerateRun, solver: str, _watch: Watch = ignore) -> RoundTrip:
    """Encode pictures of the classes asked for and decode them; ``run``'s steps count each way."""
    pictures, real = _pictures(run)
    labels = run.labels()
    denoiser = picture_sets.answers(run.pictures, PATH, labels, 1.0, clipped=False)
    steps = run.sampler.steps
    there = encode(denoiser, pictures, steps, solver)
    up = list(frames(there, steps, watch=lambda s: _watch(0.3 * s)))
    back = decode(denoiser, up[-1].x_t, steps, solver)
    down = list(frames(back, steps, watch=lambda s: _watch(0.3 + 0.3 * s)))
    errors = {steps: _away(down[-1].x_t, pictures)}
    for k, fewer in enumerate(sorted({max(steps // 4, 1), max(steps // 2, 1)} - {steps})):
        *_, top = encode(denoiser, pictures, fewer, solver)
        *_, end = decode(denoiser, top.x_t, fewer, solver)
        errors[fewer] = _away(end.x_t, pictures)
        _watch(0.7 + 0.15 * k)
    noise = up[-1].x_t / PATH.prior_std()
    return RoundTrip(
        _buffer(run, [*up, *down[1:]], pictures, len(up) - 1),
        frames=len(up) + len(down) - 1,
        error=errors[steps],
        errors=tuple(sorted(errors.items())),
        noise=(float(noise.mean()), float(noise.std())),
        real=real,
    )


def _away(x: Tensor, pictures: Tensor) -> float:
    return float((x - pictures).square().mean().sqrt())


def _buffer(run: GenerateRun, states: list[State], pictures: Tensor, top: int) -> bytes:
    k = np.array([state.sigma for state in states])
    u = np.linspace(0, 1, len(states))
    scale = 1 / np.sqrt(1 + k**2)
    away = [_away(state.x_0, pictures) for state in states]
    words = ["encoding"] * top + ["noise"] + ["decoding"] * (len(states) - top - 1)
    clock = Clock(
        np.array([state.t for state in states]),
        np.ones(len(states)),
        k,
        [0.0, 1.0],
        [0.0, 0.0],
        direction="forward",
        start="picture",
        end="picture again",
        track=Track(u, k, "noise level sigma, log axis", (1e-3, 200.0), log=True),
        names=[f"{word}, sigma = {level:.3g}" for word, level in zip(words, k, strict=True)],
        notes=[f"x̂₀ is {each:.3f} from the picture (RMS)" for each in away],
    )
    x_t = torch.stack([state.x_t for state in states]).numpy()
    panel = Images(
        run.set.title,
        x_t * scale[:, None, None, None, None].astype(np.float32),
        x_0=torch.stack([state.x_0 for state in states]).numpy(),
        badge="learned",
        labels=[run.set.classes[label] for label in run.labels().tolist()],
        scale=scale,
    )
    rail = Rail(numbers=False, curves=[Curve(away, "x̂₀ from the picture (RMS)")])
    return pack(clock, [panel], rail, title="To noise and back")


def there_and_back(run: GenerateRun, picture: DeltaGenerator, words: DeltaGenerator) -> None:
    """Draw the trip of a few pictures, with the solver's error."""
    with words, controls.bar("images_back"):
        solver = widgets.segments(
            "Solver", links.choice("solver", "heun", SOLVERS), _SOLVER_WORDS, quiet=True
        )
    run = replace(bounded(run, _MOST), guidance=1.0)
    steps = run.sampler.steps
    bar = picture.empty()
    made = wait_for(
        lambda watch: trip(run, solver, watch), f"{steps} steps up and {steps} down", bar
    )
    with picture:
        placed(made.buffer, page="back")
    falls = ", ".join(f"{n} steps: {error:.4f}" for n, error in made.errors)
    mean, std = made.noise
    whose = "Real pictures of the shipped sample" if made.real else "Pictures that the network drew"
    words.markdown(
        f"{whose} go up the probability-flow ODE to noise and come back by the same road, without "
        f"guidance: what comes back differs by **{made.error:.4f}** (RMS, in units of [-1, 1]). "
        f"It falls with the number of steps ({falls}); with Heun faster than the error of either "
        "way alone, since most of what goes wrong on the way up is undone on the way down. The "
        "noise has mean "
        f"{mean:.2f} and standard deviation {std:.2f}; N(0, 1) has 0 and 1. The trip is made in "
        "x / alpha over sigma / alpha, where it is the same for every schedule."
    )
