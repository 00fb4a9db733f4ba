"""Where the videos of LeRobot's data sets hold which episode, and their frames as columns.

Frames lie in `videos/KEY/chunk-000/file-000.mp4`, those of many episodes one after the other, and
`meta/episodes` has a row for each: in which file, and from when to when in seconds.

Source: https://github.com/huggingface/lerobot, `src/lerobot/datasets`, version 0.4.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.blocks import Blocks
from understudy.data.formats.dtypes import exactly
from understudy.data.formats.images import MOST_PIXELS
from understudy.data.formats.parquet import Parquet
from understudy.data.formats.parquet_steps import ParquetTable
from understudy.data.formats.refusal import LEAST_BUDGET, plain, refusal
from understudy.data.formats.steps import Steps
from understudy.data.formats.store import Shaped
from understudy.data.formats.video import decode, library
from understudy.data.formats.wire import WireError

VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
MOST_BYTES = 8 << 30
"""What the frames of one episode may take in memory."""
# A thousand black pictures of 640 x 480, as we write them, unpack to 9,200 times their size.
_RATIO = 1 << 14
_LARGEST_NUMBER = 10**9


@dataclass(frozen=True, slots=True)
class Picture:
    """What is seen in a video.

    Attributes:
        key: What LeRobot calls it, `observation.images.top`.
        shape: `(H, W, C)` of a frame.
    """

    key: str
    shape: tuple[int, int, int]


class _Clip(NamedTuple):
    """The frames of an episode: the file, when they begin in seconds, how many there are."""

    path: Path
    start: float
    length: int


def picture_of(folder: Path, key: str, about: Mapping[str, Any]) -> Picture:
    """What is in a video, from its feature.

    Args:
        folder: The data set.
        key: The name of the feature.
        about: What the data set says of it.

    Raises:
        DemoError: It has no shape, or no name that a folder could have.
    """
    shape, names = about.get("shape"), about.get("names")
    if "/" in key or "\\" in key or not key.isprintable():
        raise refusal(folder, None, f"a video '{key[:80]}'", "the name of a folder")
    if not isinstance(shape, list) or len(shape) != 3 or not all(type(n) is int for n in shape):
        raise refusal(
            folder, None, f"'{key[:80]}' of shape {shape!r:.60}", "height, width, channel"
        )
    if isinstance(names, list) and str([*names, ""][0]).startswith("channel"):
        shape = [*shape[1:], shape[0]]
    height, width, channels = shape
    if channels not in (1, 3) or min(shape) < 1 or height * width > MOST_PIXELS:
        found = f"'{key[:80]}' of {height} x {width} pixels in {channels} channels"
        raise refusal(folder, None, found, f"1 or 3 channels of 1 to {MOST_PIXELS} pixels")
    return Picture(key, (height, width, channels))


def with_videos(
    steps: Steps,
    folder: Path,
    fps: Any,
    pictures: Mapping[str, Picture],
    dtypes: Mapping[str, np.dtype[Any]],
) -> Steps:
    """A table of steps whose columns that lie in videos are read from these.

    Args:
        steps: All columns, as if videos were in the table.
        folder: The data set.
        fps: Frames per second, as the data set says.
        pictures: What is seen in the videos, by column.
        dtypes: What a column is called for, if not uint8.

    Raises:
        DemoError: Videos are missing, or do not hold the episodes that the table has.
        MissingExtraError: PyAV is not installed.
    """
    library(folder)
    if type(fps) not in (int, float) or not 0 < fps < _LARGEST_NUMBER:
        raise refusal(folder, None, f"fps {fps!r:.20}", "frames per second")
    numbers = steps.episode
    assert numbers is not None, "LeRobot's tables count episodes"
    begins = np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]
    cuts = np.append(np.flatnonzero(begins), len(numbers))
    table = ParquetTable(folder, _files(folder))
    try:
        videos = {
            column: _Video(
                picture,
                _clips(folder, table, picture, float(fps), numbers[cuts[:-1]], np.diff(cuts)),
                numbers[cuts[:-1]],
                dtypes.get(column, np.dtype(np.uint8)),
            )
            for column, picture in pictures.items()
        }
    finally:
        table.close()
    room = sum(_check_room(video.picture, video.clips) for video in videos.values())
    return replace(steps, blocks=_WithVideos(steps.blocks, videos, cuts, float(fps), room))


@dataclass(frozen=True, slots=True)
class _Video:
    """A column of frames: what is seen, where, in which episodes, and as what."""

    picture: Picture
    clips: list[_Clip]
    numbers: NDArray[np.int64]
    dtype: np.dtype[Any]


class _WithVideos(Blocks):
    """Columns of a table, and of videos, in which every episode is a block."""

    def __init__(
        self,
        table: Blocks,
        videos: Mapping[str, _Video],
        cuts: NDArray[np.int64],
        fps: float,
        room: int,
    ) -> None:
        def fetch(column: str, block: int) -> NDArray[Any]:
            return _frames(videos[column], block, fps)

        every = dict.fromkeys(videos, cuts)
        super().__init__(table.path, table.room + room, every, fetch, table.close)
        self._table, self._videos = table, videos

    def num_rows(self, name: str) -> int:
        """How many rows a name says."""
        return super().num_rows(name) if self._seen(name) else self._table.num_rows(name)

    def shaped(self, name: str, kinds: str = "biuf") -> Shaped:
        """Shape and dtype of rows; no frame is decoded for that."""
        video = self._seen(name)
        if video is None:
            return self._table.shaped(name, kinds)
        return Shaped((super().num_rows(name), *video.picture.shape), video.dtype)

    def array(
        self, name: str, start: int = 0, stop: int | None = None, *, kinds: str = "biuf"
    ) -> NDArray[Any]:
        """The rows that a name says, or some of them."""
        if self._seen(name) is None:
            return self._table.array(name, start, stop, kinds=kinds)
        return super().array(name, start, stop, kinds=kinds)

    def _seen(self, name: str) -> _Video | None:
        return self._videos.get(name.split(":", 2)[2])


def _frames(video: _Video, block: int, fps: float) -> NDArray[Any]:
    path, start, length = video.clips[block]
    try:
        rows = decode(path, shape=video.picture.shape, fps=fps, start=start, count=length)
    except WireError as error:
        found = f"episode {int(video.numbers[block])} has {error.found}"
        raise refusal(path, None, found, error.expected) from None
    return rows if video.dtype == rows.dtype else exactly(rows, video.dtype)


def _check_room(picture: Picture, clips: list[_Clip]) -> int:
    """How many bytes all frames of a picture may take; not more than videos of their size."""
    needed: dict[Path, int] = {}
    total = 0
    for path, _, length in clips:
        frames = length * math.prod(picture.shape)
        if frames > MOST_BYTES:
            found = f"an episode whose frames take {frames} bytes in memory"
            raise refusal(path, None, found, f"at most {MOST_BYTES}")
        needed[path] = needed.get(path, 0) + frames
    for path, num_bytes in needed.items():
        if not path.is_file():
            raise refusal(path, None, "no file", "the video of its episodes")
        room = max(LEAST_BUDGET, _RATIO * path.stat().st_size)
        if num_bytes > room:
            found = f"frames that take {num_bytes} bytes in memory"
            raise refusal(path, None, found, f"at most {room} from a video of this size")
        total += room
    return total


def _clips(
    folder: Path,
    table: ParquetTable,
    picture: Picture,
    fps: float,
    numbers: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> list[_Clip]:
    """Where the frames of the episodes `numbers` are, which have `lengths` rows."""
    known = _whole(table, "episode_index")
    rows = {int(number): row for row, number in enumerate(known)}
    said, key = _whole(table, "length"), f"videos/{picture.key}"
    chunks, files = _whole(table, f"{key}/chunk_index"), _whole(table, f"{key}/file_index")
    starts, stops = _column(table, f"{key}/from_timestamp"), _column(table, f"{key}/to_timestamp")
    out: list[_Clip] = []
    for number, length in zip(numbers.tolist(), lengths.tolist(), strict=True):
        row = rows.get(number)
        if row is None or len(rows) < len(known):
            found = f"{len(rows)} episodes in {len(known)} rows of meta/episodes"
            raise refusal(folder, None, found, f"one of them for episode {number}")
        place = {"chunk_index": int(chunks[row]), "file_index": int(files[row])}
        path = folder / VIDEO_PATH.format(video_key=picture.key, **place)
        start, stop = float(starts[row]), float(stops[row])
        if not 0 <= start < stop < _LARGEST_NUMBER or said[row] != length:
            found = f"episode {number} from {start:g} to {stop:g} seconds of {said[row]} frames"
            raise refusal(path, None, found, f"{length} frames, as it has rows")
        if round((stop - start) * fps) != length:
            found = f"episode {number} from {start:g} to {stop:g} seconds at {fps:g} frames each"
            raise refusal(path, None, found, f"{length} frames, as it has rows")
        out.append(_Clip(path, start, length))
    return out


def _files(folder: Path) -> list[Parquet]:
    found = sorted((folder / "meta" / "episodes").glob("chunk-*/file-*.parquet"))
    if not found:
        raise refusal(folder, None, "no meta/episodes", "it, which says where videos are")
    return [Parquet(file) for file in found]


def _column(table: ParquetTable, name: str) -> NDArray[Any]:
    parts = [table.cells(name, block) for block in range(len(table.cuts) - 1)]
    whole = np.concatenate([part.values for part in parts] or [np.zeros(0)])
    if whole.ndim != 1 or not all(part.there.all() for part in parts):
        raise table.refusal(plain(name)[:80], "has gaps or lists", "a number for every episode")
    return whole


def _whole(table: ParquetTable, name: str) -> NDArray[np.int64]:
    numbers = _column(table, name)
    with np.errstate(invalid="ignore"):
        fits = ((numbers >= 0) & (numbers < _LARGEST_NUMBER) & (numbers % 1 == 0)).all()
    if not fits:
        raise table.refusal(plain(name)[:80], "holds other numbers", "whole ones from 0 on")
    return numbers.astype(np.int64)
