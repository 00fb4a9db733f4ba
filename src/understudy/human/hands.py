"""From keys and sticks to actions: no window, no clock, no environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from understudy.data.action import Action
from understudy.data.spec import ActionSpec
from understudy.human.keys import LAST, Command, KeyTable, Number, ends

DEAD_ZONE = 0.15
"""Of a stick's way: nearer to the middle it counts as let go of, as worn ones never come back."""
HALF_WAY = 0.5
"""From here on a stick that is pushed is a key that is held."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a person did.

    Attributes:
        kind: A key goes `down` or `up`, a stick moves (`axis`), or the window was `closed`.
        key: Its name, see `keys`.
        value: Of a stick, from -1 to 1.
    """

    kind: Literal["down", "up", "axis", "closed"]
    key: str = ""
    value: float = 0.0


class Hands:
    """What is held now, and the action that follows.

    Choices follow the key that was pressed last. Numbers move towards the value of the key that is
    held, and back to rest when it is let go of, by a fixed part of their range in every step: the
    same events between the same steps give the same actions, however fast time runs. A key that was
    pressed and let go of between two steps counts for one step.

    Attributes:
        spec: What can be done.
        table: Which key does what.
    """

    def __init__(self, spec: ActionSpec, table: KeyTable, step_seconds: float) -> None:
        """Nothing is held.

        Args:
            spec: What can be done.
            table: Which key does what.
            step_seconds: Of the task, between two actions; numbers move by it.
        """
        self.spec, self.table = spec, table
        span = [ends(spec, n) for n in range(spec.continuous)]
        self._low, self._high = (np.array([pair[i] for pair in span]) for i in (0, 1))
        self._rest = np.clip(0.0, self._low, self._high)
        ramp = table.ramp_seconds
        share = 1.0 if ramp <= step_seconds else step_seconds / ramp
        self._most = share * (self._high - self._low)
        self._held: list[str] = []
        self._tapped: list[str] = []
        self._sticks: dict[str, float] = {}
        self.rest()

    def rest(self) -> None:
        """An episode begins: numbers are at rest, and no choice was the last one."""
        self._numbers = self._rest.copy()
        self._last = [0] * len(self.spec.branches)
        self._tapped = []

    def hear(self, event: Event) -> Command | None:
        """Take note of an event.

        Returns:
            What it asks for beside acting.
        """
        if event.kind == "closed":
            return Command.QUIT
        if event.kind == "axis":
            self._move(event.key, event.value)
            return None
        if event.kind == "up":
            if event.key in self._held:
                self._held.remove(event.key)
            return None
        if event.key in self.table.commands:
            return self.table.commands[event.key]
        self._press(event.key)
        return None

    @property
    def engaged(self) -> bool:
        """Whether somebody acts: a key of the action is held or was tapped, or a stick pushed."""
        return bool(self._acting()) or any(self._pushed(name) for name in self.table.axes)

    def act(self) -> Action:
        """The action `[C]`, `[K]` of this step; taps are used up by it."""
        goal, choices = self._rest.copy(), list[int]()
        for name, number in self.table.axes.items():
            goal[number] = self._reach(name, number) if self._pushed(name) else goal[number]
        chosen: dict[int, int] = {}
        for key in self._acting():
            does = self.table.keys[key]
            if isinstance(does, Number):
                goal[does.number] = does.value
            else:
                chosen[does.branch] = does.choice
        for branch, idle in enumerate(self.table.idle):
            resting = self._last[branch] if idle == LAST else int(idle)
            choices.append(chosen.get(branch, resting))
        self._last = choices
        self._numbers += np.clip(goal - self._numbers, -self._most, self._most)
        self._tapped = []
        return Action(
            np.clip(self._numbers, self.spec.low, self.spec.high).astype(self.spec.dtype),
            np.array(choices, np.int64),
        )

    def _acting(self) -> list[str]:
        """Keys that count now, the one that was pressed last at the end."""
        keys = [key for key in self._tapped if key not in self._held] + self._held
        return [key for key in keys if key in self.table.keys]

    def _press(self, key: str) -> None:
        if key in self._held:
            self._held.remove(key)
        self._held.append(key)
        self._tapped.append(key)

    def _move(self, name: str, value: float) -> None:
        self._sticks[name] = value
        for half, pushed in (("-", value <= -HALF_WAY), ("+", value >= HALF_WAY)):
            key = f"{name} {half}"
            if pushed and key not in self._held:
                self._press(key)
            elif not pushed and key in self._held:
                self._held.remove(key)

    def _pushed(self, name: str) -> bool:
        return abs(self._sticks.get(name.removeprefix("-"), 0.0)) > DEAD_ZONE

    def _reach(self, name: str, number: int) -> float:
        """Where a stick wants its number to be: from rest to the ends of its range."""
        value = self._sticks[name.removeprefix("-")] * (-1 if name.startswith("-") else 1)
        rest, end = self._rest[number], self._high[number] if value > 0 else self._low[number]
        far = (abs(value) - DEAD_ZONE) / (1 - DEAD_ZONE)
        return float(rest + min(far, 1.0) * (end - rest))
