"""Archives and folders of pictures: what is taken, what is skipped, what is built to do harm."""

from __future__ import annotations

import json
import os
import stat
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffviz.exchange import archives, uploads
from diffviz.exchange.archives import MAX_FILES, Pictures, plain_name, read_folder, read_zip
from diffviz.exchange.uploads import MAX_BYTES, UploadError, decode_image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names with ../ would lead from the working folder to its parents, all inside tmp_path."""
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    yield
    given = tmp_path / "given"
    written = [p for p in tmp_path.rglob("*") if given not in (p, *p.parents)]
    assert sorted(written) == [tmp_path / "a", tmp_path / "a" / "b", deep]


def save(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def flat(
    color: object = (200, 30, 60), size: tuple[int, int] = (40, 40), mode: str = "RGB"
) -> bytes:
    return save(Image.new(mode, size, color))


def member(name: str, **fields: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def pack(*files: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # about duplicate names
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


def patch(data: bytes, field: str, value: int, which: int = 0) -> bytes:
    """Change a field of one file, in its own header and in the table of contents."""
    places = {  # offsets in the two headers, and how the number is written
        "flags": (6, 8, "<H"),
        "method": (8, 10, "<H"),
        "crc": (14, 16, "<I"),
        "packed": (18, 20, "<I"),
        "size": (22, 24, "<I"),
        "start": (None, 42, "<I"),
    }
    local, central, kind = places[field]
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = -1
        for _ in range(which + 1):
            at = data.index(signature, at + 1)
        if offset is not None:
            struct.pack_into(kind, changed, at + offset, value)
    return bytes(changed)


def reasons(pictures: Pictures) -> dict[str, str]:
    return dict(pictures.skipped)


# What is taken ----------------------------------------------------------------------------------


def test_pictures_of_an_archive() -> None:
    found = read_zip(pack(("red.png", flat()), ("b/blue.png", flat((0, 0, 255)))), side=16)
    assert found.images.shape == (2, 3, 16, 16)
    assert found.images.dtype == torch.float32
    assert found.names == ("red.png", "blue.png")
    assert found.skipped == ()
    expected = torch.tensor([200, 30, 60]) / 127.5 - 1
    torch.testing.assert_close(found.images[0], expected[:, None, None].expand(3, 16, 16))
    assert found.images[1, :, 0, 0].tolist() == [-1, -1, 1]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_centre_is_kept(kind: str) -> None:
    """A wide picture: white in its middle square, black beside it."""
    pixels = np.zeros((60, 300), dtype=np.uint8)
    pixels[:, 120:180] = 255
    for turned in (pixels, pixels.T):
        found = read_zip(pack(("a", save(Image.fromarray(turned), kind))), side=8)
        assert found.images.shape == (1, 1, 8, 8)
        assert float(found.images.min()) > 0.9


def test_reduction_is_antialiased_and_keeps_detail_of_a_strip() -> None:
    checks = np.indices((640, 640)).sum(0) % 2 * 255
    found = read_zip(pack(("a.png", save(Image.fromarray(checks.astype(np.uint8))))))
    assert float(found.images.abs().max()) < 0.05
    strip = np.zeros((64, 6400), dtype=np.uint8)
    strip[:, 3168:3232:2] = 255  # lines of one pixel in the middle square
    strip = strip.repeat(2, 1).repeat(2, 0)
    found = read_zip(pack(("a.png", save(Image.fromarray(strip)))), side=64)
    assert float(found.images.max()) > 0.5
    assert float(found.images.min()) < -0.5


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3000, 2), (31, 33)])
def test_any_size_becomes_the_square_asked_for(size: tuple[int, int]) -> None:
    found = read_zip(pack(("a.png", flat(size=size))), side=32)
    assert found.images.shape == (1, 3, 32, 32)
    torch.testing.assert_close(found.images[0, 0], torch.full((32, 32), 200 / 127.5 - 1))


@pytest.mark.parametrize(
    ("files", "channels"),
    [
        ([flat(90, mode="L")], 1),
        ([flat((90, 90, 90)), flat(90, mode="L")], 1),  # saved as RGB, and grey all the same
        ([flat(90, mode="L"), flat((90, 90, 91))], 3),
    ],
)
def test_channels(files: list[bytes], channels: int) -> None:
    images = read_zip(pack(*((f"{k}.png", data) for k, data in enumerate(files)))).images
    assert images.shape[1] == channels
    torch.testing.assert_close(images[:, 0], torch.full((len(files), 32, 32), 90 / 127.5 - 1))


def test_only_the_first_pictures_are_taken() -> None:
    files = [(f"{k}.png", flat(k, mode="L")) for k in range(9)]
    found = read_zip(pack(("notes.txt", b"hello"), *files), most=4)
    assert found.names == ("0.png", "1.png", "2.png", "3.png")
    assert [name for name, _ in found.skipped] == ["notes.txt", "5 more files"]
    assert "at most 4 pictures" in found.skipped[-1][1]
    assert read_zip(pack(*files), most=8).skipped[0][0] == "1 more file"
    assert read_zip(pack(*files), most=9).skipped == ()


def test_duplicate_names_are_told_apart() -> None:
    files = [(name, flat(k, mode="L")) for k, name in enumerate(["a", "x/a", "a", "a (2)", "a"])]
    found = read_zip(pack(*files))
    assert found.names == ("a", "a (2)", "a (3)", "a (2) (2)", "a (4)")
    first = (found.images[:, 0, 0, 0] + 1) * 127.5
    torch.testing.assert_close(first, torch.arange(5.0))


@pytest.mark.parametrize(("side", "most"), [(0, 5), (129, 5), (-3, 5), (32, 0), (32, 2001)])
def test_what_is_asked_for_is_checked(side: int, most: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1 to (128|2,000)"):
        read_zip(pack(("a.png", flat())), side, most)
    with pytest.raises(ValueError, match=r"1 to (128|2,000)"):
        read_folder(tmp_path, side, most)


# What is skipped --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("sub/", b"", "a folder"),
        (".hidden.png", flat(), "hidden file"),
        ("a/.git/x.png", flat(), "hidden file"),
        ("__MACOSX/._a.png", flat(), "hidden file"),
        ("a\\.cache\\x.png", flat(), "hidden file"),
        ("notes.txt", b"hello", "not an image"),
        ("really-text.png", b"hello", "not an image"),
        ("empty.png", b"", "is empty"),
        ("a.gif", save(Image.new("RGB", (4, 4)), "GIF"), "a GIF file"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG file"),
        ("half.png", flat()[:60], "PNG file is damaged"),
        ("half.jpg", save(Image.new("RGB", (4, 4)), "JPEG")[:90], "JPEG file is damaged"),
        ("header.png", b"\x89PNG\r\n\x1a\n", "PNG file is damaged"),
        ("inner.zip", pack(("a.png", flat())), "archives within are not opened"),
        ("inner.png", pack(("a.png", flat())), "archives within are not opened"),
        ("inner.7z", b"7z\xbc\xaf\x27\x1c\x00\x04", "archives within are not opened"),
        ("large.png", bytes(MAX_BYTES + 1), "at most 10 MB are read"),
        ("zeros.png", bytes(9_000_000), "more than 200 times its size"),
    ],
)
def test_what_is_no_picture_is_skipped_with_the_reason(name: str, data: bytes, why: str) -> None:
    found = read_zip(pack((name, data), ("good.png", flat())))
    assert found.names == ("good.png",)
    ((_, reason),) = found.skipped
    assert why in reason
    assert reason.endswith(".")


def test_nothing_left_names_the_first_reasons() -> None:
    files = [(f"{k}.txt", b"hello") for k in range(20)]
    with pytest.raises(UploadError) as caught:
        read_zip(pack(*files, ("dir/", b""), ("a.gif", b"GIF89a"), ("b.bmp", b"BM")))
    message = str(caught.value)
    for part in ("no picture in this archive", "0.txt: ", "dir: ", "a.gif: ", "Put PNG or JPEG"):
        assert part in message
    for part in ("1.txt", "b.bmp"):
        assert part not in message
    with pytest.raises(UploadError, match=r"no picture in this archive .* It is empty"):
        read_zip(pack())


def test_a_locked_file_is_skipped() -> None:
    data = pack(("locked.png", flat()), ("open.png", flat()))
    for flag in (0x1, 0x41, 0x2001):
        found = read_zip(patch(data, "flags", flag))
        assert found.names == ("open.png",)
        assert "locked with a password" in reasons(found)["locked.png"]
    with pytest.raises(UploadError, match="password"):
        read_zip(patch(patch(data, "flags", 1), "flags", 1, which=1))


@pytest.mark.parametrize("method", [1, 9, 12, 14, 93, 97, 99, 65535])
def test_an_unknown_method_is_skipped(method: int) -> None:
    data = patch(pack(("odd.png", flat()), ("good.png", flat())), "method", method)
    found = read_zip(data)
    assert found.names == ("good.png",)
    assert f"number {method}" in reasons(found)["odd.png"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_skipped(kind: int) -> None:
    link = member("link.png", create_system=3, external_attr=(kind | 0o777) << 16)
    found = read_zip(pack((link, b"/etc/passwd"), ("good.png", flat())))
    assert found.names == ("good.png",)
    assert "links are not followed" in reasons(found)["link.png"]


def test_a_file_with_permissions_is_no_link() -> None:
    for mode in (0o644, stat.S_IFREG | 0o644, stat.S_IFREG | 0o4755):
        info = member("a.png", create_system=3, external_attr=mode << 16)
        assert read_zip(pack((info, flat()))).names == ("a.png",)


@pytest.mark.parametrize(
    ("field", "value"),
    [("crc", 12345), ("size", 80), ("size", 5_000), ("packed", 40)],
)
def test_a_damaged_file_is_skipped(field: str, value: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    data = pack(("bad.png", save(Image.fromarray(noise))), ("good.png", flat()))
    found = read_zip(patch(data, field, value))
    assert found.names == ("good.png",)
    assert "damaged" in reasons(found)["bad.png"]


def test_header_and_table_that_name_different_files() -> None:
    data = pack(("a.png", flat()), ("b.png", flat()))
    at = data.index(b"a.png")
    found = read_zip(data[:at] + b"z.png" + data[at + 5 :])
    assert found.names == ("b.png",)
    assert "damaged" in reasons(found)["a.png"]


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../evil.png", "evil.png"),
        ("/etc/evil.png", "evil.png"),
        ("C:\\windows\\evil.png", "evil.png"),
        ("C:evil.png", "evil.png"),
        ("..\\..\\evil.png", "evil.png"),
        ("a/<img src=x onerror='alert(1)'>.png", "img src=x onerror=alert(1).png"),
        ("**b** [x](javascript:y) `c` $d$.png", "b x(javascripty) c d.png"),
        ("line\nbreak\u2028\ttab.png", "line break tab.png"),
        ("bell\x07\x1b.png", "bell.png"),
        ("gnp.\u202eexe.png", "gnp.exe.png"),
        ("größe 木.png", "größe 木.png"),
        ('&amp;".png', "amp;.png"),
        ("x" * 300 + ".png", "x" * 40 + "…" + "x" * 35 + ".png"),
    ],
)
def test_names_are_made_harmless(name: str, shown: str) -> None:
    found = read_zip(pack((name, flat())))
    assert found.names == (shown,)
    assert len(shown) <= 80


@pytest.mark.parametrize("path", ["", "/", "..", "../", "C:", "<>", "\x00", "a/\u202e", ". ."])
def test_names_are_never_empty(path: str) -> None:
    assert plain_name(path) == "no name"


def test_a_name_with_a_nul_byte() -> None:
    data = pack(("aXpng.png", flat())).replace(b"aXpng.png", b"a\x00png.png")
    assert read_zip(data).names == ("a",)


def test_a_name_in_unannounced_utf_8() -> None:
    data = pack(("grXXYYe.png", flat())).replace(b"grXXYYe.png", "größe.png".encode())
    assert read_zip(data).names == ("größe.png",)


# Archives that are refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"hello", "not a ZIP archive"),
        (flat(), "not a ZIP archive"),
        (b"Rar!\x1a\x07\x00", "not a ZIP archive"),
        (b"MZ" + pack(("a.png", flat())), "not a ZIP archive"),
        (b"PK\x03\x04", "damaged or incomplete"),
        (b"PK\x05\x06", "damaged or incomplete"),
        (b"PK\x05\x06" + bytes(18), "no picture"),
    ],
)
def test_what_is_no_archive(data: bytes, why: str) -> None:
    with pytest.raises(UploadError, match=why) as caught:
        read_zip(data)
    assert str(caught.value).endswith(".")


def test_a_truncated_archive() -> None:
    data = pack(("a.png", flat()), ("b.png", flat()))
    for length in range(1, len(data), 7):
        with pytest.raises(UploadError, match=r"damaged or incomplete|not a ZIP"):
            read_zip(data[:length])


def test_too_large_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 100)
    with pytest.raises(UploadError, match="at most 0 MB are read"):
        read_zip(pack(("a.png", flat())))


def test_too_many_files() -> None:
    files = [(str(k), b"") for k in range(MAX_FILES + 1)]
    with pytest.raises(UploadError, match=r"more than 10,000 files"):
        read_zip(pack(*files))


def test_too_many_bytes_together() -> None:
    content = np.random.default_rng(0).bytes(100_000) + bytes(9_000_000)
    files = [(f"{k}.png", content) for k in range(34)]
    with pytest.raises(UploadError, match=r"unpack to 309 MB and at most 300 MB"):
        read_zip(pack(*files))


def overlapping() -> bytes:
    """Two entries of the table of contents that lead to one file."""
    data = pack(("a.png", flat()), ("a.png", flat()))
    return patch(data, "start", 0, which=1)


def test_files_that_share_bytes_are_refused() -> None:
    with pytest.raises(UploadError, match="damaged"):
        read_zip(overlapping())
    data = pack(("a.png", flat()), ("b.png", flat()))
    with pytest.raises(UploadError, match="damaged"):  # the first reaches into the second
        read_zip(patch(data, "packed", 200))
    with pytest.raises(UploadError, match="damaged"):  # the last reaches into the table
        read_zip(patch(data, "packed", 2**31, which=1))
    with pytest.raises(UploadError, match="damaged"):  # a file in the middle of nowhere
        read_zip(patch(data, "start", 11, which=1))


@pytest.mark.parametrize("size", [2**40, 2**62, 2**64 - 1])
def test_a_zip64_header_that_lies_about_what_it_unpacks_to(size: int) -> None:
    found = read_zip(zip64(size, 40))
    assert found.names == ("good.png",)
    assert "at most 10 MB are read" in reasons(found)["a.png"]


@pytest.mark.parametrize("packed", [2**33, 2**63, 2**64 - 1])
def test_a_zip64_header_that_lies_about_its_length(packed: int) -> None:
    with pytest.raises(UploadError, match="damaged"):
        read_zip(zip64(100, packed))


def zip64(size: int, packed: int) -> bytes:
    """An archive whose first file has these sizes in the extra field of its table of contents."""
    info = member("a.png")
    info.extra = struct.pack("<HHQQ", 1, 16, size, packed)
    data = pack((info, flat()), ("good.png", flat()))
    return data[: data.index(b"PK\x01\x02")] + patch_central(data, 0xFFFFFFFF)


def patch_central(data: bytes, value: int) -> bytes:
    """The table of contents with both sizes of its first file changed."""
    at = data.index(b"PK\x01\x02")
    table = bytearray(data[at:])
    struct.pack_into("<II", table, 20, value, value)
    return bytes(table)


@pytest.mark.parametrize("count", [0, 1, 2**32, 2**63, 2**64 - 1])
@pytest.mark.parametrize("length", [0, 46, 2**32, 2**63, 2**64 - 1])
def test_a_zip64_end_that_lies(count: int, length: int) -> None:
    data = pack(("a.png", flat()))
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    large = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start
    )
    place = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    with pytest.raises(UploadError, match=r"damaged|no picture"):
        read_zip(data[:end] + large + place + last)


@pytest.mark.filterwarnings("ignore")
def test_random_damage_raises_nothing_but_upload_error() -> None:
    valid = pack(("a.png", flat()), ("b/c.jpg", save(Image.new("RGB", (9, 9)), "JPEG")))
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(600):
        data = bytearray(valid)
        for _ in range(rng.integers(1, 5)):
            start = int(rng.integers(len(data)))
            stop = start + int(rng.integers(1, 8))
            if rng.random() < 0.7:
                data[start:stop] = rng.bytes(min(stop, len(data)) - start)
            else:
                del data[start:stop]
        try:
            found = read_zip(bytes(data), side=8)
        except UploadError as error:
            refused += str(error).endswith(".")
        else:
            assert found.images.shape[2:] == (8, 8)
            assert len(found.names) == len(found.images)
    assert 100 < refused < 600


# Memory and time --------------------------------------------------------------------------------


def large_png(side: int) -> bytes:
    """A whole PNG of one grey, side x side."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    rows = bytes((side + 1) * 100)
    body = b"".join(packer.compress(rows) for _ in range(side // 100)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def zeros(method: int, size: int) -> bytes:
    """An archive with one file that unpacks to ``size`` zeros."""
    buffer = BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", method, compresslevel=1) as archive,
        archive.open("a.png", "w") as file,
    ):
        for _ in range(size // 1_000_000):
            file.write(bytes(1_000_000))
    return buffer.getvalue()


# Reads files, and prints for each what was raised, by how many MB the peak of memory grew, and
# which files were opened for writing.
_MEASURE = """
import json, os, sys
from pathlib import Path
from diffviz.exchange.archives import read_zip
from diffviz.exchange.uploads import UploadError, decode_image

def peak():
    line = next(x for x in open("/proc/self/status") if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1000

written = []
def hook(event, args):
    if event == "open" and ((args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
        written.append(str(args[0]))

def read(path):
    data = path.read_bytes()
    try:
        return read_zip(data) if path.suffix == ".zip" else decode_image(data)
    except UploadError as error:
        return error

read(Path(sys.argv[1]))  # warms up
sys.addaudithook(hook)
answers = {}
for path in map(Path, sys.argv[1:]):
    before = peak()
    result = read(path)
    answers[path.name] = [str(result)[:1000], peak() - before]
print(json.dumps([answers, written]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's peak of memory")
def test_bombs_take_little_memory(tmp_path: Path) -> None:
    bomb = zeros(zipfile.ZIP_DEFLATED, 60_000_000)
    picture = large_png(12_000)
    assert len(picture) < 1_000_000
    files = {
        "good.zip": pack(("good.png", flat())),
        "declared.zip": bomb,
        "liar.zip": patch(bomb, "size", 9_000_000),
        "bzip2.zip": patch(zeros(zipfile.ZIP_BZIP2, 60_000_000), "size", 9_000_000),
        "lzma.zip": patch(zeros(zipfile.ZIP_LZMA, 60_000_000), "size", 9_000_000),
        "nested.zip": pack((member("a.zip", compress_type=zipfile.ZIP_STORED), bomb)),
        "overlap.zip": overlapping(),
        "picture.zip": pack(("a.png", picture)),
        "picture.png": picture,
    }
    given = tmp_path / "given"
    given.mkdir()
    for name, data in files.items():
        (given / name).write_bytes(data)
    answer = subprocess.run(
        [sys.executable, "-B", "-c", _MEASURE, *(str(given / name) for name in files)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    answers, written = json.loads(answer.stdout)
    assert written == []
    for name, why in {
        "declared.zip": "at most 10 MB are read",
        "liar.zip": "damaged",
        "bzip2.zip": "number 12",
        "lzma.zip": "number 14",
        "nested.zip": "archives within are not opened",
        "overlap.zip": "damaged",
        "picture.zip": "12,000 x 12,000 pixels",
        "picture.png": "12,000 x 12,000 pixels",
    }.items():
        assert why in answers[name][0], name
        assert answers[name][1] < 40, name


def test_all_pictures_together_take_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MAX_WORK", 10_000)
    files = [flat(size=(80, 80)), flat(size=(70, 70)), save(Image.new("RGB", (150, 150)), "JPEG")]
    found = read_zip(pack(*((str(k), data) for k, data in enumerate(files))))
    assert found.names == ("0", "2")
    assert "too much to unpack" in reasons(found)["1"]


def test_a_picture_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    for kind, opener in uploads._OPENERS.items():
        monkeypatch.setitem(
            uploads._OPENERS,
            kind,
            lambda file, kind=kind, opener=opener: opened.append(kind) or opener(file),
        )
    jpeg = save(Image.new("RGB", (40, 60), (200, 30, 60)), "JPEG")
    found = read_zip(pack(("a.png", flat()), ("b.jpg", jpeg)))
    assert (len(found.names), opened) == (2, ["PNG", "JPEG"])


def test_a_jpeg_of_very_many_scans() -> None:
    """Each scan of a few bytes makes the decoder walk over all pixels."""
    usual = save(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    last = usual[usual.rindex(b"\xff\xda") : -2]
    found = read_zip(pack(("many.jpg", usual[:-2] + last * 200 + usual[-2:]), ("usual.jpg", usual)))
    assert found.names == ("usual.jpg",)
    assert "210 times over" in reasons(found)["many.jpg"]


# Single odd pictures ----------------------------------------------------------------------------


def test_one_pixel() -> None:
    assert decode_image(flat(size=(1, 1))).tolist() == [[[200, 30, 60]]]


def test_a_cmyk_jpeg() -> None:
    found = read_zip(pack(("a.jpg", save(Image.new("CMYK", (30, 20), (255, 0, 0, 0)), "JPEG"))))
    red, green, blue = found.images[0, :, 16, 16].tolist()
    assert red < -0.6
    assert min(green, blue) > 0.2


def test_an_animated_gif_is_named() -> None:
    frames = [Image.new("RGB", (6, 6), color) for color in ("red", "blue")]
    data = save(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(UploadError, match="a GIF file, and only PNG and JPEG are decoded: save"):
        decode_image(data)


@pytest.mark.parametrize("start", [b"", b"<?xml version='1.0'?>\n", b"\n  "])
def test_an_svg_is_named(start: bytes) -> None:
    with pytest.raises(UploadError, match="an SVG"):
        decode_image(start + b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_a_png_without_pixels(size: tuple[int, int]) -> None:
    data = bytearray(flat(size=(5, 5)))
    struct.pack_into(">II", data, 16, *size)
    struct.pack_into(">I", data, 29, zlib.crc32(bytes(data[12:29])))
    with pytest.raises(UploadError, match="damaged"):
        read_zip(pack(("a.png", bytes(data))))


# Folders ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "given" / "pictures"
    place.mkdir(parents=True)
    return place


def test_pictures_of_a_folder(folder: Path) -> None:
    (folder / "b.png").write_bytes(flat())
    (folder / "a.jpg").write_bytes(save(Image.new("RGB", (50, 20), "blue"), "JPEG"))
    (folder / "z").mkdir()
    (folder / "z" / "a.jpg").write_bytes(save(Image.new("RGB", (9, 9), "white"), "JPEG"))
    (folder / "y").mkdir()
    (folder / "notes.txt").write_text("hello")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "c.png").write_bytes(flat())
    (folder / ".d.png").write_bytes(flat())
    (folder / "large.png").write_bytes(bytes(MAX_BYTES + 1))
    (folder / "e<b>.png").write_bytes(b"GIF89a")
    found = read_folder(str(folder), side=8)
    assert found.names == ("a.jpg", "b.png", "a.jpg (2)")
    assert found.images.shape == (3, 3, 8, 8)
    assert found.images[2].min() == 1
    why = reasons(found)
    assert why.keys() == {"notes.txt", "cache", "d.png", "large.png", "eb.png"}
    assert "hidden" in why["cache"]
    assert "10.0 MB" in why["large.png"]
    assert read_folder(folder, most=1).names == ("a.jpg",)


def test_links_in_a_folder_are_not_followed(folder: Path) -> None:
    secret = folder.parent / "secret"
    secret.mkdir()
    (secret / "s.png").write_bytes(flat())
    (folder / "good.png").write_bytes(flat())
    (folder / "file.png").symlink_to(secret / "s.png")
    (folder / "folder").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    (folder / "broken.png").symlink_to("nowhere")
    found = read_folder(folder)
    assert found.names == ("good.png",)
    assert reasons(found).keys() == {"file.png", "folder", "loop", "broken.png"}
    assert all("not followed" in why for why in reasons(found).values())
    beside = folder.parent / "beside"
    beside.symlink_to(folder)
    assert read_folder(beside).names == ("good.png",)  # what was asked for may be a link


def test_a_file_swapped_for_a_link_is_not_read(folder: Path) -> None:
    (folder / "a.png").write_bytes(flat())
    ((name, read),) = archives._walk(folder)
    secret = folder.parent / "s.png"
    secret.write_bytes(flat())
    (folder / "a.png").unlink()
    (folder / "a.png").symlink_to(secret)
    with pytest.raises(UploadError, match="cannot be opened"):
        read()
    assert name == "a.png"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(UploadError, match="a link or a device"):
        read_folder(folder)


def test_folders_too_deep_are_left_alone(folder: Path) -> None:
    place = folder
    for k in range(12):
        place = place / str(k)
        place.mkdir()
        (place / f"p{k}.png").write_bytes(flat())
    found = read_folder(folder)
    assert found.names == tuple(f"p{k}.png" for k in range(8))
    assert "8 folders deep" in reasons(found)["8"]


def test_a_folder_with_too_many_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 5)
    for k in range(4):
        (folder / f"{k}.png").write_bytes(flat())
    (folder / "sub").mkdir()
    assert len(read_folder(folder).names) == 4
    (folder / "sub" / "x.png").write_bytes(flat())
    with pytest.raises(UploadError, match="more than 5 files"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["nothing", "file", "a\x00b", "<b>"])
def test_what_is_no_folder(folder: Path, name: str) -> None:
    (folder / "file").write_text("hello")
    with pytest.raises(UploadError, match="There is no folder") as caught:
        read_folder(folder / name)
    assert not {"<", "\x00"} & set(str(caught.value))


def test_a_folder_without_a_picture(folder: Path) -> None:
    with pytest.raises(UploadError, match=r"no picture in this folder .* It is empty"):
        read_folder(folder)
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(UploadError, match=r"notes\.txt: This file is not an image"):
        read_folder(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all files")
def test_what_may_not_be_read_is_skipped(folder: Path) -> None:
    (folder / "good.png").write_bytes(flat())
    (folder / "closed.png").write_bytes(flat())
    (folder / "closed.png").chmod(0)
    (folder / "sub").mkdir(mode=0)
    found = read_folder(folder)
    (folder / "sub").chmod(0o700)
    assert found.names == ("good.png",)
    assert all("cannot be opened" in why for why in reasons(found).values())
