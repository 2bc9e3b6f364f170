"""Waiting for work without freezing the page: nothing is shown for work that is soon done.

Work that takes longer gets a progress bar with the time to its end, and stops when the reader asks
for something else.  It runs in a small pool of its own, so that many readers do not crowd each
other out; a page says when it waits for its turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from diffviz.core.run import Watch
from diffviz.core.trajectory import Diverged
from diffviz.scenes.sharing import work_alone
from diffviz.ui.shell import links

R = TypeVar("R")

WORKERS = 3
PATIENCE = 0.4  # seconds before a bar is shown
BEAT = 0.12  # seconds between two looks at it


_POOL = ThreadPoolExecutor(WORKERS, "diffviz-run", initializer=work_alone)


class Stopped(Exception):
    """Nobody waits for this work any more."""


@dataclass
class Progress:
    """How far a piece of work is; once ``stop`` is set, the work ends where it looks next."""

    share: float = 0.0
    started: float | None = None
    stop: Event = field(default_factory=Event)

    def __call__(self, share: float) -> None:
        """Note the share that is done; raises ``Stopped`` where nobody waits any more."""
        if self.stop.is_set():
            raise Stopped
        if self.started is None:
            self.started = time.monotonic()
        self.share = share

    def words(self, what: str) -> str:
        """Where it is, for the reader."""
        if self.started is None:
            return f"{what}: waiting for other readers' runs to end"
        spent = time.monotonic() - self.started
        if self.share < 0.02:
            return what
        left = spent * (1 - self.share) / self.share
        return f"{what}: {self.share:.0%}, about {max(left, 1):.0f} s to go"


def begin(work: Callable[[Watch], R], progress: Progress) -> Future[R]:
    """Do work elsewhere, when it is its turn.

    Args:
        work: called with a ``Watch``, which it calls now and then.
        progress: that watch.
    """
    return _POOL.submit(work, progress)


def wait_for(
    work: Callable[[Watch], R],
    what: str,
    place: DeltaGenerator,
    look: Callable[[], None] | None = None,
) -> R:
    """Do work elsewhere and return what it returns; show a bar if it takes long.

    Args:
        work: called with a ``Watch``, which it calls now and then; it draws nothing itself.
        what: what is being done, in words, for the bar.
        place: where the bar goes, made by ``st.empty()``: a slot of its own, so that what is on the
            page keeps its place, and stays, until the work is done.
        look: called again and again while the work goes on, to draw what there is of it so far.

    A run that diverged is said in place of what would follow.

    Raises:
        Exception: whatever else the work raises.
    """
    try:
        return _waited(work, what, place, look)
    except Diverged as error:
        place.warning(str(error), icon=":material/trending_up:")
        links.sync()
        st.stop()


def _waited(
    work: Callable[[Watch], R],
    what: str,
    place: DeltaGenerator,
    look: Callable[[], None] | None,
) -> R:
    progress = Progress()
    future = begin(work, progress)
    try:
        return future.result(timeout=PATIENCE if look is None else BEAT)
    except NotYet:
        if future.done():  # the work itself raised it
            raise
    try:
        while not _done(future):
            if look is not None:
                look()
            place.progress(min(max(progress.share, 0.0), 1.0), progress.words(what))
        place.empty()
        return future.result()
    finally:
        progress.stop.set()


def _done(future: Future[R]) -> bool:
    try:
        future.exception(timeout=BEAT)
    except NotYet:
        return False
    return True
