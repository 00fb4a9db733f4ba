"""Writes data sets of LeRobot, version 3 (`lerobot` says what they are)."""

from __future__ import annotations

import io
import json
import os
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import End, Episode, Tree
from understudy.data.formats.arrow import array_of, library
from understudy.data.formats.as_given import as_given
from understudy.data.formats.beside import beside
from understudy.data.formats.left_out import (
    check_steps,
    left_out_beside_spec,
    left_out_beside_steps,
)
from understudy.data.formats.lerobot import INFO_FILE, VERSION
from understudy.data.formats.lerobot_video_writer import VideosWriter
from understudy.data.formats.lerobot_videos import VIDEO_PATH
from understudy.data.formats.one_reward import OneReward
from understudy.errors import DemoError

FRAMES_PER_SECOND = 10
TASK = "demonstrated"
_FILE_BYTES = 100 << 20
_FILES_PER_CHUNK = 1000
_PLACES = {name: "int64" for name in ("frame_index", "episode_index", "index", "task_index")}


def write(
    path: str | os.PathLike[str],
    demos: Demos,
    *,
    fps: int = FRAMES_PER_SECOND,
    video: bool = False,
) -> tuple[str, ...]:
    """A new data set that LeRobot loads; it appears whole or not at all.

    Args:
        path: The folder, which must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.
        fps: How many steps a second has, which demonstrations do not say and LeRobot must know.
        video: Whether pictures become videos, which are smaller and lose a little of every pixel,
            where they would be PNGs that lose nothing.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The folder exists, two names would be one, or an episode does not fit.
        MissingExtraError: pyarrow is not installed, or PyAV and a picture becomes a video.
    """
    library(path)
    if fps < 1:
        raise DemoError(f"fps={fps}: expected 1 or more steps a second")
    with beside(Path(path)) as place:
        place.mkdir()
        videos = VideosWriter(place, fps, _FILES_PER_CHUNK) if video else None
        writing = _Writing(place, demos, fps, os.fspath(path), videos)
        with nullcontext() if videos is None else closing(videos):
            for index, episode in enumerate(demos):
                check_steps(episode, demos.spec, f"episode {index}")
                writing.add(index, episode)
        writing.close()
    return tuple(sorted(writing.lost))


