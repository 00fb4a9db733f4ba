"""Pictures inside recordings: PNG and JPEG to `uint8 [H, W, C]`, with their size known beforehand.

Only pixels are wanted, so a PNG is cut to the chunks that hold them before it is decoded: comments,
colour profiles and animations never reach a decoder.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.wire import WireError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
MOST_PIXELS = 1 << 24
MOST_PNGS = 256
_HEAD = struct.Struct(">I4s")
_SIZE = struct.Struct(">II")
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# PNG colour types to the channels that are decoded; a palette becomes RGB.
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}


class Png:
    """One PNG file: its size, and the bytes that hold its pixels.

    Attributes:
        offset: Where it starts.
        height: In pixels.
        width: In pixels.
        channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
        data: The file without what does not concern pixels.
    """

    __slots__ = ("channels", "data", "height", "offset", "width")

    def __init__(self, offset: int, head: bytes, data: bytes) -> None:
        self.width, self.height = _SIZE.unpack_from(head)
        depth, colour, _, _, interlaced = head[8:13]
        if not 0 < self.width * self.height <= MOST_PIXELS:
            raise WireError(
                offset,
                f"a PNG of {self.width} x {self.height} pixels",
                f"1 to {MOST_PIXELS} pixels",
            )
        if colour not in _CHANNELS or depth > 8 or interlaced > 1:
            raise WireError(
                offset, f"a PNG of colour type {colour} with {depth} bits", "8 bits a channel"
            )
        self.channels = _CHANNELS[colour]
        self.offset, self.data = offset, data

    def decode(self) -> NDArray[np.uint8]:
        """Its pixels, `[H, W, channels]`.

        Raises:
            WireError: It is damaged.
        """
        from PIL.PngImagePlugin import PngImageFile

        pixels = _decode(PngImageFile, self.data, self.offset, "PNG")
        if pixels.shape != (self.height, self.width, self.channels):
            raise WireError(
                self.offset,
                f"a PNG that decodes to {list(pixels.shape)}",
                f"{[self.height, self.width, self.channels]}",
            )
        return pixels


def split_pngs(data: bytes, start: int, stop: int) -> list[Png]:
    """The PNG files that stand one after the other in `data[start:stop]`.

    Raises:
        WireError: There is something else, one of them is cut off, or there is none.
    """
    out: list[Png] = []
    while start < stop:
        png, start = _one_png(data, start, stop)
        out.append(png)
        if len(out) > MOST_PNGS:
            raise WireError(start, f"more than {MOST_PNGS} PNG files in an observation", "fewer")
    if not out:
        raise WireError(start, "an empty picture", "PNG")
    return out


def _one_png(data: bytes, start: int, stop: int) -> tuple[Png, int]:
    at = start + len(PNG_MAGIC)
    if data[start:at] != PNG_MAGIC or at > stop:
        raise WireError(start, "something that is not a PNG", "a PNG signature")
    kept, head, kind = [PNG_MAGIC], b"", b""
    while kind != b"IEND":
        if stop - at < 12:
            raise WireError(at, "a PNG cut off by the end of its observation", "a whole PNG")
        size, kind = _HEAD.unpack_from(data, at)
        end = at + 12 + size
        if end > stop:
            raise WireError(at, f"a PNG chunk of {size} bytes", f"at most {stop - at - 12}")
        if not head and (kind != b"IHDR" or size != 13):
            raise WireError(at, "a PNG without its header", "IHDR of 13 bytes")
        head = head or data[at + 8 : end - 4]
        if kind in _PIXELS:
            if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise WireError(at, f"a PNG chunk {kind.decode()} of wrong checksum", "a whole PNG")
            kept.append(data[at:end])
        at = end
    return Png(start, head, b"".join(kept)), at


def merge_channels(
    pictures: Sequence[NDArray[np.uint8]], channels: int, mapping: Sequence[int], offset: int = 0
) -> NDArray[np.uint8]:
    """Pictures of one observation as one with as many channels as it should have.

    With a mapping, decoded channel `i` goes to output channel `mapping[i]`, -1 drops it, and
    several that go to one are averaged. Without one, a single channel is the mean of the first
    picture's and anything else takes the first channels in order.

    Args:
        pictures: `[H, W, c]` each, of one height and width.
        channels: How many are wanted.
        mapping: Output channel of every decoded channel, or empty.
        offset: Where they stand, for the message.

    Raises:
        WireError: Heights and widths differ, or the channels do not come out.
    """
    if len({p.shape[:2] for p in pictures}) > 1:
        raise WireError(offset, "pictures of different sizes in one observation", "one size")
    if not mapping and channels == 1:
        return _mean(pictures[0])
    stack = pictures[0] if len(pictures) == 1 else np.concatenate(pictures, axis=2)
    if not mapping:
        if stack.shape[2] < channels:
            raise WireError(offset, f"{stack.shape[2]} channels of pixels", f"{channels}")
        return stack[:, :, :channels]
    targets = sorted({m for m in mapping if m >= 0})
    if len(mapping) != stack.shape[2] or min(mapping) < -1 or targets != list(range(channels)):
        raise WireError(
            offset,
            f"channel mapping {list(mapping)[:16]} for {stack.shape[2]} decoded channels",
            f"one entry each, covering channels 0 to {channels - 1}",
        )
    where = np.array(mapping)
    return np.concatenate([_mean(stack[:, :, where == c]) for c in range(channels)], axis=2)


def _mean(stack: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if stack.shape[2] == 1:
        return stack
    # Whole numbers, rounded: the recording had 8 bits, and keeps them.
    mean = np.rint(stack.mean(axis=2, dtype=np.float32, keepdims=True))
    return mean.astype(np.uint8)


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """The pixels `[H, W, C]` of a whole PNG or JPEG file.

    Raises:
        WireError: It is something else, damaged or too large.
    """
    if data.startswith(PNG_MAGIC):
        return split_pngs(data, 0, len(data))[0].decode()
    if not data.startswith(JPEG_MAGIC):
        raise WireError(0, "a file that is neither PNG nor JPEG", "a picture")
    from PIL.JpegImagePlugin import JpegImageFile

    return _decode(JpegImageFile, data, 0, "JPEG")


def _decode(kind: type[ImageFile], data: bytes, offset: int, name: str) -> NDArray[np.uint8]:
    try:
        with kind(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise WireError(
                    offset,
                    f"a {name} of {picture.width} x {picture.height} pixels",
                    f"at most {MOST_PIXELS} pixels",
                )
            # Palettes and single bits become colours and greys; all others keep their channels.
            mode = {"P": "RGB", "1": "L"}.get(picture.mode)
            pixels = np.asarray(picture if mode is None else picture.convert(mode))
    except WireError:
        raise
    except Exception as error:  # whatever a decoder raises on a damaged picture
        raise WireError(offset, f"a damaged {name} ({error})", f"a whole {name}") from None
    if pixels.dtype != np.uint8:
        raise WireError(offset, f"a {name} of {pixels.dtype} pixels", "8 bits a channel")
    return pixels if pixels.ndim == 3 else pixels[:, :, None]
