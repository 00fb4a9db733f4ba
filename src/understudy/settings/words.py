"""Settings in words: what a type takes, what was found, what was probably meant."""

from __future__ import annotations

import ast
import difflib
import enum
import functools
import inspect
import json
import re
import textwrap
import types
import typing
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from understudy.settings.yaml_tree import Node

_LONGEST = 60

_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "null",
    Any: "anything",
}


class Setting(NamedTuple):
    """One setting, for listings.

    Attributes:
        path: Its dotted path, such as `learner.learning_rate`.
        type: What it takes, in words.
        default: Its default as YAML, or `required`.
        doc: Its docstring's text.
        when: The choice under which it exists, such as `learner.kind=ppo`; else empty.
    """

    path: str
    type: str
    default: str
    doc: str
    when: str = ""

    def __str__(self) -> str:
        only = f", if {self.when}" if self.when else ""
        doc = f"\n    {self.doc}" if self.doc else ""
        return f"{self.path}: {self.default}  ({self.type}{only}){doc}"


def of(hint: Any) -> str:
    """What a type takes, such as `a number > 0`."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = " and ".join(_bounds(args[1:]))
        comma = "," if "long" in bounds else ""
        return f"{of(args[0])}{comma} {bounds}" if bounds else of(args[0])
    if origin is Literal:
        return _one_of([show(arg) for arg in args])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(of, args))
    if origin in (tuple, list) and args:
        many = origin is list or args[1:] == (...,)
        return (
            f"a list of {_plural(of(args[0]))}" if many else f"a list [{', '.join(map(of, args))}]"
        )
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _one_of([show(member.value) for member in hint])
    return _NAMES.get(hint) or getattr(hint, "__name__", str(hint))


def _one_of(shown: list[str]) -> str:
    return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"


def _plural(one: str) -> str:
    return re.sub(r"^an? ((whole )?number|path|list)\b", r"\1s", one)


def _bounds(metadata: tuple[Any, ...]) -> list[str]:
    from annotated_types import GroupedMetadata, MaxLen, MinLen, MultipleOf

    signs: list[tuple[str, str]] = [("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")]
    found: list[str] = []
    for bound in metadata:
        if isinstance(bound, GroupedMetadata):
            found += _bounds(tuple(bound))
        elif isinstance(bound, MinLen):
            found.append(f"at least {bound.min_length} long")
        elif isinstance(bound, MaxLen):
            found.append(f"at most {bound.max_length} long")
        elif isinstance(bound, MultipleOf):
            found.append(f"a multiple of {bound.multiple_of}")
        else:
            found += [f"{sign} {getattr(bound, at)}" for at, sign in signs if hasattr(bound, at)]
    return found


def show(value: Any) -> str:
    """A plain value as YAML on one line, cut where it is long."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_./][\w./-]*", value):
        return value
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    said = json.dumps(value, default=repr, ensure_ascii=False)
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."


def found(node: Node) -> str:
    """What stands in a node, for a message."""
    if isinstance(node.value, str):
        return f"the text {json.dumps(node.value[:_LONGEST], ensure_ascii=False)}"
    if isinstance(node.value, dict) and node.value:
        return f"settings ({', '.join(node.value)})"[:_LONGEST]
    return node.text or show(node.plain())


def nearest(name: str, known: list[str]) -> list[str]:
    """The known name that was probably meant, if any: a typing error, or a short form."""
    meant = name.lower().replace("-", "_")
    if close := difflib.get_close_matches(meant, known, n=1, cutoff=0.6):
        return close
    short = [k for k in known if k[:1] == meant[:1] and _inside(meant, k)]
    return sorted(short, key=len)[:1]


def _inside(short: str, name: str) -> bool:
    """Whether the letters of `short` come in this order in `name`, as in `lr` for learning_rate."""
    letters = iter(name)
    return all(letter in letters for letter in short)


@functools.cache
def docs(cls: type) -> dict[str, str]:
    """Field name to the text literal below the field, where the source can be had."""
    told: dict[str, str] = {}
    for owner in reversed(cls.__mro__[:-1]):
        try:
            module = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError, SyntaxError):
            continue
        for line, below in pairwise(getattr(module.body[0], "body", [])):
            match line, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(text))):
                    told[name] = " ".join(text.split())
                case _:
                    pass
    return told
