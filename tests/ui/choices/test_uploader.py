"""The one way to bring a file: true limits, words for what is not taken, and nothing is lost."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from diffviz.ui.choices import uploader
from diffviz.ui.choices.uploader import CONFIG, MODEL, PICTURE, TABLE, ZIP, Accepted

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("accepted", "most"), [(PICTURE, 10), (ZIP, 100), (MODEL, 32), (CONFIG, 1), (TABLE, 5)]
)
def test_the_limit_is_that_of_what_reads_the_file(accepted: Accepted, most: int) -> None:
    assert accepted.most == most
    assert f"{accepted.what} is read here, of at most {most} MB" in accepted.refusal


def test_the_server_takes_the_largest_file_of_all() -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["maxUploadSize"] == max(
        kind.most for kind in vars(uploader).values() if isinstance(kind, Accepted)
    )


def test_every_uploader_is_this_one() -> None:
    files = [*(ROOT / "diffviz").rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    with_their_own = [p.name for p in files if "st.file_uploader(" in p.read_text("utf-8")]
    assert with_their_own == ["uploader.py"]


def page() -> None:
    import streamlit as st

    from diffviz.ui.choices import uploader

    def read(data: bytes) -> str:
        st.session_state["reads"] = st.session_state.get("reads", 0) + 1
        if data.startswith(b"*"):
            raise ValueError("This is *no* word: type one.")
        return data.decode()

    if not st.toggle("Away"):
        st.session_state["found"] = uploader.taken(uploader.TABLE, "_word", read)


def test_what_was_read_stays_and_what_cannot_be_read_is_told() -> None:
    at = AppTest.from_function(page).run()
    assert at.session_state["found"] is None
    at.file_uploader[0].upload("one.txt", b"one", "text/plain").run()
    assert (at.session_state["found"], at.session_state["reads"]) == ("one", 1)
    at.run()
    assert at.session_state["reads"] == 1, "a file is read once"
    assert not at.caption

    at.file_uploader[0].upload("bad.txt", b"*", "text/plain").run()
    assert at.session_state["found"] == "one"
    assert [box.value for box in at.warning] == [r"This is \*no\* word\: type one."]
    assert [word.value for word in at.caption] == ["`one.txt` stays until another file is read."]
    at.run()
    assert at.session_state["reads"] == 2

    at.toggle[0].set_value(True).run()
    at.session_state["found"] = None
    at.toggle[0].set_value(False).run()
    assert (at.session_state["found"], at.session_state["reads"]) == ("one", 2)
    assert not at.warning
    assert [word.value for word in at.caption] == ["`one.txt` stays until another file is read."]
