from __future__ import annotations

import base64
import string
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from diffviz.ui.parts import sheet
from diffviz.ui.parts.sheet import (
    LEVELS,
    MAX_SIDE,
    decode_mask,
    decode_picture,
    encode_mask,
    encode_picture,
)

SHAPES = [(4, 4), (28, 28), (5, 7), (4, 64), (64, 64)]


def noise(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(shape[0]).integers(0, 256, shape, dtype=np.uint8)


def spell(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


# Words


@pytest.mark.parametrize("shape", SHAPES)
def test_words_bring_pictures_back(shape: tuple[int, int]) -> None:
    picture = noise(shape)
    word = encode_picture(picture)
    assert set(word) <= set(string.ascii_letters + string.digits + "-_")
    result = decode_picture(word)
    assert result.dtype == np.uint8
    assert np.abs(result.astype(int) - picture).max() <= 255 / (LEVELS - 1) / 2
    np.testing.assert_array_equal(decode_picture(encode_picture(result)), result)


@pytest.mark.parametrize("shape", SHAPES)
def test_words_bring_regions_back(shape: tuple[int, int]) -> None:
    mask = noise(shape) > 100
    result = decode_mask(encode_mask(mask))
    assert result.dtype == np.bool_
    np.testing.assert_array_equal(result, mask)
    np.testing.assert_array_equal(decode_mask(encode_mask(mask.astype(int))), mask)


def test_words_are_short() -> None:
    assert len(encode_picture(noise((28, 28)))) <= 527
    assert len(encode_mask(noise((28, 28)) > 127)) <= 135
    plain = np.zeros((28, 28), dtype=np.uint8)
    assert len(encode_picture(plain)) < 20
    plain[5:8, 6:20] = plain[8:24, 15:18] = 255
    assert len(encode_picture(plain)) < 60
    assert len(encode_mask(plain > 0)) < 60


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((3, 28)),
        np.zeros((28, MAX_SIDE + 1)),
        np.zeros((28, 28, 3)),
        np.zeros(784),
        np.full((28, 28), 256),
        np.full((28, 28), -1),
        np.full((28, 28), np.nan),
    ],
)
def test_what_is_no_picture_is_not_encoded(picture: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="picture"):
        encode_picture(picture)


@pytest.mark.parametrize("mask", [np.zeros((28, 3)), np.zeros(784, bool), np.full((28, 28), 0.5)])
def test_what_is_no_region_is_not_encoded(mask: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="region"):
        encode_mask(mask)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "A",
        "é",
        "AB CD",
        "../x",
        "AAAA",
        encode_mask(np.ones((28, 28))),
        encode_picture(noise((28, 28)))[:-2],
        encode_picture(noise((28, 28))) + "AAAA",
        encode_picture(np.zeros((28, 28)))[:-3],
        encode_picture(np.zeros((28, 28))) + "AAAA",
        spell(b"p\x05\x05" + b"\xff" * 13),  # the last half byte is beyond the last pixel
        spell(b"p\x03\x1c" + bytes(42)),
        spell(b"P\x04\x41" + deflated(bytes(130))),
        spell(b"P\x1c\x1c" + deflated(bytes(391))),
        spell(b"P\x1c\x1c" + deflated(bytes(393))),
        spell(b"P\x1c\x1c" + deflated(bytes(392))[:-1]),
        spell(b"P\x1c\x1cnonsense"),
        "A" * 100_000,
    ],
)
def test_nonsense_is_refused_in_plain_words(word: str) -> None:
    with pytest.raises(ValueError, match=r"^This is not a picture: .*\.$"):
        decode_picture(word)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = spell(b"M\x1c\x1c" + deflated(bytes(300_000)))
    assert len(bomb) < 600
    sizes = []
    unpack = zlib.decompressobj

    class Spy:
        """Counts what comes out."""

        def __init__(self, wbits: int) -> None:
            self.inner = unpack(wbits)

        def decompress(self, data: bytes, size: int) -> bytes:
            result = self.inner.decompress(data, size)
            sizes.append(len(result))
            return result

    monkeypatch.setattr("diffviz.ui.parts.sheet.codec.zlib.decompressobj", Spy)
    with pytest.raises(ValueError, match="more or fewer pixels"):
        decode_mask(bomb)
    assert sizes == [99]  # the 98 bytes of 28 x 28 pixels, and one that tells


def test_random_words_raise_nothing_but_value_error() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        data = bytes(rng.choice(list(b"pPmM"), 1)) + bytes(rng.integers(3, 9, 2, dtype=np.uint8))
        word = spell(data + rng.bytes(int(rng.integers(0, 40))))
        for decode, encode in ((decode_picture, encode_picture), (decode_mask, encode_mask)):
            try:
                pixels = decode(word)
            except ValueError:
                continue
            np.testing.assert_array_equal(decode(encode(pixels)), pixels)


# What the browser reports

SHAPE = (4, 5)


def report(pixels: NDArray[np.uint8], **other: object) -> dict[str, object]:
    word = base64.b64encode(pixels.tobytes()).decode()
    entry = {"word": word, "kind": "picture", "rows": 4, "columns": 5, "after": 2.0, **other}
    return {"ink": entry}


