"""What the Images pages say is what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from diffviz.data.pictures import labelled_images
from diffviz.scenes import why as why_run
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import SamplerConfig
from diffviz.scenes.drawing import seven
from diffviz.scenes.picture_run import GenerateRun, Pictures
from diffviz.scenes.pngs import contact_sheet, data_uri, strip_uri
from diffviz.scenes.why import compared
from diffviz.ui.screens.images.words import about_classes, settled
from diffviz.ui.screens.why.words import about, about_kept, no_pictures, pairs_html

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
    assert made.ends["exact"].pixels.max() < 0.02
    assert made.ends["exact"].features.max() < 0.2
    assert made.ends["learned"].pixels.min() > 0.2
    assert made.ends["learned"].features.mean() > 0.5
    header, _ = decode(made.buffer)
    assert [panel["badge"] for panel in header["panels"]] == ["exact", "learned"]
    assert len(header["rail"]["levels"]) == 2
    assert "500 real pictures" in about(RUN, made, "exact")
    assert "times as far as a new real picture" in about(RUN, made, "learned")
    assert pairs_html(made.ends["learned"]).count("<img") == 2


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[None]:
    """A fresh install: no pictures but those that ship."""
    monkeypatch.setenv("DIFFVIZ_DATA", str(tmp_path))
    why_run.real.cache_clear()
    yield
    why_run.real.cache_clear()


@pytest.mark.usefixtures("bare")
def test_without_real_pictures_the_network_runs_and_figures_are_kept() -> None:
    run = replace(RUN, pictures="mnist", count=3)
    made = compared(replace(run, guidance=2.0))
    header, _ = decode(made.buffer)
    assert [panel["badge"] for panel in header["panels"]] == ["learned"]
    assert not made.ends
    kept = why_run.kept_figures("mnist")
    assert kept.pixels["exact"] < 0.01 < 0.1 < kept.pixels["learned"]
    assert kept.features["exact"] < 0.1 < 0.5 < kept.features["learned"] < 2
    assert f"{kept.known:,} real pictures" in about_kept(run, kept, "exact")
    words = no_pictures(run, kept)
    assert "python -m diffviz fetch mnist" in words
    assert "/" not in words  # no path of the server


@pytest.mark.usefixtures("bare")
def test_the_shipped_clothes_are_compared_on_a_fresh_install() -> None:
    made = compared(replace(RUN, pictures="fashion", count=2))
    assert set(made.ends) == {"exact", "learned"}
