"""The pages Generate, Edit and Why it works in a real browser."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from torch.nn import functional

from diffviz.data.pictures import IMAGE_DATASETS, labelled_images
from tests.browser.journeys import fine, until

READY = '.dvz[data-ready="true"]'
QUICK = {"steps": 6, "count": 4}


def visit(page: Any, url: str, wait_idle: Any, where: str = "images", **query: object) -> None:
    page.goto(f"{url}/{where}?{urlencode({**QUICK, **query})}")
    expect(page.locator(READY)).to_be_visible()
    wait_idle(page)


def test_pictures_are_drawn_scrubbed_and_kept_in_the_address(
    page: Any, new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, classes="3,7")
    main = page.get_by_test_id("stMain")
    expect(page.locator(".dvz-figure")).to_have_count(3)
    expect(page.locator(".dvz-thumb")).to_have_count(4)
    expect(main.get_by_text(re.compile("12 evaluations"))).to_be_visible()
    box = page.locator(".dvz").bounding_box()
    assert box is not None
    assert box["y"] + 440 < 900, "pictures and scrubber are in sight"

    page.locator(".dvz").press("Home")
    until(page, "p.frame === 0")
    sent = page.traffic.sent
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    until(page, "p.frame === 3")
    page.locator(".dvz-thumb").nth(1).click()
    expect(page).to_have_url(re.compile(r"[?&]follow=1\b"))
    expect(page.locator(".dvz-card-levels").first.locator(".dvz-card-value")).to_have_text(
        re.compile(r"^\d: [01]\.\d\d$")
    )
    assert page.traffic.sent - sent <= 8
    wait_idle(page)

    other = new_page()
    other.goto(page.url)
    expect(other.locator(READY)).to_be_visible()
    wait_idle(other)
    expect(other.locator('.dvz-thumb[aria-pressed="true"]')).to_have_attribute("data-item", "1")
    until(other, "p.frame === 3")

    page.get_by_role("button", name="Class: 3, 7").click()
    page.get_by_test_id("stButtonGroup").get_by_text("3", exact=True).click()
    expect(page).to_have_url(re.compile(r"[?&]classes=7\b"))
    wait_idle(page)
    fine(page, serve.log("app.py"))


def test_what_is_being_drawn_is_seen_before_it_is_done(
    page: Any, app_url: str, wait_idle: Any
) -> None:
    page.goto(f"{app_url}/images?{urlencode({'steps': 100, 'count': 16, 'seed': 11})}")
    expect(page.get_by_alt_text("Predicted pictures so far")).to_be_visible()
    assert page.locator(READY).count() == 0
    expect(page.locator(READY)).to_be_visible()
    expect(page.get_by_alt_text("Predicted pictures so far")).to_have_count(0)


@pytest.mark.parametrize(
    ("show", "words"),
    [
        ("ladder", "Every row starts from the"),
        ("between", "neighbouring noises give neighbouring"),
        ("back", "come back by the same road"),
    ],
)
def test_the_other_looks(
    new_page: Any, app_url: str, serve: Any, wait_idle: Any, show: str, words: str
) -> None:
    page = new_page(width=1024, height=768, color_scheme="dark")
    query = urlencode({**QUICK, "show": show, "count": 2})
    page.goto(f"{app_url}/images?{query}")
    expect(page.get_by_text(re.compile(words))).to_be_visible()
    wait_idle(page)
    if show == "ladder":
        expect(page.locator(".dv-ladder tbody tr")).to_have_count(7)
    else:
        expect(page.locator(READY)).to_be_visible()
    fine(page, serve.log("app.py"))


def test_a_drawing_is_redrawn_at_the_level_that_is_set(
    page: Any, new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, "edit", **{"class": 7})
    main = page.get_by_test_id("stMain")
    expect(main.locator(".dv-row figure")).to_have_count(11)
    sheet = page.locator(".sheet-paper canvas").first
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"], steps=6)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"[?&]picture="))
    wait_idle(page)
    handle = page.get_by_role("slider", name=re.compile("Noise level"))
    handle.focus()
    handle.press("Home")
    expect(page).to_have_url(re.compile(r"[?&]level=0\b"))
    expect(main.get_by_text(re.compile("comes back as it was given"))).to_be_visible()
    wait_idle(page)
    fine(page, serve.log("app.py"))

    other = new_page()
    other.goto(page.url)
    expect(other.get_by_text(re.compile("comes back as it was given"))).to_be_visible()
    wait_idle(other)
    assert re.search(r"picture=([^&]+)", other.url) is not None
    assert other.url == page.url


def test_a_region_is_painted_out_and_filled_in(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, "edit", edit="inpaint", **{"class": 7})
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text(re.compile("50% of the picture is made anew"))).to_be_visible()
    page.get_by_role("button", name="Left half").click()
    expect(page).to_have_url(re.compile(r"[?&]region="))
    expect(main.get_by_text(re.compile("the rest differs by 0 at most"))).to_be_visible()
    wait_idle(page)
    fine(page, serve.log("app.py"))


def test_a_damaged_picture_is_restored(
    new_page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    page = new_page(width=1024, height=768)
    visit(page, app_url, wait_idle, "edit", edit="restore", damage="blur", **{"class": 7})
    main = page.get_by_test_id("stMain")
    expect(main.locator(".dv-row figure")).to_have_count(4)
    expect(main.get_by_text(re.compile("is known; what it hid is not"))).to_be_visible()
    fine(page, serve.log("app.py"))


def png(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("L", size, 200).save(file, "PNG")
    return file.getvalue()


def gif() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("L", (20, 20), k * 100) for k in range(2)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def test_odd_uploads_are_answered_in_place(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    visit(page, app_url, wait_idle, "edit", **{"from": "upload"})
    chooser = page.locator('[data-testid="stFileUploaderDropzoneInput"]')
    odd = [
        ("big.png", png((12_000, 12_000)), "million are unpacked"),
        ("moving.gif", gif(), "a GIF file"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG file"),
    ]
    for name, data, words in odd:
        chooser.set_input_files({"name": name, "mimeType": "image/png", "buffer": data})
        expect(page.get_by_text(re.compile(words))).to_be_visible()
        expect(page.locator(READY)).to_be_visible()
        wait_idle(page)
    chooser.set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": png((1, 1))})
    expect(page.get_by_text(re.compile("an SVG file"))).to_have_count(0)
    wait_idle(page)
    fine(page, serve.log("app.py"))


def test_without_real_pictures_the_network_runs_and_it_says_what_is_missing(
    page: Any, serve: Any, wait_idle: Any, tmp_path: Path
) -> None:
    url = serve("app.py", DIFFVIZ_DATA=str(tmp_path))
    page.goto(f"{url}/why?{urlencode({**QUICK, 'pictures': 'mnist'})}")
    expect(page.get_by_text(re.compile("do not ship"))).to_be_visible()
    expect(page.locator(".dvz-panel")).to_have_count(1)
    expect(page.get_by_text(re.compile(r"python -m diffviz fetch mnist"))).to_be_visible()
    wait_idle(page)
    assert "Traceback" not in serve.log("app.py", DIFFVIZ_DATA=str(tmp_path))


def test_the_network_is_set_beside_the_exact_denoiser(
    page: Any, serve: Any, wait_idle: Any, tmp_path: Path
) -> None:
    digits, labels = IMAGE_DATASETS["digits"](1200, 0), labelled_images("digits", 1200, 0)[1]
    large = functional.interpolate(digits, (28, 28), mode="bilinear", antialias=True)
    pixels = ((large[:, 0] + 1) * 127.5).round().byte().numpy()
    folder = tmp_path / "mnist"
    folder.mkdir()
    known, other = slice(0, 1000), slice(1000, None)
    arrays = {"x_train": pixels[known], "x_test": pixels[other]}
    arrays |= {"y_train": labels[known].byte().numpy(), "y_test": labels[other].byte().numpy()}
    np.savez(folder / "mnist.npz", **arrays)
    url = serve("app.py", DIFFVIZ_DATA=str(tmp_path))
    page.goto(f"{url}/why?steps=20")
    page.locator(READY).first.wait_for()
    wait_idle(page)
    expect(page.locator(".dvz-panel")).to_have_count(2)
    expect(page.get_by_text(re.compile("knows 1,000 real pictures"))).to_be_visible()
    expect(page.get_by_text(re.compile("cannot hold them"))).to_be_visible()
    wait_idle(page)
    fine(page, serve.log("app.py", DIFFVIZ_DATA=str(tmp_path)))


def zipped(*files: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files:
            out.writestr(name, data)
    return file.getvalue()


def test_a_zip_of_pictures_is_explored_and_odd_ones_are_answered(
    page: Any, app_url: str, serve: Any, wait_idle: Any
) -> None:
    page.goto(f"{app_url}/images?{urlencode({**QUICK, 'pictures': 'yours'})}")
    expect(page.get_by_text("Choose a ZIP with the button")).to_be_visible()
    wait_idle(page)
    page.get_by_role("button", name="Choose a ZIP").click()
    chooser = page.locator('[data-testid="stFileUploaderDropzoneInput"]')
    bomb = zipped(("zeros.png", bytes(60_000_000)))
    odd = (("bomb.zip", bomb, "This file has 60"), ("text.zip", b"no archive", "not a ZIP archive"))
    for name, data, words in odd:
        chooser.set_input_files({"name": name, "mimeType": "application/zip", "buffer": data})
        expect(page.get_by_text(re.compile(words))).to_be_visible()
        wait_idle(page)
        assert page.locator(READY).count() == 0
    good = zipped(*((f"../{k}/picture.png", png((20 + k, 30))) for k in range(5)))
    chooser.set_input_files({"name": "good.zip", "mimeType": "application/zip", "buffer": good})
    expect(page.locator(READY)).to_be_visible()
    expect(page.get_by_text(re.compile("Memorisation"))).to_be_visible()
    wait_idle(page)
    fine(page, serve.log("app.py"))
