r"""Tables of points that people bring: CSV, TSV and other plain text becomes a set of points.

A table comes from any program: separated by commas, semicolons, tabs, bars or spaces; with decimal
points or commas; with quotes, a byte-order mark, names in its first line or none, gaps, and a
column that says which class a row is of.  ``read_table`` finds all of that out; ``take`` makes
points of one or two columns, brought to the size of the built-in sets,

    x <- (x - mean(x)) / s,

with one s for both columns, the square root of their mean variance, or one for each column.
Whatever is wrong becomes a ``TableError`` that names the line and the column.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffviz.exchange.archives import distinct

__all__ = [
    "MAX_BYTES",
    "MAX_CLASSES",
    "MAX_COLUMNS",
    "MAX_ROWS",
    "Choice",
    "Column",
    "Sample",
    "Table",
    "TableError",
    "read_table",
    "take",
    "uneven",
]

MAX_BYTES = 5_000_000
"""The largest file that is read."""

MAX_ROWS = 100_000
"""The most rows that are read, the first ones."""

MAX_COLUMNS = 50
"""The most columns that a table may have."""

MAX_CLASSES = 10
"""The most classes that a column may tell apart: as many as there are colors for."""

_PREVIEW = 5  # rows
_SNIFFED = 50  # rows from which the separator is found
_UNEVEN = 3.0  # columns whose spreads differ more than this are taken to have different units
_LARGEST = 1e100  # in size: the squares of larger numbers are no numbers any more
_FLAT = 1e-12  # of the largest number: less spread than this is rounding
_LONGEST = 40  # characters of a name, or of a cell in a message
_OPEN = 3  # lines in one cell that mean a quotation mark was left open
_SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars", " ": "spaces"}
_GAPS = frozenset(
    (
        "",
        "-",
        "?",
        ".",
        "na",
        "n/a",
        "#n/a",
        "nan",
        "null",
        "none",
        "missing",
        "inf",
        "+inf",
        "-inf",
    )
)
_NUMBER = {  # by the decimal sign; the other one may group thousands
    ".": re.compile(
        r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(?<=\d)(\.\d*)?(e[+-]?\d+)?|[+-]?\.\d+(e[+-]?\d+)?"
    ),
    ",": re.compile(
        r"[+-]?(\d{1,3}(\.\d{3})+|\d+)?(?<=\d)(,\d*)?(e[+-]?\d+)?|[+-]?,\d+(e[+-]?\d+)?"
    ),
}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "an Excel, OpenDocument or ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an Excel file"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"%PDF", "a PDF file"),
    (b"\x1f\x8b", "a packed file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"{", "a JSON file"),
    (b"<", "an HTML or XML file"),
)

Floats = NDArray[np.float64]
Row = tuple[int, list[str]]  # the number of its line, and its cells


class TableError(ValueError):
    """A table that makes no points; the message says what happened, where, and what to do."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table.

    Attributes:
        name: fit for display, unlike those of the others.
        numbers: (N,) float64, NaN where there is none.
        numeric: whether it holds more numbers than other words.
        trouble: of a numeric column, where its first other word is and what it says; else empty.
        classes: the values that it tells apart, in order, if they are few; else empty.
        codes: (N,) int64, which of them a row has; -1 in a gap.
        counts: whether it only numbers the rows.
    """

    name: str
    numbers: Floats
    numeric: bool
    trouble: str
    classes: tuple[str, ...]
    codes: NDArray[np.int64]
    counts: bool

    @property
    def flat(self) -> bool:
        """Whether all its numbers are one."""
        known = self.numbers[np.isfinite(self.numbers)]
        return not len(known) or float(known.std()) <= _FLAT * float(np.abs(known).max())


@dataclass(frozen=True)
class Choice:
    """What is taken of a table.

    Attributes:
        x: index of the first column.
        y: of the second, None for numbers on a line.
        classes: of the column that says which class a row is of, None for none.
        each: whether each column is divided by its own spread; else both by one number.
    """

    x: int
    y: int | None = None
    classes: int | None = None
    each: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """A table that was read.

    Attributes:
        columns: all of them.
        lines: (N,) the number of each row's line in the file.
        preview: the first rows as they stand in the file.
        separator: what stands between cells, in words; empty for a single column.
        named: whether the first line holds names.
        cut: whether there are more rows than are read.
        usual: what is taken if the reader chooses nothing.
    """

    columns: tuple[Column, ...]
    lines: NDArray[np.int64]
    preview: tuple[tuple[str, ...], ...]
    separator: str
    named: bool
    cut: bool
    usual: Choice


@dataclass(frozen=True)
class Sample:
    """Points of a table, brought to the size of the built-in sets.

    Attributes:
        dim: 1 or 2.
        data: (N, dim) float32, as bytes, so that it can be part of a key.
        codes: (N,) int64, as bytes: the class of each point, 0 where there are none.
        classes: their names; empty where there are none.
        scaling: (name, mean, s) of each column.
        gaps: rows that were left out, for a gap in one of the columns.
        first_gap: the line of the first of these, 0 where there are none.
    """

    dim: int
    data: bytes = field(repr=False)
    codes: bytes = field(repr=False)
    classes: tuple[str, ...]
    scaling: tuple[tuple[str, float, float], ...]
    gaps: int
    first_gap: int

    @property
    def count(self) -> int:
        """How many points there are."""
        return len(self.data) // (4 * self.dim)

    def draw(self, n: int, seed: int, *, again: bool = False) -> tuple[Tensor, Tensor]:
        """Draw some of the points at random.

        Args:
            n: how many.
            seed: of the choice; a larger n with the same seed continues the same order.
            again: whether a point may come again; else only where there are fewer than n.

        Returns:
            Points (n, dim), float32, and the class of each, (n,) int64.
        """
        rng = np.random.default_rng(seed)
        again = again or n > self.count
        chosen = rng.integers(self.count, size=n) if again else rng.permutation(self.count)[:n]
        points = np.frombuffer(self.data, np.float32).reshape(-1, self.dim)[chosen]
        labels = np.frombuffer(self.codes, np.int64)[chosen]
        return torch.from_numpy(points), torch.from_numpy(labels)


# Points of a table ------------------------------------------------------------------------------


def take(table: Table, choice: Choice) -> Sample:
    """Make points of one or two columns; rows with a gap in what is chosen are left out.

    Raises:
        TableError: a column with other words between its numbers, without spread, or chosen twice;
            too few rows.
    """
    axes = [table.columns[k] for k in (choice.x, choice.y) if k is not None]
    if choice.x == choice.y:
        raise TableError(f"Both columns are {axes[0].name!r}: choose two different ones.")
    for column in axes:
        if column.trouble:
            raise TableError(column.trouble)
    labels = None if choice.classes is None else table.columns[choice.classes]
    x = np.stack([column.numbers for column in axes], axis=1)
    whole = np.asarray(np.isfinite(x).all(axis=1))
    if labels is not None:
        whole &= labels.codes >= 0
    x, gaps = x[whole], int((~whole).sum())
    if len(x) < 2:
        names = " and ".join(repr(column.name) for column in axes)
        raise TableError(
            f"Only {len(x)} of the {len(whole):,} rows have a number in {names}, and points need "
            "at least 2: choose other columns, or fill the gaps."
        )
    mean, spread = x.mean(axis=0), x.std(axis=0)
    for column, s, part in zip(axes, spread, x.T, strict=True):
        if s <= _FLAT * np.abs(part).max():
            raise TableError(
                f"Column {column.name!r} says {part[0]:g} in every row, so its points have no "
                "spread: choose another column."
            )
    scale = spread if choice.each else np.full(len(axes), np.sqrt((spread**2).mean()))
    codes = np.zeros(len(x), np.int64) if labels is None else labels.codes[whole]
    return Sample(
        len(axes),
        ((x - mean) / scale).astype(np.float32).tobytes(),
        codes.tobytes(),
        () if labels is None else labels.classes,
        tuple(zip((c.name for c in axes), mean.tolist(), scale.tolist(), strict=True)),
        gaps,
        int(table.lines[~whole][0]) if gaps else 0,
    )


def _usual(columns: Sequence[Column]) -> Choice:
    """The first columns of numbers that look like measurements, and what looks like classes."""
    numeric = [k for k, column in enumerate(columns) if column.numeric]
    if not numeric:
        raise TableError(
            "No column of this table holds numbers, so it has no points: choose a table with one "
            "or two columns of numbers."
        )
    ranks = {k: _rank(columns[k]) for k in numeric}
    axes = [k for k in numeric if ranks[k] == min(ranks.values())][:2]
    classes = [k for k, column in enumerate(columns) if column.classes and k not in axes]
    words = [k for k in classes if not columns[k].numeric]
    x, y = axes[0], axes[1] if len(axes) > 1 else None
    of = words[0] if words else classes[-1] if classes else None
    return Choice(x, y, of, uneven(columns, x, y))


def uneven(columns: Sequence[Column], x: int, y: int | None) -> bool:
    """Whether two columns spread so differently that one number for both would flatten one."""
    spreads = [float(np.nanstd(columns[k].numbers)) for k in (x, y) if k is not None]
    return max(spreads) > _UNEVEN * min(spreads)


def _rank(column: Column) -> int:
    """How little a column of numbers looks like a measurement."""
    if column.flat:
        return 3
    return 2 if column.counts else 1 if column.classes else 0


# From bytes to columns --------------------------------------------------------------------------


def read_table(data: bytes) -> Table:
    """Read a table from plain text.

    Args:
        data: the whole file.

    Raises:
        TableError: no plain text, too large, rows of different length, no column of numbers, or
            other words between the numbers of the columns that are taken.
    """
    text = _text(data)
    separator = _separator(text)
    rows = list(islice(_rows(text, separator), MAX_ROWS + 2))
    if not rows:
        raise TableError("This table is empty: choose a file with a row for each point.")
    names = _names(rows)
    if names is not None:
        rows = rows[1:]
    cut = len(rows) > MAX_ROWS
    rows = rows[:MAX_ROWS]
    width = len(rows[0][1]) if names is None else len(names)
    if names is not None and all(len(cells) == width + 1 for _, cells in rows):
        names, width = ["row", *names], width + 1  # as R writes them
    _check(rows, width)
    titles = _titles(names, width)
    lines = np.array([line for line, _ in rows], dtype=np.int64)
    columns = tuple(
        _column(title, [cells[k] if k < len(cells) else "" for _, cells in rows], lines, separator)
        for k, title in enumerate(titles)
    )
    preview = tuple(tuple((*c, *[""] * width)[:width]) for _, c in rows[:_PREVIEW])
    between = _SEPARATORS[separator] if width > 1 else ""
    table = Table(columns, lines, preview, between, names is not None, cut, _usual(columns))
    take(table, table.usual)
    return table


def _text(data: bytes) -> str:
    if not data.strip():
        raise TableError("This file is empty: choose a table with a row for each point.")
    if len(data) > MAX_BYTES:
        raise TableError(
            f"This file has {len(data) / 1e6:.1f} MB and at most {MAX_BYTES / 1e6:.0f} MB are "
            "read: leave out rows or columns and try again."
        )
    start = data[:64].lstrip()
    for magic, what in _OTHERS:
        if start.startswith(magic):
            raise TableError(f"This is {what}, not plain text: {_SAVE_AS}")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")
    if "\0" in text:
        raise TableError(f"This file is not plain text, so it is no table: {_SAVE_AS}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


_SAVE_AS = "save the table as CSV or TSV and choose that."


def _rows(text: str, separator: str) -> Iterator[Row]:
    """The rows that hold anything, without comments (#) and without spaces around cells."""
    lines: Iterable[str] = StringIO(text)
    if separator == " ":
        lines = (" ".join(line.split()) for line in lines)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.count("\n") > _OPEN for cell in cells):
                raise csv.Error
            stripped = [" ".join(cell.split()) for cell in cells]
            if any(stripped) and not stripped[0].startswith("#") and not _is_hint(stripped):
                yield start, stripped
            start = reader.line_num + 1
    except csv.Error:
        raise TableError(
            f"Line {start:,} opens a quotation mark and does not close it: correct it there."
        ) from None


