from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from diffviz.core.noising import jump, walk
from diffviz.core.schedules import SCHEDULES
from diffviz.data.points import DATASETS
from diffviz.measures.agreement import agreement
from diffviz.measures.metrics import sliced_wasserstein

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


def test_it_is_the_mean_over_three_pairs_by_hand() -> None:
    schedule, x_0 = SCHEDULES["linear"](), DATASETS["moons"](1100, 0).double()
    both = agreement(schedule, x_0, TIMES, seeded(5))
    generator, three = seeded(5), x_0.expand(3, 1100, 2)
    noise = torch.randn(three.shape, generator=generator, dtype=torch.float64)
    walks = list(walk(schedule, three, TIMES, generator))
    for k, t in enumerate(TIMES.tolist()):
        jumps = jump(schedule, three, t, noise)
        apart = [sliced_wasserstein(walks[k][i], jumps[i], 16).item() for i in range(3)]
        chance = [sliced_wasserstein(jumps[i - 1], jumps[i], 16).item() for i in range(3)]
        assert both.distance[k].item() == pytest.approx(sum(apart) / 3, rel=1e-12)
        assert both.floor[k].item() == pytest.approx(sum(chance) / 3, rel=1e-12)
