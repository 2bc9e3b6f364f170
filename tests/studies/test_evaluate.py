"""Measuring the models of pictures: what the figures mean, and the command that keeps them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from diffviz.core.denoisers import Network
from diffviz.core.schedules import EDM
from diffviz.data.full_sets import Split
from diffviz.models import pretrained
from diffviz.models.checkpoints import Card, CheckpointError, load, save, write_card
from diffviz.networks.classifier import Classifier
from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.unet import UNetConfig
from diffviz.studies import evaluate
from diffviz.studies.evaluate import (
    PRECISIONS,
    DrawConfig,
    Reference,
    draw,
    even_labels,
    measure,
    table,
)
from tests.studies.squares import squares

QUICK = DrawConfig(steps=3, seed=4)
CLASSES = 10


def network(seed: int = 1) -> Network:
    """A tiny U-Net that answers to its label, though nothing was learned."""
    module = UNetConfig(widths=(16, 32), blocks=1, heads=0).build(EDM(), "x_0")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight += 0.03 * torch.randn(weight.shape, generator=generator)
    return Network(module.eval().requires_grad_(False), module.schedule, "x_0")


@pytest.fixture(scope="module")
def denoiser() -> Network:
    return network()


@pytest.fixture(scope="module")
def judge() -> Classifier:
    state = torch.random.get_rng_state()
    torch.manual_seed(2)
    found = Classifier().eval().requires_grad_(False)
    torch.random.set_rng_state(state)
    return found


@pytest.fixture(scope="module")
def split() -> Split:
    return Split(*squares(160, 0), *squares(80, 1))


@pytest.fixture(scope="module")
def reference(split: Split, judge: Classifier) -> Reference:
    return Reference.of(split, judge, 120)


# Drawing ----------------------------------------------------------------------------------------


def test_a_picture_does_not_depend_on_those_drawn_beside_it(denoiser: Network) -> None:
    labels = torch.tensor([3, 1, 4, 1, 5, 9, 2])
    at_once = draw(denoiser, labels, QUICK).pictures
    in_parts = draw(denoiser, labels, QUICK, batch=3, threads=2).pictures
    torch.testing.assert_close(in_parts, at_once, rtol=0, atol=1e-5)
    assert at_once.shape == (7, 1, 28, 28)
    assert at_once.min() >= -1
    assert at_once.max() <= 1
    again = draw(denoiser, labels, QUICK).pictures
    assert torch.equal(again, at_once)


def test_threads_change_nothing_for_a_sampler_with_noise_either(denoiser: Network) -> None:
    noisy, labels = replace(QUICK, sampler="ddpm"), even_labels(8, CLASSES)
    one = draw(denoiser, labels, noisy, batch=4)
    two = draw(denoiser, labels, noisy, batch=4, threads=2)
    assert torch.equal(one.pictures, two.pictures)
    plain = draw(denoiser, labels, replace(QUICK, sampler="ddim"), batch=4)
    assert not torch.equal(one.pictures, plain.pictures)


def test_it_draws_what_is_asked_for_from_the_seed_it_is_given(denoiser: Network) -> None:
    labels = torch.zeros(2, dtype=torch.int64)
    base = draw(denoiser, labels, QUICK).pictures
    for other, config in (
        (labels + 1, QUICK),
        (labels, replace(QUICK, seed=5)),
        (labels, replace(QUICK, guidance=4.0)),
    ):
        assert (draw(denoiser, other, config).pictures - base).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("sampler", "guidance", "calls"),
    [("dpmpp_2m", 1.0, 3), ("dpmpp_2m", 1.5, 6), ("heun", 1.0, 5), ("heun", 1.5, 10)],
)
def test_nfe_counts_the_calls_of_the_network(
    sampler: str, guidance: float, calls: int, denoiser: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []  # pictures, with and without a label in one batch
    forward = denoiser.module.forward
    monkeypatch.setattr(
        denoiser.module,
        "forward",
        lambda x, *a, **k: (counted.append(len(x)), forward(x, *a, **k))[1],
    )
    config = replace(QUICK, sampler=sampler, guidance=guidance)
    assert draw(denoiser, torch.tensor([1]), config).nfe == calls == sum(counted)


def test_labels_are_even() -> None:
    assert even_labels(25, 10).bincount().tolist() == [3] * 5 + [2] * 5


def test_what_cannot_draw_is_told(denoiser: Network) -> None:
    labels = torch.tensor([0])
    for config in (UNetConfig(widths=(16,), heads=0, classes=0), NetworkConfig()):
        other = Network(config.build(EDM(), "x_0"), EDM(), "x_0")
        with pytest.raises(ValueError, match="trained with classes"):
            draw(other, labels, QUICK)
    with pytest.raises(ValueError, match="there is no sampler 'magic'"):
        draw(denoiser, labels, replace(QUICK, sampler="magic"))


# Measuring --------------------------------------------------------------------------------------


def test_the_test_set_measures_perfectly_against_itself(
    split: Split, judge: Classifier, reference: Reference
) -> None:
    figures = measure(split.test, split.test_labels, judge, reference)
    assert figures["frechet"] < 1e-6 * figures["frechet_floor"]
    assert figures["precision"] == figures["recall"] == 1
    assert figures["accuracy"] == figures["accuracy_real"] == reference.accuracy


def test_accuracy_is_the_share_that_shows_what_was_asked_for(
    split: Split, judge: Classifier, reference: Reference
) -> None:
    seen = judge.probabilities(split.test).argmax(1)
    wrong = torch.where(torch.arange(len(seen)) < 20, (seen + 1) % CLASSES, seen)
    figures = measure(split.test, wrong, judge, reference)
    assert figures["accuracy"] == 1 - 20 / len(seen)


def test_real_pictures_measure_the_floor_and_noise_far_more(
    split: Split, judge: Classifier, reference: Reference
) -> None:
    fresh, labels = squares(80, 2)
    real = measure(fresh, labels, judge, reference)
    noise = torch.rand(fresh.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    bad = measure(noise, labels, judge, reference)
    for key in ("frechet", "precision", "recall"):
        assert bad[f"{key}_floor"] == real[f"{key}_floor"]
    assert real["frechet"] < 3 * real["frechet_floor"] < bad["frechet"] / 10
    assert bad["precision"] == 0
    assert real["precision"] > 0.5
    assert real["recall"] > 0.5


def test_one_kind_of_picture_is_precise_and_covers_little(
    judge: Classifier, reference: Reference
) -> None:
    pictures, labels = squares(400, 3)
    same = labels == 4
    figures = measure(pictures[same], labels[same], judge, reference)
    assert figures["recall"] < figures["recall_floor"] / 2
    assert figures["precision"] > 0.5


def test_the_floor_is_that_of_as_many_pictures(split: Split, judge: Classifier) -> None:
    reference = Reference.of(split, judge, 120)
    assert len(reference.train) == 120
    assert reference.floor_distance(20) > reference.floor_distance(120) > 0
    few = measure(split.train[:20], split.train_labels[:20], judge, reference)
    assert few["frechet_floor"] == reference.floor_distance(20)


def test_the_table_starts_every_sampler_from_the_same_noise(
    denoiser: Network, judge: Classifier, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "TABLE_STEPS", (1, 3))
    rows = list(table(denoiser, judge, reference, 10))
    assert [(row["sampler"], row["steps"]) for row in rows] == [
        (name, steps) for name in ("ddpm", "ddim", "dpmpp_2m", "heun") for steps in (1, 3)
    ]
    assert [row["nfe"] for row in rows] == [2, 6, 2, 6, 2, 6, 2, 10]
    assert len({row["frechet"] for row in rows if row["steps"] == 1}) == 1, "one step is one step"
    assert len({row["frechet"] for row in rows if row["steps"] == 3}) == 4


# The command ------------------------------------------------------------------------------------


@pytest.fixture
def shipped(
    tmp_path: Path,
    denoiser: Network,
    judge: Classifier,
    split: Split,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with a model of MNIST, and the command working on it."""
    card = Card("mnist", 0, 7, "python -m diffviz train images mnist", {"loss": 0.25})
    save(tmp_path / "mnist", denoiser, card, dtype=torch.float16)
    monkeypatch.setattr(evaluate, "IMAGE_FOLDER", tmp_path)
    monkeypatch.setattr(evaluate, "KEPT", tmp_path / "images.json")
    monkeypatch.setattr(evaluate, "DEFAULT", QUICK)
    monkeypatch.setattr(evaluate, "TABLE_STEPS", (1, 2))
    monkeypatch.setattr(evaluate, "image_model", lambda name: load(tmp_path / name))
    monkeypatch.setattr(evaluate, "classifier", lambda name: judge)
    monkeypatch.setattr(evaluate, "load_split", lambda name, data: split)
    monkeypatch.setattr(evaluate.torch, "set_num_threads", lambda count: None)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, dict[str, Any]]:
    """Run the command; return all it printed and the object on its last line."""
    evaluate.main([*arguments, "--threads", "1"])
    told = capsys.readouterr()
    assert told.err == "", "no progress where nobody watches"
    return told.out, json.loads(told.out.splitlines()[-1])


