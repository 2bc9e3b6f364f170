"""What the Images pages say is what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from diffviz.images import labelled_images
from diffviz.sources import SourceError
from diffviz.ui import why_run
from diffviz.ui.configs import SamplerConfig
from diffviz.ui.edit_controls import seven
from diffviz.ui.generate_run import GenerateRun, Pictures
from diffviz.ui.generate_words import about_classes, settled
from diffviz.ui.picture_pngs import contact_sheet, data_uri, strip_uri
from diffviz.ui.player import decode
from diffviz.ui.why_run import compared
from diffviz.ui.why_words import about, no_pictures, pairs_html

RUN = GenerateRun(sampler=SamplerConfig("dpmpp_2m", 20, "log_snr"), count=4)


def pictures(seen: list[list[int]], labels: list[int]) -> Pictures:
    """A made-up run in which the classifier sees these classes, frame by frame."""
    probability = np.eye(10, dtype=np.float32)[np.array(seen)]
    frames = len(seen)
    return Pictures(
        b"",
        frames=frames,
        steps=frames - 1,
        evaluations=frames - 1,
        seconds=1.0,
        x=np.zeros((len(labels), 1, 28, 28), np.float32),
        labels=np.array(labels),
        probability=probability,
        sentence="",
        t=np.linspace(1, 0, frames),
    )


def test_a_class_is_settled_from_where_it_no_longer_changes() -> None:
    made = pictures([[1, 2, 3], [7, 2, 5], [1, 2, 3], [1, 2, 4]], [1, 2, 3])
    assert settled(made).tolist() == [2, 0, 3]
    words = about_classes(RUN, made)
    assert "66.7% of the pictures" in words
    assert "step 2 of 3 (t = 0.33)" in words
    assert "finds its own" in about_classes(replace(RUN, guidance=0.0), made)


def test_what_stands_still_is_one_picture_for_each() -> None:
    x = np.linspace(-1, 1, 6 * 28 * 28, dtype=np.float32).reshape(6, 1, 28, 28)
    assert data_uri(x[0]).startswith("data:image/png;base64,")
    assert strip_uri(x) == contact_sheet(x, 6, 44)
    color = np.zeros((2, 3, 8, 8), np.float32)
    assert contact_sheet(color, 1, 16) != contact_sheet(color, 2, 16)


def test_the_first_picture_on_the_sheet_is_a_seven() -> None:
    assert seven().shape == (28, 28, 1)
    pixels = torch.from_numpy(seven().pixels().copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    probability = why_run.picture_sets.judge("mnist").probabilities(pixels)
    assert int(probability.argmax()) == 7


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Real digits in place of those of MNIST, which do not ship."""
    images, labels = labelled_images("digits", 700, 0)
    large = torch.nn.functional.interpolate(images, (28, 28), mode="bilinear", antialias=True)
    parts = large[:500], labels[:500], large[500:]
    monkeypatch.setattr(why_run, "real", lambda _name: parts)
    why_run._features.cache_clear()
    yield
    why_run._features.cache_clear()


@pytest.mark.usefixtures("digits")
def test_the_exact_denoiser_gives_pictures_back_and_the_network_does_not() -> None:
    made = compared(RUN)
    assert made.known == 500
    assert made.exact.pixels.max() < 0.02
    assert made.exact.features.max() < 0.2
    assert made.learned.pixels.min() > 0.2
    assert made.learned.features.mean() > 0.5
    header, _ = decode(made.buffer)
    assert [panel["badge"] for panel in header["panels"]] == ["exact", "learned"]
    assert len(header["rail"]["levels"]) == 2
    assert "500 real pictures" in about(RUN, made, "exact")
    assert "times as far as a new real picture" in about(RUN, made, "learned")
    assert pairs_html(made, "learned").count("<img") == 2


def test_without_real_pictures_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("DIFFVIZ_DATA", str(tmp_path))
    why_run.real.cache_clear()
    with pytest.raises(SourceError) as error:
        why_run.real("mnist")
    assert "python -m diffviz.sources mnist" in no_pictures(RUN, error.value)
