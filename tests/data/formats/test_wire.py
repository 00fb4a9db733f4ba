from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import demo_files as w
from understudy.data.formats.wire import (
    WireError,
    flag,
    floats,
    integer,
    integers,
    parts,
    single,
    text,
    varint,
)


def _only(data: bytes):
    (part,) = parts(data, 0, len(data))
    return part


@given(st.integers(0, 2**64 - 1))
def test_every_number_of_64_bits_comes_back(value: int) -> None:
    data = w.varint(value)
    assert varint(data, 0, len(data)) == (value, len(data))


@given(st.integers(-(2**31), 2**31 - 1))
def test_every_signed_number_of_32_bits_comes_back(value: int) -> None:
    data = w.number(4, value)
    assert integer(data, _only(data)) == value


@given(st.lists(st.integers(-(2**31), 2**31 - 1)), st.booleans())
def test_packed_and_unpacked_numbers_read_the_same(values: list[int], packed: bool) -> None:
    data = w.numbers(3, values, packed=packed)
    read = [v for part in parts(data, 0, len(data)) for v in integers(data, part)]
    assert read == values


@given(st.lists(st.floats(width=32, allow_nan=False)), st.booleans())
def test_packed_and_unpacked_floats_read_the_same(values: list[float], packed: bool) -> None:
    data = w.singles(3, values, packed=packed)
    read = [v for part in parts(data, 0, len(data)) for v in floats(data, part).tolist()]
    assert read == values


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_a_wire_error(data: bytes) -> None:
    offset = 0
    try:
        for number, wire, a, b in parts(data, 0, len(data)):
            assert number > 0
            assert wire == 0 or 0 <= a <= b <= len(data)
    except WireError as error:
        offset = error.offset
    assert 0 <= offset <= len(data)


def test_text_flags_and_floats_are_read() -> None:
    data = w.inside(2, "Bälle".encode())
    assert text(data, _only(data)) == "Bälle"
    data = w.number(8, 1)
    assert flag(data, _only(data)) is True
    data = w.single(7, 0.5)
    assert single(data, _only(data)) == 0.5


def test_unknown_fields_of_every_wire_type_are_stepped_over() -> None:
    group = w.varint(5 << 3 | 3) + w.number(1, 3) + w.inside(2, b"x") + w.varint(5 << 3 | 4)
    wide = w.varint(6 << 3 | 1) + bytes(8)
    data = group + wide + w.single(7, 1.0) + w.inside(8, b"abc") + w.number(9, 4)
    assert [part[0] for part in parts(data, 0, len(data))] == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x80", "cut off"),
        (b"\x08" + b"\xff" * 10, "more than 64 bits"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
        (b"\x12\x05abc", "a field of 5 bytes"),
        (b"\x12" + w.varint(2**31) + b"abc", "a field of 2147483648 bytes"),
        (b"\x12" + w.varint(2**63) + b"abc", "a field of 9223372036854775808 bytes"),
        (b"\x0d\x00", "a field of 4 bytes"),
        (b"\x09\x00", "a field of 8 bytes"),
        (b"\x00\x01", "field number 0"),
        (b"\x0e\x01", "wire type 6"),
        (b"\x0c", "wire type group end"),
        (b"\x0b" * 40, "nested groups"),
        (b"\x0b\x14", "the end of another group"),
        (b"\x0b", "cut off"),
    ],
)
def test_fields_that_do_not_fit_are_refused(data: bytes, found: str) -> None:
    with pytest.raises(WireError, match=found):
        list(parts(data, 0, len(data)))


def test_a_million_nested_groups_cost_no_stack() -> None:
    data = b"\x0b" * 1_000_000
    with pytest.raises(WireError, match="more than 32 nested groups"):
        list(parts(data, 0, len(data)))


@pytest.mark.parametrize(
    ("data", "read", "found"),
    [
        (w.number(1, 2**31), integer, "2147483648 in field 1"),
        (w.single(1, 1.0), integer, "field 1 as 32-bit"),
        (w.number(1, 2), flag, "2 in field 1"),
        (w.number(1, 1), single, "field 1 as varint"),
        (w.number(1, 1), text, "field 1 as varint"),
        (w.inside(1, b"ab\xff"), text, "not UTF-8"),
        (w.inside(1, b"abc"), floats, "3 bytes of floats"),
        (w.number(1, 1), floats, "field 1 as varint"),
        (w.single(1, 1.0), integers, "field 1 as 32-bit"),
        (w.inside(1, b"\x80"), integers, "cut off"),
    ],
)
def test_a_field_of_another_type_is_refused(data: bytes, read, found: str) -> None:
    with pytest.raises(WireError, match=found):
        read(data, _only(data))


def test_an_error_says_where() -> None:
    data = w.number(1, 5) + w.inside(2, b"ab\xff")
    _, second = parts(data, 0, len(data))
    with pytest.raises(WireError) as caught:
        text(data, second)
    assert caught.value.offset == data.index(b"\xff")


def test_floats_are_little_endian() -> None:
    data = w.inside(1, struct.pack("<2f", 1.5, -2.0))
    np.testing.assert_array_equal(floats(data, _only(data)), np.array([1.5, -2.0], np.float32))