def _is_hint(cells: list[str]) -> bool:
    """Whether this is the line by which a table tells Excel its separator."""
    return cells[0].lower().startswith("sep=")


def _separator(text: str) -> str:
    """What stands between the cells: what parts the text best into numbers, evenly."""
    found = {}
    for rank, separator in enumerate(_SEPARATORS):
        try:
            rows = [cells for _, cells in islice(_rows(text, separator), _SNIFFED)]
        except TableError:
            continue
        if not rows:
            continue
        width, often = Counter(map(len, rows)).most_common(1)[0]
        body = [cell for cells in rows[1:] or rows for cell in cells if len(cells) == width]
        share = sum(map(_is_number_or_gap, body)) / max(len(body), 1)
        found[separator] = (round(often / len(rows) * share, 3), width > 1, -rank)
    return max(found, key=found.__getitem__, default=",")


def _is_number_or_gap(cell: str) -> bool:
    return cell.lower() in _GAPS or _is_number(cell)


def _is_number(cell: str) -> bool:
    return any(form.fullmatch(cell.lower()) for form in _NUMBER.values())


def _names(rows: Sequence[Row]) -> list[str] | None:
    """The cells of the first row if they are names: words above numbers."""
    first, rest = rows[0][1], rows[1:]
    if any(map(_is_number, first)):
        return None
    below = any(_is_number(cell) for _, cells in rest[:_SNIFFED] for cell in cells)
    return first if below else None


