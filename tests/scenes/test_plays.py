"""Words of plays: read back, checked, and the same bytes from whoever works them out."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from operator import attrgetter
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.scenes import forward
from diffviz.scenes.arena import Contestant, RaceConfig
from diffviz.scenes.buffer import decode, read_header, unbind
from diffviz.scenes.canonical import value_word
from diffviz.scenes.collar import CollarRun
from diffviz.scenes.configs import DataConfig, SamplerConfig, ScheduleConfig
from diffviz.scenes.forward import ForwardConfig
from diffviz.scenes.guidance import GuidedRun, Setting
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.picture_run import GenerateRun
from diffviz.scenes.plays import SCENES, Play, play_of, version
from diffviz.scenes.point_run import RunConfig
from diffviz.scenes.refine import RefineRun

FEW = SamplerConfig("heun", 4, "karras", seed=3)
RACE = (
    'arena{"data":{},"entrants":[["A",{"sampler":"ddim","steps":5,'
    '"model":{"kind":"shipped","name":"MODEL"}}]]}'
)
PLAYS = [
    Play("forward", ForwardConfig(DataConfig("rose", 40), ScheduleConfig("cosine", 20), "jump")),
    Play("reverse", RunConfig(DataConfig("moons", 30), sampler=FEW, samples=20)),
    Play("reverse", RunConfig(sampler=FEW, samples=9, moved=(3, 0.5, -1.25))),
    Play("reverse", RunConfig(sampler=FEW, samples=9, model=ModelConfig("shipped", "moons"))),
    Play("arena", RaceConfig(DataConfig("grid25", 50), (("A", Contestant("ddim", 3)),), "noise")),
    Play("guidance", GuidedRun(Setting(DataConfig("moons", 50), sampler=FEW, samples=20), 2.5)),
    Play("images", GenerateRun(sampler=replace(FEW, steps=2), classes=(3, 7), count=2)),
]


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.word[:40])
def test_a_word_is_read_back_and_played(play: Play) -> None:
    again = play_of(play.word)
    assert again == play
    assert again.within_reach == play
    assert read_header(again.buffer())["panels"]


def test_another_process_makes_the_same_bytes() -> None:
    here = {play.word: hashlib.sha256(play.buffer()).hexdigest() for play in PLAYS[:3]}
    script = (
        "import hashlib, sys, torch\n"
        "from diffviz.scenes.plays import play_of, version\n"
        "torch.set_num_threads(1)\n"
        "print(version(), *(hashlib.sha256(play_of(word).buffer()).hexdigest()"
        " for word in sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *here], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [version(), *here.values()]


def test_every_name_and_number_has_its_limits() -> None:
    """A field without them could be asked for at any size, or break a run from within."""
    free = {"text", "drawing", "source", "tokens", "label", "name"}  # bounded by what reads them
    seen: set[Any] = set()

    def check(kind: Any) -> None:
        for part in get_args(kind):
            check(part)
        if kind in seen or not is_dataclass(kind):
            return
        seen.add(kind)
        hints = get_type_hints(kind)
        if bytes in hints.values():
            return  # content, which a word does not hold
        for each in fields(kind):
            if hints[each.name] in (int, float):
                assert {"low", "high"} <= each.metadata.keys(), (kind, each.name)
            if hints[each.name] is str and each.name not in free:
                assert "words" in each.metadata or not each.compare, (kind, each.name)
            check(hints[each.name])

    for scene in SCENES.values():
        check(scene.kind)
    assert {RunConfig, ModelConfig, Contestant, SamplerConfig} <= seen


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("", "starts with one of forward, reverse"),
        ("reverse", "a brace"),
        ("nope{}", "starts with one of"),
        ("reverse{", "this is not a word"),
        ("reverse{" + 9000 * " " + "}", "8,000 at most"),
        ("reverse" + 2000 * '{"data":', "8,000 at most"),
        ("reverse{" + 900 * "[" + "}", "this is not a word"),
        ('reverse{"x":1}', "has no x: it has data, schedule"),
        ('reverse{"data":5}', "data is 5: it must be the word of a DataConfig"),
        ('reverse{"data":{"name":"moon"}}', 'name is "moon": it must be one of'),
        ('reverse{"data":{"sha256":"a0"}}', "digest"),
        ('reverse{"samples":0}', "samples is 0: it must be from 1 to 20,000"),
        ('reverse{"samples":1e9}', "it must be a whole number"),
        ('reverse{"samples":true}', "it must be a whole number"),
        ('reverse{"samples":NaN}', "it must be a whole number"),
        ('reverse{"arrows":"fish"}', "one of flow, score"),
        ('reverse{"moved":[1,2]}', "3 values"),
        ('reverse{"moved":[1,2,Infinity]}', "it must be a number"),
        ('reverse{"moved":[1,2,null]}', "it must be a number"),
        ('reverse{"sampler":{"steps":1001}}', "from 1 to 1,000"),
        ('reverse{"sampler":{"spacing":"even"}}', "one of leading, trailing"),
        ('reverse{"sampler":{"params":[["bogus",1]]}}', "DDIM has no parameter bogus"),
        ('reverse{"sampler":{"params":[["eta",7]]}}', "eta is 7: it must be from 0 to 1"),
        ('reverse{"sampler":{"params":[["eta",1],["eta",0]]}}', "more than once"),
        ('reverse{"sampler":{"name":"heun","params":[["variable",1]]}}', "no parameter variable"),
        ('reverse{"schedule":{"params":[["T",5]]}}', "no parameter T"),
        ('reverse{"schedule":{"params":[["beta_start",5]]}}', "beta_start is 5"),
        ('reverse{"schedule":{"name":"ve","params":[["sigma_max",1e300]]}}', "from 0.1 to 1000"),
        (f'guidance{{"scale":{400 * "9"}}}', "must be a number"),
        (f'reverse{{"schedule":{{"tokens":{300 * "9"}}}}}', "must be a whole number"),
        ('reverse{"\\ud800":1}', "this is not a word"),
        ('reverse{"data":{"name":"text","text":"\\ud800"}}', "this is not a word"),
        (f'latent{{"classes":[{501 * "1,"}1]}}', "a list of at most 500"),
        ('latent{"classes":[99]}', "numbered from 0 to 9"),
        ('images{"classes":[-1]}', "numbered from 0 to 9"),
        ('latent{"count":1}', "from 16 to 1,024"),
        (RACE.replace("MODEL", "skewed"), "network does not answer"),
        ('reverse{"model":{"kind":"shipped","name":"moons"},"data":{"name":"skewed"}}', "network"),
        ('reverse{"model":{"kind":"own","name":"a1"}}', "no longer in memory"),
        ('reverse{"model":{}}', "needs kind, name"),
        ('guidance{"setting":{"label":9}}', "from 0 to 4, or null"),
        ('guidance{"setting":{"data":{"name":"skewed"}}}', "no classes in the plane"),
        ('guidance{"setting":{"model":{"kind":"shipped","name":"moons"}}}', "does not take"),
        ("forward{}", "needs data, schedule"),
        ('arena{"data":{"name":"grid25"},"entrants":[]}', "1 to 4 samplers"),
        ('images{"guidance":21}', "from 0 to 20"),
        ('refine{"level":-0.1}', "from 0 to 1"),
    ],
)
def test_other_words_are_refused_in_words(word: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        _ = play_of(word).within_reach
    assert why in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ('reverse{"moved":[50,0,0],"samples":9}', "there is no sample 50"),
        ('reverse{"schedule":{"name":"loaded"},"samples":9}', "No scheduler's file"),
        ('reverse{"sampler":{"spacing":"file"},"samples":9}', "came from no file"),
        ('reverse{"data":{"name":"table"},"samples":9}', "No table is here"),
    ],
)
def test_what_only_the_run_can_tell_is_refused_too(word: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        play_of(word).buffer()
    assert why in str(refused.value)


@pytest.mark.parametrize(("scene", "kind"), [("images", GenerateRun), ("collar", CollarRun)])
def test_too_much_is_brought_within_reach(scene: str, kind: Any) -> None:
    asked = Play(scene, kind(sampler=SamplerConfig("heun", 1000), count=64))
    near = asked.within_reach
    assert near.config.sampler.steps < 1000
    assert 1 <= near.config.count < 64
    assert near.within_reach == near
    assert replace(near, config=replace(near.config, count=64)).within_reach == near


TURNS = [
    (Play("reverse", RunConfig()), ("sampler", "steps"), (50, 20)),
    (Play("reverse", RunConfig()), ("data", "n"), (500, 2000, 100)),
    (Play("reverse", RunConfig()), ("sampler", "seed"), (0, 5)),
    (
        Play("reverse", RunConfig(sampler=SamplerConfig(params=(("eta", 0.5),)))),
        ("sampler", "params", "eta"),
        (0.0, 0.25, 1),
    ),
    (Play("guidance", GuidedRun()), ("scale",), (3.0, 4.5, 7)),
    (Play("guidance", GuidedRun()), ("setting", "sampler", "steps"), (40, 50, 3)),
    (Play("images", GenerateRun("mnist", guidance=2.5)), ("guidance",), (1.0, 1.5, 0)),
    (PLAYS[4], ("entrants", "A", "steps"), (3, 10)),
]


@pytest.mark.parametrize(("play", "path", "values"), TURNS, ids=lambda each: str(each)[:30])
def test_words_that_differ_in_a_number_are_put_together_from_parts(
    play: Play, path: tuple[str, ...], values: tuple[float, ...]
) -> None:
    words = play.words(path)
    for value in values:
        put = words.special.get(value, words.before + value_word(value) + words.after)
        turned = play.turned(path, value)
        assert put == turned.word
        assert play_of(put) == turned
        found: Any = turned.config
        for name in path:
            found = dict(found)[name] if isinstance(found, tuple) else getattr(found, name)
        assert found == value


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.scene)
def test_words_that_differ_in_a_name_are_put_together_from_parts(play: Play) -> None:
    """What a hand on a name in a menu looks at, for every schedule and sampler."""
    for kind, choice in play.choices.items():
        assert choice.here == attrgetter(".".join(choice.path))(play.config)
        words = choice.bare.words(choice.path)
        for name in SCHEDULES if kind is ScheduleConfig else SAMPLERS:
            put = words.special.get(name, words.before + value_word(name) + words.after)
            turned = choice.bare.turned(choice.path, name)
            assert put == turned.word
            assert play_of(put) == turned
    if play.scene in ("reverse", "guidance", "images"):
        assert set(play.choices) == {ScheduleConfig, SamplerConfig}


def test_levels_of_a_number_are_those_of_each_run() -> None:
    play = PLAYS[0]
    levels = play.levels(("schedule", "T"), (10, 20, 30))
    assert levels is not None
    assert levels == replace(play, config=play.turned(("schedule", "T"), 30).config).levels(
        ("schedule", "T"), (10, 20, 30)
    ), "they are the same wherever the number stands"
    again = play_of(levels.word)
    assert again.within_reach == levels
    made = unbind(again.buffer())
    assert list(made) == [10, 20, 30]
    for T, buffer in made.items():
        assert buffer == forward.levels(play.turned(("schedule", "T"), int(T)).config)
    assert play.levels(("data", "n"), (10, 20)) is None
    assert PLAYS[1].levels(("sampler", "steps"), (10, 20)) is None


@pytest.mark.parametrize(
    ("path", "at", "why"),
    [
        (["data", "n"], [10], "a number of the schedule"),
        (["schedule", "T"], [], "of 1 to 200 values"),
        (["schedule", "T"], [1_000_000], "T is 1000000"),
        (["schedule", "T"], [20.5], "T is 20.5"),
    ],
)
def test_levels_that_cannot_be_had_are_refused(path: list[str], at: list[float], why: str) -> None:
    run = '{"data":{"n":40},"schedule":{}}'
    word = f'levels{{"run":{run},"path":{json.dumps(path)},"at":{json.dumps(at)}}}'
    with pytest.raises(ValueError, match=why):
        play_of(word).within_reach.buffer()


def test_a_contestant_takes_no_more_steps_than_its_schedule_has() -> None:
    race = RaceConfig(
        DataConfig("moons", 50), (("A", Contestant("ddim", 1000, "trailing", "linear")),)
    )
    assert SCHEDULES["linear"]().T == 1000
    assert Play("arena", race).within_reach.config.entrants[0][1].steps == 1000
    leading = RaceConfig(race.data, (("A", Contestant("ddim", 1000, "leading", "linear")),))
    assert Play("arena", leading).within_reach.buffer()


def test_what_follows_a_hand_begins_the_whole() -> None:
    play = Play("reverse", RunConfig(samples=900, sampler=SamplerConfig(steps=4)))
    whole, few = (decode(each.buffer()) for each in (play, play.in_hand))
    assert few[0]["panels"][0]["count"] == 500
    assert "density" not in few[0]["panels"][0]["arrays"]
    np.testing.assert_allclose(few[1]["p0.x_t"], whole[1]["p0.x_t"][:, :500], atol=2e-3)
    assert Play("reverse", RunConfig(samples=20)).in_hand.config.samples == 20
    assert Play("refine", RefineRun(count=10)).in_hand.config.count == 2
    for item, stays in ((499, True), (500, False)):
        moved = replace(play.config, moved=(item, 0.5, 0.5))
        assert (replace(play, config=moved).in_hand.config.moved is not None) is stays


def test_where_the_numbers_of_a_play_are() -> None:
    run = RunConfig(
        schedule=ScheduleConfig("vp", params=(("beta_min", 0.2), ("beta_max", 9.0))),
        sampler=SamplerConfig("ddim", 5, params=(("eta", 0.5),)),
    )
    assert Play("reverse", run).numbers == {
        "n": ("data", "n"),
        "T": ("schedule", "T"),
        "beta_min": ("schedule", "params", "beta_min"),
        "beta_max": ("schedule", "params", "beta_max"),
        "steps": ("sampler", "steps"),
        "eta": ("sampler", "params", "eta"),
    }
    assert Play("guidance", GuidedRun()).numbers["steps"] == ("setting", "sampler", "steps")


def test_a_chain_is_walked_in_no_more_steps_than_it_has() -> None:
    schedule, sampler = ScheduleConfig(T=5), SamplerConfig(steps=9)
    for play in (
        Play("reverse", RunConfig(schedule=schedule, sampler=sampler, samples=9)),
        Play("images", GenerateRun("mnist", schedule, sampler, count=1)),
    ):
        assert play.within_reach.config.sampler.steps == 5
