"""Reading D4RL's HDF5 files, and d3rlpy's of version 1, which are alike.

Flat arrays at the top: `observations`, `actions`, `rewards`, `terminals` with a row for every step;
`timeouts` where a time limit cut the episode; `next_observations` in some. d3rlpy's have
`episode_terminals` instead of timeouts: every end, whatever the reason.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from understudy.data.demos import Demos
from understudy.data.formats.flat import Cut, Flat, flags, paths_of, read_flat
from understudy.data.formats.hdf5 import Hdf5
from understudy.data.spec import Spec

MEMBERS = frozenset({"observations", "actions", "terminals"})


def recognizes(names: Sequence[str]) -> bool:
    """Whether an HDF5 file with these names at its top is one of D4RL."""
    return set(names) >= MEMBERS


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in an HDF5 file of D4RL.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, or does not fit the spec.
        MissingExtraError: h5py is not installed.
    """
    file = Hdf5(path)
    count = file.num_rows("terminals")
    cuts = np.zeros(count, np.uint8)
    notes: tuple[str, ...] = ()
    if file.holds("timeouts"):
        cuts[flags(file, "timeouts", count)] = Cut.TRUNCATED
    elif file.holds("episode_terminals"):
        cuts[flags(file, "episode_terminals", count)] = Cut.TRUNCATED
    else:
        notes += (
            "there are no timeouts: an episode that a time limit ended is seen only where the next "
            "observations say so, else it runs into the one after it",
        )
    cuts[flags(file, "terminals", count)] = Cut.TERMINATED
    flat = Flat(
        file=file,
        obs=paths_of(file, "observations"),
        next_obs=paths_of(file, "next_observations") if file.holds("next_observations") else {},
        action=paths_of(file, "actions"),
        reward="rewards" if file.holds("rewards") else None,
        order=np.arange(count),
        cuts=cuts,
    )
    return read_flat(flat, spec, "d4rl", notes)
