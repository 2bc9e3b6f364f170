"""The stops of scheduler files against diffusers itself, class by class and option by option."""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import math
import random
import sys
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser
from diffviz.core.grids import FILE, make_grid, nearest_steps
from diffviz.core.samplers import SAMPLERS
from diffviz.exchange import make_schedulers
from diffviz.exchange.pipelines import DIFFUSERS
from diffviz.exchange.scheduler_config import ConfigError, load_config
from diffviz.exchange.scheduler_file import classes
from diffviz.exchange.scheduler_stops import Walk

Floats = NDArray[np.float64]
SD = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
}

# Which classes are read ---------------------------------------------------------------------------

DRAWN = {
    name for name in classes() if "beta_schedule" in classes()[name]
} | {
    f"{name}Scheduler"
    for name in (
        "CMStochasticIterative", "CosineDPMSolverMultistep", "EDMDPMSolverMultistep", "EDMEuler",
        "FlowMapEulerDiscrete", "FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "FlowMatchLCM",
        "KarrasVe", "LTXEulerAncestralRF", "MiniMaxH3", "Piflow", "ScoreSdeVe", "ScoreSdeVp",
    )
}  # fmt: skip
NOT_WALKED = {
    "DDIMInverseScheduler": "from data to noise",
    "DPMSolverMultistepInverseScheduler": "from data to noise",
    "RePaintScheduler": "back to noise again and again",
}


def read(name: str, **values: Any) -> Any:
    return load_config(json.dumps({"_class_name": f"{name}Scheduler", **values}))


def test_the_table_of_defaults_is_that_of_the_installed_diffusers() -> None:
    shipped = json.loads(make_schedulers.TARGET.read_text("utf-8"))
    assert shipped == make_schedulers.make_table()
    assert shipped["diffusers"] == version("diffusers") == DIFFUSERS


def test_every_class_is_drawn_or_named() -> None:
    for name in classes():
        data = json.dumps({"_class_name": name})
        if name not in DRAWN:
            with pytest.raises(ConfigError, match=name):
                load_config(data)
        elif name in NOT_WALKED:
            loaded = load_config(data)
            assert loaded.stops is None
            assert NOT_WALKED[name] in loaded.notes[-1]
        else:
            assert load_config(data).stops is not None, name


# The peer -----------------------------------------------------------------------------------------

TWICE = {"Heun", "KDPM2", "KDPM2Ancestral", "DPMSolverSDE", "FlowMatchHeun"}  # two calls a step
APART = {
    "CosineDPMSolverMultistepScheduler": "scheduling_cosine_dpmsolver_multistep",
    "DPMSolverSDEScheduler": "scheduling_dpmsolver_sde",
    "KarrasVeScheduler": "deprecated.scheduling_karras_ve",
    "ScoreSdeVpScheduler": "deprecated.scheduling_sde_vp",
}
ONE_AT_THE_END = ("DDPM", "DDPMParallel", "LCM", "UnCLIP")


def kind(name: str) -> Any:
    """A class of diffusers; two of them want a library for their noise, which is not used here."""
    logging.disable(logging.WARNING)
    if "torchsde" not in sys.modules:
        stub = types.ModuleType("torchsde")
        stub.__spec__ = ModuleSpec("torchsde", None)
        sys.modules["torchsde"] = stub
    place = f"diffusers.schedulers.{APART[name]}" if name in APART else "diffusers"
    return getattr(importlib.import_module(place), name)


def level(alphas_bar: Any) -> Floats:
    a = np.asarray(alphas_bar, dtype=float)
    with np.errstate(divide="ignore"):
        return np.sqrt((1 - a) / a)


