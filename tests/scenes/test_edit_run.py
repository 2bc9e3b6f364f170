"""Edits of a picture by the shipped network: what is promised of known pixels and levels holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from diffviz.core.run import simulate
from diffviz.scenes.configs import Picture, SamplerConfig
from diffviz.scenes.edit_run import LEVELS, Damage, EditRun, edited, levels_of, mask_of, original
from diffviz.scenes.picture_run import GenerateRun
from diffviz.ui.screens.edit.words import about, damage_html, strip_of_levels

BASE = GenerateRun(sampler=SamplerConfig("dpmpp_2m", 8, "log_snr"), classes=(7,), count=3)


def seven() -> Picture:
    levels = np.zeros((28, 28, 1), dtype=np.uint8)
    levels[7:9, 8:20] = 255
    for k in range(14):
        levels[8 + k, 18 - k // 2 : 20 - k // 2] = 255
    return Picture(levels.shape, levels.tobytes())


def region() -> bytes:
    mask = np.zeros((28, 28), dtype=bool)
    mask[14:] = True
    return np.packbits(mask).tobytes()


RUN = EditRun(BASE, seven())


def test_level_nought_gives_the_picture_back() -> None:
    made = edited(replace(RUN, level=0.0))
    assert made.evaluations == 0
    assert made.frames == 1
    np.testing.assert_array_equal(made.x, np.broadcast_to(made.given, made.x.shape))
    assert "comes back" in about(replace(RUN, level=0.0), made)


def test_level_one_is_a_fresh_sample() -> None:
    other = Picture((28, 28, 1), bytes(784))
    one = edited(replace(RUN, level=1.0))
    two = edited(replace(RUN, level=1.0, picture=other))
    np.testing.assert_array_equal(one.x, two.x)
    assert "fresh samples" in about(replace(RUN, level=1.0), one)


def test_the_more_noise_the_farther_from_the_picture() -> None:
    strip = levels_of(RUN)
    assert strip.shape == (len(LEVELS), 1, 28, 28)
    given = original(RUN).numpy()
    away = np.sqrt(np.square(strip - given).mean((1, 2, 3)))
    assert away[0] == 0
    assert away[2] < away[5] < away[10]
    assert strip_of_levels(RUN, strip).count("<figure") == len(LEVELS)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddpm", "euler_maruyama", "heun"])
@pytest.mark.parametrize("repeats", [1, 2])
def test_known_pixels_are_exact_at_the_end(sampler: str, repeats: int) -> None:
    base = replace(BASE, sampler=SamplerConfig(sampler, 6, "log_snr"), count=2)
    run = EditRun(base, seven(), "inpaint", mask=region(), repeats=repeats)
    made = edited(run)
    new = mask_of(run).numpy()
    assert new.sum() == 14 * 28
    given = np.broadcast_to(made.given, made.x.shape)
    np.testing.assert_array_equal(made.x[..., ~new], given[..., ~new])
    assert (made.x[..., new] != given[..., new]).any()
    assert "differs by 0 at most" in about(run, made)


@pytest.mark.parametrize(
    "damage",
    [Damage("downsample", 4, 0.0), Damage("blur", 1.0, 0.0), Damage("downsample", 2, 0.05)],
)
def test_what_is_restored_agrees_with_what_was_measured(damage: Damage) -> None:
    run = EditRun(BASE, seven(), "restore", damage=damage)
    made = edited(run)
    assert made.measured is not None
    operator = damage.operator(28)
    gap = operator.apply(torch.from_numpy(made.x)) - torch.from_numpy(made.measured)
    assert float(gap.square().mean().sqrt()) <= max(2 * damage.noise, 1e-4)
    assert "is known" in about(run, made)
    assert damage_html(made).count("<figure") == 4


@pytest.mark.parametrize("seed", range(3))
def test_the_noise_of_a_damage_is_not_the_noise_that_the_run_starts_from(seed: int) -> None:
    base = replace(BASE, count=1, sampler=replace(BASE.sampler, steps=1, seed=seed))
    made = edited(EditRun(base, seven(), "restore", damage=Damage("noise", 0, 0.5)))
    assert made.measured is not None
    noise = np.stack([(made.measured - made.given).ravel() / 0.5, base.plan().start().ravel()])
    assert noise[0].std() == pytest.approx(1, abs=0.1)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.1


def test_a_restored_picture_is_nearer_than_the_damage_undone_alone() -> None:
    picture = simulate(replace(BASE, count=1).plan(), 1).x_t[-1][0, 0].clamp(-1, 1)
    levels = ((picture + 1) * 127.5).round().byte().numpy()[..., None]
    run = EditRun(
        BASE,
        Picture(levels.shape, levels.tobytes()),
        "restore",
        damage=Damage("downsample", 2, 0.0),
    )
    made = edited(run)
    assert made.naive is not None
    assert np.square(made.x.mean(0) - made.given).mean() < np.square(made.naive - made.given).mean()


def test_the_class_may_be_left_open() -> None:
    run = replace(RUN, base=replace(BASE, classes=()))
    made = edited(run)
    assert run.labels() is None
    assert made.evaluations == 5  # six tenths of eight steps, one call each
    assert_close(torch.from_numpy(made.given), original(run))
