"""Experience that is learned from many times: a ring of rows for every slot.

One row per observation, as in `understudy.run.store`: a row holds what was seen, then what was done
on it and what came of that; an episode's last observation has a row on which nothing was done. So
the row after a row is what truly followed, no observation is kept twice, and a time limit needs no
special case. A batch is windows of consecutive rows; one that runs over an episode's end has a row
there that weighs nothing. Who remembers has its memory recorded with every row: so a window can
begin in the middle of an episode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.batch import Batch
from understudy.data.demos import Demos
from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.envs.env import Moment
from understudy.errors import DemoError
from understudy.nets.flat import F32
from understudy.nets.model import Model, start_state
from understudy.ops.arrays import Array, module_of


class Windows(Protocol):
    """Where windows of remembered rows are drawn from."""

    def sample(
        self,
        model: Model,
        rng: np.random.Generator,
        size: int,
        length: int = 1,
        burn_in: int = 0,
        n_step: int = 1,
    ) -> Batch:
        """Windows of `burn_in + length + n_step` rows, `[..., size]`.

        Args:
            model: Who learns: its codes, and where it computes.
            rng: Draws rows.
            size: How many windows.
            length: Rows to learn from in each; something was done on the first.
            burn_in: Rows before them, which warm the memory.
            n_step: Rows behind them, to look at.

        Raises:
            ValueError: There is no such window yet.
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
        state: `[T, N, ...]` float32 of every memory, as it was before the row.
        count: `[N]` int64, how many rows every slot ever wrote; the newest is at
            `(count - 1) % rows`.
    """

    def __init__(
        self,
        spec: Spec,
        rows: int,
        slots: int,
        memory: Mapping[str, tuple[int, ...]] | None = None,
        *,
        closed: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Make room; what was never written takes no memory yet.

        Args:
            spec: What is seen and done.
            rows: `T`, two at least.
            slots: `N`.
            memory: Shape of every named memory that is recorded, as of `Model`.
            closed: Whether the first row follows the last one, and all are there.
            folder: Where the rows lie on a disk instead of in memory; files of rows that are there
                are overwritten, and of no use to anybody else. None for memory.
        """
        if rows < 2 or slots < 1:
            raise ValueError(f"a replay of {rows} rows and {slots} slots; expected 2 and 1 or more")
        self.rows, self.slots, self.closed = rows, slots, closed
        fields, a = spec.fields.items(), spec.action

        def room(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
            return _column(folder, name, (rows, slots, *shape), dtype)

        self.obs: Tree = {n: room(f"obs-{i}", f.shape, f.dtype) for i, (n, f) in enumerate(fields)}
        self.action = Action(
            room("continuous", (a.continuous,), a.dtype),
            room("discrete", (len(a.branches),), np.int64),
        )
        self.reward = room("reward", (), F32)
        self.terminated, self.acted, self.fresh = (
            room(name, (), bool) for name in ("terminated", "acted", "fresh")
        )
        shapes = enumerate((memory or {}).items())
        self.state: Tree = {n: room(f"state-{i}", shape, F32) for i, (n, shape) in shapes}
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
        for x in (self.acted, self.terminated, self.reward, *self.state.values()):
            x[now] = 0
        self._over[slots] = moment.ended

    def do(self, slots: NDArray[np.int64], action: Action, state: Tree | None = None) -> None:
        """Note what these slots do on their newest row; on an episode's last it counts for nothing.

        Args:
            slots: `[n]` those of the last moment.
            action: `[n, ...]`.
            state: `[n, ...]` of every memory, before the row; what is not there is noted as 0.
        """
        now = self._newest(slots)
        for name, x in (state or {}).items():
            self.state[name][now] = x
        self.action.continuous[now] = action.continuous
        self.action.discrete[now] = action.discrete
        self.acted[now] = ~self._over[slots]

    def _newest(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return (self.count[slots] - 1) % self.rows, slots

    def sample(
        self,
        model: Model,
        rng: np.random.Generator,
        size: int,
        length: int = 1,
        burn_in: int = 0,
        n_step: int = 1,
    ) -> Batch:
        """See `Windows`; every row that may be the first to learn from is as likely as any other.

        A window holds rows that were lived one after the other, or shown: in a closed replay the
        first episode follows the last.
        """
        last = length + n_step - 1
        first = self._drawn(rng, size, burn_in, last)
        steps = np.arange(-burn_in, last + 1)[:, None] * self.slots
        index = (first + steps) % (self.rows * self.slots)
        past = index[:-1]
        action = Action(_take(self.action.continuous, past), _take(self.action.discrete, past))
        return Batch(
            obs=model.place({name: _take(x, index) for name, x in self.obs.items()}),
            code=model.dist.encode(action),
            acted=_take(self.acted, index).astype(F32),
            fresh=_take(self.fresh, index),
            state=model.place(self._remembered(model, index[0])),
            reward=_take(self.reward, past),
            terminated=_take(self.terminated, past),
            shown=np.zeros(size, F32),
            burn_in=burn_in,
            n_step=n_step,
        )

    def _remembered(self, model: Model, first: NDArray[np.int64]) -> Tree:
        """The memory before these rows; an empty one where none was recorded."""
        recorded = {name: _take(x, first) for name, x in self.state.items()}
        return start_state(model, len(first)) | recorded

    def _drawn(
        self, rng: np.random.Generator, size: int, before: int, behind: int
    ) -> NDArray[np.int64]:
        """`[size]` rows with so many others before and behind them, as `row * N + slot`."""
        kept = np.minimum(self.count, self.rows)
        room = kept if self.closed else np.maximum(kept - before - behind, 0)
        skipped = 0 if self.closed else before
        total, acted = int(room.sum()), self.acted.reshape(-1)
        found = np.zeros(0, np.int64)
        while len(found) < size:
            # Rows on which nothing was done are drawn and let go: they are few.
            index = self._numbered(rng.integers(max(total, 1), size=size), room, skipped)
            drawn = index[acted.take(index)] if total else found
            every = np.arange(total)
            if not len(drawn) and not acted.take(self._numbered(every, room, skipped)).any():
                raise ValueError(
                    f"nothing to draw: no row that was acted on has {before} rows before it and "
                    f"{behind} rows behind it yet"
                )
            found = np.concatenate([found, drawn])
        return found[:size]

    def _numbered(
        self, place: NDArray[np.int64], room: NDArray[np.int64], skipped: int
    ) -> NDArray[np.int64]:
        """The rows at these places in the list of all that may be drawn: slot after slot.

        Args:
            place: `[n]`.
            room: `[N]` how many every slot has.
            skipped: How many of its oldest rows every slot leaves out.
        """
        ends = np.cumsum(room)
        slot = np.minimum(np.searchsorted(ends, place, "right"), self.slots - 1)
        oldest = np.maximum(self.count - self.rows, 0) + skipped
        row = (oldest - ends + room)[slot] + place
        return row % self.rows * self.slots + slot

    def state_dict(self) -> dict[str, Any]:
        """Every row that was written."""
        used = min(int(self.count.max()), self.rows)
        return {
            "obs": {name: x[:used].copy() for name, x in self.obs.items()},
            "state": {name: x[:used].copy() for name, x in self.state.items()},
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
        for name, x in self.state.items():
            x[:used] = state["state"][name]
        self.action.continuous[:used] = state["continuous"]
        self.action.discrete[:used] = state["discrete"]
        for name in _COLUMNS:
            getattr(self, name)[:used] = state[name]
        self.count[:], self._over[:] = state["count"], state["over"]


_COLUMNS = ("reward", "terminated", "acted", "fresh")


def replay_of(demos: Demos, *, unrewarded: bool = False) -> Replay:
    """Demonstrations as a closed replay of one slot.

    Nobody's memory is recorded: windows into the middle of an episode begin with an empty one,
    which `burn_in` rows warm. A step whose next observation is not known is left out, unless the
    task was over after it.

    Args:
        demos: What was shown.
        unrewarded: Whether episodes without rewards may be among them; their rewards then read 0,
            which is false, so no learner may look at them.

    Raises:
        DemoError: There is no episode, or one without rewards.
    """
    rows = demos.rows()
    replay = Replay(demos.spec, len(rows), 1, closed=True)
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

    def sample(
        self,
        model: Model,
        rng: np.random.Generator,
        size: int,
        length: int = 1,
        burn_in: int = 0,
        n_step: int = 1,
    ) -> Batch:
        """See `Windows`; demonstrations come last, `shown` is 1 there."""
        count = round(size * self.ratio)
        parts: list[Batch] = []
        for source, part, shown in ((self.lived, size - count, 0), (self.shown, count, 1)):
            if part:
                parts.append(source.sample(model, rng, part, length, burn_in, n_step))
                parts[-1].shown[:] = shown
        return parts[0] if len(parts) == 1 else side_by_side(parts)


def side_by_side(parts: Sequence[Batch]) -> Batch:
    """Batches of windows of the same length as one."""
    one = parts[0]

    def joined(arrays: Sequence[Array], axis: int) -> Array:
        return module_of(arrays[0]).concatenate(arrays, axis)

    def column(name: str) -> Array:
        return joined([getattr(part, name) for part in parts], 1)

    return replace(
        one,
        obs={name: joined([part.obs[name] for part in parts], 1) for name in one.obs},
        code=column("code"),
        acted=column("acted"),
        fresh=column("fresh"),
        reward=column("reward"),
        terminated=column("terminated"),
        shown=joined([part.shown for part in parts], 0),
        state={name: joined([part.state[name] for part in parts], 0) for name in one.state},
    )


def _column(folder: Path | None, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Room for one array of a replay, all zero."""
    if folder is None or 0 in shape:
        return np.zeros(shape, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    return np.asarray(np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape))


def _take(x: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """The rows of `[T, N, ...]` at these numbers `row * N + slot`."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]).take(index, 0)
