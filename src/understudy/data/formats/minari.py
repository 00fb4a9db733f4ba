"""Minari's data sets in HDF5, read and written.

A folder `NAME/data` with `main_data.hdf5` and `metadata.json`, which says the spaces. A group
`episode_7` has `observations` `[T+1, ...]` and `actions` `[T, ...]`, nested as their spaces (the
parts of a `Tuple` are called `_index_0`, `_index_1` ...), `rewards`, `terminations` and
`truncations` `[T]`. Pictures may be JPEGs, one in each row.

Source: https://minari.farama.org/content/dataset_standards/.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.action_codec import ActionCodec
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.beside import beside
from understudy.data.formats.flat import paths_of
from understudy.data.formats.grouped import Grouped, Part, Said, lengths_of, read_grouped
from understudy.data.formats.hdf5 import Hdf5, writing
from understudy.data.formats.images import JPEG_MAGIC
from understudy.data.formats.left_out import check_steps
from understudy.data.formats.minari_about import (
    METADATA_FILE,
    lost_of,
    provenance_said,
    read_metadata,
    spec_said,
    told_in_spaces,
    write_metadata,
)
from understudy.data.formats.minari_spaces import InSpaces
from understudy.data.formats.pictures import stack_pictures
from understudy.data.formats.store import Shaped
from understudy.data.obs_codec import ObsCodec
from understudy.data.spaces import codecs_of
from understudy.data.spec import Spec

MAIN_FILE = "main_data.hdf5"
_EPISODE = re.compile(r"episode_(0|[1-9][0-9]{0,8})")
_PLACE = re.compile(r"(^|/)_index_(0|[1-9][0-9]{0,3})(?=/|$)")


def recognizes(names: Sequence[str]) -> bool:
    """Whether an HDF5 file with these names at its top is one of Minari."""
    return bool(names) and all(_EPISODE.fullmatch(name) for name in names)


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in the main file of a Minari data set.

    Args:
        path: `main_data.hdf5`; `metadata.json` is read if it lies beside it.
        spec: What is seen and done, used only where no metadata says it; None to find out.

    Raises:
        DemoError: The files are damaged, hostile, or do not fit each other.
        MissingExtraError: h5py is not installed.
    """
    file = Hdf5(path)
    about = read_metadata(Path(path).with_name(METADATA_FILE))
    numbers = sorted(int(name[8:]) for name in file.names() if _EPISODE.fullmatch(name))
    if not numbers:
        raise file.refusal("/", "holds no episode_0, episode_1 ...", "episodes")
    episodes = [f"episode_{number}" for number in numbers]
    spec = spec_said(path, about) or spec
    seen = paths_of(file, f"{episodes[0]}/observations")
    done = paths_of(file, f"{episodes[0]}/actions")
    pictures = _Pictures(file)

    def part(index: int) -> Part:
        group = episodes[index]
        return Part(
            obs={_named(key): _under(f"{group}/observations", key) for key in seen},
            action={_named(key): _under(f"{group}/actions", key) for key in done},
            reward=f"{group}/rewards" if file.holds(f"{group}/rewards") else None,
        )

    grouped = Grouped(
        file=file,
        lengths=lengths_of(
            file, (_under(f"{group}/actions", next(iter(done))) for group in episodes),
            len(episodes),
        ),
        part=part,
        said=lambda index: _said(file, episodes[index]),
        fetch=pictures.fetch,
        shape=pictures.shape,
    )  # fmt: skip
    notes: tuple[str, ...] = ()
    if not about:
        notes += (f"there is no {METADATA_FILE} beside it, which says the spaces",)
    if file.holds(f"{episodes[0]}/infos"):
        notes += ("the environment's infos of every step are left out",)
    return read_grouped(grouped, spec, provenance_said(path, about, notes))


