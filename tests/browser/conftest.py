"""Fixtures that drive a real Chromium against a real Streamlit server.

- ``profile``: one headless browser for the whole session, ``chromium`` another.
- ``new_page``: opens a page of a chosen size and color scheme, in a tab that an earlier journey
  has left and that has forgotten it (``fresh.py``); with ``cold=True``, in one that is new.
- ``page``: ``new_page()`` at 1440 x 900, light.
- ``serve``: starts a Streamlit script once a session and gives its address.
- ``app_url``: the address of the app itself.
- ``wait_idle``: waits until the server has finished answering a page.

Errors that the browser sees are collected in ``page.errors``, messages to the server are counted in
``page.traffic.sent``, and what the server prints is read with ``serve.log(script)``.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    BrowserType,
    ConsoleMessage,
    Page,
    WebSocket,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError

ROOT = Path(__file__).resolve().parents[2]

PATIENCE = 180_000  # milliseconds that anything is waited for: a machine that tests may be slow
expect.set_options(timeout=PATIENCE)

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Streamlit probes for its endpoints below the page's own path first, which answers 404 on any
# page but the default one; the client then finds them at the root.
HARMLESS = ("_stcore/health", "_stcore/host-config", "favicon")


# A message to the server that gets no answer (a sign of life) is not waited for longer than this.
UNANSWERED_SECONDS = 10.0


@dataclass
class Traffic:
    """When the page last sent to the server and last heard from it, and how often.

    ``loading`` are the requests for files that are still on their way: an element whose script has
    not come yet is not on the page, although the server has long finished.  They are kept one by
    one, for what an earlier journey in this tab has asked for may come in this one.  ``bytes`` is
    what was heard.
    """

    sent_at: float = 0.0
    heard_at: float = 0.0
    sent: int = 0
    heard: int = 0
    bytes: int = 0
    loading: set[Any] = field(default_factory=set)

    def send(self) -> None:
        self.sent_at, self.sent = time.monotonic(), self.sent + 1

    def hear(self, frame: bytes | str) -> None:
        self.heard_at, self.bytes = time.monotonic(), self.bytes + len(frame)
        self.heard += 1

    def quiet_since(self, now: float) -> float:
        """Since when nothing has been said and no answer is due."""
        if self.loading:
            return now
        if self.sent_at > self.heard_at and now - self.sent_at < UNANSWERED_SECONDS:
            return now
        return max(self.sent_at, self.heard_at)

    def load(self, request: Any) -> None:
        self.loading.add(request)

    def loaded(self, request: Any) -> None:
        self.loading.discard(request)
        self.heard_at = time.monotonic()


class DrivenPage(Page):
    """A playwright page with what its console and scripts complained of, and its traffic."""

    errors: list[str]
    traffic: Traffic
    fresh: str | None
    """The address that makes this tab forget; None where it has to be a new one each time."""


class NewPage(Protocol):
    """Opens a page: ``new_page(width=1024, height=768, color_scheme="dark")``."""

    def __call__(
        self,
        *,
        width: int = 1440,
        height: int = 900,
        color_scheme: str = "light",
        motion: bool = False,
        cold: bool = False,
        **context: object,
    ) -> DrivenPage: ...


# Tracebacks without a line of ours that end with a connection that is gone.
_OURS = re.escape(str(ROOT)) + "/(?:diffviz|pages|app)"
_CLOSED_TAB = re.compile(
    rf"^Traceback \(most recent call last\):\n(?:(?!.*{_OURS}).*\n)*?"
    r"starlette\.websockets\.WebSocketDisconnect(?:ed)?: .*\n",
    re.MULTILINE,
)


class Servers:
    """Streamlit servers of this test session, one for each script and environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[tuple[str, ...], tuple[str, subprocess.Popen[bytes], Path]] = {}
        self._told: dict[Path, int] = {}  # how much of a log was read

    def __call__(self, script: str | Path, **env: str) -> str:
        """Serve a script (a path from the repository root), once a session.

        Args:
            script: the Streamlit script.
            env: environment variables for the server; other values start another server.

        Returns:
            The base address, without a slash at its end.
        """
        key = self._key(script, env)
        if key not in self._running:
            self._running[key] = self._start(Path(script), env, len(self._running))
        return self._running[key][0]

    def log(self, script: str | Path, **env: str) -> str:
        """What the server of this script (and environment) has printed since this was asked last.

        Without what Streamlit prints where a tab is closed while it is being written to.  What one
        journey was told of is not held against those that come after it.
        """
        path = self._running[self._key(script, env)][2]
        printed = path.read_bytes()
        told, self._told[path] = self._told.get(path, 0), len(printed)
        return _CLOSED_TAB.sub("", printed[told:].decode(errors="replace"))

    def stacks(self, url: str) -> str:
        """What every thread of the server at an address is at."""
        for base, process, log in self._running.values():
            if url.startswith(base):
                before = log.stat().st_size
                process.send_signal(signal.SIGUSR1)
                time.sleep(0.5)
                return log.read_bytes()[before:].decode(errors="replace")
        return "no server of ours is at this address"

    def stop(self) -> None:
        """End every server that was started here."""
        for _, process, _ in self._running.values():
            process.terminate()
        for _, process, _ in self._running.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        self._running.clear()

    def _key(self, script: str | Path, env: dict[str, str]) -> tuple[str, ...]:
        return (str(ROOT / script), *(f"{name}={value}" for name, value in sorted(env.items())))

    def _start(
        self, script: Path, env: dict[str, str], index: int
    ) -> tuple[str, subprocess.Popen[bytes], Path]:
        port = _free_port()
        log = self._folder / f"{index}-{script.stem}.log"
        fresh = str(ROOT / "tests" / "browser" / "fresh.py")
        command = [sys.executable, fresh, "run", str(ROOT / script)]
        options = {
            "server.headless": "true",
            "server.port": str(port),
            "server.address": "127.0.0.1",
            "browser.gatherUsageStats": "false",
        }
        for name, value in options.items():
            command += [f"--{name}", value]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **env},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        url = f"http://127.0.0.1:{port}"
        try:
            _await_health(url, process, log)
        except BaseException:
            process.kill()
            process.wait(timeout=10)
            raise
        return url, process, log


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path, limit: float = 90) -> None:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"streamlit ended with {process.returncode}:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.1)
    pytest.fail(f"streamlit did not answer within {limit:.0f} s:\n{log.read_text()}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every journey a second chance: a machine may stall for longer than any test waits."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


OPEN = pytest.StashKey["tuple[list[DrivenPage], Servers]"]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None, pytest.TestReport, pytest.TestReport]:
    """A journey that fails says where its pages and their server stand."""
    report = yield
    if report.failed and call.when == "call" and OPEN in item.stash:
        pages, serve = item.stash[OPEN]
        report.sections += [(f"Page at {page.url}", _account(page, serve)) for page in pages]
    return report


