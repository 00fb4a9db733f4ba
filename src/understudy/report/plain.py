"""Words for a terminal: only letters that can be printed there, and pictures made of letters."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TextIO

BARS = "▁▂▃▄▅▆▇█"


def printable(text: str) -> str:
    """The text without control codes: what a file says of itself must not steer a terminal."""
    return "".join(c if c.isprintable() else " " if c in "\t\n\r" else "�" for c in text)


def can_say(stream: TextIO, letters: str) -> bool:
    """Whether the stream's encoding has these letters."""
    try:
        letters.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def said(text: str, stream: TextIO) -> str:
    """The text in letters that the stream's encoding has; others become the nearest ASCII."""
    if can_say(stream, text):
        return text
    near = {"−": "-", "–": "-", "—": "-", "×": "x", "…": "...", "’": "'", "·": "-", "±": "+-"}
    near |= {"━": "=", "─": "-", "═": "="}
    plain = "".join(near.get(c, c) for c in text)
    return plain.encode("ascii", "replace").decode()


def bars(counts: Sequence[float], unicode: bool = True) -> str:
    """A histogram of one line: one letter per bin, a dot for an empty one; '' without unicode."""
    most = max(counts, default=0)
    if not unicode or most <= 0:
        return ""
    last = len(BARS) - 1
    return "".join(BARS[max(0, round(last * c / most))] if c > 0 else "·" for c in counts)


def on_terminal(stream: TextIO) -> bool:
    """Whether a person is looking."""
    return bool(getattr(stream, "isatty", lambda: False)())


def width_of(stream: TextIO) -> int:
    """Columns to write in: the terminal's, at most 110; 100 where nobody looks."""
    return min(shutil.get_terminal_size((100, 24)).columns, 110) if on_terminal(stream) else 100
