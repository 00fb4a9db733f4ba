"""Which columns of a table of steps hold what.

A table has a row for every step, episode after episode; where actions are missing on an episode's
last row, that row is what was seen at the end. Names are found so, in any case of letters:

| what | names |
|---|---|
| observations | `obs`, `observation`, `observations` or `state`; with `.NAME`, with `_0`, `_1` |
| actions | `action`, `actions`, `act`, `acts`, likewise |
| rewards | `reward`, `rewards`, `rew`, `rews` |
| episodes | `episode`, `episode_id`, `episode_index`, `ep`, `trajectory`, `traj` |
| ends | `terminated`, `terminal`; `truncated`, `timeout`; `done`, `dones` |
| seeds | `seed` |

Numbered columns are one array: `obs.arm_0`, `obs.arm_1` are a vector of two, and `obs.m_0_0` to
`obs.m_1_2` a matrix of 2 x 3.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from understudy.errors import DemoError

Columns = Mapping[str, str | Sequence[str] | Mapping[str, str | Sequence[str]]]
"""What is in which columns: `obs` and `action` are a column, several that make one vector, or those
by name; `reward`, `episode`, `terminated`, `truncated`, `done` and `seed` are one column each."""

SINGLE = ("reward", "episode", "terminated", "truncated", "done", "seed")
_SEVERAL = {
    "obs": ("obs", "observation", "observations", "state"),
    "action": ("action", "actions", "act", "acts"),
}
_NAMES = {
    "reward": ("reward", "rewards", "rew", "rews"),
    "episode": ("episode", "episode_id", "episode_index", "ep", "trajectory", "traj"),
    "terminated": ("terminated", "terminal"),
    "truncated": ("truncated", "timeout"),
    "done": ("done", "dones"),
    "seed": ("seed",),
}
_PARTS = re.compile(r"(?P<root>[a-z]+)(?:\.(?P<name>.*?))?(?P<place>(?:_[0-9]{1,7})+)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """The columns that make one array.

    Attributes:
        columns: Their names, in C order.
        shape: Of a row of the array; None where it is that of the only column.
    """

    columns: tuple[str, ...]
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Which columns hold what.

    Attributes:
        obs: The columns of every observation, by our name; "" for one without a name.
        action: The same for actions.
        single: The column of each of `SINGLE` that there is.
    """

    obs: Mapping[str, Source]
    action: Mapping[str, Source]
    single: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def used(self) -> tuple[str, ...]:
        """All columns that hold something."""
        arrays = itertools.chain(self.obs.values(), self.action.values())
        return tuple(
            dict.fromkeys(
                [*(name for source in arrays for name in source.columns), *self.single.values()]
            )
        )


def find_columns(names: Sequence[str]) -> Found:
    """What the columns of these names hold, as far as their names tell."""
    arrays: dict[str, dict[str, dict[tuple[int, ...], str]]] = {"obs": {}, "action": {}}
    single: dict[str, str] = {}
    for column in names:
        lower = column.strip().lower()
        if role := next((r for r, known in _NAMES.items() if lower in known), None):
            single.setdefault(role, column)
        elif (match := _PARTS.fullmatch(lower)) and (role := _role(match["root"])):
            # The name keeps its letters; only what it begins with is ours.
            start, stop = match.span("name")
            name = column.strip()[start:stop] if start >= 0 else ""
            place = tuple(int(n) for n in (match["place"] or "").split("_")[1:])
            whole = f"{name}{match['place'] or ''}"
            group = arrays[role].setdefault(name, {})
            (arrays[role].setdefault(whole, {}) if place in group else group)[place] = column
    obs, action = (
        {n: s for name, places in arrays[role].items() for n, s in _sources(name, places)}
        for role in ("obs", "action")
    )
    return Found(obs, action, single)


def given_columns(names: Sequence[str], columns: Columns, where: str) -> Found:
    """What the columns hold as somebody says.

    Args:
        names: The columns that there are.
        columns: What is in which.
        where: The file, for errors.

    Raises:
        DemoError: A column is not there, or something is unknown.
    """
    found = find_columns(names)
    arrays = {"obs": dict(found.obs), "action": dict(found.action)}
    single = dict(found.single)
    for role, said in columns.items():
        if role in arrays:
            parts = said if isinstance(said, Mapping) else {"": said}
            arrays[role] = {name: _given(names, role, part, where) for name, part in parts.items()}
        elif role in SINGLE and isinstance(said, str):
            single[role] = _given(names, role, said, where).columns[0]
        else:
            raise DemoError(
                f"{where}: columns={{{role!r}: {said!r}}}; expected obs or action with columns, or "
                f"one of {', '.join(SINGLE)} with a column"
            )
    return Found(arrays["obs"], arrays["action"], single)


def column_names(name: str, shape: tuple[int, ...], root: str) -> list[str]:
    """What the columns of an array are called, one for each of its numbers, in C order."""
    whole = f"{root}.{name}" if name else root
    places = itertools.product(*map(range, shape))
    return ["_".join([whole, *map(str, place)]) for place in places]


def _role(root: str) -> str | None:
    return next((role for role, roots in _SEVERAL.items() if root in roots), None)


def _sources(name: str, places: dict[tuple[int, ...], str]) -> list[tuple[str, Source]]:
    """One array where the places fill a box from zero on, else one array for each column."""
    ranks = {len(place) for place in places}
    if len(ranks) == 1 and (rank := ranks.pop()):
        shape = tuple(1 + max(place[axis] for place in places) for axis in range(rank))
        if math.prod(shape) == len(places):
            return [(name, Source(tuple(places[place] for place in sorted(places)), shape))]
    out: list[tuple[str, Source]] = []
    for place, column in places.items():
        alone = "_".join([name, *map(str, place)]).lstrip("_") if place else name
        out.append((alone, Source((column,))))
    return out


def _given(names: Sequence[str], role: str, said: Any, where: str) -> Source:
    columns = (said,) if isinstance(said, str) else tuple(said)
    for column in columns:
        if column not in names:
            there = ", ".join(names)[:200]
            raise DemoError(f"{where}: no column {column!r} for {role}; it has {there}")
    if not columns:
        raise DemoError(f"{where}: no column for {role}; expected one or more")
    return Source(columns, None if isinstance(said, str) else (len(columns),))
