from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from diffviz.core.noising import walk
from diffviz.core.schedules import SCHEDULES
from diffviz.data.points import DATASETS
from diffviz.measures.agreement import agreement

TIMES = torch.linspace(0, 1, 9, dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", SCHEDULES)
def test_walk_and_jump_agree_to_within_chance(name: str) -> None:
    x_0 = DATASETS["moons"](1000, 0)
    both = agreement(SCHEDULES[name](), x_0, TIMES, seeded())
    assert both.distance.shape == both.floor.shape == TIMES.shape
    assert (both.distance[1:] < 1.8 * both.floor[1:]).all()
    assert both.distance[1:].mean() == pytest.approx(both.floor[1:].mean().item(), rel=0.25)


def test_both_start_from_the_same_data() -> None:
    both = agreement(SCHEDULES["linear"](), DATASETS["spiral"](300, 0), TIMES, seeded())
    assert both.distance[0] == both.floor[0] == 0


def test_a_wrong_walk_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(*arguments: Any) -> Iterator[torch.Tensor]:
        return (1.2 * x for x in walk(*arguments))

    monkeypatch.setattr("diffviz.measures.agreement.walk", too_much)
    x_0 = DATASETS["moons"](1000, 0)
    both = agreement(SCHEDULES["linear"](), x_0, TIMES, seeded())
    assert (both.distance > 2 * both.floor).all()


def test_the_same_seed_gives_the_same_answer() -> None:
    x_0 = DATASETS["two_gaussians"](200, 0)
    first, second = (agreement(SCHEDULES["cosine"](), x_0, TIMES, seeded(3)) for _ in range(2))
    assert torch.equal(first.distance, second.distance)
