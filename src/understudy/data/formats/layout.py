"""How observations and actions become bytes: a unit while recording, columns in a chunk.

A unit is one observation together with the step that led to it: unit 0 is what was seen first and
its step is all zero; unit `t + 1` holds action `t`, reward `t` and observation `t + 1`. So a unit
is complete the moment that a step returns. A chunk holds many units column by column. Everything is
little-endian, and every size follows from the spec and the number of rows alone.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import Episode, Tree
from understudy.data.spec import Spec
from understudy.errors import DemoError

Columns = dict[str, NDArray[Any]]

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = frozenset(("bool", *INTEGERS, "float16", "float32", "float64"))
MAX_UNIT_BYTES = 256 << 20
MAX_CHUNK_BYTES = 512 << 20
CHUNK_BYTES = 1 << 20
CHUNK_ROWS = 4096
MAX_RATIO = 1032
"""zlib cannot shrink anything further than this, so a file bounds what it unpacks to."""

ABSENT, RAW, DELTA = 0, 1, 2
HEAD = struct.Struct("<BQ")
PROPOSED, REWARD = 1, 2


class Layout:
    """Where every array of a spec lies in a unit and in a chunk.

    Attributes:
        spec: What is stored.
        dtype: One unit, packed.
        rows: How many units a chunk holds.

    Raises:
        DemoError: The spec has an array of a dtype or size that the format does not store.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        a = spec.action
        most = max(a.branches, default=1)
        choice = next((d for d, n in (("u1", 1 << 8), ("u2", 1 << 16)) if most <= n), "i8")
        fields: list[tuple[str, Any, tuple[int, ...]]] = [
            (f"obs/{name}", f.dtype, f.shape) for name, f in spec.fields.items()
        ]
        for name in ("action", "proposed"):
            fields.append((f"{name}/continuous", np.dtype(a.dtype), (a.continuous,)))
            fields.append((f"{name}/discrete", np.dtype(choice), (len(a.branches),)))
        fields += [("reward", np.dtype("f8"), ()), ("acted_by", np.dtype("u1"), ())]
        for name, dtype, shape in fields:
            _storable(name, dtype, shape)
        fields = [(name, dtype.newbyteorder("<"), shape) for name, dtype, shape in fields]
        self.fields = {name: (np.dtype(dtype), shape) for name, dtype, shape in fields}
        size = sum(math.prod(shape) * dtype.itemsize for dtype, shape in self.fields.values())
        if size > MAX_UNIT_BYTES:
            raise DemoError(
                f"one observation and action take {size} bytes; at most {MAX_UNIT_BYTES} are stored"
            )
        self.dtype = np.dtype([*fields, ("given", "u1")])
        self.rows = max(1, min(CHUNK_ROWS, CHUNK_BYTES // self.dtype.itemsize))
        self._seen = {name: f"obs/{name}" for name in spec.fields}
        self._delta = {f"obs/{n}" for n, o in spec.obs.items() if (o.kind, o.dtype) == IMAGE}
        self._unit = np.zeros(1, self.dtype)
        self._room = {name: self._unit[name] for name in self.fields}
        self._given = self._unit["given"]

    def unit(
        self,
        obs: Tree,
        action: Action | None = None,
        reward: float | None = None,
        proposed: Action | None = None,
        acted_by: int = 0,
    ) -> bytes:
        """One observation and the step that led to it, as bytes.

        Raises:
            DemoError: Something does not fit the spec or is not finite.
        """
        if obs.keys() != self._seen.keys():
            raise DemoError(f"observations {sorted(obs)}, expected {sorted(self._seen)}")
        for name, column in self._seen.items():
            self._put(column, obs[name])
        action = action if action is not None else Action.zeros(self.spec.action)
        for name, done in (("action", action), ("proposed", proposed or action)):
            self._put(f"{name}/continuous", done.continuous)
            self._put_choices(f"{name}/discrete", np.asarray(done.discrete))
        self._put("reward", np.float64(reward or 0.0))
        self._put("acted_by", np.uint8(acted_by))
        self._given[0] = (proposed is not None) * PROPOSED + (reward is not None) * REWARD
        return self._unit.tobytes()

    def columns(self, units: bytes, reward: str | None, proposed: bool) -> Columns:
        """The columns of a chunk, from units one after the other."""
        rows = np.frombuffer(units, self.dtype)
        skip = set() if proposed else {"proposed/continuous", "proposed/discrete"}
        if reward is None:
            skip.add("reward")
        return {name: rows[name] for name in self.fields if name not in skip}

    def columns_of(self, episode: Episode) -> Columns:
        """The columns of a whole episode that fits the spec."""
        out: Columns = {f"obs/{name}": episode.obs[name] for name in self.spec.fields}
        for name, action in (("action", episode.action), ("proposed", episode.proposed)):
            if action is not None:
                out[f"{name}/continuous"] = _after_nothing(action.continuous)
                choices = self.fields[f"{name}/discrete"][0]
                out[f"{name}/discrete"] = _after_nothing(action.discrete).astype(choices)
        if episode.reward is not None:
            out["reward"] = _after_nothing(episode.reward)
        out["acted_by"] = _after_nothing(episode.acted_by)
        return out

    def pack(self, columns: Columns) -> bytes:
        """A chunk: for every column how it is stored, how many bytes, and those."""
        parts: list[bytes] = []
        for name in self.fields:
            if name not in columns:
                parts.append(HEAD.pack(ABSENT, 0))
                continue
            array = columns[name]
            array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            kind, data = (DELTA, _shrink(array)) if name in self._delta else (RAW, array.tobytes())
            parts += [HEAD.pack(kind, len(data)), data]
        return b"".join(parts)

    def unpack(self, data: bytes, rows: int, reward: str | None) -> Columns:
        """The columns of a chunk of this many rows.

        Raises:
            DemoError: The chunk does not say what the spec and its rows ask for.
        """
        out: Columns = {}
        view = memoryview(data)
        for name, (dtype, shape) in self.fields.items():
            if len(view) < HEAD.size:
                raise DemoError(f"column '{name}' is missing")
            kind, size = HEAD.unpack_from(view)
            stored, view = view[HEAD.size : HEAD.size + size], view[HEAD.size + size :]
            if kind == ABSENT and size == 0:
                continue
            dtype = np.dtype(reward).newbyteorder("<") if name == "reward" and reward else dtype
            raw = _raw(name, kind, stored, rows * math.prod(shape) * dtype.itemsize)
            if dtype.kind == "b" and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
                raise DemoError(f"column '{name}' is neither true nor false somewhere")
            array = np.frombuffer(raw, dtype).reshape(rows, *shape)
            out[name] = _sums(array) if kind == DELTA else array
        if len(view):
            raise DemoError(f"{len(view)} bytes after the last column")
        return out

    def stored_rows(self, total: int) -> Iterator[tuple[int, int]]:
        """First and last row of every chunk of `total` rows."""
        for first in range(0, total, self.rows):
            yield first, min(first + self.rows, total)

    def _put(self, name: str, value: Any) -> None:
        dtype, shape = self.fields[name]
        array = np.asarray(value)
        # A cast that keeps every value is fine, anything else would not be what was seen.
        if array.shape != shape or not (array.dtype == dtype or np.can_cast(array.dtype, dtype)):
            raise DemoError(
                f"{name} is {array.dtype} {list(array.shape)}, expected {dtype} {list(shape)}"
            )
        if dtype.kind == "f" and not np.isfinite(array).all():
            raise DemoError(f"{name} is not finite: {array[~np.isfinite(array)].flat[0]}")
        self._room[name][0] = array

    def _put_choices(self, name: str, array: NDArray[Any]) -> None:
        branches = self.spec.action.branches
        if array.shape != (len(branches),) or (len(branches) and array.dtype.kind not in "iu"):
            raise DemoError(
                f"{name} is {array.dtype} {list(array.shape)}, expected int64 {[len(branches)]}"
            )
        for k, size in enumerate(branches):
            if not 0 <= array[k] < size:
                raise DemoError(f"{name} {array[k]} of branch {k}, the branch has {size} choices")
        self._room[name][0] = array


IMAGE = ("image", "uint8")


def spec_from_json(data: Any) -> Spec:
    """The spec that a file declares, bounded before anything is made of it.

    Raises:
        DemoError: It is not a spec that we would have written.
    """
    try:
        _bounded(data)
        spec = Spec.from_json(data)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise DemoError(f"the spec is not one: {error}") from None
    if json.loads(json.dumps(spec.to_json())) != data:
        raise DemoError("the spec is not one: it says more or other things than a spec does")
    return spec


def _bounded(data: Mapping[str, Any]) -> None:
    """Every size is a small whole number, before memory is taken for any."""
    sizes = [n for obs in data["obs"].values() for n in obs["shape"]]
    action = data["action"]
    sizes += [action["continuous"], *action["branches"]]
    if not all(type(n) is int and 0 <= n < 1 << 31 for n in sizes):
        raise ValueError("a size is not a whole number below 2**31")
    if action["continuous"] > max(len(action["low"]), len(action["high"])):
        raise ValueError("more continuous actions than bounds")
    if any(len(obs["shape"]) > 16 for obs in data["obs"].values()):
        raise ValueError("more than 16 dimensions")
    if any(obs["dtype"] not in DTYPES for obs in (*data["obs"].values(), action)):
        raise ValueError("a dtype is not a plain number")


def _storable(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if dtype.name not in DTYPES:
        raise DemoError(f"{name} is {dtype}; stored are {', '.join(sorted(DTYPES))}")
    if math.prod(shape) * dtype.itemsize > MAX_UNIT_BYTES:
        raise DemoError(f"{name} {list(shape)} takes more than {MAX_UNIT_BYTES} bytes")


def _after_nothing(array: NDArray[Any]) -> NDArray[Any]:
    """`[T+1, ...]`: a zero row, then the array: unit 0 was led to by nothing."""
    return np.concatenate([np.zeros((1, *array.shape[1:]), array.dtype), array])


def _shrink(frames: NDArray[np.uint8]) -> bytes:
    """What changed from frame to frame, packed."""
    change = frames.copy()
    change[1:] -= frames[:-1]
    return zlib.compress(change.tobytes(), 1)


def _sums(change: NDArray[Any]) -> NDArray[Any]:
    """The frames, from what changed; row by row, which is 10 times as fast as `np.cumsum`."""
    frames = change.copy()
    for t in range(1, len(frames)):
        frames[t] += frames[t - 1]
    return frames


def _raw(name: str, kind: int, stored: memoryview, size: int) -> bytes | memoryview:
    """The bytes of a column; never more than `size` are unpacked."""
    if kind == RAW and len(stored) == size:
        return stored
    if kind == DELTA and size <= len(stored) * MAX_RATIO:
        unpack = zlib.decompressobj()
        try:
            raw = unpack.decompress(stored, size + 1)
        except zlib.error as error:
            raise DemoError(f"column '{name}' cannot be unpacked: {error}") from None
        if len(raw) == size and unpack.eof and not unpack.unused_data:
            return raw
    raise DemoError(f"column '{name}' is not the {size} bytes that the spec asks for")
