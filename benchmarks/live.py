"""How closely pictures follow a hand that turns a knob.

    python benchmarks/live.py                     # every page that has such a knob
    python benchmarks/live.py --pages reverse     # one of them

It serves the app, opens each page in headless Chromium without a GPU at 1440 x 900, and moves a
knob to and fro for three seconds, by a stop a frame, twice: over values that nobody has asked for
before, and over the same again, which the browser keeps.  Printed are the values that the knob took
and the pictures that were shown, per second (no more pictures than values can be); messages to the
server during the drag, which would be reruns; runs that were asked for; and milliseconds from the
touch to the first other picture, from rest to the picture with all samples, and from letting go
until the page's words have caught up.

Chromium is found on the PATH or named by DIFFVIZ_CHROMIUM.  What else the machine does counts, too:
the load is printed.  The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from serving import FLAGS, ROOT, streamlit

VIEW = {"width": 1440, "height": 900}
SECONDS = 3.0
STOPS_A_SECOND = 66  # so that every frame has another value
REST_MS = 4000
HOVER_MS = 400  # between the hand coming to a knob and taking hold of it
KNOBS = {  # name: an address, the knob, and between which shares of it the hand goes
    "forward": ("forward?t=1&n=20000", "beta_end", (0.0, 1.0)),
    "jump": ("forward?t=1&n=20000&how=jump", "beta_end", (0.0, 1.0)),
    "numbers": ("forward?t=1&data=dirac_pair&how=jump", "beta_end", (0.0, 1.0)),
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


# Moves the held slider to and fro between two shares of its way, once a frame, which is how often a
# browser hands on what a hand does; a driver that waits for each move moves less often.
HAND = """(e, [low, high, speed, ms]) => new Promise((done) => {
  const [from, to] = [Math.round(low * e.max), Math.round(high * e.max)];
  const [begun, first, span] = [performance.now(), Number(e.value) - from, to - from];
  const move = () => {
    const spent = performance.now() - begun;
    const way = (Math.max(first, 0) + Math.floor((spent / 1000) * speed)) % (2 * span);
    const value = String(from + (way <= span ? way : 2 * span - way));
    if (value !== e.value) {
      e.value = value;
      e.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (spent < ms) requestAnimationFrame(move);
    else done();
  };
  move();
})"""


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
    page.wait_for_timeout(HOVER_MS)
    player.evaluate(WATCH)
    page.evaluate("performance.clearResourceTimings()")
    page.mouse.down()
    start = page.evaluate("performance.now()")
    slider.evaluate(HAND, [low, high, STOPS_A_SECOND, 1000 * SECONDS])
    moving = page.evaluate("[performance.now(), window.__seen, window.__values]")
    messages = len(socket) - before
    runs = "performance.getEntriesByType('resource').filter((e) => e.name.includes('/run/'))"
    asked = page.evaluate(f"{runs}.length")
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
        "asked": asked,
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
    if not page.get_by_role("slider", name=label).count():
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("slider", name=label).first.wait_for()
        page.wait_for_timeout(500)
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
    print(f"{'page':<10}{'values':<8}values/s  pictures/s  first  rest  settled  msgs  asked")
    with sync_playwright() as driver, streamlit(ROOT / "app.py") as address:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        for name in options.pages:
            figures[name] = measured(browser, address, name)
            for which, of in figures[name].items():
                print(
                    f"{name:<10}{which:<8}{of['values_per_second']:>8}"
                    f"{of['pictures_per_second']:>12}{of['first_ms']:>7}"
                    f"{of['rest_ms']:>6}{of['settled_ms']:>9}{of['messages']:>6}"
                    f"{of['asked']:>7}",
                    flush=True,
                )
        browser.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
