"""What leaves the app as a file: the curves of schedules as CSV and JSON."""

from __future__ import annotations

import csv
import inspect
import io
import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from diffviz.curves import Chain, chain
from diffviz.schedules import DiscreteVP, Schedule

__all__ = ["curves_to_csv", "curves_to_json"]

_COLUMNS = tuple(field.name for field in fields(Chain))
_ABOUT = (
    "x_t = alpha_t x_0 + sigma_t eps. Entry k of each list is about noising k + 1 of {n}, which "
    "ends at time t; beta is the variance it adds, posterior_variance that of the state before it "
    "given the state after it and x_0. null stands for minus infinity."
)


def curves_to_csv(schedules: Mapping[str, Schedule]) -> str:
    """Return every quantity of every noising of some schedules as one long table.

    Columns: schedule, k (the noising, from 1), then those of ``Chain``.  A log-SNR of minus
    infinity is written -inf.

    Args:
        schedules: by the name to write in the first column.
    """
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(("schedule", "k", *_COLUMNS))
    for name, schedule in schedules.items():
        table = np.stack([getattr(chain(schedule), column).numpy() for column in _COLUMNS], axis=1)
        for k, row in enumerate(table.tolist(), start=1):
            writer.writerow((name, k, *(f"{value:.10g}" for value in row)))
    return sheet.getvalue()


def curves_to_json(schedules: Mapping[str, Schedule]) -> str:
    """Return the same numbers as JSON, with the parameters of each schedule.

    Args:
        schedules: by the name to write.
    """
    entries = [_entry(name, schedule) for name, schedule in schedules.items()]
    return json.dumps({"schedules": entries}, allow_nan=False)


def _entry(name: str, schedule: Schedule) -> dict[str, Any]:
    table = chain(schedule)
    columns = {column: _numbers(getattr(table, column).tolist()) for column in _COLUMNS}
    return {
        "name": name,
        "class": type(schedule).__name__,
        "parameters": _parameters(schedule),
        "discrete": isinstance(schedule, DiscreteVP),
        "steps": len(table.t),
        "about": _ABOUT.format(n=len(table.t)),
        **columns,
    }


def _parameters(schedule: Schedule) -> dict[str, Any]:
    arguments = inspect.signature(type(schedule).__init__).parameters
    known = {name: getattr(schedule, name, None) for name in arguments}
    return {name: v for name, v in known.items() if isinstance(v, int | float | tuple)}


def _numbers(values: list[float]) -> list[float | None]:
    return [float(f"{value:.10g}") if math.isfinite(value) else None for value in values]