def write_video(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """`write` with `video=True`."""
    return write(path, demos, video=True)


class _Writing:
    """A data set that grows by one episode, a row group, at a time.

    Attributes:
        lost: What was left out so far, in words.
    """

    def __init__(
        self, folder: Path, demos: Demos, fps: int, where: str, videos: VideosWriter | None
    ) -> None:
        self._folder, self._demos, self._fps, self._where = folder, demos, fps, where
        self._videos = videos
        self.lost = left_out_beside_spec(demos)
        self.lost.add(f"how long a step takes ({fps} frames a second are noted)")
        self._features: dict[str, dict[str, Any]] = {}
        self._episodes: list[dict[str, Any]] = []
        self._sums: dict[str, _Sums] = {}
        self._writer: Any = None
        self._rewards = OneReward(demos)
        self.lost |= self._rewards.lost
        self._total = self._file = 0

    def add(self, index: int, episode: Episode) -> None:
        """Writes an episode."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._note_losses(episode)
        steps = len(episode)
        columns, sums, places = self._columns(episode)
        frames = np.arange(steps)
        columns["timestamp"] = pa.array((frames / self._fps).astype(np.float32))
        self._features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        for name, values in zip(
            _PLACES, (frames, frames * 0 + index, frames + self._total, frames * 0), strict=True
        ):
            columns[name] = pa.array(values)
            self._features[name] = {"dtype": "int64", "shape": [1], "names": None}
        batch = pa.record_batch(columns)
        place = self._folder / "data" / _chunk(self._file)
        if self._writer is not None and place.stat().st_size + batch.nbytes > _FILE_BYTES:
            self._writer.close()
            self._writer, self._file = None, self._file + 1
            place = self._folder / "data" / _chunk(self._file)
        if self._writer is None:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(os.fspath(place), batch.schema)
        self._writer.write_batch(batch)
        for name, part in sums.items():
            self._sums[name] = self._sums[name] + part if name in self._sums else part
        self._episodes.append(self._episode(index, steps, sums) | places)
        self._total += steps

    def close(self) -> None:
        """Writes what is said of all episodes."""
        if self._writer is None:
            raise DemoError(f"{self._where}: no episode to write")
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._writer.close()
        place = self._folder / "meta" / "episodes" / _chunk(0)
        place.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), place)
        stats = {name: sums.stats() for name, sums in self._sums.items()}
        (self._folder / "meta" / "stats.json").write_text(json.dumps(stats, indent=4))
        _write_tasks(self._folder / "meta" / "tasks.parquet")
        info = {
            "codebase_version": VERSION,
            "robot_type": None,
            "total_episodes": len(self._episodes),
            "total_frames": self._total,
            "total_tasks": 1,
            "chunks_size": _FILES_PER_CHUNK,
            "data_files_size_in_mb": _FILE_BYTES >> 20,
            "video_files_size_in_mb": 200,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": VIDEO_PATH if self._videos and self._videos.features else None,
            "features": self._features,
        }
        (self._folder / INFO_FILE).write_text(json.dumps(info, indent=4))

    def _note_losses(self, episode: Episode) -> None:
        self.lost |= left_out_beside_steps(episode)
        if episode.final_obs_known:
            self.lost.add("last observations, on which nothing was done")

    def _columns(self, episode: Episode) -> tuple[dict[str, Any], dict[str, _Sums], dict[str, Any]]:
        """The columns of an episode, their sums, and where its videos are."""
        import pyarrow as pa

        given, steps = as_given(episode, self._demos.spec), len(episode)
        arrays = self._named("observation", given.obs, steps)
        arrays |= self._named("action", given.action, steps)
        last = np.arange(steps) == steps - 1
        if self._rewards.complete:
            arrays["next.reward"] = np.asarray(self._rewards.of(episode, self.lost))
        arrays["next.done"] = last & (episode.end is not End.OPEN)
        arrays["next.terminated"] = last & (episode.end is End.TERMINATED)
        arrays["next.truncated"] = last & (episode.end is End.TRUNCATED)
        columns: dict[str, Any] = {}
        sums: dict[str, _Sums] = {}
        places: dict[str, Any] = {}
        for name, rows in arrays.items():
            if name.startswith("observation") and _is_picture(rows):
                sums[name] = _Sums.of(np.moveaxis(rows / 255, -1, 1), (0, 2, 3))
                if self._videos is not None:
                    places |= self._videos.add(name, rows)
                    self._features[name] = self._videos.features[name]
                    self.lost.add("pixels are what the codec keeps of them")
                    continue
                kind = {"bytes": pa.binary(), "path": pa.string()}
                pngs = [{"bytes": _png(row), "path": None} for row in rows]
                columns[name] = pa.array(pngs, pa.struct(kind))
                about = {"dtype": "image", "shape": list(rows.shape[1:])}
                self._features[name] = about | {"names": ["height", "width", "channel"]}
                continue
            if rows.ndim == 1 and not name.startswith("next."):
                self.lost.add("that single numbers are no vectors of one")
            flat = rows.ndim == 1 or rows.shape[1:] == (1,)
            columns[name] = pa.array(rows.reshape(-1)) if flat else array_of(rows)
            shape = [1] if flat else list(rows.shape[1:])
            self._features[name] = {"dtype": rows.dtype.name, "shape": shape, "names": None}
            sums[name] = _Sums.of(rows.reshape(steps, *shape).astype(np.float64), (0,))
        return columns, sums, places

    def _named(self, root: str, arrays: Tree, steps: int) -> dict[str, NDArray[Any]]:
        out: dict[str, NDArray[Any]] = {}
        for name, rows in arrays.items():
            # LeRobot's names have no slash.
            called = ".".join([root, *filter(None, name.split("/"))])
            if called == "observation":
                called = "observation.image" if _is_picture(rows) else "observation.state"
                self.lost.add(f"that an observation has no name: it is called {called[12:]}")
            if called in out:
                raise DemoError(f"{self._where}: two arrays called {called}; expected other names")
            if name and name.replace("/", ".") != name:
                self.lost.add("slashes in names, which become dots")
            out[called] = rows[:steps]
        return out

    def _episode(self, index: int, steps: int, sums: dict[str, _Sums]) -> dict[str, Any]:
        chunk, file = divmod(self._file, _FILES_PER_CHUNK)
        row: dict[str, Any] = {
            "episode_index": index,
            "tasks": [TASK],
            "length": steps,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": self._total,
            "dataset_to_index": self._total + steps,
        }
        for name, part in sums.items():
            row |= {f"stats/{name}/{what}": value for what, value in part.stats().items()}
        return row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}


class _Sums:
    """Of numbers that come in parts: how many, the extremes, and the first two moments."""

    def __init__(
        self,
        count: int,
        frames: int,
        ends: tuple[NDArray[Any], ...],
        sums: tuple[NDArray[Any], ...],
    ) -> None:
        self._count, self._frames, self._ends, self._sums = count, frames, ends, sums

    @classmethod
    def of(cls, rows: NDArray[np.float64], axes: tuple[int, ...]) -> _Sums:
        """The sums of `rows` over `axes`, of which the first counts frames."""
        keep = len(axes) > 1
        ends = tuple(np.squeeze(f(rows, axis=axes, keepdims=True), 0) for f in (np.min, np.max))
        sums = tuple(
            np.squeeze(np.sum(part, axis=axes, keepdims=True), 0) for part in (rows, rows**2)
        )
        count = int(np.prod([rows.shape[axis] for axis in axes])) if keep else len(rows)
        return cls(count, len(rows), ends, sums)

    def __add__(self, other: _Sums) -> _Sums:
        ends = (
            np.minimum(self._ends[0], other._ends[0]),
            np.maximum(self._ends[1], other._ends[1]),
        )
        sums = tuple(a + b for a, b in zip(self._sums, other._sums, strict=True))
        return _Sums(self._count + other._count, self._frames + other._frames, ends, sums)

    def stats(self) -> dict[str, Any]:
        """As LeRobot notes them."""
        mean = self._sums[0] / self._count
        variance = np.maximum(self._sums[1] / self._count - mean**2, 0)
        arrays = {"min": self._ends[0], "max": self._ends[1], "mean": mean}
        out = {name: array.tolist() for name, array in arrays.items()}
        return out | {"std": np.sqrt(variance).tolist(), "count": [self._frames]}


def _is_picture(rows: NDArray[Any]) -> bool:
    return rows.dtype == np.uint8 and rows.ndim == 4 and rows.shape[-1] in (1, 3)


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(out, "PNG")
    return out.getvalue()


def _chunk(number: int) -> str:
    chunk, file = divmod(number, _FILES_PER_CHUNK)
    return f"chunk-{chunk:03d}/file-{file:03d}.parquet"


def _write_tasks(path: Path) -> None:
    """A table whose index, as pandas notes one, is the texts of the tasks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    index = "__index_level_0__"
    columns = [
        {"name": "task_index", "field_name": "task_index", "pandas_type": "int64",
         "numpy_type": "int64", "metadata": None},
        {"name": None, "field_name": index, "pandas_type": "unicode", "numpy_type": "object",
         "metadata": None},
    ]  # fmt: skip
    about = {"index_columns": [index], "column_indexes": [], "columns": columns}
    about |= {"pandas_version": "2.0.0"}
    table = pa.table({"task_index": pa.array([0]), index: pa.array([TASK])})
    pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(about)}), path)
