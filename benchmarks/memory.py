"""What is left in memory when knobs have been dragged: 200 drags over ten pages, and back.

    python benchmarks/memory.py              # 200 drags
    python benchmarks/memory.py --drags 40   # fewer

It serves the app and goes from page to page in one tab of headless Chromium, by the app's links,
dragging a knob of each to and fro.  After one round, when every page's code and default view is
there, and again after all drags, it goes Home, waits, has garbage collected, and reads the heap of
the tab's scripts and the server's resident memory.  The last line is one JSON object: megabytes
before and after, and their ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

from live import FLAGS, HAND, ROOT, STOPS_A_SECOND, VIEW, streamlit
from playwright.sync_api import CDPSession, Page, sync_playwright

KNOBS = {  # page: its link's name, the knob's, whether it stands in the menu More
    "Forward": ("beta_end", True),
    "Reverse": ("Steps", False),
    "Guidance": ("Scale w", False),
    "Arena": ("Steps", False),
    "Generate": ("Scale w", False),
    "Edit": ("Noise level (how much is made anew)", False),
    "Why it works": ("Scale w", False),
    "Three generators": ("Steps", False),
    "Refine": ("Noise level", False),
    "A dog with a collar": ("Scale w", False),
}
SECONDS, REST_MS = 0.6, 2000


def at_rest(page: Page) -> None:
    """Wait until the server has nothing left to do for the page."""
    for _ in range(4):
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        page.wait_for_timeout(250)


def drags(page: Page, name: str, count: int) -> int:
    """Open a page by its link and drag its knob so often; how often that could be done."""
    label, folded = KNOBS[name]
    page.get_by_role("link", name=name, exact=True).first.click()
    page.get_by_role("heading", name=name, level=1).wait_for()
    at_rest(page)
    if name == "Arena":
        page.locator('[data-testid="stPopoverButton"]').nth(1).click()
    elif folded:
        page.get_by_role("button", name="More", exact=True).click()
    slider = page.get_by_role("slider", name=label).first
    slider.hover()
    for _ in range(count):
        page.mouse.down()
        slider.evaluate(HAND, [0.1, 0.4, STOPS_A_SECOND, 1000 * SECONDS])
        page.mouse.up()
        page.wait_for_timeout(150)
    page.keyboard.press("Escape")
    return count


def left(page: Page, session: CDPSession, server: int) -> tuple[float, float]:
    """Megabytes of the tab's heap and of the server, at rest on Home."""
    page.get_by_role("link", name="Home", exact=True).click()
    at_rest(page)
    page.wait_for_timeout(REST_MS)
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(200)
    heap = session.send("Runtime.getHeapUsage")
    resident = Path(f"/proc/{server}/statm").read_text().split()[1]
    used = heap["usedSize"] + heap.get("backingStorageSize", 0)
    return used / 1e6, int(resident) * os.sysconf("SC_PAGE_SIZE") / 1e6


def server_of(address: str) -> int:
    """The process that listens at an address: a child of this one."""
    port = address.rpartition(":")[2]
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if entry.name.isdigit() and port in words and "run" in words:
            return int(entry.name)
    raise RuntimeError(f"no server found on port {port}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--drags", type=int, default=200)
    options = parser.parse_args()
    executable = os.environ.get("DIFFVIZ_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        parser.error("no chromium on the PATH and none named by DIFFVIZ_CHROMIUM")
    each = max(options.drags // len(KNOBS) // 2, 1)
    with sync_playwright() as driver, streamlit(ROOT / "app.py") as address:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        page = browser.new_page(viewport=VIEW, reduced_motion="reduce")
        session, server = page.context.new_cdp_session(page), server_of(address)
        page.goto(address)
        at_rest(page)
        for name in KNOBS:
            drags(page, name, 1)
        before = left(page, session, server)
        done = sum(drags(page, name, each) for _ in range(2) for name in KNOBS)
        after = left(page, session, server)
        browser.close()
    figures: dict[str, Any] = {"drags": done}
    for what, early, late in zip(("heap", "server"), before, after, strict=True):
        figures |= {f"{what}_mb": [round(early, 1), round(late, 1)]}
        figures |= {f"{what}_ratio": round(late / early, 3)}
        print(f"{what:<8}{early:9.1f} MB{late:9.1f} MB   ratio {late / early:.3f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
