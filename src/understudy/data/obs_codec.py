"""Observations of any Gymnasium space as named arrays, and exactly back.

| space | becomes |
|---|---|
| `Box` of 0, 1 or 2 axes, `MultiBinary` | `vector` of the same shape and dtype |
| `Box` of 3 axes that looks like a picture | `image`; its smaller end axis is the channels |
| `Box` of 4 axes, a stack of such pictures | `image`; channels of all frames in order |
| `uint8` `Box` of 2 axes, 16 × 16 or larger | `image` of one channel |
| `Discrete`, `MultiDiscrete` | `vector` of uint8, the one-hots one after the other |
| `Dict`, `Tuple` | their parts, named by their path joined with `/` |
| `Sequence` | `entities`, at most `max_entities` of them |
| `Dict` of a `Box` with 2 axes and its 0/1 `mask` or `present` | `entities` |
| 0/1 space under a key `action_mask` with one entry per choice | `mask` |

A space without a name (the observation is not a `Dict` or `Tuple`) is called `obs`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.picture import picture_of
from understudy.data.spec import Field, Obs, present
from understudy.errors import EnvError

ROOT = "obs"
MAX_ONE_HOT = 65_536
_MASK_KEYS = ("mask", "present")


class ObsCodec:
    """Observations of one Gymnasium space as named arrays, and back.

    Attributes:
        obs: What is seen, by name.
        fields: The arrays of a tree, as `Spec.fields` has them.

    Example:
        >>> from gymnasium.spaces import Dict, Discrete
        >>> codec = ObsCodec(Dict(door=Discrete(3)))
        >>> codec.encode({"door": 1})
        {'door': array([0, 1, 0], dtype=uint8)}
    """

    def __init__(self, space: Any, max_entities: int = 32, *, num_choices: int = 0) -> None:
        """Plan the mapping.

        Args:
            space: A Gymnasium space.
            max_entities: The most entities that a `Sequence` may hold.
            num_choices: How many choices the action has in all; a key `action_mask` with as many
                entries is a mask. 0: none is.

        Raises:
            EnvError: A space in the nest is not supported; says which, where and what to do.
        """
        plan = _Plan(max_entities, num_choices)
        self._root = plan.node(space, "", goal=False)
        self._space = space
        self.obs: dict[str, Obs] = plan.obs
        self.fields: dict[str, Field] = plan.fields
        self.encode_into = self._root.write
        """`encode_into(value, rows, index)` writes one observation into row `index` (an integer)
        of the arrays `rows` `[n, ...]`. For a plain `Box` this is one assignment."""

    def encode(self, value: Any) -> Tree:
        """Named arrays without a leading axis.

        A number may come in a dtype of the same kind as the space's (many environments return
        float64 where they declare float32) and is cast; whole numbers must survive it.

        Raises:
            EnvError: The value does not belong to the space.
        """
        # An array without axes has to stay one when its row is taken.
        return {name: np.asarray(rows[0]) for name, rows in self.encode_many([value]).items()}

    def encode_many(self, values: Sequence[Any]) -> Tree:
        """Named arrays `[n, ...]` of n observations."""
        rows = {name: np.zeros((len(values), *f.shape), f.dtype) for name, f in self.fields.items()}
        for index, value in enumerate(values):
            self.encode_into(value, rows, index)
        return rows

    def encode_batch(self, values: Any) -> Tree:
        """Named arrays `[n, ...]` of observations that Gymnasium's vector environments stacked."""
        if type(self._root) is _Array:
            return {self._root.field: self._root.fit_many(values)}
        from gymnasium.vector.utils import batch_space, iterate

        return self.encode_many(list(iterate(batch_space(self._space, 1), values)))

    def decode(self, tree: Tree) -> Any:
        """The observation that `encode` was given, dtypes included. Owns its arrays."""
        return self._root.read(tree)

    def decode_many(self, tree: Tree) -> list[Any]:
        """The n observations of named arrays `[n, ...]`."""
        count = len(next(iter(tree.values()))) if tree else 0
        return [self.decode({k: v[i] for k, v in tree.items()}) for i in range(count)]


class _Node(Protocol):
    """One space of the nest."""

    def write(self, value: Any, rows: Tree, index: int) -> None: ...

    def read(self, tree: Tree) -> Any: ...


