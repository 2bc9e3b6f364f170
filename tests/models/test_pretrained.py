"""What ships: every data set has a model, its card says how it came about, and it is a good one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffviz.core.denoisers import Conditioned
from diffviz.core.grids import make_grid
from diffviz.core.samplers import Heun
from diffviz.data.full_sets import SOURCES
from diffviz.data.pictures import IMAGE_INFO, labelled_images
from diffviz.data.points import DATASETS, INFO, MIXTURES, labelled
from diffviz.models.checkpoints import Checkpoint, CheckpointError, load
from diffviz.models.pretrained import (
    FOLDER,
    IMAGE_FOLDER,
    PRETRAINED,
    classifier,
    classifier_card,
    image_model,
    pretrained,
)
from diffviz.networks.mlp import PointNetwork
from diffviz.networks.unet import UNet
from diffviz.studies.evaluate import DEFAULT, draw, even_labels
from diffviz.studies.train import CONFIG, NETWORK
from diffviz.studies.train_images import IMAGE_CONFIG, IMAGE_NETWORK

SAMPLES = 500


@pytest.fixture(params=PRETRAINED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def drawn(found: Checkpoint, seed: int = 0, samples: int = SAMPLES, **cond: int) -> Tensor:
    """Samples of a model by Heun's method, 20 steps."""
    schedule, module = found.denoiser.schedule, found.denoiser.module
    assert isinstance(module, PointNetwork)
    generator = torch.Generator().manual_seed(seed)
    x_1 = schedule.prior_std() * torch.randn(samples, module.config.dim, generator=generator)
    grid = make_grid(schedule, 20, "karras")
    denoiser = Conditioned(found.denoiser, **cond) if cond else found.denoiser
    with torch.inference_mode():
        return Heun().sample(denoiser, schedule, grid, x_1)


def test_every_built_in_set_of_points_has_a_model() -> None:
    assert set(PRETRAINED) == set(DATASETS) - {"text"}
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
    assert set(files) == {f"{name}.{end}" for name in PRETRAINED for end in ("safetensors", "json")}
    assert sum(files.values()) < 8e6


def test_the_card_says_how_it_came_about(name: str) -> None:
    found = pretrained(name)
    card, module = found.card, found.denoiser.module
    assert (card.data, card.seed, card.steps) == (name, CONFIG.seed, CONFIG.steps)
    assert card.command == f"python -m diffviz train points {name} --steps {CONFIG.steps}"
    assert card.training == CONFIG, "the recipe is the one in studies/train.py"
    assert isinstance(module, PointNetwork)
    assert (module.config.width, module.config.depth) == (NETWORK.width, NETWORK.depth)
    assert module.config.dim == INFO[name].dim
    assert module.config.classes == (INFO[name].classes if INFO[name].classes > 1 else 0)
    for distance in ("sliced_wasserstein", "energy_distance", "mmd"):
        assert {distance, f"{distance}_floor", f"{distance}_independent"} <= set(card.metrics)
    assert "nll" in card.metrics
    assert ("nll_exact" in card.metrics) == (name in MIXTURES)


def test_the_card_says_that_it_does_well(name: str) -> None:
    figures = pretrained(name).card.metrics
    best = max(figures[f"sliced_wasserstein{end}"] for end in ("_floor", "_independent"))
    assert figures["sliced_wasserstein"] <= 2 * best
    if name in MIXTURES:
        assert abs(figures["nll"] - figures["nll_exact"]) < 0.1, "nats"


def test_its_samples_lie_where_the_data_are(name: str) -> None:
    data, samples = DATASETS[name](5000, 1), drawn(pretrained(name))
    assert bool(samples.isfinite().all())
    distance = torch.cdist(samples, data).amin(1)
    assert distance.mean() < 0.06
    assert (distance < 0.3).float().mean() > 0.99
    back = torch.cdist(data, samples).amin(1)
    assert (back < 0.5).float().mean() > 0.99, "no part of the data is left out"


@pytest.mark.parametrize("name", [name for name in PRETRAINED if INFO[name].classes > 1])
def test_it_draws_the_class_it_is_asked_for(name: str) -> None:
    found, (points, labels) = pretrained(name), labelled(name, 5000, 1)
    for label in range(INFO[name].classes):
        samples = drawn(found, seed=label, samples=100, label=label)
        nearest = labels[torch.cdist(samples, points).argmin(1)]
        assert (nearest == label).float().mean() > 0.9


def test_everyone_gets_the_same_model_and_nobody_can_train_it() -> None:
    found = pretrained("moons")
    assert pretrained("moons") is found
    assert not any(weight.requires_grad for weight in found.denoiser.module.parameters())
    assert not found.denoiser.module.training


def test_a_model_that_does_not_ship_is_told() -> None:
    for wrong in ("text", "../moons", "digits", ""):
        with pytest.raises(ValueError, match="choose one of two_gaussians"):
            pretrained(wrong)


def test_the_files_read_as_they_would_from_an_upload() -> None:
    path = FOLDER / "moons.json"
    assert load(path).card == pretrained("moons").card


# Pictures ---------------------------------------------------------------------------------------

SHIPPED = [name for name in SOURCES if (IMAGE_FOLDER / f"{name}.safetensors").is_file()]


def test_a_model_of_digits_ships_and_is_small() -> None:
    assert "mnist" in SHIPPED
    for path in IMAGE_FOLDER.iterdir():
        name, _, _ = path.name.partition(".")
        assert name.removesuffix("-classifier") in (*SHIPPED, "dogs")
        assert path.stat().st_size <= 6e6


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_of_a_model_of_pictures_says_how_it_came_about(name: str) -> None:
    found = image_model(name)
    card, module = found.card, found.denoiser.module
    assert card.training == IMAGE_CONFIG, "the recipe is the one in studies/train_images.py"
    assert card.command == f"python -m diffviz train images {name} --steps {IMAGE_CONFIG.steps}"
    assert isinstance(module, UNet)
    assert module.config == IMAGE_NETWORK


@pytest.mark.parametrize("name", SHIPPED)
def test_pictures_are_what_was_asked_for(name: str) -> None:
    """A hundred pictures with guidance, against the accuracy that is promised of ten thousand."""
    labels = even_labels(100, 10)
    drawn = draw(image_model(name).denoiser, labels, replace(DEFAULT, steps=12))
    seen = classifier(name).probabilities(drawn.pictures).argmax(1)
    assert float((seen == labels).float().mean()) >= {"mnist": 0.95, "fashion": 0.85}[name]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_classifier_is_as_good_as_its_card_says(name: str) -> None:
    figures = classifier_card(name)["metrics"]
    assert isinstance(figures, dict)
    assert figures["accuracy"] >= {"mnist": 0.99, "fashion": 0.91}[name]
    assert figures["test_images"] >= 5000
    if name in IMAGE_INFO:  # real pictures of this set ship
        images, labels = labelled_images(name, 1000, 0)
        seen = classifier(name).probabilities(images).argmax(1)
        assert float((seen == labels).float().mean()) >= 0.9


def test_what_is_missing_or_damaged_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="choose one of"):
        image_model("letters")
    monkeypatch.setattr("diffviz.models.pretrained.IMAGE_FOLDER", tmp_path)
    image_model.cache_clear()
    classifier.cache_clear()
    with pytest.raises(CheckpointError, match="cannot be read"):
        image_model("mnist")
    with pytest.raises(CheckpointError, match=r"diffviz train classifiers mnist"):
        classifier("mnist")
    (tmp_path / "mnist-classifier.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match="cannot be read"):
        classifier("mnist")
