"""Arrow files and streams, opened with care: what they declare is checked before it is read.

A file is mapped into memory and read message by message, as a stream, whatever its footer says. Of
the parts of a batch only those that are asked for are looked at, and each is validated in full
before a number is taken from it. Packed batches are refused, because the library unpacks them
without a bound, and so are dictionaries and types that are no numbers.

Source: https://arrow.apache.org/docs/format/Columnar.html.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.refusal import budget, refusal
from understudy.errors import MissingExtraError

MAGIC = b"ARROW1\0\0"
CONTINUES = b"\xff\xff\xff\xff"
MOST_BATCHES = 1 << 20
MOST_DIMENSIONS = 8
DEEPEST = 16
MOST_LEAVES = 1024


class Arrow:
    """An Arrow file or stream.

    Attributes:
        path: The file.
        size: Its bytes.
        room: How many bytes its contents may take in memory.
        names: Of the columns.
        num_batches: How many batches it has.

    Raises:
        DemoError: It is no whole Arrow file, or holds what is not supported.
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        pa = library(path)
        self.path, self._pa = path, pa
        self.size = os.path.getsize(path)
        self.room = budget(self.size)
        with damage(path):
            self._file = pa.memory_map(os.fspath(path))
            start = self._file.read(8)
            self._file.seek(8 if start == MAGIC else 0)
            messages = pa.ipc.MessageReader.open_stream(self._file)
            self._schema = pa.ipc.read_schema(messages.read_next_message())
            self.names = tuple(self._schema.names)
            self._batches = list(self._only_batches(messages))
        self.num_batches = len(self._batches)

    def close(self) -> None:
        """Lets go of the file; what was read from it stays."""
        self._batches.clear()
        self._file.close()

    def leaves(self, name: str) -> tuple[str, ...]:
        """The arrays at and in column `name`, as paths relative to it; `("",)` if it is one.

        Raises:
            DemoError: There is no such column, or it is nested too deep.
        """
        if self.names.count(name) != 1:
            raise refusal(self.path, None, f"columns {listed(self.names)}", f"a column '{name}'")
        with damage(self.path):
            return leaves_of(self.path, name, self._schema.field(name).type)

    def column(self, batch: int, path: str) -> Any:
        """What a batch holds under a path such as `observations/arm`, a validated pyarrow array.

        Raises:
            DemoError: It is damaged.
        """
        name, *parts = path.split("/")
        with damage(self.path):
            whole = self._pa.ipc.read_record_batch(self._batches[batch], self._schema)
            array = whole.column(name)
            array.validate(full=True)
            for part in parts:
                if array.null_count:
                    raise refusal(self.path, None, f"'{path}' has rows of nothing", "values")
                array = array.field(part)
            return array

    def _only_batches(self, messages: Any) -> Iterator[Any]:
        for count, message in enumerate(messages):
            if message.type != "record batch" or count >= MOST_BATCHES:
                found = f"a {message.type} after {count} batches"
                raise refusal(self.path, None, found, "plain batches, without dictionaries")
            if _is_packed(memoryview(message.metadata)):
                raise refusal(self.path, None, "packed batches", "ones that are not compressed")
            yield message


def library(path: str | os.PathLike[str]) -> Any:
    """pyarrow, which is imported only when such a file is met.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        raise MissingExtraError(f"{os.fspath(path)}: Arrow and Parquet", "arrow") from None
    return pa


@contextmanager
def damage(path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever the library says of a damaged file, as an error of ours."""
    import pyarrow

    try:
        yield
    except (
        pyarrow.ArrowException, OSError, ValueError, LookupError, TypeError, OverflowError,
        AttributeError, NotImplementedError, StopIteration, EOFError, struct.error, MemoryError,
        RecursionError,
    ) as error:  # fmt: skip
        text = " ".join(str(error).split()) or type(error).__name__
        found = f"a damaged file ({text[:120]})"
        raise refusal(path, None, found, "a whole one") from None


