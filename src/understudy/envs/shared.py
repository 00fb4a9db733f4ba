"""What slots say and do, in memory that several processes see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.spec import Field, Spec
from understudy.envs.env import Moment

NO_SEED = -1
# Arrays begin where a cache line does.
_LINE = 64


@dataclass(frozen=True, slots=True)
class Shared:
    """Arrays over `n` slots.

    Attributes:
        obs: Named arrays `[n, ...]`.
        reward: `[n]` float32.
        terminated, truncated, fresh: `[n]` bool; see `Moment`.
        seed: `[n]` int64 of the present episode, `NO_SEED` before the first.
        continuous, discrete: `[n, C]` and `[n, K]`, what is to be done next.
    """

    obs: Tree
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    fresh: NDArray[np.bool_]
    seed: NDArray[np.int64]
    continuous: NDArray[Any]
    discrete: NDArray[np.int64]

    def part(self, slots: slice) -> Shared:
        """The same memory, of these slots alone."""
        arrays = {name: getattr(self, name)[slots] for name in self.__slots__ if name != "obs"}
        return Shared(obs={name: x[slots] for name, x in self.obs.items()}, **arrays)

    def show(self, moment: Moment) -> None:
        """Write down what all of these slots say."""
        for name, x in self.obs.items():
            x[...] = moment.obs[name]
        for name in ("reward", "terminated", "truncated", "fresh"):
            getattr(self, name)[:] = getattr(moment, name)


def bytes_of(spec: Spec, slots: int) -> int:
    """How much memory the arrays of so many slots need."""
    return sum(size for _, _, size in _places(spec, slots))


def lay_out(spec: Spec, slots: int, memory: Any) -> Shared:
    """The arrays in a memory of at least `bytes_of` bytes, which they keep alive."""
    flat = np.frombuffer(memory, np.uint8)
    arrays: dict[str, NDArray[Any]] = {}
    used = 0
    for name, (shape, dtype), size in _places(spec, slots):
        wide = flat[used : used + math.prod(shape) * dtype.itemsize]
        arrays[name] = wide.view(dtype).reshape(shape)
        used += size
    obs = {name: arrays.pop(f"obs/{name}") for name in spec.fields}
    return Shared(obs=obs, **arrays)


def _places(spec: Spec, slots: int) -> Iterator[tuple[str, Field, int]]:
    """Every array, its shape and dtype, and how many bytes it takes."""
    fields = {f"obs/{name}": field for name, field in spec.fields.items()}
    fields["reward"] = Field((), np.dtype(np.float32))
    fields |= dict.fromkeys(("terminated", "truncated", "fresh"), Field((), np.dtype(bool)))
    fields["seed"] = Field((), np.dtype(np.int64))
    fields["continuous"] = Field((spec.action.continuous,), np.dtype(spec.action.dtype))
    fields["discrete"] = Field((len(spec.action.branches),), np.dtype(np.int64))
    for name, field in fields.items():
        size = slots * math.prod(field.shape) * field.dtype.itemsize
        yield name, Field((slots, *field.shape), field.dtype), -(-size // _LINE) * _LINE