def peer_walk(peer: Any, values: dict[str, Any], n: int, shift: float) -> tuple[Floats, Floats]:
    """The timesteps and noise levels of diffusers, its second calls within a step left out."""
    name = values["_class_name"].removesuffix("Scheduler")
    moved = values.get("use_dynamic_shifting")
    peer.set_timesteps(n, **({"mu": math.log(shift)} if moved else {}))
    timesteps = np.asarray(peer.timesteps, dtype=float)
    twice = name.removesuffix("Discrete") in TWICE
    timesteps = timesteps[::2] if twice else timesteps
    if name == "PNDM":
        timesteps = np.asarray(peer._timesteps, dtype=float)[::-1]
    if name == "ScoreSdeVe":
        peer.set_sigmas(n)
        return timesteps, np.append(np.asarray(peer.discrete_sigmas)[::-1], 0)
    if name == "KarrasVe":  # whose schedule holds the squares
        return timesteps, np.append(np.sqrt(np.asarray(peer.schedule, dtype=float))[::-1], 0)
    if name == "ScoreSdeVp":
        log_alpha = -(20 - 0.1) * timesteps**2 / 4 - 0.1 * timesteps / 2
        return timesteps, np.append(np.sqrt(1 - np.exp(2 * log_alpha)), 0)
    if "set_alpha_to_one" in classes()[values["_class_name"]] or name in ONE_AT_THE_END:
        levels = level(peer.alphas_cumprod[torch.as_tensor(timesteps.astype(int))])
        last = peer.alphas_cumprod[0] if name == "TCD" else 1.0
        if name not in (*ONE_AT_THE_END, "TCD"):
            last = peer.final_alpha_cumprod
        return timesteps, np.append(levels, level(last))
    sigmas = np.asarray(peer.sigmas, dtype=float)
    if twice:
        sigmas = np.append(sigmas[:-1:2][:n], 0)
    return timesteps, 1 - sigmas if values.get("invert_sigmas") else sigmas


def combinations(name: str) -> Iterator[dict[str, Any]]:
    """Every combination of what files of a class vary."""
    known = classes()[name]
    chains = [
        {},
        SD,
        {"beta_schedule": "squaredcos_cap_v2"},
        {"num_train_timesteps": 200},
        {"trained_betas": np.linspace(1e-3, 0.1, 150).tolist(), "num_train_timesteps": 150},
    ]
    spreads = ("karras_sigmas", "exponential_sigmas", "beta_sigmas", "lu_lambdas", "flow_sigmas")
    axes: list[tuple[str, list[dict[str, Any]]]] = [
        ("trained_betas", chains),
        (
            "timestep_spacing",
            [{"timestep_spacing": w} for w in ("leading", "trailing", "linspace")],
        ),
        ("steps_offset", [{}, {"steps_offset": 1}]),
        ("use_karras_sigmas", [{}, *({f"use_{w}": True} for w in spreads if f"use_{w}" in known)]),
        ("final_sigmas_type", [{}, {"final_sigmas_type": "sigma_min"}]),
        ("set_alpha_to_one", [{}, {"set_alpha_to_one": False}, {"set_alpha_to_one": True}]),
        ("skip_prk_steps", [{}, {"skip_prk_steps": True}]),
        ("rescale_betas_zero_snr", [{}, {"rescale_betas_zero_snr": True}]),
        ("sigma_schedule", [{"sigma_schedule": w} for w in ("karras", "exponential")]),
        ("shift", [{}, {"shift": 3.0}]),
        (
            "base_shift",
            [
                {},
                {"use_dynamic_shifting": True},
                {"use_dynamic_shifting": True, "shift_terminal": 0.1, "max_shift": 0.9},
            ],
        ),
        ("invert_sigmas", [{}, {"invert_sigmas": True}]),
        ("lambda_min_clipped", [{}, {"lambda_min_clipped": -5.1}]),
        ("timestep_type", [{}, {"timestep_type": "continuous", "prediction_type": "v_prediction"}]),
        ("original_inference_steps", [{}, {"original_inference_steps": 64}]),
    ]
    varied = [options for key, options in axes if key in known and name != "UnCLIPScheduler"]
    for chosen in itertools.product(*varied):
        yield {"_class_name": name} | {k: v for part in chosen for k, v in part.items()}


