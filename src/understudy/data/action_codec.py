"""Actions of any Gymnasium space as continuous numbers and choices, and exactly back.

| space | becomes |
|---|---|
| `Box` of float | continuous numbers with its bounds, in C order |
| `Box` of int with bounds | one branch per number, from the least value up |
| `Discrete`, `MultiDiscrete` | one branch each |
| `MultiBinary` | branches of two |
| `Dict`, `Tuple` | the parts' continuous numbers in order, and the parts' branches in order |

Continuous parts of different dtypes are kept in the widest of them, which loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.obs_codec import join_name
from understudy.data.spec import ActionSpec
from understudy.errors import EnvError

MAX_CHOICES = 4096
_INT64 = np.dtype(np.int64)

Several = NDArray[Any] | list[Any]
"""Several actions of a space: one array `[n, ...]` where an action is numbers, else a list."""


class ActionCodec:
    """Actions of one Gymnasium space as `Action`, and back.

    Attributes:
        spec: What can be done.

    Example:
        >>> from gymnasium.spaces import Discrete, Tuple
        >>> codec = ActionCodec(Tuple([Discrete(3), Discrete(2, start=5)]))
        >>> codec.encode((2, 6)).discrete
        array([2, 1])
    """

    def __init__(self, space: Any) -> None:
        """Plan the mapping.

        Raises:
            EnvError: A space in the nest is not supported; says which, where and what to do.
        """
        plan = _Plan()
        self._root = plan.node(space, "")
        self.spec: ActionSpec = plan.spec()
        # `[1, C]`, the shape of one action: between equal shapes numpy is twice as fast.
        self._low = np.array([self.spec.low], self.spec.dtype)
        self._high = np.array([self.spec.high], self.spec.dtype)
        self._branches = np.array(self.spec.branches, np.uint64)
        self._numbers, self._num_branches = self.spec.continuous, len(self.spec.branches)
        self._limited = bool(np.isfinite(self._low).any() or np.isfinite(self._high).any())

    def encode(self, value: Any) -> Action:
        """One action `[C]`, `[K]`.

        Raises:
            EnvError: The value does not belong to the space.
        """
        return self.encode_many([value]).at(0)

    def encode_many(self, values: Sequence[Any]) -> Action:
        """Several actions `[n, C]`, `[n, K]`."""
        action = Action.zeros(self.spec, len(values))
        for index, value in enumerate(values):
            self._root.write(value, action.continuous[index], action.discrete[index])
        return action

    def decode(self, action: Action) -> Any:
        """The action of the space, dtypes included; the inverse of `encode`."""
        return self.decode_batch(Action(action.continuous[None], action.discrete[None]))[0]

    def decode_many(self, action: Action) -> list[Any]:
        """Several actions of the space. Continuous arrays may be views of `action`'s."""
        return list(self.decode_batch(action))

    def decode_batch(self, action: Action) -> Several:
        """The same, as one array where an action of the space is one."""
        return self._root.read(action.continuous, action.discrete)

    def fit(self, action: Action) -> Action:
        """The same n actions within the bounds; the continuous array is never the caller's.

        Raises:
            EnvError: A number is not finite, a choice does not exist, or the shapes are wrong.
        """
        continuous, discrete = action
        count, numbers, branches = len(discrete), self._numbers, self._num_branches
        if continuous.shape != (count, numbers) or discrete.shape != (count, branches):
            raise EnvError(
                f"actions have shapes {list(continuous.shape)} and {list(discrete.shape)}, "
                f"expected {[count, numbers]} and {[count, branches]}"
            )
        # `0 in bytes` is the cheapest exact test for a False in a small array.
        if numbers:
            if 0 in np.isfinite(continuous).tobytes():
                row, place = np.argwhere(~np.isfinite(continuous))[0]
                raise EnvError(f"action {row} is {continuous[row, place]} in dimension {place}")
            continuous = self._clip(continuous)
        if branches:
            if discrete.dtype is not _INT64:
                discrete = discrete.astype(np.int64)
            # Seen without its sign a negative choice is a huge one.
            if 0 in (discrete.view(np.uint64) < self._branches).tobytes():
                raise self._no_choice(discrete)
        return Action(continuous, discrete)

    def _no_choice(self, discrete: NDArray[np.int64]) -> EnvError:
        wrong = (discrete < 0) | (discrete >= self._branches.astype(np.int64))
        row, branch = np.argwhere(wrong)[0]
        return EnvError(
            f"action {row} is choice {discrete[row, branch]} of branch {branch}, which has "
            f"{self.spec.branches[branch]}"
        )

    def _clip(self, continuous: NDArray[Any]) -> NDArray[Any]:
        if self._limited:
            clipped = np.minimum(np.maximum(continuous, self._low), self._high)
            return clipped if clipped.dtype == self._low.dtype else clipped.astype(self.spec.dtype)
        return np.array(continuous, self.spec.dtype)


