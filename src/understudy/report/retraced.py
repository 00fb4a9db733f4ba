"""How far an environment reproduces recorded episodes, in words."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from understudy.data.episode import Episode
from understudy.envs.retrace import END, Retraced
from understudy.report.plain import printable
from understudy.report.standing import number

HEAD = ("episode", "steps", "return", "again", "same until", "then differs", "by", "farthest")


def retraced_lines(
    found: Sequence[tuple[int, Episode, Retraced | None]], tolerance: float
) -> list[str]:
    """A table with one line for every episode, and one sentence of what it comes to.

    Args:
        found: Number, what was recorded, and what came back; None where it has no seed.
        tolerance: Up to which numbers were counted as the same.
    """
    rows = [HEAD, *(_row(*one) for one in found)]
    widths = [max(len(row[c]) for row in rows) for c in range(len(HEAD))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return [*lines, "", _sentence(found, tolerance)]


def _row(name: int, episode: Episode, came: Retraced | None) -> tuple[str, ...]:
    recorded = "" if math.isnan(episode.return_) else number(episode.return_)
    head = (str(name), f"{len(episode):,}", recorded)
    if came is None:
        return (*head, "", "", "no seed was recorded", "", "")
    head = (*head, number(came.return_))
    if came.first is None:
        return (*head, "the end", "", "", _far(came))
    first = came.first
    if first.what == END:
        return (*head, f"step {first.step:,}", _ending(episode, came), "", _far(came))
    until = f"step {first.step - 1:,}" if first.step else "nothing"
    return (*head, until, printable(first.what), f"{first.by:.3g}", _far(came))


def _ending(episode: Episode, came: Retraced) -> str:
    if came.steps < len(episode):
        return "it ends here"
    return "it goes on" if episode.terminated else "the task is over here"


def _far(came: Retraced) -> str:
    if not came.farthest:
        return ""
    name, by = max(came.farthest.items(), key=lambda item: item[1])
    return f"{by:.3g} ({printable(name)})" if by else "0"


def _sentence(found: Sequence[tuple[int, Episode, Retraced | None]], tolerance: float) -> str:
    tried = [(episode, came) for _, episode, came in found if came is not None]
    if not tried:
        return "No seed was recorded, so nothing could be done again."
    left = [came.first.step for _, came in tried if came.first is not None]
    same = len(tried) - len(left)
    within = f"within {tolerance:g}" if tolerance else "to the last bit"
    words = f"{same} of {len(tried)} episodes come out as recorded, {within}."
    if left:
        words += f" The others differ from step {statistics.median_low(left):,} on (median)."
    if 0 in left:
        words += (
            " Where the reset itself differs, the environment is another version, was made with "
            "other settings, or does not follow its seed."
        )
    return words
