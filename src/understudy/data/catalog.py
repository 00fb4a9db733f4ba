"""What is known of every episode without looking at its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from understudy.data.demos import Demos
from understudy.data.episode import End, Episode

SUCCESS, FAILURE = "success", "failure"
"""Tags by which a person says whether an episode did the task."""
_SUCCESS_INFOS = ("success", "is_success")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One episode's line in a table.

    Attributes:
        number: What it is called by: unique, growing, and the same for as long as the file is.
        length: Steps.
        return_: Sum of rewards, nan where there are none.
        end: How it ended.
        success: Whether it did the task; None where nobody said.
        tags: Words that somebody marked it with.
        label: A name for people.
        seed: The reset's seed, where known.
        deleted: It is only kept to be restored.
    """

    number: int
    length: int
    return_: float
    end: End
    success: bool | None
    tags: tuple[str, ...]
    label: str
    seed: int | None
    deleted: bool = False

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "number": self.number,
            "length": self.length,
            "return": self.return_,
            "end": str(self.end),
            "success": self.success,
            "tags": list(self.tags),
            "label": self.label,
            "seed": self.seed,
            "deleted": self.deleted,
        }


@runtime_checkable
class Cataloged(Protocol):
    """Episodes that can say this of themselves without being read."""

    @property
    def numbers(self) -> Sequence[int]:
        """`[E]` what every episode is called by, in their order."""
        ...

    def entries(self) -> Sequence[Entry]:
        """One for every episode, in their order."""
        ...


def catalog(demos: Demos) -> list[Entry]:
    """One entry for every episode, in their order.

    Episodes of our own files have the numbers that they were recorded with; others are counted
    from 0, as their labels (`file.demo#0`) are.
    """
    if isinstance(demos.episodes, Cataloged):
        return list(demos.episodes.entries())
    return [entry_of(number, episode) for number, episode in enumerate(demos)]


def numbers_of(demos: Demos) -> list[int]:
    """What every episode is called by, in their order; see `catalog`. Reads none of them."""
    if isinstance(demos.episodes, Cataloged):
        return list(demos.episodes.numbers)
    return list(range(len(demos)))


def entry_of(number: int, episode: Episode) -> Entry:
    """An episode's line, once it has been read."""
    return Entry(
        number=number,
        length=len(episode),
        return_=episode.return_,
        end=episode.end,
        success=success_of(episode.info, episode.tags),
        tags=episode.tags,
        label=episode.label,
        seed=episode.seed,
    )


def success_of(info: Mapping[str, Any], tags: Sequence[str]) -> bool | None:
    """Whether an episode did the task, None where nobody said.

    Args:
        info: The episode's; `success` or `is_success` says it, true or false, 1 or 0.
        tags: The tag `success` or `failure` says it, and goes before what `info` says: a person
            has looked.
    """
    if SUCCESS in tags or FAILURE in tags:
        return SUCCESS in tags and FAILURE not in tags
    for name in _SUCCESS_INFOS:
        said = info.get(name)
        # `1.0 in (0, 1)` holds as well: some simulators write success as a float.
        if isinstance(said, bool | int | float) and said in (0, 1):
            return bool(said)
    return None
