"""The table of episodes that `demos show --table` prints."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from understudy.data.catalog import Entry
from understudy.report.plain import printable
from understudy.report.standing import number

MOST_LETTERS = 40
_YES_NO = {True: "yes", False: "no", None: ""}


def episode_lines(entries: Sequence[Entry]) -> list[str]:
    """A head and one line for every episode; columns of which nothing is known are left out."""
    columns: list[tuple[str, Callable[[Entry], str], bool]] = [
        ("episode", lambda e: str(e.number), True),
        ("steps", lambda e: f"{e.length:,}", True),
        ("return", lambda e: "" if math.isnan(e.return_) else number(e.return_), True),
        ("ended", lambda e: str(e.end), False),
        ("success", lambda e: _YES_NO[e.success], False),
        ("seed", lambda e: "" if e.seed is None else str(e.seed), True),
        ("tags", lambda e: _short(" ".join(e.tags)), False),
        ("label", lambda e: _short(e.label), False),
        ("", lambda e: "deleted" if e.deleted else "", False),
    ]
    drawn = [_column(head, [say(e) for e in entries], right) for head, say, right in columns]
    kept = [column for column in drawn if column]
    return ["  ".join(cells).rstrip() for cells in zip(*kept, strict=True)]


def _column(head: str, cells: list[str], right: bool) -> list[str]:
    if not any(cells):
        return []
    width = max(map(len, (head, *cells)))
    return [cell.rjust(width) if right else cell.ljust(width) for cell in (head, *cells)]


def _short(text: str) -> str:
    plain = printable(text)
    return plain if len(plain) <= MOST_LETTERS else plain[: MOST_LETTERS - 3] + "..."
