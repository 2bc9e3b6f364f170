"""How long it takes from moving a slider on the Reverse page to the new picture.

    python benchmarks/sliders.py            # the slider "Steps", and another seed
    python benchmarks/sliders.py --check    # the same; exits with 1 when a target is missed

It serves the app, opens the Reverse page in headless Chromium without a GPU at 1440 x 900, presses
a key on a widget, and takes the time from that key to the whole new run, drawn: 2,000 points and 50
steps with the exact denoiser of 500 data points, every layer included (density, arrows, warped
grid).  No run is asked for twice, so no run comes from a cache: the slider
is measured with another sample of the data each time, the seed on one page.

Beside it, in this process: what the parts of a new run cost on the server, and as a baseline the
same samples and steps, on one thread both, with a denoiser that works on the whole matrix of
differences.  Chromium is found on the PATH or named by DIFFVIZ_CHROMIUM.  What else the machine
does counts too: the load is printed.  The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import torch
from playwright.sync_api import Browser, Page, sync_playwright
from serving import FLAGS, ROOT, streamlit

sys.path.insert(0, str(ROOT))

from diffviz.core.denoisers import Denoiser, Exact
from diffviz.core.distributions import Empirical
from diffviz.core.run import simulate
from diffviz.core.schedules import Schedule
from diffviz.scenes.configs import SamplerConfig
from diffviz.scenes.point_run import RunConfig, shown
from diffviz.scenes.sharing import work_alone

SETTLE_MS = 1500  # for what a browser still does after a page was loaded
VIEW = {"width": 1440, "height": 900}
TARGETS = {"slider_ms_median": 400.0, "seed_ms_median": 400.0, "megabytes": 1.2}

# From the next key that goes down to the first frame drawn from another run that has all samples:
# a knob is followed by few of them first.
STOPWATCH = """(element) => {
  const player = element.__diffviz;
  const { id, items } = player;
  window.__spent = new Promise((done) => {
    addEventListener("keydown", (event) => {
      const look = () => {
        const whole = player.id !== id && player.items === items && player.settled;
        if (whole) done(performance.now() - event.timeStamp);
        else requestAnimationFrame(look);
      };
      look();
    }, { once: true, capture: true });
  });
}"""


def at_rest(page: Page) -> None:
    """Wait until the page is complete and the server has nothing left to do for it."""
    page.locator('.dvz[data-ready="true"]').wait_for(timeout=60_000)
    resting = '[data-testid="stApp"][data-test-script-state="notRunning"]'
    for _ in range(3):
        page.locator(resting).wait_for(timeout=60_000)
        page.wait_for_timeout(150)


def press(page: Page, key: str) -> float:
    """Press a key on the focused widget; milliseconds until the new run is drawn."""
    page.locator(".dvz").evaluate(STOPWATCH)
    page.keyboard.press(key)
    spent: float = page.evaluate("window.__spent")
    return spent


def slider_times(page: Page, address: str, trials: int) -> list[float]:
    """From 40 steps to 50 by a key on the slider, with another sample of the data each time.

    The slider is moved once before, from 30 steps, so that the page is no longer loading.
    """
    times = []
    for trial in range(trials):
        query = {"steps": 30, "step": 15, "data_seed": 100 + trial}
        page.goto(f"{address}/reverse?{urlencode(query)}")
        at_rest(page)
        page.get_by_role("slider", name="Steps").focus()
        press(page, "ArrowRight")
        at_rest(page)
        page.wait_for_timeout(SETTLE_MS)
        times.append(press(page, "ArrowRight"))
    return times


def seed_times(page: Page, address: str, trials: int) -> list[float]:
    """From one seed to the next by a key in its number field, on one page."""
    page.goto(f"{address}/reverse?{urlencode({'seed': 1000, 'step': 20})}")
    at_rest(page)
    page.get_by_role("button", name=re.compile("More(?! data)")).click()
    field = page.get_by_label("Seed of the noise")
    field.wait_for()
    times = []
    for _ in range(trials):
        field.focus()
        times.append(press(page, "ArrowUp"))
        at_rest(page)
    return times


class WholeMatrix(Denoiser):
    """The same posterior mean from one matrix of distances, as one would first write it."""

    exact = True

    def __init__(self, points: torch.Tensor, schedule: Schedule) -> None:
        self.points, self.schedule = points, schedule

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor | float, **_: Any) -> torch.Tensor:
        """Return E[x_0 | x_t]."""
        alpha, sigma = self.schedule.at(float(t))
        difference = x_t[:, None] - alpha * self.points[None]
        logits = -(difference**2).sum(-1) / (2 * sigma**2)
        return logits.softmax(1) @ self.points


def alone(run: RunConfig, denoiser: Denoiser) -> float:
    """Milliseconds that the samples and steps of a run take with a denoiser, on one thread."""
    plan = replace(run.plan(), denoiser=denoiser)
    began = time.perf_counter()
    simulate(plan, 1)
    return 1000 * (time.perf_counter() - began)


def server_split(trials: int) -> dict[str, float]:
    """Median milliseconds of the parts of a new run, and of the two denoisers."""
    work_alone()
    base = RunConfig(sampler=SamplerConfig(steps=50))
    shown(base)
    parts: dict[str, list[float]] = {}
    for trial in range(200, 200 + trials):
        run = replace(base, data=replace(base.data, seed=trial), sampler=SamplerConfig(seed=trial))
        began = time.perf_counter()
        split = {name: 1000 * seconds for name, seconds in shown(run).split.items()}
        split["all"] = 1000 * (time.perf_counter() - began)
        schedule, points = run.schedule.build(), run.data.load()
        split["exact"] = alone(run, Exact(Empirical(points), schedule))
        split["whole_matrix"] = alone(run, WholeMatrix(points, schedule))
        for name, value in split.items():
            parts.setdefault(name.replace(" ", "_"), []).append(value)
    return {name: statistics.median(values) for name, values in parts.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the values lies, by the nearest rank."""
    ranked = sorted(values)
    return ranked[min(round(share * (len(ranked) - 1)), len(ranked) - 1)]


