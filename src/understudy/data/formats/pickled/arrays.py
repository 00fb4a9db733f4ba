"""The arrays in a pickle of numpy or torch: described by the file, made by us.

numpy pickles an array as an empty one to which shape, dtype and bytes are added; torch a tensor as
a view of a storage, and a storage as the bytes of a file of its own, in the layout that torch.save
had before version 1.6: five pickles one after the other (a magic number, a version, what the
machine is like, the storage by a persistent id, its key), then the number of elements and these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.pickled.machine import Machine, Maker, Name
from understudy.data.formats.wire import WireError

MOST_AXES = 8
MOST_NUMBERS = 1 << 40
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
TORCH_VERSION = 1001
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
_CODE = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248])")
_COUNT = np.dtype("<i8")


class Array:
    """An array in a file.

    Attributes:
        values: What it holds; None before the file has said it.
    """

    __slots__ = ("values",)

    def __init__(self, values: NDArray[Any] | None = None) -> None:
        self.values = values


class _DType:
    """A dtype, whose byte order a file adds later."""

    __slots__ = ("dtype",)

    def __init__(self, code: str) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise ValueError(f"an array of dtype {_short(code)}")
        self.dtype = np.dtype(code)


def finish(made: Any, state: Any) -> None:
    """Add what a file says of something to what was made of it.

    Raises:
        ValueError: It is not what belongs there.
    """
    if isinstance(made, Array):
        made.values = _finished(made, state)
    elif isinstance(made, _DType):
        if not isinstance(state, tuple) or state[1] not in ("<", ">", "|"):
            raise ValueError("a dtype without its byte order")
        made.dtype = made.dtype.newbyteorder(state[1])
    elif not isinstance(made, dict) or not isinstance(state, dict):
        # The attributes of an EasyDict are its entries once more.
        raise ValueError("a state for something that has none")


def _finished(made: Array, state: Any) -> NDArray[Any]:
    if made.values is not None or not isinstance(state, tuple) or len(state) != 5:
        raise ValueError("an array whose contents are damaged")
    _, shape, dtype, fortran, data = state
    return _array(data, dtype, shape, fortran is True)


def _array(data: Any, dtype: Any, shape: Any, fortran: bool) -> NDArray[Any]:
    sizes = _sizes(shape)
    if not isinstance(dtype, _DType) or not isinstance(data, bytes):
        raise ValueError("an array whose contents are damaged")
    if math.prod(sizes) * dtype.dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes for an array of shape {list(sizes)}")
    flat = np.frombuffer(data, dtype.dtype)
    return flat.reshape(sizes, order="F" if fortran else "C")


def _sizes(shape: Any) -> tuple[int, ...]:
    good = isinstance(shape, tuple) and len(shape) <= MOST_AXES
    if not good or not all(type(n) is int and 0 <= n <= MOST_NUMBERS for n in shape):
        raise ValueError("an array whose shape is none")
    return shape


def _short(value: Any) -> str:
    # Of anything but a text: it may be nested deeper than could be shown.
    return str(value)[:60] if isinstance(value, str | Name) else f"a {type(value).__name__}"


def _dtype(code: Any, *_: Any) -> _DType:
    return _DType(code)


def _reconstruct(kind: Any, shape: Any, code: Any) -> Array:
    if kind != Name("numpy", "ndarray"):
        raise ValueError(f"an array of the class {_short(kind)}")
    return Array()


def _scalar(dtype: Any, data: Any) -> Array:
    return Array(_array(data, dtype, (), False))


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> Array:
    return Array(_array(data, dtype, shape, order == "F"))


def _encode(text: Any, encoding: Any) -> bytes:
    # How protocol 2 spells bytes.
    if encoding != "latin1" or not isinstance(text, str):
        raise ValueError(f"text to be encoded as {_short(encoding)}")
    return text.encode("latin1")


def _size(sizes: Any = ()) -> tuple[int, ...]:
    return _sizes(tuple(sizes) if isinstance(sizes, list) else sizes)


def _dict(*given: Any) -> dict[str, Any]:
    if given not in ((), ({},), ([],)):
        raise ValueError("a dictionary that is given its contents when it is made")
    return {}


def _refused(*_: Any) -> Any:
    raise ValueError("a class that is called as if it were a function")


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Array:
    if not isinstance(storage, np.ndarray):
        raise ValueError("a tensor without its storage")
    sizes, steps = _sizes(size), _sizes(stride)
    if len(sizes) != len(steps) or type(offset) is not int or offset < 0:
        raise ValueError(f"a tensor of shape {list(sizes)} and strides {list(steps)}")
    last = offset + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
    if math.prod(sizes) > MOST_NUMBERS or (math.prod(sizes) and last >= len(storage)):
        raise ValueError(f"a tensor of shape {list(sizes)} in a storage of {len(storage)} numbers")
    if not math.prod(sizes):
        return Array(np.zeros(sizes, storage.dtype))
    item = storage.dtype.itemsize
    strides = tuple(step * item for step in steps)
    return Array(np.lib.stride_tricks.as_strided(storage[offset:], sizes, strides, writeable=False))


class _Storages:
    """Reads storages; what comes before the storage itself is the same in all of a file."""

    def __init__(self) -> None:
        self._head = b""

    def __call__(self, data: Any) -> NDArray[Any]:
        if not isinstance(data, bytes):
            raise ValueError("a storage that is no bytes")
        try:
            return self._read(data)
        except WireError as error:
            raise ValueError(f"inside of a storage, {error.found}") from None

    def _read(self, data: bytes) -> NDArray[Any]:
        machine = Machine(data, _TYPES, finish, _described)
        if self._head and data.startswith(self._head):
            machine.at = len(self._head)
        else:
            self._read_head(data, machine)
        described = machine.run()
        if not isinstance(described, _Described):
            raise ValueError("a storage that does not say what it is")
        dtype, count = described
        machine.run()
        if len(data) - machine.at != 8 + count * dtype.itemsize:
            raise ValueError(f"{len(data) - machine.at} bytes for a storage of {count} numbers")
        if int(np.frombuffer(data, _COUNT, 1, machine.at)[0]) != count:
            raise ValueError("a storage that counts its numbers twice, differently")
        return np.frombuffer(data, dtype, count, machine.at + 8)

    def _read_head(self, data: bytes, machine: Machine) -> None:
        if (machine.run(), machine.run()) != (TORCH_MAGIC, TORCH_VERSION):
            raise ValueError("a storage of torch in a layout that is not known")
        system = machine.run()
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise ValueError("a storage of a machine that counts from the other end")
        self._head = data[: machine.at]


class _Described(NamedTuple):
    """What a storage holds, and how many."""

    dtype: np.dtype[Any]
    length: int


def _described(said: Any) -> _Described:
    """What the persistent id of a storage says."""
    if not isinstance(said, tuple) or len(said) < 5 or said[0] != "storage":
        raise ValueError("a storage that does not say what it is")
    _, kind, _, _, count, *view = said
    if not isinstance(kind, Name) or type(count) is not int or view not in ([], [None]):
        raise ValueError("a storage that does not say what it is")
    if not 0 <= count <= MOST_NUMBERS:
        raise ValueError(f"a storage of {count} numbers")
    return _Described(np.dtype(STORAGES[kind.name]), count)


_TYPES: dict[Name, Maker] = {Name("torch", name): _refused for name in STORAGES}


def makers() -> dict[Name, Maker]:
    """By name, what makes the arrays and dictionaries of one file."""
    out: dict[Name, Callable[..., Any]] = {
        Name("torch._utils", "_rebuild_tensor"): _tensor,
        Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
        Name("torch.storage", "_load_from_bytes"): _Storages(),
        Name("torch", "Size"): _size,
        Name("collections", "OrderedDict"): _dict,
        Name("easydict", "EasyDict"): _dict,
        Name("numpy", "ndarray"): _refused,
        Name("numpy", "dtype"): _dtype,
        Name("_codecs", "encode"): _encode,
    }
    for package in ("numpy.core", "numpy._core"):
        out[Name(f"{package}.multiarray", "_reconstruct")] = _reconstruct
        out[Name(f"{package}.multiarray", "scalar")] = _scalar
        out[Name(f"{package}.numeric", "_frombuffer")] = _from_buffer
    return out
