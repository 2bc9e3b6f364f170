"""diffusers configs: parity with diffusers itself, round trips, and every kind of bad file."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.schedules import (
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
from diffviz.exchange.scheduler_config import (
    MAX_BYTES,
    Bounds,
    ConfigError,
    ShiftedFlow,
    load_config,
    to_config,
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
        (
            {"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": True, "flow_shift": 2.0},
            ShiftedFlow(2.0),
        ),
        ({"_class_name": "Unknown", "use_flow_sigmas": True, "flow_shift": 2.0}, ShiftedFlow(2.0)),
        ({"_class_name": "KarrasVeScheduler"}, EDM(100, 0.02)),
        ({"_class_name": "CosineDPMSolverMultistepScheduler"}, EDM(500, 0.3)),
        ({"_class_name": "ScoreSdeVeScheduler"}, VE(0.01, 1348)),
        ({"_class_name": "MiniMaxH3Scheduler"}, ShiftedFlow(12.0)),
    ],
)
def test_continuous_paths(values: dict[str, Any], expected: Any) -> None:
    schedule = load_config(config(**values)).schedule
    assert type(schedule) is type(expected)
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    for ours, theirs in zip(schedule(t), expected(t), strict=True):
        assert_close(ours, theirs)
    assert schedule.t_min == expected.t_min


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


QWEN = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "base_shift": 0.5,
    "max_shift": 0.9,
    "base_image_seq_len": 256,
    "max_image_seq_len": 8192,
    "shift_terminal": 0.02,
    "use_dynamic_shifting": True,
}
LTX = {
    **QWEN,
    "base_shift": 0.95,
    "max_shift": 2.05,
    "base_image_seq_len": 1024,
    "max_image_seq_len": 4096,
    "shift_terminal": 0.1,
}


@pytest.mark.parametrize(
    ("values", "low", "high", "terminal"), [(QWEN, 0.5, 0.9, 0.02), (LTX, 0.95, 2.05, 0.1)]
)
def test_the_shift_follows_the_tokens(
    values: dict[str, Any], low: float, high: float, terminal: float
) -> None:
    file = json.dumps(values)
    ends = values["base_image_seq_len"], values["max_image_seq_len"]
    for tokens, exponent in zip(
        (*ends, sum(ends) // 2), (low, high, (low + high) / 2), strict=True
    ):
        loaded = load_config(file, tokens)
        assert isinstance(loaded.schedule, ShiftedFlow)
        assert loaded.schedule.shift == pytest.approx(math.exp(exponent))
        assert loaded.tokens is not None
        assert (loaded.tokens.low, loaded.tokens.high, loaded.tokens.chosen) == (*ends, tokens)
        assert loaded.stops is not None
        for steps in (2, 30):
            assert loaded.stops.walk(steps).sigmas[-2] == pytest.approx(terminal)
    beyond = load_config(file, 10 * ends[1])
    assert beyond.tokens is not None
    assert beyond.tokens.chosen == ends[1]


def test_a_straight_shift_by_tokens() -> None:
    file = json.dumps({**QWEN, "time_shift_type": "linear"})
    schedule = load_config(file, 256).schedule
    assert isinstance(schedule, ShiftedFlow)
    assert schedule.shift == pytest.approx(0.5)


def test_minus_infinity_in_a_key_that_is_no_level() -> None:
    file = config(
        _class_name="DPMSolverMultistepScheduler",
        beta_schedule="linear",
        beta_start=0.0001,
        beta_end=0.02,
        num_train_timesteps=1000,
        lambda_min_clipped=-math.inf,
        something_else=math.nan,
    )
    loaded = load_config(file)
    assert isinstance(loaded.schedule, DiscreteVP)
    assert loaded.schedule.alphas_bar[-1].item() == pytest.approx(4.036e-5, rel=1e-3)
    assert "Infinity" not in loaded.source
    assert loaded.stops is not None


def test_the_snr_of_cogvideox_is_shifted() -> None:
    loaded = load_config(
        config(
            **BETAS,
            _class_name="CogVideoXDDIMScheduler",
            beta_schedule="scaled_linear",
            rescale_betas_zero_snr=True,
            snr_shift_scale=3.0,
        )
    )
    assert isinstance(loaded.schedule, DiscreteVP)
    share = loaded.schedule.alphas_bar
    assert share[265 - 1].item() == pytest.approx(0.36398, abs=5e-6)
    assert share[500 - 1].item() == pytest.approx(0.09597, abs=5e-6)
    assert share[-1] == 0
    assert "SNR / 3" in loaded.title


@pytest.mark.parametrize(
    ("values", "last"),
    [
        ({"_class_name": "LCMScheduler", "original_inference_steps": 50}, 0.00466),
        ({"_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear"}, 7.33e-4),
        ({"_class_name": "EulerDiscreteScheduler", "beta_start": None}, 4.036e-5),
    ],
)
def test_what_a_file_leaves_out_is_what_its_class_takes(
    values: dict[str, Any], last: float
) -> None:
    schedule = load_config(config(**values)).schedule
    assert isinstance(schedule, DiscreteVP)
    assert schedule.alphas_bar[-1].item() == pytest.approx(last, rel=1e-3)


def test_what_a_class_does_not_take_is_left_out_and_said() -> None:
    loaded = load_config(config(_class_name="PNDMScheduler", rescale_betas_zero_snr=True))
    assert isinstance(loaded.schedule, Linear)
    assert "takes no rescale_betas_zero_snr" in loaded.notes[0]


@pytest.mark.parametrize("word", ["laplace", "exp"])
def test_the_forms_that_few_classes_know(word: str) -> None:
    import diffusers

    name = "DDPMScheduler" if word == "laplace" else "HeunDiscreteScheduler"
    values = {"_class_name": name, "beta_schedule": word, "num_train_timesteps": 100}
    ours = load_config(json.dumps(values)).schedule
    theirs = getattr(diffusers, name).from_config(values).alphas_cumprod.double()
    assert isinstance(ours, DiscreteVP)
    assert_close(ours.alphas_bar, theirs, atol=1e-5, rtol=1e-3)


def test_chains_of_four_thousand() -> None:
    loaded = load_config(config(num_train_timesteps=4000, beta_schedule="squaredcos_cap_v2"))
    assert isinstance(loaded.schedule, DiscreteVP)
    assert loaded.schedule.T == 4000
    assert loaded.stops is not None
    assert loaded.stops.walk(4).timesteps.tolist() == [3000, 2000, 1000, 0]


@pytest.mark.parametrize(
    "values",
    [
        {"_class_name": "EDMEulerScheduler", "sigma_min": 0.3, "sigma_max": 500.0,
         "sigma_schedule": "exponential"},
        {"_class_name": "CogVideoXDPMScheduler", "timestep_spacing": "trailing"},
        QWEN,
    ],
)  # fmt: skip
def test_what_came_from_a_file_is_written_as_that(values: dict[str, Any]) -> None:
    schedule = load_config(json.dumps(values)).schedule
    written = to_config(schedule)
    assert {key: written[key] for key in values if key in written} == {
        key: value for key, value in values.items() if key in written
    }
    again = load_config(json.dumps(written))
    assert again.stops is not None
    assert schedule.own_stops is not None
    assert_close(again.stops(7), schedule.own_stops(7))


def test_edm_is_written_with_both_ends() -> None:
    written = to_config(EDM(70.0, 0.01))
    assert written == {"_class_name": "EDMEulerScheduler", "sigma_min": 0.01, "sigma_max": 70.0}


@pytest.mark.parametrize(
    ("values", "bounds", "words"),
    [
        ({}, Bounds(reach=1.0), "±1"),
        ({"clip_sample": False}, Bounds(), ""),
        ({"clip_sample_range": 4.0}, Bounds(reach=4.0), "±4"),
        (
            {"thresholding": True, "sample_max_value": 2.0},
            Bounds(quantile=0.995, most=2.0),
            "0.995 quantile, at most 2",
        ),
    ],
)
def test_how_predictions_are_held(values: dict[str, Any], bounds: Bounds, words: str) -> None:
    loaded = load_config(config(**values))
    assert loaded.bounds == bounds
    assert words in str(loaded.bounds)
    assert loaded.predicts == "epsilon"


@pytest.mark.parametrize(
    ("values", "sampler", "same"),
    [
        ({}, "ddim", True),
        ({"_class_name": "PNDMScheduler"}, "ddim", False),
        ({"_class_name": "DPMSolverMultistepScheduler"}, "dpmpp_2m", True),
        (
            {"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++"},
            "dpmpp_2m_sde",
            True,
        ),
        ({"_class_name": "DPMSolverMultistepScheduler", "solver_order": 3}, "dpmpp_2m", False),
        ({"_class_name": "Unknown", **BETAS, "beta_schedule": "linear"}, "ddim", False),
    ],
)
def test_what_walks_the_stops(values: dict[str, Any], sampler: str, same: bool) -> None:
    loaded = load_config(config(**values))
    assert (loaded.sampler, loaded.same_steps) == (sampler, same)


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
    (b'{"beta_schedule": "linear", "num_train_timesteps": 10}', "beta_start is missing"),
    (b'{"beta_schedule": "linear", "beta_start": 0.1}', "num_train_timesteps is miss"),
    (config(**{**BETAS, "num_train_timesteps": 1}, beta_schedule="linear"), "2 to 10,000"),
    (config(**{**BETAS, "num_train_timesteps": 20_000}, beta_schedule="linear"), "is 20,000"),
    (config(**{**BETAS, "num_train_timesteps": -5}, beta_schedule="linear"), "2 to 10,000"),
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
    (config(timestep_spacing="even"), "only leading, trailing, linspace"),
    (config(steps_offset=0.5), "whole number"),
    (config(_class_name="VQDiffusionScheduler"), "VQDiffusionScheduler works on tokens"),
    (config(_class_name="DPMSolverMultistepScheduler", lambda_min_clipped=float("nan")), "NaN"),
    (config(**BETAS, beta_schedule="linear", rescale_betas_zero_snr="yes"), "true or false"),
    (config(trained_betas="0.1"), "a list of numbers"),
    (config(trained_betas=[0.1]), "length of 1"),
    (config(trained_betas=[0.1] * 10_001), "length of 10,001"),
    (config(trained_betas=[0.1, "x"]), r"trained_betas\[1\] is"),
    (config(trained_betas=[0.1, [0.2]]), r"trained_betas\[1\] is"),
    (config(trained_betas=[0.1, None]), r"trained_betas\[1\] is"),
    (config(trained_betas=[0.1, 0.0]), "every beta is a variance"),
    (config(**BETAS, beta_schedule="linear", _class_name=["x"]), "no name of a class"),
    (config(**BETAS, beta_schedule="linear", _class_name="<b>" * 40), "no name of a class"),
    (config(_class_name="EDMEulerScheduler", sigma_max=-1), "positive"),
    (config(_class_name="EDMEulerScheduler", sigma_max=1e-300), "must be above sigma_min, which"),
    (config(_class_name="EDMEulerScheduler", sigma_max=1e300), "within 1e-12 to 1e"),
    (config(_class_name="ScoreSdeVpScheduler", beta_max=1e300), "within 1e-12 to 1e"),
    (config(_class_name="FlowMatchEulerDiscreteScheduler", shift=1e-300), "within 1e-12 to 1e"),
    (config(_class_name="CogVideoXDDIMScheduler", snr_shift_scale=1e300), "so little of the data"),
    (config(beta_start=1e-300, beta_end=1e-300), "within 1e-12 to 1e"),
    (config(**QWEN | {"max_shift": 1e300}), "e to the"),
    (config(**QWEN | {"max_image_seq_len": 256}), "must be above"),
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
    said = json.loads(loaded.source)  # what its class takes anyway is not in it
    assert set(said) == {"_class_name", "beta_start", "beta_end", "steps_offset"}
    again = load_config(loaded.source)
    assert again.source == loaded.source
    assert isinstance(again.schedule, Linear)
    assert_close(again.schedule.betas, Linear(1000, 0.00085, 0.012).betas)
