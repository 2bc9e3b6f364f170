"""The drawn dogs: a collar changes its own place and nothing else, and what ships knows it."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser
from diffviz.core.inversion import PATH
from diffviz.data.dogs import SIDE, Looks, collar_mask, draw, neck_mask, sample, sample_looks
from diffviz.models import pretrained
from diffviz.models.checkpoints import CheckpointError, load
from diffviz.models.pretrained import IMAGE_FOLDER, dog_classifier, dog_model
from diffviz.networks.classifier import accuracy
from diffviz.networks.unet import UNet, UNetConfig
from diffviz.studies import collar_rates, train, train_dogs
from diffviz.studies.collars import Necks, change, labels_of, trip
from diffviz.studies.evaluate import DrawConfig
from diffviz.studies.evaluate import draw as draw_asked

N = 200


@pytest.fixture(scope="module")
def looks() -> Looks:
    return sample_looks(N, seed=5)


def same(value: float | bool) -> Tensor:
    return torch.tensor([value])


def usual(**other: float | bool) -> Looks:
    """One dog in the middle that stands, looks to the right and has no collar."""
    flags = dict.fromkeys(("left", "sits", "pointed", "spotted", "collar"), False)
    numbers = {"tail": 0.5, "nod": 0.0, "muzzle": 1.0, "size": 0.9, "right": 0.0, "down": 0.0}
    wanted = {**flags, **numbers, "coat": 0.55, **other}
    return Looks(**{name: same(value) for name, value in wanted.items()})


# The drawings -----------------------------------------------------------------------------------


def test_a_sample_is_pictures_labels_and_looks_and_always_the_same() -> None:
    pictures, labels, found = sample(40, seed=3)
    assert pictures.shape == (40, 1, SIDE, SIDE)
    assert float(pictures.min()) >= -1
    assert float(pictures.max()) == 1, "white paper"
    assert torch.equal(labels, found.collar.long())
    assert torch.equal(sample(40, seed=3)[0], pictures)
    assert not torch.equal(sample(40, seed=4)[0], pictures)
    assert sample(0, seed=0)[0].shape == (0, 1, SIDE, SIDE)


def test_a_dog_does_not_depend_on_those_drawn_beside_it(looks: Looks) -> None:
    together = draw(looks)
    assert_close(draw(looks[7:8]), together[7:8], rtol=0, atol=1e-6)
    assert_close(sample(1500, 1)[0][1200:], draw(sample_looks(1500, 1)[1200:]), rtol=0, atol=1e-6)


def test_a_collar_changes_a_small_place_and_nothing_else(looks: Looks) -> None:
    with_, without = (draw(looks.wearing(worn))[:, 0] for worn in (True, False))
    changed = with_ != without
    count = changed.sum((1, 2))
    assert int(count.min()) >= 12, "it is seen"
    assert int(count.max()) <= 40, "and it is no coat"
    for mask in changed:
        rows, columns = (mask.any(axis).nonzero().flatten() for axis in (1, 0))
        assert int(rows[-1] - rows[0]) <= 7
        assert int(columns[-1] - columns[0]) <= 8
        assert int(rows[-1]) < 20, "above the legs"
    assert torch.equal(changed, collar_mask(looks))
    dark = torch.where(changed, with_, 1.0).amin((1, 2))
    assert float(dark.max()) < -0.7, "every collar has dark ink"
    assert float(torch.where(changed, without, 1.0).amin((1, 2)).min()) > -0.6, "where none was"


def test_the_neck_is_the_collar_and_its_surroundings(looks: Looks) -> None:
    collar, neck = collar_mask(looks), neck_mask(looks, reach=2)
    assert bool(neck[collar].all())
    away = neck & ~neck_mask(looks, reach=1)
    assert bool(away.any())
    assert not bool((away & collar).any())
    assert torch.equal(neck_mask(looks, reach=0), collar)


def test_a_dog_that_faces_left_is_the_mirror_of_one_that_faces_right(looks: Looks) -> None:
    turned = replace(looks, left=~looks.left, right=-looks.right)
    assert_close(draw(turned), draw(looks).flip(3), rtol=0, atol=1e-5)


def test_ink_does_not_depend_on_where_between_the_pixels_the_dog_stands() -> None:
    ink = [(1 - draw(usual(right=x, down=y))).sum() for x, y in ((0, 0), (0.37, 0.21), (0.5, -0.5))]
    assert_close(torch.stack(ink), ink[0].expand(3), rtol=0.01, atol=0)


@pytest.mark.parametrize(
    ("change", "touches", "leaves"),
    [
        ({"tail": 1.0}, slice(0, 8), slice(12, 28)),
        ({"pointed": True}, slice(14, 28), slice(0, 12)),
        ({"nod": 0.2}, slice(14, 28), slice(0, 12)),
        ({"spotted": True}, slice(6, 16), slice(18, 28)),
    ],
)
def test_an_attribute_changes_its_own_part(
    change: dict[str, float | bool], touches: slice, leaves: slice
) -> None:
    away = (draw(usual(**change)) - draw(usual()))[0, 0].abs()
    assert float(away[:, touches].max()) > 0.3
    assert float(away[:, leaves].max()) == 0


@pytest.mark.parametrize("change", [{"sits": True}, {"size": 0.85}, {"coat": 0.7}, {"muzzle": 0.8}])
def test_every_other_attribute_is_seen(change: dict[str, float | bool]) -> None:
    assert float((draw(usual(**change)) - draw(usual())).abs().max()) > 0.15


def test_the_collar_is_independent_of_everything_else() -> None:
    found = sample_looks(10_000, seed=0)
    collar = found.collar.double()
    assert float(collar.mean()) == pytest.approx(0.5, abs=0.02)
    for each in fields(Looks):
        if each.name == "collar":
            continue
        both = torch.stack([collar, getattr(found, each.name).double()])
        assert abs(float(torch.corrcoef(both)[0, 1])) < 0.04, each.name
    assert not bool(sample_looks(50, 0, share=0.0).collar.any())
    assert bool(sample_looks(50, 0, share=1.0).collar.all())


# Switching it -----------------------------------------------------------------------------------


class TwoGaussians(Denoiser):
    """E[x_0 | x_t] of N(mean, 1), mean -1 for label 0 and +1 for label 1; 0 for none."""

    def __call__(self, x_t: Tensor, t: Tensor | float, label: Tensor | None = None) -> Tensor:
        mean = torch.zeros(len(x_t)) if label is None else 2.0 * label - 1
        k2 = (PATH.sigma_max * float(t)) ** 2
        mean = mean.reshape(-1, 1, 1, 1).to(x_t.dtype)
        return (x_t + k2 * mean) / (1 + k2)


@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_a_trip_ends_where_the_closed_form_says(guidance: float) -> None:
    x = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    worn = torch.tensor([0, 1, 1])
    told: list[float] = []
    made = trip(TwoGaussians(), x, worn, 1 - worn, guidance, 60, watch=told.append)
    low = made.up[0].sigma
    own = (2.0 * worn - 1).reshape(-1, 1, 1, 1).to(x.dtype)
    shrink = ((1 + low**2) / (1 + PATH.sigma_max**2)) ** 0.5  # (x - mean) / sqrt(1 + k^2) stays
    wanted = -guidance * own
    expected = wanted + (own + (x - own) / shrink - wanted) * shrink
    assert_close(made.same[-1].x_t, x, rtol=0, atol=1e-3)
    assert_close(made.other[-1].x_t, expected, rtol=0, atol=1e-2)
    assert_close(made.noise, made.up[-1].x_t / PATH.sigma_max)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    assert len(made.up) == len(made.same) == len(made.other) == 61


def test_change_is_a_mean_over_the_mask() -> None:
    a, b = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    b[0, 0, 0, 0], b[1, 0, 1, 1] = 1.0, -0.5
    mask = torch.zeros(2, 2, 2, dtype=torch.bool)
    mask[:, 0] = True
    assert change(a, b, mask) == pytest.approx(1 / 4)
    assert change(a, b, ~mask) == pytest.approx(0.5 / 4)


def test_what_is_left_open_has_the_null_label() -> None:
    module = UNet(UNetConfig(widths=(16,), heads=0, classes=2), PATH, "x_0")
    assert labels_of(module, [True, False, None]).tolist() == [1, 0, module.null_label]


def test_the_neck_of_a_dog_is_found_without_its_looks() -> None:
    pictures, _, looks = sample(50, seed=11, share=0.0)
    found, true = Necks(4000).of(pictures), collar_mask(looks)
    assert float((found & true).sum() / true.sum()) > 0.9


# What ships -------------------------------------------------------------------------------------


def test_the_shipped_classifier_tells_fresh_dogs() -> None:
    pictures, labels, _ = sample(1000, seed=77)
    assert accuracy(dog_classifier(), pictures, labels) >= 0.995


def test_the_classifier_looks_at_the_collar_and_not_at_the_dog(looks: Looks) -> None:
    judge = dog_classifier()
    for worn in (True, False):
        seen = judge.probabilities(draw(looks.wearing(worn))).argmax(1)
        assert bool((seen == int(worn)).all())


@pytest.mark.parametrize("asked", [True, False])
def test_the_shipped_model_draws_the_collar_that_is_asked_for(asked: bool) -> None:
    found = dog_model()
    module = found.denoiser.module
    assert isinstance(module, UNet)
    config = DrawConfig(steps=12, guidance=collar_rates.GUIDANCE, seed=21)
    drawn = draw_asked(found.denoiser, labels_of(module, [asked] * 150), config)
    seen = dog_classifier().probabilities(drawn.pictures).argmax(1)
    assert float((seen == int(asked)).double().mean()) >= 0.95


def test_the_card_and_the_page_tell_the_same_measured_figures() -> None:
    kept, metrics = collar_rates.kept_figures(), dog_model().card.metrics
    figures = kept["figures"]
    assert {key: metrics[key] for key in figures} == figures
    assert kept["settings"]["samples"] >= 2000
    for key in ("with", "without"):
        assert figures[key] >= 0.95
    assert figures["open"] == pytest.approx(figures["data"], abs=0.1)
    assert figures["rest"] < 0.5 * figures["two_rest"], "the dog stays"
    assert figures["neck"] > 4 * figures["rest"], "the collar is what changes"
    assert figures["given_rest"] < figures["given_neck"]


def test_the_card_says_how_it_came_about() -> None:
    found = dog_model()
    module = found.denoiser.module
    assert isinstance(module, UNet)
    assert module.config == train_dogs.DOG_NETWORK
    assert found.card.training == train_dogs.DOG_CONFIG
    steps = train_dogs.DOG_CONFIG.steps
    assert found.card.command == f"python -m diffviz train dogs denoiser --steps {steps}"
    assert (IMAGE_FOLDER / "dogs.safetensors").stat().st_size < 2e6


# The commands -----------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_dogs, "DOGS", 200)
    monkeypatch.setattr(train_dogs, "_DOGS_TO_TELL", 256)
    monkeypatch.setattr(train_dogs, "_FRESH", 100)
    monkeypatch.setattr(train.torch, "set_num_threads", lambda count: None)


@pytest.mark.usefixtures("few")
def test_the_command_trains_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train.main(["dogs", "--steps", "2", "--into", str(tmp_path)])
    names = [f"dogs{part}.{end}" for part in ("", "-classifier") for end in ("json", "safetensors")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    card = load(tmp_path / "dogs").card
    assert (card.data, card.steps) == ("dogs", 2)
    judged = json.loads((tmp_path / "dogs-classifier.json").read_text())
    assert judged["command"] == "python -m diffviz train dogs classifier"
    assert 0 <= judged["metrics"]["accuracy"] <= 1
    monkeypatch.setattr(pretrained, "IMAGE_FOLDER", tmp_path)
    assert dog_classifier.__wrapped__().classes == 2
    with pytest.raises(SystemExit):
        train.main(["dogs", "cats"])


def test_the_report_measures_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for end in ("safetensors", "json"):
        shutil.copy(IMAGE_FOLDER / f"dogs.{end}", tmp_path)
    before = (tmp_path / "dogs.safetensors").read_bytes()
    monkeypatch.setattr(collar_rates, "IMAGE_FOLDER", tmp_path)
    monkeypatch.setattr(collar_rates, "KEPT", tmp_path / "dogs-figures.json")
    monkeypatch.setattr(collar_rates, "Necks", lambda: Necks(500))
    monkeypatch.setattr(collar_rates, "GIVEN_STEPS", 4)
    monkeypatch.setattr(collar_rates.torch, "set_num_threads", lambda count: None)
    collar_rates.main(["--samples", "10", "--given", "10", "--write"])
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    kept = collar_rates.kept_figures()
    assert kept == last
    assert load(tmp_path / "dogs").card.metrics["with"] == kept["figures"]["with"]
    assert (tmp_path / "dogs.safetensors").read_bytes() == before, "the weights are left alone"
    with pytest.raises(SystemExit):
        collar_rates.main(["--samples", "3"])
    assert "takes at least 10, not 3" in capsys.readouterr().err


def test_missing_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "IMAGE_FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match="train dogs classifier"):
        dog_classifier.__wrapped__()
    with pytest.raises(CheckpointError):
        dog_model.__wrapped__()
