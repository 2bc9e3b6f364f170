"""The command behind the Arena's chart: what it prints, and what it keeps."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from diffviz import __main__ as verbs
from diffviz.measures.quality import METRICS, Row, SweepConfig
from diffviz.studies import sweeps


def test_it_measures_both_denoisers_prints_and_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    few = partial(SweepConfig, samplers=sweeps.SHOWN, budgets=(3, 10))
    monkeypatch.setattr(sweeps, "SweepConfig", few)
    place = tmp_path / "quality.json"
    line = ["--data", "two_gaussians", "--samples", "40", "--seeds", "1", "--json", str(place)]
    verbs.main(["quality", *line])
    told = capsys.readouterr()
    assert told.err == "", "no bar where nobody watches"
    last = json.loads(told.out.splitlines()[-1])
    assert set(last["at_10_evaluations"]) == set(sweeps.SHOWN)
    assert last["cells"] == 2 * 2 * len(sweeps.SHOWN)
    assert last["at_10_evaluations"]["heun"]["evaluations"] == 9
    assert all(title in told.out for title in METRICS.values())
    kept = json.loads(place.read_text("utf-8"))
    assert kept["data"] == "two_gaussians"
    assert kept["sweep"]["samples"] == 40
    rows = [Row.from_json(row) for row in kept["rows"]]
    assert {row.denoiser for row in rows} == {"exact", "learned", "floor"}
    assert rows[-1].denoiser == "floor"
    assert rows[-1].mean["mmd"] == pytest.approx(last["floor"]["mmd"], rel=1e-3)
