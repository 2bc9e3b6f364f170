"""What a step may know of its run: what was asked, what is remembered, what is worked out once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser
from diffviz.core.history import History, Visit, falling
from diffviz.core.schedules import RectifiedFlow

float64 = torch.float64


class Twice(Denoiser):
    """Predicts twice what it sees, at the price of three evaluations."""

    def cost(self, **cond: Any) -> int:
        return 3

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        return 2 * x_t


def run(*grid: float, memory: int = 0) -> History:
    return History(Twice(), RectifiedFlow(), list(grid or (1.0, 0.3, 0.0)), memory)


def visit(t: float) -> Visit:
    nothing = torch.empty(0)
    return Visit(t, nothing, nothing, nothing)


def test_what_is_asked_is_counted_and_comes_with_its_noise() -> None:
    history, x = run(), torch.tensor([[1.0, -2.0]], dtype=float64)
    assert history.evaluations == 0
    x_0, eps = history.predict(x, 0.25)
    assert_close(x_0, 2 * x)
    assert_close(eps, -2 * x)  # x = 3/4 of 2 x and 1/4 of the noise
    assert history.evaluations == 3
    assert_close(history.denoise(x, 0.25), 2 * x)
    assert history.evaluations == 6


@pytest.mark.parametrize(
    ("memory", "kept"), [(0, []), (1, [0.7]), (2, [0.8, 0.7]), (5, [0.9, 0.8, 0.7])]
)
def test_as_many_visits_are_remembered_as_the_memory_holds(memory: int, kept: list[float]) -> None:
    history = run(memory=memory)
    for t in (0.9, 0.8, 0.7):
        history.keep(visit(t))
    assert [seen.t for seen in history.past] == kept
    history.forget()
    assert history.past == []


def test_a_run_that_is_told_nothing_remembers_nothing() -> None:
    history = History(None, RectifiedFlow(), [1.0, 0.0])
    history.keep(visit(1.0))
    assert history.past == []


def test_work_is_done_once_a_run() -> None:
    asked: list[History] = []

    def work(history: History) -> int:
        asked.append(history)
        return len(asked)

    first, second = run(), run()
    assert [first.once(work), first.once(work), second.once(work)] == [1, 1, 2]
    assert asked == [first, second]


def test_a_rule_is_asked_once_for_the_whole_grid_in_float64() -> None:
    asked: list[Tensor] = []

    def thirds(t: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(t)
        return t / 3, 1 - t

    history, grid = run(), (1.0, 0.3, 0.0)
    assert history.table(thirds) == {t: (t / 3, 1 - t) for t in grid}
    assert history.table(thirds)[0.3] == (0.3 / 3, 0.7)
    assert [times.tolist() for times in asked] == [list(grid)]


@pytest.mark.parametrize("rule", [lambda t: (t[1:], t[1:]), lambda t: (t, t[1:])])
def test_a_rule_that_leaves_a_time_out_is_refused(
    rule: Callable[[Tensor], tuple[Tensor, Tensor]],
) -> None:
    with pytest.raises((ValueError, RuntimeError), match=r"zip|equal size"):
        run().table(rule)


@pytest.mark.parametrize("times", [[1.0, 0.0], [0.9, 0.5], [1.0, 0.5, 0.25]])
def test_a_grid_falls_from_at_most_1_to_at_least_0(times: list[float]) -> None:
    assert falling(torch.tensor(times, dtype=float64)) == times


@pytest.mark.parametrize(
    "times",
    [[], [0.5], [1.5, 0.5], [1.5, 1.2, 0.0], [1.0, -0.1], [1.0, 0.5, -0.1], [0.5, 0.5],
     [1.0, 0.5, 0.7, 0.0]],
)  # fmt: skip
def test_any_other_grid_is_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="fall strictly between 1 and 0"):
        falling(torch.tensor(times, dtype=float64))
