"""Arrays in `.npz` files, read with bounds and without ever unpickling.

Sources: the `.npy` format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html,
and zip as Python's `zipfile` reads it. Every member's header is parsed by a pattern, its dtype must
be a plain number, flag or text, and what it declares must agree with its size and fit into memory
before anything is reserved. Of members that nobody asks for only their names are looked at.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
import zlib
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.refusal import budget, refusal
from understudy.errors import DemoError

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"
LONGEST_HEADER = 16384
MOST_MEMBERS = 1000
MOST_DIMENSIONS = 8
_CHUNK = 1 << 20
_ENTRY = b"PK\x01\x02"  # what every entry in a zip file's list of members begins with
_HEADER = re.compile(
    rb"\{'descr': *'(?P<descr>[^'\\]{2,12})', *'fortran_order': *(?P<fortran>True|False), *"
    rb"'shape': *\((?P<shape>[0-9L, ]*)\),? *\}[ \n\0]*"
)
_DTYPE = re.compile(r"[<>|=](b1|[iu][1248]|f[248]|[US][1-9][0-9]{0,3})")


class Header(NamedTuple):
    """What an array says of itself before its numbers."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran: bool

    @property
    def num_bytes(self) -> int:
        """How many bytes its numbers take."""
        return math.prod(self.shape) * self.dtype.itemsize


