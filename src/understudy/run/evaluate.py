"""How good an actor is where it acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.actor import Actor
from understudy.envs.env import Env
from understudy.ops.statistics import bootstrap_interval, iqm
from understudy.run.rollouts import only_behavior, quotas, turns


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Returns of finished episodes under the environment's own reward.

    Attributes:
        returns: `[E]` sum of rewards.
        lengths: `[E]` steps.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.returns)

    @property
    def iqm(self) -> float:
        """Interquartile mean of the returns."""
        return float(iqm(self.returns))

    def summary(self) -> dict[str, Any]:
        """Episodes, mean, iqm with its 95% bootstrap interval, spread, length; as JSON values."""
        low, high = bootstrap_interval(self.returns, np.random.default_rng(0))
        return {
            "episodes": len(self),
            "return": {
                "mean": float(self.returns.mean()),
                "iqm": self.iqm,
                "ci95": [low, high],
                "std": float(self.returns.std()),
                "min": float(self.returns.min()),
                "max": float(self.returns.max()),
            },
            "length": {"mean": float(self.lengths.mean()), "max": int(self.lengths.max())},
        }


def play(env: Env, actor: Actor, episodes: int, seed: int) -> Evaluation:
    """Play a fixed number of episodes in every slot, and say what they brought.

    Args:
        env: Has one behavior.
        actor: Who plays it.
        episodes: How many in all; slots differ by one at most.
        seed: Of the environment. The same seed shows every actor the same starts.

    Raises:
        ValueError: Not even one episode was asked for.
        EnvError: The environment has several behaviors, or fails.
    """
    if episodes < 1:
        raise ValueError(f"episodes={episodes}: expected at least 1")
    behavior = only_behavior(env)
    slots = env.slots[behavior]
    left = quotas(episodes, slots)
    finished: list[tuple[int, float, int]] = []  # slot, return, length
    total, steps = np.zeros(slots), np.zeros(slots, np.int64)
    for turn in turns(env, {behavior: actor}, seed):
        moment = turn.moments.get(behavior)
        if moment is None:
            continue
        s = moment.slots
        total[s] += moment.reward
        steps[s] += ~moment.fresh
        for i in s[moment.ended]:
            if left[i]:
                left[i] -= 1
                finished.append((int(i), float(total[i]), int(steps[i])))
            total[i] = steps[i] = 0
        if not left.any():
            break
    # By slot and time, so that the order does not depend on how long others took.
    finished.sort(key=lambda episode: episode[0])
    return Evaluation(
        np.array([return_ for _, return_, _ in finished], np.float64),
        np.array([length for _, _, length in finished], np.int64),
    )
