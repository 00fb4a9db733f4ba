"""Bare arrays: what observations and actions without a description are taken for.

A given spec decides: where it came from Gymnasium spaces the arrays are values of those spaces,
else they must have the shape of its only observation. Without one the arrays speak for themselves
and the notes say what was assumed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import Tree
from understudy.data.picture import picture_of
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError, EnvError

MOST_CHOICES = 4096
MOST_BRANCHES = 1024
NAME = "obs"


class Origin(Protocol):
    """Where arrays came from."""

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        """The error about one of them: its name, what is there and what should be."""
        ...


class Bare(NamedTuple):
    """Arrays and what they are.

    Attributes:
        spec: What is seen and done.
        obs: `[R, ...]` by name.
        action: `[N, ...]`.
        notes: What was assumed.
    """

    spec: Spec
    obs: Tree
    action: Action
    notes: tuple[str, ...]


def describe(
    file: Origin,
    obs: tuple[str, NDArray[Any]],
    actions: tuple[str, NDArray[Any]],
    spec: Spec | None,
) -> Bare:
    """The arrays as named observations and actions.

    Args:
        file: Where they came from.
        obs: Name in the file and `[R, ...]`.
        actions: Name in the file and `[N, ...]`.
        spec: What they must be; None to find out.

    Raises:
        DemoError: They are not what the spec says, or not to be understood.
    """
    if spec is None:
        return _guess(file, obs, actions)
    # A number too large for the dtype of the spec becomes infinite, which every check refuses.
    with np.errstate(over="ignore", invalid="ignore"):
        if spec.observation_space is not None and spec.action_space is not None:
            return _of_spaces(file, obs, actions, spec)
        return _of_spec(file, obs, actions, spec)


def _guess(file: Origin, obs: tuple[str, NDArray[Any]], actions: tuple[str, NDArray[Any]]) -> Bare:
    seen, values = seen_in(obs[1])
    done, action, notes = done_in(file, *actions)
    return Bare(Spec(obs={NAME: seen}, action=done), {NAME: values}, action, notes)


def seen_in(values: NDArray[Any]) -> tuple[Obs, NDArray[Any]]:
    """What an array `[R, ...]` without a description shows, and the array as it is stored."""
    shape, dtype = values.shape[1:], values.dtype.name
    picture = picture_of(shape, values.dtype)
    if picture is None:
        return Obs(kind="vector", shape=shape, dtype=dtype), values
    axes = (0, *(axis + 1 for axis in picture.axes))
    stored = values.transpose(axes).reshape(len(values), *picture.stored)
    first = picture.channels_first
    return Obs(kind="image", shape=picture.stored, dtype=dtype, channels_first=first), stored


def done_in(
    file: Origin, name: str, values: NDArray[Any]
) -> tuple[ActionSpec, Action, tuple[str, ...]]:
    """What an array of actions `[N, ...]` without a description does, the actions, and notes.

    Raises:
        DemoError: There are no numbers, or choices that cannot be counted.
    """
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    width = flat.shape[1]
    if not width:
        raise file.refusal(name, "has no numbers in a row", "at least one")
    if values.dtype.kind == "f":
        done = ActionSpec(continuous=width, dtype=values.dtype.name)
        return done, Action(flat, np.zeros((len(flat), 0), np.int64)), ()
    least = int(flat.min(initial=0))
    if least < 0 or width > MOST_BRANCHES or int(flat.max(initial=0)) >= MOST_CHOICES:
        raise file.refusal(
            name,
            f"holds choices {least} to {int(flat.max(initial=0))} in {width} branches",
            f"0 to {MOST_CHOICES - 1} in at most {MOST_BRANCHES}; else give spec=",
        )
    discrete = flat.astype(np.int64)
    # One choice alone would be none: the others did not happen to be taken.
    branches = tuple(max(2, int(top) + 1) for top in discrete.max(axis=0, initial=0))
    note = (
        f"the number of choices ({' x '.join(map(str, branches[:8]))}) is taken from the largest "
        "that occurs; give spec= if there are more"
    )
    done = ActionSpec(branches=branches)
    return done, Action(np.zeros((len(flat), 0), done.dtype), discrete), (note,)


def _of_spaces(
    file: Origin,
    obs: tuple[str, NDArray[Any]],
    actions: tuple[str, NDArray[Any]],
    spec: Spec,
) -> Bare:
    from understudy.data.spaces import codecs_of, space_from_json

    assert spec.observation_space is not None, "asked only of specs that came from spaces"
    assert spec.action_space is not None, "asked only of specs that came from spaces"
    name = obs[0]
    try:
        see, do = codecs_of(spec)
        rows = _in_space(file, *obs, space_from_json(spec.observation_space).shape)
        tree = see.encode_batch(rows)
        name = actions[0]
        rows = _in_space(file, *actions, space_from_json(spec.action_space).shape)
        action = do.encode_many(list(rows))
    except EnvError as error:
        found = f"does not fit the spec ({error})"
        raise file.refusal(name, found, "values of its space") from None
    return Bare(spec, tree, action, ())


def _in_space(
    file: Origin, name: str, values: NDArray[Any], shape: tuple[int, ...] | None
) -> NDArray[Any]:
    # Recorders add an axis of one to single numbers, or take it away.
    if shape is None:
        raise file.refusal(name, "is one array", "the several parts of the given spec's space")
    if math.prod(values.shape[1:]) != math.prod(shape):
        raise file.refusal(name, f"has rows of shape {list(values.shape[1:])}", f"{list(shape)}")
    return values.reshape(len(values), *shape)


def _of_spec(
    file: Origin,
    obs: tuple[str, NDArray[Any]],
    actions: tuple[str, NDArray[Any]],
    spec: Spec,
) -> Bare:
    if len(spec.obs) != 1 or spec.masks:
        raise file.refusal(obs[0], "is one observation", f"{', '.join(spec.obs)} as in the spec")
    ((seen_name, seen),) = spec.obs.items()
    if seen.kind == "entities":
        raise file.refusal(obs[0], "is an array of one length", "entities as in the given spec")
    values = _cast(file, *obs, seen.shape, seen.dtype)
    done, name, acts = spec.action, *actions
    flat = acts.reshape(len(acts), math.prod(acts.shape[1:]))
    if done.continuous and done.branches:
        raise file.refusal(name, "is one array", "numbers and choices as in the given spec")
    if done.continuous:
        continuous = _cast(file, name, flat, (done.continuous,), done.dtype)
        action = Action(continuous, np.zeros((len(flat), 0), np.int64))
    else:
        if acts.dtype.kind == "f":
            raise file.refusal(name, f"holds {acts.dtype}", "choices as in the given spec")
        discrete = _cast(file, name, flat, (len(done.branches),), "int64")
        action = Action(np.zeros((len(flat), 0), done.dtype), discrete)
    return Bare(spec, {seen_name: values}, action, ())


def _cast(
    file: Origin, name: str, values: NDArray[Any], shape: tuple[int, ...], dtype: str
) -> NDArray[Any]:
    if values.shape[1:] != shape:
        raise file.refusal(
            name, f"has rows of shape {list(values.shape[1:])}", f"{list(shape)} as in the spec"
        )
    if not np.can_cast(values.dtype, dtype, "same_kind"):
        raise file.refusal(name, f"holds {values.dtype}", f"{dtype} as in the given spec")
    return values.astype(dtype)