def same(ours: Walk, timesteps: Floats, sigmas: Floats) -> None:
    """Timesteps exactly, up to float32 where they are no whole ones; levels to float32."""
    assert ours.timesteps.shape == timesteps.shape
    np.testing.assert_allclose(ours.timesteps, timesteps, rtol=1e-5, atol=2e-3)
    assert ours.sigmas.shape == sigmas.shape
    near = np.isclose(ours.sigmas, sigmas, rtol=3e-4, atol=1e-6)
    share = np.isclose(1 / (1 + ours.sigmas**2), 1 / (1 + sigmas**2), rtol=1e-6, atol=3e-7)
    assert (near | share).all(), (ours.sigmas, sigmas)


def on_the_path(loaded: Any, walk: Walk) -> None:
    """The times are those at which the path has the levels of the walk."""
    alpha, sigma = (part.numpy() for part in loaded.schedule(torch.tensor(walk.times)))
    with np.errstate(divide="ignore"):
        found = sigma if loaded.kind in ("flow", "EDM", "VE", "VP") else sigma / alpha
    near = np.isclose(found, walk.sigmas, rtol=3e-4, atol=1e-6)
    share = np.isclose(1 / (1 + found**2), 1 / (1 + walk.sigmas**2), rtol=1e-6, atol=3e-7)
    assert (near | share).all(), (found, walk.sigmas)


def compared(values: dict[str, Any], counts: Iterator[int] | range | list[int]) -> int:
    """Compare runs of so many steps; return how many there were."""
    loaded = load_config(json.dumps(values))
    if loaded.stops is None:
        assert loaded.notes[-1].startswith("Where its runs stop is not read: ")
        return 0
    done, peer = 0, kind(values["_class_name"]).from_config(values)
    for n in counts:
        try:
            walk = loaded.stops.walk(n)
        except ValueError:
            walk = None
        try:
            theirs = peer_walk(peer, values, n, getattr(loaded.schedule, "shift", 1.0))
        except Exception:  # whatever it raises: there is no such run
            theirs = None
        if theirs is None or np.isnan(theirs[1]).any() or -1 in theirs[0]:  # one stop too many
            assert walk is None, (values, n)
            continue
        assert walk is not None, (values, n)
        same(walk, *theirs)
        on_the_path(loaded, walk)
        done += 1
    return done


SLOW = {  # to make, and some to ask
    "DPMSolverSDEScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
}


@pytest.mark.filterwarnings("ignore")  # of diffusers, at settings that it thinks odd
@pytest.mark.parametrize("name", sorted(DRAWN - set(NOT_WALKED)))
def test_a_run_stops_where_diffusers_does(name: str) -> None:
    counts = [1, 2, 3, 10, 50] if name in SLOW else range(1, 51)
    assert compared({"_class_name": name}, counts) >= len(counts) - 10
    every = list(combinations(name))
    drawn = random.Random(name)
    some = drawn.sample(every, min(len(every), 5 if name in SLOW else 16))
    done = sum(compared(values, [drawn.randint(1, 50), drawn.randint(1, 50)]) for values in some)
    assert done >= len(some) // 2


# The cases of the field ---------------------------------------------------------------------------