def _check(rows: Sequence[Row], width: int) -> None:
    if width > MAX_COLUMNS:
        raise TableError(
            f"This table has {width:,} columns and at most {MAX_COLUMNS} are read: leave out those "
            "that are no points."
        )
    for line, cells in rows:
        if any(cells[width:]):
            raise TableError(
                f"Line {line:,} has {len(cells)} cells, and there are {width} columns: put cells "
                "that hold the separator in quotation marks, or correct the line."
            )


def _titles(names: Sequence[str] | None, width: int) -> tuple[str, ...]:
    given = list(names or [])[:width] + [""] * (width - len(names or []))
    shown = ("".join(c for c in name if c.isprintable())[:_LONGEST].strip() for name in given)
    return distinct(name or f"column {k}" for k, name in enumerate(shown, 1))


def _column(name: str, cells: Sequence[str], lines: NDArray[np.int64], separator: str) -> Column:
    decimal = _decimal(cells, separator)
    numbers = np.array([_number(cell, decimal) for cell in cells])
    gaps = np.array([cell.lower() in _GAPS for cell in cells])
    known = np.isfinite(numbers)
    others = ~known & ~gaps
    numeric = bool(known.sum() > others.sum())
    trouble = ""
    if numeric and others.any():
        at = int(others.argmax())
        trouble = (
            f"Line {lines[at]:,}, column {name!r}, says {cells[at][:_LONGEST]!r}, which is no "
            f"number that can be placed{_COMMAS if decimal == ',' else ''}: correct it, or leave "
            "it empty."
        )
    classes, codes = _classes(cells, gaps, numbers, numeric)
    steps = np.diff(numbers)
    counts = numeric and bool(known.all() and (steps == 1).all() and numbers[0] in (0, 1))
    return Column(name, numbers, numeric, trouble, classes, codes, counts and len(steps) > 1)


