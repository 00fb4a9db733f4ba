"""Pictures that were recorded, printed on a terminal as strips of letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

import numpy as np

from understudy.data.catalog import numbers_of
from understudy.data.demos import Demos
from understudy.report.frames import as_rgb, cameras
from understudy.report.plain import said, width_of
from understudy.report.thumbnails import can_color, strip

COLUMNS = 20
"""Of one picture, at least."""


def print_strips(demos: Demos, places: Sequence[int], stream: TextIO) -> None:
    """Pictures of these episodes, evenly spaced in time, one line of them for every camera."""
    width, colored, numbers = width_of(stream), can_color(stream), numbers_of(demos)
    for place in places:
        episode = demos.episodes[place]
        last = len(episode)
        steps = np.unique(np.linspace(0, last, max(2, width // COLUMNS)).astype(int)).tolist()
        for name in cameras(demos.spec):
            first = demos.spec.obs[name].channels_first
            images = [as_rgb(episode.obs[name][t], first) for t in steps]
            print(said(f"\nepisode {numbers[place]}, {name}", stream), file=stream)
            captions = [f"step {t}" for t in steps]
            print(*strip(images, width, colored=colored, captions=captions), sep="\n", file=stream)
