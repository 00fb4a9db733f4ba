"""The observations of an ML-Agents recording, one array for each over all of its records.

What a sensor is follows from the first record (shape, compression, dimension properties); every
later record must agree with it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.formats.images import merge_channels, split_pngs
from understudy.data.formats.mlagents.messages import Record, Seen
from understudy.data.formats.wire import WireError
from understudy.data.spec import Kind, Obs, present

# Dimension flags: how a network may look at an axis.
NONE, TRANSLATIONAL, VARIABLE = 1, 2, 4
MOST_OBSERVATIONS = 1024


class Column:
    """One sensor's observations, `[R, ...]` over the records.

    Attributes:
        name: The sensor's name, or `obs_0`, `obs_1` ... where the recording has none.
        obs: What it is.
        values: `[R, *obs.shape]`; pictures are always `(H, W, C)`.
        there: `[R, N]` which entities exist, or None where it has none.
    """

    def __init__(self, name: str, first: Record, seen: Seen, count: int) -> None:
        self.name, self._first = name, seen
        self._channels_first = False
        kind, shape = self._kind(first, seen), tuple(seen.shape)
        if kind == "image" and self._channels_first:
            shape = (*shape[1:], shape[0])
        self.obs = Obs(
            kind=kind, shape=shape, goal=seen.goal, dtype="float32" if seen.png is None else "uint8"
        )
        self.values: NDArray[Any] = np.empty((count, *shape), self.obs.dtype)
        self.there = np.zeros((count, shape[0]), bool) if kind == "entities" else None

    @property
    def tree(self) -> Tree:
        """Its arrays by the names that an episode has them under."""
        if self.there is None:
            return {self.name: self.values}
        return {self.name: self.values, present(self.name): self.there}

    def put(self, row: int, record: Record, seen: Seen) -> None:
        """Keep what `record` saw as this row.

        Raises:
            WireError: It is not like the first one, or cannot be decoded.
        """
        first = self._first
        if seen.shape != first.shape or seen.compressed != first.compressed:
            raise WireError(
                seen.offset,
                f"observation '{self.name}' {_like(seen)}",
                f"{_like(first)} as in the first record",
            )
        if seen.values is None:
            self.values[row] = self._picture(record, seen)
            return
        values = seen.values.reshape(seen.shape)
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)][0]
            raise WireError(seen.offset, f"{bad} in observation '{self.name}'", "finite numbers")
        self.values[row] = np.moveaxis(values, 0, -1) if self._channels_first else values
        if self.there is not None:
            # The sensor fills its rows from the first on and leaves the rest zero.
            filled = np.flatnonzero(values.any(axis=1))
            self.there[row, : filled[-1] + 1 if len(filled) else 0] = True

    def _kind(self, record: Record, seen: Seen) -> Kind:
        properties = tuple(seen.properties)
        if properties and len(properties) != len(seen.shape):
            raise WireError(
                seen.offset,
                f"{len(properties)} dimension properties for shape {seen.shape}",
                "one for each dimension",
            )
        if seen.png is not None or len(seen.shape) == 3:
            self._channels_first = _channels_first(record, seen)
            return "image"
        if properties[:1] == (VARIABLE,) and len(seen.shape) == 2:
            return "entities"
        if any(p & VARIABLE for p in properties):
            raise WireError(
                seen.offset,
                f"dimension properties {list(properties)} for shape {seen.shape}",
                "variable length only in the first of two dimensions; others are not supported",
            )
        return "vector"

    def _picture(self, record: Record, seen: Seen) -> NDArray[np.uint8]:
        assert seen.png is not None, "a column of pictures gets pictures"
        height, width, channels = self.obs.shape
        pngs = split_pngs(record.data, *seen.png)
        # Compared before anything is decoded: a picture costs what the recording says it does.
        for png in pngs:
            if (png.height, png.width) != (height, width):
                raise WireError(
                    png.offset,
                    f"a PNG of {png.width} x {png.height} pixels for observation '{self.name}'",
                    f"{width} x {height}",
                )
        if not seen.mapping and channels == 1:
            pngs = pngs[:1]
        pictures = [png.decode() for png in pngs]
        return merge_channels(pictures, channels, seen.mapping, seen.offset)


def make_columns(first: Record, count: int, room: int) -> list[Column]:
    """Room for `count` records that see what the first one sees.

    Args:
        first: The first record.
        count: How many there are.
        room: How many bytes all of it may take.

    Raises:
        WireError: It sees nothing, something that is not supported, or more than there is room for.
    """
    if not 1 <= len(first.seen) <= MOST_OBSERVATIONS:
        raise WireError(0, f"{len(first.seen)} observations", f"1 to {MOST_OBSERVATIONS}")
    needed = count * sum(math.prod(s.shape) * (4 if s.png is None else 1) for s in first.seen)
    if needed > room:
        raise WireError(
            0, f"{count} records that take {needed} bytes in memory", f"at most {room} in this file"
        )
    names: list[str] = []
    for i, seen in enumerate(first.seen):
        name = seen.name or f"obs_{i}"
        if not name.isprintable():
            raise WireError(seen.offset, "a name with unprintable characters", "a sensor's name")
        # Two sensors may share a name, and ours for masks is taken.
        taken = name in names or name == "action_mask" or name.endswith(".present")
        names.append(f"{name}_{i}" if taken else name)
    if len(set(names)) < len(names):
        raise WireError(0, "several observations of one name", "different names")
    return [Column(name, first, seen, count) for name, seen in zip(names, first.seen, strict=True)]


def _channels_first(record: Record, seen: Seen) -> bool:
    # Package 3 sends (C, H, W), those before it (H, W, C), under one version number: the dimension
    # properties say which (two of them are translational), else the size of the first PNG does,
    # else the smaller of the outer axes is taken for the channels.
    if len(seen.shape) != 3:
        raise WireError(seen.offset, f"a picture of shape {seen.shape}", "three dimensions")
    match seen.properties:
        case [1, 2, 2]:
            return True
        case [2, 2, 1]:
            return False
        case [] | [0, 0, 0] | [1, 1, 1]:
            pass
        case other:
            raise WireError(
                seen.offset, f"dimension properties {other}", "[2, 2, 1] or [1, 2, 2] for a picture"
            )
    if seen.png is None:
        return seen.shape[0] < seen.shape[2]
    png = split_pngs(record.data, *seen.png)[0]
    size = [png.height, png.width]
    return seen.shape[:2] != size and seen.shape[1:] == size


def _like(seen: Seen) -> str:
    return f"{'PNG' if seen.compressed else 'numbers'} of shape {seen.shape}"
