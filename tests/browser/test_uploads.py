"""Files as people bring them, in a real browser: limits, words, and tables of points."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

REFUSED = "The file with the red mark was not taken"


def noise(side: int) -> bytes:
    """A PNG that cannot be packed: about 3 bytes a pixel."""
    pixels = np.random.default_rng(side).integers(0, 255, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def zip_of(folder: Path, pictures: int) -> Path:
    path = folder / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(pictures):
            archive.writestr(f"{k}.png", noise(520 + k))
    return path


def sparse(folder: Path, start: bytes, size: int, name: str) -> Path:
    path = folder / name
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


def test_a_zip_of_11_mb_is_taken_and_one_of_120_mb_is_told(
    page: Any, app_url: str, wait_idle: Any, tmp_path: Path
) -> None:
    page.goto(f"{app_url}/images?pictures=yours")
    expect(page.get_by_text("Choose a ZIP with the button")).to_be_visible()
    wait_idle(page)
    page.get_by_role("button", name="Choose a ZIP").click()
    expect(page.get_by_text("100MB per file")).to_be_visible()
    expect(page.get_by_text(REFUSED)).to_be_hidden()
    chooser = page.locator('input[type="file"]')
    chooser.set_input_files(sparse(tmp_path, b"PK\x03\x04", 120_000_000, "large.zip"))
    expect(page.get_by_text(REFUSED)).to_be_visible()
    expect(page.get_by_text("of at most 100 MB")).to_be_visible()
    page.get_by_role("button", name="Remove large.zip").press("Enter")  # wherever it is by then
    expect(page.get_by_text(REFUSED)).to_be_hidden()
    whole = zip_of(tmp_path, 14)
    assert 11_000_000 < whole.stat().st_size < 12_000_000
    chooser.set_input_files(whole)
    expect(page.get_by_text("Memorisation")).to_be_visible()
    expect(page.get_by_text(REFUSED)).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator(".dvz-play")).to_be_in_viewport(ratio=1)
    assert page.errors == []


@pytest.mark.parametrize(
    ("path", "opener"), [("edit?from=upload", None), ("forward?data=picture", "Choose a picture")]
)
def test_a_picture_of_12_mb_is_told(
    path: str, opener: str | None, page: Any, app_url: str, wait_idle: Any, tmp_path: Path
) -> None:
    page.goto(f"{app_url}/{path}")
    wait_idle(page)
    if opener:
        page.get_by_role("button", name=opener).click()
    expect(page.get_by_text("10MB per file")).to_be_visible()
    large = sparse(tmp_path, b"\x89PNG\r\n\x1a\n", 12_000_000, "large.png")
    page.locator('input[type="file"]').set_input_files(large)
    expect(page.get_by_text(REFUSED)).to_be_visible()
    expect(page.get_by_text("A PNG or JPEG picture is read here, of at most 10 MB")).to_be_visible()
    assert page.errors == []


TABLE = "length;width;kind\n" + "".join(
    f"{k % 7},{k % 5}1;{k % 11},5;{('a', 'b')[k % 2]}\n" for k in range(60)
)


def bring(page: Page, name: str, content: str) -> None:
    page.get_by_role("button", name="Choose a table").click()
    page.locator('input[type="file"]').set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    )


def test_a_table_is_brought_and_goes_along_to_other_pages(
    page: Any, app_url: str, wait_idle: Any
) -> None:
    page.goto(f"{app_url}/guidance?data=table&samples=200")
    expect(page.get_by_text("No table is here yet")).to_be_visible()
    wait_idle(page)
    bring(page, "bad.csv", TABLE.replace("2,2", "two"))
    expect(page.get_by_text("which is no number that can be placed")).to_be_visible()
    page.locator('input[type="file"]').set_input_files(
        {"name": "good.csv", "mimeType": "text/csv", "buffer": TABLE.encode()}
    )
    expect(page.get_by_text("60 rows, 3 columns, separated by semicolons")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    page.keyboard.press("Escape")
    wait_idle(page)  # while a page runs, what is new stands beside what will go
    for name in ("a", "b", "Each its own"):
        expect(page.get_by_role("radio", name=name, exact=True)).to_be_visible()

    page.get_by_role("link", name="Schedules", exact=True).click()
    expect(page).to_have_url(re.compile("/schedules"))
    wait_idle(page)
    page.get_by_role("link", name="Reverse", exact=True).click()
    expect(page).to_have_url(re.compile(r"/reverse\?.*data=table"))
    expect(page.locator(".dvz-panel").get_by_text("Your table")).to_be_visible()
    expect(page.get_by_text("No table is here yet")).to_be_hidden()
    page.get_by_role("button", name="Choose a table").click()
    expect(page.get_by_text("good.csv stays until another file is read")).to_be_visible()
    wait_idle(page)
    assert page.errors == []
