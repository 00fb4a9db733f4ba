"""Gymnasium spaces as Minari writes them into a data set's metadata, and our specs as spaces.

Source: `minari.serialization`, https://minari.farama.org/content/dataset_standards/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from understudy.data.obs_codec import ROOT
from understudy.data.spaces import build_space, space_from_json, spec_of
from understudy.data.spec import Obs, Spec, present
from understudy.errors import EnvError

_DEEPEST = 32
_ROWS, _MASK = "rows", "action_mask"


def read_space(text: str) -> Any:
    """The space that Minari described.

    Raises:
        EnvError: The text describes none, or one that is not supported.
    """
    try:
        return build_space(_ours(json.loads(text), 0))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EnvError(f"not the description of a space: {' '.join(str(error).split())}") from None


def write_space(space: Any) -> str:
    """The space as Minari describes it.

    Raises:
        EnvError: Minari has no description of it.
    """
    return json.dumps(_theirs(space))


def _ours(said: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ValueError(f"nested more than {_DEEPEST} deep")
    kind = said["type"]
    if kind == "Box":
        bounds = {
            side: [x if np.isfinite(x) else repr(float(x)) for x in _flat(said[side])]
            for side in ("low", "high")
        }
        return {"type": kind, "dtype": said["dtype"], "shape": said["shape"], **bounds}
    if kind == "Discrete":
        start = said.get("start", 0)
        return {"type": kind, "n": said["n"], "start": start, "dtype": "int64"}
    if kind == "MultiDiscrete":
        more = {"start": said.get("start", 0), "dtype": said.get("dtype", "int64")}
        return {"type": kind, "nvec": said["nvec"], **more}
    if kind == "MultiBinary":
        return {"type": kind, "n": said["n"]}
    if kind == "Dict":
        items = [[key, _ours(part, depth + 1)] for key, part in said["subspaces"].items()]
        return {"type": kind, "items": items}
    if kind == "Tuple":
        return {"type": kind, "items": [_ours(part, depth + 1) for part in said["subspaces"]]}
    raise ValueError(f"a space of the kind {str(kind)[:40]!r}, which is not supported")


def _flat(bounds: Any) -> list[Any]:
    """Nested lists of numbers as one list, without recursion and without a detour by floats."""
    while isinstance(bounds, list) and bounds and isinstance(bounds[0], list):
        bounds = [number for row in bounds for number in row]
    return bounds if isinstance(bounds, list) else [bounds]


def _theirs(space: Any) -> dict[str, Any]:
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        bounds = {"low": space.low.tolist(), "high": space.high.tolist()}
        return {"type": "Box", "dtype": str(space.dtype), "shape": [*space.shape], **bounds}
    if isinstance(space, spaces.Discrete):
        n, start = int(space.n), int(space.start)
        return {"type": "Discrete", "dtype": "int64", "start": start, "n": n}
    if isinstance(space, spaces.MultiDiscrete):
        sizes = {"nvec": space.nvec.tolist(), "start": space.start.tolist()}
        return {"type": "MultiDiscrete", "dtype": str(space.dtype), **sizes}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": space.n if isinstance(space.n, int) else [*space.n]}
    if isinstance(space, spaces.Dict):
        parts = {key: _theirs(part) for key, part in space.spaces.items()}
        return {"type": "Dict", "subspaces": parts}
    if isinstance(space, spaces.Tuple):
        return {"type": "Tuple", "subspaces": [_theirs(part) for part in space.spaces]}
    raise EnvError(f"{' '.join(repr(space).split())[:80]}: Minari has no description of it")


class InSpaces(NamedTuple):
    """A spec whose Gymnasium spaces say all of it.

    Attributes:
        spec: The spec, with spaces.
        names: What arrays are called in it, where that is not their old name.
        lost: What the spaces cannot say, in words.
    """

    spec: Spec
    names: Mapping[str, str]
    lost: frozenset[str]


def in_spaces(spec: Spec) -> InSpaces:
    """The same spec with Gymnasium spaces, made up where it came from none.

    Raises:
        EnvError: No space is read back as this spec.
    """
    if spec.observation_space is not None and spec.action_space is not None:
        return InSpaces(spec, {}, frozenset())
    # Entities are a Dict of their rows and of who is there, so that their name has two parts.
    called = {
        name: f"{name}/{_ROWS}"
        for name, obs in spec.obs.items()
        if obs.kind == "entities" and not name.endswith(f"/{_ROWS}")
    }
    wanted = replace(spec, obs={called.get(name, name): obs for name, obs in spec.obs.items()})
    made = spec_of(_observation_space(wanted), _action_space(wanted))
    if difference := wanted.difference(made):
        raise EnvError(f"no Gymnasium space says what this spec says: {difference}")
    lost = {f"the name of '{old}', which is read as '{new}'" for old, new in called.items()}
    if any(obs.goal != made.obs[name].goal for name, obs in wanted.obs.items()):
        lost.add("which observations are goals")
    names = called | {present(old): present(new) for old, new in called.items()}
    return InSpaces(made, names, frozenset(lost))


def _observation_space(spec: Spec) -> Any:
    from gymnasium import spaces

    if set(spec.obs) == {ROOT} and spec.obs[ROOT].kind in ("vector", "image"):
        return _box(spec.obs[ROOT])
    nested: dict[str, Any] = {}
    for name, obs in spec.obs.items():
        *groups, last = name.split("/")
        if obs.kind == "mask" and last != _MASK:
            raise EnvError(f"the mask '{name}' would not be known for one; call it {_MASK}")
        inside = nested
        for group in groups:
            inside = inside.setdefault(group, {})
            if not isinstance(inside, dict):
                raise EnvError(f"observation '{name}' lies inside of another one")
        inside[last] = spaces.MultiBinary(obs.size) if obs.kind == "mask" else _box(obs)
        if obs.kind == "entities":
            inside["present"] = spaces.MultiBinary(obs.shape[0])

    def made(inside: dict[str, Any]) -> Any:
        pairs = [(k, made(v) if isinstance(v, dict) else v) for k, v in inside.items()]
        return spaces.Dict(pairs)

    return made(nested)


def _box(obs: Obs) -> Any:
    from gymnasium import spaces

    dtype = np.dtype(obs.dtype)
    if dtype.kind == "f":
        return spaces.Box(-np.inf, np.inf, obs.shape, dtype=dtype.type)
    if dtype.kind == "b":
        # Gymnasium takes it at run time; its annotations do not.
        kind: Any = np.bool_
        return spaces.Box(0, 1, obs.shape, dtype=kind)
    about = np.iinfo(dtype)
    return spaces.Box(about.min, about.max, obs.shape, dtype=dtype.type)


def _action_space(spec: Spec) -> Any:
    from gymnasium import spaces

    done = spec.action
    dtype = np.dtype(done.dtype).type
    box = spaces.Box(np.array(done.low, dtype), np.array(done.high, dtype), dtype=dtype)
    choices = spaces.MultiDiscrete([*done.branches]) if done.branches else None
    if len(done.branches) == 1:
        choices = spaces.Discrete(done.branches[0])
    if choices is None:
        return box
    if not done.continuous:
        return choices
    return spaces.Dict([("continuous", box), ("discrete", choices)])


def described(spec: Spec) -> tuple[str, str]:
    """Both spaces of a spec as Minari describes them.

    Raises:
        EnvError: Minari has no description of one.
    """
    assert spec.observation_space is not None, "given by in_spaces"
    assert spec.action_space is not None, "given by in_spaces"
    return (
        write_space(space_from_json(spec.observation_space)),
        write_space(space_from_json(spec.action_space)),
    )


def spec_of_texts(observation_space: str, action_space: str) -> Spec:
    """The spec of two spaces that Minari described.

    Raises:
        EnvError: One of them is no description, or not supported.
    """
    return spec_of(read_space(observation_space), read_space(action_space))
