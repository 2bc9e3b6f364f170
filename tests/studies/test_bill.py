"""The figures of the generators: read, checked, and put into words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from diffviz.studies.bill import (
    COMMAND,
    KEPT,
    KINDS,
    TITLES,
    BillError,
    amount,
    duration,
    load_bill,
    markdown,
    measured,
    read_bill,
)

SAMPLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "bill_sample.json").read_text("utf-8")
)


def changed(**changes: Any) -> dict[str, Any]:
    """The sample with fields of the first row of MNIST changed; None takes a field away."""
    kept = copy.deepcopy(SAMPLE)
    row = kept["mnist"]["rows"][0]
    for name, value in changes.items():
        row[name] = value
        if value is None:
            del row[name]
    return kept


def test_rows_come_in_the_order_of_the_list_whatever_the_file_has() -> None:
    bill = read_bill(SAMPLE)
    assert bill.machine == "a laptop with two cores"
    assert list(bill.sets) == ["mnist", "fashion"]
    mnist = bill.sets["mnist"]
    assert [row.key for row in mnist.rows] == list(TITLES)
    assert SAMPLE["mnist"]["rows"][0]["key"] == "gan_refined"
    assert [row.key for row in bill.sets["fashion"].rows] == ["vae", "gan"]
    refined = mnist.row("gan_refined")
    assert refined is not None
    assert (refined.level, refined.nfe, refined.kind) == (0.35, 19, "gan")
    plain = mnist.row("vae")
    assert plain is not None
    assert plain.accuracy is None
    assert plain.level is None
    assert plain.rarest == (1, 0.08)
    assert bill.sets["fashion"].row("diffusion") is None
    assert mnist.bits[16].elbo_bits == 3.52
    assert bill.sets["fashion"].bits == {}


def test_every_row_has_a_kind_that_is_in_its_title() -> None:
    assert all(KINDS[key] in title.lower() for key, title in TITLES.items())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": "flow"}, "there is no generator 'flow'"),
        ({"key": "gan"}, "one of them twice"),
        ({"frechet": None}, "frechet is None"),
        ({"frechet": float("nan")}, "not a finite number"),
        ({"frechet": -1.0}, "below 0"),
        ({"recall": 1.2}, "above 1"),
        ({"accuracy": "high"}, "accuracy is 'high'"),
        ({"nfe": 0}, "nfe is 0"),
        ({"nfe": True}, "nfe is True"),
        ({"train_macs": None}, "train_macs is None"),
        ({"histogram": [0.1] * 9}, "has not 10 shares"),
        ({"histogram": [0.2] * 10}, "do not add up to 1"),
        ({"histogram": [1.5, -0.5, *[0.0] * 8]}, "below 0"),
    ],
)
def test_a_wrong_figure_is_named_with_its_place(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BillError, match="mnist") as caught:
        read_bill(changed(**changes))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ([], "no object"),
        ({}, "on which machine"),
        ({"machine": " "}, "on which machine"),
        ({"machine": "a laptop"}, "no set of pictures"),
        ({"machine": "a laptop", "mnist": {}}, "mnist have no rows"),
        ({"machine": "a laptop", "mnist": {"rows": []}}, "no row"),
        (SAMPLE | {"mnist": SAMPLE["mnist"] | {"floor": None}}, "mnist, floor are missing"),
        (SAMPLE | {"mnist": SAMPLE["mnist"] | {"vae16": {"elbo_bits": 1}}}, "reconstruction_bits"),
    ],
)
def test_another_form_is_refused(kept: Any, words: str) -> None:
    with pytest.raises(BillError, match=words):
        read_bill(kept)


def test_bits_may_be_negative_but_costs_may_not() -> None:
    kept = copy.deepcopy(SAMPLE)
    kept["mnist"]["vae16"]["reconstruction_bits"] = -0.3
    assert read_bill(kept).sets["mnist"].bits[16].reconstruction_bits == -0.3


def test_a_missing_or_damaged_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(BillError, match="not been measured") as caught:
        load_bill(tmp_path / "none.json")
    assert COMMAND in str(caught.value)
    (tmp_path / "half.json").write_text('{"machine": ')
    with pytest.raises(BillError, match="cannot be read") as caught:
        load_bill(tmp_path / "half.json")
    assert COMMAND in str(caught.value)
    (tmp_path / "whole.json").write_text(json.dumps(SAMPLE))
    assert load_bill(tmp_path / "whole.json") == read_bill(SAMPLE)


@pytest.mark.skipif(not KEPT.is_file(), reason="nothing has been measured yet")
def test_what_ships_is_whole() -> None:
    bill = load_bill()
    assert list(bill.sets) == ["mnist", "fashion"]
    for found in bill.sets.values():
        assert [row.key for row in found.rows] == list(TITLES)
        assert sorted(found.bits) == [2, 16]
        for bits in found.bits.values():
            assert bits.elbo_bits == pytest.approx(
                bits.reconstruction_bits + bits.kl_bits, abs=0.01
            )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (50, "50"),
        (999, "999"),
        (999.7, "1.0 k"),
        (2_107_785, "2.1 M"),
        (937_889, "938 k"),
        (1.3e9, "1.3 G"),
        (9.96e6, "10 M"),
        (9.7e15, "9.7 P"),
    ],
)
def test_amounts_have_two_or_three_figures(value: float, words: str) -> None:
    assert amount(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.00041, "0.41 ms"),
        (0.0012, "1.2 ms"),
        (0.026, "26 ms"),
        (0.9997, "1.0 s"),
        (3.2, "3.2 s"),
        (99.9, "100 s"),
        (100, "2 min"),
        (3599, "1 h"),
        (4800, "1 h 20 min"),
    ],
)
def test_times_are_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_readme_has_a_table_a_set_with_every_row() -> None:
    text = markdown(SAMPLE)
    tables = text.split("\n\n")
    assert text.endswith("Times were measured on a laptop with two cores.")
    assert tables[0].startswith("MNIST, 10,000 pictures of each")
    lines = tables[1].splitlines()
    assert len(lines) == 2 + len(TITLES)
    assert {line.count("|") for line in lines} == {11}
    assert [line.split(" |")[0].removeprefix("| ") for line in lines[2:]] == [
        *list(TITLES.values())[:6],
        "VAE, refined by diffusion (t = 0.5)",
        "GAN, refined by diffusion (t = 0.35)",
    ]
    assert lines[6] == "| GAN | 5.2 | 0.910 | 0.860 | 98.5% | 1 | 0.52 ms | 19 M | 938 k | 32 min |"
    assert tables[2].startswith("Fashion-MNIST")


def test_pages_that_do_without_get_nothing_where_nothing_can_be_read(tmp_path: Path) -> None:
    place = tmp_path / "generators.json"
    assert measured("mnist", place) is None
    for text in ("", "[]", '{"mnist": 3}', "{}"):
        place.write_text(text)
        assert measured("mnist", place) is None
    found = measured("mnist", Path(__file__).parents[1] / "bill_sample.json")
    assert found is not None
    assert found.samples == 10_000
