"""The data route: ``GET /run/WORD`` answers with what a player plays (see ``scenes.plays``).

What a word stands for never changes under one version, so with ``?v=VERSION`` the answer may be
kept for ever, by a browser or anything in between.  Work is done in the pages' own pool, in turns,
and ends as soon as nobody waits for it any more.  What cannot be had is said as JSON: ``error``, in
words for the reader, and ``instead``, a word that can, where there is one.

``GET /run/own/DIGEST`` answers with what a session holds for its reader alone (see ``own``);
``GET /parts/NAME.js`` with the script of a component (see ``scripts``).
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
import re
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TypeAlias
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from diffviz.core.trajectory import Diverged
from diffviz.scenes.buffer import read_header
from diffviz.scenes.canonical import value_word
from diffviz.scenes.plays import Path, Play, play_of, version
from diffviz.ui.shell import own, scripts
from diffviz.ui.shell.scripts import BASE
from diffviz.ui.shell.waiting import Progress, begin

Packed: TypeAlias = tuple[bytes, str]  # as it is sent, and how that is encoded

MAX_WAITING = 40  # answers that are worked out or wait for their turn
BEAT = 0.1  # seconds between two looks at whether somebody still waits

_LOG = logging.getLogger(__name__)
_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", re.IGNORECASE)
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_ONE = "private, max-age=31536000, immutable"
_LONGEST = 4000  # characters of a word in an address that everything on the way lets pass
_PAYS = 0.85  # of its size: what compresses to more is sent as it is
_SAMPLE = 32_000  # bytes that tell whether it pays
_SMALL = 500_000  # bytes that are worth a few milliseconds more
_KEPT_BYTES = 64_000_000


class _Kept:
    """The newest answers, by word: bytes and their encoding."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, Packed] = OrderedDict()
        self._lock = Lock()

    def get(self, word: str) -> Packed | None:
        """The answer to a word, if it is kept."""
        with self._lock:
            if word in self._answers:
                self._answers.move_to_end(word)
            return self._answers.get(word)

    def put(self, word: str, answer: Packed) -> None:
        """Keep an answer; the ones that were asked for longest ago leave."""
        with self._lock:
            self._answers[word] = answer
            while sum(len(body) for body, _ in self._answers.values()) > _KEPT_BYTES:
                self._answers.popitem(last=False)


@dataclass
class _Work:
    """A play that is being worked out, for all who wait for it."""

    made: asyncio.Future[Packed]
    progress: Progress
    readers: int = 0


_KEPT = _Kept()
"""As they are sent."""

_MADE = _Kept()
"""As pages have made them, so that their players need not wait for a turn of their own."""

_UNDER_WAY: dict[str, _Work] = {}
"""By word; touched by the server's own thread alone."""


def address(place: str, buffer: bytes, play: Play | None = None) -> str:
    """Return the address, from the server's root, at which the browser finds what a player plays.

    Args:
        place: names the player in its session.
        buffer: what it plays.
        play: what this is the buffer of; None, or one whose word is too long or does not hold all
            of it (an upload), for what belongs to this reader alone.
    """
    if play is not None and says_all(play):
        _MADE.put(play.word, (buffer, "identity"))
        return address_of(play)
    digest = read_header(buffer)["id"]
    own.hold(place, digest, buffer)
    return f"{BASE}/run/own/{digest}"


def address_of(play: Play) -> str:
    """Return the address of a play whose word says all of it."""
    return f"{BASE}/run/{quote(play.word)}?v={version()}"


def addresses(play: Play, path: Path) -> dict[str, object]:
    """Return the addresses of all plays that differ from one in a number, or a name.

    Returns:
        What stands ``before`` it (as JSON) and ``after`` it; and the addresses of those that are
        ``special``, by what they are special for.
    """
    words, version_of = play.words(path), f"?v={version()}"
    return {
        "before": f"{BASE}/run/{quote(words.before)}",
        "after": f"{quote(words.after)}{version_of}",
        "special": {
            value_word(value): f"{BASE}/run/{quote(word)}{version_of}"
            for value, word in words.special.items()
        },
    }


def says_all(play: Play) -> bool:
    """Whether the word of a play fits into an address and is answered with just this play."""
    word = play.word
    return len(quote(word)) <= _LONGEST and _answered(word)


@lru_cache(maxsize=1024)
def _answered(word: str) -> bool:
    """Whether a canonical word is answered as it stands."""
    try:
        asked, near = _asked(word)
    except ValueError:  # it names content by its digest, or asks for too much
        return False
    return asked == near


async def answer_own(request: Request) -> Response:
    """Answer with what a session holds."""
    buffer = own.held(request.path_params["digest"])
    if buffer is None:
        return _refusal(404, "The app no longer has this picture: reload the page.")
    headers = {"cache-control": _FOR_ONE, "vary": "accept-encoding"}
    return await _sent(await asyncio.to_thread(_packed, buffer), headers, request)


