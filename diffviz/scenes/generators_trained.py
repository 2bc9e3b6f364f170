"""How the generators were trained, played again: the same noise decoded along training.

The losses are those that were recorded.  A VAE's are the two parts of its bound in nats; a GAN's
belong to two players, each measured against the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from diffviz.models.checkpoints import CheckpointError
from diffviz.models.pretrained import generator_stem
from diffviz.scenes.buffer import Clock, Curve, Images, Rail, Track, encode
from diffviz.scenes.caching import cached
from diffviz.scenes.picture_sets import PICTURE_SETS
from diffviz.studies.train_generators import History

TRAINED: dict[str, str] = {
    "vae2": "VAE, 2 numbers",
    "vae16": "VAE, 16 numbers",
    "gan": "GAN",
}
"""The trainings that were recorded."""

_COMMANDS = {"vae2": "vaes {}-2", "vae16": "vaes {}-16", "gan": "gans {}"}
_UNDECIDED = 2.0  # the hinge loss of a critic that answers 0 to all

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Replay:
    """A recorded training, ready for the player.

    Attributes:
        buffer: for ``player``.
        frames: how many there are in it.
        steps: of the whole training.
        first: name of each curve to its mean over the first tenth of the records.
        last: the same of the last tenth.
    """

    buffer: bytes
    frames: int
    steps: int
    first: Mapping[str, float]
    last: Mapping[str, float]


def recorded(name: str, kind: str) -> History:
    """The recorded training of a key of ``TRAINED``.

    Raises:
        CheckpointError: if there is no record or it cannot be read.
    """
    place = generator_stem(name, kind).with_suffix(".npz")
    try:
        history = History.load(place)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        command = f"python -m diffviz train {_COMMANDS[kind].format(name)}"
        raise CheckpointError(
            f"How the {TRAINED[kind]} was trained is not recorded here: {place.name} is missing or "
            f"damaged. Train it again with: {command}"
        ) from error
    return history


@cached(max_entries=6)
def replay(name: str, kind: str) -> Replay:
    """Pack a recorded training for the player.

    Raises:
        CheckpointError: if there is no record or it cannot be read.
    """
    return _replayed(recorded(name, kind), name, kind)


def _replayed(history: History, name: str, kind: str) -> Replay:
    curves = _curves(history)
    labels = None
    if kind == "gan":
        classes = PICTURE_SETS[name].classes
        labels = [classes[k % len(classes)] for k in range(history.frames.shape[1])]
    panel = Images(
        f"{TRAINED[kind]}: the same noise along training",
        history.frames[:, :, None] / np.float32(127.5) - 1,
        badge="learned",
        labels=labels,
        captions={"x_t": ("G(z, y)" if kind == "gan" else "g(z)", "the model so far")},
    )
    shown = {label: _at_frames(history, values) for label, values in curves.items()}
    rail = Rail(
        numbers=False,
        curves=[
            Curve(
                values,
                label,
                _UNDECIDED if label.startswith("Critic") else None,
                "cannot tell them apart" if label.startswith("Critic") else "",
            )
            for label, values in shown.items()
        ],
    )
    buffer = encode(_clock(history, curves, shown), [panel], rail, "A training, played again")
    few = max(len(history.steps) // 10, 1)
    return Replay(
        buffer,
        len(history.frame_steps),
        int(history.steps[-1]),
        {label: float(values[:few].mean()) for label, values in curves.items()},
        {label: float(values[-few:].mean()) for label, values in curves.items()},
    )


def _curves(history: History) -> dict[str, Floats]:
    """(R,) each, by name: a VAE's parts in nats, a GAN's losses as they are."""
    columns = {key: history.losses[:, k].astype(np.float64) for k, key in enumerate(history.names)}
    if "kl" not in columns:
        return {
            "Critic's loss": columns["critic"],
            "Forger's loss": columns["forger"],
        }
    return {
        "Reconstruction (nats)": -columns["reconstruction"],
        "Code: KL to the prior (nats)": columns["kl"],
    }


def _at_frames(history: History, values: Floats) -> Floats:
    """(F,) means of the records since the frame before; the first frame has the first record."""
    ends = np.searchsorted(history.steps, history.frame_steps, side="right")
    starts = [0, *ends[:-1].tolist()]
    means = [
        values[a:b].mean() if b > a else values[max(b - 1, 0)]
        for a, b in zip(starts, ends.tolist(), strict=True)
    ]
    return np.array(means)


def _clock(history: History, curves: Mapping[str, Floats], shown: Mapping[str, Floats]) -> Clock:
    """Frames at even distances; behind the scrubber the first loss, every record of it."""
    frames, total = len(history.frame_steps), int(history.steps[-1])
    places = np.linspace(0, 1, frames)
    u = np.interp(history.steps, history.frame_steps, places)
    label, values = next(iter(curves.items()))
    low, high = float(min(values.min(), 0)), float(max(values.max(), 1e-6))
    notes = [
        ", ".join(f"{_short(name)} {series[k]:.2f}" for name, series in shown.items())
        for k in range(frames)
    ]
    return Clock(
        places,
        np.ones(frames),
        np.zeros(frames),
        [0.0, 1.0],
        [0.0, 0.0],
        direction="forward",
        start="untrained",
        end="trained",
        track=Track(u, values, f"{label}, every record", (low, 1.1 * high)),
        names=[f"step {step:,} of {total:,}" for step in history.frame_steps.tolist()],
        notes=notes,
    )


def _short(label: str) -> str:
    return label.split(" (")[0].split(":")[0].lower()


def _unit(label: str) -> str:
    """The unit that a label has in brackets, after a space."""
    return f" {label.split(' (')[1].rstrip(')')}" if " (" in label else ""


def about_training(kind: str, made: Replay) -> str:
    """What the curves of a training say, in its own numbers."""
    told = "; ".join(
        f"{_short(label)} from {made.first[label]:.2f} to {made.last[label]:.2f}{_unit(label)}"
        for label in made.first
    )
    if kind == "gan":
        return (
            f"**The losses of a GAN do not fall** ({told}). Each player is measured against the "
            "other, who gets better at the same time, so that a level loss means balance and not "
            "standstill: 2 is a critic that cannot tell real from made, 0 one that always can. "
            "Whether the pictures get better is seen in the pictures alone."
        )
    return (
        f"**The bound has two parts that pull against each other** ({told}). The reconstruction "
        "falls as the decoder learns, below 0 too, for it is the negative logarithm of a density; "
        "the code carries more as the encoder finds that it pays. What the code does not say stays "
        "a blur: the mean of all that it could stand for."
    )
