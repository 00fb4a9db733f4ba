"""What a setting takes, read off its type: a value, a list, a table, a group, or a choice."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import re
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from understudy.errors import ConfigError
from understudy.settings import words
from understudy.settings.certain import UNSURE, certain
from understudy.settings.words import Setting
from understudy.settings.yaml_tree import Node

BAD: Any = object()
"""Stands in the place of a value about which a problem has been noted."""


@dataclass(slots=True)
class Reading:
    """One reading of a config: what is being made and what was wrong so far."""

    root: Kind
    problems: list[str] = field(default_factory=list)

    def note(self, where: str, path: str, what: str) -> Any:
        """Note a problem; an override that names the setting need not name it twice."""
        named = where.startswith(f"override '{path}=")
        parts = (where, "" if named else path, what)
        self.problems.append(": ".join(part for part in parts if part))
        return BAD

    def finish(self, config: Any) -> Any:
        """The config.

        Raises:
            ConfigError: There were problems.
        """
        if self.problems:
            raise ConfigError("\n".join(self.problems))
        return config

    def unknown(self, node: Node, path: str, known: list[str]) -> Any:
        """Note a name that no setting has, and the one that was probably meant."""
        name = path.rpartition(".")[2]
        elsewhere = [s.path for s in self.root.settings("", MISSING) if s.path.endswith(f".{name}")]
        meant = elsewhere[:1] or words.nearest(name, known)
        said = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(known)}"
        return self.note(node.where, path, f"unknown setting; {said}")


class Kind(ABC):
    """What a setting takes: how it is merged, read, written and described."""

    @abstractmethod
    def read(self, node: Node, default: Any, path: str, reading: Reading) -> Any:
        """The value, or `BAD` when a problem was noted; `default` fills what is not said."""

    @abstractmethod
    def tree(self, value: Any) -> Any:
        """The value as plain data; what does not fit stays as it is, for `read` to refuse."""

    @abstractmethod
    def say(self) -> str:
        """What is expected, in words."""

    def merge(self, low: Node, high: Node, default: Any, path: str) -> Node:
        """Two layers as one; here the higher one simply stands."""
        return high

    def settings(self, path: str, default: Any, doc: str = "", when: str = "") -> list[Setting]:
        """The rows that describe it."""
        shown = "required" if default is MISSING else words.show(self.tree(default))
        return [Setting(path, self.say(), shown, doc, when)]

    def refuse(self, node: Node, path: str, reading: Reading) -> Any:
        """Note that this is not what is expected."""
        return reading.note(node.where, path, f"expected {self.say()}, found {words.found(node)}")


@dataclass(frozen=True, slots=True)
class _Leaf(Kind):
    """A scalar, or a list of them."""

    hint: Any

    def read(self, node: Node, default: Any, path: str, reading: Reading) -> Any:
        for whole in (False, True):
            value = self.validated(node.plain(whole=whole))
            if value is not BAD:
                return value
        text = isinstance(self.validated(node.text), str) if node.text else False
        hint = "; for text, put it in quotes" if text else ""
        what = f"expected {self.say()}, found {words.found(node)}{hint}"
        return reading.note(node.where, path, what)

    def validated(self, plain: Any) -> Any:
        """The value, or `BAD`."""
        value = certain(self.hint, plain)
        if value is not UNSURE:
            return value
        from pydantic_core import ValidationError

        try:
            # As JSON, because strictness then still lets a list be a tuple and text a path.
            said = json.dumps(plain, default=_python_number)
            value = _adapter(self.hint).validate_json(said, strict=True)
        except (ValidationError, TypeError, ValueError):
            return BAD
        return BAD if _has_nan(value) else value

    def tree(self, value: Any) -> Any:
        if isinstance(value, enum.Enum):
            return value.value
        if isinstance(value, (tuple, list)):
            return [self.tree(item) for item in value]
        return str(value) if isinstance(value, Path) else value

    def say(self) -> str:
        return words.of(self.hint)


@dataclass(frozen=True, slots=True)
class _Series(Kind):
    """A list of groups or choices."""

    item: Kind

    def read(self, node: Node, default: Any, path: str, reading: Reading) -> Any:
        if not isinstance(node.value, list):
            return self.refuse(node, path, reading)
        pairs = enumerate(node.value)
        items = [self.item.read(child, MISSING, f"{path}[{i}]", reading) for i, child in pairs]
        return BAD if any(item is BAD for item in items) else tuple(items)

    def tree(self, value: Any) -> Any:
        return [self.item.tree(v) for v in value] if isinstance(value, (tuple, list)) else value

    def say(self) -> str:
        return f"a list, each {self.item.say()}"

    def settings(self, path: str, default: Any, doc: str = "", when: str = "") -> list[Setting]:
        rows = Kind.settings(self, path, default, doc, when)
        return rows + self.item.settings(f"{path}[]", MISSING, "", when)


@dataclass(frozen=True, slots=True)
class _Table(Kind):
    """Values by names that the user chooses."""

    value: Kind

    def read(self, node: Node, default: Any, path: str, reading: Reading) -> Any:
        if not isinstance(node.value, dict):
            return self.refuse(node, path, reading)
        below = self.below(node, default)
        found = dict(below)
        for name, child in node.value.items():
            entry = below.get(name, MISSING)
            found[name] = self.value.read(child, entry, _join(path, name), reading)
        return BAD if any(value is BAD for value in found.values()) else found

    def merge(self, low: Node, high: Node, default: Any, path: str) -> Node:
        if not (high.partial and isinstance(low.value, dict)):
            return high
        below = self.below(low, default)
        return _merged(
            low,
            high,
            lambda name, a, b: self.value.merge(a, b, below.get(name, MISSING), _join(path, name)),
        )

    @staticmethod
    def below(node: Node, default: Any) -> Mapping[str, Any]:
        """The entries of the default that remain: all if the node only changes some."""
        return default if node.partial and isinstance(default, Mapping) else {}

    def tree(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: self.value.tree(child) for name, child in value.items()}

    def say(self) -> str:
        return f"a table of names, each {self.value.say()}"

    def settings(self, path: str, default: Any, doc: str = "", when: str = "") -> list[Setting]:
        rows = Kind.settings(self, path, default, doc, when)
        if isinstance(self.value, _Leaf):
            return rows
        return rows + self.value.settings(_join(path, "<name>"), MISSING, "", when)


@dataclass(frozen=True, slots=True)
class _Group(Kind):
    """The settings of one dataclass."""

    cls: type
    fields: Mapping[str, Kind]
    defaults: Mapping[str, dataclasses.Field[Any]]

    def default_of(self, name: str, default: Any) -> Any:
        """A setting's default: the default group's, if there is one, else the class's."""
        if isinstance(default, self.cls):
            return getattr(default, name)
        known = self.defaults[name]
        made = known.default_factory
        return known.default if made is MISSING else made()

    def read(self, node: Node, default: Any, path: str, reading: Reading) -> Any:
        if not isinstance(node.value, dict):
            return self.refuse(node, path, reading)
        found: dict[str, Any] = {}
        for name, child in node.value.items():
            here = _join(path, name)
            kind = self.fields.get(name)
            found[name] = (
                kind.read(child, self.default_of(name, default), here, reading)
                if kind
                else reading.unknown(child, here, list(self.fields))
            )
        for name in [name for name in self.fields if name not in found]:
            found[name] = self.default_of(name, default)
            if found[name] is MISSING:
                what = f"is missing; expected {self.fields[name].say()}"
                found[name] = reading.note(node.where, _join(path, name), what)
        if any(value is BAD for value in found.values()):
            return BAD
        try:
            return self.cls(**found)
        except (ConfigError, TypeError, ValueError) as error:
            return reading.note(node.where, path, str(error))

    def merge(self, low: Node, high: Node, default: Any, path: str) -> Node:
        def one(name: str, a: Node, b: Node) -> Node:
            kind = self.fields.get(name)
            below = self.default_of(name, default) if kind else MISSING
            return kind.merge(a, b, below, _join(path, name)) if kind else b

        if isinstance(low.value, dict) and isinstance(high.value, dict):
            return _merged(low, high, one)
        return high

    def tree(self, value: Any) -> Any:
        if not isinstance(value, self.cls):
            return value
        return {name: kind.tree(getattr(value, name)) for name, kind in self.fields.items()}

    def say(self) -> str:
        return f"settings such as {', '.join(list(self.fields)[:3]) or 'none'}"

    def settings(self, path: str, default: Any, doc: str = "", when: str = "") -> list[Setting]:
        docs = words.docs(self.cls)
        return [
            row
            for name, kind in self.fields.items()
            for row in kind.settings(
                _join(path, name), self.default_of(name, default), docs.get(name, ""), when
            )
        ]