def test_a_report_is_read_and_its_levels_are_kept_ones() -> None:
    pixels = np.arange(20, dtype=np.uint8).reshape(SHAPE) * 12
    result = sheet._report(report(pixels), "picture", SHAPE)
    assert result is not None
    assert result.after == 2
    np.testing.assert_array_equal(
        sheet._pixels(result.word, SHAPE), decode_picture(encode_picture(pixels))
    )


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"ink": None},
        {"ink": "AAAA"},
        report(np.zeros(20, np.uint8), word=3),
        report(np.zeros(20, np.uint8), word="A" * 27 + "!"),
        report(np.zeros(20, np.uint8), after=None),
        report(np.zeros(20, np.uint8), after=float("nan")),
        report(np.zeros(20, np.uint8), kind="mask"),
        report(np.zeros(20, np.uint8), rows=5, columns=4),
        report(np.zeros(19, np.uint8)),
        report(np.zeros(21, np.uint8)),
        report(np.zeros(100_000, np.uint8)),
    ],
)
def test_reports_that_do_not_fit_are_ignored(state: object) -> None:
    assert sheet._report(state, "picture", SHAPE) is None


# The two functions, with a stand-in for the browser


class Browser:
    """Stands for the component: notes what it was sent and answers with a report."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []
        self.state: dict[str, object] = {}

    def __call__(self, *, key: str, data: dict[str, object], on_ink_change: object) -> object:
        self.sent.append(data)
        sheet.st.session_state[key] = self.state
        return self.state

    def draw(self, pixels: NDArray[np.generic]) -> None:
        """What the reader did since the last run."""
        last = self.sent[-1]
        word = base64.b64encode(pixels.astype(np.uint8).tobytes()).decode()
        names = ("kind", "rows", "columns")
        self.state = {
            "ink": {"word": word, "after": last["revision"], **{n: last[n] for n in names}}
        }


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    stand_in = Browser()
    monkeypatch.setattr(sheet, "component", lambda _: stand_in)
    monkeypatch.setattr(sheet.st, "session_state", {})
    return stand_in


def test_a_picture_is_drawn_handed_back_and_replaced(browser: Browser) -> None:
    assert sheet.draw_picture(key="a") is None
    assert browser.sent[-1]["ink"] is None
    drawn = decode_picture(encode_picture(noise((28, 28))))
    browser.draw(drawn)
    result = sheet.draw_picture(key="a")
    np.testing.assert_array_equal(result, drawn)
    np.testing.assert_array_equal(sheet.draw_picture(key="a", picture=result), drawn)
    assert browser.sent[-1]["revision"] == 0  # handing back is no wish
    other = noise((28, 28)).T
    np.testing.assert_array_equal(sheet.draw_picture(key="a", picture=other), other)
    assert browser.sent[-1]["revision"] == 1
    through_a_link = decode_picture(encode_picture(other))
    sheet.draw_picture(key="a", picture=through_a_link)
    assert browser.sent[-1]["revision"] == 1  # its rounding is the same picture
    browser.draw(np.zeros((28, 28)))
    cleared = sheet.draw_picture(key="a", picture=other)
    assert cleared is not None
    assert not cleared.any()


def test_a_region_belongs_to_pictures_of_one_shape(browser: Browser) -> None:
    tall, wide = np.zeros((8, 4)), np.zeros((4, 8, 3))
    assert sheet.paint_mask(key="a", picture=tall) is None
    painted = np.eye(8, 4, dtype=bool)
    browser.draw(painted)
    np.testing.assert_array_equal(sheet.paint_mask(key="a", picture=tall), painted)
    np.testing.assert_array_equal(sheet.paint_mask(key="a", picture=tall + 9), painted)
    assert sheet.paint_mask(key="a", picture=wide) is None
    np.testing.assert_array_equal(sheet.paint_mask(key="a", picture=tall), painted)
    half = np.arange(8) < 4
    wished = sheet.paint_mask(key="a", picture=wide, mask=np.tile(half, (4, 1)))
    assert wished is not None
    assert wished.sum() == 16


def test_the_backdrop_is_sent_in_red_green_and_blue(browser: Browser) -> None:
    grey = noise((6, 5))
    sheet.paint_mask(key="a", picture=grey)
    sheet.paint_mask(key="a", picture=np.stack([grey] * 3, axis=-1))
    first, second = (base64.b64decode(str(sent["backdrop"])) for sent in browser.sent)
    assert first == second
    assert first[3:6] == bytes([grey[0, 1]]) * 3


def test_arguments_that_do_not_fit_are_refused(browser: Browser) -> None:
    with pytest.raises(ValueError, match="4 to 64"):
        sheet.draw_picture(key="a", size=65)
    with pytest.raises(ValueError, match="28"):
        sheet.draw_picture(key="a", picture=np.zeros((20, 20)))
    with pytest.raises(ValueError, match="sides"):
        sheet.paint_mask(key="a", picture=np.zeros((28, 28, 4)))
    with pytest.raises(ValueError, match="between 0 and 255"):
        sheet.paint_mask(key="a", picture=np.full((28, 28), 300))
    with pytest.raises(ValueError, match=r"\(28, 28\)"):
        sheet.paint_mask(key="a", picture=np.zeros((28, 28)), mask=np.zeros((20, 20), bool))
    assert browser.sent == []


def test_both_sheets_mount() -> None:
    def page() -> None:
        import numpy as np

        from diffviz.ui.parts.sheet import draw_picture, paint_mask

        assert draw_picture(key="a") is None
        assert paint_mask(key="b", picture=np.zeros((8, 8))) is None

    assert not AppTest.from_function(page).run(timeout=30).exception
