"""Training models of pictures: it goes on after an interruption, and says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.testing import assert_close

from diffviz.core.schedules import EDM
from diffviz.models.checkpoints import load
from diffviz.networks.classifier import Classifier, Variation, accuracy, train_classifier
from diffviz.networks.training import Trainer
from diffviz.networks.unet import UNetConfig
from diffviz.studies import train_images as module
from diffviz.studies.train import main

TINY = UNetConfig(size=28, patch=4, widths=(16,), blocks=1, heads=0)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a few bright and dark pictures, and small settings."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 64, dtype=np.uint8)
    images = (labels[:, None, None] * 160 + rng.integers(0, 60, (64, 28, 28))).astype(np.uint8)
    np.savez(
        folder / "mnist.npz", x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20]
    )
    monkeypatch.setattr(module, "IMAGE_NETWORK", TINY)
    monkeypatch.setattr(module, "IMAGE_CONFIG", replace(module.IMAGE_CONFIG, batch=8))
    monkeypatch.setattr(module, "_KEEP", 50)
    return folder


def run(data: Path, into: Path, steps: int = 100) -> None:
    main(["images", "mnist", "--steps", str(steps), "--into", str(into), "--data", str(data)])


def test_an_interrupted_training_ends_as_one_that_was_not(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data, tmp_path / "whole")
    original = Trainer.__next__

    def killed(self: Trainer) -> object:
        if self.step >= 50:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(Trainer, "__next__", killed)
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "cut")
    assert [p.name for p in (tmp_path / "cut").iterdir()] == ["mnist.interrupted.safetensors"]
    monkeypatch.setattr(Trainer, "__next__", original)
    run(data, tmp_path / "cut")
    whole, cut = (load(tmp_path / where / "mnist") for where in ("whole", "cut"))
    for name, weight in whole.denoiser.module.state_dict().items():
        assert_close(cut.denoiser.module.state_dict()[name], weight, rtol=0, atol=0)
    assert not (tmp_path / "cut" / "mnist.interrupted.safetensors").exists()
    assert cut.card.steps == 100
    assert cut.card.command == "python -m diffviz train images mnist --steps 100"


def test_what_was_interrupted_with_other_settings_is_left_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "mnist.interrupted.safetensors"
    kept.write_bytes(safetensors.torch.save({"step": torch.ones(1)}, {"training": "another"}))
    with pytest.raises(SystemExit):
        run(data, tmp_path)
    assert "other settings" in capsys.readouterr().err
    kept.write_bytes(b"cut short")
    with pytest.raises(SystemExit):
        run(data, tmp_path)
    assert "damaged" in capsys.readouterr().err


def test_a_state_of_another_network_is_refused() -> None:
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    trainer = Trainer(points, EDM(), every=5)
    next(trainer)
    other = Trainer(torch.randn(50, 3), EDM(), every=5)
    with pytest.raises(ValueError, match="another training"):
        other.restore(trainer.state())
    assert other.step == 0


def test_missing_pictures_and_unknown_names_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(tmp_path, tmp_path)
    assert "diffviz fetch mnist" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["images", "letters"])
    assert "there is no data set 'letters'" in capsys.readouterr().err


def test_a_classifier_learns_what_is_easy(data: Path, tmp_path: Path) -> None:
    main(["classifiers", "mnist", "--epochs", "1", "--into", str(tmp_path), "--data", str(data)])
    files = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert files == ["mnist-classifier.json", "mnist-classifier.safetensors"]


def test_training_a_classifier_leaves_it_ready_and_right() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    images = (labels.float() * 1.2 - 0.8)[:, None, None, None] + 0.1 * torch.randn(
        64, 1, 28, 28, generator=generator
    )
    torch.manual_seed(0)
    judge = Classifier(2)
    list(train_classifier(judge, images, labels, epochs=20, variation=Variation(mirrored=True)))
    assert not judge.training
    assert accuracy(judge, images, labels) > 0.95
    assert_close(judge.probabilities(images).sum(1), torch.ones(64))
    assert_close(judge.features(images[:5]), judge.features(images)[:5], rtol=1e-4, atol=1e-5)
