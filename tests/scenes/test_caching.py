"""Results are kept by whom the app names, and worked out anew where nobody keeps them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest

from diffviz.scenes import caching
from diffviz.scenes.caching import cached, keep_with


def test_a_result_is_kept_once_somebody_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "_keeper", None)
    asked: list[int] = []
    kept: list[tuple[int, str]] = []

    @cached(max_entries=5, max_size="3MB")
    def double(x: int) -> int:
        """Return 2 x."""
        asked.append(x)
        return 2 * x

    assert (double(1), double(1)) == (2, 2)
    assert asked == [1, 1]

    def keeper(function: Callable[..., Any], max_entries: int, max_size: str) -> Callable[..., Any]:
        kept.append((max_entries, max_size))
        return lru_cache(max_entries)(function)

    keep_with(keeper)
    assert [double(x) for x in (1, 1, 2, 2)] == [2, 2, 4, 4]
    assert asked == [1, 1, 1, 2]
    assert kept == [(5, "3MB")]
    assert (double.__name__, double.__doc__) == ("double", "Return 2 x.")


def test_pages_share_what_is_kept_and_get_copies() -> None:
    import diffviz.ui  # noqa: F401

    @cached()
    def rows(n: int) -> list[int]:
        asked.append(n)
        return [n]

    asked: list[int] = []
    rows(7).append(8)
    assert rows(7) == [7]
    assert asked == [7]
