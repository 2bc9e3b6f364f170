"""Tables of points: what programs write is read, and what is wrong is told by line and column."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from diffviz.exchange import tables
from diffviz.exchange.tables import (
    MAX_BYTES,
    MAX_CLASSES,
    Choice,
    Sample,
    Table,
    TableError,
    read_table,
    take,
    uneven,
)


def table(text: str, coding: str = "utf-8") -> Table:
    return read_table(text.encode(coding))


def numbers(found: Table) -> list[list[float]]:
    """The numbers of all columns, row by row."""
    return np.stack([column.numbers for column in found.columns], axis=1).tolist()


def names(found: Table) -> list[str]:
    return [column.name for column in found.columns]


def points(sample: Sample) -> np.ndarray:
    return np.frombuffer(sample.data, np.float32).reshape(-1, sample.dim)


ROWS = [[1.5, -2.0], [0.25, 4.0], [3.0, 0.5]]


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("1.5,-2\n0.25,4\n3,0.5\n", "commas"),
        ("1.5, -2\r\n0.25, 4\r\n3, .5\r\n", "commas"),
        ("1.5;-2\r0.25;4\r3;0.5", "semicolons"),
        ("1,5;-2\n0,25;4\n3;,5\n", "semicolons"),
        ("1,5\t-2\n0,25\t4\n3\t0,5\n", "tabs"),
        ("1.5|-2\n0.25|4\n3|0.5\n", "bars"),
        ("  1.5   -2\n0.25 4 \n\n3\t 5e-1\n", "spaces"),
        ("# x y\n1.5 -2.0\n# more\n2.5e-1 4\n3 0.5\n", "spaces"),
        ("sep=;\n1,5;-2\n0,25;4\n3;0,5\n", "semicolons"),
        ('"1.5","-2"\n"0.25","4"\n"3","0.5"\n', "commas"),
        ("\ufeff1.5,-2\n0.25,4\n3,0.5,\n", "commas"),
    ],
)
def test_separators_decimal_signs_and_ends_of_lines(text: str, separator: str) -> None:
    found = table(text)
    assert (found.separator, found.named) == (separator, False)
    assert names(found) == ["column 1", "column 2"]
    assert numbers(found) == ROWS
    assert found.usual == Choice(0, 1, None, False)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
def test_names_in_every_coding(coding: str) -> None:
    text = ("\ufeff" if coding == "utf-16-be" else "") + "Größe;Länge\n1,5;-2\n0,25;4\n3;0,5\n"
    found = table(text, coding)
    assert found.named
    assert names(found) == ["Größe", "Länge"]
    assert numbers(found) == ROWS


def test_a_single_column_is_numbers_on_a_line() -> None:
    for text, named in (("1.5\n0.25\n3\n", False), ("a\n1.5\n0.25\n3\n", True)):
        found = table(text)
        assert (found.separator, found.named, found.usual) == ("", named, Choice(0))
        assert take(found, found.usual).dim == 1


def test_thousands_are_told_from_decimals() -> None:
    both = table('a;b\n"1.234,5";2\n"2.000";3,5\n7;4\n')
    assert numbers(both) == [[1234.5, 2], [2000, 3.5], [7, 4]]
    points_and_commas = table('a,b\n"1,234.5",2\n"2,000",3.5\n7,4\n')
    assert numbers(points_and_commas) == [[1234.5, 2], [2000, 3.5], [7, 4]]
    quoted = table('a,b\n"1,234",2\n"2,000",3.5\n7,4\n')
    assert numbers(quoted) == [[1234, 2], [2000, 3.5], [7, 4]]


def test_quoted_cells_may_hold_separators_and_ends_of_lines() -> None:
    found = table('"the ""x""","a, b"\n"North, far",1.5\n"two\nlines",2.5\nC,4\n')
    assert names(found) == ['the "x"', "a, b"]
    assert found.preview[:2] == (("North, far", "1.5"), ("two lines", "2.5"))
    assert found.lines.tolist() == [2, 3, 5]


def test_names_are_told_apart_and_what_is_missing_gets_one() -> None:
    assert names(table("x,x,\n1,2,3\n4,5,7\n")) == ["x", "x (2)", "column 3"]
    assert names(table("x y\n7 1.5 -2\n8 0.25 4\n9 3 0.5\n")) == ["row", "x", "y"], "as R does"


IRIS = "Id,length,width,kind\n" + "".join(
    f"{k + 1},{5 + k / 7:.3f},{3 - k / 9:.3f},{('setosa', 'versicolor')[k % 2]}\n"
    for k in range(20)
)


