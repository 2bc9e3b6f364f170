from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.scenes.buffer import decode
from diffviz.ui.screens.home import run as home_run
from diffviz.ui.shell.skeleton import PAGES
from diffviz.ui.shell.theme import DARK, LIGHT


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_word_goes_to_noise_and_comes_back() -> None:
    header, arrays = decode(home_run.there_and_back())
    x_t = arrays[header["panels"][0]["arrays"]["x_t"]]
    t = arrays[header["clock"]["arrays"]["t"]]
    middle = int(t.argmax())
    assert t[0] == t[-1] == 0
    assert t[middle] == 1
    assert x_t.shape[1] == 2000
    assert np.abs(x_t[middle].std(axis=0) - 1).max() < 0.1
    word = home_run.WORD.load().numpy()
    nearest = np.array([np.linalg.norm(word - x, axis=1).min() for x in x_t[-1][::20]])
    assert nearest.max() < 0.05


@pytest.mark.parametrize("colors", [LIGHT, DARK])
@pytest.mark.parametrize("name", home_run.PICTURES)
def test_pictures_are_well_formed_and_described(name: str, colors: object) -> None:
    html = home_run.PICTURES[name](colors)
    found = re.fullmatch(r'<img src="data:image/(svg\+xml|png);base64,(.+?)" alt="(.+)">', html)
    assert found is not None
    kind, data, words = found.groups()
    assert len(words) > 10
    content = base64.b64decode(data)
    if kind == "png":
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.width > 3.9 * picture.height
    else:
        assert ElementTree.fromstring(content).tag.endswith("svg")
    assert len(html) < 80_000


def test_cards_count_what_there_is() -> None:
    numbers = {9: "Nine", 10: "Ten", 11: "Eleven", 12: "Twelve"}
    words = [page.card for page in PAGES.values()]
    ready_made = numbers[len(SCHEDULES) - 1]  # one is bent by hand
    assert f"{ready_made} noise schedules side by side, and one that you bend by hand." in words
    assert any(word.startswith(f"{numbers[len(SAMPLERS)]} samplers") for word in words)
