"""A table as data: its menus, what they say, and the pages that show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from diffviz.exchange.tables import Choice, Sample, read_table, take
from diffviz.scenes import guidance as guidance_run
from diffviz.scenes import models
from diffviz.scenes.configs import DataConfig, SamplerConfig
from diffviz.scenes.point_run import RunConfig
from diffviz.scenes.script import can_be_written
from diffviz.ui.choices.tables import about_sample, about_table
from diffviz.ui.screens.guidance.words import class_name, title_of
from tests.ui.keys import address, knobs

APP = Path(__file__).resolve().parents[3] / "app.py"


def text(rows: int = 40) -> bytes:
    """x, y near two centers, z on another scale, and the center's name."""
    rng = np.random.default_rng(0)
    lines = ["x,y,z,kind"]
    for k in range(rows):
        x, y = rng.normal((k % 2) * 4, 1, 2)
        lines.append(f"{x:.4f},{y:.4f},{1000 * y:.3f},{('Left *', 'Right')[k % 2]}")
    return "\n".join(lines).encode()


def sample(choice: Choice | None = None, rows: int = 40) -> Sample:
    table = read_table(text(rows))
    return take(table, choice or table.usual)


# As data ----------------------------------------------------------------------------------------


def test_a_table_is_data_of_its_own_kind_and_classes() -> None:
    data = DataConfig("table", 30, 1, table=sample())
    assert (data.kind, data.classes, data.title) == ("2-D", 2, "Your table")
    points, labels = data.labelled()
    assert points.shape == (30, 2)
    assert labels.unique().tolist() == [0, 1]
    assert torch.equal(data.load(), points)
    line = DataConfig("table", 10, table=sample(Choice(2)))
    assert (line.kind, line.classes, line.load().shape) == ("1-D", 1, (10, 1))


def test_new_data_of_a_table_are_its_rows_drawn_again() -> None:
    data = DataConfig("table", 40, table=sample())
    fresh = data.fresh(400, 5)
    assert fresh.shape == (400, 2)
    assert len(fresh.unique(dim=0)) <= 40
    assert len(data.fresh(40, 5).unique(dim=0)) < 40
    moons = DataConfig("moons", 10)
    assert torch.equal(moons.fresh(20, 3), DataConfig("moons", 20, 3).load())


def test_without_a_table_it_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"No table is here yet \(tables do not travel with links"):
        DataConfig("table").load()


def test_what_a_table_cannot_have_is_not_offered() -> None:
    data = DataConfig("table", 40, table=sample())
    assert models.shipped(data) is None
    assert not can_be_written(RunConfig(data))


def test_guidance_asks_for_the_classes_of_a_table() -> None:
    data = DataConfig("table", 40, table=sample())
    setting = guidance_run.Setting(
        data, 1, sampler=SamplerConfig("heun", 40, "karras"), samples=200
    )
    assert class_name(data, 1) == "Right"
    assert title_of(setting) == "the class “Right”"
    assert title_of(replace(setting, label=0)) == r"the class “Left \*”"
    found = guidance_run.measured(setting, 1.0)
    assert found.share > 0.9
    assert found.spread == pytest.approx(1, abs=0.3)
    assert guidance_run.run(replace(setting, label=None), 1.0).x_t.shape[1:] == (200, 2)


# In words ---------------------------------------------------------------------------------------


def test_words_about_a_table_and_its_points() -> None:
    table = read_table(b"a_1;b\n1,5;2\n;5\n2,5;3\n")
    assert about_table(table) == (
        "3 rows, 2 columns, separated by semicolons; names in the first line."
    )
    assert about_sample(take(table, Choice(0, 1))) == (
        r"2 points: a\_1 and b, less their mean (2 and 2.5), divided by 0.5, so that their mean "
        "variance is 1. 1 rows with a gap are left out, the first on line 3. Where new data are "
        "drawn to compare with, rows of this table are drawn again."
    )
    each = about_sample(take(table, Choice(0, 1, each=True)))
    assert "divided by 0.5," in each, "both spread by 0.5"
    single = read_table(b"1\n2\n4\n")
    assert about_table(single) == "3 rows, 1 column; no names in the first line."


# On a page --------------------------------------------------------------------------------------