@pytest.fixture(scope="session")
def driver() -> Iterator[BrowserType]:
    """Chromium's driver."""
    with sync_playwright() as running:
        yield running.chromium


def _options() -> dict[str, Any]:
    """How Chromium is started; without one, a test is skipped by hand and fails in CI."""
    executable = os.environ.get("DIFFVIZ_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        message = "no chromium on the PATH and none named by DIFFVIZ_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return {"executable_path": executable, "headless": True, "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def profile(
    driver: BrowserType, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """One Chromium whose compiled scripts outlive a journey: a load costs a third less with them.

    Nothing else of a journey is left in it.
    """
    context = driver.launch_persistent_context(tmp_path_factory.mktemp("profile"), **_options())
    yield context
    context.close()


@pytest.fixture(scope="session")
def chromium(driver: BrowserType) -> Iterator[Browser]:
    """One Chromium for contexts that differ in more than size, colours and motion."""
    browser = driver.launch(**_options())
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Starts Streamlit scripts: ``serve("tests/browser/apps/player.py")`` gives the address."""
    servers = Servers(tmp_path_factory.mktemp("streamlit"))
    yield servers
    servers.stop()


@pytest.fixture
def app_url(serve: Servers) -> str:
    """The address of the app."""
    return serve("app.py")


@pytest.fixture(scope="session")
def tabs() -> list[DrivenPage]:
    """Tabs that earlier journeys have left, of the profile: they have forgotten all."""
    return []


@pytest.fixture
def new_page(
    profile: BrowserContext,
    tabs: list[DrivenPage],
    serve: Servers,
    request: pytest.FixtureRequest,
) -> Iterator[NewPage]:
    """Opens pages that know nothing of earlier journeys.

    Players rest until they are told to play, unless ``motion`` is what a journey is about.
    """
    pages: list[DrivenPage] = []
    request.node.stash[OPEN] = pages, serve
    contexts: list[BrowserContext] = []

    def open_page(
        *,
        width: int = 1440,
        height: int = 900,
        color_scheme: Literal["light", "dark"] = "light",
        motion: bool = False,
        cold: bool = False,
        **context: Any,
    ) -> DrivenPage:
        if context:
            browser: Browser = request.getfixturevalue("chromium")
            contexts.append(browser.new_context(**context))
            page = _listened(contexts[-1].new_page())
        elif cold:
            page = _listened(profile.new_page())
        else:
            page = tabs.pop() if tabs else _goes_on(_listened(profile.new_page()))
        page.bring_to_front()  # what lies behind is not drawn
        pages.append(page)
        page.errors, page.traffic = [], Traffic()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(
            color_scheme=color_scheme, reduced_motion="no-preference" if motion else "reduce"
        )
        page.set_default_timeout(PATIENCE)
        return page

    yield open_page
    for opened in pages:
        _forget(opened)
        if _refresh(opened):
            tabs.append(opened)
        else:
            opened.close()
    profile.clear_cookies(name=re.compile("^(?!_streamlit_xsrf)"))  # which uploads need
    profile.clear_permissions()
    for closed in contexts:
        closed.close()


def _account(page: DrivenPage, serve: Servers) -> str:
    """Where a failed journey's page, its connection and its server stand."""
    traffic, now = page.traffic, time.monotonic()
    lines = [
        f"errors: {page.errors}",
        f"sent {traffic.sent}, last {now - traffic.sent_at:.1f} s ago; "
        f"heard {traffic.heard}, last {now - traffic.heard_at:.1f} s ago",
        f"loading: {[request.url for request in traffic.loading]}",
    ]
    try:
        history = page.context.new_cdp_session(page).send("Page.getNavigationHistory")
        entries = [entry["url"] for entry in history["entries"]]
        lines.append(f"history: at {history['currentIndex']} of {entries}")
        lines.append("page: " + page.evaluate(_STATE))
    except PlaywrightError as error:
        lines.append(f"the page does not answer: {error}")
    return "\n".join([*lines, serve.stacks(page.url)])


def _listened(page: Any) -> DrivenPage:
    """A page that keeps what its scripts complain of and what it says to the server."""
    page.fresh, page.errors, page.traffic = None, [], Traffic()

    def on_console(message: ConsoleMessage) -> None:
        where = str(message.location.get("url", ""))
        if message.type == "error" and not any(word in where for word in HARMLESS):
            page.errors.append(f"{message.text} ({where})")

    def on_socket(socket: WebSocket) -> None:
        socket.on("framesent", lambda _: page.traffic.send())
        socket.on("framereceived", lambda frame: page.traffic.hear(frame))

    page.on("websocket", on_socket)
    page.on("request", lambda request: page.traffic.load(request))
    page.on("requestfinished", lambda request: page.traffic.loaded(request))
    page.on("requestfailed", lambda request: page.traffic.loaded(request))
    page.on("console", on_console)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    driven: DrivenPage = page
    return driven


# Tabs that are used again -------------------------------------------------------------------------

_PLACES = (
    "(all) => document.fonts.status + JSON.stringify(all.map((e) => e.getBoundingClientRect()))"
)
_STATE = """() => {
  const { testScriptState, testConnectionState } =
    document.querySelector("[data-testid=stApp]")?.dataset ?? {};
  return JSON.stringify([testScriptState, testConnectionState, document.body.innerText])
    .slice(0, 2000);
}"""
_FRESH = ".st-key-fresh"
_ALONE = f"""() => {{
  const last = document.querySelector("[data-testid=stMain] [data-testid=stVerticalBlock]");
  return Boolean(last?.lastElementChild?.matches(":has({_FRESH}), {_FRESH}"));
}}"""
_RESTS = (
    '[data-testid="stApp"][data-test-script-state="notRunning"]'
    '[data-test-connection-state="CONNECTED"]'
)
_STEP = """(to) => {
  document.activeElement.blur(); // a new page has no focus
  history.pushState(null, "", to);
  dispatchEvent(new PopStateEvent("popstate", { state: null }));
}"""


def _goes_on(page: Any) -> DrivenPage:
    """Let a tab's ``goto`` step on within the app, once it is there, by way of forgetting all."""
    goto = page.goto

    def step(url: str, **options: Any) -> Any:
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
        if not page.url.startswith(origin):
            page.fresh = f"{origin}/fresh?fresh=1" if origin.startswith("http") else None
            return goto(url, **options)
        if page.locator(_FRESH).count() == 0:
            assert _refresh(page), f"{page.url} does not forget"
        page.evaluate(_STEP, url)
        page.locator(_FRESH).wait_for(state="detached")
        return None

    page.goto = step
    driven: DrivenPage = page
    return driven


def _forget(page: Page) -> None:
    """Clear what the page's origin has stored in the browser."""
    if page.is_closed() or not page.url.startswith("http"):
        return
    parts = urllib.parse.urlsplit(page.url)
    page.context.new_cdp_session(page).send(
        "Storage.clearDataForOrigin",
        {"origin": f"{parts.scheme}://{parts.netloc}", "storageTypes": "local_storage"},
    )


def _refresh(page: DrivenPage) -> bool:
    """Make a tab's session forget all, and say whether it did.

    Asked again where it does not: what the page has just said may have come in between.
    """
    if page.is_closed() or not page.fresh or page.url.partition("/")[0] != "http:":
        return False
    for patience in (5_000, 15_000, 30_000):
        try:
            page.evaluate(_STEP, page.fresh)
            page.locator(_FRESH).wait_for(timeout=patience)
            page.locator(_RESTS).wait_for(timeout=patience)
            page.wait_for_function(_ALONE, timeout=patience)  # then what controls said is gone, too
        except PlaywrightError:
            continue
        return True
    return False


@pytest.fixture
def page(new_page: NewPage) -> DrivenPage:
    """A page of 1440 x 900 in light mode, errors collected in ``page.errors``."""
    return new_page()


@pytest.fixture
def wait_idle() -> Callable[..., None]:
    """``wait_idle(page)`` returns when the script has run and all has stayed for ``quiet`` ms."""
    return _wait_idle


def _wait_idle(page: DrivenPage, quiet: float = 500) -> None:
    end = time.monotonic() + PATIENCE / 1000
    resting_since, places = math.inf, ""
    while time.monotonic() < end:
        before = places
        try:
            places = page.locator(".dvz, .dvz-stage").evaluate_all(_PLACES)
            resting = places == before and page.locator(_RESTS).count() > 0
        except PlaywrightError:  # the page is between two documents
            resting = False
        now = time.monotonic()
        resting_since = min(resting_since, now) if resting else math.inf
        if now - max(resting_since, page.traffic.quiet_since(now)) >= quiet / 1000:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the page was still busy after {PATIENCE} ms")
