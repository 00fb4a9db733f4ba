"""Reading DI-engine's HDF5 files of transitions (`NAME_demos.hdf5`).

`obs`, `action`, `reward`, `done` and `next_obs` with a row for every step, as `hdf5_save` of
DI-engine writes them. `done` is true at every end, time limits included.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from understudy.data.demos import Demos
from understudy.data.formats.flat import Cut, Flat, flags, paths_of, read_flat
from understudy.data.formats.hdf5 import Hdf5
from understudy.data.spec import Spec

MEMBERS = frozenset({"obs", "action", "done"})


def recognizes(names: Sequence[str]) -> bool:
    """Whether an HDF5 file with these names at its top is one of DI-engine."""
    return set(names) >= MEMBERS


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in an HDF5 file of DI-engine.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, or does not fit the spec.
        MissingExtraError: h5py is not installed.
    """
    file = Hdf5(path)
    count = file.num_rows("done")
    cuts = np.zeros(count, np.uint8)
    cuts[flags(file, "done", count)] = Cut.UNKNOWN
    flat = Flat(
        file=file,
        obs=paths_of(file, "obs"),
        next_obs=paths_of(file, "next_obs") if file.holds("next_obs") else {},
        action=paths_of(file, "action"),
        reward="reward" if file.holds("reward") else None,
        order=np.arange(count),
        cuts=cuts,
    )
    note = "the file says that an episode ended, not why: by its task, or by a time limit"
    return read_flat(flat, spec, "di-engine", (note,))
