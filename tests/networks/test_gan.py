"""The GAN: its losses, its bounded critic, its conditional norm."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from diffviz.networks.gan import GANConfig, critic_loss, forger_loss, shifted

SMALL = GANConfig(latent=8, classes=3, width=16)


def test_hinge_losses_by_hand() -> None:
    real, made = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
    assert_close(critic_loss(real, made), torch.tensor((0 + 0.5) / 2 + (0 + 2.0) / 2))
    assert_close(forger_loss(made), torch.tensor(1.0))


def test_every_layer_of_the_critic_has_a_largest_singular_value_of_one() -> None:
    _, critic = SMALL.build(seed=0)
    x, label = torch.randn(4, 1, 28, 28), torch.tensor([0, 1, 2, 0])
    for _ in range(60):  # each call is one more round of the power iteration
        critic(x, label)
    critic.eval()
    weights = [m.weight for m in critic.modules() if hasattr(m, "parametrizations")]
    assert len(weights) == 7
    for weight in weights:
        largest = torch.linalg.matrix_norm(weight.flatten(1), 2)
        assert_close(largest, torch.tensor(1.0), atol=0.02, rtol=0)


def test_the_class_reaches_both() -> None:
    forger, critic = SMALL.build(seed=0)
    with torch.no_grad():
        forger.norms[0].scale.weight[1] *= 2
    forger.eval()
    z = torch.randn(1, 8).repeat(2, 1)
    first, second = forger.generate(z, torch.tensor([0, 1]))
    assert not torch.equal(first, second)
    assert torch.equal(*forger.generate(z, torch.tensor([2, 2])))
    seen = critic(torch.ones(2, 1, 28, 28), torch.tensor([0, 1])).tolist()
    assert seen[0] != seen[1]


def test_pictures_are_pictures_and_do_not_depend_on_their_company() -> None:
    forger, _ = SMALL.build(seed=0)
    forger.eval()
    labels = torch.arange(6) % 3
    pictures = forger.draw(labels, torch.Generator().manual_seed(4))
    assert pictures.shape == (6, 1, 28, 28)
    assert float(pictures.abs().max()) <= 1
    again = forger.draw(labels[:2], torch.Generator().manual_seed(4))
    assert_close(again, pictures[:2], atol=1e-5, rtol=1e-4)


def test_a_shift_moves_whole_pictures_and_brings_in_black() -> None:
    x = torch.rand(200, 1, 28, 28) + 0.5
    moved = shifted(x, 2, torch.Generator().manual_seed(0))
    assert moved.shape == x.shape
    seen = set()
    for before, after in zip(x[:, 0], moved[:, 0], strict=True):
        wide = torch.nn.functional.pad(before, (2, 2, 2, 2), value=-1.0)
        places = [
            (r, c)
            for r in range(5)
            for c in range(5)
            if torch.equal(wide[r : r + 28, c : c + 28], after)
        ]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) == 25  # every shift is drawn
    assert torch.equal(shifted(x, 0, torch.Generator()), x)


@pytest.mark.parametrize(
    "bad", [{"latent": 0}, {"classes": 0}, {"width": 24}, {"width": 512}, {"latent": 1.5}]
)
def test_shapes_out_of_range_are_told(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="GAN"):
        GANConfig(**bad)  # type: ignore[arg-type]
