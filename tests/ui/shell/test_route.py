"""The data route over a real connection: answers, refusals, what may be kept, and who hangs up."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from starlette.applications import Starlette

from diffviz.core.run import Watch
from diffviz.core.trajectory import Diverged
from diffviz.scenes import plays
from diffviz.scenes.canonical import within
from diffviz.scenes.plays import Scene, version
from diffviz.ui.shell import route, scripts


@dataclass(frozen=True)
class Made:
    """A play that is made up: so many bytes, after so many looks at whether somebody waits."""

    size: int = within(1000, 0, 10**6)
    looks: int = within(1, 0, 10**6)
    fault: str = ""


class Works:
    """What the made-up scene was asked for, and how it ended."""

    def __init__(self) -> None:
        self.begun: list[Made] = []
        self.ended: list[str] = []

    def __call__(self, config: Made, watch: Watch) -> bytes:
        self.begun.append(config)
        try:
            for k in range(config.looks):
                watch(k / config.looks)
                time.sleep(0.01)
            if config.fault:
                raise {"diverged": Diverged, "value": ValueError, "bug": KeyError}[config.fault](
                    "so it is"
                )
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        self.ended.append("done")
        return bytes(config.size)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Works:
    """A scene of the name "made", and nothing kept from other tests."""
    made = Works()
    scene = Scene(Made, made, lambda config: replace(config, size=min(config.size, 5000)))
    monkeypatch.setattr(plays, "SCENES", {**plays.SCENES, "made": scene})
    monkeypatch.setattr(route, "_KEPT", type(route._KEPT)())
    return made


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of the route alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = Starlette(routes=route.ROUTES)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/run/"
    server.should_exit = True
    thread.join(timeout=10)


def get(address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    asked = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


def refusal(address: str) -> tuple[int, Any]:
    status, headers, body = get(address)
    assert headers["cache-control"] == "no-store"
    return status, json.loads(body)


def test_a_play_is_answered_with_its_buffer(address: str) -> None:
    word = 'reverse{"samples":20,"sampler":{"steps":3}}'
    status, headers, body = get(address + quote(word))
    assert status == 200
    assert headers["content-type"] == "application/octet-stream"
    assert body == plays.play_of(word).buffer()


def test_what_is_known_need_not_be_sent_again(address: str, works: Works) -> None:
    _, headers, _ = get(address + quote("made{}"))
    assert headers["cache-control"] == "no-cache"  # without a version, it is asked for each time
    status, again, body = get(address + quote("made{}"), **{"If-None-Match": headers["etag"]})
    assert (status, body, again["etag"]) == (304, b"", headers["etag"])
    strong = headers["etag"].removeprefix("W/")
    for known in (f'"a", {strong}', strong, "*"):
        assert get(address + quote("made{}"), **{"If-None-Match": known})[0] == 304
    assert get(address + quote("made{}"), **{"If-None-Match": '"a"'})[0] == 200
    _, other, _ = get(address + quote('made{"size":1001}'))
    assert other["etag"] != headers["etag"]
    assert len(works.begun) == 2


def test_under_its_version_an_answer_may_be_kept_for_ever(address: str, works: Works) -> None:
    _, headers, _ = get(f"{address}{quote('made{}')}?v={version()}")
    assert "immutable" in headers["cache-control"]
    assert "public" in headers["cache-control"]
    _, old, _ = get(f"{address}{quote('made{}')}?v=an-old-one")
    assert old["cache-control"] == "no-cache"
    assert old["etag"] == headers["etag"]
    assert len(works.begun) == 1


def test_words_that_mean_the_same_are_one_play(address: str, works: Works) -> None:
    tags = {
        get(address + quote(word))[1]["etag"]
        for word in ("made{}", 'made{"size":1000}', 'made{ "looks": 1 }')
    }
    assert len(tags) == 1
    assert len(works.begun) == 1


def test_it_is_compressed_where_that_pays(address: str, works: Works) -> None:
    word = address + quote('made{"size":4000}')
    _, headers, body = get(word, **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "accept-encoding"
    assert gzip.decompress(body) == bytes(4000)
    for accepted in ({}, {"Accept-Encoding": "br, gzip;q=0"}):
        _, headers, body = get(word, **accepted)
        assert headers["content-encoding"] == "identity"
        assert body == bytes(4000)
    assert gzip.decompress(get(word, **{"Accept-Encoding": "GZIP;q=0.5"})[2]) == bytes(4000)
    assert len(works.begun) == 1
    assert route._packed(bytes(range(256)))[1] == "identity"


def test_other_words_are_refused_with_the_reason(address: str) -> None:
    status, said = refusal(address + quote('reverse{"samples":0}'))
    assert status == 400
    assert said == {"error": "This run cannot be had: samples is 0: it must be from 1 to 20,000"}
    assert refusal(address + "etc/passwd")[0] == 400
    assert refusal(address + quote("reverse{" + 20_000 * "x"))[0] == 400


def test_too_much_is_offered_smaller_before_it_starts(address: str, works: Works) -> None:
    status, said = refusal(address + quote('made{"size":6000}'))
    assert (status, said["instead"]) == (400, 'made{"size":5000}')
    assert works.begun == []
    assert get(address + quote(said["instead"]))[0] == 200


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [("diverged", 400, "so it is"), ("value", 400, "so it is"), ("bug", 500, "did not expect")],
)
def test_faults_are_said_in_words(
    address: str, works: Works, caplog: pytest.LogCaptureFixture, fault: str, status: int, said: str
) -> None:
    found, body = refusal(address + quote(f'made{{"fault":"{fault}"}}'))
    assert found == status
    assert said in body["error"]
    assert "Error" not in body["error"]
    assert (status == 500) == bool(caplog.records)  # the log has what the reader is spared


def test_work_that_nobody_waits_for_ends(address: str, works: Works) -> None:
    host, port = address.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as reader:
        word = quote('made{"looks":100000}')
        reader.sendall(f"GET /run/{word} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        while not works.begun:
            time.sleep(0.01)
    gone = time.monotonic()
    while not works.ended:
        assert time.monotonic() - gone < 10
        time.sleep(0.01)
    assert works.ended == ["Stopped"]


def test_a_class_that_asks_for_the_same_is_answered_by_one_run(address: str, works: Works) -> None:
    word = address + quote('made{"looks":80}')
    with ThreadPoolExecutor(50) as readers:
        found = list(readers.map(get, [word] * 50))
    assert {status for status, _, _ in found} == {200}
    assert len({body for _, _, body in found}) == 1
    assert len(works.begun) == 1
    assert route._UNDER_WAY == {}


def test_a_run_goes_on_for_those_who_stay(address: str, works: Works) -> None:
    host, port = address.split("/")[2].split(":")
    word = quote('made{"looks":100}')
    with ThreadPoolExecutor(1) as stays:
        with socket.create_connection((host, int(port))) as leaves:
            leaves.sendall(f"GET /run/{word} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            while not works.begun:
                time.sleep(0.01)
            answer = stays.submit(get, address + word)
            while next(iter(route._UNDER_WAY.values())).readers < 2:
                time.sleep(0.01)
        assert answer.result()[0] == 200
    assert works.ended == ["done"]


def test_too_many_at_once_are_told_to_come_again(
    address: str, works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "MAX_WAITING", 0)
    status, said = refusal(address + quote('made{"size":7}'))
    assert status == 503
    assert "try again" in said["error"]


def test_the_oldest_answers_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "_KEPT_BYTES", 10)
    kept = type(route._KEPT)()
    for word in ("a", "b", "a", "c"):
        if kept.get(word) is None:
            kept.put(word, (bytes(5), "identity"))
    assert kept.get("b") is None
    assert kept.get("a") is not None
    assert kept.get("c") is not None


def test_the_scripts_of_components_are_served(address: str) -> None:
    status, headers, body = get(address.replace("/run/", "/parts/player.js"))
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert "immutable" in headers["cache-control"]
    assert body == scripts.script("player").encode()
    for name in ("shared", "none", "..%2Fplayer"):
        assert get(address.replace("/run/", f"/parts/{name}.js"))[0] == 404
