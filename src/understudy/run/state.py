"""A state as the bytes of two files, and back, to the last bit.

In `state.json`, what JSON cannot say is an object whose only key begins with `$`; keys of the
state's own that begin with `$` are written with one more.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import CheckpointError
from understudy.run.files import NewerError

FORMAT = 1
ARRAYS, REST = "state.safetensors", "state.json"

_MAX_DEPTH = 64

# What safetensors and numpy both know; other arrays are kept as their bytes.
_NATIVE = frozenset(
    ["|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8"]
)
_KINDS = "biufcSUmM"

_Arrays = dict[str, NDArray[Any]]


def pack(state: Mapping[str, Any], step: int, allow_nan: Collection[str]) -> dict[str, bytes]:
    """The files that hold a state.

    Raises:
        CheckpointError: Names the key that cannot be saved, and why.
    """
    from safetensors.numpy import save

    packer = _Packer(allow_nan)
    tree = packer.write(dict(state), "")
    body = {"format": FORMAT, "step": step, "state": tree}
    rest = json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return {ARRAYS: save(packer.arrays), REST: rest.encode()}


def unpack(contents: Mapping[str, bytes], path: Path) -> tuple[int, dict[str, Any]]:
    """The step and the state that the files hold.

    Args:
        contents: As `pack` made them.
        path: Where they came from, for messages.

    Raises:
        CheckpointError: They do not hold a state.
        NewerError: A later version wrote them.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        body = json.loads(contents[REST])
        if body["format"] != FORMAT:
            raise NewerError(
                f"{path}: a state of format {body['format']}, but this understudy reads format "
                f"{FORMAT}; use a later version"
            )
        state = _read(body["state"], load(contents[ARRAYS]))
        if not isinstance(state, dict):
            raise TypeError(f"a {type(state).__name__}, expected a dict")
        return int(body["step"]), state
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error) as error:
        raise CheckpointError(f"{path}: damaged: not a state: {error!r}") from None
    except SafetensorError as error:
        raise CheckpointError(f"{path}/{ARRAYS}: damaged: {error}") from None


class _Packer:
    """Writes a tree as JSON values and puts its arrays aside."""

    def __init__(self, allow_nan: Collection[str]) -> None:
        self.allow_nan = allow_nan
        self.arrays: _Arrays = {}

    def write(self, value: Any, path: str) -> Any:
        if path.count(".") > _MAX_DEPTH:
            raise CheckpointError(f"state '{path[:60]}...': nested more than {_MAX_DEPTH} deep")
        kind = type(value)
        if isinstance(value, Mapping):
            return {
                self.key(key, path): self.write(v, _join(path, key)) for key, v in value.items()
            }
        if kind in (list, tuple):
            items = [self.write(item, _join(path, i)) for i, item in enumerate(value)]
            return items if kind is list else {"$tuple": items}
        if isinstance(value, np.generic):
            return {"$scalar": self.array(np.asarray(value), path)}
        return (
            {"$array": self.array(value, path)} if kind is np.ndarray else self.plain(value, path)
        )

    def plain(self, value: Any, path: str) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int):
            return value
        if kind is str:
            return self.text(value, path)
        if kind is float:
            # JSON has neither nan nor infinity, and nan has many forms.
            return value if math.isfinite(value) else {"$float": struct.pack("<d", value).hex()}
        raise CheckpointError(
            f"state '{path}': a {kind.__module__}.{kind.__qualname__} cannot be saved; expected "
            "numpy arrays, numbers, text, None, and lists, tuples and dicts of these"
        )

    def key(self, key: Any, path: str) -> str:
        if type(key) is not str:
            raise CheckpointError(f"state '{path}': the key {key!r} is not text")
        return "$" + self.text(key, path) if key.startswith("$") else self.text(key, path)

    @staticmethod
    def text(text: str, path: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise CheckpointError(f"state '{path}': {text!r} is not valid text") from None
        return text

    def array(self, array: NDArray[Any], path: str) -> list[Any]:
        """Put an array aside; its name there, its type and its shape."""
        dtype, shape = array.dtype, array.shape
        if dtype.kind not in _KINDS:
            raise CheckpointError(f"state '{path}': arrays of type {dtype} cannot be saved")
        if dtype.kind in "fc" and not np.isfinite(array).all() and not self.may_be_nan(path):
            bad = int(np.count_nonzero(~np.isfinite(array)))
            raise CheckpointError(
                f"state '{path}': {bad} of {array.size} numbers are not finite; nothing was saved"
            )
        name = f"/{path}"  # The slash keeps clear of the format's own `__metadata__`.
        while name in self.arrays:
            name += "'"
        dense = np.ascontiguousarray(array).reshape(shape)
        if dtype.str not in _NATIVE:
            dense = np.frombuffer(dense.tobytes(), np.uint8)
        self.arrays[name] = dense
        return [name, dtype.str, list(shape)]

    def may_be_nan(self, path: str) -> bool:
        return any(path == key or path.startswith(f"{key}.") for key in self.allow_nan)


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _read(value: Any, arrays: _Arrays) -> Any:
    if isinstance(value, list):
        return [_read(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(key, inner)] = value.items()
        if key.startswith("$") and not key.startswith("$$"):
            return _special(key, inner, arrays)
    return {
        key[1:] if key.startswith("$") else key: _read(inner, arrays)
        for key, inner in value.items()
    }


def _special(key: str, inner: Any, arrays: _Arrays) -> Any:
    if key == "$float":
        return struct.unpack("<d", bytes.fromhex(inner))[0]
    if key == "$tuple":
        return tuple(_read(item, arrays) for item in inner)
    if key == "$array":
        return _array(inner, arrays)
    if key == "$scalar":
        return _array(inner, arrays)[()]
    raise ValueError(f"unknown word {key}")


def _array(told: Any, arrays: _Arrays) -> NDArray[Any]:
    name, spelled, shape = told
    dtype, held = np.dtype(spelled), arrays[name]
    if dtype.kind not in _KINDS:
        raise ValueError(f"array '{name}' of type {dtype}")
    if dtype.str not in _NATIVE:
        held = np.frombuffer(held.tobytes(), dtype)
    elif held.dtype != dtype:
        raise ValueError(f"array '{name}' holds {held.dtype}, expected {dtype}")
    # A copy owns its memory, aligned and writable.
    return held.reshape(shape).copy()
