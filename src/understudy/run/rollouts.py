"""Actors in environments: who is asked when, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.episode import Tree
from understudy.envs.env import Env, Moment
from understudy.errors import EnvError


@dataclass(frozen=True, slots=True)
class Turn:
    """What was done by every slot that spoke, and what came of it, by behavior.

    Attributes:
        moments: What the slots say now; valid until the next turn.
        actions: `[n, ...]` what the slots of the moment before did; None at the start.
        proposed: What they meant by it, where that is something else; see `Actor.proposed`.
    """

    moments: Mapping[str, Moment]
    actions: Mapping[str, Action] | None
    proposed: Mapping[str, Action | None]


class Cast:
    """Actors by behavior, with the memory of every slot.

    Attributes:
        actors: Who plays each behavior.
        proposed: What each meant by the last `act`; see `Actor.proposed`.
    """

    def __init__(self, env: Env, actors: Mapping[str, Actor]) -> None:
        """Args: env: where they act. actors: who plays each behavior."""
        self.actors = actors
        self.proposed: dict[str, Action | None] = {}
        self._slots = env.slots
        self._states: dict[str, Tree] = {
            name: actor.start(env.slots[name]) for name, actor in actors.items()
        }

    def memory(self, name: str, slots: NDArray[np.int64]) -> Tree:
        """`[n, ...]` what these slots of a behavior remember, as a copy."""
        return {key: s[slots] for key, s in self._states[name].items()}

    def act(self, moments: Mapping[str, Moment]) -> dict[str, Action]:
        """An action for every slot that speaks."""
        self.proposed = {}
        return {name: self._one(name, moment) for name, moment in moments.items()}

    def _one(self, name: str, moment: Moment) -> Action:
        actor, memory, slots = self.actors[name], self._states[name], moment.slots
        if len(slots) == self._slots[name]:
            action, state = actor.act(moment.obs, memory, moment.fresh)
            for key, s in state.items():
                memory[key][:] = s
        else:
            state = self.memory(name, slots)
            action, state = actor.act(moment.obs, state, moment.fresh)
            for key, s in state.items():
                memory[key][slots] = s
        self.proposed[name] = actor.proposed
        return action

    def state_dict(self) -> dict[str, Any]:
        """The memory of every slot, by behavior."""
        return {
            name: {key: np.array(s) for key, s in state.items()}
            for name, state in self._states.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the memory of every slot."""
        for name, memory in self._states.items():
            for key, s in memory.items():
                s[:] = state[name][key]


class Tally:
    """What every slot has received in its present episode, `[slots]`."""

    def __init__(self, slots: int) -> None:
        """Args: slots: how many."""
        self._sums = np.zeros(slots)

    def hear(self, moment: Moment) -> list[float]:
        """Take in what slots received.

        Returns:
            The sums of the episodes that end here.
        """
        self._sums[moment.slots] += moment.reward
        if not moment.ended.any():
            return []
        over = moment.slots[moment.ended]
        brought = self._sums[over].tolist()
        self._sums[over] = 0
        return brought

    def hear_rows(
        self, reward: NDArray[np.float32], ended: NDArray[np.bool_], known: NDArray[np.bool_]
    ) -> list[float]:
        """Take in rows `[T, slots]` at once, which is several times as fast as one by one.

        Args:
            reward: What came of every row.
            ended: Whether that ended the episode.
            known: Which rows to take in; of every slot the first ones.

        Returns:
            The sums of the episodes that end here, in the order of their rows.
        """
        sums = self._sums + np.where(known, reward, 0).cumsum(0, dtype=np.float64)
        row, slot = np.nonzero(ended & known)
        by_slot = np.argsort(slot, kind="stable")
        slot = slot[by_slot]
        total = sums[row[by_slot], slot]
        # An episode brought what was added up since the one before it in its slot.
        first = np.ones(len(slot), bool)
        first[1:] = slot[1:] != slot[:-1]
        brought = np.empty_like(total)
        brought[by_slot] = total - np.where(first, 0, np.roll(total, 1))
        # Of several numbers written to one place the last one stays.
        spent = np.zeros_like(self._sums)
        spent[slot] = total
        self._sums = sums[-1] - spent
        return brought.tolist()

    def state_dict(self) -> dict[str, Any]:
        """The sums."""
        return {"sums": self._sums.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the sums."""
        self._sums[:] = state["sums"]


def turns(env: Env, actors: Mapping[str, Actor], seed: int | None) -> Iterator[Turn]:
    """Reset the environment and let the actors act for as long as somebody asks.

    The first turn has no actions.
    """
    cast = Cast(env, actors)
    moments = env.reset(seed)
    yield Turn(moments, None, {})
    while True:
        actions = cast.act(moments)
        moments = env.step(actions)
        yield Turn(moments, actions, cast.proposed)


def only_behavior(env: Env) -> str:
    """The name of the behavior of an environment that has one.

    Raises:
        EnvError: It has several, or none.
    """
    if len(env.behaviors) != 1:
        found = ", ".join(env.behaviors) or "none"
        raise EnvError(f"{env.env_id}: expected one behavior, found {found}")
    return next(iter(env.behaviors))


def quotas(episodes: int, slots: int) -> NDArray[np.int64]:
    """`[slots]` how many episodes each slot lives; they differ by one at most.

    Settled beforehand: whoever counts the first episodes to finish, from whichever slot, favors
    short ones.
    """
    quota = np.full(slots, episodes // slots)
    quota[: episodes % slots] += 1
    return quota
