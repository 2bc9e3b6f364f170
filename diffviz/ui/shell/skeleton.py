"""The skeleton of a page: what stands above and below what it shows, as ``pages.toml`` says."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from streamlit.delta_generator import DeltaGenerator

from diffviz.ui.shell import theme
from diffviz.ui.shell.theme import Badge


@dataclass(frozen=True)
class Question:
    """A question worth trying: a link that sets a page up.

    Attributes:
        text: the question.
        page: the page it leads to.
        set: the parameters as in the address; those left out take their defaults.
        of: the half of its own page that it stands on; "" for the first.
    """

    text: str
    page: str
    set: Mapping[str, object]
    of: str = ""


@dataclass(frozen=True)
class Page:
    """What a page says that is not computed.

    Attributes:
        group: the heading above it in the navigation.
        name: in the navigation.
        icon: beside its name, one of Material Symbols.
        title: above the page.
        sentence: what to look at.
        badge: what acts or is shown, where that never changes.
        card: what its card on the front page says; "" for none.
        questions: worth trying.
    """

    group: str
    name: str
    icon: str
    title: str
    sentence: str
    badge: Badge | None
    card: str
    questions: tuple[Question, ...]


def _page(key: str, said: Mapping[str, Any]) -> Page:
    return Page(
        said["group"],
        said["name"],
        f":material/{said['icon']}:",
        said.get("title", said["name"]),
        said["sentence"],
        cast("Badge | None", said.get("badge")),
        said.get("card", ""),
        tuple(
            Question(each["text"], each.get("page", key), each.get("set", {}), each.get("of", ""))
            for each in said.get("questions", ())
        ),
    )


_SAID = tomllib.loads((Path(__file__).parent / "pages.toml").read_text("utf-8"))
PAGES: Mapping[str, Page] = {key: _page(key, said) for key, said in _SAID.items()}
"""Every page, by the name of its file, in the order of the navigation."""


def begin(key: str) -> DeltaGenerator:
    """Draw the top of a page; call it first.

    Args:
        key: the name of the page's file.

    Returns:
        The badge's slot, for ``theme.mark``: for pages that know only later what acts.
    """
    page = PAGES[key]
    return theme.header(page.title, page.sentence, page.badge)


def end(key: str, of: str = "") -> None:
    """Draw the end of a page: its questions.

    Args:
        key: the name of the page's file.
        of: the half of it that is shown.
    """
    asked = [each for each in PAGES[key].questions if each.of == of]
    theme.questions([(each.text, each.page, each.set) for each in asked])
