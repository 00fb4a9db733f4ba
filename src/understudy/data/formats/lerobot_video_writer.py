"""Writes the videos of LeRobot's data sets (`lerobot_videos` says what they are)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.lerobot_videos import VIDEO_PATH
from understudy.data.formats.video import CODEC, PIXEL_FORMAT, VideoFile
from understudy.data.formats.wire import WireError
from understudy.errors import DemoError

FILE_BYTES = 200 << 20


class VideosWriter:
    """The videos of a data set, which grow by one episode at a time.

    Attributes:
        features: What LeRobot notes of every video, by its key.
    """

    def __init__(self, folder: Path, fps: int, files_per_chunk: int) -> None:
        """No video yet.

        Args:
            folder: The data set.
            fps: Frames per second.
            files_per_chunk: How many files of one key a folder has.
        """
        self._folder, self._fps, self._files_per_chunk = folder, fps, files_per_chunk
        self.features: dict[str, dict[str, Any]] = {}
        self._open: dict[str, VideoFile] = {}
        self._numbers: dict[str, int] = {}

    def add(self, key: str, frames: NDArray[np.uint8]) -> dict[str, Any]:
        """Writes an episode's frames `[T, H, W, C]` and returns where they are.

        Raises:
            DemoError: The encoder does not take them, or PyAV was built without it.
            MissingExtraError: PyAV is not installed.
        """
        video = self._open.get(key)
        if video is not None and video.num_bytes > FILE_BYTES:
            video.close()
            self._numbers[key] += 1
            video = None
        number = self._numbers.setdefault(key, 0)
        chunk, file = divmod(number, self._files_per_chunk)
        if video is None:
            place = VIDEO_PATH.format(video_key=key, chunk_index=chunk, file_index=file)
            path = self._folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            _, height, width, channels = frames.shape
            video = VideoFile(path, shape=(height, width, channels), fps=self._fps)
            self._open[key] = video
            self.features[key] = self._feature((height, width, channels))
        start = video.num_frames
        try:
            video.add(frames)
        except WireError as error:
            raise DemoError(f"{key}: {error.found}; expected {error.expected}") from None
        return {
            f"videos/{key}/chunk_index": chunk,
            f"videos/{key}/file_index": file,
            f"videos/{key}/from_timestamp": start / self._fps,
            f"videos/{key}/to_timestamp": video.num_frames / self._fps,
        }

    def close(self) -> None:
        """Finishes all files."""
        for video in self._open.values():
            video.close()

    def _feature(self, shape: tuple[int, int, int]) -> dict[str, Any]:
        height, width, _ = shape
        info = {
            "video.height": height,
            "video.width": width,
            "video.codec": CODEC,
            "video.pix_fmt": PIXEL_FORMAT,
            "video.is_depth_map": False,
            "video.fps": self._fps,
            "video.channels": 3,
            "has_audio": False,
        }
        names = ["height", "width", "channels"]
        return {"dtype": "video", "shape": list(shape), "names": names, "info": info}
