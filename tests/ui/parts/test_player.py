"""The player on a page: what it is asked and told, and that the browser reads its buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import streamlit as st

from diffviz.scenes.buffer import Buffer, decode
from diffviz.ui.parts import player as ui
from tests.ui.conftest import RunJs


class Session(dict[str, Any]):
    """What stands in for ``st.session_state``; ``report`` is the player speaking."""

    def report(self, **values: tuple[int | None, int]) -> None:
        told = {name: {"value": v, "after": after} for name, (v, after) in values.items()}
        self["key"] = {**self.get("key", {}), **told}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    state = Session()
    monkeypatch.setattr(st, "session_state", state)
    return state


def ask(session: Session, step: int | None) -> tuple[int | None, int | None, int]:
    """One run of a page: the step that holds, and the wish that is sent with its number."""
    wish = ui._wishes("key", {"step": step, "follow": None})["step"]
    session.setdefault("key", {})
    return ui._answer(session["key"].get("step"), wish), wish["value"], wish["revision"]


def test_a_wish_counts_once_and_an_echo_never(session: Session) -> None:
    assert ask(session, 25) == (25, 25, 0)
    session.report(step=(40, 0))
    assert ask(session, 25) == (40, 25, 0), "a constant wish does not fight the hand"
    assert ask(session, 40) == (40, 25, 0), "an echo changes nothing that is sent"
    assert ask(session, 10) == (10, 10, 1), "another step is a new wish"
    assert ask(session, 10) == (10, 10, 1)
    session.report(step=(12, 0))
    assert ask(session, 10) == (10, 10, 1), "a report from before the wish does not count"
    session.report(step=(11, 1))
    assert ask(session, 10) == (11, 10, 1)
    assert ask(session, 11) == (11, 10, 1)
    assert ask(session, 10) == (10, 10, 2), "the same step can be asked for again"
    assert ask(session, None) == (10, 10, 2), "None asks for nothing"


def test_a_player_mounted_anew_starts_from_what_the_page_asks(session: Session) -> None:
    ask(session, 25)
    session.report(step=(40, 0))
    ask(session, 40)
    del session["key"]  # Streamlit forgets the state of what is not on the page
    assert ask(session, 40) == (40, 40, 0)


def test_the_browser_reads_what_is_read_here(run_js: RunJs) -> None:
    values = np.random.default_rng(1).normal(size=(3, 4, 2)) * [1.0, 10.0]
    buffer = Buffer()
    buffer.add("whole", values, "u8")
    buffer.add("axes", values, "u16", lo=values.min((0, 1)), hi=values.max((0, 1)))
    buffer.add("plain", values, "f32")
    whole = buffer.finish({"clock": {"frames": 3, "arrays": {}}, "panels": []})
    _, arrays = decode(whole)
    read = run_js(
        "player/js/buffer.js",
        f"""(() => {{
          const run = new js.Run(new Uint8Array([9, ...{list(whole)}]).subarray(1));
          return Object.fromEntries({list(arrays)}.map((name) => {{
            const {{ data, value }} = run.array(name);
            return [name, Array.from(data, (_, i) => value(i))];
          }}));
        }})()""",
    )
    for name, array in arrays.items():
        np.testing.assert_allclose(read[name], array.ravel(), rtol=1e-6)
