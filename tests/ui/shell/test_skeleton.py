"""What pages say that is not computed: a place for every page, questions that lead somewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from diffviz.ui.screens.home import run as home_run
from diffviz.ui.shell import links
from diffviz.ui.shell.skeleton import PAGES
from tests.ui.keys import address

ROOT = Path(__file__).parents[3]
APP = str(ROOT / "app.py")
NONSENSE = "?!"


def test_every_page_has_its_words_and_its_place() -> None:
    assert set(PAGES) == {path.stem for path in (ROOT / "pages").glob("*.py")}
    assert next(iter(PAGES)) == "home", "the first is what the app opens with"
    assert list(dict.fromkeys(page.group for page in PAGES.values())) == [
        "Explore",
        "Learn",
        "Images",
        "Compare",
    ]
    for key, page in PAGES.items():
        assert 2 <= sum(each.of == "" for each in page.questions) <= 3, key
        assert page.sentence[-1] in ".?", key
        assert page.badge in (None, "exact", "learned", "data"), key
    carded = {key for key, page in PAGES.items() if page.card}
    assert carded == set(home_run.PICTURES)


def opened(key: str, query: Mapping[str, object]) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=120)
    at.switch_page(f"pages/{key}.py")
    for name, value in query.items():
        at.query_params[name] = str(value)
    at.run()
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    return " ".join(warning.value for warning in at.warning)


SETUPS = [
    pytest.param(key, each, id=f"{key}-{place}")
    for key, page in PAGES.items()
    for place, each in enumerate([{}, *(each.set for each in page.questions if each.page == key)])
]


TOLD: dict[str, set[str]] = {}


@pytest.mark.parametrize(("key", "kept"), SETUPS)
def test_a_page_uses_its_question_and_tells_nonsense_of_every_one_of_its_parameters(
    key: str, kept: Mapping[str, object]
) -> None:
    """No control can forget to say what the address asked of it in vain."""
    at = opened(key, kept)  # what a question sets up may have controls of its own
    assert "The link" not in said(at), said(at)
    drawn = at.session_state[links._MEMORY].present()
    told_before = TOLD.setdefault(key, set())  # by an earlier set-up of the page
    words = [each.key for each in drawn if refuses(each) and each.key not in {*kept, *told_before}]
    if not words:
        return
    at = opened(key, {**kept, **dict.fromkeys(words, NONSENSE)})
    told = said(at)
    assert [word for word in words if f"`{word}={NONSENSE}`" not in told] == []
    told_before.update(words)


ODD: list[tuple[str, dict[str, object], dict[str, object], tuple[str, ...]]] = [
    (
        "forward",
        {"schedule": "cosine"},
        {"data": "nothing", "how": "fly", "t": 7, "follow": 99999, "T": "abc"},
        ("data=nothing", "how=fly", "t=7", "follow=99999", "T=abc"),
    ),
    (
        "schedules",
        {"schedules": "linear"},
        {
            "schedules": "linear,foo",
            "view": "bar",
            "linear_T": 1,
            "stops": -1,
            "config": "{",
            "zzz": 1,
            "item": "9e9",
        },
        ("foo", "bar", "linear_T", "stops", "config", "zzz", "item"),
    ),
    (
        "reverse",
        {"n": 250, "samples": 200},
        {"sampler": "ddmp", "steps": "many", "moved": "1,2", "follow": 10**6, "step": 400},
        ("sampler=ddmp", "steps=many", "moved=1,2", "follow=1000000", "step=400"),
    ),
    (
        "reverse",
        {"samples": 200},
        {"arrows": "x", "spacing": "y"},
        ("arrows=x", "spacing=y"),
    ),
    (
        "guidance",
        {"data": "moons", "n": 100, "samples": 200, "steps": 10},
        {"class": 9, "w": "a lot", "denoiser": "oracle"},
        ("is not one of 0, 1, each", "is not a finite number", "not one of exact"),
    ),
    (
        "images",
        {"steps": 2},
        {"classes": "3,77", "pictures": "letters", "guidance": "much"},
        ("names a class that is above 9", "is not one of mnist", "is not a finite number"),
    ),
    (
        "edit",
        {"steps": 2, "edit": "inpaint"},
        {"region": "more", "picture": "nonsense"},
        ("is not a painted region", "is not a drawing"),
    ),
    (
        "generators",
        {},
        {"steps": 5000, "pictures": "letters", "trained": "flow", "frame": "last", "seed": -1},
        ("steps=5000", "pictures=letters", "trained=flow", "frame=last", "seed=-1"),
    ),
    ("generators", {"steps": 4}, {"classes": 77}, ("classes=77",)),
    (
        "latent",
        {},
        {"z": "here", "pictures": "letters", "show": "all"},
        ("is not two numbers", "pictures=letters", "is not one of map"),
    ),
    ("latent", {}, {"z": "99,0"}, ("is off the map",)),
    (
        "latent",
        {"show": "flow", "steps": 4},
        {"guidance": "much", "classes": "77"},
        ("is not a finite number", "names a class that is above 9"),
    ),
    (
        "refine",
        {},
        {"level": 7, "source": "flow", "seed": -3, "levle": 1},
        (
            "`level=7`, which is above 1",
            "`source=flow`, which is not one of vae, gan",
            "`seed=-3`, which is below 0",
            "perhaps `level`?",
        ),
    ),
    (
        "bound",
        {"schedule": "ve", "steps": 1},
        {"steps": 0, "spacing": "karras", "over": "x", "told": "all", "last": 99, "pictures": "a"},
        ("steps", "spacing", "over", "told", "last", "pictures"),
    ),
    ("bound", {}, {"zzz": 1}, ("zzz",)),
    ("collar", {"steps": 2}, {"dogs": "cats"}, ("is not one of noise, given",)),
    ("collar", {"steps": 2}, {"guidance": "much"}, ("is not a finite number",)),
    ("collar", {"steps": 2}, {"guidance": 99}, ("is above 20, the largest allowed",)),
    (
        "collar",
        {"dogs": "given"},
        {"pose": "lies", "tail": 7, "trip": 0},
        (
            "is not one of stands, sits",
            "is above 1, the largest allowed",
            "is below 1, the smallest allowed",
        ),
    ),
]


@pytest.mark.parametrize(("key", "good", "odd", "words"), ODD)
def test_what_a_link_cannot_have_is_told_and_the_rest_counts(
    key: str, good: Mapping[str, object], odd: Mapping[str, object], words: tuple[str, ...]
) -> None:
    at = opened(key, {**good, **odd})
    told = said(at)
    assert [word for word in words if word not in told] == []
    assert {name: str(value) for name, value in good.items()}.items() <= address(at).items()


def test_questions_lead_to_pages() -> None:
    asked = [each for page in PAGES.values() for each in page.questions]
    assert all(each.page in PAGES and each.text for each in asked)


def refuses(parameter: links.Parameter[Any]) -> bool:
    try:
        parameter.parse(NONSENSE)
    except ValueError:
        return True
    return False
