"""How well the texts of every page can be read, in both themes: contrast and type size.

    python benchmarks/contrast.py            # all pages; exits with 1 below 4.5 : 1
    python benchmarks/contrast.py home bill  # some of them

It serves the app and opens each page at 1440 x 900 in headless Chromium, twice: as it is first
seen, all that is folded on the page laid open. Measured is what is drawn, canvases and charts
included (see ``tests/browser/legibility.py``). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys

from playwright.sync_api import sync_playwright
from serving import FLAGS, ROOT, streamlit

sys.path.insert(0, str(ROOT))
from tests.browser.legibility import PAGES, PROBE, texts, unfold

IDLE = (
    '[data-testid="stApp"][data-test-script-state="notRunning"]'
    '[data-test-connection-state="CONNECTED"]'
)


def main() -> None:
    """Measure, print the worst of every page, and say which texts are below 4.5."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", default=PAGES)
    parser.add_argument("--worst", type=int, default=3, help="how many texts to print of a page")
    asked = parser.parse_args()
    executable = os.environ.get("DIFFVIZ_CHROMIUM") or shutil.which("chromium")
    worst: dict[str, float] = {}
    below = 0
    with streamlit(ROOT / "app.py") as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        for name in asked.pages:
            for theme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": 1440, "height": 900},
                    color_scheme=theme,
                    reduced_motion="reduce",
                )
                context.add_init_script(PROBE)
                page = context.new_page()
                page.goto(f"{address}/{'' if name == 'home' else name}")
                page.locator(IDLE).wait_for(timeout=120_000)
                page.wait_for_timeout(3000)
                page.locator(IDLE).wait_for(timeout=120_000)
                unfold(page)
                found = texts(page)
                context.close()
                worst[f"{name} {theme}"] = round(min(t.contrast for t in found if not t.sign), 2)
                hard = [text for text in found if text.faint]
                below += len(hard)
                small = [text for text in found if text.small]
                print(f"{name}, {theme}: {len(found)} texts, {len(hard)} faint, {len(small)} small")
                kinds = {(round(t.contrast, 1), t.size, t.place): t for t in reversed(found)}
                for text in list(reversed(kinds.values()))[: asked.worst]:
                    print(f"  {text}")
                for text in {(t.size, t.place): t for t in small}.values():
                    print(f"  small: {text}")
        browser.close()
    print(json.dumps({"worst": worst, "texts below": below}))
    sys.exit(1 if below else 0)


if __name__ == "__main__":
    main()
