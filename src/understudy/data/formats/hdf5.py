"""HDF5 files, opened with care: what they declare is checked before anything is read.

Everything that HDF5 can point at outside of the file (external links and storage, virtual data
sets) and every filter but those of plain h5py is refused, so that no other file is opened and no
plugin is loaded. Sizes are held against the file's before memory is taken; compressed chunks whose
worst case is large are inflated with a bound first, because the library inflates without one.

Sources: the HDF5 file format, https://docs.hdfgroup.org/hdf5/v2_0/_f_m_t4.html, and h5py's
low-level interface, https://api.h5py.org.
"""

from __future__ import annotations

import itertools
import math
import os
import weakref
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.heap import REFERENCE, fault_in_heap
from understudy.data.formats.refusal import budget, refusal
from understudy.data.formats.store import Shaped
from understudy.errors import DemoError, MissingExtraError

MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_NAMES = 1 << 20
MOST_DIMENSIONS = 8
DEEPEST = 16
LONGEST_TEXT = 16 << 20
LARGEST_CHUNK = 256 << 20
MOST_CHUNKS = 1 << 16
# A chunk that may inflate to more than this is tried first. Deflate grows at most 1032-fold.
_HARMLESS = 32 << 20
_DEFLATE_RATIO = 1032
_PIECE = 1 << 20
_KEPT = 64
_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
_DAMAGE = (
    OSError, RuntimeError, ValueError, LookupError, TypeError, OverflowError, AttributeError,
)  # fmt: skip


