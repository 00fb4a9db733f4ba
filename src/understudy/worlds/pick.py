"""Pick and place: numbers and a choice in one action."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor, Fixed
from understudy.data.episode import Tree
from understudy.worlds.drawing import BLUE, GREEN, INK, ORANGE, PAPER, Picture, disc, paper

NOTHING, GRAB, RELEASE = 0, 1, 2
REACH, STEP = 0.1, 0.05


class Pick(gymnasium.Env[NDArray[np.float32], Any]):
    """Carry a thing to its goal in the unit square.

    - Seen: `[7]` places of the hand, the thing and the goal, and whether the hand holds the thing.
    - Done: `move` `[2]` in ±1, of which each moves the hand by 0.05 at most; then `hand`: nothing
      (0), grab what is within 0.1 (1), or release it (2).
    - Rewarded: how much nearer the hand came to the thing and the thing to the goal; and 1 when the
      thing is released within 0.1 of the goal.
    - Ends: with that; truncated after 60 steps.
    - Optimum: the two distances at the beginning, 0.42 each on average, and 1. The rewards for
      coming nearer add up to no more than these distances, whichever way is taken.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 1, (7,), np.float32)
        self.action_space = spaces.Dict(
            {"move": spaces.Box(-1, 1, (2,), np.float32), "hand": spaces.Discrete(3)}
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Draw three places."""
        super().reset(seed=seed)
        self._hand, self._thing, self._goal = self.np_random.uniform(0.1, 0.9, (3, 2))
        self._holds = False
        return self._seen(), {}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Move the hand, then grab or release."""
        before = self._distance()
        self._hand = np.clip(self._hand + STEP * np.clip(action["move"], -1, 1), 0, 1)
        held = self._holds
        if action["hand"] == GRAB:
            self._holds = held or _length(self._hand - self._thing) <= REACH
        elif action["hand"] == RELEASE:
            self._holds = False
        # What is released now was carried here first.
        if held or self._holds:
            self._thing = self._hand
        done = held and not self._holds and _length(self._thing - self._goal) <= REACH
        return self._seen(), before - self._distance() + done, done, False, {}

    def render(self) -> Picture:
        """From above: the goal green, the thing orange, the hand blue, and black while it holds."""
        hand, thing, goal = (tuple(160 * p) for p in (self._hand, self._thing, self._goal))
        picture = paper(160, 160)
        disc(picture, goal, 160 * REACH, GREEN)
        disc(picture, goal, 160 * REACH - 3, PAPER)
        disc(picture, hand, 10, INK if self._holds else BLUE)
        disc(picture, hand, 7, PAPER)
        disc(picture, thing, 5, ORANGE)
        return picture

    def _seen(self) -> NDArray[np.float32]:
        return np.array([*self._hand, *self._thing, *self._goal, self._holds], np.float32)

    def _distance(self) -> float:
        """From the hand to the thing, and on to the goal."""
        return _length(self._hand - self._thing) + _length(self._thing - self._goal)


def expert() -> Actor:
    """Goes straight to the thing and straight to the goal, and acts where it arrives."""
    return Fixed(_straight)


def _straight(obs: Tree) -> Action:
    hand, thing, goal = (obs["obs"][:, k : k + 2] for k in (0, 2, 4))
    holds = obs["obs"][:, 6:] > 0
    way = np.where(holds, goal, thing) - hand
    arrives = (np.abs(way) <= STEP).all(1, keepdims=True)
    choice = np.where(arrives, np.where(holds, RELEASE, GRAB), NOTHING)
    return Action(np.clip(way / STEP, -1, 1), choice)


def _length(way: NDArray[np.float64]) -> float:
    return float(np.hypot(*way))
