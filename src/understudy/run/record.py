"""Recording: episodes of an actor, in memory or straight into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.builder import EpisodeBuilder
from understudy.data.episode import ActedBy, End, Episode, Tree
from understudy.data.spec import ActionSpec, Spec
from understudy.envs.env import Env, Moment
from understudy.run.quota import Ledger, Wanted
from understudy.run.rollouts import only_behavior, turns


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

    def end(self, end: End, tags: Iterable[str] = ()) -> Any:
        """The episode is over, and marked with these words."""
        ...

    def discard(self) -> None:
        """The episode is not kept."""
        ...


Begin = Callable[..., Take]
"""`begin(obs, seed=...) -> Take`, such as `DemoWriter.begin`."""


def record_episodes(
    env: Env,
    actor: Actor,
    episodes: int | Wanted,
    begin: Begin,
    seed: int,
    saw: Callable[[int, float], None] = lambda length, return_: None,
) -> Ledger:
    """Record a fixed number of episodes from every slot of an environment with one behavior.

    An interruption or an error leaves the unfinished episodes in the recording, as open ones.

    Args:
        env: Where.
        actor: Who. Recorded is what was executed: what it did, within the bounds. What it meant is
            recorded beside that on steps where it was something else.
        episodes: How many in all; slots differ by one at most. Or what else is wanted.
        begin: Opens a recording for every new episode.
        seed: Of the environment.
        saw: Called with length and return of every finished episode that is kept.

    Returns:
        What every slot recorded.

    Raises:
        EnvError: The environment has several behaviors, or fails.
    """
    behavior = only_behavior(env)
    wanted = episodes if isinstance(episodes, Wanted) else Wanted(episodes=episodes)
    ledger = Ledger(wanted, env.slots[behavior])
    takes = _Takes(begin, env.behaviors[behavior].action, ledger, actor.acted_by, saw)
    try:
        for turn in turns(env, {behavior: actor}, seed):
            if turn.actions is not None and behavior in turn.actions:
                takes.did(turn.actions[behavior], turn.proposed[behavior])
            if behavior in turn.moments:
                takes.see(turn.moments[behavior], env.seeds(behavior))
            if not ledger.open.any():
                break
    finally:
        takes.leave()
    return ledger


class _Takes:
    """The episodes that are being recorded, by slot."""

    def __init__(
        self,
        begin: Begin,
        spec: ActionSpec,
        ledger: Ledger,
        acted_by: ActedBy,
        saw: Callable[[int, float], None],
    ) -> None:
        self._ledger = ledger
        self._begin, self._acted_by, self._saw = begin, acted_by, saw
        self._spec = spec
        self._open: dict[int, tuple[Take, list[float]]] = {}
        self._spoke: list[int] = []
        # A slot need not speak at every moment: what it did waits until it does.
        self._done: dict[int, tuple[Action, Action | None]] = {}

    def did(self, action: Action, proposed: Action | None) -> None:
        """What the slots of the last moment did and meant, `[n, ...]`."""
        executed, meant, differs = executed_and_meant(action, proposed, self._spec)
        for n, slot in enumerate(self._spoke):
            if slot in self._open:
                self._done[slot] = executed.at(n), meant.at(n) if differs[n] else None

    def see(self, moment: Moment, seeds: list[int | None]) -> None:
        """What the slots say then."""
        self._spoke = moment.slots.tolist()
        for n, slot in enumerate(self._spoke):
            obs = {name: x[n] for name, x in moment.obs.items()}
            if moment.fresh[n] and self._ledger.open[slot]:
                self._open[slot] = self._begin(obs, seed=seeds[slot], agent=slot), []
            elif slot in self._open:
                self._step(slot, float(moment.reward[n]), obs)
                if moment.ended[n]:
                    self._end(slot, End.TERMINATED if moment.terminated[n] else End.TRUNCATED)

    def _step(self, slot: int, reward: float, obs: Tree) -> None:
        take, rewards = self._open[slot]
        action, proposed = self._done[slot]
        take.step(action, reward, obs, proposed=proposed, acted_by=self._acted_by)
        rewards.append(reward)

    def _end(self, slot: int, end: End) -> None:
        take, rewards = self._open.pop(slot)
        if self._ledger.count(slot, len(rewards), sum(rewards)):
            take.end(end)
            self._saw(len(rewards), sum(rewards))
        else:
            take.discard()

    def leave(self) -> None:
        """Nothing more is recorded; what is unfinished stays open, unless it had to earn it."""
        for take, _ in self._open.values():
            if self._ledger.wanted.min_return is None:
                take.end(End.OPEN)
            else:
                take.discard()


def executed_and_meant(
    action: Action, proposed: Action | None, spec: ActionSpec
) -> tuple[Action, Action, NDArray[np.bool_]]:
    """`[n, ...]` what is executed and what was meant by it, and `[n]` where these differ.

    Args:
        action: `[n, ...]` what an actor did.
        proposed: What it meant, see `Actor.proposed`.
        spec: Whose bounds hold.
    """
    executed = action.within(spec)
    meant = action if proposed is None else proposed
    meant = Action(meant.continuous.astype(spec.dtype, copy=False), meant.discrete)
    differs = (meant.continuous != executed.continuous).any(1)
    differs |= (meant.discrete != executed.discrete).any(1)
    return executed, meant, differs


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
    """A `Take` in memory."""

    def __init__(self, memory: InMemory, builder: EpisodeBuilder) -> None:
        self.memory, self.builder = memory, builder
        self.step = builder.step

    def discard(self) -> None:
        pass

    def end(self, end: End, tags: Iterable[str] = ()) -> None:
        self.memory.episodes.append(replace(self.builder.end(end), tags=tuple(tags)))
