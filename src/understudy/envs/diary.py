"""What was done in every slot's present episode, so that it can be lived again.

Simulators rarely let their state be saved. But an episode that began from a known seed is
determined by what was done in it: doing the same again leads to the same place.
"""

from __future__ import annotations

from typing import Any

from understudy.data.action import Action


class Diary:
    """The actions of every slot since its episode began."""

    def __init__(self, slots: int) -> None:
        """Args: slots: how many."""
        self._done: list[list[Action]] = [[] for _ in range(slots)]

    def begin(self, slot: int) -> None:
        """An episode begins; what was noted before is forgotten, this step's action too."""
        self._done[slot] = []

    def note(self, action: Action) -> None:
        """What all slots do now, `[slots, ...]`; kept, not copied."""
        for done in self._done:
            done.append(action)

    def of(self, slot: int) -> Action | None:
        """`[steps, ...]` what a slot did in its present episode; None if nothing yet."""
        done = self._done[slot]
        return Action.stack([page.at(slot) for page in done]) if done else None

    def state_dict(self) -> dict[str, Any]:
        """The actions of every slot."""
        found = (self.of(slot) for slot in range(len(self._done)))
        return {
            str(slot): None if done is None else done._asdict() for slot, done in enumerate(found)
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the actions of every slot."""
        slots = range(len(self._done))
        for slot in slots:
            done = state[str(slot)]
            action = None if done is None else Action(done["continuous"], done["discrete"])
            steps = 0 if action is None else len(action.continuous)
            # A page has a row for every slot; only this slot's is ever asked for.
            self._done[slot] = [
                Action(*(x[t][None].repeat(len(slots), 0) for x in action))
                for t in range(steps)
                if action is not None
            ]
