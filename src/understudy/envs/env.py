"""The contract of every environment: agents of several behaviors that come and go.

An agent lives in a slot. A slot speaks when it has something to decide or has just ended, and then
gets one action. After an ending moment the slot's next moment begins a new episode: the action
given in between is ignored and nothing is received for it. So every moment is one row (what was
seen), and rows on which nothing was done are the ones that end an episode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import Tree
from understudy.data.spec import Spec


@dataclass(frozen=True, slots=True)
class Moment:
    """What `n` slots of one behavior say now. Arrays may be reused by the next step: copy to keep.

    Attributes:
        slots: `[n]` int64, which slots speak, in rising order.
        obs: Named arrays `[n, ...]`, what each sees.
        reward: `[n]` float32, received since the slot last spoke; 0 where `fresh`.
        terminated: `[n]` bool, the task is over; this observation is the last.
        truncated: `[n]` bool, the episode is cut off; this observation is the last.
        fresh: `[n]` bool, an episode begins with this observation.
    """

    slots: NDArray[np.int64]
    obs: Tree
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    fresh: NDArray[np.bool_]

    @property
    def ended(self) -> NDArray[np.bool_]:
        """`[n]` whether this observation is the last of its episode."""
        return self.terminated | self.truncated


class Env(Protocol):
    """Many agents of several behaviors.

    Attributes:
        behaviors: What each behavior sees and does.
        slots: How many slots each behavior has at most.
        env_id: Its name, for recordings and messages.
    """

    behaviors: Mapping[str, Spec]
    slots: Mapping[str, int]
    env_id: str

    def reset(self, seed: int | None = None) -> Mapping[str, Moment]:
        """Begin everywhere. The same seed gives the same episodes."""
        ...

    def step(self, actions: Mapping[str, Action]) -> Mapping[str, Moment]:
        """Do one action for every slot of each behavior's last moment, in its order."""
        ...

    def seeds(self, behavior: str) -> list[int | None]:
        """`[slots]` the seed of every slot's present episode, None where it had none."""
        ...

    def render(self) -> NDArray[np.uint8] | None:
        """A picture `[H, W, 3]` of slot 0, None if it has none."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """Name to version of what it runs on, for recordings."""
        ...

    @property
    def moments(self) -> Mapping[str, Moment]:
        """What the slots said last."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Enough to come to the same place again.

        Raises:
            EnvError: This environment cannot say.
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to that place.

        Raises:
            EnvError: It cannot be reached.
        """
        ...

    def close(self) -> None:
        """Let go of windows, processes and files."""
        ...


def one(moments: Mapping[str, Any]) -> Any:
    """The only entry of a mapping by behavior.

    Raises:
        ValueError: There are several behaviors.
    """
    if len(moments) != 1:
        raise ValueError(f"expected one behavior, found {', '.join(moments) or 'none'}")
    return next(iter(moments.values()))
