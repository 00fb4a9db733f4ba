"""What an environment says of the task that was shown, without the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from understudy.data.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Again:
    """The first actions of an episode, done again from its seed in several ways.

    Attributes:
        number: Of the episode, see `understudy.data.catalog`.
        steps: How many recorded steps were tried.
        begins: Whether the reset brought back the first observation.
        matched: By how often each action was done in a row, for how many steps the recorded
            observations came back; 1 is the recording as it is.
        next_matched: The same where every step did the next step's action.
        recorded: `[n]` rewards of the steps that came back with every action done once.
        received: `[n]` what these steps earned now.
    """

    number: int
    steps: int
    begins: bool
    matched: Mapping[int, int]
    next_matched: int
    recorded: NDArray[np.float64]
    received: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What an environment says of itself, and what it made of recorded actions.

    Attributes:
        env_id: Its name.
        spec: What is seen and done in it.
        time_limit: Steps after which an episode is cut off; None if it does not say.
        reward_threshold: The mean return at which the task counts as solved; None if it does not
            say.
        versions: Name to version of what it runs on.
        again: Episodes that were done again; empty where none has a seed or nothing fits.
    """

    env_id: str
    spec: Spec
    time_limit: int | None = None
    reward_threshold: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    again: tuple[Again, ...] = ()
