"""Training VAEs, GANs and latent models: it learns, goes on after a kill, and keeps its history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from diffviz.data.full_sets import Split
from diffviz.models.checkpoints import CheckpointError
from diffviz.models.pretrained import forger, latent_model, vae
from diffviz.networks.gan import GANConfig
from diffviz.networks.vae import VAEConfig
from diffviz.studies import train_generators as module
from diffviz.studies.train_generators import GANTrainer, History, VAETrainer

_SMALL_VAE = VAEConfig(2, widths=(16, 16), hidden=16)
_SMALL_GAN = GANConfig(latent=4, classes=2, width=16)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _bars(count: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of an upright or a lying bar at a random place, and which of both."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    places = torch.randint(4, 24, (count,), generator=generator)
    x = torch.full((count, 1, 28, 28), -1.0)
    for row, (label, place) in enumerate(zip(labels.tolist(), places.tolist(), strict=True)):
        if label:
            x[row, 0, :, place - 2 : place + 2] = 1
        else:
            x[row, 0, place - 2 : place + 2] = 1
    return x, labels


def _weights(trainer: VAETrainer | GANTrainer) -> torch.Tensor:
    return torch.cat([v.flatten().float() for v in trainer.average.state_dict().values()])


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 16)
    monkeypatch.setattr(module, "_EVERY", 10)


@pytest.mark.parametrize("kind", ["vae", "gan"])
def test_it_goes_on_to_the_last_bit(kind: str) -> None:
    x, labels = _bars()

    def trainer() -> VAETrainer | GANTrainer:
        if kind == "vae":
            return VAETrainer(x, _SMALL_VAE, 15, precision=torch.float32)
        return GANTrainer(x, labels, _SMALL_GAN, 15, precision=torch.float32)

    whole = trainer()
    assert list(whole) == [10, 15]
    first = trainer()
    next(first)
    second = trainer()
    second.restore(first.state())
    assert list(second) == [15]
    assert torch.equal(_weights(whole), _weights(second))
    ours, theirs = whole.history(), second.history()
    assert ours.names == theirs.names
    np.testing.assert_array_equal(ours.losses, theirs.losses)
    np.testing.assert_array_equal(ours.frames, theirs.frames)


def test_a_vae_learns_to_say_what_it_sees() -> None:
    x, _ = _bars(128)
    trainer = VAETrainer(x, _SMALL_VAE, 200, precision=torch.float32)
    list(trainer)
    losses = trainer.history().losses
    assert losses[-1, 0] - losses[-1, 1] > losses[0, 0] - losses[0, 1] + 200  # nats
    model = trainer.average.eval()
    shown = model.decode(model.encode(x).mean)
    assert float((shown - x).square().mean()) < 0.5 * float((x.mean(0) - x).square().mean())


def test_a_history_is_read_back(tmp_path: Path) -> None:
    x, labels = _bars()
    trainer = GANTrainer(x, labels, _SMALL_GAN, 20)
    list(trainer)
    history = trainer.history()
    assert history.names == ("critic", "forger")
    assert history.frames.shape == (len(history.frame_steps), 20, 28, 28)
    assert history.frame_steps[0] == 0
    assert history.frame_steps[-1] == 20
    history.save(tmp_path / "h.npz")
    again = History.load(tmp_path / "h.npz")
    assert again.names == history.names
    np.testing.assert_array_equal(again.losses, history.losses)
    np.testing.assert_array_equal(again.frames, history.frames)


def test_frames_come_close_together_at_first_and_at_the_end() -> None:
    steps = sorted(module._frame_steps(4000))
    assert steps[-1] == 4000
    assert steps[1] - steps[0] < steps[-1] - steps[-2]
    assert all(step % 10 == 0 for step in steps)


def test_the_commands_write_what_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels = _bars()
    split = Split(x, labels, x[:32], labels[:32])
    monkeypatch.setattr(module, "load_split", lambda *_: split)
    figures = module.train_vae("mnist-2", 2, tmp_path)
    total = figures["reconstruction"] - figures["kl"]
    assert figures["elbo"] == pytest.approx(total, rel=1e-5)
    module.train_gan("mnist", 2, tmp_path)
    module.train_latent("mnist-2", 2, tmp_path)
    coder = vae("mnist", 2, tmp_path)
    code = coder.encode(x)
    mixed = torch.cat([coder.standardised(code.sample()) for _ in range(50)])
    assert float(mixed.mean(0).abs().max()) < 0.1
    assert float((mixed.std(0) - 1).abs().max()) < 0.1
    assert latent_model("mnist", 2, tmp_path).denoiser.module.config.dim == 2
    assert forger("mnist", tmp_path).draw(labels[:3], torch.Generator()).shape == (3, 1, 28, 28)
    assert History.load(tmp_path / "mnist-vae2.npz").names == ("reconstruction", "kl")
    assert not list(tmp_path.glob("*.interrupted*"))


def test_an_interrupted_training_of_another_kind_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels = _bars()
    monkeypatch.setattr(module, "load_split", lambda *_: Split(x, labels, x, labels))
    monkeypatch.setattr(module, "_KEEP", 1)
    kept = tmp_path / "mnist-gan.interrupted.safetensors"
    kept.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="delete it"):
        module.train_gan("mnist", 2, tmp_path)


def test_missing_models_are_told(tmp_path: Path) -> None:
    for ask in (lambda: vae("mnist", 2, tmp_path), lambda: forger("mnist", tmp_path)):
        with pytest.raises(CheckpointError, match="Train it again"):
            ask()
    with pytest.raises(ValueError, match="2 or 16"):
        vae("mnist", 3, tmp_path)