class _Array:
    """Numbers of a fixed shape, stored as they are."""

    def __init__(self, field: str, shape: tuple[int, ...], dtype: Any) -> None:
        self.field, self.shape, self.dtype = field, shape, np.dtype(dtype)

    def write(self, value: Any, rows: Tree, index: int) -> None:
        rows[self.field][index] = self.fit(value)

    def fit(self, value: Any) -> NDArray[Any]:
        """The value once it is certain that it belongs here."""
        try:
            if value.dtype is self.dtype and value.shape == self.shape:
                return value
        except AttributeError:
            pass
        return self._cast(value, self.shape)

    def fit_many(self, values: Any) -> NDArray[Any]:
        """Several values, one after the other; a copy."""
        return self._cast(values, (len(values), *self.shape))

    def _cast(self, value: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        try:
            array = np.asarray(value)
        except ValueError:
            raise EnvError(f"observation '{self.field}' is a ragged list") from None
        if array.shape != shape:
            raise EnvError(
                f"observation '{self.field}' has shape {list(array.shape)}, "
                f"its space says {list(shape)}"
            )
        whole = array.dtype.kind in "iub" and self.dtype.kind in "iub"
        if not whole and not np.can_cast(array.dtype, self.dtype, "same_kind"):
            raise EnvError(
                f"observation '{self.field}' is {array.dtype}, its space says {self.dtype}"
            )
        cast = array.astype(self.dtype)
        if whole and (cast != array).any():
            raise EnvError(f"observation '{self.field}' does not fit into {self.dtype}")
        return cast

    def read(self, tree: Tree) -> Any:
        return np.array(tree[self.field], self.dtype).reshape(self.shape)


class _Arranged(_Array):
    """Numbers stored with their axes in another order and joined to another shape."""

    def __init__(
        self,
        field: str,
        shape: tuple[int, ...],
        dtype: Any,
        axes: tuple[int, ...],
        stored: tuple[int, ...],
    ) -> None:
        super().__init__(field, shape, dtype)
        self.axes, self.stored = axes, stored
        self.moved = tuple(shape[a] for a in axes)
        self.inverse = tuple(int(a) for a in np.argsort(axes))

    def write(self, value: Any, rows: Tree, index: int) -> None:
        rows[self.field][index] = self.fit(value).transpose(self.axes).reshape(self.stored)

    def read(self, tree: Tree) -> Any:
        moved = np.asarray(tree[self.field], self.dtype).reshape(self.moved)
        return moved.transpose(self.inverse).copy()


class _Binary(_Array):
    """Zeros and ones stored as bool: a mask, or which entities are there."""

    def write(self, value: Any, rows: Tree, index: int) -> None:
        rows[self.field][index] = (self.fit(value) != 0).reshape(-1)


class _OneHot:
    """One or several choices as one-hots, one after the other."""

    def __init__(
        self, field: str, shape: tuple[int, ...], start: Any, nvec: Any, dtype: Any
    ) -> None:
        self.field, self.shape, self.dtype = field, shape, np.dtype(dtype)
        # Differences are taken modulo 2^64, so that a start beyond int64 comes out right as well.
        self.start = np.asarray(start).astype(np.int64).reshape(-1)
        self.nvec = np.asarray(nvec).astype(np.int64).reshape(-1)
        self.ends = np.cumsum(self.nvec)
        self.size = int(self.nvec.sum())
        self.least = int(np.asarray(start).reshape(-1)[0]) if self.size else 0

    def write(self, value: Any, rows: Tree, index: int) -> None:
        array = np.asarray(value)
        if array.shape != self.shape or array.dtype.kind not in "iu":
            raise EnvError(
                f"observation '{self.field}' is {array.dtype} {list(array.shape)}, "
                f"its space says {self.dtype} {list(self.shape)}"
            )
        choice = array.astype(np.int64).reshape(-1) - self.start
        if ((choice < 0) | (choice >= self.nvec)).any():
            raise EnvError(f"observation '{self.field}' is {value}, which its space does not hold")
        row = rows[self.field][index]
        row[:] = 0
        row[self.ends - self.nvec + choice] = 1

    def read(self, tree: Tree) -> Any:
        row = tree[self.field]
        hot = [row[end - n : end].argmax() for n, end in zip(self.nvec, self.ends, strict=True)]
        value = (np.array(hot, np.int64) + self.start).astype(self.dtype).reshape(self.shape)
        return value[()] if self.shape == () else value


class _OneChoice(_OneHot):
    """One choice as a one-hot: the same, several times as fast."""

    def write(self, value: Any, rows: Tree, index: int) -> None:
        try:
            choice = operator.index(value) - self.least
        except TypeError:
            return super().write(value, rows, index)
        if not 0 <= choice < self.size:
            raise EnvError(f"observation '{self.field}' is {value}, which its space does not hold")
        row = rows[self.field][index]
        row[:] = 0
        row[choice] = 1
        return None


class _Sequence:
    """A list of variable length: entities from the first row on, and who is there."""

    def __init__(self, field: str, feature: _Array | _OneHot, room: int, *, stack: bool) -> None:
        self.field, self.feature, self.room, self.stack = field, feature, room, stack

    def write(self, value: Any, rows: Tree, index: int) -> None:
        count = len(value)
        if count > self.room:
            raise EnvError(
                f"observation '{self.field}' has {count} entities, there is room for {self.room}; "
                "raise max_entities"
            )
        entities, there = rows[self.field][index], rows[present(self.field)][index]
        entities[count:] = 0
        there[:count], there[count:] = True, False
        row = {self.field: entities}
        for place in range(count):
            self.feature.write(value[place], row, place)

    def read(self, tree: Tree) -> Any:
        count = int(np.count_nonzero(tree[present(self.field)]))
        entities = tree[self.field]
        items = [self.feature.read({self.field: entities[place]}) for place in range(count)]
        if not self.stack:
            return tuple(items)
        return np.array(items, self.feature.dtype).reshape(count, *self.feature.shape)


class _Nest:
    """A `Dict` (parts under keys) or a `Tuple` (parts under places)."""

    def __init__(self, name: str, parts: dict[Any, _Node], make: Any) -> None:
        self.name, self.parts, self.make = name or "the observation", parts, make

    def write(self, value: Any, rows: Tree, index: int) -> None:
        try:
            if len(value) != len(self.parts):
                raise EnvError(
                    f"'{self.name}' has {len(value)} parts, its space says {len(self.parts)}"
                )
            for key, part in self.parts.items():
                part.write(value[key], rows, index)
        except (KeyError, IndexError, TypeError) as error:
            raise EnvError(
                f"'{self.name}' is {type(value).__name__} without its part {error}, expected parts "
                f"{', '.join(map(str, self.parts))}"
            ) from None

    def read(self, tree: Tree) -> Any:
        return self.make({key: part.read(tree) for key, part in self.parts.items()})


class _Plan:
    """Walks the nest once, and notes what is seen and where it is stored."""

    def __init__(self, max_entities: int, num_choices: int) -> None:
        self.max_entities, self.num_choices = max_entities, num_choices
        self.obs: dict[str, Obs] = {}
        self.fields: dict[str, Field] = {}

    def node(self, space: Any, name: str, *, goal: bool) -> _Node:
        from gymnasium import spaces

        if isinstance(space, spaces.Dict):
            return self._dict(space, name, goal=goal)
        if isinstance(space, spaces.Tuple):
            parts = {
                place: self.node(part, join_name(name, place), goal=goal)
                for place, part in enumerate(space.spaces)
            }
            return _Nest(name, parts, lambda read: tuple(read.values()))
        name = name or ROOT
        if isinstance(space, spaces.Sequence):
            return self._sequence(space, name, goal=goal)
        if isinstance(space, spaces.Box) and (picture := picture_of(space.shape, space.dtype)):
            axes, stored, first = picture
            self._see(name, "image", stored, space.dtype, channels_first=first, goal=goal)
            return _Arranged(name, space.shape, space.dtype, axes, stored)
        leaf = self._leaf(space, name)
        if isinstance(leaf, _OneHot):
            self._see(name, "vector", (leaf.size,), np.uint8, goal=goal)
        else:
            self._see(name, "vector", leaf.shape, leaf.dtype, goal=goal)
        return leaf

    def _dict(self, space: Any, name: str, *, goal: bool) -> _Node:
        if keys := _masked_box(space):
            return self._entities(space, name, *keys, goal=goal)
        goals = {"achieved_goal", "desired_goal"} <= set(space.spaces)
        parts: dict[Any, _Node] = {}
        for key, part in space.spaces.items():
            path = join_name(name, key)
            if key == "action_mask" and self._is_mask(part):
                self._see(path, "mask", (self.num_choices,), bool)
                parts[key] = _Binary(path, part.shape, part.dtype)
            else:
                parts[key] = self.node(part, path, goal=goal or (goals and key == "desired_goal"))
        return _Nest(name, parts, dict)

    def _is_mask(self, space: Any) -> bool:
        masked = any(obs.kind == "mask" for obs in self.obs.values())
        fits = binary(space) and self.num_choices == math.prod(space.shape) > 0
        return fits and not masked

    def _entities(self, space: Any, name: str, box: str, mask: str, *, goal: bool) -> _Node:
        path = join_name(name, box)
        self._see(path, "entities", space[box].shape, space[box].dtype, goal=goal)
        parts = {key: self._part(space[key], path, key == mask) for key in space.spaces}
        return _Nest(name, parts, dict)

    @staticmethod
    def _part(space: Any, path: str, mask: bool) -> _Node:
        if mask:
            return _Binary(present(path), space.shape, space.dtype)
        return _Array(path, space.shape, space.dtype)

    def _sequence(self, space: Any, name: str, *, goal: bool) -> _Node:
        leaf = self._leaf(space.feature_space, name, " in a Sequence")
        width = leaf.size if isinstance(leaf, _OneHot) else math.prod(leaf.shape)
        dtype = np.dtype(np.uint8) if isinstance(leaf, _OneHot) else leaf.dtype
        self._see(name, "entities", (self.max_entities, width), dtype, goal=goal)
        if isinstance(leaf, _Array):
            axes = tuple(range(len(leaf.shape)))
            leaf = _Arranged(name, leaf.shape, leaf.dtype, axes, (width,))
        return _Sequence(name, leaf, self.max_entities, stack=space.stack)

    def _leaf(self, space: Any, name: str, where: str = "") -> _Array | _OneHot:
        from gymnasium import spaces

        if isinstance(space, spaces.Box | spaces.MultiBinary):
            if np.dtype(space.dtype).itemsize <= 8:
                return _Array(name, space.shape or (), space.dtype)
        elif isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
            one = isinstance(space, spaces.Discrete)
            kind, nvec = (_OneChoice, space.n) if one else (_OneHot, space.nvec)
            leaf = kind(name, space.shape or (), space.start, nvec, space.dtype)
            if leaf.size <= MAX_ONE_HOT:
                return leaf
            raise EnvError(
                f"observation '{name}' is a {_short(space)}{where} of {leaf.size} choices, more "
                f"than {MAX_ONE_HOT}; turn it into numbers with "
                "gymnasium.wrappers.TransformObservation"
            )
        raise EnvError(
            f"observation '{name}' is a {_short(space)}{where}, which is not supported; leave it "
            "out with gymnasium.wrappers.FilterObservation or turn it into a Box with "
            "gymnasium.wrappers.TransformObservation"
        )

    def _see(self, name: str, kind: Any, shape: tuple[int, ...], dtype: Any, **more: bool) -> None:
        obs = Obs(kind=kind, shape=tuple(shape), dtype=np.dtype(dtype).name, **more)
        fields = {name: Field(obs.shape, np.dtype(dtype))}
        if kind == "entities":
            fields[present(name)] = Field(obs.shape[:1], np.dtype(bool))
        if taken := fields.keys() & self.fields.keys():
            raise EnvError(f"two observations are named '{min(taken)}'; rename a key of the space")
        self.obs[name] = obs
        self.fields.update(fields)


def join_name(name: str, key: Any) -> str:
    """The path of a part of a nested space.

    Raises:
        EnvError: The key is not a name.
    """
    if not isinstance(key, str | int) or key == "":
        where = f" under '{name}'" if name else ""
        raise EnvError(f"a Dict space{where} has the key {key!r}; keys must be names")
    return f"{name}/{key}" if name else str(key)


def binary(space: Any) -> bool:
    """Whether a space holds an array of zeros and ones."""
    from gymnasium import spaces

    if isinstance(space, spaces.MultiBinary):
        return True
    if not isinstance(space, spaces.Box):
        return False
    return bool((space.low >= 0).all() and (space.high <= 1).all())


def _masked_box(space: Any) -> tuple[str, str] | None:
    """The keys of a `Dict` of entities and of the mask that says which exist."""
    from gymnasium import spaces

    mask = next((key for key in _MASK_KEYS if key in space.spaces), None)
    if mask is None or len(space.spaces) != 2:
        return None
    box = next(key for key in space.spaces if key != mask)
    rows, there = space[box], space[mask]
    if not isinstance(rows, spaces.Box) or len(rows.shape) != 2 or not binary(there):
        return None
    whole = np.dtype(there.dtype).kind in "iub"
    return (box, mask) if whole and there.shape == rows.shape[:1] else None


def _short(space: Any) -> str:
    text = " ".join(repr(space).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
