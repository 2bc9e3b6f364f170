"""The U-Net has the face of the network for points, and knows nothing before it is trained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from diffviz.core.denoisers import Network
from diffviz.core.schedules import EDM, Cosine
from diffviz.networks.mlp import levels_at
from diffviz.networks.unet import UNet, UNetConfig, _Attention, _Block

SMALL = UNetConfig(size=8, patch=2, widths=(16, 32), blocks=1, heads=2, classes=3)


def network(config: UNetConfig = SMALL, seed: int = 0, *, trained: bool = True) -> UNet:
    """A small U-Net; with ``trained`` its last layer is not zero."""
    net = config.build(EDM(), "x_0", seed)
    if trained:
        with torch.no_grad():
            net.last.weight.normal_(generator=torch.Generator().manual_seed(1)).mul_(0.1)
    return net.eval()


def pictures(n: int, config: UNetConfig = SMALL) -> torch.Tensor:
    return torch.randn(n, *config.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        UNetConfig(size=12, channels=3, patch=1, widths=(16,), heads=0, classes=0),
        UNetConfig(size=16, patch=4, widths=(16, 32, 48), blocks=2, up_blocks=2),
    ],
)
def test_it_answers_in_the_shape_it_was_asked(config: UNetConfig) -> None:
    net = network(config)
    x_t, t = pictures(3, config), torch.tensor([0.1, 0.5, 0.9])
    assert net(x_t, t).shape == x_t.shape


def test_untrained_it_is_the_exact_denoiser_of_a_gaussian() -> None:
    schedule = Cosine()
    denoiser = Network(SMALL.build(schedule, "v"), schedule, "v")
    x_t = pictures(4)
    for t in (0.05, 0.5, 0.95):
        alpha, sigma = schedule.at(t)
        assert_close(denoiser(x_t, t), alpha / (alpha**2 + sigma**2) * x_t)


def test_a_picture_is_answered_alike_alone_and_in_any_group() -> None:
    net = network()
    x_t, t, label = pictures(6), torch.tensor([0.1, 0.1, 0.4, 0.4, 0.8, 0.8]), torch.arange(6) % 3
    together = net(x_t, t, label)
    alone = torch.cat([net(x_t[k : k + 1], t[k : k + 1], label[k : k + 1]) for k in range(6)])
    assert_close(together, alone, rtol=1e-4, atol=1e-5)
    levels = levels_at(net.schedule, "x_0", t[::2], torch.float32)
    grouped = net.at(x_t.flatten(1).reshape(3, 2, -1), levels, label.reshape(3, 2))
    assert_close(grouped.reshape(x_t.shape), together, rtol=1e-4, atol=1e-5)


def test_it_hears_the_noise_level_and_the_class() -> None:
    net = network()
    x_t = pictures(1)
    one = net(x_t, torch.tensor([0.3]), 0)
    assert (net(x_t, torch.tensor([0.3]), 1) - one).abs().max() > 1e-4
    assert (net(x_t, torch.tensor([0.3])) - one).abs().max() > 1e-4
    assert_close(net(x_t, torch.tensor([0.3])), net(x_t, torch.tensor([0.3]), net.null_label))


def test_a_seed_makes_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, second, other = network(seed=1), network(seed=1), network(seed=2)
    assert_close(torch.get_rng_state(), before)
    for name, weight in first.state_dict().items():
        assert_close(second.state_dict()[name], weight)
    assert not torch.equal(other.first.weight, first.first.weight)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 3},
        {"channels": 0},
        {"widths": ()},
        {"widths": (20, 32)},
        {"widths": (16, 32, 48)},  # 8 pixels in patches of 2 cannot be halved twice and stay whole
        {"widths": (16, 48), "heads": 5},
        {"classes": -1},
        {"blocks": 0},
        {"preconditioning": "none"},
    ],
)
def test_shapes_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"size": 10 if "widths" in changes else 8, "widths": (16, 32)}
    with pytest.raises(ValueError, match=r"U-Net|heads|halved|preconditioning"):
        UNetConfig(**(fields | {"patch": 2} | changes))


def test_labels_and_targets_that_it_does_not_know_are_refused() -> None:
    net = network()
    with pytest.raises(ValueError, match="labels"):
        net(pictures(2), torch.tensor([0.1, 0.1]), 4)
    with pytest.raises(ValueError, match="target"):
        SMALL.build(EDM(), "noise")


def test_attention_is_softmax_over_places_around_a_shortcut() -> None:
    """One head by hand; with an output of 0 what comes in goes out as it is."""
    part = _Attention(32, 1, torch.Generator().manual_seed(0)).double()
    h = torch.randn(2, 32, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    places = part.norm(h).flatten(2).mT
    query, key, value = part.asked(places).chunk(3, -1)
    seen = (query @ key.mT / 32**0.5).softmax(-1) @ value
    assert_close(part(h), h + part.out(seen).mT.reshape(h.shape))
    with torch.no_grad():
        part.out.weight.zero_()
    assert torch.equal(part(h), h)


def test_heads_look_at_channels_of_their_own() -> None:
    part = _Attention(32, 2, torch.Generator().manual_seed(0)).double()
    h = torch.randn(1, 32, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    query, key, value = part.asked(part.norm(h).flatten(2).mT).chunk(3, -1)
    heads = [
        (query[..., at] @ key[..., at].mT / 4).softmax(-1) @ value[..., at]
        for at in (slice(0, 16), slice(16, 32))
    ]
    assert_close(part(h), h + part.out(torch.cat(heads, -1)).mT.reshape(h.shape))


@pytest.mark.parametrize("outputs", [16, 32])
def test_a_block_goes_around_itself(outputs: int) -> None:
    """With an output of 0 it is its shortcut: the input, or a convolution where widths differ."""
    block = _Block(16, outputs, 8, torch.Generator().manual_seed(0))
    h, told = torch.randn(1, 16, 4, 4), torch.randn(1, 8)
    assert not torch.allclose(block(h, told), block(h, 2 * told))
    with torch.no_grad():
        block.outer.weight.zero_()
    assert torch.equal(block(h, told), h if block.shortcut is None else block.shortcut(h))
    assert (block.shortcut is None) == (outputs == 16)
