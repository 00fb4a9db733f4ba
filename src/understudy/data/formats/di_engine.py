"""DI-engine's HDF5 files of transitions (`NAME_demos.hdf5`), read and written.

`obs`, `action`, `reward`, `done` and `next_obs` with a row for every step, as `hdf5_save` of
DI-engine writes them. `done` is true at every end, time limits included.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.as_given import as_given
from understudy.data.formats.beside import beside
from understudy.data.formats.flat import Cut, Flat, flags, paths_of, read_flat
from understudy.data.formats.hdf5 import Hdf5, writing
from understudy.data.formats.left_out import (
    check_steps,
    left_out_beside_spec,
    left_out_beside_steps,
)
from understudy.data.formats.one_reward import OneReward
from understudy.data.spec import Spec
from understudy.errors import DemoError

MEMBERS = frozenset({"obs", "action", "done"})
_CHUNK_BYTES = 1 << 20


def recognizes(names: Sequence[str]) -> bool:
    """Whether an HDF5 file with these names at its top is one of DI-engine."""
    return set(names) >= MEMBERS


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in an HDF5 file of DI-engine.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, or does not fit the spec.
        MissingExtraError: h5py is not installed.
    """
    file = Hdf5(path)
    count = file.num_rows("done")
    cuts = np.zeros(count, np.uint8)
    cuts[flags(file, "done", count)] = Cut.UNKNOWN
    flat = Flat(
        file=file,
        obs=paths_of(file, "obs"),
        next_obs=paths_of(file, "next_obs") if file.holds("next_obs") else {},
        action=paths_of(file, "action"),
        reward="reward" if file.holds("reward") else None,
        order=np.arange(count),
        cuts=cuts,
    )
    note = "the file says that an episode ended, not why: by its task, or by a time limit"
    return read_flat(flat, spec, "di-engine", (note,))


def write(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """A new file as DI-engine's `HDF5Dataset` loads it; it appears whole or not at all.

    Args:
        path: The file, which must not exist yet. DI-engine calls it `NAME_demos.hdf5`.
        demos: What is written; episodes that lie in other files are read one by one.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The file exists, there are several arrays of observations or actions, or an
            episode does not fit.
        MissingExtraError: h5py is not installed.
    """
    rewards = OneReward(demos)
    lost = left_out_beside_spec(demos) | rewards.lost
    with beside(Path(path)) as place, writing(place) as file:
        for index, episode in enumerate(demos):
            check_steps(episode, demos.spec, f"episode {index}")
            lost |= left_out_beside_steps(episode)
            if episode.end is not End.UNKNOWN:
                lost.add("why episodes ended")
            if not episode.final_obs_known:
                lost.add("that last observations are missing (the one before stands there again)")
            for name, rows in _rows(path, episode, demos.spec).items():
                _append(file, name, rows)
            if rewards.complete:
                _append(file, "reward", np.asarray(rewards.of(episode, lost))[:, None])
        if "done" not in file:
            raise DemoError(f"{os.fspath(path)}: no episode to write")
    return tuple(sorted(lost))


def _rows(path: str | os.PathLike[str], episode: Episode, spec: Spec) -> dict[str, NDArray[Any]]:
    """Every transition of an episode but for its reward, `[T, ...]` by name."""
    given = as_given(episode, spec)
    if len(given.obs) != 1 or len(given.action) != 1:
        raise DemoError(
            f"{os.fspath(path)}: {spec.describe()}; DI-engine reads one array of observations and "
            "one of actions from HDF5: write it as di-engine, which is a pickle, or as Minari"
        )
    (seen,), (done,) = given.obs.values(), given.action.values()
    last = np.arange(len(episode)) == len(episode) - 1
    return {"obs": seen[:-1], "next_obs": seen[1:], "action": done, "done": last}


def _append(file: Any, name: str, rows: NDArray[Any]) -> None:
    """Puts rows behind those that are there, in an array that begins with them."""
    if name not in file:
        row = max(1, rows[:1].nbytes)
        chunk = (max(1, _CHUNK_BYTES // row), *rows.shape[1:])
        file.create_dataset(
            name,
            shape=(0, *rows.shape[1:]),
            maxshape=(None, *rows.shape[1:]),
            dtype=rows.dtype,
            chunks=chunk,
            compression="gzip",
        )
    array = file[name]
    count = len(array)
    array.resize(count + len(rows), axis=0)
    array[count:] = rows
