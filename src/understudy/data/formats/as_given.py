"""Episodes as arrays of the values that the environment gave and took.

Where a spec came from Gymnasium spaces, those are the values of the spaces; a spec that came from
none gets spaces of its own. Names are paths joined by `/`; an array that stands alone is called "".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from understudy.data.episode import Episode, Tree
from understudy.data.formats.minari_spaces import InSpaces, in_spaces
from understudy.data.spaces import codecs_of
from understudy.data.spec import Spec
from understudy.errors import DemoError, EnvError


class Given(NamedTuple):
    """An episode's arrays.

    Attributes:
        obs: `[T+1, ...]` by path.
        action: `[T, ...]` by path.
    """

    obs: Tree
    action: Tree


class AsGiven:
    """Turns episodes of a spec into arrays.

    Attributes:
        told: The spec with its spaces, and what those cannot say.
    """

    def __init__(self, where: str, spec: Spec) -> None:
        """Prepare for episodes of `spec`.

        Raises:
            DemoError: No Gymnasium space says what the spec says; `where` begins the message.
        """
        try:
            self.told: InSpaces = in_spaces(spec)
        except EnvError as error:
            raise DemoError(f"{where}: {error}") from None
        self._see, self._do = codecs_of(self.told.spec)

    def __call__(self, episode: Episode) -> Given:
        """The arrays of an episode."""
        names = self.told.names
        obs = {names.get(name, name): rows for name, rows in episode.obs.items()}
        return Given(
            _leaves(list(self._see.decode_many(obs))),
            _leaves(list(self._do.decode_many(episode.action))),
        )


def _leaves(values: list[Any], name: str = "") -> Tree:
    first = values[0]
    if not isinstance(first, dict | tuple):
        return {name: np.stack(values)}
    out: Tree = {}
    for key in first if isinstance(first, dict) else range(len(first)):
        inner = f"{name}/{key}" if name else str(key)
        out |= _leaves([value[key] for value in values], inner)
    return out
