"""Round shapes on small pictures, and the colors of all the worlds.

Places are `(x, y)` in pixels from the upper left corner, x to the right and y down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Place = tuple[float, float]
Color = tuple[int, int, int]

PAPER: Color = (255, 255, 255)
INK: Color = (34, 39, 46)
FAINT: Color = (217, 222, 228)
BLUE: Color = (35, 105, 168)
ORANGE: Color = (213, 115, 28)
GREEN: Color = (42, 143, 116)


def paper(width: int, height: int) -> Picture:
    """A white picture `[height, width, 3]`."""
    return np.full((height, width, 3), PAPER, np.uint8)


def stroke(picture: Picture, start: Place, end: Place, width: float, color: Color) -> None:
    """Paint a line with round ends: every pixel within `width / 2` of it."""
    y, x = np.indices(picture.shape[:2]) + 0.5
    dx, dy = end[0] - start[0], end[1] - start[1]
    # How far along the line its point nearest to a pixel is; a line without length is a disc.
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / ((dx**2 + dy**2) or 1.0)
    along = np.clip(along, 0, 1)
    distance = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)
    picture[distance <= width / 2] = color


def disc(picture: Picture, center: Place, radius: float, color: Color) -> None:
    """Paint every pixel within `radius` of `center`."""
    stroke(picture, center, center, 2 * radius, color)