class _Node(Protocol):
    """One space of the nest."""

    def write(self, value: Any, continuous: NDArray[Any], discrete: NDArray[np.int64]) -> None: ...

    def read(self, continuous: NDArray[Any], discrete: NDArray[np.int64]) -> Several: ...


class _Numbers:
    """A box of floats: the continuous numbers `first` up to `last`."""

    def __init__(self, name: str, space: Any, first: int) -> None:
        self.name, self.shape, self.dtype = name, space.shape, np.dtype(space.dtype)
        self.first, self.last = first, first + math.prod(space.shape)

    def write(self, value: Any, continuous: NDArray[Any], discrete: NDArray[np.int64]) -> None:
        array = np.asarray(value)
        if array.shape != self.shape or array.dtype.kind not in "fiu":
            raise _misfit(self.name, array, self.dtype, self.shape)
        continuous[self.first : self.last] = array.reshape(-1)

    def read(self, continuous: NDArray[Any], discrete: NDArray[np.int64]) -> Several:
        part = continuous[:, self.first : self.last].reshape(len(continuous), *self.shape)
        if part.dtype != self.dtype:
            part = part.astype(self.dtype)
        # An element of a one-dimensional array would be a scalar instead of a box without axes.
        return part if self.shape else [part[i, ...] for i in range(len(part))]


class _Choices:
    """Whole numbers, each from its own `start` up: the branches `first` up to `last`."""

    def __init__(self, name: str, space: Any, start: Any, first: int, counts: list[int]) -> None:
        self.name, self.shape, self.dtype = name, space.shape, np.dtype(space.dtype)
        # Differences are taken modulo 2^64, so that a start beyond int64 comes out right as well.
        self.start = np.resize(np.asarray(start).astype(np.int64).reshape(-1), len(counts))
        self.counts = np.array(counts, np.int64)
        self.first, self.last = first, first + len(counts)
        self.shifted = bool(self.start.any())

    def write(self, value: Any, continuous: NDArray[Any], discrete: NDArray[np.int64]) -> None:
        array = np.asarray(value)
        if array.shape != self.shape or array.dtype.kind not in "iub":
            raise _misfit(self.name, array, self.dtype, self.shape)
        choice = array.astype(np.int64).reshape(-1) - self.start
        if ((choice < 0) | (choice >= self.counts)).any():
            raise EnvError(f"{_where(self.name)} is {value}, which its space does not hold")
        discrete[self.first : self.last] = choice

    def read(self, continuous: NDArray[Any], discrete: NDArray[np.int64]) -> Several:
        if not self.shape:
            part = discrete[:, self.first]
        else:
            part = discrete[:, self.first : self.last].reshape(len(discrete), *self.shape)
        if self.shifted:
            part = part + self.start.reshape(self.shape)
        # A copy even of the same dtype: an environment may write into its action.
        return part.astype(self.dtype)


