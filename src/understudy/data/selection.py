"""Which episodes: one small vocabulary for every tool that works on some of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from understudy.data.catalog import Entry, catalog
from understudy.data.demos import Demos
from understudy.data.derived import chosen
from understudy.errors import ConfigError, DemoError

_PART = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What must hold of an episode; None and empty ask for nothing.

    Attributes:
        numbers: It is called by one of these.
        min_return: Its return is at least this.
        max_return: Its return is at most this.
        min_length: It has at least so many steps.
        max_length: It has at most so many steps.
        tags: It has every one of these.
        without_tags: It has none of these.
        success: Whether it did the task.
        ends: It ended in one of these ways.
    """

    numbers: tuple[range, ...] | None = None
    min_return: float | None = None
    max_return: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    tags: tuple[str, ...] = ()
    without_tags: tuple[str, ...] = ()
    success: bool | None = None
    ends: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what in ("return", "length"):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if any(x is not None and math.isnan(x) for x in (low, high)):
                raise ConfigError(f"a {what} of nan: expected a number")
            if low is not None and high is not None and low > high:
                raise ConfigError(f"no {what} is at least {low} and at most {high}")

    @property
    def everything(self) -> bool:
        """Whether it asks for nothing."""
        return self == Selection()

    def places(self, entries: Sequence[Entry]) -> NDArray[np.int64]:
        """`[S]` where in `entries` the episodes stand of which all of it holds.

        Raises:
            DemoError: An episode that was named is not there, or what is asked about is not known
                of the episodes.
        """
        self._check_numbers(entries)
        self._check_known(entries)
        held = [self._holds(entry) for entry in entries]
        return np.flatnonzero(np.array(held, bool))

    def _holds(self, entry: Entry) -> bool:
        return (
            (self.numbers is None or any(entry.number in part for part in self.numbers))
            and _within(entry.return_, self.min_return, self.max_return)
            and _within(entry.length, self.min_length, self.max_length)
            and set(self.tags) <= set(entry.tags)
            and not set(self.without_tags) & set(entry.tags)
            and self.success in (None, entry.success)
            and (not self.ends or entry.end in self.ends)
        )

    def _check_numbers(self, entries: Sequence[Entry]) -> None:
        there = {entry.number for entry in entries}
        # A range may be much longer than the file: its two ends say enough.
        named = {n for part in self.numbers or () for n in (part.start, part.stop - 1)}
        if missing := sorted(named - there):
            some = ", ".join(map(str, missing[:_MOST_NAMED]))
            has = f"they are {min(there)} to {max(there)}" if there else "there is none"
            has = f"there is only {min(there)}" if len(there) == 1 else has
            raise DemoError(f"no episode is called {some}; {has} ('show --table' lists them)")

    def _check_known(self, entries: Sequence[Entry]) -> None:
        by_return = self.min_return is not None or self.max_return is not None
        if by_return and any(math.isnan(entry.return_) for entry in entries):
            raise DemoError("some episodes have no rewards, so they cannot be chosen by return")
        if self.success is not None and all(entry.success is None for entry in entries):
            raise DemoError(
                "no episode says whether it did the task; say it with "
                "'understudy demos tag FILE --episodes 3 --add success'"
            )


def numbers_in(text: str) -> tuple[range, ...]:
    """The episode numbers that `3,5-9` means.

    Raises:
        ConfigError: It means none.
    """
    found: list[range] = []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else -1
        if last < first:
            raise ConfigError(f"episodes '{text}': expected numbers and ranges such as 3,5-9")
        found.append(range(first, last + 1))
    return tuple(found)


def choose(demos: Demos, selection: Selection) -> Demos:
    """The episodes of which all of the selection holds, read when they are asked for.

    Raises:
        DemoError: There is none.
    """
    if selection.everything:
        return demos
    places = selection.places(catalog(demos))
    if not len(places):
        raise DemoError(
            f"none of the {len(demos)} episodes is as was asked: {selection_words(selection)}"
        )
    return demos if len(places) == len(demos) else chosen(demos, places)


def selection_words(selection: Selection) -> str:
    """What a selection asks for, in a few words."""
    said: list[str] = []
    for field in fields(selection):
        value = getattr(selection, field.name)
        if value is None or value == ():
            continue
        if field.name == "numbers":
            value = ",".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in value)
        elif isinstance(value, tuple):
            value = " ".join(map(str, value))
        said.append(f"{field.name.replace('_', ' ')} {value}")
    return ", ".join(said) or "all of them"


def _within(x: float, low: float | None, high: float | None) -> bool:
    return (low is None or x >= low) and (high is None or x <= high)
