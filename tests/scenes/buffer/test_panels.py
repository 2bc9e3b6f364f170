"""What the 1-D and image panels and the rail put into a player's buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diffviz.scenes.buffer import Clock, Images, Lines, Mix, Rail, decode, encode
from diffviz.scenes.buffer.rail import Curve, Histogram, StepFormula, Term

Array = NDArray[np.float64]

FRAMES, COUNT = 7, 5


def clock(frames: int = FRAMES, direction: str = "reverse") -> Clock:
    t = np.linspace(1, 0, frames) if direction == "reverse" else np.linspace(0, 1, frames)
    return Clock(t, np.cos(t), np.sin(t), [0.0, 1.0], [3.0, -3.0], direction=direction)


def unpack(panel: Any, rail: Rail | None = None) -> tuple[dict[str, Any], dict[str, Array]]:
    header, arrays = decode(encode(clock(), [panel], rail))
    return header, arrays


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def density(times: int = 9, rows: int = 31) -> Array:
    x = np.linspace(-3, 3, rows)
    width = np.linspace(0.05, 1, times)[:, None]
    return np.exp(-0.5 * (x / width) ** 2) / (width * np.sqrt(2 * np.pi))


def lines(**changes: Any) -> Lines:
    given = {
        "title": "Paths",
        "x_t": normal(FRAMES, COUNT),
        "density": density(),
        "density_t": np.linspace(0, 1, 9),
    }
    return Lines(**(given | changes))


class TestLines:
    def test_arrays_come_back_to_within_half_a_level(self) -> None:
        panel = lines(x_0=normal(FRAMES, COUNT, seed=1), data=normal(11, seed=2), badge="exact")
        header, arrays = unpack(panel)
        entry = header["panels"][0]
        assert (entry["kind"], entry["count"], entry["badge"]) == ("lines", COUNT, "exact")
        for role, given in (("x_t", panel.x_t), ("x_0", panel.x_0), ("data", panel.data)):
            half_level = np.ptp(given) / 65535 / 2
            np.testing.assert_allclose(
                arrays[entry["arrays"][role]], given, atol=half_level * 1.001
            )

    def test_density_keeps_its_precision_where_its_peak_is_low(self) -> None:
        header, arrays = unpack(lines())
        names = header["panels"][0]["arrays"]
        peak = arrays[names["density_peak"]][:, None]
        sent = arrays[names["density"]] * peak
        assert peak[0] > 15 * peak[-1]
        np.testing.assert_allclose(sent / peak, density() / peak, atol=1e-5)

    def test_decreasing_times_are_turned_round(self) -> None:
        turned = lines(density=density()[::-1], density_t=np.linspace(1, 0, 9))
        for first, second in zip(
            unpack(lines())[1].values(), unpack(turned)[1].values(), strict=True
        ):
            np.testing.assert_array_equal(first, second)

    def test_x_0_may_be_one_for_all_frames(self) -> None:
        header, arrays = unpack(lines(x_0=normal(1, COUNT)))
        assert arrays[header["panels"][0]["arrays"]["x_0"]].shape == (1, COUNT)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"x_t": normal(FRAMES)}, "x_t has shape"),
            ({"x_0": normal(FRAMES - 1, COUNT)}, "x_0 has shape"),
            ({"scale": np.ones(FRAMES + 1)}, "scale has 8 frames but x_t has 7"),
            ({"density_t": np.linspace(0, 1, 8)}, "density has shape"),
            ({"density_t": np.r_[0.0, 0.5, 0.4, np.linspace(0.6, 1, 6)]}, "strictly"),
            ({"density": -density()}, "negative"),
            ({"x_t": np.full((FRAMES, COUNT), np.nan)}, "NaN"),
            ({"limits": (1.0, 1.0)}, "limits"),
            ({"badge": "perfect"}, "badge"),
        ],
    )
    def test_refuses_what_does_not_fit(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            lines(**changes)

    def test_refuses_another_number_of_frames_than_the_clock(self) -> None:
        with pytest.raises(ValueError, match="6 frames but the clock has 7"):
            unpack(lines(x_t=normal(6, COUNT)))


class TestImages:
    def test_each_frame_is_sent_over_its_own_range(self) -> None:
        x_t = normal(FRAMES, 3, 1, 4, 6) * np.linspace(4, 0.1, FRAMES)[:, None, None, None, None]
        header, arrays = unpack(Images("Run", x_t))
        entry = header["panels"][0]
        assert (entry["kind"], entry["count"], entry["size"]) == ("images", 3, [1, 4, 6])
        ends = arrays[entry["arrays"]["x_t_range"]][:, :, None, None, None, None]
        span = ends[:, 1] - ends[:, 0]
        sent = ends[:, 0] + span * arrays[entry["arrays"]["x_t"]]
        assert (np.abs(sent - x_t) <= span / 255 / 2 * 1.01).all()
        assert span[-1].item() == pytest.approx(2, abs=1e-6)

    def test_predictions_have_every_frame_and_data_has_one(self) -> None:
        x_t = normal(FRAMES, 2, 3, 4, 4)
        header, arrays = unpack(Images("Run", x_t, x_0=x_t[:1], eps=x_t, labels=np.array([4, 7])))
        entry = header["panels"][0]
        assert arrays[entry["arrays"]["x_0"]].shape == (1, 2, 3, 4, 4)
        assert arrays[entry["arrays"]["eps"]].shape == (FRAMES, 2, 3, 4, 4)
        assert entry["labels"] == ["4", "7"]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"x_t": normal(FRAMES, 2, 4, 4)}, "5 axes"),
            ({"x_t": normal(FRAMES, 2, 2, 4, 4)}, "2 channels"),
            ({"x_0": normal(FRAMES, 1, 1, 4, 4)}, "x_0 has shape"),
            ({"eps": normal(2, 2, 1, 4, 4)}, "eps has shape"),
            ({"labels": [1]}, "1 labels for 2 images"),
            ({"scale": np.zeros(FRAMES)}, "positive"),
            ({"x_t": np.full((FRAMES, 2, 1, 4, 4), np.inf)}, "infinite"),
        ],
    )
    def test_refuses_what_does_not_fit(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Images(**({"title": "Run", "x_t": normal(FRAMES, 2, 1, 4, 4)} | changes))

    def test_refuses_another_number_of_frames_than_the_clock(self) -> None:
        with pytest.raises(ValueError, match="3 frames but the clock has 7"):
            unpack(Images("Run", normal(3, 2, 1, 4, 4)))


class TestMix:
    def test_bytes_are_sent_exactly_and_noise_at_16_bits(self) -> None:
        codes = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16))
        eps = normal(2, 3, 16, 16)
        header, arrays = unpack(Mix("Photo", codes / 127.5 - 1, eps))
        names = header["panels"][0]["arrays"]
        assert header["arrays"][names["x_0"]]["dtype"] == "u8"
        np.testing.assert_allclose(arrays[names["x_0"]], codes / 127.5 - 1, atol=1e-6)
        np.testing.assert_allclose(arrays[names["eps"]], eps, atol=np.ptp(eps) / 65535)

    def test_other_values_are_sent_at_16_bits(self) -> None:
        x_0 = np.random.default_rng(1).uniform(-1.5, 1, (1, 1, 8, 8))
        header, arrays = unpack(Mix("Digit", x_0, normal(1, 1, 8, 8)))
        names = header["panels"][0]["arrays"]
        assert header["arrays"][names["x_0"]]["dtype"] == "u16"
        np.testing.assert_allclose(arrays[names["x_0"]], x_0, atol=2.5 / 65535)

    def test_a_large_color_image_is_small_on_the_wire(self) -> None:
        codes = np.random.default_rng(2).integers(0, 256, (1, 3, 256, 256))
        sent = encode(clock(), [Mix("Photo", codes / 127.5 - 1, normal(1, 3, 256, 256))])
        assert len(sent) < 600_000

    def test_refuses_what_does_not_fit(self) -> None:
        with pytest.raises(ValueError, match="eps has shape"):
            Mix("Photo", normal(1, 1, 8, 8), normal(2, 1, 8, 8))
        with pytest.raises(ValueError, match="4 frames but the clock has 7"):
            unpack(Mix("Photo", normal(1, 1, 8, 8), normal(1, 1, 8, 8), scale=np.ones(4)))


class TestRail:
    def formula(self, steps: int) -> StepFormula:
        a = np.linspace(1, 0.5, steps)
        return StepFormula("x_s", [Term("x^_0", a, "x_0"), Term("z", a, normal(steps, COUNT, 2))])

    def test_every_part_is_packed(self) -> None:
        rail = Rail(
            Histogram(std=np.linspace(1, 2, FRAMES)),
            beta=np.linspace(0, 0.02, FRAMES),
            distance=Curve(np.logspace(0, -3, FRAMES), "Distance", 1e-3, "floor"),
            step=self.formula(FRAMES - 1),
        )
        header, arrays = unpack(lines(), rail)
        entry = header["rail"]
        assert entry["numbers"] is True
        np.testing.assert_allclose(arrays[entry["histogram"]["std"]], np.linspace(1, 2, FRAMES))
        np.testing.assert_allclose(
            arrays[entry["distance"]["values"]], np.logspace(0, -3, FRAMES), rtol=1e-6
        )
        assert entry["step"]["steps"] == FRAMES - 1
        first, second = entry["step"]["terms"]
        assert (first["role"], first["values"]) == ("x_0", None)
        assert arrays[second["values"]].shape == (FRAMES - 1, COUNT, 2)

    def test_parts_that_are_left_out_are_absent(self) -> None:
        header, _ = unpack(lines(), Rail(numbers=False))
        assert header["rail"] == {"numbers": False}

    def test_parts_must_agree_on_the_frames(self) -> None:
        with pytest.raises(ValueError, match="differ in their number of frames"):
            Rail(beta=np.ones(4), distance=Curve(np.ones(5), "Distance"))
        with pytest.raises(ValueError, match="length 4"):
            Rail(distance=Curve(np.ones(7), "Distance"), step=self.formula(4))
        with pytest.raises(ValueError, match="6 frames but the clock has 7"):
            unpack(lines(), Rail(distance=Curve(np.ones(6), "Distance")))

    def test_refuses_what_cannot_be_drawn(self) -> None:
        with pytest.raises(ValueError, match="NaN or infinite"):
            Curve([1.0, np.nan], "Distance")
        with pytest.raises(ValueError, match="bars"):
            Histogram(bins=1)
        with pytest.raises(ValueError, match="not positive"):
            Histogram(std=0.0)
        with pytest.raises(ValueError, match="use one of"):
            Term("x_0", [1.0], "score")
        with pytest.raises(ValueError, match="as many coefficients"):
            StepFormula("x_s", [Term("x_0", [1.0]), Term("eps", [1.0, 2.0])])
        with pytest.raises(ValueError, match="they need"):
            Term("z", [1.0, 2.0], normal(1, COUNT, 2))
