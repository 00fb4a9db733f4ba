"""A grid of few cells whose chances are all known: where rewards can be recovered exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from understudy.data.episode import ActedBy
from understudy.data.tabular import TabularActor
from understudy.ops.soft_values import FiniteMdp, soft_values
from understudy.worlds.drawing import BLUE, FAINT, GREEN, INK, ORANGE, PAPER, Picture, disc
from understudy.worlds.grid import MOVES, Cell

Floats = NDArray[np.float64]

WALL, START, GROUND = "#", "S", "."
BOG = (
    "S.......",
    ".~~~~.#.",
    "...~..#.",
    ".#.~.~~.",
    ".#....~.",
    ".#~~~.#.",
    ".....~..",
    ".~~.~..G",
)
"""A way around a bog: `~` is bad to step on, `G` is the goal."""
BOG_REWARDS: Mapping[str, float] = MappingProxyType({".": -2.0, "~": -5.0, "G": 10.0})
CELL_PX = 32


class GridWorld(gymnasium.Env[np.int64, np.int64]):
    """Walk over a map on which every kind of ground has its reward, pushed aside by chance.

    - Seen: which free cell one is on, `Discrete(S)`; cells are numbered row by row.
    - Done: a step up, right, down or left; into a wall or off the map it does nothing.
    - Rewarded: what the ground is worth that the step ended on, in nats for the expert.
    - Ends: on a kind of ground that ends it; truncated after `horizon_steps`.
    - Optimum: `soft_values(world.mdp, 1000 * world.reward)` has it; without the factor, it has the
      balance of reward and entropy that the expert keeps.

    Attributes:
        mdp: All chances, exactly.
        kinds: The kinds of ground, such as `(".", "G", "~")`.
        features: `[S, A, K]` chance that the step ends on ground of each kind.
        weights: `[K]` what each kind is worth.
        cells: Row and column of every state.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}

    def __init__(
        self,
        rows: Sequence[str] = BOG,
        rewards: Mapping[str, float] = BOG_REWARDS,
        *,
        ends: str = "G",
        slip: float = 0.1,
        wind: Sequence[float] | None = None,
        discount: float = 1.0,
        horizon_steps: int | None = 24,
        render_mode: str | None = None,
    ) -> None:
        """Read a map.

        Args:
            rows: Lines of equal length, a letter for every cell: `#` is a wall, `S` ground of the
                kind `.` on which episodes begin (by chance, of several), any other letter a kind of
                ground.
            rewards: What every kind is worth.
            ends: The kinds on which an episode is over.
            slip: Chance that a step goes to one of its two sides instead, each half as likely.
            wind: Chance, for every column, that who steps from there is then blown one cell up;
                None: no wind.
            discount: What a reward is worth one step later.
            horizon_steps: When an episode is cut off; None: never.
            render_mode: `rgb_array` or None.

        Raises:
            ValueError: The map or a number is not as said above.
        """
        _check_map(rows, rewards, ends)
        width = len(rows[0])
        wind = [0.0] * width if wind is None else wind
        if len(wind) != width or not all(0 <= chance <= 1 for chance in (slip, *wind)):
            raise ValueError(
                f"slip {slip}, wind {list(wind)}: expected chances in [0, 1], wind in each of "
                f"{width} columns"
            )
        self.rows, self.render_mode = tuple(rows), render_mode
        ground = {(r, c): kind for r, row in enumerate(rows) for c, kind in enumerate(row)}
        self.cells: list[Cell] = [cell for cell, kind in ground.items() if kind != WALL]
        said = [ground[cell] for cell in self.cells]
        kinds = [GROUND if kind == START else kind for kind in said]
        self.kinds = tuple(sorted(rewards))
        self.is_kind = np.array([[kind == k for k in self.kinds] for kind in kinds], np.float64)
        self.weights = np.array([rewards[kind] for kind in self.kinds], np.float64)
        begins = np.array([kind == START for kind in said], np.float64)
        terminal = np.array([kind in ends for kind in kinds])
        self.mdp = FiniteMdp(
            transition=_transition(self.cells, terminal, slip, wind),
            start=begins / begins.sum(),
            terminal=terminal,
            discount=discount,
            horizon_steps=horizon_steps,
        )
        self.features = self.mdp.transition @ self.is_kind
        self.observation_space = spaces.Discrete(len(self.cells))
        self.action_space = spaces.Discrete(len(MOVES))

    @property
    def reward(self) -> Floats:
        """`[S, A]` what a step brings on average."""
        return self.features @ self.weights

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Begin on one of the cells marked for it."""
        super().reset(seed=seed)
        self._steps, self._here = 0, self._drawn(self.mdp.start)
        return self._here, {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Take a step, or be pushed aside."""
        self._steps += 1
        self._here = self._drawn(self.mdp.transition[self._here, action])
        over = bool(self.mdp.terminal[self._here])
        reward = float(self.is_kind[self._here] @ self.weights)
        return self._here, reward, over, not over and self._steps == self.mdp.horizon_steps, {}

    def render(self) -> Picture:
        """The map: walls dark, bad ground orange, good ground green, the walker blue."""
        picture = np.full((len(self.rows), len(self.rows[0]), 3), INK, np.uint8)
        usual = self.weights[self.kinds.index(GROUND)] if GROUND in self.kinds else 0.0
        for cell, worth in zip(self.cells, self.is_kind @ self.weights, strict=True):
            picture[cell] = ORANGE if worth < usual else GREEN if worth > usual else PAPER
        picture = picture.repeat(CELL_PX, 0).repeat(CELL_PX, 1)
        picture[::CELL_PX] = picture[:, ::CELL_PX] = FAINT
        row, column = (CELL_PX * (place + 0.5) for place in self.cells[self._here])
        disc(picture, (column, row), CELL_PX / 3, BLUE)
        return picture

    def as_map(self, of_states: NDArray[Any]) -> Floats:
        """`[S]` -> `[rows, columns]`, nan where there are walls."""
        drawn = np.full((len(self.rows), len(self.rows[0])), np.nan)
        drawn[tuple(np.transpose(self.cells))] = of_states
        return drawn

    def _drawn(self, chance: Floats) -> np.int64:
        return np.int64(self.np_random.choice(len(chance), p=chance))


