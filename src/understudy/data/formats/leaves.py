"""What named arrays at the leaves of nested observations and actions mean.

The same question as in `bare`, for formats that hold several arrays and are read in pieces: the
meaning is settled once, from shapes and dtypes, and then applied to every piece. Names are paths
joined by `/`; an array that stands alone is called "".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import Tree
from understudy.data.formats.bare import NAME, Origin, done_in, seen_in
from understudy.data.formats.store import Shaped
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import EnvError

# What DI-engine's hybrid policies call choices and numbers, whatever the action space is like.
HYBRID = ("action_type", "action_args")


class Meaning(Protocol):
    """What arrays mean.

    Attributes:
        spec: What is seen and done.
        notes: What was assumed.
    """

    spec: Spec
    notes: tuple[str, ...]

    def obs(self, arrays: Tree) -> Tree:
        """Arrays `[R, ...]` of the file as named observations.

        Raises:
            DemoError: They are not what they should be.
        """
        ...

    def action(self, arrays: Tree) -> Action:
        """Arrays `[N, ...]` of the file as actions.

        Raises:
            DemoError: They are not what they should be.
        """
        ...


def meaning_of(
    file: Origin,
    seen: Mapping[str, Shaped],
    done: Mapping[str, Shaped],
    actions: Callable[[], Iterable[Tree]],
    spec: Spec | None,
) -> Meaning:
    """What the arrays of a file mean.

    Args:
        file: Where they are, for errors.
        seen: Shape `[R, ...]` and dtype of every array of observations.
        done: Shape `[N, ...]` and dtype of every array of actions.
        actions: All actions of the file, in pieces: choices without a description are counted.
        spec: What the arrays must be; None to find out.

    Raises:
        DemoError: They are not what the spec says, or not to be understood.
    """
    if not seen or not done:
        what = "actions" if seen else "observations"
        raise file.refusal(what, "are missing", "at least one array of them")
    if spec is None:
        return _Guessed(file, seen, done, actions)
    if spec.observation_space is not None and spec.action_space is not None:
        return _OfSpaces(file, spec)
    return _OfSpec(file, spec)


class _Guessed:
    """Arrays without a description speak for themselves."""

    def __init__(
        self,
        file: Origin,
        seen: Mapping[str, Shaped],
        done: Mapping[str, Shaped],
        actions: Callable[[], Iterable[Tree]],
    ) -> None:
        self._file = file
        obs: dict[str, Obs] = {}
        for name, (shape, dtype) in seen.items():
            obs[name or NAME], _ = seen_in(np.empty((0, *shape[1:]), dtype))
        whole = [name for name, (_, dtype) in done.items() if dtype.kind in "iub"]
        numbers = [name for name in done if name not in whole]
        self._numbers, self._whole = sorted(numbers), sorted(whole)
        width = sum(math.prod(done[name].shape[1:]) for name in self._numbers)
        dtypes = [done[name].dtype for name in self._numbers]
        dtype = np.result_type(*dtypes).name if dtypes else "float32"
        branches, self.notes = self._branches(done, actions)
        if not width and not branches:
            raise file.refusal("actions", "have no numbers in a row", "at least one")
        self.spec = Spec(
            obs=obs, action=ActionSpec(continuous=width, branches=branches, dtype=dtype)
        )

    def _branches(
        self, done: Mapping[str, Shaped], actions: Callable[[], Iterable[Tree]]
    ) -> tuple[tuple[int, ...], tuple[str, ...]]:
        if not self._whole:
            return (), ()
        # The largest and the least of each, as two rows: the rest does not matter.
        ends: dict[str, NDArray[Any]] = {}
        for piece in actions():
            for name in self._whole:
                rows = piece[name].astype(np.int64, copy=False)
                rows = np.concatenate([ends[name], rows]) if name in ends else rows
                ends[name] = np.stack([rows.min(axis=0), rows.max(axis=0)]) if len(rows) else rows
        branches: tuple[int, ...] = ()
        notes: tuple[str, ...] = ()
        for name in self._whole:
            rows = ends.get(name, np.zeros((0, *done[name].shape[1:]), np.int64))
            spec, _, notes = done_in(self._file, name or "actions", rows)
            branches += spec.branches
        return branches, notes

    def obs(self, arrays: Tree) -> Tree:
        return {name or NAME: seen_in(array)[1] for name, array in arrays.items()}

    def action(self, arrays: Tree) -> Action:
        return _joined(arrays, self._numbers, self._whole, self.spec.action)


class _OfSpec:
    """Arrays that must be what a spec says, name by name, or one for one."""

    notes = ()

    def __init__(self, file: Origin, spec: Spec) -> None:
        self.spec, self._file = spec, file

    def obs(self, arrays: Tree) -> Tree:
        fields = self.spec.fields
        if len(arrays) == len(fields) == 1:
            arrays = dict(zip(fields, arrays.values(), strict=True))
        if set(arrays) != set(fields):
            found = f"are {', '.join(sorted(arrays))[:200] or 'missing'}"
            raise self._file.refusal(
                "observations", found, f"{', '.join(sorted(fields))} as in the spec"
            )
        return {
            name: _cast(self._file, name, arrays[name], shape, dtype)
            for name, (shape, dtype) in fields.items()
        }

    def action(self, arrays: Tree) -> Action:
        done = self.spec.action
        if len(arrays) != 1 and not (done.continuous and done.branches and len(arrays) == 2):
            raise self._file.refusal("actions", "are several arrays", "one as in the given spec")
        if len(arrays) == 2:
            numbers = [n for n, array in arrays.items() if array.dtype.kind == "f"]
            return _joined(arrays, numbers, [n for n in arrays if n not in numbers], done)
        ((name, values),) = arrays.items()
        flat = values.reshape(len(values), math.prod(values.shape[1:]))
        empty = Action.zeros(done, len(flat))
        if done.continuous and done.branches:
            raise self._file.refusal("actions", "are one array", "numbers and choices")
        if done.continuous:
            shape, dtype = (done.continuous,), np.dtype(done.dtype)
            return empty._replace(
                continuous=_cast(self._file, name or "actions", flat, shape, dtype)
            )
        flat = as_choices(self._file, name or "actions", flat, done.branches)
        return empty._replace(discrete=flat)


class _OfSpaces:
    """Arrays that are values of Gymnasium spaces, nested as those are."""

    notes = ()

    def __init__(self, file: Origin, spec: Spec) -> None:
        from understudy.data.spaces import codecs_of, space_from_json

        assert spec.observation_space is not None, "asked only of specs that came from spaces"
        assert spec.action_space is not None, "asked only of specs that came from spaces"
        self.spec, self._file = spec, file
        self._see, self._do = codecs_of(spec)
        self._seen = space_from_json(spec.observation_space)
        self._done = space_from_json(spec.action_space)

    def obs(self, arrays: Tree) -> Tree:
        try:
            # A number too large for its dtype becomes infinite, which every check refuses.
            with np.errstate(over="ignore", invalid="ignore"):
                return self._see.encode_batch(self._nest(self._seen, arrays))
        except EnvError as error:
            found = f"do not fit their space ({error})"
            raise self._file.refusal("observations", found, "values of it") from None

    def action(self, arrays: Tree) -> Action:
        from gymnasium.vector.utils import batch_space, iterate

        if set(arrays) == set(HYBRID) and self.spec.action.continuous and self.spec.action.branches:
            return self._hybrid(*(arrays[name] for name in HYBRID))
        nested = self._nest(self._done, arrays, choose=True)
        done = self.spec.action
        if isinstance(nested, np.ndarray) and done.continuous and nested.dtype.kind == "f":
            # Numbers alone need no row by row.
            flat = nested.reshape(len(nested), done.continuous)
            exact = _cast(self._file, "actions", flat, (done.continuous,), np.dtype(done.dtype))
            return Action.zeros(done, len(flat))._replace(continuous=exact)
        try:
            rows = iterate(batch_space(self._done, 1), nested)
            with np.errstate(over="ignore", invalid="ignore"):
                return self._do.encode_many(list(rows))
        except EnvError as error:
            found = f"do not fit their space ({error})"
            raise self._file.refusal("actions", found, "values of it") from None

    def _hybrid(self, choices: NDArray[Any], numbers: NDArray[Any]) -> Action:
        done, count = self.spec.action, len(numbers)
        kind, args = HYBRID
        flat = choices.reshape(len(choices), math.prod(choices.shape[1:]))
        return Action(
            _cast(
                self._file,
                args,
                numbers.reshape(count, math.prod(numbers.shape[1:])),
                (done.continuous,),
                np.dtype(done.dtype),
            ),
            as_choices(self._file, kind, flat, done.branches),
        )

    def _nest(self, space: Any, arrays: Tree, name: str = "", *, choose: bool = False) -> Any:
        from gymnasium import spaces

        if isinstance(space, spaces.Dict | spaces.Tuple):
            inner = space.spaces
            pairs = inner.items() if isinstance(inner, dict) else enumerate(inner)
            nested = {
                key: self._nest(part, arrays, f"{name}/{key}" if name else str(key), choose=choose)
                for key, part in pairs
            }
            return nested if isinstance(inner, dict) else tuple(nested.values())
        if name not in arrays and len(arrays) == 1 and not name:
            (name,) = arrays
        if name not in arrays or space.shape is None:
            there = ", ".join(sorted(arrays))[:200]
            raise self._file.refusal(name, f"is not among the arrays ({there})", "it for its space")
        values = arrays[name]
        if choose and isinstance(space, spaces.Discrete):
            values = _chosen(self._file, name or "actions", values, space)
        # Recorders add an axis of one to single numbers, or take it away.
        if math.prod(values.shape[1:]) != math.prod(space.shape):
            found = f"has rows of shape {list(values.shape[1:])}"
            raise self._file.refusal(name, found, f"{list(space.shape)}")
        return values.reshape(len(values), *space.shape)


def as_choices(
    file: Origin, name: str, flat: NDArray[Any], branches: tuple[int, ...]
) -> NDArray[np.int64]:
    """`[N, K]` the choices in rows that hold them as whole numbers or as one-hots.

    One-hots are taken for such only where the branches say that a row should be narrower.

    Raises:
        DemoError: The rows hold something else.
    """
    width = flat.shape[1]
    if width == sum(branches) and width != len(branches):
        ends = np.cumsum(branches)
        parts = np.split(flat, ends[:-1], axis=1)
        if not all(((p == 0) | (p == 1)).all() and (p.sum(axis=1) == 1).all() for p in parts):
            raise file.refusal(name, f"has rows of {width} numbers", "one 1 for every branch")
        return np.stack([part.argmax(axis=1) for part in parts], axis=1).astype(np.int64)
    if width != len(branches):
        raise file.refusal(name, f"has rows of {width} numbers", f"{len(branches)} choices")
    if flat.dtype.kind != "f":
        return flat.astype(np.int64)
    if not (np.isfinite(flat).all() and (np.abs(flat) < 2**53).all() and (flat % 1 == 0).all()):
        raise file.refusal(name, "holds fractions", "choices as in the given spec")
    return flat.astype(np.int64)


def _chosen(file: Origin, name: str, values: NDArray[Any], space: Any) -> NDArray[Any]:
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    if flat.shape[1] == 1 and flat.dtype.kind != "f":
        return flat[:, 0]
    hot = flat.shape[1] > 1
    choices = as_choices(file, name, flat, (int(space.n),))[:, 0]
    return choices + int(space.start) if hot else choices


def _joined(arrays: Tree, numbers: Iterable[str], whole: Iterable[str], done: ActionSpec) -> Action:
    count = len(next(iter(arrays.values())))

    def flat(names: Iterable[str], dtype: Any) -> list[NDArray[Any]]:
        return [
            arrays[name].reshape(count, math.prod(arrays[name].shape[1:])).astype(dtype)
            for name in names
        ]

    empty = Action.zeros(done, count)
    continuous, discrete = flat(numbers, done.dtype), flat(whole, np.int64)
    return Action(
        np.concatenate(continuous, axis=1) if continuous else empty.continuous,
        np.concatenate(discrete, axis=1) if discrete else empty.discrete,
    )


def _cast(
    file: Origin, name: str, values: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    if values.shape[1:] != shape:
        found = f"has rows of shape {list(values.shape[1:])}"
        raise file.refusal(name, found, f"{list(shape)} as in the spec")
    if not np.can_cast(values.dtype, dtype, "same_kind"):
        raise file.refusal(name, f"holds {values.dtype}", f"{dtype} as in the given spec")
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(dtype)
