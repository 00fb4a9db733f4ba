"""Videos as rows of pixels, decoded and encoded by PyAV, which is FFmpeg.

A stranger's file is opened as MP4 and as nothing else: other containers of FFmpeg are playlists
that name files and addresses. How many pixels a frame may have is told to the decoder before it
reserves any.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.wire import WireError
from understudy.errors import DemoError, MissingExtraError

CODEC = "h264"
_ENCODER = "libx264"
# Visually lossless by x264's own account, and a key frame at every second frame, as LeRobot has
# them: whoever wants one frame decodes two at most. No frame needs a later one.
_QUALITY = {"crf": "18", "g": "2", "bf": "0", "forced-idr": "1"}
# Every color is kept for every pixel, so widths and heights may be odd. Gray is three equal colors:
# of pixels that are gray alone FFmpeg does not note which numbers are black and white.
PIXEL_FORMAT = "yuv444p"
_ARRAYS = {1: "gray", 3: "rgb24"}
# Codecs round sizes up to their blocks, of which AV1's are the largest.
_BLOCK = 128


def library(path: str | os.PathLike[str]) -> Any:
    """PyAV, which is imported only when a video is met.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import av
    except ModuleNotFoundError:
        raise MissingExtraError(f"{os.fspath(path)}: videos", "video") from None
    return av


def decode(
    path: str | os.PathLike[str],
    *,
    shape: tuple[int, int, int],
    fps: float,
    start: float,
    count: int,
) -> NDArray[np.uint8]:
    """`[count, H, W, C]` consecutive frames of an MP4 file.

    Args:
        path: The file.
        shape: `(H, W, C)` of a frame, where C is 1 for gray and 3 for red, green and blue. Whoever
            asks has made certain that `count` of them fit into memory.
        fps: Frames per second.
        start: When the first of them is shown, in seconds.
        count: How many.

    Raises:
        WireError: The file is damaged, its frames are of another size, or there is not exactly one
            for each time `start + k / fps`.
        MissingExtraError: PyAV is not installed.
    """
    av = library(path)
    height, width, channels = shape
    frames = np.empty((count, *shape), np.uint8)
    done = 0
    with (
        _damage(av),
        open(path, "rb") as file,
        av.open(file, mode="r", format="mov", options={"enable_drefs": "0"}) as container,
    ):
        stream = _stream(container, height, width)
        if start > 0:
            place = int((start - 0.5 / fps) / stream.time_base)
            container.seek(max(0, place), stream=stream)
        for frame in container.decode(stream):
            if frame.pts is None or frame.is_corrupt:
                raise WireError(0, f"a damaged frame {done}", "a whole one")
            seconds = float(frame.pts * stream.time_base)
            index = round((seconds - start) * fps)
            if index < 0:
                continue
            if index != done:
                found = f"frame {done} at {seconds:.4f} seconds"
                raise WireError(0, found, f"{start + done / fps:.4f}, at {fps:g} frames a second")
            _check_size((frame.height, frame.width), (height, width))
            frames[done] = frame.to_ndarray(format=_ARRAYS[channels]).reshape(shape)
            done += 1
            if done == count:
                return frames
    raise WireError(0, f"{done} frames from {start:.4f} seconds on", f"{count}")


class VideoFile:
    """An MP4 file that grows by frames, encoded as H.264 with losses.

    Attributes:
        path: The file.
        num_frames: How many it has.
        num_bytes: About how long it is.

    Raises:
        DemoError: PyAV was built without this encoder.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, shape: tuple[int, int, int], fps: int
    ) -> None:
        """A new file.

        Args:
            path: Where; replaced if there is one.
            shape: `(H, W, C)` of a frame, with C of 1 or 3.
            fps: Frames per second.
        """
        av = library(path)
        self.path, self._av = path, av
        self.num_frames = self.num_bytes = 0
        self._base = Fraction(1, fps)
        try:
            av.Codec(_ENCODER, "w")
        except ValueError:
            expected = "one that is built with it, as PyAV's own wheels are"
            raise DemoError(f"PyAV has no encoder {_ENCODER}; expected {expected}") from None
        self._container: Any = av.open(os.fspath(path), mode="w", format="mp4")
        self._stream = self._container.add_stream(_ENCODER, rate=fps, options=dict(_QUALITY))
        self._stream.height, self._stream.width = shape[:2]
        self._stream.pix_fmt = PIXEL_FORMAT
        self._stream.codec_context.time_base = self._base

    def add(self, frames: NDArray[np.uint8]) -> None:
        """Appends `[N, H, W, C]` frames, of which the first can be decoded without earlier ones.

        Raises:
            WireError: The encoder does not take them; the file is of no use any more.
        """
        try:
            self._encode(frames)
        except self._av.FFmpegError as error:
            container, self._container = self._container, None
            with suppress(self._av.FFmpegError):
                container.close()
            _, height, width, _ = frames.shape
            found = f"frames of {width} x {height} pixels that cannot be encoded"
            reason = " ".join(str(error.strerror).split())
            raise WireError(0, f"{found} ({reason[:120]})", "others; or write pictures") from None

    def _encode(self, frames: NDArray[np.uint8]) -> None:
        for index, row in enumerate(frames):
            pixels = np.ascontiguousarray(np.broadcast_to(row, (*row.shape[:2], 3)))
            frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = self.num_frames, self._base
            if not index:
                frame.pict_type = self._av.video.frame.PictureType.I
            for packet in self._stream.encode(frame):
                self.num_bytes += packet.size
                self._container.mux(packet)
            self.num_frames += 1

    def close(self) -> None:
        """Finishes the file; a second time does nothing."""
        if self._container is not None:
            container, self._container = self._container, None
            with container:
                for packet in self._stream.encode():
                    container.mux(packet)


def _stream(container: Any, height: int, width: int) -> Any:
    """The video in a file, whose decoder knows how large its frames may be."""
    streams = container.streams.video
    if not streams or not streams[0].time_base:
        raise WireError(0, "no video", "an MP4 file with one")
    codec = streams[0].codec_context
    if codec is None:
        raise WireError(0, "a codec that PyAV cannot decode", "H.264 or AV1")
    _check_size((codec.height, codec.width), (height, width))
    most = (height + _BLOCK) * (width + _BLOCK)
    codec.options = {"max_pixels": str(most), "err_detect": "explode"}
    # Whoever reads many episodes at once has better use for other cores.
    codec.thread_count = 1
    return streams[0]


def _check_size(found: tuple[int, int], expected: tuple[int, int]) -> None:
    if found != expected:
        said = f"frames of {found[1]} x {found[0]} pixels"
        raise WireError(0, said, f"{expected[1]} x {expected[0]}")


@contextmanager
def _damage(av: Any) -> Iterator[None]:
    """Whatever the library says of a damaged file, as an error of ours."""
    try:
        yield
    except WireError:
        raise
    except (
        av.FFmpegError, OSError, ValueError, LookupError, TypeError, ArithmeticError,
        AttributeError, NotImplementedError, RuntimeError, EOFError, MemoryError,
    ) as error:  # fmt: skip
        # What FFmpeg says, without the name of its function.
        said = getattr(error, "strerror", None) or error
        text = " ".join(str(said).split()) or type(error).__name__
        raise WireError(0, f"a damaged video ({text[:120]})", "a whole one") from None
