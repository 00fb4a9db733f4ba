"""Minari's data sets in Arrow, read and written.

A folder `NAME/data` with `metadata.json`, which says the spaces, and a folder for every episode
`0`, `1` ... with an Arrow file and a `metadata.json` of its own. The file has a row for every
observation: `observations` and `actions`, structs where their spaces nest (the parts of a `Tuple`
are called `0`, `1` ...), else lists of all numbers in C order; `rewards`, `terminations` and
`truncations`. On the last row nothing was done, and it holds zeros. Pictures may be JPEGs.

Source: `minari.dataset._storages.arrow_storage`, version 0.5.4, and
https://minari.farama.org/content/dataset_standards/.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action_codec import ActionCodec
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.arrow import Arrow, damage, library, rows_of
from understudy.data.formats.beside import beside
from understudy.data.formats.grouped import Grouped, Part, Said, lengths_of, read_grouped
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
from understudy.data.formats.refusal import MOST_EPISODES, budget, label, refusal, too_many_episodes
from understudy.data.formats.store import Shaped
from understudy.data.obs_codec import ObsCodec
from understudy.data.spaces import codecs_of, space_from_json
from understudy.data.spec import Spec
from understudy.errors import DemoError

SUFFIX = ".arrow"
_OPEN_FILES = 8


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in the folder `data` of a Minari data set in Arrow.

    Args:
        path: The folder, with `metadata.json` and the folders of the episodes.
        spec: What is seen and done, used only where no metadata says it; None to find out.

    Raises:
        DemoError: The files are damaged, hostile, or do not fit each other.
        MissingExtraError: pyarrow is not installed.
    """
    about = read_metadata(Path(path) / METADATA_FILE)
    file = _Episodes(Path(path))
    if not file.numbers:
        raise refusal(path, None, f"no episode in {SUFFIX} files", "folders 0, 1 ... with one each")
    spec = spec_said(path, about) or spec
    whole = Path(path).parent if Path(path).name == "data" else path
    seen, done = (file.leaves(0, name) for name in ("observations", "actions"))

    def part(index: int) -> Part:
        return Part(
            obs={key: _place(index, "observations", key) for key in seen},
            action={key: _place(index, "actions", key) for key in done},
            reward=_place(index, "rewards"),
            label=label(whole, file.numbers[index]),
        )

    grouped = Grouped(
        file=file,
        lengths=lengths_of(
            file, (_place(index, "rewards") for index in range(len(file.numbers))),
            len(file.numbers),
        ),
        part=part,
        said=lambda index: _said(file, index),
        fetch=file.array,
        shape=file.shaped,
    )  # fmt: skip
    notes: tuple[str, ...] = ()
    if not about:
        notes += (f"there is no {METADATA_FILE}, which says the spaces",)
    if "infos" in file.names(0):
        notes += ("the environment's infos of every step are left out",)
    return read_grouped(grouped, spec, provenance_said(path, about, notes))


def write(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """A new Minari data set in Arrow; it appears whole or not at all.

    Args:
        path: The folder, which must not exist yet; Minari finds it by its path under
            `MINARI_DATASETS_PATH`, which ends in a version, such as `reach/expert-v0`.
        demos: What is written; episodes that lie in other files are read one by one.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The folder exists, no Gymnasium space says what the spec says, or an episode
            does not fit.
        MissingExtraError: pyarrow is not installed.
    """
    library(path)
    told = told_in_spaces(path, demos)
    codecs, steps, lost = codecs_of(told.spec), 0, set(told.lost)
    with beside(Path(path)) as place:
        data = place / "data"
        data.mkdir(parents=True)
        for index, episode in enumerate(demos):
            check_steps(episode, demos.spec, f"episode {index}")
            (data / str(index)).mkdir()
            _put(data / str(index), index, episode, told, codecs)
            lost |= lost_of(episode)
            steps += len(episode)
        lost |= write_metadata(
            data / METADATA_FILE, Path(path).name, demos, told, steps=steps, data_format="arrow"
        )
    return tuple(sorted(lost))


def _put(
    folder: Path, index: int, episode: Episode, told: InSpaces, codecs: tuple[ObsCodec, ActionCodec]
) -> None:
    import pyarrow as pa

    see, do = codecs
    obs = {told.names.get(name, name): rows for name, rows in episode.obs.items()}
    assert told.spec.observation_space is not None, "given by in_spaces"
    assert told.spec.action_space is not None, "given by in_spaces"
    seen = _nested(space_from_json(told.spec.observation_space), see.decode_many(obs))
    actions = list(do.decode_many(episode.action))
    done = _nested(space_from_json(told.spec.action_space), [*actions, _nothing(actions[0])])
    steps = len(episode)
    rewards = np.full(steps, np.nan) if episode.reward is None else episode.reward
    columns: dict[str, Any] = {"observations": seen, "actions": done}
    columns["rewards"] = pa.array(np.append(rewards, rewards.dtype.type(0)))
    for name, end in (("terminations", End.TERMINATED), ("truncations", End.TRUNCATED)):
        flags = np.zeros(steps + 1, bool)
        flags[steps - 1] = episode.end is end
        columns[name] = pa.array(flags)
    batch = pa.record_batch(columns)
    with pa.ipc.new_file(os.fspath(folder / f"part-0{SUFFIX}"), batch.schema) as writer:
        writer.write_batch(batch)
    about: dict[str, Any] = {"id": index, "total_steps": steps}
    if episode.seed is not None:
        about["seed"] = episode.seed
    (folder / METADATA_FILE).write_text(json.dumps(about))


def _nested(space: Any, values: list[Any]) -> Any:
    """Values of a space as a pyarrow array, laid out as Minari does."""
    import pyarrow as pa
    from gymnasium import spaces

    if isinstance(space, spaces.Dict | spaces.Tuple):
        inner = space.spaces
        pairs = list(inner.items() if isinstance(inner, dict) else enumerate(inner))
        parts = [_nested(part, [value[key] for value in values]) for key, part in pairs]
        return pa.StructArray.from_arrays(parts, names=[str(key) for key, _ in pairs])
    rows = np.stack(values)
    if isinstance(space, spaces.Discrete):
        return pa.array(rows.reshape(-1))
    flat = rows.reshape(len(rows), -1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])