_COMMAS = " (numbers of this column have decimal commas)"


def _decimal(cells: Sequence[str], separator: str) -> str:
    """The decimal sign of a column: the last sign where a number has both."""
    with_comma = [cell for cell in cells if "," in cell and _is_number(cell)]
    for cell in with_comma:
        if "." in cell:
            return "," if cell.rindex(",") > cell.rindex(".") else "."
    grouped = separator == "," and all(_THOUSANDS.fullmatch(cell) for cell in with_comma)
    return "," if with_comma and not grouped else "."


def _number(cell: str, decimal: str) -> float:
    """The number in a cell; NaN where there is none, or one too large to be scaled."""
    if decimal == "," or "," in cell:
        if not _NUMBER[decimal].fullmatch(cell.lower()):
            return np.nan
        cell = cell.replace("," if decimal == "." else ".", "").replace(",", ".")
    try:
        value = float(cell)
    except ValueError:
        return np.nan
    return value if abs(value) <= _LARGEST else np.nan


def _classes(
    cells: Sequence[str], gaps: NDArray[np.bool_], numbers: Floats, numeric: bool
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The values that a column tells apart, if they are few, and which of them each row has.

    Each of them comes twice or more on average: words that never come again tell nothing apart.
    """
    codes = np.full(len(cells), -1, dtype=np.int64)
    words = [cell[:_LONGEST] for cell, gap in zip(cells, gaps, strict=True) if not gap]
    values, places = np.unique(numbers[~gaps] if numeric else np.array(words), return_inverse=True)
    few = 2 <= len(values) <= min(MAX_CLASSES, len(words) // 2)
    if not few or (numeric and not (values == np.round(values)).all()):
        return (), codes
    codes[~gaps] = places
    return tuple(f"{value:.0f}" if numeric else str(value) for value in values), codes
