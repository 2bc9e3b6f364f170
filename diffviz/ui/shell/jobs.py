"""Long work beside the pages: a bounded pool that all sessions share.

Work is an iterator: each ``next`` does a slice of it (some 0.1 s) and returns the share that is
done, from 0 to 1.  Between two slices a job can be paused, which gives its place to others, or
stopped.  What the work has found so far is kept by the work itself, as attributes that are replaced
and never changed, so that a page may read them at any time.

    class Count:                                    # work
        def __iter__(self): return self
        def __next__(self): ...; return share

    job = jobs.start("count", Count(), "Counting")  # on a button; ends the session's last "count"
    job = jobs.mine("count")                        # in every later run of the page
    job.work, job.status, job.words()

A page polls with a fragment that has ``run_every`` while ``job.active``.  A job ends with its
session: some seconds after the tab is closed.  An exception in it ends it and goes to the
log; ``job.trouble`` says so.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Generic, TypeVar, cast

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from diffviz.scenes.sharing import work_alone

MAX_SECONDS = 900.0  # of work, pauses left out
MAX_WAITING = 40  # jobs that may wait for their turn, of all sessions together
MAX_EACH = 4  # unfinished jobs of one session
GRACE = 5.0  # seconds that a session may be gone, as when a connection breaks for a moment
BEAT = 1.0  # seconds between two looks at which sessions are left

_LOG = logging.getLogger(__name__)

W = TypeVar("W", bound=Iterator[float])


class Status(Enum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


_ENDED = frozenset({Status.DONE, Status.STOPPED, Status.FAILED})


class Full(RuntimeError):
    """There is no room for another job; the message is for the reader."""


class Job(Generic[W]):
    """One piece of long work.  Made by ``Pool.start``; all methods may be called from any thread.

    Attributes:
        work: the iterator, which keeps its results.
        what: what is being done, in words.
        owner: the session it belongs to.
        status: where it is.
        share: how much is done, 0 to 1.
        seconds: time spent at work.
        trouble: why it failed, for the reader; None if it did not.
    """

    def __init__(self, pool: Pool, work: W, what: str, owner: str) -> None:
        self.work, self.what, self.owner = work, what, owner
        self.status, self.share, self.seconds = Status.WAITING, 0.0, 0.0
        self.trouble: str | None = None
        self._pool = pool
        self._wanted: Status | None = None  # what it shall become before its next slice

    @property
    def active(self) -> bool:
        """Whether it works or waits for its turn, so that a page has something to poll."""
        return self.status in (Status.WAITING, Status.RUNNING)

    @property
    def ended(self) -> bool:
        """Whether it is done, stopped or failed."""
        return self.status in _ENDED

    @property
    def ahead(self) -> int:
        """How many jobs will get their turn before it; 0 unless it waits."""
        return self._pool.ahead(self)

    @property
    def seconds_left(self) -> float | None:
        """Time to its end at the speed so far; None while that is not known."""
        if self.share <= 0.01 or self.ended:
            return None
        return self.seconds * (1 - self.share) / self.share

    def pause(self) -> None:
        """Let it rest after its present slice; others take its place."""
        self._pool.turn(self, Status.PAUSED)

    def resume(self) -> None:
        """Let it go on as soon as there is a free place."""
        self._pool.turn(self, Status.WAITING)

    def stop(self) -> None:
        """End it after its present slice; its results stay."""
        self._pool.turn(self, Status.STOPPED)

    def words(self) -> str:
        """Where it is, in words for the reader."""
        if self.status is Status.WAITING:
            ahead = self.ahead
            if ahead == 0:
                return f"{self.what}: next in the queue"
            return f"{self.what}: number {ahead + 1} in the queue, {ahead} before it"
        if self.status is Status.RUNNING:
            left = self.seconds_left
            to_go = "" if left is None else f", about {max(left, 1):.0f} s to go"
            return f"{self.what}: {self.share:.0%}{to_go}"
        if self.status is Status.PAUSED:
            return f"{self.what}: paused at {self.share:.0%}"
        if self.status is Status.STOPPED:
            return f"{self.what}: stopped at {self.share:.0%}"
        if self.status is Status.FAILED:
            return f"{self.what}: failed. {self.trouble}"
        return f"{self.what}: done in {self.seconds:.1f} s"


class Pool:
    """A few threads that take turns at jobs, first come first served.

    Args:
        workers: how many jobs work at once.
        alive: whether a session still has a browser.
        limit: seconds of work that a job may take.
    """

    def __init__(
        self, workers: int, alive: Callable[[str], bool], limit: float = MAX_SECONDS
    ) -> None:
        self._workers, self._alive, self._limit = workers, alive, limit
        self._news = threading.Condition()
        self._waiting: deque[Job[Any]] = deque()
        self._unfinished: list[Job[Any]] = []
        self._seen: dict[str, float] = {}
        self._threads: list[threading.Thread] = []

    def start(self, work: W, what: str, owner: str) -> Job[W]:
        """Queue some work.

        Raises:
            Full: if the queue or the session has no room for another job.
        """
        with self._news:
            if len(self._waiting) >= MAX_WAITING:
                raise Full(
                    f"{len(self._waiting)} jobs of other readers wait already: try again in a "
                    "minute."
                )
            if sum(job.owner == owner for job in self._unfinished) >= MAX_EACH:
                raise Full(
                    f"{MAX_EACH} jobs of yours are under way or paused: stop one of them first."
                )
            job = Job(self, work, what, owner)
            self._unfinished.append(job)
            self._waiting.append(job)
            self._hire()
            self._news.notify_all()
        return job

    def ahead(self, job: Job[Any]) -> int:
        """How many jobs wait before this one."""
        with self._news:
            return self._waiting.index(job) if job in self._waiting else 0

    def turn(self, job: Job[Any], into: Status) -> None:
        """Ask a job to become waiting, paused or stopped; what has ended stays so."""
        with self._news:
            if job.ended:
                return
            if job.status is Status.RUNNING:
                job._wanted = None if into is Status.WAITING else into
                return
            if job in self._waiting:
                if into is Status.WAITING:
                    return
                self._waiting.remove(job)
            self._become(job, into)

    def _become(self, job: Job[Any], status: Status) -> None:
        """Change a job's status; the lock is held."""
        job.status, job._wanted = status, None
        if status is Status.WAITING:
            self._waiting.append(job)
        if job.ended:
            self._unfinished.remove(job)
        self._news.notify_all()

    def _hire(self) -> None:
        """Start the threads with the first job; the lock is held."""
        if self._threads:
            return
        self._threads = [
            threading.Thread(target=self._serve, name=f"diffviz-job-{k}", daemon=True)
            for k in range(self._workers)
        ]
        self._threads.append(threading.Thread(target=self._watch, name="diffviz-jobs", daemon=True))
        for thread in self._threads:
            thread.start()

    def _serve(self) -> None:
        """What each thread does: take the first job in the queue and work on it."""
        work_alone()
        while True:
            with self._news:
                while not self._waiting:
                    self._news.wait()
                job = self._waiting.popleft()
                job.status = Status.RUNNING
            into = self._labour(job)
            with self._news:
                self._become(job, into)

    def _labour(self, job: Job[Any]) -> Status:
        """Work on a job until it ends or shall become something else; returns what."""
        while job._wanted is None:
            if job.seconds > self._limit:
                job.trouble = (
                    f"It took longer than {self._limit / 60:.0f} minutes, the most that one job "
                    "may take: ask for less."
                )
                return Status.FAILED
            began = time.monotonic()
            try:
                job.share = float(next(job.work))
            except StopIteration:
                job.share = 1.0
                return Status.DONE
            except Exception:
                _LOG.exception("a job failed: %s", job.what)
                job.trouble = (
                    "The app met an error that it did not expect. Start it again; if it ends so "
                    "again, with other settings."
                )
                return Status.FAILED
            finally:
                job.seconds += time.monotonic() - began
        return job._wanted

    def _watch(self) -> None:
        """End the jobs of sessions whose tab was closed."""
        while True:
            time.sleep(BEAT)
            now = time.monotonic()
            with self._news:
                jobs = list(self._unfinished)
            owners = {job.owner for job in jobs}
            self._seen = {o: now if self._alive(o) else self._seen.get(o, now) for o in owners}
            for job in jobs:
                if now - self._seen[job.owner] > GRACE:
                    job.stop()


def _has_browser(session: str) -> bool:
    return not runtime.exists() or runtime.get_instance().is_active_session(session)


_POOL = Pool(min(os.cpu_count() or 1, 4), _has_browser)


def start(key: str, work: W, what: str) -> Job[W]:
    """Start a job of this session under a key; its last job under that key is stopped.

    Raises:
        Full: if there is no room for it; the message is for the reader.
    """
    forget(key)
    context = get_script_run_ctx()
    job = _POOL.start(work, what, context.session_id if context is not None else "")
    st.session_state[f"_job_{key}"] = job
    return job


def mine(key: str) -> Job[Any] | None:
    """The session's last job under a key, whatever became of it."""
    return cast("Job[Any] | None", st.session_state.get(f"_job_{key}"))


def forget(key: str) -> None:
    """Stop the session's job under a key and let go of it."""
    job = st.session_state.pop(f"_job_{key}", None)
    if job is not None:
        job.stop()
