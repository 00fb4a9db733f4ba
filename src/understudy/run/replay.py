"""Experience that is learned from many times: a ring of rows for every slot.

One row per observation, as in `understudy.run.store`: a row holds what was seen, then what was done
on it and what came of that; an episode's last observation has a row on which nothing was done. So
the row after a row is what truly followed, no observation is kept twice, and a time limit needs no
special case. A batch is windows of consecutive rows; one that runs over an episode's end has a row
there that weighs nothing.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.episode import Tree, empty_obs
from understudy.data.spec import Spec
from understudy.envs.env import Moment
from understudy.errors import DemoError
from understudy.nets.flat import F32
from understudy.nets.model import Model


class Windows(Protocol):
    """Where windows of remembered rows are drawn from."""

    def sample(self, model: Model, rng: np.random.Generator, size: int, length: int = 1) -> Batch:
        """Windows of `length` rows and one more to look at, `[length + 1, size]`.

        Args:
            model: Who learns: its codes, and where it computes.
            rng: Draws rows.
            size: How many windows.
            length: Rows to learn from in each; something was done on the first.

        Raises:
            ValueError: No row has `length` rows behind it yet.
        """
        ...


class Replay:
    """The newest rows of every slot. See `Windows`.

    Attributes:
        rows, slots: `T` rows are kept of each of `N` slots.
        obs: Named arrays `[T, N, ...]`.
        action: `[T, N, ...]` what was done on each row.
        reward: `[T, N]` float32, received for it.
        terminated: `[T, N]` bool, whether the task was over after it.
        acted: `[T, N]` bool, whether anything was done on the row.
        fresh: `[T, N]` bool, whether an episode begins with the row.
        count: `[N]` int64, how many rows every slot ever wrote; the newest is at
            `(count - 1) % rows`.
    """

    def __init__(self, spec: Spec, rows: int, slots: int) -> None:
        """Make room.

        Args:
            spec: What is seen and done.
            rows: `T`, two at least.
            slots: `N`.
        """
        if rows < 2 or slots < 1:
            raise ValueError(f"a replay of {rows} rows and {slots} slots; expected 2 and 1 or more")
        self.rows, self.slots = rows, slots
        self.obs: Tree = empty_obs(spec, rows, slots)
        self.action = Action.zeros(spec.action, rows, slots)
        self.reward = np.zeros((rows, slots), F32)
        self.terminated, self.acted, self.fresh = (np.zeros((rows, slots), bool) for _ in range(3))
        self.count = np.zeros(slots, np.int64)
        self._over = np.zeros(slots, bool)

    def see(self, moment: Moment) -> None:
        """Take in what slots say: what came of their last action, and what they see now."""
        # What a slot that begins anew says of its last action is 0 and False, and its row before is
        # one on which nothing was done.
        slots = moment.slots
        before = self._newest(slots)
        self.reward[before] = moment.reward
        self.terminated[before] = moment.terminated
        self.count[slots] += 1
        now = self._newest(slots)
        for name, x in self.obs.items():
            x[now] = moment.obs[name]
        self.fresh[now] = moment.fresh
        for x in (self.acted, self.terminated, self.reward):
            x[now] = 0
        self._over[slots] = moment.ended

    def do(self, slots: NDArray[np.int64], action: Action) -> None:
        """Note what these slots do on their newest row; on an episode's last it counts for nothing.

        Args:
            slots: `[n]` those of the last moment.
            action: `[n, ...]`.
        """
        now = self._newest(slots)
        self.action.continuous[now] = action.continuous
        self.action.discrete[now] = action.discrete
        self.acted[now] = ~self._over[slots]

    def _newest(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return (self.count[slots] - 1) % self.rows, slots

    def sample(self, model: Model, rng: np.random.Generator, size: int, length: int = 1) -> Batch:
        """See `Windows`; every row with `length` rows behind it is as likely as any other."""
        index = self._starts(rng, size, length)
        steps = np.arange(length + 1)[:, None] * self.slots
        index = (index + steps) % (self.rows * self.slots)
        past = index[:-1]
        action = Action(_take(self.action.continuous, past), _take(self.action.discrete, past))
        return Batch(
            obs=model.place({name: _take(x, index) for name, x in self.obs.items()}),
            code=model.dist.encode(action),
            acted=_take(self.acted, index).astype(F32),
            fresh=_take(self.fresh, index),
            reward=_take(self.reward, past),
            terminated=_take(self.terminated, past),
            shown=np.zeros(size, F32),
        )

    def _starts(self, rng: np.random.Generator, size: int, length: int) -> NDArray[np.int64]:
        """`[size]` first rows of windows, numbered `row * N + slot`."""
        room = np.maximum(np.minimum(self.count, self.rows) - length, 0)
        total, acted = int(room.sum()), self.acted.reshape(-1)
        found = np.zeros(0, np.int64)
        while len(found) < size:
            # Rows on which nothing was done are drawn and let go: they are few.
            index = self._numbered(rng.integers(max(total, 1), size=size), room)
            kept = index[acted.take(index)] if total else found
            if not len(kept) and not acted.take(self._numbered(np.arange(total), room)).any():
                raise ValueError(
                    f"nothing to draw: no row that was acted on has {length} rows behind it yet"
                )
            found = np.concatenate([found, kept])
        return found[:size]

    def _numbered(self, place: NDArray[np.int64], room: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows at these places in the list of all windows: slot after slot, oldest first.

        Args:
            place: `[n]`.
            room: `[N]` how many windows every slot has.
        """
        ends = np.cumsum(room)
        slot = np.minimum(np.searchsorted(ends, place, "right"), self.slots - 1)
        oldest = np.maximum(self.count - self.rows, 0)
        row = (oldest - ends + room)[slot] + place
        return row % self.rows * self.slots + slot

    def state_dict(self) -> dict[str, Any]:
        """Every row that was written."""
        used = min(int(self.count.max()), self.rows)
        return {
            "obs": {name: x[:used].copy() for name, x in self.obs.items()},
            "continuous": self.action.continuous[:used].copy(),
            "discrete": self.action.discrete[:used].copy(),
            **{name: getattr(self, name)[:used].copy() for name in _COLUMNS},
            "count": self.count.copy(),
            "over": self._over.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over every row.

        Raises:
            ValueError: It is the state of a ring of another size.
        """
        used, slots = state["reward"].shape
        written = int(np.max(state["count"]))
        if slots != self.slots or used != min(written, self.rows):
            raise ValueError(
                f"a replay of {used} rows and {slots} slots does not fit one of "
                f"{self.rows} and {self.slots}"
            )
        for name, x in self.obs.items():
            x[:used] = state["obs"][name]
        self.action.continuous[:used] = state["continuous"]
        self.action.discrete[:used] = state["discrete"]
        for name in _COLUMNS:
            getattr(self, name)[:used] = state[name]
        self.count[:], self._over[:] = state["count"], state["over"]


_COLUMNS = ("reward", "terminated", "acted", "fresh")


def replay_of(demos: Demos, *, unrewarded: bool = False) -> Replay:
    """Demonstrations as a replay of one slot, all of whose rows are remembered.

    A step whose next observation is not known is left out, unless the task was over after it.

    Args:
        demos: What was shown.
        unrewarded: Whether episodes without rewards may be among them; their rewards then read 0,
            which is false, so no learner may look at them.

    Raises:
        DemoError: There is no episode, or one without rewards.
    """
    rows = demos.rows()
    replay = Replay(demos.spec, len(rows), 1)
    for name, x in replay.obs.items():
        x[:, 0] = rows.obs[name]
    replay.action.continuous[:, 0] = rows.action.continuous
    replay.action.discrete[:, 0] = rows.action.discrete
    replay.reward[:, 0], replay.fresh[:, 0] = rows.reward, rows.fresh
    replay.acted[:, 0] = rows.acted
    end = -1
    for number, episode in enumerate(demos):
        end += len(episode) + 1
        if episode.reward is None and not unrewarded:
            raise DemoError(
                f"{episode.label or f'episode {number}'}: no rewards were recorded, and learning "
                "from the environment's reward needs them"
            )
        if len(episode):
            replay.terminated[end - 1, 0] = episode.terminated
            replay.acted[end - 1, 0] = episode.terminated or episode.final_obs_known
    replay.count[:] = len(rows)
    return replay


class Mixed:
    """Batches with a fixed part from demonstrations. See `Windows`.

    Ball et al. (2023), "Efficient Online Reinforcement Learning with Offline Data", section 4.1,
    arXiv:2302.02948, mix them half and half.
    """

    def __init__(self, lived: Windows, shown: Windows, ratio: float) -> None:
        """Args: lived, shown: what to mix. ratio: share of the second in every batch, in [0, 1]."""
        if not 0 <= ratio <= 1:
            raise ValueError(f"ratio={ratio}: expected a share of the batch in [0, 1]")
        self.lived, self.shown, self.ratio = lived, shown, ratio

    def sample(self, model: Model, rng: np.random.Generator, size: int, length: int = 1) -> Batch:
        """See `Windows`; demonstrations come last, `shown` is 1 there."""
        count = round(size * self.ratio)
        lived = self.lived.sample(model, rng, size - count, length) if count < size else None
        shown = self.shown.sample(model, rng, count, length) if count else None
        if shown is None or lived is None:
            batch = shown or lived
            assert batch is not None, "one of them fills the batch"
            batch.shown[:] = shown is not None
            return batch
        shown.shown[:] = 1
        return Batch(
            obs={name: np.concatenate([x, shown.obs[name]], 1) for name, x in lived.obs.items()},
            code=np.concatenate([lived.code, shown.code], 1),
            acted=np.concatenate([lived.acted, shown.acted], 1),
            fresh=np.concatenate([lived.fresh, shown.fresh], 1),
            reward=np.concatenate([lived.reward, shown.reward], 1),
            terminated=np.concatenate([lived.terminated, shown.terminated], 1),
            shown=np.concatenate([lived.shown, shown.shown]),
        )


def _take(x: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """The rows of `[T, N, ...]` at these numbers `row * N + slot`."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]).take(index, 0)
