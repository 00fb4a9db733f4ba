"""Long columns that lie in blocks, such as batches or row groups, of which a few are kept.

A column of all episodes, one after the other, is a store whose names say rows as well: `12:40:obs`
are the rows 12 up to 40 of column `obs`.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.refusal import refusal
from understudy.data.formats.store import Shaped
from understudy.errors import DemoError

KEPT_BYTES = 64 << 20


def span(start: int, stop: int, column: str) -> str:
    """The name of the rows `start` up to `stop` of a column."""
    return f"{start}:{stop}:{column}"


class Blocks:
    """Columns `[N, ...]`, each of which lies in blocks one after the other.

    Attributes:
        path: The file or folder.
        room: How many bytes of it may be in memory.
        close: Lets go of it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        room: int,
        cuts: Mapping[str, NDArray[np.int64]],
        fetch: Callable[[str, int], NDArray[Any]],
        close: Callable[[], Any],
    ) -> None:
        """Columns by name.

        Args:
            path: The file or folder, for errors.
            room: How many bytes of it may be in memory.
            cuts: `[blocks + 1]` where the blocks of every column begin, and where the last ends.
            fetch: Reads a block of a column.
            close: Lets go of the file.
        """
        self.path, self.room, self.close = path, room, close
        self._cuts, self._fetch = cuts, fetch
        self._kept: OrderedDict[tuple[str, int], NDArray[Any]] = OrderedDict()
        self._lock = threading.RLock()

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        """An error about some rows of a column."""
        start, _, rest = name.partition(":")
        stop, _, column = rest.partition(":")
        where = f"'{column}' in rows {start} to {stop}" if column else f"'{name}'"
        return refusal(self.path, None, f"{where} {found}", expected)

    def num_rows(self, name: str) -> int:
        """How many rows a name says."""
        start, stop, _ = self._find(name)
        return stop - start

    def shaped(self, name: str, kinds: str = "biuf") -> Shaped:
        """Shape and dtype of rows, as those of the block in which they begin."""
        start, stop, column = self._find(name)
        cuts = self._cuts[column]
        block = min(int(np.searchsorted(cuts, start, "right")) - 1, len(cuts) - 2)
        rows = self._block(column, max(block, 0))
        if rows.dtype.kind not in kinds:
            raise self.refusal(name, f"holds {rows.dtype}", "numbers or flags")
        return Shaped((stop - start, *rows.shape[1:]), rows.dtype)

    def array(
        self, name: str, start: int = 0, stop: int | None = None, *, kinds: str = "biuf"
    ) -> NDArray[Any]:
        """The rows that a name says, or some of them."""
        shaped = self.shaped(name, kinds)
        first, last, column = self._find(name)
        stop = last - first if stop is None else stop
        if not 0 <= start <= stop <= last - first:
            raise self.refusal(name, f"has {last - first} rows", f"{stop} or more")
        first, last, cuts = first + start, first + stop, self._cuts[column]
        parts: list[NDArray[Any]] = []
        while first < last:
            block = int(np.searchsorted(cuts, first, "right")) - 1
            end = min(last, int(cuts[block + 1]))
            rows = self._block(column, block)
            if rows.shape[1:] != shaped.shape[1:] or rows.dtype != shaped.dtype:
                found = f"changes to {rows.dtype} {list(rows.shape[1:])}"
                raise self.refusal(name, found, f"{shaped.dtype} {list(shaped.shape[1:])}")
            parts.append(rows[first - int(cuts[block]) : end - int(cuts[block])])
            first = end
        if not parts:
            return np.empty((0, *shaped.shape[1:]), shaped.dtype)
        return np.concatenate(parts)  # a copy even of one: a block is not kept by its rows

    def _find(self, name: str) -> tuple[int, int, str]:
        start, stop, column = name.split(":", 2)
        if column not in self._cuts:
            raise refusal(self.path, None, f"no column '{column}'", "it")
        total = int(self._cuts[column][-1])
        if not 0 <= int(start) <= int(stop) <= total:
            raise self.refusal(name, f"ends after {total} rows", "all of them")
        return int(start), int(stop), column

    def _block(self, column: str, block: int) -> NDArray[Any]:
        with self._lock:
            rows = self._kept.get((column, block))
            if rows is None:
                rows = self._fetch(column, block)
                cuts = self._cuts[column]
                if len(rows) != cuts[block + 1] - cuts[block]:
                    found = f"'{column}' has {len(rows)} rows in block {block}"
                    expected = f"{cuts[block + 1] - cuts[block]}"
                    raise refusal(self.path, None, found, expected)
                self._kept[column, block] = rows
            self._kept.move_to_end((column, block))
            total = sum(kept.nbytes for kept in self._kept.values())
            while total > KEPT_BYTES and len(self._kept) > 1:
                total -= self._kept.popitem(last=False)[1].nbytes
            return rows
