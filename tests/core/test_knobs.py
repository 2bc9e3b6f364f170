"""The numbers that a class is built with, as its signature declares them."""

from __future__ import annotations

from typing import Annotated

from diffviz.core.knobs import Knob, Range, knobs_of
from diffviz.core.samplers import DDPM, PredictorCorrector


class Turned:
    """Two numbers with a range among arguments without one."""

    def __init__(
        self,
        plain: float = 1.0,
        eta: Annotated[float, Range("how much", 0.0, 2.0, 0.5)] = 0.25,
        note: Annotated[str, "no range"] = "",
        count: Annotated[int, Range("how many", 1, 9, 2, 0)] = 3,
    ) -> None:
        self.said = plain, eta, note, count


def test_a_number_with_a_range_is_a_knob_and_nothing_else_is() -> None:
    assert knobs_of(Turned) == (
        Knob("eta", "eta (how much)", 0.25, 0.0, 2.0, 0.5, 2),
        Knob("count", "count (how many)", 3, 1, 9, 2, 0),
    )


def test_samplers_declare_theirs() -> None:
    assert [knob.name for knob in knobs_of(PredictorCorrector)] == ["snr", "corrections"]
    assert knobs_of(DDPM) == ()
