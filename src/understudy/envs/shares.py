"""How slots are shared out among workers, and where they are put together again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from understudy.errors import EnvError

_LISTS = ("episodes", "began", "over")


def shares(slots: int, workers: int) -> list[range]:
    """Neighboring slots for every worker; the first have one more where it does not come out even.

    Example:
        >>> shares(5, 2)
        [range(0, 3), range(3, 5)]
    """
    ends = [-(-slots * worker // workers) for worker in range(workers + 1)]
    return [range(first, last) for first, last in pairwise(ends)]


def joined(states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One state of `GymEnv` for all slots, from those of shares in their order."""
    first = states[0]
    done = [actions for state in states for actions in state["done"].values()]
    return {
        "seed": first["seed"],
        "time": first["time"],
        **{name: [x for state in states for x in state[name]] for name in _LISTS},
        "done": {str(slot): actions for slot, actions in enumerate(done)},
        "rows": {name: np.concatenate([s["rows"][name] for s in states]) for name in first["rows"]},
        "reward": np.concatenate([state["reward"] for state in states]),
        "ends": np.concatenate([state["ends"] for state in states], 1),
    }


def cut(state: dict[str, Any], share: range) -> dict[str, Any]:
    """The part of a state of `GymEnv` that is about the slots of a share.

    Raises:
        EnvError: It has no such slots.
    """
    slots = slice(share.start, share.stop)
    if share.stop > len(state["reward"]):
        raise EnvError(f"a state of {len(state['reward'])} slots has no slot {share.stop - 1}")
    return {
        "seed": state["seed"],
        "time": state["time"],
        **{name: list(state[name])[slots] for name in _LISTS},
        "done": {str(place): state["done"][str(slot)] for place, slot in enumerate(share)},
        "rows": {name: x[slots] for name, x in state["rows"].items()},
        "reward": state["reward"][slots],
        "ends": state["ends"][:, slots],
    }