class Hdf5:
    """An open HDF5 file; it stays open as long as somebody holds it.

    Attributes:
        path: The file.
        room: How many bytes its contents may take in memory.

    Raises:
        DemoError: It is no whole HDF5 file.
        MissingExtraError: h5py is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        h5py = _h5py(path)
        self.path = path
        self._size = os.path.getsize(path)
        self.room = budget(self._size)
        self._heaps: dict[int, str | None] = {}
        self._h5py: Any = h5py
        try:
            self._file: Any = h5py.File(os.fspath(path), "r")
        except _DAMAGE as error:
            raise refusal(path, 0, f"a damaged HDF5 file ({_say(error)})", "a whole one") from None
        self._checked: OrderedDict[str, Any] = OrderedDict()
        self.close = weakref.finalize(self, self._file.close)

    def __enter__(self) -> Hdf5:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        """An error about the group or array `name`."""
        return refusal(self.path, None, f"'{name}' {found}", expected)

    def names(self, group: str = "/") -> tuple[str, ...]:
        """The names in a group, in the order that the file keeps.

        Raises:
            DemoError: It is no group, or there are too many.
        """
        with self._damage(group):
            found = self._open(group)
            if not isinstance(found, self._h5py.Group):
                raise self.refusal(group, "is an array", "a group")
            if len(found) > MOST_NAMES:
                raise self.refusal(group, f"has {len(found)} members", f"at most {MOST_NAMES}")
            names = tuple(found)
            if any(isinstance(name, bytes) for name in names):
                raise self.refusal(group, "has a member whose name is no text", "names")
            return names

    def holds(self, name: str) -> bool:
        """Whether there is a group or array of this name."""
        with self._damage(name):
            at: Any = self._file
            for part in _parts(name):
                if not isinstance(at, self._h5py.Group) or part not in at:
                    return False
                at = self._step(at, part, name)
            return True

    def is_array(self, name: str) -> bool:
        """Whether there is an array of this name."""
        if not self.holds(name):
            return False
        with self._damage(name):
            return isinstance(self._open(name), self._h5py.Dataset)

    def leaves(self, name: str) -> tuple[str, ...]:
        """The arrays at and under `name`, as paths relative to it; `("",)` if it is one itself.

        Raises:
            DemoError: There are too many, or they are nested too deep.
        """
        if self.is_array(name):
            return ("",)
        out: list[str] = []
        groups = [("", 0)]
        while groups:
            group, depth = groups.pop()
            for key in self.names(_join(name, group)):
                path = _join(group, key)
                if self.is_array(_join(name, path)):
                    out.append(path)
                else:
                    groups.append((path, depth + 1))
                if len(out) + len(groups) > 1024 or depth > DEEPEST:
                    found = "holds more than 1024 arrays, or nests more than 16 deep"
                    raise self.refusal(name, found, "a few named arrays")
        return tuple(sorted(out))

    def shaped(self, name: str, kinds: str = "biuf") -> Shaped:
        """Shape and dtype of an array, checked and without reading it.

        Args:
            name: Its path.
            kinds: Which kinds of dtype are wanted.

        Raises:
            DemoError: It is missing, of another kind, stored elsewhere or too large.
        """
        with self._damage(name):
            data = self._dataset(name)
            dtype: Any = data.dtype
            if dtype.kind not in kinds or dtype.itemsize > 8 or dtype.subdtype is not None:
                raise self.refusal(name, f"holds {_short(dtype)}", "numbers or flags")
            shaped = Shaped(tuple(map(int, data.shape or ())), dtype.newbyteorder("="))
            if data.shape is None or len(shaped.shape) > MOST_DIMENSIONS:
                found = f"has the shape {_short(data.shape)}"
                raise self.refusal(name, found, f"at most {MOST_DIMENSIONS} axes")
            if shaped.num_bytes > self.room:
                found = f"takes {shaped.num_bytes} bytes in memory"
                raise self.refusal(name, found, f"at most {self.room} from a file of this size")
            return shaped

    def array(
        self, name: str, start: int = 0, stop: int | None = None, *, kinds: str = "biuf"
    ) -> NDArray[Any]:
        """The rows `start` up to `stop` of an array, in this machine's byte order.

        Raises:
            DemoError: As `shaped`, or it is damaged or has fewer rows.
        """
        shaped = self.shaped(name, kinds)
        if not shaped.shape:
            raise self.refusal(name, "is a single number", "an array")
        stop = shaped.shape[0] if stop is None else stop
        if not 0 <= start <= stop <= shaped.shape[0]:
            raise self.refusal(name, f"has {shaped.shape[0]} rows", f"{stop} or more")
        with self._damage(name):
            data = self._dataset(name)
            self._try_chunks(name, data, start, stop)
            out = np.empty((stop - start, *shaped.shape[1:]), shaped.dtype)
            if out.size:
                data.read_direct(out, np.s_[start:stop])
            # A flag of 7 would be neither true nor false.
            return out.view(np.uint8) != 0 if out.dtype.kind == "b" else out

    def number(self, name: str) -> int | float:
        """The single number of an array without axes.

        Raises:
            DemoError: It is no such array.
        """
        shaped = self.shaped(name)
        if math.prod(shaped.shape) != 1:
            raise self.refusal(name, f"has the shape {list(shaped.shape)}", "a single number")
        with self._damage(name):
            data = self._dataset(name)
            self._try_chunks(name, data, 0, 1)
            return np.asarray(data[()]).reshape(())[()].item()

    def num_rows(self, name: str) -> int:
        """The length of an array's first axis.

        Raises:
            DemoError: It is no array with axes.
        """
        shape = self.shaped(name).shape
        if not shape:
            raise self.refusal(name, "is a single number", "an array")
        return shape[0]

    def is_ragged(self, name: str) -> bool:
        """Whether every row is a run of bytes of its own length."""
        with self._damage(name):
            data = self._dataset(name)
            return self._h5py.check_vlen_dtype(data.dtype) == np.uint8 and len(data.shape) == 1

    def ragged(self, name: str, stop: int | None = None) -> Iterator[bytes]:
        """The rows of a ragged array one by one, up to `stop`.

        Raises:
            DemoError: It is damaged.
        """
        with self._damage(name):
            data = self._dataset(name)
            count = data.shape[0] if stop is None else min(stop, data.shape[0])
            self._try_chunks(name, data, 0, count)
            self._try_heaps(name, data)
            for row in range(count):
                yield np.asarray(data[row], np.uint8).tobytes()

    def texts(self, name: str) -> list[str]:
        """The lines of an array of text.

        Raises:
            DemoError: It is damaged, or something else.
        """
        with self._damage(name):
            data = self._dataset(name)
            kind = self._h5py.check_string_dtype(data.dtype)
            shape: tuple[int, ...] | None = data.shape
            size = math.prod(shape or ())
            many = shape is None or len(shape) > 1 or size > MOST_NAMES
            if kind is None or many or size * (kind.length or 1) > LONGEST_TEXT:
                found = f"holds {_short(data.dtype)} {_short(shape)}"
                raise self.refusal(name, found, "a few lines of text")
            self._try_chunks(name, data, 0, size)
            if kind.length is None:
                self._try_heaps(name, data)
            out, total = [], 0
            for row in range(size):
                text: bytes = data[row] if shape else data[()]
                total += len(text)
                if total > LONGEST_TEXT:
                    raise self.refusal(name, "holds more text than fits", f"{LONGEST_TEXT} bytes")
                out.append(text.decode("utf-8", "replace"))
            return out

    def attribute(self, name: str, key: str) -> Any:
        """The number or text that is attribute `key` of `name`; None if there is none.

        Texts of no fixed length are passed over, as if they were not there: where an attribute's
        lies is not to be found out, and the library reserves what it declares before it looks.

        Raises:
            DemoError: It is damaged, or neither a number nor text.
        """
        with self._damage(f"{name}@{key}"):
            attributes = self._open(name).attrs
            if key not in attributes:
                return None
            about = attributes.get_id(key)
            text = self._h5py.check_string_dtype(about.dtype)
            if text is not None and text.length is None:
                return None
            single = math.prod(about.shape) == 1 and about.get_storage_size() <= LONGEST_TEXT
            if not single or not (text is not None or about.dtype.kind in "biuf"):
                found = f"is {_short(about.dtype)} {list(about.shape)}"
                raise self.refusal(f"{name}@{key}", found, "a number or a text")
            value = attributes[key]
            if isinstance(value, np.ndarray):
                value = value.reshape(())[()]
            if isinstance(value, bytes):
                return value.decode("utf-8", "replace")
            return value.item() if isinstance(value, np.generic) else value

    @contextmanager
    def _damage(self, name: str) -> Iterator[None]:
        """Whatever the library says of a damaged file, as an error of ours."""
        try:
            yield
        except _DAMAGE as error:
            raise self.refusal(name, f"is damaged ({_say(error)})", "a whole file") from None

    def _open(self, name: str) -> Any:
        at: Any = self._file
        for part in _parts(name):
            if not isinstance(at, self._h5py.Group) or part not in at:
                raise self.refusal(name, "is not there", "it in a file of this kind")
            at = self._step(at, part, name)
        return at

    def _step(self, group: Any, part: str, name: str) -> Any:
        # A soft link could lead in circles, an external one into any file of this machine.
        if type(group.get(part, getlink=True)) is not self._h5py.HardLink:
            raise self.refusal(name, "is a link", "contents in the file itself")
        return group[part]

    def _dataset(self, name: str) -> Any:
        """An array whose storage is known to be harmless; the last few are kept."""
        data = self._checked.get(name)
        if data is None:
            self._checked[name] = data = self._check(name)
        self._checked.move_to_end(name)
        if len(self._checked) > _KEPT:
            self._checked.popitem(last=False)
        return data

    def _check(self, name: str) -> Any:
        data = self._open(name)
        if not isinstance(data, self._h5py.Dataset):
            raise self.refusal(name, "is a group", "an array")
        plist = data.id.get_create_plist()
        if data.is_virtual or plist.get_external_count():
            raise self.refusal(name, "is stored in other files", "contents in the file itself")
        codes = _filters(data)
        # Twice packed is twice inflated: a bomb in a bomb.
        packed = sum(code in (_DEFLATE, _LZF) for code in codes)
        if packed > 1 or not {*codes} <= {_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF}:
            found = f"is packed by filters {codes}"
            raise self.refusal(name, found, "gzip, lzf, or none; save it again so")
        size = math.prod(data.shape or ()) * data.dtype.itemsize
        if size > max(_PIECE, _DEFLATE_RATIO * data.id.get_storage_size()):
            raise self.refusal(name, f"declares {size} bytes and stores hardly any", "contents")
        if data.chunks and math.prod(data.chunks) * data.dtype.itemsize > LARGEST_CHUNK:
            found = f"has chunks of {list(data.chunks)}"
            raise self.refusal(name, found, f"chunks of at most {LARGEST_CHUNK} bytes")
        return data

    def _try_chunks(self, name: str, data: Any, start: int, stop: int) -> None:
        """Refuses chunks that hold more than they should, before the library inflates them."""
        if data.chunks is None or start >= stop:
            return
        most = math.prod(data.chunks) * data.dtype.itemsize
        sides = zip((stop - start, *data.shape[1:]), data.chunks, strict=True)
        if math.prod(size // chunk + 2 for size, chunk in sides) > MOST_CHUNKS:
            raise self.refusal(name, f"has chunks of {list(data.chunks)}", "larger chunks")
        if _DEFLATE not in _filters(data):
            return
        first = start - start % data.chunks[0]
        ranges = [range(first, stop, data.chunks[0])]
        pairs = zip(data.shape[1:], data.chunks[1:], strict=True)
        ranges += [range(0, size, chunk) for size, chunk in pairs]
        for place in itertools.product(*ranges):
            about = data.id.get_chunk_info_by_coord(place)
            if about.size * _DEFLATE_RATIO <= max(_HARMLESS, 2 * most):
                continue
            mask, packed = data.id.read_direct_chunk(place)
            if not mask and not _inflates_within(packed, most + 4):  # a checksum may follow
                found = f"has a chunk of {about.size} bytes that is damaged or a bomb"
                raise self.refusal(name, found, f"chunks that inflate to {most} bytes")

    def _try_heaps(self, name: str, data: Any) -> None:
        """Refuses rows that lie in heaps which the library would follow for ever."""
        sizes = self._file.id.get_create_plist().get_sizes()
        if data.id.get_create_plist().get_nfilters() or sizes != (8, 8):
            raise self.refusal(name, "has packed rows of different lengths", "plain ones")
        with open(self.path, "rb") as file:
            for at, size in _places(data):
                if at is None or not 0 <= size <= self._size - at:
                    raise self.refusal(name, "lies outside of the file", "rows in it")
                file.seek(at)
                rows = np.frombuffer(file.read(size - size % REFERENCE.itemsize), REFERENCE)
                if int(rows["length"].max(initial=0)) > self._size:
                    raise self.refusal(name, "has a row longer than the file", "rows in it")
                for heap in np.unique(rows["heap"][rows["length"] > 0]).tolist():
                    self._try_heap(file, name, heap)

    def _try_heap(self, file: BinaryIO, name: str, at: int) -> None:
        if at not in self._heaps:
            self._heaps[at] = fault_in_heap(file, at, self._size)
        if fault := self._heaps[at]:
            raise self.refusal(name, f"is damaged (its heap {fault})", "a whole file")


def _filters(data: Any) -> list[int]:
    """The codes of the filters that an array's chunks go through."""
    plist = data.id.get_create_plist()
    return [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]