def expert(world: GridWorld, temperature: float = 1.0, seed: int = 0) -> TabularActor:
    """Walks soft-optimally: the likelier, the more reward still to come.

    Args:
        world: Where.
        temperature: What a nat of entropy is worth in reward, above 0; near 0 it walks optimally.
        seed: Of its choices.
    """
    solution = soft_values(world.mdp, world.reward / temperature)
    return TabularActor(solution.policy, seed, ActedBy.SCRIPT)


def _check_map(rows: Sequence[str], rewards: Mapping[str, float], ends: str) -> None:
    if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
        raise ValueError(
            f"a map of lines of {[len(row) for row in rows]} letters: all must be alike"
        )
    letters = set("".join(rows))
    kinds = {GROUND if letter == START else letter for letter in letters - {WALL}}
    if START not in letters:
        raise ValueError(f"the map has no '{START}': no episode could begin")
    if kinds != set(rewards):
        raise ValueError(
            f"rewards are given to {sorted(rewards)}, and the map has {sorted(kinds)}: "
            "every kind of ground needs one, and none else"
        )
    if GROUND in ends:
        raise ValueError(f"episodes begin on '{GROUND}', so they cannot end there")


def _transition(
    cells: Sequence[Cell], terminal: NDArray[np.bool_], slip: float, wind: Sequence[float]
) -> Floats:
    """`[S, A, S]`; a terminal state leads to itself."""
    state = {cell: index for index, cell in enumerate(cells)}

    def moved(start: int, move: Cell) -> int:
        row, column = cells[start]
        return state.get((row + move[0], column + move[1]), start)

    chance = np.zeros((len(cells), len(MOVES), len(cells)))
    for s, (_, column) in enumerate(cells):
        if terminal[s]:
            chance[s, :, s] = 1
            continue
        for a in range(len(MOVES)):
            for turn, likely in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
                there = moved(s, MOVES[(a + turn) % len(MOVES)])
                blown = there if terminal[there] else moved(there, MOVES[0])
                chance[s, a, there] += likely * (1 - wind[column])
                chance[s, a, blown] += likely * wind[column]
    return chance
