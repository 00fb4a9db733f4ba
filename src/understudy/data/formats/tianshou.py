"""Reading replay buffers that Tianshou saved (`ReplayBuffer.save_hdf5`).

The group `_meta` holds `obs`, `act`, `rew`, `terminated`, `truncated`, `done` and often `obs_next`,
each as long as the buffer, whose rows are a ring: one for a `ReplayBuffer`, several for a
`VectorReplayBuffer`. Everything that Tianshou pickled into the file is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.formats.flat import Cut, Flat, flags, paths_of, read_flat
from understudy.data.formats.hdf5 import Hdf5
from understudy.data.spec import Spec


class Ring(NamedTuple):
    """One environment's part of a buffer: `size` rows from `first` on, `next_` to be written."""

    first: int
    size: int
    filled: int
    next_: int


def recognizes(names: Sequence[str]) -> bool:
    """Whether an HDF5 file with these names at its top is one of Tianshou."""
    return "_meta" in names


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in a replay buffer of Tianshou.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, or does not fit the spec.
        MissingExtraError: h5py is not installed.
    """
    file = Hdf5(path)
    count = file.num_rows("_meta/done")
    rings = _rings(file, count)
    order = np.concatenate([np.zeros(0, np.int64), *map(_lived, rings)])
    ends = np.zeros(count, np.uint8)
    notes: tuple[str, ...] = ()
    ends[flags(file, "_meta/done", count)] = Cut.UNKNOWN
    if file.holds("_meta/terminated"):
        ends[flags(file, "_meta/truncated", count)] = Cut.TRUNCATED
        ends[flags(file, "_meta/terminated", count)] = Cut.TERMINATED
    else:
        notes += ("the buffer says that an episode ended, not why",)
    cuts = ends[order]
    lasts = np.cumsum([ring.filled for ring in rings if ring.filled]) - 1
    cuts[lasts] = np.where(cuts[lasts] == Cut.NOTHING, np.uint8(Cut.OPEN), cuts[lasts])
    if any(ring.filled == ring.size for ring in rings):
        notes += ("the buffer was full: its oldest episode may lack its beginning",)
    flat = Flat(
        file=file,
        obs=paths_of(file, "_meta/obs"),
        next_obs=paths_of(file, "_meta/obs_next") if file.holds("_meta/obs_next") else {},
        action=paths_of(file, "_meta/act"),
        reward="_meta/rew" if file.holds("_meta/rew") else None,
        order=order,
        cuts=cuts,
    )
    return read_flat(flat, spec, "tianshou", notes)


def _rings(file: Hdf5, count: int) -> list[Ring]:
    if file.holds("_extend_offset"):
        edges = file.array("_extend_offset", kinds="iu").reshape(-1).tolist()
        filled = file.array("_lengths", kinds="iu").reshape(-1).tolist()
        last = file.array("last_index", kinds="iu").reshape(-1).tolist()
        if not len(edges) == len(filled) + 1 == len(last) + 1:
            raise file.refusal("_extend_offset", f"has {len(edges)} entries", "one more than rings")
        rings = [
            Ring(first, stop - first, fill, at + 1 - first)
            for first, stop, fill, at in zip(edges, edges[1:], filled, last, strict=False)
        ]
    else:
        size, next_ = file.attribute("/", "_size"), file.attribute("/", "_insertion_idx")
        if not isinstance(size, int) or not isinstance(next_, int):
            raise file.refusal("/", "has no size", "the attributes _size and _insertion_idx")
        rings = [Ring(0, count, size, next_)]
    end = 0
    for ring in rings:
        inside = ring.first == end and 0 <= ring.filled <= ring.size <= count - ring.first
        if not inside or not 0 <= ring.next_ <= ring.size:
            raise file.refusal("/", f"describes {tuple(ring)} of {count} rows", "a ring in them")
        end += ring.size
    return rings


def _lived(ring: Ring) -> NDArray[np.int64]:
    """The filled rows of a ring, the oldest first."""
    oldest = ring.next_ if ring.filled == ring.size else 0
    return ring.first + (oldest + np.arange(ring.filled)) % max(1, ring.size)
