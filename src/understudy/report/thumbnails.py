"""Pictures made of letters: two pixels in each, one above the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from understudy.report.plain import can_say, on_terminal

HALF = "▀"
SHADES = " .:-=+*#%@"
GAP = 1
MOST_ROWS = 12
"""Lines of a strip."""


def strip(
    images: Sequence[NDArray[np.uint8]], width: int, *, colored: bool, captions: Sequence[str] = ()
) -> list[str]:
    """Pictures side by side, at most `MOST_ROWS` lines high, and what is written under each.

    Args:
        images: `[H, W, 3]` each, all of one size.
        width: Columns of the terminal.
        colored: With control codes of 24-bit color; else in shades of gray, one letter a pixel.
        captions: As many words as pictures, or none.
    """
    if not images:
        return []
    height, across = images[0].shape[:2]
    columns = max(4, (width - GAP * (len(images) - 1)) // len(images))
    # A letter is about twice as high as it is wide, and holds two pixels.
    rows = max(1, min(MOST_ROWS, round(columns * height / across / 2)))
    columns = max(1, min(columns, round(2 * rows * across / height)))
    small = [_scaled(image, 2 * rows, columns) for image in images]
    draw = _in_color if colored else _in_gray
    lines = [(" " * GAP).join(draw(image, row) for image in small) for row in range(rows)]
    if captions:
        under = [caption[:columns].ljust(columns) for caption in captions]
        lines.append((" " * GAP).join(under).rstrip())
    return lines


def can_color(stream: TextIO) -> bool:
    """Whether somebody looks at the stream who can be shown colors, and wants them."""
    return on_terminal(stream) and can_say(stream, HALF) and "NO_COLOR" not in os.environ


def _scaled(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    from PIL import Image

    made = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(made.resize((width, height), Image.Resampling.BOX))


def _in_color(image: NDArray[np.uint8], row: int) -> str:
    above, below = image[2 * row].tolist(), image[2 * row + 1].tolist()
    letters = (
        f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m{HALF}"
        for a, b in zip(above, below, strict=True)
    )
    return "".join(letters) + "\x1b[0m"


def _in_gray(image: NDArray[np.uint8], row: int) -> str:
    # Rec. 601 luma, of both pixels at once.
    gray = image[2 * row : 2 * row + 2].mean(0) @ np.array([0.299, 0.587, 0.114])
    return "".join(SHADES[int(g * (len(SHADES) - 1) / 255 + 0.5)] for g in gray)
