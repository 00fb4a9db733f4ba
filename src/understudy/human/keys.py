"""Which key does what: a table for every kind of action, which a file may change.

Keys have names: `left`, `a`, `7`, `space`; `pad 0` is a button of the gamepad, `pad left` its
cross, and `pad axis 1` a stick, whose halves `pad axis 1 -` and `pad axis 1 +` are keys as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from understudy.data.spec import ActionSpec
from understudy.errors import ConfigError

LAST = "last"
Idle = int | Literal["last"]


class Command(StrEnum):
    """What a person asks for beside acting."""

    PAUSE = "pause"
    SLOW = "slow"
    UNDO = "undo"
    DISCARD = "discard"
    SUCCESS = "success"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Choice:
    """A key that takes a choice of a branch while it is held."""

    branch: int
    choice: int

    def __str__(self) -> str:
        return f"branch {self.branch} = {self.choice}"


@dataclass(frozen=True, slots=True)
class Number:
    """A key that moves a number to a value while it is held."""

    number: int
    value: float

    def __str__(self) -> str:
        return f"number {self.number} = {self.value:g}"


Does = Choice | Number


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable:
    """Everything that keys do.

    Attributes:
        keys: What each key does to the action.
        axes: The number that each stick moves; one that is pushed back moves it up if `-` stands
            before its name.
        commands: What else a key asks for.
        idle: `[K]` the choice of every branch while none of its keys is held; `last`: the one that
            was taken last, at first 0.
        ramp_seconds: How long a number takes from one end of its range to the other.
        wait: Time stands still until a key acts.
        slow: How many times as long a step takes in slow motion.
        undo_steps: How many steps an undo takes back.
    """

    keys: Mapping[str, Does]
    axes: Mapping[str, int] = field(default_factory=dict)
    commands: Mapping[str, Command] = field(default_factory=lambda: dict(COMMANDS))
    idle: tuple[Idle, ...] = ()
    ramp_seconds: float = 0.3
    wait: bool = False
    slow: float = 4.0
    undo_steps: int = 30

    def lines(self) -> Iterator[str]:
        """The table for people, one line for everything that can be done."""
        done: dict[str, list[str]] = {}
        for key, does in self.keys.items():
            done.setdefault(str(does), []).append(key)
        for axis, number in self.axes.items():
            done.setdefault(f"number {number}, all of its range", []).append(axis)
        for branch, idle in enumerate(self.idle):
            done.setdefault(f"branch {branch} = {idle}", []).append("nothing")
        for key, command in self.commands.items():
            done.setdefault(str(command), []).append(key)
        for what, keys in done.items():
            yield f"{' or '.join(keys):24} {what}"


COMMANDS = {
    "space": Command.PAUSE,
    "pad 7": Command.PAUSE,
    "tab": Command.SLOW,
    "backspace": Command.UNDO,
    "pad 6": Command.UNDO,
    "delete": Command.DISCARD,
    "return": Command.SUCCESS,
    "escape": Command.QUIT,
}
_PAIRS = (
    ("left", "right"),
    ("down", "up"),
    ("a", "d"),
    ("s", "w"),
    ("j", "l"),
    ("k", "i"),
    ("f", "h"),
    ("g", "t"),
    ("c", "v"),
    ("b", "n"),
)
_POOL = tuple("1234567890qwertyuiopasdfghjklzxcvbnm")
_ARROWS = {
    2: ("left", "right"),
    3: ("left", "down", "right"),
    4: ("down", "left", "up", "right"),
    5: ("end", "left", "down", "right", "up"),
}
_CROSS = {"left": "pad left", "right": "pad right", "up": "pad up", "down": "pad down"}
_UNBOUNDED = 1e30
"""Bounds beyond are those of the number's format, which nobody means."""


def default_table(spec: ActionSpec) -> KeyTable:
    """A table that reaches everything that can be done.

    Numbers have a pair of keys each, and a stick; a key moves to the end of the range, or to 1
    where there is none. The choices of a single branch have the digits and letters, and a few of
    them also the arrows; of several branches every choice but 0 has a key of its own.

    Raises:
        ConfigError: There is more to do than there are keys; says how to name some.
    """
    keys: dict[str, Does] = {}
    axes: dict[str, int] = {}
    if spec.continuous > len(_PAIRS):
        raise _too_many(f"{spec.continuous} numbers", len(_PAIRS))
    for number in range(spec.continuous):
        for key, value in zip(_PAIRS[number], ends(spec, number), strict=True):
            keys[key] = Number(number, value)
        axes[f"{'-' if number % 2 else ''}pad axis {number}"] = number
    if len(spec.branches) == 1 and not spec.continuous:
        keys = _single(spec.branches[0])
    else:
        _several(spec, keys)
    return KeyTable(keys=keys, axes=axes, idle=tuple(map(_idle(spec), spec.branches)))


def ends(spec: ActionSpec, number: int) -> tuple[float, float]:
    """The least and the largest value that keys move a number to."""
    low, high = spec.low[number], spec.high[number]
    return (
        low if low > -_UNBOUNDED else min(-1.0, high),
        high if high < _UNBOUNDED else max(1.0, low),
    )


def _idle(spec: ActionSpec) -> Any:
    alone = len(spec.branches) == 1 and not spec.continuous
    # Two choices alone are mostly two directions; of three the middle one is mostly neither.
    known: dict[int, Idle] = {2: LAST, 3: 1} if alone else {}
    return lambda size: known.get(size, 0)


def _single(size: int) -> dict[str, Does]:
    names = [str(n) for n in range(10)] + [key for key in _POOL if not key.isdigit()]
    if size > len(names):
        raise _too_many(f"{size} choices", len(names))
    keys: dict[str, Does] = {}
    for choice, key in enumerate(_ARROWS.get(size, ())):
        keys[key] = Choice(0, choice)
        if key in _CROSS:
            keys[_CROSS[key]] = Choice(0, choice)
    keys |= {name: Choice(0, choice) for choice, name in enumerate(names[:size])}
    return keys


def _several(spec: ActionSpec, keys: dict[str, Does]) -> None:
    free = [key for key in ("up", "down", "right", "left", *_POOL) if key not in keys]
    wanted = [Choice(b, c) for b, size in enumerate(spec.branches) for c in range(1, size)]
    if len(wanted) > len(free):
        raise _too_many(f"{len(wanted)} choices of {len(spec.branches)} branches", len(free))
    keys |= dict(zip(free, wanted, strict=False))
    for key, does in list(keys.items()):
        if key in _CROSS and isinstance(does, Choice):
            keys[_CROSS[key]] = does


def _too_many(what: str, most: int) -> ConfigError:
    return ConfigError(
        f"there are {what} and keys for {most}: name those that you need in a file (--keys)"
    )
