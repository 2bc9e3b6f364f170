"""How large the picture of every page is, where Play is, and what sticks out or is cut off.

    python benchmarks/screens.py shots                            # every page, size and theme
    python benchmarks/screens.py shots --pages reverse 'reverse?sampler=ddpm' --sizes 1280x720
    python benchmarks/screens.py shots --address http://127.0.0.1:8501    # an app that runs already

It serves the app, opens each page in headless Chromium, waits until it is at rest, keeps what is
seen before any scrolling as a PNG in the given folder, and prints for each page, size and theme:

- picture: height of the page's picture in CSS pixels (its player's panels, its curves, its map or
  its chart); of several panels of points, that of one panel;
- aspect: width over height of the panels of points;
- Play: where the button starts and ends, to be compared with the fold, the screen's lower edge;
- rows: how many rows of controls stand above the picture, not counting the title's;
- over: by how many pixels the page, or something on it that is no table, scrolls sideways;
- cut: titles and labels that do not fit.

What breaks a limit of SCREEN.md is said in the line, and the script then exits with 1.  Where
several panels of points share a row, a panel that is as high as wide is high enough: it could grow
no further without being higher than wide.  Chromium is found on the PATH or named by
DIFFVIZ_CHROMIUM.  The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from serving import FLAGS, ROOT, streamlit

PAGES = (
    *("home", "forward", "schedules", "reverse", "training", "guidance", "arena", "images"),
    *("edit", "why?pictures=fashion", "generators", "latent", "refine", "bound", "collar", "bill"),
)
SIZES = ("1280x720", "1440x900", "1920x1080", "1024x768", "390x844")
THEMES = ("light", "dark")
HEIGHTS = {"1280x720": 400, "1440x900": 500, "1920x1080": 640}
ASPECT = (1.0, 1.6)
PHONE = 640  # pixels: up to here everything is one column
TABLET = 1180  # and up to here a row of controls may take two
SLACK = 1.0  # pixels: edges are rounded

# The elements of the page, those in open shadow roots included, in the order in which they stand.
MEASURE = """(words) => {
  const all = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      all.push(node);
      if (node.shadowRoot) walk(node.shadowRoot);
    }
  };
  walk(document);
  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const box = (e) => e.getBoundingClientRect();
  const shown = all.filter((e) => seen(e) && box(e).width > 1 && box(e).height > 1);
  const find = (name, within = shown) => within.filter((e) => e.matches(name));
  const picture = find(words.pictures)[0];
  if (!picture) return null;
  const player = picture.closest(".dvz");
  const inside = player ? find(".dvz-stage", shown.filter((e) => player.contains(e))) : [];
  const points = inside.filter((e) => e.matches(":is(.dvz-panel-points, .dvz-panel-fields) > *"));
  const several = inside.length > 1 && points.length > 0;
  const stages = several || inside.length === 1 ? inside : [picture];
  const play = player && player.querySelector(".dvz-play");
  const top = Math.min(...stages.map((e) => box(e).top));
  const left = Math.min(...stages.map((e) => box(e).left));
  const above = (b) => b.bottom <= top + 4 && b.bottom > 0 && b.right > left;
  const bands = find(words.controls).map(box).filter(above);
  bands.sort((a, b) => a.top - b.top);
  let rows = 0, end = -1e9;
  for (const band of bands) {
    if (band.top >= end - 6) rows += 1;
    end = rows && band.top < end - 6 ? Math.max(end, band.bottom) : band.bottom;
  }
  const wide = (e) => e.scrollWidth - e.clientWidth;
  const scrolls = shown.filter((e) => /auto|scroll/.test(getComputedStyle(e).overflowX)
    && e.clientWidth > 40 && wide(e) > 1 && !e.matches("input, textarea, :has(table)"));
  const own = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const cut = shown.filter((e) => wide(e) > 1 && e.clientWidth > 0 && own(e)
    && /hidden|clip/.test(getComputedStyle(e).overflowX));
  return {
    height: Math.min(...stages.map((e) => box(e).height)),
    width: Math.min(...stages.map((e) => box(e).width)),
    panels: points.length,
    aspects: points.map((e) => box(e).width / box(e).height),
    play: play ? [box(play).top, box(play).bottom] : null,
    rows,
    over: Math.max(document.documentElement.scrollWidth - innerWidth, ...scrolls.map(wide), 0),
    scrolls: scrolls.map((e) => e.className || e.dataset.testid || e.tagName),
    cut: cut.map((e) => e.textContent.trim().slice(0, 40)),
  };
}"""
PICTURES = (
    ".dvz-panels, .curve .plot, .atlas-plot, "
    ":is(.st-key-bound_terms, .st-key-bill_chart) .js-plotly-plot"
)
CONTROLS = (
    ", ".join(
        f'[data-testid="stMain"] :not(.st-key-bar_beside_header *)[data-testid="{name}"]'
        for name in (
            *("stButtonGroup", "stSelectbox", "stPopover", "stNumberInput", "stCheckbox"),
            *("stTextInput", "stButton", "stExpander", "stFileUploader", "stDownloadButton"),
        )
    )
    + ', [data-testid="stMain"] [class*="st-key-knob_"]'
)
NOTHING: dict[str, Any] = {
    "height": 0,
    "aspects": [],
    "play": None,
    "rows": 0,
    "over": 0,
    "cut": [],
}
IDLE = (
    '[data-testid="stApp"][data-test-script-state="notRunning"]'
    '[data-test-connection-state="CONNECTED"]'
)


def address_of(name: str) -> str:
    """The path of a page."""
    return "" if name == "home" else name


def settle(page: Page, quiet: float = 900, patience: float = 6000) -> None:
    """Wait until a page has run and stayed as it is for a while, longer where no picture comes."""
    page.locator(IDLE).wait_for(timeout=120_000)
    before, calm = "", 0.0
    while calm < (patience if before == "null" else quiet):
        page.wait_for_timeout(150)
        now = json.dumps(measure(page))
        still = now == before and page.locator(IDLE).count() > 0
        before, calm = now, calm + 150 if still else 0.0


def measure(page: Page) -> Any:
    """What is measured on a page as it is now; None where it shows no picture."""
    return page.evaluate(MEASURE, {"pictures": PICTURES, "controls": CONTROLS})


def measured(browser: Browser, address: str, name: str, size: str, theme: str, file: Path) -> Any:
    """Open a page, keep what is seen of it, and return its measures."""
    width, height = (int(part) for part in size.split("x"))
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        has_touch=width <= PHONE,
        is_mobile=width <= PHONE,
    )
    page = context.new_page()
    page.goto(f"{address}/{address_of(name)}", timeout=120_000)
    settle(page)
    found = measure(page)
    page.screenshot(path=file)
    context.close()
    return found


def broken(found: dict[str, Any], size: str) -> list[str]:
    """What a page breaks of the limits, in words."""
    width, fold = (int(part) for part in size.split("x"))
    wanted = HEIGHTS.get(size, 0)
    if found["panels"] > 1:
        wanted = min(wanted, found["width"])
    said = []
    if found["height"] < wanted - SLACK:
        said.append(f"picture under {wanted:.0f} px")
    low, high = ASPECT
    aspects = found["aspects"]
    if aspects and (min(aspects) < low - 0.01 or max(aspects) > high + 0.01):
        said.append(f"aspect outside {low:g} to {high:g}")
    if found["play"] is not None and found["play"][1] > fold + SLACK:
        said.append("Play below the fold")
    rows = 0 if width <= PHONE else 2 if width <= TABLET else 1
    if found["rows"] > rows:
        said.append(f"more than {rows} rows of controls above the picture")
    if found["over"] > SLACK:
        said.append(f"scrolls sideways: {', '.join(found['scrolls']) or 'the page'}")
    if found["cut"]:
        said.append("cut off: " + "; ".join(found["cut"]))
    return said


def show(name: str, size: str, theme: str, found: dict[str, Any], said: list[str]) -> None:
    """Print one line of the table."""
    aspects = found["aspects"]
    aspect = f"{min(aspects):.2f}-{max(aspects):.2f}" if aspects else "-"
    play = "-" if found["play"] is None else "{:.0f}-{:.0f}".format(*found["play"])
    print(
        f"{name:<24}{size:>10}{theme:>7}{found['height']:9.0f}{aspect:>11}{play:>11}"
        f"{found['rows']:6d}{found['over']:6.0f}{len(found['cut']):5d}  {'; '.join(said)}",
        flush=True,
    )


@contextmanager
def app(address: str | None) -> Iterator[str]:
    """The address of an app that runs: a given one, or one of its own."""
    if address is not None:
        yield address.rstrip("/")
    else:
        with streamlit(ROOT / "app.py") as started:
            yield started


def main() -> int:
    """Look at every page, print its measures, and say whether all limits hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the screenshots go")
    parser.add_argument("--pages", nargs="+", default=PAGES, help="addresses, such as reverse?n=9")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="such as 1280x720")
    parser.add_argument("--themes", nargs="+", default=THEMES, choices=THEMES)
    parser.add_argument("--address", help="of an app that runs; else one is started")
    options = parser.parse_args()
    executable = os.environ.get("DIFFVIZ_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        parser.error("no chromium on the PATH and none named by DIFFVIZ_CHROMIUM")
    options.folder.mkdir(parents=True, exist_ok=True)
    print(
        f"{'page':<24}{'size':>10}{'theme':>7}{'picture':>9}{'aspect':>11}{'Play':>11}"
        f"{'rows':>6}{'over':>6}{'cut':>5}  limits broken"
    )
    report: dict[str, Any] = {}
    faults = 0
    with sync_playwright() as driver, app(options.address) as address:
        browser = driver.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        for name in options.pages:
            for size in options.sizes:
                for theme in options.themes:
                    stem = re.sub(r"\W+", "_", f"{name}_{size}_{theme}")
                    file = options.folder / f"{stem}.png"
                    found = measured(browser, address, name, size, theme, file)
                    said = broken(found, size) if found else ["no picture"]
                    faults += len(said)
                    show(name, size, theme, found or NOTHING, said)
                    report[f"{name} {size} {theme}"] = {**(found or NOTHING), "broken": said}
        browser.close()
    print(f"{faults} limits broken" if faults else "every limit holds")
    print(json.dumps({"faults": faults, **report}))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
