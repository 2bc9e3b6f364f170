"""What the player's buffer says of training: a clock of steps, two fields, and maps over noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from diffviz.scenes.buffer import Clock, Curve, Fields, Levels, Points, Rail, Track, decode, encode

FRAMES = 4


def clock(**changes: Any) -> Clock:
    t = np.linspace(0, 0.6, FRAMES)
    return Clock(t, np.ones(FRAMES), np.zeros(FRAMES), [0.0, 1.0], [0.0, 0.0], "forward", **changes)


def points() -> Points:
    return Points("Samples", np.random.default_rng(0).standard_normal((FRAMES, 5, 2)))


def fields(**changes: Any) -> Fields:
    normal = np.random.default_rng(1).standard_normal
    given = {
        "title": "Score",
        "exact": normal((1, 3, 3, 2)),
        "learned": normal((FRAMES, 3, 3, 2)),
        "error": np.abs(normal((FRAMES, 6, 6))),
    }
    return Fields(**(given | changes))


def test_a_clock_can_bring_its_own_track_and_words() -> None:
    track = Track([0.0, 0.3, 0.6], [1.0, 0.4, 0.2], "Loss", (0.1, 2.0), True, 0.15, "best")
    names, notes = [f"step {k}" for k in range(FRAMES)], ["loss 1"] * FRAMES
    header, arrays = decode(encode(clock(track=track, names=names, notes=notes), [points()]))
    entry = header["clock"]
    assert (entry["names"], entry["notes"]) == (names, notes)
    assert (entry["track"]["label"], entry["track"]["log"]) == ("Loss", True)
    assert (entry["track"]["floor"], entry["track"]["floor_label"]) == (0.15, "best")
    np.testing.assert_allclose(arrays[entry["track"]["values"]], [1.0, 0.4, 0.2], rtol=1e-6)


def test_a_clock_without_them_says_so() -> None:
    entry = decode(encode(clock(), [points()]))[0]["clock"]
    assert (entry["track"], entry["names"], entry["notes"]) == (None, None, None)


@pytest.mark.parametrize(
    ("u", "values", "limits", "log"),
    [
        ([0, 1], [1, 2, 3], (0, 4), False),
        ([], [], (0, 1), False),
        ([0, 1.2], [1, 2], (0, 4), False),
        ([1, 0], [1, 2], (0, 4), False),
        ([0, 1], [1, np.nan], (0, 4), False),
        ([0, 1], [1, 2], (4, 0), False),
        ([0, 1], [0, 2], (0.1, 4), True),
    ],
)
def test_a_track_that_cannot_be_drawn_is_refused(
    u: list[float], values: list[float], limits: tuple[float, float], log: bool
) -> None:
    with pytest.raises(ValueError, match=r"track|shape|limits"):
        Track(u, values, "x", limits, log)


def test_words_for_another_number_of_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="names has 1 entries"):
        clock(names=["a"])


def test_fields_share_the_unit_of_the_exact_one_and_leave_cells_blank() -> None:
    exact = np.zeros((1, 2, 2, 2))
    exact[..., 0] = 2.0
    learned = np.zeros((FRAMES, 2, 2, 2))
    learned[..., 1] = 1.0
    error = np.full((FRAMES, 3, 3), 0.5)
    error[:, 0, 0] = np.nan
    panel = fields(exact=exact, learned=learned, error=error, peak=1.0)
    header, arrays = decode(encode(clock(), [points(), panel]))
    entry = header["panels"][1]
    assert entry["kind"] == "fields"
    np.testing.assert_allclose(arrays[entry["arrays"]["exact"]][..., 0], 1.0, atol=1e-4)
    np.testing.assert_allclose(arrays[entry["arrays"]["learned"]][..., 1], 0.5, atol=1e-4)
    levels = arrays[entry["arrays"]["error"]]
    assert (levels[:, 0, 0] == 255).all()
    assert (levels[:, 1, 1] == 127).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"exact": np.zeros((2, 3, 3, 2))},
        {"learned": np.zeros((FRAMES, 3, 3))},
        {"error": np.zeros((FRAMES - 1, 6, 6))},
        {"limits": (1.0, 1.0)},
        {"peak": 0.0},
    ],
)
def test_fields_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"shape|limits|peak"):
        fields(**changes)


def test_a_rail_can_hold_a_map_and_more_curves() -> None:
    values = np.full((FRAMES, 2), 0.5)
    values[0] = np.nan
    rail = Rail(
        numbers=False,
        levels=[Levels(values, "Loss", (0.0, 1.0), [(0.5, "1")], "noise")],
        curves=[Curve(np.ones(FRAMES), "One"), Curve(np.ones(FRAMES), "Two")],
    )
    header, arrays = decode(encode(clock(), [points()], rail))
    entry = header["rail"]
    levels = entry["levels"][0]
    assert [curve["label"] for curve in entry["curves"]] == ["One", "Two"]
    assert levels["ticks"] == [[0.5, "1"]]
    assert arrays[levels["values"]][..., 0].tolist() == [[255, 255]] + 3 * [[127, 127]]


def test_a_map_may_differ_from_item_to_item() -> None:
    values = np.linspace(0, 1, FRAMES * 2 * 3).reshape(FRAMES, 2, 3)
    rail = Rail(levels=[Levels(values, "Share", names=["low", "high"])])
    header, arrays = decode(encode(clock(), [points()], rail))
    entry = header["rail"]["levels"][0]
    assert entry["names"] == ["low", "high"]
    np.testing.assert_allclose(arrays[entry["values"]] / 254, values, atol=0.5 / 254)
    with pytest.raises(ValueError, match="names"):
        Levels(values, "Share", names=["one"])


def test_a_map_of_other_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="frames"):
        Rail(levels=[Levels(np.ones((3, 2)), "Loss")], curves=[Curve(np.ones(4), "One")])
    with pytest.raises(ValueError, match="levels"):
        Levels(np.ones(3), "Loss")
    with pytest.raises(ValueError, match="limits"):
        Levels(np.ones((3, 2)), "Loss", (1.0, 0.0))
