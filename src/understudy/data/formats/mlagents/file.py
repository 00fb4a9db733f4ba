"""Where everything is in an ML-Agents demonstration file.

Metadata at 0 in a room of 33 bytes, brain parameters, then records, each behind its length as a
varint. On closing, the recorder appends the bare bytes of the metadata and rewrites it at 0.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import BinaryIO, TypeVar

from understudy.data.formats.mlagents.messages import (
    Brain,
    Metadata,
    Record,
    read_brain,
    read_metadata,
    read_record,
)
from understudy.data.formats.refusal import refusal
from understudy.data.formats.wire import WireError, varint
from understudy.errors import DemoError

BRAIN_AT = 33
LEAST_RECORD = 7  # three fields inside each other, around the shape of one observation
LARGEST_RECORD = 1 << 30
MOST_TORN = 4  # half a record may be this many times as large as the largest whole one
_T = TypeVar("_T")


class Recording:
    """Where everything is in the file.

    Attributes:
        path: The file.
        metadata: What it says of itself.
        brain: What its behavior can do.
        extents: `[R + 1]` where every record's length starts, and where the last record ends.
        trailing_copy: Whether a copy of the metadata follows the records.
        unclosed: Whether the recorder was stopped before it closed the file.
        notes: What the reader should know.
    """

    def __init__(self, path: str | os.PathLike[str], file: BinaryIO) -> None:
        self.path, self._file = path, file
        self.size = file.seek(0, os.SEEK_END)
        if not self.size:
            raise refusal(path, 0, "an empty file", "a demonstration")
        self.metadata, raw = self._metadata()
        start, stop = self._frame(BRAIN_AT)
        self.brain: Brain = self._parsed(start, stop, read_brain)
        self.unclosed, self.trailing_copy = not self.metadata.num_steps, False
        self.notes: list[str] = []
        self.extents = array("q", [stop])
        if self.unclosed:
            self._hop_to_the_end()
        else:
            self._hop_counted(raw)
        if not self.count:
            raise refusal(path, stop, "no record", "a demonstration of at least one step")

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self.extents) - 1

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every record and where it starts.

        Raises:
            DemoError: One of them is damaged.
        """
        for at, stop in pairwise(self.extents):
            start = self._frame(at)[0]
            yield start, self._parsed(start, stop, read_record)

    def refusal(self, start: int, error: WireError) -> DemoError:
        """The error in the message that starts at `start`, for people."""
        return refusal(self.path, start + error.offset, error.found, error.expected)

    def _metadata(self) -> tuple[Metadata, bytes]:
        start, stop = self._frame(0)
        if stop > BRAIN_AT:
            raise refusal(
                self.path,
                0,
                f"metadata of {stop - start} bytes",
                f"at most {BRAIN_AT - 1}; a name that is too long overwrites what follows it",
            )
        metadata = self._parsed(start, stop, read_metadata)
        if metadata.api_version not in (0, 1):
            raise refusal(self.path, 0, f"version {metadata.api_version}", "version 0 or 1")
        self._file.seek(start)
        return metadata, self._file.read(stop - start)

    def _frame(self, at: int) -> tuple[int, int]:
        """Where the message behind the length at `at` starts and stops."""
        self._file.seek(at)
        head = self._file.read(10)
        try:
            size, used = varint(head, 0, len(head))
        except WireError as error:
            raise self.refusal(at, error) from None
        start = at + used
        if size > min(self.size - start, LARGEST_RECORD):
            raise refusal(
                self.path,
                at,
                f"a message of {size} bytes",
                f"at most the {self.size - start} bytes that are left",
            )
        return start, start + size

    def _record(self, at: int) -> int:
        """Keep the record at `at`, and say where it stops."""
        start, stop = self._frame(at)
        if stop - start < LEAST_RECORD:
            raise refusal(self.path, at, f"a record of {stop - start} bytes", "an observation")
        self.extents.append(stop)
        return stop

    def _parsed(self, start: int, stop: int, parse: Callable[[bytes], _T]) -> _T:
        self._file.seek(start)
        try:
            return parse(self._file.read(stop - start))
        except WireError as error:
            raise self.refusal(start, error) from None

    def _hop_counted(self, raw: bytes) -> None:
        at, count = self.extents[0], self.metadata.num_steps
        for k in range(count):
            if at == self.size:
                raise refusal(self.path, at, f"the end after {k} records", f"{count} records")
            at = self._record(at)
        self._file.seek(at)
        rest = self._file.read(BRAIN_AT + 1)
        self.trailing_copy = rest == raw
        if rest and not self.trailing_copy:
            raise refusal(
                self.path,
                at,
                f"{self.size - at} bytes after the {count} records that the metadata declares",
                "the end, or a copy of the metadata",
            )

    def _hop_to_the_end(self) -> None:
        # The recorder was killed: what it wrote last may be half a record, and nothing else may.
        at, largest = self.extents[0], 0
        while at < self.size and not self._is_copy(at):
            try:
                stop = self._record(at)
            except DemoError:
                if self.size - at > MOST_TORN * largest:
                    raise
                break
            at, largest = stop, max(largest, stop - at)
        left = self.size - at
        self.notes.append(
            f"its recorder was stopped before it closed the file: {self.count} whole "
            f"records were found" + (f", {left} bytes after them were left out" if left else "")
        )

    def _is_copy(self, at: int) -> bool:
        """Whether the rest is the metadata that the recorder appends, killed right after that."""
        if self.size - at >= BRAIN_AT:
            return False
        self._file.seek(at)
        try:
            return 0 < self.count == read_metadata(self._file.read()).num_steps
        except WireError:
            return False
