"""Columns of a table, put together as steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Provenance
from understudy.data.formats.blocks import Blocks
from understudy.data.formats.columns import Columns, Found, Source, find_columns, given_columns
from understudy.data.formats.dtypes import dtypes_of, exactly
from understudy.data.formats.refusal import refusal
from understudy.data.formats.steps import Steps
from understudy.data.obs_codec import ROOT
from understudy.data.spec import Spec

FLAGS = ("terminated", "truncated", "done")


class Cells(NamedTuple):
    """Some rows of a column.

    Attributes:
        values: `[N, ...]` numbers or flags; zero where one is missing.
        there: `[N]` whether there is one.
    """

    values: NDArray[Any]
    there: NDArray[np.bool_]


class Table(Protocol):
    """Columns that lie in blocks.

    Attributes:
        path: The file or folder.
        room: How many bytes of it may be in memory.
        names: Of its columns.
        cuts: `[blocks + 1]` at which rows blocks begin, and where the last ends.
        typed: Whether it says dtypes; where not, numbers of one array may be whole or not.
        close: Lets go of it.
    """

    path: str | os.PathLike[str]
    room: int
    names: tuple[str, ...]
    cuts: NDArray[np.int64]
    typed: bool
    close: Callable[[], Any]

    def cells(self, column: str, block: int) -> Cells:
        """A column in a block.

        Raises:
            DemoError: It is damaged, or holds no numbers.
        """
        ...

    def there(self, column: str, block: int) -> NDArray[np.bool_]:
        """`[N]` whether there is a value in each row of a block.

        Raises:
            DemoError: The column is damaged.
        """
        ...

    def labels(self, column: str, block: int) -> NDArray[np.int64]:
        """`[N]` numbers that differ where the texts or whole numbers of a column do.

        Raises:
            DemoError: The column is damaged.
        """
        ...


def found_in(table: Table, columns: Columns | None) -> Found:
    """Which columns hold what.

    Args:
        table: The table.
        columns: What somebody says of it; None to go by names alone.

    Raises:
        DemoError: There are no observations or no actions.
    """
    where = os.fspath(table.path)
    names = table.names
    found = find_columns(names) if columns is None else given_columns(names, columns, where)
    for role, sources in (("obs", found.obs), ("action", found.action)):
        if not sources:
            there = ", ".join(names)[:200]
            expected = f"some of {role}, {role}_0, {role}.NAME ...; or name them with columns="
            raise refusal(table.path, None, f"no column of {role} among {there}", expected)
    return found


def steps_in(table: Table, found: Found, spec: Spec | None) -> Steps:
    """The steps that a table holds.

    Args:
        table: The table.
        found: What is in which columns.
        spec: What is seen and done, for dtypes; None to leave them.

    Raises:
        DemoError: Columns are damaged, or have gaps.
    """
    seen, done = dtypes_of(spec)
    arrays: dict[str, tuple[Source, np.dtype[Any] | None]] = {}
    obs = _rooted(found.obs, spec)
    for name, source in obs.items():
        arrays[f"obs/{name}"] = source, seen.get(name)
    for name, source in found.action.items():
        arrays[f"action/{name}"] = source, done.get(name)
    reward = found.single.get("reward")
    if reward is not None:
        arrays["reward"] = Source((reward,)), None

    def fetch(name: str, block: int) -> NDArray[Any]:
        source, dtype = arrays[name]
        rows = _stacked(table, source, block, gaps=not name.startswith("obs/"))
        return rows if dtype is None else exactly(rows, dtype)

    return Steps(
        blocks=Blocks(
            table.path, table.room, dict.fromkeys(arrays, table.cuts), fetch, table.close
        ),
        obs={name: f"obs/{name}" for name in obs},
        action={name: f"action/{name}" for name in found.action},
        reward=None if reward is None else "reward",
        rewarded=None if reward is None else _there(table, reward),
        acted=_acted(table, found),
        **_single(table, found.single),
    )  # fmt: skip


def origin_of(table: Table, format: str, found: Found, notes: tuple[str, ...]) -> Provenance:
    """Where demonstrations in a table came from, with notes on what was not taken."""
    spare = [name for name in table.names if name not in found.used]
    if spare:
        notes += (f"columns that are left out: {', '.join(spare)[:200]}",)
    if "reward" not in found.single:
        notes += ("there are no rewards",)
    if not {"terminated", "truncated"} <= set(found.single):
        notes += ("the columns do not say why episodes ended",)
    return Provenance(format=format, files=(os.fspath(table.path),), notes=notes)


def _rooted(sources: Mapping[str, Source], spec: Spec | None) -> dict[str, Source]:
    """An observation without a name among others is called as ours are that have none."""
    nested = spec is not None and spec.observation_space is not None
    if nested or len(sources) == 1 or ROOT in sources:
        return dict(sources)
    return {name or ROOT: source for name, source in sources.items()}


def _each(table: Table, read: Callable[[int], NDArray[Any]]) -> NDArray[Any]:
    parts = [read(block) for block in range(len(table.cuts) - 1)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _there(table: Table, column: str) -> NDArray[np.bool_]:
    return _each(table, lambda block: table.there(column, block)).astype(bool)


def _acted(table: Table, found: Found) -> NDArray[np.bool_]:
    columns = [name for source in found.action.values() for name in source.columns]
    acted = _there(table, columns[0])
    for column in columns[1:]:
        other = (_there(table, column) != acted).nonzero()[0]
        if len(other):
            row = f"row {int(other[0])} has a part of an action"
            raise refusal(table.path, None, row, "all of it, or nothing")
    return acted


def _single(table: Table, columns: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The flags, episodes and seeds that there are, each for all rows."""
    out: dict[str, NDArray[Any]] = {}
    for role, column in columns.items():
        if role in FLAGS:
            out[role] = _flags(table, column)
        elif role == "episode":
            out[role] = _each(table, lambda block, of=column: table.labels(of, block))
        elif role == "seed":
            out[role] = _seeds(table, column)
    return out


