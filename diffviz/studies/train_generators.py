"""Training what diffusion is compared with: VAEs, GANs, and the priors of latent diffusion.

The same care as for the models of pictures (``train_images``): a moving average of the weights is
what ships, in half precision; training goes on after an interruption where it was, with the same
outcome; how it went is recorded (``History``), so that a page can play it again.  ``train`` is the
command.
"""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diffviz.core.schedules import EDM
from diffviz.data.full_sets import SOURCES, load_split
from diffviz.models.checkpoints import Card, save
from diffviz.models.modules import save_module
from diffviz.models.pretrained import LATENTS, generator_stem, vae
from diffviz.networks.gan import GANConfig, critic_loss, forger_loss, shifted
from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.training import TrainConfig, Trainer
from diffviz.networks.vae import VAE, VAEConfig
from diffviz.studies.command import progress, watched
from diffviz.studies.train_images import resume
from diffviz.tools.files import write_whole

__all__ = [
    "AUTOENCODERS",
    "GAN_STEPS",
    "LATENT_STEPS",
    "VAE_STEPS",
    "GANTrainer",
    "History",
    "VAETrainer",
    "bound_of",
    "train_gan",
    "train_latent",
    "train_vae",
]

VAE_STEPS, GAN_STEPS, LATENT_STEPS = 4000, 4000, 8000
"""How long each kind is trained."""

AUTOENCODERS = tuple(f"{name}-{latent}" for name in SOURCES for latent in LATENTS)
"""The names of the VAEs and of their latent models: a set and the numbers in a code."""

_BATCH = 64
_LR = {"vae": 1e-3, "gan": 4e-4}
_WARMUP = 50
_EMA = 0.998
_MOVED = 2  # pixels that pictures are shifted by before the critic sees them
_SHOWN = 20  # pictures along training, two of each class
_EVERY = 50  # steps between two records of the losses
_FRAMES = 25  # times along training at which pictures are kept
_KEEP = 500
_CODES = 4  # drawn of each picture, for the latent model to learn from

LATENT_CONFIG = TrainConfig("x_0", "log_normal", batch=512, lr=2e-3, ema_decay=0.9995)
LATENT_NETWORKS = {
    2: NetworkConfig(dim=2, width=128, depth=3, classes=10),
    16: NetworkConfig(dim=16, width=256, depth=4, classes=10),
}


@dataclass(frozen=True, eq=False)
class History:
    """How a training went.

    Attributes:
        names: of the losses.
        steps: (R,) at which they were recorded.
        losses: (R, len(names)) means over the steps since the last record.
        frame_steps: (F,) at which pictures were made, from the same noise each time.
        frames: (F, N, 28, 28) those pictures, 0 to 255.
    """

    names: tuple[str, ...]
    steps: NDArray[np.int32]
    losses: NDArray[np.float32]
    frame_steps: NDArray[np.int32]
    frames: NDArray[np.uint8]

    def save(self, place: Path) -> None:
        """Write it as an NPZ file."""
        held = BytesIO()
        np.savez_compressed(
            held,
            names=np.array(self.names),
            steps=self.steps,
            losses=self.losses,
            frame_steps=self.frame_steps,
            frames=self.frames,
        )
        write_whole(place, held.getvalue())

    @classmethod
    def load(cls, place: Path) -> History:
        """Read it back.

        Raises:
            OSError: if there is no such file.
            ValueError: if it is another kind of file.
            KeyError: if something is missing in it.
        """
        with np.load(place, allow_pickle=False) as held:
            arrays = (held[name] for name in ("steps", "losses", "frame_steps", "frames"))
            return cls(tuple(map(str, held["names"])), *arrays)


class _Frame(NamedTuple):
    step: int
    pictures: Tensor


