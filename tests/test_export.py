"""The files that leave the app hold the numbers of the schedules."""

from __future__ import annotations

import csv
import io
import json

import pytest
import torch
from torch.testing import assert_close

from diffviz.curves import CONTINUOUS_STEPS, chain
from diffviz.export import curves_to_csv, curves_to_json
from diffviz.schedules import SCHEDULES, Custom, Linear, RectifiedFlow, zero_terminal_snr

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