@dataclass(frozen=True, slots=True)
class _Choice(Kind):
    """One of several groups, told apart by their `kind`."""

    options: Mapping[str, _Group]
    optional: bool

    def tag(self, node: Node, default: Any, path: str) -> str | None:
        """Which group is meant: as said, else the default's, else the entry's own name."""
        if isinstance(node.value, dict) and "kind" in node.value and self.many:
            return str(node.value["kind"].value)
        for tag, group in self.options.items():
            if isinstance(default, group.cls):
                return tag
        name = path.rpartition(".")[2]
        return name if name in self.options else None if self.many else next(iter(self.options))

    @property
    def many(self) -> bool:
        """Whether there is anything to choose between, besides nothing at all."""
        return len(self.options) > 1

    def spread(self, node: Node) -> Node:
        """The node, a bare name written out as its kind."""
        if isinstance(node.value, str) and self.many:
            return Node({"kind": Node(node.value, node.where, node.text)}, node.where)
        return node

    def read(self, node: Node, default: Any, path: str, reading: Reading) -> Any:
        if node.value is None and self.optional:
            return None
        node = self.spread(node)
        if not isinstance(node.value, dict):
            return self.refuse(node, path, reading)
        tag = self.tag(node, default, path)
        if tag is None:
            what = f"needs kind: one of {', '.join(self.options)}"
            return reading.note(node.where, path, what)
        if (group := self.options.get(tag)) is None:
            meant = words.nearest(tag, list(self.options))
            said = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(self.options)}"
            return reading.note(
                node.value["kind"].where, _join(path, "kind"), f"no kind '{tag}'; {said}"
            )
        if self.many and "kind" not in group.fields:
            rest = {name: child for name, child in node.value.items() if name != "kind"}
            node = Node(rest, node.where, "", node.partial)
        return group.read(node, default, path, reading)

    def merge(self, low: Node, high: Node, default: Any, path: str) -> Node:
        low, high = self.spread(low), self.spread(high)
        if not (isinstance(low.value, dict) and isinstance(high.value, dict)):
            return high
        tag = self.tag(low, default, path)
        if "kind" in high.value and self.tag(high, default, path) != tag:
            return high
        if group := self.options.get(tag or ""):
            return group.merge(low, high, default, path)
        return _merged(low, high, lambda name, a, b: b)

    def tree(self, value: Any) -> Any:
        for tag, group in self.options.items():
            if type(value) is group.cls:
                return ({"kind": tag} if self.many else {}) | group.tree(value)
        return value

    def say(self) -> str:
        one = f"settings with kind {' or '.join(self.options)}"
        if not self.many:
            one = next(iter(self.options.values())).say()
        return f"{one}, or null" if self.optional else one

    def settings(self, path: str, default: Any, doc: str = "", when: str = "") -> list[Setting]:
        chosen = [tag for tag, group in self.options.items() if isinstance(default, group.cls)]
        shown = chosen[0] if chosen else "null" if default is None else "required"
        kinds = " or ".join(self.options) if self.many else "settings"
        kinds += " or null" if self.optional else ""
        rows = [Setting(_join(path, "kind") if self.many else path, kinds, shown, doc, when)]
        for tag, group in self.options.items():
            here = f"{path}.kind={tag}" if self.many else f"{path} is set"
            rows += group.settings(path, default, "", f"{when}, {here}" if when else here)
        return rows


