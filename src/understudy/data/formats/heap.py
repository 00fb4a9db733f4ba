"""HDF5's global heaps, where texts and rows of different lengths lie, checked before they are read.

A heap is a chain of objects, each of which says how long it is. The library follows that chain
without asking whether it gets on: an object that takes no room is followed for ever.

Source: https://docs.hdfgroup.org/hdf5/v2_0/_f_m_t4.html, III.E, the global heap.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np

MAGIC = b"GCOL\x01"
# What stands in an array for a row that lies in a heap.
REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("object", "<u4")])
_HEAD = struct.Struct("<4sB3xQ")
_OBJECT = struct.Struct("<HH4xQ")
_LEAST, _MOST = 4096, 1 << 28


def fault_in_heap(file: BinaryIO, at: int, file_size: int) -> str | None:
    """What is wrong with the heap that begins at byte `at`; None if it can be followed."""
    if not 0 <= at <= file_size - _LEAST:
        return "lies outside of the file"
    file.seek(at)
    magic, version, size = _HEAD.unpack(file.read(_HEAD.size))
    if magic + bytes([version]) != MAGIC:
        return "is none"
    if not _LEAST <= size <= min(_MOST, file_size - at):
        return f"says that it takes {size} bytes"
    file.seek(at)
    return _fault_in_chain(file.read(size))


def _fault_in_chain(heap: bytes) -> str | None:
    at = _HEAD.size
    while len(heap) - at >= _OBJECT.size:
        index, _, size = _OBJECT.unpack_from(heap, at)
        # Object 0 is what is free; its size includes its head, and that of others does not.
        step = size if index == 0 else _OBJECT.size + size + -size % 8
        if not _OBJECT.size <= step <= len(heap) - at:
            return f"has an object of {size} bytes where {len(heap) - at} are left"
        at += step
    return None
