"""What the export menu gives away: pages and animations made from what the player shows."""

from __future__ import annotations

import base64
import gzip
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence

from diffviz.scenes.buffer import decode, read_header, unbind
from diffviz.scenes.configs import DataConfig, SamplerConfig, ScheduleConfig
from diffviz.scenes.forward import ForwardConfig
from diffviz.scenes.plays import Play
from diffviz.scenes.point_run import RunConfig, made, shown
from diffviz.ui.parts.player.standalone import Kept, standalone
from diffviz.ui.stage.export_menu import animation, kept_runs

POINTS = RunConfig(DataConfig("moons", 50), samples=40, sampler=SamplerConfig(steps=4))
DIGITS = RunConfig(DataConfig("digits", 30), samples=6, sampler=SamplerConfig(steps=3))


def test_a_page_carries_the_player_and_the_run() -> None:
    buffer = shown(POINTS).buffer
    page = standalone(buffer, "Moons & <noise>", "By hand")
    assert "<h1>Moons &amp; &lt;noise&gt;</h1>" in page
    assert "export default" not in page
    found = re.search(r'const packed = "([^"]+)"', page)
    assert found is not None
    assert gzip.decompress(base64.b64decode(found.group(1))) == buffer
    assert '"link": null' in page, "a file has no address to copy"
    for address in re.findall(r"https?://[^\s\"'<]+", page):
        assert address == "http://www.w3.org/2000/svg"  # a name, not a place


def test_a_page_keeps_a_knob_with_what_is_shown_at_its_stops() -> None:
    play = Play("reverse", POINTS)
    runs = kept_runs(play, ("sampler", "steps"), [1, 2, 4, 8])
    assert list(runs) == [1, 2, 4, 8]
    for steps, buffer in runs.items():
        header, _ = decode(buffer)
        assert header["clock"]["frames"] == steps + 1
        assert header["panels"][0]["count"] == 40
    page = standalone(shown(POINTS).buffer, "Moons", knob=Kept("Steps", 4, 50, runs))
    found = re.search(r'const sheaf = "([^"]+)"', page)
    assert found is not None
    assert unbind(gzip.decompress(base64.b64decode(found.group(1)))) == runs
    assert '"label": "Steps"' in page
    assert '"stops": [1, 2, 4, 8]' in page
    assert page.count("const mount = ") == 2
    assert 'const sheaf = "";' in standalone(shown(POINTS).buffer, "Moons")


def test_a_page_keeps_some_of_many_stops() -> None:
    assert len(kept_runs(Play("reverse", POINTS), ("sampler", "steps"), range(1, 40))) == 12
    noised = Play("forward", ForwardConfig(DataConfig("moons", 50), ScheduleConfig("linear")))
    runs = kept_runs(noised, ("schedule", "T"), range(2, 1000))
    assert (len(runs), min(runs), max(runs)) == (50, 2, 999)
    assert all(read_header(buffer)["hollow"] for buffer in runs.values())


def test_a_page_is_made_of_a_run_only() -> None:
    with pytest.raises(ValueError, match="player buffer"):
        standalone(b"nothing", "Nothing")


def test_points_become_an_animation() -> None:
    picture = Image.open(io.BytesIO(animation(shown(POINTS).buffer, "#0072B2", "#FFFFFF")))
    frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]
    assert len(frames) == 5
    x, y = made(POINTS).x_t[-1][0].tolist()
    row, column = int((3 - y) / 6 * 480), int((x + 3) / 6 * 480)
    assert frames[-1][row, column].tolist() != [255, 255, 255]
    assert frames[-1][5, 5].tolist() == [255, 255, 255]


def test_images_become_an_animation() -> None:
    picture = Image.open(io.BytesIO(animation(shown(DIGITS).buffer, "#0072B2", "#FFFFFF")))
    last = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(picture)][-1]
    assert last.shape == (2 * 8 * 4, 5 * 8 * 4)
    digit = made(DIGITS).x_t[-1][0, 0].clamp(-1, 1).numpy()
    drawn = last[:32:4, :32:4] / 127.5 - 1
    assert np.abs(drawn - digit).max() < 0.1
