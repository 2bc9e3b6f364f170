"""An independent check: the schedulers of diffusers, with the same stub model and noise.

Their noise levels are kept in float32, so ours, in float64, are put in their place; the levels
themselves agree to float32 (first test).  What is compared is the equations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from diffviz.core.denoisers import Network
from diffviz.core.grids import make_grid
from diffviz.core.samplers import (
    DDIM,
    DDPM,
    DPMpp2M,
    DPMpp2MSDE,
    Euler,
    EulerAncestral,
    Heun,
    Sampler,
)
from diffviz.core.schedules import Cosine, DiscreteVP, Linear, RectifiedFlow, ScaledLinear
from tests.peers import diffusers

float64 = torch.float64
STEPS = 28  # 999 / 27 is whole, so linspace stops at whole timesteps for everybody
T = 1000

SCHEDULES: dict[str, tuple[DiscreteVP, dict[str, Any]]] = {
    "linear": (Linear(), {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}),
    "scaled_linear": (
        ScaledLinear(),
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    ),
    "cosine": (Cosine(), {"beta_schedule": "squaredcos_cap_v2"}),
}
SPACINGS = ("leading", "trailing", "linspace")


class Stub(nn.Module):
    """A made-up eps: smooth in x, different at every time, the same for both sides."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        phase = t.reshape(-1, 1)
        return torch.sin(1.3 * x + phase) + 0.5 * phase * x.flip(-1)


class Gap(int):
    """A number of steps whose length, T // steps, is this very number."""

    def __rfloordiv__(self, other: int) -> int:
        return int(self)


@pytest.fixture(params=SCHEDULES)
def pair(request: pytest.FixtureRequest) -> tuple[DiscreteVP, dict[str, Any]]:
    return SCHEDULES[request.param]


@pytest.fixture(params=SPACINGS)
def spacing(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def x_1() -> Tensor:
    return torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=float64)


def exact_levels(peer: Any, schedule: DiscreteVP) -> Any:
    """Replace the peer's float32 tables by ours."""
    peer.betas = schedule.betas
    peer.alphas = 1 - schedule.betas
    peer.alphas_cumprod = schedule.alphas_bar
    if isinstance(peer, diffusers().DPMSolverMultistepScheduler):
        peer.alpha_t = schedule.alphas_bar.sqrt()
        peer.sigma_t = (1 - schedule.alphas_bar).sqrt()
        peer.lambda_t = peer.alpha_t.log() - peer.sigma_t.log()
    return peer


def exact_sigmas(peer: Any, schedule: DiscreteVP) -> Any:
    """After set_timesteps: the peer's sigmas are float32; compute them again in float64."""
    table = ((1 - schedule.alphas_bar) / schedule.alphas_bar).sqrt()
    timesteps = torch.as_tensor(peer.timesteps, dtype=float64)
    sigmas = torch.from_numpy(np.interp(timesteps.numpy(), np.arange(T), table.numpy()))
    peer.sigmas = torch.cat([sigmas, torch.zeros(1, dtype=float64)])
    return peer


def peer_run(peer: Any, x: Tensor, **options: Any) -> Tensor:
    """Drive a diffusers scheduler with the stub; in variance-preserving units throughout."""
    for k in peer.timesteps:
        model_input = peer.scale_model_input(x, k)
        eps = Stub()(model_input, torch.full((len(x),), (float(k) + 1) / T, dtype=float64))
        x = peer.step(eps, k, x, **options).prev_sample
    return x


