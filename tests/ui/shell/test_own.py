"""What belongs to one reader: had while a session holds it, and where the browser finds it."""

from __future__ import annotations

import gc
from typing import Any
from urllib.parse import unquote

import pytest
import streamlit as st

from diffviz.scenes.buffer import Buffer, read_header
from diffviz.scenes.configs import DataConfig, Picture
from diffviz.scenes.plays import Play, play_of, version
from diffviz.scenes.point_run import RunConfig
from diffviz.ui.shell import own, route


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What stands in for a session's state."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    return state


def test_content_is_held_as_long_as_its_session_lives(session: dict[str, Any]) -> None:
    own.hold("here", "a", b"first")
    assert own.held("a") == b"first"
    own.hold("here", "b", b"second")
    own.hold("there", "c", b"third")
    assert [own.held(name) for name in "abc"] == [b"first", b"second", b"third"]
    own.hold("here", "b", b"second")
    own.hold("here", "d", b"fourth")
    gc.collect()
    assert own.held("a") is None, "what was shown before the last two is let go"
    assert own.held("b") == b"second"
    session.clear()
    gc.collect()
    assert [own.held(name) for name in "abcd"] == [None] * 4


def test_two_readers_of_the_same_hold_it_once(session: dict[str, Any]) -> None:
    own.hold("here", "same", b"content")
    first = session.pop("_own")
    own.hold("here", "same", b"content")
    assert first["here"]["same"] is session["_own"]["here"]["same"]
    del first
    gc.collect()
    assert own.held("same") == b"content"


def test_a_run_that_a_word_says_is_found_by_it(session: dict[str, Any]) -> None:
    play = Play("reverse", RunConfig(samples=20))
    path, _, query = route.address("here", b"not even looked at", play).partition("?")
    assert query == f"v={version()}"
    assert play_of(unquote(path).removeprefix("/run/")) == play
    assert session == {}


@pytest.mark.parametrize(
    "play",
    [
        None,
        Play(
            "reverse", RunConfig(DataConfig("picture", 20, picture=Picture((2, 2, 3), bytes(12))))
        ),
        Play("reverse", RunConfig(DataConfig("text", 20, text="é" * 2000))),
        Play("reverse", RunConfig(samples=20_000_000)),
    ],
    ids=["none", "an upload", "too long", "refused"],
)
def test_what_no_word_says_is_held(session: dict[str, Any], play: Play | None) -> None:
    buffer = Buffer().finish({"panels": []})
    assert route.address("here", buffer, play) == f"/run/own/{read_header(buffer)['id']}"
    assert own.held(read_header(buffer)["id"]) == buffer
