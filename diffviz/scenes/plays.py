"""What a player can be asked to play by one word: a scene, and the frozen config that it shows.

The word is the scene's name and the config's own word (see ``canonical``):
``reverse{"sampler":{"name":"heun"}}``.  A play's bytes are a pure function of its word and of the
version of this code, so whoever works them out, they are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from diffviz.core.run import Watch, ignore
from diffviz.scenes import (
    arena,
    collar,
    forward,
    guidance,
    latent,
    models,
    picture_run,
    point_run,
    refine,
    why,
)
from diffviz.scenes.buffer import MAX_PANELS
from diffviz.scenes.canonical import config_from, json_of
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.models import ModelConfig


@dataclass(frozen=True)
class Scene:
    """What shows the configs of one class.

    Attributes:
        kind: the class.
        buffer: works a config out, told how far it is, and packs it for the player.
        within_reach: the same config with no more samples than can be had in time.
    """

    kind: type[Any]
    buffer: Callable[[Any, Watch], bytes]
    within_reach: Callable[[Any], Any] = lambda config: config


def _fits(model: ModelConfig | None, data: DataConfig) -> None:
    if model is not None and not models.fits(model, data):
        raise ValueError(f"this network does not answer for {data.title}")


def _fewer_points(run: point_run.RunConfig) -> point_run.RunConfig:
    _fits(run.model, run.data)
    return replace(run, samples=point_run.affordable(run))


def _fewer_guided(run: guidance.GuidedRun) -> guidance.GuidedRun:
    setting, classes = run.setting, run.setting.data.classes
    if setting.data.kind != "2-D" or classes < 2:
        raise ValueError(f"{setting.data.title} has no classes in the plane to ask for")
    if setting.label is not None and not 0 <= setting.label < classes:
        raise ValueError(f"label is {setting.label}: it must be from 0 to {classes - 1}, or null")
    if setting.model is not None and models.classes(setting.model) != classes:
        raise ValueError(f"this network does not take the classes of {setting.data.title}")
    return replace(run, setting=replace(setting, samples=guidance.affordable(setting)))


def _fewer_racers(race: arena.RaceConfig) -> arena.RaceConfig:
    if not 1 <= len(race.entrants) <= MAX_PANELS or race.data.kind != "2-D":
        raise ValueError(f"1 to {MAX_PANELS} samplers race, in the plane")
    for _, who in race.entrants:
        _fits(who.model, race.data)
    return replace(race, samples=arena.affordable(race))


def _fewer_pictures(run: picture_run.GenerateRun) -> picture_run.GenerateRun:
    run = replace(run, sampler=run.sampler.at_most(picture_run.affordable_steps(run)))
    return replace(run, count=picture_run.affordable(run))


def _fewer_dogs(run: collar.CollarRun) -> collar.CollarRun:
    run = replace(run, sampler=run.sampler.at_most(collar.affordable_steps(run)))
    return replace(run, count=collar.affordable(run))


SCENES: Mapping[str, Scene] = {
    "forward": Scene(forward.ForwardConfig, lambda config, _: forward.run(config)),
    "reverse": Scene(
        point_run.RunConfig,
        lambda run, watch: point_run.shown(run, watch).buffer,
        _fewer_points,
    ),
    "arena": Scene(
        arena.RaceConfig,
        lambda race, watch: arena.race(race, watch).buffer,
        _fewer_racers,
    ),
    "guidance": Scene(
        guidance.GuidedRun,
        lambda run, watch: guidance.shown(run.setting, run.scale, run.arrows, watch).buffer,
        _fewer_guided,
    ),
    "images": Scene(
        picture_run.GenerateRun,
        lambda run, watch: picture_run.pictures(run, watch).buffer,
        _fewer_pictures,
    ),
    "why": Scene(
        picture_run.GenerateRun,
        lambda run, watch: why.compared(run, watch).buffer,
        _fewer_pictures,
    ),
    "latent": Scene(
        latent.LatentRun,
        lambda run, watch: latent.flowing(run, watch).buffer,
        lambda run: replace(run, count=latent.affordable(run)),
    ),
    "collar": Scene(
        collar.CollarRun,
        lambda run, watch: collar.collars(run, watch).buffer,
        _fewer_dogs,
    ),
    "refine": Scene(refine.RefineRun, lambda run, watch: refine.shown(run, watch).buffer),
}
"""The scenes, by the name in a word."""


@dataclass(frozen=True)
class Play:
    """A scene and what it shows.

    Attributes:
        scene: a key of ``SCENES``.
        config: of the scene's class.
    """

    scene: str
    config: Any

    @property
    def word(self) -> str:
        """Its canonical word."""
        return f"{self.scene}{json_of(self.config)}"

    @property
    def within_reach(self) -> Play:
        """The same with no more samples than can be had in time."""
        return replace(self, config=SCENES[self.scene].within_reach(self.config))

    def buffer(self, watch: Watch = ignore) -> bytes:
        """Work it out, told how far it is, and pack it for the player."""
        return SCENES[self.scene].buffer(self.config, watch)


def play_of(word: str) -> Play:
    """Return the play of a word; the word need not be canonical.

    Raises:
        ValueError: if it is none, or asks for something out of range; the message is for whoever
            wrote it.
    """
    name, brace, rest = word.partition("{")
    if name not in SCENES or not brace:
        raise ValueError(f"a word starts with one of {', '.join(SCENES)} and a brace")
    return Play(name, config_from(SCENES[name].kind, brace + rest))


@cache
def version() -> str:
    """A digest of what makes the bytes: this code and what it reads."""
    digest = hashlib.blake2b(digest_size=6)
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            text = path.suffix in (".py", ".json", ".toml")
            digest.update(str(path.relative_to(package)).encode())
            digest.update(path.read_bytes() if text else str(path.stat().st_size).encode())
    return digest.hexdigest()
