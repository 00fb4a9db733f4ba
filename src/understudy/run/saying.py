"""An expert that is a function: it sees an observation and says what to do, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import ActedBy, Tree
from understudy.data.spaces import codecs_of
from understudy.data.spec import Spec
from understudy.errors import EnvError


class Saying:
    """Asks a function in the environment's own words. See `run.taught.Sparing`.

    Attributes:
        acted_by: For recordings.
        spoke: `[n]` for which slots the function did not return None in the last `act`.
    """

    proposed: Action | None = None

    def __init__(
        self, say: Callable[[Any], Any], spec: Spec, acted_by: ActedBy = ActedBy.SCRIPT
    ) -> None:
        """Ask this function from now on.

        Args:
            say: From an observation of the environment's space to an action of its space, or to
                None where it has nothing to say.
            spec: What is seen and done; of an environment with Gymnasium's spaces.
            acted_by: For recordings.

        Raises:
            EnvError: The environment has no spaces to speak in.
        """
        if spec.observation_space is None or spec.action_space is None:
            raise EnvError(
                "a function as expert speaks in the words of Gymnasium's spaces, and this "
                "environment has none: give an actor instead (see understudy.data.actor)"
            )
        self.acted_by, self._say, self._spec = acted_by, say, spec.action
        self._obs, self._action = codecs_of(spec)
        self.spoke: NDArray[np.bool_] = np.zeros(0, bool)

    def start(self, slots: int) -> Tree:
        """No memory."""
        return {}

    def act(self, obs: Tree, state: Tree, fresh: NDArray[np.bool_]) -> tuple[Action, Tree]:
        """See `Actor.act`.

        Raises:
            EnvError: What the function returned is no action of the environment.
        """
        said = [self._say(seen) for seen in self._obs.decode_many(obs)]
        self.spoke = np.array([value is not None for value in said], bool)
        action = Action.zeros(self._spec, len(said))
        for row, value in enumerate(said):
            if value is not None:
                done = self._encoded(value)
                action.continuous[row], action.discrete[row] = done.continuous, done.discrete
        return action, state

    def _encoded(self, value: Any) -> Action:
        try:
            return self._action.encode(value)
        except EnvError as error:
            name = getattr(self._say, "__qualname__", type(self._say).__name__)
            raise EnvError(f"the expert {name}: {error}") from None