def _nothing(value: Any) -> Any:
    """The same nest of zeros."""
    if isinstance(value, dict):
        return {key: _nothing(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(_nothing(part) for part in value)
    return np.zeros_like(value)


def _place(index: int, *names: str) -> str:
    return "/".join([str(index), *filter(None, names)])


def _said(file: _Episodes, index: int) -> Said:
    ended, cut = (
        file.array(_place(index, name)).reshape(-1) != 0 for name in ("terminations", "truncations")
    )
    end = End.TRUNCATED if cut[-1:].any() else End.UNKNOWN
    end = End.TERMINATED if ended[-1:].any() else end
    seed = read_metadata(file.folder(index) / METADATA_FILE).get("seed")
    before = int(ended[:-1].sum())
    return Said(
        end=end,
        seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
        info={"terminations_before_the_end": before} if before else {},
    )


class _Episodes:
    """The episodes of a data set as one store, with names such as `3/observations/arm`.

    Attributes:
        path: The folder.
        room: How many bytes all of them may take in memory.
        numbers: What the folders of the episodes are called, in order.
    """

    def __init__(self, path: Path) -> None:
        library(path)
        self.path: str | os.PathLike[str] = path
        self._folder = path
        found = (p.name for p in path.iterdir() if p.name.isdecimal() and len(p.name) < 10)
        self.numbers = sorted(map(int, found))
        if len(self.numbers) > MOST_EPISODES:
            raise too_many_episodes(path, len(self.numbers))
        self._files = [self._only_file(index) for index in range(len(self.numbers))]
        self.room = budget(sum(file.stat().st_size for file in self._files))
        self._open: OrderedDict[int, Arrow] = OrderedDict()

    def close(self) -> None:
        """Lets go of all files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def folder(self, index: int) -> Path:
        """Where an episode lies."""
        return self._folder / str(self.numbers[index])

    def names(self, index: int) -> tuple[str, ...]:
        """The columns of an episode."""
        return self._file(index).names

    def leaves(self, index: int, name: str) -> tuple[str, ...]:
        """The arrays at and in a column of an episode, as paths relative to it."""
        return self._file(index).leaves(name)

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        """An error about an array."""
        number, _, inner = name.partition("/")
        where = self._files[int(number)] if number.isdecimal() and inner else self.path
        return refusal(where, None, f"'{inner or name}' {found}", expected)

    def shaped(self, name: str, kinds: str = "biuf") -> Shaped:
        """Shape and dtype of an array."""
        rows = self.array(name, kinds=kinds)
        return Shaped(rows.shape, rows.dtype)

    def num_rows(self, name: str) -> int:
        """The length of an array."""
        path, file = self._find(name)
        return len(file.column(0, path)) - (not path.startswith("observations"))

    def array(
        self, name: str, start: int = 0, stop: int | None = None, *, kinds: str = "biuf"
    ) -> NDArray[Any]:
        """The rows of an array; of all but observations without the last one, which is padding."""
        import pyarrow as pa

        path, file = self._find(name)
        column = file.column(0, path)
        count = len(column) - (not path.startswith("observations"))
        stop = count if stop is None else stop
        if not 0 <= start <= stop <= count:
            raise self.refusal(name, f"has {count} rows", f"{stop} or more")
        column = column.slice(start, stop - start)
        if pa.types.is_binary(column.type):
            with damage(file.path):
                return stack_pictures(self, name, column.to_pylist())
        rows = rows_of(file.path, path, column, self.room)
        if rows.dtype.kind not in kinds:
            raise self.refusal(name, f"holds {rows.dtype}", "numbers or flags")
        return rows

    def _find(self, name: str) -> tuple[str, Arrow]:
        number, _, path = name.partition("/")
        file = self._file(int(number))
        column, _, leaf = path.partition("/")
        if leaf not in file.leaves(column):
            raise self.refusal(name, "is not there", "the same arrays in every episode")
        return path, file

    def _file(self, index: int) -> Arrow:
        file = self._open.get(index)
        if file is None:
            self._open[index] = file = Arrow(self._files[index])
            if file.num_batches != 1:
                found = f"{file.num_batches} batches"
                raise refusal(file.path, None, found, "one, which is the episode")
        self._open.move_to_end(index)
        if len(self._open) > _OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return file

    def _only_file(self, index: int) -> Path:
        folder = self.folder(index)
        files = sorted(folder.glob(f"*{SUFFIX}"))
        if len(files) != 1 or not files[0].is_file():
            found = f"{len(files)} files *{SUFFIX}"
            raise refusal(folder, None, found, "one, which is the episode")
        return files[0]