def _stacked(table: Table, source: Source, block: int, *, gaps: bool) -> NDArray[Any]:
    parts: list[NDArray[Any]] = []
    for column in source.columns:
        values, there = table.cells(column, block)
        if not gaps and not there.all():
            row = int(table.cuts[block]) + int(np.flatnonzero(~there)[0])
            raise refusal(table.path, None, f"'{column}' lacks row {row}", "a value in all rows")
        parts.append(values)
    kinds = {(part.dtype, part.shape[1:]) for part in parts}
    if len(kinds) > 1 and (table.typed or any(dtype.kind == "b" for dtype, _ in kinds)):
        columns = f"{source.columns[0]} to {source.columns[-1]}"
        raise refusal(table.path, None, f"{columns} of several dtypes or shapes", "one array")
    if source.shape is None:
        return parts[0]
    return np.stack(parts, axis=1).reshape(len(parts[0]), *source.shape, *parts[0].shape[1:])


def _flags(table: Table, column: str) -> NDArray[np.bool_]:
    values = _each(table, lambda block: table.cells(column, block).values)
    if values.ndim > 1 and values[0:1].size != 1:
        raise refusal(table.path, None, f"'{column}' holds lists", "a flag in each row")
    return values.reshape(len(values)) != 0


def _seeds(table: Table, column: str) -> NDArray[np.int64]:
    """`[N]` seeds, -1 where there is none."""

    def read(block: int) -> NDArray[np.int64]:
        values, there = table.cells(column, block)
        whole = values.dtype.kind in "iu" or (values.dtype.kind == "f" and (values % 1 == 0).all())
        if values.ndim > 1 or not whole or (np.abs(values) >= 2.0**63).any():
            raise refusal(table.path, None, f"'{column}' holds no seeds", "whole numbers")
        return np.where(there, values, -1).astype(np.int64)

    return _each(table, read)
