"""What a player can be asked to play by one word: a scene, and the frozen config that it shows.

The word is the scene's name and the config's own word (see ``canonical``):
``reverse{"sampler":{"name":"heun"}}``.  A play's bytes are a pure function of its word and of the
version of this code, so whoever works them out, they are the same.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, partial
from typing import Any, TypeAlias, TypeVar

from diffviz.core.run import Watch, ignore
from diffviz.scenes import (
    arena,
    collar,
    forward,
    guidance,
    latent,
    models,
    overlay,
    picture_run,
    point_run,
    refine,
    why,
)
from diffviz.scenes.buffer import MAX_PANELS, bind
from diffviz.scenes.canonical import config_from, default_of, json_of
from diffviz.scenes.configs import DataConfig, SamplerConfig, ScheduleConfig
from diffviz.scenes.models import ModelConfig


@dataclass(frozen=True)
class Scene:
    """What shows the configs of one class.

    Attributes:
        kind: the class.
        buffer: works a config out, told how far it is, and packs it for the player.
        within_reach: the same config with no more samples than can be had in time.
        in_hand: a lighter config that follows a hand: fewer samples, of points without what stands
            behind them, of pictures in fewer steps; None where there is none.
    """

    kind: type[Any]
    buffer: Callable[[Any, Watch], bytes]
    within_reach: Callable[[Any], Any] = lambda config: config
    in_hand: Callable[[Any], Any] | None = None


Walk = TypeVar(
    "Walk",
    point_run.RunConfig,
    guidance.Setting,
    picture_run.GenerateRun,
    latent.LatentRun,
    collar.CollarRun,
)
"""What is walked from noise to data, by a sampler on a schedule."""


@dataclass(frozen=True)
class Levels:
    """Forward runs that differ in one number of the schedule, without their samples.

    Attributes:
        run: one of them.
        path: the names of the fields that lead to the number, see ``Play.turned``.
        at: the numbers.
    """

    run: forward.ForwardConfig
    path: tuple[str, ...]
    at: tuple[float, ...]


C = TypeVar("C")

_POINTS_IN_HAND = 500
_LEVELS = 200
_PICTURES_IN_HAND = 2
_PICTURE_STEPS_IN_HAND = 8


def _fits(model: ModelConfig | None, data: DataConfig) -> None:
    if model is not None and not models.fits(model, data):
        raise ValueError(f"this network does not answer for {data.title}")


def _walkable(run: Walk) -> Walk:
    """The same in no more steps than its schedule has."""
    return replace(run, sampler=run.sampler.on(run.schedule))


def _fewer_points(run: point_run.RunConfig) -> point_run.RunConfig:
    _fits(run.model, run.data)
    run = _walkable(run)
    return replace(run, samples=point_run.affordable(run))


def _few_points(run: point_run.RunConfig) -> point_run.RunConfig:
    samples = min(run.samples, _POINTS_IN_HAND)
    seen = run.moved is not None and run.moved[0] < samples
    return replace(run, samples=samples, moved=run.moved if seen else None, bare=True)


def _fewer_guided(run: guidance.GuidedRun) -> guidance.GuidedRun:
    setting, classes = run.setting, run.setting.data.classes
    if setting.data.kind != "2-D" or classes < 2:
        raise ValueError(f"{setting.data.title} has no classes in the plane to ask for")
    if setting.label is not None and not 0 <= setting.label < classes:
        raise ValueError(f"label is {setting.label}: it must be from 0 to {classes - 1}, or null")
    if setting.model is not None and models.classes(setting.model) != classes:
        raise ValueError(f"this network does not take the classes of {setting.data.title}")
    setting = _walkable(setting)
    return replace(run, setting=replace(setting, samples=guidance.affordable(setting)))


def _few_guided(run: guidance.GuidedRun) -> guidance.GuidedRun:
    samples = min(run.setting.samples, _POINTS_IN_HAND)
    return replace(run, setting=replace(run.setting, samples=samples), bare=True)


def _fewer_racers(race: arena.RaceConfig) -> arena.RaceConfig:
    if not 1 <= len(race.entrants) <= MAX_PANELS or race.data.kind != "2-D":
        raise ValueError(f"1 to {MAX_PANELS} samplers race, in the plane")
    for _, who in race.entrants:
        _fits(who.model, race.data)
    race = replace(race, entrants=tuple((k, who.walkable) for k, who in race.entrants))
    return replace(race, samples=arena.affordable(race))


def _fewer_pictures(run: picture_run.GenerateRun) -> picture_run.GenerateRun:
    run = _walkable(run)
    run = replace(run, sampler=run.sampler.at_most(picture_run.affordable_steps(run)))
    return replace(run, count=picture_run.affordable(run))


def _fewer_codes(run: latent.LatentRun) -> latent.LatentRun:
    run = _walkable(run)
    return replace(run, count=latent.affordable(run))


def _few_pictures(run: picture_run.GenerateRun) -> picture_run.GenerateRun:
    run = replace(run, sampler=run.sampler.at_most(_PICTURE_STEPS_IN_HAND))
    return replace(run, count=min(run.count, _PICTURES_IN_HAND))


def _fewer_dogs(run: collar.CollarRun) -> collar.CollarRun:
    run = _walkable(run)
    run = replace(run, sampler=run.sampler.at_most(collar.affordable_steps(run)))
    return replace(run, count=collar.affordable(run))


def _sheaf(levels: Levels, watch: Watch) -> bytes:
    made = {}
    for k, value in enumerate(levels.at):
        watch(k / len(levels.at))
        made[value] = forward.levels(_checked_with(levels.run, levels.path, value))
    return bind(made)


def _few_levels(levels: Levels) -> Levels:
    known = [("schedule", *path) for path in levels.run.schedule.numbers.values()]
    if levels.path not in known or not 1 <= len(levels.at) <= _LEVELS:
        raise ValueError(f"levels are of 1 to {_LEVELS} values of a number of the schedule")
    return levels


def _lines(turned: overlay.Turned) -> bytes:
    return overlay.packed_turns(turned, partial(_checked_with, turned.of, turned.path))


SCENES: Mapping[str, Scene] = {
    "forward": Scene(
        forward.ForwardConfig,
        lambda config, _: forward.run(config),
        in_hand=lambda config: replace(config, bare=True),
    ),
    "reverse": Scene(
        point_run.RunConfig,
        lambda run, watch: point_run.shown(run, watch).buffer,
        _fewer_points,
        _few_points,
    ),
    "arena": Scene(
        arena.RaceConfig,
        lambda race, watch: arena.race(race, watch).buffer,
        _fewer_racers,
        lambda race: replace(race, samples=min(race.samples, _POINTS_IN_HAND)),
    ),
    "guidance": Scene(
        guidance.GuidedRun,
        guidance.played,
        _fewer_guided,
        _few_guided,
    ),
    "images": Scene(
        picture_run.GenerateRun,
        lambda run, watch: picture_run.pictures(run, watch).buffer,
        _fewer_pictures,
        _few_pictures,
    ),
    "why": Scene(
        picture_run.GenerateRun,
        lambda run, watch: why.compared(run, watch).buffer,
        _fewer_pictures,
        _few_pictures,
    ),
    "latent": Scene(
        latent.LatentRun,
        lambda run, watch: latent.flowing(run, watch).buffer,
        _fewer_codes,
    ),
    "collar": Scene(
        collar.CollarRun,
        lambda run, watch: collar.collars(run, watch).buffer,
        _fewer_dogs,
    ),
    "refine": Scene(
        refine.RefineRun,
        lambda run, watch: refine.shown(run, watch).buffer,
        in_hand=lambda run: replace(run, count=min(run.count, _PICTURES_IN_HAND)),
    ),
    "levels": Scene(Levels, _sheaf, _few_levels),
    "overlay": Scene(overlay.Overlay, lambda config, _: overlay.packed(config)),
    "lines": Scene(overlay.Turned, lambda turned, _: _lines(turned)),
}
"""The scenes, by the name in a word."""


Path: TypeAlias = tuple[str, ...]
_NO_VALUE = 9_182_736_450  # stands for a number in a word


@dataclass(frozen=True)
class Words:
    """The words of plays that differ in one number, or name: ``before``, it as JSON, ``after``.

    Attributes:
        before: what stands before it.
        after: what stands after it.
        special: the words of those that a word leaves out, by number or name.
    """

    before: str
    after: str
    special: Mapping[Any, str]


@dataclass(frozen=True)
class Choice:
    """A name in a play that could be another.

    Attributes:
        here: the name.
        path: where it is.
        bare: the same play without what belongs to that name alone.
    """

    here: str
    path: Path
    bare: Play


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

    @property
    def in_hand(self) -> Play | None:
        """A lighter play that follows a hand, of the first of its samples; None for none."""
        fewer = SCENES[self.scene].in_hand
        return None if fewer is None else replace(self, config=fewer(self.config))

    def levels(self, path: Path, at: Sequence[float]) -> Play | None:
        """What lets whoever has its samples show it with other numbers, all at once.

        Args:
            path: where the number is.
            at: the other numbers.

        Returns:
            The same for each of them; None where this depends on more than that.
        """
        run = self.config
        if self.scene != "forward" or path[0] != "schedule" or not forward.follows(run):
            return None
        run = _with(replace(run, bare=True), path, at[0])
        return Play("levels", Levels(run, path, tuple(at[:_LEVELS])))

    @property
    def numbers(self) -> Mapping[str, Path]:
        """Where the numbers of its data, schedule and sampler are, by their words in an address."""
        return {
            name: (*here, *path)
            for here, part in _parts(self.config)
            for name, path in part.numbers.items()
        }

    def number(self, path: Path) -> float:
        """One of its numbers; ``path`` as in ``turned``."""
        held = self.config
        for name in path:
            held = dict(held)[name] if isinstance(held, tuple) else getattr(held, name)
        return float(held)

    def turned(self, path: Path, value: Any) -> Play:
        """The same with another number, name or part.

        Args:
            path: the names of the fields that lead to it; of parameters, its own name last.
            value: what it shall be.
        """
        return replace(self, config=_with(self.config, path, value))

    @property
    def choices(self) -> Mapping[type[Any], Choice]:
        """The names of its schedule and its sampler, by their classes."""
        return {
            type(part): Choice(part.name, (*here, "name"), self.turned(here, replace(part, **bare)))
            for here, part in _parts(self.config)
            if (bare := _BARE.get(type(part))) is not None
        }

    def words(self, path: Path) -> Words:
        """Its word as it depends on one of its numbers, or names."""
        before, _, after = self.turned(path, _NO_VALUE).word.partition(str(_NO_VALUE))
        usual = _usual(self.config, path)
        return Words(before, after, {value: self.turned(path, value).word for value in usual})

    def buffer(self, watch: Watch = ignore) -> bytes:
        """Work it out, told how far it is, and pack it for the player."""
        return SCENES[self.scene].buffer(self.config, watch)


def _parts(config: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Where its data, schedule and sampler are, and those."""
    for of in fields(config):
        part, here = getattr(config, of.name), (*at, of.name)
        if isinstance(part, DataConfig | ScheduleConfig | SamplerConfig):
            yield here, part
        elif is_dataclass(part):
            yield from _parts(part, here)