def test_the_command_keeps_figures_and_leaves_the_weights_alone(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = (shipped / "mnist.safetensors").read_bytes()
    (shipped / "images.json").write_text('{"fashion": {"figures": {"accuracy": 0.5}}}')
    few = ["mnist", "--samples", "12", "--guidance", "2"]
    _, told = run(capsys, *few, "--table", "--table-samples", "10", "--write")
    figures = told["mnist"]["figures"]
    names = {"accuracy_real", "nfe", "seconds_per_sample"}
    for name in ("frechet", "precision", "recall"):
        names |= {name, f"{name}_floor"}
    assert set(figures) == names | {"accuracy"}
    assert figures["nfe"] == 6
    assert (shipped / "mnist.safetensors").read_bytes() == weights
    card = load(shipped / "mnist").card
    assert card.metrics == {"loss": 0.25, **figures, "samples": 12, "guidance": 2.0}
    assert (card.data, card.steps) == ("mnist", 7)
    kept = json.loads((shipped / "images.json").read_text())
    assert set(kept) == {"mnist", "fashion"}, "what was not measured stays"
    assert kept["mnist"] == told["mnist"]
    assert kept["fashion"] == {"figures": {"accuracy": 0.5}}
    assert (kept["mnist"]["settings"]["samples"], kept["mnist"]["settings"]["guidance"]) == (12, 2)
    assert len(kept["mnist"]["table"]["rows"]) == 8
    run(capsys, *few, "--write")
    again = json.loads((shipped / "images.json").read_text())
    assert again["mnist"]["table"] == kept["mnist"]["table"], "it was not measured anew"
    assert not list(shipped.glob("*.partial"))


def test_nothing_is_written_unless_asked(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in shipped.iterdir()}
    out, told = run(capsys, "mnist", "--samples", "12")
    assert "table" not in told["mnist"]
    assert out.startswith("mnist ")
    assert {path: path.read_bytes() for path in shipped.iterdir()} == before


def test_figures_that_are_asked_for_twice_are_the_same(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (run(capsys, "mnist", "--samples", "12")[1]["mnist"] for _ in range(2))
    for entry in (first, second):
        del entry["figures"]["seconds_per_sample"]
    assert first == second


def test_the_readme_s_tables_come_from_what_was_kept(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"accuracy": 0.987, "accuracy_real": 0.994, "nfe": 50, "seconds_per_sample": 0.08}
    for name, value, floor in (("frechet", 1.5, 0.25), ("precision", 0.9, 0.95)):
        figures |= {name: value, f"{name}_floor": floor}
    figures |= {"recall": 0.8, "recall_floor": 0.94}
    rows = [
        {"sampler": s, "steps": n, "nfe": c, "frechet": 10 / c, "accuracy": 0.5, "seconds": 1.0}
        for s, counts in (("ddim", (2, 20)), ("dpmpp_2m", (2, 20)), ("heun", (2, 38)))
        for n, c in zip((1, 10), counts, strict=True)
    ]
    settings = {"samples": 2000, "guidance": 1.5, "precision": "float32"}
    entry = {"figures": figures, "table": {"settings": settings, "floor": 0.75, "rows": rows}}
    (shipped / "images.json").write_text(json.dumps({"mnist": entry}))
    evaluate.main(["--markdown"])
    assert capsys.readouterr().out.splitlines() == [
        "| | accuracy (real) | Fréchet distance (floor) | precision (floor) | recall (floor) "
        "| NFE |",
        "|---|---|---|---|---|---|",
        "| MNIST | 98.7% (99.4%) | 1.5 (0.25) | 0.900 (0.950) | 0.800 (0.940) | 50 |",
        "",
        "MNIST: Fréchet distance and, in brackets, accuracy of 2,000 pictures at guidance 1.5, in "
        "float32; as many real ones measure 0.75.",
        "",
        "| Steps | NFE | DDIM | DPM-Solver++ (2M) | NFE of Heun | Heun |",
        "|---|---|---|---|---|---|",
        "| 1 | 2 | 5 (50%) | 5 (50%) | 2 | 5 (50%) |",
        "| 10 | 20 | 0.5 (50%) | 0.5 (50%) | 38 | 0.263 (50%) |",
    ]


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    """How the command ends, and what it says."""
    with pytest.raises(SystemExit) as end:
        evaluate.main([*arguments])
    return end.value.code, capsys.readouterr().err


def test_pictures_that_are_missing_are_told(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(evaluate, "image_model", lambda name: load(shipped / name))
    monkeypatch.setattr(evaluate, "classifier", lambda name: None)
    monkeypatch.setattr(evaluate.torch, "set_num_threads", lambda count: None)
    code, said = ended(capsys, "mnist", "--data", str(shipped / "nowhere"))
    assert code == 1
    assert said.startswith("The pictures of mnist are not in")
    assert "python -m diffviz fetch mnist" in said


def test_models_that_are_missing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pretrained, "IMAGE_FOLDER", tmp_path)
    monkeypatch.setattr(evaluate.torch, "set_num_threads", lambda count: None)
    pretrained.image_model.cache_clear()
    code, said = ended(capsys, "mnist")
    assert code == 1
    assert "there is no file mnist.safetensors" in said


def test_a_table_of_nothing_is_told(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ended(capsys, "--markdown")
    assert code == 1
    assert "Nothing has been measured yet" in said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["emnist"], "there is no data set 'emnist': choose some of mnist, fashion"),
        (["--data", "pictures"], "--data is the folder of one set of pictures: name the set"),
        (["mnist", "--samples", "3"], "argument --samples: takes at least 10, not 3"),
        (["mnist", "--threads", "0"], "argument --threads: takes at least 1, not 0"),
    ],
)
def test_what_cannot_be_measured_is_told(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = ended(capsys, *arguments)
    assert code == 2
    assert why in said


def test_a_card_is_only_written_to_the_weights_it_belongs_to(shipped: Path, tmp_path: Path) -> None:
    found = load(shipped / "mnist")
    metrics = {**found.card.metrics, "frechet": 1.0}
    assert write_card(shipped / "mnist", replace(found.card, metrics=metrics)).name == "mnist.json"
    assert load(shipped / "mnist").card.metrics == metrics
    shutil.copy(shipped / "mnist.json", shipped / "other.json")
    save(shipped / "third", network(seed=2), found.card, dtype=torch.float16)
    shutil.copy(shipped / "third.safetensors", shipped / "other.safetensors")
    before = (shipped / "other.json").read_bytes()
    with pytest.raises(CheckpointError, match="belongs to other weights"):
        write_card(shipped / "other", found.card)
    assert (shipped / "other.json").read_bytes() == before


def test_half_the_precision_draws_nearly_the_same(denoiser: Network) -> None:
    labels = even_labels(12, CLASSES)
    full, half = (draw(denoiser, labels, replace(QUICK, precision=p)).pictures for p in PRECISIONS)
    assert half.dtype == full.dtype
    assert not torch.equal(full, half)
    assert float((full - half).square().mean()) < 1e-3 * float(full.var())
    with pytest.raises(ValueError, match="precision"):
        DrawConfig(precision="float16")
