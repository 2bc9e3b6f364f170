"""Comparing generators: what is measured of a contender, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from diffviz.data.full_sets import SOURCES
from diffviz.models.pretrained import classifier, forger, vae
from diffviz.studies import bill, compare
from diffviz.studies.bill import read_bill
from diffviz.studies.compare import Contender, contenders, measure_contender
from diffviz.studies.evaluate import Reference


def _reference(judge: nn.Module) -> Reference:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(80, 1, 28, 28, generator=generator) * 2 - 1
    features = judge.features(pictures)  # type: ignore[operator]
    return Reference(features[:40], features[40:], 0.5)


def _noise(labels: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(len(labels), 784, generator=generator) * 2 - 1
    return (x @ torch.eye(784)).reshape(-1, 1, 28, 28)


def test_a_row_holds_what_the_bill_reads() -> None:
    judge = classifier("mnist")
    plain = Contender("vae", _noise, False, 1, 10, 2.0, 3.0)
    asked = Contender("gan_refined", _noise, True, 6, 10, 2.0, 3.0, level=0.25)
    rows = [measure_contender(c, judge, _reference(judge), 40) for c in (plain, asked)]
    floor = {"frechet": 0.1, "precision": 1.0, "recall": 1.0}
    kept = {"machine": "a machine", "mnist": {"samples": 40, "floor": floor, "rows": rows}}
    first, second = read_bill(json.loads(json.dumps(kept))).sets["mnist"].rows
    assert first.accuracy is None
    assert first.level is None
    assert second.level == 0.25
    assert 0 <= (second.accuracy or 0) <= 1
    assert sum(first.histogram) == pytest.approx(1, abs=1e-3)
    assert first.frechet == second.frechet > 0  # the same pictures


def test_multiply_adds_are_counted_as_they_are_done() -> None:
    conv = nn.Conv2d(1, 4, 3, padding=1)

    def draw(labels: Tensor, seed: int) -> Tensor:
        return conv(torch.zeros(len(labels), 1, 28, 28)).mean(1, keepdim=True)

    contender = Contender("vae", draw, False, 1, 1, 1.0, 1.0)
    assert compare._macs_drawn(contender, 10) == 28 * 28 * 9 * 4


@pytest.mark.parametrize("name", SOURCES)
def test_the_shipped_contenders_draw_and_say_what_they_cost(name: str) -> None:
    found = contenders(name)
    assert list(found) == [key for key in bill.TITLES if key in found]
    assert {"vae", "vae_latent", "gan", "diffusion"} <= set(found)
    labels = torch.tensor([3, 3])
    for contender in found.values():
        pictures = contender.draw(labels, 1)
        assert pictures.shape == (2, 1, 28, 28)
        assert float(pictures.abs().max()) <= 1
        assert torch.equal(pictures, contender.draw(labels, 1))
        assert contender.parameters > 0
        assert contender.train_macs > contender.train_seconds > 0
    assert found["diffusion"].nfe == 50
    assert found["vae_latent"].nfe == 26
    assert found["vae_latent"].train_macs > found["vae"].train_macs
    for kind in ("vae", "gan"):
        source, refined = found[kind], found[f"{kind}_refined"]
        assert source.nfe < refined.nfe < found["diffusion"].nfe
        before, after = (c.draw(torch.arange(20) % 10, 0) for c in (source, refined))
        kept = torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1]
        assert 0.7 < float(kept) < 1  # changed, but still the same pictures


@pytest.mark.parametrize("name", SOURCES)
def test_plain_contenders_are_the_shipped_models(name: str) -> None:
    found, labels = contenders(name), torch.tensor([5])
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(9))
    assert torch.equal(found["vae"].draw(labels, 9), vae(name, 16).decode(z))
    made = forger(name).draw(labels, torch.Generator().manual_seed(9))
    assert torch.equal(found["gan"].draw(labels, 9), made)


def test_rows_that_were_kept_stay_beside_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = classifier("mnist")
    entries = []
    for key in ("gan", "vae"):
        contender = Contender(key, _noise, key == "gan", 1, 10, 2.0, 3.0)
        row = measure_contender(contender, judge, _reference(judge), 40)
        floor = {"frechet": 0.1, "precision": 1.0, "recall": 1.0}
        entries.append({"samples": 40, "floor": floor, "rows": [row]})
    place = tmp_path / "generators.json"
    monkeypatch.setattr(bill, "KEPT", place)
    for entry in entries:
        monkeypatch.setattr(compare, "compare", lambda *_, entry=entry, **__: iter([entry]))
        compare.main(["mnist", "--samples", "40", "--write", "--threads", "1"])
    kept = read_bill(json.loads(place.read_text("utf-8")))
    assert [row.key for row in kept.sets["mnist"].rows] == ["vae", "gan"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last)["mnist"]["rows"][0]["key"] == "vae"


def test_figures_of_other_sample_counts_do_not_mix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table with rows of different sizes would compare what cannot be compared."""
    place = tmp_path / "generators.json"
    monkeypatch.setattr(bill, "KEPT", place)
    place.write_text(json.dumps({"mnist": {"samples": 100, "rows": [{"key": "gan"}]}}))
    for samples, keys in ((200, ["vae"]), (100, ["vae", "gan"])):
        merged = compare._merged("mnist", {"samples": samples, "rows": [{"key": "vae"}]})
        assert [row["key"] for row in merged["rows"]] == keys


def test_times_are_measured_anew_and_the_rest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contender = Contender("vae", _noise, False, 1, 10, 2.0, 3.0)
    judge = classifier("mnist")
    row = measure_contender(contender, judge, _reference(judge), 40)
    floor = {"frechet": 0.1, "precision": 1.0, "recall": 1.0}
    kept = {"machine": "old", "mnist": {"samples": 40, "floor": floor, "rows": [row]}}
    place = tmp_path / "generators.json"
    place.write_text(json.dumps(kept))
    monkeypatch.setattr(bill, "KEPT", place)
    monkeypatch.setattr(compare, "contenders", lambda _: {"vae": contender})
    monkeypatch.setattr(compare, "_seconds", lambda *_: 0.125)
    compare.main(["mnist", "--retime"])
    (after,) = json.loads(place.read_text("utf-8"))["mnist"]["rows"]
    assert after == {**row, "seconds_per_sample": 0.125}
    assert json.loads(place.read_text("utf-8"))["machine"] == compare.machine()
