"""CSV files as columns of numbers and flags, read with bounds.

The separator is the comma, semicolon or tab that the first line has most of. A number is what
Python's `int` and `float` read; a column of both is one of floats. An empty cell is a missing one.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.refusal import budget, refusal
from understudy.data.formats.table import Cells
from understudy.errors import DemoError

SEPARATORS = ",;\t"
LONGEST_LINE = 16 << 20
MOST_COLUMNS = 1 << 16
_AT_ONCE = 1024
_SHOWN = 40


def header_of(head: bytes) -> list[str]:
    """The names in the first line of a CSV file, of which `head` is the beginning; or nothing.

    The last name is dropped where the line goes on after `head`.
    """
    line, newline, _ = head.partition(b"\n")
    try:
        # Where the line is cut, so may be its last letter.
        text = line.decode("utf-8-sig") if newline else line[:-4].decode("utf-8-sig", "ignore")
    except UnicodeDecodeError:
        return []
    names = _split(text.removesuffix("\r"))
    names = names if newline else names[:-1]
    return names if all(name.isprintable() for name in names) else []


class Csv:
    """A CSV file with a line of names, as a `Table` of one block.

    Attributes:
        path: The file.
        room: How many bytes of it may be in memory.
        names: Of its columns.
        cuts: The row at which it begins and, once columns are loaded, that at which it ends.
        typed: That it says no dtypes.

    Raises:
        DemoError: It is no text, or names are missing or not different.
    """

    typed = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.room = budget(os.path.getsize(path))
        self.cuts = np.zeros(2, np.int64)
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = next(self._lines(file), "")
        self._separator = _separator(first)
        self.names = tuple(_split(first.rstrip("\r\n")))
        different = len(set(self.names))
        if len(self.names) > MOST_COLUMNS or different < len(self.names):
            found = f"{len(self.names)} columns of {different} different names"
            raise refusal(path, 0, found, f"at most {MOST_COLUMNS}, each of its own name")
        self._cells: dict[str, Cells] = {}
        self._labels: dict[str, NDArray[np.int64]] = {}

    def close(self) -> None:
        """Nothing stays open."""

    def load(self, numbers: Sequence[str], texts: Sequence[str]) -> None:
        """Reads columns: once, because what they hold shows only when all of it is read.

        Args:
            numbers: Columns of numbers or flags.
            texts: Columns that tell rows apart.

        Raises:
            DemoError: A line has more or fewer cells than names, or a cell is no number.
        """
        places = {name: place for place, name in enumerate(self.names)}
        parts: dict[str, list[Cells]] = {name: [] for name in numbers}
        labels: dict[str, list[int]] = {name: [] for name in texts}
        known: dict[str, dict[str, int]] = {name: {} for name in texts}
        for number, rows in self._rows():
            for name, part in parts.items():
                part.append(self._numbers(name, [row[places[name]] for row in rows], number))
            for name, codes in labels.items():
                seen = known[name]
                codes += [seen.setdefault(row[places[name]], len(seen)) for row in rows]
            self.cuts[1] += len(rows)
        self._cells = {name: self._joined(name, part) for name, part in parts.items()}
        self._labels = {name: np.array(codes, np.int64) for name, codes in labels.items()}

    def cells(self, column: str, block: int) -> Cells:
        """A column that was loaded."""
        return self._cells[column]

    def there(self, column: str, block: int) -> NDArray[np.bool_]:
        """`[N]` whether a row has a cell."""
        return self._cells[column].there

    def labels(self, column: str, block: int) -> NDArray[np.int64]:
        """`[N]` a number for each different text, counted as they come."""
        return self._labels[column]

    def _rows(self) -> Iterator[tuple[int, list[list[str]]]]:
        """The lines after the first, some at a time, each time with the number of the first."""
        out: list[list[str]] = []
        number = 1
        with open(self.path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(self._lines(file), delimiter=self._separator, strict=True)
            try:
                next(rows, None)
                for number, row in enumerate(rows, 2):
                    if row and len(row) != len(self.names):
                        found = f"line {number} has {len(row)} cells"
                        raise refusal(self.path, None, found, f"{len(self.names)} as names")
                    out += [row] if row else []
                    if len(out) == _AT_ONCE:
                        yield number - len(out) + 1, out
                        out = []
            except csv.Error as error:
                found = f"a damaged line after line {number} ({error})"
                raise refusal(self.path, None, found, "cells between separators") from None
        if out:
            yield number - len(out) + 1, out

    def _lines(self, file: TextIO) -> Iterator[str]:
        try:
            while line := file.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise refusal(self.path, None, "a line without end", "shorter ones")
                yield line
        except UnicodeDecodeError:
            raise refusal(self.path, None, "bytes that are no text", "CSV in UTF-8") from None

    def _numbers(self, name: str, cells: list[str], line: int) -> Cells:
        there = np.array([bool(cell.strip()) for cell in cells])
        for read, kind in _READERS:
            try:
                values = [
                    read(cell) if some else 0 for cell, some in zip(cells, there, strict=True)
                ]
                return Cells(np.array(values, kind), there)
            except (ValueError, OverflowError):
                continue
        odd = next(i for i, cell in enumerate(cells) if there[i] and not _is_number(cell))
        raise self._odd(name, f"line {line + odd}: {cells[odd][:_SHOWN]!r}")

    def _joined(self, name: str, parts: list[Cells]) -> Cells:
        # A part without any cell fits whatever the others hold.
        kinds = {part.values.dtype.kind for part in parts if part.there.any()}
        if "b" in kinds and len(kinds) > 1:
            raise self._odd(name, "true and false and numbers")
        one = kinds.pop() if len(kinds) == 1 else "f"
        dtype = {"b": np.bool_, "i": np.int64}.get(one, np.float64)
        values = [np.zeros(0, dtype), *(part.values.astype(dtype) for part in parts)]
        there = [np.zeros(0, bool), *(part.there for part in parts)]
        return Cells(np.concatenate(values), np.concatenate(there))

    def _odd(self, name: str, found: str) -> DemoError:
        expected = "numbers throughout, or true and false throughout"
        return refusal(self.path, None, f"column '{name}' holds {found}", expected)


def _flag(cell: str) -> bool:
    word = cell.strip().lower()
    if word not in ("true", "false"):
        raise ValueError
    return word == "true"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_READERS = ((_flag, np.bool_), (int, np.int64), (float, np.float64))


def _separator(line: str) -> str:
    return max(SEPARATORS, key=line.count)


def _split(line: str) -> list[str]:
    try:
        names = next(csv.reader([line], delimiter=_separator(line)), [])
    except csv.Error:
        return []
    return [name.strip() for name in names]
