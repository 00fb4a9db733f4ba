"""What one behavior sees and does.

An observation is always a tree of named arrays and an action is always continuous *and* discrete,
either of which may be zero wide; nothing downstream asks what kind of space they came from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np

Kind = Literal["vector", "image", "entities", "mask"]
KINDS: tuple[Kind, ...] = ("vector", "image", "entities", "mask")


class Field(NamedTuple):
    """Shape and dtype of one stored array, without its time and batch axes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Obs:
    """One named observation.

    Attributes:
        kind: `vector` (numbers of any shape, flattened by networks), `image`, `entities` (a list
            of variable length) or `mask` (which choices are allowed now, True = allowed).
        shape: Without time and batch: any for a vector, `(H, W, C)` for an image, `(N, D)` for at
            most `N` entities of `D` features, `(sum of branches,)` for a mask.
        dtype: The dtype that is stored; networks see float32, images of `uint8` divided by 255.
        channels_first: An image stored as `(C, H, W)`.
        goal: The observation says what is wanted rather than what is.
    """

    kind: Kind
    shape: tuple[int, ...]
    dtype: str = "float32"
    channels_first: bool = False
    goal: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, expected one of {', '.join(KINDS)}")
        if any(n < 0 for n in self.shape):
            raise ValueError(f"shape {self.shape} has a negative size")
        rank = {"image": 3, "entities": 2, "mask": 1}.get(self.kind, len(self.shape))
        if len(self.shape) != rank:
            raise ValueError(f"{self.kind}: expected {rank} dimensions, found shape {self.shape}")

    @property
    def size(self) -> int:
        """How many numbers one observation has."""
        return math.prod(self.shape)

    @property
    def layout(self) -> str:
        """Of an image: the dtype that is stored, and where its channels are."""
        return f"{self.dtype}, channels {'first' if self.channels_first else 'last'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """What can be done: `continuous` numbers and one choice from every branch.

    Attributes:
        continuous: `C`, how many continuous numbers.
        low: `[C]` least value of each, may be -inf; empty means -inf throughout.
        high: `[C]` largest value of each, may be inf.
        branches: `[K]` how many choices every branch has; a binary action is a branch of two.
        dtype: Of the continuous numbers.
    """

    continuous: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    branches: tuple[int, ...] = ()
    dtype: str = "float32"

    def __post_init__(self) -> None:
        # Floats, so that specs which are equal are written, and hashed, alike.
        for name, unbounded in (("low", -math.inf), ("high", math.inf)):
            given = getattr(self, name) or (unbounded,) * self.continuous
            object.__setattr__(self, name, tuple(map(float, given)))
        if not len(self.low) == len(self.high) == self.continuous:
            raise ValueError(
                f"{self.continuous} continuous actions with {len(self.low)} low and "
                f"{len(self.high)} high bounds"
            )
        if not all(a <= b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if any(n < 1 for n in self.branches):
            raise ValueError(f"branches {self.branches}: every branch needs a choice")

    @property
    def num_choices(self) -> int:
        """Sum of the branches' sizes."""
        return sum(self.branches)

    @property
    def bounded(self) -> bool:
        """Whether every continuous number has finite bounds."""
        return all(math.isfinite(x) for x in (*self.low, *self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What one behavior sees and does.

    Attributes:
        obs: Named observations; nested spaces have names joined by `/`.
        action: What can be done.
        observation_space: The Gymnasium space that `obs` came from, as JSON (see
            `understudy.data.spaces`), or None where there was none.
        action_space: The same for `action`.
    """

    obs: Mapping[str, Obs]
    action: ActionSpec = field(default_factory=ActionSpec)
    observation_space: str | None = None
    action_space: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "obs", MappingProxyType(dict(self.obs)))
        for name, obs in self.obs.items():
            if obs.kind == "mask" and obs.size != self.action.num_choices:
                raise ValueError(
                    f"mask '{name}' has {obs.size} entries, the branches "
                    f"{self.action.branches} have {self.action.num_choices} choices"
                )
        if len(self.masks) > 1:
            raise ValueError(f"more than one mask: {', '.join(self.masks)}")

    @property
    def fields(self) -> dict[str, Field]:
        """The arrays of an observation tree: one each, and `NAME.present` for entities."""
        out: dict[str, Field] = {}
        for name, obs in self.obs.items():
            out[name] = Field(obs.shape, np.dtype(obs.dtype))
            if obs.kind == "entities":
                out[present(name)] = Field(obs.shape[:1], np.dtype(bool))
        return out

    @property
    def masks(self) -> tuple[str, ...]:
        """The name of the action mask, if there is one."""
        return tuple(name for name, obs in self.obs.items() if obs.kind == "mask")

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values; infinite bounds as strings."""
        action = asdict(self.action)
        action["low"] = [_number(x) for x in self.action.low]
        action["high"] = [_number(x) for x in self.action.high]
        return {
            "obs": {name: asdict(obs) for name, obs in self.obs.items()},
            "action": action,
            "observation_space": self.observation_space,
            "action_space": self.action_space,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """The inverse of `to_json`.

        Raises:
            ValueError, TypeError, KeyError: The data is not what `to_json` writes.
        """
        obs: dict[str, Obs] = {}
        for name, value in data["obs"].items():
            known: dict[str, Any] = {**value, "shape": tuple(value["shape"])}
            obs[name] = Obs(**known)
        action = dict(data["action"])
        for key in ("low", "high"):
            action[key] = tuple(float(x) for x in action[key])
        action["branches"] = tuple(action["branches"])
        return cls(
            obs=obs,
            action=ActionSpec(**action),
            observation_space=data.get("observation_space"),
            action_space=data.get("action_space"),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_json(), sort_keys=True))

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only mappings cannot be pickled, and worker processes are told their spec.
        return Spec.from_json, (self.to_json(),)

    def difference(self, other: Spec) -> str | None:
        """In words, how `other` differs in what is seen or done; None if it does not.

        Bounds and spaces are not compared: a recording without bounds fits a bounded task. Nor are
        dtypes, but for images: bytes are divided by 255 before networks see them.
        """
        for name in [*self.obs, *(n for n in other.obs if n not in self.obs)]:
            mine, theirs = self.obs.get(name), other.obs.get(name)
            if mine is None or theirs is None:
                where = "only there" if mine is None else "missing there"
                return f"observation '{name}' is {where}"
            if (mine.kind, mine.shape) != (theirs.kind, theirs.shape):
                return (
                    f"observation '{name}' is {mine.kind} {list(mine.shape)} here and "
                    f"{theirs.kind} {list(theirs.shape)} there"
                )
            if mine.kind == "image" and mine.layout != theirs.layout:
                return f"image '{name}' is {mine.layout} here and {theirs.layout} there"
        mine, theirs = self.action, other.action
        if mine.continuous != theirs.continuous:
            return f"{mine.continuous} continuous actions here and {theirs.continuous} there"
        if mine.branches != theirs.branches:
            return f"action branches {list(mine.branches)} here and {list(theirs.branches)} there"
        return None

    def describe(self) -> str:
        """One line for people: what is seen and what is done."""
        seen = ", ".join(
            f"{name} {obs.kind} {'x'.join(map(str, obs.shape)) or '1'}"
            + (f" {obs.dtype}" if obs.dtype != "float32" else "")
            for name, obs in self.obs.items()
        )
        done = [f"{self.action.continuous} continuous"] if self.action.continuous else []
        if self.action.branches:
            done.append("choices " + " x ".join(map(str, self.action.branches)))
        return f"sees {seen}; does {' and '.join(done) or 'nothing'}"


def present(name: str) -> str:
    """The name of the array that says which entities of observation `name` exist."""
    return f"{name}.present"


def _number(x: float) -> float | str:
    return x if math.isfinite(x) else repr(x)
