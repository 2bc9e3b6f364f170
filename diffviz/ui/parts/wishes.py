"""What stands on a sheet: what the page wished for, or what the reader drew since.

A page passes a drawing on every run, often the very one that it was given back; the browser
reports what the reader draws, sometimes late.  The page's wish counts when it is a new one, and the
reader's report when it came after the last wish.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_LATE = 5.0  # seconds within which a page may hand back what it was told before


@dataclass(frozen=True)
class Wish:
    """What the page last asked the sheet to show.

    Attributes:
        asked: what the page passed in its last run, a drawing's word or None.
        word: the drawing it really wished for: what was asked, unless the page only handed back
            what the reader had drawn.
        revision: goes up with each wish; the browser names it in its reports.
        reported: whether there was a report of the reader's at the last run.
        returned: what the page was told in its latest runs, each with the time: a page that keeps
            the drawing in its address may hand it back late, when strokes follow quickly.
    """

    asked: str | None
    word: str | None
    revision: int = 0
    reported: bool = False
    returned: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Report:
    """A drawing the reader made: its word, and the revision of the wish it came after."""

    word: str
    after: int


def current(wish: Wish, report: Report | None) -> str | None:
    """What is on the sheet: the report if it came after the last wish, else the wish."""
    return wish.word if report is None or report.after < wish.revision else report.word


def settle(before: Wish | None, asked: str | None, report: Report | None) -> Wish:
    """Tell a page's new wish from its handing back what the reader drew."""
    reported = report is not None
    if before is None:
        return Wish(asked, asked, reported=reported)
    forgotten = before.reported and not reported  # the reader was on another page meanwhile
    late = [word for word, _ in before.returned]
    if forgotten or asked not in (None, before.asked, current(before, report), *late):
        return Wish(asked, asked, before.revision + 1, reported)
    return Wish(asked, before.word, before.revision, reported, before.returned)


def told(wish: Wish, word: str | None, now: float) -> Wish:
    """Note what the page is told, and forget what it can no longer hand back by lateness alone.

    What it was told last is kept however long ago that was: nothing newer can have replaced it.
    """
    latest = () if word is None else ((word, now),)
    earlier = tuple(each for each in wish.returned if now - each[1] < _LATE and each[0] != word)
    return replace(wish, returned=(*earlier, *latest))


def ignore() -> None:
    """Stand in for a callback: a state is reported only when it has one."""
