"""An episode that is still being lived."""

from __future__ import annotations

from typing import Any

import numpy as np

from understudy.data.action import Action
from understudy.data.episode import ActedBy, End, Episode, Tree
from understudy.data.spec import Spec


class EpisodeBuilder:
    """Collects one agent's steps in memory."""

    def __init__(self, spec: Spec, obs: Tree, **facts: Any) -> None:
        """Begin an episode.

        Args:
            spec: What is seen and done.
            obs: What is seen first, without a time axis; copied.
            facts: Other fields of `Episode`, such as `seed`.
        """
        self.spec, self.facts = spec, facts
        self._obs = [_obs_copy(obs)]
        self._actions: list[Action] = []
        self._proposed: list[Action | None] = []
        self._rewards: list[float] = []
        self._acted_by: list[int] = []

    def __len__(self) -> int:
        return len(self._actions)

    def step(
        self,
        action: Action,
        reward: float,
        obs: Tree,
        *,
        proposed: Action | None = None,
        acted_by: ActedBy = ActedBy.UNKNOWN,
    ) -> None:
        """What was executed, what was received, what was seen then; all copied."""
        self._actions.append(_action_copy(action))
        self._proposed.append(None if proposed is None else _action_copy(proposed))
        self._rewards.append(reward)
        self._acted_by.append(acted_by)
        self._obs.append(_obs_copy(obs))

    def end(self, end: End) -> Episode:
        """The episode."""
        spec = self.spec
        action = Action.stack(self._actions) if self._actions else Action.zeros(spec.action, 0)
        meant = [a if p is None else p for p, a in zip(self._proposed, self._actions, strict=True)]
        return Episode(
            obs={name: np.stack([o[name] for o in self._obs]) for name in spec.fields},
            action=action,
            proposed=Action.stack(meant) if any(p is not None for p in self._proposed) else None,
            reward=np.array(self._rewards, np.float32),
            end=end,
            acted_by=np.array(self._acted_by, np.uint8),
            **self.facts,
        )


def _obs_copy(obs: Tree) -> Tree:
    return {name: np.array(x) for name, x in obs.items()}


def _action_copy(action: Action) -> Action:
    return Action(np.array(action.continuous), np.array(action.discrete))