def _places(data: Any) -> list[tuple[int | None, int]]:
    """Where the bytes of an array that is not packed lie, and how many."""
    if data.chunks is None:
        return [(data.id.get_offset(), data.id.get_storage_size())]
    chunks = map(data.id.get_chunk_info, range(data.id.get_num_chunks()))
    return [(chunk.byte_offset, chunk.size) for chunk in chunks]


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A new HDF5 file, an `h5py.File`, closed and on the disk afterwards.

    Raises:
        MissingExtraError: h5py is not installed.
    """
    with _h5py(path).File(os.fspath(path), "w-", track_order=True) as file:
        yield file
    with open(path, "rb") as written:
        os.fsync(written.fileno())


def _h5py(path: str | os.PathLike[str]) -> Any:
    try:
        import h5py
    except ModuleNotFoundError:
        raise MissingExtraError(f"{os.fspath(path)}: HDF5", "hdf5") from None
    return h5py


def _inflates_within(packed: bytes, most: int) -> bool:
    """Whether a zlib stream holds at most so many bytes."""
    stream, total = zlib.decompressobj(), 0
    try:
        while not stream.eof and total <= most:
            piece = stream.decompress(packed, _PIECE)
            total += len(piece)
            packed = stream.unconsumed_tail
            if not piece and not packed:
                return False  # it ends in the middle
    except zlib.error:
        return False
    return total <= most


def _join(name: str, part: str) -> str:
    return f"{name}/{part}".strip("/") if part else name


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _say(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
