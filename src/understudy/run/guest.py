"""An actor of somebody else's: whatever goes wrong in it is said in one line."""

from __future__ import annotations

from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.actor import Actor
from understudy.data.episode import Tree
from understudy.errors import EnvError, UnderstudyError


class Guest:
    """Another actor, whose errors are a user's to mend, and who has to say something every time.

    Attributes:
        acted_by: That of the other actor.
        proposed: That of the other actor.
    """

    def __init__(self, actor: Actor, name: str) -> None:
        """Args: actor: the other one. name: what its errors are to call it."""
        self.acted_by = actor.acted_by
        self.proposed: Action | None = None
        self._actor, self._name = actor, name

    def start(self, slots: int) -> Tree:
        """The other actor's memory."""
        return self._actor.start(slots)

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor.act`.

        Raises:
            EnvError: The other actor fails, or says nothing.
        """
        try:
            action, state = self._actor.act(obs, state, fresh)
        except UnderstudyError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())
            where = _place(error.__traceback__)
            raise EnvError(f"{self._name}: {type(error).__name__}: {text} ({where})") from error
        if not np.all(getattr(self._actor, "spoke", True)):
            raise EnvError(f"{self._name} returned None: a recording needs an action every time")
        self.proposed = self._actor.proposed
        return action, state


def _place(trace: TracebackType | None) -> str:
    """Where it was raised, for its author."""
    place = "?"
    while trace is not None:
        place, trace = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}", trace.tb_next
    return place
