"""A sampler that is registered by one line is on every page: in its menus, with formula and NFE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from streamlit.testing.v1 import AppTest

from diffviz.core.samplers import SAMPLERS
from diffviz.measures.quality import SweepConfig
from diffviz.scenes.configs import DataConfig, SamplerConfig, ScheduleConfig
from diffviz.scenes.formula import steps_between
from diffviz.scenes.point_run import RunConfig, shown
from diffviz.ui.screens.arena.chart import sampler_colors
from diffviz.ui.shell.theme import LIGHT
from tests.newcomer import ThreeSteps

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def dummy() -> Iterator[None]:
    SAMPLERS["dummy"] = ThreeSteps
    yield
    del SAMPLERS["dummy"]


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("reverse", {"sampler": "dummy", "steps": "6", "n": "100"}),
        ("guidance", {"sampler": "dummy", "steps": "6"}),
        ("arena", {"a": "dummy,6,quadratic,rectified_flow,exact", "c": "none", "d": "none"}),
        ("images", {"sampler": "dummy", "steps": "2", "count": "1"}),
        ("edit", {"sampler": "dummy", "steps": "2"}),
    ],
)
def test_every_page_with_samplers_opens_with_a_new_one(page: str, query: dict[str, str]) -> None:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=120)
    for name, word in query.items():
        at.query_params[name] = word
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception, urlencode(query)
    assert not at.error
    menus = [menu for menu in at.selectbox if SAMPLERS["ddim"].title in menu.options]
    assert menus
    assert all(ThreeSteps.title in menu.options for menu in menus)


def test_its_run_has_a_formula_and_the_right_number_of_evaluations() -> None:
    sampler = SamplerConfig("dummy", 6)
    run = RunConfig(DataConfig("moons", n=100), ScheduleConfig(), sampler, samples=20)
    result = shown(run)
    assert result.evaluations == 6 * sampler.build().evaluations_a_step
    assert result.sentence == ThreeSteps.sentence
    steps = steps_between(sampler, run.schedule.build(), run.stops.times(), thinned=False)
    changes = [term for term in steps.terms if term.quantity == "change"]
    assert [term.ago for term in changes] == [0, 1]
    assert all(term.symbol.encode() in result.buffer for term in changes)


def test_budgets_and_charts_know_it() -> None:
    assert "dummy" in SweepConfig().samplers
    assert any(cell.sampler == "dummy" for cell in SweepConfig(budgets=(5,)).cells())
    assert sampler_colors(LIGHT)["dummy"]
