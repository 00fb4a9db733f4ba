"""A small maze, seen from above: a picture is all there is."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor, Fixed
from understudy.data.episode import Tree
from understudy.worlds.drawing import Picture

Cell = tuple[int, int]
"""Row and column."""

CELLS, WALLS = 6, 5
CELL_PX, BORDER_PX = 4, 2
SIDE_PX = CELLS * CELL_PX + 2 * BORDER_PX
STEP_COST = 1 / 40
MOVES: tuple[Cell, ...] = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Up, right, down, left."""
WALKER, GOAL, WALL = 0, 1, 2
"""Each has a color of its own: red, green, blue."""


class Grid(gymnasium.Env[Picture, np.int64]):
    """Walk to the goal in a grid of 6 x 6 cells whose 5 walls are others in every episode.

    - Seen: a picture `[28, 28, 3]` of bytes: the walker red, the goal green, walls blue. 28 is the
      least side above 20 of which the `simple` camera sees every pixel.
    - Done: a step up, right, down or left; into a wall it does nothing.
    - Rewarded: 1 at the goal, and -1/40 for every step.
    - Ends: at the goal; truncated after 40 steps, which then have cost 1.
    - Optimum: 1 - d/40 where the goal is d steps away; 0.89 on average.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 255, (SIDE_PX, SIDE_PX, 3), np.uint8)
        self.action_space = spaces.Discrete(len(MOVES))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Picture, dict[str, Any]]:
        """Draw a maze that can be solved."""
        super().reset(seed=seed)
        while True:
            drawn = self.np_random.permutation(CELLS**2)
            cells = [divmod(int(place), CELLS) for place in drawn]
            self._here, self._goal, *self._free = cells[: CELLS**2 - WALLS]
            self._free = {self._here, self._goal, *self._free}
            if self._here in steps_to(self._goal, self._free):
                break
        self._empty = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
        self._empty[..., WALL] = 255
        for cell in self._free:
            self._empty[_pixels(cell)] = 0
        self._empty[*_pixels(self._goal), GOAL] = 255
        return self._seen(), {}

    def step(self, action: np.int64) -> tuple[Picture, float, bool, bool, dict[str, Any]]:
        """Walk to the next cell, if it is free."""
        there = _moved(self._here, MOVES[action])
        if there in self._free:
            self._here = there
        arrived = self._here == self._goal
        return self._seen(), arrived - STEP_COST, arrived, False, {}

    def render(self) -> Picture:
        """What is seen, eight times as large."""
        return self._seen().repeat(8, 0).repeat(8, 1)

    def _seen(self) -> Picture:
        picture = self._empty.copy()
        picture[*_pixels(self._here), WALKER] = 255
        return picture


def steps_to(goal: Cell, free: set[Cell]) -> dict[Cell, int]:
    """How many steps every free cell is from the goal; cells without a way are missing."""
    steps, found = {goal: 0}, [goal]
    for cell in found:  # it grows while it is walked through: breadth first
        for near in (_moved(cell, move) for move in MOVES):
            if near in free and near not in steps:
                steps[near] = steps[cell] + 1
                found.append(near)
    return steps


def expert() -> Actor:
    """Walks the shortest way, which it finds in the picture."""
    return Fixed(_shortest_way)


def _shortest_way(obs: Tree) -> Action:
    choice = np.array([_toward_goal(picture) for picture in obs["obs"]], np.int64)
    return Action(np.zeros((len(choice), 0), np.float32), choice[:, None])


def _toward_goal(picture: Picture) -> int:
    colors = picture[BORDER_PX:-BORDER_PX:CELL_PX, BORDER_PX:-BORDER_PX:CELL_PX] > 0
    (here,), (goal,) = _cells(colors[..., WALKER]), _cells(colors[..., GOAL])
    steps = steps_to(goal, set(_cells(~colors[..., WALL])))
    return int(np.argmin([steps.get(_moved(here, move), np.inf) for move in MOVES]))


def _cells(chosen: NDArray[np.bool_]) -> list[Cell]:
    return [(int(row), int(column)) for row, column in np.argwhere(chosen)]


def _moved(cell: Cell, move: Cell) -> Cell:
    return cell[0] + move[0], cell[1] + move[1]


def _pixels(cell: Cell) -> tuple[slice, slice]:
    first_row, first_column = (BORDER_PX + CELL_PX * place for place in cell)
    return slice(first_row, first_row + CELL_PX), slice(first_column, first_column + CELL_PX)
