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

from diffviz.ui import home_run
from diffviz.ui.player import decode
from diffviz.ui.theme import DARK, LIGHT


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
@pytest.mark.parametrize("name", [name for name in home_run.__all__ if name.endswith("_picture")])
def test_pictures_are_well_formed_and_described(name: str, colors: object) -> None:
    html = getattr(home_run, name)(colors)
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
