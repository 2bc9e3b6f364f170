"""What the benchmarks that drive a browser share: servers on loopback, and Chromium's flags."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def served(command: list[str], port: int, health: str) -> Iterator[str]:
    """Run a server until the block ends; yields its address.

    Args:
        command: what starts it.
        port: where it listens.
        health: the path that answers once it is up.
    """
    quiet = subprocess.DEVNULL
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=quiet, stdout=quiet, stderr=quiet)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"{address}/{health}", timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{command[2]} did not answer on port {port}") from None
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def streamlit(script: Path, **settings: str) -> Iterator[str]:
    """Serve a Streamlit script, with the data route, until the block ends; yields its address.

    Args:
        script: what is served.
        settings: options of Streamlit instead of the app's own, with ``_`` for the dot.
    """
    port = free_port()
    options = {
        "server.headless": "true",
        "server.port": str(port),
        "server.address": "127.0.0.1",
        "browser.gatherUsageStats": "false",
        **{name.replace("_", "."): value for name, value in settings.items()},
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, str(ROOT / "tests/browser/fresh.py"), "run", str(script), *flags]
    with served(command, port, "_stcore/health") as address:
        yield address