_BARE: Mapping[type[Any], Mapping[str, Any]] = {
    ScheduleConfig: {"params": (), "points": (), "source": "", "tokens": None},
    SamplerConfig: {"params": ()},
}
"""Those that are chosen by name, without what belongs to one name alone."""


def _with(config: Any, path: Sequence[str], value: Any) -> Any:
    """A config with another number, name or part where a path leads."""
    name, *rest = path
    return replace(config, **{name: _put(getattr(config, name), tuple(rest), value)})


def _checked_with(config: C, path: Sequence[str], value: float) -> C:
    """The same, read again from its word: whole numbers are whole, and all is within its limits."""
    return config_from(type(config), json_of(_with(config, path, value)))


def _put(held: Any, path: Path, value: Any) -> Any:
    """The same for what a field holds: the number, a config, configs, or (name, value) pairs."""
    if not path:
        return value
    if not isinstance(held, tuple):
        return _with(held, path, value)
    name, *rest = path
    if is_dataclass(held[0]):
        return tuple(_with(v, rest, value) if str(k) == name else v for k, v in enumerate(held))
    return tuple((k, _put(v, tuple(rest), value) if k == name else v) for k, v in held)


def _usual(config: Any, path: Path) -> set[Any]:
    """What a config's word may leave out: the defaults of numbers or names on the way to one."""
    found: set[Any] = set()
    for k, name in enumerate(path):
        value = default_of(next(of for of in fields(config) if of.name == name))
        for further in path[k + 1 :]:
            value = getattr(value, further, None)
        if isinstance(value, int | float | str):
            found.add(value)
        config = getattr(config, name)
        if isinstance(config, tuple):
            break
    return found


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
    package = pathlib.Path(__file__).parents[1]
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            text = path.suffix in (".py", ".json", ".toml")
            digest.update(str(path.relative_to(package)).encode())
            digest.update(path.read_bytes() if text else str(path.stat().st_size).encode())
    return digest.hexdigest()
