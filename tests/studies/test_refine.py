"""Refining: what a level means, what is measured over the levels, and what is kept of it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser, Network
from diffviz.core.noising import noise_like
from diffviz.core.samplers import DPMpp2M
from diffviz.core.schedules import EDM
from diffviz.data.full_sets import SOURCES, Split
from diffviz.models.checkpoints import CheckpointError
from diffviz.models.modules import save_module
from diffviz.networks.classifier import Classifier
from diffviz.networks.gan import GANConfig
from diffviz.networks.vae import VAEConfig
from diffviz.studies import refine
from diffviz.studies.evaluate import Reference
from diffviz.studies.refine import (
    KINDS,
    LEVELS,
    STEPS,
    Curve,
    Floor,
    Samples,
    curve,
    floor_of,
    keep,
    noise_generator,
    on_path,
    path,
    refined,
    source_pictures,
    stored,
)
from tests.studies.squares import squares

STD = 0.5


class Gaussian(Denoiser):
    """E[x_0 | x_t] of pixels that are N(m, STD^2); m is the label in tenths, 0 without one."""

    exact = True

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, x_t: Tensor, t: Tensor | float, **cond: Any) -> Tensor:
        self.calls.append(len(x_t))
        alpha, sigma = path()[0].at(float(t))
        mean = cond.get("label", torch.zeros(1)).reshape(-1, 1, 1, 1) / 10
        gain = alpha * STD**2 / (alpha**2 * STD**2 + sigma**2)
        answer: Tensor = mean + gain * (x_t - alpha * mean)
        return answer


class Shrunk(nn.Module):
    """Answers with the picture, a little paler; the class makes it lighter."""

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        lighter = 0.0 if label is None else 0.02 * label.reshape(-1, 1, 1, 1)
        return (0.9 * x / (1 + x.square()).sqrt() + lighter).clamp(-1, 1)


@pytest.fixture(scope="module")
def judge() -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return Classifier().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def split() -> Split:
    return Split(*squares(60, 0), *squares(50, 1))


@pytest.fixture(scope="module")
def reference(split: Split, judge: Classifier) -> Reference:
    return Reference.of(split, judge, 40)


# What a level means -----------------------------------------------------------------------------


def test_level_nought_returns_the_samples_to_the_bit() -> None:
    pictures, denoiser = squares(5, 3)[0], Gaussian()
    made = refined(pictures, 0.0, denoiser)
    assert torch.equal(made.pictures, pictures)
    assert made.calls == 0
    assert denoiser.calls == []


def test_level_one_is_a_fresh_sample_from_the_same_noise() -> None:
    (schedule, times), denoiser = path(), Gaussian()
    black, white = (torch.full((4, 1, 28, 28), value) for value in (-1.0, 1.0))
    noise = noise_generator(7).like(black)
    start = schedule.prior_std(times[0].item()) * noise
    fresh = DPMpp2M().sample(denoiser, schedule, times, start).clamp(-1, 1)
    for pictures in (black, white):
        assert torch.equal(refined(pictures, 1.0, denoiser, seed=7).pictures, fresh)
    assert not torch.equal(refined(black, 1.0, denoiser, seed=8).pictures, fresh)


def test_the_noise_is_of_its_seed_and_not_what_made_the_samples() -> None:
    """Far from every seed that a reader can choose, so that no sample meets its own noise."""
    first = [
        noise_like(torch.empty(4), made)
        for seed in (0, 1, 99_999)
        for made in (torch.Generator().manual_seed(seed), noise_generator(seed))
    ]
    assert len({tuple(noise.tolist()) for noise in first}) == 6
    made = noise_generator(5)
    made.like(torch.empty(4))
    assert made.initial_seed() - 5 > 1_000_000


def test_the_seed_reaches_the_noise_at_every_level(judge: Classifier, reference: Reference) -> None:
    pictures, labels = squares(12, 3)
    levels = (0.0, 0.4, 1.0)
    one, same, other = (
        curve(Samples(pictures, labels), Gaussian(), judge, reference, levels, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one == same
    assert [a == b for a, b in zip(one.moved, other.moved, strict=True)] == [True, False, False]


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_a_whole_number_of_steps_and_a_time(level: float) -> None:
    denoiser = Gaussian()
    made = refined(squares(3, 0)[0], level, denoiser)
    assert made.calls == len(denoiser.calls) == pytest.approx(STEPS * level)
    assert path()[1][STEPS - made.calls].item() == pytest.approx(level)


@pytest.mark.parametrize("level", [0.16, 0.4, 0.64])
def test_of_gaussian_data_the_way_back_is_known(level: float) -> None:
    """The probability flow scales x_t by STD over the standard deviation of x_t."""
    x = 0.3 * squares(6, 5)[0]
    alpha, sigma = path()[0].at(level)
    noise = noise_generator(0).like(x)
    exact = STD * (alpha * x + sigma * noise) / (alpha**2 * STD**2 + sigma**2) ** 0.5
    made = refined(x, level, Gaussian()).pictures
    away = (made - exact.clamp(-1, 1)).square().mean().sqrt()
    assert away < 0.03 * exact.square().mean().sqrt()


def test_a_picture_does_not_depend_on_those_beside_it_and_keeps_its_own_label() -> None:
    pictures, labels = squares(7, 0)
    whole = refined(pictures, 0.52, Gaussian(), labels, seed=3).pictures
    denoiser = Gaussian()
    parts = refined(pictures, 0.52, denoiser, labels, seed=3, batch=3).pictures
    assert torch.equal(parts, whole)
    assert denoiser.calls == [3] * 13 + [3] * 13 + [1] * 13
    bare = refined(pictures, 0.52, Gaussian(), seed=3).pictures
    assert torch.equal(whole[0], bare[0])  # label 0 stands for no class here
    assert not torch.equal(whole[1], bare[1])


def test_levels_outside_the_path_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        refined(squares(2, 0)[0], 1.2, Gaussian())


# Samples of the other models --------------------------------------------------------------------


def test_samples_are_drawn_from_the_prior_or_for_each_class_in_turn(tmp_path: Path) -> None:
    save_module(tmp_path / "mnist-vae16", VAEConfig(16).build(), {})
    save_module(tmp_path / "mnist-gan", GANConfig().build()[0], {})
    for kind in KINDS:
        few, again, other = (
            source_pictures("mnist", kind, count, seed, tmp_path)
            for count, seed in ((12, 0), (12, 0), (12, 1))
        )
        assert few.pictures.shape == (12, 1, 28, 28)
        assert few.pictures.abs().max() <= 1
        assert torch.equal(few.pictures, again.pictures)
        assert not torch.equal(few.pictures, other.pictures)
        fewer = source_pictures("mnist", kind, 5, 0, tmp_path)
        assert_close(few.pictures[:5], fewer.pictures, rtol=0, atol=1e-5)
        if kind == "vae":
            assert few.labels is None
        else:
            assert few.labels is not None
            assert few.labels.tolist() == [*range(10), 0, 1]


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    for kind in KINDS:
        with pytest.raises(CheckpointError, match=r"python -m diffviz train"):
            source_pictures("mnist", kind, 1, 0, tmp_path)
    with pytest.raises(ValueError, match="one of vae, gan"):
        source_pictures("mnist", "flow", 1, 0)  # type: ignore[arg-type]


# Measuring --------------------------------------------------------------------------------------


def test_a_curve_starts_from_the_samples_themselves(
    judge: Classifier, reference: Reference
) -> None:
    pictures, labels = squares(30, 4)
    denoiser = on_path(Network(Shrunk(), EDM(), "x_0"))
    with_classes = curve(Samples(pictures, labels), denoiser, judge, reference, (0.0, 0.4, 1.0))
    part = curve(Samples(pictures, None), denoiser, judge, reference, (0.0, 0.4, 1.0))
    assert part == curve(Samples(pictures, None), denoiser, judge, reference, (0.0, 0.4, 1.0))
    assert set(asdict(part)) == {
        *("levels", "calls", "frechet", "precision", "recall", "confidence", "stayed"),
        *("moved", "moved_features", "agreement", "best"),
    }
    features = judge.features(pictures)
    assert part.frechet[0] == pytest.approx(reference.distance(features), rel=1e-4)
    assert part.calls == (0, 10, 25)
    assert (part.stayed[0], part.moved[0], part.moved_features[0]) == (1, 0, 0)
    assert 0 < part.moved[1] < part.moved[2]
    assert part.frechet[part.at(part.best)] == min(part.frechet)
    assert part.agreement is None
    assert with_classes.agreement is not None
    seen = judge.probabilities(pictures).argmax(1)
    assert with_classes.agreement[0] == pytest.approx(float((seen == labels).double().mean()))
    assert with_classes.moved[2] != part.moved[2]
    with pytest.raises(ValueError, match="from level 0 on"):
        curve(Samples(pictures, None), denoiser, judge, reference, (0.4, 1.0))


def test_the_floor_is_what_sets_of_real_pictures_measure_on_average(
    judge: Classifier, reference: Reference
) -> None:
    parts = reference.train.split(15)
    assert [len(part) for part in parts] == [15, 15, 10]
    mean = sum(reference.distance(part) for part in parts[:2]) / 2
    floor = floor_of(reference, judge, 15)
    assert floor.frechet == pytest.approx(mean, rel=1e-4)
    assert 0.1 <= floor.confidence <= 1
    whole = floor_of(reference, judge, 500)  # more than there are
    assert whole.frechet == pytest.approx(reference.distance(reference.train), rel=1e-4)


def made_up(**changed: Any) -> Curve:
    figures = {
        "levels": (0.0, 0.4, 1.0),
        "calls": (0, 10, 25),
        "frechet": (3.0, 2.0, 1.0),
        "stayed": (1.0, 0.8, 0.1),
        "agreement": None,
        "best": 1.0,
    }
    rest = ("precision", "recall", "confidence", "moved", "moved_features")
    return Curve(**dict.fromkeys(rest, (0.0, 0.4, 0.9)) | figures | changed)


def test_the_best_faithful_level_keeps_three_quarters() -> None:
    assert made_up().faithful == 0.4
    assert made_up(stayed=(1.0, 0.74, 0.1)).faithful == 0.0
    assert made_up(stayed=(1.0, 0.9, 0.9)).faithful == 0.4, "told its class, even a fresh one stays"
    assert made_up(frechet=(1.0, 2.0, 3.0), best=0.0).faithful == 0.0


@pytest.mark.parametrize(
    "wrong", [{"frechet": (1.0,)}, {"best": 0.3}, {"levels": (0.2, 0.4, 1.0), "best": 0.4}]
)
def test_a_curve_whose_parts_do_not_belong_together_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one figure for each level"):
        made_up(**wrong)


# What is kept -----------------------------------------------------------------------------------

FLOOR = Floor(0.1, 0.9, 0.8, 0.99)


def test_what_is_kept_comes_back_and_other_kinds_stay(tmp_path: Path) -> None:
    place = tmp_path / "refine.json"
    assert stored("mnist", "vae", place) is None
    keep("fashion", 50, FLOOR, {"vae": made_up()}, place)
    keep("mnist", 50, FLOOR, {"vae": made_up()}, place)
    gan = made_up(agreement=(0.9, 0.95, 1.0))
    keep("mnist", 50, FLOOR, {"gan": gan}, place)
    assert set(json.loads(place.read_text())) == {"mnist", "fashion"}
    for kind, expected in (("vae", made_up()), ("gan", gan)):
        found = stored("mnist", kind, place)
        assert found is not None
        assert (found.samples, found.floor, found.curve) == (50, FLOOR, expected)
    keep("mnist", 60, replace(FLOOR, frechet=0.05), {"gan": gan}, place)
    assert stored("mnist", "vae", place) is None
    assert stored("fashion", "vae", place) is not None
    place.write_text('{"mnist": {"samples": 3, "vae": {}}}')
    assert stored("mnist", "vae", place) is None


def test_the_command_measures_and_keeps(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    judge: Classifier,
    split: Split,
) -> None:
    network = SimpleNamespace(denoiser=Network(Shrunk(), EDM(), "x_0"))
    pictures, labels = squares(12, 4)
    monkeypatch.setattr(refine, "image_model", lambda _: network)
    monkeypatch.setattr(refine, "classifier", lambda _: judge)
    monkeypatch.setattr(refine, "load_split", lambda *_: split)
    monkeypatch.setattr(
        refine,
        "source_pictures",
        lambda _name, kind, *_: Samples(pictures, labels if kind == "gan" else None),
    )
    place = tmp_path / "refine.json"
    monkeypatch.setattr(refine.keep, "__defaults__", (place,))
    refine.main(["mnist", "--samples", "12", "--write"])
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    kept = json.loads(place.read_text())["mnist"]
    assert kept["samples"] == 12
    assert kept["vae"]["levels"] == list(LEVELS)
    assert kept["gan"]["agreement"] == last["mnist"]["gan"]["agreement"]
    assert "agreement" not in kept["vae"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["letters"], "no data set 'letters'"),
        (["mnist", "--samples", "3"], "--samples: takes at least 10, not 3"),
        (["--data", "somewhere"], "name the set"),
        (["mnist", "--kinds", "flow"], "invalid choice"),
    ],
)
def test_the_command_says_what_it_cannot_do(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        refine.main(arguments)
    assert words in capsys.readouterr().err


def test_what_ships_answers_the_question() -> None:
    """At its best level a refined VAE is nearer to real pictures than the VAE."""
    everything = json.loads(refine.KEPT.read_text("utf-8"))
    assert everything
    assert set(everything) <= set(SOURCES)
    for name in everything:
        found = stored(name, "vae")
        assert found is not None
        part = found.curve
        assert part.levels == LEVELS
        assert found.samples >= 1000
        assert part.best > 0
        assert found.floor.frechet < part.frechet[part.at(part.best)] < part.frechet[0]
        assert part.frechet[part.at(part.best)] == min(part.frechet)
        assert part.stayed[0] == 1
        assert list(part.moved) == sorted(part.moved)
