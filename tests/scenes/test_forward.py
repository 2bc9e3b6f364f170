from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from diffviz.core.noising import jump, transition, walk
from diffviz.core.schedules import SCHEDULES
from diffviz.scenes import forward as forward_run
from diffviz.scenes import scene
from diffviz.scenes.buffer import decode
from diffviz.scenes.buffer.format import decode as decode_format
from diffviz.scenes.buffer.noising import x_t_of
from diffviz.scenes.configs import DataConfig, Picture, ScheduleConfig
from diffviz.scenes.forward import ForwardConfig, frame_times, in_words, run

MOONS = DataConfig("moons", 300)
DIGITS = DataConfig("digits", 16)
LINEAR = ScheduleConfig("linear")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def picture(size: int = 256, channels: int = 3) -> DataConfig:
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, channels), dtype=np.uint8)
    return DataConfig("picture", 1, picture=Picture(pixels.shape, pixels.tobytes()))


def opened(config: ForwardConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    header, arrays = decode(run(config))
    return header, arrays


# Times


@pytest.mark.parametrize(
    ("T", "frames"), [(2, 2), (20, 20), (100, 100), (300, 60), (700, 70), (1000, 50)]
)
def test_frames_of_a_chain_are_noisings_of_it(T: int, frames: int) -> None:
    t = frame_times(MOONS, ScheduleConfig("linear", T))
    assert len(t) == frames + 1
    assert torch.equal((t * T).round() / T, t)
    assert t[0] == 0
    assert t[-1] == 1


def test_a_large_picture_has_fewer_frames_in_even_strides() -> None:
    assert len(frame_times(picture(), LINEAR)) == 26
    assert len(frame_times(picture(), ScheduleConfig("linear", 90))) == 31
    assert len(frame_times(picture(), ScheduleConfig("linear", 20))) == 21


@pytest.mark.parametrize("T", [101, 997])
def test_a_chain_without_even_strides_still_has_its_own_times(T: int) -> None:
    t = frame_times(MOONS, ScheduleConfig("cosine", T))
    assert len(t) == 61
    assert torch.equal((t * T).round() / T, t)
    assert (t.diff() > 0).all()


def test_a_path_that_loses_the_data_at_once_is_looked_at_closely_there() -> None:
    edm = frame_times(MOONS, ScheduleConfig("edm"))
    sigma = SCHEDULES["edm"]()(edm)[1]
    assert int((sigma < 1).sum()) >= 12
    assert (edm.diff() > 0).all()
    even = frame_times(MOONS, ScheduleConfig("rectified_flow"))
    assert torch.allclose(even.diff(), even.diff()[0])


# What is sent


@pytest.mark.parametrize("way", forward_run.WAYS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_makes_a_run(name: str, way: forward_run.Way) -> None:
    config = ForwardConfig(MOONS, ScheduleConfig(name), way)
    header, arrays = opened(config)
    x_t = arrays[header["panels"][0]["arrays"]["x_t"]]
    assert x_t.shape == (header["clock"]["frames"], 300, 2)
    assert abs(x_t[-1].std() - 1) < 0.15
    x_0 = MOONS.load().numpy()
    np.testing.assert_allclose(x_t[0], x_0, atol=2e-3 if name not in ("ve", "edm") else 1e-2)


@pytest.mark.parametrize("data", [DataConfig("dirac_pair", 300), MOONS, DIGITS])
@pytest.mark.parametrize("way", forward_run.WAYS)
def test_every_kind_of_data_makes_a_run(data: DataConfig, way: forward_run.Way) -> None:
    header, _ = opened(ForwardConfig(data, ScheduleConfig("cosine", 30), way))
    kinds = {"1-D": "lines", "2-D": "points", "image": "mix" if way == "jump" else "images"}
    assert header["panels"][0]["kind"] == kinds[data.kind]
    assert header["clock"]["frames"] == 31
    assert header["clock"]["unit"] == "noising"
    assert header["rail"]["step"]["steps"] == (31 if way == "jump" else 30)


def test_zero_terminal_snr_makes_a_run() -> None:
    opened(ForwardConfig(MOONS, ScheduleConfig("linear", 10, zero_snr=True)))


def test_the_formula_of_a_walk_holds_the_transition() -> None:
    header, arrays = opened(ForwardConfig(MOONS, ScheduleConfig("linear", 20)))
    kept, added = (arrays[term["coefficients"]] for term in header["rail"]["step"]["terms"])
    schedule = SCHEDULES["linear"](T=20)
    alpha, sigma = transition(schedule, 7 / 20, 8 / 20)
    assert kept[7] == pytest.approx(alpha)
    assert added[7] == pytest.approx(sigma)
    assert added[7] == pytest.approx(schedule.betas[7].sqrt().item(), rel=1e-5)


def test_the_formula_of_a_jump_adds_up() -> None:
    header, arrays = opened(ForwardConfig(MOONS, ScheduleConfig("linear", 20), "jump"))
    names, terms = header["panels"][0]["arrays"], header["rail"]["step"]["terms"]
    parts = [
        arrays[term["coefficients"]][:, None, None] * arrays[names[term["role"]]] for term in terms
    ]
    np.testing.assert_allclose(sum(parts), arrays[names["x_t"]], atol=1e-6)
    np.testing.assert_allclose(arrays[names["start"]], MOONS.load(), atol=1e-4)


@pytest.mark.parametrize("data", [DataConfig("dirac_pair", 40), MOONS], ids=["1-D", "2-D"])
@pytest.mark.parametrize("name", ["linear", "ve"])
def test_the_browser_noises_as_the_core_does(data: DataConfig, name: str) -> None:
    """To what 16 bits leave: walks and jumps with the noise of the seed, draw after draw."""
    config = ForwardConfig(data, ScheduleConfig(name), seed=3)
    schedule, t, x_0 = config.schedule.build(), frame_times(data, config.schedule), data.load()
    walked = torch.stack(list(walk(schedule, x_0, t, torch.Generator().manual_seed(3))))
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(3))
    jumped = torch.stack([jump(schedule, x_0, time, eps) for time in t.tolist()])
    for way, x_t in (("walk", walked), ("jump", jumped)):
        header, arrays = opened(replace(config, way=way))
        seen = arrays[header["panels"][0]["arrays"]["x_t"]]
        np.testing.assert_allclose(
            seen, scene.scaled(x_t, schedule, t).reshape(seen.shape), atol=2e-3
        )


@pytest.mark.parametrize("data", [DataConfig("dirac_pair", 40), MOONS], ids=["1-D", "2-D"])
@pytest.mark.parametrize("way", forward_run.WAYS)
def test_levels_and_samples_are_a_run(way: forward_run.Way, data: DataConfig) -> None:
    """With the samples of one run, the levels of another are that one but for what is measured."""
    whole = ForwardConfig(data, ScheduleConfig("linear"), way)
    other = replace(whole, schedule=ScheduleConfig("cosine", 100), bare=True)
    held, (header, arrays) = opened(whole), opened(other)
    own_header, own = decode_format(forward_run.levels(other))
    assert len(forward_run.levels(other)) < (8000 if data is MOONS else 16_000)
    assert own_header["held"] == held[0]["held"] == header["held"]
    names = own_header["panels"][0]["arrays"]
    assert names["start"] not in own
    assert names.get("labels") not in own
    if way == "jump":
        x_t = x_t_of(own_header["panels"][0], held[1] | own)
        np.testing.assert_allclose(x_t, arrays[header["panels"][0]["arrays"]["x_t"]], atol=1e-9)
    for name, values in own.items():
        np.testing.assert_array_equal(values, arrays[name])
    another = opened(replace(whole, seed=1))[0]["held"]
    assert another != own_header["held"]


def test_data_that_the_browser_does_not_noise_have_no_levels() -> None:
    with pytest.raises(ValueError, match="Handwritten digits is not noised in the browser"):
        forward_run.levels(ForwardConfig(DIGITS, LINEAR))


def test_the_seed_changes_the_noise_and_nothing_else() -> None:
    config = ForwardConfig(MOONS, LINEAR)
    (header, first), (_, other) = opened(config), opened(replace(config, seed=1))
    name = header["panels"][0]["arrays"]["x_t"]
    np.testing.assert_allclose(first[name][0], other[name][0], atol=1e-3)
    assert np.abs(first[name][-1] - other[name][-1]).mean() > 0.5
    density = header["panels"][0]["arrays"]["density"]
    np.testing.assert_array_equal(first[density], other[density])


def test_growing_noise_is_drawn_to_scale() -> None:
    header, arrays = opened(ForwardConfig(MOONS, ScheduleConfig("ve")))
    panel = header["panels"][0]
    assert panel["note"] == scene.SCALE_NOTE
    assert arrays[panel["arrays"]["scale"]][-1] == pytest.approx(1 / 50, rel=0.01)


# Size and time


def test_two_thousand_points_are_light() -> None:
    assert len(run(ForwardConfig(DataConfig("moons"), LINEAR))) < 900_000
    jumps = run(ForwardConfig(DataConfig("moons"), ScheduleConfig("linear", 100), "jump"))
    assert len(gzip.compress(jumps, 6)) < 60_000, "101 frames"


@pytest.mark.parametrize("way", forward_run.WAYS)
def test_a_large_picture_stays_under_seven_megabytes(way: forward_run.Way) -> None:
    assert len(run(ForwardConfig(picture(), LINEAR, way))) < 7_000_000


def test_many_points_stay_under_seven_megabytes() -> None:
    many = DataConfig("moons", 20_000)
    assert len(run(ForwardConfig(many, LINEAR, "jump"))) < 7_500_000


def test_many_images_are_not_all_drawn() -> None:
    header, _ = opened(ForwardConfig(DataConfig("digits", 1797), LINEAR))
    assert header["panels"][0]["count"] == 100
    assert header["panels"][0]["title"] == "Handwritten digits, 100 of 1,797"


def test_a_new_schedule_is_there_at_once() -> None:
    """In processor time: other work on the machine does not count."""
    data = DataConfig("moons", 2000, 5)
    run(ForwardConfig(data, LINEAR))
    spent = []
    for T in (500, 200):
        started = time.process_time()
        run(ForwardConfig(data, ScheduleConfig("cosine", T)))
        forward_run.ending(data, ScheduleConfig("cosine", T))
        spent.append(time.process_time() - started)
    assert min(spent) < 0.4


# Words


def test_the_two_ways_are_compared_in_words() -> None:
    config = ForwardConfig(MOONS, LINEAR)
    both = forward_run.both_ways(MOONS, LINEAR, 0)
    words = in_words(config, 25)
    assert words.startswith("**The two ways agree.**")
    assert "t = 0.50" in words
    assert f"{both.distance[25]:.3f}" in words
    assert f"{both.floor[25]:.3f}" in words
    assert words.endswith("Each frame adds 20 noisings.")


def test_nothing_is_said_of_strides_where_there_are_none() -> None:
    assert "Each frame" not in in_words(ForwardConfig(MOONS, ScheduleConfig("linear", 20)), 3)
    assert "Each frame" not in in_words(ForwardConfig(MOONS, ScheduleConfig("vp")), 3)
    assert "pixels" in in_words(ForwardConfig(DIGITS, ScheduleConfig("vp")), 3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("data", [MOONS, DataConfig("dirac_pair", 1), picture(16)])
def test_the_two_ways_agree_for_every_seed(data: DataConfig, seed: int) -> None:
    config = ForwardConfig(data, LINEAR, seed=seed)
    for frame in range(0, 51, 10):
        assert "agree" in in_words(config, frame)


# The end


def test_a_full_chain_ends_in_noise_and_a_short_one_does_not() -> None:
    assert forward_run.ending(MOONS, LINEAR).verdict == "yes"
    assert forward_run.ending(MOONS, ScheduleConfig("linear", 20)).verdict == "no"
    assert forward_run.ending(DIGITS, LINEAR).verdict == "yes"
    assert forward_run.ending(DIGITS, ScheduleConfig("linear", 20)).verdict == "no"
    assert forward_run.ending(picture(32), LINEAR).verdict == "yes"
