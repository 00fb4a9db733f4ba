"""Trajectories of HumanCompatibleAI's `imitation`, a folder of Hugging Face `datasets`.

What `datasets.Dataset.save_to_disk` writes: `state.json`, which lists Arrow streams
`data-00000-of-00001.arrow`, and `dataset_info.json`. One row is one trajectory: `obs` is a list of
one observation more than `acts` and `rews` (which may be missing) have, and `terminal` a flag.
`infos` are texts of jsonpickle, which could build any object, and are never decoded.

Sources: `imitation.data.huggingface_utils`, version 1.0.1, and `datasets.arrow_dataset`, 5.0.1.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode
from understudy.data.formats.arrow import Arrow, ends_of, is_list, library, rows_of
from understudy.data.formats.as_given import as_given
from understudy.data.formats.beside import beside
from understudy.data.formats.blocks import Blocks, span
from understudy.data.formats.grouped import Grouped, Part, Said, read_grouped
from understudy.data.formats.left_out import (
    check_steps,
    left_out_beside_spec,
    left_out_beside_steps,
)
from understudy.data.formats.one_reward import OneReward
from understudy.data.formats.refusal import (
    MOST_EPISODES,
    budget,
    label,
    read_json,
    refusal,
    too_many_episodes,
)
from understudy.data.spec import Spec
from understudy.errors import DemoError

STATE_FILE = "state.json"
INFO_FILE = "dataset_info.json"
_LONGEST_STATE = 16 << 20
_DATA_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}\.arrow")
_BATCH_BYTES = 32 << 20


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in a folder of `imitation`.

    Args:
        path: The folder.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: A file is damaged, hostile, or does not fit the others or the spec.
        MissingExtraError: pyarrow is not installed.

    Note:
        As in the older files, `terminal` does not tell the end of a task from a time limit: True is
        UNKNOWN, False (cut off while it went on) is OPEN.
    """
    lists = _Lists(Path(path))
    obs, acts = lists.ends["obs"], lists.ends["acts"]

    def part(index: int) -> Part:
        done = span(int(acts[index]), int(acts[index + 1]), "acts")
        rews = span(int(acts[index]), int(acts[index + 1]), "rews")
        return Part(
            obs={"": span(int(obs[index]), int(obs[index + 1]), "obs")},
            action={"": done},
            reward=rews if "rews" in lists.ends else None,
            label=label(path, index),
        )

    def said(index: int) -> Said:
        return Said(end=End.UNKNOWN if lists.terminal[index] else End.OPEN)

    blocks = lists.blocks
    grouped = Grouped(
        file=blocks, lengths=np.diff(acts), part=part, said=said,
        fetch=blocks.array, shape=blocks.shaped,
    )  # fmt: skip
    notes = ("episodes that ended may have ended by a time limit",)
    if lists.has_infos:
        notes += ("infos of steps are left out: they could build any object, and are not decoded",)
    origin = Provenance(format="imitation", files=(os.fspath(path),), notes=notes)
    return read_grouped(grouped, spec, origin)


