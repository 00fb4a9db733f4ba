"""Values that fit what a setting takes beyond doubt, seen without loading a validator.

Most settings are a number within bounds, a word out of several or a list of such. Whoever starts a
short run should not wait for pydantic (65 ms, 8 MiB) to learn that 2048 is a whole number above 0.
Whatever is not plain here is left to it, and so is everything that is wrong, for its judgement.
"""

from __future__ import annotations

import math
import operator
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

UNSURE = object()
"""Says that somebody else has to look."""

_BOUNDS: dict[type, tuple[str, Callable[[Any, Any], bool]]] = {
    Gt: ("gt", operator.gt),
    Ge: ("ge", operator.ge),
    Lt: ("lt", operator.lt),
    Le: ("le", operator.le),
}


def certain(hint: Any, plain: Any) -> Any:
    """The value of a setting, or `UNSURE`.

    Args:
        hint: What the setting takes.
        plain: Plain data: numbers, text, None, lists.
    """
    if hint in (bool, int, str):
        return plain if type(plain) is hint else UNSURE
    if hint is float:
        sure = type(plain) is float and math.isfinite(plain)
        return plain if sure else UNSURE
    if hint is None or hint is types.NoneType:
        return plain if plain is None else UNSURE
    return _composed(hint, plain)


def _composed(hint: Any, plain: Any) -> Any:
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _bounded(inside, plain)
    if origin is Literal:
        # True is 1 to Python.
        sure = any(type(plain) is type(word) and plain == word for word in inside)
        return plain if sure else UNSURE
    if origin in (Union, types.UnionType):
        found = [value for part in inside if (value := certain(part, plain)) is not UNSURE]
        return found[0] if len(found) == 1 else UNSURE
    if origin is tuple and len(inside) == 2 and inside[1] is Ellipsis and type(plain) is list:
        items = tuple(certain(inside[0], item) for item in plain)
        return UNSURE if any(item is UNSURE for item in items) else items
    return UNSURE


def _bounded(inside: tuple[Any, ...], plain: Any) -> Any:
    value = certain(inside[0], plain)
    for bound in inside[1:]:
        if value is UNSURE or type(bound) not in _BOUNDS:
            return UNSURE
        name, within = _BOUNDS[type(bound)]
        if not within(value, getattr(bound, name)):
            return UNSURE
    return value
