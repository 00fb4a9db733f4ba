"""What a Parquet file and its pages say of themselves, before the library believes it.

The library reserves what the header of a page says, whatever the file's footer said of the column;
and where its Python classes for the footer meet a damaged one, they may end the process (pyarrow
26: a size statistic of the wrong length). So both are read here first.

Sources: https://parquet.apache.org/docs/file-format/ and its `parquet.thrift`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from understudy.data.formats.thrift import read_struct

MAGIC = b"PAR1"
LONGEST_FOOTER = 64 << 20
LONGEST_HEADER = 1 << 20
MOST_PAGES = 1 << 20
_TAIL = struct.Struct("<I4s")
_TEXTS = (6, 7)  # the physical types BYTE_ARRAY and FIXED_LEN_BYTE_ARRAY
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
# Where a page's header has the struct of each kind of page, whose first field counts values.
_ABOUT = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}


class Chunk(NamedTuple):
    """A column of a row group.

    Attributes:
        path: Its names from the top, joined by `.`.
        texts: Whether its values are texts, of any length.
        num_values: How many it has.
        start: Where its pages begin.
        stop: Where they end.
    """

    path: str
    texts: bool
    num_values: int
    start: int
    stop: int


class Group(NamedTuple):
    """A row group: how many rows it has, and its columns."""

    num_rows: int
    chunks: tuple[Chunk, ...]


def read_footer(data: memoryview) -> list[Group]:
    """The row groups of a Parquet file.

    Raises:
        ValueError: It is damaged, or has columns in other files.
    """
    if len(data) < 12 or data[:4] != MAGIC:
        raise ValueError("no Parquet file")
    length, magic = _TAIL.unpack_from(data, len(data) - _TAIL.size)
    start = len(data) - _TAIL.size - length
    if magic != MAGIC or length > LONGEST_FOOTER or start < 4:
        raise ValueError(f"a footer of {length} bytes that ends in {magic!r}")
    about, _ = read_struct(data[start:])
    return [
        Group(
            _whole(group, 3),
            tuple(_chunk(column, len(data)) for column in _of(group, 1, list)),
        )
        for group in _of(about, 4, list)
    ]  # fmt: skip


def num_bytes_unpacked(data: memoryview, chunk: Chunk) -> int:
    """How many bytes a column takes once it is unpacked, at most.

    Raises:
        ValueError: Its pages are damaged, or hold another number of values.
    """
    largest = values = unpacked = 0
    for num_bytes, num_values, is_dictionary in _pages(data[chunk.start : chunk.stop]):
        unpacked += num_bytes
        if is_dictionary:
            largest = max(largest, num_bytes)
        else:
            values += num_values
    if values != chunk.num_values:
        raise ValueError(f"{values} values in the pages of '{chunk.path}', not {chunk.num_values}")
    # Each text may be the longest of the dictionary; a number, its levels and its place are small.
    return unpacked + values * (16 + (largest if chunk.texts else 0))


def _chunk(column: Any, size: int) -> Chunk:
    about = _of(column, 3, dict)
    if column.get(1):
        raise ValueError("a column in another file")
    start = _whole(about, 9)
    dictionary = about.get(11)
    if isinstance(dictionary, int) and 0 < dictionary < start:
        start = dictionary
    stop = start + _whole(about, 7)
    if not 4 <= start <= stop <= size:
        raise ValueError("a column that lies outside of the file")
    path = b".".join(_of(about, 3, list)).decode()
    return Chunk(path, _whole(about, 1) in _TEXTS, _whole(about, 5), start, stop)


def _pages(data: memoryview) -> Iterator[tuple[int, int, bool]]:
    """What each page says: its bytes once unpacked, its values, whether it is a dictionary."""
    at = count = 0
    while at < len(data):
        header, used = read_struct(data[at : at + LONGEST_HEADER])
        kind, unpacked, packed = (_whole(header, field) for field in (1, 2, 3))
        count += 1
        if packed > len(data) - at - used or count > MOST_PAGES:
            raise ValueError(f"page {count} of {packed} bytes, which goes on after its column")
        values = _whole(_of(header, _ABOUT[kind], dict), 1) if kind in _ABOUT else 0
        yield unpacked, values, kind == _DICTIONARY
        at += used + packed


def _whole(fields: dict[int, Any], name: int) -> int:
    value = fields.get(name)
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.40} for the number {name} of what it says")
    return value


def _of(fields: dict[int, Any], name: int, kind: type) -> Any:
    value = fields.get(name)
    if type(value) is not kind:
        raise ValueError(f"{value!r:.40} for the field {name} of what it says")
    return value
