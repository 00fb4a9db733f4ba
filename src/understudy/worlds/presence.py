"""Is nothing there, or is something there that is zero? A set of things, one of which may be."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor, Fixed
from understudy.data.episode import Tree
from understudy.data.spec import present
from understudy.worlds.drawing import BLUE, INK, ORANGE, Picture, disc, paper

Things = tuple[NDArray[np.float32], ...]

MOST = 6


class Presence(gymnasium.Env[Things, np.int64]):
    """Say whether one of 1 to 6 things is all zeros.

    An encoder that takes rows of zeros for padding cannot see what is asked. It is right in half of
    the cases, and certain in one of six: where it sees nothing at all, or all six. So it reaches
    7/12 x 16 = 9.33 at best. One that is told who is there reaches 16. How many there are says
    nothing: a count is as likely with a thing of zeros as without.

    - Seen: a `Sequence` of `Box(3)`: other things at every step, between 1 and 6 of them, random in
      ±1 but for the one of zeros, which is there half of the time, at any place.
    - Done: no (0) or yes (1).
    - Rewarded: 1 where that is right.
    - Ends: truncated after 16 steps.
    - Optimum: 16. By chance 8.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4, "max_entities": 6}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Sequence(spaces.Box(-1, 1, (3,), np.float32))
        self.action_space = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Things, dict[str, Any]]:
        """Draw the first things."""
        super().reset(seed=seed)
        return self._drawn(), {}

    def step(self, action: np.int64) -> tuple[Things, float, bool, bool, dict[str, Any]]:
        """Compare the answer, and draw other things."""
        right = bool(action) == self._answer
        return self._drawn(), float(right), False, False, {}

    def render(self) -> Picture:
        """Things by two of their numbers, larger with the third; the one of zeros is orange."""
        picture = paper(128, 128)
        for x, y, size in self._things:
            color = BLUE if x or y or size else ORANGE
            disc(picture, (64 + 52 * x, 64 + 52 * y), 9 + 2 * size, INK)
            disc(picture, (64 + 52 * x, 64 + 52 * y), 7 + 2 * size, color)
        return picture

    def _drawn(self) -> Things:
        # In this order, so that the answer does not depend on the count.
        count, self._answer = self.np_random.integers(1, MOST + 1), self.np_random.random() < 0.5
        drawn = self.np_random.uniform(-1, 1, (count, 3)).astype(np.float32)
        if self._answer:
            drawn[self.np_random.integers(count)] = 0
        self._things: Things = tuple(drawn)
        return self._things


def expert() -> Actor:
    """Looks at every thing that is there."""
    return Fixed(_look)


def _look(obs: Tree) -> Action:
    zero = obs[present("obs")] & (obs["obs"] == 0).all(2)
    return Action(np.zeros((len(zero), 0), np.float32), zero.any(1, keepdims=True).astype(np.int64))
