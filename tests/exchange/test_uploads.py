from __future__ import annotations

import struct
import time
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from diffviz.exchange import uploads
from diffviz.exchange.uploads import (
    MAX_BYTES,
    MAX_PARTS,
    Header,
    UploadError,
    decode_image,
    read_header,
)


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(width: int = 40, height: int = 30) -> Image.Image:
    """A smooth gradient with a colored block in its upper left corner."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * x / width, 255 * y / height, 0 * x + 90], axis=-1).astype(np.uint8)
    pixels[: height // 3, : width // 3] = (250, 20, 20)
    return Image.fromarray(pixels)


def test_png_keeps_every_pixel() -> None:
    result = decode_image(save(picture(), "PNG"))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, np.asarray(picture()))


def test_jpeg_keeps_the_picture() -> None:
    result = decode_image(save(picture(), "JPEG", quality=95))
    assert result.shape == (30, 40, 3)
    assert np.abs(result.astype(int) - np.asarray(picture()).astype(int)).mean() < 8


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    ("size", "expected"), [((800, 400), (128, 256)), ((300, 900), (256, 85)), ((5000, 1), (1, 256))]
)
def test_large_images_are_reduced(
    kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert decode_image(save(picture(*size), kind)).shape == (*expected, 3)


def test_small_images_are_left_alone() -> None:
    assert decode_image(save(picture(3, 2), "PNG")).shape == (2, 3, 3)
    assert decode_image(save(picture(100, 50), "PNG"), max_side=10).shape == (5, 10, 3)


def test_grey_stays_grey() -> None:
    ramp = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)
    np.testing.assert_array_equal(decode_image(save(Image.fromarray(ramp), "PNG"))[..., 0], ramp)
    assert decode_image(save(Image.fromarray(ramp), "JPEG")).shape == (12, 20, 1)


def test_sixteen_bits_become_eight() -> None:
    wide = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    result = decode_image(save(Image.fromarray(wide), "PNG"))
    assert result[0, :, 0].tolist() == [0, 1, 128, 255]


def test_one_bit() -> None:
    result = decode_image(save(Image.new("1", (4, 4), 1), "PNG"))
    assert result.shape == (4, 4, 1)
    assert (result == 255).all()


@pytest.mark.parametrize("size", [8, 600])
def test_transparency_is_laid_on_white(size: int) -> None:
    image = Image.new("RGBA", (size, size), (255, 0, 0, 0))
    image.paste((0, 0, 255, 128), (0, 0, size // 2, size))
    result = decode_image(save(image, "PNG"))
    np.testing.assert_allclose(result[0, 0], [127, 127, 255], atol=1)
    np.testing.assert_array_equal(result[-1, -1], [255, 255, 255])


def test_transparent_grey_is_laid_on_white() -> None:
    result = decode_image(save(Image.new("LA", (5, 5), (0, 64)), "PNG"))
    assert result.shape == (5, 5, 1)
    assert abs(int(result[0, 0, 0]) - 191) <= 1


def test_transparent_color_of_a_palette_is_laid_on_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 0, 0, 0])
    image.putpixel((0, 0), 0)
    result = decode_image(save(image, "PNG", transparency=1))
    assert result[0, 0].tolist() == [10, 20, 30]
    assert result[2, 2].tolist() == [255, 255, 255]


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    result = decode_image(save(image, "JPEG", quality=95))
    assert result.shape == (16, 16, 3)
    assert result[8, 8, 0] > 200
    assert result[8, 8, 1] < 60


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(kind: str, orientation: int) -> None:
    undo = uploads._TURNS.get(orientation)
    stored = np.zeros((30, 40, 3), dtype=np.uint8)
    stored[:15, :20] = 255
    stored[:15, 20:] = (255, 0, 0)
    image = Image.fromarray(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    result = decode_image(save(image, kind, exif=exif.tobytes()))
    expected = np.asarray(image if undo is None else image.transpose(undo))
    assert result.shape == expected.shape
    assert np.abs(result.astype(int) - expected.astype(int)).mean() < 6


def test_exif_orientation_six_is_a_quarter_turn_clockwise() -> None:
    image = Image.new("RGB", (4, 2))
    image.putpixel((0, 0), (255, 255, 255))  # upper left goes to the upper right
    exif = Image.Exif()
    exif[0x0112] = 6
    result = decode_image(save(image, "PNG", exif=exif.tobytes()))
    assert result.shape == (4, 2, 3)
    assert result[0, 1].tolist() == [255, 255, 255]


def test_a_damaged_exif_block_does_no_harm() -> None:
    data = save(picture(), "JPEG", exif=b"Exif\x00\x00II*\x00garbage garbage garbage")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode_image(data).shape == (30, 40, 3)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (6, 6), color) for color in ("red", "blue")]
    data = save(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=50)
    assert decode_image(data)[0, 0].tolist() == [255, 0, 0]


# XYZ (D50) of the primaries of two RGB spaces, as columns: from their ICC profiles.
ADOBE_RGB = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)


def profile(space: bytes = b"RGB ", primaries: NDArray[np.float64] = ADOBE_RGB) -> bytes:
    """A small ICC profile of version 2 with a gamma of 2.2, for RGB or grey pictures."""

    def xyz(values: NDArray[np.float64]) -> bytes:
        return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    words = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78) + bytes(1)
    tags = {
        b"desc": words,
        b"wtpt": xyz(np.array([0.9642, 1, 0.8249])),
        b"cprt": b"text" + bytes(8),
    }
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for name, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
            tags[name + b"XYZ"], tags[name + b"TRC"] = xyz(column), curve
    body, table, place = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", place + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = place + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def as_srgb(values: tuple[int, int, int]) -> NDArray[np.float64]:
    """What Adobe RGB levels (with a gamma of 2.2) are in sRGB, by the two definitions."""
    linear = np.linalg.solve(SRGB, ADOBE_RGB @ (np.array(values) / 255) ** 2.2).clip(0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(255 * coded)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("levels", [(90, 180, 120), (200, 120, 60), (128, 128, 128)])
def test_colors_are_brought_from_the_profile_to_srgb(
    kind: str, levels: tuple[int, int, int]
) -> None:
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    plain = Image.new("RGB", (8, 8), levels)
    found = decode_image(save(plain, kind, icc_profile=profile(), **options))[4, 4]
    np.testing.assert_allclose(found, as_srgb(levels), atol=2)
    assert kind == "JPEG" or decode_image(save(plain, kind))[4, 4].tolist() == list(levels)


def test_the_profile_counts_for_colors_of_a_palette_and_beside_transparency() -> None:
    levels = (90, 180, 120)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([*levels, 0, 0, 0])
    found = decode_image(save(palette, "PNG", icc_profile=profile()))[0, 0]
    np.testing.assert_allclose(found, as_srgb(levels), atol=2)
    clear = Image.new("RGBA", (4, 4), (*levels, 128))
    found = decode_image(save(clear, "PNG", icc_profile=profile()))[0, 0]
    np.testing.assert_allclose(found, (as_srgb(levels) + 255) / 2, atol=3)


def test_a_grey_profile_counts_and_grey_stays_grey() -> None:
    dark = Image.new("L", (4, 4), 20)  # darker by a gamma of 2.2 than sRGB, near black
    found = decode_image(save(dark, "PNG", icc_profile=profile(b"GRAY")))
    assert found.shape == (4, 4, 1)
    linear = (20 / 255) ** 2.2
    np.testing.assert_allclose(found, 255 * (1.055 * linear ** (1 / 2.4) - 0.055), atol=1.5)
    wide = Image.fromarray(np.full((4, 4), 20 * 257, dtype=np.uint16))
    again = decode_image(save(wide, "PNG", icc_profile=profile(b"GRAY")))
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize(
    "spoilt", [b"no profile", profile()[:200], profile(b"GRAY"), b"", profile()[:128] + bytes(300)]
)
def test_a_profile_that_cannot_be_used_is_left_alone(spoilt: bytes) -> None:
    found = decode_image(save(Image.new("RGB", (4, 4), (90, 180, 120)), "PNG", icc_profile=spoilt))
    assert found[0, 0].tolist() == [90, 180, 120]


def test_a_picture_with_an_srgb_profile_stays_as_it_is() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = decode_image(save(picture(), "PNG", icc_profile=srgb)).astype(int)
    assert np.abs(found - np.asarray(picture()).astype(int)).max() <= 1


def chunk(name: bytes, body: bytes = b"") -> bytes:
    check = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + check


def with_chunks(data: bytes, many: bytes) -> bytes:
    """A PNG with more chunks behind its first one."""
    return data[:33] + many + data[33:]


def test_a_picture_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sides, chunks and markers are counted first, so that no library is led astray."""
    jpeg, png = (save(picture(), kind) for kind in ("JPEG", "PNG"))
    packed = zlib.compress(bytes(1_000_000))
    odd = {
        header_only_png(1, 49_999_999): "1 x 49,999,999 pixels",
        with_chunks(png, chunk(b"noTe") * (MAX_PARTS + 1)): "very many parts",
        with_chunks(png, chunk(b"iCCP", b"a\0\0" + packed) * 2): "very many parts",
        jpeg[:2] + b"\xff\xfe\x00\x02" * (MAX_PARTS + 1) + jpeg[2:]: "very many parts",
        jpeg[:2] + b"\xff" * 5_000_000 + jpeg[2:]: "very many parts",
        jpeg[:2] + b"\xff\xe1\x00\x02" + bytes(5_000_000) + jpeg[2:]: "very many parts",
    }
    for kind in ("PNG", "JPEG"):
        monkeypatch.setitem(uploads._OPENERS, kind, lambda _: pytest.fail("it was opened"))
    started = time.perf_counter()
    for data, words in odd.items():
        with pytest.raises(UploadError, match=words):
            decode_image(data)
    assert time.perf_counter() - started < 2


