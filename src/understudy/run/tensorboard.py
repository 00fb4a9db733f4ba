"""Scalars for TensorBoard, written without it.

An event file is a row of TFRecords, each a small protobuf message; both have been frozen for a
decade. Writing them takes a page, and so a run needs neither TensorBoard's package, which would
load TensorFlow where that is installed, nor its thread, whose queue is lost when the run is killed.
"""

from __future__ import annotations

import math
import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy.errors import CheckpointError
from understudy.run.files import make_folders

_SESSION_START = 1


class EventLog:
    """Writes scalars to an event file of its own in a folder.

    Raises:
        CheckpointError: It cannot be written.
    """

    def __init__(self, folder: Path, resumed_step: int | None = None) -> None:
        """Begin an event file.

        Args:
            folder: Where event files are; made if it is absent.
            resumed_step: The step that a resumed run goes on from: TensorBoard then hides what
                earlier files say of later steps.
        """
        make_folders(folder)
        now = time.time()
        # TensorBoard reads files in the order of their names.
        name = f"events.out.tfevents.{int(now):010d}.understudy.{os.getpid()}.{time.time_ns()}"
        self.path = folder / name
        try:
            self._file = self.path.open("xb", buffering=0)
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be written: {error.strerror}") from error
        self._write(_double(1, now) + _bytes(3, b"brain.Event:2"))
        if resumed_step is not None:
            start = _bytes(7, _number(1, _SESSION_START))
            self._write(_double(1, now) + _number(2, resumed_step + 1) + start)

    def note(self, line: Mapping[str, Any]) -> None:
        """Write the numbers of a line of metrics at its `step`; other values are left out."""
        numbers = {
            name: float(value)
            for name, value in line.items()
            if name != "step" and isinstance(value, (int, float)) and math.isfinite(value)
        }
        self.scalars(int(line["step"]), numbers)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write values of one step.

        Args:
            step: From 0.
            values: Name to value; `a/b` is shown as `b` in the group `a`.
        """
        if values:
            summary = b"".join(
                _bytes(1, _bytes(1, name.encode()) + b"\x15" + struct.pack("<f", value))
                for name, value in values.items()
            )
            self._write(_double(1, time.time()) + _number(2, step) + _bytes(5, summary))

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._file.close()

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        record = length + _checksum(length) + event + _checksum(event)
        try:
            self._file.write(record)
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be written: {error.strerror}") from error


# Protocol buffers, wire format: a key is `field << 3 | type`, numbers are base 128, low part first.


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _crc_table() -> list[int]:
    # CRC-32C (Castagnoli), RFC 3720 appendix B.4, bits reflected.
    table = list(range(256))
    for _ in range(8):
        table = [crc >> 1 ^ (0x82F63B78 if crc & 1 else 0) for crc in table]
    return table


_CRC = _crc_table()


def _checksum(data: bytes) -> bytes:
    """TFRecord's masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
