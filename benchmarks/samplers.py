"""What a sampler costs beside its denoiser, and what an exact run costs.

1. Overhead per step against the schedulers of diffusers: one eps stub, one starting noise,
   the same 50 stops, recording off.  The two are timed in turns and the ratio is the median over
   the turns; 1.0 means as fast as the peer, less is faster.  The stub's own time, measured in the
   same run, is taken off both.
2. A full exact run: 2,000 samples, 50 steps, against 2,000 data points, next to the same run by
   whole matrices of distances.

Usage: python benchmarks/samplers.py
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
)
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diffviz.core.denoisers import Denoiser, Exact, Network
from diffviz.core.distributions import Empirical
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import DDIM, DDPM, DPMpp2M, Euler, Heun, Sampler
from diffviz.core.schedules import Linear
from diffviz.data.points import DATASETS

STEPS = 50
TURNS = 40
SHAPE = (16, 2)
CONFIG = {"beta_schedule": "linear", "timestep_spacing": "trailing"}
PAIRS: dict[str, tuple[Sampler, Callable[..., Any], dict[str, Any]]] = {
    "ddpm": (DDPM(), DDPMScheduler, {"clip_sample": False}),
    "ddim": (DDIM(), DDIMScheduler, {"clip_sample": False}),
    "euler": (Euler(), EulerDiscreteScheduler, {}),
    "heun": (Heun(), HeunDiscreteScheduler, {}),
    "dpmpp_2m": (DPMpp2M(), DPMSolverMultistepScheduler, {}),
}


class Stub(nn.Module):
    """The cheapest model there is: one operation."""

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Return half of x_t as eps."""
        return x_t * 0.5


class WholeMatrices(Denoiser):
    """The exact denoiser of points written in one line, for comparison."""

    def __init__(self, points: Tensor, schedule: Linear) -> None:
        self.points, self.schedule = points, schedule

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        """Return E[x_0 | x_t] by (B, N, D) differences."""
        alpha, sigma = self.schedule.at(float(t))
        squares = ((x_t[:, None] - alpha * self.points) ** 2).sum(2)
        return (-squares / (2 * sigma**2)).softmax(1) @ self.points


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peer_run(scheduler: Any, stub: Stub, x: Tensor, generator: torch.Generator) -> Tensor:
    """Drive a diffusers scheduler as its own documentation does."""
    times = torch.zeros(len(x))
    options = {"generator": generator} if isinstance(scheduler, DDPMScheduler) else {}
    for k in scheduler.timesteps:
        eps = stub(scheduler.scale_model_input(x, k), times)
        x = scheduler.step(eps, k, x, **options).prev_sample
    return x


def overhead() -> dict[str, dict[str, float]]:
    """Return microseconds a model evaluation, ours and theirs, and the median ratio."""
    schedule, stub, x_1 = Linear(), Stub(), torch.randn(SHAPE)
    grid = make_grid(schedule, STEPS, "trailing")
    generator = torch.Generator()
    result = {}
    for name, (sampler, peer_type, options) in PAIRS.items():
        peer = peer_type(**CONFIG, **options)
        denoiser = Network(stub, schedule, "eps")
        calls = 2 * STEPS - 1 if name == "heun" else STEPS

        def ours(sampler: Sampler = sampler, denoiser: Denoiser = denoiser) -> None:
            sampler.sample(denoiser, schedule, grid, x_1, generator)

        def theirs(peer: Any = peer) -> None:
            peer_run(peer, stub, x_1, generator)

        def model(calls: int = calls) -> None:
            for _ in range(calls):
                stub(x_1, x_1)

        rows = []
        for turn in range(TURNS + 5):
            peer.set_timesteps(STEPS)  # not counted: the peer works out its grid here
            bare = seconds(model)
            row = (seconds(ours) - bare, seconds(theirs) - bare)
            if turn >= 5:  # the first turns warm up
                rows.append(row)
        result[name] = {
            "ours_us": statistics.median(a for a, _ in rows) / STEPS * 1e6,
            "theirs_us": statistics.median(b for _, b in rows) / STEPS * 1e6,
            "ratio": statistics.median(a / b for a, b in rows),
        }
    return result


def exact_run(samples: int = 2000, points: int = 2000) -> dict[str, float]:
    """Return seconds of a full exact run, the median of five, and of the one-line denoiser."""
    schedule = Linear()
    data = DATASETS["moons"](points, 0)
    grid = make_grid(schedule, STEPS, "trailing")

    def run(denoiser: Denoiser) -> Callable[[], object]:
        plan = Plan(denoiser, schedule, DDIM(), grid, (2,), samples)
        return lambda: simulate(plan)

    chunked, whole = Exact(Empirical(data), schedule), WholeMatrices(data, schedule)
    pairs = [(seconds(run(chunked)), seconds(run(whole))) for _ in range(6)][1:]
    return {
        "seconds": statistics.median(a for a, _ in pairs),
        "whole_matrices_seconds": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
    }


def main() -> None:
    """Measure and print."""
    with torch.inference_mode():
        steps = overhead()
        run = exact_run()
    print(f"Overhead per step, {STEPS} steps, {TURNS} turns, recording off ({SHAPE} float32)")
    print(f"{'sampler':10} {'diffviz':>10} {'diffusers':>10} {'ratio':>7}")
    for name, row in steps.items():
        print(f"{name:10} {row['ours_us']:7.1f} us {row['theirs_us']:7.1f} us {row['ratio']:7.2f}")
    print(
        f"\nExact run, 2,000 samples x 50 steps against 2,000 points, recorded: "
        f"{run['seconds']:.3f} s ({run['ratio']:.2f} of whole matrices, "
        f"{run['whole_matrices_seconds']:.3f} s), {torch.get_num_threads()} threads"
    )
    print(json.dumps({"steps": steps, "exact_run": run, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
