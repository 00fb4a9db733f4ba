"""Settings: frozen dataclasses read from YAML files and `name=value` words.

A config is a frozen dataclass beside the class that it configures; configs nest. A field's type
says all that is checked:

- `Annotated[float, Gt(0)]` and the like bound a number (`annotated_types`);
- a dataclass nests, `dict[str, X]` is a table of names, `tuple[X, ...]` a list;
- a union of dataclasses is a choice, made by `kind: name`. The name is the class's own in snake
  case without `Config`. Without `kind` the default's is meant, or in a table the entry's name.

What one field cannot say, `__post_init__` checks and raises as ValueError.

Values come from, weakest first: the defaults, `base`, each file in turn, the overrides. Settings
are merged one by one; a table, or a choice of another kind, replaces what stood there, but an
override `table.name.x=3` changes only that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, TypeVar

from understudy.settings import yaml_tree
from understudy.settings.kinds import Reading, group_of
from understudy.settings.words import Setting
from understudy.settings.yaml_tree import Node

__all__ = [
    "Setting",
    "as_tree",
    "check",
    "describe",
    "digest",
    "read",
    "replace",
    "said",
    "to_yaml",
]

Config = TypeVar("Config")


def read(
    cls: type[Config],
    *,
    files: Sequence[Path] = (),
    overrides: Sequence[str] = (),
    base: Mapping[str, Any] | None = None,
) -> Config:
    """A config of this class from its defaults, `base`, files and overrides, the last winning.

    Args:
        cls: The config's class.
        files: YAML files.
        overrides: Such as `learner.hidden=[128, 128]`; the value is YAML.
        base: A plain tree, as `as_tree` gives it; None for nothing.

    Raises:
        ConfigError: All that is wrong, a line each, and where it stands.
    """
    group = group_of(cls)
    reading = Reading(group)
    layers = [] if base is None else [Node.of(base, "base")]
    layers += [node for file in files if (node := _file(Path(file), reading.problems))]
    layers += [node for text in overrides if (node := _override(text, reading.problems))]
    tree = Node({})
    for layer in layers:
        tree = group.merge(tree, layer, MISSING, "")
    return reading.finish(group.read(tree, MISSING, "", reading))


def said(file: Path, name: str) -> Any:
    """What a YAML file says of one setting at its top, before its class is known; None if nothing.

    A file that cannot be read says nothing: `read` will say what is wrong with it.
    """
    node = _file(file, [])
    tree = node.value if node is not None else None
    return tree[name].plain() if isinstance(tree, dict) and name in tree else None


def check(config: Config) -> Config:
    """An equal config that is certain to be right, its numbers of the declared types.

    Raises:
        ConfigError: All that is wrong, a line each.
    """
    group = group_of(type(config))
    reading = Reading(group)
    return reading.finish(group.read(Node.of(group.tree(config)), MISSING, "", reading))


def replace(config: Config, *overrides: str) -> Config:
    """The config with some settings changed, as in `replace(config, "learner.epochs=3")`.

    Raises:
        ConfigError: All that is wrong, a line each.
    """
    return read(type(config), base=as_tree(config), overrides=overrides)


def as_tree(config: Any) -> dict[str, Any]:
    """The config as plain dicts, lists and scalars, every choice with its `kind`."""
    return group_of(type(config)).tree(config)


def to_yaml(config: Any) -> str:
    """YAML that `read` turns back into an equal config.

    Raises:
        ConfigError: The config is not right.
    """
    return yaml_tree.dump(as_tree(check(config)))


def digest(config: Any) -> str:
    """The sha256, in hex, of what the config says; it survives `to_yaml` and `read`.

    Raises:
        ConfigError: The config is not right.
    """
    said = json.dumps(as_tree(check(config)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def describe(config: Any) -> list[Setting]:
    """Every setting of a config class, or of a config: then its values stand as the defaults.

    Those of a choice are under each of its kinds.
    """
    if isinstance(config, type):
        return group_of(config).settings("", MISSING)
    return group_of(type(config)).settings("", config)


def _file(path: Path, problems: list[str]) -> Node | None:
    try:
        with path.open("rb") as file:
            text = file.read(yaml_tree.MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        problems.append(f"{path}: not UTF-8 text, at byte {error.start}")
    else:
        return yaml_tree.parse(text, str(path), problems)
    return None


def _override(text: str, problems: list[str]) -> Node | None:
    where = f"override '{text}'"
    path, equals, value = text.partition("=")
    names = path.strip().split(".")
    if not equals or not all(names):
        problems.append(f"{where}: expected name=value, such as learner.epochs=3")
        return None
    # An empty document would be an empty mapping; an empty value is null.
    node = yaml_tree.parse(value if value.strip() else "~", where, problems, numbered=False)
    for name in reversed(names):
        node = node and Node({name: node}, where, partial=True)
    return node
