"""Gymnasium's spaces: as a `Spec`, and as JSON that builds the same space again.

Gymnasium is imported where a space is met, so that reading demonstrations needs numpy alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action_codec import ActionCodec
from understudy.data.obs_codec import ObsCodec
from understudy.data.spec import Spec
from understudy.errors import EnvError

# A description may come from a file that we do not trust: bounds are made as whole arrays.
_MAX_SIZE, _MAX_DEPTH = 2**24, 32
# Older Gymnasium asserts where newer raises a ValueError.
_MALFORMED = (KeyError, TypeError, ValueError, OverflowError, AttributeError, AssertionError)


def spec_of(observation_space: Any, action_space: Any, *, max_entities: int = 32) -> Spec:
    """What a behavior with these Gymnasium spaces sees and does.

    Args:
        observation_space: Any nest of the spaces in `understudy.data.obs_codec`.
        action_space: Any nest of the spaces in `understudy.data.action_codec`.
        max_entities: The most entities that a `Sequence` may hold.

    Raises:
        EnvError: A space is not supported; says which, where in the nest, and what to do.

    Example:
        >>> from gymnasium.spaces import Box, Discrete
        >>> spec_of(Box(-1, 1, (4,)), Discrete(2)).describe()
        'sees obs vector 4; does choices 2'
    """
    action = ActionCodec(action_space).spec
    return Spec(
        obs=ObsCodec(observation_space, max_entities, num_choices=action.num_choices).obs,
        action=action,
        observation_space=space_to_json(observation_space),
        action_space=space_to_json(action_space),
    )


def codecs_of(spec: Spec) -> tuple[ObsCodec, ActionCodec]:
    """What translates between the Gymnasium spaces that a spec came from and its arrays.

    Raises:
        EnvError: The spec did not come from Gymnasium spaces, or was changed since.
    """
    if spec.observation_space is None or spec.action_space is None:
        raise EnvError("this spec did not come from Gymnasium spaces, so it has no codec")
    actions = ActionCodec(space_from_json(spec.action_space))
    space = space_from_json(spec.observation_space)
    rooms = {obs.shape[0] for obs in spec.obs.values() if obs.kind == "entities"} or {0}
    for room in sorted(rooms):
        codec = ObsCodec(space, room, num_choices=actions.spec.num_choices)
        if codec.obs == dict(spec.obs) and actions.spec == spec.action:
            return codec, actions
    raise EnvError("the observations or actions of this spec are not those of its Gymnasium spaces")


def space_to_json(space: Any) -> str:
    """A space as one canonical line of JSON."""
    return json.dumps(describe_space(space), sort_keys=True, separators=(",", ":"), allow_nan=False)


def space_from_json(text: str) -> Any:
    """The space that `space_to_json` wrote.

    Raises:
        EnvError: The text is not such a line.
    """
    try:
        return build_space(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise EnvError(f"not the description of a space: {error}") from None


def describe_space(space: Any) -> dict[str, Any]:
    """A space as JSON values, exact in bounds and dtypes.

    Raises:
        EnvError: The space is of a kind that is not supported.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        return _describe_box(space)
    if isinstance(space, spaces.Discrete):
        described = {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
        return described | {"dtype": np.dtype(space.dtype).name}
    if isinstance(space, spaces.MultiDiscrete):
        start = space.start.tolist() if space.start.any() else 0
        described = {"type": "MultiDiscrete", "nvec": space.nvec.tolist(), "start": start}
        return described | {"dtype": np.dtype(space.dtype).name}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": space.n if isinstance(space.n, int) else [*space.n]}
    if isinstance(space, spaces.Dict):
        items = [[key, describe_space(part)] for key, part in space.spaces.items()]
        return {"type": "Dict", "items": items}
    if isinstance(space, spaces.Tuple):
        return {"type": "Tuple", "items": [describe_space(part) for part in space.spaces]}
    if isinstance(space, spaces.Sequence):
        feature = describe_space(space.feature_space)
        return {"type": "Sequence", "feature": feature, "stack": bool(space.stack)}
    raise EnvError(f"{' '.join(repr(space).split())} is not supported: it has no description")


def build_space(description: Mapping[str, Any]) -> Any:
    """The space that `describe_space` described.

    Raises:
        EnvError: The description is not of a space.
    """
    try:
        if (size := _size(description, 0)) > _MAX_SIZE:
            raise ValueError(f"{size} numbers, more than {_MAX_SIZE}")
        return _build(description)
    except _MALFORMED as error:
        text = " ".join(str(error).split())
        raise EnvError(f"not the description of a space: {type(error).__name__}: {text}") from None


def _size(described: Mapping[str, Any], depth: int) -> int:
    """How many numbers a space has bounds for, before any is made."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"nested more than {_MAX_DEPTH} deep")
    kind = described["type"]
    if kind == "Box":
        return abs(math.prod(described["shape"]))
    if kind == "MultiBinary":
        n = described["n"]
        return abs(math.prod(n if isinstance(n, list) else [n]))
    if kind == "Dict":
        return sum(_size(part, depth + 1) for _, part in described["items"])
    if kind == "Tuple":
        return sum(_size(part, depth + 1) for part in described["items"])
    return _size(described["feature"], depth + 1) if kind == "Sequence" else 0


def _build(described: Mapping[str, Any]) -> Any:
    from gymnasium import spaces

    kind = described["type"]
    if kind == "Box":
        return _build_box(described)
    if kind in ("Discrete", "MultiDiscrete", "MultiBinary"):
        return _build_choices(kind, described)
    if kind == "Dict":
        # A list of pairs keeps its order, a mapping would be sorted.
        return spaces.Dict([(key, _build(part)) for key, part in described["items"]])
    if kind == "Tuple":
        return spaces.Tuple([_build(part) for part in described["items"]])
    if kind == "Sequence":
        feature = _build(described["feature"])
        return spaces.Sequence(feature, stack=bool(described["stack"]))
    raise ValueError(f"unknown kind {kind!r}")


def _build_choices(kind: str, described: Mapping[str, Any]) -> Any:
    from gymnasium import spaces

    if kind == "MultiBinary":
        return spaces.MultiBinary(described["n"])
    if kind == "Discrete":
        n, start = int(described["n"]), int(described["start"])
        return spaces.Discrete(n, start=start, **_dtype(described))
    nvec = np.array(described["nvec"], described["dtype"])
    start = np.broadcast_to(np.array(described["start"], described["dtype"]), nvec.shape)
    return spaces.MultiDiscrete(nvec, start=start, **_dtype(described))


def _describe_box(space: Any) -> dict[str, Any]:
    described = {
        "type": "Box",
        "dtype": np.dtype(space.dtype).name,
        "shape": list(space.shape),
        "low": _compact(space.low),
        "high": _compact(space.high),
    }
    if np.dtype(space.dtype).kind == "i":
        # Gymnasium says an unbounded integer as the dtype's limit and a flag.
        for side in ("below", "above"):
            bounded = getattr(space, f"bounded_{side}")
            if not bounded.all():
                described[f"bounded_{side}"] = _compact(bounded)
    return described


def _build_box(described: Mapping[str, Any]) -> Any:
    from gymnasium import spaces

    shape, dtype = tuple(described["shape"]), np.dtype(described["dtype"])
    if dtype.kind not in "fiub":
        raise ValueError(f"a box of {dtype}")
    low, high = (_spread(described[side], shape, dtype) for side in ("low", "high"))
    box = spaces.Box(low, high, shape, dtype=dtype.type)
    for side in ("bounded_below", "bounded_above"):
        if side in described:
            setattr(box, side, _spread(described[side], shape, np.dtype(bool)))
    return box


def _compact(array: NDArray[Any]) -> Any:
    """Nested lists; a single value where all are the same. Infinities as strings."""
    flat = array.reshape(-1)
    same = flat.size > 0 and bool((flat == flat[0]).all())
    values = flat[:1] if same else flat
    out = [_named(x) for x in values.tolist()]
    return out[0] if same else out


def _named(x: Any) -> Any:
    return x if math.isfinite(x) else repr(x)


def _spread(values: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if not isinstance(values, list):
        return np.full(shape, _number(values, dtype), dtype)
    return np.array([_number(x, dtype) for x in values], dtype).reshape(shape)


def _number(x: Any, dtype: np.dtype[Any]) -> Any:
    # Converted only where it is a float: an int64 does not survive that.
    return float(x) if dtype.kind == "f" else x


def _dtype(described: Mapping[str, Any]) -> dict[str, Any]:
    """Named only where it is not the default: older Gymnasium's `Discrete` has no dtype."""
    dtype = np.dtype(described["dtype"])
    return {} if dtype == np.int64 else {"dtype": dtype.type}
