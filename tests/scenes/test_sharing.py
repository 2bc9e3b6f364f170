"""Where a run is worked out changes nothing that can be seen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from diffviz.core.denoisers import Conditioned, Denoiser, Exact, Guided, OnPath
from diffviz.core.distributions import Empirical
from diffviz.core.run import simulate
from diffviz.core.schedules import SCHEDULES
from diffviz.data.points import labelled
from diffviz.models.pretrained import dog_model, image_model
from diffviz.scenes import collar, picture_sets
from diffviz.scenes.configs import SamplerConfig
from diffviz.scenes.picture_run import GenerateRun
from diffviz.scenes.sharing import Shared, multiplying_best
from diffviz.tools import device

RUN = GenerateRun(sampler=SamplerConfig("dpmpp_2m", 25, "log_snr"), count=4, guidance=3.0)
MOST, USUAL = 0.2, 0.006  # of pixels from -1 to 1, in runs of 25 guided steps


class Told(Denoiser):
    """Writes down how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Any]] = []

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        self.asked.append((len(x_t), cond))
        return x_t


def test_a_batch_is_shared_between_the_cores_and_put_together() -> None:
    points, labels = labelled("moons", 300, seed=0)
    schedule = SCHEDULES["cosine"]()
    alone = Exact(Empirical(points, labels), schedule)
    x_t, asked = torch.randn(100, 2, generator=torch.Generator().manual_seed(0)), labels[:100]
    torch.testing.assert_close(
        Shared(alone)(x_t, 0.4, label=asked), alone(x_t, 0.4, label=asked), rtol=1e-6, atol=1e-6
    )


def test_where_there_is_a_gpu_the_batch_stays_whole() -> None:
    told, labels = Told(), torch.arange(6)
    out = Shared(told)._elsewhere(torch.device("cpu"), torch.ones(6, 2), 0.5, {"label": labels})
    assert out.shape == (6, 2)
    ((count, cond),) = told.asked
    assert count == 6
    assert cond["label"] is labels


def quick_and_fine(quick: Denoiser, fine: Denoiser) -> Tensor:
    """(N, C, H, W): how far the pictures of two denoisers are apart."""
    schedule = RUN.schedule.build()
    ends = [
        simulate(RUN.sampler.plan(each, schedule, (1, 28, 28), RUN.count), 1).x_t[-1]
        for each in (quick, fine)
    ]
    return (ends[0] - ends[1]).abs()


@pytest.mark.parametrize("name", ["mnist", "fashion", "dogs"])
def test_pictures_in_bfloat16_are_those_in_float32(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "multiplies_in", lambda: torch.bfloat16)
    network = dog_model().denoiser if name == "dogs" else image_model(name).denoiser
    labels = torch.arange(RUN.count) % 2
    schedule = RUN.schedule.build()
    ways = [
        Conditioned(Shared(Guided(OnPath(each, each.schedule, schedule), 3.0)), label=labels)
        for each in (multiplying_best(network), network)
    ]
    apart = quick_and_fine(*ways)
    assert 0 < apart.mean() < USUAL
    assert apart.max() < MOST


def test_pages_draw_with_what_the_processor_multiplies_best() -> None:
    def dtype_of(denoiser: Any) -> torch.dtype:
        while hasattr(denoiser, "denoiser"):
            denoiser = denoiser.denoiser
        return next(denoiser.module.parameters()).dtype  # type: ignore[no-any-return]

    schedule, best = RUN.schedule.build(), device.multiplies_in()
    assert dtype_of(RUN.denoiser(schedule)) is best
    assert dtype_of(collar._answers(schedule, True, 2, 3.0)) is best
    assert dtype_of(picture_sets.answers("mnist", schedule)) is torch.float32
