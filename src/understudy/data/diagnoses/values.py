"""Diagnoses of what was seen: numbers that are no numbers, that never change, of an odd range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from understudy.data.diagnoses.evidence import ACTION, Columns, Evidence, leaving_out, listed
from understudy.data.diagnoses.finding import Finding, Severity
from understudy.data.spec import Obs

FEWEST_ROWS = 20
PIXELS = 64
"""Numbers from which on a vector of bytes looks like a picture."""


def unreadable(e: Evidence) -> Finding | None:
    """Episodes that were refused when they were read."""
    if not e.unread:
        return None
    numbers = [number for number, _ in e.unread]
    return Finding(
        name="unreadable",
        severity=Severity.WRONG,
        says=f"{len(numbers):,} of {len(e.demos):,} episodes cannot be read: {listed(numbers)}; "
        f"{e.unread[0][1]}",
        means="learning stops where it meets the first of them",
        advice=f"{leaving_out(e, numbers)}, or mend what recorded them",
    )


def not_finite(e: Evidence) -> Finding | None:
    """Numbers that are nan or infinite in what was seen, done or received."""
    where = {name: c for name, c in e.columns.items() if c.bad.any()}
    rewards = [life.number for life in e.lives if life.bad_rewards]
    if not where and not rewards:
        return None
    parts = [
        f"{int(c.bad.sum()):,} in {name}{_places(np.flatnonzero(c.bad).tolist())}"
        for name, c in where.items()
    ]
    if rewards:
        parts.append(f"{sum(life.bad_rewards for life in e.lives):,} rewards")
    numbers = sorted({*rewards, *(n for c in where.values() for n in c.bad_episodes)})
    return Finding(
        name="not_finite",
        severity=Severity.WRONG,
        says=f"nan or infinity: {', '.join(parts)}; in episodes {listed(numbers)}",
        means="a single one makes every weight of a network nan",
        advice=f"{leaving_out(e, numbers)}, and let the simulation end an "
        "episode before it blows up",
    )


def constant(e: Evidence) -> Finding | None:
    """Columns that never change, and pictures that are always the same."""
    frozen: list[str] = []
    some: list[str] = []
    for name, columns, obs in _vectors_and_images(e):
        still = columns.constant
        if columns.rows < FEWEST_ROWS or not len(still):
            continue
        if len(still) == len(columns.least):
            frozen.append(f"'{name}'")
        # One pixel may well stay the same, and so may a choice that nobody made (a one-hot).
        elif obs.kind == "vector" and np.dtype(obs.dtype).kind == "f":
            some.append(f"{len(still)} of {obs.size} numbers of '{name}'{_places(still.tolist())}")
    if not frozen and not some:
        return None
    rows = max(c.rows for c in e.columns.values())
    whole = [f"all of {' and '.join(frozen)}"] if frozen else []
    return Finding(
        name="constant",
        severity=Severity.WRONG if frozen else Severity.DOUBTFUL,
        says=f"never changes in {rows:,} observations: {', '.join([*whole, *some])}",
        means="nothing can be learned from it; where it does change later, the policy meets what "
        "it never saw",
        advice="look whether the sensor was connected, and record again in other situations if it "
        "can change; leave it out if it cannot",
    )


def picture_range(e: Evidence) -> Finding | None:
    """Pictures that are black, bytes that were fractions, fractions that are bytes."""
    for name, columns, obs in _vectors_and_images(e):
        if obs.kind != "image" or not columns.rows or columns.bad.any():
            continue
        least, most = float(columns.least.min()), float(columns.most.max())
        whole = np.dtype(obs.dtype).kind in "iu"
        if whole and most == least == 0:
            says, advice = "every pixel of every picture is 0", "draw before taking the picture"
        elif whole and most <= 1:
            says = f"bytes from {least:g} to {most:g}, of 255"
            advice = "multiply by 255 before casting to uint8"
        elif not whole and most > 2:
            says = f"fractions ({obs.dtype}) from {least:g} to {most:g}"
            advice = "record uint8, or divide by 255: only uint8 is divided for you"
        else:
            continue
        return Finding(
            name="picture_range",
            severity=Severity.WRONG,
            says=f"image '{name}': {says}",
            means="networks expect bytes from 0 to 255, or fractions around 0 to 1, and see "
            "nothing in these",
            advice=f"{advice}; demos show --frames shows what was seen",
        )
    return None


def bytes_as_vector(e: Evidence) -> Finding | None:
    """Vectors that look like pixels."""
    for name, columns, obs in _vectors_and_images(e):
        if obs.kind != "vector" or obs.size < PIXELS or columns.bad.any() or not columns.rows:
            continue
        least, most = float(columns.least.min()), float(columns.most.max())
        ends = np.concatenate([columns.least, columns.most])
        if least >= 0 and 127 < most <= 255 and (ends == np.round(ends)).all():
            return Finding(
                name="bytes_as_vector",
                severity=Severity.DOUBTFUL,
                says=f"vector '{name}' of {obs.size:,} has whole numbers from {least:g} to "
                f"{most:g}, as pixels have",
                means="a picture that is read as a vector loses what is beside what, and is not "
                "divided by 255",
                advice="record it as uint8 [height, width, channels], or say what it is with "
                "spec=Spec(obs={...}) in Python",
            )
    return None


def _vectors_and_images(e: Evidence) -> Iterator[tuple[str, Columns, Obs]]:
    for name, obs in e.spec.obs.items():
        if obs.kind in ("vector", "image") and obs.size and name != ACTION:
            yield name, e.columns[name], obs


def _places(columns: list[int]) -> str:
    return f" (column{'s' * (len(columns) > 1)} {listed(columns)})"
