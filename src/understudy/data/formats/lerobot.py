"""LeRobot's data sets, version 3, read and written.

A folder with `meta/info.json` (features, frames a second), `meta/stats.json`, `meta/tasks.parquet`,
`meta/episodes/chunk-000/file-000.parquet` and `data/chunk-000/file-000.parquet`, which have a row
for every step: `observation.*`, `action`, `next.reward`, `next.done`, `timestamp`, `frame_index`,
`episode_index`, `index` and `task_index`. Pictures are PNGs in these rows, or frames of videos
(`lerobot_videos`), of which an episode is decoded when it is asked for.

Source: https://github.com/huggingface/lerobot, `src/lerobot/datasets`, version 0.4.4.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from understudy.data.demos import Demos, Provenance
from understudy.data.formats.arrow import damage
from understudy.data.formats.columns import Found, Source
from understudy.data.formats.dtypes import dtypes_of
from understudy.data.formats.lerobot_videos import (
    VIDEO_PATH,
    Picture,
    picture_of,
    with_videos,
)
from understudy.data.formats.parquet import Parquet
from understudy.data.formats.parquet_steps import ParquetTable
from understudy.data.formats.pictures import stack_pictures
from understudy.data.formats.refusal import plain, read_json, refusal
from understudy.data.formats.steps import read_steps
from understudy.data.formats.table import Cells, steps_in
from understudy.data.spec import Spec

INFO_FILE = "meta/info.json"
VERSION = "v3.0"
MOST_FILES = 100_000
_LONGEST_INFO = 16 << 20
_FILE = re.compile(r"chunk-[0-9]{3,9}/file-[0-9]{3,9}\.parquet")
_PLACES = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_SINGLE = {
    "next.reward": "reward",
    "next.done": "done",
    "next.terminated": "terminated",
    "next.truncated": "truncated",
    "episode_index": "episode",
}


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in a data set of LeRobot.

    Args:
        path: The folder, in which `meta` and `data` are.
        spec: What is seen and done; None to find out.

    Raises:
        DemoError: It is of another version, damaged or hostile.
        MissingExtraError: pyarrow is not installed, or it has videos and PyAV is not.
    """
    folder = Path(path)
    info = read_json(folder / INFO_FILE, _LONGEST_INFO, "the description of a data set of LeRobot")
    version, features = info.get("codebase_version"), info.get("features")
    if not isinstance(version, str) or not version.startswith("v3."):
        found = f"version {version!r:.40} of LeRobot's layout"
        expected = "v3; LeRobot converts older ones (convert_dataset_v21_to_v30)"
        raise refusal(folder, None, found, expected)
    if not isinstance(features, dict):
        raise refusal(folder / INFO_FILE, None, "no features", "them by name")
    found = _called(_found(folder, features), spec)
    pictures = _pictures(folder, features, found)
    files = [Parquet(file) for file in _data_files(folder)]
    table = _Table(folder, files, set(found.used) - set(pictures))
    rows, total = int(table.cuts[-1]), info.get("total_frames")
    if total != rows:
        found = f"{rows} rows in its data files"
        raise refusal(folder, None, found, f"{total!r:.20}, its total_frames, in all of its files")
    steps = steps_in(table, found, spec)
    if pictures:
        if (template := info.get("video_path")) != VIDEO_PATH:
            raise refusal(folder / INFO_FILE, None, f"video_path {template!r:.80}", VIDEO_PATH)
        # Names may have changed on the way, their order has not.
        sources = zip(steps.obs.items(), found.obs.values(), strict=True)
        seen = {
            column: (name, pictures[source.columns[0]])
            for (name, column), source in sources
            if source.columns[0] in pictures
        }
        wanted = dtypes_of(spec)[0]
        steps = with_videos(
            steps,
            folder,
            info.get("fps"),
            {column: picture for column, (_, picture) in seen.items()},
            {column: wanted[name] for column, (name, _) in seen.items() if name in wanted},
        )
    return read_steps(steps, spec, _origin(folder, version, features, found, pictures))


