"""Pipelines of diffusers: the same x_0 as diffusers' own, and every kind of bad folder."""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Guided
from diffviz.core.grids import FILE, make_grid
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import DiscreteVP
from diffviz.exchange.pipelines import (
    DIFFUSERS,
    VARIABLE,
    Pipeline,
    PipelineError,
    configured,
    load_pipeline,
    timesteps,
)

WEIGHTS = "diffusion_pytorch_model.safetensors"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refused)


def unet(**config: Any) -> Any:
    """A small network whose answers depend on all that it is told."""
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    config = {
        "sample_size": 8,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        **config,
    }
    return UNet2DModel(**config).eval()


def saved(folder: Path, scheduler: Any = None, **config: Any) -> Path:
    """A pipeline as diffusers writes it."""
    from diffusers import DDPMPipeline, DDPMScheduler

    scheduler = DDPMScheduler(clip_sample=False) if scheduler is None else scheduler
    pipeline = DDPMPipeline(unet(**config), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "plain")


@pytest.fixture
def copy(plain: Path, tmp_path: Path) -> Path:
    """A pipeline to damage."""
    return Path(shutil.copytree(plain, tmp_path / "copy"))


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def noise(n: int, shape: tuple[int, int, int]) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(1))


# Parity -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("kind", ["DDPMScheduler", "DDIMScheduler"])
def test_x_0_is_that_of_diffusers(kind: str, prediction: str, tmp_path: Path) -> None:
    import diffusers

    scheduler = getattr(diffusers, kind)(
        num_train_timesteps=200, prediction_type=prediction, clip_sample=False
    )
    found = load_pipeline(saved(tmp_path / "m", scheduler))
    assert found.denoiser.predicts == {"epsilon": "eps", "sample": "x_0"}.get(prediction, "v")
    own = diffusers.UNet2DModel.from_pretrained(tmp_path / "m" / "unet", low_cpu_mem_usage=False)
    scheduler.set_timesteps(200)
    x_t = noise(3, found.shape)
    for k in (1, 2, 57, 130, 199, 200):
        with torch.no_grad():
            y = own(x_t, k - 1).sample
        theirs = scheduler.step(y, k - 1, x_t).pred_original_sample
        assert_close(found.denoiser(x_t, k / 200), theirs, atol=1e-4, rtol=1e-4)
        times = torch.full((3,), k / 200)  # float32
        assert_close(found.denoiser(x_t, times), theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "options", "sampler"),
    [
        ("DDIMScheduler", {"steps_offset": 1, "set_alpha_to_one": False}, "ddim"),
        ("DDIMScheduler", {"timestep_spacing": "trailing", "clip_sample": True}, "ddim"),
        ("EulerDiscreteScheduler", {"use_karras_sigmas": True}, "euler"),
        ("EulerDiscreteScheduler", {"final_sigmas_type": "sigma_min"}, "euler"),
        ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}, "dpmpp_2m"),
        (
            "DPMSolverMultistepScheduler",
            {"thresholding": True, "sample_max_value": 1.5},
            "dpmpp_2m",
        ),
    ],
)
def test_a_run_by_its_file_is_that_of_diffusers(
    kind: str, options: dict[str, Any], sampler: str, tmp_path: Path
) -> None:
    """The same stops, the same timesteps told there, the same range: the same picture."""
    import diffusers

    clip = {"clip_sample": False} if kind == "DDIMScheduler" else {}
    scheduler = getattr(diffusers, kind)(num_train_timesteps=100, **(clip | options))
    found = load_pipeline(saved(tmp_path / "m", scheduler))
    assert found.config.sampler == sampler
    own = diffusers.UNet2DModel.from_pretrained(tmp_path / "m" / "unet", low_cpu_mem_usage=False)
    assert found.config.stops is not None
    scheduler.set_timesteps(found.config.stops.asked(5))
    grid = make_grid(found.schedule, 5, FILE)
    alpha, sigma = found.schedule.at(grid[0].item())
    x_1 = noise(2, found.shape)
    theirs = x_1 * (math.hypot(alpha, sigma) / alpha if kind.startswith("Euler") else 1.0)
    with torch.no_grad():
        for k in scheduler.timesteps:
            y = own(scheduler.scale_model_input(theirs, k), k).sample
            eps = {"use_clipped_model_output": True} if kind == "DDIMScheduler" else {}
            theirs = scheduler.step(y, k, theirs, **eps).prev_sample
        denoiser = found.config.bounds.hold(found.at_stops(5))
        ours = SAMPLERS[sampler]().sample(denoiser, found.schedule, grid, x_1)
    last = found.schedule.at(grid[-1].item())[0]
    ours = ours / last if kind.startswith("Euler") else ours
    assert_close(ours, theirs, atol=2e-3, rtol=2e-3)


