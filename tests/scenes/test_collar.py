"""Dogs with and without a collar: the rows share their noise, and a given dog keeps its looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from diffviz.data.dogs import draw, sample_looks
from diffviz.scenes.buffer import decode as unpack
from diffviz.scenes.collar import CollarRun, Dog, GivenRun, affordable, changed, collars
from diffviz.scenes.configs import SamplerConfig
from diffviz.ui.screens.collar.words import (
    about_given,
    about_given_measured,
    about_measured,
    about_rows,
    about_trip,
    difference,
    dog_html,
    given_html,
    rows_html,
)
from diffviz.ui.shell.theme import DARK, LIGHT

RUN = CollarRun(sampler=SamplerConfig("dpmpp_2m", 10, "log_snr"), count=4)


def first_and_last(buffer: bytes) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """x_t of the first and of the last frame of each panel, in its own units."""
    header, arrays = unpack(buffer)
    ends: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for panel in header["panels"]:
        x, ranges = (arrays[panel["arrays"][name]] for name in ("x_t", "x_t_range"))
        for found, frame in zip(ends, (0, -1), strict=True):
            low, high = ranges[frame]
            found.append(low + (high - low) * np.asarray(x[frame], dtype=np.float64))
    return ends


def test_the_three_rows_start_from_one_noise_and_end_as_asked() -> None:
    made = collars(RUN)
    assert made.frames == 11
    assert made.evaluations == 10 * (2 + 1 + 2)
    first, last = first_and_last(made.buffer)
    assert len(first) == 3
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_allclose(last[2], made.x[2], atol=0.03)
    assert (made.probability[0] < 0.5).all()
    assert (made.probability[2] > 0.5).all()
    assert made.switched < 0.5 * made.apart
    words = about_rows(RUN, made)
    assert "Asked for a collar, 4 of 4 dogs have one; asked for none, 0" in words


def test_the_map_shows_the_probability_of_a_collar_row_by_row() -> None:
    made = collars(RUN)
    header, arrays = unpack(made.buffer)
    levels = header["rail"]["levels"]
    assert len(levels) == 1
    shown = arrays[levels[0]["values"]] / 254
    assert shown.shape == (11, 3, 4)
    np.testing.assert_allclose(shown[-1], made.probability, atol=0.02)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddpm"])
def test_where_nothing_is_asked_the_rows_are_one(sampler: str) -> None:
    run = replace(RUN, guidance=0.0, count=2, sampler=SamplerConfig(sampler, 6, "trailing"))
    made = collars(run)
    np.testing.assert_array_equal(made.x[0], made.x[1])
    np.testing.assert_array_equal(made.x[0], made.x[2])
    assert made.evaluations == 3 * 6
    assert "the three rows are one" in about_rows(run, made)


def test_a_dog_does_not_depend_on_how_many_there_are() -> None:
    one = collars(replace(RUN, count=1))
    four = collars(RUN)
    np.testing.assert_allclose(one.x[:, 0], four.x[:, 0], atol=1e-3)
    assert "on average." in about_rows(replace(RUN, count=1), one)


def test_long_runs_have_fewer_dogs() -> None:
    assert affordable(RUN) == 4
    long = replace(RUN, count=8, sampler=SamplerConfig("heun", 1000, "karras"))
    assert 1 <= affordable(long) < 8


@pytest.mark.parametrize("collar", [False, True])
def test_the_collar_of_a_given_dog_is_switched(collar: bool) -> None:
    run = GivenRun(Dog(collar=collar, sits=collar))
    made = changed(run)
    assert made.frames == 2 * run.steps + 1
    given, _, same, other = made.pictures
    assert_close(torch.from_numpy(given), draw(run.dog.looks())[0])
    before, stays, after = made.probability
    assert (before > 0.5) == (stays > 0.5) == collar
    assert (after > 0.5) != collar
    assert made.back < 0.05
    assert made.neck > 2 * made.rest
    np.testing.assert_allclose(np.abs(same - given).mean(), made.back, rtol=1e-4)
    header, _ = unpack(made.buffer)
    other_words = "no collar" if collar else "a collar"
    assert [panel["title"] for panel in header["panels"]] == [
        "Told the same",
        f"Told: {other_words}",
    ]
    first, last = first_and_last(made.buffer)
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_allclose(last[1][0].clip(-1, 1), other, atol=0.03)
    assert ("taken off" if collar else "put on") in about_given(run, made)
    assert f"comes back {made.back:.3f}" in about_trip(run, made)
    assert ("fainter" in about_trip(run, made)) == (made.noise[1] <= 0.9)
    page = given_html(run, made, LIGHT)
    assert page.count("<figure>") == 5
    assert other_words in page


def test_a_collar_that_is_not_put_on_is_told() -> None:
    run = GivenRun(Dog(), guidance=0.0)
    assert "not put on" in about_given(run, replace(changed(run), probability=(0.0, 0.0, 0.1)))


def test_a_difference_is_blue_where_darker_and_orange_where_brighter() -> None:
    a, b = np.zeros((1, 1, 3), np.float32), np.array([[[-1.0, 0.0, 1.0]]], np.float32)
    for colors in (LIGHT, DARK):
        found = (difference(a, b, colors) + 1) * 127.5
        for place, color in zip((0, 1, 2), (0, 2, 4), strict=True):
            expected = [int(colors.diverging[color][k : k + 2], 16) for k in (1, 3, 5)]
            np.testing.assert_allclose(found[:, 0, place], expected, atol=0.01)


def test_the_readers_dog_is_one_of_the_set() -> None:
    dog, random = Dog().looks(), sample_looks(500, 0)
    for name in ("tail", "size", "coat", "nod", "muzzle", "right", "down"):
        value, all_ = getattr(dog, name), getattr(random, name)
        assert float(all_.min()) - 0.01 <= float(value) <= float(all_.max()) + 0.01, name
    assert "data:image/png" in dog_html(Dog(left=True))


def test_the_rows_and_the_measured_figures_are_told() -> None:
    made = collars(RUN)
    assert rows_html(made, DARK).count("<img") == 4 * 4
    kept = {
        "settings": {"samples": 2000, "given": 200, "guidance": 2.0},
        "figures": {
            **{"with": 0.9995, "without": 0.993, "with_plain": 0.97, "without_plain": 0.96},
            **{"open": 0.49, "data": 0.5, "neck": 0.3, "rest": 0.02, "two_rest": 0.4},
            **{"given_with": 0.985, "given_without": 0.97, "given_neck": 0.29},
            **{"given_rest": 0.01, "given_back": 0.001},
        },
    }
    words = about_measured(kept)
    assert "2,000 dogs" in words
    assert "99.95% have one" in words
    assert "taken off 97%" in about_given_measured(kept)
    for tell in (about_measured, about_given_measured):
        assert "collars --write" in tell({})
