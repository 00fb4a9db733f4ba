"""Recording: episodes of an actor, in memory or straight into a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.builder import EpisodeBuilder
from understudy.data.episode import ActedBy, End, Episode, Tree
from understudy.data.spec import Spec
from understudy.envs.env import Env, Moment, one
from understudy.run.rollouts import turns


class Take(Protocol):
    """An episode that is being recorded."""

    def step(
        self,
        action: Action,
        reward: float,
        obs: Tree,
        *,
        proposed: Action | None = None,
        acted_by: ActedBy = ActedBy.UNKNOWN,
    ) -> None:
        """One step."""
        ...

    def end(self, end: End) -> Any:
        """The episode is over."""
        ...


Begin = Callable[..., Take]
"""`begin(obs, seed=...) -> Take`, such as `DemoWriter.begin`."""


def record_episodes(
    env: Env,
    actor: Actor,
    episodes: int,
    begin: Begin,
    seed: int,
    saw: Callable[[int, float], None] = lambda length, return_: None,
) -> None:
    """Record a fixed number of episodes from every slot of an environment with one behavior.

    Args:
        env: Where.
        actor: Who.
        episodes: How many in all; slots differ by one at most.
        begin: Opens a recording for every new episode.
        seed: Of the environment.
        saw: Called with length and return of every finished episode.

    An interruption or an error leaves the unfinished episodes in the recording, as open ones.
    """
    behavior = next(iter(env.behaviors))
    slots = env.slots[behavior]
    left = [episodes // slots + (i < episodes % slots) for i in range(slots)]
    takes: dict[int, Take] = {}
    sums: dict[int, list[float]] = {}
    acted: list[int] = []
    try:
        for turn in turns(env, {behavior: actor}, seed):
            moment = one(turn.moments)
            action = None if turn.actions is None else turn.actions[behavior]
            place = {slot: i for i, slot in enumerate(acted)}
            for n, slot in enumerate(moment.slots.tolist()):
                obs = {name: x[n] for name, x in moment.obs.items()}
                if moment.fresh[n]:
                    if left[slot] > 0:
                        takes[slot] = begin(obs, seed=env.seeds(behavior)[slot], agent=slot)
                        sums[slot] = []
                elif slot in takes and action is not None:
                    reward = float(moment.reward[n])
                    takes[slot].step(action.at(place[slot]), reward, obs, acted_by=actor.acted_by)
                    sums[slot].append(reward)
                if slot in takes and moment.ended[n]:
                    takes.pop(slot).end(_end(moment, n))
                    left[slot] -= 1
                    saw(len(sums[slot]), sum(sums[slot]))
            if not any(left):
                return
            acted = moment.slots.tolist()
    finally:
        for take in takes.values():
            take.end(End.OPEN)


def _end(moment: Moment, n: int) -> End:
    return End.TERMINATED if moment.terminated[n] else End.TRUNCATED


class InMemory:
    """Keeps finished episodes in a list.

    Attributes:
        episodes: What was recorded.
    """

    def __init__(self, spec: Spec) -> None:
        """Args: spec: what is seen and done."""
        self.spec = spec
        self.episodes: list[Episode] = []

    def begin(self, obs: Tree, **facts: Any) -> Take:
        """Open a recording."""
        return _Kept(self, EpisodeBuilder(self.spec, obs, **facts))


class _Kept:
    def __init__(self, memory: InMemory, builder: EpisodeBuilder) -> None:
        self.memory, self.builder = memory, builder
        self.step = builder.step

    def end(self, end: End) -> None:
        self.memory.episodes.append(self.builder.end(end))
