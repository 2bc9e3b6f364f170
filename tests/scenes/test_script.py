"""Scripts that make a run again."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.grids import FILE
from diffviz.exchange.drawings import encode_points
from diffviz.scenes import models
from diffviz.scenes.configs import LOADED, DataConfig, Picture, SamplerConfig, ScheduleConfig
from diffviz.scenes.point_run import RunConfig, distance_of, made
from diffviz.scenes.script import can_be_written, python_script

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {"samples": 20, "sampler": SamplerConfig(steps=5)}
MOONS = DataConfig("moons", 50)
DRAWN = DataConfig("drawing", 40, drawing=encode_points([(-0.5, 0.2), (0.1, 0.4), (0.6, -0.3)]))
LEARNED = models.ModelConfig("shipped", "moons")


@pytest.mark.parametrize(
    "run",
    [
        RunConfig(MOONS, **SMALL),
        RunConfig(DataConfig("text", 60, 3, 'a "b"'), samples=9, sampler=SamplerConfig("ddpm")),
        RunConfig(DRAWN, ScheduleConfig("ve", params=(("sigma_max", 20.0),)), **SMALL),
        RunConfig(DataConfig("eight_gaussians", 50), points=False, **SMALL),
        RunConfig(DataConfig("digits", 30), samples=3, sampler=SamplerConfig(steps=4, seed=5)),
        RunConfig(DataConfig("skewed", 50), ScheduleConfig("linear", 100, zero_snr=True), **SMALL),
        RunConfig(MOONS, ScheduleConfig("custom", points=((0, 1), (0.4, 0.3), (1, 0))), **SMALL),
        RunConfig(
            MOONS,
            samples=20,
            sampler=SamplerConfig("heun", 6, "karras", variable="time"),
            moved=(3, 0.5, -1.5),
        ),
        RunConfig(MOONS, sampler=SamplerConfig("edm", 5, params=(("churn", 20.0),)), samples=20),
        RunConfig(MOONS, model=LEARNED, **SMALL),
        RunConfig(
            MOONS,
            ScheduleConfig(LOADED, source='{"_class_name":"PNDMScheduler","steps_offset":1}'),
            SamplerConfig("ddim", 5, FILE),
            samples=20,
        ),
    ],
    ids=lambda run: f"{run.data.name}-{run.schedule.name}-{run.sampler.name}",
)
def test_the_script_makes_the_same_run(run: RunConfig) -> None:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(python_script(run), "script", "exec"), names)
    own = made(run)
    for name in ("x_t", "x_0", "eps", "z"):
        ours, theirs = getattr(own, name), getattr(names["run"], name)
        if run.data.kind == "image":  # whose batch is cut between the cores, to the last few
            assert_close(theirs, ours, rtol=1e-5, atol=1e-5)
        else:
            assert torch.equal(theirs, ours)
    assert torch.equal(names["run"].evaluations, own.evaluations)
    assert f"{run.samples:,} samples" in out.getvalue()
    printed = float(out.getvalue().rsplit(" ", 1)[1])
    assert printed == pytest.approx(float(distance_of(run, own).values[-1]), abs=2e-4)


def test_it_runs_by_itself_and_imports_nothing_in_vain(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(python_script(RunConfig(MOONS, **SMALL)))
    lint = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,I", str(script)]
    assert subprocess.run(lint, cwd=ROOT, check=False).returncode == 0
    command = [sys.executable, str(script)]
    assert "PYTHONPATH" in script.read_text().splitlines()[0]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "sliced Wasserstein distance to the data" in done.stdout


def test_what_is_not_part_of_the_library_cannot_be_written() -> None:
    own = models.ModelConfig("own", "0123456789abcdef")
    picture = DataConfig("cloud", picture=Picture((1, 1, 1), b"0"))
    assert can_be_written(RunConfig(MOONS))
    assert not can_be_written(RunConfig(MOONS, model=own))
    assert not can_be_written(RunConfig(picture))
