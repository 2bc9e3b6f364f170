"""The whole app at addresses that its controls can make: words where something cannot be had."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from diffviz.core.schedules import ScaledLinear
from diffviz.core.trajectory import Diverged
from diffviz.scenes import picture_run
from diffviz.scenes import why as why_run
from diffviz.scenes.picture_run import GenerateRun
from diffviz.ui.screens.schedules import grey

ROOT = Path(__file__).parents[3]


def open_address(address: str) -> AppTest:
    page, _, query = address.partition("?")
    at = AppTest.from_file(ROOT / "app.py", default_timeout=120)
    for name, word in parse_qsl(query):
        at.query_params[name] = word
    return at.switch_page(f"pages/{page}.py").run()


def said(at: AppTest) -> str:
    return "\n".join(box.value for box in (*at.warning, *at.info, *at.error))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("guidance?n=1&class=1", "leaves some of them empty: 8 points are used"),
        ("guidance?samples=1&w=3&steps=4", ""),
        ("reverse?moved=-1,0,0&steps=4", "has a number that is below 0"),
        ("reverse?moved=0,99999,0&steps=4", "has a number that is above 6"),
        ("forward?beta_start=0.999", ""),
        ("forward?beta_end=0.999", ""),
        ("forward?beta_start=0.999&beta_end=0.999", "after 194 of the 1000 noisings"),
        ("reverse?spacing=karras&beta_end=0.999", ""),
        ("reverse?data=text&n=1&samples=1&steps=4", ""),
        ("edit?schedule=cosine&T=2&zsnr=1&spacing=log_snr&steps=8", ""),
        (
            "reverse?schedule=custom&curve=0,1 0.5,1e-300 1,0&spacing=log_snr&steps=20",
            "placed by another spacing: Trailing",
        ),
        (
            "reverse?beta_end=0.999&sampler=euler_maruyama&spacing=log_snr&steps=30",
            "This run diverged",
        ),
    ],
)
def test_what_controls_allow_ends_in_no_error(address: str, words: str) -> None:
    at = open_address(address)
    assert not at.exception
    if words:
        assert words in said(at)
    else:
        assert not said(at)


def press(at: AppTest, label: str, then: str) -> None:
    """Press a button, and look again until another one is there."""
    [button] = [b for b in at.button if b.label == label]
    button.click().run()
    until = time.monotonic() + 60
    while then not in [b.label for b in at.button]:
        assert not at.exception
        assert time.monotonic() < until
        time.sleep(0.3)
        at.run()
    assert not at.exception


def test_train_pause_stop_shows_no_error() -> None:
    at = open_address("training?data=moons")
    press(at, "Train from scratch", "Pause")
    time.sleep(1)
    press(at, "Pause", "Resume")
    press(at, "Stop", "Train again")
    at.run()
    assert not at.exception


@pytest.mark.parametrize("page", ["guidance", "images", "edit", "collar"])
def test_every_page_offers_the_guidance_of_pipelines(page: str) -> None:
    word = "w" if page == "guidance" else "guidance"
    at = open_address(f"{page}?{word}=7.5&steps=2")  # with few steps, samples leave the picture
    assert not at.exception
    assert not at.warning
    assert at.query_params[word] in ("7.5", ["7.5"])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("images?steps=5000&pictures=fashion", "888 are taken"),
        ("images?steps=1000&sampler=langevin&inner=50", "17 are taken"),
    ],
)
def test_runs_that_take_minutes_are_offered_smaller(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def pictures(run: GenerateRun, *_: object) -> None:
        asked.append(run)
        raise Diverged("not run here")

    monkeypatch.setattr(picture_run, "pictures", pictures)
    at = open_address(address)
    assert not at.exception
    assert words in said(at)
    assert "1 are run" in said(at)
    assert asked[0].count == 1


def test_zero_terminal_snr_shows_in_samples() -> None:
    at = open_address("schedules?schedules=scaled_linear,vp&zsnr=1")
    assert not at.exception
    assert "What zero terminal SNR does to samples" in [head.value for head in at.subheader]
    assert any("Not so" in text.value and "VP" in text.value for text in at.caption)
    chain = ScaledLinear()
    before, after = (grey.ends(chain, rescaled) for rescaled in (False, True))
    assert before.mean - before.data > 0.02  # greyer than the data
    assert abs(after.mean - after.data) < abs(before.mean - before.data)


@pytest.mark.parametrize("pictures", ["mnist", "fashion"])
def test_why_it_works_shows_its_subject_on_a_fresh_install(
    pictures: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIFFVIZ_DATA", str(tmp_path))
    why_run.real.cache_clear()
    at = open_address(f"why?pictures={pictures}&steps=4")
    why_run.real.cache_clear()
    assert not at.exception
    assert str(tmp_path) not in said(at)
    text = "\n".join(words.value for words in at.markdown)
    assert "real pictures and nothing else" in text
    assert "cannot hold them" in text
    assert ("python -m diffviz fetch mnist" in said(at)) == (pictures == "mnist")
