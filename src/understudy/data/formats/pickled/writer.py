"""Writing transitions as NerveX and DI-engine pickle them.

The opcodes are written one by one, so that nothing is ever pickled here either. Every observation,
action and reward is a view of a storage that holds its whole episode: the file is a tenth of what
DI-engine itself would write, and loads as the same list of dictionaries of tensors.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.as_given import Given, as_given
from understudy.data.formats.beside import beside
from understudy.data.formats.leaves import HYBRID
from understudy.data.formats.left_out import (
    check_steps,
    left_out_beside_spec,
    left_out_beside_steps,
)
from understudy.data.formats.one_reward import OneReward
from understudy.data.formats.pickled.arrays import STORAGES, TORCH_MAGIC, TORCH_VERSION
from understudy.data.spec import Spec
from understudy.errors import DemoError

_KINDS = {np.dtype(code).newbyteorder("="): name for name, code in STORAGES.items()}
_START, _STOP, _LIST, _DICT, _MARK = b"\x80\x03", b".", b"]", b"}", b"("
_APPEND, _APPENDS, _ITEMS, _TUPLE, _REDUCE = b"a", b"e", b"u", b"t", b"R"
_NONE, _TRUE, _FALSE, _BY_ID, _EMPTY = b"N", b"\x88", b"\x89", b"Q", b")"
_Nested = dict[str, "NDArray[Any] | _Nested"]


def write(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """A new `expert_data.pkl`: a list with a dictionary for every step.

    Args:
        path: The file; it must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The file exists, or an episode does not fit or holds what torch has no dtype for.
    """
    return _write(path, demos, lambda steps: steps)


def write_episodes(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """The same by episodes: a list with a list of dictionaries for each of them."""
    return _write(path, demos, _as_list)


def _as_list(steps: Iterator[bytes]) -> Iterator[bytes]:
    yield _LIST + _MARK
    yield from steps
    yield _APPENDS + _APPEND


def _write(
    path: str | os.PathLike[str],
    demos: Demos,
    grouped: Callable[[Iterator[bytes]], Iterator[bytes]],
) -> tuple[str, ...]:
    spec, rewards = demos.spec, OneReward(demos)
    lost = left_out_beside_spec(demos) | rewards.lost
    last, listed = len(demos) - 1, grouped is _as_list
    with beside(Path(path)) as place, place.open("wb") as file:
        memo = _Memo()
        file.write(_START + _LIST)
        for index, episode in enumerate(demos):
            check_steps(episode, spec, f"episode {index}")
            # Only the end of the whole list can be without a flag, or every end of a list.
            done = episode.end is not End.OPEN or not (listed or index == last)
            lost |= _lost(episode)
            if done and episode.end is not End.UNKNOWN:
                lost.add("why episodes ended")
            reward = rewards.of(episode, lost) if rewards.complete else None
            for_each = _steps(replace(episode, reward=reward), spec, memo, done=done)
            _put(file, grouped(_appended(for_each, listed)))
        file.write(_STOP)
    return tuple(sorted(lost))


def _appended(steps: Iterator[bytes], marked: bool) -> Iterator[bytes]:
    for step in steps:
        yield step if marked else step + _APPEND


def _put(file: IO[bytes], parts: Iterator[bytes]) -> None:
    for part in parts:
        file.write(part)


def _lost(episode: Episode) -> set[str]:
    lost = left_out_beside_steps(episode)
    if not episode.final_obs_known:
        lost.add("that last observations are missing (the one before stands there again)")
    return lost


def _steps(episode: Episode, spec: Spec, memo: _Memo, *, done: bool) -> Iterator[bytes]:
    """Every step as a dictionary."""
    given = as_given(episode, spec)
    rows: _Nested = {
        "obs": _nested({name: x[:-1] for name, x in given.obs.items()}),
        "next_obs": _nested({name: x[1:] for name, x in given.obs.items()}),
        "action": _action(episode, spec, given),
    }
    if episode.reward is not None:
        rows["reward"] = episode.reward[:, None]
    views = _stored(rows, memo)
    last = len(episode) - 1
    for step in range(len(episode)):
        yield (
            _DICT
            + _MARK
            + b"".join(_text(key) + view(step) for key, view in views.items())
            + _text("done")
            + (_TRUE if done and step == last else _FALSE)
            + _ITEMS
        )


def _nested(arrays: dict[str, NDArray[Any]]) -> Any:
    """One array as it is; several as a dictionary, in which `a/b` is an entry of an entry."""
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    out: dict[str, Any] = {}
    for name, array in arrays.items():
        *places, leaf = name.split("/")
        inside = out
        for place in places:
            inside = inside.setdefault(place, {})
        inside[leaf] = array
    return out


def _action(episode: Episode, spec: Spec, given: Given) -> Any:
    continuous, discrete = episode.action
    choices = discrete[:, 0] if len(spec.action.branches) == 1 else discrete
    if spec.action.continuous and spec.action.branches:
        return dict(zip(HYBRID, (choices, continuous), strict=True))
    if spec.action_space is None:
        return choices if spec.action.branches else continuous
    return _nested(given.action)


def _stored(rows: Any, memo: _Memo) -> dict[str, Callable[[int], bytes]]:
    return {
        key: _view(array, memo) if isinstance(array, np.ndarray) else _entries(array, memo)
        for key, array in rows.items()
    }


def _entries(rows: Any, memo: _Memo) -> Callable[[int], bytes]:
    views = _stored(rows, memo)

    def entries(step: int) -> bytes:
        inside = b"".join(_text(key) + view(step) for key, view in views.items())
        return _DICT + _MARK + inside + _ITEMS

    return entries


def _view(rows: NDArray[Any], memo: _Memo) -> Callable[[int], bytes]:
    """Says a row `[T, ...]` as a tensor; the first one brings the storage of all with it."""
    shape = rows.shape[1:]
    size = int(np.prod(shape, dtype=np.int64))
    strides = [int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape))]
    layout = _numbers(shape) + _numbers(strides) + _FALSE
    place = None

    def view(step: int) -> bytes:
        nonlocal place
        if place is None:
            place, storage = memo.put(_storage(rows, memo))
        else:
            storage = memo.get(place)
        hooks = memo.named("collections", "OrderedDict") + _EMPTY + _REDUCE
        rebuild = memo.named("torch._utils", "_rebuild_tensor_v2")
        return rebuild + _MARK + storage + _whole(step * size) + layout + hooks + _TUPLE + _REDUCE

    return view


def _storage(rows: NDArray[Any], memo: _Memo) -> bytes:
    """A storage by the function that torch makes it with, of bytes as `torch.save` wrote them."""
    kind = _KINDS.get(rows.dtype)
    if kind is None:
        raise DemoError(f"{rows.dtype}: torch has no tensors of it; convert it first")
    data = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).tobytes()
    key, count = str(len(memo)), rows.size
    system = {"protocol_version": TORCH_VERSION, "little_endian": True}
    sizes = {"short": 2, "int": 4, "long": 8}
    type_sizes = _DICT + _MARK + b"".join(_text(k) + _whole(n) for k, n in sizes.items()) + _ITEMS
    said = b"".join(
        _text(name) + (_TRUE if value is True else _whole(value)) for name, value in system.items()
    )
    described = _text("storage") + _global("torch", kind) + _text(key) + _text("cpu")
    pickles = (
        _long(TORCH_MAGIC),
        _whole(TORCH_VERSION),
        _DICT + _MARK + said + _text("type_sizes") + type_sizes + _ITEMS,
        _MARK + described + _whole(count) + _NONE + _TUPLE + _BY_ID,
        _LIST + _text(key) + _APPEND,
    )
    saved = b"".join(b"\x80\x02" + one + _STOP for one in pickles)
    saved += struct.pack("<q", count) + data
    return memo.named("torch.storage", "_load_from_bytes") + _bytes(saved) + b"\x85" + _REDUCE


class _Memo:
    """What was said before and is meant again."""

    def __init__(self) -> None:
        self._count = 0
        self._names: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return self._count

    def put(self, said: bytes) -> tuple[int, bytes]:
        """Where it is kept, and how it is said for the first time."""
        place, self._count = self._count, self._count + 1
        return place, said + b"r" + struct.pack("<I", place)

    def get(self, place: int) -> bytes:
        """How it is said again."""
        return b"j" + struct.pack("<I", place)

    def named(self, module: str, name: str) -> bytes:
        """A name."""
        if (place := self._names.get((module, name))) is not None:
            return self.get(place)
        self._names[module, name], said = self.put(_global(module, name))
        return said


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def _bytes(data: bytes) -> bytes:
    if len(data) >= 1 << 32:
        raise DemoError("an episode of 4 GiB or more, for which the layout has no place")
    return b"B" + struct.pack("<I", len(data)) + data


def _whole(number: int) -> bytes:
    if -(1 << 31) <= number < 1 << 31:
        return b"J" + struct.pack("<i", number)
    return _long(number)


def _long(number: int) -> bytes:
    data = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes((len(data),)) + data


def _numbers(numbers: Any) -> bytes:
    return _MARK + b"".join(map(_whole, numbers)) + _TUPLE
