from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from demo_files import png
from understudy.data.formats.images import decode_picture, merge_channels, split_pngs
from understudy.data.formats.wire import WireError


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_comes_back_pixel_by_pixel(channels: int) -> None:
    pixels = _noise(5, 7, channels)
    (one,) = split_pngs(png(pixels), 0, len(png(pixels)))
    assert (one.height, one.width, one.channels) == (5, 7, channels)
    np.testing.assert_array_equal(one.decode(), pixels)


def test_several_pngs_in_a_row_are_taken_apart() -> None:
    pictures = [_noise(4, 4, 3), _noise(4, 4, 1), _noise(4, 4, 3)]
    data = b"xx" + b"".join(map(png, pictures)) + b"yyy"
    found = split_pngs(data, 2, len(data) - 3)
    for one, pixels in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(one.decode(), pixels)


def test_a_palette_becomes_colours() -> None:
    out = io.BytesIO()
    picture = Image.new("P", (2, 2))
    picture.putpalette([9, 8, 7, 1, 2, 3])
    picture.putpixel((1, 0), 1)
    picture.save(out, "PNG")
    (one,) = split_pngs(out.getvalue(), 0, len(out.getvalue()))
    np.testing.assert_array_equal(one.decode()[0], [[9, 8, 7], [1, 2, 3]])


def test_comments_never_reach_the_decoder() -> None:
    plain = png(_noise(3, 3, 3))
    bomb = zlib.compress(bytes(50 << 20), 9)
    chunk = b"zTXt" + b"a\0\0" + bomb
    data = plain[:33] + struct.pack(">I", len(chunk) - 4) + chunk + bytes(4) + plain[33:]
    (one,) = split_pngs(data, 0, len(data))
    assert len(one.data) == len(plain)
    np.testing.assert_array_equal(one.decode(), _noise(3, 3, 3))


def test_damaged_pngs_are_refused_with_their_place() -> None:
    data = png(_noise(6, 6, 3))
    for wrong, found in [
        (data[:-5], "PNG"),
        (b"GIF89a" + data, "not a PNG"),
        (b"", "an empty picture"),
        (data[:60] + bytes([data[60] ^ 1]) + data[61:], "wrong checksum"),
        (data[:8] + data[33:], "without its header"),
        (data[:33] + struct.pack(">I", 2**31 - 1) + data[37:], "chunk of 2147483647 bytes"),
    ]:
        with pytest.raises(WireError, match=found):
            split_pngs(wrong, 0, len(wrong))


def test_a_png_of_a_billion_pixels_is_refused_before_it_is_decoded() -> None:
    data = bytearray(png(_noise(6, 6, 3)))
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    with pytest.raises(WireError, match="100000 x 100000 pixels"):
        split_pngs(bytes(data), 0, len(data))


def test_a_png_of_16_bits_is_refused() -> None:
    out = io.BytesIO()
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(out, "PNG")
    with pytest.raises(WireError, match="16 bits"):
        split_pngs(out.getvalue(), 0, len(out.getvalue()))


def test_a_mapping_drops_orders_and_averages_channels() -> None:
    one, two = _noise(2, 2, 3), _noise(2, 2, 3)[::-1]
    out = merge_channels([one, two], 3, [1, -1, 0, 2, 2, -1])
    np.testing.assert_array_equal(out[:, :, 0], one[:, :, 2])
    np.testing.assert_array_equal(out[:, :, 1], one[:, :, 0])
    mean = np.rint(two[:, :, :2].mean(axis=2)).astype(np.uint8)
    np.testing.assert_array_equal(out[:, :, 2], mean)


def test_without_a_mapping_channels_are_taken_in_order_and_one_is_the_mean() -> None:
    one, two = _noise(2, 2, 3), _noise(2, 2, 3)[::-1]
    both = np.concatenate([one, two], axis=2)
    np.testing.assert_array_equal(merge_channels([one, two], 5, []), both[:, :, :5])
    grey = np.repeat(_noise(2, 2, 1), 3, axis=2)
    np.testing.assert_array_equal(merge_channels([grey, two], 1, []), grey[:, :, :1])


@pytest.mark.parametrize("mapping", [[0, 1], [0, 1, 3], [0, 0, 0], [0, 1, -2], [0, 1, 2, -1]])
def test_a_mapping_that_does_not_come_out_is_refused(mapping: list[int]) -> None:
    with pytest.raises(WireError, match="channel mapping"):
        merge_channels([_noise(2, 2, 3)], 3, mapping)


def test_too_few_channels_and_unlike_sizes_are_refused() -> None:
    with pytest.raises(WireError, match="3 channels"):
        merge_channels([_noise(2, 2, 3)], 4, [])
    with pytest.raises(WireError, match="different sizes"):
        merge_channels([_noise(2, 2, 3), _noise(2, 3, 3)], 4, [])


def test_jpeg_files_are_read_and_others_are_not() -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 10, 10)).save(out, "JPEG")
    assert decode_picture(out.getvalue()).shape == (3, 4, 3)
    with pytest.raises(WireError, match="neither PNG nor JPEG"):
        decode_picture(b"GIF89a")
    with pytest.raises(WireError, match="damaged JPEG"):
        decode_picture(out.getvalue()[:100])