class Npz:
    """An open `.npz` file.

    Attributes:
        path: The file.
        names: Its members, without `.npy`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._size = os.path.getsize(path)
        # All arrays that are asked for share what a file of this size may take.
        self._room = budget(self._size)
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise refusal(path, 0, f"a damaged zip file ({_say(error)})", "a whole .npz") from None
        members = self._zip.infolist()
        self._members = {m.filename.removesuffix(".npy"): m for m in members}
        self.names = tuple(self._members)
        try:
            self._check(members)
        except DemoError:
            self.close()
            raise

    def __enter__(self) -> Npz:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        """An error about the member `name`."""
        member = self._members.get(name)
        offset = None if member is None else member.header_offset
        return refusal(self.path, offset, f"array '{name}' {found}", expected)

    def _check(self, members: list[zipfile.ZipInfo]) -> None:
        if len(members) > MOST_MEMBERS or len(self._members) < len(members):
            found = f"{len(members)} members of {len(self._members)} different names"
            raise refusal(self.path, 0, found, f"at most {MOST_MEMBERS}, each of its own name")
        # Names have no checksum but stand there twice, which zipfile compares on opening: else a
        # damaged name would pass for an array that is not there.
        for name, member in self._members.items():
            if _ENTRY in member.extra + member.comment:
                raise self.refusal(name, "has another one for a comment", "a list of members")
            try:
                self._zip.open(member).close()
            except _DAMAGE as error:
                raise self.refusal(name, f"is damaged ({_say(error)})", "a whole array") from None

    def array(self, name: str, kinds: str = "biuf") -> NDArray[Any]:
        """The array `name`, in this machine's byte order.

        Args:
            name: The member, without `.npy`.
            kinds: Which kinds of dtype are wanted: numbers and flags, or `U` and `S` for text.

        Raises:
            DemoError: It is missing, of another kind, holds Python objects, is damaged or large.
        """
        if name not in self._members:
            raise refusal(self.path, None, f"arrays {_list(self.names)}", f"an array '{name}'")
        member = self._members[name]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self.refusal(name, f"compressed by method {member.compress_type}", "deflate")
        if member.flag_bits & 1:
            raise self.refusal(name, "is encrypted", "an array that can be read")
        try:
            with self._zip.open(member) as file:
                return self._read(file, name, member.file_size, kinds)
        except _DAMAGE as error:
            raise self.refusal(name, f"is damaged ({_say(error)})", "a whole array") from None

    def rows(self, name: str, kinds: str = "biuf") -> NDArray[Any]:
        """The array `name` as `array` reads it, which must have a first axis.

        Raises:
            DemoError: As `array`, or it is a single number.
        """
        array = self.array(name, kinds)
        if not array.ndim:
            raise self.refusal(name, "is a single number", "one row for each step or episode")
        return array

    def _read(self, file: IO[bytes], name: str, size: int, kinds: str) -> NDArray[Any]:
        header, used = self._header(file, name)
        if header.dtype.kind not in kinds:
            raise self.refusal(name, f"holds {header.dtype}", _wanted(kinds))
        if size != used + header.num_bytes:
            raise self.refusal(
                name,
                f"of shape {list(header.shape)} and {header.dtype} in {size - used} bytes",
                f"{header.num_bytes} bytes",
            )
        self._room -= header.num_bytes
        if self._room < 0:
            raise self.refusal(
                name,
                f"takes {header.num_bytes} bytes in memory",
                f"at most {budget(self._size)} in all from a file of {self._size} bytes",
            )
        array = np.empty(math.prod(header.shape), header.dtype)
        self._fill(file, name, array)
        if array.dtype.kind == "b":
            array = array.view(np.uint8) != 0  # a flag of 7 would be neither true nor false
        order = header.shape[::-1] if header.fortran else header.shape
        array = array.reshape(order)
        array = array.T if header.fortran else array
        native = np.ascontiguousarray(array, header.dtype.newbyteorder("="))
        return native.reshape(header.shape)  # which an array without axes has just lost

    def _fill(self, file: IO[bytes], name: str, array: NDArray[Any]) -> None:
        room, at = array.view(np.uint8).data if array.size else memoryview(b""), 0
        while at < len(room):
            piece = file.read(min(_CHUNK, len(room) - at))
            if not piece:
                raise self.refusal(name, f"ends after {at} bytes", f"{len(room)}")
            room[at : at + len(piece)] = piece
            at += len(piece)
        # Only at the end does zipfile compare the checksum.
        if file.read(1):
            raise self.refusal(name, "goes on after its numbers", "its end")

    def _header(self, file: IO[bytes], name: str) -> tuple[Header, int]:
        start = file.read(8)
        if start[:6] != NPY_MAGIC or len(start) < 8 or start[6] not in (1, 2, 3):
            raise self.refusal(name, "is no numpy array", "the .npy format, version 1 to 3")
        form = "<H" if start[6] == 1 else "<I"
        raw = file.read(struct.calcsize(form))
        if len(raw) < struct.calcsize(form):
            raise self.refusal(name, "ends in its header", "a whole array")
        (length,) = struct.unpack(form, raw)
        if length > LONGEST_HEADER:
            raise self.refusal(name, f"has a header of {length} bytes", f"at most {LONGEST_HEADER}")
        return self._parse(file.read(length), name), len(start) + len(raw) + length

    def _parse(self, text: bytes, name: str) -> Header:
        match = _HEADER.fullmatch(text)
        if match is None:
            raise self.refusal(
                name,
                f"has the header {text[:60].decode('ascii', 'replace').strip()!r}",
                "one plain dtype, an order and a shape",
            )
        descr = match["descr"].decode("ascii", "replace")
        if "O" in descr:
            raise self.refusal(
                name,
                "holds pickled Python objects, which could run any code and are never loaded",
                "numbers; save it again as an array of numbers",
            )
        if not _DTYPE.fullmatch(descr):
            raise self.refusal(name, f"holds dtype {descr!r}", "numbers, flags or text")
        sizes = [s.strip(b" L") for s in match["shape"].split(b",")]
        sizes = sizes[:-1] if sizes[-1] == b"" else sizes
        if len(sizes) > MOST_DIMENSIONS or not all(0 < len(s) <= 18 and s.isdigit() for s in sizes):
            raise self.refusal(name, f"has the shape {match['shape'][:60].decode()!r}", "a shape")
        shape = tuple(int(s) for s in sizes)
        return Header(np.dtype(descr), shape, match["fortran"] == b"True")


# What zipfile and zlib raise on damaged files, found by the mutants in the tests.
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    UnicodeError,
    ValueError,
)


def _wanted(kinds: str) -> str:
    words = {"b": "flags", "i": "whole numbers", "f": "numbers", "U": "text"}
    return " or ".join(word for kind, word in words.items() if kind in kinds)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "") or "none"


def _say(error: BaseException) -> str:
    return str(error) or type(error).__name__
