"""Actors in environments: who is asked when, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.episode import Tree
from understudy.envs.env import Env, Moment


@dataclass(frozen=True, slots=True)
class Turn:
    """What was done by every slot that spoke, and what came of it, by behavior.

    Attributes:
        moments: What the slots say now; valid until the next turn.
        actions: `[n, ...]` what the slots of the moment before did; None at the start.
    """

    moments: Mapping[str, Moment]
    actions: Mapping[str, Action] | None


class Cast:
    """Actors by behavior, with the memory of every slot."""

    def __init__(self, env: Env, actors: Mapping[str, Actor]) -> None:
        """Args: env: where they act. actors: who plays each behavior."""
        self.actors = actors
        self._states: dict[str, Tree] = {
            name: actor.start(env.slots[name]) for name, actor in actors.items()
        }

    def act(self, moments: Mapping[str, Moment]) -> dict[str, Action]:
        """An action for every slot that speaks."""
        return {name: self._one(name, moment) for name, moment in moments.items()}

    def _one(self, name: str, moment: Moment) -> Action:
        memory = self._states[name]
        state = {key: s[moment.slots] for key, s in memory.items()}
        action, state = self.actors[name].act(moment.obs, state, moment.fresh)
        for key, s in state.items():
            memory[key][moment.slots] = s
        return action


def turns(env: Env, actors: Mapping[str, Actor], seed: int | None) -> Iterator[Turn]:
    """Reset the environment and let the actors act for as long as somebody asks.

    The first turn has no actions.
    """
    cast = Cast(env, actors)
    moments = env.reset(seed)
    yield Turn(moments, None)
    while True:
        actions = cast.act(moments)
        moments = env.step(actions)
        yield Turn(moments, actions)
