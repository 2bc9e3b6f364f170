"""The files that leave the app hold the numbers and the pictures that it shows."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch.testing import assert_close

from diffviz.core.denoisers import Exact
from diffviz.core.distributions import Empirical
from diffviz.core.grids import make_grid
from diffviz.core.samplers import DDIM
from diffviz.core.schedules import SCHEDULES, Custom, Linear, RectifiedFlow, zero_terminal_snr
from diffviz.core.trajectory import Trajectory
from diffviz.exchange.export import (
    curves_to_csv,
    curves_to_json,
    images_to_gif,
    points_to_gif,
    samples_to_csv,
    trajectory_to_npz,
)
from diffviz.measures.curves import CONTINUOUS_STEPS, chain

COLUMNS = ["t", "alpha", "sigma", "alpha_bar", "snr", "log_snr", "beta", "posterior_variance"]


def test_csv_holds_every_noising() -> None:
    schedules = {"linear": Linear(30), "flow, straight": RectifiedFlow()}
    rows = list(csv.DictReader(io.StringIO(curves_to_csv(schedules))))
    assert list(rows[0]) == ["schedule", "k", *COLUMNS]
    assert len(rows) == 30 + CONTINUOUS_STEPS
    for name, schedule in schedules.items():
        mine = [row for row in rows if row["schedule"] == name]
        table = chain(schedule)
        assert [int(row["k"]) for row in mine] == list(range(1, len(mine) + 1))
        for column in COLUMNS:
            written = torch.tensor([float(row[column]) for row in mine], dtype=torch.float64)
            assert_close(written, getattr(table, column), rtol=1e-9, atol=0)


def test_json_holds_the_same_and_the_parameters() -> None:
    schedules = {"a": Linear(5, beta_end=0.3), "b": Custom()}
    first, second = json.loads(curves_to_json(schedules))["schedules"]
    assert first["name"] == "a"
    assert first["class"] == "Linear"
    assert first["parameters"] == {"T": 5, "beta_start": 1e-4, "beta_end": 0.3}
    assert first["discrete"]
    assert first["steps"] == 5
    assert_close(torch.tensor(first["beta"], dtype=torch.float64), Linear(5, beta_end=0.3).betas)
    assert second["parameters"]["points"][1] == [0.25, 0.85]
    assert not second["discrete"]
    assert len(second["log_snr"]) == CONTINUOUS_STEPS


def test_minus_infinity_survives() -> None:
    schedule = zero_terminal_snr(Linear(4))
    (entry,) = json.loads(curves_to_json({"z": schedule}))["schedules"]
    assert entry["log_snr"][-1] is None
    assert entry["alpha"][-1] == 0
    assert curves_to_csv({"z": schedule}).splitlines()[-1].split(",")[7] == "-inf"


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_can_leave(name: str) -> None:
    schedule = SCHEDULES[name]()
    assert json.loads(curves_to_json({name: schedule}))["schedules"][0]["name"] == name
    assert curves_to_csv({name: schedule}).startswith("schedule,k,t,")


def test_nothing_selected_is_an_empty_table() -> None:
    assert curves_to_csv({}).splitlines() == ["schedule,k," + ",".join(COLUMNS)]
    assert json.loads(curves_to_json({})) == {"schedules": []}


def test_a_run_comes_back_from_its_file() -> None:
    x_1 = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    denoiser = Exact(Empirical(torch.eye(2)), Linear())
    grid = make_grid(Linear(), 3, "trailing")
    run = Trajectory.stack(DDIM().iterate(denoiser, Linear(), grid, x_1))
    read = np.load(io.BytesIO(trajectory_to_npz(run)), allow_pickle=False)
    assert set(read.files) == {field.name for field in fields(Trajectory)}
    for name in read.files:
        assert np.array_equal(read[name], getattr(run, name).numpy())


def test_samples_become_a_table() -> None:
    assert samples_to_csv(torch.tensor([[0.5, -2.0], [1 / 3, 1e-9]])).splitlines() == [
        "x_1,x_2",
        "0.5,-2",
        "0.3333333,1e-09",
    ]
    assert samples_to_csv(torch.zeros(2, 1, 2, 2)).splitlines()[0] == "x_1,x_2,x_3,x_4"


def test_a_point_is_where_it_is_in_the_animation() -> None:
    x = torch.tensor([[[-1.5, 1.5]], [[1.5, -1.5]], [[9.0, 0.0]]])
    read = Image.open(io.BytesIO(points_to_gif(x, (-3, 3), side=40, seconds=0.3)))
    frames = [np.asarray(f.convert("RGB")).astype(int) for f in ImageSequence.Iterator(read)]
    ink = [(frame != 255).any(-1) for frame in frames]
    assert [tuple(np.argwhere(i).mean(0)) for i in ink[:2]] == [(10, 10), (30, 30)]
    assert not ink[2].any()
    assert read.info["loop"] == 0


def test_pictures_stand_in_rows() -> None:
    x = torch.stack([torch.full((1, 2, 2), v) for v in (-1.0, 0.0, 1.0)])[None].repeat(
        2, 1, 1, 1, 1
    )
    read = Image.open(io.BytesIO(images_to_gif(x, columns=2, zoom=3)))
    sheet = np.asarray(read.convert("L"))
    assert sheet.shape == (12, 12)
    assert [sheet[2, 2], sheet[2, 8], sheet[8, 2], sheet[8, 8]] == [0, 128, 255, 255]
