"""How fast two trainings go in the app while their pages look at them.

    python benchmarks/jobs.py              # 20 seconds each
    python benchmarks/jobs.py 60

Two tabs of the Training page each start a training and follow it, as two students would: steps a
second of the two together, once with the app's settings and once, as the baseline, with Streamlit's
own, which watch every module's folder for changes and collect garbage after every run of a page.
Beside them the most there could be: the same two trainings in threads here, with no page.
Chromium is found on the PATH or named by DIFFVIZ_CHROMIUM.  The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright
from serving import FLAGS, ROOT, streamlit

sys.path.insert(0, str(ROOT))

from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.training import TrainConfig
from diffviz.scenes.configs import DataConfig
from diffviz.scenes.sharing import work_alone
from diffviz.scenes.training import TrainingConfig, TrainingRun

TABS, STEPS, POINTS, WIDTH, DEPTH = 2, 20_000, 500, 64, 2
WARM = 200  # steps before the clock starts
STREAMLIT_S_OWN = {"server_fileWatcherType": "auto", "runner_postScriptGC": "true"}


def steps_done(page: Page) -> int:
    """How many steps the page says are done."""
    found = re.search(r"step ([\d,]+) of", page.locator(".st-key-training_status").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def speed_of(
    steps: Callable[[], Sequence[int]], rest: Callable[[float], None], seconds: float
) -> float:
    """Steps a second of trainings together, once all are warm."""
    while min(steps()) < WARM:
        rest(0.1)
    first, began = sum(steps()), time.monotonic()
    rest(seconds)
    return (sum(steps()) - first) / (time.monotonic() - began)


def on_pages(browser: Browser, address: str, seconds: float) -> float:
    """Steps a second of the trainings together, as their pages tell it."""
    query = {"n": POINTS, "width": WIDTH, "depth": DEPTH, "train_steps": STEPS}
    context = browser.new_context()
    pages = [context.new_page() for _ in range(TABS)]
    for page in pages:
        page.goto(f"{address}/training?{urlencode(query)}", timeout=120_000)
        page.locator('.dvz[data-ready="true"]').wait_for(timeout=120_000)
    for page in pages:
        page.get_by_role("button", name="Train from scratch").click()
    speed = speed_of(
        lambda: [steps_done(page) for page in pages],
        lambda wait: pages[0].wait_for_timeout(1000 * wait),
        seconds,
    )
    context.close()
    return speed


def alone(seconds: float) -> float:
    """Steps a second of the same trainings in threads, with no page."""
    end = threading.Event()
    train = TrainConfig("x_0", "log_normal", steps=STEPS)
    config = TrainingConfig(
        DataConfig(n=POINTS), train=train, network=NetworkConfig(width=WIDTH, depth=DEPTH)
    )
    runs = [TrainingRun(config) for _ in range(TABS)]

    def work(run: TrainingRun) -> None:
        work_alone()
        while not end.is_set():
            next(run)

    threads = [threading.Thread(target=work, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    speed = speed_of(lambda: [run.step for run in runs], time.sleep, seconds)
    end.set()
    for thread in threads:
        thread.join()
    return speed


def main() -> None:
    """Print a line for each, then the figures as JSON."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    executable = os.environ.get("DIFFVIZ_CHROMIUM") or shutil.which("chromium")
    speeds = {"no page": alone(seconds)}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=FLAGS)
        for name, settings in (("the app", {}), ("Streamlit's settings", STREAMLIT_S_OWN)):
            with streamlit(ROOT / "app.py", **settings) as address:
                speeds[name] = on_pages(browser, address, seconds)
        browser.close()
    baseline = speeds["Streamlit's settings"]
    print(f"{TABS} trainings at once, steps a second together, over {seconds:g} s")
    for name, speed in speeds.items():
        print(f"{name:<22}{speed:8.0f}{speed / baseline:8.1f} x")
    print(json.dumps({name: round(speed, 1) for name, speed in speeds.items()}))


if __name__ == "__main__":
    main()
