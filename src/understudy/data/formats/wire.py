"""The protobuf wire format, read with bounds and without generated code.

Source: https://protobuf.dev/programming-guides/encoding/ (varints, fixed widths, length-delimited
fields, packed and unpacked repetition). Every length is compared with the bytes that are left
before anything is read or reserved, so a damaged or hostile message costs no more than its size.
Known fields of another wire type are refused rather than skipped: in a recording that is damage.
Every reader of a field takes the message's bytes and the field's part of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

VARINT, FIXED64, LENGTH, GROUP, GROUP_END, FIXED32 = range(6)
WIRE_NAMES = ("varint", "64-bit", "length-delimited", "group", "group end", "32-bit")
DEEPEST_GROUP = 32
_FLOAT = struct.Struct("<f")

Part = tuple[int, int, int, int]
"""A field: number, wire type, then `(value, offset)` of a varint or `(start, stop)` of others."""


class WireError(ValueError):
    """Bytes that are not the message they should be.

    Attributes:
        offset: Where in the bytes.
        found: What is there.
        expected: What should be there.
    """

    def __init__(self, offset: int, found: str, expected: str) -> None:
        super().__init__(f"byte {offset}: {found}; expected {expected}")
        self.offset, self.found, self.expected = offset, found, expected


def varint(data: bytes, start: int, stop: int) -> tuple[int, int]:
    """An unsigned number of up to 64 bits at `start`, and where it ends.

    Raises:
        WireError: It does not end before `stop`, or has more than 64 bits.
    """
    value = shift = 0
    for at in range(start, min(stop, start + 10)):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, at + 1
        shift += 7
    if stop - start < 10:
        raise WireError(start, "a number cut off by the end of its message", "a whole varint")
    raise WireError(start, "a number of more than 64 bits", "a varint")


def parts(data: bytes, start: int, stop: int) -> Iterator[Part]:
    """The fields of the message in `data[start:stop]`, in their order.

    Raises:
        WireError: A field does not fit into the message.
    """
    at = start
    while at < stop:
        here, key = at, data[at]
        if key < 0x80:
            at += 1
        else:
            key, at = varint(data, at, stop)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise WireError(here, f"field number {number}", "1 to 536870911")
        if wire == VARINT:
            value, at = varint(data, at, stop)
            yield number, wire, value, here
            continue
        if wire == GROUP:
            at = _skip_group(data, at, stop, number)
            continue
        begin, at = _extent(data, here, at, stop, wire)
        yield number, wire, begin, at


def _extent(data: bytes, here: int, at: int, stop: int, wire: int) -> tuple[int, int]:
    if wire == LENGTH:
        size, at = varint(data, at, stop)
    elif wire in (FIXED32, FIXED64):
        size = 4 if wire == FIXED32 else 8
    else:
        found = WIRE_NAMES[wire] if wire < len(WIRE_NAMES) else str(wire)
        raise WireError(here, f"wire type {found}", "a field")
    if size > stop - at:
        raise WireError(
            here, f"a field of {size} bytes", f"at most the {stop - at} bytes that are left"
        )
    return at, at + size


def _skip_group(data: bytes, at: int, stop: int, number: int) -> int:
    # Groups are unknown to every message we read; they may only be stepped over. A list instead
    # of recursion, so that nesting costs no stack.
    opened = [number]
    while opened:
        here = at
        key, at = varint(data, at, stop)
        number, wire = key >> 3, key & 7
        if wire == GROUP:
            opened.append(number)
            if len(opened) > DEEPEST_GROUP:
                raise WireError(here, f"more than {DEEPEST_GROUP} nested groups", "fewer")
        elif wire == GROUP_END:
            if opened.pop() != number:
                raise WireError(here, "the end of another group", "its own end")
        elif wire == VARINT:
            _, at = varint(data, at, stop)
        else:
            _, at = _extent(data, here, at, stop, wire)
    return at


def integer(data: bytes, part: Part) -> int:
    """A field of type int32 or enum.

    Raises:
        WireError: It is no varint, or does not fit 32 bits with sign.
    """
    number, wire, value, offset = part
    if wire != VARINT:
        raise _wrong(part, VARINT)
    signed = value - (1 << 64) if value >> 63 else value
    if not -(1 << 31) <= signed < 1 << 31:
        raise WireError(offset, f"{signed} in field {number}", "a number of 32 bits")
    return signed


def flag(data: bytes, part: Part) -> bool:
    """A field of type bool.

    Raises:
        WireError: It is neither 0 nor 1.
    """
    value = integer(data, part)
    if value not in (0, 1):
        raise WireError(part[3], f"{value} in field {part[0]}", "0 or 1")
    return value == 1


def integers(data: bytes, part: Part) -> list[int]:
    """What one field adds to a repeated int32 or bool: one value, or a packed run of them.

    Raises:
        WireError: It is neither, or a value does not fit 32 bits with sign.
    """
    number, wire, at, stop = part
    if wire == VARINT:
        return [integer(data, part)]
    if wire != LENGTH:
        raise _wrong(part, LENGTH)
    out: list[int] = []
    while at < stop:
        value, here = data[at], at
        if value < 0x80:
            at += 1
        else:
            value, at = varint(data, at, stop)
            value = integer(data, (number, VARINT, value, here))
        out.append(value)
    return out


def single(data: bytes, part: Part) -> float:
    """A field of type float.

    Raises:
        WireError: It is not 32 bits wide.
    """
    if part[1] != FIXED32:
        raise _wrong(part, FIXED32)
    return _FLOAT.unpack_from(data, part[2])[0]


def floats(data: bytes, part: Part) -> NDArray[np.float32]:
    """What one field adds to a repeated float: one value, or a packed run of them.

    Raises:
        WireError: It is neither.
    """
    number, wire, start, stop = part
    if wire not in (FIXED32, LENGTH):
        raise _wrong(part, LENGTH)
    if (stop - start) % 4:
        raise WireError(
            start, f"{stop - start} bytes of floats in field {number}", "a multiple of 4"
        )
    return np.frombuffer(data, "<f4", (stop - start) // 4, start)


def text(data: bytes, part: Part) -> str:
    """A field of type string.

    Raises:
        WireError: It is not length-delimited, or not UTF-8.
    """
    start, stop = inside(data, part)
    try:
        return data[start:stop].decode()
    except UnicodeDecodeError as error:
        where = start + error.start
        raise WireError(where, f"a byte that is not UTF-8 in field {part[0]}", "text") from None


def inside(data: bytes, part: Part) -> tuple[int, int]:
    """Where the bytes of a message, string or bytes field start and stop.

    Raises:
        WireError: It is not length-delimited.
    """
    if part[1] != LENGTH:
        raise _wrong(part, LENGTH)
    return part[2], part[3]


def _wrong(part: Part, wire: int) -> WireError:
    offset = part[3] if part[1] == VARINT else part[2]
    return WireError(offset, f"field {part[0]} as {WIRE_NAMES[part[1]]}", f"{WIRE_NAMES[wire]}")
