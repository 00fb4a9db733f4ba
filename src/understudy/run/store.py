"""Experience as it comes: one row per observation, many slots side by side.

The store is a rectangle of rows by slots, made once. Every slot has its own cursor, because agents
need not decide at the same time: one that does not speak writes no row. A row holds what was seen,
then what was done on it and what came of that. The last observation of an episode has its own row,
on which nothing is done; so the row after a row always holds what truly followed, and a time limit
needs no special case.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.batch import Batch
from understudy.data.episode import Tree, empty_obs
from understudy.data.spec import Spec
from understudy.envs.env import Moment
from understudy.nets.flat import F32
from understudy.nets.model import Model

_ARRAYS = ("reward", "terminated", "truncated", "acted", "fresh", "at")


class Store:
    """`T` rows to act on and one more to look at, for `N` slots.

    Attributes:
        obs: Named arrays `[T+1, N, ...]`.
        action: `[T+1, N, ...]` what was done on each row.
        reward: `[T+1, N]` float32, received for it.
        terminated, truncated: `[T+1, N]` bool, whether that ended the episode, and how.
        acted: `[T+1, N]` bool, whether anything was done on the row.
        fresh: `[T+1, N]` bool, whether an episode begins with the row.
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
        self._at = np.full(slots, -1)
        self._row: int | None = -1
        """The newest row of all slots, as long as they keep in step; None once they do not."""

    @property
    def at(self) -> NDArray[np.int64]:
        """`[N]` the newest row of every slot."""
        if self._row is not None:
            self._at[:] = self._row
        return self._at

    @property
    def full(self) -> bool:
        """Whether a slot has no row left for what follows its next action."""
        if self._row is not None:
            return self._row >= self.rows
        return bool((self.at >= self.rows).any())

    @property
    def known(self) -> NDArray[np.bool_]:
        """`[T+1, N]` of which rows is known what came of them: all before a slot's newest."""
        return np.arange(self.rows + 1)[:, None] < self.at

    def see(self, moment: Moment) -> None:
        """Take in what slots say: what came of their last action, and what they see now.

        Raises:
            IndexError: A slot has no row left; see `full`.
        """
        # What a slot that begins anew says of its last action is 0 and False, and its row before is
        # one on which nothing was done.
        before = self._newest(moment.slots)
        self.reward[before] = moment.reward
        self.terminated[before] = moment.terminated
        self.truncated[before] = moment.truncated
        if self._row is None:
            self._at[moment.slots] += 1
            self._over[moment.slots] = moment.ended
        else:
            self._row += 1
            np.logical_or(moment.terminated, moment.truncated, self._over)
        now = self._newest(moment.slots)
        for name, x in self.obs.items():
            x[now] = moment.obs[name]
        self.fresh[now] = moment.fresh

    def do(self, slots: NDArray[np.int64], action: Action) -> None:
        """Note what these slots do on their newest row; on an episode's last row it is ignored.

        Args:
            slots: `[n]` those of the last moment.
            action: `[n, ...]`.
        """
        now = self._newest(slots)
        self.action.continuous[now] = action.continuous
        self.action.discrete[now] = action.discrete
        over = self._over[slots] if self._row is None else self._over
        self.acted[now] = ~over

    def _newest(self, slots: NDArray[np.int64]) -> Any:
        """Where the newest rows of these slots are; one number while all keep in step.

        Writing there is several times as fast as through two arrays of numbers.
        """
        if self._row is not None and len(slots) == self.slots:
            return self._row
        at, self._row = self.at, None
        return at[slots], slots

    def roll(self) -> None:
        """Begin anew: the newest row of every slot becomes its first."""
        n = np.arange(self.slots)
        # A slot that does not speak at every moment may await what came of an action on that row.
        for x in (*self.obs.values(), *self.action, self.fresh, self.acted):
            x[0] = x[self.at, n]
        self.acted[1:] = False
        self._row = 0

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
            acted=(self.acted & self.known).astype(F32),
            fresh=self.fresh.copy(),
            state=model.place(state),
            reward=self.reward[past].copy(),
            terminated=self.terminated[past].copy(),
            shown=np.zeros(self.slots, F32),
        )

    def state_dict(self) -> dict[str, Any]:
        """Every row."""
        return {
            "obs": {name: x.copy() for name, x in self.obs.items()},
            "action": {name: x.copy() for name, x in self.action._asdict().items()},
            **{name: getattr(self, name).copy() for name in _ARRAYS},
            "over": self._over.copy(),
            "row": self._row,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over every row."""
        for name, x in self.obs.items():
            x[:] = state["obs"][name]
        for name, x in self.action._asdict().items():
            x[:] = state["action"][name]
        for name in _ARRAYS:
            getattr(self, name)[:] = state[name]
        self._over[:] = state["over"]
        self._row = None if state["row"] is None else int(state["row"])