class _Nest:
    """A `Dict` (parts under keys) or a `Tuple` (parts under places)."""

    def __init__(self, name: str, parts: dict[Any, _Node], make: Any) -> None:
        self.name, self.parts, self.make = name or "the action", parts, make

    def write(self, value: Any, continuous: NDArray[Any], discrete: NDArray[np.int64]) -> None:
        try:
            for key, part in self.parts.items():
                part.write(value[key], continuous, discrete)
        except (KeyError, IndexError, TypeError):
            raise EnvError(
                f"'{self.name}' is {type(value).__name__}, expected the parts "
                f"{', '.join(map(str, self.parts))}"
            ) from None

    def read(self, continuous: NDArray[Any], discrete: NDArray[np.int64]) -> Several:
        if not self.parts:
            return [self.make({}) for _ in range(len(continuous))]
        read = {key: list(part.read(continuous, discrete)) for key, part in self.parts.items()}
        rows = zip(*read.values(), strict=True)
        return [self.make(dict(zip(read, row, strict=True))) for row in rows]


class _Plan:
    """Walks the nest once, and notes bounds and branches."""

    def __init__(self) -> None:
        self.low: list[float] = []
        self.high: list[float] = []
        self.branches: list[int] = []
        self.dtypes: list[Any] = []

    def spec(self) -> ActionSpec:
        return ActionSpec(
            continuous=len(self.low),
            low=tuple(self.low),
            high=tuple(self.high),
            branches=tuple(self.branches),
            dtype=np.result_type(*self.dtypes).name if self.dtypes else "float32",
        )

    def node(self, space: Any, name: str) -> _Node:
        from gymnasium import spaces

        if isinstance(space, spaces.Dict):
            parts = {k: self.node(s, join_name(name, k)) for k, s in space.spaces.items()}
            return _Nest(name, parts, dict)
        if isinstance(space, spaces.Tuple):
            parts = {i: self.node(s, join_name(name, i)) for i, s in enumerate(space.spaces)}
            return _Nest(name, parts, lambda read: tuple(read.values()))
        if isinstance(space, spaces.Discrete):
            return self._choices(space, name, space.start, [space.n])
        if isinstance(space, spaces.MultiDiscrete):
            return self._choices(space, name, space.start, space.nvec.reshape(-1))
        if isinstance(space, spaces.MultiBinary):
            return self._choices(space, name, 0, [2] * math.prod(space.shape))
        if isinstance(space, spaces.Box) and np.dtype(space.dtype).kind in "iub":
            return self._whole(space, name)
        if isinstance(space, spaces.Box) and np.dtype(space.dtype).itemsize <= 8:
            node = _Numbers(name, space, len(self.low))
            self.low += map(float, space.low.reshape(-1))
            self.high += map(float, space.high.reshape(-1))
            self.dtypes.append(node.dtype)
            return node
        raise EnvError(
            f"{_where(name)} is a {' '.join(repr(space).split())}, which is not supported; wrap "
            "the environment with gymnasium.wrappers.TransformAction to act in a Box, Discrete, "
            "MultiDiscrete, MultiBinary, Dict or Tuple"
        )

    def _whole(self, space: Any, name: str) -> _Node:
        # Python's integers: the distance between bounds may not fit into the dtype.
        low, high = space.low.reshape(-1).tolist(), space.high.reshape(-1).tolist()
        counts = [int(h) - int(n) + 1 for n, h in zip(low, high, strict=True)]
        bounded = bool(space.bounded_below.all() and space.bounded_above.all())
        if not bounded or max(counts, default=0) > MAX_CHOICES:
            least = f"{max(counts)} choices" if bounded else "no bounds"
            raise EnvError(
                f"{_where(name)} is a Box of {space.dtype} with {least}; whole numbers need bounds "
                f"with at most {MAX_CHOICES} choices. Wrap the environment with "
                "gymnasium.wrappers.TransformAction to act in a float Box"
            )
        return self._choices(space, name, space.low, counts)

    def _choices(self, space: Any, name: str, start: Any, counts: Any) -> _Node:
        first, counts = len(self.branches), [int(n) for n in counts]
        self.branches += counts
        return _Choices(name, space, start, first, counts)


def _where(name: str) -> str:
    return f"action '{name}'" if name else "the action"


def _misfit(name: str, array: NDArray[Any], dtype: Any, shape: tuple[int, ...]) -> EnvError:
    return EnvError(
        f"{_where(name)} is {array.dtype} {list(array.shape)}, its space says {dtype} {list(shape)}"
    )
