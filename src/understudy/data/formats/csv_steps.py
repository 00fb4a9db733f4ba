"""Demonstrations in CSV files, read and written without any library.

Which columns hold what follows from their names (`columns`) or is said. What is written has a
column for every number and a row for every observation; on the last one of an episode nothing was
done, and the cells of its action, reward and flags are empty.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import End, Episode, Tree
from understudy.data.formats.as_given import Given, as_given
from understudy.data.formats.beside import beside
from understudy.data.formats.columns import Columns, column_names, find_columns
from understudy.data.formats.csv_table import MOST_COLUMNS, Csv, header_of
from understudy.data.formats.left_out import check_steps, kept_seed, left_out, left_out_beside_spec
from understudy.data.formats.steps import read_steps
from understudy.data.formats.table import found_in, origin_of, steps_in
from understudy.data.spec import Spec
from understudy.errors import DemoError

_LONG = 1024


def recognizes(head: bytes) -> bool:
    """Whether a file that begins so is a table whose names tell observations and actions.

    Of a line of names that is longer than `head`, observations are enough.
    """
    found = find_columns(header_of(head))
    return bool(found.obs) and (bool(found.action) or (len(head) > _LONG and b"\n" not in head))


def read(
    path: str | os.PathLike[str], *, spec: Spec | None = None, columns: Columns | None = None
) -> Demos:
    """The demonstrations in a CSV file.

    Args:
        path: The file.
        spec: What is seen and done, which also says dtypes; None to find out.
        columns: What is in which columns, where their names do not tell.

    Raises:
        DemoError: The file is damaged or hostile, or its columns are not known or do not fit.
    """
    table = Csv(path)
    found = found_in(table, columns)
    texts = [name for role, name in found.single.items() if role == "episode"]
    table.load([name for name in found.used if name not in texts], texts)
    notes = ("CSV says no dtypes: they are those of spec=, or float64 and int64",)
    return read_steps(steps_in(table, found, spec), spec, origin_of(table, "csv", found, notes))


def write(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """A new CSV file; it appears whole or not at all.

    Args:
        path: The file, which must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The file exists, there are too many numbers in a row, a name would be read as
            another, or an episode does not fit.
    """
    where = os.fspath(path)
    lost = {"dtypes and the kinds of observations (give spec= when it is read again)"}
    lost |= left_out_beside_spec(demos)
    with (
        beside(Path(path)) as place,
        open(place, "w", encoding="utf-8", newline="") as file,
    ):
        out: Any = None
        for index, episode in enumerate(demos):
            check_steps(episode, demos.spec, f"episode {index}")
            lost |= left_out(episode)
            given = as_given(episode, demos.spec)
            if out is None:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(_header(where, given.obs, given.action))
            seed = kept_seed(episode, lost)
            out.writerows(_lines(index, episode, seed, given))
        if out is None:
            raise DemoError(f"{where}: no episode to write")
        file.flush()
        os.fsync(file.fileno())
    return tuple(sorted(lost))


def _header(where: str, obs: Tree, action: Tree) -> list[str]:
    shapes = {f"obs/{name}": rows.shape[1:] for name, rows in obs.items()}
    shapes |= {f"action/{name}": rows.shape[1:] for name, rows in action.items()}
    names = ["episode", *_columns("obs", obs), *_columns("action", action)]
    names += ["reward", "terminated", "truncated", "done", "seed"]
    if len(names) > MOST_COLUMNS:
        expected = f"at most {MOST_COLUMNS}; write it as Parquet"
        raise DemoError(f"{where}: {len(names)} numbers in a row, expected {expected}")
    found = find_columns(names)
    back = {f"obs/{name}": source.shape or () for name, source in found.obs.items()}
    back |= {f"action/{name}": source.shape or () for name, source in found.action.items()}
    if back != shapes:
        odd = sorted({*shapes.items()} ^ {*back.items()})[0][0]
        raise DemoError(f"{where}: '{odd}' would be read as something else; expected other names")
    return names


def _columns(root: str, arrays: Tree) -> list[str]:
    return [c for name, rows in arrays.items() for c in column_names(name, rows.shape[1:], root)]


def _lines(index: int, episode: Episode, seed: int | None, given: Given) -> Iterator[list[str]]:
    steps = len(episode)
    rows = steps + episode.final_obs_known
    seen, done = ([_texts(array) for array in tree.values()] for tree in given)
    nothing = [""] * sum(len(array[0]) for array in done)
    rewards = [[""]] * steps if episode.reward is None else _texts(episode.reward)
    number = "" if seed is None else str(seed)
    for step in range(rows):
        line = [str(index), *(text for array in seen for text in array[step])]
        if step == steps:
            yield [*line, *nothing, "", "", "", "", number]
            continue
        last = step == steps - 1
        flags = (
            str(int(last and flag))
            for flag in (
                episode.end is End.TERMINATED,
                episode.end is End.TRUNCATED,
                episode.end is not End.OPEN,
            )
        )
        line += [text for array in done for text in array[step]]
        yield [*line, *rewards[step], *flags, number]


def _texts(rows: NDArray[Any]) -> list[list[str]]:
    """Every number so that the same one is read: as a float64 that it is exactly, or whole."""
    flat = rows.reshape(len(rows), -1)
    if flat.dtype.kind == "f":
        return [[repr(x) for x in row] for row in flat.astype(np.float64).tolist()]
    return [[str(int(x)) for x in row] for row in flat.tolist()]