def write(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """A new Minari data set in a folder; it appears whole or not at all.

    Args:
        path: The folder, which must not exist yet; Minari finds it by its path under
            `MINARI_DATASETS_PATH`, which ends in a version, such as `reach/expert-v0`.
        demos: What is written; episodes that lie in other files are read one by one.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The folder exists, no Gymnasium space says what the spec says, or an episode
            does not fit.
        MissingExtraError: h5py is not installed.
    """
    told = told_in_spaces(path, demos)
    codecs = codecs_of(told.spec)
    steps, lost = 0, set(told.lost)
    with beside(Path(path)) as place:
        data = place / "data"
        data.mkdir(parents=True)
        with writing(data / MAIN_FILE) as file:
            for index, episode in enumerate(demos):
                check_steps(episode, demos.spec, f"episode {index}")
                lost |= _put(file.create_group(f"episode_{index}"), episode, told, codecs)
                file[f"episode_{index}"].attrs["id"] = index
                steps += len(episode)
        lost |= write_metadata(
            data / METADATA_FILE, Path(path).name, demos, told, steps=steps, data_format="hdf5"
        )
    return tuple(sorted(lost))


def _put(
    group: Any, episode: Episode, told: InSpaces, codecs: tuple[ObsCodec, ActionCodec]
) -> set[str]:
    """Writes an episode; returns what it has that the layout has no place for."""
    see, do = codecs
    obs = {told.names.get(name, name): rows for name, rows in episode.obs.items()}
    _nest(group, "observations", see.decode_many(obs))
    acts: Action = episode.action
    _nest(group, "actions", do.decode_many(acts))
    nothing = np.full(len(episode), np.nan)
    group.create_dataset("rewards", data=nothing if episode.reward is None else episode.reward)
    for name, end in (("terminations", End.TERMINATED), ("truncations", End.TRUNCATED)):
        flags = np.zeros(len(episode), bool)
        flags[-1:] = episode.end is end
        group.create_dataset(name, data=flags)
    group.attrs["total_steps"] = len(episode)
    if episode.seed is not None:
        group.attrs["seed"] = episode.seed
    return lost_of(episode)


def _nest(group: Any, name: str, values: list[Any]) -> None:
    first = values[0]
    if isinstance(first, dict | tuple):
        inside = group.create_group(name)
        for key in first if isinstance(first, dict) else range(len(first)):
            part = key if isinstance(key, str) else f"_index_{key}"
            _nest(inside, part, [value[key] for value in values])
        return
    rows = np.stack(values)
    group.create_dataset(name, data=rows, **_packed(rows))


def _packed(rows: NDArray[Any]) -> dict[str, Any]:
    return {"compression": "gzip"} if rows.dtype == np.uint8 and rows[0].size > 1 else {}


def _named(key: str) -> str:
    """The path in the file as a path in the space: `_index_3` is place 3 of a `Tuple`."""
    return _PLACE.sub(r"\1\2", key)


def _under(group: str, key: str) -> str:
    return f"{group}/{key}" if key else group


def _said(file: Hdf5, group: str) -> Said:
    ended = file.array(f"{group}/terminations").reshape(-1) != 0
    cut = file.array(f"{group}/truncations").reshape(-1) != 0
    end = End.TRUNCATED if cut[-1:].any() else End.UNKNOWN
    end = End.TERMINATED if ended[-1:].any() else end
    seed = file.attribute(group, "seed")
    before = int(ended[:-1].sum())
    return Said(
        end=end,
        seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
        # Such as tasks that go on after they succeeded.
        info={"terminations_before_the_end": before} if before else {},
    )


class _Pictures:
    """Arrays of observations, whether they are stored as they are or as JPEGs."""

    def __init__(self, file: Hdf5) -> None:
        self._file = file

    def fetch(self, path: str) -> NDArray[Any]:
        file = self._file
        if not file.is_ragged(path):
            rows = file.array(path)
            return stack_pictures(file, path, rows) if _jpegs(rows) else rows
        return stack_pictures(file, path, file.ragged(path))

    def shape(self, path: str) -> Shaped:
        rows = self._first(path)
        if rows is None:
            return self._file.shaped(path)
        return Shaped((1, *rows.shape[1:]), rows.dtype)

    def _first(self, path: str) -> NDArray[Any] | None:
        file = self._file
        if file.is_ragged(path):
            return stack_pictures(file, path, file.ragged(path, stop=1))
        shaped = file.shaped(path)
        flat = len(shaped.shape) == 2 and shaped.dtype == np.uint8 and shaped.shape[0] > 0
        rows = file.array(path, 0, 1) if flat else np.zeros(0)
        return stack_pictures(file, path, rows) if _jpegs(rows) else None


def _jpegs(rows: NDArray[Any]) -> bool:
    return (
        rows.dtype == np.uint8
        and rows.ndim == 2
        and len(rows) > 0
        and rows[0, :3].tobytes() == JPEG_MAGIC
    )
