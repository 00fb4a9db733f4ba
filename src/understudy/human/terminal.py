"""A terminal: letters that are pressed, and the picture in colored blocks.

A terminal says which key was pressed and never that it was let go of. So every key counts for one
step, and whoever keeps it pressed gives one after the other.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import ConfigError
from understudy.human.hands import Event
from understudy.human.shell import Picture

_SEQUENCES = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
    b"\x1b[3~": "delete",
    b"\x1b[F": "end",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1bOC": "right",
    b"\x1bOD": "left",
}
_SINGLE = {
    b"\x1b": "escape",
    b" ": "space",
    b"\t": "tab",
    b"\r": "return",
    b"\n": "return",
    b"\x7f": "backspace",
    b"\x08": "backspace",
}
_LONGEST = max(map(len, _SEQUENCES))
_GAP_SECONDS = 0.05
"""Within it the rest of an arrow's sequence has come; after it an escape was an escape."""
COLUMNS, ROWS = 64, 20


class Terminal:
    """The terminal that this process runs in, or keys that are piped into it. See `Shell`.

    Piped keys are taken one by one; when there are no more, the person has left.

    Attributes:
        holds: False.
    """

    holds = False

    def __init__(self, given: int | None = None, out: IO[str] | None = None) -> None:
        """Read single keys from now on.

        Args:
            given: File descriptor that keys come from; None: standard input.
            out: Where it draws; None: standard output. Pictures are drawn on terminals only.

        Raises:
            ConfigError: This system's terminals are not known, or keys cannot be piped in.
        """
        self._given = sys.stdin.fileno() if given is None else given
        self._out = sys.stdout if out is None else out
        self._draws = self._out.isatty()
        self._buffer = b""
        self._over = False
        self._before: Any = None
        if os.isatty(self._given):
            self._before = _single_keys(self._given)
        elif sys.platform == "win32":
            # There `select` waits for sockets alone.
            raise ConfigError("keys cannot be piped in on Windows: play in the window")
        self._cleared = False

    def events(self, seconds: float | None) -> Sequence[Event]:
        """See `Shell.events`: at most one key."""
        key = self._key(seconds)
        if key is None:
            return [Event("closed")] if self._over else []
        return [Event("down", key), Event("up", key)]

    def show(self, picture: Picture | None, lines: Sequence[str]) -> None:
        """See `Shell.show`."""
        if not self._draws:
            return
        if not self._cleared:
            self._out.write("\x1b[2J\x1b[?25l")
            self._cleared = True
        drawn = [] if picture is None else blocks(picture, COLUMNS, ROWS)
        width = shutil.get_terminal_size().columns
        rows = [*drawn, *(line[: width - 1] for line in lines)]
        self._out.write("\x1b[H" + "".join(f"{row}\x1b[0m\x1b[K\r\n" for row in rows) + "\x1b[J")
        self._out.flush()

    def close(self) -> None:
        """See `Shell.close`."""
        if self._before is not None:
            import termios

            termios.tcsetattr(self._given, termios.TCSADRAIN, self._before)
            self._before = None
        if self._draws:
            self._out.write("\x1b[0m\x1b[?25h")
            self._out.flush()

    def _key(self, seconds: float | None) -> str | None:
        """The next key, None if none came in time or none will come."""
        if not self._buffer and not self._read(seconds):
            return None
        while self._buffer.startswith(b"\x1b") and len(self._buffer) < _LONGEST:
            known = self._buffer[: len(self._buffer)] in _SEQUENCES
            if known or not self._read(_GAP_SECONDS):
                break
        return self._taken()

    def _taken(self) -> str:
        for sequence, key in _SEQUENCES.items():
            if self._buffer.startswith(sequence):
                self._buffer = self._buffer[len(sequence) :]
                return key
        first, self._buffer = self._buffer[:1], self._buffer[1:]
        return _SINGLE.get(first) or first.decode("latin1").lower()

    def _read(self, seconds: float | None) -> bool:
        """Whether more came in time."""
        if self._over:
            return False
        ready, _, _ = select.select([self._given], [], [], seconds)
        if not ready:
            return False
        more = os.read(self._given, 64)
        self._buffer += more
        self._over = not more
        return bool(more)


def blocks(picture: Picture, columns: int, rows: int) -> list[str]:
    """A picture as lines of half blocks in 24-bit colors, two pixels a character.

    Args:
        picture: `[H, W, 3]`.
        columns: At most so many characters wide.
        rows: At most so many lines.
    """
    height, width = picture.shape[:2]
    scale = min(columns / width, 2 * rows / height)
    size = max(1, round(width * scale)), max(1, round(height * scale / 2))
    across = (np.arange(size[0]) + 0.5) * width / size[0]
    down = (np.arange(2 * size[1]) + 0.5) * height / (2 * size[1])
    small = picture[down.astype(int)[:, None], across.astype(int)[None]]
    return ["".join(map(_block, small[2 * r], small[2 * r + 1])) for r in range(size[1])]


def _block(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> str:
    above, below = (";".join(map(str, color.tolist())) for color in (upper, lower))
    return f"\x1b[38;2;{above}m\x1b[48;2;{below}m\N{UPPER HALF BLOCK}"


def _single_keys(given: int) -> Any:
    """Let a terminal give every key at once and unseen; returns how it was before."""
    try:
        import termios
        import tty
    except ImportError:
        raise ConfigError(
            "this system's terminal gives no single keys: install the window, "
            'pip install "understudy[human]"'
        ) from None
    before = termios.tcgetattr(given)
    tty.setcbreak(given)
    return before
