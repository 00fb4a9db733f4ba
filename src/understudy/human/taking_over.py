"""A person who watches a policy and takes over: an expert for DAgger."""

from __future__ import annotations

import signal

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import ActedBy, Tree
from understudy.envs.env import Env
from understudy.errors import EnvError
from understudy.human.hands import Hands
from understudy.human.keys import Command
from understudy.human.shell import Shell, seen_lines


class TakingOver:
    """A person at the keyboard as `run.taught.Sparing`: whoever holds a key acts.

    The key of `success` keeps the hand on the wheel without any other key, until it is pressed
    again; `pause` and `slow` do what they do in a recording; `quit` ends as Ctrl-C does.

    Attributes:
        acted_by: A person.
        spoke: `[n]` whether the person acted in the last `act`.
        holds_on: Whether the hand stays on the wheel.
        paused: Whether time stands still.
        slow: Whether it is slow.
    """

    acted_by = ActedBy.HUMAN
    proposed: Action | None = None

    def __init__(self, env: Env, hands: Hands, shell: Shell, step_seconds: float) -> None:
        """Nothing is shown yet.

        Args:
            env: Where; its pictures are shown.
            hands: What the person holds.
            shell: Where the person looks.
            step_seconds: Between two steps.
        """
        self._env, self._hands, self._shell = env, hands, shell
        self._seconds = step_seconds
        self.spoke: NDArray[np.bool_] = np.zeros(1, bool)
        self.holds_on, self.paused, self.slow = False, False, False

    def start(self, slots: int) -> Tree:
        """No memory.

        Raises:
            EnvError: There is more to watch than one person can.
        """
        if slots != 1:
            raise EnvError(f"a person watches one environment, not {slots}: say slots=1")
        return {}

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor.act`."""
        if fresh[0]:
            self._hands.rest()
        stop = False
        while not stop:
            self._show(obs)
            for event in self._shell.events(self._wait()):
                command = self._hands.hear(event)
                stop = stop or (command is not None and self._quits(command))
            if not self.paused:
                break
        engaged = self._hands.engaged and not stop
        self.spoke = np.array([engaged or (self.holds_on and not stop)])
        action = self._hands.act()
        return Action(action.continuous[None], action.discrete[None]), state

    def close(self) -> None:
        """Close the window."""
        self._shell.close()

    def _quits(self, command: Command) -> bool:
        """Do what was asked for; whether that was to end."""
        if command is Command.PAUSE:
            self.paused = not self.paused
        elif command is Command.SLOW:
            self.slow = not self.slow
        elif command is Command.SUCCESS:
            self.holds_on = not self.holds_on
        elif command is Command.QUIT:
            # The run then stops where it can be resumed from.
            signal.raise_signal(signal.SIGINT)
            return True
        return False

    def _wait(self) -> float | None:
        if self.paused:
            return None
        return self._seconds * (self._hands.table.slow if self.slow else 1.0)

    def _show(self, obs: Tree) -> None:
        who = "you act" if self.holds_on or self._hands.engaged else "the policy acts"
        line = f"{who} · paused" if self.paused else who
        picture = self._env.render()
        lines = [line] if picture is not None else [line, *seen_lines(_first(obs))]
        self._shell.show(picture, lines)


def _first(obs: Tree) -> Tree:
    return {name: x[0] for name, x in obs.items()}
