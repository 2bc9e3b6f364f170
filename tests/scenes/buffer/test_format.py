"""The player's buffer: what goes in comes out, and what cannot be drawn is refused in words."""

from __future__ import annotations

import json
import struct
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
import torch

from diffviz.scenes.buffer import Buffer, Clock, Lane, Points, decode, encode
from diffviz.scenes.buffer.format import MAGIC, read_header


def clock(frames: int = 5, **changes: Any) -> Clock:
    t = np.linspace(1, 0, frames)
    fields: dict[str, Any] = {
        "t": t, "alpha": 1 - t, "sigma": t, "curve_t": [0.0, 0.5, 1.0],
        "curve_log_snr": [np.inf, 0.0, -np.inf],
    }  # fmt: skip
    return Clock(**{**fields, **changes})


def cloud(frames: int = 5, points: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, points, 2))


@pytest.mark.parametrize(("dtype", "levels"), [("u16", 65535), ("u8", 255)])
def test_round_trip_within_half_a_level(dtype: Any, levels: int) -> None:
    values = np.random.default_rng(1).normal(size=(11, 13, 3)) * [1.0, 10.0, 0.01]
    buffer = Buffer()
    buffer.add("whole", values, dtype)
    buffer.add("axes", values, dtype, lo=values.min((0, 1)), hi=values.max((0, 1)))
    _, arrays = decode(buffer.finish({}))
    whole = (values.max() - values.min()) / levels
    assert np.abs(arrays["whole"] - values).max() <= whole / 2 * (1 + 1e-9)
    axes = (values.max((0, 1)) - values.min((0, 1))) / levels
    assert (np.abs(arrays["axes"] - values) <= axes / 2 * (1 + 1e-9)).all()


def test_floats_and_integers_come_back_as_they_went() -> None:
    buffer = Buffer()
    buffer.add("f", np.array([0.1, np.inf, -np.inf], dtype=np.float32), "f32")
    buffer.add("i", np.arange(-3, 4), "i32")
    _, arrays = decode(buffer.finish({}))
    np.testing.assert_array_equal(arrays["f"], np.array([0.1, np.inf, -np.inf], dtype=np.float32))
    np.testing.assert_array_equal(arrays["i"], np.arange(-3, 4))


def test_values_outside_given_ends_are_clipped() -> None:
    buffer = Buffer()
    buffer.add("x", np.array([-5.0, 0.5, 7.0]), "u8", lo=0.0, hi=1.0)
    _, arrays = decode(buffer.finish({}))
    np.testing.assert_allclose(arrays["x"], [0, 0.5, 1], atol=1 / 510)


def test_a_constant_array_comes_back_exactly() -> None:
    buffer = Buffer()
    buffer.add("x", np.full((3, 2), 4.25))
    np.testing.assert_array_equal(decode(buffer.finish({}))[1]["x"], np.full((3, 2), 4.25))


@pytest.mark.parametrize("words", ["", "a", "ab", "abc", "äöü", "x₀", "0123456"])
def test_every_part_starts_at_a_multiple_of_eight(words: str) -> None:
    buffer = Buffer()
    buffer.add("odd", np.arange(3), "u8", 0, 255)
    buffer.add("after", np.arange(5.0), "f32")
    buffer.add("last", np.arange(7), "u16", 0, 65535)
    data = buffer.finish({"words": words})
    assert data[:4] == MAGIC
    (length,) = struct.unpack_from("<I", data, 4)
    assert (8 + length) % 8 == 0
    header = json.loads(data[8 : 8 + length])
    assert header["words"] == words
    assert all(entry["offset"] % 8 == 0 for entry in header["arrays"].values())
    assert len(data) % 8 == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["u16", "u8"])
def test_what_is_not_a_number_is_refused_by_name(bad: float, dtype: Any) -> None:
    values = np.zeros((4, 2))
    values[1, 1] = bad
    with pytest.raises(ValueError, match=r"'x_t' holds 1 value\(s\) that are NaN or infinite"):
        Buffer().add("x_t", values, dtype)


def test_a_name_is_used_once_and_types_are_known() -> None:
    buffer = Buffer()
    buffer.add("x", np.zeros(2))
    with pytest.raises(ValueError, match="already in the buffer"):
        buffer.add("x", np.zeros(2))
    with pytest.raises(ValueError, match="unknown dtype 'f64'"):
        buffer.add("y", np.zeros(2), "f64")  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"DVZ1", b"GIF89a..........", b"DVZ1\xff\xff\xff\x7f{}"])
def test_bytes_that_are_no_buffer_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="player buffer"):
        decode(data)


def test_the_id_names_the_content() -> None:
    one = encode(clock(), [Points("a", cloud())])
    assert encode(clock(), [Points("a", cloud())]) == one
    others = [
        encode(clock(), [Points("b", cloud())]),
        encode(clock(), [Points("a", cloud(seed=1))]),
        encode(clock(direction="forward"), [Points("a", cloud())]),
    ]
    ids = {read_header(data)["id"] for data in (one, *others)}
    assert len(ids) == 4


