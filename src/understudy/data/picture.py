"""Which arrays are pictures, and where their channels are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_MAX_CHANNELS, _MIN_SIDE, _MIN_PLANE = 16, 8, 16


class Picture(NamedTuple):
    """How an array is a picture: the order of its axes, the stored shape, where channels are."""

    axes: tuple[int, ...]
    stored: tuple[int, ...]
    channels_first: bool


def picture_of(shape: tuple[int, ...], dtype: Any) -> Picture | None:
    """How a box is a picture, None if it is not.

    The channel axis is the smaller one of the first and the last; equal, it is the last. Numbers
    other than uint8 are a picture only if that axis has at most 16 entries and the sides are
    longer than it and at least 8.
    """
    byte = np.dtype(dtype) == np.uint8
    if 0 in shape:
        return None
    if len(shape) == 2 and byte and min(shape) >= _MIN_PLANE:
        return Picture((0, 1), (*shape, 1), channels_first=False)
    if len(shape) == 3 and (byte or _channels_plausible(shape)):
        return Picture((0, 1, 2), shape, channels_first=shape[0] < shape[2])
    if len(shape) == 4 and _channels_plausible(shape[1:]):
        frames, a, b, c = shape
        if a < c:
            return Picture((0, 1, 2, 3), (frames * a, b, c), channels_first=True)
        return Picture((1, 2, 0, 3), (a, b, frames * c), channels_first=False)
    return None


def _channels_plausible(shape: tuple[int, ...]) -> bool:
    sides = shape[1:] if shape[0] < shape[2] else shape[:2]
    channels = min(shape[0], shape[2])
    return channels <= _MAX_CHANNELS and min(sides) >= max(_MIN_SIDE, channels + 1)
