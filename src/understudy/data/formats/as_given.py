"""Episodes as arrays of the values that the environment gave and took.

Where a spec came from Gymnasium spaces, those are the values of the spaces, by their paths joined
by `/`; else the arrays of the spec by name, and actions as `continuous` and `discrete`. An array
that stands alone is called "".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from understudy.data.episode import Episode, Tree
from understudy.data.obs_codec import ROOT
from understudy.data.spaces import codecs_of
from understudy.data.spec import Spec


class Given(NamedTuple):
    """An episode's arrays.

    Attributes:
        obs: `[T+1, ...]` by path.
        action: `[T, ...]` by path.
    """

    obs: Tree
    action: Tree


def as_given(episode: Episode, spec: Spec) -> Given:
    """The arrays of an episode of `spec`."""
    if spec.observation_space is None or spec.action_space is None:
        obs = {"" if name == ROOT else name: rows for name, rows in episode.obs.items()}
        parts = episode.action._asdict()
        action = {name: rows for name, rows in parts.items() if rows.shape[1]}
        return Given(obs, {"": next(iter(action.values()))} if len(action) == 1 else action)
    see, do = codecs_of(spec)
    return Given(
        _leaves(list(see.decode_many(episode.obs))), _leaves(list(do.decode_many(episode.action)))
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
