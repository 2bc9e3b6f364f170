"""Results that are kept: what many readers ask for is worked out once.

The key of a kept call is its arguments, so functions take small frozen config values (see
``configs``) rather than tensors; the body builds what it needs from them.  Who keeps the results is
the app's affair (``keep_with``); with nobody to keep them, as in a notebook, each call is answered
anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Keeper(Protocol):
    """Who keeps results."""

    def __call__(
        self, function: Callable[..., Any], max_entries: int, max_size: str
    ) -> Callable[..., Any]:
        """Return the function with its results kept, the least recently used leaving first."""


_keeper: Keeper | None = None


def keep_with(keeper: Keeper) -> None:
    """Let the results of all cached functions be kept, from their next call on."""
    global _keeper
    _keeper = keeper


def cached(
    *, max_entries: int = 32, max_size: str = "64MB"
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep a function's results, the least recently used leaving first.

    Args:
        max_entries: how many results are kept.
        max_size: how many bytes they may take together, as a number with a unit.

    Returns:
        A decorator. Arguments whose names start with an underscore do not count for the key.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        kept: Callable[P, R] | None = None

        @wraps(function)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            nonlocal kept
            if _keeper is None:
                return function(*args, **kwargs)
            if kept is None:
                kept = _keeper(function, max_entries, max_size)
            return kept(*args, **kwargs)

        return answer

    return decorate
