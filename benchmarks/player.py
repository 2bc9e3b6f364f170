"""How fast the animation player draws, how much it sends, and how soon its first frame shows.

    python benchmarks/player.py            # two cloud sizes, every layer, and Plotly's frames
    python benchmarks/player.py --check    # the same; exits with 1 when a target is missed

It serves ``tests/browser/apps/player_app.py``, opens it in headless Chromium without a GPU and
reads what the player counts about itself: drawn frames, the time between them, and the time from
asking for the page to the first frame (the median of three loads; the page was loaded once before,
so that the run is computed and the server is warm; the browser's cache is empty).  The peer is
Plotly with animation frames and the same number of points and frames, in the same browser.
Chromium is found on the PATH or named by DIFFVIZ_CHROMIUM.  What else the machine does counts too:
the load is printed.  The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import plotly
from playwright.sync_api import Browser, Page, sync_playwright
from serving import FLAGS, ROOT, free_port, served, streamlit

APP = ROOT / "tests" / "browser" / "apps" / "player_app.py"
FRAMES = 100
LOADS = 3
VIEW = {"width": 1440, "height": 900}
TARGETS = {
    "fps_20000": (55.0, "at least"),
    "megabytes_20000": (8.2, "at most"),
    "megabytes_2000": (0.9, "at most"),
    "first_frame_ms_20000": (1500.0, "at most"),
}

PLOTLY_PAGE = """<!doctype html><meta charset="utf-8"><div id="plot"></div>
<script src="plotly.min.js"></script>
<script>
async function start(n, frames, seconds) {
  const data = await (await fetch("points.json")).json();
  const plot = document.getElementById("plot");
  const axis = { range: [-3.5, 3.5] };
  const margin = { t: 10, l: 30, r: 10, b: 30 };
  const layout = { width: 760, height: 420, xaxis: axis, yaxis: axis, margin };
  const trace = { type: "scatter", mode: "markers", marker: { size: 4 }, ...data[0] };
  await Plotly.newPlot(plot, [trace], layout);
  await Plotly.addFrames(plot, data.map((d, k) => ({ name: String(k), data: [d] })));
  let shown = 0;
  plot.on("plotly_animatingframe", () => { shown += 1; });
  const began = performance.now();
  while (performance.now() - began < 1000 * seconds) {
    const frame = { duration: 0, redraw: false };
    await Plotly.animate(plot, null, { mode: "immediate", transition: { duration: 0 }, frame });
  }
  return (1000 * shown) / (performance.now() - began);
}
</script>"""


def open_run(browser: Browser, address: str, query: dict[str, Any]) -> Page:
    """A fresh browser profile that shows a run, once its first frame is drawn."""
    page = browser.new_context(viewport=VIEW).new_page()  # type: ignore[arg-type]
    page.goto(f"{address}/?{urlencode({'frames': FRAMES, 'loop': 1, **query})}")
    page.locator('.dvz[data-ready="true"]').wait_for(timeout=60_000)
    return page


def measure(
    browser: Browser, address: str, seconds: float, query: dict[str, Any]
) -> dict[str, Any]:
    """Load once to warm up, load three times more, and watch the last one play."""
    open_run(browser, address, query).context.close()
    first_frames = []
    for _ in range(LOADS):
        page = open_run(browser, address, query)
        first_frames.append(page.locator(".dvz").evaluate("(e) => e.__diffviz.firstDraw"))
        if len(first_frames) < LOADS:
            page.context.close()
    for layer in ("trails", "field", "contours", "mesh", "x_0") if query["layers"] else ():
        page.locator(f'[data-layer="{layer}"]').click()
    page.wait_for_timeout(500)
    player = page.locator(".dvz")
    result: dict[str, Any] = player.evaluate(
        """async (element, seconds) => {
          const player = element.__diffviz;
          const [draws, began] = [player.draws, performance.now()];
          await new Promise((done) => setTimeout(done, 1000 * seconds));
          const spent = performance.now() - began;
          const intervals = player.intervals.slice(draws - player.draws).sort((a, b) => a - b);
          const at = (share) => intervals[Math.floor(share * (intervals.length - 1))];
          return {
            fps: (1000 * (player.draws - draws)) / spent, playing: player.playing,
            median_ms: at(0.5), p95_ms: at(0.95), draw_ms: player.drawMs,
          };
        }""",
        seconds,
    )
    result["first_frame_ms"] = statistics.median(first_frames)
    text = page.get_by_text(re.compile(r"bytes \d+")).inner_text()
    found = re.search(r"bytes (\d+)", text)
    result["megabytes"] = int(found.group(1)) / 1e6 if found else float("nan")
    page.context.close()
    return result


def measure_plotly(browser: Browser, seconds: float, points: int) -> float:
    """Frames a second that Plotly's animation shows, as fast as it goes."""
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, points, 2)) * [[[1.0]], [[0.5]]]
    frames = [
        {"x": x[:, 0].round(4).tolist(), "y": x[:, 1].round(4).tolist()}
        for x in ((1 - s) * start + s * end for s in np.linspace(0, 1, FRAMES + 1))
    ]
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(script, folder)
        (Path(folder) / "index.html").write_text(PLOTLY_PAGE, encoding="utf-8")
        (Path(folder) / "points.json").write_text(json.dumps(frames), encoding="utf-8")
        port = free_port()
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        with served([*command, "--directory", folder], port, "index.html") as address:
            page = browser.new_context(viewport=VIEW).new_page()  # type: ignore[arg-type]
            page.goto(f"{address}/index.html")
            fps: float = page.evaluate("([n, f, s]) => start(n, f, s)", [points, FRAMES, seconds])
            page.context.close()
            return fps


