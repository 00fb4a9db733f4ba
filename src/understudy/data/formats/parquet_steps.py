"""Demonstrations in Parquet files, read and written.

Which columns hold what follows from their names (`columns`) or is said. What is written has a
column for every array, in lists of fixed lengths, and a row for every observation; on the last one
of an episode nothing was done, and its action, reward and flags are missing. The spec is noted
beside the columns, as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.arrow import array_of, damage, library, rows_of
from understudy.data.formats.as_given import as_given
from understudy.data.formats.beside import beside
from understudy.data.formats.columns import Columns
from understudy.data.formats.dtypes import dtypes_of
from understudy.data.formats.footer import MAGIC
from understudy.data.formats.layout import spec_from_json
from understudy.data.formats.left_out import check_steps, kept_seed, left_out
from understudy.data.formats.one_reward import OneReward
from understudy.data.formats.parquet import Parquet
from understudy.data.formats.put import spec_text
from understudy.data.formats.refusal import budget, refusal
from understudy.data.formats.steps import read_steps
from understudy.data.formats.table import Cells, found_in, origin_of, steps_in
from understudy.data.spec import Spec
from understudy.errors import DemoError, EnvError

NOTED = "understudy"
_LONGEST_SPEC = 16 << 20
_GROUP_BYTES = 32 << 20
# A number that is seen and one that is done.
_LEAST_ROW = 16


def recognizes(head: bytes) -> bool:
    """Whether a file that begins so is one of Parquet."""
    return head.startswith(MAGIC)


def read(
    path: str | os.PathLike[str], *, spec: Spec | None = None, columns: Columns | None = None
) -> Demos:
    """The demonstrations in a Parquet file.

    Args:
        path: The file.
        spec: What is seen and done; None for what is noted in the file, or to find out.
        columns: What is in which columns, where their names do not tell.

    Raises:
        DemoError: The file is damaged or hostile, or its columns are not known or do not fit.
        MissingExtraError: pyarrow is not installed.
    """
    file = Parquet(path)
    table = ParquetTable(path, [file])
    found = found_in(table, columns)
    spec = _noted(file) if spec is None and columns is None else spec
    return read_steps(steps_in(table, found, spec), spec, origin_of(table, "parquet", found, ()))


def write(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """A new Parquet file; it appears whole or not at all.

    Args:
        path: The file, which must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The file exists, or an episode or the spec does not fit.
        MissingExtraError: pyarrow is not installed.
    """
    library(path)
    import pyarrow.parquet as pq

    noted = {NOTED: json.dumps({"spec": json.loads(spec_text(demos.spec))})}
    lost: set[str] = set()
    with beside(Path(path)) as place:
        writer: Any = None
        try:
            for batch in _batches(demos, lost):
                if writer is None:
                    schema = batch.schema.with_metadata(noted)
                    writer = pq.ParquetWriter(os.fspath(place), schema, compression="zstd")
                writer.write_batch(batch.replace_schema_metadata(noted))
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise DemoError(f"{os.fspath(path)}: no episode to write")
    if demos.provenance.env_id:
        lost.add("the environment's id")
    return tuple(sorted(lost))


class ParquetTable:
    """Parquet files with the same columns, one after the other, as a `Table`.

    Attributes:
        path: The file, or the folder of all.
        room: How many bytes of them may be in memory.
        names: Of the columns.
        cuts: At which rows row groups begin, and where the last ends.
        typed: That it says dtypes.
    """

    typed = True

    def __init__(self, path: str | os.PathLike[str], files: Sequence[Parquet]) -> None:
        self.path, self._files = path, files
        self.names = files[0].names
        self._places = [(file, group) for file in files for group in range(len(file.lengths))]
        lengths = [file.lengths[group] for file, group in self._places]
        self.room = budget(sum(file.size for file in files))
        most = self.room // _LEAST_ROW
        if sum(lengths) > most:
            raise refusal(path, None, f"{sum(lengths)} rows", f"at most {most} for its size")
        self.cuts = np.cumsum([0, *lengths], dtype=np.int64)
        self._known: dict[str, dict[Any, int]] = {}

    def close(self) -> None:
        """Lets go of the files."""
        for file in self._files:
            file.close()

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        """An error about a column."""
        return refusal(self.path, None, f"'{name}' {found}", expected)

    def cells(self, column: str, block: int) -> Cells:
        """A column in a row group; zeros where values are missing."""
        file, array = self.column(column, block)
        with damage(file.path):
            there = np.asarray(array.is_valid()).astype(bool)
            rows = rows_of(file.path, column, array.drop_null(), self.room)
        if there.all():
            return Cells(rows, there)
        if len(there) * rows.itemsize * int(np.prod(rows.shape[1:])) > self.room:
            raise refusal(file.path, None, f"'{column}' is mostly missing", "values")
        values = np.zeros((len(there), *rows.shape[1:]), rows.dtype)
        values[there] = rows
        return Cells(values, there)

    def there(self, column: str, block: int) -> NDArray[np.bool_]:
        """`[N]` whether a row has a value."""
        file, array = self.column(column, block)
        with damage(file.path):
            return np.asarray(array.is_valid()).astype(bool)

    def labels(self, column: str, block: int) -> NDArray[np.int64]:
        """`[N]` whole numbers as they are, texts as numbers counted as they come."""
        import pyarrow as pa

        file, array = self.column(column, block)
        if pa.types.is_integer(array.type):
            return rows_of(file.path, column, array, self.room).astype(np.int64)
        if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
            found = f"'{column}' holds {str(array.type)[:60]}"
            raise refusal(file.path, None, found, "texts or whole numbers")
        known = self._known.setdefault(column, {})
        with damage(file.path):
            codes = [known.setdefault(text, len(known)) for text in array.to_pylist()]
        return np.array(codes, np.int64)

    def column(self, column: str, block: int) -> tuple[Parquet, Any]:
        """The file in which a row group lies, and what it holds of a column."""
        file, group = self._places[block]
        return file, file.column(group, column)


def _noted(file: Parquet) -> Spec | None:
    """The spec that was noted when the file was written; None in other files."""
    text = file.metadata.get(NOTED)
    if text is None:
        return None
    try:
        if len(text) > _LONGEST_SPEC:
            raise ValueError(f"{len(text)} bytes")
        spec = spec_from_json(json.loads(text)["spec"])
        dtypes_of(spec)
        return spec
    except (ValueError, KeyError, TypeError, RecursionError, DemoError, EnvError) as error:
        found = f"a damaged spec ({' '.join(str(error).split())[:120]})"
        raise refusal(file.path, None, found, "it as it was written") from None


def _batches(demos: Demos, lost: set[str]) -> Iterator[Any]:
    import pyarrow as pa

    rewards, waiting = OneReward(demos), list[Any]()
    for index, episode in enumerate(demos):
        check_steps(episode, demos.spec, f"episode {index}")
        lost |= left_out(episode)
        episode = replace(episode, reward=rewards.of(episode, lost))
        seed, kind = kept_seed(episode, lost), rewards.dtype or np.dtype(np.float64)
        waiting.append(_batch(index, episode, seed, demos.spec, pa.from_numpy_dtype(kind)))
        if sum(batch.nbytes for batch in waiting) > _GROUP_BYTES:
            yield pa.concat_batches(waiting)
            waiting = []
    if waiting:
        yield pa.concat_batches(waiting)


def _batch(index: int, episode: Episode, seed: int | None, spec: Spec, kind: Any) -> Any:
    import pyarrow as pa

    given = as_given(episode, spec)
    steps, known = len(episode), episode.final_obs_known
    rows = steps + known
    columns: dict[str, Any] = {
        "episode": pa.array(np.full(rows, index)),
        "step": pa.array(np.arange(rows)),
    }
    for name, values in given.obs.items():
        columns[f"obs.{name}" if name else "obs"] = array_of(values[:rows])
    for name, values in given.action.items():
        columns[f"action.{name}" if name else "action"] = _padded(array_of(values), known)
    reward = episode.reward
    columns["reward"] = pa.nulls(rows, kind) if reward is None else _padded(pa.array(reward), known)
    last = np.arange(steps) == steps - 1
    for name, flag in (
        ("terminated", episode.end is End.TERMINATED),
        ("truncated", episode.end is End.TRUNCATED),
        ("done", episode.end is not End.OPEN),
    ):
        columns[name] = _padded(pa.array(last & flag), known)
    columns["seed"] = pa.array([seed] * rows, pa.int64())
    return pa.record_batch(columns)


def _padded(array: Any, known: bool) -> Any:
    """One row more on which there is nothing, if the last observation is known."""
    import pyarrow as pa

    return pa.concat_arrays([array, pa.nulls(1, array.type)]) if known else array
