"""What the browser noises itself: the sums, what is sent and what is left out, several at once."""

from __future__ import annotations

import numpy as np
import pytest

from diffviz.scenes.buffer import Clock, Lines, Noised, Points, bind, decode, encode, unbind
from diffviz.scenes.buffer.format import Buffer
from diffviz.scenes.buffer.format import decode as as_sent

X_0 = np.array([[1.0, 2.0], [3.0, 4.0]])
NOISE = np.array([[[1.0, 1.0], [1.0, 1.0]], [[2.0, 0.0], [-2.0, 4.0]]])
KEPT, ADDED = np.array([0.5, 2.0]), np.array([1.0, 0.5])


def clock(frames: int) -> Clock:
    t = np.linspace(0, 1, frames)
    return Clock(t, 1 - t, t, t, -t, direction="forward")


def test_a_jump_starts_from_the_data_each_time() -> None:
    x_t = Noised(X_0, NOISE[:1], KEPT, ADDED, walk=False).x_t
    np.testing.assert_array_equal(x_t, [[[1.5, 2], [2.5, 3]], [[2.5, 4.5], [6.5, 8.5]]])


def test_a_walk_starts_from_the_sample_before() -> None:
    x_t = Noised(X_0, NOISE, KEPT, ADDED, walk=True).x_t
    np.testing.assert_array_equal(x_t, [[[1, 2], [3, 4]], [[1.5, 2], [2.5, 3]], [[4, 4], [4, 8]]])


@pytest.mark.parametrize("walk", [True, False])
def test_a_panel_of_it_is_read_back(walk: bool) -> None:
    made = Noised(X_0, NOISE if walk else NOISE[:1], KEPT, ADDED, walk)
    scale = np.linspace(1, 0.5, 2 + walk)
    panel = Points("a", made, data=X_0, labels=np.array([0, 12]), scale=scale)
    buffer = encode(clock(2 + walk), [panel], held="these")
    header, arrays = decode(buffer)
    names = header["panels"][0]["arrays"]
    assert header["held"] == "these"
    assert header["panels"][0]["count"] == 2
    assert names["data"] == names["start"], "sent once"
    np.testing.assert_allclose(arrays[names["x_t"]], made.x_t * scale[:, None, None], atol=1e-3)
    assert arrays[names["labels"]].tolist() == [0, 2]
    hollow = encode(clock(2 + walk), [panel], held="these", hollow=True)
    own, left = as_sent(hollow)
    assert own["panels"][0]["arrays"] == as_sent(buffer)[0]["panels"][0]["arrays"]
    assert set(names.values()) - left.keys() == {
        names[role] for role in ("start", "noise", "labels", "x_t")
    }


def test_lines_are_made_of_it_too() -> None:
    made = Noised(X_0[:, 0], NOISE[..., 0], KEPT, ADDED, walk=True)
    density, times = np.ones((2, 3)), np.array([0.0, 1.0])
    header, arrays = decode(encode(clock(3), [Lines("a", made, density, times)]))
    panel = header["panels"][0]
    assert (panel["count"], panel["walk"]) == (2, True)
    np.testing.assert_allclose(arrays[panel["arrays"]["x_t"]], made.x_t, atol=1e-3)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"noise has shape \(1, 2, 2\); here it needs \(2, 2, 2\)"):
        Noised(X_0, NOISE[:1], KEPT, ADDED, walk=True)
    with pytest.raises(ValueError, match=r"kept has shape \(2,\) but added has \(1,\)"):
        Noised(X_0, NOISE, KEPT, ADDED[:1], walk=True)
    with pytest.raises(ValueError, match="frames"):
        encode(clock(5), [Points("a", Noised(X_0, NOISE, KEPT, ADDED, walk=True))])


def test_rows_that_are_alike_are_sent_as_changes() -> None:
    values = np.random.default_rng(0).integers(0, 256, (7, 5))
    buffer = Buffer()
    buffer.add("d", values, "u8", 0, 255, changes=True)
    np.testing.assert_array_equal(as_sent(buffer.finish({}))[1]["d"], values)


def test_a_sheaf_is_taken_apart() -> None:
    buffers = {0.5: b"one", 2.0: b"another"}
    assert unbind(bind(buffers)) == buffers
    with pytest.raises(ValueError, match="does not start with DVZN"):
        unbind(b"DVZ1" + bytes(20))
