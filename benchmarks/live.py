"""How closely pictures follow a hand that turns a knob.

    python benchmarks/live.py                     # every page that has such a knob
    python benchmarks/live.py --pages reverse     # one of them

It serves the app, opens each page in headless Chromium without a GPU at 1440 x 900, and drags a
knob to and fro for three seconds, twice: over values that nobody has asked for before, and over the
same again, which the browser keeps.  Printed are the values that the knob took and the pictures
that were shown, per second (no more pictures than values can be); messages to the server during
the drag, which would be reruns; and milliseconds from the touch to the first other picture, from
rest to the picture with all samples, and from letting go until the page's words have caught up.

Chromium is found on the PATH or named by DIFFVIZ_CHROMIUM.  What else the machine does counts, too:
the load is printed.  The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import time
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from serving import FLAGS, ROOT, streamlit

VIEW = {"width": 1440, "height": 900}
SECONDS = 3.0
SWINGS = 2.5  # radians a second
REST_MS = 4000
KNOBS = {  # page: its address, the knob, and between which shares of it the hand goes
    "reverse": ("reverse?step=50", "Steps", (0.0, 0.75)),
    "guidance": ("guidance?step=40", "Scale w", (0.05, 0.5)),
    "images": ("images?step=25", "Scale w", (0.1, 0.5)),
    "why": ("why?step=25", "Scale w", (0.1, 0.5)),
    "refine": ("refine", "Noise level", (0.2, 0.7)),
}

# Counts the pictures of a player: another run is loaded where its panels are replaced.
WATCH = """(root) => {
  window.__seen = [];
  window.__values = 0;
  if (window.__watched) return;
  window.__watched = true;
  const face = root.__diffviz;
  let last = face.id;
  const look = () => {
    if (face.id !== last) window.__seen.push([performance.now(), face.items]);
    last = face.id;
    requestAnimationFrame(look);
  };
  look();
  document.addEventListener("diffviz-knob", ({ detail }) => {
    if (detail.phase === "move") window.__values += 1;
  });
}"""


def at_rest(page: Page) -> None:
    """Wait until the page is complete and the server has nothing left to do for it."""
    page.locator('.dvz[data-ready="true"]').first.wait_for(timeout=60_000)
    resting = '[data-testid="stApp"][data-test-script-state="notRunning"]'
    for _ in range(3):
        page.locator(resting).wait_for(timeout=60_000)
        page.wait_for_timeout(200)


def drag(page: Page, label: str, between: tuple[float, float]) -> dict[str, float]:
    """Drag a knob to and fro, hold still and let go; what was seen meanwhile."""
    slider = page.get_by_role("slider", name=label).first
    player = page.locator(".dvz").first
    box, items = slider.bounding_box(), player.evaluate("(e) => e.__diffviz.items")
    assert box is not None
    low, high = between
    at = lambda share: box["x"] + 8 + share * (box["width"] - 16)  # noqa: E731
    y = box["y"] + box["height"] / 2
    sent: list[float] = []
    socket = page.__dict__.get("_sockets", sent)
    before = len(socket)
    page.mouse.move(at(slider.evaluate("(e) => e.value / e.max")), y)
    player.evaluate(WATCH)
    page.mouse.down()
    begun, start = time.monotonic(), page.evaluate("performance.now()")
    while (spent := time.monotonic() - begun) < SECONDS:
        share = (low + high) / 2 + (high - low) / 2 * math.sin(spent * SWINGS)
        page.mouse.move(at(share), y)
    moving = page.evaluate("[performance.now(), window.__seen, window.__values]")
    messages = len(socket) - before
    page.wait_for_timeout(REST_MS)
    rested = [when for when, all_ in page.evaluate("window.__seen") if all_ == items]
    page.mouse.up()
    released = time.monotonic()
    page.wait_for_timeout(50)
    at_rest(page)
    seen = [when for when, _ in moving[1]]
    return {
        "values_per_second": round(moving[2] / SECONDS, 1),
        "pictures_per_second": round(len(seen) / SECONDS, 1),
        "first_ms": round(seen[0] - start) if seen else -1,
        "rest_ms": round(rested[-1] - moving[0]) if rested else -1,
        "settled_ms": round(1000 * (time.monotonic() - released)),
        "messages": messages,
    }


def measured(browser: Browser, address: str, name: str) -> dict[str, Any]:
    """Drag the knob of a page twice."""
    where, label, between = KNOBS[name]
    page = browser.new_page(viewport=VIEW, reduced_motion="reduce")
    sent: list[float] = []
    page.__dict__["_sockets"] = sent
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda _: sent.append(time.monotonic())),
    )
    page.goto(f"{address}/{where}")
    at_rest(page)
    page.wait_for_timeout(1500)
    found = {"new": drag(page, label, between), "again": drag(page, label, between)}
    page.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", nargs="+", default=list(KNOBS), choices=list(KNOBS))
    options = parser.parse_args()
    executable = os.environ.get("DIFFVIZ_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        parser.error("no chromium on the PATH and none named by DIFFVIZ_CHROMIUM")
    figures: dict[str, Any] = {"load": os.getloadavg()[0]}
    print(f"load {figures['load']:.1f}")
    print(f"{'page':<10}{'values':<8}values/s  pictures/s  first  rest  settled  msgs")
    with sync_playwright() as driver, streamlit(ROOT / "app.py") as address:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        for name in options.pages:
            figures[name] = measured(browser, address, name)
            for which, of in figures[name].items():
                print(
                    f"{name:<10}{which:<8}{of['values_per_second']:>8}"
                    f"{of['pictures_per_second']:>12}{of['first_ms']:>7}"
                    f"{of['rest_ms']:>6}{of['settled_ms']:>9}{of['messages']:>6}",
                    flush=True,
                )
        browser.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
