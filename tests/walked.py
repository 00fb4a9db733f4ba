"""Everything that can be reached from an object, to compare two of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

SCRATCH = {
    r"(\w+\.)*_spare": "room for a difference, written before it is read",
    r"(\w+\.)*_runners(\..*)?": "room for an answer, made anew by whoever acts again",
    r"source\._?cast\.proposed\..*": "what was meant by the last action, said anew with every one",
}
"""What learning changes and nobody reads later, by the pattern of its path."""


def walk(root: Any) -> dict[str, Any]:
    """Every number, text, array and generator that can be reached, by the shortest path to it."""
    found: dict[str, Any] = {}
    seen: dict[int, Any] = {}
    queue = [("", root)]
    while queue:
        path, value = queue.pop(0)
        leaf = _leaf(value)
        if leaf is not None:
            found[path] = leaf
        elif id(value) not in seen:
            seen[id(value)] = value  # kept alive, so that no other object gets its id
            queue += [(f"{path}.{name}".lstrip("."), part) for name, part in _parts(value)]
    return found


def _leaf(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | bytes | np.generic):
        return repr(value)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if type(value).__module__ == "torch" and hasattr(value, "detach"):
        return _leaf(value.detach().numpy())
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(key), part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((str(i), part) for i, part in enumerate(value))
    elif callable(value) and hasattr(value, "__closure__"):
        for i, cell in enumerate(value.__closure__ or ()):
            yield str(i), cell.cell_contents
    elif re.match(r"understudy|torch\.nn|(.*\.)?test_", type(value).__module__):
        names = list(getattr(value, "__dict__", {}))
        names += [s for c in type(value).__mro__ for s in getattr(c, "__slots__", ())]
        yield from ((n, getattr(value, n)) for n in names if hasattr(value, n))


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Paths at which two walks found something else, but for scratch."""
    odd = {path for path in {*one, *other} if one.get(path) != other.get(path)}
    return {path for path in odd if not any(re.fullmatch(known, path) for known in SCRATCH)}
