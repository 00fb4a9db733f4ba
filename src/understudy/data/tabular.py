"""Tasks whose states can be counted: which one was seen, and an actor that looks choices up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import ActedBy, Episode, Tree
from understudy.errors import DemoError


class Walk(NamedTuple):
    """An episode as states and choices.

    Attributes:
        states: `[T+1]` int64.
        choices: `[T]` int64, what the demonstrator meant.
        episode: Where they came from.
    """

    states: NDArray[np.int64]
    choices: NDArray[np.int64]
    episode: Episode


def walks(demos: Demos, num_states: int, num_actions: int) -> Iterator[Walk]:
    """The episodes of demonstrations as states and choices.

    Args:
        demos: One observation that says the state as a one-hot, as Gymnasium's `Discrete` spaces
            are seen here; one branch of choices.
        num_states: How many states there are.
        num_actions: How many choices.

    Raises:
        DemoError: Something else is seen or done, or the last observation is missing.
    """
    spec = demos.spec
    shapes = [obs.shape for obs in spec.obs.values()]
    if shapes != [(num_states,)] or spec.action.branches != (num_actions,):
        raise DemoError(
            f"these demonstrations: {spec.describe()}; expected a one-hot of {num_states} states "
            f"and one choice out of {num_actions}, as a task of so many states shows them"
        )
    if spec.action.continuous:
        raise DemoError(f"these demonstrations: {spec.describe()}; expected choices alone")
    for episode in demos:
        if not episode.final_obs_known:
            raise DemoError(f"{episode.label or 'an episode'}: its last observation is missing")
        states = state_of(episode.obs, episode.label)
        yield Walk(states, episode.meant.discrete[:, 0], episode)


def state_of(obs: Tree, where: str = "") -> NDArray[np.int64]:
    """`[n]` which state the only observation, `[n, S]`, says by a one-hot.

    Raises:
        DemoError: It is not a one-hot.
    """
    (hot,) = obs.values()
    if not (((hot == 0) | (hot == 1)).all() and (hot.sum(1) == 1).all()):
        raise DemoError(f"{where or 'an observation'}: expected a one-hot of {hot.shape[1]} states")
    return hot.argmax(1)


class TabularActor:
    """Draws its choices from a table; see `Actor`.

    Attributes:
        acted_by: For recordings.
        proposed: None.
        policy: `[T, S, A]` the chances: step t of an episode looks into row t, and into the last
            row after that.
    """

    proposed: Action | None = None

    def __init__(
        self, policy: NDArray[Any], seed: int = 0, acted_by: ActedBy = ActedBy.POLICY
    ) -> None:
        """Args: policy: see above. seed: of the draws. acted_by: for recordings."""
        self.policy, self.acted_by = policy, acted_by
        self._sums = policy.cumsum(-1)
        self._rng = np.random.default_rng(seed)

    def start(self, slots: int) -> Tree:
        """How many steps every slot has taken."""
        return {"steps": np.zeros(slots, np.int64)}

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor.act`."""
        steps = np.where(fresh, 0, state["steps"])
        sums = self._sums[np.minimum(steps, len(self.policy) - 1), state_of(obs)]
        # Scaled by the last sum, which rounding may have left below 1.
        drawn = self._rng.random(len(steps))[:, None] * sums[:, -1:]
        choice = (drawn >= sums).sum(1, keepdims=True).astype(np.int64)
        return Action(np.zeros((len(choice), 0), np.float32), choice), {"steps": steps + 1}