def test_usually_measurements_are_points_and_words_are_classes() -> None:
    found = table(IRIS)
    assert found.usual == Choice(1, 2, 3, False)
    sample = take(found, found.usual)
    assert (sample.dim, sample.count, sample.classes) == (2, 20, ("setosa", "versicolor"))
    assert np.frombuffer(sample.codes, np.int64).tolist() == [0, 1] * 10


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("x,y,c\n1.5,2,0\n2.5,7.5,1\n3.5,1,0\n9,9.5,1\n", Choice(0, 1, 2)),
        ("value,c\n1.5,0\n2.5,1\n3.5,0\n9,1\n", Choice(0, None, 1)),
        ("c,x,y,d\na,1.5,2,0\nb,2.5,7.5,1\na,3.5,1,0\nb,9,9.5,1\n", Choice(1, 2, 0)),
        ("a,b\n1,2\n2,1\n1,1\n2,2\n", Choice(0, 1, None)),  # dice: both would be classes
        ("n,x\n0,1.5\n1,2.5\n2,7.5\n", Choice(1, None, None)),
        ("n\n0\n1\n2\n3\n", Choice(0)),
        ("flat,x\n3,1.5\n3,2.5\n3,7.5\n", Choice(1)),
        ("year,price\n1990,1000.5\n1995,90000.5\n2001,40000.25\n", Choice(0, 1, None, True)),
    ],
)
def test_what_is_taken_if_nothing_is_chosen(text: str, usual: Choice) -> None:
    assert table(text).usual == usual


def test_whole_numbers_are_classes_in_order_and_names_are_not() -> None:
    found = table("x,c,who\n" + "".join(f"{k}.5,{(10, 9, -1)[k % 3]},p{k}\n" for k in range(12)))
    assert found.columns[1].classes == ("-1", "9", "10")
    assert found.columns[1].codes[:4].tolist() == [2, 1, 0, 2]
    assert found.columns[2].classes == (), "no name comes twice"
    many = table("x,c\n" + "".join(f"{k}.5,w{k % 11}\n" for k in range(44)))
    assert many.columns[1].classes == (), f"more than {MAX_CLASSES}"


def test_points_are_brought_to_mean_0_and_mean_variance_1() -> None:
    found = table(IRIS)
    whole = take(found, Choice(1, 2))
    x = np.stack([found.columns[1].numbers, found.columns[2].numbers], 1)
    scale = np.sqrt(x.var(axis=0).mean())
    np.testing.assert_allclose(points(whole), (x - x.mean(0)) / scale, atol=1e-6)
    name, mean, divided = whole.scaling[1]
    assert (name, mean, divided) == ("width", pytest.approx(x[:, 1].mean()), pytest.approx(scale))
    each = points(take(found, Choice(1, 2, each=True)))
    np.testing.assert_allclose(each.var(axis=0), [1, 1], atol=1e-5)
    line = points(take(found, Choice(2)))
    np.testing.assert_allclose([line.mean(), line.var()], [0, 1], atol=1e-5)


def test_numbers_far_from_the_origin_keep_their_shape() -> None:
    near = take(table("0,1\n2,5\n7,3\n"), Choice(0, 1))
    far = take(table("1e9,1\n1000000002,5\n1000000007,3\n"), Choice(0, 1))
    np.testing.assert_allclose(points(far), points(near), atol=1e-6)


def test_uneven_columns_are_found() -> None:
    found = table("a,b,c\n1,100.5,2\n2,250.5,4\n4,400.25,1\n")
    assert uneven(found.columns, 0, 1)
    assert not uneven(found.columns, 0, 2)
    assert not uneven(found.columns, 1, None)


