"""Work that is waited for: quick work shows nothing, slow work a bar, unwanted work stops."""

from __future__ import annotations

import time
from threading import Event
from typing import Any

import pytest
import torch

from diffviz.core.run import Watch
from diffviz.ui.shell import waiting
from diffviz.ui.shell.waiting import Stopped, wait_for


class Slot:
    """Stands for ``st.empty()``: keeps what is drawn into it."""

    def __init__(self) -> None:
        self.drawn: list[tuple[float, str]] = []
        self.emptied = 0

    def progress(self, share: float, words: str) -> None:
        self.drawn.append((share, words))

    def empty(self) -> None:
        self.emptied += 1


def wait(work: Any, slot: Any) -> Any:
    return wait_for(work, "Work", slot)


def test_quick_work_shows_nothing() -> None:
    slot = Slot()
    assert wait(lambda watch: 7, slot) == 7
    assert slot.drawn == []


def test_slow_work_shows_how_far_it_is_and_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    monkeypatch.setattr(waiting, "BEAT", 0.01)

    def work(watch: Watch) -> str:
        for k in range(10):
            watch(k / 10)
            time.sleep(0.02)
        return "done"

    slot = Slot()
    assert wait(work, slot) == "done"
    shares = [share for share, _ in slot.drawn]
    assert shares == sorted(shares)
    assert any("about 1 s to go" in words for _, words in slot.drawn)
    assert slot.emptied == 1


def test_what_the_work_raises_is_raised() -> None:
    def work(watch: Watch) -> None:
        raise TimeoutError("too late")

    with pytest.raises(TimeoutError, match="too late"):
        wait(work, Slot())


def test_work_that_nobody_waits_for_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    ended = Event()

    def work(watch: Watch) -> None:
        try:
            for _ in range(500):
                watch(0.5)
                time.sleep(0.01)
        except Stopped:
            ended.set()
            raise

    class Leaves(Slot):
        def progress(self, share: float, words: str) -> None:
            raise KeyboardInterrupt  # as a rerun of the page does

    with pytest.raises(KeyboardInterrupt):
        wait(work, Leaves())
    assert ended.wait(5)


def test_work_has_one_thread() -> None:
    assert wait(lambda watch: torch.get_num_threads(), Slot()) == 1
