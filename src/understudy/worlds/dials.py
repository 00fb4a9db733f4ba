"""Three dials to be turned at once: several choices in one action."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor, Fixed
from understudy.data.episode import Tree
from understudy.worlds.drawing import BLUE, FAINT, GREEN, INK, PAPER, Picture, disc, paper, stroke

Places = NDArray[np.int64]

SIZES = np.array([5, 6, 7])
"""Positions of every dial."""
STEPS = 40


class Dials(gymnasium.Env[Places, Places]):
    """Turn three dials of 5, 6 and 7 positions to their targets, which change halfway.

    - Seen: where the dials point and where they should, `MultiDiscrete([5, 6, 7, 5, 6, 7])`: to a
      policy a vector of 36 numbers, six one-hots one after the other.
    - Done: `MultiDiscrete([3, 3, 3])`: every dial one to the left (0), not at all (1), or one to
      the right (2); the last position is beside the first.
    - Rewarded: the share of dials that point at their target after they were turned.
    - Ends: truncated after 40 steps; new targets are seen after the 20th.
    - Optimum: every dial the shorter way. A dial that is d positions away then misses d - 1 steps:
      2/5, 4/6 and 6/7 on average, twice, so that the return is 38.72 on average. Who turns all
      dials one way reaches 36.66.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.MultiDiscrete([*SIZES, *SIZES])
        self.action_space = spaces.MultiDiscrete([3, 3, 3])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Places, dict[str, Any]]:
        """Draw where the dials point, and where they should."""
        super().reset(seed=seed)
        self._time = 0
        self._dials, self._targets = self.np_random.integers(SIZES, size=(2, 3))
        return self._seen(), {}

    def step(self, action: Places) -> tuple[Places, float, bool, bool, dict[str, Any]]:
        """Turn every dial."""
        self._time += 1
        self._dials = (self._dials + action - 1) % SIZES
        reward = float((self._dials == self._targets).mean())
        if self._time == STEPS // 2:
            self._targets = self.np_random.integers(SIZES)
        return self._seen(), reward, False, False, {}

    def render(self) -> Picture:
        """The dials side by side; their targets are green."""
        picture = paper(288, 96)
        for i, size in enumerate(SIZES):
            middle = (48 + 96 * i, 48)
            disc(picture, middle, 42, FAINT)
            for place in range(size):
                wanted = place == self._targets[i]
                disc(picture, _on_dial(middle, place / size), 6, GREEN if wanted else PAPER)
            stroke(picture, middle, _on_dial(middle, self._dials[i] / size), 4, BLUE)
            disc(picture, middle, 5, INK)
        return picture

    def _seen(self) -> Places:
        return np.concatenate([self._dials, self._targets])


def expert() -> Actor:
    """Turns every dial the shorter way."""
    return Fixed(_shorter_way)


def _shorter_way(obs: Tree) -> Action:
    hots = np.split(obs["obs"], np.cumsum([*SIZES, *SIZES])[:-1], axis=1)
    places = np.stack([hot.argmax(1) for hot in hots], axis=1)
    gap = (places[:, 3:] - places[:, :3]) % SIZES
    turn = np.where(gap == 0, 0, np.where(gap <= SIZES // 2, 1, -1))
    return Action(np.zeros((len(turn), 0), np.float32), turn.astype(np.int64) + 1)


def _on_dial(middle: tuple[float, float], share: float) -> tuple[float, float]:
    """A place on the rim, clockwise from the top."""
    angle = 2 * math.pi * share
    return middle[0] + 32 * math.sin(angle), middle[1] - 32 * math.cos(angle)
