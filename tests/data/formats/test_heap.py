from __future__ import annotations

import io
import re
import struct

import h5py
import numpy as np
import pytest

from understudy.data.formats import heap


def _heap(*objects: tuple[int, int], size: int = 4096) -> bytes:
    """A heap of objects of these indices and sizes."""
    out = bytearray(struct.pack("<4sB3xQ", b"GCOL", 1, size))
    for index, length in objects:
        out += struct.pack("<HH4xQ", index, 1, length)
        out += bytes(length + -length % 8 if index else max(0, length - 16))
    return bytes(out).ljust(4096, b"\0")


def _fault(data: bytes, at: int = 0) -> str | None:
    return heap.fault_in_heap(io.BytesIO(data), at, len(data))


def test_a_heap_that_is_full_up_to_its_free_space_is_whole() -> None:
    # 16 bytes of head, an object of 16 + 24 (20 and padding), the rest is free.
    assert _fault(_heap((1, 20), (0, 4096 - 16 - 40))) is None
    # Fewer bytes than a head are left over: nothing is there.
    assert _fault(_heap((1, 4096 - 16 - 16 - 8))) is None


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (_heap((1, 20), (0, 0)), "an object of 0 bytes where 4040 are left"),
        (_heap((1, 20), (0, 8)), "an object of 8 bytes"),
        (_heap((1, 20), (0, 5000)), "an object of 5000 bytes"),
        (_heap((1, 20), (2, 5000)), "an object of 5000 bytes"),
        (_heap(size=100), "takes 100 bytes"),
        (_heap(size=2**63), f"takes {2**63} bytes"),
        (_heap((1, 20))[1:] + b"\0", "is none"),
        (_heap()[:100], "outside of the file"),
    ],
)
def test_a_heap_that_cannot_be_followed_is_told(data: bytes, found: str) -> None:
    assert found in (_fault(data) or "")


def test_an_object_as_long_as_numbers_go_is_told() -> None:
    data = _heap((1, 20))
    data = data[:24] + struct.pack("<Q", 2**64 - 1) + data[32:]
    assert f"an object of {2**64 - 1} bytes" in (_fault(data) or "")


def test_the_heaps_that_the_library_writes_are_whole() -> None:
    out, rng = io.BytesIO(), np.random.default_rng(0)
    with h5py.File(out, "w") as file:
        for index in range(20):
            lines = ["x" * int(n) for n in rng.integers(0, 3000, 30)]
            file.create_dataset(f"d{index}", data=lines)
            file.attrs[f"a{index}"] = lines[0]
        for index in range(0, 20, 3):
            del file[f"d{index}"]
    data = out.getvalue()
    places = [found.start() for found in re.finditer(re.escape(heap.MAGIC), data)]
    assert len(places) > 10
    assert all(_fault(data, at) is None for at in places)
