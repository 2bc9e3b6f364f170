"""Long work in slices: generators that give way between two steps, so that a job can be paused.

A generator keeps what it does between two ``next`` to itself, but torch's gradient mode belongs to
the thread: a ``with torch.inference_mode()`` around a ``yield`` would reach into whatever the
thread does next.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import torch

__all__ = ["finish", "quietly"]

T = TypeVar("T")


def quietly(steps: Iterator[T]) -> Iterator[T]:
    """Take each step without a record for gradients, and leave the mode alone in between."""
    while True:
        with torch.inference_mode():
            try:
                step = next(steps)
            except StopIteration:
                return
        yield step


def finish(work: Generator[float, None, T], watch: Callable[[float], object] = float) -> T:
    """Do all slices of some work and return what it finds.

    Args:
        work: yields the share that is done.
        watch: told that share.
    """
    while True:
        try:
            watch(next(work))
        except StopIteration as end:
            found: T = end.value
            return found
