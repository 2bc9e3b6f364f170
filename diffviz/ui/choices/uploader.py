"""The one way to bring a file: what is taken and how much of it, and words for what is not.

The browser turns a file away that is larger than it may be, and shows a red mark with words that
only screen readers get; so beside every uploader stand words of ours, which appear with that mark.
What was read stays in the session, under a key that is no widget's, so that it is still there after
a visit to another page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from diffviz.exchange import archives, scheduler_config, tables, uploads
from diffviz.models import checkpoints
from diffviz.ui.shell import links

T = TypeVar("T")

_MB = 1_000_000


@dataclass(frozen=True)
class Accepted:
    """What an uploader takes.

    Attributes:
        what: it is, as the start of a sentence.
        most: megabytes a file may have.
        types: what the browser offers to choose from; everything when left out, where what a file
            is can be told from its content and said in better words.
    """

    what: str
    most: int
    types: str | None = None

    @property
    def refusal(self) -> str:
        """What is said of a file that the browser turned away."""
        return (
            f"The file with the red mark was not taken. {self.what} is read here, of at most "
            f"{self.most} MB: make it smaller, or save it as that, and choose it again. If it is "
            "so already, the connection broke off: try once more."
        )


PICTURE = Accepted("A PNG or JPEG picture", uploads.MAX_BYTES // _MB, "image")
ZIP = Accepted("A ZIP of PNG and JPEG pictures", archives.MAX_ARCHIVE_BYTES // _MB)
MODEL = Accepted(
    "A model in two files (.safetensors and .json)", checkpoints.MAX_WEIGHT_BYTES // _MB
)
CONFIG = Accepted("A scheduler_config.json of diffusers", scheduler_config.MAX_BYTES // _MB)
TABLE = Accepted("A table of points as plain text (CSV, TSV)", tables.MAX_BYTES // _MB)


@dataclass(frozen=True)
class _Taken(Generic[T]):
    """What was made of the file that an uploader was given last.

    Attributes:
        file: its number.
        name: of the last file that could be read.
        value: what was read from it, None before there was one.
        trouble: why the last file could not be read.
    """

    file: str
    name: str
    value: T | None
    trouble: str = ""


def uploader(accepted: Accepted, key: str, **options: Any) -> Any:
    """Draw an uploader, and words that appear when the browser turns a file away.

    Args:
        accepted: what is taken.
        key: of the widget; it starts with an underscore.
        **options: as of ``st.file_uploader``.

    Returns:
        As ``st.file_uploader``.
    """
    with st.container(key=f"upload{key}", gap="small"):
        file = st.file_uploader(
            accepted.what,
            accepted.types,
            max_upload_size=accepted.most,
            key=key,
            **options,
        )
        with st.container(key=f"refused{key}", border=True):
            st.markdown(f":material/warning: {accepted.refusal}")
    return file


def taken(accepted: Accepted, key: str, read: Callable[[bytes], T]) -> T | None:
    """Draw an uploader; a file that cannot be read is answered below it.

    Args:
        accepted: what is taken.
        key: of the widget; it starts with an underscore.
        read: makes of a file's content what is kept; raises ``ValueError`` in words for the reader.

    Returns:
        What was read from the last file that could be read in this session, None before there was
        one.
    """
    file, slot = uploader(accepted, key), f"_taken{key}"
    last: _Taken[T] | None = st.session_state.get(slot)
    if file is not None and (last is None or last.file != file.file_id):
        try:
            last = _Taken(file.file_id, file.name, read(file.getvalue()))
        except ValueError as error:
            name, value = ("", None) if last is None else (last.name, last.value)
            last = _Taken(file.file_id, name, value, str(error))
        st.session_state[slot] = last
    if last is None:
        return None
    if file is not None and last.trouble:
        st.warning(links.plain(last.trouble), icon=":material/warning:")
    if last.value is not None and (file is None or last.trouble):
        st.caption(f"{links.code(last.name)} stays until another file is read.")
    return last.value
