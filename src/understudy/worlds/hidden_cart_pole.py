"""A pole on a cart whose speeds nobody shows: what is seen now does not say what to do."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.episode import ActedBy, Tree
from understudy.worlds.drawing import BLUE, FAINT, INK, Picture, paper, stroke
from understudy.worlds.experts import cart_pole

STEP_SECONDS = 0.02


class HiddenCartPole(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Gymnasium's `CartPole-v1` without its speeds; needs a memory.

    - Seen: `[2]` where the cart is and how the pole leans (radians).
    - Done: a push to the left (0) or to the right (1).
    - Rewarded: 1 for every step.
    - Ends: when the pole leans more than 12 degrees or the cart is 2.4 away; truncated after 500
      steps.
    - Optimum: 500.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self._world = CartPoleEnv()
        # As wide as in CartPole-v1: twice what ends an episode.
        limits = [self._world.x_threshold, self._world.theta_threshold_radians]
        high = 2 * np.array(limits, np.float32)
        self.observation_space = spaces.Box(-high, high)
        self.action_space = spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Put the pole up, almost at rest."""
        super().reset(seed=seed)
        self._state, info = self._world.reset(seed=seed)
        return self._state[::2], info

    def step(
        self, action: np.int64
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Push the cart."""
        self._state, reward, terminated, _, info = self._world.step(int(action))
        return self._state[::2], reward, terminated, False, info

    def render(self) -> Picture:
        """The cart and its pole from the side."""
        x, _, angle, _ = self._state
        picture, cart, floor = paper(192, 96), 96 + 36 * x, 82
        stroke(picture, (0, floor), (192, floor), 2, FAINT)
        stroke(picture, (cart - 10, floor - 7), (cart + 10, floor - 7), 12, INK)
        top = (cart + 60 * math.sin(angle), floor - 10 - 60 * math.cos(angle))
        stroke(picture, (cart, floor - 10), top, 5, BLUE)
        return picture


class _Differences:
    """Knows the speeds by how what is seen has changed since the step before."""

    acted_by = ActedBy.SCRIPT
    proposed: Action | None = None

    def start(self, slots: int) -> Tree:
        return {"before": np.zeros((slots, 2))}

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        now = obs["obs"].astype(np.float64)
        before = np.where(fresh[:, None], now, state["before"])
        speed = (now - before) / STEP_SECONDS
        push = cart_pole(np.stack([now, speed], axis=2).reshape(-1, 4))
        choice = push.astype(np.int64)[:, None]
        return Action(np.zeros((len(now), 0), np.float32), choice), {"before": now}


def expert() -> Actor:
    """The expert of `CartPole-v1`, which remembers where things were to know their speeds."""
    return _Differences()
