"""One agent's life: what it saw, did and received. A demonstration is a saved episode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.spec import Obs, Spec, present
from understudy.errors import DemoError

Tree = dict[str, NDArray[Any]]


class End(StrEnum):
    """How an episode ended.

    TERMINATED: the task itself was over, so nothing more was to be had.
    TRUNCATED: it was cut off (a time limit), and would have gone on.
    OPEN: the recording stopped in the middle.
    UNKNOWN: it ended, and the recording does not say why.
    """

    TERMINATED = "terminated"
    TRUNCATED = "truncated"
    OPEN = "open"
    UNKNOWN = "unknown"


class ActedBy(IntEnum):
    """Who chose the executed action of a step.

    LEARNER: a policy that is being taught; `proposed` is what its expert would have done.
    UNLABELED: such a policy, where its expert said nothing: the step is no demonstration.
    """

    UNKNOWN = 0
    HUMAN = 1
    SCRIPT = 2
    POLICY = 3
    RANDOM = 4
    LEARNER = 5
    UNLABELED = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Episode:
    """One agent's life.

    Attributes:
        obs: Named arrays `[T+1, ...]`; the last row is what was seen at the end.
        action: `[T, ...]` what was executed.
        proposed: `[T, ...]` what the demonstrator meant, where it differs (noise was injected, or
            a person overruled a policy); None means as executed.
        reward: `[T]` received after each step, any scale; None if the recording has none.
        end: How it ended.
        final_obs_known: False if the recording lacks the last observation; its row then repeats
            the one before.
        acted_by: `[T]` uint8, an `ActedBy` for every step.
        agent: Which agent of its environment.
        group: The group it shares rewards with, 0 for none.
        team: The side that it plays on.
        seed: The reset's seed, where known.
        label: A name for people, such as `file.demo#3`.
        tags: Words that somebody marked it with, such as `success`.
        info: Anything else worth keeping, as JSON values.
    """

    obs: Tree
    action: Action
    proposed: Action | None = None
    reward: NDArray[Any] | None = None
    end: End = End.UNKNOWN
    final_obs_known: bool = True
    acted_by: NDArray[np.uint8]
    agent: int = 0
    group: int = 0
    team: int = 0
    seed: int | None = None
    label: str = ""
    tags: tuple[str, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.action.continuous)

    @property
    def terminated(self) -> bool:
        """Whether the task itself was over."""
        return self.end is End.TERMINATED

    @property
    def truncated(self) -> bool:
        """Whether the episode was cut off."""
        return self.end is End.TRUNCATED

    @property
    def meant(self) -> Action:
        """`[T, ...]` what the demonstrator meant: the proposed actions, else the executed ones."""
        return self.action if self.proposed is None else self.proposed

    @property
    def return_(self) -> float:
        """Sum of rewards; nan if the recording has none."""
        return float("nan") if self.reward is None else float(np.sum(self.reward, dtype=np.float64))


def check_episode(episode: Episode, spec: Spec, where: str = "") -> Episode:
    """The same episode, once it is certain that it fits the spec and holds only finite numbers.

    Args:
        episode: What to check.
        spec: What it must fit.
        where: Where it came from, for the message.

    Raises:
        DemoError: Names the field, the step and what is wrong.
    """
    where = where or episode.label or "episode"
    steps = len(episode)
    fields = spec.fields
    if set(episode.obs) != set(fields):
        raise DemoError(f"{where}: observations {sorted(episode.obs)}, expected {sorted(fields)}")
    for name, (shape, dtype) in fields.items():
        array = episode.obs[name]
        _shape(where, f"observation '{name}'", array, (steps + 1, *shape), dtype)
        _finite(where, f"observation '{name}'", array)
    for name, action in (("action", episode.action), ("proposed action", episode.proposed)):
        if action is not None:
            _action(where, name, action, spec, steps)
    if episode.reward is not None:
        _shape(where, "reward", episode.reward, (steps,), episode.reward.dtype)
        _finite(where, "reward", episode.reward)
    _shape(where, "acted_by", episode.acted_by, (steps,), np.dtype(np.uint8))
    return episode


def empty_obs(spec: Spec, *lead: int) -> Tree:
    """Room for `lead` observations, all zero."""
    return {name: np.zeros((*lead, *f.shape), f.dtype) for name, f in spec.fields.items()}


def pad_entities(obs: Obs, name: str, lists: list[NDArray[Any]], where: str = "") -> Tree:
    """Lists of entities `[n, D]` of different lengths as one array `[T, N, D]` and who is there.

    Raises:
        DemoError: A list is longer than the `N` of the spec.
    """
    value = np.zeros((len(lists), *obs.shape), obs.dtype)
    there = np.zeros((len(lists), obs.shape[0]), bool)
    for t, rows in enumerate(lists):
        if len(rows) > obs.shape[0]:
            raise DemoError(
                f"{where or name}: {len(rows)} entities at step {t}, the spec has room for "
                f"{obs.shape[0]}; raise max_entities"
            )
        value[t, : len(rows)] = rows
        there[t, : len(rows)] = True
    return {name: value, present(name): there}


def _action(where: str, name: str, action: Action, spec: Spec, steps: int) -> None:
    a = spec.action
    _shape(where, f"continuous {name}", action.continuous, (steps, a.continuous), np.dtype(a.dtype))
    _finite(where, f"continuous {name}", action.continuous)
    _shape(where, f"discrete {name}", action.discrete, (steps, len(a.branches)), np.dtype(np.int64))
    for k, size in enumerate(a.branches):
        wrong = np.flatnonzero((action.discrete[:, k] < 0) | (action.discrete[:, k] >= size))
        if len(wrong):
            raise DemoError(
                f"{where}: {name} {int(action.discrete[wrong[0], k])} of branch {k} at step "
                f"{wrong[0]}, the branch has {size} choices"
            )


def _shape(
    where: str, name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> None:
    if array.shape != shape or array.dtype != dtype:
        raise DemoError(
            f"{where}: {name} is {array.dtype} {list(array.shape)}, expected {dtype} {list(shape)}"
        )


def _finite(where: str, name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore"):  # The sum of inf and -inf is nan, as it should be.
        if np.isfinite(array.sum(dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise DemoError(
            f"{where}: {name} is {array[tuple(bad[0])]} at step {bad[0][0]}; "
            "remove that episode or mend the recording"
        )
