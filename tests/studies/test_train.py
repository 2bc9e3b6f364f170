"""The command that trains what ships: a model and a card that says how it came about."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from diffviz import __main__ as verbs
from diffviz.models.checkpoints import load, write_card
from diffviz.studies import report, train

DISTANCES = {"sliced_wasserstein", "energy_distance", "mmd"}
FIGURES = {name + end for name in DISTANCES for end in ("", "_floor", "_independent")} | {"nll"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little data, and few samples to measure on."""
    monkeypatch.setattr(train, "POINTS", 400)
    few = partial(report.report, draws=2, likely=6, likely_steps=2)
    for name, value in {"POINTS": 400, "_SAMPLES": 60, "_STEPS": 4, "report": few}.items():
        monkeypatch.setattr(report, name, value)
    monkeypatch.setattr(train.torch, "set_num_threads", lambda count: None)


def test_it_trains_a_model_and_writes_its_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "new" / "folder"
    train.main(["points", "moons", "two_gaussians", "--steps", "4", "--into", str(into)])
    assert {path.name for path in into.iterdir()} == {
        f"{name}.{end}" for name in ("moons", "two_gaussians") for end in ("safetensors", "json")
    }
    for name, dim in (("moons", 2), ("two_gaussians", 1)):
        found = load(into / name)
        card = found.card
        assert (card.data, card.seed, card.steps) == (name, train.CONFIG.seed, 4)
        assert card.training is not None
        assert (card.training.steps, card.training.lr) == (4, train.CONFIG.lr)
        exact = {"nll_exact"} if name == "two_gaussians" else set()
        assert set(card.metrics) == FIGURES | {"seconds"} | exact
        module = found.denoiser.module
        assert (module.config.dim, module.config.classes) == (dim, 2)
        assert module.config.width == train.NETWORK.width
    told = capsys.readouterr()
    assert [line.split()[0] for line in told.out.splitlines()] == ["moons", "two_gaussians"]
    assert "sliced_wasserstein_floor 0." in told.out
    assert told.err == "", "nothing but results where nobody watches"


def test_the_command_on_the_card_makes_the_same_model(tmp_path: Path) -> None:
    train.main(["points", "heart", "--steps", "3", "--into", str(tmp_path / "a")])
    command = shlex.split(load(tmp_path / "a" / "heart").card.command)
    assert command[:3] == ["python", "-m", "diffviz"]
    verbs.main([*command[3:], "--into", str(tmp_path / "b")])
    first, second = (load(tmp_path / folder / "heart").denoiser for folder in "ab")
    for one, other in zip(first.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(one, other)
    assert first.module.config.classes == 0, "a set of one class takes no label"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["points", "moon"], "there is no data set 'moon': choose some of two_gaussians"),
        (["points", "text"], "there is no data set 'text'"),
        (["points", "moons", "--steps", "0"], "--steps: takes at least 1, not 0"),
        (["points", "moons", "--steps", "many"], "'many' is no whole number"),
        (["pictures"], "invalid choice: 'pictures'"),
        (["images", "--data", "."], "name the set"),
        ([], "required: KIND"),
    ],
)
def test_what_cannot_be_trained_is_told(
    arguments: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = ["--into", str(tmp_path)] if arguments[:1] == ["points"] else []
    with pytest.raises(SystemExit) as ended:
        train.main([*arguments, *into])
    assert ended.value.code != 0
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_takes_no_files_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        train.main(["points", "moons", "--into", str(tmp_path / "file")])
    assert "there is no place for the files" in capsys.readouterr().err


def test_training_that_diverges_writes_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "CONFIG", replace(train.CONFIG, lr=50.0))
    with pytest.raises(SystemExit) as ended:
        train.main(["points", "moons", "--steps", "200", "--into", str(tmp_path)])
    assert ended.value.code == 1
    assert "moons: Training diverged at step" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_measured_again_and_its_card_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.main(["points", "moons", "--steps", "4", "--into", str(tmp_path)])
    card = load(tmp_path / "moons").card
    wrong = {**card.metrics, "mmd": 7.0}
    write_card(tmp_path / "moons", replace(card, metrics=wrong))
    capsys.readouterr()
    verbs.main(["report", "moons", "--from", str(tmp_path)])
    row = next(row for row in capsys.readouterr().out.splitlines() if " mmd " in row)
    assert row.split() == ["moons", "mmd", f"{card.metrics['mmd']:g}", "on", "the", "card:", "7"]
    assert load(tmp_path / "moons").card.metrics == wrong, "it only looks"
    verbs.main(["report", "moons", "--from", str(tmp_path), "--write"])
    again = load(tmp_path / "moons").card.metrics
    assert again["mmd"] == pytest.approx(card.metrics["mmd"], rel=0.05)  # weights were rounded