def show(name: str, result: dict[str, Any]) -> None:
    """One line of the table."""
    print(
        f"{name:<28}{result['fps']:8.1f}{result['median_ms']:11.1f}{result['p95_ms']:9.1f}"
        f"{result['draw_ms']:10.2f}{result['megabytes']:10.2f}{result['first_frame_ms']:13.0f}"
    )


def main() -> int:
    """Measure, print, and say whether the targets hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each run is watched")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    executable = os.environ.get("DIFFVIZ_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        parser.error("no chromium on the PATH and none named by DIFFVIZ_CHROMIUM")

    print(f"{FRAMES} steps ({FRAMES + 1} frames), {os.cpu_count()} cores, no GPU, 1440 x 900")
    print(f"load of the machine over the last minute, before: {os.getloadavg()[0]:.1f}")
    print(f"first frame: median of {LOADS} loads with an empty browser cache, after one warm-up\n")
    print(f"{'':<28}{'frames/s':>8}{'median ms':>11}{'95 % ms':>9}{'draw ms':>10}"
          f"{'MB sent':>10}{'1st frame ms':>13}")  # fmt: skip
    report: dict[str, float] = {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        with streamlit(APP) as address:
            for points, layers in ((20_000, 0), (2_000, 0), (2_000, 1)):
                query = {"points": points, "layers": layers}
                result = measure(browser, address, options.seconds, query)
                name = f"{points:,} points" + (", all layers" if layers else "")
                show(name, result)
                suffix = f"{points}_layers" if layers else f"{points}"
                for key in ("fps", "median_ms", "p95_ms", "draw_ms", "megabytes", "first_frame_ms"):
                    report[f"{key}_{suffix}"] = round(result[key], 3)
        plotly_fps = measure_plotly(browser, options.seconds, 2_000)
        browser.close()

    report["load_1_min_after"] = round(os.getloadavg()[0], 2)
    report["plotly_fps_2000"] = round(plotly_fps, 3)
    report["fps_over_plotly_2000"] = round(report["fps_2000"] / plotly_fps, 3)
    print(f"\nPlotly frames, 2,000 points: {plotly_fps:.1f} frames/s")
    print(f"the player shows {report['fps_over_plotly_2000']:.1f} times as many with 2,000 points,")
    print(f"and {report['fps_20000'] / plotly_fps:.1f} times as many with 20,000\n")
    missed = 0
    for name, (target, word) in TARGETS.items():
        value = report[name]
        held = value >= target if word == "at least" else value <= target
        missed += not held
        print(f"{name:<24}{value:10.2f}   {word} {target:g}: {'held' if held else 'MISSED'}")
    print(json.dumps(report))
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
