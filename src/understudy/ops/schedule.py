"""Numbers that change while learning goes on."""

from __future__ import annotations

import math
from typing import Literal

Shape = Literal["constant", "linear", "cosine"]


def scheduled(start: float, shape: Shape, progress: float, end: float = 0.0) -> float:
    """The number after a share `progress` in [0, 1] of the run.

    Args:
        start: What it is at progress 0.
        shape: `constant`, a straight line to `end`, or half a cosine wave to `end`
            (Loshchilov and Hutter, 2017, eq. 5, arXiv:1608.03983, without restarts).
        progress: Share of the run that is done; taken into [0, 1].
        end: What it is at progress 1.
    """
    progress = min(max(progress, 0.0), 1.0)
    if shape == "constant":
        return start
    if shape == "linear":
        return start + (end - start) * progress
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))