@functools.cache
def group_of(cls: type) -> _Group:
    """The group of a config class.

    Raises:
        TypeError: A field's type is not one that settings can have.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    known = {f.name: f for f in dataclasses.fields(cls) if f.init}
    return _Group(cls, {name: kind_of(hints[name]) for name in known}, known)


def kind_of(hint: Any) -> Kind:
    """What a setting of this type takes.

    Raises:
        TypeError: Settings cannot have this type.
    """
    if _is_config(hint):
        return group_of(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is dict and args[0] is str:
        return _Table(kind_of(args[1]))
    if not _holds_group(hint):
        return _Leaf(hint)
    if origin is tuple and args[1:] == (...,):
        return _Series(kind_of(args[0]))
    if origin in (typing.Union, types.UnionType):
        groups = [group_of(arg) for arg in args if _is_config(arg)]
        options = {tag_of(group.cls): group for group in groups}
        optional = type(None) in args
        if len(options) + optional == len(args):
            return _Choice(options, optional)
    raise TypeError(f"a setting cannot be of type {hint}")


def tag_of(cls: type) -> str:
    """What a class is called in a choice: its `kind` field, else its own name in snake case."""
    hint = typing.get_type_hints(cls).get("kind")
    if get_origin(hint) is Literal:
        return str(get_args(hint)[0])
    name = re.sub(r"(Config|Settings)$", "", cls.__name__)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _is_config(hint: Any) -> bool:
    # A constraint such as Gt(0) is an instance of a dataclass, but no class.
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _holds_group(hint: Any) -> bool:
    return _is_config(hint) or any(map(_holds_group, get_args(hint)))


def _merged(low: Node, high: Node, one: Callable[[str, Node, Node], Node]) -> Node:
    assert isinstance(low.value, dict)
    assert isinstance(high.value, dict)
    both = {
        name: one(name, low.value[name], child) if name in low.value else child
        for name, child in high.value.items()
    }
    # A group is said to stand where it was first written whole, not where one word changed it.
    where = low.where or ("" if high.partial else high.where)
    return Node(low.value | both, where, "", low.partial)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _has_nan(value: Any) -> bool:
    """Whether nan hides in it: a setting that is equal to nothing cannot be what was meant."""
    if isinstance(value, (tuple, list)):
        return any(map(_has_nan, value))
    return isinstance(value, float) and value != value


def _python_number(value: Any) -> Any:
    """A numpy scalar as Python's own number."""
    if getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"not a setting's value: {value!r}")


@functools.cache
def _adapter(hint: Any) -> Any:
    # Only here, so that nothing that merely declares settings pays for it.
    from pydantic import TypeAdapter

    return TypeAdapter(hint)