def write(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """A new folder that `imitation` and `datasets` load; it appears whole or not at all.

    Args:
        path: The folder, which must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The folder exists, observations or actions are several arrays, or an episode
            does not fit.
        MissingExtraError: pyarrow is not installed.
    """
    pa = library(path)
    writing = _Writing(demos)
    with beside(Path(path)) as place:
        place.mkdir()
        name = "data-00000-of-00001.arrow"
        batches = writing.batches(path)
        first = next(batches, None)
        if first is None:
            raise DemoError(f"{os.fspath(path)}: no episode to write")
        features = {field.name: _feature(field.type) for field in first.schema}
        about = {"citation": "", "description": "", "features": features, "homepage": ""}
        about |= {"license": ""}
        schema = first.schema.with_metadata(
            {"huggingface": json.dumps({"info": {"features": features}})}
        )
        with pa.ipc.new_stream(os.fspath(place / name), schema) as stream:
            stream.write_batch(first.replace_schema_metadata(schema.metadata))
            for batch in batches:
                stream.write_batch(batch.replace_schema_metadata(schema.metadata))
        (place / INFO_FILE).write_text(json.dumps(about, indent=2))
        state = {
            "_data_files": [{"filename": name}],
            "_fingerprint": hashlib.sha256(json.dumps(features).encode()).hexdigest()[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        }
        (place / STATE_FILE).write_text(json.dumps(state, indent=2))
    return tuple(sorted(writing.lost))


class _Lists:
    """The columns of all files one after the other.

    Attributes:
        ends: `[E+1]` where each trajectory's rows of `obs`, `acts` and, if there, `rews` begin.
        terminal: `[E]` flags.
        has_infos: Whether there are infos.
        blocks: What the columns hold.
    """

    def __init__(self, folder: Path) -> None:
        library(folder)
        self._folder = folder
        files = [Arrow(file) for file in _data_files(folder)]
        room = budget(sum(file.size for file in files))
        self._places = [(file, batch) for file in files for batch in range(file.num_batches)]
        columns = ["obs", "acts"]
        if any("rews" in file.names for file in files):
            columns.append("rews")
        self.has_infos = any("infos" in file.names for file in files)
        parts = [
            rows_of(file.path, "terminal", self._column(file, batch, "terminal"), room)
            for file, batch in self._places
        ]
        self.terminal = np.concatenate([np.zeros(0, bool), *parts]) != 0
        if len(self.terminal) > MOST_EPISODES:
            raise too_many_episodes(folder, len(self.terminal))
        self.ends: dict[str, NDArray[np.int64]] = {}
        cuts: dict[str, NDArray[np.int64]] = {}
        for name in columns:
            self.ends[name], cuts[name] = self._ends(name)
        if "rews" in self.ends and (self.ends["rews"] != self.ends["acts"]).any():
            raise refusal(folder, None, "other numbers of rews than of acts", "one for each")
        self._room = room
        self.blocks = Blocks(folder, room, cuts, self._fetch, lambda: [f.close() for f in files])

    def _column(self, file: Arrow, batch: int, name: str) -> Any:
        if "" not in file.leaves(name):
            raise refusal(file.path, None, f"a struct '{name}'", "lists of numbers")
        return file.column(batch, name)

    def _list(self, file: Arrow, batch: int, name: str) -> Any:
        array = self._column(file, batch, name)
        if not is_list(array.type) or array.null_count:
            found = f"'{name}' of {str(array.type)[:60]}, {array.null_count} of them nothing"
            raise refusal(file.path, None, found, "a list for each trajectory")
        return array

    def _ends(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ends, cuts, total = [np.zeros(1, np.int64)], [0], 0
        for file, batch in self._places:
            inside = ends_of(self._list(file, batch, name))
            ends.append(inside[1:] + total)
            total += int(inside[-1])
            cuts.append(total)
        out = np.concatenate(ends)
        if len(out) != len(self.terminal) + 1:
            found = f"{len(out) - 1} lists '{name}'"
            raise refusal(self._folder, None, found, f"{len(self.terminal)} as flags 'terminal'")
        return out, np.array(cuts, np.int64)

    def _fetch(self, name: str, block: int) -> NDArray[Any]:
        file, batch = self._places[block]
        return rows_of(file.path, name, self._list(file, batch, name).flatten(), self._room)


class _Writing:
    """Episodes as batches of one row each.

    Attributes:
        lost: What was left out so far, in words.
    """

    def __init__(self, demos: Demos) -> None:
        self._demos, self.lost = demos, left_out_beside_spec(demos)
        self._rewards = OneReward(demos)
        self.lost |= self._rewards.lost

    def batches(self, path: str | os.PathLike[str]) -> Iterator[Any]:
        """All episodes, as pyarrow batches of some of them."""
        rows: list[dict[str, NDArray[Any]]] = []
        for index, episode in enumerate(self._demos):
            check_steps(episode, self._demos.spec, f"episode {index}")
            rows.append(self._row(path, episode))
            if sum(sum(a.nbytes for a in row.values()) for row in rows) > _BATCH_BYTES:
                yield _batch(rows)
                rows = []
        if rows:
            yield _batch(rows)

    def _row(self, path: str | os.PathLike[str], episode: Episode) -> dict[str, NDArray[Any]]:
        given = as_given(episode, self._demos.spec)
        if len(given.obs) != 1 or len(given.action) != 1:
            raise DemoError(
                f"{os.fspath(path)}: {self._demos.spec.describe()}; imitation knows one array of "
                "observations and one of actions: write it as Minari"
            )
        self.lost |= left_out_beside_steps(episode)
        if episode.end in (End.TERMINATED, End.TRUNCATED):
            self.lost.add("why episodes ended")
        if not episode.final_obs_known:
            self.lost.add("that last observations are missing (the one before stands there again)")
        row = {"obs": next(iter(given.obs.values())), "acts": next(iter(given.action.values()))}
        row["terminal"] = np.array(episode.end is not End.OPEN)
        if self._rewards.complete:
            row["rews"] = np.asarray(self._rewards.of(episode, self.lost))
        return row


def _batch(rows: Sequence[dict[str, NDArray[Any]]]) -> Any:
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for name in ("obs", "acts"):
        columns[name] = _lists([row[name] for row in rows])
    infos = [len(row["acts"]) for row in rows]
    columns["infos"] = pa.ListArray.from_arrays(
        np.cumsum([0, *infos], dtype=np.int32), pa.array(["{}"] * sum(infos))
    )
    columns["terminal"] = pa.array([bool(row["terminal"]) for row in rows])
    if "rews" in rows[0]:
        columns["rews"] = _lists([row["rews"] for row in rows])
    return pa.record_batch(columns)


def _lists(arrays: Sequence[NDArray[Any]]) -> Any:
    """Arrays `[T, ...]` as one list each, with one level of lists more for every other axis."""
    import pyarrow as pa

    whole = np.concatenate(arrays)
    flat, count = pa.array(whole.reshape(-1)), whole.size
    for size in reversed(whole.shape[1:]):
        count //= size
        flat = pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * size, flat)
    return pa.ListArray.from_arrays(
        np.cumsum([0, *map(len, arrays)], dtype=np.int32), flat
    )  # fmt: skip


def _feature(kind: Any) -> dict[str, Any]:
    """A pyarrow type as `datasets` describes it."""
    import pyarrow as pa

    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "Sequence"}
    names = {"float": "float32", "double": "float64", "halffloat": "float16"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


def _data_files(folder: Path) -> list[Path]:
    state = read_json(folder / STATE_FILE, _LONGEST_STATE, "the state of a data set")
    listed = state.get("_data_files")
    out: list[Path] = []
    for item in listed if isinstance(listed, list) else []:
        name = item.get("filename") if isinstance(item, dict) else None
        # A name with a place in it could be any file of this machine.
        if not isinstance(name, str) or not _DATA_FILE.fullmatch(name):
            raise refusal(folder / STATE_FILE, None, f"the file {name!r:.80}", "*.arrow beside it")
        if not (folder / name).is_file():
            raise refusal(folder, None, f"no file {name}, which {STATE_FILE} lists", "all of them")
        out.append(folder / name)
    if not out or len(set(out)) < len(out):
        found = f"{len(out)} files, {len(set(out))} of them different"
        raise refusal(folder / STATE_FILE, None, found, "_data_files, one or more")
    return out
