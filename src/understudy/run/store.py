"""Experience as it comes: one row per observation, many slots side by side.

The store is a rectangle of rows by slots, made once. Every slot has its own cursor, because agents
need not decide at the same time: one that does not speak writes no row. A row holds what was seen,
then what was done on it and what came of that. The last observation of an episode has its own row,
on which nothing is done; so the row after a row always holds what truly followed, and a time limit
needs no special case.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.batch import Batch
from understudy.data.episode import Tree, empty_obs
from understudy.data.spec import Spec
from understudy.envs.env import Moment
from understudy.nets.flat import F32
from understudy.nets.model import Model


class Store:
    """`T` rows to act on and one more to look at, for `N` slots.

    Attributes:
        obs: Named arrays `[T+1, N, ...]`.
        action: `[T+1, N, ...]` what was done on each row.
        reward: `[T+1, N]` float32, received for it.
        terminated, truncated: `[T+1, N]` bool, whether that ended the episode, and how.
        acted: `[T+1, N]` bool, whether anything was done on the row.
        fresh: `[T+1, N]` bool, whether an episode begins with the row.
        at: `[N]` int64, the newest row of every slot.
    """

    def __init__(self, spec: Spec, rows: int, slots: int) -> None:
        """Make room.

        Args:
            spec: What is seen and done.
            rows: `T`.
            slots: `N`.
        """
        self.rows, self.slots = rows, slots
        self.obs: Tree = empty_obs(spec, rows + 1, slots)
        self.action = Action.zeros(spec.action, rows + 1, slots)
        self.reward = np.zeros((rows + 1, slots), F32)
        self.terminated, self.truncated, self.acted, self.fresh = (
            np.zeros((rows + 1, slots), bool) for _ in range(4)
        )
        self._over = np.zeros(slots, bool)
        self.at = np.full(slots, -1)

    @property
    def full(self) -> bool:
        """Whether a slot has no row left for what follows its next action."""
        return bool((self.at >= self.rows).any())

    def see(self, moment: Moment) -> None:
        """Take in what slots say: what came of their last action, and what they see now.

        Raises:
            IndexError: A slot has no row left; see `full`.
        """
        s, lives = moment.slots, ~moment.fresh
        t, n = self.at[s[lives]], s[lives]
        self.reward[t, n] = moment.reward[lives]
        self.terminated[t, n] = moment.terminated[lives]
        self.truncated[t, n] = moment.truncated[lives]
        self.at[s] += 1
        t = self.at[s]
        for name, x in self.obs.items():
            x[t, s] = moment.obs[name]
        self.fresh[t, s] = moment.fresh
        self.acted[t, s] = False
        self._over[s] = moment.ended

    def do(self, slots: NDArray[np.int64], action: Action) -> None:
        """Note what these slots do on their newest row; on an episode's last row that is nothing.

        Args:
            slots: `[n]` those of the last moment.
            action: `[n, ...]`.
        """
        alive, t = ~self._over[slots], self.at[slots]
        self.action.continuous[t, slots] = np.where(alive[:, None], action.continuous, 0)
        self.action.discrete[t, slots] = np.where(alive[:, None], action.discrete, 0)
        self.acted[t, slots] = alive

    def roll(self) -> None:
        """Begin anew: the newest row of every slot becomes its first."""
        n = np.arange(self.slots)
        for x in (*self.obs.values(), self.fresh):
            x[0] = x[self.at, n]
        self.acted[:] = False
        self.at[:] = 0

    def batch(self, model: Model, state: Tree) -> Batch:
        """All rows as one batch with a look ahead, `[T+1, N]`; `acted` is 0 where nothing was done.

        Args:
            model: Who learns: its codes, and where it computes.
            state: The memory before the first row, `[N, ...]`.
        """
        past = slice(0, self.rows)
        return Batch(
            obs=model.place(self.obs),
            code=model.dist.encode(self.action.at(past)),
            acted=self.acted.astype(F32),
            fresh=self.fresh.copy(),
            state=model.place(state),
            reward=self.reward[past].copy(),
            terminated=self.terminated[past].copy(),
            shown=np.zeros(self.slots, F32),
        )
