"""Canonical words of configs: equal for equal configs, stable, and readable back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from diffviz.scenes.arena import Contestant, RaceConfig
from diffviz.scenes.canonical import config_of, word_of
from diffviz.scenes.collar import CollarRun
from diffviz.scenes.configs import DataConfig, Picture, SamplerConfig, ScheduleConfig
from diffviz.scenes.edit_run import Damage, EditRun
from diffviz.scenes.guidance import Setting
from diffviz.scenes.latent import LatentRun
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.picture_run import GenerateRun
from diffviz.scenes.point_run import RunConfig
from diffviz.scenes.refine import RefineRun

CONFIGS = [
    RunConfig(),
    RunConfig(DataConfig("rose", 2000), moved=(3, 0.5, -1.25), model=ModelConfig("own", "a1")),
    RunConfig(
        DataConfig("text", text='"&ä//../\\'),
        ScheduleConfig("custom", points=((0, 1), (0.4, 0.3), (1, 0))),
        SamplerConfig("edm", 5, params=(("churn", 20.0),)),
    ),
    RunConfig(schedule=ScheduleConfig("linear", params=(("beta_start", 0.0002),), zero_snr=True)),
    GenerateRun(classes=(3, 7), guidance=2.5),
    Setting(label=None),
    Setting(model=ModelConfig("shipped", "moons")),
    RaceConfig(
        DataConfig("grid25"),
        (("A", Contestant("ddpm", 4)), ("B", Contestant("ddim", 4, model=ModelConfig("own", "b")))),
    ),
    CollarRun(count=3),
    LatentRun(),
    RefineRun(),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: type(c).__name__)
def test_a_word_is_read_back(config: Any) -> None:
    again = config_of(type(config), word_of(config))
    assert again == config
    assert hash(again) == hash(config)
    assert word_of(again) == word_of(config)


def test_a_word_is_one_part_of_a_path() -> None:
    for config in CONFIGS:
        assert "/" not in word_of(config)
        assert word_of(config).isascii()


def test_words_differ_where_configs_do() -> None:
    assert len({word_of(config) for config in CONFIGS}) == len(CONFIGS)


def test_what_is_as_always_is_left_out() -> None:
    assert word_of(RunConfig()) == "RunConfig{}"
    assert word_of(GenerateRun()) == "GenerateRun{}"
    run = RunConfig(sampler=SamplerConfig("ddpm", seed=3))
    assert word_of(run) == 'RunConfig{"sampler":{"name":"ddpm","seed":3}}'
    assert word_of(RunConfig(DataConfig())) == 'RunConfig{"data":{}}'  # a run has 500 points


def test_equal_configs_have_equal_words() -> None:
    whole, real = (
        RunConfig(sampler=SamplerConfig("edm", params=(("churn", c),))) for c in (5, 5.0)
    )
    assert whole == real
    assert word_of(whole) == word_of(real)
    titled = (ModelConfig("own", "a", title) for title in ("", "Mine"))
    assert len({word_of(RunConfig(model=model)) for model in titled}) == 1


def test_content_is_named_by_its_digest() -> None:
    one, other = (EditRun(GenerateRun(), Picture((1, 1, 1), data)) for data in (b"0", b"1"))
    assert word_of(one) != word_of(other)
    assert word_of(one) == word_of(replace(one, picture=Picture((1, 1, 1), b"0")))
    assert len(word_of(EditRun(GenerateRun(), Picture((99, 99, 1), bytes(9801))))) < 200
    with pytest.raises(ValueError, match="digest"):
        config_of(EditRun, word_of(one))


def test_a_part_that_equals_its_class_is_told_from_one_that_is_not_there() -> None:
    blank = EditRun(GenerateRun(), Picture((1, 1, 1), b"0"), damage=Damage(amount=2))
    assert '"damage":{"amount":2}' in word_of(blank)
    assert "damage" not in word_of(replace(blank, damage=Damage()))


@pytest.mark.parametrize(
    "word", ["", "RunConfig", "GenerateRun{}", 'RunConfig{"x":1}', "RunConfig{"]
)
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        config_of(RunConfig, word)
