"""Where batches come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from understudy.data.batch import Batch
from understudy.data.demos import Rows
from understudy.data.episode import Tree
from understudy.data.spacious import MEMORY_BYTES
from understudy.nets.flat import F32
from understudy.nets.model import Model, start_state

BLOCK_ROWS = 4096
"""About how many rows a model looks at in one pass."""
MEASURED_ROWS = 2**20
"""From so many rows at most it is measured how far what is seen varies."""


class Source(Protocol):
    """Gives a learner its batches."""

    def batches(self) -> Iterator[Batch]:
        """The batches of one turn of the loop; none if it is not ready."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next batch depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OfflineConfig:
    """How demonstrations are served."""

    batch_size: Annotated[int, Gt(0)] = 128
    """Steps in a batch."""
    length: Annotated[int, Gt(0)] = 32
    """Steps that a memory is trained through; 1 is used without memory."""
    noise: Annotated[float, Ge(0)] = 0.02
    """Noise on vector observations, in deviations of what was shown: a policy that has seen blurred
    observations recovers better from its own small errors."""
    turn: Annotated[int, Gt(0)] = 50
    """Batches in one turn of the loop: how often progress is looked at."""


class Offline:
    """Shown rows in random order, every one once per epoch.

    With memory the windows of an episode follow each other without a gap. The memory at a window's
    start is what the policy remembered there when the epoch began (as recurrent PPO stores it),
    so a window learns in the middle of an episode without having seen its beginning.

    Attributes:
        length: Rows of a window, 1 without memory.
        windows: `[length, M]` row numbers of all windows; padding repeats a window's last row.
        num_batches: How many were served.
        num_epochs: How many were begun.
    """

    def __init__(
        self, rows: Rows, model: Model, config: OfflineConfig, rng: np.random.Generator
    ) -> None:
        """Cut the rows into windows.

        Args:
            rows: What was shown.
            model: Who learns; batches are placed where it computes.
            config: See `OfflineConfig`.
            rng: Draws order and noise; part of this object's state.
        """
        self.model, self.config, self.rng = model, config, rng
        self.length = config.length if model.memory else 1
        self.windows, acted, self._runs = _windows(rows, self.length)
        self._obs = {n: _place(x) if x.nbytes <= MEMORY_BYTES else x for n, x in rows.obs.items()}
        self._code = model.dist.encode(rows.action)
        self._acted, self._fresh = acted.astype(F32), rows.fresh
        self._noise = self._noise_scale(rows)
        self._state: Tree = {}
        self._order = np.zeros(0, np.int64)
        self._cursor = 0
        self.num_batches = self.num_epochs = 0

    def _noise_scale(self, rows: Rows) -> dict[str, NDArray[np.float32]]:
        """Noise per number of every vector that varies; flags are never blurred."""
        scales: dict[str, NDArray[np.float32]] = {}
        for name, obs in self.model.spec.obs.items():
            x = rows.obs[name]
            if self.config.noise and obs.kind == "vector" and x.dtype.kind == "f" and x.size:
                some = x[:: -(-len(x) // MEASURED_ROWS)]
                flag = ((some == 0) | (some == 1)).all(0)
                scales[name] = (self.config.noise * np.where(flag, 0, some.std(0))).astype(F32)
        return scales

    def batches(self) -> Iterator[Batch]:
        """See `Source`. A turn that was interrupted is taken up where it stopped."""
        for _ in range(self.config.turn - self.num_batches % self.config.turn):
            yield self.draw()

    def draw(self) -> Batch:
        """The next batch `[length, batch_size / length]`; the last of an epoch may be smaller."""
        if self._cursor >= len(self._order):
            self._begin_epoch()
        count = max(1, self.config.batch_size // self.length)
        picked = self._order[self._cursor : self._cursor + count]
        self._cursor += count
        self.num_batches += 1
        rows = self.windows.take(picked, 1)
        obs = {name: _place(x.take(rows, 0)) for name, x in self._obs.items()}
        for name, scale in self._noise.items():
            noise = self.rng.standard_normal(obs[name].shape, F32)
            noise *= scale
            obs[name] += noise
        return Batch(
            obs=self.model.place(obs),
            code=self._code.take(rows, 0),
            acted=self._acted.take(picked, 1),
            fresh=self._fresh.take(rows, 0),
            state=self.model.place({n: s.take(picked, 0) for n, s in self._state.items()}),
        )

    def _begin_epoch(self) -> None:
        self._order = self.rng.permutation(self.windows.shape[1])
        self._cursor = 0
        self.num_epochs += 1
        if self.model.memory:
            self._state = self._remember()

    def _remember(self) -> Tree:
        """The memory before every window."""
        before = remembered(self.model, self._obs, self._fresh, self._runs)
        return {name: s[self.windows[0]] for name, s in before.items()}

    def state_dict(self) -> dict[str, Any]:
        """See `Source`."""
        return {
            "rng": self.rng.bit_generator.state,
            "order": self._order.copy(),
            "cursor": self._cursor,
            "num_batches": self.num_batches,
            "num_epochs": self.num_epochs,
            "state": {name: s.copy() for name, s in self._state.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Source`.

        Raises:
            ValueError: It is the state over other demonstrations.
        """
        if len(state["order"]) not in (0, self.windows.shape[1]):
            raise ValueError(
                f"the order is one of {len(state['order'])} windows, the demonstrations have "
                f"{self.windows.shape[1]}"
            )
        self.rng.bit_generator.state = state["rng"]
        self._order, self._cursor = np.array(state["order"]), int(state["cursor"])
        self.num_batches, self.num_epochs = int(state["num_batches"]), int(state["num_epochs"])
        self._state = {name: np.array(s) for name, s in state["state"].items()}


Runs = list[tuple[int, int]]
"""First row and number of actions of every episode."""


def runs_of(rows: Rows) -> Runs:
    """Where every episode's rows lie."""
    starts = np.flatnonzero(rows.fresh)
    ends = np.append(starts[1:], len(rows)) - 1
    return list(zip(starts.tolist(), (ends - starts).tolist(), strict=True))


def remembered(model: Model, obs: Tree, fresh: NDArray[np.bool_], runs: Runs) -> Tree:
    """`[R, ...]` the memory before every row.

    Episodes pass side by side, the longest first, a block of time after the other: so neither one
    long episode among short ones nor images fill the computer's memory.

    Args:
        model: Who remembers.
        obs: Named arrays `[R, ...]`.
        fresh: `[R]`.
        runs: See `runs_of`.
    """
    out = {name: np.zeros((len(fresh), *shape), F32) for name, shape in model.memory.items()}
    starts, lengths = np.array(sorted(runs, key=lambda run: -run[1]), np.int64).T
    state, now = start_state(model, len(runs)), 0
    while alive := int((lengths > now).sum()):
        block = max(8, BLOCK_ROWS // alive)
        # One row more than the block: what is remembered before it begins the next one.
        time = now + np.arange(block + 1)[:, None]
        last = lengths[:alive]
        there, index = time <= last, starts[:alive] + np.minimum(time, last)
        seen = model.place({name: x.take(index, 0) for name, x in obs.items()})
        told = model.place({name: s[:alive] for name, s in state.items()})
        for name, s in model.look(seen, told, fresh[index])[2].items():
            before = np.asarray(s)
            out[name][index[there]] = before[there]
            state[name] = before[-1]
        now += block
    return out


def _windows(rows: Rows, length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_], Runs]:
    """Row numbers `[length, M]` of all windows, which are no padding, and the episodes."""
    runs = runs_of(rows)
    if length == 1:
        index = np.flatnonzero(rows.acted)[None]
        return index, np.ones(index.shape, bool), runs
    firsts = np.array([s + k for s, n in runs for k in range(0, n, length)], np.int64)
    lasts = np.array([s + n - 1 for s, n in runs for _ in range(0, n, length)], np.int64)
    index = firsts + np.arange(length)[:, None]
    index, acted = np.minimum(index, lasts), index <= lasts
    acted &= rows.acted[index]
    # A memory runs through rows on which nothing was shown, but they teach nothing by themselves.
    some = acted.any(0)
    return index[:, some], acted[:, some], runs


def _place(x: NDArray[Any]) -> NDArray[Any]:
    """float64 as float32, once instead of at every batch; everything else as it is."""
    return x.astype(F32) if x.dtype == np.float64 else x
