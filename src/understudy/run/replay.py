"""Experience that is learned from many times: a ring of rows for every slot.

One row per observation, as in `understudy.run.store`: a row holds what was seen, then what was done
on it and what came of that; an episode's last observation has a row on which nothing was done. So
the row after a row is what truly followed, no observation is kept twice, and a time limit needs no
special case. A batch is windows of consecutive rows; one that runs over an episode's end has a row
there that weighs nothing. Who remembers has its memory recorded with every row: so a window can
begin in the middle of an episode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from understudy.errors import CheckpointError, DemoError
from understudy.nets.flat import F32
from understudy.nets.model import Model, start_state
from understudy.run.blocks import Blocks

BLOCK_BYTES = 4 << 20
"""How large the pieces are in which rows are kept. A checkpoint writes what is new and at most a
piece more."""


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
        self._blocks: Blocks | None = None
        self._kept: list[str] = []
        self._kept_count = np.zeros(slots, np.int64)

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
        room, skipped = self._room(burn_in, last)
        first = self._drawn(rng, size, room, skipped)
        if first is None:
            raise ValueError(
                f"nothing to draw: no row that was acted on has {burn_in} rows before it and "
                f"{last} rows behind it yet"
            )
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

    def ready(self, length: int = 1, burn_in: int = 0, n_step: int = 1) -> bool:
        """Whether `sample` finds a window."""
        return self._acted_on(*self._room(burn_in, length + n_step - 1))

    def _room(self, before: int, behind: int) -> tuple[NDArray[np.int64], int]:
        """`[N]` rows of every slot with so many before and behind them; see `_numbered`."""
        kept = np.minimum(self.count, self.rows)
        if self.closed:
            return kept, 0
        return np.maximum(kept - before - behind, 0), before

    def _drawn(
        self, rng: np.random.Generator, size: int, room: NDArray[np.int64], skipped: int
    ) -> NDArray[np.int64] | None:
        """`[size]` rows on which something was done, numbered `row * N + slot`; None of none."""
        total, acted = int(room.sum()), self.acted.reshape(-1)
        found = np.zeros(0, np.int64)
        while len(found) < size:
            # Rows on which nothing was done are drawn and let go: they are few.
            index = self._numbered(rng.integers(max(total, 1), size=size), room, skipped)
            drawn = index[acted.take(index)] if total else found
            if not len(drawn) and not self._acted_on(room, skipped):
                return None
            found = np.concatenate([found, drawn])
        return found[:size]

    def _acted_on(self, room: NDArray[np.int64], skipped: int) -> bool:
        """Whether anything was done on any row that may be drawn; see `_numbered`."""
        every = self._numbered(np.arange(int(room.sum())), room, skipped)
        return bool(self.acted.reshape(-1).take(every).any())

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

    def forget(self) -> None:
        """Remember nothing, as at the beginning."""
        self.count[:], self._over[:], self._kept_count[:] = 0, False, 0
        self._kept = []

    def _columns(self) -> dict[str, NDArray[Any]]:
        """Everything that a row holds, by name."""
        return {
            **{f"obs/{name}": x for name, x in self.obs.items()},
            **{f"state/{name}": x for name, x in self.state.items()},
            "continuous": self.action.continuous,
            "discrete": self.action.discrete,
            "reward": self.reward,
            "terminated": self.terminated,
            "acted": self.acted,
            "fresh": self.fresh,
        }

    def keep_in(self, blocks: Blocks) -> None:
        """From now on `state_dict` puts rows here, where they are written once, and names them."""
        self._blocks = blocks

    def state_dict(self) -> dict[str, Any]:
        """Every row that was written, or where it is kept."""
        used = min(int(self.count.max()), self.rows)
        rest = {"count": self.count.copy(), "over": self._over.copy()}
        if self._blocks is None:
            return {"rows": {name: x[:used].copy() for name, x in self._columns().items()}, **rest}
        changed = self._changed()
        for b, start in enumerate(range(0, used, self._block_rows)):
            if b in changed or b >= len(self._kept):
                rows = slice(start, min(start + self._block_rows, used))
                name = self._blocks.put({n: x[rows] for n, x in self._columns().items()})
                self._kept[b:] = [name, *self._kept[b + 1 :]]
        self._kept_count = self.count.copy()
        self._blocks.sweep(self._kept)
        return {"blocks": list(self._kept), "block_rows": self._block_rows, **rest}

    @property
    def _block_rows(self) -> int:
        """Rows that are kept together: about `BLOCK_BYTES`."""
        return max(1, BLOCK_BYTES // sum(x[0].nbytes for x in self._columns().values()))

    def _changed(self) -> set[int]:
        """Numbers of the blocks with rows that were written to since they were kept."""
        found: set[int] = set()
        for kept, count in zip(self._kept_count.tolist(), self.count.tolist(), strict=True):
            # What was the newest row then did not know yet what came of it.
            first = max(kept - 1, count - self.rows, 0)
            found |= set((np.arange(first, count) % self.rows // self._block_rows).tolist())
        return found

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over every row.

        Raises:
            CheckpointError: Rows are kept where this replay does not look, or cannot be read.
            ValueError: It is the state of a ring of another size.
        """
        count = np.asarray(state["count"])
        used = min(int(count.max()), self.rows)
        parts, at = self._loaded(state), 0
        for part in parts:
            rows, slots = part["reward"].shape
            if slots != self.slots or at + rows > used:
                break
            for name, x in self._columns().items():
                x[at : at + rows] = part[name]
            at += rows
        if len(count) != self.slots or at != used:
            raise ValueError(
                f"what {len(count)} slots have written does not fit a replay of {self.rows} rows "
                f"and {self.slots} slots"
            )
        self.count[:], self._over[:] = count, state["over"]
        if self._kept:
            self._kept_count[:] = count

    def _loaded(self, state: dict[str, Any]) -> Iterator[dict[str, NDArray[Any]]]:
        """The rows of a state, in order, in one piece or several."""
        self._kept = []
        if "rows" in state:
            yield state["rows"]
            return
        if self._blocks is None:
            raise CheckpointError(
                "the checkpoint's replay is kept in a folder of the run: resume the run from there"
            )
        for name in state["blocks"]:
            yield self._blocks.get(name)
        if state["block_rows"] == self._block_rows:
            self._kept = list(state["blocks"])