async def answer(request: Request) -> Response:
    """Answer with the buffer of a play."""
    try:
        play, near = await asyncio.to_thread(_asked, request.path_params["word"])
    except ValueError as error:
        return _refusal(400, f"This run cannot be had: {error}")
    if near != play:
        said = "This run cannot be had here: it has more samples or steps than there is time for."
        return _refusal(400, said, near.word)
    headers = _headers(play, request)
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or headers["etag"].removeprefix("W/") in known:
        return Response(status_code=304, headers=headers)
    made = _KEPT.get(play.word)
    if made is None and (ready := _MADE.get(play.word)) is not None:
        made = await asyncio.to_thread(_packed, ready[0])
        _KEPT.put(play.word, made)
    if made is None:
        if play.word not in _UNDER_WAY and len(_UNDER_WAY) >= MAX_WAITING:
            return _refusal(503, "Too many runs are waiting for their turn: try again in a minute.")
        try:
            made = await _worked_out(play, request)
        except (Diverged, ValueError) as error:
            return _refusal(400, f"This run cannot be had: {error}")
        except Exception:
            _LOG.exception("a run failed: %s", play.word[:200])
            return _refusal(500, "The app met an error that it did not expect.")
    if made is None:
        return Response(status_code=499)  # nobody is there to read it
    return await _sent(made, headers, request)


async def answer_part(request: Request) -> Response:
    """Answer with the script of a component."""
    try:
        script = scripts.script(request.path_params["name"])
    except KeyError:
        return _refusal(404, "There is no such part.")
    headers = {"cache-control": _FOR_EVER, "vary": "accept-encoding"}
    return await _sent(_packed(script.encode()), headers, request, "text/javascript")


async def _sent(
    made: Packed,
    headers: dict[str, str],
    request: Request,
    kind: str = "application/octet-stream",
) -> Response:
    """An answer, encoded as its reader takes it."""
    body, encoding = made
    if encoding == "gzip" and not _GZIP.search(request.headers.get("accept-encoding", "")):
        body, encoding = await asyncio.to_thread(gzip.decompress, body), "identity"
    headers |= {"content-encoding": encoding, "x-content-type-options": "nosniff"}
    return Response(body, headers=headers, media_type=kind)


def _asked(word: str) -> tuple[Play, Play]:
    """The play of a word and the same within reach, which may have to read a network's file."""
    version()  # reads files, too, once
    play = play_of(word)
    return play, play.within_reach


async def _worked_out(play: Play, request: Request) -> Packed | None:
    """What a play is, worked out once for all who wait; None where this reader no longer does."""
    word = play.word
    if word not in _UNDER_WAY:
        progress = Progress()
        work = begin(lambda watch: _packed(play.buffer(watch)), progress)
        _UNDER_WAY[word] = _Work(asyncio.wrap_future(work), progress)
    own = _UNDER_WAY[word]
    own.readers += 1
    try:
        while not (await asyncio.wait([own.made], timeout=BEAT))[0]:
            if await request.is_disconnected():
                return None
        made = own.made.result()
        _KEPT.put(word, made)
        return made
    finally:
        own.readers -= 1
        if not own.readers:
            del _UNDER_WAY[word]
            own.progress.stop.set()
            own.made.cancel()


def _packed(buffer: bytes) -> Packed:
    """The bytes as they are sent, and how they are encoded."""
    middle = len(buffer) // 2
    sample = buffer[middle : middle + _SAMPLE]
    if len(zlib.compress(sample, 1)) > _PAYS * len(sample):
        return buffer, "identity"
    small = gzip.compress(buffer, 6 if len(buffer) < _SMALL else 1, mtime=0)
    return (small, "gzip") if len(small) < _PAYS * len(buffer) else (buffer, "identity")


def _headers(play: Play, request: Request) -> dict[str, str]:
    tag = hashlib.blake2b(f"{version()} {play.word}".encode(), digest_size=12).hexdigest()
    known = request.query_params.get("v") == version()
    return {
        "etag": f'W/"{tag}"',  # weak: compressed or not, it is the same
        "cache-control": _FOR_EVER if known else "no-cache",
        "vary": "accept-encoding",
    }


def _refusal(status: int, error: str, instead: str | None = None) -> Response:
    body = {"error": error} if instead is None else {"error": error, "instead": instead}
    return JSONResponse(body, status, {"cache-control": "no-store"})


ROUTES = [
    Route(f"{BASE}/run/own/{{digest}}", answer_own, methods=["GET"]),
    Route(f"{BASE}/run/{{word:path}}", answer, methods=["GET"]),
    Route(f"{BASE}/parts/{{name}}.js", answer_part, methods=["GET"]),
]
"""What the app serves beside its pages."""
