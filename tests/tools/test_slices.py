"""Generators that give way between two steps."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
import torch

from diffviz.tools.slices import finish, quietly


def test_steps_keep_no_record_and_leave_the_mode_alone() -> None:
    def steps() -> Iterator[bool]:
        for _ in range(3):
            yield torch.is_inference_mode_enabled()

    for inside in quietly(steps()):
        assert inside
        assert not torch.is_inference_mode_enabled()


def test_an_error_in_a_step_is_not_lost() -> None:
    def steps() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    taken = quietly(steps())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="broken"):
        next(taken)
    assert not torch.is_inference_mode_enabled()


def test_all_slices_are_done() -> None:
    def work() -> Generator[float, None, str]:
        yield 0.5
        yield 1.0
        return "found"

    assert finish(work()) == "found"
