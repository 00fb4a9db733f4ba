"""Parquet files, opened with care: what columns unpack to is known before they are read.

Source: https://parquet.apache.org/docs/file-format/.
"""

from __future__ import annotations

import mmap
import os
from typing import Any

from understudy.data.formats.arrow import damage, leaves_of, library, listed
from understudy.data.formats.footer import num_bytes_unpacked, read_footer
from understudy.data.formats.refusal import budget, refusal

MOST_GROUPS = 1 << 16
MOST_COLUMNS = 1 << 14
_LONGEST_TEXT = 64 << 20
_MOST_ITEMS = 1 << 20


class Parquet:
    """An open Parquet file.

    Attributes:
        path: The file.
        size: Its bytes.
        names: Of its columns.
        lengths: How many rows every row group has.
        metadata: What its writer noted, bytes by key.

    Raises:
        DemoError: It is no whole Parquet file.
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        library(path)
        import pyarrow.parquet as pq

        self.path = path
        self.size = os.path.getsize(path)
        self.room = budget(self.size)
        with damage(path):
            with open(path, "rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._data = memoryview(mapped)
            self._groups = read_footer(self._data)
            widest = max((len(group.chunks) for group in self._groups), default=0)
            if len(self._groups) > MOST_GROUPS or widest > MOST_COLUMNS:
                found = f"{len(self._groups)} row groups of {widest} columns"
                raise refusal(path, None, found, f"at most {MOST_GROUPS} and {MOST_COLUMNS}")
            self._file = pq.ParquetFile(
                os.fspath(path),
                memory_map=True,
                thrift_string_size_limit=_LONGEST_TEXT,
                thrift_container_size_limit=_MOST_ITEMS,
            )
            self._schema = self._file.schema_arrow
            self.names = tuple(self._schema.names)
            noted = (self._schema.metadata or {}).items()
            self.metadata = {k.decode("utf-8", "replace"): v for k, v in noted}
        self.lengths = [group.num_rows for group in self._groups]

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def kind(self, name: str) -> Any:
        """The pyarrow type of a column.

        Raises:
            DemoError: There is no such column, or there are two.
        """
        if self.names.count(name) != 1:
            raise refusal(self.path, None, f"columns {listed(self.names)}", f"a column '{name}'")
        with damage(self.path):
            return self._schema.field(name).type

    def column(self, group: int, name: str) -> Any:
        """A column of a row group, as a validated pyarrow array.

        Raises:
            DemoError: It is damaged, or unpacks to more than fits.
        """
        kind = self.kind(name)
        with damage(self.path):
            leaves_of(self.path, name, kind)
            self._count_pages(group, name)
            table = self._file.read_row_group(group, columns=[name], use_threads=False)
            column = table.column(name)
            column.validate(full=True)
            whole = column.combine_chunks()
            if len(whole) != self.lengths[group]:
                found = f"'{name}' has {len(whole)} rows in row group {group}"
                raise refusal(self.path, None, found, f"{self.lengths[group]}")
            return whole

    def _count_pages(self, group: int, name: str) -> None:
        room = self.room
        for chunk in self._groups[group].chunks:
            if chunk.path == name or chunk.path.startswith(f"{name}."):
                room -= num_bytes_unpacked(self._data, chunk)
        if room < 0:
            found = f"'{name}' takes {self.room - room} bytes in memory"
            raise refusal(self.path, None, found, f"at most {self.room} from a file of this size")