class _Table(ParquetTable):
    """The data files of a set, in which pictures are packed one by one."""

    def __init__(self, folder: Path, files: list[Parquet], used: Collection[str]) -> None:
        for file in files:
            if missing := set(used) - set(file.names):
                name = sorted(missing)[0]
                raise refusal(
                    file.path, None, f"no column '{name:.80}'", f"it, as {INFO_FILE} says"
                )
        super().__init__(folder, files)

    def cells(self, column: str, block: int) -> Cells:
        """A column in a row group; pictures `[N, H, W, C]`."""
        import pyarrow as pa

        file, array = self.column(column, block)
        if not pa.types.is_struct(array.type):
            return super().cells(column, block)
        with damage(file.path):
            if array.null_count or array.field("bytes").null_count:
                raise refusal(file.path, None, f"'{column}' lies in other files", "pictures in it")
            pictures = stack_pictures(self, column, array.field("bytes").to_pylist())
        return Cells(pictures, np.ones(len(pictures), bool))


def _found(folder: Path, features: Mapping[str, Any]) -> Found:
    obs: dict[str, Source] = {}
    action: dict[str, Source] = {}
    for name, about in features.items():
        about = about if isinstance(about, dict) else {}
        kind, shape = about.get("dtype"), about.get("shape")
        root, _, rest = name.partition(".")
        into = {"observation": obs, "action": action}.get(root)
        if into is None or kind == "string":
            continue
        # A vector of one is stored as a number.
        pictured = kind in ("image", "video")
        into[rest] = Source((name,), (1,) if not pictured and shape == [1] else None)
    for role, sources in (("observation", obs), ("action", action)):
        if not sources:
            there = ", ".join(map(plain, features))[:200]
            raise refusal(folder, None, f"features {there}", f"some called {role} or {role}.NAME")
    single = {role: name for name, role in _SINGLE.items() if name in features}
    if "episode" not in single:
        raise refusal(folder, None, "no feature episode_index", "it, which tells episodes apart")
    return Found(obs, action, single)


def _pictures(folder: Path, features: Mapping[str, Any], found: Found) -> dict[str, Picture]:
    """What is in videos, by feature."""
    names = [source.columns[0] for source in (*found.obs.values(), *found.action.values())]
    videos = [name for name in names if _kind(features[name]) == "video"]
    if not all(name.startswith("observation") for name in videos):
        raise refusal(folder, None, "actions in a video", "numbers")
    return {name: picture_of(folder, name, features[name]) for name in videos}


def _kind(about: Any) -> Any:
    return about.get("dtype") if isinstance(about, dict) else None


def _called(found: Found, spec: Spec | None) -> Found:
    """Arrays as a spec calls them, whose names have slashes where LeRobot's have dots."""
    wanted = dtypes_of(spec)
    obs, action = (
        {names.get(name, name): source for name, source in sources.items()}
        for names, sources in zip(
            ({name.replace("/", "."): name for name in names} for names in wanted),
            (found.obs, found.action),
            strict=True,
        )
    )
    return Found(obs, action, found.single)


def _data_files(folder: Path) -> list[Path]:
    found = [
        file
        for file in sorted((folder / "data").glob("chunk-*/file-*.parquet"))
        if _FILE.fullmatch(f"{file.parent.name}/{file.name}") and file.is_file()
    ]
    if not 0 < len(found) <= MOST_FILES:
        said = f"{len(found)} files data/chunk-000/file-000.parquet ..."
        raise refusal(folder, None, said, f"1 to {MOST_FILES}")
    return found


def _origin(
    folder: Path,
    version: str,
    features: Mapping[str, Any],
    found: Found,
    pictures: Mapping[str, Picture],
) -> Provenance:
    spare = [plain(name) for name in features if name not in (*found.used, *_PLACES)]
    notes: tuple[str, ...] = ("the tasks of episodes are left out",)
    if spare:
        notes += (f"features that are left out: {', '.join(spare)[:200]}",)
    if pictures:
        names = ", ".join(map(plain, pictures))[:200]
        notes += (f"pixels are what a codec kept of them in {names}",)
    if "terminated" not in found.single:
        notes += ("next.done says where an episode ends, not why",)
    return Provenance(
        format="lerobot",
        files=(os.fspath(folder),),
        versions={"lerobot data set": plain(version)[:40]},
        notes=notes,
    )
