"""The look: shades for words, and colors that are given in more than one place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from diffviz.ui.shell import theme
from diffviz.ui.shell.theme import DARK, LIGHT, Palette

ROOT = Path(__file__).parents[3]


def luminance(color: str) -> float:
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("colors", [LIGHT, DARK])
def test_every_color_has_a_shade_that_reads_as_words(colors: Palette) -> None:
    concepts = (colors.data, colors.noise, colors.exact, colors.learned, colors.path)
    for color in (*concepts, *colors.classes, colors.muted, colors.text, colors.grid):
        low, high = sorted((luminance(colors.ink(color)), luminance(colors.background)))
        assert (high + 0.05) / (low + 0.05) >= 5


def test_a_shade_is_no_farther_from_its_color_than_it_must() -> None:
    concepts = (LIGHT.data, LIGHT.noise, LIGHT.exact, LIGHT.learned, LIGHT.path)
    wanted = ["#0072B2", "#6B6D6F", "#087A5F", "#B0530A", "#AA4499"]
    assert [LIGHT.ink(color) for color in concepts] == wanted
    assert DARK.ink(DARK.exact) == DARK.exact


def test_words_in_a_figure_have_that_shade_but_on_a_ground_of_their_own() -> None:
    figure = go.Figure()
    figure.add_annotation(text="exact", font={"color": LIGHT.exact})
    figure.add_annotation(text="A", font={"color": LIGHT.background}, bgcolor=LIGHT.text)
    theme.style(figure, LIGHT)
    words = [note.font.color for note in figure.layout.annotations]
    assert words == ["#087A5F", LIGHT.background]


def test_there_is_one_stylesheet() -> None:
    """Besides it: an exported page and a picture, which stand alone."""
    places = [*(ROOT / "diffviz").rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    styled = {place.name for place in places if "<style" in place.read_text("utf-8")}
    alone = {"standalone.py", "run.py"}
    assert styled == {"theme.py"} | alone
    home = ROOT / "diffviz" / "ui" / "screens" / "home" / "run.py"
    assert sum("<style" in p.read_text("utf-8") for p in places if p.name == "run.py") == 1
    assert "<svg" in home.read_text("utf-8")


def test_nothing_depends_on_what_something_else_has() -> None:
    """``X:has(Y) Z`` makes a browser work out a page's style anew at every change of a chart.

    Where that is needed, X sets a property that Z uses.
    """
    rules = re.sub(r"/\*.*?\*/", "", theme._STYLE, flags=re.DOTALL)
    selectors = re.findall(r"([^{};]+)\{", rules)
    found = [each.strip() for each in selectors if re.search(r":has\([^{}]*\)\s+[.\[>~+a-z]", each)]
    assert found == []


def test_what_can_be_pressed_has_one_color() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
    light, dark = (config[name]["primaryColor"] for name in ("light", "dark"))
    assert f"--press: light-dark({light}, {dark})" in theme._STYLE
    standalone = (ROOT / "diffviz" / "ui" / "parts" / "player" / "standalone.py").read_text("utf-8")
    assert f"--st-primary-color: {light}" in standalone
    assert f"--st-primary-color: {dark}" in standalone


def yours() -> None:
    from diffviz.scenes import yours as yours_run
    from diffviz.ui.screens.images import yours as generate_yours

    yours_run.folders = lambda: ["shells"]
    yours_run.pipelines = lambda: ["cats"]
    generate_yours.choose()


def test_options_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffviz.scenes import yours as yours_run

    for name in ("folders", "pipelines"):  # given back after the script has replaced them
        monkeypatch.setattr(yours_run, name, getattr(yours_run, name))
    at = AppTest.from_function(yours).run(timeout=60)
    assert not at.exception
    (box,) = at.selectbox
    assert box.options == ["A ZIP of your pictures", "folder: shells", "pipeline: cats"]
