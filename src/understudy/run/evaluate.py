"""How good an actor is where it acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.actor import Actor
from understudy.envs.env import Env, one
from understudy.ops.statistics import bootstrap_interval, iqm
from understudy.run.rollouts import turns


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
        """Episodes, mean, iqm with its 95% bootstrap interval, spread and length, as JSON values."""
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

    Counting the first episodes to finish, from whichever slot, would favor short ones.

    Args:
        env: Has one behavior.
        actor: Who plays it.
        episodes: How many in all; slots differ by one at most.
        seed: Of the environment. The same seed shows every actor the same starts.
    """
    behavior = next(iter(env.behaviors))
    slots = env.slots[behavior]
    quota = np.full(slots, episodes // slots)
    quota[: episodes % slots] += 1
    returns: list[list[float]] = [[] for _ in range(slots)]
    lengths: list[list[int]] = [[] for _ in range(slots)]
    total, steps = np.zeros(slots), np.zeros(slots, np.int64)
    for turn in turns(env, {behavior: actor}, seed):
        moment = one(turn.moments)
        s = moment.slots
        total[s] += moment.reward
        steps[s] += ~moment.fresh
        for i in s[moment.ended]:
            if len(returns[i]) < quota[i]:
                returns[i].append(float(total[i]))
                lengths[i].append(int(steps[i]))
            total[i] = steps[i] = 0
        if all(len(r) >= q for r, q in zip(returns, quota, strict=True)):
            break
    return Evaluation(
        np.array([x for slot in returns for x in slot], np.float64),
        np.array([x for slot in lengths for x in slot], np.int64),
    )