def test_a_file_of_many_parts_that_programs_write_is_read() -> None:
    large = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    jpeg = save(Image.fromarray(large), "JPEG", quality=95, comment=b"x" * 60_000)
    assert read_header(jpeg) == Header("JPEG", 300, 300, 1)
    png = save(Image.fromarray(large), "PNG")
    assert read_header(with_chunks(png, chunk(b"noTe") * 5000)) == Header("PNG", 300, 300)
    assert decode_image(with_chunks(png, chunk(b"noTe") * 5000)).shape == (256, 256, 3)


def test_empty_file() -> None:
    with pytest.raises(UploadError, match="is empty"):
        decode_image(b"")


def test_too_many_bytes() -> None:
    with pytest.raises(UploadError, match=r"10\.0 MB and at most 10 MB"):
        decode_image(b"\x89PNG\r\n\x1a\n" + bytes(MAX_BYTES))


def header_only_png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(7072, 7072), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_before_they_are_unpacked(size: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UploadError, match="50 million"):
            decode_image(header_only_png(*size))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (save(Image.new("RGB", (4, 4)), "GIF"), "a GIF file"),
        (save(Image.new("RGB", (4, 4)), "BMP"), "a BMP file"),
        (save(Image.new("RGB", (4, 4)), "TIFF"), "a TIFF file"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a WebP file"),
        (b"\x00\x00\x00\x18ftypheic", "a HEIC"),
        (b"  <svg xmlns='x'/>", "an SVG file"),
        (b"%PDF-1.7", "a PDF file"),
        (b"hello", "not an image"),
        (b"\x80\x04\x95", "not an image"),
    ],
)
def test_other_kinds_are_named(data: bytes, name: str) -> None:
    with pytest.raises(UploadError, match=name) as caught:
        decode_image(data)
    assert "PNG and JPEG" in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_files_are_refused(kind: str) -> None:
    data = save(picture(200, 150), kind)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(UploadError, match=f"This {kind} file is damaged"):
            decode_image(data[: int(len(data) * share)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_random_damage_raises_nothing_but_upload_error(kind: str) -> None:
    """Bytes changed, cut out, doubled or cut off, often near the header."""
    exif = Image.Exif()
    exif[0x0112] = 3
    valid = save(picture(), kind, exif=exif.tobytes())
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        data = bytearray(valid)
        for _ in range(rng.integers(1, 6)):
            end = len(data) if rng.random() < 0.5 else min(len(data), 120)
            start = int(rng.integers(end))
            stop = start + int(rng.integers(1, 8))
            match rng.integers(4):
                case 0:
                    data[start] = int(rng.integers(256))
                case 1:
                    del data[start:stop]
                case 2:
                    data[start:start] = data[start:stop]
                case _:
                    data[start:stop] = rng.bytes(stop - start)
            if not data:
                break
        try:
            result = decode_image(bytes(data))
        except UploadError as error:
            refused += str(error).endswith(".")
        else:
            assert result.dtype == np.uint8
            assert max(result.shape[:2]) <= 256
    assert 50 < refused < 400


def test_a_jpeg_that_describes_its_picture_too_often_is_refused() -> None:
    data = save(Image.new("L", (64, 64)), "JPEG")
    decode_image(data)
    with pytest.raises(UploadError, match="times over"):
        decode_image(data + b"\xff\xda" * 100)


def test_max_side_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1 pixel"):
        decode_image(save(picture(), "PNG"), max_side=0)
