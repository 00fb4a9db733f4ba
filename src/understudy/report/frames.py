"""Pictures that were recorded as observations, as people see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Episode
from understudy.data.spec import Spec

LEAST_SIDE = 200
"""Pixels of a film's longer side; smaller pictures are made larger by whole numbers."""


def as_rgb(image: NDArray[Any], channels_first: bool) -> NDArray[np.uint8]:
    """`[H, W, 3]` uint8 from gray, color, or a stack of frames of which the last counts."""
    if channels_first:
        image = np.moveaxis(image, 0, -1)
    channels = image.shape[-1]
    image = image[..., -1:] if channels < 3 else image[..., -3:] if channels > 4 else image[..., :3]
    if image.dtype != np.uint8:
        image = image.astype(np.float64)
        low, high = float(image.min()), float(image.max())
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, max(high, low + 1e-9))
        image = (255 * (image - low) / (high - low)).astype(np.uint8)
    return np.broadcast_to(image, (*image.shape[:2], 3))


def cameras(spec: Spec) -> list[str]:
    """The observations that are pictures."""
    return [name for name, obs in spec.obs.items() if obs.kind == "image" and obs.size]


def recorded(spec: Spec, name: str, episodes: Iterable[Episode]) -> Iterator[NDArray[np.uint8]]:
    """`[H, W, 3]` what a camera saw, episode after episode, large enough to look at."""
    first = spec.obs[name].channels_first
    for episode in episodes:
        for image in episode.obs[name]:
            frame = as_rgb(image, first)
            times = max(1, LEAST_SIDE // max(frame.shape[:2]))
            yield frame.repeat(times, 0).repeat(times, 1) if times > 1 else frame
