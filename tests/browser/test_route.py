"""The app as it is served answers with pages and with data."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest

from diffviz.scenes.configs import DataConfig, ScheduleConfig
from diffviz.scenes.forward import ForwardConfig
from diffviz.scenes.plays import Play, play_of

WORDS = (
    'reverse{"samples":20,"sampler":{"steps":3}}',
    Play("forward", ForwardConfig(DataConfig("text", 20, text="//../a\\b"), ScheduleConfig())).word,
)


def test_the_app_answers_with_what_a_player_plays(app_url: str) -> None:
    for word in WORDS:
        with urllib.request.urlopen(f"{app_url}/run/{quote(word)}") as answer:
            assert answer.read() == play_of(word).buffer()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{app_url}/run/{quote('reverse{')}")
    assert refused.value.code == 400
    assert "this is not a word" in json.load(refused.value)["error"]
