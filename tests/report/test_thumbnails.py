"""Pictures made of letters."""

from __future__ import annotations

import re

import numpy as np
import pytest

from made_up import Ascii, Screen
from understudy.report.frames import as_rgb
from understudy.report.thumbnails import HALF, MOST_ROWS, SHADES, can_color, strip


def picture(height: int, width: int, *halves: int) -> np.ndarray:
    """Its upper and its lower half in these grays."""
    rows = np.repeat(np.array(halves, np.uint8), height // len(halves))
    return np.broadcast_to(rows[:, None, None], (height, width, 3)).copy()


def test_dark_and_light_are_letters_of_little_and_much_ink() -> None:
    lines = strip([picture(64, 64, 0, 255)], 20, colored=False)
    assert lines[0] == SHADES[0] * len(lines[0])
    assert lines[-1] == SHADES[-1] * len(lines[0])


def test_a_letter_in_color_is_two_pixels_one_above_the_other() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[0], image[1] = (255, 0, 10), (0, 128, 20)
    (line,) = strip([image], 4, colored=True)
    assert line == f"\x1b[38;2;255;0;10;48;2;0;128;20m{HALF}" * 4 + "\x1b[0m"


@pytest.mark.parametrize(("height", "width"), [(64, 64), (84, 84), (20, 200), (200, 20), (1, 1)])
@pytest.mark.parametrize("count", [1, 5])
def test_a_strip_fits_the_terminal_whatever_the_pictures_are(
    height: int, width: int, count: int
) -> None:
    captions = [f"step {10**n}" for n in range(count)]
    images = [picture(height, width, 99)] * count
    for colored in (False, True):
        lines = strip(images, 100, colored=colored, captions=captions)
        plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
        assert len(lines) <= MOST_ROWS + 1
        assert max(map(len, plain)) <= 100


def test_no_picture_is_no_line() -> None:
    assert strip([], 80, colored=False) == []


def test_colors_are_for_people_who_look_and_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert can_color(Screen())
    assert not can_color(Ascii())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not can_color(Screen())


@pytest.mark.parametrize(
    ("shape", "first"),
    [((8, 9, 1), False), ((8, 9, 4), False), ((4, 8, 9), True), ((3, 8, 9), True)],
)
def test_any_picture_becomes_three_colors(shape: tuple[int, ...], first: bool) -> None:
    for dtype in (np.uint8, np.float32):
        seen = as_rgb(np.ones(shape, dtype), first)
        assert (seen.shape, seen.dtype) == ((8, 9, 3), np.uint8)
