"""Dogs drawn with a collar, without one and left open, and a given dog that is changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser, Guided, Network, OnPath
from diffviz.core.inversion import PATH
from diffviz.core.run import Watch, ignore, part_of
from diffviz.core.schedules import Schedule
from diffviz.core.trajectory import State, Trajectory
from diffviz.data.dogs import SIDE, Looks, draw, neck_mask
from diffviz.models.checkpoints import CheckpointError
from diffviz.models.pretrained import dog_classifier, dog_model
from diffviz.networks.unet import UNet
from diffviz.scenes import scene
from diffviz.scenes.buffer import Clock, Images, Levels, Rail, Track, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.canonical import within
from diffviz.scenes.configs import MAX_GUIDANCE, SamplerConfig, ScheduleConfig
from diffviz.scenes.picture_run import DEFAULT_SAMPLER, DEFAULT_SCHEDULE, Floats, record
from diffviz.scenes.sharing import Shared, in_parts, multiplying_best
from diffviz.studies.collar_rates import GIVEN_STEPS, GUIDANCE
from diffviz.studies.collars import change, labels_of, trip

ASKED: tuple[tuple[str, bool | None], ...] = (
    ("no collar", False),
    ("left open", None),
    ("collar", True),
)
"""What is asked for in the three rows, in words and as ``collars.labels_of`` takes it."""

_BUDGET = 40_000  # pictures x evaluations that a run may cost: some 20 s
_CALL = 8  # pictures that take as long as asking at all
_SHAPE = (1, SIDE, SIDE)


@cache
def ready() -> bool:
    """Whether the network and the classifier are here and whole."""
    try:
        dog_model()
        dog_classifier()
    except CheckpointError:
        return False
    return True


@cache
def _network() -> Network:
    return multiplying_best(dog_model().denoiser)


def _answers(schedule: Schedule, asked: bool | None, count: int, guidance: float) -> Denoiser:
    """The network asked for a collar, for none, or for neither, its batch shared by the cores."""
    network = _network()
    module = network.module
    assert isinstance(module, UNet)
    on_path = OnPath(network, network.schedule, schedule)
    if asked is None:
        return Shared(on_path)
    label = labels_of(module, [asked] * count)
    return Conditioned(Shared(Guided(on_path, guidance)), label=label)


@torch.inference_mode()
def _probability(x: Tensor) -> Tensor:
    """Probability of a collar in pictures (..., 1, 28, 28), by the classifier: (...)."""
    flat = in_parts(dog_classifier().probabilities, x.reshape(-1, *_SHAPE).clamp(-1, 1))
    return flat[:, 1].reshape(x.shape[:-3])


# Dogs from noise --------------------------------------------------------------------------------


@dataclass(frozen=True)
class CollarRun:
    """The same noise denoised three times: without a collar, left open, with one.

    Attributes:
        schedule: the path.
        sampler: how it walks, with its seed.
        guidance: the guidance scale towards what is asked.
        count: how many dogs.
    """

    schedule: ScheduleConfig = DEFAULT_SCHEDULE
    sampler: SamplerConfig = DEFAULT_SAMPLER
    guidance: float = within(GUIDANCE, 0, MAX_GUIDANCE)
    count: int = within(8, 1, 64)


@dataclass(frozen=True, eq=False)
class Collars:
    """The three runs, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        evaluations: of the network for each dog, over the three runs.
        seconds: what sampling took.
        x: (3, N, 1, 28, 28) the dogs they end with, in the order of ``ASKED``.
        probability: (3, N) of a collar in them, by the classifier.
        switched: mean absolute difference of a pixel between the last and the first of a row.
        apart: the same between two dogs of the first row.
    """

    buffer: bytes
    frames: int
    evaluations: int
    seconds: float
    x: Floats
    probability: Floats
    switched: float
    apart: float


def affordable(run: CollarRun) -> int:
    """How many of the dogs asked for can be drawn in time: at least 1."""
    return max(min(run.count, _BUDGET // (run.sampler.steps * _calls(run))), 1)


def affordable_steps(run: CollarRun) -> int:
    """How many steps one dog can take in time."""
    return _BUDGET // (_calls(run) * _CALL)


def _calls(run: CollarRun) -> int:
    """How often a step of the three runs asks the network."""
    guided = 1 if run.guidance in (0, 1) else 2
    return run.sampler.build().evaluations_a_step * (1 + 2 * guided)


@cached(max_entries=16, max_size="96MB")
def collars(run: CollarRun, _watch: Watch = ignore) -> Collars:
    """Run it and pack it for the player; all noise, also what a step adds, is that of each row.

    Args:
        run: what to run; ``count`` as ``affordable`` says.
        _watch: told how far it is.
    """
    schedule = run.schedule.build()
    found: list[Trajectory] = []
    spent = 0.0
    for k, (_, asked) in enumerate(ASKED):
        denoiser = _answers(schedule, asked, run.count, run.guidance)
        plan = run.sampler.plan(denoiser, schedule, _SHAPE, run.count)
        trajectory, seconds = record(plan.states(), plan.steps, part_of(_watch, k, len(ASKED)))
        found.append(trajectory)
        spent += seconds
    probability = torch.stack([_probability(each.x_0) for each in found])  # (3, F, N)
    x = torch.stack([each.x_t[-1] for each in found])
    shown = x.clamp(-1, 1)
    return Collars(
        _rows_packed(schedule, found, probability),
        frames=len(found[0]),
        evaluations=sum(int(each.evaluations[-1]) for each in found),
        seconds=spent,
        x=x.numpy(),
        probability=_probability(x).numpy(),
        switched=float((shown[2] - shown[0]).abs().mean()),
        apart=float((shown[0].roll(1, 0) - shown[0]).abs().mean()),
    )


def _rows_packed(schedule: Schedule, found: list[Trajectory], probability: Tensor) -> bytes:
    t = found[0].t
    panels = [
        Images(
            f"Asked: {words}",
            scene.drawn(each.x_t, schedule, t),
            x_0=each.x_0.numpy(),
            badge="learned",
            scale=scene.scale_of(schedule, t),
        )
        for (words, _), each in zip(ASKED, found, strict=True)
    ]
    levels = Levels(
        probability.permute(1, 0, 2).numpy(),
        "Is there a collar in x̂₀? (probability)",
        ticks=[((k + 0.5) / len(ASKED), words) for k, (words, _) in enumerate(ASKED)],
        axis="asked for",
    )
    evaluations = torch.stack([each.evaluations for each in found]).sum(0)
    clock = scene.clock(schedule, t, forward=False, evaluations=evaluations)
    return encode(clock, panels, Rail(numbers=False, levels=[levels]), title="A dog with a collar")


# A given dog ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dog:
    """One dog that the reader makes; its attributes are those of ``dogs.Looks``."""

    left: bool = False
    sits: bool = False
    pointed: bool = False
    spotted: bool = False
    tail: float = 0.7
    size: float = 0.95
    coat: float = 0.55
    collar: bool = False

    def looks(self) -> Looks:
        """Its looks: it stands in the middle and looks straight ahead."""
        return Looks(
            left=torch.tensor([self.left]),
            sits=torch.tensor([self.sits]),
            pointed=torch.tensor([self.pointed]),
            spotted=torch.tensor([self.spotted]),
            tail=torch.tensor([self.tail]),
            nod=torch.zeros(1),
            muzzle=torch.ones(1),
            size=torch.tensor([self.size]),
            right=torch.zeros(1),
            down=torch.zeros(1),
            coat=torch.tensor([self.coat]),
            collar=torch.tensor([self.collar]),
        )


@dataclass(frozen=True)
class GivenRun:
    """A dog that is walked up to its noise, and down again as it is and with the other attribute.

    Attributes:
        dog: the given one.
        guidance: the guidance scale towards the other attribute.
        steps: of Heun's method, each way.
    """

    dog: Dog = Dog()
    guidance: float = GUIDANCE
    steps: int = GIVEN_STEPS


@dataclass(frozen=True, eq=False)
class Changed:
    """A given dog changed, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        pictures: (4, 1, 28, 28) the given dog, its noise, it decoded as it was, and changed.
        probability: of a collar in the given dog, decoded as it was, and changed.
        neck: mean absolute difference of a pixel, changed from given, around the collar's place.
        rest: the same elsewhere.
        back: the same everywhere, between the given dog and what came back.
        noise: mean and standard deviation of the noise.
    """

    buffer: bytes
    frames: int
    pictures: Floats
    probability: tuple[float, float, float]
    neck: float
    rest: float
    back: float
    noise: tuple[float, float]


@cached(max_entries=16, max_size="32MB")
@torch.inference_mode()
def changed(run: GivenRun, _watch: Watch = ignore) -> Changed:
    """Make the trip and pack it for the player."""
    looks = run.dog.looks()
    given, worn = draw(looks), looks.collar.long()
    network = dog_model().denoiser
    asked = OnPath(network, network.schedule, PATH)
    made = trip(asked, given, worn, 1 - worn, run.guidance, run.steps, watch=_watch)
    same, other = made.same[-1].x_t.clamp(-1, 1), made.other[-1].x_t.clamp(-1, 1)
    near, everywhere = neck_mask(looks), torch.ones(1, SIDE, SIDE, dtype=torch.bool)
    seen = _probability(torch.cat([given, same, other])).tolist()
    noise = made.noise
    return Changed(
        _trip_packed(made.up, made.same, made.other, run.dog),
        frames=len(made.up) + len(made.same) - 1,
        pictures=torch.cat([given, noise / 3, same, other]).numpy(),
        probability=(seen[0], seen[1], seen[2]),
        neck=change(other, given, near),
        rest=change(other, given, ~near),
        back=change(same, given, everywhere),
        noise=(float(noise.mean()), float(noise.std())),
    )


def _trip_packed(
    up: tuple[State, ...], same: tuple[State, ...], other: tuple[State, ...], dog: Dog
) -> bytes:
    both = [(*up, *same[1:]), (*up, *other[1:])]
    k = np.array([state.sigma for state in both[0]])
    scale = (1 / np.sqrt(1 + k**2)).astype(np.float32)
    seen = [
        _probability(torch.stack([state.x_0 for state in states]))[:, 0].tolist() for states in both
    ]
    words = ["up"] * (len(up) - 1) + ["noise"] + ["down"] * (len(same) - 1)
    clock = Clock(
        np.array([state.t for state in both[0]]),
        np.ones(len(k)),
        k,
        [0.0, 1.0],
        [0.0, 0.0],
        direction="forward",
        start="given dog",
        end="dog again",
        track=Track(
            np.linspace(0, 1, len(k)), k, "noise level sigma, log axis", (1e-3, 200.0), log=True
        ),
        names=[f"{word}, sigma = {level:.3g}" for word, level in zip(words, k, strict=True)],
        notes=[f"collar in x̂₀: {a:.0%} and {b:.0%}" for a, b in zip(*seen, strict=True)],
    )
    titles = ("Told the same", "Told: no collar" if dog.collar else "Told: a collar")
    panels = [
        Images(
            title,
            _stacked(states, "x_t") * scale[:, None, None, None, None],
            x_0=_stacked(states, "x_0"),
            badge="learned",
            scale=scale,
        )
        for title, states in zip(titles, both, strict=True)
    ]
    return encode(clock, panels, title="A given dog")


def _stacked(states: tuple[State, ...], name: str) -> NDArray[np.float32]:
    stack: NDArray[np.float32] = torch.stack([getattr(state, name) for state in states]).numpy()
    return stack