@pytest.mark.parametrize("gap", ["", "NA", "NaN", " null ", "?", "-inf"])
def test_rows_with_gaps_are_left_out_and_counted(gap: str) -> None:
    found = table(f"x,y\n1,2.5\n{gap},3\n4,0.5\n6\n7,8\n")
    sample = take(found, Choice(0, 1))
    assert (sample.count, sample.gaps, sample.first_gap) == (3, 2, 3)
    assert take(found, Choice(0)).gaps == 1
    classes = table(f"x,c\n1.5,a\n2.5,b\n3.5,{gap}\n4.5,b\n5.5,a\n")
    assert take(classes, Choice(0, None, 1)).gaps == 1
    assert classes.columns[1].classes == ("a", "b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,y\n1,2\n3,abc\n5,6\n7,8\n", "Line 3, column 'y', says 'abc', which is no number"),
        ("x;y\n1,5;2\n2.5;3\n4,5;4\n", "Line 3, column 'x', says '2.5', .* decimal commas"),
        ("x,y\n1,2\n3,1e300\n5,6\n7,8\n", "Line 3, column 'y', says '1e300'"),
        ("x,y\n1,2\n3,4,5\n", "Line 3 has 3 cells, and there are 2 columns"),
        ("x,y\n1.5,2\n\n# note\n3.5,4,5\n", "Line 5 has 3 cells"),
        ("x\n3\n3\n3\n", "Column 'x' says 3 in every row"),
        ("x\n1e16\n1e16\n1e16\n", "in every row"),
        ("a b\nc d\n", "No column of this table holds numbers"),
        ("x,y\n1,\n,2\n3,\n,4\n", "Only 0 of the 4 rows have a number in 'x' and 'y'"),
        ("x\n1\n", "Only 1 of the 1 rows"),
        (",".join("abc" * 17) + "\n" + ",".join(["1"] * 51), "51 columns and at most 50"),
        ("\n\n  \n", "is empty"),
        ("# only\n# notes\n", "is empty"),
        ("x,y\n" + "1,2\n" * 60 + '3,"4\n' + "5,6\n" * 9, "Line 62 opens a quotation mark"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_column(text: str, words: str) -> None:
    with pytest.raises(TableError, match=words):
        table(text)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04" + bytes(60), "an Excel, OpenDocument or ZIP file"),
        (b"\xd0\xcf\x11\xe0" + bytes(60), "an Excel file"),
        (b"PAR1" + bytes(60), "a Parquet file"),
        (b"%PDF-1.7\n", "a PDF file"),
        (b'{"a": 1}', "a JSON file"),
        (b"<html><table>", "an HTML or XML file"),
        (pickle.dumps([1.0, 2.0]), "not plain text"),
        (bytes(1000), "not plain text"),
        (b"1,2\n" * (MAX_BYTES // 4 + 1), "at most 5 MB"),
    ],
)
def test_what_is_no_table_is_named(data: bytes, words: str) -> None:
    with pytest.raises(TableError, match=words):
        read_table(data)


def test_a_column_that_is_not_taken_may_be_anything() -> None:
    found = table("x,y,note\n1.5,2,7\n3.5,4,later\n5.5,7,8\n")
    assert take(found, Choice(0, 1)).count == 3
    with pytest.raises(TableError, match="Line 3, column 'note', says 'later'"):
        take(found, Choice(0, 2))
    with pytest.raises(TableError, match="Both columns are 'x'"):
        take(found, Choice(0, 0))


def test_of_a_long_table_the_first_rows_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 40)
    for named in ("", "x,y\n"):
        rows = "".join(f"{k % 97},{k % 89}.5\n" for k in range(41))
        found = table(named + rows)
        assert (len(found.lines), found.cut) == (40, True)
        assert not table(named + rows[: rows.rindex("40,")]).cut


def test_points_are_drawn_without_repeats_and_again_where_that_is_asked() -> None:
    sample = take(table(IRIS), Choice(1, 2, 3))
    x, labels = sample.draw(20, 0)
    assert (x.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert len(x.unique(dim=0)) == 20
    assert_close(sample.draw(7, 0)[0], x[:7])
    assert not torch.equal(sample.draw(20, 1)[0], x)
    for row, label in zip(x, labels, strict=True):
        at = int(np.abs(points(sample) - row.numpy()).sum(1).argmin())
        assert label == np.frombuffer(sample.codes, np.int64)[at]
    assert len(sample.draw(500, 0)[0].unique(dim=0)) == 20
    assert len(sample.draw(20, 0, again=True)[0].unique(dim=0)) < 20


def test_equal_samples_are_equal_keys() -> None:
    one, other = (take(table(IRIS), Choice(1, 2, 3)) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != take(table(IRIS), Choice(1, 2))


def test_random_damage_raises_nothing_but_table_errors() -> None:
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        data = bytearray(IRIS.encode())
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(len(data)))
            data[at : at + int(rng.integers(4))] = rng.choice(
                [b'"', b",", b"\n", b"x", b"\xff", b";"]
            )
        try:
            found = read_table(bytes(data))
        except TableError as error:
            refused += str(error).endswith(".")
        else:
            assert np.isfinite(points(take(found, found.usual))).all()
    assert 20 < refused < 300
