"""Demonstrations made of arrays that lie in memory already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import ActedBy, End, Episode, Tree, check_episode
from understudy.data.formats.bare import Bare, describe
from understudy.data.spec import Spec
from understudy.errors import DemoError

MISSING = "the last observation of some episodes is missing"


def from_arrays(
    obs: Sequence[NDArray[Any] | Mapping[str, NDArray[Any]]],
    actions: Sequence[NDArray[Any] | Action],
    rewards: Sequence[NDArray[Any]] | None = None,
    ends: End | str | Sequence[End | str] = End.UNKNOWN,
    *,
    spec: Spec | None = None,
    acted_by: ActedBy = ActedBy.UNKNOWN,
) -> Demos:
    """Demonstrations from arrays, one entry for every episode.

    Args:
        obs: What was seen: `[T+1, ...]`, the last row after the last action; or `[T, ...]` where
            that one is not known. Several things that are seen are named arrays, and need a spec.
        actions: What was done: `[T, ...]`, whole numbers for choices. An `Action` has both numbers
            and choices, and needs a spec.
        rewards: What was received, `[T]`; None if nobody knows.
        ends: How the episodes ended, one word for all of them or one for each.
        spec: What is seen and done, such as `spec_of` makes of an environment's spaces; None to
            find out from the arrays.
        acted_by: Who acted.

    Raises:
        DemoError: The arrays do not belong together, or do not fit the spec; names the episode.

    Example:
        >>> demos = from_arrays([np.zeros((6, 3), np.float32)], [np.array([0, 1, 1, 0, 2])])
        >>> len(demos), demos.num_steps, demos.spec.describe()
        (1, 5, 'sees obs vector 3; does choices 3')
    """
    count = len(actions)
    words = [ends] * count if isinstance(ends, str) else list(ends)
    for name, given in (("obs", obs), ("rewards", rewards), ("ends", words)):
        if given is not None and len(given) != count:
            raise DemoError(f"{name}: {len(given)} episodes, but {count} of actions")
    if not count:
        raise DemoError("no episode was given")
    bare = _described(obs, actions, spec)
    episodes: list[Episode] = []
    row = step = 0
    for index, word in enumerate(words):
        steps, rows = _length(actions[index]), _length(obs[index])
        where = f"episode {index}"
        if rows not in (steps, steps + 1) or not rows:
            raise DemoError(
                f"{where}: {rows} observations and {steps} actions; expected {steps + 1}"
            )
        # Where the last observation is not known, the one before stands in for it.
        seen = row + np.minimum(np.arange(steps + 1), rows - 1)
        reward = None if rewards is None else np.asarray(rewards[index])
        episode = Episode(
            obs={name: x[seen] for name, x in bare.obs.items()},
            action=bare.action.at(slice(step, step + steps)),
            reward=reward,
            end=_end(word, where),
            final_obs_known=rows > steps,
            acted_by=np.full(steps, acted_by, np.uint8),
        )
        episodes.append(check_episode(episode, bare.spec, where))
        row, step = row + rows, step + steps
    notes = bare.notes + (() if all(e.final_obs_known for e in episodes) else (MISSING,))
    return Demos(bare.spec, episodes, Provenance(format="memory", notes=notes))


class _Given:
    """Where the arrays came from, for messages."""

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        return DemoError(f"{name} {found}; expected {expected}")


def _described(obs: Sequence[Any], actions: Sequence[Any], spec: Spec | None) -> Bare:
    """All episodes one after the other, and what they are."""
    named = isinstance(obs[0], Mapping) or isinstance(actions[0], Action)
    if not named:
        seen, done = _joined("obs", obs), _joined("actions", actions)
        return describe(_Given(), ("obs", seen), ("actions", done), spec)
    if spec is None:
        raise DemoError(
            "named observations and mixed actions do not say what they are: give "
            "spec=Spec(obs={...}, action=ActionSpec(...)), or spec_of(env.observation_space, ...)"
        )
    return Bare(spec, _tree(obs, spec), _action(actions, spec), ())


def _tree(obs: Sequence[Any], spec: Spec) -> Tree:
    if not isinstance(obs[0], Mapping):
        obs = [{next(iter(spec.obs)): x} for x in obs]
    tree: Tree = {}
    for name, field in spec.fields.items():
        if any(name not in x for x in obs):
            raise DemoError(f"observation '{name}' of the spec is missing: found {sorted(obs[0])}")
        tree[name] = _cast(
            f"observation '{name}'", _joined(name, [x[name] for x in obs]), field.dtype
        )
    if extra := set(obs[0]) - set(spec.fields):
        raise DemoError(f"observation '{min(extra)}' is not in the spec: {', '.join(spec.fields)}")
    return tree


def _action(actions: Sequence[Any], spec: Spec) -> Action:
    done = spec.action
    if isinstance(actions[0], Action):
        both = Action.join(list(actions))
        return Action(
            _cast("continuous action", both.continuous, np.dtype(done.dtype)),
            _cast("discrete action", both.discrete, np.dtype(np.int64)),
        )
    if done.continuous and done.branches:
        raise DemoError("the spec has numbers and choices: give an Action for every episode")
    values = _joined("actions", actions)
    values = values.reshape(len(values), -1)
    zeros = Action.zeros(done, len(values))
    if done.continuous:
        return Action(_cast("actions", values, np.dtype(done.dtype)), zeros.discrete)
    return Action(zeros.continuous, _cast("actions", values, np.dtype(np.int64)))


def _joined(name: str, arrays: Sequence[Any]) -> NDArray[Any]:
    try:
        return np.concatenate([np.asarray(x) for x in arrays])
    except ValueError as error:
        raise DemoError(f"{name}: the episodes do not fit together: {error}") from None


def _cast(name: str, values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if not np.can_cast(values.dtype, dtype, "same_kind"):
        raise DemoError(f"{name} holds {values.dtype}; expected {dtype} as in the spec")
    return values.astype(dtype)


def _length(given: Any) -> int:
    """Rows of an array, of named arrays or of an action."""
    if isinstance(given, Mapping):
        return len(next(iter(given.values()), ()))
    return len(given.continuous) if isinstance(given, Action) else len(given)


def _end(word: End | str, where: str) -> End:
    try:
        return End(word)
    except ValueError:
        raise DemoError(f"{where}: end '{word}'; expected one of {', '.join(End)}") from None
