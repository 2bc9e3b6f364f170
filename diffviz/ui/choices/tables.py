"""The choice of a table of points: its upload, its preview, and which columns are taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from diffviz.exchange.tables import (
    MAX_CLASSES,
    MAX_ROWS,
    Choice,
    Sample,
    Table,
    TableError,
    read_table,
    take,
    uneven,
)
from diffviz.ui.choices import uploader
from diffviz.ui.shell import links

_CHOSEN = "_table_chosen"


@dataclass(frozen=True, eq=False)
class _Chosen:
    """What is taken of the session's table, and what came of it.

    Attributes:
        table: the table.
        choice: what its menus show.
        sample: the points of the last choice that made any.
        trouble: why the choice makes none.
    """

    table: Table
    choice: Choice
    sample: Sample
    trouble: str = ""


def choose_table() -> Sample | None:
    """Draw the upload of a table, its first rows and the choice of columns; return its points."""
    table = uploader.taken(uploader.TABLE, "_table", read_table)
    if table is None:
        st.caption(
            "One or two columns of numbers, with names above them or without, and perhaps a column "
            f"of 2 to {MAX_CLASSES} classes. It stays in this session and does not travel with "
            "links.",
        )
        return None
    chosen = st.session_state.get(_CHOSEN)
    if not isinstance(chosen, _Chosen) or chosen.table is not table:
        chosen = _Chosen(table, table.usual, take(table, table.usual))
        st.session_state[_CHOSEN] = chosen
    _preview(table)
    st.caption(about_table(table))
    _menus(chosen)
    if chosen.trouble:
        told = f"{links.plain(chosen.trouble)} Until then the points stay as they are."
        st.warning(told, icon=":material/warning:")
    st.caption(about_sample(chosen.sample))
    return chosen.sample


def about_table(table: Table) -> str:
    """What was found in a table, as Markdown."""
    rows = f"{len(table.lines):,} rows"
    between = f", separated by {table.separator}" if table.separator else ""
    columns = len(table.columns)
    many = "1 column" if columns == 1 else f"{columns} columns"
    names = "names in the first line" if table.named else "no names in the first line"
    cut = f" More than {MAX_ROWS:,} rows are not read: these are the first." if table.cut else ""
    return f"{rows}, {many}{between}; {names}.{cut}"


def about_sample(sample: Sample) -> str:
    """How the points of a table are scaled, and what was left out, as Markdown."""
    names = [links.plain(name) for name, _, _ in sample.scaling]
    means = [f"{mean:.4g}" for _, mean, _ in sample.scaling]
    scales = [f"{scale:.4g}" for _, _, scale in sample.scaling]
    even = len({scale for _, _, scale in sample.scaling}) == 1
    divided = scales[0] if even else " and ".join(scales)
    gaps = (
        f" {sample.gaps:,} rows with a gap are left out, the first on line {sample.first_gap:,}."
        if sample.gaps
        else ""
    )
    classes = f" {len(sample.classes)} classes." if sample.classes else ""
    return (
        f"{sample.count:,} points: {' and '.join(names)}, less their mean ({' and '.join(means)}), "
        f"divided by {divided}, so that their mean variance is 1.{classes}{gaps} Where new data "
        "are drawn to compare with, rows of this table are drawn again."
    )


def _preview(table: Table) -> None:
    st.dataframe(
        {column.name: [row[k] for row in table.preview] for k, column in enumerate(table.columns)},
        hide_index=True,
        key="_table_preview",
    )


def _menus(chosen: _Chosen) -> None:
    columns, choice = chosen.table.columns, chosen.choice
    numeric = [k for k, column in enumerate(columns) if column.numeric]
    classes = [k for k, column in enumerate(columns) if column.classes]

    def title(k: int | None) -> str:
        return "None" if k is None else columns[k].name

    with st.container(horizontal=True, gap="small"):
        if len(numeric) > 1:
            _menu("First column", "x", choice.x, numeric, title)
            _menu("Second column", "y", choice.y, [None, *numeric], title)
        if classes:
            _menu("Classes", "classes", choice.classes, [None, *classes], title)
    if choice.y is not None:
        st.session_state["_table_each"] = choice.each
        st.toggle(
            "Divide each column by its own spread",
            key="_table_each",
            on_change=_change,
            args=("each",),
            help="Else both by one number, which keeps the shape that they have together.",
        )


def _menu(
    label: str,
    field: str,
    shown: int | None,
    options: Sequence[int | None],
    title: Callable[[int | None], str],
) -> None:
    key = f"_table_{field}"
    st.session_state[key] = shown
    st.selectbox(
        label, options, format_func=title, key=key, on_change=_change, args=(field,), width=128
    )


def _change(field: str) -> None:
    """Take what a menu was set to."""
    chosen: _Chosen = st.session_state[_CHOSEN]
    changes: dict[str, Any] = {field: st.session_state[f"_table_{field}"]}
    choice = replace(chosen.choice, **changes)
    if field in ("x", "y"):
        choice = replace(choice, each=uneven(chosen.table.columns, choice.x, choice.y))
    try:
        chosen = replace(chosen, choice=choice, sample=take(chosen.table, choice), trouble="")
    except TableError as error:
        chosen = replace(chosen, choice=choice, trouble=str(error))
    st.session_state[_CHOSEN] = chosen
