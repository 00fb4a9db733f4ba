"""A key table that somebody wrote down: YAML, every word of it checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from understudy.data.spec import ActionSpec
from understudy.errors import ConfigError
from understudy.human.keys import (
    LAST,
    Choice,
    Command,
    Does,
    Idle,
    KeyTable,
    Number,
    default_table,
)

MOST_KEYS = 200


def read_keys(path: Path, spec: ActionSpec) -> KeyTable:
    """The default table with what a YAML file says in place of it.

    `keys`, `axes` and `commands`, where they are given, replace the whole of the default; so do
    `idle`, `ramp_seconds`, `wait`, `slow` and `undo_steps`.

    Raises:
        ConfigError: The file cannot be read, or says something that there is not.
    """
    try:
        said = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except (yaml.YAMLError, RecursionError) as error:
        text = " ".join(str(error).split())[:200]
        raise ConfigError(f"{path}: no YAML: {text}") from None
    if not isinstance(said, dict):
        raise ConfigError(f"{path}: expected a mapping with keys, axes, commands or idle")
    try:
        return _changed(said, spec)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _changed(said: Mapping[Any, Any], spec: ActionSpec) -> KeyTable:
    known = KeyTable.__dataclass_fields__
    for name in said:
        if name not in known:
            raise ValueError(f"there is no '{name}'; there are {', '.join(known)}")
    try:
        table = default_table(spec)
    except ConfigError:
        # More than the default has keys for: then the file alone says.
        table = KeyTable(keys={}, idle=(0,) * len(spec.branches))
    changes: dict[str, Any] = {}
    for name, value in said.items():
        changes[name] = _READERS[name](name, value, spec)
    return replace(table, **changes)


def _read_keys(name: str, value: Any, spec: ActionSpec) -> dict[str, Does]:
    return {key: _does(key, what, spec) for key, what in _mapping(name, value).items()}


def _does(key: str, said: Any, spec: ActionSpec) -> Does:
    match = re.fullmatch(r"(branch|number)\s+(\d+)\s*=\s*(\S+)", str(said).strip())
    if match is None:
        raise ValueError(f"key '{key}': '{said}' is neither 'branch B = CHOICE' nor 'number N = X'")
    place = int(match[2])
    have = len(spec.branches) if match[1] == "branch" else spec.continuous
    if place >= have:
        raise ValueError(f"key '{key}': {match[1]} {place}, there are {have}, counted from 0")
    if match[1] == "branch":
        return Choice(place, _choice(f"key '{key}'", match[3], spec.branches[place]))
    return Number(place, _value(f"key '{key}'", match[3], spec, place))


def _choice(what: str, said: Any, size: int) -> int:
    if not re.fullmatch(r"\d{1,9}", str(said)) or int(said) >= size:
        raise ValueError(f"{what}: choice {said}, expected 0 to {size - 1}")
    return int(said)


def _value(what: str, said: str, spec: ActionSpec, number: int) -> float:
    try:
        value = float(said)
    except ValueError:
        raise ValueError(f"{what}: '{said}' is no number") from None
    low, high = spec.low[number], spec.high[number]
    if not low <= value <= high or abs(value) == float("inf"):
        raise ValueError(f"{what}: {value:g} is outside of {low:g} to {high:g}")
    return value


def _read_axes(name: str, value: Any, spec: ActionSpec) -> dict[str, int]:
    axes: dict[str, int] = {}
    for key, number in _mapping(name, value).items():
        if not re.fullmatch(r"-?pad axis \d+", key):
            raise ValueError(f"axes: '{key}', expected 'pad axis N', or '-pad axis N' to turn it")
        if type(number) is not int or not 0 <= number < spec.continuous:
            raise ValueError(f"axes: {key}: number {number}, there are {spec.continuous}")
        axes[key] = number
    return axes


def _read_commands(name: str, value: Any, spec: ActionSpec) -> dict[str, Command]:
    commands: dict[str, Command] = {}
    for key, command in _mapping(name, value).items():
        if command not in list(Command):
            raise ValueError(f"commands: '{command}', expected one of {', '.join(Command)}")
        commands[key] = Command(command)
    return commands


def _read_idle(name: str, value: Any, spec: ActionSpec) -> tuple[Idle, ...]:
    if not isinstance(value, list) or len(value) != len(spec.branches):
        raise ValueError(f"idle: expected a list with {len(spec.branches)} entries, one a branch")
    return tuple(
        LAST if said == LAST else _choice(f"idle of branch {b}", said, spec.branches[b])
        for b, said in enumerate(value)
    )


def _read_positive(name: str, value: Any, spec: ActionSpec) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise ValueError(f"{name}: {value}, expected a number, 0 or more")
    return float(value)


def _read_slow(name: str, value: Any, spec: ActionSpec) -> float:
    if _read_positive(name, value, spec) < 1:
        raise ValueError(f"{name}: {value}, expected a factor of 1 or more")
    return float(value)


def _read_steps(name: str, value: Any, spec: ActionSpec) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}: {value}, expected a whole number, 1 or more")
    return value


def _read_flag(name: str, value: Any, spec: ActionSpec) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name}: {value}, expected true or false")
    return value


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > MOST_KEYS:
        raise ValueError(f"{name}: expected a mapping of at most {MOST_KEYS} keys")
    # YAML reads a key called 1 as a number.
    return {str(key).lower(): what for key, what in value.items()}


_READERS = {
    "keys": _read_keys,
    "axes": _read_axes,
    "commands": _read_commands,
    "idle": _read_idle,
    "ramp_seconds": _read_positive,
    "wait": _read_flag,
    "slow": _read_slow,
    "undo_steps": _read_steps,
}