def page() -> None:
    import streamlit as st

    from diffviz.ui.choices import controls
    from diffviz.ui.shell import links, theme

    theme.header("Page", "A sentence.", "exact")
    kinds = st.session_state.get("kinds", ("1-D", "2-D", "image"))
    labelled = st.session_state.get("labelled", False)
    with controls.bar():
        st.session_state["found"] = controls.choose_data(kinds, labelled=labelled)
    links.sync()


def open_page(**state: object) -> AppTest:
    at = AppTest.from_function(page, default_timeout=60)
    at.query_params["data"] = "table"
    for name, value in state.items():
        at.session_state[name] = value
    return at.run()


def bring(at: AppTest, content: bytes) -> AppTest:
    return at.file_uploader(key="_table").upload("t.csv", content, "text/csv").run()


def chosen(at: AppTest) -> DataConfig:
    assert not at.exception
    data = at.session_state["found"]
    assert isinstance(data, DataConfig)
    return data


def told(at: AppTest) -> str:
    return " ".join(box.value for box in at.warning)


def test_a_link_to_a_table_says_that_none_is_here() -> None:
    at = open_page()
    assert "No table is here yet" in told(at)
    assert "Until then this stays: Two moons." in told(at)
    assert chosen(at) == DataConfig()


def test_a_table_is_shown_with_its_menus() -> None:
    at = bring(open_page(), text())
    data = chosen(at)
    assert not at.warning
    assert (data.name, data.n, data.kind, data.classes) == ("table", 40, "2-D", 2)
    assert [c.name for c in read_table(text()).columns] == list(at.dataframe[0].value.columns)
    assert [at.selectbox(key=f"_table_{k}").value for k in ("x", "y", "classes")] == [0, 1, 3]
    assert knobs(at)["n@40 rows"]["stops"][-1] == 40
    assert address(at) == {"data": "table"}


def test_columns_can_be_chosen_and_what_makes_no_points_is_told() -> None:
    at = bring(open_page(), text())
    at.selectbox(key="_table_y").set_value(2).run()
    assert chosen(at).table == sample(Choice(0, 2, 3, each=True)), "z is a thousand times as wide"
    assert at.toggle(key="_table_each").value
    at.toggle(key="_table_each").set_value(False).run()
    assert chosen(at).table == sample(Choice(0, 2, 3))
    before = chosen(at).table
    at.selectbox(key="_table_y").set_value(0).run()
    assert "Both columns are 'x'" in told(at)
    assert chosen(at).table == before
    at.selectbox(key="_table_y").set_value(None).run()
    at.selectbox(key="_table_classes").set_value(None).run()
    assert not at.warning
    assert chosen(at).table == sample(Choice(0))
    assert chosen(at).kind == "1-D"
    at.run()
    assert chosen(at).table == sample(Choice(0)), "the menus keep what was chosen"


def test_a_bad_table_is_told_and_the_last_one_stays() -> None:
    at = bring(open_page(), text())
    before = chosen(at)
    bring(at, b"x,y\n1,2\n3,four\n5,6\n7,8\n")
    assert "Line 3, column 'y', says 'four'" in told(at)
    assert chosen(at) == before
    bring(at, text(50))
    assert (chosen(at).n, told(at)) == (50, "")


def test_a_page_of_points_in_the_plane_asks_for_a_second_column() -> None:
    at = bring(open_page(kinds=("2-D",)), b"1.5\n2.5\n7\n")
    assert "one column of this table is chosen" in told(at)
    assert chosen(at).name == "moons"


def test_a_page_of_classes_asks_for_them() -> None:
    at = bring(open_page(kinds=("2-D",), labelled=True), b"1.5,2.5\n2.5,9\n7,3.25\n")
    assert "no column of this table is chosen for them" in told(at)
    assert chosen(at).name == "moons"


@pytest.mark.parametrize("name", ["forward", "reverse", "training", "guidance", "arena"])
def test_pages_show_a_table(name: str) -> None:
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.switch_page(f"pages/{name}.py")
    for key, value in {"data": "table", "samples": 100}.items():
        if key == "data" or name in ("reverse", "guidance", "arena"):
            at.query_params[key] = str(value)
    at.run()
    assert "No table is here yet" in told(at)
    bring(at, text())
    assert not at.exception
    assert not at.error
    assert not at.warning
    assert "40 points: x and y" in " ".join(word.value for word in at.caption)
