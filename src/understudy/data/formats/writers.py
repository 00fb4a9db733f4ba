"""The formats in which demonstrations can be written, by name.

A new format is one more line in `WRITERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from understudy.data.demos import Demos
from understudy.data.formats import (
    csv_steps,
    di_engine,
    expert_npz_writer,
    imitation_arrow,
    lerobot_writer,
    minari,
    minari_arrow,
    native,
    parquet_steps,
    robomimic,
)
from understudy.data.formats.mlagents import writer as mlagents
from understudy.data.formats.pickled import writer as pickled


class Writer(NamedTuple):
    """A format in which demonstrations can be written.

    Attributes:
        suffix: How the name of such a file ends by custom, as in `.hdf5`; empty for a folder.
        about: What it is, for people.
        write: Writes a new file or folder, which appears whole or not at all, from episodes that
            it reads one by one. Returns what the format has no place for, in words.
    """

    suffix: str
    about: str
    write: Callable[[Path, Demos], tuple[str, ...]]


def _write_native(path: Path, demos: Demos) -> tuple[str, ...]:
    native.write_demos(path, demos)
    return ()


WRITERS: dict[str, Writer] = {
    "understudy": Writer(".demos", "one file that keeps everything", _write_native),
    "minari": Writer("", "Minari's folder, in HDF5", minari.write),
    "minari-arrow": Writer("", "Minari's folder, in Arrow", minari_arrow.write),
    "imitation": Writer("", "imitation's folder, as Hugging Face saves it", imitation_arrow.write),
    "robomimic": Writer(".hdf5", "robomimic's HDF5 file", robomimic.write),
    "lerobot": Writer("", "LeRobot's folder, version 3, pictures as PNG", lerobot_writer.write),
    "lerobot-video": Writer(
        "", "the same, pictures as videos, with losses", lerobot_writer.write_video
    ),
    "parquet": Writer(
        ".parquet", "one table with a row for every observation", parquet_steps.write
    ),
    "csv": Writer(".csv", "the same as text, with a column for every number", csv_steps.write),
    "di-engine": Writer(".pkl", "DI-engine's pickled list of steps", pickled.write),
    "di-engine-episodes": Writer(
        ".pkl", "DI-engine's pickled list of episodes", pickled.write_episodes
    ),
    "di-engine-hdf5": Writer(
        "_demos.hdf5", "DI-engine's HDF5 file of transitions", di_engine.write
    ),
    "mlagents": Writer(".demo", "Unity ML-Agents' recording", mlagents.write),
    "stable-baselines": Writer(".npz", "Stable-Baselines 2's expert data", expert_npz_writer.write),
}