def test_positions_and_layers_of_a_panel_come_back() -> None:
    x_t, x_0 = cloud(), cloud(seed=2)
    field = np.random.default_rng(3).normal(size=(5, 4, 4, 2))
    density = np.random.default_rng(4).uniform(size=(5, 6, 6)) * np.arange(1, 6)[:, None, None]
    data = encode(
        clock(),
        [Points("a", x_t, (-1, 2), badge="exact", x_0=x_0, labels=np.arange(7) + 8, data=x_0[0],
                field=field, density=density, mesh=x_t[:, :4].reshape(5, 2, 2, 2),
                scale=np.linspace(1, 2, 5), movable=True, note="scaled")],
    )  # fmt: skip
    header, arrays = decode(data)
    (panel,) = header["panels"]
    assert panel["kind"] == "points"
    assert panel["count"] == 7
    assert panel["limits"] == [[-1, -1], [2, 2]]
    assert panel["movable"] is True
    named = {role: arrays[name] for role, name in panel["arrays"].items()}
    span = x_t.max((0, 1)) - x_t.min((0, 1))
    assert (np.abs(named["x_t"] - x_t) <= span / 65535).all()
    assert named["labels"].tolist() == [8, 9, 0, 1, 2, 3, 4]
    relative = density / named["density_max"][:, None, None]
    np.testing.assert_allclose(named["density"] ** 2, relative, atol=1 / 100)
    np.testing.assert_allclose(relative.max((1, 2)), 1, rtol=1e-6)
    length = np.linalg.norm(named["field"], axis=-1)
    assert length.max() <= 1 + 1e-4
    cosine = (named["field"] * field).sum(-1) / (length * np.linalg.norm(field, axis=-1))
    assert cosine.min() > 0.9999, "arrows keep their direction"


def test_torch_tensors_are_taken() -> None:
    x_t = torch.randn(5, 7, 2, generator=torch.Generator().manual_seed(0))
    _, arrays = decode(encode(clock(), [Points("a", x_t)]))
    np.testing.assert_allclose(arrays["p0.x_t"], x_t.numpy(), atol=1e-3)


@pytest.mark.parametrize(("points", "limit"), [(20_000, 8.2e6), (2_000, 0.9e6)])
def test_payload_sizes(points: int, limit: float) -> None:
    data = encode(clock(101), [Points("a", cloud(101, points))])
    assert len(data) <= limit


def test_panels_and_clock_must_have_the_same_frames() -> None:
    with pytest.raises(ValueError, match="Cloud has 4 frames but the clock has 5"):
        encode(clock(), [Points("Cloud", cloud(4))])
    with pytest.raises(ValueError, match="1 to 4 panels, not 0"):
        encode(clock(), [])
    with pytest.raises(ValueError, match="1 to 4 panels, not 5"):
        encode(clock(), [Points("Cloud", cloud())] * 5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_t": np.zeros((5, 7))}, r"x_t has shape \(5, 7\)"),
        ({"x_t": np.zeros((5, 0, 2))}, r"x_t has shape \(5, 0, 2\)"),
        ({"x_0": np.zeros((4, 7, 2))}, "x_0 has 4 frames but x_t has 5"),
        ({"field": np.zeros((3, 4, 4, 2))}, "field has 3 frames but x_t has 5"),
        ({"density": np.zeros((5, 4))}, r"density has shape \(5, 4\)"),
        ({"mesh": np.zeros((5, 4, 4, 3))}, r"mesh has shape \(5, 4, 4, 3\)"),
        ({"scale": np.ones(6)}, "scale has 6 frames but x_t has 5"),
        ({"labels": np.zeros(6)}, r"labels has shape \(6,\); here it needs \(7\)"),
        ({"data": np.zeros((4, 3))}, r"data has shape \(4, 3\)"),
        ({"limits": (1.0, 1.0)}, "each upper one must exceed its lower one"),
        ({"badge": "oracle"}, "badge is 'oracle'"),
        ({"on": ["glitter"]}, "unknown layer 'glitter'"),
    ],
)
def test_points_that_do_not_fit_together(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Points(**{"title": "a", "x_t": cloud(), **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alpha": np.ones(4)}, r"alpha has shape \(4,\) but t has 5 frames"),
        ({"evaluations": np.ones(6)}, "evaluations has shape"),
        ({"t": np.array([1, 0.5, np.nan, 0.1, 0])}, "t contains NaN"),
        ({"t": np.linspace(1.5, 0, 5)}, r"must stay in \[0, 1\]"),
        ({"t": np.zeros(0)}, "one time per frame"),
        ({"curve_t": np.zeros(3), "curve_log_snr": np.zeros(4)}, "curve_t has shape"),
        ({"direction": "sideways"}, "direction is 'sideways'"),
    ],
)
def test_clocks_that_do_not_fit_together(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        clock(**changes)


def test_descriptions_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        clock().unit = "frame"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Points("a", cloud()).title = "b"  # type: ignore[misc]


def test_the_clock_keeps_infinite_ends_and_names_its_direction() -> None:
    header, arrays = decode(encode(clock(), [Points("a", cloud())]))
    assert header["clock"]["frames"] == 5
    assert (header["clock"]["start"], header["clock"]["end"]) == ("noise", "data")
    assert np.isinf(arrays["clock.curve_log_snr"][[0, -1]]).all()


def test_a_clock_can_show_where_several_runs_stop() -> None:
    lanes = [Lane("A", [0, 2, 4]), Lane("B", [0, 4])]
    header, _ = decode(encode(clock(lanes=lanes), [Points("P", cloud())]))
    assert header["clock"]["lanes"] == [
        {"name": "A", "stops": [0, 2, 4]},
        {"name": "B", "stops": [0, 4]},
    ]
    assert decode(encode(clock(), [Points("P", cloud())]))[0]["clock"]["lanes"] == []
    with pytest.raises(ValueError, match="lane C stops outside the 5 frames"):
        clock(lanes=[Lane("C", [5])])


def test_points_can_say_something_of_each_frame() -> None:
    words = [f"{k} evaluations" for k in range(5)]
    header, _ = decode(encode(clock(), [Points("P", cloud(), status=words)]))
    assert header["panels"][0]["status"] == words
    with pytest.raises(ValueError, match="status has 2 entries for 5 frames"):
        Points("P", cloud(), status=words[:2])
