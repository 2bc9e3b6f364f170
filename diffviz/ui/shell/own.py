"""What belongs to one reader and no word says: a drawing, an upload, a network just trained.

It is kept under the digest of its content for as long as a session holds it; whoever knows the
digest can have it.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

import streamlit as st

_STORE = "_own"
_NEWEST = 2
"""What a place shows and what it showed before, which may still be on its way."""


class _Held:
    """Content that lives as long as somebody holds it."""

    def __init__(self, content: bytes) -> None:
        self.content = content


_ALL: WeakValueDictionary[str, _Held] = WeakValueDictionary()


def hold(place: str, digest: str, content: bytes) -> None:
    """Keep what a place of this session shows, in place of what it showed long ago.

    Args:
        place: names it, unique in the session.
        digest: of the content.
        content: what is shown there.
    """
    here: dict[str, _Held] = st.session_state.setdefault(_STORE, {}).setdefault(place, {})
    found = here.pop(digest, None) or _ALL.get(digest) or _Held(content)
    _ALL[digest] = here[digest] = found  # the newest stands last
    while len(here) > _NEWEST:
        del here[next(iter(here))]


def held(digest: str) -> bytes | None:
    """Return the content of a digest, None where no session holds it any more."""
    found = _ALL.get(digest)
    return None if found is None else found.content
