from __future__ import annotations

import pytest

from diffviz.measures.terminal import Terminal
from diffviz.ui.screens.forward.gauge import ending_html, scientific, verdict
from diffviz.ui.shell.theme import DARK, LIGHT

YES = Terminal(0.006, 1.0, 0.05, 0.05, 2.9e-5)
NEARLY = Terminal(0.068, 1.0, 0.05, 0.05, 3e-3)
NO = Terminal(0.904, 1.0, 0.24, 0.05, 1.22)


def test_the_answer_in_words() -> None:
    assert verdict(YES, 1000) == ("Yes", "as close as two Gaussian samples are")
    assert verdict(NEARLY, 1000) == ("Nearly", "T = 1,000 noisings leave 6.8 % of the signal")
    assert verdict(NO, 20) == ("No", "T = 20 noisings leave 90 % of the signal")
    assert verdict(NO, None) == ("No", "90 % of the signal is left at the end")
    far = Terminal(0.001, 1.0, 0.2, 0.05, 0.0)
    assert verdict(far, None) == ("No", "4.0 times as far as Gaussian samples are")


@pytest.mark.parametrize("colors", [LIGHT, DARK])
@pytest.mark.parametrize("end", [YES, NEARLY, NO])
def test_it_says_what_it_rests_on(end: Terminal, colors: object) -> None:
    html = ending_html(end, 1000, colors)  # type: ignore[arg-type]
    assert f'data-verdict="{end.verdict}"' in html
    assert f"{end.distance:.3f}" in html
    assert f"{scientific(end.bits)} bits" in html
    assert "/ std" not in html


def test_a_path_that_grows_names_its_own_unit() -> None:
    assert "&alpha;<sub>T</sub> / std" in ending_html(Terminal(0.02, 50, 1, 1, 0), None, LIGHT)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.00"), (1.224, "1.22"), (0.01, "0.01"), (2.91e-5, "2.9 · 10⁻⁵")]
)
def test_small_numbers_are_readable(value: float, text: str) -> None:
    assert scientific(value) == text