def leaves_of(path: str | os.PathLike[str], name: str, kind: Any) -> tuple[str, ...]:
    """The arrays in a column of a pyarrow type, as paths relative to it.

    Raises:
        DemoError: There are too many, two have one name, or they are nested too deep.
    """
    import pyarrow as pa

    out: list[str] = []
    inner = [("", kind, 0)]
    while inner:
        at, kind, depth = inner.pop()
        if not pa.types.is_struct(kind):
            out.append(at)
            continue
        names = [field.name for field in kind]
        if len(set(names)) < len(names) or any("/" in part or not part for part in names):
            raise refusal(path, None, f"'{name}' has parts {listed(names)}", "a name for each")
        inner += [(f"{at}/{f.name}" if at else f.name, f.type, depth + 1) for f in kind]
        if len(out) + len(inner) > MOST_LEAVES or depth >= DEEPEST:
            found = f"'{name}' holds more than {MOST_LEAVES} arrays, or nests {DEEPEST} deep"
            raise refusal(path, None, found, "a few named arrays")
    return tuple(sorted(out))


def rows_of(path: str | os.PathLike[str], name: str, array: Any, room: int) -> NDArray[Any]:
    """The numbers of a validated pyarrow array, `[N, ...]`: one axis more for each list in it.

    Args:
        path: The file, for errors.
        name: What the array is called, for errors.
        array: Numbers or flags, or lists of them, in which all lists of a level are equally long.
        room: How many bytes it may take in memory.

    Raises:
        DemoError: It is ragged, has gaps, or holds something else.
    """
    import pyarrow as pa

    shape = [len(array)]
    while True:
        if array.null_count:
            raise refusal(path, None, f"'{name}' has rows of nothing", "values in all rows")
        if not is_list(array.type):
            break
        shape.append(_list_length(path, name, array))
        if len(shape) > MOST_DIMENSIONS:
            raise refusal(path, None, f"'{name}' nests too deep", f"{MOST_DIMENSIONS} axes")
        array = array.flatten()
    kind = array.type
    if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise refusal(path, None, f"'{name}' holds {str(kind)[:60]}", "numbers or flags")
    wide = max(1, kind.bit_width // 8)
    if len(array) * wide > room:
        found = f"'{name}' takes {len(array) * wide} bytes in memory"
        raise refusal(path, None, found, f"at most {room} from a file of this size")
    with damage(path):
        # A copy: what is mapped changes, or ends this process, when the file does.
        return np.array(array.to_numpy(zero_copy_only=False)).reshape(shape)


def is_list(kind: Any) -> bool:
    """Whether a pyarrow type is one of its lists of one element type."""
    import pyarrow as pa

    types = pa.types
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def ends_of(array: Any) -> NDArray[np.int64]:
    """`[N+1]` where the lists of a validated array without gaps begin, and where the last ends."""
    import pyarrow as pa

    if pa.types.is_fixed_size_list(array.type):
        return np.arange(len(array) + 1, dtype=np.int64) * array.type.list_size
    offsets = array.offsets.to_numpy().astype(np.int64)
    return offsets - offsets[0] if len(offsets) else np.zeros(1, np.int64)


def array_of(rows: NDArray[Any]) -> Any:
    """Rows `[N, ...]` as a pyarrow array: fixed lists, one level for each axis."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(rows).reshape(-1))
    for size in reversed(rows.shape[1:]):
        flat = pa.FixedSizeListArray.from_arrays(flat, size)
    return flat


def listed(names: Sequence[str]) -> str:
    """A few names for an error."""
    return ", ".join(names[:12])[:200] + (", ..." if len(names) > 12 else "") or "none"


def _list_length(path: str | os.PathLike[str], name: str, array: Any) -> int:
    import pyarrow as pa

    if pa.types.is_fixed_size_list(array.type):
        return int(array.type.list_size)
    lengths = np.diff(ends_of(array))
    if not len(lengths):
        return 0
    if (lengths != lengths[0]).any():
        raise refusal(path, None, f"'{name}' has rows of different lengths", "equal ones")
    return int(lengths[0])


def _is_packed(message: memoryview) -> bool:
    """Whether the batch that a message announces says that it is compressed.

    The library has verified the message, a flatbuffer, when it read it: a table `Message` whose
    third field is the table `RecordBatch`, whose fourth says how it is compressed.
    """
    (root,) = struct.unpack_from("<I", message, 0)
    at = _field(message, root, 2)
    (to,) = struct.unpack_from("<I", message, at)
    return at > 0 and _field(message, at + to, 3) > 0


def _field(message: memoryview, table: int, index: int) -> int:
    """Where a field of a table lies; 0 if it is not there."""
    (back,) = struct.unpack_from("<i", message, table)
    (size,) = struct.unpack_from("<H", message, table - back)
    slot = 4 + 2 * index
    if slot >= size:
        return 0
    (offset,) = struct.unpack_from("<H", message, table - back + slot)
    return table + offset if offset else 0
