from __future__ import annotations

import string

import numpy as np
import pytest

from diffviz.exchange.drawings import MAX_POINTS, decode_points, encode_points
from diffviz.ui.parts import pad, wishes
from tests.ui.conftest import RunJs


@pytest.mark.parametrize("n", [0, 1, 2, 3, 57, MAX_POINTS])
def test_words_bring_points_back(n: int) -> None:
    points = np.random.default_rng(n).uniform(-1, 1, (n, 2))
    word = encode_points(points)
    assert set(word) <= set(string.ascii_letters + string.digits + "-_")
    result = np.array(decode_points(word)).reshape(-1, 2)
    np.testing.assert_allclose(result, points, atol=0.5 / 127)
    assert encode_points(result) == word


def test_the_corners_are_exact() -> None:
    corners = ((-1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))
    assert decode_points(encode_points(corners)) == corners


def test_no_points_are_the_empty_word() -> None:
    assert encode_points([]) == ""
    assert decode_points("") == ()


@pytest.mark.parametrize(
    "points", [[(2.0, 0.0)], [(np.nan, 0.0)], [1.0, 0.5], [(0.0, 0.0)] * (MAX_POINTS + 1)]
)
def test_what_is_no_drawing_is_not_encoded(points: list[object]) -> None:
    with pytest.raises(ValueError, match="drawing"):
        encode_points(points)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "word", ["A", "AA", "AAA=", "AAAA", "é", "AB CD", "AAB", "../x", "A" * 1068, "A" * 100_000]
)
def test_nonsense_is_refused_in_plain_words(word: str) -> None:
    with pytest.raises(ValueError, match=r"^This is not a drawing: .*\.$"):
        decode_points(word)


def test_random_words_raise_nothing_but_value_error() -> None:
    rng = np.random.default_rng(0)
    letters = list(string.printable + "é€😀\x00")
    for _ in range(500):
        word = "".join(rng.choice(letters, size=rng.integers(0, 30)))
        try:
            points = decode_points(word)
        except ValueError:
            continue
        assert encode_points(points) == word


# What counts: the page's wish or the reader's report

RING, LINE, DOT = "AAAB", "AAAC", "AAAD"


def wish(
    asked: str | None,
    report: wishes.Report | None = None,
    before: wishes.Wish | None = None,
    now: float = 0.0,
) -> tuple[wishes.Wish, str | None]:
    """The wish after one run, and what is on the sheet."""
    result = wishes.settle(before, asked, report)
    word = wishes.current(result, report)
    return wishes.told(result, word, now), word


def test_an_empty_sheet() -> None:
    assert wish(None)[1] is None


def test_a_drawing_that_was_passed() -> None:
    assert wish(RING)[1] == RING


def test_the_reader_draws_and_the_page_hands_it_back() -> None:
    first, _ = wish(RING)
    second, word = wish(RING, wishes.Report(LINE, 0), first)
    assert (word, second.revision) == (LINE, 0)
    third, word = wish(LINE, wishes.Report(LINE, 0), second)
    assert (word, third.revision, third.word) == (LINE, 0, RING)  # nothing new for the browser


def test_the_page_sets_another_drawing_after_the_reader_drew() -> None:
    first, _ = wish(RING)
    report = wishes.Report(LINE, 0)
    second, _ = wish(LINE, report, first)
    third, word = wish(DOT, report, second)
    assert (word, third.revision) == (DOT, 1)
    _, word = wish(DOT, wishes.Report(RING, 1), third)
    assert word == RING


def test_a_page_that_hands_back_one_run_late_does_not_undo_a_stroke() -> None:
    first, _ = wish(None)
    second, _ = wish(None, wishes.Report(RING, 0), first)
    third, word = wish(RING, wishes.Report(LINE, 0), second)
    assert (word, third.revision) == (LINE, 0)
    fourth, word = wish(LINE, wishes.Report(DOT, 0), third)
    assert (word, fourth.revision) == (DOT, 0)


def test_strokes_in_quick_succession_survive_an_address_that_lags_behind() -> None:
    last = None
    for asked, drawn in [(None, RING), (RING, LINE), (RING, DOT), (RING, "AAAE"), (LINE, "AAAF")]:
        last, word = wish(asked, wishes.Report(drawn, 0), last, now=0.1)
        assert (word, last.revision) == (drawn, 0)


def test_an_earlier_drawing_can_be_wished_for_again_later() -> None:
    first, _ = wish(None, wishes.Report(RING, 0))
    second, _ = wish(RING, wishes.Report(LINE, 0), first, now=1.0)
    third, _ = wish(LINE, wishes.Report(LINE, 0), second, now=20.0)
    fourth, word = wish(RING, wishes.Report(LINE, 0), third, now=40.0)
    assert (word, fourth.revision) == (RING, 1)


def test_the_page_can_empty_the_sheet() -> None:
    first, _ = wish(RING)
    second, word = wish("", wishes.Report(LINE, 0), first)
    assert (word, second.revision) == ("", 1)


def test_a_cleared_sheet_stays_clear() -> None:
    first, _ = wish(RING)
    second, word = wish(RING, wishes.Report("", 0), first)
    assert word == ""
    _, word = wish(None, wishes.Report("", 0), second)
    assert word == ""


def test_a_report_that_was_forgotten_gives_way_to_the_page() -> None:
    first, _ = wish(RING)
    second, _ = wish(LINE, wishes.Report(LINE, 0), first)
    third, word = wish(LINE, None, second)
    assert (word, third.revision) == (LINE, 1)


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"drawing": None},
        {"drawing": "AAAB"},
        {"drawing": {"word": 3, "after": 0}},
        {"drawing": {"word": "not a word!", "after": 0}},
        {"drawing": {"word": "", "after": None}},
    ],
)
def test_reports_that_make_no_sense_are_ignored(state: object) -> None:
    assert pad._report(state) is None


def test_a_report_is_read() -> None:
    assert pad._report({"drawing": {"word": "", "after": 2.0}}) == wishes.Report("", 2)


def test_the_browser_writes_and_reads_the_same_words(run_js: RunJs) -> None:
    points = np.random.default_rng(3).uniform(-1, 1, (57, 2)).tolist()
    word = encode_points(points)
    assert run_js("pad/pad.js", f"js.toWord({points})") == word
    read = run_js("pad/pad.js", f"js.fromWord('{word}')")
    np.testing.assert_allclose(read, decode_points(word), atol=1e-12)
