"""Transitions as columns: what a list of dictionaries says, one array for each of its entries.

NerveX and DI-engine pickle what they collected as a list with a dictionary for every step (`obs`,
`action`, and mostly `next_obs`, `reward` and `done`), or, by episodes, as a list of such lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.pickled.arrays import Array
from understudy.data.formats.wire import WireError

NEEDED = ("obs", "action")
KNOWN = (*NEEDED, "next_obs", "reward", "done")
EXPECTED = "a list of dictionaries with obs and action, or a list of such lists"
DEEPEST = 8
MOST_LEAVES = 1024
_BLOCK_BYTES = 8 << 20
_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """Transitions, all of which hold the same.

    Attributes:
        rows: One dictionary for every step.
        lengths: Steps of every episode; None where they stand in one list.
        like: Path in a dictionary to the array that the first step has there.
        ignored: Entries that are left out.
    """

    rows: list[dict[str, Any]]
    lengths: list[int] | None
    like: dict[_Path, NDArray[Any]]
    ignored: tuple[str, ...]

    def num_bytes(self) -> int:
        """How many bytes all of it takes, an array without numbers counted as one."""
        return len(self.rows) * sum(max(1, array.nbytes) for array in self.like.values())

    def blocks(self, path: _Path) -> Iterator[NDArray[Any]]:
        """A column in pieces `[n, ...]`.

        Raises:
            WireError: A step has something else there than the first one.
        """
        like = self.like[path]
        step = max(1, _BLOCK_BYTES // max(1, like.nbytes))
        for start in range(0, len(self.rows), step):
            rows = self.rows[start : start + step]
            out = np.empty((len(rows), *like.shape), like.dtype)
            for index, row in enumerate(rows):
                value = _at(row, path)
                if value.shape != like.shape or value.dtype != like.dtype:
                    raise WireError(
                        0,
                        f"{'/'.join(path)} {_like(value)} at step {start + index}",
                        f"{_like(like)} as at the first step",
                    )
                out[index] = value
            yield out


def columns_of(value: Any, most: int) -> Columns:
    """What a pickle's value says as transitions.

    Args:
        value: What a pickle holds.
        most: How many steps there may be; the same list may stand in another one many times.

    Raises:
        WireError: It is something else.
    """
    if not isinstance(value, list) or not value:
        raise WireError(0, f"{_kind(value)} at the top", EXPECTED)
    lengths: list[int] | None = None
    rows: list[Any] = value
    if isinstance(value[0], list):
        lengths = [len(_list(episode)) for episode in value]
        if sum(lengths) > most:
            raise WireError(0, f"{sum(lengths)} steps", f"at most {most} in a file of this size")
        rows = [row for episode in value for row in episode]
    if not rows or not isinstance(rows[0], dict):
        raise WireError(0, f"{_kind(rows[0]) if rows else 'nothing'} in the list", EXPECTED)
    first: dict[str, Any] = rows[0]
    missing = [key for key in NEEDED if key not in first]
    if missing:
        names = ", ".join(list(first)[:8])
        raise WireError(0, f"a step without {missing[0]} (it has {names})", EXPECTED)
    keys = [key for key in KNOWN if first.get(key) is not None]
    like: dict[_Path, NDArray[Any]] = {}
    for key in keys:
        _leaves(key, first[key], like)
    ignored = tuple(sorted(key for key in first if key not in keys))
    return Columns(rows, lengths, like, ignored)


def _leaves(key: str, value: Any, out: dict[_Path, NDArray[Any]]) -> None:
    # A dictionary may stand in itself, and in others many times.
    left: list[tuple[_Path, Any]] = [((key,), value)]
    for _ in range(MOST_LEAVES):
        if not left:
            return
        path, value = left.pop()
        if not isinstance(value, dict):
            out[path] = _values(value, path)
        elif len(path) < DEEPEST and len(value) <= MOST_LEAVES:
            left += [((*path, name), part) for name, part in reversed(value.items())]
        else:
            break
    raise WireError(0, f"more than {DEEPEST} levels or {MOST_LEAVES} arrays", "fewer")


def _at(row: Any, path: _Path) -> NDArray[Any]:
    for key in path:
        if not isinstance(row, dict) or key not in row:
            raise WireError(0, f"a step without {'/'.join(path)}", "it as at the first step")
        row = row[key]
    return _values(row, path)


def _values(value: Any, path: _Path) -> NDArray[Any]:
    if isinstance(value, Array) and value.values is not None:
        return value.values
    # One number for each step is common for `done` and `reward`.
    if isinstance(value, bool):
        return np.array(value)
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return np.array(value, np.int64)
    if isinstance(value, float):
        return np.array(value)
    raise WireError(0, f"{_kind(value)} as {'/'.join(path)}", "an array or a number")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WireError(0, f"{_kind(value)} among episodes", EXPECTED)
    return value


def _like(array: NDArray[Any]) -> str:
    return f"is {array.dtype} {list(array.shape)}"


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