def test_a_batch_of_times(plain: Path) -> None:
    denoiser = load_pipeline(plain).denoiser
    x_t = noise(4, (1, 8, 8))
    times = torch.tensor([0.001, 0.25, 0.5005, 1.0])
    together = denoiser(x_t, times)
    for k, t in enumerate(times.tolist()):
        assert_close(together[k : k + 1], denoiser(x_t[k : k + 1], t), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("word", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("rescale", [False, True])
def test_the_chain_is_that_of_diffusers(word: str, rescale: bool, copy: Path) -> None:
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(
        beta_schedule=word,
        beta_start=0.001,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=rescale,
    )
    scheduler.save_pretrained(copy / "scheduler")
    schedule = load_pipeline(copy).schedule
    assert isinstance(schedule, DiscreteVP)
    assert_close(schedule.alphas_bar, scheduler.alphas_cumprod.double(), atol=2e-6, rtol=0)
    if not rescale:  # which diffusers works out in float32, where the last ratios lose digits
        assert_close(schedule.betas, scheduler.betas.double(), atol=1e-6, rtol=0)


def test_betas_of_its_own(copy: Path) -> None:
    betas = torch.linspace(0.01, 0.3, 30).tolist()
    change(copy / "scheduler" / "scheduler_config.json", trained_betas=betas)
    schedule = load_pipeline(copy).schedule
    assert isinstance(schedule, DiscreteVP)
    assert_close(schedule.betas, torch.tensor(betas, dtype=torch.float64))


def test_what_is_said_of_a_pipeline(plain: Path) -> None:
    found = load_pipeline(str(plain))
    assert isinstance(found, Pipeline)
    assert (found.shape, found.classes, found.title) == ((1, 8, 8), 0, "plain")
    assert found.denoiser.schedule is found.schedule
    assert not found.denoiser.exact
    assert not found.denoiser.module.training
    assert not any(weight.requires_grad for weight in found.denoiser.module.parameters())


def test_loading_draws_no_random_numbers(plain: Path) -> None:
    before = torch.random.get_rng_state()
    load_pipeline(plain)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_samplers_run_on_it(plain: Path) -> None:
    found = load_pipeline(plain)
    for name in ("ddpm", "heun", "dpmpp_2m"):
        grid = make_grid(found.schedule, 3, "log_snr")
        x_0 = SAMPLERS[name]().sample(
            found.denoiser, found.schedule, grid, noise(2, found.shape), torch.Generator()
        )
        assert x_0.shape == (2, 1, 8, 8)
        assert x_0.isfinite().all()


def test_double_precision_goes_in_and_comes_out(plain: Path) -> None:
    denoiser = load_pipeline(plain).denoiser
    x_t = noise(2, (1, 8, 8))
    answer = denoiser(x_t.double(), 0.5)
    assert answer.dtype == torch.float64
    assert_close(answer.float(), denoiser(x_t, 0.5))


@pytest.mark.parametrize("kind", ["Resnet{}sampleBlock2D", "Skip{}Block2D", "AttnSkip{}Block2D"])
def test_every_kind_of_block(kind: str, tmp_path: Path) -> None:
    from diffusers import UNet2DModel

    down, up = [kind.format("Down")] * 2, [kind.format("Up")] * 2
    widths = {"in_channels": 3, "out_channels": 3, "block_out_channels": (32, 32)}
    place = saved(tmp_path / "m", **widths, down_block_types=down, up_block_types=up)
    own = UNet2DModel.from_pretrained(place / "unet", low_cpu_mem_usage=False)
    x_t = noise(2, (3, 8, 8))
    with torch.no_grad():
        theirs = own(x_t, 299).sample
    assert_close(load_pipeline(place).denoiser.module(x_t, torch.full((2,), 0.3)), theirs)


def test_a_wide_picture_in_color(tmp_path: Path) -> None:
    place = saved(tmp_path / "m", sample_size=(8, 16), in_channels=3, out_channels=3)
    found = load_pipeline(place)
    assert found.shape == (3, 8, 16)
    assert found.denoiser(noise(1, found.shape), 0.3).shape == (1, 3, 8, 16)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read_as_single(copy: Path, dtype: torch.dtype) -> None:
    full = load_pipeline(copy).denoiser
    path = copy / "unet" / WEIGHTS
    half = {name: part.to(dtype) for name, part in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(half, path)
    found = load_pipeline(copy).denoiser
    assert {part.dtype for part in found.module.parameters()} == {torch.float32}
    x_t = noise(2, (1, 8, 8))
    assert_close(found(x_t, 0.2), full(x_t, 0.2), atol=0.1, rtol=0.1)


def test_the_layout_of_older_pipelines(copy: Path) -> None:
    """All files in one folder, and attention under its old names."""
    x_t = noise(2, (1, 8, 8))
    expected = load_pipeline(copy).denoiser(x_t, 0.5)
    path = copy / "unet" / WEIGHTS
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = {}
    for name, part in safetensors.torch.load_file(path).items():
        for new, was in old.items():
            name = name.replace(f".{new}.", f".{was}.")
        weights[name] = part
    assert any("proj_attn" in name for name in weights)
    safetensors.torch.save_file(weights, copy / WEIGHTS)
    (copy / "unet" / "config.json").rename(copy / "config.json")
    (copy / "scheduler" / "scheduler_config.json").rename(copy / "scheduler_config.json")
    shutil.rmtree(copy / "unet")
    shutil.rmtree(copy / "scheduler")
    assert_close(load_pipeline(copy).denoiser(x_t, 0.5), expected)


# Times ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [2, 30, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_steps_are_exact(T: int, dtype: torch.dtype) -> None:
    k = torch.arange(1, T + 1)
    found = timesteps((k / T).to(dtype), T)
    assert found.dtype == torch.float64
    assert torch.equal(found, (k - 1).double())


def test_between_two_noisings() -> None:
    t = torch.tensor([0.0, 0.0005, 0.0015, 0.50025, 0.9999], dtype=torch.float64)
    assert_close(timesteps(t, 1000), torch.tensor([0, 0, 0.5, 499.25, 998.9], dtype=torch.float64))
    rising = timesteps(torch.linspace(0, 1, 10_001), 1000)
    assert (rising.diff() >= 0).all()


def test_the_answer_is_continuous_between_two_noisings(plain: Path) -> None:
    module = load_pipeline(plain).denoiser.module
    x_t = noise(1, (1, 8, 8)).expand(3, -1, -1, -1)
    low, middle, high = module(x_t, torch.tensor([0.010, 0.0105, 0.011]))
    assert (middle - (low + high) / 2).abs().max() < (high - low).abs().max()
    assert not torch.equal(low, middle)


def test_a_table_of_times_gets_the_nearest(tmp_path: Path) -> None:
    place = saved(tmp_path / "m", time_embedding_type="learned", num_train_timesteps=1000)
    module = load_pipeline(place).denoiser.module
    x_t = noise(1, (1, 8, 8)).expand(3, -1, -1, -1)
    low, near, next_one = module(x_t, torch.tensor([0.5, 0.5004, 0.501]))
    assert_close(low, near)
    assert not torch.equal(near, next_one)
    change(place / "unet" / "config.json", num_train_timesteps=500)
    weights = safetensors.torch.load_file(place / "unet" / WEIGHTS)
    weights["time_proj.weight"] = weights["time_proj.weight"][:500].clone()
    safetensors.torch.save_file(weights, place / "unet" / WEIGHTS)
    with pytest.raises(PipelineError, match="do not go together"):
        load_pipeline(place)


# Classes ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "told", num_class_embeds=5)


def test_labels_are_class_labels(told: Path) -> None:
    from diffusers import UNet2DModel

    found = load_pipeline(told)
    assert found.classes == 5
    own = UNet2DModel.from_pretrained(told / "unet", low_cpu_mem_usage=False)
    x_t = noise(2, found.shape)
    labels = torch.tensor([4, 0])
    with torch.no_grad():
        theirs = own(x_t, 499, class_labels=labels).sample
    times = torch.full((2,), 0.5)
    assert_close(found.denoiser.module(x_t, times, label=labels), theirs)
    assert_close(found.denoiser.module(x_t, times, label=4)[0], theirs[0])


@pytest.mark.parametrize("label", [None, -1, 5, [0, 1, 2], 1.5, True, [[0], [1]]])
def test_a_label_that_it_does_not_know(told: Path, label: Any) -> None:
    denoiser = load_pipeline(told).denoiser
    label = torch.tensor(label) if isinstance(label, list) else label
    with pytest.raises(ValueError, match="from 0 to 4"):
        denoiser(noise(2, (1, 8, 8)), 0.5, label=label)


def test_without_classes_there_is_no_label(plain: Path) -> None:
    denoiser = load_pipeline(plain).denoiser
    x_t = noise(2, (1, 8, 8))
    assert_close(denoiser(x_t, 0.5, label=None), denoiser(x_t, 0.5))
    with pytest.raises(ValueError, match="takes no label"):
        denoiser(x_t, 0.5, label=0)


def test_guidance_needs_an_unconditional_answer(told: Path) -> None:
    with pytest.raises(ValueError, match="must be told a class"):
        Guided(load_pipeline(told).denoiser, 2.0)(noise(1, (1, 8, 8)), 0.5, label=1)


# Which folders ----------------------------------------------------------------------------------


def test_configured_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/m", "b/m", "c/<i>x", "d"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "d")
    names = ("a/m", "nothing", "file", "", "b/m", "b/../b/m/", "c/<i>x", "link")
    given = [str(tmp_path / name) if name else name for name in names]
    monkeypatch.setenv(VARIABLE, os.pathsep.join(given))
    assert configured() == {
        "m": tmp_path / "a" / "m",
        "m (2)": tmp_path / "b" / "m",
        "ix": tmp_path / "c" / "<i>x",
        "link": tmp_path / "link",
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, f" d {os.pathsep}~nobody-of-this-name/x")
    assert configured() == {"d": tmp_path / "d"}
    for nothing in ("", os.pathsep, "nowhere"):
        monkeypatch.setenv(VARIABLE, nothing)
        assert configured() == {}
    monkeypatch.delenv(VARIABLE)
    assert configured() == {}


# Bad folders ------------------------------------------------------------------------------------


def test_without_diffusers(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(PipelineError, match=rf"pip install diffusers=={DIFFUSERS}$"):
        load_pipeline(plain)


def test_the_version_is_the_one_tested_with() -> None:
    assert f"diffusers=={DIFFUSERS}" in (ROOT / "requirements-dev.txt").read_text().split()


class Harmful:
    """A pickle that would leave a mark when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", WEIGHTS])
def test_a_pickle_is_left_alone(copy: Path, name: str, tmp_path: Path) -> None:
    (copy / "unet" / WEIGHTS).unlink()
    (copy / "unet" / name).write_bytes(pickle.dumps(Harmful(tmp_path / "mark")))
    with pytest.raises(PipelineError, match="A pickle can run any program"):
        load_pipeline(copy)
    torch.save({"a": torch.ones(3)}, copy / "unet" / name)
    with pytest.raises(PipelineError, match="A pickle can run any program"):
        load_pipeline(copy)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("start", [b"\x80\x04", b"PK"])
def test_a_length_that_looks_like_a_pickle(copy: Path, start: bytes) -> None:
    """The length of the header, which may be filled up with spaces, comes first in the file."""
    path = copy / "unet" / WEIGHTS
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    longer = int.from_bytes(start, "little")
    while longer < length:
        longer += 2**16
    header = whole[8 : 8 + length].ljust(longer)
    path.write_bytes(longer.to_bytes(8, "little") + header + whole[8 + length :])
    assert path.read_bytes().startswith(start)
    assert load_pipeline(copy).shape == (1, 8, 8)


def test_a_pickle_beside_the_weights_is_not_opened(copy: Path, tmp_path: Path) -> None:
    harmful = pickle.dumps(Harmful(tmp_path / "mark"))
    (copy / "unet" / "diffusion_pytorch_model.bin").write_bytes(harmful)
    load_pipeline(copy)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "name", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"]
)
def test_a_bad_json_file(copy: Path, name: str) -> None:
    path = copy / name
    whole = path.read_bytes()
    for data, why in (
        (b"", "it is not JSON"),
        (whole[:-20], "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[1]", "no object with fields"),
        (whole + b" " * 1_000_000, "more than 1 MB"),
    ):
        path.write_bytes(data)
        with pytest.raises(PipelineError, match=rf"{path.name} .*{why}"):
            load_pipeline(copy)
    path.unlink()
    with pytest.raises(PipelineError, match=f"There is no {path.name} in"):
        load_pipeline(copy)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"unet": ["diffusers", "UNet2DConditionModel"]}, "only a UNet2DModel"),
        ({"unet": ["diffusers", ["UNet2DModel"]]}, "only a UNet2DModel"),
        ({"unet": ["my_code", "UNet2DModel"]}, "code would have to be run"),
        ({"scheduler": ["my_code", "MyScheduler"]}, "code would have to be run"),
        ({"unet": [None, None]}, "names no unet"),
        ({"scheduler": "DDPMScheduler"}, "names no scheduler"),
        ({"unet": ["diffusers"]}, "only pipelines of a unet and a scheduler"),
        ({"vqvae": ["diffusers", "VQModel"]}, "has a part 'vqvae'"),
        ({"<b>": ["x", "y"]}, "has a part 'b'"),
    ],
)
def test_another_pipeline(copy: Path, fields: dict[str, Any], why: str) -> None:
    change(copy / "model_index.json", **fields)
    with pytest.raises(PipelineError, match=why):
        load_pipeline(copy)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"_class_name": "UNet1DModel"}, "only a UNet2DModel"),
        ({"_class_name": None}, "only a UNet2DModel"),
        ({"sample_size": None}, "sample_size is null .* from 4 to 128"),
        ({"sample_size": 10**9}, "from 4 to 128 pixels"),
        ({"sample_size": [8, 256]}, "from 4 to 128 pixels"),
        ({"sample_size": [8, 8, 8]}, "from 4 to 128 pixels"),
        ({"sample_size": 8.0}, "from 4 to 128 pixels"),
        ({"sample_size": "8"}, "from 4 to 128 pixels"),
        ({"sample_size": 9}, "gives no answer for a picture of 9 x 9"),
        ({"in_channels": 4}, "works on 4 channels"),
        ({"in_channels": True}, "works on true channels"),
        ({"out_channels": 2}, "learn the variance too"),
        ({"layers_per_block": 10**12}, "layers_per_block is"),
        ({"block_out_channels": [8] * 100}, "a list of 1 to 8"),
        ({"block_out_channels": []}, "a list of 1 to 8"),
        ({"block_out_channels": 8}, "a list of 1 to 8"),
        ({"block_out_channels": [8, 10**9]}, "from 1 to 4,096"),
        ({"block_out_channels": [8, 15]}, "do not go together"),
        ({"block_out_channels": [8, 16, 16]}, "do not go together"),
        ({"block_out_channels": [4096, 4096]}, r"would take \d+\.\d GB, and at most 1 GB"),
        ({"time_embedding_dim": 10**15}, "do not go together|would take"),
        ({"num_class_embeds": 10**9}, "from 1 to 10,000"),
        ({"num_class_embeds": 7}, "'class_embedding.weight' is missing"),
        ({"down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"]}, "only DownBlock2D, Attn"),
        ({"up_block_types": "UpBlock2D"}, "must be a list of names"),
        ({"down_block_types": ["DownBlock2D", ["x"]]}, "only DownBlock2D, Attn"),
        ({"down_block_types": ["DownBlock2D"] * 2}, "is not part of it"),
        ({"attention_head_dim": 0}, "do not go together"),
        ({"norm_num_groups": 3}, "do not go together"),
        ({"act_fn": "os.system"}, "do not go together"),
        ({"norm_eps": "x"}, "no answer|do not go together"),
        ({"mid_block_scale_factor": 0}, "not finite"),
        ({"class_embed_type": "timestep"}, "class_embed_type is timestep"),
        ({"center_input_sample": True}, "center_input_sample is true"),
        ({"time_embedding_type": "fourier"}, "as fourier features"),
        ({"time_embedding_type": "learned"}, "num_train_timesteps is null"),
    ],
)
def test_another_network(copy: Path, fields: dict[str, Any], why: str) -> None:
    change(copy / "unet" / "config.json", **fields)
    with pytest.raises(PipelineError, match=why) as caught:
        load_pipeline(copy)
    assert len(str(caught.value)) < 400
    assert "<" not in str(caught.value)


def test_what_a_config_says_beside_is_left_alone(copy: Path) -> None:
    change(copy / "unet" / "config.json", ema_decay=0.99, quantization_config={"x": 1}, _x=2)
    assert load_pipeline(copy).shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"beta_schedule": "quadratic"}, "only linear, scaled_linear"),
        ({"num_train_timesteps": 10**9}, "2 to 10,000 noisings"),
        ({"beta_end": 7}, "every beta is a variance"),
        ({"prediction_type": "flow"}, "predicts flow, and only epsilon, v_prediction, sample"),
        ({"prediction_type": ["epsilon"]}, "must be a word in quotes"),
        ({"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous"}, "as its logari"),
        ({"rescale_betas_zero_snr": True}, "chain ends in noise alone"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "no chain of betas"),
        ({"_class_name": "ScoreSdeVeScheduler", "sigma_min": 0.1, "sigma_max": 9}, "no chain of"),
        ({"trained_betas": [0.1, float("nan")]}, "NaN"),
    ],
)
def test_another_scheduler(copy: Path, fields: dict[str, Any], why: str) -> None:
    change(copy / "scheduler" / "scheduler_config.json", **fields)
    with pytest.raises(PipelineError, match=why):
        load_pipeline(copy)


def test_no_prediction_type_means_the_noise(copy: Path) -> None:
    change(copy / "scheduler" / "scheduler_config.json", prediction_type=None)
    assert load_pipeline(copy).denoiser.predicts == "eps"


def test_weights_that_are_missing(copy: Path) -> None:
    folder = copy / "unet"
    (folder / WEIGHTS).rename(folder / "diffusion_pytorch_model.fp16.safetensors")
    with pytest.raises(PipelineError, match=f"rename the file to {WEIGHTS}"):
        load_pipeline(copy)
    (folder / f"{WEIGHTS}.index.json").write_text("{}")
    with pytest.raises(PipelineError, match="cut into several files"):
        load_pipeline(copy)
    for path in folder.glob("diffusion*"):
        path.unlink()
    with pytest.raises(PipelineError, match=f"the file {WEIGHTS} is missing"):
        load_pipeline(copy)


def test_weights_that_are_damaged(copy: Path) -> None:
    path = copy / "unet" / WEIGHTS
    whole = path.read_bytes()
    for data in (b"", whole[:5], whole[:500], whole[:-8], whole + b"x", b"\xff" * 100):
        path.write_bytes(data)
        with pytest.raises(PipelineError, match="not a complete safetensors file"):
            load_pipeline(copy)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")
    with pytest.raises(PipelineError, match="git lfs pull"):
        load_pipeline(copy)
    with path.open("wb") as file:
        file.truncate(1_000_000_001)
    with pytest.raises(PipelineError, match=r"weights have 1\.0 GB, and at most 1 GB"):
        load_pipeline(copy)


def test_weights_that_list_too_much(copy: Path) -> None:
    entries = {
        f"t{k}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for k in range(11_000)
    }
    header = json.dumps(entries).encode()
    (copy / "unet" / WEIGHTS).write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(PipelineError, match="lists more than 10,000 tensors"):
        load_pipeline(copy)


@pytest.mark.parametrize(
    ("change_one", "why"),
    [
        (lambda part: part[:1].clone(), "F32 of shape .* needs F32, F16, BF16 or F64 of"),
        (lambda part: part.to(torch.int8), "I8 of shape"),
        (lambda part: part * torch.nan, "infinite number or none"),
        (lambda part: None, "'conv_in.weight' is missing"),
    ],
)
def test_weights_that_do_not_fit(
    copy: Path, change_one: Callable[[Tensor], Tensor | None], why: str
) -> None:
    path = copy / "unet" / WEIGHTS
    weights = safetensors.torch.load_file(path)
    changed = change_one(weights.pop("conv_in.weight"))
    if changed is not None:
        weights["conv_in.weight"] = changed
    safetensors.torch.save_file(weights, path)
    with pytest.raises(PipelineError, match=why):
        load_pipeline(copy)


def test_weights_that_belong_to_nothing(copy: Path) -> None:
    path = copy / "unet" / WEIGHTS
    weights = {**safetensors.torch.load_file(path), "<b>more": torch.ones(2)}
    safetensors.torch.save_file(weights, path)
    with pytest.raises(PipelineError, match="'bmore' is not part of it"):
        load_pipeline(copy)


def test_the_weights_may_be_replaced_afterwards(copy: Path) -> None:
    """What was read does not hang on the file, which could be cut short while it is in use."""
    denoiser = load_pipeline(copy).denoiser
    x_t = noise(1, (1, 8, 8))
    before = denoiser(x_t, 0.5)
    (copy / "unet" / WEIGHTS).write_bytes(b"")
    assert_close(denoiser(x_t, 0.5), before)


@pytest.mark.parametrize("place", ["", "nothing", "model_index.json"])
def test_what_is_no_pipeline(copy: Path, place: str) -> None:
    (copy / "model_index.json").unlink()
    with pytest.raises(PipelineError, match=r"There is no model_index\.json in"):
        load_pipeline(copy / place)


def test_messages_name_no_private_path(copy: Path) -> None:
    (copy / "model_index.json").unlink()
    with pytest.raises(PipelineError) as caught:
        load_pipeline(copy)
    assert str(copy.parent) not in str(caught.value)