def watch_browser(browser: Browser, trials: int) -> dict[str, list[float]]:
    """Milliseconds from key to picture, by what was changed."""
    with streamlit(ROOT / "app.py") as address:
        page = browser.new_context(viewport=VIEW).new_page()  # type: ignore[arg-type]
        page.goto(f"{address}/reverse")
        at_rest(page)
        return {
            "slider": slider_times(page, address, trials),
            "seed": seed_times(page, address, trials),
        }


def main() -> int:
    """Measure, print, and say whether the targets hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=15, help="changes of each kind")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    executable = os.environ.get("DIFFVIZ_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        parser.error("no chromium on the PATH and none named by DIFFVIZ_CHROMIUM")
    logging.disable(logging.WARNING)

    print("2,000 points, 50 steps, 500 data points, all layers, nothing cached")
    print(f"{os.cpu_count()} cores, no GPU; load over the last minute: {os.getloadavg()[0]:.1f}\n")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        times = watch_browser(browser, options.trials)
        browser.close()
    report: dict[str, float] = {}
    print(f"{'key to new picture':<24}{'median ms':>10}{'95 % ms':>10}{'least ms':>10}")
    for name, values in times.items():
        report[f"{name}_ms_median"] = round(statistics.median(values), 1)
        report[f"{name}_ms_p95"] = round(percentile(values, 0.95), 1)
        print(f"{name:<24}{report[f'{name}_ms_median']:10.0f}{report[f'{name}_ms_p95']:10.0f}"
              f"{min(values):10.0f}")  # fmt: skip
    split = server_split(5)
    print("\nserver, median ms: " + ", ".join(f"{k} {v:.0f}" for k, v in split.items()))
    report |= {f"server_{name}_ms": round(value, 1) for name, value in split.items()}
    report["exact_over_whole_matrix"] = round(split["exact"] / split["whole_matrix"], 3)
    report["megabytes"] = round(len(shown(RunConfig()).buffer) / 1e6, 3)
    report["load_1_min_after"] = round(os.getloadavg()[0], 2)
    print(f"payload {report['megabytes']:.2f} MB")
    ratio = report["exact_over_whole_matrix"]
    print(f"on one thread, sampling takes {ratio:.2f} of the time with the whole matrix\n")
    missed = 0
    for name, target in TARGETS.items():
        held = report[name] <= target
        missed += not held
        print(
            f"{name:<24}{report[name]:10.2f}   at most {target:g}: {'held' if held else 'MISSED'}"
        )
    print(json.dumps(report))
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
