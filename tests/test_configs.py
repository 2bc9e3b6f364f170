"""diffusers configs: parity with diffusers itself, round trips, and every kind of bad file."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from diffviz.configs import MAX_BYTES, ConfigError, ShiftedFlow, load_config, to_config
from diffviz.schedules import (
    EDM,
    SCHEDULES,
    VE,
    VP,
    Cosine,
    DiscreteVP,
    Linear,
    RectifiedFlow,
    ScaledLinear,
)

BETAS = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012}


def config(**values: Any) -> bytes:
    return json.dumps({"_class_name": "DDIMScheduler", **values}).encode()


@pytest.mark.parametrize("T", [2, 10, 1000])
@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("word", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_parity_with_ddim(word: str, rescale: bool, T: int) -> None:
    from diffusers import DDIMScheduler

    values = {**BETAS, "num_train_timesteps": T, "beta_schedule": word}
    values["rescale_betas_zero_snr"] = rescale
    theirs = DDIMScheduler.from_config(values).alphas_cumprod.double()
    ours = load_config(config(**values)).schedule
    assert isinstance(ours, DiscreteVP)
    assert_close(ours.alphas_bar, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("T", [2, 1000])
def test_parity_of_the_sigmoid_betas_with_ddpm(T: int) -> None:
    from diffusers import DDPMScheduler

    values = {**BETAS, "num_train_timesteps": T, "beta_schedule": "sigmoid"}
    theirs = DDPMScheduler.from_config(values).alphas_cumprod.double()
    ours = load_config(config(**values)).schedule
    assert isinstance(ours, DiscreteVP)
    assert_close(ours.alphas_bar, theirs, atol=1e-5, rtol=0)


def test_parity_of_trained_betas() -> None:
    from diffusers import DDIMScheduler

    betas = torch.linspace(0.01, 0.3, 30).tolist()
    values = {**BETAS, "beta_schedule": "linear", "trained_betas": betas}
    theirs = DDIMScheduler.from_config(values).alphas_cumprod.double()
    loaded = load_config(config(**values))
    assert loaded.kind == "trained_betas"
    assert isinstance(loaded.schedule, DiscreteVP)
    assert_close(loaded.schedule.alphas_bar, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_parity_of_the_flow_sigmas(shift: float) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    loaded = load_config(scheduler.to_json_string())
    assert loaded.name == "FlowMatchEulerDiscreteScheduler"
    theirs = scheduler.sigmas.double()
    t = torch.linspace(1, 1 / 1000, 1000, dtype=torch.float64)
    alpha, sigma = loaded.schedule(t)
    assert_close(sigma, theirs[: len(t)], atol=1e-5, rtol=0)
    assert_close(alpha + sigma, torch.ones_like(t))


def test_what_diffusers_writes_is_read() -> None:
    import diffusers

    for name in ("DDPMScheduler", "EulerDiscreteScheduler", "UniPCMultistepScheduler"):
        scheduler = getattr(diffusers, name)()
        loaded = load_config(scheduler.to_json_string())
        assert loaded.name == name
        assert isinstance(loaded.schedule, DiscreteVP)
        assert_close(
            loaded.schedule.alphas_bar, scheduler.alphas_cumprod.double(), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"_class_name": "EDMEulerScheduler", "sigma_max": 70.0}, EDM(70.0)),
        ({"_class_name": "ScoreSdeVeScheduler", "sigma_min": 0.02, "sigma_max": 90}, VE(0.02, 90)),
        ({"_class_name": "ScoreSdeVpScheduler", "beta_min": 0.1, "beta_max": 20}, VP()),
        ({"_class_name": "FlowMatchHeunDiscreteScheduler"}, RectifiedFlow()),
        ({"use_flow_sigmas": True, "flow_shift": 2.0, **BETAS}, ShiftedFlow(2.0)),
    ],
)
def test_continuous_paths(values: dict[str, Any], expected: Any) -> None:
    schedule = load_config(config(**values)).schedule
    assert type(schedule) is type(expected)
    assert vars(schedule) == vars(expected)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_round_trip(name: str) -> None:
    schedule = SCHEDULES[name]()
    if name == "subvp":
        with pytest.raises(ConfigError, match="only variance-preserving"):
            to_config(schedule)
        return
    again = load_config(json.dumps(to_config(schedule))).schedule
    t = torch.linspace(0, 1, 1001, dtype=torch.float64)
    for mine, yours in zip(schedule(t), again(t), strict=True):
        assert_close(mine, yours, atol=1e-7, rtol=1e-7)


def test_what_is_written_is_what_diffusers_reads() -> None:
    from diffusers import DDIMScheduler

    for schedule in (Linear(50), ScaledLinear(200), Cosine(), SCHEDULES["sigmoid"](T=20)):
        theirs = DDIMScheduler.from_config(to_config(schedule)).alphas_cumprod.double()
        assert isinstance(schedule, DiscreteVP)
        assert_close(schedule.alphas_bar, theirs, atol=1e-5, rtol=0)


def test_shifted_flow_slopes_agree_with_autograd() -> None:
    t = torch.linspace(0.01, 0.99, 9, dtype=torch.float64, requires_grad=True)
    flow = ShiftedFlow(3.0)
    alpha, sigma = flow._path(t)
    d_alpha, d_sigma = flow.derivatives(t.detach())
    assert_close(torch.autograd.grad(alpha.sum(), t, retain_graph=True)[0], d_alpha)
    assert_close(torch.autograd.grad(sigma.sum(), t)[0], d_sigma)
    for shift in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="positive"):
            ShiftedFlow(shift)


def test_dynamic_shifting_is_noted() -> None:
    values = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}
    assert load_config(config(**values)).notes == ()
    (note,) = load_config(config(**values, use_dynamic_shifting=True)).notes
    assert "size of the image" in note


BAD: list[tuple[bytes, str]] = [
    (b"", "not valid JSON"),
    (b"{", "line 1, column 2"),
    (b"\xff\xfe\x00", "not JSON text"),
    (b"[" * 100_000, "not JSON text"),
    (b"9" * 10_000, "not JSON text"),
    (b'"linear"', "is an object"),
    (b"[1, 2]", "is an object"),
    (b"null", "is an object"),
    (b" " * (MAX_BYTES + 1), "at most 1 MB"),
    (b"{}", "no beta_schedule"),
    (config(beta_schedule="linear", beta_start=float("nan")), "NaN"),
    (config(beta_schedule="linear", beta_end=float("inf")), "Infinity"),
    (config(**BETAS, beta_schedule="quadratic"), "only linear, scaled_linear"),
    (config(**BETAS, beta_schedule=7), "a word in quotes"),
    (config(**BETAS, beta_schedule=["linear"]), "a word in quotes"),
    (config(beta_schedule="linear", num_train_timesteps=10), "beta_start is missing"),
    (config(beta_schedule="linear", beta_start=0.1, beta_end=0.2), "num_train_timesteps is miss"),
    (config(**{**BETAS, "num_train_timesteps": 1}, beta_schedule="linear"), "2 to 1,000"),
    (config(**{**BETAS, "num_train_timesteps": 4000}, beta_schedule="linear"), "is 4,000"),
    (config(**{**BETAS, "num_train_timesteps": -5}, beta_schedule="linear"), "2 to 1,000"),
    (config(**{**BETAS, "num_train_timesteps": 10.5}, beta_schedule="linear"), "whole number"),
    (config(**{**BETAS, "num_train_timesteps": 10**400}, beta_schedule="linear"), "beyond"),
    (
        config(**{**BETAS, "num_train_timesteps": "1000"}, beta_schedule="linear"),
        "must be a number",
    ),
    (config(**{**BETAS, "num_train_timesteps": True}, beta_schedule="linear"), "must be a number"),
    (config(**{**BETAS, "beta_end": 2.0}, beta_schedule="linear"), "every beta is a variance"),
    (config(**{**BETAS, "beta_start": -0.1}, beta_schedule="linear"), "every beta is a variance"),
    (config(**{**BETAS, "beta_start": -0.1}, beta_schedule="scaled_linear"), "from 0 to 1"),
    (config(**{**BETAS, "beta_start": None}, beta_schedule="linear"), "beta_start is missing"),
    (config(**BETAS, beta_schedule="linear", rescale_betas_zero_snr="yes"), "true or false"),
    (config(trained_betas="0.1"), "a list of numbers"),
    (config(trained_betas=[0.1]), "length of 1"),
    (config(trained_betas=[0.1] * 1001), "length of 1,001"),
    (config(trained_betas=[0.1, "x"]), r"trained_betas\[1\] is"),
    (config(trained_betas=[0.1, [0.2]]), r"trained_betas\[1\] is"),
    (config(trained_betas=[0.1, None]), r"trained_betas\[1\] is"),
    (config(trained_betas=[0.1, 0.0]), "every beta is a variance"),
    (config(**BETAS, beta_schedule="linear", _class_name=["x"]), "no name of a class"),
    (config(**BETAS, beta_schedule="linear", _class_name="<b>" * 40), "no name of a class"),
    (config(_class_name="EDMEulerScheduler"), "sigma_max is missing"),
    (config(_class_name="EDMEulerScheduler", sigma_max=-1), "positive"),
    (config(_class_name="ScoreSdeVeScheduler", sigma_min=2, sigma_max=1), "sigma_min"),
    (config(_class_name="FlowMatchEulerDiscreteScheduler", shift=0), "positive"),
    (config(_class_name="FlowMatchEulerDiscreteScheduler", shift="3"), "must be a number"),
    (config(_class_name="PNDMPipeline", unet=["diffusers", "UNet2DModel"]), "no beta_schedule"),
]


@pytest.mark.parametrize(("data", "message"), BAD, ids=[str(k) for k in range(len(BAD))])
def test_bad_files(data: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(data)
    assert len(str(caught.value)) < 300


def test_a_byte_order_mark_is_no_error() -> None:
    values = config(**BETAS, beta_schedule="linear")
    assert isinstance(load_config(b"\xef\xbb\xbf" + values).schedule, Linear)


def test_the_source_is_short_and_loads_to_the_same() -> None:
    file = config(
        **BETAS, beta_schedule="linear", clip_sample=True, steps_offset=1, thresholding=False
    )
    loaded = load_config(file)
    assert set(json.loads(loaded.source)) == {"_class_name", "beta_schedule", *BETAS}
    again = load_config(loaded.source)
    assert again.source == loaded.source
    assert isinstance(again.schedule, Linear)
    assert_close(again.schedule.betas, Linear(1000, 0.00085, 0.012).betas)