def replay_of(demos: Demos, *, unrewarded: bool = False) -> Replay:
    """Demonstrations as a closed replay of one slot.

    Nobody's memory is recorded: windows into the middle of an episode begin with an empty one,
    which `burn_in` rows warm. A step whose next observation is not known is left out, unless the
    task was over after it; so is one of a taught policy on which nobody said what to do. Actions
    are those that were executed: what came of a row came of them, and not of what was meant.

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
    replay.reward[:, 0], replay.fresh[:, 0] = rows.reward, rows.fresh
    replay.acted[:, 0] = rows.labeled.acted
    end = -1
    for number, episode in enumerate(demos):
        done = slice(end + 1, end + 1 + len(episode))
        replay.action.continuous[done, 0] = episode.action.continuous
        replay.action.discrete[done, 0] = episode.action.discrete
        end += len(episode) + 1
        if episode.reward is None and not unrewarded:
            raise DemoError(
                f"{episode.label or f'episode {number}'}: no rewards were recorded, and learning "
                "from the environment's reward needs them"
            )
        if len(episode):
            replay.terminated[end - 1, 0] = episode.terminated
            replay.acted[end - 1, 0] &= episode.terminated or episode.final_obs_known
    replay.count[:] = len(rows)
    return replay


def _column(folder: Path | None, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Room for one array of a replay, all zero."""
    if folder is None or 0 in shape:
        return np.zeros(shape, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    return np.asarray(np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape))


def _take(x: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """The rows of `[T, N, ...]` at these numbers `row * N + slot`."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]).take(index, 0)
