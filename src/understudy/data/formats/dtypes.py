"""Dtypes that a spec asks for, given to arrays of a format that has none or others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.obs_codec import ROOT
from understudy.data.spec import Spec


def dtypes_of(spec: Spec | None) -> tuple[dict[str, np.dtype[Any]], dict[str, np.dtype[Any]]]:
    """The dtype of every array of observations and of actions, as `as_given` names them."""
    if spec is None:
        return {}, {}
    if spec.observation_space is None or spec.action_space is None:
        obs = {"" if name == ROOT else name: field.dtype for name, field in spec.fields.items()}
        numbers, choices = np.dtype(spec.action.dtype), np.dtype(np.int64)
        alone = numbers if spec.action.continuous else choices
        return obs, {"": alone, "continuous": numbers, "discrete": choices}
    from understudy.data.spaces import space_from_json

    return (
        _leaves(space_from_json(spec.observation_space)),
        _leaves(space_from_json(spec.action_space)),
    )


def exactly(rows: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The rows in `dtype` where no whole number changes by that, else as they are.

    Numbers that are not whole may be rounded: a text such as 0.1 is no float of any width.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        cast = rows.astype(dtype)
    rounds = rows.dtype.kind == dtype.kind == "f"
    return cast if rounds or (cast == rows).all() else rows


def _leaves(space: Any, name: str = "") -> dict[str, np.dtype[Any]]:
    from gymnasium import spaces

    if isinstance(space, spaces.Dict | spaces.Tuple):
        inner = space.spaces
        pairs = inner.items() if isinstance(inner, dict) else enumerate(inner)
        out: dict[str, np.dtype[Any]] = {}
        for key, part in pairs:
            out |= _leaves(part, f"{name}/{key}" if name else str(key))
        return out
    return {} if space.dtype is None else {name: np.dtype(space.dtype)}