SD15 = {**SD, "skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1}


def test_stable_diffusion_steps_from_901_to_1() -> None:
    loaded = read("PNDM", **SD15)
    walk = loaded.stops.walk(10)
    assert walk.timesteps.tolist() == list(range(901, 0, -100))
    assert_close(loaded.stops(10) * 1000, torch.tensor([*range(902, 0, -100), 1.0]).double())


def test_dpm_solver_leaves_the_cleanest_stop_out() -> None:
    walk = read("DPMSolverMultistep", **SD).stops.walk(10)
    assert walk.timesteps.tolist() == [999, 899, 799, 699, 599, 500, 400, 300, 200, 100]


def test_lcm_takes_stops_of_its_teacher() -> None:
    stops = read("LCM", original_inference_steps=50).stops
    assert stops.walk(4).timesteps.tolist() == [999, 759, 499, 259]
    with pytest.raises(ValueError, match="at most 50 steps"):
        stops(51)


def test_leading_with_karras_starts_at_its_own_first_stop() -> None:
    """Not at the chain's last level, 14.6: 8.39 of SDXL's ten stops."""
    stops = read("EulerDiscrete", **SD, timestep_spacing="leading", steps_offset=1,
                 use_karras_sigmas=True).stops  # fmt: skip
    assert stops.walk(10).sigmas.max() == pytest.approx(8.39, abs=0.005)


@pytest.mark.parametrize(
    ("name", "values", "last"),
    [
        ("CosineDPMSolverMultistep", {"sigma_min": 0.3, "sigma_max": 500}, 0.3),
        ("KarrasVe", {"sigma_min": 0.02, "sigma_max": 100}, 0.02),
        ("EDMEuler", {}, 0.002),
    ],
)
def test_the_last_level_is_the_files(name: str, values: dict[str, Any], last: float) -> None:
    loaded = read(name, **values)
    for grid in (loaded.stops(10), make_grid(loaded.schedule, 10, "karras")):
        assert loaded.schedule.at(grid[-2].item())[1] == pytest.approx(last)


def test_a_step_of_no_length_is_no_step() -> None:
    """PNDM, unless told otherwise, ends where it last stopped: eleven of its steps are ten."""
    stops = read("PNDM", skip_prk_steps=True).stops
    grid = stops(10)
    assert stops.asked(10) == 11
    assert len(grid) == 11
    assert grid[-1] == 0.001
    assert bool((grid.diff() < 0).all())


def test_a_rescaled_chain_ends_where_its_class_ends_it() -> None:
    values = {**SD, "rescale_betas_zero_snr": True}
    assert read("DDIM", **values).schedule.alphas_bar[-1] == 0
    floored = read("EulerDiscrete", **values, timestep_spacing="trailing")
    assert floored.schedule.alphas_bar[-1] == pytest.approx(2**-24)
    assert floored.stops.walk(5).sigmas[0] == pytest.approx(4096, rel=1e-4)
    low = read("EulerDiscrete", rescale_betas_zero_snr=True)
    assert low.stops is None
    assert "below the one before it" in low.notes[-1]


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("DPMSolverMultistep", {"use_karras_sigmas": True, "use_flow_sigmas": True}, "beyond 1"),
        ("EulerDiscrete", {"use_karras_sigmas": True, "use_beta_sigmas": True}, "at once"),
        ("EulerDiscrete", {"interpolation_type": "log_linear"}, "interpolation_type"),
        ("EulerDiscrete", {"use_karras_sigmas": True, "sigma_max": 5000.0}, "levels of its chain"),
        ("EDMEuler", {"rho": 1e-300}, "rho"),
        ("LCM", {"original_inference_steps": 2000}, "original_inference_steps"),
        ("DDIM", {"trained_betas": [0.1, 0.2]}, "are not its 2 betas"),
        ("FlowMatchEulerDiscrete", {"shift_terminal": 2.0}, "shift_terminal"),
        ("Piflow", {"final_step_size_scale": 2.0}, "final_step_size_scale"),
        ("ScoreSdeVp", {"sampling_eps": 1.5}, "sampling_eps"),
    ],
)
def test_what_is_not_walked_is_said(name: str, values: dict[str, Any], why: str) -> None:
    loaded = read(name, **values)
    assert loaded.stops is None
    assert why in loaded.notes[-1]
    with pytest.raises(ValueError, match="came from no file"):
        make_grid(loaded.schedule, 10, FILE)


def test_the_nearest_number_of_steps() -> None:
    lcm, unclip = (read(name).schedule for name in ("LCM", "UnCLIP"))
    assert nearest_steps(lcm, 200) == 50
    assert nearest_steps(lcm, 8) == 8
    assert nearest_steps(unclip, 1) == 2


class Zero(Denoiser):
    """Everything comes from 0."""

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor | float, **cond: Any) -> torch.Tensor:
        return torch.zeros_like(x_t)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_runs_where_a_file_ends_above_0(name: str) -> None:
    schedule = read("PNDM", **SD15).schedule
    grid = make_grid(schedule, 5, FILE)
    x_1 = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    states = list(SAMPLERS[name]().iterate(Zero(), schedule, grid, x_1, generator))
    last = states[-1]
    assert last.t == 0.001
    assert bool(last.x_t.isfinite().all())
    assert_close(last.alpha * last.x_0 + last.sigma * last.eps, last.x_t)
    assert_close(last.score, -last.eps / last.sigma)