class _GeneratorTrainer(ABC, Iterator[int]):
    """Trains networks step by step: an iterator over the steps done, ``_EVERY`` apart.

    The same arguments give the same weights on one thread of one machine, also across ``state`` and
    ``restore``.

    Args:
        pictures: (N, 1, 28, 28) in [-1, 1].
        steps: to do.
        seed: of the first weights, the batches and the noise.
        precision: of the products while it trains.
    """

    names: tuple[str, ...]

    def __init__(
        self, pictures: Tensor, steps: int, seed: int, precision: torch.dtype = torch.bfloat16
    ) -> None:
        self.pictures, self.steps, self.precision = pictures, steps, precision
        self.step, self.seconds = 0, 0.0
        self.generator = torch.Generator().manual_seed(seed)
        self._records: list[tuple[int, list[float]]] = []
        self._sums = [0.0] * len(self.names)
        self._frames: list[_Frame] = []
        self._due = _frame_steps(steps)

    # What a kind of generator says of itself ----------------------------------------------------

    @abstractmethod
    def one_step(self) -> tuple[float, ...]:
        """Do one step of training and return its losses; ``next`` counts and records them."""

    @abstractmethod
    def shown(self) -> Tensor:
        """Return the pictures (N, 1, 28, 28) that the averaged model makes of the same noise."""

    @abstractmethod
    def _parts(self) -> dict[str, nn.Module]:
        """The networks whose weights are the state."""

    @abstractmethod
    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """The optimisers whose moments are the state."""

    # Going on -----------------------------------------------------------------------------------

    def __next__(self) -> int:
        """Do the steps up to the next record.

        Raises:
            StopIteration: when all are done.
            FloatingPointError: when a loss is no longer a finite number.
        """
        if self.step == 0 and not self._frames:
            self._frames.append(_Frame(0, self.shown()))
        if self.step >= self.steps:
            raise StopIteration
        began, last = time.perf_counter(), min(self.step + _EVERY, self.steps)
        count = last - self.step
        while self.step < last:
            losses = self.one_step()
            if not all(map(math.isfinite, losses)):
                raise FloatingPointError(f"a loss is no finite number at step {self.step + 1}")
            self._sums = [a + b for a, b in zip(self._sums, losses, strict=True)]
            self.step += 1
        self.seconds += time.perf_counter() - began
        self._records.append((self.step, [total / count for total in self._sums]))
        self._sums = [0.0] * len(self.names)
        if self.step in self._due:
            self._frames.append(_Frame(self.step, self.shown()))
        return self.step

    def history(self) -> History:
        """Return how it went so far."""
        frames = torch.stack([frame.pictures[:, 0] for frame in self._frames])
        return History(
            self.names,
            np.array([step for step, _ in self._records], np.int32),
            np.array([losses for _, losses in self._records], np.float32),
            np.array([frame.step for frame in self._frames], np.int32),
            ((frames + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy(),
        )

    def state(self) -> dict[str, Tensor]:
        """Return copies of all that training needs to go on from here."""
        state = {
            "generator": self.generator.get_state(),
            "progress": torch.tensor([self.step, self.seconds], dtype=torch.float64),
            "records": torch.tensor([[s, *v] for s, v in self._records], dtype=torch.float64),
            "frame_steps": torch.tensor([frame.step for frame in self._frames]),
            "frames": torch.stack([frame.pictures for frame in self._frames]),
        }
        for part, module in self._parts().items():
            state |= {f"{part}.{key}": v.clone() for key, v in module.state_dict().items()}
        for index, optimiser in enumerate(self._optimisers()):
            for row, moments in optimiser.state_dict()["state"].items():
                for key, value in moments.items():
                    state[f"optimiser{index}/{row}/{key}"] = torch.as_tensor(value).clone()
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where another trainer with the same arguments was, to the last bit."""
        self.generator.set_state(state["generator"].clone())
        step, self.seconds = state["progress"].tolist()
        self.step = int(step)
        self._records = [(int(row[0]), row[1:]) for row in state["records"].tolist()]
        steps = state["frame_steps"].tolist()
        self._frames = [_Frame(*pair) for pair in zip(steps, state["frames"], strict=True)]
        for part, module in self._parts().items():
            own = {k.removeprefix(f"{part}."): v for k, v in state.items()}
            module.load_state_dict({key: own[key] for key in module.state_dict()})
        for index, optimiser in enumerate(self._optimisers()):
            moments: dict[int, dict[str, Tensor]] = {}
            for name, value in state.items():
                if name.startswith(f"optimiser{index}/"):
                    _, row, key = name.split("/")
                    moments.setdefault(int(row), {})[key] = value
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": moments, "param_groups": groups})

    # For the kinds ------------------------------------------------------------------------------

    def _chosen(self) -> Tensor:
        """Rows of a batch."""
        return torch.randint(len(self.pictures), (_BATCH,), generator=self.generator)

    def _rate(self) -> float:
        """The factor of the learning rate: a rise, then half a cosine."""
        rise = min((self.step + 1) / _WARMUP, 1.0)
        return rise * (1 + math.cos(math.pi * self.step / self.steps)) / 2

    def _cast(self) -> torch.autocast:
        full = self.precision == torch.float32
        dtype = torch.bfloat16 if full else self.precision
        return torch.autocast("cpu", dtype, enabled=not full)

    @torch.no_grad()
    def _average(self, average: nn.Module, module: nn.Module) -> None:
        decay = min(_EMA, (1 + self.step) / (10 + self.step))
        pairs = zip(average.state_dict().values(), module.state_dict().values(), strict=True)
        for kept, new in pairs:
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def _frame_steps(steps: int) -> set[int]:
    """Where pictures are kept: close together at first, each at a record or at the end."""
    shares = np.linspace(0, 1, _FRAMES)[1:] ** 2
    return {min(max(round(s * steps / _EVERY), 1) * _EVERY, steps) for s in shares} | {steps}


class VAETrainer(_GeneratorTrainer):
    """Trains a VAE by its bound.

    Args:
        pictures: (N, 1, 28, 28) in [-1, 1].
        config: its shape.
        steps: to do.
        seed: of the first weights, the batches and the noise.
        precision: of the products while it trains.

    Attributes:
        average: the moving average of the weights, which is what ships.
    """

    names = ("reconstruction", "kl")

    def __init__(
        self,
        pictures: Tensor,
        config: VAEConfig,
        steps: int,
        seed: int = 0,
        precision: torch.dtype = torch.bfloat16,
    ) -> None:
        super().__init__(pictures, steps, seed, precision)
        self.model, self.average = config.build(seed), config.build(seed)
        self._optimiser = torch.optim.Adam(self.model.parameters(), _LR["vae"])
        self._z = torch.randn(
            _SHOWN, config.latent, generator=torch.Generator().manual_seed(seed + 1)
        )

    def shown(self) -> Tensor:
        """Return the pictures (N, 1, 28, 28) that the averaged model makes of the same noise."""
        return self.average.decode(self._z)

    def one_step(self) -> tuple[float, ...]:
        """Do one step of training and return its losses."""
        x = self.pictures[self._chosen()]
        with self._cast():
            parts = self.model.elbo(x, self.generator)
        for group in self._optimiser.param_groups:
            group["lr"] = _LR["vae"] * self._rate()
        self._optimiser.zero_grad()
        (-parts.total.mean() / x[0].numel()).backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._average(self.average, self.model)
        return parts.reconstruction.mean().item(), parts.kl.mean().item()

    def _parts(self) -> dict[str, nn.Module]:
        return {"model": self.model, "average": self.average}

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        return [self._optimiser]


class GANTrainer(_GeneratorTrainer):
    """Trains a forger and a critic against each other, a step of each in turn.

    Args:
        pictures: (N, 1, 28, 28) in [-1, 1].
        labels: (N,) their classes.
        config: the shape of both.
        steps: to do.
        seed: of the first weights, the batches and the noise.
        precision: of the products while it trains.

    Attributes:
        average: the moving average of the forger, which is what ships.
    """

    names = ("critic", "forger")

    def __init__(
        self,
        pictures: Tensor,
        labels: Tensor,
        config: GANConfig,
        steps: int,
        seed: int = 0,
        precision: torch.dtype = torch.bfloat16,
    ) -> None:
        super().__init__(pictures, steps, seed, precision)
        self.labels, self.config = labels, config
        self.forger, self.critic = config.build(seed)
        self.average = config.build(seed)[0].eval()
        self._forging = torch.optim.Adam(self.forger.parameters(), _LR["gan"], betas=(0.0, 0.9))
        self._judging = torch.optim.Adam(self.critic.parameters(), _LR["gan"], betas=(0.0, 0.9))

    def shown(self) -> Tensor:
        """Return the pictures (N, 1, 28, 28) that the averaged model makes of the same noise."""
        labels = torch.arange(_SHOWN) % self.config.classes
        return self.average.draw(labels, torch.Generator().manual_seed(1))

    def one_step(self) -> tuple[float, ...]:
        """Do one step of training and return its losses."""
        for optimiser in (self._forging, self._judging):
            optimiser.param_groups[0]["lr"] = _LR["gan"] * self._rate()
        rows, generator = self._chosen(), self.generator
        label = self.labels[rows]
        z = torch.randn(_BATCH, self.config.latent, generator=generator)
        with self._cast():
            made = self.forger(z, label)
            pair = torch.cat([self.pictures[rows], made.detach()])
            seen = self.critic(shifted(pair, _MOVED, generator), label.repeat(2)).float()
            judged = critic_loss(*seen.chunk(2))
        self._judging.zero_grad()
        judged.backward()  # type: ignore[no-untyped-call]
        self._judging.step()
        self.critic.requires_grad_(False)
        with self._cast():
            answer = self.critic(shifted(made, _MOVED, generator), label).float()
        forged = forger_loss(answer)
        self._forging.zero_grad()
        forged.backward()  # type: ignore[no-untyped-call]
        self._forging.step()
        self.critic.requires_grad_(True)
        self._average(self.average, self.forger)
        return judged.item(), forged.item()

    def _parts(self) -> dict[str, nn.Module]:
        return {"forger": self.forger, "critic": self.critic, "average": self.average}

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        return [self._forging, self._judging]


# The commands -----------------------------------------------------------------------------------


def train_vae(name: str, steps: int, into: Path, data: Path | None = None) -> dict[str, float]:
    """Train a VAE and save it with its history; go on if it was interrupted.

    Args:
        name: one of ``AUTOENCODERS``.
        steps: how long.
        into: the folder for the files.
        data: the folder with the pictures, see ``load_split``.

    Returns:
        The bound and its parts on the test set, and the time.

    Raises:
        SourceError: if the pictures cannot be had.
        ValueError: if an interrupted training beside it was another one, or a loss is not finite.
    """
    source, latent = name.rsplit("-", 1)
    split = load_split(source, data)
    config = VAEConfig(int(latent))
    stem = generator_stem(source, f"vae{latent}", into)
    trainer = VAETrainer(split.train, config, steps)
    _train(trainer, stem, [asdict(config), steps, len(split.train)])
    model = trainer.average.eval().requires_grad_(False)
    code = model.encode(split.train)
    spread = code.mean.var(0) + code.std.square().mean(0)  # of the mixture of all q(z | x)
    model.code_mean.copy_(code.mean.mean(0))
    model.code_std.copy_(spread.sqrt())
    figures = {
        **bound_of(model, split.test),
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(trainer.seconds, 1),
    }
    command = f"python -m diffviz train vaes {name} --steps {steps}"
    save_module(
        stem, model, _card("diffviz-vae-1", source, steps, command, asdict(config), figures)
    )
    trainer.history().save(stem.with_suffix(".npz"))
    return figures


@torch.inference_mode()
def bound_of(model: VAE, pictures: Tensor) -> dict[str, float]:
    """Return the means of the bound over pictures, one z of each.

    Args:
        model: a VAE.
        pictures: (N, 1, 28, 28) in [-1, 1].

    Returns:
        elbo, reconstruction and kl in nats, of a density; bits_per_dim, of pixels with 256 values;
        gamma, the size of what the decoder cannot say.
    """
    generator = torch.Generator().manual_seed(0)
    rows = torch.split(pictures, 500)
    parts = [model.elbo(x, generator) for x in rows]
    bits = [model.bits_per_dim(x, generator) for x in rows]
    return {
        "elbo": torch.cat([part.total for part in parts]).mean().item(),
        "reconstruction": torch.cat([part.reconstruction for part in parts]).mean().item(),
        "kl": torch.cat([part.kl for part in parts]).mean().item(),
        "bits_per_dim": torch.cat(bits).mean().item(),
        "gamma": model.log_scale.exp().item(),
    }


def train_gan(name: str, steps: int, into: Path, data: Path | None = None) -> dict[str, float]:
    """Train a GAN and save its forger with its history; go on if it was interrupted.

    Args:
        name: one of ``SOURCES``.
        steps: how long.
        into: the folder for the files.
        data: the folder with the pictures, see ``load_split``.

    Returns:
        The number of weights and the time; quality is measured by ``python -m diffviz evaluate``.

    Raises:
        SourceError: if the pictures cannot be had.
        ValueError: if an interrupted training beside it was another one, or a loss is not finite.
    """
    split, config = load_split(name, data), GANConfig()
    stem = generator_stem(name, "gan", into)
    trainer = GANTrainer(split.train, split.train_labels, config, steps)
    _train(trainer, stem, [asdict(config), steps, len(split.train)])
    figures = {
        "parameters": sum(p.numel() for p in trainer.forger.parameters()),
        "critic_parameters": sum(p.numel() for p in trainer.critic.parameters()),
        "seconds": round(trainer.seconds, 1),
    }
    command = f"python -m diffviz train gans {name} --steps {steps}"
    card = _card("diffviz-gan-1", name, steps, command, asdict(config), figures)
    save_module(stem, trainer.average, card)
    trainer.history().save(stem.with_suffix(".npz"))
    return figures


def train_latent(name: str, steps: int, into: Path, data: Path | None = None) -> dict[str, float]:
    """Train a diffusion model of the codes of a VAE, to take the place of its prior.

    It learns standardised codes drawn from the aggregate posterior, with the classes of their
    pictures, a tenth of them withheld.  Source: Vahdat et al. 2021; Rombach et al. 2022.

    Args:
        name: one of ``AUTOENCODERS``; that VAE must be there.
        steps: how long.
        into: the folder for the files.
        data: the folder with the pictures, see ``load_split``.

    Returns:
        The loss and the time.

    Raises:
        SourceError: if the pictures cannot be had.
        CheckpointError: if there is no such VAE.
        Diverged: when training does.
    """
    source, latent = name.rsplit("-", 1)
    split, coder = load_split(source, data), vae(source, int(latent), into)
    code = coder.encode(split.train)
    generator = torch.Generator().manual_seed(0)
    draws = torch.cat([coder.standardised(code.sample(generator)) for _ in range(_CODES)])
    config = replace(LATENT_CONFIG, steps=steps)
    labels = split.train_labels.repeat(_CODES)
    trainer = Trainer(draws, EDM(), config, LATENT_NETWORKS[int(latent)], labels, every=250)
    loss = watched(trainer, name)
    denoiser = trainer.denoiser()
    figures = {
        "loss": round(loss, 5),
        "parameters": sum(p.numel() for p in denoiser.module.parameters()),
        "seconds": round(trainer.seconds, 1),
    }
    command = f"python -m diffviz train latents {name} --steps {steps}"
    card = Card(f"codes of the VAE {name}", config.seed, steps, command, figures, config)
    stem = generator_stem(source, f"latent{latent}", into)
    save(stem, denoiser, card, dtype=torch.float16)
    return figures


def _train(trainer: _GeneratorTrainer, stem: Path, about: list[Any]) -> None:
    """Go through a training, keeping beside the model what is needed to go on."""
    kept, settings = stem.with_suffix(".interrupted.safetensors"), json.dumps(about)
    resume(trainer, kept, settings)
    try:
        with progress(stem.name, trainer.steps, "steps", trainer.step) as bar:
            for step in trainer:
                names = zip(trainer.names, trainer._records[-1][1], strict=True)
                losses = ", ".join(f"{name} {value:.3f}" for name, value in names)
                bar.set_postfix_str(losses, refresh=False)
                bar.update(step - bar.n)
                if step % _KEEP == 0:
                    state = safetensors.torch.save(trainer.state(), {"training": settings})
                    write_whole(kept, state)
    except FloatingPointError as error:
        raise ValueError(f"training diverged: {error}") from error
    kept.unlink(missing_ok=True)


def _card(
    kind: str,
    source: str,
    steps: int,
    command: str,
    config: dict[str, Any],
    figures: dict[str, float],
) -> dict[str, Any]:
    return {
        "format": kind,
        "data": source,
        "seed": 0,
        "steps": steps,
        "command": command,
        "network": config,
        "metrics": {key: round(value, 5) for key, value in figures.items()},
    }