def our_run(sampler: Sampler, schedule: DiscreteVP, grid: Tensor, x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return sampler.sample(Network(Stub(), schedule, "eps"), schedule, grid, x, generator)


def grid_of(peer: Any) -> Tensor:
    times = torch.as_tensor(peer.timesteps, dtype=float64).unique().flip(0)
    return torch.cat([(times + 1) / T, torch.zeros(1, dtype=float64)])


def close(ours: Tensor, theirs: Tensor) -> None:
    assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.fact(8)
def test_levels_agree_to_float32(pair: tuple[DiscreteVP, dict[str, Any]]) -> None:
    schedule, config = pair
    peer = diffusers().DDIMScheduler(**config)
    assert_close(schedule.alphas_bar.float(), peer.alphas_cumprod, rtol=2e-4, atol=1e-7)


@pytest.mark.fact(5)
def test_grids_agree(pair: tuple[DiscreteVP, dict[str, Any]], spacing: str) -> None:
    schedule, config = pair
    for kind in (
        diffusers().DDIMScheduler,
        diffusers().DDPMScheduler,
        diffusers().EulerDiscreteScheduler,
        diffusers().HeunDiscreteScheduler,
    ):
        for steps in (STEPS, 10, 50):
            peer = kind(**config, timestep_spacing=spacing)
            peer.set_timesteps(steps)
            if (
                kind in (diffusers().EulerDiscreteScheduler, diffusers().HeunDiscreteScheduler)
                and steps != STEPS
            ):
                continue  # these two do not round linspace to whole timesteps
            assert_close(grid_of(peer), make_grid(schedule, steps, spacing))


def test_ddpm(pair: tuple[DiscreteVP, dict[str, Any]], spacing: str, x_1: Tensor) -> None:
    schedule, config = pair
    peer = exact_levels(
        diffusers().DDPMScheduler(**config, timestep_spacing=spacing, clip_sample=False), schedule
    )
    peer.one = torch.tensor(1.0, dtype=float64)
    peer.set_timesteps(STEPS)
    theirs = peer_run(peer, x_1, generator=torch.Generator().manual_seed(7))
    close(our_run(DDPM(), schedule, make_grid(schedule, STEPS, spacing), x_1), theirs)


@pytest.mark.fact(2)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim(
    pair: tuple[DiscreteVP, dict[str, Any]], spacing: str, eta: float, x_1: Tensor
) -> None:
    """The peer's next stop is always t - T // steps.

    That misses the grid's next stop where steps do not divide T, so its stride is set to the gap.
    """
    schedule, config = pair
    peer = exact_levels(
        diffusers().DDIMScheduler(**config, timestep_spacing=spacing, clip_sample=False), schedule
    )
    peer.final_alpha_cumprod = torch.tensor(1.0, dtype=float64)
    peer.set_timesteps(STEPS)
    grid = make_grid(schedule, STEPS, spacing)
    assert_close(grid_of(peer), grid)
    x, generator = x_1, torch.Generator().manual_seed(7)
    ours = list(
        DDIM(eta).iterate(
            Network(Stub(), schedule, "eps"),
            schedule,
            grid,
            x_1,
            torch.Generator().manual_seed(7),
        )
    )
    for index, k in enumerate(peer.timesteps.tolist()):
        after = round(grid[index + 1].item() * T) - 1
        peer.num_inference_steps = Gap(k - after)
        eps = Stub()(x, torch.full((len(x),), (k + 1) / T, dtype=float64))
        noise = torch.randn(x.shape, generator=generator, dtype=float64) if eta else None
        at_end = after < 0
        x = peer.step(
            eps, k, x, eta=0.0 if at_end else eta, variance_noise=None if at_end else noise
        ).prev_sample
        close(ours[index + 1].x_t, x)


def ratio_units(schedule: DiscreteVP, grid: Tensor, x_1: Tensor) -> Tensor:
    return x_1 / schedule.at(grid[0].item())[0]


@pytest.mark.fact(14)
def test_euler(pair: tuple[DiscreteVP, dict[str, Any]], spacing: str, x_1: Tensor) -> None:
    schedule, config = pair
    peer = exact_levels(
        diffusers().EulerDiscreteScheduler(**config, timestep_spacing=spacing), schedule
    )
    peer.set_timesteps(STEPS)
    peer = exact_sigmas(peer, schedule)
    grid = make_grid(schedule, STEPS, spacing)
    theirs = peer_run(peer, ratio_units(schedule, grid, x_1))
    close(our_run(Euler(), schedule, grid, x_1), theirs)


@pytest.mark.fact(14)
def test_heun(pair: tuple[DiscreteVP, dict[str, Any]], spacing: str, x_1: Tensor) -> None:
    schedule, config = pair
    peer = exact_levels(
        diffusers().HeunDiscreteScheduler(**config, timestep_spacing=spacing), schedule
    )
    peer.set_timesteps(STEPS)
    grid = make_grid(schedule, STEPS, spacing)
    table = ((1 - schedule.alphas_bar) / schedule.alphas_bar).sqrt()
    sigmas = table[(grid[:-1] * T).round().long() - 1]
    peer.sigmas = torch.cat(
        [sigmas[:1], sigmas[1:].repeat_interleave(2), torch.zeros(1, dtype=float64)]
    )
    theirs = peer_run(peer, ratio_units(schedule, grid, x_1))
    close(our_run(Heun(), schedule, grid, x_1), theirs)


@pytest.mark.fact(4)
@pytest.mark.parametrize(
    ("algorithm", "sampler"), [("dpmsolver++", DPMpp2M()), ("sde-dpmsolver++", DPMpp2MSDE())]
)
def test_dpm_solver(
    pair: tuple[DiscreteVP, dict[str, Any]],
    spacing: str,
    algorithm: str,
    sampler: Sampler,
    x_1: Tensor,
) -> None:
    """The peer spaces leading and linspace its own way; its stops are taken as the grid."""
    schedule, config = pair
    peer = exact_levels(
        diffusers().DPMSolverMultistepScheduler(
            **config, timestep_spacing=spacing, algorithm_type=algorithm, solver_order=2
        ),
        schedule,
    )
    peer.set_timesteps(STEPS)
    peer = exact_sigmas(peer, schedule)
    options = {"generator": torch.Generator().manual_seed(7)} if "sde" in algorithm else {}
    theirs = peer_run(peer, x_1, **options)
    grid = grid_of(peer)
    if spacing == "trailing":
        assert_close(grid, make_grid(schedule, STEPS, spacing))
    close(our_run(sampler, schedule, grid, x_1), theirs)


def test_euler_ancestral(
    pair: tuple[DiscreteVP, dict[str, Any]], spacing: str, x_1: Tensor
) -> None:
    schedule, config = pair
    peer = exact_levels(
        diffusers().EulerAncestralDiscreteScheduler(**config, timestep_spacing=spacing), schedule
    )
    peer.set_timesteps(STEPS)
    peer = exact_sigmas(peer, schedule)
    grid = make_grid(schedule, STEPS, spacing)
    theirs = peer_run(
        peer, ratio_units(schedule, grid, x_1), generator=torch.Generator().manual_seed(7)
    )
    close(our_run(EulerAncestral(), schedule, grid, x_1), theirs)


@pytest.mark.fact(14)
def test_rectified_flow_is_the_flow_matching_euler(x_1: Tensor) -> None:
    schedule = RectifiedFlow()
    peer = diffusers().FlowMatchEulerDiscreteScheduler(num_train_timesteps=T)
    peer.set_timesteps(20)
    grid = peer.sigmas.double()
    x = x_1
    for t in peer.timesteps:
        u = Stub()(x, torch.full((len(x),), float(t) / T, dtype=float64))
        x = peer.step(u, t, x).prev_sample
    ours = Euler().sample(Network(Stub(), schedule, "velocity"), schedule, grid, x_1)
    assert_close(ours, x.double(), rtol=1e-4, atol=1e-4)  # the peer works in float32
