"""The pool: turns, pauses, stops, limits, and sessions that go away."""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diffviz.ui.shell import jobs
from diffviz.ui.shell.jobs import Full, Job, Pool, Status


class Steps:
    """Work in slices; each waits until it is let go on."""

    def __init__(self, steps: int = 3, free: bool = True) -> None:
        self.steps, self.done = steps, 0
        self.gate = threading.Semaphore(steps if free else 0)

    def __iter__(self) -> Iterator[float]:
        return self

    def __next__(self) -> float:
        if self.done == self.steps:
            raise StopIteration
        assert self.gate.acquire(timeout=10)
        self.done += 1
        return self.done / self.steps


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setattr(jobs, "BEAT", 0.01)
    monkeypatch.setattr(jobs, "GRACE", 0.05)
    return set()


@pytest.fixture
def pool(gone: set[str]) -> Pool:
    return Pool(1, lambda session: session not in gone)


def soon(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_job_works_to_its_end(pool: Pool) -> None:
    job = pool.start(Steps(), "Counting", "a")
    soon(lambda: job.status is Status.DONE)
    assert (job.share, job.work.done) == (1.0, 3)
    assert job.words().startswith("Counting: done")


def test_the_third_waits_and_knows_its_place(pool: Pool) -> None:
    first = pool.start(Steps(free=False), "First", "a")
    soon(lambda: first.status is Status.RUNNING)
    second, third = (pool.start(Steps(), name, name) for name in ("b", "c"))
    assert [second.ahead, third.ahead] == [0, 1]
    assert third.words() == "c: number 2 in the queue, 1 before it"
    first.work.gate.release(3)
    soon(lambda: third.status is Status.DONE)
    assert second.status is Status.DONE


def test_a_paused_job_gives_its_place_away_and_goes_on_later(pool: Pool) -> None:
    job = pool.start(Steps(free=False), "Counting", "a")
    soon(lambda: job.status is Status.RUNNING)
    job.pause()
    job.work.gate.release()
    soon(lambda: job.status is Status.PAUSED)
    other = pool.start(Steps(), "Other", "b")
    soon(lambda: other.status is Status.DONE)
    assert job.work.done == 1
    job.resume()
    job.work.gate.release(2)
    soon(lambda: job.status is Status.DONE)


def test_a_job_that_waits_can_be_paused_and_stopped(pool: Pool) -> None:
    first = pool.start(Steps(free=False), "First", "a")
    soon(lambda: first.status is Status.RUNNING)
    second = pool.start(Steps(), "Second", "a")
    second.pause()
    assert second.status is Status.PAUSED
    second.resume()
    assert second.status is Status.WAITING
    second.stop()
    assert second.status is Status.STOPPED
    second.resume()
    assert second.status is Status.STOPPED
    first.stop()
    first.work.gate.release()
    soon(lambda: first.status is Status.STOPPED)
    assert first.work.done == 1


def test_an_exception_becomes_a_message(pool: Pool) -> None:
    def work() -> Iterator[float]:
        yield 0.5
        raise ValueError("no such data")

    job = pool.start(work(), "Loading", "a")
    soon(lambda: job.ended)
    assert job.status is Status.FAILED
    assert "did not expect" in str(job.trouble)
    assert "no such data" not in job.words()  # that is for the log
    after = pool.start(Steps(), "After", "a")
    soon(lambda: after.status is Status.DONE)


def test_time_is_limited() -> None:
    def work() -> Iterator[float]:
        while True:
            time.sleep(0.01)
            yield 0.1

    job: Job[Iterator[float]] = Pool(1, lambda _: True, limit=0.05).start(work(), "Long", "a")
    soon(lambda: job.ended)
    assert job.status is Status.FAILED
    assert "ask for less" in str(job.trouble)


def test_a_job_ends_with_its_session(pool: Pool, gone: set[str]) -> None:
    stays, leaves = Steps(1000), Steps(1000, free=False)
    paused = pool.start(leaves, "Leaves", "a")
    soon(lambda: paused.status is Status.RUNNING)
    paused.pause()
    leaves.gate.release()
    soon(lambda: paused.status is Status.PAUSED)
    other = pool.start(stays, "Stays", "b")
    gone.add("a")
    soon(lambda: paused.status is Status.STOPPED)
    soon(lambda: other.status is Status.DONE)


def test_room_is_limited(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [pool.start(Steps(free=False), "Held", "a") for _ in range(jobs.MAX_EACH)]
    with pytest.raises(Full, match="stop one"):
        pool.start(Steps(), "One more", "a")
    monkeypatch.setattr(jobs, "MAX_WAITING", 2)
    with pytest.raises(Full, match="try again"):
        pool.start(Steps(), "Another", "b")
    for job in held:
        job.stop()
    held[0].work.gate.release()
    soon(lambda: all(job.ended for job in held))
    soon(lambda: pool.start(Steps(), "Now", "a").status is not Status.FAILED)


def test_nothing_of_streamlit_s_holds_the_jobs_up() -> None:
    """Its watch on files and its collection after every run take most of two trainings' time.

    ``benchmarks/jobs.py`` measures how much.
    """
    config = Path(__file__).resolve().parents[3] / ".streamlit" / "config.toml"
    settings = tomllib.loads(config.read_text("utf-8"))
    assert settings["runner"]["postScriptGC"] is False
    assert settings["server"]["fileWatcherType"] == "none"
