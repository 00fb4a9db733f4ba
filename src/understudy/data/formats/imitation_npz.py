"""Reading trajectories of HumanCompatibleAI's `imitation` as it saved them until 2023 (`.npz`).

All trajectories one after the other: `obs` with one row more than `acts` for each of them,
`indices` where the acts of the second, third ... begin, `terminal` for each, `rews` if there are
any. `infos` holds pickled objects and is never opened.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode, check_episode
from understudy.data.formats.bare import Bare, describe
from understudy.data.formats.npz import Npz
from understudy.data.formats.refusal import MOST_EPISODES, label, too_many_episodes
from understudy.data.spec import Spec

MEMBERS = frozenset({"obs", "acts", "terminal", "indices"})


def recognizes(names: Sequence[str]) -> bool:
    """Whether an `.npz` with these arrays is one of `imitation`."""
    return set(names) >= MEMBERS


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in an old file of `imitation`.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, or does not fit the spec.

    Note:
        `terminal` is what a vectorised environment called done, time limits included (imitation's
        own tasks end by nothing else), so it does not say that the task was over: such an end is
        UNKNOWN. Where it is False the trajectory was cut off while it went on: OPEN.
    """
    with Npz(path) as file:
        bare, cuts, terminal, rewards = _steps(file, spec)
    episodes = []
    for index, (start, end) in enumerate(pairwise(cuts)):
        first, name = start + index, label(path, index)  # one observation more in each before it
        episode = Episode(
            obs={key: array[first : first + end - start + 1] for key, array in bare.obs.items()},
            action=bare.action.at(slice(start, end)),
            reward=None if rewards is None else rewards[start:end],
            end=End.UNKNOWN if terminal[index] else End.OPEN,
            acted_by=np.zeros(end - start, np.uint8),
            label=name,
        )
        episodes.append(check_episode(episode, bare.spec, name))
    notes = (*bare.notes, "episodes that ended may have ended by a time limit")
    origin = Provenance(format="imitation", files=(os.fspath(path),), notes=notes)
    return Demos(bare.spec, episodes, origin)


def _steps(
    file: Npz, spec: Spec | None
) -> tuple[Bare, list[int], NDArray[np.bool_], NDArray[Any] | None]:
    """What was seen and done, where trajectories are cut, whether they ended, and the rewards."""
    obs, acts = file.rows("obs"), file.rows("acts")
    terminal = file.rows("terminal", "b").reshape(-1)
    if len(terminal) > MOST_EPISODES:
        raise too_many_episodes(file.path, len(terminal))
    cuts = _cuts(file, len(acts), len(terminal))
    if len(obs) != len(acts) + len(terminal):
        raise file.refusal(
            "obs",
            f"has {len(obs)} rows",
            f"{len(acts) + len(terminal)}: one for each act and one more for each trajectory",
        )
    rewards = file.rows("rews", "iuf").reshape(-1) if "rews" in file.names else None
    if rewards is not None and len(rewards) != len(acts):
        raise file.refusal("rews", f"has {len(rewards)} rows", f"{len(acts)} as acts")
    return describe(file, ("obs", obs), ("acts", acts), spec), cuts, terminal, rewards


def _cuts(file: Npz, num_acts: int, num_trajectories: int) -> list[int]:
    """Where the acts of every trajectory begin, and where the last one's end."""
    inner = file.rows("indices", "iu" if num_trajectories > 1 else "iuf").reshape(-1)
    if len(inner) != num_trajectories - 1:
        raise file.refusal("indices", f"has {len(inner)} entries", f"{num_trajectories - 1}")
    cuts = [0, *map(int, inner.tolist()), num_acts]
    if any(a > b for a, b in pairwise(cuts)):
        raise file.refusal("indices", "does not rise", f"cuts from 0 up to {num_acts}")
    return cuts
