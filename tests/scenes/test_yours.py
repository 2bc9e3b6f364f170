"""Pictures and pipelines that people bring are run as they are, and what cannot be is told."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffviz.core.grids import FILE
from diffviz.exchange.uploads import UploadError
from diffviz.scenes import yours as yours_run
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import LOADED, SamplerConfig, ScheduleConfig
from diffviz.scenes.yours import (
    YoursRun,
    affordable,
    folders,
    held,
    hold,
    pipelines,
    yours,
)
from tests.peers import diffusers

SAMPLER = SamplerConfig("dpmpp_2m", 12, "log_snr")


def png(seed: int, side: int = 20) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def archive(count: int = 6) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for k in range(count):
            out.writestr(f"../../pictures/{k}.png", png(k))
        out.writestr("notes.txt", "not a picture")
    return file.getvalue()


def test_runs_on_a_zip_end_on_its_pictures() -> None:
    digest, found = hold(archive())
    assert held(digest) is found
    assert found.images.shape == (6, 3, 32, 32)
    run = YoursRun("zip", digest, sampler=SAMPLER, count=5)
    made = yours(run)
    assert run.badge == "exact"
    assert made.frames == 13
    assert made.away.max() < 0.02
    assert set(made.nearest) <= set(found.names)
    header, _ = decode(made.buffer)
    assert header["panels"][0]["badge"] == "exact"
    assert len(header["rail"]["levels"]) == 2


def test_a_zip_without_pictures_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("notes.txt", "not a picture")
    with pytest.raises(UploadError, match=r"notes\.txt"):
        hold(file.getvalue())


def test_pictures_that_were_let_go_are_told() -> None:
    with pytest.raises(ValueError, match="no longer in memory"):
        affordable(YoursRun("zip", "0123456789abcdef"))


def test_only_so_many_zips_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yours_run, "_MOST_HELD", 2)
    digests = [hold(archive(count))[0] for count in (1, 2, 3)]
    assert held(digests[0]) is None
    assert held(digests[2]) is not None


def test_folders_of_the_server_are_offered_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cats").mkdir()
    for k in range(3):
        (tmp_path / "cats" / f"{k}.png").write_bytes(png(k))
    gone = tmp_path / "gone"
    monkeypatch.setenv(yours_run.FOLDERS, os.pathsep.join([str(tmp_path / "cats"), str(gone)]))
    assert folders() == {"cats": tmp_path / "cats"}
    made = yours(YoursRun("folder", "cats", sampler=SAMPLER, count=2))
    assert made.away.max() < 0.02


@pytest.fixture
def pipeline_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline of random weights, offered by the server."""
    unet = diffusers().UNet2DModel(
        sample_size=16,
        in_channels=3,
        out_channels=3,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    folder = tmp_path / "random"
    diffusers().DDPMPipeline(
        unet, diffusers().DDPMScheduler(num_train_timesteps=100)
    ).save_pretrained(folder)
    monkeypatch.setenv("DIFFVIZ_PIPELINES", str(folder))
    yours_run.pipeline.cache_clear()
    return folder


def test_a_pipeline_of_the_server_is_run_on_any_path(pipeline_folder: Path) -> None:
    assert pipelines() == {"random": pipeline_folder}
    run = YoursRun("pipeline", "random", sampler=replace(SAMPLER, steps=4), count=2)
    made = yours(run)
    assert run.badge == "learned"
    assert made.x.shape == (2, 3, 16, 16)
    assert made.nearest == ()
    assert np.isfinite(made.x).all()
    clipped = yours(replace(run, clipped=True))
    assert np.abs(clipped.x).max() <= 1


def test_long_runs_are_cut_to_what_can_be_had() -> None:
    digest, _ = hold(archive(6))
    run = YoursRun("zip", digest, count=64, sampler=replace(SAMPLER, steps=12))
    assert affordable(run) == 64
    assert 1 <= affordable(replace(run, sampler=replace(SAMPLER, steps=100_000))) < 64


def test_a_pipeline_runs_as_its_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own stops and range, from the file in its folder: nothing of it is chosen by hand."""
    network = diffusers().UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    scheduler = diffusers().DDPMScheduler(num_train_timesteps=100, timestep_spacing="trailing")
    diffusers().DDPMPipeline(network, scheduler).save_pretrained(tmp_path / "by-its-file")
    monkeypatch.setenv("DIFFVIZ_PIPELINES", str(tmp_path / "by-its-file"))
    source = yours_run.scheduler_of("pipeline", "by-its-file")
    assert source is not None
    schedule = ScheduleConfig(LOADED, source=source)
    sampler = SamplerConfig("ddpm", 4, FILE)
    run = YoursRun("pipeline", "by-its-file", schedule, sampler, count=2)
    assert run.by_its_file
    grid = sampler.grid(schedule.build())
    assert (grid * 100).round().tolist() == [100, 75, 50, 25, 0]
    assert yours(run).x.max() <= 1
    assert "trailing" in yours_run.about_file(run)
    assert "x_0 is clipped to ±1" in yours_run.about_file(run)
    assert yours_run.scheduler_of("zip", "0123") is None
